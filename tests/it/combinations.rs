// SPDX-License-Identifier: GPL-3.0-or-later
//! Every codec in every container that can hold it.

use std::net::TcpStream;

use studio::{
    encode::{CODECS, Codec, Format},
    message::MediaKind,
};

use crate::{
    http::Viewer,
    media,
    rig::{Aerial, have, output},
};

/// Pairs of codecs of picture and sound in which each codec that people choose comes at least once.
fn pairs() -> Vec<(&'static str, &'static str)> {
    let names = |media| -> Vec<_> {
        let choices = CODECS.iter().filter(|c| c.media == media && c.choice);
        choices.map(|c| c.name).collect()
    };
    let (video, audio) = (names(MediaKind::Video), names(MediaKind::Audio));
    let most = video.len().max(audio.len());
    let pair = |i: usize| (video[i % video.len()], audio[i % audio.len()]);
    (0..most).map(pair).collect()
}

/// The codecs that a container has when these are chosen: those that it can hold, else its own first.
fn held(format: Format, chosen: (&str, &str)) -> Vec<String> {
    let of = |held: &[&'static str], chosen: &str| {
        let found = held.iter().find(|name| **name == chosen).or(held.first());
        found.map(|name| name.to_string())
    };
    let mut all: Vec<_> = of(format.video(), chosen.0)
        .into_iter()
        .chain(of(format.audio(), chosen.1))
        .collect();
    all.sort();
    all
}

#[test]
fn every_codec_arrives_in_every_container_that_can_hold_it() {
    let story = "every_codec_arrives_in_every_container_that_can_hold_it";
    if !have(story, media::NEEDS) {
        return;
    }
    for (video, audio) in pairs() {
        assert!(Codec::named(video).is_some() && Codec::named(audio).is_some());
        let mut aerial = Aerial::live(&[
            "--video",
            "test",
            "--audio",
            "tone",
            "--size",
            "320x180",
            "--fps",
            "25",
            "--video-codec",
            video,
            "--video-bitrate",
            "300k",
            "--audio-codec",
            audio,
            "--record",
            "x.mkv",
        ]);
        aerial.wait("the broadcast to be live", |s| s["air"] == "live");
        let request = format!(
            "GET /live.webm HTTP/1.1\r\nHost: {}\r\n\r\n",
            aerial.address()
        );
        let viewer = Viewer::start(
            TcpStream::connect(aerial.address()).unwrap(),
            &request,
            true,
        );
        viewer.wait_more(120_000);
        aerial.wait("a recording of some length", |s| {
            output(s, "record")["bytes"]
                .as_u64()
                .is_some_and(|b| b > 120_000)
        });
        let stream = viewer.kept();
        drop(viewer);
        aerial.stop();

        let webm = aerial.path("x.webm");
        std::fs::write(&webm, &stream).unwrap();
        let words = format!("{video} and {audio}");
        for (file, format) in [
            (webm, Format::WebM),
            (aerial.path("x.mkv"), Format::Matroska),
        ] {
            let probed = media::probe(&file);
            assert_eq!(
                media::codecs(&probed),
                held(format, (video, audio)),
                "{words}, {format:?}"
            );
            for stream in probed["streams"].as_array().unwrap() {
                match stream["codec_type"].as_str() {
                    Some("video") => {
                        assert_eq!(
                            (&stream["width"], &stream["height"]),
                            (&320.into(), &180.into()),
                            "{words}"
                        );
                    }
                    _ => assert_eq!(stream["sample_rate"], "48000", "{words}"),
                }
            }
            for index in [0, 1] {
                let packets = probed["packets"].as_array().unwrap().iter();
                let times: Vec<f64> = packets
                    .filter(|p| p["stream_index"] == index)
                    .map(|p| p["pts_time"].as_str().unwrap().parse().unwrap())
                    .collect();
                assert!(
                    times.len() > 20,
                    "{words}, {format:?}: {} packets",
                    times.len()
                );
                // Vorbis begins with a packet that gives no sound.
                assert!(times.is_sorted(), "{words}, {format:?}: {times:?}");
            }
        }
    }
}
