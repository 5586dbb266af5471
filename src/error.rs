// SPDX-License-Identifier: GPL-3.0-or-later
//! One typed error per room. `Display` says what and why in one sentence; [`Remedy`] says what to do, in one
//! more. The window has its own words for each variant; the command line uses these.

mod picture;

use std::path::PathBuf;

use thiserror::Error;

pub use picture::{PartError, PictureError};

/// What a person can do about an error, as one sentence.
pub trait Remedy {
    /// The sentence.
    fn remedy(&self) -> String;
}

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
    /// Options that exclude each other.
    #[error("{0} and {1} exclude each other.")]
    Conflict(&'static str, &'static str),
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
            SpecError::Conflict(..) => "Leave one of them out.".into(),
        }
    }
}

/// Why a source does not show or sound.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SourceError {
    /// The device is not (or no longer) plugged in.
    #[error("There is no {kind} called {name}.")]
    NoDevice {
        /// `camera` or `microphone`.
        kind: &'static str,
        /// What was looked for.
        name: String,
    },
    /// No device of this kind at all.
    #[error("No {0} is plugged in.")]
    NoDeviceAtAll(&'static str),
    /// A device that went away while in use.
    #[error("The {kind} {name} was unplugged.")]
    Unplugged {
        /// `camera` or `microphone`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A file that is no picture or sound.
    #[error("{path} holds no {media} that can be played.")]
    NotMedia {
        /// The file.
        path: PathBuf,
        /// `picture` or `sound`.
        media: &'static str,
    },
    /// A file that is not there (any more).
    #[error("The file {0} is not there.")]
    FileGone(PathBuf),
    /// The desktop did not hand it out.
    #[error(transparent)]
    Portal(#[from] PortalError),
    /// The screen cannot be shown.
    #[error(transparent)]
    Screen(#[from] ScreenError),
    /// It opened, but gave nothing.
    #[error("{0} gives no picture any more.")]
    Stalled(String),
    /// A stream elsewhere from which nothing comes any more.
    #[error("Nothing comes from {0} any more.")]
    StreamStalled(String),
    /// A stream elsewhere that came to its end.
    #[error("The stream at {0} ended.")]
    StreamEnded(String),
    /// A guest who is not connected any more.
    #[error("{0} has left.")]
    GuestLeft(String),
    /// A file that came to its end and is not looped.
    #[error("{0} has come to its end.")]
    Finished(String),
    /// A watched folder that is not there (any more).
    #[error("The folder {0} is not there.")]
    NoFolder(PathBuf),
    /// A picture in a watched folder that cannot be shown.
    #[error("The picture {path} is left out. {error}")]
    BadPicture {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: PictureError,
    },
    /// Standard input is a terminal, or nothing.
    #[error("Nothing is piped into Aerial's standard input.")]
    NothingPiped,
    /// Standard input is read by another source.
    #[error("Standard input is read by another source already.")]
    InputTaken,
    /// Standard input came to its end.
    #[error("Standard input has come to its end{}.", if *.cut { ", in the middle of a frame" } else { "" })]
    InputEnded {
        /// The last frame was not whole.
        cut: bool,
    },
    /// GStreamer said something else.
    #[error("{spec} failed: {why}.")]
    Failed {
        /// The source as on the command line.
        spec: String,
        /// GStreamer's words.
        why: String,
    },
    /// An element is not installed.
    #[error("{element} is not installed.")]
    Missing {
        /// The element.
        element: String,
    },
}

impl Remedy for SourceError {
    fn remedy(&self) -> String {
        match self {
            SourceError::NoDevice { .. } => {
                "\"aerial devices\" lists what is there; it is used as soon as it is plugged in.".into()
            }
            SourceError::NoDeviceAtAll(_) | SourceError::Unplugged { .. } => {
                "Plug it in; it is used as soon as it is seen.".into()
            }
            SourceError::NotMedia { .. } => {
                "Choose a video, sound or picture file; \"aerial check\" tells which formats can be read.".into()
            }
            SourceError::Portal(e) => e.remedy(),
            SourceError::Screen(e) => e.remedy(),
            SourceError::Stalled(_) => "Check its cable, or close other programs that use it.".into(),
            SourceError::FileGone(_) => "Put it back; it is looked for again by itself.".into(),
            SourceError::StreamEnded(_) | SourceError::StreamStalled(_) => {
                "It is tried again by itself.".into()
            }
            SourceError::GuestLeft(_) => {
                "The seat is kept: they come back with the page they had, or with a new invitation.".into()
            }
            SourceError::Finished(_) => "Play it again, or remove it.".into(),
            SourceError::NoFolder(_) => "Make it again; it is looked for again by itself.".into(),
            SourceError::BadPicture { error, .. } => error.remedy(),
            SourceError::NothingPiped => {
                "Start it with a program that writes frames: PROGRAM | aerial live --video stdin:rgba:640x480@30.".into()
            }
            SourceError::InputTaken => "Remove one of the two; there is one standard input.".into(),
            SourceError::InputEnded { cut: false } => {
                "Its last picture stays; remove the source if it is not needed any more.".into()
            }
            SourceError::InputEnded { cut: true } => {
                "Its last whole picture stays; check that size and format are those that are written.".into()
            }
            SourceError::Failed { .. } => "It is tried again by itself.".into(),
            SourceError::Missing { .. } => "\"aerial check\" tells which package has it.".into(),
        }
    }
}

/// Why the desktop did not hand out a screen or a camera.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PortalError {
    /// Nobody to ask. `screen` or `camera`.
    #[error("This desktop has no portal that hands out the {0}.")]
    Absent(&'static str),
    /// The person said no. `screen` or `camera`.
    #[error("Showing the {0} was not allowed.")]
    Refused(&'static str),
    /// The person, or the desktop, ended it.
    #[error("The desktop ended the sharing of the screen.")]
    Ended,
    /// The portal sees no camera.
    #[error("The desktop sees no camera.")]
    NoCamera,
    /// Something else.
    #[error("The desktop did not hand out the {what}: {why}.")]
    Failed {
        /// `screen` or `camera`.
        what: &'static str,
        /// The portal's words.
        why: String,
    },
}

impl Remedy for PortalError {
    fn remedy(&self) -> String {
        match self {
            PortalError::Absent("camera") => {
                "Install xdg-desktop-portal and the backend of your desktop: xdg-desktop-portal-gnome or -kde.".into()
            }
            PortalError::Absent(_) => {
                "Install xdg-desktop-portal and the backend of your desktop: xdg-desktop-portal-gnome, -kde or -wlr.".into()
            }
            PortalError::Refused(_) | PortalError::Ended | PortalError::Failed { .. } => {
                "Remove the source and add it again to be asked once more.".into()
            }
            PortalError::NoCamera => "Plug one in; it is tried again by itself.".into(),
        }
    }
}

/// Why a screen or window cannot be shown under X11.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScreenError {
    /// No desktop.
    #[error("There is no screen here.")]
    None,
    /// No such window or monitor.
    #[error("There is no window called {0}.")]
    NoWindow(String),
    /// A part that lies outside the screen.
    #[error("That part lies outside the screen, which is {width}x{height}.")]
    Outside {
        /// Width of the screen.
        width: u16,
        /// Height of the screen.
        height: u16,
    },
    /// The window is there, but changing just now.
    #[error("The window is changing.")]
    Busy,
    /// The window was closed.
    #[error("The window was closed.")]
    Closed,
    /// Under Wayland the person chooses, not the program.
    #[error("Under Wayland only you can choose a window, not its name: {0}.")]
    ByName(String),
    /// The X server is gone, or cannot be used.
    #[error("The screen cannot be seen: {0}.")]
    Lost(String),
}

impl Remedy for ScreenError {
    fn remedy(&self) -> String {
        match self {
            ScreenError::None => "Start Aerial inside a desktop session.".into(),
            ScreenError::NoWindow(_) => {
                "\"aerial devices\" lists the windows; it is shown as soon as it is there.".into()
            }
            ScreenError::Outside { .. } => {
                "Choose a part inside it: screen:X,Y,WIDTHxHEIGHT.".into()
            }
            ScreenError::Busy | ScreenError::Lost(_) => "It is tried again by itself.".into(),
            ScreenError::Closed => "It comes back when such a window is there again.".into(),
            ScreenError::ByName(_) => {
                "Use screen, screen:monitor or screen:window; the desktop asks which.".into()
            }
        }
    }
}

/// Why an output is not live.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OutputError {
    /// Nobody answers there.
    #[error("{host} cannot be reached: {why}.")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the system says.
        why: String,
    },
    /// User name or password refused.
    #[error("{host} refused the password.")]
    Denied {
        /// Host and port.
        host: String,
    },
    /// Somebody else is on that mount.
    #[error("{host} refused the mount {mount}: it is in use.")]
    MountInUse {
        /// Host and port.
        host: String,
        /// The mount.
        mount: String,
    },
    /// It has as many sources as it may have.
    #[error("{host} takes no more sources: it is full.")]
    ServerFull {
        /// Host and port.
        host: String,
    },
    /// It does not want this on that mount, for another reason.
    #[error("{host} refused the mount {mount}: {why}.")]
    Refused {
        /// Host and port.
        host: String,
        /// The mount.
        mount: String,
        /// The server's words.
        why: String,
    },
    /// An encrypted connection to somebody who cannot be trusted.
    #[error("{host} has a certificate that is not trusted: {why}.")]
    Untrusted {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        why: String,
        /// Its SHA-256, in hexadecimal digits.
        fingerprint: String,
    },
    /// The program has no track that could be sent in this format.
    #[error("The program has nothing that {format} could carry.")]
    NothingToSend {
        /// The format.
        format: &'static str,
    },
    /// Reached, but it does not take the stream.
    #[error("{host} did not take the stream: {why}.")]
    Rejected {
        /// Host and port.
        host: String,
        /// What the server says.
        why: String,
    },
    /// The connection broke.
    #[error("The connection to {host} was lost.")]
    Lost {
        /// Host and port.
        host: String,
    },
    /// Connected, but it takes no bytes.
    #[error("{host} stopped taking data.")]
    Stalled {
        /// Host and port.
        host: String,
    },
    /// A disk that took a recording as far as it could; the file is whole up to there.
    #[error("The disk is full. The recording ended, and {path} can be played up to there.")]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// A disk that will be full soon.
    #[error("The disk has room for {} of {path}.", time_left(*.minutes))]
    DiskFilling {
        /// The file.
        path: PathBuf,
        /// Whole minutes that are left at the present rate.
        minutes: u64,
    },
    /// A file that cannot be written.
    #[error("{path} cannot be written: {why}.")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// An element is not installed.
    #[error("{element} is not installed.")]
    Missing {
        /// The element.
        element: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// GStreamer said something else.
    #[error("It failed: {0}.")]
    Other(String),
}

fn time_left(minutes: u64) -> String {
    match minutes {
        0 => "less than a minute more".into(),
        1 => "about 1 more minute".into(),
        n => format!("about {n} more minutes"),
    }
}

impl OutputError {
    /// Whether trying again cannot mend it: a wrong password tried again and again only fills the server's log.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            OutputError::Denied { .. }
                | OutputError::Untrusted { .. }
                | OutputError::NothingToSend { .. }
                | OutputError::Missing { .. }
        )
    }
}

impl Remedy for OutputError {
    fn remedy(&self) -> String {
        match self {
            OutputError::Unreachable { .. } => {
                "Check the address and that the server runs; it is tried again by itself.".into()
            }
            OutputError::Denied { .. } => {
                "Check user name and password (the server's source-password).".into()
            }
            OutputError::Rejected { .. } => {
                "Check the address and what the server allows; it is tried again by itself.".into()
            }
            OutputError::MountInUse { .. } => {
                "Choose another mount, or wait until it is free.".into()
            }
            OutputError::ServerFull { .. } => {
                "Wait until another source ends, or raise the server's limit of sources.".into()
            }
            OutputError::Refused { .. } => {
                "Check the mount and its settings on the server; it is tried again by itself."
                    .into()
            }
            OutputError::Untrusted { fingerprint, .. } => format!(
                "If it is the right server all the same, add fingerprint=sha256:{fingerprint} to its address."
            ),
            OutputError::NothingToSend { .. } => {
                "Choose another format, or start Aerial with such a source.".into()
            }
            OutputError::Lost { .. } | OutputError::Stalled { .. } => {
                "It is tried again by itself; check the network if it goes on.".into()
            }
            OutputError::DiskFull { .. } => {
                "Make room on that disk, or record to another one.".into()
            }
            OutputError::DiskFilling { .. } => {
                "Make room on that disk, or end the recording.".into()
            }
            OutputError::Unwritable { .. } => {
                "Choose a folder you may write to, with space on its disk.".into()
            }
            OutputError::Missing { package, .. } => format!("Install the package {package}."),
            OutputError::Other(_) => "Try again; \"aerial check\" tells what is missing.".into(),
        }
    }
}

/// Why the server does not serve.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ServeError {
    /// Another program has the port.
    #[error("Port {port} on {host} is in use by another program.")]
    PortInUse {
        /// The address.
        host: String,
        /// The port.
        port: u16,
    },
    /// Anything else about listening.
    #[error("Cannot listen on {address}: {why}.")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        why: String,
    },
    /// No UDP socket for WebRTC.
    #[error("No UDP port could be opened for WebRTC: {0}.")]
    Udp(String),
    /// An offer, answer or candidate that cannot be used.
    #[error("The session description cannot be used: {0}.")]
    Sdp(String),
    /// Nobody can watch now.
    #[error("The broadcast is not on the air.")]
    OffAir,
    /// Somebody who may not watch.
    #[error(transparent)]
    Banned(#[from] crate::audience::Banned),
    /// No source could be made for a guest.
    #[error("No seat could be made for you: {0}")]
    NoSeat(String),
    /// The WebRTC thread has ended.
    #[error("WebRTC has ended.")]
    Ended,
}

impl Remedy for ServeError {
    fn remedy(&self) -> String {
        match self {
            ServeError::PortInUse { .. } => {
                "End that program, or choose another port with --listen 127.0.0.1:0 (any free one)."
                    .into()
            }
            ServeError::Listen { .. } => {
                "Choose an address of this computer, for example --listen 127.0.0.1:8080.".into()
            }
            ServeError::Udp(_) => "Check the network settings of this computer.".into(),
            ServeError::Sdp(_) => "Send the offer as the browser made it.".into(),
            ServeError::OffAir => "Try again when the broadcast has begun.".into(),
            // Its words have the remedy in them.
            ServeError::Banned(_) => String::new(),
            ServeError::NoSeat(_) => "Ask the host.".into(),
            ServeError::Ended => "Start Aerial again.".into(),
        }
    }
}

/// Why the engine did not start, or did not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StudioError {
    /// Words that cannot be understood.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The server.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// An output.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Elements without which nothing works.
    #[error("GStreamer lacks {elements}.")]
    Incomplete {
        /// Their names.
        elements: String,
        /// The Debian packages.
        packages: String,
    },
    /// The program pipeline.
    #[error("The program could not be built: {0}.")]
    Program(String),
    /// An encoder stopped.
    #[error("The encoder for {codec} failed: {why}.")]
    Encoder {
        /// The codec.
        codec: String,
        /// GStreamer's words.
        why: String,
    },
    /// A thing that can only be changed off air.
    #[error("{0} cannot be changed while live.")]
    OnlyOffAir(&'static str),
    /// A thing that can only be chosen at the start.
    #[error("{0} cannot be changed while Aerial runs.")]
    OnlyAtStart(&'static str),
    /// The token file.
    #[error("The API token could not be kept in {path}: {why}.")]
    Token {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A viewer that is not there.
    #[error("That viewer is not there any more.")]
    NoSuchViewer,
    /// A viewer who comes through somebody else's server.
    #[error("That viewer has no address of its own: it comes through another server.")]
    NoAddress,
    /// An address that may watch.
    #[error("{0} is not banned.")]
    NotBanned(std::net::IpAddr),
    /// A source that is not there.
    #[error("There is no source {0}.")]
    NoSuchSource(u64),
    /// A source that has no such control: pausing a camera, cropping a sound.
    #[error("The source {0} cannot do that.")]
    NotForThis(String),
    /// Listening to a source while what this computer plays is on air.
    #[error(
        "What you listen to would be heard in the broadcast again: the sound of this computer is on air."
    )]
    WouldLoop,
    /// A source for which the program has no track.
    #[error("The program has no {0}.")]
    NoTrack(&'static str),
    /// Text and logo cannot be shown.
    #[error("Text and logo cannot be shown: parts of GStreamer are missing.")]
    NoOverlay,
    /// A logo that cannot be shown.
    #[error("The logo {path} cannot be shown: {why}.")]
    Logo {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// An output that is not there.
    #[error("There is no output called {0}.")]
    NoSuchOutput(String),
    /// An output that does not run, or is no recording, is to pause.
    #[error("{0} cannot pause.")]
    NotPausable(String),
}

impl Remedy for StudioError {
    fn remedy(&self) -> String {
        match self {
            StudioError::Spec(e) => e.remedy(),
            StudioError::Serve(e) => e.remedy(),
            StudioError::Source(e) => e.remedy(),
            StudioError::Output(e) => e.remedy(),
            StudioError::Incomplete { packages, .. } => {
                format!("Install {packages} (\"aerial check\" lists everything).")
            }
            StudioError::Program(_) => "\"aerial check\" tells what is missing.".into(),
            StudioError::Encoder { .. } => "Choose another codec, size or bitrate.".into(),
            StudioError::OnlyOffAir(_) => "End the broadcast first.".into(),
            StudioError::OnlyAtStart(_) => "Start Aerial again with it.".into(),
            StudioError::Token { .. } => "Give one with --api-token or AERIAL_API_TOKEN.".into(),
            StudioError::NotPausable(_) => "Only a recording that runs can pause.".into(),
            StudioError::NoAddress => "Kick it, or ban it there.".into(),
            StudioError::NoSuchViewer
            | StudioError::NotBanned(_)
            | StudioError::NoSuchOutput(_)
            | StudioError::NoSuchSource(_) => "Look at the list again.".into(),
            StudioError::NotForThis(_) => "Choose another source for it.".into(),
            StudioError::WouldLoop => "Remove the desktop sound first.".into(),
            StudioError::NoTrack(_) => "Start Aerial again with such a source.".into(),
            StudioError::NoOverlay => {
                "Install gstreamer1.0-x and gstreamer1.0-plugins-good.".into()
            }
            StudioError::Logo { .. } => "Choose a PNG, JPEG or SVG file.".into(),
        }
    }
}
