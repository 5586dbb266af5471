// SPDX-License-Identifier: GPL-3.0-or-later
//! Processes, their CPU time, and medians.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Lines, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::Result;

/// Times that everything is measured.
pub const RUNS: usize = 3;
/// How long CPU time is counted for one figure.
pub const WINDOW: Duration = Duration::from_secs(10);
/// After a change of load: joins, first key frames and encoder start-up are over by then.
const SETTLE: Duration = Duration::from_secs(2);

/// A child that ends with its value.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Seconds of CPU time a process has used.
fn cpu_seconds(pid: u32) -> Result<f64> {
    seconds_in(&fs::read_to_string(format!("/proc/{pid}/stat"))?)
}

/// Seconds of CPU time of each thread of a process, by name; those of the same name are added up.
pub fn thread_seconds(pid: u32) -> Result<BTreeMap<String, f64>> {
    let mut threads = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = entry?.path();
        // One that ended meanwhile has nothing to tell.
        let (Ok(name), Ok(stat)) = (
            fs::read_to_string(path.join("comm")),
            fs::read_to_string(path.join("stat")),
        ) else {
            continue;
        };
        *threads.entry(name.trim_end().to_string()).or_insert(0.0) += seconds_in(&stat)?;
    }
    Ok(threads)
}

/// User and system time in a `stat` file, in seconds.
pub fn seconds_in(stat: &str) -> Result<f64> {
    // The name in parentheses may hold spaces.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks: u64 = fields.get(11).ok_or("no utime")?.parse::<u64>()?
        + fields.get(12).ok_or("no stime")?.parse::<u64>()?;
    Ok(ticks as f64 / ticks_per_second())
}

fn ticks_per_second() -> f64 {
    static TICKS: OnceLock<f64> = OnceLock::new();
    *TICKS.get_or_init(|| {
        let out = Command::new("getconf").arg("CLK_TCK").output();
        out.ok()
            .and_then(|o| String::from_utf8(o.stdout).ok()?.trim().parse().ok())
            .unwrap_or(100.0)
    })
}

/// What a process used in a window.
pub struct Used {
    /// Share of one core.
    pub cores: f64,
    /// Exact length of the window in seconds.
    pub seconds: f64,
}

/// CPU of a process over one window. `at_edges` is called when it begins and when it ends.
pub fn cpu(pid: u32, mut at_edges: impl FnMut() -> Result<()>) -> Result<Used> {
    thread::sleep(SETTLE);
    at_edges()?;
    let (began, before) = (Instant::now(), cpu_seconds(pid)?);
    thread::sleep(WINDOW);
    let used = cpu_seconds(pid)? - before;
    let seconds = began.elapsed().as_secs_f64();
    at_edges()?;
    Ok(Used {
        cores: used / seconds,
        seconds,
    })
}

/// Resident memory of a process in KB.
pub fn resident_kb(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let number = line.and_then(|l| l.split_whitespace().next());
    Ok(number.ok_or("no VmRSS")?.parse()?)
}

/// The middle one.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// `aerial live` on the test card and the tone.
pub struct Aerial {
    process: Process,
    /// Where it serves.
    pub address: SocketAddr,
    /// The token of its control routes.
    pub token: String,
}

impl Aerial {
    /// Starts it with this bitrate of the picture and waits until it is on the air.
    pub fn start(video_bitrate: &str) -> Result<Aerial> {
        Aerial::start_with(&[
            "--video",
            "test",
            "--audio",
            "tone",
            "--video-bitrate",
            video_bitrate,
        ])
    }

    /// Starts it at 720p30 with these options and waits until it is on the air.
    pub fn start_with(words: &[&str]) -> Result<Aerial> {
        Aerial::start_sized("1280x720", &[&["--fps", "30"], words].concat())
    }

    /// Starts it at this size with these options and waits until it is on the air.
    pub fn start_sized(size: &str, words: &[&str]) -> Result<Aerial> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_aerial"))
            .args(["live", "--size", size])
            .args(words)
            .args(["--listen", "127.0.0.1:0", "--status", "json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        let process = Process(child);
        let (mut address, mut token) = (None, String::new());
        for line in lines.by_ref() {
            let object: Value = serde_json::from_str(&line?)?;
            if let Some(links) = object["links"].as_object() {
                let link = links.values().find_map(|l| l.as_str()).ok_or("no link")?;
                address = Some(link.split('/').nth(2).ok_or("no host")?.parse()?);
                token = object["api_token"].as_str().ok_or("no token")?.to_string();
            }
            if object["air"] == "live" {
                break;
            }
        }
        // Read on, or it would stand still when the pipe is full.
        thread::spawn(move || lines.for_each(drop));
        Ok(Aerial {
            process,
            address: address.ok_or("aerial did not say where it serves")?,
            token,
        })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }
}

/// This program again, in another role. It says `ready`, then answers each line with one object.
pub struct Role {
    process: Process,
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Role {
    /// Starts it and waits for its first line, which is returned.
    pub fn start(words: &[&str]) -> Result<(Role, String)> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("role")
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let ask = child.stdin.take().ok_or("no stdin")?;
        let answers = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        let mut role = Role {
            process: Process(child),
            ask,
            answers,
        };
        let first = role.line()?;
        Ok((role, first))
    }

    /// The next thing it says.
    pub fn line(&mut self) -> Result<String> {
        Ok(self.answers.next().ok_or("a load process ended")??)
    }

    /// What it counted so far.
    pub fn count(&mut self) -> Result<Value> {
        self.tell("")
    }

    /// The same, after it did what it is told.
    pub fn tell(&mut self, words: &str) -> Result<Value> {
        writeln!(self.ask, "{words}")?;
        Ok(serde_json::from_str(&self.line()?)?)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }
}

/// In a role: says `ready`, then answers every line of standard input, until it ends.
pub fn answer(mut count: impl FnMut() -> Value) -> Result<()> {
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        line?;
        println!("{}", count());
    }
    Ok(())
}
