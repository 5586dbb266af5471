// SPDX-License-Identifier: GPL-3.0-or-later
//! What one more viewer costs with GStreamer's webrtcsink, which has a connection and, given raw pictures, an encoder for
//! each, beside our own.

use std::{
    io::{BufRead, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use gst::prelude::*;
use gst_plugin_webrtc_signalling::{handlers::Handler, server::Server as Signalling};
use serde_json::json;

use crate::{
    Result,
    measure::{Aerial, RUNS, Role, cpu, median},
};

/// As many as one core can still encode for.
const CROWD: usize = 4;
const JOIN: Duration = Duration::from_secs(60);

/// CPU of `aerial live` for each viewer it has through webrtcsink, and by itself.
pub fn bench() -> Result<()> {
    println!(
        "\n{CROWD} WebRTC viewers: 720p30 VP8 at 2 Mbit/s and Opus; one HTTP viewer watches all the time\n"
    );
    println!("{:>28} {:>20}", "", "% of a core each");
    let ways = [
        ("webrtcsink, raw pictures", Some("?mode=adaptive")),
        ("webrtcsink, encoded once", Some("")),
        ("ours", None),
    ];
    for (name, way) in ways {
        let mut each = vec![];
        for _ in 0..RUNS {
            each.push(match way {
                Some(mode) => through_webrtcsink(mode)?,
                None => by_itself()?,
            });
        }
        println!("{name:>28} {:>20.2}", median(&each));
    }
    Ok(())
}

const SAME: [&str; 6] = [
    "--video",
    "test",
    "--audio",
    "tone",
    "--video-bitrate",
    "2000k",
];

fn through_webrtcsink(mode: &str) -> Result<f64> {
    let (mut server, port) = Role::start(&["foreign"])?;
    let url = format!("webrtcsink+ws://127.0.0.1:{port}/{mode}");
    let aerial = Aerial::start_with(&[&SAME[..], &["--webrtc", &url]].concat())?;
    let (_watcher, _) = Role::start(&["http", &aerial.address.to_string(), "/live.webm", "1"])?;
    let base = cpu(aerial.pid(), || Ok(()))?.cores;
    server.tell(&CROWD.to_string())?;
    let mut packets = vec![];
    let used = cpu(aerial.pid(), || {
        packets.push(server.count()?["least"].as_u64().unwrap_or_default());
        Ok(())
    })?;
    if packets[1] <= packets[0] {
        return Err("a viewer of webrtcsink got nothing".into());
    }
    Ok((used.cores - base) * 100.0 / CROWD as f64)
}

fn by_itself() -> Result<f64> {
    let aerial = Aerial::start_with(&SAME)?;
    let address = aerial.address.to_string();
    let (_watcher, _) = Role::start(&["http", &address, "/live.webm", "1"])?;
    let base = cpu(aerial.pid(), || Ok(()))?.cores;
    let (_viewers, _) = Role::start(&["webrtc", &address, &CROWD.to_string()])?;
    let used = cpu(aerial.pid(), || Ok(()))?;
    Ok((used.cores - base) * 100.0 / CROWD as f64)
}

/// The role: a signalling server, whose port it says; told a number, it lets as many watch the first producer. It answers
/// with the packets of the viewer who got the least.
pub fn viewers() -> Result<()> {
    gst::init()?;
    gstrswebrtc::plugin_register_static()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let port = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let mut server = Signalling::spawn(|messages| Handler::new(Box::pin(messages)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = server.accept_async(stream).await;
            }
        });
        Result::Ok(port)
    })?;
    println!("{port}");
    let mut all = vec![];
    for line in std::io::stdin().lock().lines() {
        if let Ok(count) = line?.trim().parse::<usize>() {
            for _ in 0..count {
                all.push(watch(port)?);
            }
            let until = Instant::now() + JOIN;
            while all.iter().any(|(_, got)| got.load(Relaxed) == 0) {
                if Instant::now() > until {
                    return Err("a viewer of webrtcsink got nothing".into());
                }
                thread::sleep(Duration::from_millis(50));
            }
        }
        let least = all.iter().map(|(_, got)| got.load(Relaxed)).min();
        println!("{}", json!({"least": least}));
        std::io::stdout().flush()?;
    }
    for (pipeline, _) in &all {
        pipeline.set_state(gst::State::Null)?;
    }
    Ok(())
}

/// webrtcsrc, nothing of which is decoded, and the packets it got.
fn watch(port: u16) -> Result<(gst::Pipeline, Arc<AtomicU64>)> {
    let source = gst::ElementFactory::make("webrtcsrc")
        .property("stun-server", None::<&str>)
        .property("connect-to-first-producer", true)
        .build()?;
    let signaller = source.property::<glib::Object>("signaller");
    signaller.set_property("uri", format!("ws://127.0.0.1:{port}"));
    let pipeline = gst::Pipeline::new();
    pipeline.add(&source)?;
    let got = Arc::new(AtomicU64::new(0));
    let (weak, packets) = (pipeline.downgrade(), got.clone());
    source.connect_pad_added(move |_, pad| {
        let link = || {
            let pipeline = weak.upgrade()?;
            let filter = gst::ElementFactory::make("capsfilter")
                .property("caps", gst::Caps::new_empty_simple("application/x-rtp"))
                .build()
                .ok()?;
            let sink = gst::ElementFactory::make("fakesink")
                .property("sync", false)
                .property("async", false)
                .build()
                .ok()?;
            pipeline.add_many([&filter, &sink]).ok()?;
            filter.link(&sink).ok()?;
            let packets = packets.clone();
            let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
            sink.static_pad("sink")?.add_probe(kinds, move |_, _| {
                packets.fetch_add(1, Relaxed);
                gst::PadProbeReturn::Ok
            });
            sink.sync_state_with_parent().ok()?;
            filter.sync_state_with_parent().ok()?;
            pad.link(&filter.static_pad("sink")?).ok()
        };
        if link().is_none() {
            eprintln!("a stream of webrtcsrc cannot be received");
        }
    });
    pipeline.set_state(gst::State::Playing)?;
    Ok((pipeline, got))
}
