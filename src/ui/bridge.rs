// SPDX-License-Identifier: GPL-3.0-or-later
//! Between the engine and the models that widgets bind to: the only event loop on the main thread.
//!
//! ```text
//! Studio ──Event──▶ thread "events" ──channel──▶ Bridge::take ──▶ Model ──binding──▶ widgets
//!        ◀─Command── actions ◀── widgets
//!        ◀─snapshot, once a second, on a worker thread── Bridge::tick
//! ```
//! No widget decides how it looks after a click: it looks different once the engine says that it is different.

mod asking;

use std::{
    cell::{Cell, Ref, RefCell},
    collections::HashSet,
    rc::Rc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use gtk::{gio, glib, prelude::*};
use studio::{
    Studio,
    encode::{CODECS, EncodeSettings, known_ability},
    error::StudioError,
    message::{AirState, Event, MediaKind, OutputStatus, SourceId, SourceStatus},
    source::{Device, Spec},
    stats::{Process, Status},
};
use tokio::sync::broadcast::error::RecvError;

use super::{
    codec_choice::word_in_force,
    health, link,
    model::{Air, Model, OutputItem, SourceItem, find, items, past::Past},
    notice, picker, recent, words,
};

/// Events that may wait for the main thread; beyond them everything is read anew.
const BACKLOG: usize = 256;
/// Events are taken for so long before the window has its turn: half of a picture of most screens.
const TURN: Duration = Duration::from_millis(8);
/// The numbers of more viewers than these are shown every other second: nobody reads them faster, and drawing them is most
/// of what the list costs.
const MANY: usize = 100;

/// The window's end of the engine.
pub struct Bridge {
    studio: Studio,
    model: Model,
    devices: RefCell<Vec<Device>>,
    devices_known: Cell<bool>,
    encoding: RefCell<EncodeSettings>,
    /// Sources as they were asked for: what is told of a link has no password.
    asked: RefCell<Vec<Spec>>,
    /// Files that were added before, as the desktop's list told when it changed last.
    recent: RefCell<Vec<(String, String)>>,
    /// What the menu of sources holds.
    picked: RefCell<picker::Entries>,
    live_since: Cell<Option<SystemTime>>,
    dropped: Cell<u64>,
    dropped_now: Cell<u64>,
    counting: Cell<bool>,
    viewers_changed: Cell<bool>,
    /// Rows are to be taken off the list as soon as there is time.
    sweeping: Cell<bool>,
    /// Whether the numbers of many viewers were shown this second.
    viewers_turn: Cell<bool>,
    /// The numbers of the last second, and those before it.
    status: RefCell<Status>,
    past: RefCell<Past>,
    load: Cell<Option<Load>>,
    /// Whoever keeps what is asked for.
    on_change: RefCell<Option<Rc<dyn Fn()>>>,
}

impl Bridge {
    /// Follow this engine, which was started with these sources.
    pub fn new(studio: Studio, sources: Vec<Spec>) -> Rc<Bridge> {
        let news = forward(&studio);
        let bridge = Rc::new(Bridge {
            encoding: RefCell::new(studio.encoding()),
            studio,
            model: Model::new(),
            devices: RefCell::default(),
            devices_known: Cell::new(false),
            asked: RefCell::new(sources),
            recent: RefCell::new(recent::files()),
            picked: RefCell::default(),
            live_since: Cell::new(None),
            dropped: Cell::new(0),
            dropped_now: Cell::new(0),
            counting: Cell::new(false),
            viewers_changed: Cell::new(false),
            sweeping: Cell::new(false),
            viewers_turn: Cell::new(false),
            status: RefCell::default(),
            past: RefCell::default(),
            load: Cell::new(None),
            on_change: RefCell::default(),
        });
        bridge.read_all();
        bridge.settle_viewers();
        let weak = Rc::downgrade(&bridge);
        gtk::RecentManager::default().connect_changed(move |_| {
            if let Some(bridge) = weak.upgrade() {
                bridge.recent.replace(recent::files());
                bridge.after_sources();
            }
        });
        let weak = Rc::downgrade(&bridge);
        glib::spawn_future_local(async move {
            while let Ok(first) = news.recv().await {
                let Some(bridge) = weak.upgrade() else { return };
                let began = Instant::now();
                let mut next = Some(first);
                while let Some(event) = next {
                    match event {
                        Some(event) => bridge.take(event),
                        None => bridge.read_all(),
                    }
                    next = match began.elapsed() < TURN {
                        true => news.try_recv().ok(),
                        false => None,
                    };
                }
                bridge.settle_viewers();
                drop(bridge);
                if began.elapsed() >= TURN {
                    // Clicks and drawing go before what else is waiting.
                    let after = glib::Priority::DEFAULT_IDLE;
                    glib::timeout_future_with_priority(after, Duration::ZERO).await;
                }
            }
        });
        let weak = Rc::downgrade(&bridge);
        glib::timeout_add_seconds_local(1, move || match weak.upgrade() {
            Some(bridge) => {
                bridge.tick();
                glib::ControlFlow::Continue
            }
            None => glib::ControlFlow::Break,
        });
        bridge
    }

    /// What widgets bind to.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The engine, for what is read often and changes nothing.
    pub fn studio(&self) -> &Studio {
        &self.studio
    }

    /// Codecs and bitrates in force.
    pub fn encoding(&self) -> EncodeSettings {
        self.encoding.borrow().clone()
    }

    /// The numbers of the last second.
    pub fn status(&self) -> Ref<'_, Status> {
        self.status.borrow()
    }

    /// The numbers of the last ten minutes.
    pub fn past(&self) -> Ref<'_, Past> {
        self.past.borrow()
    }

    /// What this program takes of the computer, and its share of the processors in percent.
    pub fn process(&self) -> Option<(Process, Option<f64>)> {
        self.load.get().map(|load| (load.process, load.share))
    }

    /// What is plugged in, once it is known.
    pub fn devices(&self) -> Option<Vec<Device>> {
        self.devices_known
            .get()
            .then(|| self.devices.borrow().clone())
    }

    /// Have this called whenever something that is kept may have changed.
    pub fn on_change(&self, call: impl Fn() + 'static) {
        self.on_change.replace(Some(Rc::new(call)));
    }

    /// Read everything anew: at the start, and when events were missed.
    fn read_all(&self) {
        let model = &self.model;
        let devices = self.studio.devices();
        if !devices.is_empty() {
            self.take(Event::Devices(devices));
        }
        self.take(Event::Air(self.studio.air()));
        self.take(Event::Encoding(self.studio.encoding()));
        if CODECS.iter().all(|c| known_ability(c).is_some()) {
            self.take(Event::Abilities);
        }
        let (sources, outputs, viewers) = (
            self.studio.sources(),
            self.studio.outputs(),
            self.studio.viewers(),
        );
        keep(&model.sources, |item: &SourceItem| {
            sources.iter().any(|s| s.id == item.id())
        });
        keep(&model.outputs, |item: &OutputItem| {
            outputs.iter().any(|o| o.name == item.name())
        });
        let here: HashSet<_> = viewers.iter().map(|v| v.id).collect();
        model.viewers.retain(|id| here.contains(&id));
        self.viewers_changed.set(true);
        sources
            .into_iter()
            .map(Event::Source)
            .for_each(|e| self.take(e));
        outputs
            .into_iter()
            .map(Event::Output)
            .for_each(|e| self.take(e));
        viewers
            .into_iter()
            .map(Event::ViewerJoined)
            .for_each(|e| self.take(e));
        self.take(Event::Bans(self.studio.bans()));
        let ids = self.studio.sources().iter().map(|s| s.id).collect();
        self.take(Event::SourceOrder(ids));
        self.take(Event::Layout(self.studio.layout()));
        self.take(Event::Overlays(self.studio.overlays()));
        self.after_sources();
        self.show_link();
    }

    fn take(&self, event: Event) {
        tracing::debug!(?event);
        let changed = is_kept(&event);
        self.show(event);
        let told = self.on_change.borrow().clone();
        if let Some(told) = told.filter(|_| changed) {
            told();
        }
    }

    fn show(&self, event: Event) {
        let model = &self.model;
        match event {
            Event::Air(state) => self.take_air(state),
            Event::Source(status) => {
                self.take_source(&status);
                self.after_sources();
            }
            Event::SourceRemoved(id) => {
                keep(&model.sources, |item: &SourceItem| item.id() != id);
                self.after_sources();
            }
            Event::SourceOrder(ids) => arrange(&model.sources, &ids),
            Event::Layout(layout) => {
                items::<SourceItem>(&model.sources)
                    .for_each(|item| item.show(layout.shows(item.id())));
                model.scene.set_layout(layout);
            }
            Event::Overlays(overlays) => model.scene.set_overlays(overlays),
            Event::Output(status) => {
                self.take_output(&status);
                self.after_outputs();
            }
            Event::OutputRemoved(name) => {
                keep(&model.outputs, |item: &OutputItem| item.name() != name);
                self.after_outputs();
            }
            Event::ViewerJoined(viewer) => {
                model.viewers.add(&viewer);
                self.viewers_changed.set(true);
            }
            Event::ViewerNoted(viewer) => {
                if let Some(item) = model.viewers.get(viewer.id) {
                    item.take_words(&viewer);
                }
            }
            Event::Bans(bans) => {
                let bans: Vec<_> = bans.into_iter().map(glib::BoxedAnyObject::new).collect();
                model.bans.splice(0, model.bans.n_items(), &bans);
            }
            Event::ViewerToken | Event::Shared(_) => self.show_link(),
            Event::ViewerLeft(id, _) => {
                model.viewers.remove(id);
                self.viewers_changed.set(true);
            }
            Event::Devices(devices) => {
                items::<SourceItem>(&model.sources).for_each(|item| item.rename(&devices));
                self.devices.replace(devices);
                self.devices_known.set(true);
                self.after_sources();
            }
            Event::Encoding(settings) => {
                let broadcast = &model.broadcast;
                broadcast.set_video_codec(word_in_force(&settings, MediaKind::Video));
                broadcast.set_audio_codec(word_in_force(&settings, MediaKind::Audio));
                broadcast.set_video_kbit((settings.video_bitrate / 1000) as u32);
                broadcast.set_audio_kbit((settings.audio_bitrate / 1000) as u32);
                self.encoding.replace(settings);
            }
            Event::Abilities => model.broadcast.set_abilities_known(true),
            Event::NowPlaying(text) => model.broadcast.set_now_playing(text),
            Event::Refused(error) => self.refused(&error),
        }
    }

    fn refused(&self, error: &StudioError) {
        tracing::info!(error = %error, "refused");
        let broadcast = &self.model.broadcast;
        broadcast.set_notice(notice::studio(error).text());
        // What was asked for did not come: show what is.
        self.show_link();
        self.take(Event::Encoding(self.studio.encoding()));
        self.take(Event::Layout(self.studio.layout()));
        self.take(Event::Overlays(self.studio.overlays()));
        for output in self.studio.outputs() {
            self.take_output(&output);
        }
    }

    fn take_air(&self, state: AirState) {
        let broadcast = &self.model.broadcast;
        let air = Air::from(state);
        self.live_since.set(match state {
            AirState::Live { since } => Some(since),
            AirState::Off | AirState::Starting | AirState::Stopping => None,
        });
        if air == Air::Starting {
            broadcast.set_peak(broadcast.watching());
        }
        if broadcast.air() != air {
            broadcast.set_air(air);
        }
        self.tell_time();
        self.after_outputs();
    }

    fn take_source(&self, status: &SourceStatus) {
        let sources = &self.model.sources;
        match find(sources, |item: &SourceItem| item.id() == status.id) {
            Some((_, item)) => item.update(status),
            None => {
                let item = SourceItem::new(status, &self.devices.borrow());
                item.show(self.model.scene.layout().shows(status.id));
                sources.append(&item);
            }
        }
    }

    fn take_output(&self, status: &OutputStatus) {
        let outputs = &self.model.outputs;
        match find(outputs, |item: &OutputItem| item.name() == status.name) {
            Some((_, item)) => item.update(status, self.on_air()),
            None => outputs.append(&OutputItem::new(status, self.on_air())),
        }
    }

    fn on_air(&self) -> bool {
        match self.model.broadcast.air() {
            Air::Starting | Air::Live => true,
            Air::Off | Air::Stopping => false,
        }
    }

    fn after_sources(&self) {
        let entries = picker::entries(
            &self.devices.borrow(),
            &self.model.sources,
            &self.recent.borrow(),
        );
        // Filling it anew would close it while somebody chooses.
        if *self.picked.borrow() != entries {
            picker::fill(&self.model.picker, &entries);
            self.picked.replace(entries);
        }
        self.judge();
    }

    fn after_outputs(&self) {
        let outputs = || items::<OutputItem>(&self.model.outputs);
        outputs().for_each(|item| item.describe(self.on_air()));
        self.model
            .broadcast
            .set_recording(outputs().any(|item| item.recording()));
        self.judge();
    }

    fn show_link(&self) {
        link::show(&self.studio, &self.model.broadcast);
    }

    /// Who came and left among the events of one turn is told once.
    fn settle_viewers(self: &Rc<Self>) {
        if !self.viewers_changed.replace(false) {
            return;
        }
        self.sweep();
        let broadcast = &self.model.broadcast;
        let watching = self.model.viewers.len();
        broadcast.set_watching(watching);
        broadcast.set_peak(broadcast.peak().max(watching));
    }

    /// Take the rows of those who left out of the list, a few at a time.
    fn sweep(self: &Rc<Self>) {
        let more = self.model.viewers.sweep(Instant::now() + TURN / 2);
        if !more || self.sweeping.replace(true) {
            return;
        }
        let weak = Rc::downgrade(self);
        // After clicks and drawing.
        glib::idle_add_local_full(glib::Priority::DEFAULT_IDLE, move || {
            let Some(bridge) = weak.upgrade() else {
                return glib::ControlFlow::Break;
            };
            match bridge.model.viewers.sweep(Instant::now() + TURN / 2) {
                true => glib::ControlFlow::Continue,
                false => {
                    bridge.sweeping.set(false);
                    glib::ControlFlow::Break
                }
            }
        });
    }

    fn judge(&self) {
        let judged = health::judge(&self.model, self.dropped_now.get());
        let (sentence, tone) = (judged.sentence, judged.tone);
        let broadcast = &self.model.broadcast;
        let kbit = judged.lower_to.unwrap_or(0);
        if broadcast.lower_to() != kbit {
            broadcast.set_lower_to(kbit);
        }
        if broadcast.health() != sentence {
            broadcast.set_health(sentence);
        }
        if broadcast.tone() != tone {
            broadcast.set_tone(tone);
        }
    }

    fn tell_time(&self) {
        let elapsed = self
            .live_since
            .get()
            .map(|since| words::timer(words::since(since)));
        self.model
            .broadcast
            .set_elapsed(elapsed.unwrap_or_default());
    }

    fn tick(self: &Rc<Self>) {
        self.tell_time();
        // A snapshot waits for the engine's threads, so the main thread has it made elsewhere; if that takes longer
        // than a second, the next one is not piled on top.
        if self.counting.replace(true) {
            return;
        }
        let (weak, studio) = (Rc::downgrade(self), self.studio.clone());
        glib::spawn_future_local(async move {
            let counted = gio::spawn_blocking(move || (studio.snapshot(), Process::now())).await;
            let Some(bridge) = weak.upgrade() else { return };
            bridge.counting.set(false);
            if let Ok((status, process)) = counted {
                let load = Load::now(process, bridge.load.get());
                bridge.load.set(Some(load));
                bridge.count(&status, load.share);
                bridge.past.borrow_mut().take(&status, load.share, load.at);
                bridge.status.replace(status);
            }
        });
    }

    fn count(&self, status: &Status, share: Option<f64>) {
        let turn = !self.viewers_turn.get();
        self.viewers_turn.set(turn);
        if turn || status.viewers.len() <= MANY {
            for row in &status.viewers {
                if let Some(item) = self.model.viewers.get(row.id) {
                    item.count(row);
                }
            }
        }
        for row in &status.sources {
            if let Some((_, item)) = self.source(row.id) {
                item.play(row.progress.as_ref());
            }
        }
        for row in &status.outputs {
            if let Some((_, item)) = find(&self.model.outputs, |item: &OutputItem| {
                item.name() == row.name
            }) {
                item.count(row);
            }
        }
        let dropped: u64 = status.encoders.iter().map(|e| e.dropped).sum();
        self.dropped_now
            .set(dropped.saturating_sub(self.dropped.replace(dropped)));
        self.model
            .broadcast
            .set_numbers(health::numbers(&status.encoders, dropped, share));
        self.after_outputs();
    }
}

/// What this program takes of the computer.
#[derive(Debug, Clone, Copy)]
struct Load {
    process: Process,
    at: Instant,
    /// Of all processors together, since the time before, in percent.
    share: Option<f64>,
}

impl Load {
    fn now(process: Process, before: Option<Load>) -> Load {
        let at = Instant::now();
        let processors = thread::available_parallelism().map_or(1, |n| n.get());
        let share = before.map(|before| {
            let used = process.cpu.saturating_sub(before.process.cpu);
            let passed = at.duration_since(before.at).as_secs_f64().max(0.001);
            used.as_secs_f64() / passed / processors as f64 * 100.0
        });
        Load { process, at, share }
    }
}

/// Whether it may be something that profiles tell.
fn is_kept(event: &Event) -> bool {
    match event {
        Event::Source(_)
        | Event::SourceRemoved(_)
        | Event::SourceOrder(_)
        | Event::Layout(_)
        | Event::Overlays(_)
        | Event::Output(_)
        | Event::OutputRemoved(_)
        | Event::Shared(_)
        | Event::Encoding(_) => true,
        Event::Air(_)
        | Event::ViewerJoined(_)
        | Event::ViewerNoted(_)
        | Event::ViewerLeft(..)
        | Event::Bans(_)
        | Event::ViewerToken
        | Event::Devices(_)
        | Event::Abilities
        | Event::NowPlaying(_)
        | Event::Refused(_) => false,
    }
}

/// Remove the items for which this is not true.
fn keep<T: IsA<glib::Object>>(list: &gio::ListStore, stays: impl Fn(&T) -> bool) {
    list.retain(|item| item.downcast_ref::<T>().is_none_or(&stays));
}

/// Bring the sources into this order. Each one that moves leaves the list for a moment; the others do not.
fn arrange(sources: &gio::ListStore, ids: &[SourceId]) {
    let mut place = 0;
    for id in ids {
        let Some((at, item)) = find(sources, |item: &SourceItem| item.id() == *id) else {
            continue;
        };
        if at != place {
            sources.remove(at);
            sources.insert(place, &item);
        }
        place += 1;
    }
}

/// Carry the engine's events to the main thread, from a thread of their own; `None` says that some were missed.
fn forward(studio: &Studio) -> async_channel::Receiver<Option<Event>> {
    let mut events = studio.events();
    let (tell, told) = async_channel::bounded(BACKLOG);
    thread::Builder::new()
        .name("events".into())
        .spawn(move || {
            loop {
                let event = match events.blocking_recv() {
                    Ok(event) => Some(event),
                    Err(RecvError::Lagged(_)) => None,
                    Err(RecvError::Closed) => return,
                };
                if tell.send_blocking(event).is_err() {
                    return;
                }
            }
        })
        .expect("a thread can be started");
    told
}
