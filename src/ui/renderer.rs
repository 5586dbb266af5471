// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether this computer draws with a GPU, and what follows from it for the window.

use std::{env, fs, path::Path};

/// The preview is made in widths of so many pixels and multiples of them.
const WIDTH_STEP: u32 = 64;

/// What the preview may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Drawing {
    /// A GPU draws: scaling and showing pictures is nearly free.
    Hardware,
    /// The processor draws, and has an encoder to feed besides.
    #[default]
    Software,
}

impl Drawing {
    /// Width of a preview that is seen so wide, in pixels, and its frames per second.
    pub fn preview(self, seen: u32) -> (u32, u32) {
        let (most, fps) = match self {
            Drawing::Hardware => (1920, 30),
            // Measured: a 720p30 preview drawn by the processor takes more than half a core; this takes a tenth.
            Drawing::Software => (640, 15),
        };
        // In steps, so that it is not made anew for each pixel.
        (
            seen.next_multiple_of(WIDTH_STEP).clamp(WIDTH_STEP, most),
            fps,
        )
    }
}

/// Find out, and tell GTK where it would choose badly. To be called before GTK is initialised and before there are
/// threads.
pub fn choose() -> Drawing {
    let drawing = look(Path::new("/dev/dri"), |name| env::var(name).ok());
    if drawing == Drawing::Software && env::var_os("GSK_RENDERER").is_none() {
        // GL without a GPU runs on the processor and takes twice what cairo takes. GTK 4.8 has no other way to
        // choose a renderer than this variable.
        #[allow(
            unsafe_code,
            reason = "nothing else runs yet, so nobody reads the environment meanwhile"
        )]
        unsafe {
            env::set_var("GSK_RENDERER", "cairo");
        }
    }
    drawing
}

fn look(dri: &Path, variable: impl Fn(&str) -> Option<String>) -> Drawing {
    let asked = variable("LIBGL_ALWAYS_SOFTWARE").is_some_and(|v| v == "1" || v == "true")
        || variable("GSK_RENDERER").is_some_and(|v| v == "cairo");
    let gpu = fs::read_dir(dri).is_ok_and(|mut entries| {
        entries.any(|e| e.is_ok_and(|e| e.file_name().to_string_lossy().starts_with("renderD")))
    });
    match gpu && !asked {
        true => Drawing::Hardware,
        false => Drawing::Software,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_is_made_as_wide_as_it_is_seen_and_no_wider_than_it_may_cost() {
        assert_eq!(Drawing::Hardware.preview(700).0, 704);
        assert_eq!(Drawing::Hardware.preview(5000).0, 1920);
        assert_eq!(Drawing::Software.preview(336).0, 384);
        assert_eq!(Drawing::Software.preview(641).0, 640);
        assert_eq!(Drawing::Software.preview(0).0, 64);
    }

    #[test]
    fn without_a_render_node_the_processor_draws() {
        let dri = tempfile::tempdir().unwrap();
        fs::write(dri.path().join("card0"), "").unwrap();
        assert_eq!(look(dri.path(), |_| None), Drawing::Software);
        assert_eq!(
            look(Path::new("/no/such/folder"), |_| None),
            Drawing::Software
        );
    }

    #[test]
    fn software_can_be_asked_for_where_there_is_a_gpu() {
        let dri = tempfile::tempdir().unwrap();
        fs::write(dri.path().join("renderD128"), "").unwrap();
        assert_eq!(look(dri.path(), |_| None), Drawing::Hardware);
        let asked = look(dri.path(), |name| {
            (name == "LIBGL_ALWAYS_SOFTWARE").then(|| "1".into())
        });
        assert_eq!(asked, Drawing::Software);
    }
}
