// SPDX-License-Identifier: GPL-3.0-or-later
//! The window: the only room with GTK.
//!
//! | File | What is in it |
//! | --- | --- |
//! | `app`, `launch` | starts the engine, opens the window, ends both; what the desktop asks for: files, profiles, going live |
//! | `bridge` | engine ↔ models: the only event loop on the main thread |
//! | `model/` | what is shown, as objects that widgets bind to |
//! | `keeping/`, `profiles` | what is kept from one start to the next, and the menu of it |
//! | `actions`, `source_actions`, `viewer_actions` | what can be done: each action becomes a command |
//! | `staging` | what commands mean to whoever directs: show, place beside, remove and bring back |
//! | `intake`, `recent` | what was dropped, pasted or chosen, sorted into sources and into what cannot be used; files that were added before |
//! | `drag`, `drag_order`, `drop_zones` | dragging: what, where to, and in words what will happen |
//! | `states`, `settle` | buttons and sliders that show what the engine says, not what was clicked |
//! | `notice`, `health`, `words`, `link` | errors, state, numbers and addresses in words |
//! | `preferences`, `desktop`, `anywhere` | what is set once; what the desktop is told: stay awake, who came, what failed, going on unseen; its keys |
//! | `statistics` | the last ten minutes as graphs, and all figures as a text |
//! | `help` | the documents of `docs/`, shown as pages |
//! | `window` | places the panels: `sources` (with `layout_bar`, `source_row`, `strip_row`, `quality`), `preview` (with `meter`, `safe_areas`), `outputs`, `viewers`, `controls` |
//!
//! A click is an action, an action is a command, its effect comes back as an event, the event changes a model, and
//! widgets show the model. No widget changes its own look because it was clicked.
//!
//! # Accessible names
//!
//! Screen readers and tests find things by these (in English):
//!
//! | What | Role | Name |
//! | --- | --- | --- |
//! | go live / end | push button | `Go live` / `End` (`Ending…` while it ends) |
//! | record | push button | `Record` / `Stop recording` |
//! | tally | status bar | `Off air`, `Starting`, `LIVE`, `Ending` |
//! | link of the watch page | link | the address itself, `http://127.0.0.1:8080/` |
//! | copy the link | push button | `Copy link` |
//! | tabs | page tab | `Outputs`, `Viewers` (`Viewers 3`) |
//! | list of viewers | tree table | `Viewers` |
//! | kick a viewer | push button in its row | `Kick NAME`, for example `Kick Chrome 128` |
//! | lists of sources | list | `Picture sources`, `Sound sources` |
//! | a source | list item | `NAME` |
//! | buttons of a picture | push button | `Show NAME alone`, `NAME on screen`, `Settings of NAME` |
//! | its settings | push button, spin buttons | `Fit`, `Fill`, `Stretch`, `Crop left` (…), `Move up`, `Move down`, `Remove NAME` |
//! | a film | push button, slider | `Pause NAME` or `Play NAME`, `Place in NAME`, `Loop NAME`, `Next of NAME`, `Previous of NAME` |
//! | a sound | push button, sliders | `Mute NAME`, `Loudness of NAME`, `Listen to NAME`, `Balance of NAME`, `Delay of NAME in milliseconds` |
//! | layouts | push button | `One picture`, `Picture in picture`, `Side by side`, `Grid` (pressed is the one that is) |
//! | more of them | push button | `Small picture and transition`, `Text and logo` |
//! | devices not in use | list, with push buttons | `Plugged in`, `Add NAME` |
//! | form of a link, of pictures | text, push button | `Address`, `Name of the pictures`; `Add`, `Cancel` |
//! | where a drop goes | status bar | what will happen, for example `Show it in the left half` |
//! | add a source, an output | push button | `Add source`, `Add output` |
//! | outputs other than this computer | list | `Other outputs` |
//! | switch of an output | check box | `Send to NAME`, of a recording `Record NAME` |
//! | buttons of an output | push button | `Try NAME now`, `Change NAME`, `Show NAME in its folder`, `Remove NAME`; of a recording `Pause recording NAME`, `Go on recording NAME` |
//! | sound | level bar | `Sound level` |
//! | codec, bitrates | combo box, spin buttons | `Picture codec`, `Picture bitrate`, `Sound bitrate` |
//! | form of an Icecast server | text, spin button | `Host`, `Port`, `Mount`, `User`, `Source password`; `Add` or `Apply` |
//! | side panels | push button | `Show sources`, `Show outputs and viewers` |
//! | question before closing | push button | begins with `End and close`, `Finish and close`, `Cancel` |
//! | statistics | drop-down, push button | `Whose numbers are shown`, `Copy as text` |
//! | help (F1) | list, headings, labels | `Topics`, a list item each; the text of a document |
//! | message under the header | alert, with a push button | `Dismiss the message` |

mod actions;
mod anywhere;
mod app;
mod bridge;
mod codec_choice;
mod controls;
mod desktop;
mod device_row;
mod drag;
mod drag_order;
mod drop_zones;
mod failure;
mod files;
mod first_sources;
mod glyph;
mod health;
mod help;
mod intake;
mod keeping;
mod launch;
mod layout_bar;
mod link;
mod locale;
mod meter;
mod model;
mod notice;
mod notice_bar;
mod output_form;
mod output_kinds;
mod output_row;
mod outputs;
mod overlay_form;
mod picker;
mod preferences;
mod preview;
mod profiles;
mod qr;
mod quality;
mod recent;
mod renderer;
mod safe_areas;
mod server_card;
mod settle;
mod shortcuts;
mod source_actions;
mod source_form;
mod source_options;
mod source_row;
mod sources;
mod staging;
mod states;
mod statistics;
mod strip_row;
mod tally;
mod transport;
mod viewer_actions;
mod viewer_columns;
mod viewers;
mod window;
mod words;

use std::process::ExitCode;

pub use launch::{Start, file};

/// Show the window on an engine started with these options, until it is closed. Without any source among them, and
/// without files to show, the camera and the microphone that are there are shown, else the test card.
///
/// GStreamer is set up before; GTK must not be, for how it draws is chosen here.
pub fn run(start: Start) -> ExitCode {
    let drawing = renderer::choose();
    locale::choose();
    if let Err(e) = gstgtk4::plugin_register_static() {
        // The window opens without a preview, and says so.
        tracing::error!(error = %e, "gtk4paintablesink cannot be registered");
    }
    app::run(start, drawing)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use adw::prelude::*;
    use studio::{
        Studio, StudioOptions,
        encode::EncodeSettings,
        error::{OutputError, StudioError},
        message::{MediaKind, OutputState, OutputStatus, SourceState, SourceStatus},
    };

    use super::{
        bridge::Bridge,
        failure::Failure,
        keeping::Looks,
        launch::Load,
        model::{OutputItem, SourceItem, Tone},
        notice::Notice,
        output_row::OutputRow,
        renderer::Drawing,
        shortcuts,
        source_row::SourceRow,
        strip_row::StripRow,
        window::Window,
    };

    /// One test, since GTK stays with the thread that initialised it.
    #[test]
    fn every_widget_can_be_made() {
        if adw::init().is_err() {
            eprintln!("skipped: there is no display");
            return;
        }
        gst::init().unwrap();
        let _ = gstgtk4::plugin_register_static();
        let studio = Studio::start(StudioOptions {
            video: vec![],
            audio: vec![],
            encoding: EncodeSettings::default(),
            listen: ([127, 0, 0, 1], 0).into(),
            embed: vec![],
            api_token: "token".into(),
            sharing: Default::default(),
            read_token: None,
            token_file: None,
            obs: None,
            outputs: vec![],
            now_playing: None,
            scene: None,
            demo: None,
        })
        .unwrap();
        let app = adw::Application::builder().build();
        app.register(gtk::gio::Cancellable::NONE).unwrap();
        let bridge = Bridge::new(studio, vec![]);
        let load: Load = |_| Err(StudioError::NoSuchViewer);
        let window = Window::new(
            &app,
            bridge.clone(),
            Drawing::Software,
            load,
            &Looks::default(),
        );
        let air = window.lookup_action("air").unwrap();
        assert!(air.is_enabled(), "Go live can be pressed");

        // It is seen narrower than it is made before it has a place.
        window.set_default_size(400, 700);
        window.present();
        let end = Instant::now() + Duration::from_secs(60);
        while matches!(window.preview().made_width(), 0 | 640) {
            let width = window.preview().made_width();
            assert!(Instant::now() < end, "still {width} wide");
            gtk::glib::MainContext::default().iteration(true);
        }

        let source = SourceStatus {
            id: 1,
            kind: MediaKind::Video,
            spec: "test".into(),
            state: SourceState::Live,
            warning: None,
            partner: None,
            framing: Default::default(),
            strip: Default::default(),
        };
        let item = SourceItem::new(&source, &[]);
        SourceRow::new(&item, &bridge);
        StripRow::new(&item, &bridge);
        let output = OutputStatus {
            name: "radio".into(),
            kind: "icecast",
            url: "icecast://h:8000/m".into(),
            enabled: true,
            warning: None,
            state: OutputState::Failed(OutputError::Denied {
                host: "h:8000".into(),
            }),
        };
        let item = OutputItem::new(&output, true);
        assert_eq!(item.tone(), Tone::Trouble);
        assert!(item.denied() && item.retryable());
        OutputRow::new(&item);
        shortcuts::window();
        let notice = Notice {
            what: "a < b".into(),
            remedy: "c & d".into(),
        };
        Failure::new(&app, &notice);
    }
}
