// SPDX-License-Identifier: GPL-3.0-or-later
//! Viewers who come and go over both transports and in every way: politely, abruptly, without a word; and what of them
//! is left in the program. The benchmarks use it, too, for half an hour.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use crate::receiver::Receivers;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Who come at the same time.
const AT_ONCE: usize = 8;
/// What is read of the stream before they go.
const ENOUGH: usize = 100_000;
const PICTURES: u64 = 15;

/// A broadcast, and how many come to it in how long.
pub struct Crowd {
    pub address: SocketAddr,
    pub token: String,
    pub pid: u32,
    pub joins: usize,
    pub lasts: Duration,
}

/// What the program holds.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    pub threads: usize,
    pub descriptors: usize,
    /// Resident bytes.
    pub memory: u64,
}

impl Held {
    fn of(pid: u32) -> Result<Held, Fault> {
        let count =
            |what: &str| Ok::<_, Fault>(fs::read_dir(format!("/proc/{pid}/{what}"))?.count());
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|l| l.split_whitespace().next());
        Ok(Held {
            threads: count("task")?,
            descriptors: count("fd")?,
            memory: kilobytes.ok_or("no VmRSS")?.parse::<u64>()? << 10,
        })
    }
}

/// How one leaves.
#[derive(Clone, Copy)]
enum Leaving {
    /// HTTP, after all that came was read.
    Close,
    /// HTTP, with something unread: the other side sees a reset.
    Reset,
    /// HTTP, saying that no more will be sent, and gone later.
    Half,
    /// WebRTC, with a request to end it.
    Polite,
    /// WebRTC, without a word.
    Vanish,
}

const LEAVINGS: [Leaving; 5] = [
    Leaving::Close,
    Leaving::Polite,
    Leaving::Reset,
    Leaving::Vanish,
    Leaving::Half,
];

impl Crowd {
    /// Lets them come and go; what the program holds before, when a few had been there, and after.
    pub fn run(&self) -> Result<(Held, Held), Fault> {
        // One stays, so that the same encoders run all the time.
        let mut steady = self.open()?;
        let mut block = [0; 16 << 10];
        let came = steady.read(&mut block)?;
        if came == 0 {
            return Err("the stream ended at once".into());
        }
        let ended = thread::spawn(
            move || {
                while steady.read(&mut block).is_ok_and(|n| n > 0) {}
            },
        );
        self.wave((self.joins / 20).max(2 * LEAVINGS.len()), Duration::ZERO)?;
        let before = self.calm(None)?;
        self.wave(self.joins, self.lasts)?;
        let after = self.calm(Some(before))?;
        if ended.is_finished() {
            return Err("the one who stayed was let go".into());
        }
        Ok((before, after))
    }

    /// So many join, evenly over this time.
    fn wave(&self, joins: usize, lasts: Duration) -> Result<(), Fault> {
        let receivers = Receivers::start();
        let began = Instant::now();
        let next = AtomicUsize::new(0);
        let fault = Mutex::new(None);
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    loop {
                        let n = next.fetch_add(1, Relaxed);
                        if n >= joins || fault.lock().is_ok_and(|f| f.is_some()) {
                            return;
                        }
                        let due = began + lasts.mul_f64(n as f64 / joins as f64);
                        thread::sleep(due.saturating_duration_since(Instant::now()));
                        let way = LEAVINGS[n % LEAVINGS.len()];
                        if let Err(e) = self.visit(way, n, &receivers)
                            && let Ok(mut fault) = fault.lock()
                        {
                            fault.get_or_insert(format!("viewer {n}: {e}"));
                        }
                    }
                });
            }
        });
        match fault.into_inner() {
            Ok(Some(fault)) => Err(fault.into()),
            Ok(None) => Ok(()),
            Err(_) => Err("a viewer panicked".into()),
        }
    }

    fn visit(&self, way: Leaving, n: usize, receivers: &Receivers) -> Result<(), Fault> {
        match way {
            Leaving::Close | Leaving::Reset | Leaving::Half => {
                let mut socket = self.open()?;
                let mut left = ENOUGH;
                let mut block = [0; 16 << 10];
                while left > 0 {
                    let read = socket.read(&mut block)?;
                    if read == 0 {
                        return Err("the stream ended".into());
                    }
                    left = left.saturating_sub(read);
                }
                match way {
                    Leaving::Half => {
                        socket.shutdown(Shutdown::Write)?;
                        let _ = socket.read(&mut block);
                    }
                    // Something is there to be read when it is closed.
                    Leaving::Reset => _ = socket.peek(&mut block)?,
                    Leaving::Close | Leaving::Polite | Leaving::Vanish => (),
                }
            }
            Leaving::Polite | Leaving::Vanish => {
                let viewer = receivers.join(self.address, &format!("crowd-{n}"));
                viewer.wait(PATIENCE, |got| got.video >= PICTURES || got.over.is_some());
                let got = viewer.got();
                if let Some(over) = got.over {
                    return Err(over.into());
                }
                if got.video < PICTURES {
                    return Err(format!("only {} pictures came", got.video).into());
                }
                if let Leaving::Polite = way {
                    let location = got.location.ok_or("no Location")?;
                    self.ask("DELETE", &location)?;
                }
            }
        }
        Ok(())
    }

    /// What it holds when nobody is listed but the one who stays, and, if told what it held before, no more than that
    /// is held.
    fn calm(&self, before: Option<Held>) -> Result<Held, Fault> {
        let until = Instant::now() + PATIENCE;
        let mut last = None;
        loop {
            let held = Held::of(self.pid)?;
            let now = (held.threads, held.descriptors);
            let others = self
                .ask("GET", "/api/v1/viewers")?
                .matches("\"transport\"")
                .count();
            let calm = match before {
                Some(before) => {
                    held.threads <= before.threads && held.descriptors <= before.descriptors
                }
                // For two looks.
                None => last == Some(now),
            };
            if others == 1 && calm {
                return Ok(held);
            }
            if Instant::now() > until {
                return Err(format!(
                    "{others} viewers are listed; {before:?} before, {held:?} now"
                )
                .into());
            }
            last = (others == 1).then_some(now);
            thread::sleep(Duration::from_millis(500));
        }
    }

    fn open(&self) -> Result<TcpStream, Fault> {
        let mut socket = TcpStream::connect(self.address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        write!(
            socket,
            "GET /live.webm HTTP/1.1\r\nHost: {}\r\n\r\n",
            self.address
        )?;
        Ok(socket)
    }

    fn ask(&self, method: &str, path: &str) -> Result<String, Fault> {
        let mut socket = TcpStream::connect(self.address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        write!(
            socket,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            self.address, self.token
        )?;
        let mut reply = String::new();
        socket.read_to_string(&mut reply)?;
        if !reply.starts_with("HTTP/1.1 2") {
            return Err(format!("{method} {path}: {reply}").into());
        }
        Ok(reply)
    }
}
