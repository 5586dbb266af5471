// SPDX-License-Identifier: GPL-3.0-or-later
//! Sending over SRT: calling somebody, or waiting to be called.
//!
//! The bytes are those of `/live.ts`, muxed once for all.

use std::{fmt, str::FromStr, time::Duration};

use gst::prelude::*;
use tokio::{sync::watch, time::timeout};

use super::{
    Context, Progress,
    address::{self, Form},
    drive,
};
use crate::{
    encode::Format,
    error::{OutputError, SpecError},
    fanout::Join,
    mux::{Chunk, MuxLease},
    program::{Notice, Pipeline, PipelineError},
};

/// A receiver that takes nothing for this long is given up. SRT itself notices one that is gone after 5 s.
const STALL: Duration = Duration::from_secs(10);

/// A muxer that has given nothing by then will not.
const BEGIN: Duration = Duration::from_secs(10);

/// Bytes that may wait for the network: two seconds of 8 Mbit/s. The feed skips when this lasts.
const WAITING: u64 = 2 << 20;

const FORM: Form = Form {
    kind: "SRT",
    form: "srt://HOST:PORT[?mode=listener&latency=MILLISECONDS&passphrase=WORDS&streamid=NAME]",
    schemes: &["srt"],
};

/// Who calls whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SrtMode {
    /// We call.
    Caller,
    /// We are called, by as many as like.
    Listener,
}

/// Where to send to.
#[derive(Clone, PartialEq, Eq)]
pub struct SrtTarget {
    /// Host and port; of a listener its own.
    address: String,
    /// Who calls whom.
    pub mode: SrtMode,
    /// How long a lost packet may take to come again, in milliseconds.
    pub latency: u32,
    /// What the stream is encrypted with.
    passphrase: Option<String>,
    /// The key of the stream, where the receiver wants one. Some are secret.
    streamid: Option<String>,
    given: String,
}

impl SrtTarget {
    /// Address as it was given, secrets and all: to be changed, never to be shown.
    pub fn full_url(&self) -> &str {
        &self.given
    }

    /// Address without passphrase and stream id.
    pub fn public_url(&self) -> String {
        let mode = match self.mode {
            SrtMode::Caller => "caller",
            SrtMode::Listener => "listener",
        };
        let latency = self.latency;
        format!("srt://{}?mode={mode}&latency={latency}", self.address)
    }
}

impl fmt::Debug for SrtTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public_url())
    }
}

impl FromStr for SrtTarget {
    type Err = SpecError;

    /// `srt://HOST:PORT[?mode=caller|listener&latency=MS&passphrase=…&streamid=…]`.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let url = FORM.parse(text)?;
        if url.port().is_none() {
            return Err(FORM.bad("it names no port"));
        }
        let mut given = FORM.parameters(url.query())?;
        let mode = match given.word("mode", &["caller", "listener"])? {
            Some("listener") => SrtMode::Listener,
            _ => SrtMode::Caller,
        };
        let passphrase = given.take("passphrase");
        if let Some(words) = &passphrase
            && !(10..=79).contains(&words.len())
        {
            return Err(FORM.bad("a passphrase has 10 to 79 characters"));
        }
        let streamid = given.take("streamid");
        if streamid.as_ref().is_some_and(|id| id.len() > 512) {
            return Err(FORM.bad("a stream id has 512 characters at most"));
        }
        let latency = given.number("latency")?.unwrap_or(125).min(60_000);
        given.end()?;
        Ok(SrtTarget {
            address: address::host_and_port(&url, 0),
            mode,
            latency,
            passphrase,
            streamid,
            given: text.to_string(),
        })
    }
}

/// Send until told to stop; try again with growing delays.
pub(super) async fn run(context: Context, target: SrtTarget) {
    if let Some(missing) = drive::missing("srtsink", "gstreamer1.0-plugins-bad") {
        return context.tell(missing);
    }
    drive::keep(&context, || connection(&context, &target)).await;
}

/// One connection, from its beginning to its failure.
///
/// ```text
/// chunks of the one MPEG-TS muxer ─▶ appsrc ─▶ srtsink
/// ```
async fn connection(context: &Context, target: &SrtTarget) -> OutputError {
    let other = |e: &dyn fmt::Display| OutputError::Other(e.to_string());
    let Some(lease) = context.muxes.lease(Format::Ts) else {
        return other(&"there is neither picture nor sound");
    };
    // From here on, so that what is sent first is as new as can be.
    let head = timeout(BEGIN, lease.stream().wait_head()).await;
    let Some(head) = head.ok().flatten() else {
        return other(&"the encoder gives nothing");
    };
    let (failed, mut failure) = watch::channel(None);
    let (pipeline, source, sink) = match build(context, target, failed) {
        Ok(parts) => parts,
        Err(e) => return other(&e),
    };
    let pipeline = match drive::start(context, pipeline).await {
        Ok(pipeline) => pipeline,
        Err(_) => {
            let why = failure.borrow().clone();
            return why.map_or_else(
                || other(&"it could not be started"),
                |e| classify(target, &e),
            );
        }
    };
    let progress = Progress::counted();
    let told = async {
        match target.mode {
            SrtMode::Caller => context.report(&progress, STALL).await,
            // Nobody calling is no failure.
            SrtMode::Listener => context.report_visits(&progress, STALL).await,
        }
    };
    let mut seen = Taken::default();
    let error = tokio::select! {
        Ok(end) = failure.wait_for(Option::is_some) => match end.as_ref() {
            Some(e) => classify(target, e),
            None => OutputError::Lost { host: target.address.clone() },
        },
        () = pump(&lease, head.to_vec(), source) => other(&"the encoders were restarted"),
        () = drive::sample(&progress, move || seen.bytes(&sink)) => {
            OutputError::Lost { host: target.address.clone() }
        }
        () = told => OutputError::Stalled { host: target.address.clone() },
    };
    drop(pipeline);
    error
}

type Parts = (Pipeline, gst_app::AppSrc, gst::Element);

fn build(
    context: &Context,
    target: &SrtTarget,
    failed: watch::Sender<Option<PipelineError>>,
) -> Result<Parts, gst::glib::BoolError> {
    let caller = target.mode == SrtMode::Caller;
    let mode = if caller { "caller" } else { "listener" };
    let sink = gst::ElementFactory::make("srtsink")
        .name("receiver")
        // The mode in it tells whose address it is.
        .property("uri", format!("srt://{}?mode={mode}", target.address))
        .property("latency", target.latency as i32)
        // Trying again is ours to do, and to tell.
        .property("auto-reconnect", false)
        .property("wait-for-connection", caller)
        .property("sync", false)
        .property("async", false)
        .property("enable-last-sample", false)
        .build()?;
    if let Some(words) = &target.passphrase {
        sink.set_property("passphrase", words);
    }
    if let Some(id) = &target.streamid {
        sink.set_property("streamid", id);
    }
    let caps = gst::Caps::builder("video/mpegts")
        .field("systemstream", true)
        .field("packetsize", 188)
        .build();
    let source = gst_app::AppSrc::builder()
        .name("chunks")
        .caps(&caps)
        .format(gst::Format::Time)
        // No limit of its own: `pump` hands over only what the network takes.
        .max_bytes(0)
        .build();
    let pipeline = context.clock.watched("srt", move |notice| {
        if let Notice::Error(e) = notice {
            failed.send_if_modified(|first| {
                let new = first.is_none();
                first.get_or_insert(e);
                new
            });
        }
    });
    pipeline.add_many([source.upcast_ref(), &sink])?;
    source.link(&sink)?;
    Ok((pipeline, source, sink))
}

/// Hand chunks over as fast as the network takes them, until the stream ends.
async fn pump(lease: &MuxLease, head: Vec<u8>, source: gst_app::AppSrc) {
    let mut feed = lease.stream().subscribe(Join::LastKey);
    let mut batch: Vec<Chunk> = Vec::new();
    if !head.is_empty() && source.push_buffer(gst::Buffer::from_slice(head)).is_err() {
        return std::future::pending().await;
    }
    while feed.next_batch(&mut batch, 8).await {
        for chunk in batch.drain(..) {
            while source.current_level_bytes() >= WAITING {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            if source
                .push_buffer(gst::Buffer::from_slice(chunk.data))
                .is_err()
            {
                // The sink failed: it says why.
                return std::future::pending().await;
            }
        }
    }
}

/// Bytes that receivers have really taken: counted while acknowledgements come.
#[derive(Default)]
struct Taken {
    acknowledged: i64,
    bytes: u64,
}

impl Taken {
    fn bytes(&mut self, sink: &gst::Element) -> u64 {
        let stats: gst::Structure = sink.property("stats");
        let one = |s: &gst::StructureRef| {
            let number = s.get::<i32>("packet-ack-received").unwrap_or_default();
            i64::from(number)
        };
        let callers: i64 = stats
            .get::<gst::glib::ValueArray>("callers")
            .map(|all| {
                all.iter()
                    .filter_map(|caller| caller.get::<gst::Structure>().ok())
                    .map(|caller| one(&caller))
                    .sum()
            })
            .unwrap_or_default();
        let acknowledged = callers + one(&stats);
        if acknowledged > self.acknowledged {
            self.bytes = stats.get::<u64>("bytes-sent-total").unwrap_or_default();
        }
        // Less than before when a caller left.
        self.acknowledged = acknowledged;
        self.bytes
    }
}

/// GStreamer's and libsrt's words to ours.
fn classify(target: &SrtTarget, e: &PipelineError) -> OutputError {
    let host = target.address.clone();
    let details = format!("{} {}", e.message, e.debug).to_lowercase();
    let says = |words: &[&str]| words.iter().any(|w| details.contains(w));
    let unreachable = |why: &str| OutputError::Unreachable {
        host: host.clone(),
        why: why.into(),
    };
    if target.mode == SrtMode::Listener {
        return match says(&["bind", "address", "listen", "open"]) {
            true => unreachable("this computer has no such address, or the port is in use"),
            false => OutputError::Other(e.to_string().to_lowercase()),
        };
    }
    if says(&["resolve", "name or service", "extract host"]) {
        return unreachable("there is no such host");
    }
    if says(&[
        "connection does not exist",
        "setup",
        "could not connect",
        "rejected",
    ]) {
        return unreachable(match (&target.passphrase, &target.streamid) {
            (None, None) => "nobody answers there, or a passphrase is wanted",
            _ => "nobody answers there, or the passphrase or the stream id is refused",
        });
    }
    OutputError::Lost { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_passphrase_and_the_stream_id_are_never_shown() {
        let text = "srt://h.example:9000?latency=200&passphrase=s3cret-words&streamid=%23!::r=k3y";
        let target: SrtTarget = text.parse().unwrap();
        assert_eq!(target.streamid.as_deref(), Some("#!::r=k3y"));
        assert_eq!(target.passphrase.as_deref(), Some("s3cret-words"));
        let shown = format!("{target:?} {}", target.public_url());
        assert!(
            !shown.contains("s3cret") && !shown.contains("k3y"),
            "{shown}"
        );
        assert!(shown.contains("srt://h.example:9000?mode=caller&latency=200"));
        let listener: SrtTarget = "srt://0.0.0.0:9000?mode=listener".parse().unwrap();
        assert_eq!(listener.mode, SrtMode::Listener);
    }

    #[test]
    fn a_wrong_address_is_explained_without_its_secrets() {
        for bad in [
            "srt://h",
            "srt://h:1?passphrase=s3cret",
            "srt://h:1?mode=rendezvous&passphrase=s3cret-words",
            "srt://h:1?latency=soon",
            "srt://h:1?pass=s3cret-words",
            "udp://h:1?passphrase=s3cret-words",
        ] {
            let error = bad.parse::<SrtTarget>().unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
