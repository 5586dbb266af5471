// SPDX-License-Identifier: GPL-3.0-or-later
//! For how long the window's main thread is kept from its loop while a thousand viewers come and go.
//!
//! It is watched from outside, about once a millisecond: how much it has computed, how often it went to sleep, and in
//! which system call it sleeps. So the program has nothing in it for this. A visit to the loop that is shorter than a
//! look is not seen: then two times away are counted as one that is longer, never the other way round.

use std::{
    fs::File,
    net::SocketAddr,
    os::unix::fs::FileExt,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
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
const SAMPLE: Duration = Duration::from_millis(1);
/// Windows and what is opened in them have settled by then.
const SETTLE: Duration = Duration::from_secs(3);
/// Nearly all have come by then (see `demo.rs`).
const COMING: Duration = Duration::from_secs(15);
const STAYING: Duration = Duration::from_secs(30);
const LEAVING: Duration = Duration::from_secs(30);
/// What is measured of a window with nobody and of one with a crowd.
const NOBODY: &str = "nobody watches";
const PHASES: [&str; 4] = [NOBODY, "they come", "they come and go", "all leave at once"];

/// Waiting for one of several things: the main loop does so. A main thread that waits for a single one waits for an
/// answer, of the display or of a bus, with its loop standing still.
#[cfg(target_arch = "x86_64")]
const POLLS: [i64; 2] = [7, 271];
#[cfg(not(target_arch = "x86_64"))]
const POLLS: [i64; 1] = [73];
/// Waiting for a lock.
#[cfg(target_arch = "x86_64")]
const LOCK: i64 = 202;
#[cfg(not(target_arch = "x86_64"))]
const LOCK: i64 = 98;

/// Stretches of the main thread without its loop, for each of the crowds.
pub fn bench() -> Result<()> {
    println!(
        "\nHow long the window's main thread stays away from its loop while {CROWD} made-up viewers come and go, its list of"
    );
    println!(
        "them open, in a desktop drawn by software. Work is CPU time between two sleeps; a wait is a sleep elsewhere\n"
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
        "{:>18} {:>11} {:>9} {:>8} {:>8} {:>11} {:>13} {:>13}",
        "",
        "% of a core",
        "away, ms",
        "99 %",
        "longest",
        "> 16 ms/min",
        "longest work",
        "longest wait"
    );
    for phase in PHASES {
        let of = |name: &str| -> Vec<&Value> {
            let runs = told.iter().filter(|t| t["phase"] == phase);
            runs.map(|t| &t[name]).collect()
        };
        let figures =
            |name: &str| -> Vec<f64> { of(name).into_iter().filter_map(Value::as_f64).collect() };
        let lengths = |name: &str| -> Vec<f64> {
            let all = of(name).into_iter().filter_map(Value::as_array).flatten();
            all.filter_map(Value::as_f64).collect()
        };
        let longest = |name: &str| lengths(name).into_iter().fold(0.0, f64::max) * 1000.0;
        let seconds: f64 = figures("seconds").iter().sum();
        let mut away = lengths("away");
        away.sort_by(f64::total_cmp);
        let nearly_all = away.get(away.len() * 99 / 100).copied();
        let too_long = away.iter().filter(|l| **l > AIM).count();
        println!(
            "{phase:>18} {:>11.1} {:>9.2} {:>8.1} {:>8.1} {:>11.1} {:>13.1} {:>13.1}",
            median(&figures("share")) * 100.0,
            median(&away) * 1000.0,
            nearly_all.unwrap_or(f64::NAN) * 1000.0,
            longest("away"),
            too_long as f64 / seconds * 60.0,
            longest("work"),
            longest("waits")
        );
    }
    let gap = told.iter().filter_map(|t| t["gap"].as_f64());
    println!(
        "\nThe longest time that nobody looked: {:.1} ms",
        gap.fold(0.0, f64::max) * 1000.0
    );
    for line in told
        .iter()
        .filter_map(|t| t["longest_waits"].as_array())
        .flatten()
    {
        println!("A wait: {}", line.as_str().unwrap_or_default());
    }
    Ok(())
}

/// The role, in a desktop: tells of each phase what was seen, as an object on a line.
pub fn window(crowd: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let window = Process(
        Command::new(env!("CARGO_BIN_EXE_aerial"))
            .args(["--demo", crowd])
            .env("AERIAL_API_TOKEN", TOKEN)
            .env("XDG_CONFIG_HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?,
    );
    let pid = window.0.id();
    ui(pid, &["click", "Viewers"])?;
    let address = address(&ui(pid, &["find", "link"])?)?;
    let thread = MainThread::open(pid)?;
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

/// What a thread does at a moment.
#[derive(Clone, Copy, PartialEq)]
enum Doing {
    /// It waits in its loop for something to happen.
    Loop,
    /// It computes, or could if it were let.
    Work,
    /// It sleeps elsewhere: in this system call, at this place of its stack.
    Wait { call: i64, stack: u64 },
}

/// A look at it.
struct Look {
    at: Instant,
    /// Seconds that it has computed.
    ran: f64,
    /// Seconds that it could have computed, but others had the processors.
    held_up: f64,
    /// Times that it was given a processor.
    turns: u64,
    doing: Doing,
}

/// The main thread of a process.
struct MainThread {
    schedstat: File,
    status: File,
    syscall: File,
}

impl MainThread {
    fn open(pid: u32) -> Result<MainThread> {
        let open = |name: &str| File::open(format!("/proc/{pid}/task/{pid}/{name}"));
        Ok(MainThread {
            schedstat: open("schedstat")?,
            status: open("status")?,
            syscall: open("syscall")?,
        })
    }

    fn look(&self) -> Result<Look> {
        let mut buffer = [0; 256];
        let doing = doing(read(&self.syscall, &mut buffer)?)?;
        let mut numbers = read(&self.schedstat, &mut buffer)?.split_whitespace();
        let mut number = || {
            Result::Ok(
                numbers
                    .next()
                    .ok_or("a number is missing")?
                    .parse::<u64>()?,
            )
        };
        let (ran, held_up, turns) = (number()?, number()?, number()?);
        Ok(Look {
            at: Instant::now(),
            ran: ran as f64 / 1e9,
            held_up: held_up as f64 / 1e9,
            turns,
            doing,
        })
    }

    /// How often it went to sleep by itself. Takes longer to read than the rest.
    fn sleeps(&self) -> Result<u64> {
        let mut buffer = [0; 4096];
        let line = read(&self.status, &mut buffer)?
            .lines()
            .find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"));
        Ok(line
            .ok_or("it does not say how often it slept")?
            .trim()
            .parse()?)
    }

    /// Watch it for so long, and say what was seen.
    fn tell(&self, phase: &str, during: Duration) -> Result<()> {
        let first = self.look()?;
        let (mut seen, mut sleeps) = (Seen::new(first), self.sleeps()?);
        let began = Instant::now();
        while began.elapsed() < during {
            thread::sleep(SAMPLE);
            let look = self.look()?;
            let before = &seen.last;
            if look.turns != before.turns || look.doing != before.doing {
                let now = self.sleeps()?;
                seen.slept |= now != sleeps;
                sleeps = now;
            }
            seen.take(look);
        }
        println!("{}", seen.told(phase));
        Ok(())
    }
}

/// What was seen in a phase, in seconds.
struct Seen {
    began: Instant,
    began_with: f64,
    last: Look,
    /// It went to sleep since the last look.
    slept: bool,
    /// What it had computed when the work at hand began.
    work_began: f64,
    work: Vec<f64>,
    /// When it began to sleep where it sleeps now.
    wait_began: Instant,
    waits: Vec<(f64, String)>,
    away: Away,
    aways: Vec<f64>,
    gap: f64,
}

/// A time without the loop.
#[derive(Clone, Copy)]
struct Away {
    /// When it was last seen in its loop, and what it had computed and lost by then.
    left: Instant,
    ran: f64,
    held_up: f64,
    /// When it was first and last seen elsewhere.
    elsewhere: Option<(Instant, Instant)>,
}

impl Away {
    fn since(look: &Look) -> Away {
        Away {
            left: look.at,
            ran: look.ran,
            held_up: look.held_up,
            elsewhere: None,
        }
    }

    /// It is in its loop again. What it could not compute for others is not its own fault.
    fn length(&self, back: &Look) -> f64 {
        let ran = back.ran - self.ran;
        let Some((first, last)) = self.elsewhere else {
            return ran;
        };
        let unseen = (first - self.left) + (back.at - last);
        let passed = (last - first) + unseen / 2;
        (passed.as_secs_f64() - (back.held_up - self.held_up)).max(ran)
    }
}

impl Seen {
    fn new(first: Look) -> Seen {
        Seen {
            began: first.at,
            began_with: first.ran,
            slept: false,
            work_began: first.ran,
            work: vec![],
            wait_began: first.at,
            waits: vec![],
            away: Away::since(&first),
            aways: vec![],
            gap: 0.0,
            last: first,
        }
    }

    fn take(&mut self, look: Look) {
        self.gap = self.gap.max((look.at - self.last.at).as_secs_f64());
        if self.slept {
            self.work.push(look.ran - self.work_began);
            (self.work_began, self.slept) = (look.ran, false);
        }
        let same_sleep = look.doing == self.last.doing && look.turns == self.last.turns;
        if let Doing::Wait { call, .. } = self.last.doing
            && !same_sleep
        {
            let length = (look.at - self.wait_began).as_secs_f64();
            self.waits.push((length, name(call)));
        }
        if !same_sleep {
            self.wait_began = look.at;
        }
        match look.doing {
            Doing::Loop => {
                if look.turns != self.last.turns || self.away.elsewhere.is_some() {
                    self.aways.push(self.away.length(&look));
                }
                self.away = Away::since(&look);
            }
            Doing::Work | Doing::Wait { .. } => {
                let (first, _) = self.away.elsewhere.unwrap_or((look.at, look.at));
                self.away.elsewhere = Some((first, look.at));
            }
        }
        self.last = look;
    }

    fn told(mut self, phase: &str) -> Value {
        // It has not come back yet.
        if self.away.elsewhere.is_some() {
            self.aways.push(self.away.length(&self.last));
            self.work.push(self.last.ran - self.work_began);
        }
        let seconds = (self.last.at - self.began).as_secs_f64();
        self.waits.sort_by(|a, b| b.0.total_cmp(&a.0));
        let lengths: Vec<f64> = self.waits.iter().map(|w| w.0).collect();
        let longest: Vec<String> = self
            .waits
            .iter()
            .take_while(|w| w.0 > AIM)
            .take(3)
            .map(|(length, what)| format!("{phase}, {:.1} ms for {what}", length * 1000.0))
            .collect();
        json!({
            "phase": phase,
            "seconds": seconds,
            "share": (self.last.ran - self.began_with) / seconds,
            "away": self.aways,
            "work": self.work,
            "waits": lengths,
            "longest_waits": longest,
            "gap": self.gap,
        })
    }
}

/// What a sleep in this system call waits for.
fn name(call: i64) -> String {
    match call {
        LOCK => "a lock".into(),
        -1 => "memory".into(),
        call if POLLS.contains(&call) => "an answer".into(),
        call => format!("system call {call}"),
    }
}

fn read<'a>(file: &File, buffer: &'a mut [u8]) -> Result<&'a str> {
    let size = file.read_at(buffer, 0)?;
    Ok(std::str::from_utf8(&buffer[..size])?)
}

/// What a `syscall` file means: `running`, or the number of the call, its arguments, the stack and the place.
fn doing(text: &str) -> Result<Doing> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let hex = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16);
    let &[call, .., stack, _] = words.as_slice() else {
        return Ok(Doing::Work);
    };
    let call: i64 = call.parse()?;
    let several = words.get(2).is_some_and(|n| hex(n).is_ok_and(|n| n > 1));
    Ok(match POLLS.contains(&call) && several {
        true => Doing::Loop,
        false => Doing::Wait {
            call,
            stack: hex(stack)?,
        },
    })
}
