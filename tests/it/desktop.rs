// SPDX-License-Identifier: GPL-3.0-or-later
//! A private desktop that lives as long as its value.

use std::{
    collections::HashMap,
    io::{BufReader, Read},
    process::{Child, Command, Stdio},
};

use crate::rig::checkout;

/// The programs that stories in a desktop need.
pub const NEEDS: &[&str] = &[
    "python3",
    "dbus-daemon",
    "gdbus",
    "Xvfb",
    "openbox",
    "pipewire",
    "wireplumber",
    "pipewire-pulse",
    "pw-dump",
    "pactl",
    "gst-launch-1.0",
    "/usr/libexec/at-spi-bus-launcher",
];

/// A display, a session bus, PipeWire, a camera and a microphone.
pub struct Desktop {
    child: Child,
    /// The variables that put a program into it.
    pub variables: HashMap<String, String>,
}

impl Desktop {
    /// Starts it. `AERIAL_TEST_DESKTOP=--wayland` takes sway instead of Xvfb.
    pub fn start(options: &[&str]) -> Desktop {
        Desktop::start_with(options, &[])
    }

    /// The same with these variables in its session.
    pub fn start_with(options: &[&str], more: &[(&str, String)]) -> Desktop {
        let kind = std::env::var("AERIAL_TEST_DESKTOP").unwrap_or_default();
        let mut child = Command::new(checkout("tests/bed/desktop-session"))
            .args(kind.split_whitespace())
            .args(options)
            .envs(more.iter().map(|(name, value)| (name, value)))
            // Tells its variables, then stays until its standard input ends.
            .args([
                "--",
                "sh",
                "-c",
                "env -0; printf '\\0'; exec cat >/dev/null",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut bytes = vec![];
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut one = [0];
        while !bytes.ends_with(b"\0\0") {
            assert!(
                out.read(&mut one).unwrap() == 1,
                "desktop-session did not start"
            );
            bytes.push(one[0]);
        }
        let text = String::from_utf8_lossy(&bytes);
        let wanted = |name: &str| {
            name.starts_with("TESTBED_")
                || [
                    "DISPLAY",
                    "WAYLAND_DISPLAY",
                    "SWAYSOCK",
                    "XDG_RUNTIME_DIR",
                    "XDG_SESSION_TYPE",
                    "XDG_CURRENT_DESKTOP",
                    "XDG_DESKTOP_PORTAL_DIR",
                    "DBUS_SESSION_BUS_ADDRESS",
                    "PULSE_SERVER",
                    "GDK_BACKEND",
                    "GSETTINGS_BACKEND",
                    "LIBGL_ALWAYS_SOFTWARE",
                ]
                .contains(&name)
        };
        let mut variables: HashMap<_, _> = text
            .split('\0')
            .filter_map(|pair| pair.split_once('='))
            .filter(|(name, _)| wanted(name))
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        variables.extend(
            more.iter()
                .map(|(name, value)| (name.to_string(), value.clone())),
        );
        Desktop { child, variables }
    }

    /// A program inside it.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.envs(&self.variables);
        command
    }

    /// The process of a device it began with; end it to unplug the device.
    pub fn device(&self, variable: &str) -> u32 {
        self.variables[variable].parse().unwrap()
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
