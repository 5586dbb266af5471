// SPDX-License-Identifier: GPL-3.0-or-later
//! The columns of the viewers list.

use gettextrs::gettext;
use gtk::{accessible::Property, gio, pango, prelude::*};

use super::{
    model::{ViewerItem, past::Subject},
    words::fill,
};

/// Give the list its columns, sorted by who came first.
pub fn append(list: &gtk::ColumnView) {
    let who = column(&gettext("Who"), who_cell(), text_sorter("client"));
    who.set_expand(true);
    // The rate stands below: seven columns are too many for the panel.
    let by_how = gtk::MultiSorter::new();
    by_how.append(text_sorter("how"));
    by_how.append(number_sorter("bitrate"));
    let how = column(&gettext("How"), how_cell(), by_how.upcast());
    // Translators: for how long somebody has been watching
    let since = column(
        &gettext("For"),
        text_cell("duration", None),
        number_sorter("since"),
    );
    let health = column(
        &gettext("Health"),
        text_cell("health", Some(ViewerItem::details)),
        number_sorter("rank"),
    );
    let kick = gtk::ColumnViewColumn::new(None, Some(kick_cell()));
    let more = gtk::ColumnViewColumn::new(None, Some(more_cell()));
    for column in [&who, &how, &since, &health, &kick, &more] {
        list.append_column(column);
    }
    list.sort_by_column(Some(&since), gtk::SortType::Ascending);
}

fn column(
    title: &str,
    cells: gtk::SignalListItemFactory,
    sorter: gtk::Sorter,
) -> gtk::ColumnViewColumn {
    let column = gtk::ColumnViewColumn::new(Some(title), Some(cells));
    column.set_sorter(Some(&sorter));
    column
}

fn text_sorter(property: &str) -> gtk::Sorter {
    let value =
        gtk::PropertyExpression::new(ViewerItem::static_type(), gtk::Expression::NONE, property);
    gtk::StringSorter::new(Some(value)).upcast()
}

fn number_sorter(property: &str) -> gtk::Sorter {
    let value =
        gtk::PropertyExpression::new(ViewerItem::static_type(), gtk::Expression::NONE, property);
    gtk::NumericSorter::new(Some(value)).upcast()
}

/// A cell is made once and shows one viewer after another; its bindings are expressions, so they follow by themselves.
fn cells(make: impl Fn(&gtk::ListItem) -> gtk::Widget + 'static) -> gtk::SignalListItemFactory {
    let factory = gtk::SignalListItemFactory::new();
    factory.connect_setup(move |_, item| {
        let item = item
            .downcast_ref::<gtk::ListItem>()
            .expect("a column view makes list items");
        item.set_child(Some(&make(item)));
    });
    factory
}

/// Whenever a cell gets another viewer, tell its widget.
fn on_bind<W: IsA<gtk::Widget>>(
    factory: &gtk::SignalListItemFactory,
    tell: impl Fn(&ViewerItem, &W) + 'static,
) {
    factory.connect_bind(move |_, item| {
        let item = item
            .downcast_ref::<gtk::ListItem>()
            .expect("a column view makes list items");
        let viewer = item.item().and_downcast::<ViewerItem>();
        let widget = item.child().and_downcast::<W>();
        if let (Some(viewer), Some(widget)) = (viewer, widget) {
            tell(&viewer, &widget);
        }
    });
}

/// Something to say about a viewer.
type Words = fn(&ViewerItem) -> String;

/// Show a property of the viewer in this cell.
fn show(item: &gtk::ListItem, property: &str, label: &gtk::Label) {
    item.property_expression("item")
        .chain_property::<ViewerItem>(property)
        .bind(label, "label", gtk::Widget::NONE);
}

/// Say this where the pointer rests. Only when it does: to set a tooltip asks the display server where the pointer is, each
/// time, in each row.
fn tell(
    item: &gtk::ListItem,
    widget: &impl IsA<gtk::Widget>,
    words: impl Fn(&ViewerItem) -> String + 'static,
) {
    let item = item.downgrade();
    widget.set_has_tooltip(true);
    widget.connect_query_tooltip(move |_, _, _, _, tooltip| {
        let viewer = item.upgrade().and_then(|item| item.item());
        let viewer = viewer.and_downcast::<ViewerItem>();
        tooltip.set_text(viewer.as_ref().map(&words).as_deref());
        viewer.is_some()
    });
}

fn label(classes: &[&str]) -> gtk::Label {
    let label = gtk::Label::builder().xalign(0.0).build();
    label.set_css_classes(classes);
    label
}

fn text_cell(property: &'static str, tooltip: Option<Words>) -> gtk::SignalListItemFactory {
    cells(move |item| {
        let label = label(&["numeric"]);
        show(item, property, &label);
        if let Some(tooltip) = tooltip {
            tell(item, &label, tooltip);
        }
        label.upcast()
    })
}

fn who_cell() -> gtk::SignalListItemFactory {
    cells(|item| {
        let both = gtk::Box::new(gtk::Orientation::Vertical, 0);
        let client = label(&[]);
        let address = label(&["caption", "dim-label", "numeric"]);
        let lines: [(_, _, Words); 2] = [
            (&client, "client", ViewerItem::client),
            (&address, "place", ViewerItem::place),
        ];
        for (label, property, words) in lines {
            label.set_ellipsize(pango::EllipsizeMode::End);
            show(item, property, label);
            tell(item, label, words);
            both.append(label);
        }
        both.upcast()
    })
}

fn how_cell() -> gtk::SignalListItemFactory {
    cells(|item| {
        let both = gtk::Box::new(gtk::Orientation::Vertical, 0);
        let how = label(&[]);
        show(item, "how", &how);
        tell(item, &how, ViewerItem::format);
        let rate = label(&["caption", "dim-label", "numeric"]);
        show(item, "rate", &rate);
        both.append(&how);
        both.append(&rate);
        both.upcast()
    })
}

fn kick_cell() -> gtk::SignalListItemFactory {
    let factory = cells(|item| {
        let button = gtk::Button::from_icon_name("window-close-symbolic");
        button.set_css_classes(&["flat", "circular", "kick"]);
        button.set_valign(gtk::Align::Center);
        tell(item, &button, kick_words);
        button.upcast()
    });
    on_bind(&factory, |viewer, button: &gtk::Button| {
        // The target goes first: an action of that name without one does not exist.
        button.set_action_target_value(Some(&viewer.id().to_variant()));
        button.set_action_name(Some("win.kick"));
        button.update_property(&[Property::Label(&kick_words(viewer))]);
    });
    factory
}

fn kick_words(viewer: &ViewerItem) -> String {
    fill(gettext("Kick {name}"), &[("name", &viewer.client())])
}

fn more_words(viewer: &ViewerItem) -> String {
    fill(gettext("More about {name}"), &[("name", &viewer.client())])
}

/// What else can be done about a viewer. The menu is made when it is opened: one for each row that comes into view would
/// be most of what the list costs.
fn more_cell() -> gtk::SignalListItemFactory {
    let factory = cells(|item| {
        let button = gtk::MenuButton::new();
        button.set_icon_name("view-more-symbolic");
        button.set_css_classes(&["flat", "circular"]);
        button.set_valign(gtk::Align::Center);
        tell(item, &button, more_words);
        let item = item.downgrade();
        button.set_create_popup_func(move |button| {
            let viewer = item.upgrade().and_then(|item| item.item());
            if let Some(viewer) = viewer.and_downcast::<ViewerItem>() {
                button.set_menu_model(Some(&menu(&viewer)));
            }
        });
        button.upcast()
    });
    on_bind(&factory, |viewer, button: &gtk::MenuButton| {
        button.update_property(&[Property::Label(&more_words(viewer))]);
    });
    factory
}

fn menu(viewer: &ViewerItem) -> gio::Menu {
    let menu = gio::Menu::new();
    for (label, action) in [
        (gettext("Write a note…"), "win.note"),
        (gettext("Find out its name"), "win.look-up"),
        (gettext("Ban this address"), "win.ban"),
    ] {
        let entry = gio::MenuItem::new(Some(&label), None);
        entry.set_action_and_target_value(Some(action), Some(&viewer.id().to_variant()));
        menu.append_item(&entry);
    }
    // Another kind of target than the others.
    let entry = gio::MenuItem::new(Some(&gettext("Statistics")), None);
    let word = Subject::Viewer(viewer.id()).word();
    entry.set_action_and_target_value(Some("win.statistics"), Some(&word.to_variant()));
    menu.append_item(&entry);
    menu
}
