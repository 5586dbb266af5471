// SPDX-License-Identifier: GPL-3.0-or-later
//! What strangers write, for the fuzzers in `fuzz/`: one function for each. They panic where a promise is broken.

use std::{path::Path, str::FromStr, sync::Once};

use crate::{
    output::{self, IcecastTarget, RtmpTarget, SrtTarget, WebRtcTarget},
    serve,
    settings::{self, Profile},
    source::{self, AudioSpec, VideoSpec},
};

/// Some libraries give up by a panic, which is caught where they are called; the fuzzer's own hook would end the process.
fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        drop(std::panic::take_hook());
        std::panic::set_hook(Box::new(|_| ()));
    });
}

fn text(data: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// Profiles, and the words of the command line in them.
pub fn profile(data: &[u8]) {
    let text = text(data);
    let path = Path::new("fuzzed.toml");
    match Profile::parse(&text, path) {
        Ok(profile) => {
            for words in &profile.video {
                let _ = VideoSpec::from_str(words);
            }
            for words in &profile.audio {
                let _ = AudioSpec::from_str(words);
            }
            let lists = [
                &profile.icecast,
                &profile.rtmp,
                &profile.srt,
                &profile.whip,
                &profile.webrtc,
            ];
            lists.into_iter().flatten().for_each(|words| target(words));
        }
        // One line, in the terminal and in the window.
        Err(e) => assert!(!e.to_string().contains('\n'), "{e}"),
    }
    let line = text.lines().next().unwrap_or_default();
    let _ = VideoSpec::from_str(line);
    let _ = AudioSpec::from_str(line);
    target(line);
    let _ = settings::units::size(line);
    let _ = settings::units::stills(line);
    let _ = settings::units::bitrate(line);
    let _ = settings::units::time(line);
    let _ = settings::units::split(line);
}

/// Not by the door that also keeps what is secret in it out of the logs, for ever.
fn target(words: &str) {
    let _ = IcecastTarget::from_str(words);
    let _ = RtmpTarget::from_str(words);
    let _ = SrtTarget::from_str(words);
    let _ = WebRtcTarget::whip(words);
    let _ = WebRtcTarget::webrtc(words);
}

/// What an Icecast server answers.
pub fn icecast(data: &[u8]) {
    output::fuzzing::icecast(data);
}

/// Bodies of uploads, in parts and as pictures.
pub fn frames(data: &[u8]) {
    prepare();
    source::frames::fuzzing::frames(data);
}

/// Offers, answers and candidates of viewers and guests.
pub fn sdp(data: &[u8]) {
    prepare();
    serve::fuzzing::describe(&text(data));
}

/// Messages of peers on `/signalling`, one per line.
pub fn signalling(data: &[u8]) {
    prepare();
    serve::fuzzing::talk(&text(data));
}
