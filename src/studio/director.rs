// SPDX-License-Identifier: GPL-3.0-or-later
//! The director: carries out commands, one after the other.

use std::{iter::repeat, sync::Arc, time::SystemTime};

use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use super::{FIRST_FRAME, Order, Shared};
use crate::{
    audience::Nameless,
    encode::EncodeSettings,
    error::StudioError,
    message::{AirState, Command, Event, MediaKind, NewSource, Outcome, SourceId},
    output::{OutputSpec, Outputs},
    program::{
        PreviewPipeline,
        scene::{Arrangement, Framing, Layout, LayoutKind, Overlays, Strip, Transition},
    },
    serve::Server,
    source::{Sources, Spec},
    title,
};

/// Carries out what is asked, one thing after the other.
pub(super) struct Director {
    pub(super) shared: Arc<Shared>,
    pub(super) on_air: watch::Sender<bool>,
    pub(super) sources: Sources,
    pub(super) outputs: Outputs,
    pub(super) preview: Option<PreviewPipeline>,
    pub(super) server: Server,
    /// Follows the title of what plays now.
    pub(super) _title: Option<AbortOnDropHandle<()>>,
}

impl Director {
    pub(super) async fn run(
        mut self,
        mut orders: mpsc::UnboundedReceiver<Order>,
        outputs: Vec<OutputSpec>,
        sources: Vec<Spec>,
        scene: Option<Arrangement>,
    ) {
        for output in outputs {
            self.outputs.set(output).await;
        }
        if let Err(error) = self.set_sources(sources).await {
            self.shared.tell(Event::Refused(error));
        }
        if let Some(scene) = scene
            && let Err(error) = self.arrange(scene).await
        {
            self.shared.tell(Event::Refused(error));
        }
        while let Some(order) = orders.recv().await {
            match order {
                Order::Do(command) => {
                    if let Err(error) = self.carry_out(command).await {
                        self.shared.tell(Event::Refused(error));
                    }
                }
                Order::Ask(command, tell) => {
                    let _ = tell.send(self.carry_out(command).await);
                }
                Order::End(told) => {
                    self.end().await;
                    let _ = told.send(());
                    return;
                }
            }
        }
    }

    async fn carry_out(&mut self, command: Command) -> Result<Outcome, StudioError> {
        if let Command::AddSource(new) = command {
            return self.add_source(new).map(Outcome::Added);
        }
        self.do_so(command).await.map(|()| Outcome::Done)
    }

    async fn do_so(&mut self, command: Command) -> Result<(), StudioError> {
        match command {
            Command::SetSources(specs) => self.set_sources(specs).await,
            Command::AddSource(new) => self.add_source(new).map(drop),
            Command::RemoveSource(id) => self.remove_source(id).await,
            Command::MoveSource(id, place) => self.move_source(id, place),
            Command::SetFraming(id, framing) => self.sources.frame(id, framing),
            // Listening to one source alone starts a pipeline.
            Command::SetStrip(id, strip) => {
                tokio::task::block_in_place(|| self.sources.mix(id, strip))
            }
            Command::Play(id, what) => self.sources.play(id, what).await,
            Command::SetLayout(layout, how) => self.set_layout(layout, how),
            Command::SetOverlays(overlays) => self.set_overlays(overlays).await,
            Command::Arrange(scene) => self.arrange(*scene).await,
            Command::SetEncoding(settings) => self.set_encoding(settings),
            Command::GoLive => self.go_live().await,
            Command::EndLive => {
                self.end_live().await;
                Ok(())
            }
            Command::SetOutput(spec) => {
                spec.target.check(self.shared.encoders.tracks())?;
                self.outputs.set(*spec).await;
                Ok(())
            }
            Command::RemoveOutput(name) => {
                if !self.outputs.remove(&name).await {
                    return Err(StudioError::NoSuchOutput(name));
                }
                self.shared.tell(Event::OutputRemoved(name));
                Ok(())
            }
            Command::EnableOutput(name, on) => match self.outputs.enable(&name, on).await {
                true => Ok(()),
                false => Err(StudioError::NoSuchOutput(name)),
            },
            Command::SetNowPlaying(text) => {
                self.shared.now_playing.set(title::clean(&text));
                Ok(())
            }
            Command::PauseOutput(name, on) => match self.outputs.pause(&name, on) {
                Some(true) => Ok(()),
                Some(false) => Err(StudioError::NotPausable(name)),
                None => Err(StudioError::NoSuchOutput(name)),
            },
            Command::Kick(id) => match self.shared.audience.kick(id) {
                true => Ok(()),
                false => Err(StudioError::NoSuchViewer),
            },
            Command::Ban(id) => match self.shared.audience.ban(id) {
                Some(Ok(_)) => Ok(()),
                Some(Err(Nameless)) => Err(StudioError::NoAddress),
                None => Err(StudioError::NoSuchViewer),
            },
            Command::Unban(address) => match self.shared.audience.unban(address) {
                true => Ok(()),
                false => Err(StudioError::NotBanned(address)),
            },
            Command::Share(on) => {
                self.server.share(on).await?;
                *self.shared.address.lock() = self.server.address();
                self.shared.tell(Event::Shared(on));
                Ok(())
            }
            Command::RenewViewerToken => {
                // Writes a file.
                tokio::task::block_in_place(|| self.shared.passes.renew())?;
                self.shared.tell(Event::ViewerToken);
                Ok(())
            }
            Command::Note(id, note) => match self.shared.audience.note(id, &note) {
                true => Ok(()),
                false => Err(StudioError::NoSuchViewer),
            },
            Command::LookUp(id) => {
                let shared = self.shared.clone();
                // Takes seconds where nobody answers.
                tokio::spawn(async move {
                    if let Err(error) = shared.audience.look_up(id).await {
                        shared.tell(Event::Refused(error));
                    }
                });
                Ok(())
            }
            Command::Preview(preview) => self.set_preview(preview).await,
            Command::PreviewWidth(width) => {
                if let Some(preview) = &self.preview {
                    preview.set_width(width);
                }
                Ok(())
            }
        }
    }

    async fn set_sources(&mut self, specs: Vec<Spec>) -> Result<(), StudioError> {
        let before = self.shared.sources.ids();
        let done = self.sources.set(&self.shared.program, specs).await;
        let now = self.shared.sources.ids();
        let new = now.into_iter().filter(|id| !before.contains(id));
        let mut layout = self.shared.layout.lock().clone();
        layout.pictures.extend(self.pictures(new));
        self.show(layout, Transition::Cut);
        self.tell_order();
        done.map(drop)
    }

    fn add_source(&mut self, new: NewSource) -> Result<Vec<SourceId>, StudioError> {
        let show = new.show;
        let ids = self.sources.add(&self.shared.program, new)?;
        self.tell_order();
        let mut layout = self.shared.layout.lock().clone();
        let empty = layout.pictures.is_empty();
        if show || empty {
            for id in self.pictures(ids.iter().copied()) {
                layout.bring(id);
            }
            self.show(layout, Transition::Cut);
        }
        Ok(ids)
    }

    async fn remove_source(&mut self, id: SourceId) -> Result<(), StudioError> {
        if !self.sources.remove(id).await {
            return Err(StudioError::NoSuchSource(id));
        }
        self.tell_order();
        let layout = self.shared.layout.lock().clone();
        self.show(layout, Transition::Cut);
        Ok(())
    }

    fn move_source(&mut self, id: SourceId, place: usize) -> Result<(), StudioError> {
        if !self.sources.reorder(id, place) {
            return Err(StudioError::NoSuchSource(id));
        }
        self.tell_order();
        let mut layout = self.shared.layout.lock().clone();
        if layout.kind == LayoutKind::Grid {
            // A grid stands in the order of the list.
            let order = self.shared.sources.ids();
            let at = |id: &SourceId| order.iter().position(|other| other == id);
            layout.pictures.sort_by_key(at);
            self.show(layout, Transition::Cut);
        }
        Ok(())
    }

    fn set_layout(&mut self, layout: Layout, how: Transition) -> Result<(), StudioError> {
        let all = self.pictures(self.shared.sources.ids().into_iter());
        if let Some(unknown) = layout.pictures.iter().find(|id| !all.contains(id)) {
            return Err(StudioError::NoSuchSource(*unknown));
        }
        self.show(layout, how);
        Ok(())
    }

    async fn set_overlays(&mut self, overlays: Overlays) -> Result<(), StudioError> {
        // Reading a logo takes its time.
        let (shared, wanted) = (self.shared.clone(), overlays.clone());
        tokio::task::spawn_blocking(move || shared.program.overlay(&wanted))
            .await
            .map_err(|e| StudioError::Program(e.to_string()))??;
        *self.shared.overlays.lock() = overlays.clone();
        self.shared.tell(Event::Overlays(overlays));
        Ok(())
    }

    /// Put together what is there as it was kept. What was kept of sources that are not there any more is passed over.
    async fn arrange(&mut self, scene: Arrangement) -> Result<(), StudioError> {
        let of = |kind: MediaKind| -> Vec<SourceId> {
            let all = self.shared.sources.list();
            let those = all.into_iter().filter(|s| s.kind == kind);
            those.map(|s| s.id).collect()
        };
        let (pictures, sounds) = (of(MediaKind::Video), of(MediaKind::Audio));
        // What is not said is as it is without anybody doing anything.
        let framing = scene.framing.into_iter().chain(repeat(Framing::default()));
        for (id, framing) in pictures.iter().zip(framing) {
            self.sources.frame(*id, framing)?;
        }
        let strips = scene.strips.into_iter().chain(repeat(Strip::default()));
        for (id, strip) in sounds.iter().zip(strips) {
            tokio::task::block_in_place(|| self.sources.mix(*id, strip))?;
        }
        let shown = match scene.pictures {
            Some(places) => {
                let id = |place: &usize| pictures.get(place.checked_sub(1)?).copied();
                places.iter().filter_map(id).collect()
            }
            None => pictures,
        };
        let layout = Layout {
            kind: scene.layout,
            pictures: shown,
        };
        self.show(layout, Transition::Cut);
        self.set_overlays(scene.overlays).await
    }

    /// Those of these sources that are pictures.
    fn pictures(&self, ids: impl Iterator<Item = SourceId>) -> Vec<SourceId> {
        let sources = self.shared.sources.list();
        let is_picture = |id: &SourceId| {
            let source = sources.iter().find(|s| s.id == *id);
            source.is_some_and(|s| s.kind == MediaKind::Video)
        };
        ids.filter(is_picture).collect()
    }

    /// Put this on screen, less what is not there any more.
    fn show(&self, mut layout: Layout, how: Transition) {
        let there = self.pictures(self.shared.sources.ids().into_iter());
        let mut seen = Vec::new();
        layout.pictures.retain(|id| {
            let first = !seen.contains(id);
            seen.push(*id);
            first && there.contains(id)
        });
        self.shared
            .program
            .arrange(layout.kind, &layout.pictures, how);
        let changed = {
            let mut old = self.shared.layout.lock();
            let changed = *old != layout;
            *old = layout.clone();
            changed
        };
        if changed {
            self.shared.tell(Event::Layout(layout));
        }
    }

    fn tell_order(&self) {
        let order = self.shared.sources.ids();
        self.shared.tell(Event::SourceOrder(order));
    }

    fn set_encoding(&mut self, settings: EncodeSettings) -> Result<(), StudioError> {
        // An encoder that was wished for is tried.
        tokio::task::block_in_place(|| settings.installed())?;
        let old = self.shared.encoding.lock().clone();
        if (old.width, old.height, old.fps) != (settings.width, settings.height, settings.fps) {
            return Err(StudioError::OnlyAtStart("The size and rate of the picture"));
        }
        let same = EncodeSettings {
            video_bitrate: settings.video_bitrate,
            audio_bitrate: settings.audio_bitrate,
            ..old.clone()
        };
        if same != settings && *self.shared.air.borrow() != AirState::Off {
            return Err(StudioError::OnlyOffAir("The codec"));
        }
        *self.shared.encoding.lock() = settings.clone();
        self.shared.encoders.set(settings.clone());
        self.shared.tell(Event::Encoding(settings));
        Ok(())
    }

    fn set_air(&self, state: AirState) {
        self.shared.air.send_replace(state);
        self.on_air
            .send_replace(matches!(state, AirState::Live { .. }));
        self.shared.tell(Event::Air(state));
    }

    async fn go_live(&mut self) -> Result<(), StudioError> {
        if *self.shared.air.borrow() != AirState::Off {
            return Ok(());
        }
        self.set_air(AirState::Starting);
        let mut running = self.shared.program.running();
        let first = tokio::time::timeout(FIRST_FRAME, running.wait_for(|runs| *runs))
            .await
            .is_ok_and(|runs| runs.is_ok());
        if !first {
            self.set_air(AirState::Off);
            return Err(StudioError::Program("it gives no frames".into()));
        }
        self.shared.audience.begin();
        self.set_air(AirState::Live {
            since: SystemTime::now(),
        });
        self.outputs.set_air(true).await;
        Ok(())
    }

    async fn end_live(&mut self) {
        if *self.shared.air.borrow() == AirState::Off {
            return;
        }
        self.set_air(AirState::Stopping);
        self.outputs.set_air(false).await;
        self.set_air(AirState::Off);
    }

    async fn set_preview(
        &mut self,
        preview: Option<crate::program::Preview>,
    ) -> Result<(), StudioError> {
        // Starting and stopping a pipeline may block.
        let old = self.preview.take();
        let out = self.shared.program.out().clone();
        let size = {
            let encoding = self.shared.encoding.lock();
            (encoding.width, encoding.height)
        };
        let made = tokio::task::spawn_blocking(move || {
            drop(old);
            preview
                .map(|p| PreviewPipeline::start(&out, size, p))
                .transpose()
        })
        .await
        .map_err(|e| StudioError::Program(e.to_string()))?;
        self.preview = made?;
        Ok(())
    }

    /// Everything, in the order that loses nothing: viewers hear of it, recordings are finished, sources last.
    async fn end(&mut self) {
        self.end_live().await;
        self.outputs.end_all().await;
        let preview = self.preview.take();
        let _ = tokio::task::spawn_blocking(move || drop(preview)).await;
        self.sources.end_all().await;
        self.server.end().await;
    }
}
