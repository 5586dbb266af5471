// SPDX-License-Identifier: GPL-3.0-or-later
//! The thread that serves all viewers.
//!
//! Each turn takes what has come (commands, packets, datagrams, timers), drives only the sessions concerned, and
//! sleeps until something comes again.

mod demux;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    net::{IpAddr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use str0m::{
    Rtc, RtcConfig,
    config::{CryptoProvider, DtlsCert},
    crypto,
};
use tokio::sync::mpsc;

use super::{
    Command, SessionId,
    feed::{Track, on_air},
    session::{Around, Frame, OnAir, Session, Turn},
    socket::{Inbox, Wire},
};
use crate::{audience::Audience, encode::Encoders, error::ServeError, message::MediaKind};

/// A kick is obeyed within this time, even when no packet comes.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Offers and answers that nobody followed up. The oldest goes when there are more: each costs memory only.
const UNCONNECTED: usize = 256;
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
    let provider = Arc::new(crypto::from_feature_flags());
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
        video: None,
        audio: None,
        anchor: None,
        frames: Vec::new(),
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
    video: Option<Track>,
    audio: Option<Track>,
    /// When the program's time was zero: one for both tracks, so that they stay in step.
    anchor: Option<Instant>,
    frames: Vec<Arc<Frame>>,
    watchers: Vec<mpsc::UnboundedSender<SessionId>>,
    looked: Instant,
}

/// Run a session's code. A bug in the protocol stack that a viewer's input triggers ends that session, not all.
pub(in crate::serve) fn confined<T>(f: impl FnOnce() -> T) -> Option<T> {
    // The session is dropped after a panic, so no half-changed state is seen again.
    catch_unwind(AssertUnwindSafe(f)).ok()
}

async fn changed(track: &mut Option<Track>) {
    match track {
        Some(track) => track.changed().await,
        None => std::future::pending().await,
    }
}

impl LegThread {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        loop {
            let wake = self.next_wake();
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => break,
                },
                () = changed(&mut self.video) => (),
                () = changed(&mut self.audio) => (),
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

    fn next_wake(&self) -> Instant {
        let far = Instant::now() + Duration::from_secs(3600);
        let timer = self.timers.peek().map_or(far, |Reverse((at, _))| *at);
        let look = if self.sessions.is_empty() {
            far
        } else {
            self.looked + LOOK_EVERY
        };
        let tracks = self.video.iter().chain(&self.audio);
        let track = tracks.filter_map(Track::due).min().unwrap_or(far);
        timer.min(look).min(track)
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
            Command::End(id, reply) => {
                let _ = reply.send(self.end(id));
            }
            Command::EndAll => self.end_all(),
            Command::Watch(watcher) => self.watchers.push(watcher),
        }
    }

    fn config(&self) -> RtcConfig {
        let mut config = Rtc::builder()
            .set_crypto_provider(self.provider.clone())
            .set_dtls_cert(self.certificate.clone())
            .set_rtp_mode(true)
            .set_stats_interval(Some(Duration::from_secs(1)));
        // A viewer that vanished is noticed after 10 s instead of 22.
        config.set_max_stun_rto(Duration::from_secs(2));
        config.set_max_stun_retransmits(6);
        config
    }

    fn make(
        &mut self,
        now: Instant,
        from: Option<IpAddr>,
        make: impl FnOnce(
            RtcConfig,
            &[SocketAddr],
            OnAir,
            &mut Around<'_>,
        ) -> Result<(Session, String), ServeError>,
    ) -> Result<(SessionId, String), ServeError> {
        if let Some(address) = from {
            self.audience.check(address)?;
        }
        let on_air = on_air(&self.encoders);
        let config = self.config();
        self.wire.open_own();
        let addresses: Vec<_> = self.wire.addresses().collect();
        let mut around = Around {
            wire: &mut self.wire,
            audience: &self.audience,
        };
        let made = confined(|| make(config, &addresses, on_air, &mut around))
            .unwrap_or_else(|| Err(ServeError::Sdp("it has a form not understood".into())));
        if made.is_err() && self.sessions.is_empty() {
            self.wire.close_own();
        }
        let (session, sdp) = made?;
        let id = session.id;
        self.add(session, now);
        Ok((id, sdp))
    }

    fn add(&mut self, session: Session, now: Instant) {
        let waiting = || self.sessions.values().filter(|s| !s.is_connected());
        if waiting().count() >= UNCONNECTED
            && let Some(oldest) = waiting().min_by_key(|s| s.born()).map(|s| s.id)
        {
            self.end(oldest);
        }
        // Leased now, so that the encoder starts while the connection is being made.
        if self.sessions.is_empty() {
            self.video = Track::lease(&self.encoders, MediaKind::Video, now);
            self.audio = Track::lease(&self.encoders, MediaKind::Audio, now);
        }
        let id = session.id;
        self.by_ufrag.insert(session.ufrag.clone(), id);
        self.sessions.insert(id, session);
        self.with(id, |session, around| session.drive(around, now));
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
            turn.wants_key |= shown.is_none_or(|turn| turn.wants_key);
            turn.over |= shown.is_some_and(|turn| turn.over);
        }
        if turn.wants_key
            && let Some(video) = &mut self.video
        {
            video.want_key();
        }
        if turn.over {
            self.end(id);
        }
    }

    /// Show the last key frame and what followed to one who has just come. `None` if it is too old.
    fn catch_up(&mut self, id: SessionId) -> Option<Turn> {
        let fresh = self.video.as_ref().map(Track::fresh)?;
        let session = self.sessions.get_mut(&id).filter(|_| !fresh.is_empty())?;
        let mut around = Around {
            wire: &mut self.wire,
            audience: &self.audience,
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
            self.video = None;
            self.audio = None;
            self.anchor = None;
            self.timers.clear();
            self.wire.close_own();
        }
        drop(session);
        self.watchers.retain(|watcher| watcher.send(id).is_ok());
    }

    /// Hand new packets to all viewers.
    fn feed(&mut self) {
        let now = Instant::now();
        self.frames.clear();
        let mut changed = Vec::new();
        let mut skipped = 0;
        for (kind, track) in [
            (MediaKind::Video, &mut self.video),
            (MediaKind::Audio, &mut self.audio),
        ] {
            let Some(track) = track else { continue };
            let news = track.take(&self.encoders, &mut self.anchor, now, &mut self.frames);
            changed.extend(news.codec.map(|codec| (kind, codec)));
            if kind == MediaKind::Video {
                skipped = news.skipped;
            }
        }
        let mut over = Vec::new();
        if !changed.is_empty() {
            // They were promised another codec, and come back for this one.
            let differs = |s: &Session| changed.iter().any(|(kind, codec)| s.differs(*kind, codec));
            over.extend(
                self.sessions
                    .values()
                    .filter(|s| differs(s))
                    .map(|s| (s.id, Turn::OVER)),
            );
        }
        if !self.frames.is_empty() || skipped > 0 {
            let mut around = Around {
                wire: &mut self.wire,
                audience: &self.audience,
            };
            for session in self.sessions.values_mut() {
                if skipped > 0 {
                    session.skip(skipped);
                }
                let turn = confined(|| {
                    if session.write(&self.frames) {
                        session.drive(&mut around, now)
                    } else {
                        Turn::default()
                    }
                });
                let turn = turn.unwrap_or(Turn::OVER);
                queue(&mut self.timers, session);
                if turn.over || turn.wants_key || turn.came {
                    over.push((session.id, turn));
                }
            }
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

    /// See who was let go, who never came, and who still waits for a picture.
    fn look(&mut self) {
        let now = Instant::now();
        if now >= self.looked + LOOK_EVERY {
            self.looked = now;
            let leaving = |s: &&Session| s.is_kicked() || s.is_stale(now);
            let gone: Vec<_> = self.sessions.values().filter(leaving).collect();
            for id in gone.iter().map(|s| s.id).collect::<Vec<_>>() {
                self.end(id);
            }
        }
        if let Some(video) = &mut self.video {
            video.ask_key(now);
        }
    }
}

fn queue(timers: &mut BinaryHeap<Reverse<(Instant, SessionId)>>, session: &mut Session) {
    if session.queued.is_none_or(|at| session.due < at) {
        session.queued = Some(session.due);
        timers.push(Reverse((session.due, session.id)));
    }
}
