// SPDX-License-Identifier: GPL-3.0-or-later
//! The thread that serves all viewers.
//!
//! Each turn takes what has come (commands, packets, datagrams, timers), drives only the sessions concerned, and
//! sleeps until something comes again.

mod demux;
mod join;
mod together;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use str0m::config::{CryptoProvider, DtlsCert};
use tokio::sync::mpsc;

use super::{
    Command, SessionId, cipher,
    session::{Around, Frame, Session, Turn},
    socket::{Inbox, Wire},
    tracks::{Needs, Tracks},
};
use crate::{audience::Audience, encode::Encoders, error::ServeError};
use together::Together;

/// A kick is obeyed, and what nobody needs is let go, within this time, even when no packet comes.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Where all viewers are connected, what they send (reports of what arrived, what is to be repeated) is looked at with
/// each packet of picture and sound, and at least this often: to be woken by each of their datagrams costs more than what
/// is in it.
const CALM: Duration = Duration::from_millis(10);
/// The clock of the runtime ticks in milliseconds; a session that wants to be driven at once waits for the next.
const SLEEP_AT_LEAST: Duration = Duration::from_millis(1);

/// Start the thread.
pub(super) fn spawn(
    encoders: Encoders,
    audience: Audience,
    sockets: Vec<std::net::UdpSocket>,
    commands: mpsc::UnboundedReceiver<Command>,
) -> Result<std::thread::JoinHandle<()>, ServeError> {
    let udp = |e: std::io::Error| ServeError::Udp(e.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(udp)?;
    let wire = {
        let _inside = runtime.enter();
        Wire::new(sockets).map_err(udp)?
    };
    let provider = Arc::new(cipher::provider());
    let certificate = provider
        .dtls_provider
        .generate_certificate()
        .ok_or_else(|| ServeError::Udp("no certificate could be made for it".into()))?;
    let leg = LegThread {
        encoders,
        audience,
        inbox: Inbox::default(),
        wire,
        provider,
        certificate,
        sessions: HashMap::new(),
        by_address: HashMap::new(),
        by_ufrag: HashMap::new(),
        timers: BinaryHeap::new(),
        tracks: Tracks::default(),
        needs: Needs::default(),
        frames: Vec::new(),
        together: Together::default(),
        watchers: Vec::new(),
        looked: Instant::now(),
    };
    std::thread::Builder::new()
        .name("webrtc".into())
        .spawn(move || runtime.block_on(leg.run(commands)))
        .map_err(udp)
}

struct LegThread {
    encoders: Encoders,
    audience: Audience,
    wire: Wire,
    inbox: Inbox,
    provider: Arc<CryptoProvider>,
    /// One for all sessions: making one takes longer than all the rest of a join.
    certificate: DtlsCert,
    sessions: HashMap<SessionId, Session>,
    by_address: HashMap<SocketAddr, SessionId>,
    by_ufrag: HashMap<String, SessionId>,
    timers: BinaryHeap<Reverse<(Instant, SessionId)>>,
    tracks: Tracks,
    /// What a line must carry.
    needs: Needs,
    /// To be handed to all.
    frames: Vec<Arc<Frame>>,
    together: Together,
    watchers: Vec<mpsc::UnboundedSender<SessionId>>,
    looked: Instant,
}

/// Run a session's code. A bug in the protocol stack that a viewer's input triggers ends that session, not all.
pub(in crate::serve) fn confined<T>(f: impl FnOnce() -> T) -> Option<T> {
    // The session is dropped after a panic, so no half-changed state is seen again.
    catch_unwind(AssertUnwindSafe(f)).ok()
}

impl LegThread {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        loop {
            let calm = self.is_calm();
            self.wire.watch(!calm);
            let wake = self.next_wake(calm);
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => break,
                },
                () = self.tracks.changed() => (),
                () = std::future::poll_fn(|cx| self.wire.poll_ready(cx)) => (),
                () = tokio::time::sleep_until(wake.into()) => (),
            }
            // Commands are few: all of them now, before the time is read once for everything else.
            while let Ok(command) = commands.try_recv() {
                self.command(command);
            }
            self.wire.drain_backlog();
            self.read();
            self.feed();
            self.timers();
            self.look();
        }
        self.end_all();
        if self.wire.lost() > 0 {
            tracing::info!(datagrams = self.wire.lost(), "UDP sockets were full");
        }
    }

    /// Nobody is just connecting, for whom each round trip counts.
    fn is_calm(&self) -> bool {
        !self.sessions.is_empty() && self.sessions.values().all(Session::is_connected)
    }

    fn next_wake(&self, calm: bool) -> Instant {
        let now = Instant::now();
        let far = now + Duration::from_secs(3600);
        let sound = self.together.due().unwrap_or(far);
        if calm && self.sessions.values().all(|s| s.is_at_rest(now)) {
            // What the timers want is not more urgent: packets are paced in bursts of 40 ms.
            return sound.min(now + CALM);
        }
        let soon = calm.then_some(now + CALM);
        let timer = self.timers.peek().map_or(far, |Reverse((at, _))| *at);
        let look = if self.sessions.is_empty() {
            far
        } else {
            self.looked + LOOK_EVERY
        };
        let due = timer
            .min(look)
            .min(sound)
            .min(self.tracks.due().unwrap_or(far));
        soon.map_or(due, |soon| due.min(soon))
    }

    fn command(&mut self, command: Command) {
        let now = Instant::now();
        // A reply that nobody waits for any more leaves a session that nobody will connect to; it goes in time.
        match command {
            Command::Offer(who, reply) => {
                let made = self.make(now, who.ip(), |config, addresses, on_air, _| {
                    Session::offering(config, addresses, on_air, who, now)
                });
                let _ = reply.send(made);
            }
            Command::Accept(offer, who, reply) => {
                let made = self.make(now, who.ip(), |config, addresses, on_air, around| {
                    Session::accepting(config, addresses, on_air, who, &offer, around, now)
                });
                let _ = reply.send(made);
            }
            Command::Answer(id, answer, reply) => {
                let _ = reply.send(self.answer(id, &answer, now));
            }
            Command::Candidate(id, candidate, reply) => {
                self.with(id, |session, around| {
                    session.candidate(&candidate, around, now)
                });
                let _ = reply.send(self.sessions.contains_key(&id));
            }
            Command::Prefer(id, wish, reply) => {
                let needs = self.needs;
                self.with(id, |session, _| session.wish(wish, needs, now));
                let _ = reply.send(self.sessions.contains_key(&id));
            }
            Command::End(id, reply) => {
                let _ = reply.send(self.end(id));
            }
            Command::EndAll => self.end_all(),
            Command::Watch(watcher) => self.watchers.push(watcher),
            Command::Listen(ips) => {
                self.wire.listen(&ips);
                if self.sessions.is_empty() {
                    self.wire.close_own();
                }
            }
        }
    }

    fn answer(&mut self, id: SessionId, answer: &str, now: Instant) -> Result<(), ServeError> {
        let mut said = Err(ServeError::Sdp("its session is over".into()));
        self.with(id, |session, around| {
            said = session.answer(answer, around, now);
            Turn {
                over: said.is_err(),
                ..Turn::default()
            }
        });
        said
    }

    /// Let a session do something, and draw the consequences.
    fn with(&mut self, id: SessionId, f: impl FnOnce(&mut Session, &mut Around<'_>) -> Turn) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let mut around = Around {
            wire: &mut self.wire,
            audience: &self.audience,
            needs: self.needs,
        };
        match confined(|| f(session, &mut around)) {
            Some(turn) => {
                queue(&mut self.timers, session);
                self.heed(id, turn);
            }
            None => self.forget(id),
        }
    }

    fn heed(&mut self, id: SessionId, mut turn: Turn) {
        if turn.came {
            let shown = self.catch_up(id);
            turn.wants_key = match shown {
                Some(turn) => turn.wants_key,
                None => self.sessions.get(&id).map(Session::size),
            };
            turn.over |= shown.is_some_and(|turn| turn.over);
        }
        if let Some(size) = turn.wants_key {
            self.tracks.need(&self.encoders, size, Instant::now());
            self.tracks.want_key(size);
        }
        if turn.over {
            self.end(id);
        }
    }

    /// Show the last key frame and what followed to one who has just come. `None` if it is too old.
    fn catch_up(&mut self, id: SessionId) -> Option<Turn> {
        let session = self.sessions.get_mut(&id)?;
        let fresh = self.tracks.fresh(session.size());
        if fresh.is_empty() {
            return None;
        }
        let mut around = Around {
            wire: &mut self.wire,
            audience: &self.audience,
            needs: self.needs,
        };
        let now = Instant::now();
        let turn = confined(|| {
            session.catch_up(fresh);
            session.drive(&mut around, now)
        });
        queue(&mut self.timers, session);
        Some(turn.unwrap_or(Turn::OVER))
    }

    /// End a session, telling the viewer; `false` if there is none of that name.
    fn end(&mut self, id: SessionId) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else {
            return false;
        };
        let mut around = Around {
            wire: &mut self.wire,
            audience: &self.audience,
            needs: self.needs,
        };
        confined(|| session.close(&mut around));
        self.forget(id);
        true
    }

    fn end_all(&mut self) {
        for id in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.end(id);
        }
    }

    fn forget(&mut self, id: SessionId) {
        let Some(session) = self.sessions.remove(&id) else {
            return;
        };
        self.by_ufrag.remove(&session.ufrag);
        for address in &session.addresses {
            self.by_address.remove(address);
        }
        if self.sessions.is_empty() {
            self.tracks = Tracks::default();
            self.timers.clear();
            self.wire.close_own();
        }
        drop(session);
        self.watchers.retain(|watcher| watcher.send(id).is_ok());
    }

    /// Hand new packets to all viewers.
    fn feed(&mut self) {
        let now = Instant::now();
        let brought = self.tracks.take(&self.encoders, now, &mut self.frames);
        let mut over = Vec::new();
        if !brought.codecs.is_empty() {
            // They were promised another codec, and come back for this one.
            let differs = |s: &Session| {
                let mut codecs = brought.codecs.iter();
                codecs.any(|(kind, codec)| s.differs(*kind, codec))
            };
            over.extend(
                self.sessions
                    .values()
                    .filter(|s| differs(s))
                    .map(|s| (s.id, Turn::OVER)),
            );
        }
        let kinds = self.frames.iter().map(|f| f.kind);
        let waits =
            self.together.may_wait(kinds, self.sessions.len(), now) && brought.skipped.is_empty();
        if !waits && (!self.frames.is_empty() || !brought.skipped.is_empty()) {
            let needs = self.needs;
            let mut around = Around {
                wire: &mut self.wire,
                audience: &self.audience,
                needs,
            };
            for session in self.sessions.values_mut() {
                for (size, frames) in &brought.skipped {
                    session.skip(*size, *frames);
                }
                let turn = confined(|| {
                    let Some(chosen) = session.write(&self.frames, needs, now) else {
                        return Turn::default();
                    };
                    let driven = session.drive(&mut around, now);
                    Turn {
                        wants_key: driven.wants_key.or(chosen.wants_key),
                        ..driven
                    }
                });
                let turn = turn.unwrap_or(Turn::OVER);
                queue(&mut self.timers, session);
                if turn.over || turn.wants_key.is_some() || turn.came {
                    over.push((session.id, turn));
                }
            }
        }
        if !waits {
            self.frames.clear();
        }
        for (id, turn) in over {
            self.heed(id, turn);
        }
    }

    /// Drive the sessions whose time has come.
    fn timers(&mut self) {
        let now = Instant::now();
        while let Some(Reverse((at, id))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            let Some(session) = self.sessions.get_mut(&id) else {
                continue;
            };
            if session.queued != Some(at) {
                // An earlier entry took its place.
                continue;
            }
            session.queued = None;
            if session.due > now {
                queue(&mut self.timers, session);
            } else {
                self.with(id, |session, around| {
                    let turn = session.drive(around, now);
                    session.not_before(now + SLEEP_AT_LEAST);
                    turn
                });
            }
        }
    }

    /// See who was let go, who never came, who still waits for a picture, and what nobody needs any more.
    fn look(&mut self) {
        let now = Instant::now();
        if now >= self.looked + LOOK_EVERY {
            self.looked = now;
            let leaving = |s: &&Session| s.is_kicked() || s.is_stale(now);
            let gone: Vec<_> = self.sessions.values().filter(leaving).collect();
            for id in gone.iter().map(|s| s.id).collect::<Vec<_>>() {
                self.end(id);
            }
            if !self.sessions.is_empty() {
                self.needs = Needs::of(&self.encoders);
                let sessions = &self.sessions;
                let needed = |size| sessions.values().any(|s| s.needs(size));
                self.tracks.keep_only(needed);
            }
        }
        self.tracks.ask_keys(now);
    }
}

fn queue(timers: &mut BinaryHeap<Reverse<(Instant, SessionId)>>, session: &mut Session) {
    if session.queued.is_none_or(|at| session.due < at) {
        session.queued = Some(session.due);
        timers.push(Reverse((session.due, session.id)));
    }
}
