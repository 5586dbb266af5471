// SPDX-License-Identifier: GPL-3.0-or-later
//! What one more WebRTC viewer costs, and how soon one sees a picture.

use std::{net::SocketAddr, time::Duration};

use serde_json::json;

use crate::{
    Result,
    measure::{Aerial, RUNS, Role, cpu, median},
    receiver::Receivers,
};

const CROWDS: [usize; 3] = [0, 16, 64];
const JOIN: Duration = Duration::from_secs(30);

/// CPU of `aerial live` with this many WebRTC viewers.
pub fn bench() -> Result<()> {
    println!(
        "\nWebRTC viewers: 720p30 VP8 at 2 Mbit/s and Opus; one HTTP viewer watches all the time\n"
    );
    println!(
        "{:>8} {:>12} {:>12} {:>10} {:>8} {:>16}",
        "viewers", "% of a core", "per viewer", "fps each", "gaps", "joined, ms"
    );
    let mut rows = vec![vec![]; CROWDS.len()];
    for _ in 0..RUNS {
        let aerial = Aerial::start("2000k")?;
        let address = aerial.address.to_string();
        // Else the encoders would not run with nobody there, and the first viewer would seem to cost all of them.
        let (_watcher, _) = Role::start(&["http", &address, "/live.webm", "1"])?;
        for (crowd, row) in CROWDS.iter().zip(&mut rows) {
            let (mut viewers, _) = Role::start(&["webrtc", &address, &crowd.to_string()])?;
            let mut counts = vec![];
            let used = cpu(aerial.pid(), || {
                counts.push(viewers.count()?);
                Ok(())
            })?;
            let total = |name: &str, i: usize| counts[i][name].as_f64().unwrap_or(f64::NAN);
            let over = total("over", 1);
            if over > 0.0 {
                return Err(
                    format!("{over} of {crowd} viewers were lost: {}", counts[1]["why"]).into(),
                );
            }
            let fps =
                (total("video", 1) - total("video", 0)) / used.seconds / (*crowd).max(1) as f64;
            row.push((used.cores, fps, total("gaps", 1), total("first_ms", 1)));
        }
    }
    let column = |row: &Vec<(f64, f64, f64, f64)>, pick: fn(&(f64, f64, f64, f64)) -> f64| {
        median(&row.iter().map(pick).collect::<Vec<_>>())
    };
    let base = column(&rows[0], |r| r.0);
    for (crowd, row) in CROWDS.iter().zip(&rows) {
        let cores = column(row, |r| r.0);
        if *crowd == 0 {
            println!(
                "{crowd:>8} {:>12.1} {:>12} {:>10} {:>8} {:>16}",
                cores * 100.0,
                "-",
                "-",
                "-",
                "-"
            );
        } else {
            println!(
                "{crowd:>8} {:>12.1} {:>12.3} {:>10.1} {:>8} {:>16.0}",
                cores * 100.0,
                (cores - base) * 100.0 / *crowd as f64,
                column(row, |r| r.1),
                column(row, |r| r.2),
                column(row, |r| r.3),
            );
        }
    }
    Ok(())
}

/// Time from the request to the first whole picture, one viewer after the other.
pub fn bench_join() -> Result<()> {
    let aerial = Aerial::start("2000k")?;
    let address = aerial.address.to_string();
    let (_watcher, _) = Role::start(&["http", &address, "/live.webm", "1"])?;
    let mut times = vec![];
    for _ in 0..10 {
        let (mut viewer, _) = Role::start(&["webrtc", &address, "1"])?;
        times.push(viewer.count()?["first_ms"].as_f64().ok_or("no picture")?);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "\nWHEP request to first whole picture, encoder running, {} joins\n",
        times.len()
    );
    println!(
        "median {:.0} ms, fastest {:.0} ms, slowest {:.0} ms",
        median(&times),
        times[0],
        times[times.len() - 1]
    );
    Ok(())
}

/// The role: ADDRESS COUNT. Viewers that receive and count.
pub fn viewers(args: &[&str]) -> Result<()> {
    let [address, count] = args else {
        return Err("ADDRESS COUNT".into());
    };
    let (address, count): (SocketAddr, usize) = (address.parse()?, count.parse()?);
    let thread = Receivers::start();
    let mut viewers = vec![];
    for n in 0..count {
        let viewer = thread.join(address, &format!("bench-{n}"));
        if !viewer.wait(JOIN, |got| got.video > 0 || got.over.is_some()) {
            return Err(format!("viewer {n} got no picture: {:?}", viewer.got()).into());
        }
        viewers.push(viewer);
    }
    crate::measure::answer(|| {
        let got: Vec<_> = viewers.iter().map(|v| v.got()).collect();
        let mut first: Vec<_> = got
            .iter()
            .filter_map(|g| Some(g.first_video?.as_secs_f64() * 1000.0))
            .collect();
        first.sort_by(f64::total_cmp);
        json!({
            "video": got.iter().map(|g| g.video).sum::<u64>(),
            "audio": got.iter().map(|g| g.audio).sum::<u64>(),
            "gaps": got.iter().map(|g| g.gaps).sum::<u64>(),
            "over": got.iter().filter(|g| g.over.is_some()).count(),
            "why": got.iter().find_map(|g| g.over.clone()),
            "first_ms": first.get(first.len() / 2),
        })
    })
}
