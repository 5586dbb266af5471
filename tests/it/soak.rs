// SPDX-License-Identifier: GPL-3.0-or-later
//! Pictures sent at an irregular rate for a while: whether each is seen, in order, how long it takes, and what grows.
//! The benchmarks use it, too, for longer.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::numbered::{Eyes, ImageFormat, MOST, file};

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A broadcast of `frames:plot`, and how long to send pictures to it.
pub struct Soak {
    pub address: SocketAddr,
    pub token: String,
    pub pid: u32,
    pub lasts: Duration,
}

/// What a viewer of `/live.webm` saw, decoded by ffmpeg.
#[derive(Debug, Default)]
pub struct Seen {
    /// Pictures sent.
    pub sent: usize,
    /// Those of them that were never seen: the how-manieth.
    pub missed: Vec<usize>,
    /// Pictures seen that were not the next one.
    pub out_of_order: usize,
    /// From sending a picture to seeing it, sorted.
    pub delays: Vec<Duration>,
    /// The middle of the first quarter, and of the last.
    pub first_delay: Duration,
    pub last_delay: Duration,
    /// Memory of the broadcast after a fifth of the time, and what came to it until the end.
    pub memory: u64,
    pub grown: u64,
}

/// Time for a picture to be seen, on a busy computer.
const PATIENCE: Duration = Duration::from_secs(20);

impl Soak {
    /// Sends pictures and looks at what comes out.
    pub fn run(&self) -> Result<Seen, Fault> {
        let (tell, seen) = mpsc::channel();
        let mut eyes = Eyes::open(&format!("http://{}/live.webm", self.address));
        self.put(0)?;
        // It ends when the stream does, or when nobody listens any more.
        thread::spawn(move || {
            let mut last = None;
            while let Some(number) = eyes.number() {
                if number.is_some() && number != last {
                    last = number;
                    if tell
                        .send((number.unwrap_or_default(), Instant::now()))
                        .is_err()
                    {
                        return;
                    }
                }
            }
        });
        let first = seen.recv_timeout(PATIENCE)?;
        if first.0 != 0 {
            return Err("something else than the first picture was seen".into());
        }
        let began = Instant::now();
        let mut sent = vec![];
        let mut memory = None;
        let mut dice = 12345u32;
        while began.elapsed() < self.lasts {
            sent.push(Instant::now());
            self.put(sent.len() as u32 % MOST)?;
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Bursts, a steady hand, and pauses.
            let pause = match dice >> 24 {
                0..100 => 0,
                100..200 => 60,
                200..250 => 250,
                _ => 1500,
            };
            thread::sleep(Duration::from_millis(pause));
            if began.elapsed() > self.lasts / 5 && memory.is_none() {
                memory = Some(self.memory()?);
            }
        }
        let mut result = Seen {
            sent: sent.len(),
            memory: memory.unwrap_or_default(),
            ..Seen::default()
        };
        let mut delays = vec![None; sent.len()];
        let mut next = 0;
        while next < sent.len() {
            let Ok((number, at)) = seen.recv_timeout(PATIENCE) else {
                break;
            };
            // Some may have been missed, but not many at once.
            let number = number as usize;
            let ahead = (number + MOST as usize - (next + 1) % MOST as usize) % MOST as usize;
            let found = next + ahead;
            if ahead > MOST as usize / 2 || found >= sent.len() {
                result.out_of_order += 1;
                continue;
            }
            delays[found] = Some(at.saturating_duration_since(sent[found]));
            next = found + 1;
        }
        result.grown = self.memory()?.saturating_sub(result.memory);
        let missed = delays.iter().enumerate().filter(|(_, d)| d.is_none());
        result.missed = missed.map(|(n, _)| n).collect();
        let middle = |part: &[Option<Duration>]| {
            let mut all: Vec<Duration> = part.iter().flatten().copied().collect();
            all.sort();
            all.get(all.len() / 2).copied().unwrap_or_default()
        };
        let quarter = delays.len() / 4;
        result.first_delay = middle(&delays[..quarter]);
        result.last_delay = middle(&delays[delays.len() - quarter..]);
        result.delays = delays.into_iter().flatten().collect();
        result.delays.sort();
        Ok(result)
    }

    fn put(&self, number: u32) -> Result<(), Fault> {
        let picture = file(number, 480, 270, ImageFormat::Png);
        let mut socket = TcpStream::connect(self.address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        write!(
            socket,
            "PUT /frames/plot HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
             Content-Type: image/png\r\nContent-Length: {}\r\n\r\n",
            self.address,
            self.token,
            picture.len()
        )?;
        socket.write_all(&picture)?;
        let mut reply = String::new();
        socket.read_to_string(&mut reply)?;
        if !reply.starts_with("HTTP/1.1 204") {
            return Err(format!("picture {number}: {reply}").into());
        }
        Ok(())
    }

    /// Bytes that the broadcast has in memory.
    fn memory(&self) -> Result<u64, Fault> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|l| l.split_whitespace().next());
        Ok(kilobytes.ok_or("no VmRSS")?.parse::<u64>()? << 10)
    }
}
