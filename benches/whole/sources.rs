// SPDX-License-Identifier: GPL-3.0-or-later
//! What the program costs with several sources, against the bare compositor in gst-launch-1.0.

use std::process::{Command, Stdio};

use studio::program::tiles;

use crate::{
    Result,
    measure::{Aerial, Process, RUNS, cpu, median},
};

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;

/// CPU of both with 1, 2 and 4 test cards of 720p30, with nobody watching.
pub fn bench() -> Result<()> {
    println!(
        "\nThe program alone: test cards of 1280x720 at 30 fps, scaled into one picture; no encoder\n"
    );
    println!(
        "{:>8} {:>12} {:>12} {:>8}",
        "sources", "aerial", "compositor", "ratio"
    );
    println!("{:>8} {:>12} {:>12}", "", "% of a core", "% of a core");
    for sources in [1, 2, 4] {
        let (mut ours, mut theirs) = (vec![], vec![]);
        for _ in 0..RUNS {
            let mut words = vec!["--audio", "none"];
            for _ in 0..sources {
                words.extend(["--video", "test"]);
            }
            let aerial = Aerial::start_with(&words)?;
            ours.push(cpu(aerial.pid(), || Ok(()))?.cores);
            drop(aerial);

            let child = Command::new("gst-launch-1.0")
                .arg("-q")
                .args(graph(sources).split_whitespace())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()?;
            let mut launch = Process(child);
            theirs.push(cpu(launch.0.id(), || Ok(()))?.cores);
            if launch.0.try_wait()?.is_some() {
                return Err("gst-launch-1.0 ended".into());
            }
        }
        let (ours, theirs) = (median(&ours), median(&theirs));
        println!(
            "{sources:>8} {:>12.1} {:>12.1} {:>8.2}",
            ours * 100.0,
            theirs * 100.0,
            ours / theirs
        );
    }
    Ok(())
}

/// The same pictures in the same places, over the same background, and nothing else.
fn graph(sources: usize) -> String {
    let caps = format!(
        "video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate=30/1,pixel-aspect-ratio=1/1,\
         colorimetry=bt709,interlace-mode=progressive"
    );
    let mut chains = String::new();
    let mut places = String::new();
    for (i, tile) in tiles(sources, WIDTH, HEIGHT).iter().enumerate() {
        let pad = format!("sink_{}", i + 1);
        chains +=
            &format!("videotestsrc is-live=true pattern=smpte ! {caps} ! queue ! mixer.{pad} ");
        places += &format!(
            "{pad}::xpos={} {pad}::ypos={} {pad}::width={} {pad}::height={} {pad}::zorder={} \
             {pad}::sizing-policy=keep-aspect-ratio ",
            tile.x,
            tile.y,
            tile.width,
            tile.height,
            i + 1
        );
    }
    format!(
        "videotestsrc num-buffers=1 pattern=solid-color foreground-color=0xff242424 ! {caps} \
           ! imagefreeze is-live=true ! {caps} ! mixer.sink_0 {chains} \
         compositor name=mixer background=black latency=20000000 {places} ! {caps} ! fakesink sync=false"
    )
}
