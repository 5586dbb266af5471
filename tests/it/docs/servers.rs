// SPDX-License-Identifier: GPL-3.0-or-later
//! Servers in place of those at `example.org`, and the files that examples name.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{
    icecast::{self, Icecast},
    peers::Janus,
    push::{Nginx, SMALL, Server, Transmit},
    rig::{Aerial, Home, checkout, free_port, wait_for},
};

/// What the servers need besides.
pub const NEEDS: &[&str] = &[
    "python3",
    #[cfg(target_arch = "x86_64")]
    "/usr/lib/x86_64-linux-gnu/girepository-1.0/GstRtspServer-1.0.typelib",
];

/// All of them; they end with their value.
pub struct Servers {
    files: Home,
    places: Vec<(String, String)>,
    keys: AtomicU32,
    _feed: Aerial,
    _guests: Aerial,
    _icecast: Icecast,
    _nginx: Nginx,
    _janus: Janus,
    _rest: Vec<Server>,
    _camera: Camera,
}

/// A camera on the network.
struct Camera(Child);

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn camera(port: u16) -> Camera {
    let mut camera = Command::new(checkout("tests/bed/rtsp-server"));
    let camera = camera.arg(port.to_string()).stdin(Stdio::null());
    let quiet = camera.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut camera = Camera(quiet.spawn().unwrap());
    let mut line = String::new();
    let out = camera.0.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "ready");
    camera
}

/// Plain files over HTTP.
fn web_server(port: u16, folder: &Path) -> Server {
    let mut command = Command::new("python3");
    command.args(["-m", "http.server", "--bind", "127.0.0.1"]);
    Server::start(command.arg(port.to_string()).current_dir(folder))
}

/// A television station: enough of a stream for an example.
fn make_station(folder: &Path) {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-f", "lavfi", "-i"]);
    command.args(["testsrc2=size=160x90:rate=25:duration=60"]);
    command.args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "25"]);
    command.args(["-hls_time", "1", "-hls_list_size", "0"]);
    let status = command.arg(folder.join("live.m3u8")).status();
    assert!(status.unwrap().success(), "live.m3u8");
}

impl Servers {
    /// Starts them, and waits until what they hold can be had.
    pub fn start() -> Servers {
        let files = Home::new();
        make_files(&files.path(""));
        make_station(&files.path(""));
        let icecast = Icecast::start();
        let host = icecast.address();
        let (nginx, janus) = (Nginx::new(), Janus::new());
        let mut rest = vec![nginx.start(), janus.start()];
        let (sender, called, calling, rtsp) = (free_port(), free_port(), free_port(), free_port());
        let camera = camera(rtsp);
        let television = free_port();
        rest.push(web_server(television, &files.path("")));
        let receiver = format!("srt://127.0.0.1:{called}?mode=listener");
        let caller = format!("srt://127.0.0.1:{calling}?passphrase=PASSPHRASE");
        rest.extend([receiver, caller].map(|from| Transmit::new(from).start()));

        // What sources fetch comes from another Aerial.
        let source = format!("icecast://source:{}@{host}", icecast::PASSWORD);
        let feed = Aerial::live(
            &[
                SMALL,
                &["--icecast", &format!("{source}/music.ogg?format=vorbis")],
                &["--rtmp", &nginx.url("live/film")],
                &["--srt", &format!("srt://127.0.0.1:{sender}?mode=listener")],
            ]
            .concat(),
        );
        feed.wait("the streams to be there", |s| {
            let outputs = s["outputs"].as_array().unwrap();
            let live = |kind: &str| {
                outputs
                    .iter()
                    .any(|o| o["kind"] == kind && o["state"] == "live")
            };
            live("icecast") && live("rtmp")
        });
        let guests = Aerial::live(&["--video", "guest", "--audio", "guest", "--size", "320x180"]);
        wait_for("the web server", || {
            TcpStream::connect(("127.0.0.1", television)).is_ok()
        });
        wait_for("the camera", || {
            TcpStream::connect(("127.0.0.1", rtsp)).is_ok()
        });

        let whip = guests.link(&format!("/whip#token={}", guests.token()));
        let places = [
            (
                "rtsp://camera.example.org",
                format!("rtsp://127.0.0.1:{rtsp}"),
            ),
            ("http://other.example.org:8080", feed.link("")),
            (
                "http://tv.example.org",
                format!("http://127.0.0.1:{television}"),
            ),
            ("http://radio.example.org:8000", format!("http://{host}")),
            ("rtmp://live.example.org/live/film", nginx.url("live/film")),
            ("rtmp://live.example.org/live/KEY", nginx.url("live/KEY")),
            (
                "srt://sender.example.org:9000",
                format!("srt://127.0.0.1:{sender}"),
            ),
            (
                "srt://receiver.example.org:9000",
                format!("srt://127.0.0.1:{called}"),
            ),
            ("srt://0.0.0.0:9001", format!("srt://127.0.0.1:{calling}")),
            (
                "icecast://source:PASSWORD@radio.example.org:8000",
                source.clone(),
            ),
            // Its mount has another name, so that both can run at once.
            (
                "icecast://source:PASSWORD@master.example.org:8000/",
                format!("{source}/master-"),
            ),
            ("relay1.example.org:8000", host.to_string()),
            ("relay2.example.org:8000", host.to_string()),
            ("admin:ADMIN", format!("admin:{}", icecast::ADMIN)),
            (
                "https://live.example.org/whip/room#token=TOKEN",
                whip.clone(),
            ),
            ("https://live.example.org/whip#token=TOKEN", whip),
            (
                "janus+ws://janus.example.org:8188/?room=1234",
                janus.target(0).replace("&feed=0", ""),
            ),
        ];
        Servers {
            files,
            places: places.map(|(from, to)| (from.to_string(), to)).into(),
            keys: AtomicU32::new(0),
            _feed: feed,
            _guests: guests,
            _icecast: icecast,
            _nginx: nginx,
            _janus: janus,
            _rest: rest,
            _camera: camera,
        }
    }

    /// A word of an example with the addresses of these servers.
    pub fn at_home(&self, word: &str) -> String {
        let word = self
            .places
            .iter()
            .fold(word.to_string(), |word, (from, to)| word.replace(from, to));
        // Two examples may use the same key, and run at once.
        let key = self.keys.fetch_add(1, Ordering::Relaxed);
        word.replace("/live/KEY", &format!("/live/key-{key}"))
    }

    /// Puts the files into a folder.
    pub fn lend(&self, folder: &Path) {
        for name in FILES {
            fs::copy(self.files.path(name), folder.join(name)).unwrap();
        }
        fs::create_dir(folder.join("pictures")).unwrap();
        fs::copy(self.files.path("logo.png"), folder.join("pictures/1.png")).unwrap();
    }
}

const FILES: [&str; 5] = [
    "film.webm",
    "song.ogg",
    "songs.m3u",
    "title.txt",
    "logo.png",
];

/// Makes the files that examples name.
pub fn make_files(folder: &Path) {
    let picture = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=160x90:rate=25:duration=3",
    ];
    let sound = ["-f", "lavfi", "-i", "sine=f=440:r=48000:d=3"];
    let make = |args: &[&[&str]], name: &str| {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-y"]).args(args.concat());
        let status = command.arg(folder.join(name)).status();
        assert!(status.unwrap().success(), "{name}");
    };
    let webm = ["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"];
    make(&[&picture, &sound, &webm], "film.webm");
    make(&[&sound, &["-c:a", "libopus"]], "song.ogg");
    make(&[&picture, &["-frames:v", "1"]], "logo.png");
    fs::write(folder.join("songs.m3u"), "song.ogg\n").unwrap();
    fs::write(folder.join("title.txt"), "Artist - Title\n").unwrap();
}
