// SPDX-License-Identifier: GPL-3.0-or-later
//! Sound leaves with the picture where many watch: each time of leaving costs every viewer's connection as much as some
//! packets.

use std::time::{Duration, Instant};

use crate::message::MediaKind;

/// Sound waits this long for the next picture at most: as long as one more block of Opus, which every player can wait for.
const LONGEST: Duration = Duration::from_millis(20);
/// Fewer viewers than these get it at once.
const MANY: usize = 8;
/// A picture that came longer ago than this is not waited for.
const PICTURES_COME: Duration = Duration::from_millis(100);

/// Whether sound waits.
#[derive(Default)]
pub(super) struct Together {
    /// Since when it does.
    since: Option<Instant>,
    /// When the last picture came.
    pictured: Option<Instant>,
}

impl Together {
    /// Whether these frames, for so many viewers, are to wait for more.
    pub(super) fn may_wait(
        &mut self,
        frames: impl Iterator<Item = MediaKind>,
        viewers: usize,
        now: Instant,
    ) -> bool {
        let (mut any, mut pictures) = (false, false);
        frames.for_each(|kind| {
            any = true;
            pictures |= kind == MediaKind::Video;
        });
        if pictures {
            self.pictured = Some(now);
        }
        let ago = |at| now.saturating_duration_since(at);
        let pictures_come = self.pictured.is_some_and(|at| ago(at) < PICTURES_COME);
        let waits = any
            && !pictures
            && viewers >= MANY
            && pictures_come
            && ago(*self.since.get_or_insert(now)) < LONGEST;
        if !waits {
            self.since = None;
        }
        waits
    }

    /// When what waits has to leave.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: [MediaKind; 1] = [MediaKind::Audio];
    const BOTH: [MediaKind; 2] = [MediaKind::Audio, MediaKind::Video];

    #[test]
    fn sound_for_many_waits_for_a_picture_but_not_long() {
        let (mut together, start) = (Together::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert!(!together.may_wait(BOTH.into_iter(), MANY, at(0)));
        assert!(together.may_wait(SOUND.into_iter(), MANY, at(5)));
        assert_eq!(together.due(), Some(at(25)));
        assert!(!together.may_wait(BOTH.into_iter(), MANY, at(20)));
        assert_eq!(together.due(), None);
        assert!(together.may_wait(SOUND.into_iter(), MANY, at(25)));
        assert!(!together.may_wait(SOUND.into_iter(), MANY, at(45)));
        assert_eq!(together.due(), None);
    }

    #[test]
    fn sound_for_few_or_without_a_picture_leaves_at_once() {
        let (mut together, now) = (Together::default(), Instant::now());
        assert!(!together.may_wait(SOUND.into_iter(), MANY, now));
        assert!(!together.may_wait(BOTH.into_iter(), MANY, now));
        assert!(!together.may_wait(SOUND.into_iter(), MANY - 1, now));
        assert!(!together.may_wait(std::iter::empty(), MANY, now));
        let later = now + PICTURES_COME;
        assert!(!together.may_wait(SOUND.into_iter(), MANY, later));
    }
}
