// SPDX-License-Identifier: GPL-3.0-or-later
//! Pushing over WebRTC: to a WHIP endpoint, a room of Janus, somebody's signalling server, LiveKit or AWS.
//!
//! All of them are elements of the webrtcsink family. They get what our own viewers get, coded once for all; only
//! `mode=adaptive` gives raw pictures to a signalling server's viewers, with an encoder for each.

mod navigation;
mod peer;
mod target;
mod tracks;
mod witness;

use std::time::Duration;

use gst::prelude::*;
use tokio::sync::watch;

pub use peer::{Mode, Peer};
pub use target::WebRtcTarget;

use super::{Context, Progress, drive};
use crate::{
    error::OutputError,
    program::{Notice, PipelineError},
};
use tracks::Tracks;
use witness::Witness;

/// A peer that acknowledges nothing for this long is given up: reports come about once a second.
const STALL: Duration = Duration::from_secs(10);

/// From the first message to the first acknowledgement: ICE may try for a while.
const CONNECT: Duration = Duration::from_secs(30);

/// Stream until told to stop; try again with growing delays.
pub(super) async fn run(context: Context, target: WebRtcTarget) {
    let missing = drive::missing(target.peer.element(), "gstreamer1.0-plugins-bad")
        .or_else(|| drive::missing("webrtcbin", "gstreamer1.0-plugins-bad"))
        .or_else(|| drive::missing("nicesrc", "gstreamer1.0-nice"))
        .or_else(|| match target.peer.navigation() {
            // Data channels are made of it.
            true => drive::missing("sctpenc", "gstreamer1.0-plugins-bad"),
            false => None,
        });
    if let Some(missing) = missing {
        return context.tell(missing);
    }
    drive::keep(&context, || connection(&context, &target)).await;
}

/// One connection, from its beginning to its failure.
///
/// ```text
/// packets ─▶ appsrc ─▶ a sink of the webrtcsink family
/// ```
async fn connection(context: &Context, target: &WebRtcTarget) -> OutputError {
    let other = |e: &dyn std::fmt::Display| OutputError::Other(e.to_string());
    let host = || target.host();
    let tracks = match Tracks::lease(context, target.peer.mode()).await {
        Ok(tracks) => tracks,
        Err(why) => return OutputError::Other(why),
    };
    let sink = match peer::sink(target, &tracks.codecs()) {
        Ok(sink) => sink,
        Err(e) => return other(&e),
    };
    let visited = target.peer.visited();
    let witness = Witness::watch(context, target, &sink, &tracks.codecs());
    let (failed, mut failure) = watch::channel(None);
    let pipeline = context.clock.watched("webrtc", move |notice| {
        let e = match notice {
            Notice::Error(e) => e,
            // The sink's way to say that the other side ended the session.
            Notice::Eos => PipelineError {
                message: "the session was ended".into(),
                debug: String::new(),
                code: gst::glib::Error::new(gst::ResourceError::Close, "ended"),
            },
            Notice::Element(..) | Notice::SegmentDone => return,
        };
        failed.send_if_modified(|first| {
            let new = first.is_none();
            first.get_or_insert(e);
            new
        });
    });
    if let Err(e) = pipeline.add(&sink) {
        return other(&e);
    }
    let picture = tracks.picture();
    let feeding = match tracks.connect(context, &pipeline, &sink) {
        Ok(feeding) => feeding,
        Err(e) => return other(&e),
    };
    if target.peer.navigation() {
        navigation::follow(context, &sink, picture.unwrap_or(context.program.size()));
    }
    let _pipeline = match drive::start(context, pipeline).await {
        Ok(pipeline) => pipeline,
        Err(e) => {
            let first = failure.borrow().clone();
            return classify(target, &first.unwrap_or(e));
        }
    };
    let progress = Progress::counted();
    let told = async {
        if visited {
            // Nobody watching is no failure.
            context.report_visits(&progress, STALL).await;
        }
        if tokio::time::timeout(CONNECT, progress.moved())
            .await
            .is_err()
        {
            return OutputError::Unreachable {
                host: host(),
                why: "no connection came about in time".into(),
            };
        }
        tokio::select! {
            () = context.report(&progress, STALL) => OutputError::Stalled { host: host() },
            () = witness.deserted() => OutputError::Lost { host: host() },
        }
    };
    let taken = witness.taken();
    tokio::select! {
        Ok(end) = failure.wait_for(Option::is_some) => match end.as_ref() {
            Some(e) => classify(target, e),
            None => OutputError::Lost { host: host() },
        },
        () = feeding.ended() => other(&"the encoders were restarted"),
        () = drive::sample(&progress, taken) => OutputError::Lost { host: host() },
        error = told => error,
    }
}

/// The family's words to ours. They may hold addresses with secrets, so nothing of them is passed on.
fn classify(target: &WebRtcTarget, e: &PipelineError) -> OutputError {
    let host = target.host();
    let details = format!("{} {}", e.message, e.debug).to_lowercase();
    let says = |words: &[&str]| words.iter().any(|w| details.contains(w));
    let rejected = |why: &str| OutputError::Rejected {
        host: host.clone(),
        why: why.into(),
    };
    let unreachable = |why: &str| OutputError::Unreachable {
        host: host.clone(),
        why: why.into(),
    };
    let status = |code: &str| {
        says(&[
            &format!("unexpected response: {code}"),
            &format!("http error: {code}"),
        ])
    };
    if status("401") || status("403") || says(&["unauthorized"]) {
        return OutputError::Denied { host };
    }
    if status("404") {
        return rejected("it knows no such address");
    }
    if says(&["no such room", "code: 426"]) {
        return rejected("it has no such room");
    }
    if says(&["unexpected response: ", "http error: "]) {
        let code = ["unexpected response: ", "http error: "]
            .iter()
            .find_map(|words| details.split_once(words))
            .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect())
            .filter(|code: &String| !code.is_empty());
        return match code {
            Some(code) => rejected(&format!("it answers {code}")),
            None => rejected("it answers with an error"),
        };
    }
    if says(&["dns", "resolve", "name or service"]) {
        return unreachable("there is no such host");
    }
    if says(&["certificate"]) {
        return unreachable("its certificate is not one that this computer trusts");
    }
    if says(&[
        "connection refused",
        "error sending request",
        "os error 111",
        "connect error",
    ]) {
        return unreachable("nobody answers there");
    }
    if says(&["answer sdp", "location header", "codec"]) {
        return rejected("its answer cannot be used");
    }
    OutputError::Lost { host }
}
