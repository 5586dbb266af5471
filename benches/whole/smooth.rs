// SPDX-License-Identifier: GPL-3.0-or-later
//! For how long the window's main thread is kept from its loop while a thousand viewers come and go.
//!
//! `loop_watch.c` is put between the program and its C library and notes each time between two visits to the loop. The
//! program itself has nothing in it for this.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    Result,
    list::{TOKEN, ask, put_on_air},
    measure::{Process, RUNS, median},
};

const CROWD: usize = 1000;
/// A picture of most screens: what takes longer than this can be seen.
const AIM: f64 = 0.016;
/// Windows and what is opened in them have settled by then.
const SETTLE: Duration = Duration::from_secs(3);
/// Nearly all have come by then (see `demo.rs`).
const COMING: Duration = Duration::from_secs(15);
const STAYING: Duration = Duration::from_secs(30);
const LEAVING: Duration = Duration::from_secs(30);
/// What is measured of a window with nobody and of one with a crowd.
const NOBODY: &str = "nobody watches";
const PHASES: [&str; 4] = [NOBODY, "they come", "they come and go", "all leave at once"];
/// Three numbers of eight bytes.
const NOTE: usize = 24;

/// Times of the main thread without its loop, for each of the crowds.
pub fn bench() -> Result<()> {
    println!(
        "\nHow long the window's main thread stays away from its loop while {CROWD} made-up viewers come and go, its list of"
    );
    println!(
        "them open, in a desktop drawn by software. Of the longest time away it computed so much itself\n"
    );
    let session = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bed/desktop-session");
    let mut told = vec![];
    for _ in 0..RUNS {
        for crowd in [0, CROWD] {
            let out = Command::new(&session)
                .args(["--no-media", "--no-portal", "--no-keyring", "--"])
                .arg(std::env::current_exe()?)
                .args(["role", "smooth", &crowd.to_string()])
                .stdin(Stdio::null())
                .stderr(Stdio::inherit())
                .output()?;
            if !out.status.success() {
                return Err("the window was not measured".into());
            }
            for line in String::from_utf8(out.stdout)?.lines() {
                told.push(serde_json::from_str::<Value>(line)?);
            }
        }
    }
    println!(
        "{:>18} {:>11} {:>9} {:>8} {:>8} {:>9} {:>11}",
        "", "% of a core", "away, ms", "99 %", "longest", "computed", "> 16 ms/min"
    );
    for phase in PHASES {
        let runs = || told.iter().filter(|t| t["phase"] == phase);
        let figures =
            |name: &str| -> Vec<f64> { runs().filter_map(|t| t[name].as_f64()).collect() };
        let mut away: Vec<(f64, f64)> = vec![];
        for run in runs() {
            away.extend(serde_json::from_value::<Vec<(f64, f64)>>(
                run["away"].clone(),
            )?);
        }
        away.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (Some(longest), Some(nearly_all)) = (away.last(), away.get(away.len() * 99 / 100))
        else {
            return Err("the loop was not seen".into());
        };
        let lengths: Vec<f64> = away.iter().map(|a| a.0).collect();
        let too_long = lengths.iter().filter(|l| **l > AIM).count();
        let seconds: f64 = figures("seconds").iter().sum();
        println!(
            "{phase:>18} {:>11.1} {:>9.2} {:>8.1} {:>8.1} {:>9.1} {:>11.1}",
            median(&figures("share")) * 100.0,
            median(&lengths) * 1000.0,
            nearly_all.0 * 1000.0,
            longest.0 * 1000.0,
            longest.1 * 1000.0,
            too_long as f64 / seconds * 60.0,
        );
    }
    Ok(())
}

/// The role, in a desktop: tells of each phase what was seen, as an object on a line.
pub fn window(crowd: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (shim, notes) = (
        folder.path().join("loop_watch.so"),
        folder.path().join("notes"),
    );
    compile(&shim)?;
    let window = Process(
        Command::new(env!("CARGO_BIN_EXE_aerial"))
            .args(["--demo", crowd])
            .env("AERIAL_API_TOKEN", TOKEN)
            .env("XDG_CONFIG_HOME", folder.path())
            .env("LD_PRELOAD", &shim)
            .env("LOOP_WATCH", &notes)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?,
    );
    let pid = window.0.id();
    ui(pid, &["click", "Viewers"])?;
    let address = address(&ui(pid, &["find", "link"])?)?;
    let thread = MainThread { pid, notes };
    thread::sleep(SETTLE);
    if crowd == "0" {
        put_on_air(address, "live")?;
        thread::sleep(SETTLE);
        thread.tell(NOBODY, STAYING)?;
        return Ok(());
    }
    put_on_air(address, "live")?;
    thread.tell(PHASES[1], COMING)?;
    thread.tell(PHASES[2], STAYING)?;
    let status: Value = serde_json::from_str(&ask(address, "GET /api/v1/status", "")?)?;
    let there = status["viewers"].as_array().map_or(0, Vec::len);
    if there < CROWD * 9 / 10 {
        return Err(format!("only {there} of {CROWD} came").into());
    }
    put_on_air(address, "off")?;
    thread.tell(PHASES[3], LEAVING)
}

/// With the compiler that Rust links with.
fn compile(shim: &Path) -> Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/whole/loop_watch.c");
    let compiled = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-o"])
        .args([shim, source.as_path()])
        .status()?;
    match compiled.success() {
        true => Ok(()),
        false => Err("loop_watch.c was not compiled".into()),
    }
}

/// What the driver of windows says when it has done this.
fn ui(pid: u32, words: &[&str]) -> Result<String> {
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bed/ui.py");
    let out = Command::new("/usr/bin/python3")
        .arg(driver)
        .arg(pid.to_string())
        .args(words)
        .stderr(Stdio::inherit())
        .output()?;
    match out.status.success() {
        true => Ok(String::from_utf8(out.stdout)?),
        false => Err(format!("the window does not do this: {words:?}").into()),
    }
}

/// Where it serves: its link says so.
fn address(links: &str) -> Result<SocketAddr> {
    let link = links
        .split("http://")
        .nth(1)
        .ok_or("the window shows no link")?;
    Ok(link.split('/').next().unwrap_or_default().parse()?)
}

/// The main thread of a process, and where its times away are noted.
struct MainThread {
    pid: u32,
    notes: PathBuf,
}

impl MainThread {
    /// Watch it for so long, and say what was seen.
    fn tell(&self, phase: &str, during: Duration) -> Result<()> {
        let (before, ran) = (fs::read(&self.notes)?.len(), self.ran()?);
        thread::sleep(during);
        let ran = self.ran()? - ran;
        let notes = fs::read(&self.notes)?;
        let mut away: Vec<(f64, f64)> = vec![];
        for note in notes[before..].chunks_exact(NOTE) {
            let number = |at: usize| -> Result<i64> {
                Ok(i64::from_ne_bytes(note[at * 8..][..8].try_into()?))
            };
            // Its children have the shim too.
            if number(0)? == i64::from(self.pid) {
                away.push((number(1)? as f64 / 1e9, number(2)? as f64 / 1e9));
            }
        }
        let seconds = during.as_secs_f64();
        println!(
            "{}",
            json!({ "phase": phase, "seconds": seconds, "share": ran / seconds, "away": away })
        );
        Ok(())
    }

    /// Seconds that it has computed.
    fn ran(&self) -> Result<f64> {
        let pid = self.pid;
        let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/schedstat"))?;
        let ran = text
            .split_whitespace()
            .next()
            .ok_or("a number is missing")?;
        Ok(ran.parse::<u64>()? as f64 / 1e9)
    }
}
