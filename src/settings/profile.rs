// SPDX-License-Identifier: GPL-3.0-or-later
//! Profiles: a broadcast in a TOML file, with the words of the command line.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Secret, folder};
use crate::error::SpecError;

/// What a profile may say. The keys are the long options of `aerial live`, with `_` for `-`; options on the command
/// line go before them.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Pictures.
    pub video: Vec<String>,
    /// Sounds.
    pub audio: Vec<String>,
    /// Size of the program.
    pub size: Option<String>,
    /// Frames per second.
    pub fps: Option<u32>,
    /// Codec of the picture.
    pub video_codec: Option<String>,
    /// Bitrate of the picture.
    pub video_bitrate: Option<String>,
    /// Codec of the sound.
    pub audio_codec: Option<String>,
    /// Bitrate of the sound.
    pub audio_bitrate: Option<String>,
    /// Time between key frames.
    pub key_interval: Option<String>,
    /// Width and rate of the GIF.
    pub gif: Option<String>,
    /// Rate of the MJPEG stream.
    pub mjpeg: Option<String>,
    /// Where to listen.
    pub listen: Option<String>,
    /// Share on this network.
    pub share: bool,
    /// What links of viewers carry.
    pub viewer_token: Option<Secret>,
    /// What viewers without it are asked for.
    pub viewer_password: Option<Secret>,
    /// Let everybody watch.
    pub open: bool,
    /// Other names of this computer.
    pub host: Vec<String>,
    /// Viewers at one time.
    pub max_viewers: Option<usize>,
    /// Of one address.
    pub max_viewers_per_address: Option<usize>,
    /// How long a viewer's connection may take nothing.
    pub max_stall: Option<String>,
    /// Serve HTTPS.
    pub tls: bool,
    /// With this certificate.
    pub tls_cert: Option<PathBuf>,
    /// And its key.
    pub tls_key: Option<PathBuf>,
    /// Web sites that may show the watch page in theirs.
    pub embed: Vec<String>,
    /// Where remote controls made for OBS are served.
    pub obs_websocket: Option<String>,
    /// Icecast servers.
    pub icecast: Vec<String>,
    /// RTMP servers.
    pub rtmp: Vec<String>,
    /// Receivers over SRT.
    pub srt: Vec<String>,
    /// WHIP endpoints.
    pub whip: Vec<String>,
    /// Janus rooms, signalling servers and others that speak WebRTC.
    pub webrtc: Vec<String>,
    /// Where the title of what plays now comes from.
    pub now_playing: Option<String>,
    /// Files to record to.
    pub record: Vec<PathBuf>,
    /// When recordings go on in a new file.
    pub record_split: Option<String>,
}

impl Profile {
    /// Read a profile by its name (in the settings folder) or path.
    pub fn load(name: &str) -> Result<Profile, SpecError> {
        let path = if name.contains('/') || name.ends_with(".toml") {
            PathBuf::from(name)
        } else {
            folder()
                .unwrap_or_default()
                .join("profiles")
                .join(format!("{name}.toml"))
        };
        let text = std::fs::read_to_string(&path).map_err(|e| {
            if e.kind() == std::io::ErrorKind::NotFound {
                return SpecError::ProfileMissing(path.clone());
            }
            SpecError::ProfileBroken {
                path: path.clone(),
                why: e.to_string(),
            }
        })?;
        Profile::parse(&text, &path)
    }

    pub(crate) fn parse(text: &str, path: &Path) -> Result<Profile, SpecError> {
        toml::from_str(text).map_err(|e| {
            let line = e
                .span()
                .map(|span| text[..span.start.min(text.len())].lines().count().max(1));
            let what = e
                .message()
                .lines()
                .next()
                .unwrap_or("it is no TOML")
                .trim_end_matches('.');
            SpecError::ProfileBroken {
                path: path.to_path_buf(),
                why: match line {
                    Some(line) => format!("line {line}: {what}"),
                    None => what.to_string(),
                },
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_holds_the_words_of_the_command_line() {
        let text = "video = [\"test\"]\nsize = \"640x360\"\nfps = 25\n";
        let profile = Profile::parse(text, Path::new("p.toml")).unwrap();
        assert_eq!((profile.video[0].as_str(), profile.fps), ("test", Some(25)));
    }

    #[test]
    fn a_broken_line_or_an_unknown_key_is_named_in_one_line() {
        for (text, word) in [
            ("fps = 25\nvidoe = []\n", "vidoe"),
            ("fps = \"many\"\n", "line 1"),
            ("fps = ", "line 1"),
        ] {
            let error = Profile::parse(text, Path::new("p.toml"))
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(word) && error.lines().count() == 1,
                "{error}"
            );
        }
    }
}
