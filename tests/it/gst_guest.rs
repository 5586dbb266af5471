// SPDX-License-Identifier: GPL-3.0-or-later
//! GStreamer's own whipclientsink as a guest, unchanged, through `/whip`.

use std::{net::SocketAddr, sync::Once};

use gst::prelude::*;

/// A pipeline that sends picture and sound: one colour and a tone of 1 kHz.
pub struct GstGuest {
    pipeline: gst::Pipeline,
}

impl GstGuest {
    /// Whether this element is there.
    pub fn can(element: &str) -> bool {
        gst::init().unwrap();
        gst::ElementFactory::find(element).is_some()
    }

    /// ```text
    /// videotestsrc ─▶ encoder ─▶┐
    /// audiotestsrc ─▶ opusenc ─▶┴ whipclientsink
    /// ```
    ///
    /// The colour is 1 for green, 2 for blue.
    pub fn send(address: SocketAddr, token: &str, colour: u32, encoder: &str) -> GstGuest {
        static PLUGIN: Once = Once::new();
        PLUGIN.call_once(|| {
            gst::init().unwrap();
            // Another story may have registered it already.
            if gst::ElementFactory::find("whipclientsink").is_none() {
                gstrswebrtc::plugin_register_static().unwrap();
            }
        });
        let pattern = if colour == 2 { "blue" } else { "green" };
        let pipeline = gst::parse::launch(&format!(
            "videotestsrc is-live=true pattern={pattern} \
             ! video/x-raw,width=320,height=180,framerate=15/1,format=I420 ! {encoder} ! queue ! out. \
             audiotestsrc is-live=true freq=1000 volume=0.3 samplesperbuffer=480 \
             ! audio/x-raw,rate=48000,channels=2 ! opusenc ! queue ! out. \
             whipclientsink name=out do-fec=false",
        ))
        .unwrap()
        .downcast::<gst::Pipeline>()
        .unwrap();
        let sink = pipeline.by_name("out").unwrap();
        sink.set_property("stun-server", None::<&str>);
        let signaller = sink.property::<glib::Object>("signaller");
        signaller.set_property("whip-endpoint", format!("http://{address}/whip"));
        signaller.set_property("auth-token", token);
        pipeline.set_state(gst::State::Playing).unwrap();
        GstGuest { pipeline }
    }

    /// What went wrong, if anything did.
    pub fn errors(&self) -> Vec<String> {
        let bus = self.pipeline.bus().unwrap();
        std::iter::from_fn(|| {
            bus.pop_filtered(&[gst::MessageType::Error, gst::MessageType::Warning])
        })
        .map(|message| format!("{:?}", message.view()))
        .collect()
    }
}

impl Drop for GstGuest {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
