// SPDX-License-Identifier: GPL-3.0-or-later
//! WebRTC viewers without a browser: they join through `/whep`, receive and count, and decode nothing. All of them
//! live on one thread. The benchmarks use them too.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use quinn_udp::{RecvMeta, UdpSocketState};
use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc,
    change::SdpAnswer,
    media::{Direction, MediaKind},
    net::{Protocol, Receive},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::{TcpStream, UdpSocket},
    sync::oneshot,
};

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// What one viewer got.
#[derive(Debug, Default, Clone)]
pub struct Got {
    /// Whole pictures.
    pub video: u64,
    /// Blocks of sound.
    pub audio: u64,
    /// The longest time without a picture, and without sound.
    pub longest: [Duration; 2],
    /// When the last of each came.
    last: [Option<Instant>; 2],
    /// Gaps in the packets' numbers that no repeat has filled.
    pub gaps: u64,
    /// From the request to the first whole picture.
    pub first_video: Option<Duration>,
    /// Where the server told to end it.
    pub location: Option<String>,
    /// It is over, and why.
    pub over: Option<String>,
}

/// One viewer.
pub struct Receiver {
    got: Arc<(Mutex<Got>, Condvar)>,
    stop: Option<oneshot::Sender<()>>,
}

impl Receiver {
    /// Joins; `agent` is what the server sees as user agent. Returns at once.
    fn spawn(server: SocketAddr, agent: String) -> Receiver {
        let got = Arc::new((Mutex::new(Got::default()), Condvar::new()));
        let (stop, stopped) = oneshot::channel();
        let tell = got.clone();
        tokio::spawn(async move {
            let over = tokio::select! {
                end = watch(server, &agent, &tell) => match end {
                    Ok(why) => why.to_string(),
                    Err(fault) => format!("failed: {fault}"),
                },
                _ = stopped => "stopped".to_string(),
            };
            note(&tell, |got| got.over = Some(over));
        });
        Receiver {
            got,
            stop: Some(stop),
        }
    }

    /// What it got so far.
    pub fn got(&self) -> Got {
        self.got
            .0
            .lock()
            .expect("nobody panics while counting")
            .clone()
    }

    /// Waits until this is true of what it got. `false`: not in time.
    pub fn wait(&self, time: Duration, test: impl Fn(&Got) -> bool) -> bool {
        let got = self.got.0.lock().expect("nobody panics while counting");
        let waited = self.got.1.wait_timeout_while(got, time, |got| !test(got));
        !waited.expect("nobody panics while counting").1.timed_out()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

/// The thread on which viewers live.
pub struct Receivers {
    runtime: tokio::runtime::Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Receivers {
    /// Starts it.
    pub fn start() -> Receivers {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        let thread = thread::spawn(move || {
            let _ = runtime.block_on(ended);
        });
        Receivers {
            runtime: handle,
            end: Some(end),
            thread: Some(thread),
        }
    }

    /// One more viewer.
    pub fn join(&self, server: SocketAddr, agent: &str) -> Receiver {
        let _on = self.runtime.enter();
        Receiver::spawn(server, agent.to_string())
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            let _ = end.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn note(got: &(Mutex<Got>, Condvar), change: impl FnOnce(&mut Got)) {
    change(&mut got.0.lock().expect("nobody panics while counting"));
    got.1.notify_all();
}

/// What came together, to be taken one by one. The kernel hands over a batch as it was sent (GRO): what it would do to
/// cut it up here, it would charge to the sender, from whom that work is far away in a real network.
struct Inbox {
    state: UdpSocketState,
    bytes: Vec<u8>,
    meta: RecvMeta,
    taken: usize,
}

impl Inbox {
    fn new(socket: &UdpSocket) -> io::Result<Inbox> {
        Ok(Inbox {
            state: UdpSocketState::new(socket.into())?,
            bytes: vec![0; 1 << 16],
            meta: RecvMeta::default(),
            taken: 0,
        })
    }

    fn fill(&mut self, socket: &UdpSocket) {
        let mut slices = [IoSliceMut::new(&mut self.bytes)];
        let meta = std::slice::from_mut(&mut self.meta);
        let got = socket.try_io(Interest::READABLE, || {
            self.state.recv(socket.into(), &mut slices, meta)
        });
        self.taken = 0;
        if !matches!(got, Ok(1)) {
            self.meta.len = 0;
        }
    }

    fn next(&mut self) -> Option<(SocketAddr, &[u8])> {
        let start = self.taken;
        if start >= self.meta.len {
            return None;
        }
        self.taken = self.meta.len.min(start + self.meta.stride.max(1));
        Some((self.meta.addr, &self.bytes[start..self.taken]))
    }
}

async fn watch(
    server: SocketAddr,
    agent: &str,
    got: &(Mutex<Got>, Condvar),
) -> Result<&'static str, Fault> {
    let asked = Instant::now();
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let here = socket.local_addr()?;
    let mut rtc = Rtc::new(Instant::now());
    rtc.add_local_candidate(Candidate::host(here, "udp")?);
    let mut change = rtc.sdp_api();
    let video = change.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    change.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
    let (offer, pending) = change.apply().ok_or("no offer")?;
    let (location, answer) = post(server, agent, &offer.to_sdp_string()).await?;
    note(got, |got| got.location = location);
    rtc.sdp_api()
        .accept_answer(pending, SdpAnswer::from_sdp_string(&answer)?)?;

    let mut inbox = Inbox::new(&socket)?;
    loop {
        let deadline = match rtc.poll_output()? {
            Output::Transmit(out) => {
                socket.send_to(&out.contents, out.destination).await?;
                continue;
            }
            Output::Event(Event::MediaData(data)) => {
                note(got, |got| {
                    got.gaps += u64::from(!data.contiguous);
                    let now = Instant::now();
                    let kind = usize::from(data.mid != video);
                    if let Some(last) = got.last[kind].replace(now) {
                        got.longest[kind] = got.longest[kind].max(now - last);
                    }
                    if data.mid == video {
                        got.video += 1;
                        got.first_video.get_or_insert_with(|| asked.elapsed());
                    } else {
                        got.audio += 1;
                    }
                });
                continue;
            }
            Output::Event(Event::IceConnectionStateChange(IceConnectionState::Disconnected)) => {
                return Ok("disconnected");
            }
            Output::Event(_) => continue,
            Output::Timeout(at) => at,
        };
        if !rtc.is_alive() {
            return Ok("closed by the other side");
        }
        if let Some((source, packet)) = inbox.next() {
            let contents = packet.try_into()?;
            let packet = Receive {
                proto: Protocol::Udp,
                source,
                destination: here,
                contents,
            };
            rtc.handle_input(Input::Receive(Instant::now(), packet))?;
            continue;
        }
        tokio::select! {
            ready = socket.readable() => {
                ready?;
                inbox.fill(&socket);
            }
            () = tokio::time::sleep_until(deadline.into()) => rtc.handle_input(Input::Timeout(Instant::now()))?,
        }
    }
}

/// Offers to `/whep`; the resource to end it, and the answer.
async fn post(
    server: SocketAddr,
    agent: &str,
    offer: &str,
) -> Result<(Option<String>, String), Fault> {
    let mut stream = TcpStream::connect(server).await?;
    let request = format!(
        "POST /whep HTTP/1.1\r\nHost: {server}\r\nUser-Agent: {agent}\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{offer}",
        offer.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await?;
    let (head, body) = reply.split_once("\r\n\r\n").ok_or("/whep: no answer")?;
    if !head.starts_with("HTTP/1.1 201") {
        return Err(format!("/whep: {reply}").into());
    }
    let location = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location")
            .then(|| value.trim().to_string())
    });
    Ok((location, body.to_string()))
}
