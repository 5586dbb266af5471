// SPDX-License-Identifier: GPL-3.0-or-later
//! The codec table against ffmpeg: what each encoder makes, another program decodes to the same picture and sound.

use std::{path::Path, process::Command};

use gst::prelude::*;
use studio::{
    encode::{CODECS, Codec, Encoder, Fill, Stills, ability},
    message::MediaKind,
};

use crate::{
    media,
    rig::{LONG, have},
    sound,
};

const WIDTH: usize = 320;
const HEIGHT: usize = 180;
/// The colours of the bars of the test card from left to right.
const BARS: [[u8; 3]; 7] = [
    [255, 255, 255],
    [255, 255, 0],
    [0, 255, 255],
    [0, 255, 0],
    [255, 0, 255],
    [255, 0, 0],
    [0, 0, 255],
];

/// Every encoder that works on this computer.
fn working(media: MediaKind) -> Vec<(&'static Codec, &'static Encoder)> {
    gst::init().unwrap();
    let codecs = CODECS.iter().filter(|c| c.media == media);
    codecs
        .flat_map(|codec| {
            let ability = ability(codec);
            assert!(ability.best(None).is_ok(), "nothing encodes {}", codec.name);
            let working = ability.encoders.iter().filter(|(_, able)| able.is_ok());
            working.map(|(e, _)| (codec, *e)).collect::<Vec<_>>()
        })
        .collect()
}

/// Encodes the test card or a tone for two seconds into a file.
fn encode(codec: &Codec, encoder: &Encoder, into: &Path) {
    let fill = Fill {
        bitrate: match codec.media {
            MediaKind::Video => 800_000,
            MediaKind::Audio => 128_000,
        },
        gop: 30,
        threads: 1,
        stills: Stills {
            jpeg_fps: 30,
            gif_fps: 30,
            ..Stills::default()
        },
    };
    let from = match codec.media {
        MediaKind::Video => format!(
            "videotestsrc num-buffers=60 pattern=smpte \
             ! video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate=30/1"
        ),
        MediaKind::Audio => {
            "audiotestsrc num-buffers=100 samplesperbuffer=960 freq=1000 volume=0.5 \
             ! audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=2"
                .into()
        }
    };
    // Nothing holds a GIF but a GIF.
    let gif = codec.name == "gif";
    let line = format!(
        "{from} ! {} ! {} ! filesink name=file",
        encoder.launch(codec, fill),
        if gif { "identity" } else { "matroskamux" }
    );
    let pipeline = gst::parse::launch(&line).unwrap();
    let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
    pipeline
        .by_name("file")
        .unwrap()
        .set_property("location", into);
    pipeline.set_state(gst::State::Playing).unwrap();
    let end = pipeline
        .bus()
        .unwrap()
        .timed_pop_filtered(
            gst::ClockTime::from_seconds(LONG.as_secs()),
            &[gst::MessageType::Eos, gst::MessageType::Error],
        )
        .expect("the encoder comes to its end");
    let caps = pipeline
        .by_name("file")
        .and_then(|f| f.static_pad("sink")?.current_caps());
    pipeline.set_state(gst::State::Null).unwrap();
    if gif {
        let caps = caps.unwrap();
        let head = caps
            .structure(0)
            .unwrap()
            .get::<gst::ArrayRef>("streamheader");
        let head = head.unwrap().as_slice()[0].get::<gst::Buffer>().unwrap();
        let head = head.map_readable().unwrap().to_vec();
        let body = std::fs::read(into).unwrap();
        std::fs::write(into, [head, body, vec![0x3b]].concat()).unwrap();
    }
    assert_eq!(end.type_(), gst::MessageType::Eos, "{line}: {end:?}");
}

/// All pictures of a file as rows of red, green and blue.
fn pictures(file: &Path) -> Vec<Vec<u8>> {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(file)
        .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&out.stderr);
    assert!(complaints.is_empty(), "{}: {complaints}", file.display());
    let size = WIDTH * HEIGHT * 3;
    out.stdout.chunks_exact(size).map(<[u8]>::to_vec).collect()
}

#[test]
fn what_each_encoder_of_pictures_makes_ffmpeg_decodes_to_the_same_colours() {
    if !have("every_codec_of_pictures", media::NEEDS) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (codec, encoder) in working(MediaKind::Video) {
        let file = folder.path().join(format!("{}.mkv", encoder.element));
        encode(codec, encoder, &file);
        let pictures = pictures(&file);
        let words = format!("{} by {}", codec.name, encoder.element);
        assert_eq!(pictures.len(), 60, "{words}");
        let last = pictures.last().unwrap();
        for (n, bar) in BARS.iter().enumerate() {
            let x = WIDTH * (2 * n + 1) / 14;
            let at = (HEIGHT / 3 * WIDTH + x) * 3;
            let seen = &last[at..at + 3];
            let close = seen.iter().zip(bar).all(|(a, b)| a.abs_diff(*b) < 24);
            assert!(close, "{words}: bar {n} is {seen:?}, not {bar:?}");
        }
    }
}

#[test]
fn what_each_encoder_of_sound_makes_ffmpeg_decodes_to_the_same_tone() {
    if !have("every_codec_of_sound", media::NEEDS) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (codec, encoder) in working(MediaKind::Audio) {
        let file = folder.path().join(format!("{}.mkv", encoder.element));
        encode(codec, encoder, &file);
        let words = format!("{} by {}", codec.name, encoder.element);
        for side in sound::decode(&file) {
            let seconds = side.len() as f64 / sound::RATE as f64;
            assert!((1.9..2.2).contains(&seconds), "{words}: {seconds} s");
            // Encoders begin and end softly.
            let inside = &side[sound::RATE / 5..sound::RATE * 9 / 5];
            let tone = sound::strength(inside, 1000.0);
            assert!((0.4..0.6).contains(&tone), "{words}: {tone}");
            assert!(sound::strength(inside, 3000.0) < 0.02, "{words}");
        }
    }
}
