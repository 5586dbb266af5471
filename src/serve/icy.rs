// SPDX-License-Identifier: GPL-3.0-or-later
//! What is playing, woven into a stream of MP3 for players that asked for it with `Icy-MetaData: 1`.
//!
//! After each [`INTERVAL`] bytes of sound comes one byte that says how many times 16 bytes of text follow: none where
//! the text is the same as before. Nowhere standardised; this is what SHOUTcast began and every radio understands.

use bytes::Bytes;
use tokio::sync::watch;

use super::unsent::Unsent;

/// Bytes of sound between two texts: the number that players know best. One second of 128 kbit/s.
pub(super) const INTERVAL: usize = 16_000;
/// The longest text that one byte of length can tell.
const LONGEST: usize = 255 * 16;

/// One viewer's place between two texts.
pub(super) struct Weaver {
    until_text: usize,
    text: watch::Receiver<String>,
}

impl Weaver {
    pub(super) fn new(mut text: watch::Receiver<String>) -> Self {
        text.mark_changed();
        Weaver {
            until_text: INTERVAL,
            text,
        }
    }

    /// Put sound into what is to be sent, and texts where they are due.
    pub(super) fn weave(&mut self, mut sound: Bytes, into: &mut Unsent) {
        while sound.len() >= self.until_text {
            into.push(sound.split_to(self.until_text));
            into.push(self.text());
            self.until_text = INTERVAL;
        }
        self.until_text -= sound.len();
        into.push(sound);
    }

    fn text(&mut self) -> Bytes {
        match self.text.has_changed() {
            Ok(true) => block(&self.text.borrow_and_update()),
            Ok(false) | Err(_) => Bytes::from_static(&[0]),
        }
    }
}

/// `StreamTitle='…';` with its length before it, filled up to a multiple of 16.
fn block(title: &str) -> Bytes {
    const AROUND: usize = "StreamTitle='';".len();
    let mut title: String = title
        .chars()
        // There is no way to write a quote within quotes.
        .map(|c| match c {
            '\'' => '’',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect();
    while title.len() > LONGEST - AROUND {
        title.pop();
    }
    let text = format!("StreamTitle='{title}';");
    let units = text.len().div_ceil(16);
    let mut block = vec![0; 1 + units * 16];
    block[0] = units as u8;
    block[1..=text.len()].copy_from_slice(text.as_bytes());
    Bytes::from(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::now_playing::NowPlaying;

    /// Sound and texts as a player takes them apart.
    fn take_apart(mut stream: &[u8]) -> (usize, Vec<String>) {
        let (mut sound, mut texts) = (0, vec![]);
        while stream.len() > INTERVAL {
            sound += INTERVAL;
            let length = usize::from(stream[INTERVAL]) * 16;
            let text = &stream[INTERVAL + 1..][..length];
            let text = String::from_utf8(text.to_vec()).unwrap();
            texts.push(text.trim_end_matches('\0').to_string());
            stream = &stream[INTERVAL + 1 + length..];
        }
        (sound + stream.len(), texts)
    }

    #[test]
    fn a_text_comes_once_and_again_when_it_is_another() {
        let playing = NowPlaying::default();
        playing.set("First, a song".into());
        let mut weaver = Weaver::new(playing.subscribe());
        let mut out = Unsent::default();
        for n in 0..100 {
            if n == 60 {
                playing.set("It's another".into());
            }
            weaver.weave(Bytes::from(vec![n; 480]), &mut out);
        }
        // 48,000 bytes: one text due at each of three places, the last right at the end.
        let (sound, texts) = take_apart(&out.joined());
        assert_eq!(sound, 48_000);
        assert_eq!(
            texts,
            [
                "StreamTitle='First, a song';",
                "StreamTitle='It’s another';",
                ""
            ]
        );
    }

    #[test]
    fn one_large_piece_is_cut_at_every_place() {
        let playing = NowPlaying::default();
        let mut weaver = Weaver::new(playing.subscribe());
        let mut out = Unsent::default();
        weaver.weave(Bytes::from(vec![7; INTERVAL * 3 + 5]), &mut out);
        let (sound, texts) = take_apart(&out.joined());
        assert_eq!(sound, INTERVAL * 3 + 5);
        assert_eq!(texts, ["StreamTitle='';", "", ""]);
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_between_letters() {
        let block = block(&"ü".repeat(5000));
        assert_eq!(block.len(), 1 + LONGEST);
        let text = std::str::from_utf8(&block[1..]).unwrap();
        assert!(text.trim_end_matches('\0').ends_with("ü';"));
    }
}
