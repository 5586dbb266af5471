// SPDX-License-Identifier: GPL-3.0-or-later
//! What a file, playlist or link plays, and what comes next.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    error::SourceError,
    message::{Playback, Progress},
    source::{AudioSpec, Link, Spec, VideoSpec},
};

/// One thing to play.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::source) enum Item {
    File(PathBuf),
    Link(Link),
}

impl Item {
    /// As on the command line, without secrets.
    pub(super) fn text(&self) -> String {
        match self {
            Item::File(path) => format!("file:{}", path.display()),
            Item::Link(link) => link.to_string(),
        }
    }

    /// For whoever opens it.
    pub(super) fn uri(&self) -> Result<String, String> {
        match self {
            Item::Link(link) => Ok(link.secret().to_string()),
            Item::File(path) => {
                let path = std::path::absolute(path).map_err(|e| e.to_string())?;
                let uri = gst::glib::filename_to_uri(path, None).map_err(|e| e.to_string())?;
                Ok(uri.to_string())
            }
        }
    }
}

/// What follows the end of an item.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::source) enum After {
    /// The same from its beginning.
    Again,
    /// The next one is open to be opened.
    Next,
    /// Nothing, for this reason.
    Over(SourceError),
}

/// What is played.
#[derive(Debug)]
pub(in crate::source) struct Deck {
    items: Vec<Item>,
    index: usize,
    /// Begin again at the end.
    pub(in crate::source) looped: bool,
    /// Standing still.
    pub(in crate::source) paused: bool,
    /// Known once it plays; a stream without one is live.
    duration: Option<Duration>,
}

impl Deck {
    /// What a source of this spec plays; `None` if it plays nothing.
    pub(in crate::source) fn of(spec: &Spec) -> Option<Deck> {
        let items = match spec {
            Spec::Video(VideoSpec::File(path)) | Spec::Audio(AudioSpec::File(path)) => {
                playlist(path).unwrap_or_else(|| vec![Item::File(path.clone())])
            }
            Spec::Video(VideoSpec::Link(link)) | Spec::Audio(AudioSpec::Link(link)) => {
                vec![Item::Link(link.clone())]
            }
            Spec::Video(_) | Spec::Audio(_) => return None,
        };
        Some(Deck {
            items,
            index: 0,
            looped: true,
            paused: false,
            duration: None,
        })
    }

    /// What is to be played now.
    pub(super) fn item(&self) -> &Item {
        &self.items[self.index]
    }

    /// Whether there is one thing only, played over and over: then the end can be made seamless.
    pub(super) fn seamless(&self) -> bool {
        self.looped && self.items.len() == 1 && matches!(self.item(), Item::File(_))
    }

    /// For sentences.
    pub(in crate::source) fn name(&self) -> String {
        match self.item() {
            Item::File(path) => path.display().to_string(),
            Item::Link(link) => link.host(),
        }
    }

    /// Whether there is more than one thing to play.
    pub(in crate::source) fn is_list(&self) -> bool {
        self.items.len() > 1
    }

    /// To the next item or the one before, around the ends.
    pub(in crate::source) fn turn(&mut self, forward: bool) {
        let n = self.items.len();
        self.index = (self.index + if forward { 1 } else { n - 1 }) % n;
        self.paused = false;
        self.duration = None;
    }

    /// The item has come to its end.
    pub(in crate::source) fn at_end(&mut self) -> After {
        let last = self.index + 1 == self.items.len();
        match self.item() {
            Item::Link(link) if self.duration.is_none() && self.items.len() == 1 => {
                After::Over(SourceError::StreamEnded(link.host()))
            }
            Item::File(_) | Item::Link(_) if last && !self.looped => {
                let over = SourceError::Finished(self.name());
                self.index = 0;
                After::Over(over)
            }
            Item::File(_) | Item::Link(_) if self.items.len() == 1 => After::Again,
            Item::File(_) | Item::Link(_) => {
                self.turn(true);
                After::Next
            }
        }
    }

    /// Asked for while nothing is open. Whether that means to play again.
    pub(in crate::source) fn while_closed(&mut self, what: Playback) -> bool {
        match what {
            Playback::Loop(on) => {
                self.looped = on;
                on
            }
            Playback::Next | Playback::Previous => {
                self.turn(what == Playback::Next);
                true
            }
            Playback::Resume | Playback::Seek(_) => {
                self.paused = false;
                true
            }
            Playback::Pause => false,
        }
    }

    /// Where it is.
    pub(in crate::source) fn progress(
        &mut self,
        position: Duration,
        duration: Option<Duration>,
    ) -> Progress {
        self.duration = duration.filter(|d| !d.is_zero());
        let seconds = |d: Duration| (d.as_secs_f64() * 1000.0).round() / 1000.0;
        Progress {
            position: seconds(position),
            duration: self.duration.map(seconds),
            paused: self.paused,
            looped: self.looped,
            item: self.index + 1,
            items: self.items.len(),
        }
    }
}

/// The entries of a playlist (M3U), if this file is one. An HLS playlist is one film cut into pieces, not a list.
fn playlist(path: &Path) -> Option<Vec<Item>> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    if !matches!(ending.as_str(), "m3u" | "m3u8") {
        return None;
    }
    let text = String::from_utf8_lossy(&std::fs::read(path).ok()?).into_owned();
    if text.contains("#EXT-X-") {
        return None;
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let items: Vec<Item> = text
        .trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| match Link::looks_like_one(line) {
            true => match line.strip_prefix("file://") {
                Some(_) => gst::glib::filename_from_uri(line)
                    .ok()
                    .map(|(path, _)| Item::File(path)),
                None => line.parse().ok().map(Item::Link),
            },
            false => Some(Item::File(folder.join(line))),
        })
        .collect();
    (!items.is_empty()).then_some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deck(text: &str) -> Deck {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.m3u");
        std::fs::write(&path, text).unwrap();
        Deck::of(&Spec::Video(VideoSpec::File(path))).unwrap()
    }

    #[test]
    fn a_playlist_goes_round_and_ends_only_when_told_to() {
        let mut deck = deck("#EXTM3U\n#EXTINF:1,One\none.webm\n\nhttp://h.example/two\n");
        assert_eq!(deck.items.len(), 2);
        assert_eq!(deck.at_end(), After::Next);
        assert_eq!(deck.item().text(), "http://h.example/two");
        assert_eq!(deck.at_end(), After::Next);
        deck.looped = false;
        assert_eq!(deck.at_end(), After::Next);
        assert!(matches!(
            deck.at_end(),
            After::Over(SourceError::Finished(_))
        ));
        assert_eq!(deck.index, 0);
        deck.turn(false);
        assert_eq!(deck.index, 1);
    }

    #[test]
    fn a_film_cut_into_pieces_is_no_playlist() {
        let deck = deck("#EXTM3U\n#EXT-X-TARGETDURATION:4\na.ts\nb.ts\n");
        assert_eq!(deck.items.len(), 1);
        assert!(deck.seamless());
    }

    #[test]
    fn a_live_stream_that_ends_is_lost_but_a_film_begins_again() {
        let spec = Spec::Video(VideoSpec::Link("http://h.example/a".parse().unwrap()));
        let mut deck = Deck::of(&spec).unwrap();
        assert!(matches!(
            deck.at_end(),
            After::Over(SourceError::StreamEnded(_))
        ));
        deck.progress(Duration::ZERO, Some(Duration::from_secs(3)));
        assert_eq!(deck.at_end(), After::Again);
    }
}
