// SPDX-License-Identifier: GPL-3.0-or-later
//! Blocks of a document as widgets: labels whose text can be selected, so that the keyboard reaches them.

use adw::prelude::*;
use gtk::{glib, pango};

use super::markdown::Block;

/// The headings of a page, by the names that links have for them.
pub type Anchors = Vec<(String, gtk::Widget)>;

/// Put blocks onto a page. `follow` goes where a link leads, or says that it is none of the help's own.
pub fn fill(
    page: &gtk::Box,
    blocks: &[Block],
    follow: &(impl Fn(&str) -> bool + Clone + 'static),
) -> Anchors {
    let mut anchors = Anchors::new();
    for block in blocks {
        match block {
            Block::Heading(depth, name, markup) => {
                let label = heading(*depth, markup);
                anchors.push((name.clone(), label.clone().upcast()));
                page.append(&label);
            }
            Block::Text(markup) => page.append(&text(markup, follow)),
            Block::Item(depth, mark, markup) => page.append(&item(*depth, mark, markup, follow)),
            Block::Code(code) => page.append(&listing(code)),
            Block::Table(rows) => page.append(&table(rows, follow)),
        }
    }
    anchors
}

fn label(markup: &str) -> gtk::Label {
    gtk::Label::builder()
        .label(markup)
        .use_markup(true)
        .selectable(true)
        .wrap(true)
        .wrap_mode(pango::WrapMode::WordChar)
        .xalign(0.0)
        .yalign(0.0)
        .build()
}

fn heading(depth: u8, markup: &str) -> gtk::Label {
    let class = match depth {
        1 => "title-1",
        2 => "title-3",
        _ => "heading",
    };
    let label: gtk::Label = glib::Object::builder()
        .property("accessible-role", gtk::AccessibleRole::Heading)
        .property("label", markup)
        .property("use-markup", true)
        .property("selectable", true)
        .property("wrap", true)
        .property("xalign", 0.0f32)
        .build();
    label.add_css_class(class);
    label.set_margin_top(if depth == 1 { 0 } else { 12 });
    label.update_property(&[gtk::accessible::Property::Level(i32::from(depth))]);
    label
}

fn text(markup: &str, follow: &(impl Fn(&str) -> bool + Clone + 'static)) -> gtk::Label {
    let label = label(markup);
    let follow = follow.clone();
    label.connect_activate_link(move |_, link| match follow(link) {
        true => glib::Propagation::Stop,
        // GTK opens it.
        false => glib::Propagation::Proceed,
    });
    label
}

fn item(
    depth: usize,
    mark: &str,
    markup: &str,
    follow: &(impl Fn(&str) -> bool + Clone + 'static),
) -> gtk::Box {
    let row = gtk::Box::new(gtk::Orientation::Horizontal, 6);
    row.set_margin_start(6 + 18 * i32::try_from(depth).unwrap_or_default());
    let mark = gtk::Label::builder()
        .label(mark)
        .valign(gtk::Align::Start)
        .width_chars(2)
        .build();
    row.append(&mark);
    row.append(&text(markup, follow));
    row
}

fn listing(code: &str) -> gtk::Label {
    let label = label("");
    label.set_use_markup(false);
    label.set_text(code);
    for class in ["monospace", "card", "listing"] {
        label.add_css_class(class);
    }
    label
}

fn table(rows: &[Vec<String>], follow: &(impl Fn(&str) -> bool + Clone + 'static)) -> gtk::Grid {
    let grid = gtk::Grid::builder()
        .column_spacing(18)
        .row_spacing(9)
        .margin_top(3)
        .margin_bottom(6)
        .build();
    for (y, row) in (0..).zip(rows) {
        let last = row.len().saturating_sub(1);
        // Together they fit beside the topics, however many there are.
        let (first, rest) = match last {
            0..=3 => (12, 20),
            n => (36 / i32::try_from(n).unwrap_or(i32::MAX), 12),
        };
        for (i, (x, cell)) in (0..).zip(row).enumerate() {
            let cell = text(cell, follow);
            if y == 0 {
                cell.add_css_class("heading");
            }
            cell.set_hexpand(i == last);
            // Without these, one long cell would leave no room for the others.
            cell.set_width_chars(if i == last { rest } else { first });
            cell.set_max_width_chars(if i == last { 60 } else { 28 });
            grid.attach(&cell, x, y, 1, 1);
        }
    }
    grid
}
