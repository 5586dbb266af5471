// SPDX-License-Identifier: GPL-3.0-or-later
//! `aerial live` against the same graph in gst-launch-1.0.

use std::{
    io::Read,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use studio::encode::{Codec, Fill, Stills, encoder_threads};

use crate::{
    Result,
    measure::{Aerial, Process, RUNS, Role, cpu, median},
};

/// CPU of both, each with one reader of its WebM.
pub fn bench() -> Result<()> {
    println!(
        "\n`aerial live` against gst-launch-1.0: test card and tone, compositor and audiomixer over slate and silence,"
    );
    println!("the same encoders, WebM to one reader\n");
    let (mut ours, mut theirs) = (vec![], vec![]);
    let (mut our_rate, mut their_rate) = (vec![], vec![]);
    for _ in 0..RUNS {
        let aerial = Aerial::start("2500k")?;
        let (mut watcher, _) =
            Role::start(&["http", &aerial.address.to_string(), "/live.webm", "1"])?;
        let mut bytes = vec![];
        let used = cpu(aerial.pid(), || {
            bytes.push(watcher.count()?["bytes"].as_f64().unwrap_or(f64::NAN));
            Ok(())
        })?;
        ours.push(used.cores);
        our_rate.push((bytes[1] - bytes[0]) * 8.0 / used.seconds);
        drop(aerial);

        let mut child = Command::new("gst-launch-1.0")
            .arg("-q")
            .args(graph()?.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut out = child.stdout.take().ok_or("no stdout")?;
        let launch = Process(child);
        let read = Arc::new(AtomicU64::new(0));
        let counter = read.clone();
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(size @ 1..) = out.read(&mut buffer) {
                counter.fetch_add(size as u64, Relaxed);
            }
        });
        let mut bytes = vec![];
        let used = cpu(launch.0.id(), || {
            bytes.push(read.load(Relaxed) as f64);
            Ok(())
        })?;
        theirs.push(used.cores);
        their_rate.push((bytes[1] - bytes[0]) * 8.0 / used.seconds);
        if their_rate.iter().any(|rate| *rate < 1e5) {
            return Err("gst-launch-1.0 gave no stream".into());
        }
    }
    println!("{:>16} {:>12} {:>10}", "", "% of a core", "Mbit/s");
    for (who, cores, rate) in [
        ("aerial live", &ours, &our_rate),
        ("gst-launch-1.0", &theirs, &their_rate),
    ] {
        println!(
            "{who:>16} {:>12.1} {:>10.2}",
            median(cores) * 100.0,
            median(rate) / 1e6
        );
    }
    println!("{:>16} {:>12.2}", "ratio", median(&ours) / median(&theirs));
    Ok(())
}

fn codec(name: &str) -> Result<&'static Codec> {
    Ok(Codec::named(name).ok_or("the codec has a row")?)
}

/// The graph of a broadcast, in words; encoders as in the codec table.
fn graph() -> Result<String> {
    let encoder = |codec: &Codec, bitrate: u64| {
        let fill = Fill {
            bitrate,
            gop: 60,
            threads: encoder_threads(),
            stills: Stills::default(),
        };
        // Two of one name cannot be in one pipeline.
        codec
            .usual()
            .launch(codec, fill)
            .replace("name=encoder", "")
    };
    let picture = "video/x-raw,format=I420,width=1280,height=720,framerate=30/1,pixel-aspect-ratio=1/1,\
                   colorimetry=bt709,interlace-mode=progressive";
    let sound = "audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=2";
    Ok(format!(
        "videotestsrc num-buffers=1 pattern=solid-color foreground-color=0xff242424 ! {picture} \
           ! imagefreeze is-live=true ! {picture} ! mixer.sink_0 \
         videotestsrc is-live=true pattern=smpte ! {picture} ! queue ! mixer.sink_1 \
         compositor name=mixer background=black ignore-inactive-pads=true latency=20000000 ! {picture} \
           ! queue ! {} ! queue ! mux. \
         audiotestsrc wave=silence is-live=true samplesperbuffer=960 ! {sound} ! audio.sink_0 \
         audiotestsrc is-live=true samplesperbuffer=480 volume=0.1 ! {sound} ! queue ! audio.sink_1 \
         audiomixer name=audio ignore-inactive-pads=true output-buffer-duration=20000000 latency=40000000 ! {sound} \
           ! level interval=50000000 ! queue ! {} ! queue ! mux. \
         webmmux name=mux streamable=true ! fdsink fd=1 sync=false",
        encoder(codec("vp8")?, 2_500_000),
        encoder(codec("opus")?, 128_000),
    ))
}
