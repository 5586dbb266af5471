// SPDX-License-Identifier: GPL-3.0-or-later
//! What a Gbit costs when many watch `/live.webm`, against a loop that does nothing but send.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::{MetadataExt, PermissionsExt},
    process::{Command, Stdio},
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
    measure::{Aerial, Process, RUNS, Role, cpu, median, resident_kb},
};

const CROWDS: [usize; 4] = [0, 200, 1000, 4000];
/// Icecast is measured with these only: beyond, its listeners stall.
const ICECAST_CROWDS: [usize; 2] = [200, 1000];
/// Pictures and sound together are about 3.3 Mbit/s.
const VIDEO: &str = "3200k";
/// How long the stream is looked at, to send pieces of the same size at the same times.
const TRACE: Duration = Duration::from_secs(6);
/// A viewer who reads nothing keeps this much waiting at most.
const BACKLOG: usize = 1 << 20;
/// A viewer who gets nothing for this long has a picture that stands still.
const STALL: Duration = Duration::from_secs(2);

/// What one crowd cost in one run.
#[derive(Clone, Copy)]
struct Cost {
    cores: f64,
    gbit_per_second: f64,
    lost: f64,
    /// Viewers to whom nothing came for [`STALL`], at least once after they had joined.
    stalled: f64,
    /// Resident memory of the sender.
    memory: f64,
}

impl Cost {
    /// CPU seconds per Gbit, beyond what runs with nobody there.
    fn per_gbit(&self, base: f64) -> f64 {
        (self.cores - base) / self.gbit_per_second
    }
}

/// Who sends, and what each crowd cost it, run by run.
struct Sender {
    name: &'static str,
    runs: Vec<Vec<Cost>>,
}

impl Sender {
    fn new(name: &'static str) -> Sender {
        let runs = vec![vec![]; CROWDS.len()];
        Sender { name, runs }
    }

    fn middle(&self, crowd: usize, pick: impl Fn(&Cost) -> f64) -> f64 {
        median(&self.runs[crowd].iter().map(pick).collect::<Vec<_>>())
    }

    fn row(&self, crowd: usize, bare: f64) {
        if self.runs[crowd].is_empty() {
            return;
        }
        // What runs with nobody there is not the viewers' doing.
        let base = match self.runs[0].is_empty() {
            true => (0.0, f64::NAN),
            false => (self.middle(0, |c| c.cores), self.middle(0, |c| c.memory)),
        };
        let per_gbit = self.middle(crowd, |c| c.per_gbit(base.0));
        println!(
            "{:>8} {:>14} {:>10.0} {:>12.1} {per_gbit:>12.4} {:>10.2} {:>6.0} {:>8.0} {:>14.1}",
            CROWDS[crowd],
            self.name,
            self.middle(crowd, |c| c.gbit_per_second * 1000.0),
            self.middle(crowd, |c| c.cores * 100.0),
            per_gbit / bare,
            self.middle(crowd, |c| c.lost),
            self.middle(crowd, |c| c.stalled),
            (self.middle(crowd, |c| c.memory) - base.1) / CROWDS[crowd] as f64,
        );
    }
}

/// CPU of `aerial live`, of the bare loop, and of Icecast with the same stream, with this many HTTP viewers.
pub fn bench() -> Result<()> {
    println!("\nHTTP viewers of /live.webm: 720p30 VP8 and Opus; they join at 500 per second\n");
    println!(
        "{:>8} {:>14} {:>10} {:>12} {:>12} {:>10} {:>6} {:>8} {:>14}",
        "viewers",
        "who sends",
        "Mbit/s",
        "% of a core",
        "CPU s/Gbit",
        "bare = 1",
        "lost",
        "stalled",
        "KB per viewer"
    );
    let mut ours = Sender::new("aerial");
    let mut bare = Sender::new("bare loop");
    let mut theirs = Sender::new("icecast");
    for _ in 0..RUNS {
        let icecast = Icecast::start()?;
        let aerial = Aerial::start_with(&[
            "--video",
            "test",
            "--audio",
            "tone",
            "--video-bitrate",
            VIDEO,
            "--icecast",
            &icecast.target(),
        ])?;
        let address = aerial.address.to_string();
        // One viewer is always there, so that "nobody" means the encoders without an audience.
        let (_watcher, _) = Role::start(&["http", &address, "/live.webm", "1"])?;
        let trace = trace(aerial.address)?;
        for (i, crowd) in CROWDS.iter().enumerate() {
            ours.runs[i].push(cost(aerial.pid(), &address, *crowd)?);
        }
        for (i, crowd) in CROWDS.iter().enumerate() {
            if *crowd == 0 || ICECAST_CROWDS.contains(crowd) {
                theirs.runs[i].push(cost(icecast.process.0.id(), &icecast.address, *crowd)?);
            }
        }
        drop(aerial);
        for (i, crowd) in CROWDS.iter().enumerate().skip(1) {
            let (mut sender, port) = Role::start(&["bare", &crowd.to_string(), &trace])?;
            // It has said its port; that it is ready, it says next.
            sender.line()?;
            let mut used = cost(sender.pid(), &format!("127.0.0.1:{port}"), *crowd)?;
            used.lost += sender.count()?["skipped"].as_f64().unwrap_or(0.0);
            bare.runs[i].push(used);
        }
    }
    println!(
        "{:>8} {:>14} {:>10} {:>12.1}",
        0,
        "aerial",
        "-",
        ours.middle(0, |c| c.cores) * 100.0
    );
    for i in 1..CROWDS.len() {
        let per_gbit = bare.middle(i, |c| c.per_gbit(0.0));
        for sender in [&ours, &bare, &theirs] {
            sender.row(i, per_gbit);
        }
    }
    Ok(())
}

/// A server of Debian's, with room for everybody.
struct Icecast {
    process: Process,
    address: String,
    _dir: tempfile::TempDir,
}

impl Icecast {
    fn start() -> Result<Icecast> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().display();
        // Free a moment ago; nobody else is looking for one here.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        // It refuses to run as root, so it is told to become somebody else, who must be able to write there.
        let root = fs::metadata("/proc/self")?.uid() == 0;
        let owner = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>";
        let config = format!(
            "<icecast><limits><clients>5000</clients><sources>4</sources><queue-size>4194304</queue-size></limits>
               <authentication><source-password>bench</source-password>
                 <admin-user>admin</admin-user><admin-password>bench</admin-password></authentication>
               <hostname>127.0.0.1</hostname>
               <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
               <paths><basedir>{path}</basedir><logdir>{path}</logdir><webroot>{path}</webroot>
                 <adminroot>{path}</adminroot></paths>
               <logging><accesslog>-</accesslog><errorlog>-</errorlog><loglevel>1</loglevel></logging>
               <security><chroot>0</chroot>{}</security></icecast>",
            if root { owner } else { "" }
        );
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777))?;
        let file = dir.path().join("icecast.xml");
        fs::write(&file, config)?;
        let process = Process(
            Command::new("icecast2")
                .arg("-c")
                .arg(file)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?,
        );
        let address = format!("127.0.0.1:{port}");
        let began = Instant::now();
        while TcpStream::connect(&address).is_err() {
            if began.elapsed() > Duration::from_secs(10) {
                return Err("icecast2 did not start".into());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(Icecast {
            process,
            address,
            _dir: dir,
        })
    }

    fn target(&self) -> String {
        format!("icecast://source:bench@{}/live.webm", self.address)
    }
}

fn cost(pid: u32, address: &str, crowd: usize) -> Result<Cost> {
    let (mut viewers, _) = Role::start(&["http", address, "/live.webm", &crowd.to_string()])?;
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
        stalled: counts[1]["stalled"].as_f64().unwrap_or(f64::NAN),
        memory: resident_kb(pid)?,
    })
}

fn ask(address: SocketAddr, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: bench\r\n\r\n")
}

/// Sizes and times of the pieces in which the stream comes, as `MILLISECONDS:BYTES,…`.
fn trace(address: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(ask(address, "/live.webm").as_bytes())?;
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

/// The role: ADDRESS PATH COUNT. Viewers that read and throw away.
pub fn viewers(args: &[&str]) -> Result<()> {
    let [address, path, count] = args else {
        return Err("ADDRESS PATH COUNT".into());
    };
    let (address, count): (SocketAddr, usize) = (address.parse()?, count.parse()?);
    let counters = Arc::new([const { AtomicU64::new(0) }; 3]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    runtime.block_on(async {
        for n in 0..count {
            let mut stream = tokio::net::TcpStream::connect(address).await?;
            stream.write_all(ask(address, path).as_bytes()).await?;
            tokio::spawn(read(stream, counters.clone()));
            // 500 a second.
            if n % 50 == 49 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        let count = move || {
            let [bytes, ended, stalled] = [0, 1, 2].map(|n: usize| counters[n].load(Relaxed));
            json!({"bytes": bytes, "ended": ended, "stalled": stalled})
        };
        thread::spawn(move || {
            let _ = crate::measure::answer(count);
            let _ = end.send(());
        });
        let _ = ended.await;
        Ok(())
    })
}

/// Reads and throws away; counts bytes, whether the stream ended, and whether it ever stood still.
async fn read(stream: tokio::net::TcpStream, counters: Arc<[AtomicU64; 3]>) {
    let mut buffer = vec![0; 16 * 1024];
    let (mut last, mut stalled) = (None, false);
    while stream.readable().await.is_ok() {
        match stream.try_read(&mut buffer) {
            Ok(0) => break,
            Ok(size) => {
                counters[0].fetch_add(size as u64, Relaxed);
                let before: Option<Instant> = last.replace(Instant::now());
                if !stalled && before.is_some_and(|before| before.elapsed() > STALL) {
                    stalled = true;
                    counters[2].fetch_add(1, Relaxed);
                }
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
