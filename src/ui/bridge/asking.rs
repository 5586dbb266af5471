// SPDX-License-Identifier: GPL-3.0-or-later
//! The half of the bridge that asks: commands, what was asked for, and what is known of it by name or number.

use std::{rc::Rc, time::Duration};

use gtk::glib;
use studio::{
    error::StudioError,
    message::{Command, NewSource, Outcome, SourceId},
    output::OutputSpec,
    source::Spec,
};

use super::Bridge;
use crate::ui::model::{OutputItem, SourceItem, find};

impl Bridge {
    /// Ask the engine for something.
    pub fn command(&self, command: Command) {
        self.remember(&command);
        tracing::debug!(?command);
        self.studio.command(command);
    }

    /// Ask the engine for something that has to be done before what comes next. What is refused is told, and `None`.
    pub async fn ask(&self, command: Command) -> Option<Outcome> {
        self.remember(&command);
        tracing::debug!(?command);
        match self.studio.ask(command).await {
            Ok(outcome) => Some(outcome),
            Err(error) => {
                self.refused(&error);
                None
            }
        }
    }

    /// Go on the air; what stands in the way, if it is refused.
    pub async fn go_live(&self) -> Result<(), StudioError> {
        self.studio.ask(Command::GoLive).await.map(|_| ())
    }

    fn remember(&self, command: &Command) {
        if let Command::AddSource(NewSource { specs, .. }) | Command::SetSources(specs) = command {
            let mut asked = self.asked.borrow_mut();
            asked.retain(|spec| !specs.contains(spec));
            asked.extend_from_slice(specs);
        }
    }

    /// A source as it was asked for, secrets included.
    pub fn asked(&self, item: &SourceItem) -> Option<Spec> {
        let (kind, text) = (item.kind(), item.spec());
        let is_it = |spec: &&Spec| spec.kind() == kind && spec.to_string() == text;
        let asked = self.asked.borrow().iter().rev().find(is_it).cloned();
        // A link that hides something cannot be read back.
        asked.or_else(|| match text.contains("***") {
            true => None,
            false => Spec::parse(kind, &text).ok(),
        })
    }

    /// The source of this number, and its place among all.
    pub fn source(&self, id: SourceId) -> Option<(u32, SourceItem)> {
        find(&self.model.sources, |item: &SourceItem| item.id() == id)
    }

    /// An output as it was asked for.
    pub fn output(&self, name: &str) -> Option<OutputSpec> {
        self.studio.output(name)
    }

    /// Where pictures of this name are sent.
    pub fn frames_address(&self, name: &str) -> String {
        format!("{}frames/{name}", self.model.broadcast.link())
    }

    /// Where others send what this source shows, or the invitation of a guest, if it is such a source.
    pub fn address_of(&self, item: &SourceItem) -> Option<String> {
        let spec = item.spec();
        if spec == "guest" {
            let link = self.model.broadcast.link();
            let path = self.studio.invitation(item.id())?;
            return Some(format!("{}{path}", link.trim_end_matches('/')));
        }
        let name = spec.strip_prefix("frames:")?;
        Some(self.frames_address(name))
    }

    /// Read the numbers soon: something was asked for that they tell.
    pub fn count_soon(self: &Rc<Self>) {
        let weak = Rc::downgrade(self);
        glib::timeout_add_local_once(Duration::from_millis(150), move || {
            if let Some(bridge) = weak.upgrade() {
                bridge.tick();
            }
        });
    }

    /// This name, or with a number if there is an output of that name already.
    pub fn free_name(&self, wanted: &str) -> String {
        let taken =
            |name: &str| find(&self.model.outputs, |o: &OutputItem| o.name() == name).is_some();
        let numbered = (2..).map(|n| format!("{wanted} ({n})"));
        std::iter::once(wanted.to_string())
            .chain(numbered)
            .find(|name| !taken(name))
            .expect("numbers do not end")
    }
}
