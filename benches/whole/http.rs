// SPDX-License-Identifier: GPL-3.0-or-later
//! What a Gbit costs when many watch `/live.webm`, against a loop that does nothing but send.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::{
    Result,
    measure::{Aerial, RUNS, Role, cpu, median},
};

const CROWDS: [usize; 3] = [0, 200, 1000];
/// Pictures and sound together are about 3.3 Mbit/s.
const VIDEO: &str = "3200k";
/// How long the stream is looked at, to send pieces of the same size at the same times.
const TRACE: Duration = Duration::from_secs(6);
/// A viewer who reads nothing keeps this much waiting at most.
const BACKLOG: usize = 1 << 20;

/// What one crowd cost in one run.
#[derive(Clone, Copy)]
struct Cost {
    cores: f64,
    gbit_per_second: f64,
    lost: f64,
}

impl Cost {
    /// CPU seconds per Gbit, beyond what runs with nobody there.
    fn per_gbit(&self, base: f64) -> f64 {
        (self.cores - base) / self.gbit_per_second
    }
}

/// CPU of `aerial live`, and of the bare loop, with this many HTTP viewers.
pub fn bench() -> Result<()> {
    println!("\nHTTP viewers of /live.webm: 720p30 VP8 and Opus\n");
    println!(
        "{:>8} {:>14} {:>10} {:>12} {:>12} {:>12} {:>7}",
        "viewers", "who sends", "Mbit/s", "% of a core", "CPU s/Gbit", "bare = 1", "lost"
    );
    let mut ours = vec![vec![]; CROWDS.len()];
    let mut bare = vec![vec![]; CROWDS.len()];
    for _ in 0..RUNS {
        let aerial = Aerial::start(VIDEO)?;
        let address = aerial.address.to_string();
        // One viewer is always there, so that "nobody" means the encoders without an audience.
        let (_watcher, _) = Role::start(&["http", &address, "1"])?;
        let trace = trace(aerial.address)?;
        for (i, crowd) in CROWDS.iter().enumerate() {
            ours[i].push(cost(aerial.pid(), &address, *crowd)?);
        }
        drop(aerial);
        for (i, crowd) in CROWDS.iter().enumerate().skip(1) {
            let (mut sender, port) = Role::start(&["bare", &crowd.to_string(), &trace])?;
            // It has said its port; that it is ready, it says next.
            sender.line()?;
            let mut used = cost(sender.pid(), &format!("127.0.0.1:{port}"), *crowd)?;
            used.lost += sender.count()?["skipped"].as_f64().unwrap_or(0.0);
            bare[i].push(used);
        }
    }
    let middle = |runs: &[Cost], pick: &dyn Fn(&Cost) -> f64| {
        median(&runs.iter().map(pick).collect::<Vec<_>>())
    };
    let base = middle(&ours[0], &|c| c.cores);
    println!(
        "{:>8} {:>14} {:>10} {:>12.1}",
        0,
        "aerial",
        "-",
        base * 100.0
    );
    for (i, crowd) in CROWDS.iter().enumerate().skip(1) {
        let bare_cost = middle(&bare[i], &|c| c.per_gbit(0.0));
        for (who, runs, base) in [("aerial", &ours[i], base), ("bare loop", &bare[i], 0.0)] {
            let per_gbit = middle(runs, &|c| c.per_gbit(base));
            println!(
                "{crowd:>8} {who:>14} {:>10.0} {:>12.1} {per_gbit:>12.4} {:>12.2} {:>7.0}",
                middle(runs, &|c| c.gbit_per_second * 1000.0),
                middle(runs, &|c| c.cores * 100.0),
                per_gbit / bare_cost,
                middle(runs, &|c| c.lost),
            );
        }
    }
    Ok(())
}

fn cost(pid: u32, address: &str, crowd: usize) -> Result<Cost> {
    let (mut viewers, _) = Role::start(&["http", address, &crowd.to_string()])?;
    let mut counts: Vec<Value> = vec![];
    let used = cpu(pid, || {
        counts.push(viewers.count()?);
        Ok(())
    })?;
    let bytes = |i: usize| counts[i]["bytes"].as_f64().unwrap_or(f64::NAN);
    Ok(Cost {
        cores: used.cores,
        gbit_per_second: (bytes(1) - bytes(0)) * 8.0 / 1e9 / used.seconds,
        lost: counts[1]["ended"].as_f64().unwrap_or(f64::NAN),
    })
}

fn ask(address: SocketAddr) -> String {
    format!("GET /live.webm HTTP/1.1\r\nHost: {address}\r\nUser-Agent: bench\r\n\r\n")
}

/// Sizes and times of the pieces in which the stream comes, as `MILLISECONDS:BYTES,…`.
fn trace(address: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(ask(address).as_bytes())?;
    let mut buffer = vec![0; 1 << 20];
    // The first pieces are what had been sent before: a viewer who joins gets them at once.
    let joined = Instant::now();
    while joined.elapsed() < Duration::from_secs(1) {
        let _ = stream.read(&mut buffer)?;
    }
    let began = Instant::now();
    let mut pieces = vec![];
    while began.elapsed() < TRACE {
        let size = stream.read(&mut buffer)?;
        pieces.push(format!("{}:{size}", began.elapsed().as_millis()));
    }
    Ok(pieces.join(","))
}

/// The role: ADDRESS COUNT. Viewers that read and throw away.
pub fn viewers(args: &[&str]) -> Result<()> {
    let [address, count] = args else {
        return Err("ADDRESS COUNT".into());
    };
    let (address, count): (SocketAddr, usize) = (address.parse()?, count.parse()?);
    let counters = Arc::new([const { AtomicU64::new(0) }; 2]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    runtime.block_on(async {
        for n in 0..count {
            let mut stream = tokio::net::TcpStream::connect(address).await?;
            stream.write_all(ask(address).as_bytes()).await?;
            tokio::spawn(read(stream, counters.clone()));
            // 500 a second.
            if n % 50 == 49 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        let count =
            move || json!({"bytes": counters[0].load(Relaxed), "ended": counters[1].load(Relaxed)});
        thread::spawn(move || {
            let _ = crate::measure::answer(count);
            let _ = end.send(());
        });
        let _ = ended.await;
        Ok(())
    })
}

/// Reads and throws away; counts bytes, and whether the stream ended.
async fn read(stream: tokio::net::TcpStream, counters: Arc<[AtomicU64; 2]>) {
    let mut buffer = vec![0; 16 * 1024];
    while stream.readable().await.is_ok() {
        match stream.try_read(&mut buffer) {
            Ok(0) => break,
            Ok(size) => {
                counters[0].fetch_add(size as u64, Relaxed);
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    counters[1].fetch_add(1, Relaxed);
}

/// The role: COUNT TRACE. Accepts that many viewers, then sends each of them pieces as the trace says, over and over.
/// Nothing else: no headers per piece, no bookkeeping per viewer but what its socket did not take.
pub fn bare_sender(args: &[&str]) -> Result<()> {
    let [count, trace] = args else {
        return Err("COUNT TRACE".into());
    };
    let count: usize = count.parse()?;
    let pieces = trace
        .split(',')
        .map(|piece| {
            let (at, size) = piece
                .split_once(':')
                .ok_or("a trace is MILLISECONDS:BYTES,…")?;
            Ok((
                Duration::from_millis(at.parse()?),
                vec![0x55; size.parse()?],
            ))
        })
        .collect::<Result<Vec<_>>>()?;
    let length = pieces.last().ok_or("an empty trace")?.0;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    let skipped = Arc::new(AtomicU64::new(0));
    let counter = skipped.clone();
    thread::spawn(move || {
        let _ = crate::measure::answer(|| json!({"skipped": counter.load(Relaxed)}));
        // The measurement is over.
        std::process::exit(0);
    });
    let mut viewers = Vec::with_capacity(count);
    for _ in 0..count {
        let (mut stream, _) = listener.accept()?;
        let mut request = [0; 512];
        let _ = stream.read(&mut request)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        viewers.push((stream, Vec::new()));
    }
    let mut began = Instant::now();
    loop {
        for (at, piece) in &pieces {
            thread::sleep(at.saturating_sub(began.elapsed()));
            viewers.retain_mut(|(stream, left)| send(stream, left, piece, &skipped));
        }
        began += length;
    }
}

/// One piece to one viewer; `false` when it is gone.
fn send(stream: &mut TcpStream, left: &mut Vec<u8>, piece: &[u8], skipped: &AtomicU64) -> bool {
    if !left.is_empty() {
        match stream.write(left) {
            Ok(size) => drop(left.drain(..size)),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
        if left.len() > BACKLOG {
            skipped.fetch_add(1, Relaxed);
        } else {
            left.extend_from_slice(piece);
        }
        return true;
    }
    match stream.write(piece) {
        Ok(size) => left.extend_from_slice(&piece[size..]),
        Err(e) if e.kind() == ErrorKind::WouldBlock => left.extend_from_slice(piece),
        Err(_) => return false,
    }
    true
}
