// SPDX-License-Identifier: GPL-3.0-or-later
//! What this computer can encode: found out by really encoding a few frames.
//!
//! An element being installed says little: the driver may be missing, the card may be too old, all its sessions may be
//! taken. So each encoder is tried once, by whoever needs it first.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use gst::prelude::*;
use parking_lot::Mutex;

use super::{CODECS, Codec, EncodeSettings, Encoder, Fill, Place, Stills};
use crate::{error::SpecError, helper::Helper, message::MediaKind};

/// An encoder that has given nothing by then hangs.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(5);

/// Why an encoder cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unable {
    /// It is not installed; the Debian package that has it.
    Missing(&'static str),
    /// It was tried and failed; GStreamer's words.
    Failed(String),
}

/// What became of trying each encoder of a codec, in the order of its row.
#[derive(Debug)]
pub struct Ability {
    /// The codec.
    pub codec: &'static Codec,
    /// Its encoders, and whether they work here.
    pub encoders: Vec<(&'static Encoder, Result<(), Unable>)>,
}

impl Ability {
    /// The best encoder that works, or the one wished for if that works.
    pub fn best(&self, wished: Option<&str>) -> Result<&'static Encoder, SpecError> {
        let working = || self.encoders.iter().filter(|(_, r)| r.is_ok());
        let found = match wished {
            Some(name) => working().find(|(e, _)| e.element == name),
            None => working().next(),
        };
        match (found, wished) {
            (Some((encoder, _)), _) => Ok(encoder),
            (None, Some(name)) => Err(self.why_not(name)),
            (None, None) => Err(self.why_none()),
        }
    }

    fn why_not(&self, name: &str) -> SpecError {
        let row = self.encoders.iter().find(|(e, _)| e.element == name);
        match row {
            Some((encoder, Err(Unable::Missing(package)))) => match encoder.place {
                Place::Software => SpecError::EncoderMissing {
                    codec: self.codec.label,
                    element: encoder.element,
                    package,
                },
                // GStreamer offers it only where it finds the hardware, so installing the package may change nothing.
                Place::Va | Place::Nvenc | Place::QuickSync | Place::V4l2 => {
                    SpecError::EncoderBroken {
                        codec: self.codec.label,
                        element: encoder.element.into(),
                        why: format!(
                            "no {} hardware with its driver was found, or {package} is not installed",
                            encoder.place.label()
                        ),
                    }
                }
            },
            Some((_, Err(Unable::Failed(why)))) => SpecError::EncoderBroken {
                codec: self.codec.label,
                element: name.to_string(),
                why: why.clone(),
            },
            Some((_, Ok(()))) | None => SpecError::Encoder {
                codec: self.codec.label,
                name: name.to_string(),
                known: self.codec.elements(),
            },
        }
    }

    /// The reason of the first that is there but fails; of the usual one if none is there.
    fn why_none(&self) -> SpecError {
        let failed = |r: &Result<(), Unable>| matches!(r, Err(Unable::Failed(_)));
        match self.encoders.iter().find(|(_, r)| failed(r)) {
            Some((encoder, _)) => self.why_not(encoder.element),
            None => self.codec.missing(),
        }
    }
}

type Slot = Arc<OnceLock<Arc<Ability>>>;
static TRIED: LazyLock<Mutex<HashMap<&'static str, Slot>>> = LazyLock::new(Mutex::default);

/// What this computer can do with a codec. Tried when it is asked for the first time, which takes a fraction of a second
/// and blocks; afterwards it is known. Two who ask at once wait for one trial.
pub fn ability(codec: &'static Codec) -> Arc<Ability> {
    let slot = TRIED.lock().entry(codec.name).or_default().clone();
    slot.get_or_init(|| {
        let tried = codec.encoders.iter().map(|e| (e, attempt(codec, e)));
        Arc::new(Ability {
            codec,
            encoders: tried.collect(),
        })
    })
    .clone()
}

/// What is known already, without trying.
pub fn known_ability(codec: &'static Codec) -> Option<Arc<Ability>> {
    let slot = TRIED.lock().get(codec.name).cloned();
    slot.and_then(|slot| slot.get().cloned())
}

/// Whether a codec can be encoded here, as far as is known without trying: an encoder that was not tried counts.
pub(super) fn seems_able(codec: &'static Codec) -> bool {
    match known_ability(codec) {
        Some(ability) => ability.encoders.iter().any(|(_, r)| r.is_ok()),
        None => codec.installed().is_ok(),
    }
}

/// Try everything in the table, in a thread of its own, so that it is known when it is asked for; then say so. Dropping
/// what is returned ends it.
pub(crate) fn find_out(done: impl FnOnce() + Send + 'static) -> Trials {
    let ended = Arc::new(AtomicBool::new(false));
    let end = ended.clone();
    let tried = Helper::start("abilities", move || {
        for codec in CODECS {
            if end.load(Relaxed) {
                return;
            }
            ability(codec);
        }
        done();
    });
    if let Err(e) = &tried {
        tracing::warn!(error = %e, "the encoders are tried when they are needed");
    }
    Trials {
        ended,
        _helper: tried.ok(),
    }
}

/// Encoders being tried, until this is dropped.
pub(crate) struct Trials {
    ended: Arc<AtomicBool>,
    _helper: Option<Helper>,
}

impl Drop for Trials {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
    }
}

/// Encode a few small frames.
fn attempt(codec: &'static Codec, encoder: &'static Encoder) -> Result<(), Unable> {
    crate::plugins::register();
    if gst::ElementFactory::find(encoder.element).is_none() {
        return Err(Unable::Missing(encoder.package));
    }
    let usual = EncodeSettings::default();
    let (from, bitrate) = match codec.media {
        MediaKind::Video => (
            "videotestsrc num-buffers=3000 ! video/x-raw,format=I420,width=320,height=180,framerate=30/1",
            500_000,
        ),
        MediaKind::Audio => (
            "audiotestsrc num-buffers=3000 ! audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=2",
            usual.audio_bitrate,
        ),
    };
    let fill = Fill {
        bitrate,
        gop: 30,
        threads: 1,
        stills: Stills::default(),
    };
    let line = format!(
        "{from} ! {} ! fakesink name=end sync=false",
        encoder.launch(codec, fill)
    );
    let failed = |e: &dyn std::fmt::Display| Unable::Failed(e.to_string());
    let pipeline = gst::parse::launch(&line).map_err(|e| failed(&e))?;
    let pipeline = pipeline
        .downcast::<gst::Pipeline>()
        .map_err(|_| Unable::Failed("it is no pipeline".into()))?;
    // Only until the first comes out; no more are coded, for some encoders complain when they are stopped in the middle.
    if let Some(pad) = pipeline.by_name("end").and_then(|e| e.static_pad("sink")) {
        let end = pipeline.downgrade();
        let held = gst::PadProbeType::BUFFER | gst::PadProbeType::BLOCK;
        pad.add_probe(held, move |_, _| {
            if let Some(end) = end.upgrade() {
                let came = gst::message::Application::builder(gst::Structure::new_empty("came"));
                let _ = end.post_message(came.src(&end).build());
            }
            // The first is held until the pipeline ends.
            gst::PadProbeReturn::Ok
        });
    }
    let told = pipeline.bus().and_then(|bus| {
        // A failed change of state puts its reason on the bus.
        let _ = pipeline.set_state(gst::State::Playing);
        bus.timed_pop_filtered(
            PATIENCE,
            &[
                gst::MessageType::Application,
                gst::MessageType::Eos,
                gst::MessageType::Error,
            ],
        )
    });
    let _ = pipeline.set_state(gst::State::Null);
    match told.as_ref().map(|m| m.view()) {
        Some(gst::MessageView::Application(_)) => Ok(()),
        Some(gst::MessageView::Error(e)) => Err(failed(&e.error())),
        Some(_) => Err(Unable::Failed("it gives no frames".into())),
        None => Err(Unable::Failed("it does not finish".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_of_the_table_can_be_encoded_here() {
        gst::init().unwrap();
        for codec in CODECS {
            let ability = ability(codec);
            let best = ability.best(None).unwrap();
            assert!(codec.encoders.iter().any(|e| e.element == best.element));
            assert_eq!(
                ability.best(Some(best.element)).unwrap().element,
                best.element
            );
        }
    }

    #[test]
    fn an_encoder_that_is_not_there_is_told_with_its_package() {
        gst::init().unwrap();
        static NOWHERE: Codec = Codec {
            name: "nowhere",
            label: "Nowhere",
            media: MediaKind::Video,
            choice: true,
            encoders: &[],
            parser: None,
            webrtc: false,
        };
        let h264 = Codec::named("h264").unwrap().usual();
        let ability = Ability {
            codec: &NOWHERE,
            encoders: vec![(h264, Err(Unable::Missing("some-package")))],
        };
        let wished = ability.best(Some(h264.element)).unwrap_err();
        assert!(matches!(
            wished,
            SpecError::EncoderMissing {
                package: "some-package",
                ..
            }
        ));
        let unknown = ability.best(Some("nosuchenc")).unwrap_err();
        assert!(matches!(unknown, SpecError::Encoder { .. }));
        let broken = Ability {
            codec: &NOWHERE,
            encoders: vec![(h264, Err(Unable::Failed("no card".into())))],
        };
        assert!(matches!(
            broken.best(None).unwrap_err(),
            SpecError::EncoderBroken { .. }
        ));
    }

    #[test]
    fn an_encoder_of_hardware_that_is_not_there_is_told_as_such() {
        for codec in CODECS {
            for encoder in codec.encoders {
                let ability = Ability {
                    codec,
                    encoders: vec![(encoder, Err(Unable::Missing("some-package")))],
                };
                let error = ability.best(Some(encoder.element)).unwrap_err();
                let hardware = encoder.place != Place::Software;
                assert_eq!(
                    matches!(error, SpecError::EncoderBroken { .. }),
                    hardware,
                    "{error}"
                );
                assert_eq!(
                    error.to_string().contains(encoder.place.label()),
                    hardware,
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn an_encoder_that_fails_is_not_taken() {
        gst::init().unwrap();
        // It is installed and gives nothing.
        let codec = Codec::named("vp8").unwrap();
        static HOLLOW: Encoder = Encoder {
            element: "fakesink",
            place: Place::Software,
            package: "",
            front: "",
            properties: "",
            bitrate: None,
        };
        assert!(matches!(attempt(codec, &HOLLOW), Err(Unable::Failed(_))));
    }
}
