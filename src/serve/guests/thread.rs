// SPDX-License-Identifier: GPL-3.0-or-later
//! The thread that receives all guests.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use str0m::{
    Input, Rtc, RtcConfig,
    config::{CryptoProvider, DtlsCert},
    net::{Protocol, Receive},
};
use tokio::sync::mpsc;

use super::{
    Command, NotReceived, SitDown,
    session::{Session, configure},
};
use crate::{
    error::ServeError,
    message::SourceId,
    serve::webrtc::{
        SessionId, cipher, confined, refused,
        socket::{Inbox, Wire},
    },
};

/// A seat that was taken away, or a wish for a key frame, is seen within this time.
const LOOK_EVERY: Duration = Duration::from_millis(40);
/// The clock of the runtime ticks in milliseconds; a session that wants to be driven at once waits for the next.
const SLEEP_AT_LEAST: Duration = Duration::from_millis(1);
/// Rounds of reading from the sockets before anything else is looked at again.
const READ_ROUNDS: usize = 8;

/// Start the thread.
pub(super) fn spawn(
    ips: Vec<IpAddr>,
    commands: mpsc::UnboundedReceiver<Command>,
) -> Result<std::thread::JoinHandle<()>, ServeError> {
    let udp = |e: std::io::Error| ServeError::Udp(e.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(udp)?;
    let provider = Arc::new(cipher::provider());
    let certificate = provider
        .dtls_provider
        .generate_certificate()
        .ok_or_else(|| ServeError::Udp("no certificate could be made for it".into()))?;
    let thread = GuestThread {
        ips,
        provider,
        certificate,
        wire: None,
        inbox: Inbox::default(),
        sessions: Vec::new(),
        watchers: Vec::new(),
        looked: Instant::now(),
    };
    std::thread::Builder::new()
        .name("guests".into())
        .spawn(move || runtime.block_on(thread.run(commands)))
        .map_err(udp)
}

struct GuestThread {
    ips: Vec<IpAddr>,
    provider: Arc<CryptoProvider>,
    /// One for all sessions: making one takes longer than all the rest of a join.
    certificate: DtlsCert,
    /// While somebody is here.
    wire: Option<Wire>,
    inbox: Inbox,
    /// A handful: there is a seat for each.
    sessions: Vec<Session>,
    watchers: Vec<mpsc::UnboundedSender<SessionId>>,
    looked: Instant,
}

async fn ready(wire: Option<&Wire>) {
    match wire {
        Some(wire) => std::future::poll_fn(|cx| wire.poll_ready(cx)).await,
        None => std::future::pending().await,
    }
}

impl GuestThread {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        loop {
            let wake = self.next_wake();
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => break,
                },
                () = ready(self.wire.as_ref()) => (),
                () = tokio::time::sleep_until(wake.into()) => (),
            }
            if let Some(wire) = &mut self.wire {
                wire.drain_backlog();
            }
            self.read();
            self.drive();
            self.look();
        }
        for id in self.sessions.iter().map(|s| s.id).collect::<Vec<_>>() {
            self.end(id);
        }
    }

    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        if self.sessions.is_empty() {
            return now + Duration::from_secs(3600);
        }
        let due = self.sessions.iter().map(|s| s.due);
        let due = due.fold(self.looked + LOOK_EVERY, Instant::min);
        due.max(now + SLEEP_AT_LEAST)
    }

    fn command(&mut self, command: Command) {
        // A reply that nobody waits for any more leaves a session that nobody will connect to; it goes in time.
        match command {
            Command::Receive(offer, sit, reply) => {
                let made = self.receive(&offer, sit);
                if self.sessions.is_empty() {
                    self.wire = None;
                }
                let _ = reply.send(made);
            }
            Command::Candidate(id, candidate, reply) => {
                let known = self.with(id, |session, wire, now| {
                    session.candidate(&candidate, wire, now)
                });
                let _ = reply.send(known);
            }
            Command::End(id, reply) => {
                let _ = reply.send(self.end(id));
            }
            Command::Watch(watcher) => self.watchers.push(watcher),
            Command::Listen(ips) => {
                if let Some(wire) = &mut self.wire {
                    wire.listen(&ips);
                }
                self.ips = ips;
            }
        }
    }

    fn config(&self) -> RtcConfig {
        configure(
            Rtc::builder()
                .set_crypto_provider(self.provider.clone())
                .set_dtls_cert(self.certificate.clone()),
        )
    }

    fn receive(&mut self, offer: &str, sit: SitDown) -> Result<(SessionId, String), NotReceived> {
        let config = self.config();
        let wire = match &mut self.wire {
            Some(wire) => wire,
            none => {
                let sockets = Wire::open(&self.ips)?;
                let wire = Wire::new(sockets).map_err(|e| ServeError::Udp(e.to_string()))?;
                none.insert(wire)
            }
        };
        wire.open_own();
        let addresses: Vec<_> = wire.addresses().collect();
        let now = Instant::now();
        let made = confined(|| Session::accepting(config, &addresses, offer, sit, now))
            .unwrap_or_else(|| Err(refused("it has a form not understood").into()));
        let (session, answer) = made?;
        let id = session.id;
        self.sessions.push(session);
        self.with(id, Session::drive);
        Ok((id, answer))
    }

    /// Let a session do something; `false` if there is none of that name.
    fn with(&mut self, id: SessionId, f: impl FnOnce(&mut Session, &mut Wire, Instant)) -> bool {
        let session = self.sessions.iter_mut().find(|s| s.id == id);
        let (Some(session), Some(wire)) = (session, &mut self.wire) else {
            return false;
        };
        if confined(|| f(session, wire, Instant::now())).is_none() {
            self.forget(id);
        }
        true
    }

    /// Take in what the sockets have.
    fn read(&mut self) {
        let mut inbox = std::mem::take(&mut self.inbox);
        for _ in 0..READ_ROUNDS {
            let Some(wire) = &mut self.wire else { break };
            if !wire.receive(&mut inbox) {
                break;
            }
            let now = Instant::now();
            for (source, destination, bytes) in inbox.datagrams() {
                let parse = || Receive::new(Protocol::Udp, source, destination, bytes);
                let (Some(Ok(datagram)), Some(Ok(same))) = (confined(parse), confined(parse))
                else {
                    continue;
                };
                let input = Input::Receive(now, same);
                let session = self.sessions.iter().find(|s| s.accepts(&input));
                if let Some(id) = session.map(|s| s.id) {
                    self.with(id, |session, wire, now| {
                        session.count(bytes.len());
                        session.receive(datagram, wire, now);
                    });
                }
            }
        }
        self.inbox = inbox;
    }

    /// Drive the sessions whose time has come.
    fn drive(&mut self) {
        let now = Instant::now();
        let due = self.sessions.iter().filter(|s| s.due <= now);
        for id in due.map(|s| s.id).collect::<Vec<_>>() {
            self.with(id, Session::drive);
        }
    }

    /// See who left or was sent home, and who needs a key frame.
    fn look(&mut self) {
        let now = Instant::now();
        if now < self.looked + LOOK_EVERY {
            return;
        }
        self.looked = now;
        for id in self.sessions.iter().map(|s| s.id).collect::<Vec<_>>() {
            let mut over = false;
            self.with(id, |session, wire, now| {
                over = session.is_over(now);
                if !over && session.look(now) {
                    session.drive(wire, now);
                }
            });
            if over {
                self.end(id);
            }
        }
    }

    /// End a session, telling the guest; which source it was for.
    fn end(&mut self, id: SessionId) -> Option<SourceId> {
        let source = self.sessions.iter().find(|s| s.id == id)?.sitting.id();
        self.with(id, |session, wire, _| session.close(wire));
        self.forget(id);
        Some(source)
    }

    fn forget(&mut self, id: SessionId) {
        let Some(place) = self.sessions.iter().position(|s| s.id == id) else {
            return;
        };
        // The guest leaves the seat here.
        drop(self.sessions.swap_remove(place));
        if self.sessions.is_empty() {
            self.wire = None;
        }
        self.watchers.retain(|watcher| watcher.send(id).is_ok());
    }
}
