// SPDX-License-Identifier: GPL-3.0-or-later
//! Icecast, through shout2send.

use std::{fmt, str::FromStr, time::Duration};

use url::Url;

use super::{Context, Progress, drive, listeners};
use crate::{
    encode::Format,
    error::{OutputError, SpecError},
    message::OutputState,
    mux::{Container, Feeder, FeederEnd},
    program::PipelineError,
};

/// How long the server may take no bytes before the connection is given up; also how long "live" may be untrue.
const STALL: Duration = Duration::from_secs(4);
/// How long making the connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A mount on an Icecast server. Its `Debug` and [`public_url`](Self::public_url) never show a password.
#[derive(Clone, PartialEq, Eq)]
pub struct IcecastTarget {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Mount, with its leading slash.
    pub mount: String,
    /// Source user, usually `source`.
    pub user: String,
    /// Source password.
    pub password: String,
    /// User and password of the admin interface, to list and kick listeners.
    pub admin: Option<(String, String)>,
}

impl IcecastTarget {
    fn host_and_port(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Address without user or password.
    pub fn public_url(&self) -> String {
        format!("icecast://{}:{}{}", self.host, self.port, self.mount)
    }
}

impl fmt::Debug for IcecastTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public_url())
    }
}

impl FromStr for IcecastTarget {
    type Err = SpecError;

    /// `icecast://USER:PASSWORD@HOST:PORT/MOUNT[?admin=USER:PASSWORD]`; `http://` is understood too. User and port
    /// default to `source` and 8000.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let bad = |why: &str| SpecError::IcecastUrl {
            // What cannot be parsed is not repeated: it may hold a password.
            url: Url::parse(text).map_or("given".into(), |u| {
                format!(
                    "{}://{}{}",
                    u.scheme(),
                    u.host_str().unwrap_or(""),
                    u.path()
                )
            }),
            why: why.into(),
        };
        let plain = |s: &str| {
            percent_decode(s)
                .ok_or_else(|| bad("a % in it is not followed by two hexadecimal digits"))
        };
        let url = Url::parse(text).map_err(|e| bad(&e.to_string()))?;
        if !matches!(url.scheme(), "icecast" | "http") {
            return Err(bad("it does not begin with icecast://"));
        }
        let host = url
            .host_str()
            .filter(|h| !h.is_empty())
            .ok_or_else(|| bad("it names no host"))?;
        let mount = url.path();
        if mount.len() < 2 {
            return Err(bad("it names no mount"));
        }
        let password = match url.password() {
            Some(p) => plain(p)?,
            None => std::env::var("AERIAL_ICECAST_PASSWORD")
                .map_err(|_| bad("it has no password, and AERIAL_ICECAST_PASSWORD is not set"))?,
        };
        let admin = url.query_pairs().find(|(k, _)| k == "admin").map(|(_, v)| {
            let (user, password) = v.split_once(':').unwrap_or(("admin", &v));
            (user.to_string(), password.to_string())
        });
        Ok(IcecastTarget {
            host: host.trim_matches(['[', ']']).to_string(),
            port: url.port().unwrap_or(8000),
            mount: plain(mount)?,
            user: match url.username() {
                "" => "source".into(),
                user => plain(user)?,
            },
            password,
            admin,
        })
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        out.push(if b == b'%' {
            let pair = [bytes.next()?, bytes.next()?];
            u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?
        } else {
            b
        });
    }
    String::from_utf8(out).ok()
}

/// Stream to the server until told to stop; try again with growing delays.
pub(super) async fn run(context: Context, target: IcecastTarget) {
    if gst::ElementFactory::find("shout2send").is_none() {
        return context.tell(OutputState::Failed(OutputError::Missing {
            element: "shout2send",
            package: "gstreamer1.0-plugins-good",
        }));
    }
    drive::keep(&context, || connection(&context, &target)).await;
}

/// One connection, from its beginning to its failure.
///
/// ```text
/// packets ─▶ webmmux ─▶ shout2send
/// ```
///
/// The muxer is the connection's own, not the one of the HTTP viewers: libshout sends at the pace of the times in the
/// stream, counted from its beginning, so a stream that does not begin at 0 would wait for as long as it is old.
async fn connection(context: &Context, target: &IcecastTarget) -> OutputError {
    let other = |e: &dyn fmt::Display| OutputError::Other(e.to_string());
    let sink = match gst::ElementFactory::make("shout2send")
        .name("server")
        .property("ip", &target.host)
        .property("port", i32::from(target.port))
        .property("mount", &target.mount)
        .property("username", &target.user)
        .property("password", &target.password)
        .property("sync", false)
        .property("async", false)
        .property("timeout", CONNECT.as_millis() as u32)
        .build()
    {
        Ok(sink) => sink,
        Err(e) => return other(&e),
    };
    let progress = Progress::watch(&sink);
    // A key frame always begins a cluster, so that a listener can begin there.
    let muxer = "webmmux streamable=true min-cluster-duration=0 offset-to-zero=true";
    let started = Feeder::start(
        &context.runtime,
        &context.clock,
        &context.encoders,
        webm(),
        muxer,
        sink,
    )
    .await;
    let mut feeder = match started {
        Ok(feeder) => feeder,
        Err(e) => return other(&e),
    };
    let listing = async {
        match &target.admin {
            Some(admin) => listeners::follow(context, target, admin).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        end = feeder.ended() => match end {
            FeederEnd::Failed(e) => classify(target, &e),
            FeederEnd::Running | FeederEnd::Packets | FeederEnd::Finished => {
                other(&"the encoders were restarted")
            }
        },
        () = context.report(&progress, STALL) => OutputError::Stalled { host: target.host_and_port() },
        () = listing => other(&"the connection ended"),
    }
}

fn webm() -> &'static Container {
    Container::of(Format::WebM).expect("WebM has a row in the table")
}

/// GStreamer's and libshout's words to ours.
fn classify(target: &IcecastTarget, e: &PipelineError) -> OutputError {
    let host = target.host_and_port();
    let details = e.debug.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|w| details.contains(w));
    if says(&[
        "nologin",
        "login failed",
        "no login",
        "login not possible",
        "authent",
    ]) {
        return OutputError::Denied { host };
    }
    if says(&["mount", "refused by server", "in use"])
        && e.code.matches(gst::ResourceError::OpenWrite)
    {
        return OutputError::Refused {
            host,
            mount: target.mount.clone(),
        };
    }
    if e.code.matches(gst::ResourceError::OpenWrite) {
        let why = if says(&["resolve", "dns", "name"]) {
            "there is no such host"
        } else {
            "nobody answers there"
        };
        return OutputError::Unreachable {
            host,
            why: why.into(),
        };
    }
    if says(&["timeout", "timed out"]) {
        return OutputError::Stalled { host };
    }
    OutputError::Lost { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let text = "icecast://me:s3cr%65t@[::1]:8010/show.webm?admin=boss:h1dden";
        let target: IcecastTarget = text.parse().unwrap();
        assert_eq!(
            (target.user.as_str(), target.password.as_str()),
            ("me", "s3cret")
        );
        assert_eq!((target.host.as_str(), target.port), ("::1", 8010));
        assert_eq!(target.admin, Some(("boss".into(), "h1dden".into())));
        let shown = format!("{target:?} {}", target.public_url());
        assert!(!shown.contains("cret") && !shown.contains("h1dden"));
    }

    #[test]
    fn a_wrong_address_is_explained_without_repeating_the_password() {
        for bad in [
            "ftp://a:pw1@h/m.webm",
            "icecast://a:pw1@h",
            "icecast://a:pw1@h:99999/m",
            "icecast://a:pw1%zz@h/m",
        ] {
            let error = bad.parse::<IcecastTarget>().unwrap_err();
            assert!(!error.to_string().contains("pw1"), "{error}");
        }
    }
}
