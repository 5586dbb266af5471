// SPDX-License-Identifier: GPL-3.0-or-later
//! Secrets stay out of every log, GStreamer's included.
//!
//! GStreamer's elements write the passphrases and headers that they are given into its debug log. So that log is
//! written here instead, as are the program's own and what a panic says; whatever was named as secret before is left
//! out of all three.

use std::{
    borrow::Cow,
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, Write},
    sync::LazyLock,
};

use parking_lot::{Mutex, RwLock};

/// What stands where a secret stood.
const DOTS: &str = "***";
/// Shorter words may be parts of anything.
const SHORTEST: usize = 5;
/// The last part of a path that is as long may be what lets in.
const LIKE_A_KEY: usize = 16;
/// Invitations are made again and again.
const MOST: usize = 2000;

static SECRETS: LazyLock<RwLock<VecDeque<Box<str>>>> = LazyLock::new(RwLock::default);

/// Leave these words out of every log from now on.
pub fn hide(words: &str) {
    if words.len() < SHORTEST {
        return;
    }
    let mut all = SECRETS.write();
    if all.iter().any(|known| **known == *words) {
        return;
    }
    if all.len() == MOST {
        all.pop_front();
    }
    // The longest first: one may be the beginning of another.
    let at = all.partition_point(|known| known.len() > words.len());
    all.insert(at, words.into());
}

/// The same with all in an address that may be secret: its password, its parameters, and of RTMP the key.
pub fn hide_address(address: &str) {
    let Ok(url) = url::Url::parse(address) else {
        return;
    };
    let both = |words: &str| {
        hide(words);
        let plain: String = url::form_urlencoded::parse(format!("x={words}").as_bytes())
            .map(|(_, value)| value.into_owned())
            .collect();
        hide(&plain);
    };
    url.password().into_iter().for_each(both);
    if url.scheme().starts_with("http") {
        // A token, where there is no password.
        both(url.username());
    }
    let given = [url.query(), url.fragment()].into_iter().flatten();
    for pair in given.flat_map(|part| part.split('&')) {
        let value = pair.split_once('=').map_or(pair, |(_, value)| value);
        both(value);
        // A header, or an address in an address.
        let inner = url::form_urlencoded::parse(pair.as_bytes()).next();
        if let Some((_, inner)) = inner {
            if let Some((_, words)) = inner.split_once(':') {
                hide(words.trim());
            }
            if inner.contains("://") {
                let inner = url::Url::parse(&inner).ok();
                inner.iter().filter_map(|u| u.password()).for_each(both);
            }
        }
    }
    let last = url.path_segments().and_then(|mut parts| parts.next_back());
    let is_key = |part: &&str| url.scheme().starts_with("rtmp") || part.len() >= LIKE_A_KEY;
    last.filter(is_key).into_iter().for_each(both);
}

/// The same text without them.
pub fn hushed(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for secret in SECRETS.read().iter() {
        if text.contains(&**secret) {
            text = Cow::Owned(text.replace(&**secret, DOTS));
        }
    }
    text
}

/// Writes without them; each write is looked at by itself, as loggers write a line at once.
pub struct Hushed<W>(pub W);

impl<W: Write> Write for Hushed<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0
            .write_all(hushed(&String::from_utf8_lossy(data)).as_bytes())?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Let panics say nothing secret.
pub fn hush_panics() {
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("<unnamed>");
        let trace = std::backtrace::Backtrace::capture();
        let mut text = format!("thread '{name}' {info}");
        if trace.status() == std::backtrace::BacktraceStatus::Captured {
            text += &format!("\n{trace}");
        }
        let _ = writeln!(io::stderr(), "{}", hushed(&text));
    }));
}

/// Take GStreamer's debug log over, if one is asked for. After `gst::init`, before anything secret is given to it.
pub fn hush_gstreamer() {
    let asked = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !asked("GST_DEBUG") {
        return;
    }
    gst::log::remove_default_log_function();
    let out = Mutex::new(log_file());
    gst::log::add_log_function(
        move |category, level, file, function, line, object, message| {
            let Some(text) = message.get() else { return };
            let time = gst::get_timestamp();
            let object = object.map(|o| format!("<{o}>")).unwrap_or_default();
            let line = format!(
                "{time} {:?} {} {} {file}:{line}:{function}:{object} {text}\n",
                std::thread::current().id(),
                level.name().trim(),
                category.name(),
            );
            // Whom the log fails, it fails.
            let _ = out.lock().write_all(hushed(&line).as_bytes());
        },
    );
}

/// Where `GST_DEBUG_FILE` says, else the error output.
fn log_file() -> Box<dyn Write + Send> {
    let stderr = || Box::new(io::stderr()) as Box<dyn Write + Send>;
    match std::env::var("GST_DEBUG_FILE").as_deref() {
        Ok("") | Err(_) => stderr(),
        Ok("-") => Box::new(io::stdout()),
        Ok(name) => {
            let name = name.replace("%p", &std::process::id().to_string());
            let name = name.replace("%r", &format!("{:08x}", rand::random::<u32>()));
            // GStreamer has emptied it.
            let file: io::Result<File> = OpenOptions::new().create(true).append(true).open(name);
            file.map_or_else(|_| stderr(), |file| Box::new(file))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_left_out_wherever_it_stands() {
        hide("canary-of-hush");
        hide("hush");
        assert_eq!(hushed("a canary-of-hush sings"), "a *** sings");
        assert_eq!(hushed("hush"), "hush", "too short to be told apart");
        let mut out = vec![];
        Hushed(&mut out).write_all(b"canary-of-hush").unwrap();
        assert_eq!(out, b"***");
    }

    /// Not a test by itself: it is the crash of the one below.
    #[test]
    #[ignore = "it crashes"]
    fn crash() {
        hush_panics();
        hide("canary-of-crash");
        panic!("the server said canary-of-crash");
    }

    #[test]
    fn a_crash_tells_no_secret() {
        let crash = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "hush::tests::crash", "--ignored", "--nocapture"])
            .env("RUST_BACKTRACE", "full")
            .output()
            .unwrap();
        let said = [crash.stdout, crash.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("the server said ***"), "{said}");
        assert!(!said.contains("canary-of"), "{said}");
    }

    #[test]
    fn every_part_of_an_address_that_may_be_secret_is_named() {
        for (address, secret) in [
            ("icecast://source:pw-one-x@h/m", "pw-one-x"),
            ("icecast://source:pw%20one@h/m", "pw one"),
            ("rtmp://h/live/key-two-x", "key-two-x"),
            ("srt://h:1?passphrase=pass-three", "pass-three"),
            ("https://h/whip#token=token-four", "token-four"),
            (
                "webrtcsink+ws://h/?header=Authorization:%20Bearer-five",
                "Bearer-five",
            ),
            ("https://h/whip#turn=turn://me:pass-six@t:3478", "pass-six"),
            ("https://token-seven@h/whip", "token-seven"),
        ] {
            hide_address(address);
            let said = hushed(secret);
            assert_eq!(said, DOTS, "{address}");
        }
    }
}
