// SPDX-License-Identifier: GPL-3.0-or-later
//! A headless Chromium that watches until it is told to stop.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
    thread,
};

use serde_json::Value;

use crate::rig::checkout;

/// The programs that stories with a browser need.
pub const NEEDS: &[&str] = &["chromium", "python3"];

/// One browser with one page.
pub struct Browser {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Browser {
    /// Opens a page or a stream; see `browser-view --help` for options.
    pub fn open(url: &str, options: &[&str]) -> Browser {
        Browser::open_by(
            Command::new(checkout("tests/bed/browser-view")),
            url,
            options,
        )
    }

    /// The same with a command that runs `browser-view`.
    pub fn open_by(mut command: Command, url: &str, options: &[&str]) -> Browser {
        let mut child = command
            .args(["--until-eof", "--timeout", "80"])
            .args(options)
            .arg(url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Browser { child, out }
    }

    /// Waits until it has decoded its first picture.
    pub fn wait_first_frame(&mut self) {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        let event: Value =
            serde_json::from_str(&line).unwrap_or_else(|e| panic!("browser-view: {e}: {line:?}"));
        assert_eq!(event["event"], "first_frame", "no picture: {event}");
    }

    /// The value of an expression (or of its promise) in the page.
    pub fn ask(&mut self, expression: &str) -> Value {
        let line = expression.split_whitespace().collect::<Vec<_>>().join(" ");
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        let event: Value =
            serde_json::from_str(&line).unwrap_or_else(|e| panic!("browser-view: {e}: {line:?}"));
        assert_eq!(event["event"], "value", "{expression}: {event}");
        event["value"].clone()
    }

    /// Ends it. What it saw: frames, size, errors, ….
    pub fn finish(mut self) -> Value {
        drop(self.child.stdin.take());
        let mut line = String::new();
        self.out.read_to_string(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("browser-view: {e}: {line:?}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Without its standard input it ends the browser and then itself.
        drop(self.child.stdin.take());
        if thread::panicking() {
            let _ = self.out.read_to_end(&mut vec![]);
        }
        let _ = self.child.wait();
    }
}
