// SPDX-License-Identifier: GPL-3.0-or-later
//! How soon each format begins, with nobody there before and with somebody, and what its muxer costs.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Result,
    measure::{Aerial, RUNS, WINDOW, median, thread_seconds},
};

/// An endless stream, and how its first picture (or sound) is told from the header before it.
struct Format {
    path: &'static str,
    begun: fn(&[u8]) -> bool,
}

const FORMATS: [Format; 8] = [
    Format {
        path: "/live.webm",
        // A cluster.
        begun: |body| follows(body, &[0x1f, 0x43, 0xb6, 0x75]),
    },
    Format {
        path: "/live.ogg",
        begun: ogg_has_packets,
    },
    Format {
        path: "/live.mp4",
        begun: |body| follows(body, b"mdat"),
    },
    Format {
        path: "/live.ts",
        begun: |body| !body.is_empty(),
    },
    Format {
        path: "/live.mp3",
        begun: |body| !body.is_empty(),
    },
    Format {
        path: "/live.opus",
        begun: ogg_has_packets,
    },
    Format {
        path: "/live.mjpeg",
        begun: |body| body.windows(2).any(|w| w == [0xff, 0xd9]),
    },
    Format {
        path: "/live.gif",
        // Its head has 32 bytes; the rest is the first picture.
        begun: |body| body.len() > 2_000,
    },
];

/// Times that each beginning is measured.
const JOINS: usize = 5;

/// The whole table.
pub fn bench() -> Result<()> {
    println!(
        "\nFormats: 720p30, 2.5 Mbit/s; milliseconds from connecting to the first byte, and to the first of picture or sound"
    );
    println!(
        "that can be decoded; cold: its encoders do not run. Muxer: CPU of the threads of its pipeline, one viewer\n"
    );
    println!(
        "{:>16} {:>11} {:>11} {:>11} {:>11} {:>13}",
        "format", "byte, cold", "begun, cold", "byte, warm", "begun, warm", "muxer, % core"
    );
    for format in &FORMATS {
        let (mut cold, mut warm, mut muxer) = (vec![], vec![], vec![]);
        for run in 0..JOINS {
            let aerial = start()?;
            cold.push(join(aerial.address, format)?.0);
            // The encoders run on for a while, but its muxer had a viewer only just now: somebody stays for the rest.
            let (_, mut stays) = join(aerial.address, format)?;
            let reader = thread::spawn(move || {
                let mut buffer = vec![0; 64 * 1024];
                while stays.read(&mut buffer).is_ok_and(|n| n > 0) {}
            });
            warm.push(join(aerial.address, format)?.0);
            if run < RUNS {
                muxer.push(muxer_cores(aerial.pid())?);
            }
            drop(aerial);
            reader.join().map_err(|_| "the reader failed")?;
        }
        print_row(format.path, &cold, &warm, Some(median(&muxer)));
    }
    let (mut cold, mut warm) = (vec![], vec![]);
    for _ in 0..JOINS {
        let aerial = start()?;
        cold.push(hls(aerial.address)?);
        warm.push(hls(aerial.address)?);
    }
    // First byte: the first playlist. Begun: all of the first segment. Its muxer is that of MP4.
    print_row("/hls/index.m3u8", &cold, &warm, None);
    Ok(())
}

fn print_row(name: &str, cold: &[Times], warm: &[Times], muxer: Option<f64>) {
    let ms = |all: &[Times], pick: fn(&Times) -> Duration| {
        let all: Vec<f64> = all.iter().map(|t| pick(t).as_secs_f64() * 1e3).collect();
        median(&all)
    };
    let muxer = muxer.map_or("-".into(), |cores| format!("{:.2}", cores * 100.0));
    println!(
        "{name:>16} {:>11.0} {:>11.0} {:>11.1} {:>11.1} {muxer:>13}",
        ms(cold, |t| t.byte),
        ms(cold, |t| t.begun),
        ms(warm, |t| t.byte),
        ms(warm, |t| t.begun),
    );
}

/// A broadcast of which the program has settled and nobody watches.
fn start() -> Result<Aerial> {
    let aerial = Aerial::start("2500k")?;
    // What this computer can encode is tried at the start.
    thread::sleep(Duration::from_secs(4));
    Ok(aerial)
}

/// Since the viewer began to connect.
struct Times {
    byte: Duration,
    begun: Duration,
}

fn join(address: SocketAddr, format: &Format) -> Result<(Times, TcpStream)> {
    let asked = Instant::now();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(
        stream,
        "GET {} HTTP/1.0\r\nUser-Agent: bench\r\n\r\n",
        format.path
    )?;
    let (mut all, mut byte) = (vec![], None);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let size = stream.read(&mut buffer)?;
        if size == 0 {
            return Err(format!("{} ended", format.path).into());
        }
        let now = asked.elapsed();
        let byte = *byte.get_or_insert(now);
        all.extend_from_slice(&buffer[..size]);
        let body = all
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .map(|at| &all[at + 4..]);
        if body.is_some_and(format.begun) {
            return Ok((Times { byte, begun: now }, stream));
        }
    }
}

/// Whether as much follows this word as a small key frame has.
fn follows(body: &[u8], word: &[u8]) -> bool {
    let at = body.windows(word.len()).position(|w| w == word);
    at.is_some_and(|at| body.len() > at + 1000)
}

/// Whether there is a page after those of the headers, which are at time 0.
fn ogg_has_packets(body: &[u8]) -> bool {
    body.windows(14)
        .any(|w| w.starts_with(b"OggS") && w[6..14] != [0; 8] && w[6..14] != [0xff; 8])
}

/// The first playlist, then a rendition's, then its head and newest segment.
fn hls(address: SocketAddr) -> Result<Times> {
    let asked = Instant::now();
    let master = get(address, "/hls/index.m3u8")?;
    let byte = asked.elapsed();
    let link = master
        .lines()
        .find(|l| l.ends_with("full.m3u8"))
        .ok_or("no rendition")?;
    let list = get(address, &format!("/hls/{link}"))?;
    let folder = link.split('/').next().unwrap_or_default();
    let segment = list
        .lines()
        .rfind(|l| l.ends_with(".m4s"))
        .ok_or("no segment")?;
    get(address, &format!("/hls/{folder}/{segment}"))?;
    Ok(Times {
        byte,
        begun: asked.elapsed(),
    })
}

fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.0\r\nUser-Agent: bench\r\n\r\n")?;
    let mut reader = BufReader::new(stream);
    let mut status = String::new();
    reader.read_line(&mut status)?;
    if !status.contains(" 200 ") {
        return Err(format!("{path}: {status}").into());
    }
    let mut body = vec![];
    reader.read_to_end(&mut body)?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// Share of one core that the threads of muxers' pipelines use over a window: those that feed them are called after the
/// codec, those that muxers have themselves after the muxer. Encoders' are called otherwise.
fn muxer_cores(pid: u32) -> Result<f64> {
    let sum = |threads: BTreeMap<String, f64>| -> f64 {
        let codecs = studio::encode::CODECS
            .iter()
            .map(|c| format!("{}:src", c.name));
        let codecs: Vec<String> = codecs.collect();
        let of_muxer = |name: &String| name.contains("mux") || codecs.contains(name);
        threads
            .iter()
            .filter(|(name, _)| of_muxer(name))
            .map(|(_, s)| s)
            .sum()
    };
    let (began, before) = (Instant::now(), sum(thread_seconds(pid)?));
    thread::sleep(WINDOW);
    let used = sum(thread_seconds(pid)?) - before;
    Ok(used / began.elapsed().as_secs_f64())
}
