// SPDX-License-Identifier: GPL-3.0-or-later
//! Who is watching: a list that widgets show, found by number without looking through it.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
};

use gtk::{gio, glib, prelude::*};
use studio::audience::{Viewer, ViewerId};

use super::ViewerItem;

/// Everybody, in the order in which they came. Clones are handles of the same.
#[derive(Debug, Clone)]
pub struct Viewers {
    list: gio::ListStore,
    by_id: Rc<RefCell<HashMap<ViewerId, ViewerItem>>>,
}

impl Viewers {
    /// Nobody yet.
    pub fn new() -> Viewers {
        Viewers {
            list: gio::ListStore::new::<ViewerItem>(),
            by_id: Rc::default(),
        }
    }

    /// [`ViewerItem`]s, for widgets that show a list.
    pub fn list(&self) -> &gio::ListStore {
        &self.list
    }

    /// How many.
    pub fn len(&self) -> u32 {
        self.list.n_items()
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

    /// These left. Told to widgets as one change, for each makes them look at all rows in view.
    pub fn remove(&self, ids: &[ViewerId]) {
        let mut by_id = self.by_id.borrow_mut();
        let gone: HashSet<ViewerItem> = ids.iter().filter_map(|id| by_id.remove(id)).collect();
        drop(by_id);
        let is_gone = |at: u32| {
            let item = self.list.item(at).and_downcast::<ViewerItem>();
            item.is_some_and(|item| gone.contains(&item))
        };
        let all = self.list.n_items();
        let (Some(first), Some(last)) = (
            (0..all).find(|at| is_gone(*at)),
            (0..all).rev().find(|at| is_gone(*at)),
        ) else {
            return;
        };
        let between: Vec<glib::Object> = (first..=last)
            .filter(|at| !is_gone(*at))
            .filter_map(|at| self.list.item(at))
            .collect();
        self.list.splice(first, last - first + 1, &between);
    }

    /// Only these stay.
    pub fn retain(&self, stays: impl Fn(ViewerId) -> bool) {
        let gone: Vec<_> = {
            let by_id = self.by_id.borrow();
            by_id.keys().copied().filter(|id| !stays(*id)).collect()
        };
        self.remove(&gone);
    }
}
