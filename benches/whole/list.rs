// SPDX-License-Identifier: GPL-3.0-or-later
//! What the list of viewers costs the window while a thousand watch.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Result,
    measure::{Process, RUNS, Role, WINDOW, median, seconds_in},
};

const CROWD: usize = 1000;
/// Lets a benchmark say what is to be done.
pub const TOKEN: &str = "the-token-of-this-benchmark";
const START: Duration = Duration::from_secs(60);

/// CPU of the window's main thread, with and without viewers in the list that is shown.
pub fn bench() -> Result<()> {
    println!("\nThe window with its list of viewers open, in a desktop drawn by software\n");
    let session = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bed/desktop-session");
    let (mut none, mut many) = (vec![], vec![]);
    for _ in 0..RUNS {
        let out = Command::new(&session)
            .args(["--no-media", "--no-portal", "--no-keyring", "--"])
            .arg(std::env::current_exe()?)
            .args(["role", "list"])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()?;
        let told = String::from_utf8_lossy(&out.stdout);
        let mut figures = told.split_whitespace().map(str::parse::<f64>);
        none.push(figures.next().ok_or("the window was not measured")??);
        many.push(figures.next().ok_or("the window was not measured")??);
    }
    println!("{:>24} {:>12}", "", "% of a core");
    println!("{:>24} {:>12.1}", "nobody watches", median(&none) * 100.0);
    println!(
        "{:>24} {:>12.1}",
        format!("{CROWD} watch"),
        median(&many) * 100.0
    );
    println!(
        "{:>24} {:>12.1}",
        "the list",
        (median(&many) - median(&none)) * 100.0
    );
    Ok(())
}

/// The role, in a desktop: tells the share of a core that the main thread takes without viewers, and with them.
pub fn window() -> Result<()> {
    let folder = tempfile::tempdir()?;
    // Free a moment ago; nobody else is looking for one here.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let profile = folder.path().join("list.toml");
    fs::write(
        &profile,
        format!(
            "video = [\"test\"]\naudio = [\"tone\"]\nsize = \"320x180\"\nfps = 10\nvideo_bitrate = \"100k\"\n\
             listen = \"{address}\"\nmax_viewers_per_address = 0\n"
        ),
    )?;
    let window = Process(
        Command::new(env!("CARGO_BIN_EXE_aerial"))
            .arg(&profile)
            .env("AERIAL_API_TOKEN", TOKEN)
            .env("XDG_CONFIG_HOME", folder.path())
            .stdin(Stdio::null())
            .spawn()?,
    );
    let until = Instant::now() + START;
    while TcpStream::connect(address).is_err() {
        if Instant::now() > until {
            return Err("the window does not serve".into());
        }
        thread::sleep(Duration::from_millis(100));
    }
    put_on_air(address, "live")?;
    let ui = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bed/ui.py");
    let pid = window.0.id().to_string();
    let shown = Command::new("/usr/bin/python3")
        .arg(ui)
        .args([&pid, "click", "Viewers"])
        .status()?;
    if !shown.success() {
        return Err("the list of viewers cannot be opened".into());
    }
    let address = address.to_string();
    // The encoders run all the time.
    let (_watcher, _) = Role::start(&["http", &address, "/live.webm", "1"])?;
    let none = main_thread(window.0.id())?;
    let (mut viewers, _) = Role::start(&["http", &address, "/live.webm", &CROWD.to_string()])?;
    let many = main_thread(window.0.id())?;
    let lost = viewers.count()?["ended"].as_f64().unwrap_or_default();
    if lost > 0.0 {
        return Err(format!("{lost} viewers were lost").into());
    }
    println!("{none} {many}");
    Ok(())
}

/// The share of a core, after joins and first pictures are over.
fn main_thread(pid: u32) -> Result<f64> {
    let used = || seconds_in(&fs::read_to_string(format!("/proc/{pid}/task/{pid}/stat"))?);
    thread::sleep(Duration::from_secs(5));
    let (began, before) = (Instant::now(), used()?);
    thread::sleep(WINDOW);
    Ok((used()? - before) / began.elapsed().as_secs_f64())
}

/// Have it go live, or end that.
pub fn put_on_air(address: SocketAddr, air: &str) -> Result<()> {
    ask(
        address,
        "PUT /api/v1/air",
        &format!("{{\"air\": \"{air}\"}}"),
    )?;
    Ok(())
}

/// What it answers to a request with this body.
pub fn ask(address: SocketAddr, request: &str, body: &str) -> Result<String> {
    let mut socket = TcpStream::connect(address)?;
    write!(
        socket,
        "{request} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut reply = String::new();
    socket.read_to_string(&mut reply)?;
    match (
        reply.starts_with("HTTP/1.1 20"),
        reply.split_once("\r\n\r\n"),
    ) {
        (true, Some((_, answer))) => Ok(answer.into()),
        _ => Err(format!("{request} is refused: {reply}").into()),
    }
}
