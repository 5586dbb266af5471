// SPDX-License-Identifier: GPL-3.0-or-later
//! Profiles: a broadcast in a TOML file, with the words of the command line.

use std::{
    collections::BTreeMap,
    net::ToSocketAddrs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, Serializer};

use super::{Secret, folder};
use crate::{error::SpecError, output::Target, program::scene::Arrangement, source::Link};

/// What a profile may say. The keys are the long options of `aerial live`, with `_` for `-`; options on the command
/// line go before them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Pictures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub video: Vec<String>,
    /// Sounds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audio: Vec<String>,
    /// Size of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Frames per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<u32>,
    /// Codec of the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_codec: Option<String>,
    /// Bitrate of the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_bitrate: Option<String>,
    /// Codec of the sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_codec: Option<String>,
    /// Bitrate of the sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_bitrate: Option<String>,
    /// Time between key frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_interval: Option<String>,
    /// Width and rate of the GIF.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gif: Option<String>,
    /// Rate of the MJPEG stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mjpeg: Option<String>,
    /// Where to listen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Share on this network.
    #[serde(skip_serializing_if = "is_off")]
    pub share: bool,
    /// What links of viewers carry.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written")]
    pub viewer_token: Option<Secret>,
    /// What viewers without it are asked for.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written")]
    pub viewer_password: Option<Secret>,
    /// Let everybody watch.
    #[serde(skip_serializing_if = "is_off")]
    pub open: bool,
    /// Other names of this computer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host: Vec<String>,
    /// Viewers at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_viewers: Option<usize>,
    /// Of one address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_viewers_per_address: Option<usize>,
    /// How long a viewer's connection may take nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_stall: Option<String>,
    /// Serve HTTPS.
    #[serde(skip_serializing_if = "is_off")]
    pub tls: bool,
    /// With this certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// And its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// Web sites that may show the watch page in theirs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub embed: Vec<String>,
    /// Where remote controls made for OBS are served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obs_websocket: Option<String>,
    /// Icecast servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub icecast: Vec<String>,
    /// RTMP servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rtmp: Vec<String>,
    /// Receivers over SRT.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub srt: Vec<String>,
    /// WHIP endpoints.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub whip: Vec<String>,
    /// Janus rooms, signalling servers and others that speak WebRTC.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webrtc: Vec<String>,
    /// Where the title of what plays now comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now_playing: Option<String>,
    /// Files to record to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub record: Vec<PathBuf>,
    /// When recordings go on in a new file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_split: Option<String>,
    /// Outputs with a name, as the window keeps them; those above have none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<KeptOutput>,
    /// How the sources are put together; `None` is all pictures in a grid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scene: Option<Arrangement>,
}

/// What is not to stand in a profile: whole addresses, by what stands in their place.
pub type Secrets = BTreeMap<String, String>;

fn source(shown: &str) -> String {
    format!("source {shown}")
}

/// An output with a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptOutput {
    /// Unique among the outputs.
    pub name: String,
    /// `icecast`, `rtmp`, `srt`, `whip` or another that speaks WebRTC.
    pub kind: String,
    /// Its address; without passwords if those are kept elsewhere.
    pub url: String,
    /// Switched on.
    #[serde(default = "on", skip_serializing_if = "is_on")]
    pub enabled: bool,
    /// The whole address is kept among the secrets of this profile.
    #[serde(default, skip_serializing_if = "is_off")]
    pub secret: bool,
}

fn on() -> bool {
    true
}

fn is_on(on: &bool) -> bool {
    *on
}

fn is_off(on: &bool) -> bool {
    !on
}

/// What stood in a file goes back into it.
fn written<S: Serializer>(secret: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(to)
}

impl Profile {
    /// Read a profile by its name (in the settings folder) or path.
    pub fn load(name: &str) -> Result<Profile, SpecError> {
        let path = if name.contains('/') || name.ends_with(".toml") {
            PathBuf::from(name)
        } else {
            profiles().join(format!("{name}.toml"))
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

    /// Whether its address is one that other computers reach.
    pub(crate) fn listens_to_others(&self) -> bool {
        let address = self
            .listen
            .as_deref()
            .and_then(|l| l.to_socket_addrs().ok()?.next());
        match address {
            Some(address) => !address.ip().is_loopback(),
            None => self.share,
        }
    }

    /// Take the secrets out, to be kept elsewhere. They are found again by what stands in their place.
    pub fn hide(&mut self) -> Secrets {
        let mut secrets = Secrets::default();
        for words in self.video.iter_mut().chain(&mut self.audio) {
            let Ok(link) = words.parse::<Link>() else {
                continue;
            };
            let shown = link.to_string();
            if shown != *words {
                let whole = std::mem::replace(words, shown.clone());
                secrets.insert(source(&shown), whole);
            }
        }
        for output in self.output.iter_mut().filter(|o| o.secret) {
            let Ok(target) = Target::parse(&output.kind, &output.url) else {
                continue;
            };
            let whole = std::mem::replace(&mut output.url, target.url());
            secrets.insert(format!("output {}", output.name), whole);
        }
        secrets
    }

    /// Put secrets back where they were. What they are not known of stays as it is.
    pub fn reveal(&mut self, secrets: &Secrets) {
        for words in self.video.iter_mut().chain(&mut self.audio) {
            if let Some(whole) = secrets.get(&source(words)) {
                *words = whole.clone();
            }
        }
        for output in self.output.iter_mut().filter(|o| o.secret) {
            if let Some(whole) = secrets.get(&format!("output {}", output.name)) {
                output.url = whole.clone();
            }
        }
    }

    /// Whether the secrets of this output, if it has any, are among these.
    pub fn knows(&self, secrets: &Secrets, output: &KeptOutput) -> bool {
        !output.secret || secrets.contains_key(&format!("output {}", output.name))
    }

    /// Whether it does without secrets that are kept elsewhere.
    pub fn is_open(&self) -> bool {
        let hidden = |words: &String| words.contains("***");
        !self.video.iter().chain(&self.audio).any(hidden) && !self.output.iter().any(|o| o.secret)
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

/// The folder of the profiles that have a name.
pub fn profiles() -> PathBuf {
    folder().unwrap_or_default().join("profiles")
}

/// This text of a profile, changed to say that; what stands in it besides, such as comments, stays.
pub fn rewritten(text: &str, profile: &Profile) -> Result<String, toml_edit::ser::Error> {
    let fresh = toml_edit::ser::to_document(profile)?;
    let old = text.parse::<toml_edit::DocumentMut>();
    let (Ok(mut document), Ok(said)) = (old, toml::from_str::<Profile>(text)) else {
        return toml_edit::ser::to_string_pretty(profile);
    };
    let said = toml_edit::ser::to_document(&said)?;
    let pretty = toml_edit::ser::to_string_pretty(profile)?.parse::<toml_edit::DocumentMut>();
    let pretty = pretty.unwrap_or_else(|_| fresh.clone());
    document.retain(|key, _| fresh.contains_key(key));
    for (key, item) in fresh.iter() {
        let same = said.get(key).map(ToString::to_string) == Some(item.to_string());
        if !same || !document.contains_key(key) {
            document.insert(key, pretty.get(key).unwrap_or(item).clone());
        }
    }
    Ok(document.to_string())
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

    #[test]
    fn what_is_written_reads_back_alike() {
        let text = concat!(
            "video = [\"test\", \"camera:Front\"]\nshare = true\nviewer_password = \"geheim\"\n",
            "[[output]]\nname = \"radio\"\nkind = \"icecast\"\nurl = \"icecast://h:8000/m\"\nsecret = true\n",
            "[scene]\npictures = [2]\n[scene.layout.picture-in-picture]\nsize = 0.3\n",
            "[[scene.strips]]\ngain_db = -6.5\n[scene.overlays.text]\ntext = \"Hello\"\n"
        );
        let profile = Profile::parse(text, Path::new("p.toml")).unwrap();
        let scene = profile.scene.as_ref().unwrap();
        assert_eq!(
            (scene.strips[0].gain_db, scene.pictures.as_deref()),
            (-6.5, Some(&[2][..]))
        );
        let again = rewritten("", &profile).unwrap();
        assert_eq!(
            Profile::parse(&again, Path::new("p.toml")).unwrap(),
            profile,
            "{again}"
        );
        assert!(
            !again.contains("tls") && !again.contains("enabled"),
            "{again}"
        );
    }

    #[test]
    fn comments_and_what_did_not_change_stay_as_they_were_typed() {
        let text = "# Friday\nfps   = 25 # as the cinema does\nopen = true\n";
        let mut profile = Profile::parse(text, Path::new("p.toml")).unwrap();
        assert_eq!(rewritten(text, &profile).unwrap(), text);
        profile.open = false;
        profile.video = vec!["test".into()];
        let text = rewritten(text, &profile).unwrap();
        assert!(
            text.contains("# Friday\nfps   = 25 # as the cinema does\n"),
            "{text}"
        );
        assert_eq!(
            Profile::parse(&text, Path::new("p.toml")).unwrap(),
            profile,
            "{text}"
        );
    }

    #[test]
    fn secrets_are_taken_out_and_put_back() {
        let mut profile = Profile {
            video: vec!["rtsp://me:geheim@cam.example/1".into(), "test".into()],
            output: vec![KeptOutput {
                name: "radio".into(),
                kind: "icecast".into(),
                url: "icecast://source:hackme@h:8000/live?format=mp3".into(),
                enabled: true,
                secret: true,
            }],
            ..Profile::default()
        };
        let whole = profile.clone();
        let secrets = profile.hide();
        let text = rewritten("", &profile).unwrap();
        assert!(
            !text.contains("geheim") && !text.contains("hackme"),
            "{text}"
        );
        assert!(
            text.contains("cam.example") && text.contains("h:8000/live"),
            "{text}"
        );
        assert!(!profile.is_open());
        profile.reveal(&secrets);
        assert_eq!(profile, whole);
        profile.reveal(&Secrets::default());
        assert_eq!(profile, whole);
    }
}
