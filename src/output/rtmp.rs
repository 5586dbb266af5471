// SPDX-License-Identifier: GPL-3.0-or-later
//! Pushing to an RTMP server: the platforms that take live video, nginx, and others.
//!
//! The last part of the path is the stream key, which is a password: it is never shown.

use std::{fmt, str::FromStr, time::Duration};

use gst::prelude::*;

use super::{
    Context, Progress,
    address::{self, Form},
    drive,
};
use crate::{
    encode::Format,
    error::{OutputError, SpecError},
    mux::{Container, Feeder, FeederEnd},
    program::PipelineError,
};

/// A server that does not answer for this long, in seconds.
const CONNECT: u32 = 10;

/// A server that takes nothing for this long is given up.
const STALL: Duration = Duration::from_secs(15);

/// Larger pieces than the 128 bytes of the standard: less overhead, and every server takes them.
const CHUNK: u32 = 4096;

const FORM: Form = Form {
    kind: "RTMP",
    form: "rtmp://HOST/APPLICATION/KEY or rtmps://HOST/APPLICATION/KEY",
    schemes: &["rtmp", "rtmps"],
};

/// Where to push to.
#[derive(Clone, PartialEq, Eq)]
pub struct RtmpTarget {
    /// Over TLS.
    pub secure: bool,
    /// Host name or address.
    pub host: String,
    /// 1935, or 443 over TLS, unless it says otherwise.
    pub port: u16,
    /// The application: the path without its last part.
    pub application: String,
    /// The stream key: the last part of the path, with what follows it.
    pub key: String,
    /// User and password, where the server wants them.
    pub login: Option<(String, String)>,
    given: String,
}

impl RtmpTarget {
    fn scheme(&self) -> &'static str {
        if self.secure { "rtmps" } else { "rtmp" }
    }

    fn host_and_port(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Address as it was given, secrets and all: to be changed, never to be shown.
    pub fn full_url(&self) -> &str {
        &self.given
    }

    /// Address without stream key, user and password.
    pub fn public_url(&self) -> String {
        let host = self.host_and_port();
        format!("{}://{host}/{}", self.scheme(), self.application)
    }
}

impl fmt::Debug for RtmpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public_url())
    }
}

impl FromStr for RtmpTarget {
    type Err = SpecError;

    /// `rtmp[s]://[USER:PASSWORD@]HOST[:PORT]/APPLICATION/KEY`.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let url = FORM.parse(text)?;
        let secure = url.scheme() == "rtmps";
        let path = url.path().trim_matches('/');
        let (application, key) = path
            .rsplit_once('/')
            .ok_or_else(|| FORM.bad("it needs an application and a stream key"))?;
        // Some platforms write parameters behind the key.
        let key = match url.query() {
            Some(query) => format!("{key}?{query}"),
            None => key.to_string(),
        };
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => Some((
                FORM.decode(user)?,
                FORM.decode(password.unwrap_or_default())?,
            )),
        };
        Ok(RtmpTarget {
            secure,
            host: address::bare_host(&url).to_string(),
            port: url.port().unwrap_or(if secure { 443 } else { 1935 }),
            application: application.to_string(),
            key,
            login,
            given: text.to_string(),
        })
    }
}

/// Stream to the server until told to stop; try again with growing delays.
pub(super) async fn run(context: Context, target: RtmpTarget) {
    if let Some(missing) = drive::missing("rtmp2sink", "gstreamer1.0-plugins-bad") {
        return context.tell(missing);
    }
    drive::keep(&context, || connection(&context, &target)).await;
}

/// One connection, from its beginning to its failure.
///
/// ```text
/// packets ─▶ flvmux ─▶ rtmp2sink
/// ```
///
/// The muxer is the connection's own: an FLV stream begins with the codec headers, at time 0.
async fn connection(context: &Context, target: &RtmpTarget) -> OutputError {
    let other = |e: &dyn fmt::Display| OutputError::Other(e.to_string());
    let (user, password) = target.login.clone().unzip();
    let sink = match gst::ElementFactory::make("rtmp2sink")
        .name("server")
        .property_from_str("scheme", target.scheme())
        .property("host", &target.host)
        .property("port", i32::from(target.port))
        .property("application", &target.application)
        .property("stream", &target.key)
        .property("username", user)
        .property("password", password)
        .property("timeout", CONNECT)
        .property("chunk-size", CHUNK)
        .property("sync", false)
        .property("async", false)
        .property("enable-last-sample", false)
        .build()
    {
        Ok(sink) => sink,
        Err(e) => return other(&e),
    };
    let progress = Progress::counted();
    let container = Container::of(Format::Flv).expect("FLV has a row in the table");
    let started = Feeder::start(
        &context.runtime,
        &context.clock,
        &context.encoders,
        container,
        "flvmux streamable=true",
        sink.clone(),
    )
    .await;
    let mut feeder = match started {
        Ok(feeder) => feeder,
        Err(e) => return other(&e),
    };
    let host = || target.host_and_port();
    tokio::select! {
        end = feeder.ended() => match end {
            FeederEnd::Failed(e) => classify(target, &e),
            FeederEnd::Running | FeederEnd::Packets | FeederEnd::Finished => {
                other(&"the encoders were restarted")
            }
        },
        () = drive::sample(&progress, move || taken(&sink)) => OutputError::Lost { host: host() },
        () = context.report(&progress, STALL) => OutputError::Stalled { host: host() },
    }
}

/// Bytes that went out, once the server has answered: the sink itself takes some before it is connected.
fn taken(sink: &gst::Element) -> u64 {
    let stats: gst::Structure = sink.property("stats");
    let bytes = |name| stats.get::<u64>(name).unwrap_or_default();
    match bytes("in-bytes-total") {
        0 => 0,
        _ => bytes("out-bytes-total"),
    }
}

/// GStreamer's words to ours.
fn classify(target: &RtmpTarget, e: &PipelineError) -> OutputError {
    let host = target.host_and_port();
    let details = format!("{} {}", e.message, e.debug).to_lowercase();
    let says = |words: &[&str]| words.iter().any(|w| details.contains(w));
    if says(&["auth"]) {
        return OutputError::Denied { host };
    }
    let unreachable = |why: &str| OutputError::Unreachable {
        host: host.clone(),
        why: why.into(),
    };
    if says(&["resolv"]) {
        return unreachable("there is no such host");
    }
    if says(&["certificate", "tls"]) {
        return unreachable("its certificate is not one that this computer trusts");
    }
    if says(&["could not connect", "refused: "]) {
        return unreachable("nobody answers there");
    }
    if says(&["timed out"]) {
        return unreachable("it does not answer in time");
    }
    if says(&["cmd failed", "publish", "stream"]) && says(&["failed to connect", "denied", "cmd"]) {
        return OutputError::Rejected {
            host,
            why: "it does not know the application, or not the stream key".into(),
        };
    }
    OutputError::Lost { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_key_is_never_shown() {
        let text = "rtmps://me:s3cret@live.example.org/app/part/K3y-1?x=hidden";
        let target: RtmpTarget = text.parse().unwrap();
        assert_eq!((target.port, target.secure), (443, true));
        assert_eq!(target.application, "app/part");
        assert_eq!(target.key, "K3y-1?x=hidden");
        let shown = format!("{target:?} {}", target.public_url());
        for secret in ["K3y", "s3cret", "hidden", "me:"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("rtmps://live.example.org:443/app/part"));
    }

    #[test]
    fn an_address_without_a_key_is_refused() {
        for bad in [
            "rtmp://h/app",
            "rtmp://h",
            "http://h/a/K3y",
            "rtmp:///a/K3y",
        ] {
            let error = bad.parse::<RtmpTarget>().unwrap_err().to_string();
            assert!(!error.contains("K3y"), "{error}");
        }
        let v6: RtmpTarget = "rtmp://[::1]/live/x".parse().unwrap();
        assert_eq!(v6.public_url(), "rtmp://[::1]:1935/live");
    }
}
