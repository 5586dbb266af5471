// SPDX-License-Identifier: GPL-3.0-or-later
//! What can be wrong with words on the command line or in a profile.

use std::path::PathBuf;

use thiserror::Error;

use super::Remedy;

/// Words on the command line or in a profile that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpecError {
    /// No such video source.
    #[error("\"{0}\" is not a video source.")]
    UnknownVideo(String),
    /// No such audio source.
    #[error("\"{0}\" is not an audio source.")]
    UnknownAudio(String),
    /// A file that does not exist.
    #[error("The file {0} does not exist.")]
    MissingFile(PathBuf),
    /// A folder that does not exist.
    #[error("The folder {0} does not exist.")]
    MissingFolder(PathBuf),
    /// The address of a stream that cannot be played.
    #[error("The {url} address cannot be used: {why}.")]
    LinkUrl {
        /// Its kind only: the rest may hold a password.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// Raw frames such as `rgba:640x480@30`.
    #[error("\"{0}\" is no format of raw frames.")]
    RawFormat(String),
    /// A size such as `1280x720`.
    #[error("\"{0}\" is not a picture size.")]
    Size(String),
    /// Size and rate of the GIF stream.
    #[error("{0:?} is no size and rate for single pictures.")]
    Stills(String),
    /// Rate of the MJPEG stream, whose pictures are of the program's size.
    #[error("{0:?} is no rate for single pictures of the program's size.")]
    StillRate(String),
    /// A bitrate such as `2500k`.
    #[error("\"{0}\" is not a bitrate.")]
    Bitrate(String),
    /// A duration such as `2s`.
    #[error("\"{0}\" is not a time.")]
    Time(String),
    /// An unknown codec.
    #[error("\"{name}\" is not a codec for {media} here.")]
    Codec {
        /// What was asked for.
        name: String,
        /// `video` or `audio`.
        media: &'static str,
        /// What there is.
        known: String,
    },
    /// A codec whose encoder is not installed.
    #[error("The encoder for {codec} ({element}) is not installed.")]
    EncoderMissing {
        /// The codec.
        codec: &'static str,
        /// The GStreamer element.
        element: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// An encoder that is installed but does not work on this computer.
    #[error("The encoder for {codec} ({element}) does not work on this computer: {why}.")]
    EncoderBroken {
        /// The codec.
        codec: &'static str,
        /// The GStreamer element.
        element: String,
        /// GStreamer's words.
        why: String,
    },
    /// An encoder that a codec does not have.
    #[error("{name:?} is no encoder for {codec}.")]
    Encoder {
        /// The codec.
        codec: &'static str,
        /// What was asked for.
        name: String,
        /// Those there are.
        known: String,
    },
    /// A server address that cannot be used.
    #[error("The Icecast address {url} cannot be used: {why}.")]
    IcecastUrl {
        /// The address without its password.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The address of another output that cannot be used.
    #[error("The {kind} address cannot be used: {why}.")]
    OutputUrl {
        /// Its kind: the rest may hold a password.
        kind: &'static str,
        /// What is wrong with it.
        why: String,
        /// How to write it.
        form: &'static str,
    },
    /// No such kind of output.
    #[error("\"{0}\" is not a kind of output.")]
    OutputKind(String),
    /// A part that was left out when the program was built.
    #[error("This Aerial was built without {what}.")]
    NotBuilt {
        /// What it is for.
        what: &'static str,
        /// The feature that has it.
        feature: &'static str,
    },
    /// Where titles come from.
    #[error("\"{0}\" is nothing that titles can come from.")]
    TitleSource(String),
    /// An address to listen on that cannot be used.
    #[error("\"{0}\" is not an address to listen on.")]
    Listen(String),
    /// A web site that is none.
    #[error("\"{0}\" is not the origin of a web site.")]
    Origin(String),
    /// A recording with an ending that is not known.
    #[error("Cannot record to {0}: the ending is none that is known.")]
    RecordEnding(PathBuf),
    /// A recording with a name in which a code is not known.
    #[error("Cannot record to {path}: {code} is no code for a date, a time or a number.")]
    RecordPattern {
        /// The file asked for.
        path: PathBuf,
        /// The code with its percent sign.
        code: String,
    },
    /// A recording to be split at something that is neither a time nor a size.
    #[error("\"{0}\" is neither a time nor a size to split a recording at.")]
    RecordSplit(String),
    /// A recording into a folder that does not exist.
    #[error("Cannot record to {path}: the folder {folder} does not exist.")]
    RecordFolder {
        /// The file asked for.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
    /// A recording that would overwrite a file.
    #[error("Cannot record to {0}: the file exists already.")]
    RecordExists(PathBuf),
    /// A recording to a place that cannot be written.
    #[error("Cannot record to {path}: {why}.")]
    RecordUnwritable {
        /// The file asked for.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A recording of tracks that the program does not have.
    #[error("Cannot record to {path}: the program has nothing that {format} could carry.")]
    RecordEmpty {
        /// The file asked for.
        path: PathBuf,
        /// Its format.
        format: &'static str,
    },
    /// A profile that does not exist.
    #[error("There is no profile {0}.")]
    ProfileMissing(PathBuf),
    /// A profile that cannot be read.
    #[error("The profile {path} cannot be used: {why}.")]
    ProfileBroken {
        /// Its file.
        path: PathBuf,
        /// One line.
        why: String,
    },
    /// The passwords of a profile are kept elsewhere, and cannot be read there.
    #[error("The passwords of the profile {profile} cannot be read: {why}.")]
    Secrets {
        /// Its name.
        profile: String,
        /// Part of a sentence.
        why: String,
    },
    /// A password that would soon be found.
    #[error("The password for remote controls is too short.")]
    ShortPassword,
    /// Options that exclude each other.
    #[error("{0} and {1} exclude each other.")]
    Conflict(&'static str, &'static str),
    /// An option without the one that belongs to it.
    #[error("{0} is of no use without {1}.")]
    Alone(&'static str, &'static str),
    /// A viewer token that does not fit into a link.
    #[error("That viewer token cannot be used.")]
    ViewerToken,
    /// A name of this computer that is none.
    #[error("\"{0}\" is not a host name.")]
    Host(String),
}

impl Remedy for SpecError {
    fn remedy(&self) -> String {
        match self {
            SpecError::UnknownVideo(_) => {
                "Use test, camera[:NAME], screen, file:PATH, a link, folder:DIR, frames:NAME, stdin:FORMAT, guest or none.".into()
            }
            SpecError::UnknownAudio(_) => {
                "Use tone, mic[:NAME], desktop, file:PATH, a link, silence or none.".into()
            }
            SpecError::MissingFile(_) | SpecError::MissingFolder(_) => {
                "Check the path and its spelling.".into()
            }
            SpecError::LinkUrl { .. } => {
                "Write it as rtsp://HOST/PATH, http://, rtmp:// or srt://HOST:PORT.".into()
            }
            SpecError::RawFormat(_) => {
                "Write FORMAT:WIDTHxHEIGHT@FPS, for example rgba:640x480@30; formats are rgba, bgra, rgb, bgr, i420, nv12, yuy2 and gray8.".into()
            }
            SpecError::Stills(_) => {
                "Write WIDTH@PICTURES-PER-SECOND, for example 480@8, at most 1920@30.".into()
            }
            SpecError::StillRate(_) => {
                "Write @PICTURES-PER-SECOND, for example @8, at most @30.".into()
            }
            SpecError::Size(_) => {
                "Write WIDTHxHEIGHT with even numbers from 16 to 4096, for example 1280x720.".into()
            }
            SpecError::Bitrate(_) => "Write bits per second, for example 2500k or 2.5M.".into(),
            SpecError::Time(_) => "Write seconds, for example 2s or 500ms.".into(),
            SpecError::Codec { known, .. } => format!("Use one of: {known}."),
            SpecError::EncoderMissing { package, .. } => {
                format!("Install the package {package}.")
            }
            SpecError::EncoderBroken { .. } => {
                "Choose another encoder or another codec; \"aerial check\" tells which work.".into()
            }
            SpecError::Encoder { known, .. } => format!("Use one of: {known}."),
            SpecError::IcecastUrl { .. } => {
                "Write icecast://source:PASSWORD@HOST:8000/MOUNT.webm.".into()
            }
            SpecError::OutputUrl { form, .. } => format!("Write it as {form}."),
            SpecError::OutputKind(_) => {
                "Use icecast, record, rtmp, srt, whip or webrtc.".into()
            }
            SpecError::NotBuilt { feature, .. } => {
                format!("Build it with \"--features {feature}\".")
            }
            SpecError::TitleSource(_) => "Use file:PATH or mpris.".into(),
            SpecError::Listen(_) => "Write HOST:PORT, for example 127.0.0.1:8080.".into(),
            SpecError::Origin(_) => {
                "Write its scheme and host alone, for example https://example.org.".into()
            }
            SpecError::RecordEnding(_) => {
                format!("Let the name end in {}.", crate::output::record_endings())
            }
            SpecError::RecordPattern { .. } => {
                "Use codes such as %Y-%m-%d, %H-%M-%S and %n; write %% for a percent sign.".into()
            }
            SpecError::RecordSplit(_) => {
                "Write a time from 1s on (90s, 30m, 2h) or a size from 1M on (500M, 2G).".into()
            }
            SpecError::RecordFolder { .. } => "Make the folder first, or choose another.".into(),
            SpecError::RecordExists(_) => "Choose another name, or add --overwrite.".into(),
            SpecError::RecordUnwritable { .. } => {
                "Choose a folder you may write to, with space on its disk.".into()
            }
            SpecError::RecordEmpty { .. } => {
                "Choose another ending, or start Aerial with such a source.".into()
            }
            SpecError::ProfileMissing(_) => {
                "Give the name of a saved profile or the path of a .toml file.".into()
            }
            SpecError::ProfileBroken { .. } => "Correct that line, or leave it out.".into(),
            SpecError::Secrets { .. } => {
                "Unlock the keyring, or write the whole address into the profile.".into()
            }
            SpecError::ShortPassword => {
                "Give one of at least 6 characters, or none: then one is made.".into()
            }
            SpecError::Conflict(..) => "Leave one of them out.".into(),
            SpecError::Alone(_, other) => format!("Give {other} too."),
            SpecError::ViewerToken => {
                "Give at least 8 letters, digits or -._~, or none: Aerial makes one.".into()
            }
            SpecError::Host(_) => "Write it as in live.example.org, without https:// and port.".into(),
        }
    }
}
