// SPDX-License-Identifier: GPL-3.0-or-later
//! The words of the command line and of a profile, checked and made into options of the engine.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs},
    path::Path,
    str::FromStr,
    time::Duration,
};

use studio::{
    ObsOptions, StudioOptions,
    encode::{Codec, EncodeSettings},
    error::{SpecError, StudioError},
    message::MediaKind,
    output::{OutputSpec, Target, check_recording},
    settings::{self, Profile, safe, units},
    source::{AudioSpec, VideoSpec},
};

use super::{Live, sharing::sharing};

/// Where the built-in server listens unless told otherwise.
const LISTEN: &str = "127.0.0.1:8080";

/// The words of the command line and the profile it names, checked.
pub(super) fn options(live: &Live) -> Result<StudioOptions, StudioError> {
    let profile = match &live.profile {
        Some(name) => {
            let mut profile = Profile::load(name)?;
            reveal(&mut profile, name)?;
            profile
        }
        None => Profile::default(),
    };
    options_of(live, &profile)
}

/// A keyring that asks somebody for its password is waited for as long.
const UNLOCKING: Duration = Duration::from_secs(30);

/// Put in the passwords that the window keeps elsewhere.
fn reveal(profile: &mut Profile, name: &str) -> Result<(), SpecError> {
    if profile.is_open() {
        return Ok(());
    }
    let stem = Path::new(name).file_stem().unwrap_or_default();
    let closed = |why: String| SpecError::Secrets {
        profile: name.to_string(),
        why,
    };
    let secrets =
        safe::read(&stem.to_string_lossy(), UNLOCKING).map_err(|e| closed(e.to_string()))?;
    profile.reveal(&secrets);
    match profile.output.iter().find(|o| !profile.knows(&secrets, o)) {
        Some(output) => Err(closed(format!("that of {} is not known", output.name))),
        None => Ok(()),
    }
}

/// The words of the command line and of this profile, checked.
pub(super) fn options_of(live: &Live, profile: &Profile) -> Result<StudioOptions, StudioError> {
    let first = |a: &Option<String>, b: &Option<String>| a.clone().or_else(|| b.clone());
    let mut encoding = EncodeSettings::default();
    if let Some(text) = first(&live.size, &profile.size) {
        (encoding.width, encoding.height) = units::size(&text)?;
    }
    if let Some(fps) = live.fps.or(profile.fps) {
        encoding.fps = fps.clamp(1, 120);
    }
    if let Some(name) = first(&live.video_codec, &profile.video_codec) {
        let (codec, wished) = Codec::parse(&name, MediaKind::Video)?;
        encoding.video = codec;
        encoding.encoders.extend(wished.map(|e| (codec.name, e)));
    }
    if let Some(name) = first(&live.audio_codec, &profile.audio_codec) {
        let (codec, wished) = Codec::parse(&name, MediaKind::Audio)?;
        encoding.audio = codec;
        encoding.encoders.extend(wished.map(|e| (codec.name, e)));
    }
    if let Some(text) = first(&live.video_bitrate, &profile.video_bitrate) {
        encoding.video_bitrate = units::bitrate(&text)?;
    }
    if let Some(text) = first(&live.audio_bitrate, &profile.audio_bitrate) {
        // Opus itself allows no more.
        encoding.audio_bitrate = units::bitrate(&text)?.min(510_000);
    }
    if let Some(text) = first(&live.key_interval, &profile.key_interval) {
        encoding.key_interval = units::time(&text)?;
    }
    if let Some(text) = first(&live.gif, &profile.gif) {
        let (width, fps) = units::stills(&text)?;
        encoding.stills.gif_fps = fps;
        encoding.stills.gif_width = width.unwrap_or(encoding.stills.gif_width);
    }
    if let Some(text) = first(&live.mjpeg, &profile.mjpeg) {
        encoding.stills.jpeg_fps = units::still_rate(&text)?;
    }
    if live.share && live.listen.is_some() {
        return Err(SpecError::Conflict("--share", "--listen").into());
    }
    let listen = match first(&live.listen, &profile.listen) {
        _ if live.share => (Ipv4Addr::UNSPECIFIED, 8080).into(),
        Some(text) => address(&text)?,
        None if profile.share => (Ipv4Addr::UNSPECIFIED, 8080).into(),
        None => address(LISTEN)?,
    };
    let embed = match live.embed.is_empty() {
        true => &profile.embed,
        false => &live.embed,
    };
    let embed = embed.iter().map(|o| o.parse()).collect::<Result<_, _>>()?;
    let mut outputs = Vec::new();
    let records = if live.record.is_empty() {
        &profile.record
    } else {
        &live.record
    };
    let split = first(&live.record_split, &profile.record_split)
        .map(|text| units::split(&text))
        .transpose()?;
    for (i, path) in records.iter().enumerate() {
        check_recording(path, live.overwrite, split)?;
        outputs.push(OutputSpec {
            name: numbered("record", i),
            enabled: true,
            target: Target::Record {
                path: path.clone(),
                overwrite: live.overwrite,
                split,
            },
        });
    }
    for (kind, given, saved) in [
        ("icecast", &live.icecast, &profile.icecast),
        ("rtmp", &live.rtmp, &profile.rtmp),
        ("srt", &live.srt, &profile.srt),
        ("whip", &live.whip, &profile.whip),
        ("webrtc", &live.webrtc, &profile.webrtc),
    ] {
        let urls = if given.is_empty() { saved } else { given };
        for (i, url) in urls.iter().enumerate() {
            outputs.push(OutputSpec {
                name: numbered(kind, i),
                enabled: true,
                target: Target::parse(kind, url)?,
            });
        }
    }
    for output in &profile.output {
        outputs.push(OutputSpec {
            name: output.name.clone(),
            enabled: output.enabled,
            target: Target::parse(&output.kind, &output.url)?,
        });
    }
    let now_playing = first(&live.now_playing, &profile.now_playing);
    let now_playing = now_playing.map(|text| text.parse()).transpose()?;
    let video = specs(&live.video, &profile.video, VideoSpec::Test)?;
    let audio = specs(&live.audio, &profile.audio, AudioSpec::Silence)?;
    if video.len() > 1 && video.contains(&VideoSpec::None) {
        return Err(SpecError::Conflict("--video none", "another --video").into());
    }
    if audio.len() > 1 && audio.contains(&AudioSpec::None) {
        return Err(SpecError::Conflict("--audio none", "another --audio").into());
    }
    let stdin = |spec: &&VideoSpec| matches!(spec, VideoSpec::Stdin(_));
    if video.iter().filter(stdin).count() > 1 {
        return Err(SpecError::Conflict("--video stdin", "another --video stdin").into());
    }
    let api_token = match live.api_token.clone().filter(|t| !t.is_empty()) {
        Some(token) => token,
        None => settings::api_token()?,
    };
    let read_token = live.read_token.clone().filter(|t| !t.is_empty());
    if read_token.as_ref() == Some(&api_token) {
        return Err(SpecError::Conflict("--read-token", "the same --api-token").into());
    }
    Ok(StudioOptions {
        video,
        audio,
        encoding,
        listen,
        embed,
        sharing: sharing(live, profile)?,
        api_token,
        read_token,
        token_file: settings::token_file(),
        obs: obs(live, profile)?,
        outputs,
        now_playing,
        scene: profile.scene.clone(),
        demo: None,
    })
}

/// Where remote controls made for OBS are looked for.
const OBS_PORT: u16 = 4455;
/// OBS asks for as much.
const SHORTEST_PASSWORD: usize = 6;

/// A port, an address, or both; and the password.
fn obs(live: &Live, profile: &Profile) -> Result<Option<ObsOptions>, StudioError> {
    let text = live.obs_websocket.as_ref();
    let Some(text) = text.or(profile.obs_websocket.as_ref()) else {
        return Ok(None);
    };
    let listen = match (text.parse::<u16>(), text.parse::<IpAddr>()) {
        (Ok(port), _) => (Ipv4Addr::LOCALHOST, port).into(),
        (Err(_), Ok(ip)) => (ip, OBS_PORT).into(),
        (Err(_), Err(_)) => address(text)?,
    };
    let given = live.obs_password.clone().filter(|p| !p.is_empty());
    let password = match given {
        Some(short) if short.chars().count() < SHORTEST_PASSWORD => {
            return Err(SpecError::ShortPassword.into());
        }
        Some(password) => password,
        None => settings::obs_password()?,
    };
    Ok(Some(ObsOptions { listen, password }))
}

fn numbered(word: &str, i: usize) -> String {
    match i {
        0 => word.to_string(),
        n => format!("{word}-{}", n + 1),
    }
}

fn specs<T: FromStr<Err = SpecError>>(
    given: &[String],
    saved: &[String],
    default: T,
) -> Result<Vec<T>, SpecError> {
    let words = if given.is_empty() { saved } else { given };
    if words.is_empty() {
        return Ok(vec![default]);
    }
    words.iter().map(|w| w.parse()).collect()
}

fn address(text: &str) -> Result<SocketAddr, SpecError> {
    text.to_socket_addrs()
        .ok()
        .and_then(|mut all| all.next())
        .ok_or_else(|| SpecError::Listen(text.to_string()))
}
