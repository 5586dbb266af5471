// SPDX-License-Identifier: GPL-3.0-or-later
//! Text and logo over the program. Both elements pass frames on untouched while they have nothing to show.

use std::path::Path;

use gst::prelude::*;

use super::scene::{Corner, Logo, Overlays, TextLine, TextPlace};
use crate::error::StudioError;

const LOGO: &str = "gdkpixbufoverlay";
const TEXT: &str = "textoverlay";
/// Distance of the logo from the edges, as a share of the program's height.
const MARGIN: f64 = 0.03;

/// The part of the program's launch line between compositor and sink; empty where the elements are not installed.
pub(super) fn launch() -> String {
    let there = |element: &str| gst::ElementFactory::find(element).is_some();
    let logo = there(LOGO).then(|| format!(" ! {LOGO} name=logo"));
    let text = there(TEXT).then(|| format!(" ! {TEXT} name=text silent=true"));
    logo.into_iter().chain(text).collect()
}

/// What lies over the pictures.
pub(super) struct Overlay {
    logo: Option<gst::Element>,
    text: Option<gst::Element>,
    size: (u32, u32),
}

impl Overlay {
    pub(super) fn find(mixing: &gst::Bin, size: (u32, u32)) -> Option<Overlay> {
        let (logo, text) = (mixing.by_name("logo"), mixing.by_name("text"));
        (logo.is_some() || text.is_some()).then_some(Overlay { logo, text, size })
    }

    /// Show this and nothing else.
    pub(super) fn show(&self, overlays: &Overlays) -> Result<(), StudioError> {
        match (&self.logo, &overlays.logo) {
            (Some(element), logo) => self.put_logo(element, logo.as_ref())?,
            (None, Some(_)) => return Err(StudioError::NoOverlay),
            (None, None) => (),
        }
        match (&self.text, &overlays.text) {
            (Some(element), text) => put_text(element, text.as_ref()),
            (None, Some(_)) => return Err(StudioError::NoOverlay),
            (None, None) => (),
        }
        Ok(())
    }

    fn put_logo(&self, element: &gst::Element, logo: Option<&Logo>) -> Result<(), StudioError> {
        let Some(logo) = logo else {
            // No location would be a file without a name to the element, which says CRITICAL.
            element.set_property("alpha", 0.0);
            return Ok(());
        };
        let (own_width, own_height) = measure(&logo.path)?;
        let number = |x: f32, low: f64, high: f64| f64::from(x).max(low).min(high);
        let (width, height) = (f64::from(self.size.0), f64::from(self.size.1));
        let logo_width = width * number(logo.size, 0.02, 1.0);
        let logo_height = (logo_width * own_height / own_width).min(height);
        let margin = height * MARGIN;
        let (left, top) = match logo.corner {
            Corner::TopLeft => (true, true),
            Corner::TopRight => (false, true),
            Corner::BottomLeft => (true, false),
            Corner::BottomRight => (false, false),
        };
        let x = if left {
            margin
        } else {
            width - margin - logo_width
        };
        let y = if top {
            margin
        } else {
            height - margin - logo_height
        };
        // Position before the picture, so that it is never seen elsewhere.
        element.set_property("offset-x", x.max(0.0) as i32);
        element.set_property("offset-y", y.max(0.0) as i32);
        element.set_property("overlay-width", logo_width as i32);
        element.set_property("overlay-height", logo_height as i32);
        element.set_property("alpha", number(logo.opacity, 0.0, 1.0));
        element.set_property("location", logo.path.to_string_lossy().as_ref());
        Ok(())
    }
}

/// Width and height of a picture file. Asked of GStreamer, so that what is measured here can also be shown.
fn measure(path: &Path) -> Result<(f64, f64), StudioError> {
    let refuse = |why: String| StudioError::Logo {
        path: path.to_path_buf(),
        why,
    };
    if !path.is_file() {
        return Err(refuse("the file does not exist".into()));
    }
    let launch = "filesrc name=file ! gdkpixbufdec ! fakesink name=end num-buffers=1";
    let pipeline = gst::parse::launch(launch)
        .map_err(|e| refuse(e.to_string()))?
        .downcast::<gst::Pipeline>()
        .map_err(|_| refuse("it cannot be opened".into()))?;
    let (Some(file), Some(end)) = (pipeline.by_name("file"), pipeline.by_name("end")) else {
        return Err(refuse("it cannot be opened".into()));
    };
    file.set_property("location", path.to_string_lossy().as_ref());
    let _ = pipeline.set_state(gst::State::Paused);
    let (result, ..) = pipeline.state(gst::ClockTime::from_seconds(5));
    let size = end
        .static_pad("sink")
        .and_then(|pad| pad.current_caps())
        .and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok())
        .map(|info| (f64::from(info.width()), f64::from(info.height())));
    let _ = pipeline.set_state(gst::State::Null);
    match (result, size) {
        (Ok(_), Some((w, h))) if w >= 1.0 && h >= 1.0 => Ok((w, h)),
        _ => Err(refuse("it is no picture that can be read".into())),
    }
}

fn put_text(element: &gst::Element, line: Option<&TextLine>) {
    let Some(line) = line.filter(|line| !line.text.trim().is_empty()) else {
        element.set_property("silent", true);
        return;
    };
    let place = match line.place {
        TextPlace::Top => "top",
        TextPlace::Middle => "center",
        TextPlace::Bottom => "bottom",
    };
    element.set_property_from_str("valignment", place);
    element.set_property_from_str("halignment", "center");
    // Written as it is: the element would read it as markup otherwise.
    element.set_property("text", gst::glib::markup_escape_text(&line.text).as_str());
    // Relative to the picture's size already; readable on a telephone.
    element.set_property("font-desc", "Sans 18");
    element.set_property("shaded-background", true);
    element.set_property("silent", false);
}
