// SPDX-License-Identifier: GPL-3.0-or-later
//! What is kept from one start to the next, in the words of a profile.

use super::Studio;
use crate::{
    encode::Codec,
    message::MediaKind,
    output::Target,
    program::scene::{Arrangement, Framing, Strip},
    settings::{KeptOutput, Profile},
    source::{Spec, VideoSpec},
};

impl Studio {
    /// This profile, changed to say what is now: sources and how they are put together, codecs, bitrates, outputs and
    /// whether the network may watch. Secrets stand in it; [`Profile::hide`] takes them out.
    ///
    /// Recordings are not part of it, but for those that the profile began with: each has a file of its own. Nor is
    /// standard input, which is another one at each start.
    pub fn profile(&self, base: &Profile) -> Profile {
        let shared = &self.0.shared;
        let asked: Vec<_> = shared.sources.asked().into_iter().filter(kept).collect();
        let words = |kind: MediaKind| -> Vec<String> {
            let those = asked.iter().filter(|(spec, _)| spec.kind() == kind);
            those.map(|(spec, _)| spec.secret()).collect()
        };
        let encoding = self.encoding();
        let word = |codec: &'static Codec| match encoding.encoders.get(codec.name) {
            Some(element) => format!("{}:{element}", codec.name),
            None => codec.name.to_string(),
        };
        let mut profile = Profile {
            video: words(MediaKind::Video),
            audio: words(MediaKind::Audio),
            video_codec: Some(word(encoding.video)),
            audio_codec: Some(word(encoding.audio)),
            video_bitrate: Some(bitrate(encoding.video_bitrate)),
            audio_bitrate: Some(bitrate(encoding.audio_bitrate)),
            output: self.kept_outputs(),
            scene: self.arrangement(&asked),
            icecast: vec![],
            rtmp: vec![],
            srt: vec![],
            whip: vec![],
            webrtc: vec![],
            ..base.clone()
        };
        let shared = !self.address().ip().is_loopback();
        match &mut profile.listen {
            // Which address it was is typed there; whether it was shared is all that can have changed.
            Some(listen) => {
                let was = base.listens_to_others();
                if was != shared {
                    *listen = self.address().to_string();
                }
            }
            None => profile.share = shared,
        }
        profile
    }

    fn kept_outputs(&self) -> Vec<KeptOutput> {
        let all = self.outputs();
        let specs = all.iter().filter_map(|o| self.output(&o.name));
        let pushed = specs.filter(|o| !matches!(o.target, Target::Record { .. }));
        pushed
            .map(|o| KeptOutput {
                kind: o.target.kind().to_string(),
                url: o.target.full_url(),
                secret: o.target.full_url() != o.target.url(),
                name: o.name,
                enabled: o.enabled,
            })
            .collect()
    }

    /// `None` if it is as it is without anybody doing anything.
    fn arrangement(&self, asked: &[(Spec, crate::message::SourceStatus)]) -> Option<Arrangement> {
        let of = |kind: MediaKind| asked.iter().filter(move |(spec, _)| spec.kind() == kind);
        let layout = self.layout();
        let ids: Vec<_> = of(MediaKind::Video).map(|(_, s)| s.id).collect();
        let place = |id| Some(ids.iter().position(|i| i == id)? + 1);
        let places: Vec<_> = layout.pictures.iter().filter_map(place).collect();
        let all: Vec<_> = (1..=ids.len()).collect();
        let framing: Vec<_> = of(MediaKind::Video).map(|(_, s)| s.framing).collect();
        let strips: Vec<_> = of(MediaKind::Audio)
            .map(|(_, s)| Strip {
                // Nobody expects to hear something in their headphones at the next start.
                solo: false,
                ..s.strip
            })
            .collect();
        let plain = |same: bool| same;
        let scene = Arrangement {
            layout: layout.kind,
            pictures: Some(places).filter(|p| *p != all),
            framing: match plain(framing.iter().all(|f| *f == Framing::default())) {
                true => vec![],
                false => framing,
            },
            strips: match plain(strips.iter().all(|s| *s == Strip::default())) {
                true => vec![],
                false => strips,
            },
            overlays: self.overlays(),
        };
        Some(scene).filter(|s| *s != Arrangement::default())
    }
}

/// Standard input is another one at each start.
fn kept((spec, _): &(Spec, crate::message::SourceStatus)) -> bool {
    !matches!(spec, Spec::Video(VideoSpec::Stdin(_)))
}

/// As people write it.
fn bitrate(bits: u64) -> String {
    match bits % 1000 {
        0 => format!("{}k", bits / 1000),
        _ => bits.to_string(),
    }
}
