// SPDX-License-Identifier: GPL-3.0-or-later
//! Cameras and microphones that come and go.

use std::{
    sync::{
        Arc, LazyLock, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    time::Duration,
};

use gst::prelude::*;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    Device,
    choice::{Memory, Present},
};
use crate::{helper::Helper, message::MediaKind};

/// How often the system is asked for its default microphone while somebody wants just that: GStreamer does not tell
/// when another one is chosen.
const DEFAULT_LOOK: Duration = Duration::from_secs(2);

/// Asks the system, from the first use until the program ends. It is never stopped: in `PipeWire`
/// before 0.3.73 that pulls things from under the thread which is just being told of a change, as it is when a screen is
/// no longer shared (mended by its commit b0a7e4a2).
static MONITOR: LazyLock<Mutex<gst::DeviceMonitor>> = LazyLock::new(|| {
    let monitor = gst::DeviceMonitor::new();
    monitor.add_filter(Some("Video/Source"), None);
    monitor.add_filter(Some("Audio/Source"), None);
    if monitor.start().is_err() {
        tracing::warn!("no device provider could be started: cameras and microphones are not seen");
    }
    Mutex::new(monitor)
});

/// A device and the element that opens it.
#[derive(Debug, Clone)]
struct Found {
    device: Device,
    handle: gst::Device,
    /// `PipeWire`'s own view of a camera and `PulseAudio`'s of a microphone are preferred.
    preferred: bool,
}

/// The list of devices, kept up to date until the last clone is dropped.
#[derive(Clone)]
pub struct Watch(Arc<Inner>);

struct Inner {
    seen: watch::Receiver<Option<Seen>>,
    /// Sources that want the system's default microphone.
    following: Arc<AtomicUsize>,
    stop: mpsc::Sender<Change>,
    _helper: Helper,
}

/// What is plugged in.
#[derive(Debug, Clone, Default)]
struct Seen {
    found: Vec<Found>,
    devices: Vec<Device>,
    /// The system's default microphone.
    default: Option<String>,
    /// The microphones that were told together with it.
    microphones: Vec<String>,
}

impl Seen {
    fn present(&self) -> Present<'_> {
        Present {
            devices: &self.devices,
            default: self.default.as_deref(),
            microphones: &self.microphones,
        }
    }
}

enum Change {
    Look,
    Stop,
}

/// While this lives, changes of the system's default microphone are changes of the list.
pub(super) struct Following {
    following: Arc<AtomicUsize>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.following.fetch_sub(1, Relaxed);
    }
}

impl Watch {
    /// Start watching, in a thread of its own: asking the sound server can take its time. Who watches already shares it.
    pub fn start() -> Watch {
        static SHARED: Mutex<Weak<Inner>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock();
        let inner = shared.upgrade().unwrap_or_else(|| {
            let inner = Arc::new(Inner::start());
            *shared = Arc::downgrade(&inner);
            inner
        });
        Watch(inner)
    }

    /// All devices, once they are known.
    pub fn list(&self) -> Vec<Device> {
        let seen = self.0.seen.borrow();
        seen.as_ref().map(|s| s.devices.clone()).unwrap_or_default()
    }

    /// Wait for the first look, at most this long: a broken sound server must not hold anything up.
    pub async fn ready(&self, patience: Duration) {
        let mut seen = self.0.seen.clone();
        let _ = tokio::time::timeout(patience, seen.wait_for(Option::is_some)).await;
    }

    /// A receiver that changes with the list.
    pub(crate) fn changes(&self) -> Changes {
        Changes(self.0.seen.clone())
    }

    /// Have changes of the system's default microphone told, too.
    pub(super) fn follow_default(&self) -> Following {
        self.0.following.fetch_add(1, Relaxed);
        // The first of them is waited for without a limit; now there is one.
        let _ = self.0.stop.send(Change::Look);
        Following {
            following: self.0.following.clone(),
        }
    }

    /// The device that a source of these words and with this past may take.
    pub(super) fn choose(
        &self,
        kind: MediaKind,
        name: Option<&str>,
        memory: &mut Memory,
    ) -> Option<(Device, gst::Device)> {
        let seen = self.0.seen.borrow();
        let seen = seen.as_ref()?;
        let device = memory.choose(kind, name, seen.present())?;
        let found = seen.found.iter().find(|f| f.device == *device)?;
        Some((device.clone(), found.handle.clone()))
    }

    /// Do something with what is plugged in now.
    pub(super) fn with<T>(&self, f: impl FnOnce(Present<'_>) -> T) -> T {
        let seen = self.0.seen.borrow();
        f(seen.as_ref().unwrap_or(&Seen::default()).present())
    }

    /// Whether that very device is plugged in.
    pub(super) fn has(&self, id: &str) -> bool {
        self.with(|now| now.devices.iter().any(|d| d.id == id))
    }
}

impl Inner {
    fn start() -> Inner {
        let (stop, changes) = mpsc::channel();
        let (tell, seen) = watch::channel(None);
        let poke = stop.clone();
        let following = Arc::new(AtomicUsize::new(0));
        let wanted = following.clone();
        let helper = Helper::start("devices", move || follow(&poke, &changes, &wanted, &tell))
            .expect("a thread can be started");
        Inner {
            seen,
            following,
            stop,
            _helper: helper,
        }
    }
}

/// Changes of the list of devices.
#[derive(Clone)]
pub(crate) struct Changes(watch::Receiver<Option<Seen>>);

impl Changes {
    /// Done at the next change; never, when nobody watches any more.
    pub(crate) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let _ = self.stop.send(Change::Stop);
    }
}

fn follow(
    poke: &mpsc::Sender<Change>,
    changes: &mpsc::Receiver<Change>,
    following: &AtomicUsize,
    tell: &watch::Sender<Option<Seen>>,
) {
    let monitor = MONITOR.lock();
    let poke = poke.clone();
    monitor.bus().set_sync_handler(move |_, message| {
        use gst::MessageView::{DeviceAdded, DeviceChanged, DeviceRemoved};
        if matches!(
            message.view(),
            DeviceAdded(_) | DeviceRemoved(_) | DeviceChanged(_)
        ) {
            let _ = poke.send(Change::Look);
        }
        gst::BusSyncReply::Drop
    });
    loop {
        let found = merge(monitor.devices().iter().filter_map(look));
        let (microphones, default) = microphones();
        let now = Seen {
            devices: found.iter().map(|f| f.device.clone()).collect(),
            found,
            default,
            microphones,
        };
        tell.send_if_modified(|old| {
            let key = |s: &Seen| (s.devices.clone(), s.default.clone(), s.microphones.clone());
            let differs = old.as_ref().map(key) != Some(key(&now));
            *old = Some(now);
            differs
        });
        let next = if following.load(Relaxed) > 0 {
            match changes.recv_timeout(DEFAULT_LOOK) {
                Err(mpsc::RecvTimeoutError::Timeout) => Ok(Change::Look),
                other => other.map_err(|_| mpsc::RecvError),
            }
        } else {
            changes.recv()
        };
        match next {
            Ok(Change::Look) => (),
            Ok(Change::Stop) | Err(_) => break,
        }
    }
    monitor.bus().unset_sync_handler();
}

/// The microphones that the sound server has, and the one it records from when nothing else is said. A provider tells
/// what it knew when it was started, so one is started for each look (a few milliseconds).
fn microphones() -> (Vec<String>, Option<String>) {
    let devices = sound_server().unwrap_or_default();
    let ids = devices.iter().map(id_of).collect();
    let default = devices.iter().find(|device| {
        let properties = device.properties();
        properties.is_some_and(|p| p.get::<bool>("is-default").is_ok_and(|is| is))
    });
    (ids, default.map(id_of))
}

fn sound_server() -> Option<Vec<gst::Device>> {
    let factory = gst::DeviceProviderFactory::find("pulsedeviceprovider")?;
    let kind = factory.load().ok()?.device_provider_type();
    let provider = gst::glib::Object::with_type(kind);
    let provider = provider.downcast::<gst::DeviceProvider>().ok()?;
    provider.start().ok()?;
    let devices = provider.devices();
    provider.stop();
    let mut devices: Vec<_> = devices.into_iter().collect();
    devices.retain(|d| d.has_classes("Audio/Source"));
    Some(devices)
}

/// What stays the same when the device is plugged in again.
fn id_of(handle: &gst::Device) -> String {
    let properties = handle.properties();
    let text = |name: &str| properties.as_ref()?.get::<String>(name).ok();
    text("node.name")
        .or_else(|| text("device.path"))
        .or_else(|| {
            // PulseAudio's name of a source.
            let named = handle.has_property("internal-name");
            named.then(|| handle.property("internal-name")).flatten()
        })
        .or_else(|| text("device.bus_path"))
        .unwrap_or_else(|| handle.display_name().to_string())
}

fn look(handle: &gst::Device) -> Option<Found> {
    let properties = handle.properties();
    let text = |name: &str| properties.as_ref()?.get::<String>(name).ok();
    // What a speaker plays is no microphone.
    if text("device.class").as_deref() == Some("monitor") {
        return None;
    }
    let kind = if handle.has_classes("Video") {
        MediaKind::Video
    } else {
        MediaKind::Audio
    };
    let id = id_of(handle);
    let provider = handle.type_().name().to_lowercase();
    let wanted = match kind {
        MediaKind::Video => "pipewire",
        MediaKind::Audio => "pulse",
    };
    Some(Found {
        device: Device {
            kind,
            id,
            name: handle.display_name().to_string(),
        },
        handle: handle.clone(),
        preferred: provider.contains(wanted),
    })
}

/// Each device once, though several providers list it.
fn merge(all: impl Iterator<Item = Found>) -> Vec<Found> {
    let mut merged: Vec<Found> = Vec::new();
    for found in all {
        match merged
            .iter_mut()
            .find(|m| m.device.kind == found.device.kind && m.device.id == found.device.id)
        {
            Some(known) if found.preferred && !known.preferred => *known = found,
            Some(_) => (),
            None => merged.push(found),
        }
    }
    merged.sort_by(|a, b| {
        (a.device.kind as u8, &a.device.name).cmp(&(b.device.kind as u8, &b.device.name))
    });
    merged
}
