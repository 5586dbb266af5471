// SPDX-License-Identifier: GPL-3.0-or-later
//! The codecs there are to choose from: those that work here, and those that do not, with what is to be done about it.

use gettextrs::gettext;
use gtk::prelude::*;
use studio::{
    encode::{Ability, CODECS, Codec, EncodeSettings, Encoder, Unable, known_ability},
    message::MediaKind,
};

use super::words::fill;

/// One line of the list.
pub struct Choice {
    pub codec: &'static Codec,
    /// The encoder asked for; without one the best that works is taken.
    pub encoder: Option<&'static str>,
    /// What the list says.
    pub label: String,
    /// What does the work, or why it cannot be had.
    pub detail: String,
    pub works: bool,
}

impl Choice {
    /// The word for it, as on the command line.
    pub fn word(&self) -> String {
        word(self.codec, self.encoder)
    }
}

fn word(codec: &Codec, encoder: Option<&str>) -> String {
    match encoder {
        Some(encoder) => format!("{}:{encoder}", codec.name),
        None => codec.name.to_string(),
    }
}

/// The word for the codec in force.
pub fn word_in_force(settings: &EncodeSettings, media: MediaKind) -> String {
    let codec = match media {
        MediaKind::Video => settings.video,
        MediaKind::Audio => settings.audio,
    };
    word(codec, settings.encoders.get(codec.name).copied())
}

/// All choices for picture or sound, in the order of the table.
pub fn choices(media: MediaKind) -> Vec<Choice> {
    let codecs = CODECS.iter().filter(|c| c.media == media && c.choice);
    codecs.flat_map(of_codec).collect()
}

fn of_codec(codec: &'static Codec) -> Vec<Choice> {
    let Some(ability) = known_ability(codec) else {
        // Not tried yet: as far as is known.
        let works = codec.installed().is_ok();
        let detail = match works {
            true => String::new(),
            false => install(codec.usual().package),
        };
        return vec![line(codec, None, detail, works)];
    };
    let Ok(best) = ability.best(None) else {
        return vec![line(codec, None, why_not(&ability), false)];
    };
    let mut lines = vec![line(codec, None, place(best), true)];
    let working: Vec<_> = ability.encoders.iter().filter(|(_, r)| r.is_ok()).collect();
    if working.len() > 1 {
        lines[0].detail = fill(
            gettext("The best here: {encoder}"),
            &[("encoder", best.element)],
        );
        let each = working.iter().map(|(encoder, _)| {
            let mut choice = line(codec, Some(encoder.element), place(encoder), true);
            choice.label = fill(
                gettext("{codec} by {encoder}"),
                &[("codec", codec.label), ("encoder", encoder.element)],
            );
            choice
        });
        lines.extend(each);
    }
    lines
}

fn line(
    codec: &'static Codec,
    encoder: Option<&'static str>,
    detail: String,
    works: bool,
) -> Choice {
    Choice {
        codec,
        encoder,
        label: codec.label.into(),
        detail,
        works,
    }
}

/// What does the work, and where.
fn place(encoder: &Encoder) -> String {
    format!("{}, {}", encoder.element, encoder.place.label())
}

fn install(package: &str) -> String {
    fill(
        gettext("Install the package {package}"),
        &[("package", package)],
    )
}

fn why_not(ability: &Ability) -> String {
    let failed = ability.encoders.iter().find_map(|(e, r)| match r {
        Err(Unable::Failed(why)) => Some((e, why)),
        Ok(()) | Err(Unable::Missing(_)) => None,
    });
    match failed {
        Some((encoder, why)) => fill(
            gettext("{encoder} does not work here: {why}"),
            &[("encoder", encoder.element), ("why", why)],
        ),
        None => install(ability.codec.usual().package),
    }
}

/// Draws each line of the list: its name, under it what does the work, grey if it cannot be chosen.
pub fn factory(media: MediaKind) -> gtk::SignalListItemFactory {
    let factory = gtk::SignalListItemFactory::new();
    factory.connect_setup(|_, item| {
        let Some(item) = item.downcast_ref::<gtk::ListItem>() else {
            return;
        };
        let name = gtk::Label::builder().xalign(0.0).build();
        let detail = gtk::Label::builder()
            .xalign(0.0)
            .wrap(true)
            .max_width_chars(32)
            .build();
        detail.add_css_class("caption");
        detail.add_css_class("dim-label");
        let lines = gtk::Box::new(gtk::Orientation::Vertical, 0);
        lines.append(&name);
        lines.append(&detail);
        item.set_child(Some(&lines));
    });
    factory.connect_bind(move |_, item| {
        let Some(item) = item.downcast_ref::<gtk::ListItem>() else {
            return;
        };
        let all = choices(media);
        let Some(choice) = all.get(item.position() as usize) else {
            return;
        };
        item.set_selectable(choice.works);
        item.set_activatable(choice.works);
        let Some(lines) = item.child() else { return };
        lines.set_sensitive(choice.works);
        let labels = [&choice.label, &choice.detail];
        let children = std::iter::successors(lines.first_child(), |l| l.next_sibling());
        for (label, text) in children
            .filter_map(|c| c.downcast::<gtk::Label>().ok())
            .zip(labels)
        {
            label.set_label(text);
            label.set_visible(!text.is_empty());
        }
    });
    factory
}

/// The list for a combo row.
pub fn model(media: MediaKind) -> gtk::StringList {
    let labels: Vec<_> = choices(media).into_iter().map(|c| c.label).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    gtk::StringList::new(&labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_to_choose_has_a_line_that_says_what_encodes_it_or_what_to_install() {
        gst::init().unwrap();
        for media in [MediaKind::Video, MediaKind::Audio] {
            for codec in CODECS.iter().filter(|c| c.media == media && c.choice) {
                studio::encode::ability(codec);
            }
            let all = choices(media);
            let words: Vec<_> = all.iter().map(Choice::word).collect();
            let unique: std::collections::BTreeSet<_> = words.iter().collect();
            assert_eq!(unique.len(), words.len());
            assert!(all.iter().all(|c| !c.detail.is_empty()));
            let defaults = EncodeSettings::default();
            assert!(words.contains(&word_in_force(&defaults, media)));
        }
    }
}
