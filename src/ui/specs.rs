// SPDX-License-Identifier: GPL-3.0-or-later
//! The engine's sources as the specs that it was given.

use std::str::FromStr;

use studio::{
    message::{MediaKind, SourceStatus},
    source::{AudioSpec, VideoSpec},
};

/// Pictures in their order.
pub fn video(sources: &[SourceStatus]) -> Vec<VideoSpec> {
    all(sources, MediaKind::Video, VideoSpec::File)
}

/// Sounds in their order.
pub fn audio(sources: &[SourceStatus]) -> Vec<AudioSpec> {
    all(sources, MediaKind::Audio, AudioSpec::File)
}

fn all<T: FromStr>(
    sources: &[SourceStatus],
    kind: MediaKind,
    file: impl Fn(std::path::PathBuf) -> T,
) -> Vec<T> {
    sources
        .iter()
        .filter(|s| s.kind == kind)
        .filter_map(|s| match s.spec.strip_prefix("file:") {
            // Not parsed: a file that has gone meanwhile keeps its place, and its error.
            Some(path) => Some(file(path.into())),
            None => s.spec.parse().ok(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use studio::message::SourceState;

    #[test]
    fn a_file_that_has_gone_keeps_its_place() {
        let source = |kind, spec: &str| SourceStatus {
            id: 1,
            kind,
            spec: spec.into(),
            state: SourceState::Live,
        };
        let sources = [
            source(MediaKind::Video, "file:/no/such.webm"),
            source(MediaKind::Audio, "tone"),
            source(MediaKind::Video, "test"),
        ];
        assert_eq!(
            video(&sources),
            [VideoSpec::File("/no/such.webm".into()), VideoSpec::Test]
        );
        assert_eq!(audio(&sources), [AudioSpec::Tone]);
    }
}
