// SPDX-License-Identifier: GPL-3.0-or-later
//! Sliders and numbers that somebody moves: what is asked follows at an even pace, and news do not pull the slider
//! back under the finger.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use gtk::glib;

/// How long after the last move the slider belongs to the finger.
const HELD: Duration = Duration::from_millis(500);
/// How often something is asked while it moves.
const PACE: Duration = Duration::from_millis(60);

/// For one group of sliders.
#[derive(Debug, Clone, Default)]
pub struct Settle(Rc<State>);

#[derive(Debug, Default)]
struct State {
    showing: Cell<bool>,
    held: RefCell<Option<glib::SourceId>>,
    asking: Cell<bool>,
}

impl Settle {
    /// Show what is; unless somebody is moving it, for then it is shown afterwards.
    pub fn show(&self, set: impl FnOnce()) {
        if self.0.held.borrow().is_some() {
            return;
        }
        self.0.showing.set(true);
        set();
        self.0.showing.set(false);
    }

    /// It was moved: `ask` soon, and `show` what came of it when it rests. Moves made by [`show`](Self::show) are none.
    pub fn moved(&self, ask: impl Fn() + 'static, show: impl Fn() + 'static) {
        if self.0.showing.get() {
            return;
        }
        if let Some(earlier) = self.0.held.take() {
            earlier.remove();
        }
        let state = Rc::downgrade(&self.0);
        let held = glib::timeout_add_local_once(HELD, move || {
            if let Some(state) = state.upgrade() {
                state.held.take();
                show();
            }
        });
        self.0.held.replace(Some(held));
        if !self.0.asking.replace(true) {
            let state = Rc::downgrade(&self.0);
            glib::timeout_add_local_once(PACE, move || {
                if let Some(state) = state.upgrade() {
                    state.asking.set(false);
                    ask();
                }
            });
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            held.remove();
        }
    }
}
