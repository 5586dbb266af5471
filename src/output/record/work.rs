// SPDX-License-Identifier: GPL-3.0-or-later
//! The work of one recording: packets to files, until told to stop.

use std::{
    path::PathBuf,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, SystemTime},
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    Kind, Split,
    edit::{Edit, Goes, Piece},
    name::Names,
    pulse::{Held, Pulse},
    reel::{self, Reel},
    room,
    tape::Tape,
};
use crate::{
    encode::{Packet, Track},
    error::OutputError,
    message::OutputState,
    output::{Context, Progress},
};

/// Encoders that are restarted so often without giving a packet will not give any.
const RESTARTS: u32 = 5;

/// Record until told to stop.
pub(in crate::output) async fn run(
    context: Context,
    path: PathBuf,
    overwrite: bool,
    split: Option<Split>,
) {
    context.cell.file.lock().take();
    context.tell(OutputState::Connecting { attempt: 1 });
    let other = |e: &dyn std::fmt::Display| OutputError::Other(e.to_string());
    let names = Names::new(&path, overwrite, split.is_some()).map_err(|e| other(&e));
    let kind = Kind::of(&path).ok_or_else(|| other(&"its ending is none that is known"));
    let end = match (names, kind) {
        (Ok(names), Ok(kind)) => {
            let mut work = Work {
                kind,
                names,
                split,
                progress: Progress::new(),
                reel: None,
                finishing: JoinSet::new(),
                context: &context,
            };
            let end = work.record().await;
            let finished = work.finish().await;
            end.and(finished)
        }
        (Err(e), _) | (_, Err(e)) => Err(e),
    };
    context.warn(None);
    context.tell(match end {
        Ok(()) => OutputState::Off,
        Err(e) => OutputState::Failed(e),
    });
}

struct Work<'a> {
    context: &'a Context,
    kind: &'static Kind,
    names: Names,
    split: Option<Split>,
    /// Of all files together.
    progress: Progress,
    reel: Option<Reel>,
    /// Files that write their end while the next one is written already.
    finishing: JoinSet<Result<(), OutputError>>,
}

/// Why the tape was left.
enum Leave {
    /// The user wants no more.
    Stopped,
    /// The encoders were restarted: what comes now may be of another kind, and goes to another file.
    Restarted {
        /// Whether anything came before.
        any: bool,
    },
}

impl Work<'_> {
    /// Returns when told to stop; an error is what stopped it before.
    async fn record(&mut self) -> Result<(), OutputError> {
        if self.context.encoders.rungs_of(self.kind.format).is_empty() {
            let why = "the broadcast has nothing that this kind of file can hold";
            return Err(OutputError::Other(why.into()));
        }
        let mut restarts = 0;
        while restarts < RESTARTS {
            let opened = tokio::select! {
                biased;
                () = self.context.stopped() => return Ok(()),
                opened = Tape::open(&self.context.encoders, self.kind.format) => opened,
            };
            let tape = opened.map_err(|e| OutputError::Other(e.to_string()))?;
            match self.play(tape).await? {
                Leave::Stopped => return Ok(()),
                Leave::Restarted { any } => restarts = if any { 0 } else { restarts + 1 },
            }
            self.put_away();
        }
        Err(OutputError::Other(
            "the encoders are restarted again and again".into(),
        ))
    }

    async fn play(&mut self, mut tape: Tape) -> Result<Leave, OutputError> {
        let context = self.context;
        let mut hold = context.hold.clone();
        let mut held = *hold.borrow_and_update();
        if held {
            // Told before it had begun, or before the encoders were restarted.
            context.tell(OutputState::Paused);
        }
        let tracks = tape.tracks();
        let mut edit = Edit::new(tracks.len(), self.split, held);
        let mut pulse = Pulse::new(tracks.len(), Instant::now());
        let (mut any, mut skipped) = (false, 0);
        loop {
            let full = self.reel.as_ref().is_some_and(Reel::is_full);
            tokio::select! {
                biased;
                () = context.stopped() => return Ok(Leave::Stopped),
                changed = hold.changed() => {
                    if changed.is_err() {
                        return Ok(Leave::Stopped);
                    }
                    held = *hold.borrow_and_update();
                    edit.hold(held);
                    pulse.moved(Instant::now());
                    context.calm(&OutputError::Starved);
                    context.tell(match held {
                        true => OutputState::Paused,
                        false => OutputState::Connecting { attempt: 1 },
                    });
                }
                news = news_of(&mut self.reel) => match news {
                    News::Failed(error) => return Err(error),
                    News::Room(left) => self.tell_room(left)?,
                },
                () = self.progress.moved.notified() => {
                    pulse.moved(Instant::now());
                    context.calm(&OutputError::Starved);
                    let bytes = self.progress.accepted.load(Relaxed);
                    context.cell.bytes.store(bytes, Relaxed);
                    let live = matches!(*context.cell.state.borrow(), OutputState::Live { .. });
                    if !live && !held {
                        context.tell(OutputState::Live { since: SystemTime::now() });
                    }
                }
                () = sleep_until(pulse.due()), if !held => match (pulse.held(Instant::now()), &self.reel) {
                    (Held::ByDisk, Some(reel)) => return Err(reel::stuck(reel.path().to_path_buf())),
                    // It goes on as soon as they do.
                    _ => context.warn(Some(OutputError::Starved)),
                },
                // The disk is slow. The tape skips if this lasts.
                () = sleep(Duration::from_millis(50)), if full => (),
                next = tape.next(), if !full => {
                    let Some((track, packet)) = next else {
                        return Ok(Leave::Restarted { any });
                    };
                    any = true;
                    pulse.fed(track, Instant::now());
                    let now = packet.pts;
                    self.put(&mut edit, &tracks, track, packet).await?;
                    if edit.asks(now) {
                        tape.request_key_frame();
                    }
                    if tape.skipped() > skipped {
                        skipped = tape.skipped();
                        tracing::warn!(skipped, "the disk is too slow for the recording");
                    }
                }
            }
        }
    }

    async fn put(
        &mut self,
        edit: &mut Edit,
        tracks: &[Track],
        track: usize,
        packet: Packet,
    ) -> Result<(), OutputError> {
        let goes = edit.take(Piece {
            track,
            key: packet.key,
            pts: packet.pts,
            duration: packet.duration,
            size: packet.data.len(),
        });
        let at = match goes {
            Goes::Away => return Ok(()),
            Goes::Here(at) => at,
            Goes::Next => {
                self.put_away();
                let (names, progress) = (&mut self.names, &self.progress);
                let reel = Reel::start(self.context, self.kind, tracks, names, progress).await?;
                self.context.writes(reel.path().to_path_buf());
                self.reel = Some(reel);
                Duration::ZERO
            }
        };
        if let Some(reel) = &mut self.reel {
            reel.put(track, packet, at);
        }
        Ok(())
    }

    /// Warn of a disk that gets full; an error when it is.
    fn tell_room(&self, left: room::Left) -> Result<(), OutputError> {
        let path = match &self.reel {
            Some(reel) => reel.path().to_path_buf(),
            None => return Ok(()),
        };
        self.context.warn(match left {
            room::Left::Plenty => None,
            room::Left::Minutes(minutes) => Some(OutputError::DiskFilling { path, minutes }),
            room::Left::Nothing => return Err(OutputError::DiskFull { path }),
        });
        Ok(())
    }

    /// Let the present file write its end while others go on.
    fn put_away(&mut self) {
        if let Some(reel) = self.reel.take() {
            self.finishing.spawn(reel.finish());
        }
    }

    /// Wait until all files have their end.
    async fn finish(&mut self) -> Result<(), OutputError> {
        self.put_away();
        let mut all = Ok(());
        while let Some(ended) = self.finishing.join_next().await {
            all = all.and(ended.unwrap_or(Ok(())));
        }
        all
    }
}

/// What the present file has to say.
enum News {
    Failed(OutputError),
    Room(room::Left),
}

async fn news_of(reel: &mut Option<Reel>) -> News {
    match reel {
        Some(reel) => {
            let (failed, room) = reel.watch();
            tokio::select! {
                error = failed => News::Failed(error),
                left = room => News::Room(left),
            }
        }
        None => std::future::pending().await,
    }
}
