// SPDX-License-Identifier: GPL-3.0-or-later
//! How long it takes until the window is there, against a bare window of the same libraries.

use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use x11rb::{
    connection::Connection,
    protocol::{
        Event,
        damage::{ConnectionExt as _, ReportLevel},
        xproto::{
            AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, ImageFormat,
            MapState, Window,
        },
    },
    rust_connection::RustConnection,
};

use crate::{
    Result,
    measure::{Process, RUNS, median},
};

/// What it should take at most.
const AIM: Duration = Duration::from_millis(700);
const PATIENCE: Duration = Duration::from_secs(60);
/// How exact the times are.
const STEP: Duration = Duration::from_millis(1);
/// What the one before left to do: its processes, its name on the bus.
const REST: Duration = Duration::from_secs(2);

/// Medians of both, in one desktop.
pub fn bench() -> Result<()> {
    println!(
        "\nFrom the start of the program to its window, warm, in a desktop drawn by software\n"
    );
    let session = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bed/desktop-session");
    let out = Command::new(&session)
        .args(["--no-media", "--no-portal", "--no-keyring", "--"])
        .arg(std::env::current_exe()?)
        .args(["role", "start"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let told = String::from_utf8_lossy(&out.stdout);
    let mut rows: [Vec<f64>; 4] = Default::default();
    for line in told.lines() {
        let mut figures = line.split_whitespace().map(str::parse::<f64>);
        for row in &mut rows {
            row.push(figures.next().ok_or("a figure is missing")??);
        }
    }
    if rows[0].len() != RUNS {
        return Err("the windows were not measured".into());
    }
    let [bare_shown, bare_drawn, shown, drawn] = rows.map(|row| median(&row) * 1000.0);
    println!("{:>24} {:>12} {:>12}", "ms until it is", "shown", "drawn");
    println!(
        "{:>24} {bare_shown:>12.0} {bare_drawn:>12.0}",
        "a bare window"
    );
    println!("{:>24} {shown:>12.0} {drawn:>12.0}", "aerial");
    println!(
        "{:>24} {:>12.2} {:>12.2}",
        "ratio",
        shown / bare_shown,
        drawn / bare_drawn
    );
    println!("{:>24} {:>12}", "aim", AIM.as_millis());
    Ok(())
}

/// The role, in a desktop: tells of each run the seconds until the bare window is shown and drawn, and of ours.
pub fn windows() -> Result<()> {
    let watcher = Watcher::new()?;
    for run in 0..=RUNS {
        let mut bare = Command::new(std::env::current_exe()?);
        // Drawn as Aerial draws where there is no GPU.
        bare.args(["role", "bare-window"])
            .env("GSK_RENDERER", "cairo");
        let bare = watcher.time(&mut bare)?;
        let aerial = watcher.time(&mut Command::new(env!("CARGO_BIN_EXE_aerial")))?;
        // The first one reads everything from the disk, and starts services of the desktop that the others find.
        if run > 0 {
            println!("{} {} {} {}", bare.0, bare.1, aerial.0, aerial.1);
        }
    }
    Ok(())
}

/// The role of the floor: an empty window of libadwaita, of the size that Aerial has.
#[cfg(feature = "ui")]
pub fn bare() -> Result<()> {
    use adw::prelude::*;
    let app = adw::Application::builder()
        .application_id("io.github.aerial.BareWindow")
        .build();
    app.connect_activate(|app| {
        let content = gtk::Box::new(gtk::Orientation::Vertical, 0);
        content.append(&adw::HeaderBar::new());
        let window = adw::ApplicationWindow::builder()
            .application(app)
            .title("Bare")
            .default_width(1280)
            .default_height(780)
            .content(&content)
            .build();
        window.present();
    });
    app.run_with_args::<&str>(&[]);
    Ok(())
}

/// There is no window to compare with.
#[cfg(not(feature = "ui"))]
pub fn bare() -> Result<()> {
    Err("this was built without the window".into())
}

/// Sees from outside when a program's window is there.
struct Watcher {
    connection: RustConnection,
    root: Window,
    pid_of: u32,
}

impl Watcher {
    fn new() -> Result<Watcher> {
        let (connection, screen) = x11rb::connect(None)?;
        let roots = &connection.setup().roots;
        let root = roots.get(screen).ok_or("the display has no screen")?.root;
        connection.damage_query_version(1, 1)?.reply()?;
        let pid_of = connection.intern_atom(false, b"_NET_WM_PID")?.reply()?.atom;
        // Tells of all windows that are made.
        let told = ChangeWindowAttributesAux::new().event_mask(EventMask::SUBSTRUCTURE_NOTIFY);
        connection.change_window_attributes(root, &told)?.check()?;
        Ok(Watcher {
            connection,
            root,
            pid_of,
        })
    }

    /// Seconds from its start until its window is seen, and until something is drawn in it. Ends it then.
    fn time(&self, command: &mut Command) -> Result<(f64, f64)> {
        thread::sleep(REST);
        while self.connection.poll_for_event()?.is_some() {}
        // Nothing is kept from one run to the next.
        let folder = tempfile::tempdir()?;
        let command = command
            .env("XDG_CONFIG_HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let began = Instant::now();
        let mut process = Process(command.spawn()?);
        let mut made = vec![];
        let mut seen = None;
        loop {
            if let Some(status) = process.0.try_wait()? {
                return Err(
                    format!("the program ended before its window was there: {status}").into(),
                );
            }
            if began.elapsed() > PATIENCE {
                return Err("no window came".into());
            }
            let mut changed = false;
            while let Some(event) = self.connection.poll_for_event()? {
                if let Event::CreateNotify(event) = &event
                    && event.parent == self.root
                {
                    made.push(event.window);
                }
                changed |= matches!(event, Event::DamageNotify(_));
            }
            if seen.is_none() {
                let pid = process.0.id();
                // A window manager puts it into a frame of its own: it keeps its number.
                if let Some(window) = made.iter().find(|w| self.is_shown(**w, pid)) {
                    let shown = began.elapsed();
                    let damage = self.connection.generate_id()?;
                    self.connection
                        .damage_create(damage, *window, ReportLevel::NON_EMPTY)?;
                    seen = Some((*window, damage, shown));
                    // It may be drawn already.
                    changed = true;
                }
            }
            if let Some((window, damage, shown)) = seen.filter(|_| changed) {
                self.connection
                    .damage_subtract(damage, x11rb::NONE, x11rb::NONE)?;
                let at = began.elapsed();
                if self.is_drawn(window)? {
                    return Ok((shown.as_secs_f64(), at.as_secs_f64()));
                }
            }
            thread::sleep(STEP);
        }
    }

    /// Whether this is a window of this process that can be seen. What went meanwhile is not.
    fn is_shown(&self, window: Window, pid: u32) -> bool {
        let asked = || {
            let c = &self.connection;
            let state = c.get_window_attributes(window).ok()?.reply().ok()?;
            if state.map_state != MapState::VIEWABLE {
                return None;
            }
            let owner = c.get_property(false, window, self.pid_of, AtomEnum::CARDINAL, 0, 1);
            let owner = owner.ok()?.reply().ok()?.value32()?.next()?;
            Some(owner == pid)
        };
        asked() == Some(true)
    }

    /// Whether it shows more than one colour.
    fn is_drawn(&self, window: Window) -> Result<bool> {
        let c = &self.connection;
        let size = c.get_geometry(window)?.reply()?;
        let picture = c
            .get_image(
                ImageFormat::Z_PIXMAP,
                window,
                0,
                0,
                size.width,
                size.height,
                u32::MAX,
            )?
            .reply()?;
        let mut pixels = picture.data.chunks_exact(4);
        let first = pixels.next();
        Ok(pixels.any(|pixel| Some(pixel) != first))
    }
}
