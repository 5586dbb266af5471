// SPDX-License-Identifier: GPL-3.0-or-later
//! Cameras and microphones that come and go.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use gst::prelude::*;
use tokio::sync::watch;

use super::Device;
use crate::message::MediaKind;

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
    found: watch::Receiver<Option<Vec<Found>>>,
    stop: mpsc::Sender<Change>,
}

enum Change {
    Look,
    Stop,
}

impl Watch {
    /// Start watching, in a thread of its own: asking the sound server can take its time.
    pub fn start() -> Watch {
        let (stop, changes) = mpsc::channel();
        let (tell, found) = watch::channel(None);
        let poke = stop.clone();
        thread::Builder::new()
            .name("devices".into())
            .spawn(move || follow(&poke, &changes, &tell))
            .expect("a thread can be started");
        Watch(Arc::new(Inner { found, stop }))
    }

    /// All devices, once they are known.
    pub fn list(&self) -> Vec<Device> {
        let found = self.0.found.borrow();
        found.iter().flatten().map(|f| f.device.clone()).collect()
    }

    /// Wait for the first look, at most this long: a broken sound server must not hold anything up.
    pub async fn ready(&self, patience: Duration) {
        let mut found = self.0.found.clone();
        let _ = tokio::time::timeout(patience, found.wait_for(Option::is_some)).await;
    }

    /// A receiver that changes with the list.
    pub(crate) fn changes(&self) -> Changes {
        Changes(self.0.found.clone())
    }

    /// The device of that kind and id or name (or a part of its name); without a name, the first.
    pub(super) fn find(
        &self,
        kind: MediaKind,
        name: Option<&str>,
    ) -> Option<(Device, gst::Device)> {
        let found = self.0.found.borrow();
        let all = || found.iter().flatten().filter(|f| f.device.kind == kind);
        let hit = match name {
            None => all().next(),
            Some(name) => {
                let lower = name.to_lowercase();
                all()
                    .find(|f| f.device.id == name || f.device.name == name)
                    .or_else(|| all().find(|f| f.device.name.to_lowercase().contains(&lower)))
            }
        };
        hit.map(|f| (f.device.clone(), f.handle.clone()))
    }

    /// Whether that very device is plugged in.
    pub(super) fn has(&self, id: &str) -> bool {
        let found = self.0.found.borrow();
        found.iter().flatten().any(|f| f.device.id == id)
    }
}

/// Changes of the list of devices.
#[derive(Clone)]
pub(crate) struct Changes(watch::Receiver<Option<Vec<Found>>>);

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
    tell: &watch::Sender<Option<Vec<Found>>>,
) {
    let monitor = gst::DeviceMonitor::new();
    monitor.add_filter(Some("Video/Source"), None);
    monitor.add_filter(Some("Audio/Source"), None);
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
    if monitor.start().is_err() {
        tracing::warn!("no device provider could be started: cameras and microphones are not seen");
    }
    loop {
        let now = merge(monitor.devices().iter().filter_map(look));
        tell.send_if_modified(|old| {
            let key = |all: &Vec<Found>| all.iter().map(|f| f.device.clone()).collect::<Vec<_>>();
            let differs = old.as_ref().map(key) != Some(key(&now));
            *old = Some(now);
            differs
        });
        match changes.recv() {
            Ok(Change::Look) => (),
            Ok(Change::Stop) | Err(_) => break,
        }
    }
    monitor.stop();
    monitor.bus().unset_sync_handler();
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
    let id = text("node.name")
        .or_else(|| text("device.path"))
        .or_else(|| text("device.bus_path"))
        .unwrap_or_else(|| handle.display_name().to_string());
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
