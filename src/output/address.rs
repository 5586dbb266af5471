// SPDX-License-Identifier: GPL-3.0-or-later
//! Addresses of outputs, taken apart. What is wrong with one is told without repeating it: it may hold a password.

use std::{collections::BTreeMap, fmt::Display};

use url::Url;

use crate::error::SpecError;

/// How the addresses of one kind of output are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// The kind, as people know it.
    pub(super) kind: &'static str,
    /// An example.
    pub(super) form: &'static str,
    /// What it may begin with.
    pub(super) schemes: &'static [&'static str],
}

impl Form {
    /// Take an address apart.
    pub(super) fn parse(self, text: &str) -> Result<Url, SpecError> {
        let url = Url::parse(text.trim()).map_err(|e| self.bad(e))?;
        if !self.schemes.contains(&url.scheme()) {
            let schemes = self.schemes.join(":// or ");
            return Err(self.bad(format!("it does not begin with {schemes}://")));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(self.bad("it names no host"));
        }
        Ok(url)
    }

    /// The error that says what is wrong.
    pub(super) fn bad(self, why: impl Display) -> SpecError {
        SpecError::OutputUrl {
            kind: self.kind,
            why: why.to_string(),
            form: self.form,
        }
    }

    /// A part with its `%` resolved.
    pub(super) fn decode(self, text: &str) -> Result<String, SpecError> {
        decode(text).ok_or_else(|| {
            self.bad("a % in it is not followed by two hexadecimal digits, or they are no text")
        })
    }

    /// What stands after `?` or `#`, as `name=value&name=value`. A name may come again.
    pub(super) fn parameters(self, text: Option<&str>) -> Result<Parameters, SpecError> {
        let mut found = Parameters {
            form: self,
            values: BTreeMap::new(),
        };
        for part in text.unwrap_or_default().split('&') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if !name.is_empty() {
                let values = found.values.entry(name.to_ascii_lowercase()).or_default();
                values.push(self.decode(value)?);
            }
        }
        Ok(found)
    }
}

/// Parameters of an address. Whoever reads one takes it out, so that what is left over is unknown.
pub(super) struct Parameters {
    form: Form,
    values: BTreeMap<String, Vec<String>>,
}

impl Parameters {
    /// The value of a parameter, if it is there and not empty.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let last = self.values.remove(name)?.pop()?;
        Some(last).filter(|value| !value.is_empty())
    }

    /// All values of a parameter that may come again.
    pub(super) fn take_all(&mut self, name: &str) -> Vec<String> {
        self.values.remove(name).unwrap_or_default()
    }

    /// A number.
    pub(super) fn number(&mut self, name: &str) -> Result<Option<u32>, SpecError> {
        let form = self.form;
        let wrong = |_| form.bad(format!("its {name} is not a number"));
        self.take(name)
            .map(|text| text.parse().map_err(wrong))
            .transpose()
    }

    /// One of these words.
    pub(super) fn word(
        &mut self,
        name: &str,
        words: &[&'static str],
    ) -> Result<Option<&'static str>, SpecError> {
        let Some(given) = self.take(name) else {
            return Ok(None);
        };
        let known = words.iter().find(|word| given.eq_ignore_ascii_case(word));
        known.copied().map(Some).ok_or_else(|| {
            self.form
                .bad(format!("its {name} is none of {}", words.join(", ")))
        })
    }

    /// Nothing else may be there.
    pub(super) fn end(self) -> Result<(), SpecError> {
        match self.values.keys().next() {
            // The name is no secret, unless the whole was put together wrongly.
            Some(name) if name.len() <= 20 => {
                Err(self.form.bad(format!("it has no parameter called {name}")))
            }
            Some(_) => Err(self.form.bad("it has a parameter that is not known")),
            None => Ok(()),
        }
    }
}

/// Host and port, as shown to people.
pub(super) fn host_and_port(url: &Url, default: u16) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{host}:{}", url.port_or_known_default().unwrap_or(default))
}

/// The host without the brackets of IPv6.
pub(super) fn bare_host(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Resolve `%41` and the like. A `+` stays one: tokens are full of them.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let pair = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form = Form {
        kind: "SRT",
        form: "srt://HOST:PORT",
        schemes: &["srt"],
    };

    #[test]
    fn parameters_are_taken_out_and_what_is_left_is_unknown() {
        let mut given = FORM
            .parameters(Some("latency=200&Token=a+b%2Fc==&mode=CALLER&x=1&x=2"))
            .unwrap();
        assert_eq!(given.number("latency"), Ok(Some(200)));
        assert_eq!(given.take("token"), Some("a+b/c==".into()));
        let modes = ["caller", "listener"];
        assert_eq!(given.word("mode", &modes), Ok(Some("caller")));
        assert_eq!(given.take_all("x"), ["1", "2"]);
        assert_eq!(given.end(), Ok(()));
        let left = FORM.parameters(Some("passphrasse=pw1")).unwrap();
        let error = left.end().unwrap_err().to_string();
        assert!(
            error.contains("passphrasse") && !error.contains("pw1"),
            "{error}"
        );
    }

    #[test]
    fn what_is_wrong_is_told_without_the_address() {
        for bad in ["http://u:pw1@h", "srt://", "srt://u:pw1@h:99999", "pw1"] {
            let error = FORM.parse(bad).unwrap_err().to_string();
            assert!(!error.contains("pw1"), "{error}");
        }
        assert!(FORM.parameters(Some("a=%zz")).is_err());
    }
}
