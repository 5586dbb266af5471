// SPDX-License-Identifier: GPL-3.0-or-later
//! Streams of other servers as sources: each is played, lost when its server goes, and played again when it is back.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    icecast::{self, Icecast},
    media,
    program::film,
    rig::{Aerial, Home, checkout, free_port, have, wait_for},
};

const SMALL: &[&str] = &["--size", "320x180", "--video-bitrate", "400k"];

/// A server of the test; ends with its value.
struct Server(Child);

impl Server {
    fn start(command: &mut Command) -> Server {
        let quiet = command.stdin(Stdio::null()).stderr(Stdio::null());
        Server(quiet.spawn().unwrap())
    }

    /// ffmpeg that repeats a film at its pace into this output.
    fn repeat(film: &Path, output: &[&str]) -> Server {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "quiet", "-re", "-stream_loop", "-1", "-i"]);
        command.arg(film).args(["-c", "copy"]).args(output);
        Server::start(command.stdout(Stdio::null()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn states(status: &Value) -> Vec<&str> {
    let sources = status["sources"].as_array().unwrap();
    sources
        .iter()
        .map(|s| s["state"].as_str().unwrap())
        .collect()
}

/// Played; lost when the server goes, with a reason; played again when it is back, without being asked.
fn comes_and_goes(link: &str, audio: bool, start: impl Fn() -> Vec<Server>) {
    let servers = start();
    let mut args = SMALL.to_vec();
    if audio {
        args.extend(["--video", link, "--audio", link]);
    } else {
        args.extend(["--video", "none", "--audio", link]);
    }
    let mut aerial = Aerial::live(&args);
    let parts = if audio { 2 } else { 1 };
    let live = |s: &Value| states(s) == vec!["live"; parts];
    aerial.wait("the stream to play", live);
    let loud = |s: &Value| {
        let sources = s["sources"].as_array().unwrap();
        let sound = sources.iter().find(|s| s["kind"] == "audio").unwrap();
        sound["levels"]["rms_db"][0].as_f64() > Some(-40.0)
    };
    aerial.wait("it to be heard", loud);
    drop(servers);
    let lost = aerial.wait("the loss to be told", |s| states(s).contains(&"lost"));
    let lost = lost["sources"].as_array().unwrap();
    let error = lost.iter().find_map(|s| s["error"].as_str()).unwrap();
    assert!(
        error.ends_with('.') && !error.contains("Unhandled"),
        "{error}"
    );
    let servers = start();
    aerial.wait("it to play again", |s| live(s) && loud(s));
    aerial.stop();
    drop(servers);
}

#[test]
fn an_rtsp_camera_comes_and_goes() {
    let helper = checkout("tests/bed/rtsp-server");
    let story = "an_rtsp_camera_comes_and_goes";
    let typelib = "/usr/lib/x86_64-linux-gnu/girepository-1.0/GstRtspServer-1.0.typelib";
    if cfg!(target_arch = "x86_64") && !have(story, &[typelib]) {
        return;
    }
    let port = free_port();
    comes_and_goes(&format!("rtsp://127.0.0.1:{port}/live"), true, || {
        let mut command = Command::new(&helper);
        let mut server = Server::start(command.arg(port.to_string()).stdout(Stdio::piped()));
        let mut line = String::new();
        let out = server.0.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready");
        vec![server]
    });
}

#[test]
fn an_srt_stream_comes_and_goes() {
    if !have("an_srt_stream_comes_and_goes", media::NEEDS) {
        return;
    }
    let home = Home::new();
    let film = film(&home.path(""), "film.ts", "red", 660, 5);
    let port = free_port();
    let listen = format!("srt://127.0.0.1:{port}?mode=listener");
    comes_and_goes(&format!("srt://127.0.0.1:{port}"), true, || {
        vec![Server::repeat(&film, &["-f", "mpegts", &listen])]
    });
}

#[test]
fn an_rtmp_stream_comes_and_goes() {
    let module = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
    let story = "an_rtmp_stream_comes_and_goes";
    if !have(story, &[media::NEEDS, &["nginx", module]].concat()) {
        return;
    }
    let home = Home::new();
    let film = film(&home.path(""), "film.flv", "red", 660, 5);
    let port = free_port();
    let folder = home.path("nginx");
    fs::create_dir(&folder).unwrap();
    let place = folder.display();
    let config = format!(
        "load_module {module}; daemon off; master_process off; pid {place}/pid; error_log {place}/error.log; worker_processes 1;
         events {{ worker_connections 64; }}
         rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}"
    );
    fs::write(folder.join("nginx.conf"), config).unwrap();
    let link = format!("rtmp://127.0.0.1:{port}/live/film");
    comes_and_goes(&link, true, || {
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&folder).args(["-c", "nginx.conf"]);
        command.arg("-e").arg(folder.join("error.log"));
        let server = Server::start(command.stdout(Stdio::null()));
        wait_for("nginx", || listens(port));
        vec![Server::repeat(&film, &["-f", "flv", &link]), server]
    });
}

#[test]
fn an_hls_stream_comes_and_goes() {
    let story = "an_hls_stream_comes_and_goes";
    if !have(story, &[media::NEEDS, &["python3"]].concat()) {
        return;
    }
    let home = Home::new();
    let film = film(&home.path(""), "film.ts", "red", 660, 5);
    let folder = home.path("hls");
    fs::create_dir(&folder).unwrap();
    let index = folder.join("index.m3u8");
    let port = free_port();
    let link = format!("http://127.0.0.1:{port}/index.m3u8");
    comes_and_goes(&link, true, || {
        let _ = fs::remove_file(&index);
        let pieces: [&str; 9] = [
            "-f",
            "hls",
            "-hls_time",
            "1",
            "-hls_list_size",
            "5",
            "-hls_flags",
            "delete_segments",
            index.to_str().unwrap(),
        ];
        let encoder = Server::repeat(&film, &pieces);
        let mut command = Command::new("python3");
        command.args(["-m", "http.server", "--bind", "127.0.0.1"]);
        let command = command.arg(port.to_string()).current_dir(&folder);
        let server = Server::start(command.stdout(Stdio::null()));
        wait_for("the web server", || listens(port));
        wait_for("a list of pieces", || {
            fs::read_to_string(&index).is_ok_and(|text| text.matches(".ts").count() >= 3)
        });
        vec![encoder, server]
    });
}

#[test]
fn a_radio_station_on_icecast_comes_and_goes() {
    let story = "a_radio_station_on_icecast_comes_and_goes";
    if !have(story, &[media::NEEDS, icecast::NEEDS].concat()) {
        return;
    }
    let home = Home::new();
    let song: PathBuf = home.path("song.ogg");
    let made = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            "sine=f=660:r=48000:d=20,volume=2",
        ])
        .args(["-c:a", "libopus"])
        .arg(&song)
        .status();
    assert!(made.unwrap().success());
    let server = Icecast::start();
    let host = server.address();
    let target = format!("icecast://source:{}@{host}/song.ogg", icecast::PASSWORD);
    let mount = format!("http://{host}/song.ogg");
    comes_and_goes(&mount, false, || {
        let options = ["-content_type", "audio/ogg", "-f", "ogg", &target];
        let source = Server::repeat(&song, &options);
        wait_for("the mount", || {
            let out = Command::new("ffprobe")
                .args(["-v", "quiet", &mount])
                .status();
            out.unwrap().success()
        });
        vec![source]
    });
}
