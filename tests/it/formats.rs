// SPDX-License-Identifier: GPL-3.0-or-later
//! Every format over HTTP: what it says it is, what others find in it, and what it costs in encoders.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::{
    browser::{self, Browser},
    http::{self, Reply, Viewer},
    media,
    rig::{Aerial, Home, checkout, have, have_alone, id, viewer_at, viewers},
};

/// A broadcast of a small picture, with sound.
pub const SMALL: &[&str] = &[
    "--video",
    "test",
    "--audio",
    "tone",
    "--size",
    "640x360",
    "--key-interval",
    "1s",
];

/// An endless stream.
struct Route {
    path: &'static str,
    kind: &'static str,
    codecs: &'static [&'static str],
    /// Two seconds and more of it.
    bytes: u64,
}

const ROUTES: [Route; 6] = [
    Route {
        path: "/live.webm",
        kind: "video/webm",
        codecs: &["opus", "vp8"],
        bytes: 900_000,
    },
    Route {
        path: "/live.ogg",
        kind: "video/ogg",
        codecs: &["theora", "vorbis"],
        bytes: 900_000,
    },
    Route {
        path: "/live.mp4",
        kind: "video/mp4",
        codecs: &["aac", "h264"],
        bytes: 900_000,
    },
    Route {
        path: "/live.ts",
        kind: "video/mp2t",
        codecs: &["aac", "h264"],
        bytes: 900_000,
    },
    Route {
        path: "/live.mp3",
        kind: "audio/mpeg",
        codecs: &["mp3"],
        bytes: 40_000,
    },
    Route {
        path: "/live.opus",
        kind: "audio/ogg",
        codecs: &["opus"],
        bytes: 40_000,
    },
];

const MJPEG: &str = "multipart/x-mixed-replace; boundary=aerial-next-picture";

/// Watches with HTTP/1.0 until that much has come, and returns what came.
fn watch(aerial: &Aerial, path: &str, bytes: u64) -> Vec<u8> {
    let request = format!("GET {path} HTTP/1.0\r\nUser-Agent: it/1\r\n\r\n");
    let viewer = Viewer::start(
        TcpStream::connect(aerial.address()).unwrap(),
        &request,
        true,
    );
    assert_eq!(viewer.reply.status, 200, "{path}: {:?}", viewer.reply);
    viewer.wait_more(bytes);
    viewer.kept()
}

/// One request without a body.
pub fn ask(aerial: &Aerial, method: &str, path: &str) -> Reply {
    http::request(aerial.address(), method, path, &[], b"")
}

fn number(value: &Value) -> f64 {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .parse()
        .unwrap()
}

/// Times of the packets of one kind, in their order.
pub fn times(probed: &Value, kind: &str, field: &str) -> Vec<f64> {
    let packets = probed["packets"].as_array().unwrap().iter();
    let of_kind = packets.filter(|p| p["codec_type"] == kind);
    // Without a time: what ffprobe cannot place at the very beginning or end.
    of_kind
        .filter_map(|p| p[field].as_str())
        .map(|t| t.parse().unwrap())
        .collect()
}

fn assert_times_only_grow(probed: &Value, what: &str) {
    for kind in ["video", "audio"] {
        for field in ["pts_time", "dts_time"] {
            let times = times(probed, kind, field);
            let back = times.windows(2).find(|w| w[1] < w[0]);
            assert_eq!(back, None, "{what}: {field} of {kind}");
        }
    }
}

#[test]
fn each_endless_stream_is_what_it_says() {
    if !have("each_endless_stream_is_what_it_says", media::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(SMALL);
    for Route {
        path,
        kind,
        codecs,
        bytes,
    } in ROUTES
    {
        let head = ask(&aerial, "HEAD", path);
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-type"), Some(kind), "{path}");
        assert_eq!(head.header("cache-control"), Some("no-store"), "{path}");

        let file = aerial.path(&path[1..]);
        fs::write(&file, watch(&aerial, path, bytes)).unwrap();
        let probed = media::probe(&file);
        assert_eq!(media::codecs(&probed), codecs, "{path}");
        assert_times_only_grow(&probed, path);
        let streams = probed["streams"].as_array().unwrap();
        let lasts = |kind: &str| {
            let times = times(&probed, kind, "pts_time");
            times.last().unwrap() - times[0]
        };
        for stream in streams {
            if stream["codec_type"] == "audio" {
                assert_eq!(
                    (&stream["sample_rate"], &stream["channels"]),
                    (&json!("48000"), &json!(2)),
                    "{path}"
                );
                // As long as the pictures beside it, which are sent up to a second before their sound. How long those
                // are depends on what is in them.
                let least = match streams.len() {
                    1 => 1.5,
                    _ => (lasts("video") - 1.0).max(1.0),
                };
                let sound = lasts("audio");
                assert!(sound >= least, "{path}: {sound} s of sound, not {least}");
                continue;
            }
            assert_eq!(
                (&stream["width"], &stream["height"]),
                (&json!(640), &json!(360)),
                "{path}"
            );
            let packets = probed["packets"].as_array().unwrap();
            let first = packets.iter().find(|p| p["codec_type"] == "video").unwrap();
            let flags = first["flags"].as_str().unwrap();
            assert!(flags.starts_with('K'), "{path} begins with {first}");
            // A busy computer drops some; those that come are where they belong: all steps are of whole pictures.
            let mut shown = times(&probed, "video", "pts_time");
            shown.sort_by(f64::total_cmp);
            let steps: Vec<_> = shown.windows(2).map(|w| (w[1] - w[0]) * 30.0).collect();
            let whole = |step: &f64| *step > 0.5 && (step - step.round()).abs() < 0.1;
            assert!(steps.iter().all(whole), "{path}: {steps:?}");
            assert!(steps.iter().any(|s| s.round() == 1.0), "{path}: {steps:?}");
        }
    }
    aerial.stop();
}

/// The pictures of a multipart stream; one that is cut off is left out.
fn parts(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut found = vec![];
    while let Some(end) = stream.windows(4).position(|w| w == b"\r\n\r\n") {
        let head = std::str::from_utf8(&stream[..end]).unwrap();
        assert!(head.starts_with("--aerial-next-picture\r\n"), "{head}");
        assert!(head.contains("Content-Type: image/jpeg"), "{head}");
        let length = head.split("Content-Length: ").nth(1).unwrap();
        let length: usize = length.split('\r').next().unwrap().parse().unwrap();
        let Some(picture) = stream.get(end + 4..end + 4 + length) else {
            break;
        };
        assert!(picture.starts_with(&[0xff, 0xd8]) && picture.ends_with(&[0xff, 0xd9]));
        found.push(picture);
        stream = stream.get(end + 4 + length + 2..).unwrap_or_default();
    }
    found
}

fn assert_is_picture(file: &Path) {
    let probed = media::probe(file);
    let stream = &probed["streams"][0];
    assert_eq!(
        (&stream["codec_name"], &stream["width"], &stream["height"]),
        (&json!("mjpeg"), &json!(640), &json!(360))
    );
    assert_eq!(media::decode(file), 1);
}

#[test]
fn pictures_come_one_by_one_and_one_alone() {
    if !have("pictures_come_one_by_one_and_one_alone", media::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(SMALL);
    let head = ask(&aerial, "HEAD", "/live.mjpeg");
    assert_eq!(
        (head.status, head.header("content-type")),
        (200, Some(MJPEG))
    );
    let stream = watch(&aerial, "/live.mjpeg", 400_000);
    let pictures = parts(&stream);
    assert!(pictures.len() > 3);
    let file = aerial.path("one.jpg");
    fs::write(&file, pictures[1]).unwrap();
    assert_is_picture(&file);

    for method in ["GET", "HEAD"] {
        let reply = ask(&aerial, method, "/snapshot.jpg");
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some("image/jpeg"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let length: usize = reply.header("content-length").unwrap().parse().unwrap();
        assert!(length > 1000);
        if method == "HEAD" {
            assert!(reply.body.is_empty());
        } else {
            assert_eq!(reply.body.len(), length);
            fs::write(&file, reply.body).unwrap();
            assert_is_picture(&file);
        }
    }
    aerial.stop();
}

#[test]
fn who_reads_pictures_slowly_gets_the_newest_next() {
    let mut aerial = Aerial::live(SMALL);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&aerial.address().into()).unwrap();
    let request = "GET /live.mjpeg HTTP/1.0\r\n\r\n";
    let slow = Viewer::stuck(socket.into(), request);
    // Some seconds, ten pictures in each.
    for _ in 0..4 {
        aerial.wait_anew("the next second", |_| true);
    }
    let status = aerial.wait_anew("the next second", |_| true);
    // The system holds some, however small its buffers; that is no more than a few pictures, not seconds of them.
    let row = viewer_at(&status, slow.address()).expect("it is let go only later");
    let size = ask(&aerial, "GET", "/snapshot.jpg").body.len() as u64;
    let held = row["bytes"].as_u64().unwrap();
    assert!(
        held < size * 4 + 65_536,
        "{held} bytes wait, a picture has {size}"
    );
    // And it goes on, without those it had no time for.
    let slow = slow.reading();
    slow.wait_more(held + size * 10);
    aerial.wait("what it missed to be counted", |s| {
        viewer_at(s, slow.address()).is_some_and(|v| v["dropped"].as_u64() > Some(20))
    });
    assert!(parts(&slow.kept()).len() >= 10);
    drop(slow);
    aerial.stop();
}

/// A film of white flashes and beeps at the same time, once a second.
fn film(home: &Home) -> PathBuf {
    let path = home.path("flash.mkv");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i"])
        .arg(
            "color=black:s=320x180:r=30:d=30,drawbox=c=white:t=fill:enable='lt(mod(t,1),0.1)',\
              noise=alls=20:allf=t",
        )
        .args(["-f", "lavfi", "-i"])
        .arg("aevalsrc='if(lt(mod(t,1),0.1),sin(2*PI*1000*t)*0.8,0)':s=48000:d=30")
        .args(["-c:v", "mjpeg", "-c:a", "pcm_s16le"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    path
}

/// Times at which a value of a film's frames goes from low to high.
fn rises(filters: &str, tag: &str, high: f64) -> Vec<f64> {
    let out = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            filters,
            "-of",
            "json",
            "-show_entries",
        ])
        .arg(format!("frame=pts_time:frame_tags={tag}"))
        .output()
        .unwrap();
    let probed: Value = serde_json::from_slice(&out.stdout).unwrap();
    let frames = probed["frames"].as_array().unwrap().iter();
    let values: Vec<(f64, bool)> = frames
        .map(|f| {
            let value = f["tags"][tag].as_str().unwrap();
            // The logarithm of silence.
            let value = value.parse().unwrap_or(f64::MIN);
            (number(&f["pts_time"]), value > high)
        })
        .collect();
    // A sine crosses zero; what was low for 50 ms is low.
    let low = |at: usize| values[at.saturating_sub(5)..at].iter().all(|v| !v.1);
    let rising = (1..values.len()).filter(|i| values[*i].1 && low(*i));
    rising.map(|i| values[i].0).collect()
}

#[test]
fn picture_and_sound_are_together_in_every_format() {
    if !have_alone(
        "picture_and_sound_are_together_in_every_format",
        media::NEEDS,
    ) {
        return;
    }
    let home = Home::new();
    let film = format!("file:{}", film(&home).display());
    let words = ["--video", &film, "--audio", &film, "--size", "320x180"];
    let mut aerial = Aerial::live_in(
        home,
        &[&words[..], &["--key-interval", "1s"]].concat(),
        None,
    );
    let all = [
        "live.webm",
        "live.ogg",
        "live.mp4",
        "live.ts",
        "hls/index.m3u8",
    ];
    let watching: Vec<(Child, &str, String)> = all
        .iter()
        .enumerate()
        .map(|(n, path)| {
            let file = format!("together{n}.mkv");
            let child = Command::new("ffmpeg")
                .args([
                    "-v",
                    "error",
                    "-nostdin",
                    "-i",
                    &aerial.link(&format!("/{path}")),
                ])
                .args(["-t", "9", "-c", "copy"])
                .arg(aerial.path(&file))
                .stdin(Stdio::null())
                .spawn()
                .unwrap();
            (child, *path, file)
        })
        .collect();
    for (mut child, path, file) in watching {
        assert!(child.wait().unwrap().success(), "{path}");
        let file = aerial.path(&file);
        let flashes = rises(
            &format!("movie={},signalstats", file.display()),
            "lavfi.signalstats.YAVG",
            120.0,
        );
        let beeps = rises(
            &format!(
                "amovie={},asetnsamples=480,astats=metadata=1:reset=1",
                file.display()
            ),
            "lavfi.astats.Overall.Peak_level",
            -15.0,
        );
        let nearest = |flash: &f64| {
            let offsets = beeps.iter().map(|beep| beep - flash);
            offsets.min_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap()
        };
        let mut offsets: Vec<f64> = flashes.iter().map(nearest).collect();
        assert!(offsets.len() >= 5, "{path}: {flashes:?} {beeps:?}");
        offsets.sort_by(f64::total_cmp);
        let middle = offsets[offsets.len() / 2];
        assert!(middle.abs() <= 0.040, "{path}: sound is {offsets:?} later");
    }
    aerial.stop();
}

fn encoders(status: &Value) -> Vec<(&str, &str)> {
    let rows = status["encoders"].as_array().unwrap().iter();
    let mut found: Vec<_> = rows
        .map(|e| (e["codec"].as_str().unwrap(), e["rung"].as_str().unwrap()))
        .collect();
    found.sort();
    found
}

#[test]
fn all_formats_at_once_need_one_encoder_of_each_kind_and_none_when_nobody_watches() {
    let story = "all_formats_at_once_need_one_encoder_of_each_kind_and_none_when_nobody_watches";
    if !have_alone(story, &[]) {
        return;
    }
    let mut aerial = Aerial::live(&[
        "--video", "test", "--audio", "tone", "--size", "320x180", "--fps", "15",
    ]);
    let before = aerial.wait_anew("nobody to watch", |_| true);
    assert_eq!(encoders(&before), [], "nobody wants anything");
    let paths = ROUTES
        .iter()
        .map(|r| r.path)
        .chain(["/live.mjpeg", "/live.gif"]);
    let watching: Vec<Viewer> = paths
        .flat_map(|path| [path; 3])
        .map(|path| Viewer::join(aerial.address(), path))
        .collect();
    let folders: Vec<String> = (0..3).map(|_| folder(&aerial)).collect();
    for viewer in &watching {
        viewer.wait_more(10_000);
    }
    let expected = [
        ("aac", "audio"),
        ("gif", "gif"),
        ("h264", "full"),
        // Begun for those who may want it, when they ask what there is.
        ("h264", "low"),
        ("jpeg", "full"),
        ("mp3", "audio"),
        ("opus", "audio"),
        ("theora", "full"),
        ("vorbis", "audio"),
        ("vp8", "full"),
    ];
    let all = aerial.wait("everybody to be listed", |s| {
        viewers(s, "http").len() == 24 && viewers(s, "hls").len() == 3 && encoders(s).len() >= 10
    });
    assert_eq!(encoders(&all), expected);
    let low = ask(&aerial, "GET", &format!("/hls/{}/low.m3u8", folders[0]));
    assert_eq!(low.status, 200);
    aerial.wait("one to watch the small picture", |s| {
        viewers(s, "hls").iter().any(|v| v["rung"] == "low")
    });
    drop(watching);
    let after = aerial.wait("nothing to be encoded", |s| encoders(s).is_empty());
    assert_eq!(after["viewers"], json!([]));
    for status in aerial.statuses() {
        assert!(encoders(&status).len() <= 10, "{status:#}");
    }
    aerial.stop();
}

#[test]
fn sound_alone_is_served_as_sound_and_asking_for_a_picture_is_answered() {
    let story = "sound_alone_is_served_as_sound_and_asking_for_a_picture_is_answered";
    if !have(story, media::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(&["--video", "none", "--audio", "tone"]);
    for path in ["/live.mjpeg", "/live.gif", "/snapshot.jpg"] {
        let reply = ask(&aerial, "GET", path);
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.header("retry-after"), None, "{path}");
        let words = String::from_utf8(reply.body).unwrap();
        assert!(
            words.trim_end().ends_with('.') && words.len() > 30,
            "{path}: {words}"
        );
    }
    for (path, kind, codec) in [
        ("/live.mp3", "audio/mpeg", "mp3"),
        ("/live.opus", "audio/ogg", "opus"),
        ("/live.webm", "audio/webm", "opus"),
        ("/live.ogg", "audio/ogg", "vorbis"),
        ("/live.mp4", "audio/mp4", "aac"),
        ("/live.ts", "video/mp2t", "aac"),
    ] {
        let head = ask(&aerial, "HEAD", path);
        assert_eq!(head.header("content-type"), Some(kind), "{path}");
        let file = aerial.path(&path[1..]);
        fs::write(&file, watch(&aerial, path, 40_000)).unwrap();
        let probed = media::probe(&file);
        assert_eq!(media::codecs(&probed), [codec], "{path}");
        assert_times_only_grow(&probed, path);
    }
    let master = ask(&aerial, "GET", "/hls/index.m3u8");
    let text = String::from_utf8(master.body).unwrap();
    assert!(
        text.contains("full.m3u8") && !text.contains("low.m3u8"),
        "{text}"
    );
    let file = aerial.path("hls.mp4");
    let copied = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-nostdin",
            "-i",
            &aerial.link("/hls/index.m3u8"),
        ])
        .args(["-t", "3", "-c", "copy"])
        .arg(&file)
        .status()
        .unwrap();
    assert!(copied.success());
    assert_eq!(media::codecs(&media::probe(&file)), ["aac"]);
    aerial.stop();
}

#[test]
fn off_the_air_every_route_says_so() {
    let mut aerial = Aerial::live(SMALL);
    let viewer = folder(&aerial);
    aerial.wait("it to be listed", |s| viewers(s, "hls").len() == 1);
    let air = |state: &str| {
        let headers = [
            ("Authorization", format!("Bearer {}", aerial.token())),
            ("Content-Type", "application/json".into()),
        ];
        let headers = headers
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let body = json!({"air": state}).to_string();
        let done = http::request(
            aerial.address(),
            "PUT",
            "/api/v1/air",
            &headers,
            body.as_bytes(),
        );
        assert_eq!(done.status / 100, 2, "{done:?}");
    };
    air("off");
    aerial.wait("it to be off, and the viewer gone", |s| {
        s["air"] == "off" && viewers(s, "hls").is_empty()
    });
    let folder = format!("/hls/{viewer}/full.m3u8");
    let more = ["/live.mjpeg", "/snapshot.jpg", "/hls/index.m3u8", &folder];
    for path in ROUTES.iter().map(|r| r.path).chain(more) {
        for method in ["GET", "HEAD"] {
            let reply = ask(&aerial, method, path);
            assert_eq!(reply.status, 503, "{method} {path}");
            assert!(reply.header("retry-after").is_some(), "{method} {path}");
            assert_eq!(reply.body.is_empty(), method == "HEAD", "{method} {path}");
        }
    }
    air("live");
    aerial.wait("it to be on again", |s| s["air"] == "live");
    assert_eq!(ask(&aerial, "GET", &folder).status, 200, "welcome back");
    aerial.stop();
}

/// Begins to watch by HLS: a folder of one's own, in which the playlist was read.
pub fn folder(aerial: &Aerial) -> String {
    let master = ask(aerial, "GET", "/hls/index.m3u8");
    assert_eq!(
        master.header("content-type"),
        Some("application/vnd.apple.mpegurl")
    );
    let text = String::from_utf8(master.body).unwrap();
    let link = text.lines().find(|l| l.ends_with("/full.m3u8")).unwrap();
    let folder = link.trim_end_matches("/full.m3u8").to_string();
    assert_eq!(ask(aerial, "GET", &format!("/hls/{link}")).status, 200);
    folder
}

/// What a playlist says of its last part: `(segment, parts of it)` to wait for what comes next.
pub fn newest(list: &str) -> (u64, u64) {
    let first = list
        .lines()
        .find_map(|l| l.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
    let first: u64 = first.unwrap().parse().unwrap();
    let complete = list.matches("#EXTINF").count() as u64;
    let last = list.rsplit("#EXTINF").next().unwrap();
    (
        first + complete,
        last.matches("#EXT-X-PART:").count() as u64,
    )
}

/// The body of what was found, as text.
pub fn text(reply: Reply) -> String {
    assert_eq!(reply.status, 200, "{reply:?}");
    String::from_utf8(reply.body).unwrap()
}

#[test]
fn hls_tells_of_each_part_as_soon_as_it_is_there() {
    if !have(
        "hls_tells_of_each_part_as_soon_as_it_is_there",
        media::NEEDS,
    ) {
        return;
    }
    let mut aerial = Aerial::live(&[SMALL, &["--video-bitrate", "500k"]].concat());
    let root = format!("/hls/{}", folder(&aerial));
    let playlist = format!("{root}/full.m3u8");
    let mut list = text(ask(&aerial, "GET", &playlist));
    for _ in 0..5 {
        let (segment, part) = newest(&list);
        let next = format!("{playlist}?_HLS_msn={segment}&_HLS_part={part}");
        let later = text(ask(&aerial, "GET", &next));
        assert!(newest(&later) > (segment, part), "{list}\nthen {later}");
        list = later;
    }
    // What is announced comes, and with its head it can be decoded.
    let named = |list: &str, begin: &str| {
        let at = list
            .rfind(begin)
            .unwrap_or_else(|| panic!("{begin} in {list}"));
        let name = list[at + begin.len()..].split(['"', '\n']).next().unwrap();
        format!("{root}/{name}")
    };
    let hinted = ask(
        &aerial,
        "GET",
        &named(&list, "PRELOAD-HINT:TYPE=PART,URI=\""),
    );
    assert_eq!(hinted.status, 200);
    assert!(!hinted.body.is_empty());
    let head = ask(&aerial, "GET", &named(&list, "#EXT-X-MAP:URI=\""));
    let name = list.lines().rfind(|l| l.ends_with(".m4s")).unwrap();
    let path = format!("{root}/{name}");
    let segment = ask(&aerial, "GET", &path);
    assert_eq!(segment.header("content-type"), Some("video/mp4"));
    let cache = segment.header("cache-control").unwrap();
    assert!(cache.contains("max-age="), "{cache}");
    let file = aerial.path("segment.mp4");
    fs::write(&file, [&head.body[..], &segment.body].concat()).unwrap();
    let probed = media::probe(&file);
    assert_eq!(media::codecs(&probed), ["aac", "h264"]);
    assert_times_only_grow(&probed, "a segment");
    assert!(media::decode(&file) > 5);

    // A piece of it.
    let range =
        |value: &str| http::request(aerial.address(), "GET", &path, &[("Range", value)], b"");
    let piece = range("bytes=100-299");
    assert_eq!(
        (piece.status, &piece.body[..]),
        (206, &segment.body[100..300])
    );
    let told = format!("bytes 100-299/{}", segment.body.len());
    assert_eq!(piece.header("content-range"), Some(told.as_str()));
    assert_eq!(range("bytes=99999999-").status, 416);
    let head = ask(&aerial, "HEAD", &path);
    let length = segment.body.len().to_string();
    assert_eq!(head.header("content-length"), Some(length.as_str()));

    for (path, status) in [
        (format!("{playlist}?_HLS_msn=999999"), 400),
        (format!("{playlist}?_HLS_msn=x"), 400),
        (format!("{root}/full/s999999.m4s"), 404),
        (format!("{root}/full/p999999.m4s"), 404),
        (format!("{root}/full/../../../live.webm"), 404),
        (format!("{root}/middle.m3u8"), 404),
        ("/hls/full.m3u8".into(), 404),
        ("/hls/nobody/full.m3u8".into(), 404),
    ] {
        assert_eq!(ask(&aerial, "GET", &path).status, status, "{path}");
    }
    aerial.stop();
}

#[test]
fn a_kicked_hls_viewer_is_gone_and_the_others_stay() {
    let mut aerial = Aerial::live(SMALL);
    let [stays, goes] = [folder(&aerial), folder(&aerial)];
    let list = |folder: &str| {
        let path = format!("/hls/{folder}/full.m3u8");
        http::request(
            aerial.address(),
            "GET",
            &path,
            &[("User-Agent", folder)],
            b"",
        )
    };
    let row = |status: &Value, n: usize| id(viewers(status, "hls")[n]);
    let listed = aerial.wait("both to be listed, with what they took", |s| {
        let all = viewers(s, "hls");
        all.len() == 2 && all.iter().all(|v| v["bytes"].as_u64() > Some(300))
    });
    assert_eq!(viewers(&listed, "hls")[0]["format"], "mp4");
    let kicked = row(&listed, 1);
    let done = aerial.api("DELETE", &format!("/api/v1/viewers/{kicked}"));
    assert_eq!(done.status, 204);
    let after = aerial.wait("one to be gone", |s| viewers(s, "hls").len() == 1);
    assert_eq!(row(&after, 0), row(&listed, 0));
    assert_eq!(list(&goes).status, 410);
    assert_eq!(list(&stays).status, 200);
    // Nobody says good-bye: who asks for nothing any more has left.
    aerial.wait("the other one to be gone", |s| viewers(s, "hls").is_empty());
    aerial.stop();
}

#[test]
fn a_connection_carries_one_hls_request_after_the_other_and_then_another_one() {
    let mut aerial = Aerial::live(SMALL);
    let folder = folder(&aerial);
    let requests = format!(
        "GET /hls/{folder}/full.m3u8 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hls/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n\
         GET /live.mp3 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    );
    let all = http::exchange(aerial.address(), requests.as_bytes())
        .unwrap()
        .body;
    let all = String::from_utf8_lossy(&all);
    assert!(all.starts_with("#EXTM3U"), "{all}");
    let (not_found, live) = (
        all.find("HTTP/1.1 404"),
        all.find("Content-Type: audio/mpeg"),
    );
    assert!(
        not_found.is_some() && not_found < live,
        "{not_found:?} {live:?}"
    );
    aerial.stop();
}

#[test]
fn a_radio_is_told_what_is_playing_if_it_asks() {
    let mut aerial = Aerial::live(&["--video", "none", "--audio", "tone"]);
    let join = |path: &str, asks: &str| {
        let request = format!("GET {path} HTTP/1.0\r\n{asks}\r\n");
        Viewer::start(
            TcpStream::connect(aerial.address()).unwrap(),
            &request,
            true,
        )
    };
    let radio = join("/live.mp3", "Icy-MetaData: 1\r\n");
    let every: usize = radio.reply.header("icy-metaint").unwrap().parse().unwrap();
    radio.wait_more(every as u64 * 2 + 2000);
    let kept = radio.kept();
    let length = usize::from(kept[every]) * 16;
    let told = String::from_utf8_lossy(&kept[every + 1..][..length]);
    assert!(told.starts_with("StreamTitle='") && told.trim_end_matches('\0').ends_with("';"));
    // The second text is the same, so it is not told again; then sound goes on, frame by frame.
    assert_eq!(kept[every + 1 + length + every], 0);
    for (path, asks) in [("/live.mp3", ""), ("/live.opus", "Icy-MetaData: 1\r\n")] {
        assert_eq!(join(path, asks).reply.header("icy-metaint"), None, "{path}");
    }
    drop(radio);
    aerial.stop();
}

#[test]
fn chromium_plays_every_format_it_knows() {
    if !have_alone("chromium_plays_every_format_it_knows", browser::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(SMALL);
    let web = format!("/test/={}", checkout("tests/web").display());
    let serve = ["--serve", web.as_str(), "--eval", "JSON.stringify(seen)"];
    let mse = "/test/mse.html#%2Flive.mp4|video%2Fmp4%3B%20codecs%3D%22avc1.42c01e%2Cmp4a.40.2%22";
    for (path, options) in [
        ("/live.webm", &[][..]),
        ("/live.mp4", &[]),
        (mse, &serve),
        ("/test/hls.html", &serve),
    ] {
        let mut page = Browser::open(&aerial.link(path), options);
        page.wait_first_frame();
        // Three seconds of it, without a pause that a viewer would see as the end.
        let shown = "new Promise(done => { const v = document.querySelector('video'), t = v.currentTime; \
                     v.ontimeupdate = () => { if (v.currentTime > t + 3) done(v.videoWidth); } })";
        assert!(page.ask(shown).as_u64() >= Some(320), "{path}");
        let saw = page.finish();
        assert_eq!(saw["ok"], true, "{path}: {saw:#}");
        assert_eq!(saw["media_error"], Value::Null, "{path}: {saw:#}");
        assert_eq!(saw["has_audio"], true, "{path}: {saw:#}");
        if let Some(seen) = saw["eval"].as_str() {
            let seen: Value = serde_json::from_str(seen).unwrap();
            assert_eq!(seen["errors"], json!([]), "{path}: {seen:#}");
            if path.contains("hls") {
                assert_eq!(seen["levels"], json!([[320, 180], [640, 360]]), "{seen:#}");
                assert!(seen["parts"].as_u64() > Some(3), "by parts: {seen:#}");
            }
        }
    }
    aerial.stop();
}

#[test]
fn chromium_shows_pictures_one_by_one() {
    if !have("chromium_shows_pictures_one_by_one", browser::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(SMALL);
    let web = format!("/test/={}", checkout("tests/web").display());
    let mut page = Browser::open(&aerial.link("/test/img.html"), &["--serve", &web]);
    page.wait_first_frame();
    assert_eq!(page.ask("changes"), json!(true));
    page.finish();
    aerial.stop();
}

#[test]
fn firefox_plays_every_format_it_knows() {
    let needs = [browser::NEEDS, &["firefox-esr"]].concat();
    if !have_alone("firefox_plays_every_format_it_knows", &needs) {
        return;
    }
    let mut aerial = Aerial::live(SMALL);
    // Firefox has given up Theora; the sound of Ogg it plays.
    for (path, width) in [
        ("/live.webm", 640),
        ("/live.mp4", 640),
        ("/live.ogg", 0),
        ("/live.opus", 0),
    ] {
        let mut page = Browser::open(&aerial.link(path), &["--browser", "firefox", "--audio"]);
        page.wait_first_frame();
        let shown = "new Promise(done => { const v = document.querySelector('video'), t = v.currentTime; \
                     v.ontimeupdate = () => { if (v.currentTime > t + 2) done(v.videoWidth); } })";
        assert_eq!(page.ask(shown).as_u64(), Some(width), "{path}");
        let saw = page.finish();
        assert_eq!(saw["ok"], true, "{path}: {saw:#}");
        assert_eq!(saw["media_error"], Value::Null, "{path}: {saw:#}");
    }
    aerial.stop();
}
