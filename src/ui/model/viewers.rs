// SPDX-License-Identifier: GPL-3.0-or-later
//! Who is watching: a list that widgets show, found by number without looking through it.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
    time::Instant,
};

use gtk::{gio, prelude::*};
use studio::audience::{Viewer, ViewerId};

use super::ViewerItem;

/// So many rows are taken out at once. Rows that are seen, or could be soon, are made of a dozen widgets each: with a
/// thousand viewers that leave together the window would stand still.
const ROWS: u32 = 4;

/// Everybody, in the order in which they came. Clones are handles of the same.
#[derive(Debug, Clone)]
pub struct Viewers {
    list: gio::ListStore,
    by_id: Rc<RefCell<HashMap<ViewerId, ViewerItem>>>,
    /// Who left and is still in the list.
    gone: Rc<RefCell<HashSet<ViewerItem>>>,
}

impl Viewers {
    /// Nobody yet.
    pub fn new() -> Viewers {
        Viewers {
            list: gio::ListStore::new::<ViewerItem>(),
            by_id: Rc::default(),
            gone: Rc::default(),
        }
    }

    /// [`ViewerItem`]s, for widgets that show a list. Who left may be in it until it is swept.
    pub fn list(&self) -> &gio::ListStore {
        &self.list
    }

    /// How many.
    pub fn len(&self) -> u32 {
        self.by_id.borrow().len() as u32
    }

    /// The one with this number.
    pub fn get(&self, id: ViewerId) -> Option<ViewerItem> {
        self.by_id.borrow().get(&id).cloned()
    }

    /// How many of them are so.
    pub fn count(&self, is_so: impl Fn(&ViewerItem) -> bool) -> usize {
        self.by_id.borrow().values().filter(|v| is_so(v)).count()
    }

    /// Somebody came, unless they are here already.
    pub fn add(&self, viewer: &Viewer) {
        if self.by_id.borrow().contains_key(&viewer.id) {
            return;
        }
        let item = ViewerItem::new(viewer);
        self.by_id.borrow_mut().insert(viewer.id, item.clone());
        self.list.append(&item);
    }

    /// One left. Their row goes with the next sweep.
    pub fn remove(&self, id: ViewerId) {
        let gone = self.by_id.borrow_mut().remove(&id);
        self.gone.borrow_mut().extend(gone);
    }

    /// Take those who left out of the list, last first, until it is so late. Whether some are still in it.
    pub fn sweep(&self, late: Instant) -> bool {
        let mut end = self.list.n_items();
        while end > 0 && !self.gone.borrow().is_empty() && Instant::now() < late {
            let start = self.start_of_gone(end);
            if start < end {
                // Nothing is borrowed here: widgets may look at everything now.
                self.list.splice(start, end - start, &[] as &[ViewerItem]);
            }
            end = start.min(end - 1);
        }
        !self.gone.borrow().is_empty()
    }

    /// Where those begin who left and stand right before this place. They are forgotten.
    fn start_of_gone(&self, end: u32) -> u32 {
        let mut gone = self.gone.borrow_mut();
        let is_gone = |at: &u32| {
            let item = self.list.item(*at).and_downcast::<ViewerItem>();
            item.is_some_and(|item| gone.remove(&item))
        };
        let rows = (0..end).rev().take(ROWS as usize).take_while(is_gone);
        end - rows.count() as u32
    }

    /// Only these stay.
    pub fn retain(&self, stays: impl Fn(ViewerId) -> bool) {
        let gone: Vec<_> = {
            let by_id = self.by_id.borrow();
            by_id.keys().copied().filter(|id| !stays(*id)).collect()
        };
        gone.into_iter().for_each(|id| self.remove(id));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        time::{Duration, SystemTime},
    };

    use studio::audience::{Transport, Who};

    use super::*;

    fn viewers(ids: std::ops::RangeInclusive<ViewerId>) -> Viewers {
        let viewers = Viewers::new();
        let who = Arc::new(Who {
            transport: Transport::Http,
            format: "webm".into(),
            address: "192.0.2.1".into(),
            agent: String::new(),
        });
        for id in ids {
            viewers.add(&Viewer {
                id,
                who: who.clone(),
                since: SystemTime::now(),
                note: "".into(),
                host: None,
                counters: Arc::default(),
            });
        }
        viewers
    }

    fn listed(viewers: &Viewers) -> Vec<ViewerId> {
        let items = crate::ui::model::items::<ViewerItem>(viewers.list());
        items.map(|item| item.id()).collect()
    }

    #[test]
    fn who_left_is_not_counted_and_soon_not_listed_while_the_others_stay_in_order() {
        let viewers = viewers(1..=20);
        for id in [1, 3, 7, 8, 9, 10, 11, 12, 20, 99] {
            viewers.remove(id);
        }
        assert_eq!((viewers.len(), viewers.list().n_items()), (11, 20));
        assert!(viewers.get(7).is_none());
        assert!(viewers.sweep(Instant::now()), "there was no time for it");
        assert!(!viewers.sweep(Instant::now() + Duration::from_secs(60)));
        assert_eq!(listed(&viewers), [2, 4, 5, 6, 13, 14, 15, 16, 17, 18, 19]);
        viewers.retain(|id| id == 5);
        assert!(!viewers.sweep(Instant::now() + Duration::from_secs(60)));
        assert_eq!(listed(&viewers), [5]);
    }

    #[test]
    fn widgets_are_told_of_a_few_rows_at_a_time() {
        let viewers = viewers(1..=10);
        let most = Rc::new(std::cell::Cell::new(0));
        let told = most.clone();
        viewers
            .list()
            .connect_items_changed(move |_, _, removed, _| told.set(told.get().max(removed)));
        viewers.retain(|_| false);
        assert_eq!(viewers.len(), 0);
        assert!(!viewers.sweep(Instant::now() + Duration::from_secs(60)));
        assert_eq!((viewers.list().n_items(), most.get()), (0, ROWS));
    }
}
