// SPDX-License-Identifier: GPL-3.0-or-later
//! The screen under X11, where any program may look at it.
//!
//! GStreamer's own `ximagesrc` is not used: when the window that it shows is closed, the X library ends the whole
//! process. Here that is an error like any other.

mod capture;
mod pointer;

use x11rb::{
    connection::Connection as _,
    protocol::{
        randr::ConnectionExt as _,
        xproto::{Atom, AtomEnum, ConnectionExt as _, Screen, Window},
    },
    rust_connection::RustConnection,
};

pub(super) use capture::{Frame, Grabber};

use crate::error::ScreenError;

/// The longest title and the most windows that are read, in units of four bytes.
const MOST: u32 = 4096;

/// A part of the screen; parts that lie outside are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) x: i16,
    pub(super) y: i16,
    pub(super) width: u16,
    pub(super) height: u16,
}

impl Region {
    /// `X,Y,WIDTHxHEIGHT`.
    pub(super) fn parse(text: &str) -> Option<Region> {
        let mut parts = text.split(',');
        let (x, y, size) = (parts.next()?, parts.next()?, parts.next()?);
        let (width, height) = size.split_once('x')?;
        let region = Region {
            x: x.trim().parse().ok()?,
            y: y.trim().parse().ok()?,
            width: width.trim().parse().ok()?,
            height: height.trim().parse().ok()?,
        };
        (parts.next().is_none() && region.width > 0 && region.height > 0).then_some(region)
    }

    /// What of it lies on a surface of this size.
    fn clipped(self, width: u16, height: u16) -> Option<Region> {
        let end = |at: i16, length: u16, most: u16| {
            (i32::from(at) + i32::from(length)).clamp(0, i32::from(most))
        };
        let (x, y) = (self.x.max(0), self.y.max(0));
        let region = Region {
            x,
            y,
            width: u16::try_from(end(self.x, self.width, width) - i32::from(x)).ok()?,
            height: u16::try_from(end(self.y, self.height, height) - i32::from(y)).ok()?,
        };
        (region.width > 0 && region.height > 0).then_some(region)
    }
}

/// What to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Aim {
    /// Everything.
    Screen,
    /// A part of the screen.
    Region(Region),
    /// The window that is used just now.
    ActiveWindow,
    /// A window by its number.
    Number(Window),
    /// A monitor by its name, or a window by a part of its title.
    Name(String),
}

/// A window that can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Titled {
    pub(super) window: Window,
    pub(super) title: String,
}

/// A connection to the X server.
pub(super) struct Display {
    connection: RustConnection,
    screen: usize,
}

/// Where to look.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// The screen, or a part of it.
    Screen(Option<Region>),
    Window(Window),
}

impl Display {
    /// The one in `DISPLAY`.
    pub(super) fn connect() -> Result<Display, ScreenError> {
        if std::env::var_os("DISPLAY").is_none_or(|d| d.is_empty()) {
            return Err(ScreenError::None);
        }
        let (connection, screen) = x11rb::connect(None).map_err(|e| lost(&e))?;
        Ok(Display { connection, screen })
    }

    fn screen(&self) -> &Screen {
        // The number came with the connection.
        &self.connection.setup().roots[self.screen]
    }

    /// Width and height of the screen.
    pub(super) fn size(&self) -> (u16, u16) {
        (
            self.screen().width_in_pixels,
            self.screen().height_in_pixels,
        )
    }

    /// The windows of programs, oldest first.
    pub(super) fn windows(&self) -> Result<Vec<Titled>, ScreenError> {
        let mut found = Vec::new();
        for window in self.numbers(self.screen().root, "_NET_CLIENT_LIST")? {
            // A window may be closed while it is being asked.
            if let Ok(Some(title)) = self.title(window) {
                found.push(Titled { window, title });
            }
        }
        Ok(found)
    }

    /// The monitors with their names.
    pub(super) fn monitors(&self) -> Result<Vec<(String, Region)>, ScreenError> {
        let ask = || {
            let monitors = self
                .connection
                .randr_get_monitors(self.screen().root, true)?
                .reply()?
                .monitors;
            let mut named = Vec::new();
            for m in monitors {
                let name = self.connection.get_atom_name(m.name)?.reply()?.name;
                let region = Region {
                    x: m.x,
                    y: m.y,
                    width: m.width,
                    height: m.height,
                };
                named.push((String::from_utf8_lossy(&name).into_owned(), region));
            }
            Ok::<_, x11rb::errors::ReplyError>(named)
        };
        ask().map_err(|e| lost(&e))
    }

    /// Find what is meant.
    pub(super) fn find(&self, aim: &Aim) -> Result<Target, ScreenError> {
        match aim {
            Aim::Screen => Ok(Target::Screen(None)),
            Aim::Region(region) => {
                let (width, height) = self.size();
                match region.clipped(width, height) {
                    Some(_) => Ok(Target::Screen(Some(*region))),
                    None => Err(ScreenError::Outside { width, height }),
                }
            }
            Aim::Number(window) => {
                let asked = self.connection.get_geometry(*window);
                let there = asked.map_err(|e| lost(&e))?.reply().is_ok();
                there
                    .then_some(Target::Window(*window))
                    .ok_or_else(|| ScreenError::NoWindow(format!("{window:#x}")))
            }
            Aim::ActiveWindow => {
                let active = self.numbers(self.screen().root, "_NET_ACTIVE_WINDOW")?;
                let window = active.into_iter().find(|w| *w != x11rb::NONE);
                window
                    .map(Target::Window)
                    .ok_or_else(|| ScreenError::NoWindow("window".into()))
            }
            Aim::Name(name) => {
                let monitors = self.monitors().unwrap_or_default();
                if let Some((_, region)) = monitors.into_iter().find(|(n, _)| n == name) {
                    return Ok(Target::Screen(Some(region)));
                }
                let windows = self.windows()?;
                let lower = name.to_lowercase();
                windows
                    .iter()
                    .find(|w| w.title == *name)
                    .or_else(|| {
                        windows
                            .iter()
                            .find(|w| w.title.to_lowercase().contains(&lower))
                    })
                    .map(|w| Target::Window(w.window))
                    .ok_or_else(|| ScreenError::NoWindow(name.clone()))
            }
        }
    }

    fn atom(&self, name: &str) -> Result<Atom, ScreenError> {
        let asked = self.connection.intern_atom(false, name.as_bytes());
        let reply = asked.map_err(|e| lost(&e))?.reply();
        Ok(reply.map_err(|e| lost(&e))?.atom)
    }

    /// A property that is a list of numbers.
    fn numbers(&self, window: Window, name: &str) -> Result<Vec<u32>, ScreenError> {
        let atom = self.atom(name)?;
        let asked = self
            .connection
            .get_property(false, window, atom, AtomEnum::ANY, 0, MOST);
        let reply = asked.map_err(|e| lost(&e))?.reply();
        let reply = reply.map_err(|e| lost(&e))?;
        Ok(reply.value32().map(Iterator::collect).unwrap_or_default())
    }

    fn title(&self, window: Window) -> Result<Option<String>, ScreenError> {
        for name in [self.atom("_NET_WM_NAME")?, AtomEnum::WM_NAME.into()] {
            let asked = self
                .connection
                .get_property(false, window, name, AtomEnum::ANY, 0, MOST);
            let reply = asked.map_err(|e| lost(&e))?.reply();
            let bytes = reply.map_err(|e| lost(&e))?.value;
            if !bytes.is_empty() {
                return Ok(Some(String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
        Ok(None)
    }
}

fn lost(why: &dyn std::fmt::Display) -> ScreenError {
    ScreenError::Lost(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(x: i16, y: i16, width: u16, height: u16) -> Region {
        Region {
            x,
            y,
            width,
            height,
        }
    }

    #[test]
    fn a_part_of_the_screen_in_words() {
        assert_eq!(
            Region::parse("10,20,640x360"),
            Some(region(10, 20, 640, 360))
        );
        assert_eq!(Region::parse("-5, 0, 10x10"), Some(region(-5, 0, 10, 10)));
        for text in [
            "",
            "10,20",
            "1,2,0x5",
            "1,2,3x4,5",
            "a,b,cxd",
            "1,2,99999x1",
        ] {
            assert_eq!(Region::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_lies_outside_the_screen_is_left_out() {
        let clip = |r: Region| r.clipped(100, 50);
        assert_eq!(clip(region(0, 0, 100, 50)), Some(region(0, 0, 100, 50)));
        assert_eq!(clip(region(-10, 40, 30, 30)), Some(region(0, 40, 20, 10)));
        assert_eq!(clip(region(90, 0, u16::MAX, 1)), Some(region(90, 0, 10, 1)));
        assert_eq!(clip(region(100, 0, 10, 10)), None);
        assert_eq!(clip(region(-10, 0, 10, 10)), None);
    }
}
