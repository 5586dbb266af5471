// SPDX-License-Identifier: GPL-3.0-or-later
//! GStreamer's own webrtcsrc as a viewer, unchanged, through `/signalling`.

use std::{
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex, Once},
};

use gst::prelude::*;

use crate::rig::LONG;

/// A pipeline that receives picture and sound.
pub struct GstViewer {
    pipeline: gst::Pipeline,
    got: Arc<(Mutex<[u64; 2]>, Condvar)>,
}

impl GstViewer {
    /// Watches the first producer through `/signalling`.
    pub fn watch(address: SocketAddr) -> GstViewer {
        let source = GstViewer::source("webrtcsrc");
        source.set_property("connect-to-first-producer", true);
        let signaller = source.property::<glib::Object>("signaller");
        signaller.set_property("uri", format!("ws://{address}/signalling"));
        GstViewer::receive(source)
    }

    /// A source of the webrtcsrc family that asks no strangers.
    pub fn source(element: &str) -> gst::Element {
        static PLUGIN: Once = Once::new();
        PLUGIN.call_once(|| {
            gst::init().unwrap();
            // Another story may have registered it already.
            if gst::ElementFactory::find("webrtcsrc").is_none() {
                gstrswebrtc::plugin_register_static().unwrap();
            }
        });
        let source = gst::ElementFactory::make(element);
        let source = source.property("stun-server", None::<&str>);
        source.build().unwrap()
    }

    /// ```text
    /// webrtcsrc ─video─▶ capsfilter (RTP) ─▶ fakesink
    ///           └audio─▶ capsfilter (RTP) ─▶ fakesink
    /// ```
    /// Packets are asked for as they come: nothing is decoded here.
    pub fn receive(source: gst::Element) -> GstViewer {
        let pipeline = gst::Pipeline::new();
        pipeline.add(&source).unwrap();
        let got = Arc::new((Mutex::new([0; 2]), Condvar::new()));
        let (weak, counts) = (pipeline.downgrade(), got.clone());
        source.connect_pad_added(move |_, pad| {
            let Some(pipeline) = weak.upgrade() else {
                return;
            };
            let place = usize::from(pad.name().starts_with("audio"));
            let filter = gst::ElementFactory::make("capsfilter")
                .property("caps", gst::Caps::new_empty_simple("application/x-rtp"))
                .build()
                .unwrap();
            let sink = gst::ElementFactory::make("fakesink")
                .name(pad.name())
                .property("sync", false)
                .property("async", false)
                .build()
                .unwrap();
            pipeline.add_many([&filter, &sink]).unwrap();
            filter.link(&sink).unwrap();
            let counts = counts.clone();
            sink.static_pad("sink").unwrap().add_probe(
                gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST,
                move |_, _| {
                    counts.0.lock().unwrap()[place] += 1;
                    counts.1.notify_all();
                    gst::PadProbeReturn::Ok
                },
            );
            sink.sync_state_with_parent().unwrap();
            filter.sync_state_with_parent().unwrap();
            pad.link(&filter.static_pad("sink").unwrap()).unwrap();
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        GstViewer { pipeline, got }
    }

    /// Waits for packets of picture and of sound that were not counted yet.
    pub fn wait_packets(&self) {
        let before = *self.got.0.lock().unwrap();
        let got = self.got.0.lock().unwrap();
        let (now, time) = self
            .got
            .1
            .wait_timeout_while(got, LONG, |now| (0..2).any(|i| now[i] < before[i] + 50))
            .unwrap();
        assert!(
            !time.timed_out(),
            "webrtcsrc got {:?} packets: {:?}",
            *now,
            self.errors()
        );
    }

    /// Sends upstream, from where the picture is shown, what somebody does with it.
    pub fn send(&self, event: gst::Event) {
        let sinks = self.pipeline.iterate_sinks().into_iter().flatten();
        let mut sinks = sinks.filter(|sink| sink.name().starts_with("video"));
        sinks.next().expect("there is a picture").send_event(event);
    }

    fn errors(&self) -> Vec<String> {
        let bus = self.pipeline.bus().unwrap();
        std::iter::from_fn(|| {
            bus.pop_filtered(&[gst::MessageType::Error, gst::MessageType::Warning])
        })
        .map(|message| format!("{:?}", message.view()))
        .collect()
    }
}

impl Drop for GstViewer {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
