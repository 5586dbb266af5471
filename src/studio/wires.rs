// SPDX-License-Identifier: GPL-3.0-or-later
//! The wires between the parts: news to events and orders, questions of the server to the director.

use std::sync::{Arc, Weak};

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::{Order, Shared};
use crate::{
    error::StudioError,
    message::{Command, Event},
    serve::Control,
    source::{SourceNews, Watch},
};

/// What sources tell: events, or an order where one is to be removed.
pub(super) fn source_news(
    events: &broadcast::Sender<Event>,
    orders: &mpsc::WeakUnboundedSender<Order>,
    news: SourceNews,
) {
    let event = match news {
        SourceNews::Changed(status) => Event::Source(*status),
        SourceNews::Removed(id) => Event::SourceRemoved(id),
        SourceNews::Absent(id) => {
            if let Some(orders) = orders.upgrade() {
                let _ = orders.send(Order::Do(Command::RemoveSource(id)));
            }
            return;
        }
    };
    // Nobody listening is nobody's fault.
    let _ = events.send(event);
}

/// For the server: ask the director, and hear what became of it.
pub(super) fn control(shared: Weak<Shared>) -> Control {
    Arc::new(move |command| {
        let shared = shared.clone();
        Box::pin(async move {
            let ended = || StudioError::Program("it is being ended".into());
            let orders = shared.upgrade().and_then(|s| s.orders.upgrade());
            let (tell, told) = oneshot::channel();
            orders
                .ok_or_else(ended)?
                .send(Order::Ask(command, tell))
                .map_err(|_| ended())?;
            told.await.map_err(|_| ended())?
        })
    })
}

pub(super) async fn tell_devices(shared: Weak<Shared>, devices: Watch) {
    let mut changes = devices.changes();
    drop(devices);
    loop {
        changes.next().await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        shared.tell(Event::Devices(shared.devices.list()));
    }
}

pub(super) async fn tell_title(shared: Weak<Shared>, mut title: watch::Receiver<String>) {
    while title.changed().await.is_ok() {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let text = title.borrow_and_update().clone();
        shared.tell(Event::NowPlaying(text));
    }
}
