// SPDX-License-Identifier: GPL-3.0-or-later
//! Pictures of the screen, or of one window even where others cover it.
//!
//! The server tells when something has changed (Damage); only then a picture is taken. It comes through shared memory
//! where the server is on this computer, over the connection otherwise.

use std::{fs::File, os::fd::OwnedFd, os::unix::fs::FileExt};

use gst::prelude::*;
use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    errors::{ConnectionError, ReplyError},
    protocol::{
        ErrorKind, Event,
        composite::{self, ConnectionExt as _, Redirect},
        damage::{self, ConnectionExt as _, ReportLevel},
        shm::{self, ConnectionExt as _},
        xfixes::{self, ConnectionExt as _, CursorNotifyMask},
        xproto::{
            ChangeWindowAttributesAux, ConnectionExt as _, Drawable, EventMask, ImageFormat,
            ImageOrder, Pixmap, Window,
        },
    },
};

use super::{Display, Region, Target, lost, pointer::Pointer};
use crate::error::ScreenError;

/// A picture in `BGRx`.
pub(in crate::source) struct Frame {
    pub(in crate::source) buffer: gst::Buffer,
    pub(in crate::source) width: u16,
    pub(in crate::source) height: u16,
}

/// Takes pictures of one target.
pub(in crate::source) struct Grabber {
    display: Display,
    target: Target,
    /// Named again whenever the window changes its size.
    pixmap: Option<Pixmap>,
    damage: Option<damage::Damage>,
    changed: bool,
    memory: Option<Memory>,
    pool: Option<(gst::BufferPool, (u16, u16))>,
    pointer: Option<Pointer>,
    pointer_at: (i32, i32),
}

/// Memory that the server writes into.
struct Memory {
    file: File,
    segment: shm::Seg,
    size: usize,
}

impl Grabber {
    pub(in crate::source) fn new(display: Display, target: Target) -> Result<Grabber, ScreenError> {
        usual_pixels(&display)?;
        let mut grabber = Grabber {
            display,
            target,
            pixmap: None,
            damage: None,
            changed: true,
            memory: None,
            pool: None,
            pointer: None,
            pointer_at: (0, 0),
        };
        match grabber.prepare() {
            Ok(()) => Ok(grabber),
            Err(e) => Err(grabber.what_happened(e)),
        }
    }

    fn window(&self) -> Window {
        match self.target {
            Target::Window(window) => window,
            Target::Screen(_) => self.display.screen().root,
        }
    }

    /// Ask the server to tell what changes. Each extension is used if it is there.
    fn prepare(&mut self) -> Result<(), ReplyError> {
        let window = self.window();
        let c = &self.display.connection;
        let has = |name| Ok::<_, ConnectionError>(c.extension_information(name)?.is_some());
        let changes = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
        c.change_window_attributes(window, &changes)?.check()?;
        if has(xfixes::X11_EXTENSION_NAME)? {
            c.xfixes_query_version(5, 0)?.reply()?;
            c.xfixes_select_cursor_input(window, CursorNotifyMask::DISPLAY_CURSOR)?;
            self.pointer = Some(Pointer::default());
        }
        if has(damage::X11_EXTENSION_NAME)? && self.pointer.is_some() {
            c.damage_query_version(1, 1)?.reply()?;
            let damage = c.generate_id().map_err(|_| ConnectionError::UnknownError)?;
            c.damage_create(damage, window, ReportLevel::NON_EMPTY)?
                .check()?;
            self.damage = Some(damage);
        }
        if matches!(self.target, Target::Window(_)) && has(composite::X11_EXTENSION_NAME)? {
            c.composite_query_version(0, 4)?.reply()?;
            c.composite_redirect_window(window, Redirect::AUTOMATIC)?
                .check()?;
        }
        self.fetch_pointer()
    }

    fn fetch_pointer(&mut self) -> Result<(), ReplyError> {
        if self.pointer.is_some() {
            let seen = self.display.connection.xfixes_get_cursor_image()?.reply()?;
            self.pointer = Some(Pointer {
                width: seen.width,
                tip: (seen.xhot, seen.yhot),
                pixels: seen.cursor_image,
            });
        }
        Ok(())
    }

    /// A new picture, or nothing where all is as it was (or the window is minimised).
    pub(in crate::source) fn grab(&mut self) -> Result<Option<Frame>, ScreenError> {
        match self.try_grab() {
            Ok(frame) => Ok(frame),
            // Sizes change between a question and the next: only what is gone is an error.
            Err(e) => match self.what_happened(e) {
                ScreenError::Busy => {
                    self.changed = true;
                    Ok(None)
                }
                gone @ (ScreenError::None
                | ScreenError::NoWindow(_)
                | ScreenError::Outside { .. }
                | ScreenError::Closed
                | ScreenError::ByName(_)
                | ScreenError::Lost(_)) => Err(gone),
            },
        }
    }

    fn try_grab(&mut self) -> Result<Option<Frame>, ReplyError> {
        self.listen()?;
        self.follow_pointer()?;
        if self.damage.is_some() && !self.changed {
            return Ok(None);
        }
        let c = &self.display.connection;
        // First, so that what changes while the picture is taken is seen the next time.
        if let Some(damage) = self.damage {
            c.damage_subtract(damage, x11rb::NONE, x11rb::NONE)?;
        }
        self.changed = false;
        let size = c.get_geometry(self.window())?.reply()?;
        let whole = Region {
            x: 0,
            y: 0,
            width: size.width,
            height: size.height,
        };
        let wanted = match self.target {
            Target::Screen(Some(part)) => part,
            Target::Screen(None) | Target::Window(_) => whole,
        };
        let Some(area) = wanted.clipped(size.width, size.height) else {
            return Ok(None);
        };
        let drawable = self.drawable()?;
        let Some(mut buffer) = self.buffer((area.width, area.height)) else {
            return Ok(None);
        };
        {
            let Some(Ok(mut map)) = buffer.get_mut().map(gst::BufferRef::map_writable) else {
                return Ok(None);
            };
            self.fill(drawable, area, &mut map)?;
            if let Some(pointer) = &self.pointer {
                let (x, y) = self.pointer_at;
                let at = (x - i32::from(area.x), y - i32::from(area.y));
                pointer.draw(at, &mut map, (area.width, area.height));
            }
        }
        Ok(Some(Frame {
            buffer,
            width: area.width,
            height: area.height,
        }))
    }

    /// What the server told since the last time.
    fn listen(&mut self) -> Result<(), ReplyError> {
        let mut pointer = false;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other events are of no interest"
        )]
        while let Some(event) = self.display.connection.poll_for_event()? {
            match event {
                Event::DamageNotify(_) => self.changed = true,
                Event::XfixesCursorNotify(_) => pointer = true,
                Event::ConfigureNotify(_) | Event::MapNotify(_) | Event::UnmapNotify(_) => {
                    self.changed = true;
                    if let Some(old) = self.pixmap.take() {
                        self.display.connection.free_pixmap(old)?;
                    }
                }
                _ => (),
            }
        }
        if pointer {
            self.changed = true;
            self.fetch_pointer()?;
        }
        Ok(())
    }

    fn follow_pointer(&mut self) -> Result<(), ReplyError> {
        if self.pointer.is_some() {
            let now = self
                .display
                .connection
                .query_pointer(self.window())?
                .reply()?;
            let now = (i32::from(now.win_x), i32::from(now.win_y));
            self.changed |= now != self.pointer_at;
            self.pointer_at = now;
        }
        Ok(())
    }

    /// What to read from: a window's own surface, which others do not cover.
    fn drawable(&mut self) -> Result<Drawable, ReplyError> {
        let Target::Window(window) = self.target else {
            return Ok(self.window());
        };
        if let Some(pixmap) = self.pixmap {
            return Ok(pixmap);
        }
        let c = &self.display.connection;
        if c.extension_information(composite::X11_EXTENSION_NAME)?
            .is_none()
        {
            return Ok(window);
        }
        let pixmap = c.generate_id().map_err(|_| ConnectionError::UnknownError)?;
        c.composite_name_window_pixmap(window, pixmap)?.check()?;
        self.pixmap = Some(pixmap);
        Ok(pixmap)
    }

    fn buffer(&mut self, size: (u16, u16)) -> Option<gst::Buffer> {
        if self.pool.as_ref().is_none_or(|(_, old)| *old != size) {
            if let Some((old, _)) = self.pool.take() {
                let _ = old.set_active(false);
            }
            let pool = gst::BufferPool::new();
            let mut config = pool.config();
            let bytes = u32::from(size.0) * u32::from(size.1) * 4;
            config.set_params(None, bytes, 2, 0);
            pool.set_config(config).ok()?;
            pool.set_active(true).ok()?;
            self.pool = Some((pool, size));
        }
        let (pool, _) = self.pool.as_ref()?;
        pool.acquire_buffer(None).ok()
    }

    fn fill(
        &mut self,
        drawable: Drawable,
        area: Region,
        picture: &mut [u8],
    ) -> Result<(), ReplyError> {
        self.share(picture.len())?;
        let Region {
            x,
            y,
            width,
            height,
        } = area;
        let c = &self.display.connection;
        let image = match &self.memory {
            Some(memory) => {
                let format = ImageFormat::Z_PIXMAP.into();
                c.shm_get_image(drawable, x, y, width, height, !0, format, memory.segment, 0)?
                    .reply()?;
                return memory
                    .file
                    .read_exact_at(picture, 0)
                    .map_err(|e| ConnectionError::IoError(e).into());
            }
            None => {
                c.get_image(ImageFormat::Z_PIXMAP, drawable, x, y, width, height, !0)?
                    .reply()?
                    .data
            }
        };
        let length = picture.len().min(image.len());
        picture[..length].copy_from_slice(&image[..length]);
        Ok(())
    }

    /// Have shared memory of at least this size, where there can be any.
    fn share(&mut self, size: usize) -> Result<(), ReplyError> {
        let c = &self.display.connection;
        if self.memory.as_ref().is_some_and(|m| m.size >= size)
            || c.extension_information(shm::X11_EXTENSION_NAME)?.is_none()
        {
            return Ok(());
        }
        if let Some(old) = self.memory.take() {
            c.shm_detach(old.segment)?;
        }
        let version = c.shm_query_version()?.reply()?;
        // Earlier ones do not take a descriptor.
        if (version.major_version, version.minor_version) < (1, 2) {
            return Ok(());
        }
        let Ok(file) = tempfile::tempfile_in("/dev/shm") else {
            return Ok(());
        };
        let sized = file.set_len(size as u64).and_then(|()| file.try_clone());
        let Ok(theirs) = sized else {
            return Ok(());
        };
        let segment = c.generate_id().map_err(|_| ConnectionError::UnknownError)?;
        let attached = c.shm_attach_fd(segment, OwnedFd::from(theirs), false)?;
        // A server on another computer cannot take it.
        if attached.check().is_ok() {
            self.memory = Some(Memory {
                file,
                segment,
                size,
            });
        }
        Ok(())
    }

    /// What an error means: is the server gone, is the window closed, or was it busy changing?
    fn what_happened(&self, error: ReplyError) -> ScreenError {
        match error {
            ReplyError::ConnectionError(e) => lost(&e),
            ReplyError::X11Error(e) => {
                let c = &self.display.connection;
                let there = c.get_window_attributes(self.window()).map(|a| a.reply());
                match there {
                    Ok(Ok(_)) if e.error_kind != ErrorKind::Access => ScreenError::Busy,
                    Ok(Ok(_)) => lost(&"the X server does not allow it"),
                    Ok(Err(ReplyError::X11Error(_))) => ScreenError::Closed,
                    Ok(Err(ReplyError::ConnectionError(e))) | Err(e) => lost(&e),
                }
            }
        }
    }
}

impl Drop for Grabber {
    fn drop(&mut self) {
        if let Some((pool, _)) = &self.pool {
            let _ = pool.set_active(false);
        }
        // All else goes with the connection.
    }
}

/// Blue, green, red and a byte unused: what nearly every screen has.
fn usual_pixels(display: &Display) -> Result<(), ScreenError> {
    let setup = display.connection.setup();
    let screen = display.screen();
    let four_bytes = setup
        .pixmap_formats
        .iter()
        .any(|f| f.depth == screen.root_depth && f.bits_per_pixel == 32);
    let visual = screen
        .allowed_depths
        .iter()
        .flat_map(|d| &d.visuals)
        .find(|v| v.visual_id == screen.root_visual);
    let order = visual.is_some_and(|v| v.red_mask == 0xff_0000 && v.blue_mask == 0xff);
    if four_bytes && order && setup.image_byte_order == ImageOrder::LSB_FIRST {
        Ok(())
    } else {
        Err(lost(&"its pixels are of an unusual kind"))
    }
}
