// SPDX-License-Identifier: GPL-3.0-or-later
//! One viewer, as its row shows it.

use std::{
    cell::{Cell, RefCell},
    marker::PhantomData,
    time::{Duration, SystemTime},
};

use gettextrs::gettext;
use gtk::{glib, prelude::*, subclass::prelude::*};
use studio::{
    audience::{Transport, Viewer},
    stats::ViewerRow,
};

use crate::ui::words;

/// How well the broadcast reaches a viewer, from best to worst.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wellness {
    /// No number is known yet.
    #[default]
    Unknown,
    /// As it should be.
    Good,
    /// Behind, or far away.
    Fair,
    /// It misses parts.
    Poor,
}

impl Wellness {
    /// Judge by the numbers; `dropped_now` are frames missed in the last second.
    pub fn judge(row: &ViewerRow, dropped_now: u64) -> Wellness {
        let (rtt, loss) = (row.rtt_ms.unwrap_or(0), row.loss.unwrap_or(0.0));
        match () {
            () if row.transport == Transport::Icecast && row.bitrate == 0 => Wellness::Unknown,
            () if row.queue > 2000 || loss > 0.05 || dropped_now > 0 => Wellness::Poor,
            () if row.queue > 1000 || loss > 0.01 || rtt > 300 => Wellness::Fair,
            () => Wellness::Good,
        }
    }

    fn word(self) -> String {
        match self {
            Wellness::Unknown => "–".into(),
            // Translators: how well the broadcast reaches a viewer
            Wellness::Good => gettext("Good"),
            // Translators: how well the broadcast reaches a viewer
            Wellness::Fair => gettext("Fair"),
            // Translators: how well the broadcast reaches a viewer
            Wellness::Poor => gettext("Poor"),
        }
    }
}

mod imp {
    use super::*;

    #[derive(Default, glib::Properties)]
    #[properties(wrapper_type = super::ViewerItem)]
    pub struct ViewerItem {
        /// Its number.
        #[property(get, construct_only)]
        pub id: Cell<u64>,
        /// What it watches with.
        #[property(get, construct_only)]
        pub client: RefCell<String>,
        /// From where.
        #[property(get, construct_only)]
        pub address: RefCell<String>,
        /// What was written about it.
        #[property(get, set)]
        pub note: RefCell<String>,
        /// From where, and what was written about it.
        #[property(get, set)]
        pub place: RefCell<String>,
        /// How the stream gets there.
        #[property(get, construct_only)]
        pub how: RefCell<String>,
        /// What the stream is.
        #[property(get, construct_only)]
        pub format: RefCell<String>,
        /// Since when, in seconds since 1970.
        #[property(get, construct_only)]
        pub since: Cell<u64>,
        /// How long it has watched.
        #[property(get = Self::duration)]
        pub duration: PhantomData<String>,
        /// Rate in bit/s.
        #[property(get)]
        pub bitrate: Cell<u64>,
        /// Rate in words.
        #[property(get = Self::rate)]
        pub rate: PhantomData<String>,
        /// Rank of its health, for sorting: higher is worse.
        #[property(get)]
        pub rank: Cell<u32>,
        /// Its health as one word.
        #[property(get = Self::health)]
        pub health: PhantomData<String>,
        /// The numbers behind that word.
        #[property(get = Self::details)]
        pub details: PhantomData<String>,

        pub wellness: Cell<Wellness>,
        pub numbers: Cell<Option<Numbers>>,
    }

    /// Words are made when a row asks for them: most viewers are not on the screen.
    impl ViewerItem {
        fn duration(&self) -> String {
            let since = SystemTime::UNIX_EPOCH + Duration::from_secs(self.since.get());
            words::clock(words::since(since))
        }

        fn rate(&self) -> String {
            words::rate(self.bitrate.get())
        }

        fn health(&self) -> String {
            self.wellness.get().word()
        }

        fn details(&self) -> String {
            self.numbers.get().unwrap_or_default().words()
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for ViewerItem {
        const NAME: &'static str = "AerialViewerItem";
        type Type = super::ViewerItem;
    }

    #[glib::derived_properties]
    impl ObjectImpl for ViewerItem {}
}

glib::wrapper! {
    /// One viewer.
    pub struct ViewerItem(ObjectSubclass<imp::ViewerItem>);
}

impl ViewerItem {
    /// A row for this viewer.
    pub fn new(viewer: &Viewer) -> ViewerItem {
        let who = &viewer.who;
        let how = match who.transport {
            Transport::Http => "HTTP",
            Transport::Hls => "HLS",
            Transport::Webrtc => "WebRTC",
            Transport::Icecast => "Icecast",
        };
        let since = viewer.since.duration_since(SystemTime::UNIX_EPOCH);
        let item: ViewerItem = glib::Object::builder()
            .property("id", viewer.id)
            .property("client", words::client(&who.agent))
            .property("address", &who.address)
            .property("how", how)
            .property("format", &who.format)
            .property("since", since.map_or(0, |d| d.as_secs()))
            .build();
        item.take_words(viewer);
        item.count(&ViewerRow::from(viewer));
        item
    }

    /// What was written about it and found out.
    pub fn take_words(&self, viewer: &Viewer) {
        self.set_note(&*viewer.note);
        let address = match &viewer.host {
            Some(host) => format!("{host} ({})", self.address()),
            None => self.address(),
        };
        self.set_place(match &*viewer.note {
            "" => address,
            note => format!("{note} – {address}"),
        });
    }

    /// Take the numbers of this second.
    pub fn count(&self, row: &ViewerRow) {
        let imp = self.imp();
        let numbers = Numbers::from(row);
        let old = imp.numbers.replace(Some(numbers));
        let dropped_now = old.map_or(0, |old| numbers.dropped.saturating_sub(old.dropped));
        let wellness = Wellness::judge(row, dropped_now);
        // What is told is drawn anew where it is on the screen, so only what changed is told.
        if imp.bitrate.replace(row.bitrate) != row.bitrate {
            self.notify_bitrate();
            self.notify_rate();
        }
        if imp.wellness.replace(wellness) != wellness {
            imp.rank.set(wellness as u32);
            self.notify_rank();
            self.notify_health();
        }
        self.notify_duration();
    }
}

/// What stands behind the word of a viewer's health.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Numbers {
    queue: u32,
    dropped: u64,
    bytes: u64,
    rtt_ms: Option<u32>,
    loss: Option<f32>,
}

impl From<&ViewerRow> for Numbers {
    fn from(row: &ViewerRow) -> Numbers {
        Numbers {
            queue: row.queue,
            dropped: row.dropped,
            bytes: row.bytes,
            rtt_ms: row.rtt_ms,
            loss: row.loss,
        }
    }
}

impl Numbers {
    fn words(&self) -> String {
        let mut lines = vec![
            words::fill(
                gettext("Waiting to be sent: {n} ms"),
                &[("n", &self.queue.to_string())],
            ),
            words::fill(
                gettext("Frames missed: {n}"),
                &[("n", &self.dropped.to_string())],
            ),
            words::fill(
                gettext("Sent: {size}"),
                &[("size", &words::size(self.bytes))],
            ),
        ];
        if let Some(rtt) = self.rtt_ms {
            lines.push(words::fill(
                gettext("Round trip: {n} ms"),
                &[("n", &rtt.to_string())],
            ));
        }
        if let Some(loss) = self.loss {
            lines.push(words::fill(
                gettext("Lost on the way: {n} %"),
                &[("n", &format!("{:.1}", loss * 100.0))],
            ));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(queue: u32, rtt_ms: Option<u32>, loss: Option<f32>) -> ViewerRow {
        ViewerRow {
            id: 1,
            transport: Transport::Webrtc,
            format: String::new(),
            address: String::new(),
            agent: String::new(),
            since: 0.0,
            bytes: 0,
            bitrate: 1,
            queue,
            rtt_ms,
            loss,
            dropped: 0,
            rung: String::new(),
            note: String::new(),
            host: None,
        }
    }

    #[test]
    fn health_is_as_bad_as_its_worst_number() {
        assert_eq!(Wellness::judge(&row(0, None, None), 0), Wellness::Good);
        assert_eq!(
            Wellness::judge(&row(0, Some(400), Some(0.0)), 0),
            Wellness::Fair
        );
        assert_eq!(
            Wellness::judge(&row(0, Some(10), Some(0.1)), 0),
            Wellness::Poor
        );
        assert_eq!(Wellness::judge(&row(3000, None, None), 0), Wellness::Poor);
        assert_eq!(Wellness::judge(&row(0, None, None), 1), Wellness::Poor);
    }
}
