// SPDX-License-Identifier: GPL-3.0-or-later
//! Icecast: the stream of the shared muxer, over a source connection of our own.
//!
//! GStreamer has shout2send for this, but it sends at the pace of the times in the stream, so it cannot take part in a
//! stream that has been running for a while; it knows no TLS, and its errors can be told apart by their wording only.
//!
//! ```text
//! shared mux ─▶ fanout ─▶ feed ─▶ (TLS) ─▶ PUT /mount ─▶ server ─▶ listeners, relays
//!                                              ▲
//! listeners, title ◀──────── /admin/… ─────────┘
//! ```

mod dial;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing {
    /// The head of an answer, and the words of a refusal.
    pub(in crate::output) fn answer(data: &[u8]) {
        let _ = super::talk::parse(data);
        let words = super::talk::in_words(&String::from_utf8_lossy(data));
        assert!(!words.chars().any(char::is_control), "{words:?}");
    }
}
mod source;
mod talk;
mod target;
mod title;

use std::time::Duration;

pub(super) use talk::Admin;
pub use target::{About, IcecastTarget, Relay};

use super::{Context, drive, listeners};
use crate::{
    encode::{RungId, ability},
    error::{OutputError, SpecError},
    fanout::Join,
    message::MediaKind,
    mux::{Container, MuxLease},
};
use dial::Dialer;
use source::Goods;

/// What we call ourselves.
const AGENT: &str = concat!("Aerial/", env!("CARGO_PKG_VERSION"));
/// A stream that cannot begin within this time will not (no encoder, for instance).
const BEGIN: Duration = Duration::from_secs(10);

/// Stream to the server until told to stop; try again with growing delays.
pub(super) async fn run(context: Context, target: IcecastTarget) {
    drive::keep(&context, || connection(&context, &target)).await;
}

/// One connection, from its beginning to its failure.
async fn connection(context: &Context, target: &IcecastTarget) -> OutputError {
    match attempt(context, target).await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

async fn attempt(
    context: &Context,
    target: &IcecastTarget,
) -> Result<std::convert::Infallible, OutputError> {
    let format = target.format();
    let container = Container::of(format).expect("each format of a mount has a container");
    let rungs: Vec<_> = context.encoders.rungs_of(format).into_iter().collect();
    let lease = context
        .muxes
        .lease(format)
        .ok_or(OutputError::NothingToSend {
            format: container.name,
        })?;
    // Before anybody is asked for anything: a server would hold the mount for a stream that never comes.
    let codecs: Vec<_> = rungs.iter().map(|id| id.codec).collect();
    let tried = context.runtime.spawn_blocking(move || {
        codecs
            .into_iter()
            .try_for_each(|c| ability(c).best(None).map(drop))
    });
    if let Ok(Err(error)) = tried.await {
        return Err(unable(error));
    }
    let (dialer, servers) = ways(context, target).await?;
    let header = tokio::time::timeout(BEGIN, lease.stream().wait_head()).await;
    let header = header
        .ok()
        .flatten()
        .ok_or_else(|| OutputError::Other("the stream could not be begun".into()))?;
    let goods = goods(context, &lease, &rungs);
    let link = source::connect(target, &dialer, &goods).await?;
    let feed = lease.stream().subscribe(Join::LastKey);
    let sending = source::stream(
        target,
        link,
        header,
        feed,
        |n| context.took(n),
        |n| context.skipped(n),
    );
    let listing = listeners::follow(context, servers, container.name);
    let titles = Admin {
        dialer: dialer.clone(),
        login: (target.user.clone(), target.password.clone()),
        mount: target.mount.clone(),
    };
    tokio::select! {
        error = sending => Err(error),
        never = listing => match never {},
        never = title::follow(titles, context.now_playing.subscribe()) => match never {},
    }
}

/// The way to the server, and, if we may ask there, to all who know listeners: itself first, then its relays.
async fn ways(
    context: &Context,
    target: &IcecastTarget,
) -> Result<(Dialer, Vec<Admin>), OutputError> {
    let target = target.clone();
    // The list of trusted certificates is many files.
    let made = context.runtime.spawn_blocking(move || {
        let pin = target.fingerprint.as_deref();
        let dialer = Dialer::new(&target.host, target.port, target.tls, pin);
        let relays = target.relays.iter();
        let relays = relays.map(|r| Dialer::new(&r.host, r.port, r.tls, None));
        let servers = target.admin.iter().flat_map(|login| {
            let all = std::iter::once(dialer.clone()).chain(relays.clone());
            all.map(|dialer| Admin {
                dialer,
                login: login.clone(),
                mount: target.mount.clone(),
            })
        });
        let servers = servers.collect();
        (dialer, servers)
    });
    made.await.map_err(|e| OutputError::Other(e.to_string()))
}

/// What is sent, as the server is told.
fn goods(context: &Context, lease: &MuxLease, rungs: &[RungId]) -> Goods {
    let settings = context.encoders.settings();
    let lossless = rungs.iter().any(|id| id.codec.name == "flac");
    Goods {
        content_type: lease.content_type(),
        bitrate: (!lossless).then(|| rungs.iter().map(|id| settings.bitrate(*id)).sum()),
        sound: rungs.iter().any(|id| id.codec.media == MediaKind::Audio),
    }
}

/// An encoder that cannot be had.
fn unable(error: SpecError) -> OutputError {
    if let SpecError::EncoderMissing {
        element, package, ..
    } = error
    {
        return OutputError::Missing { element, package };
    }
    OutputError::Other(error.to_string().trim_end_matches('.').to_string())
}
