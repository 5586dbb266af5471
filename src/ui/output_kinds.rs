// SPDX-License-Identifier: GPL-3.0-or-later
//! What has to be known of each kind of output, and how that becomes its address and comes out of it again.
//!
//! A new kind is a row in [`kinds`].

use std::collections::BTreeMap;

use gettextrs::gettext;
use url::Url;

/// Where in the address a field's value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// `icecasts:` instead of `icecast:`.
    Tls,
    /// Everything up to the parameters, as typed.
    Address,
    Host,
    Port,
    /// The path without its first slash.
    Path,
    User,
    Password,
    /// The last piece of the path.
    Key,
    /// The parameter of this name.
    Query(&'static str),
    /// The two halves of the parameter `admin`.
    AdminUser,
    AdminPassword,
}

/// What is typed or chosen for a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Text,
    /// Never shown again; left empty it stays what it was.
    Secret,
    /// On is `1`, off is nothing.
    Switch,
    /// Words of the address and how they read; the first is the one without a parameter.
    Choice(Vec<(&'static str, String)>),
}

/// One field.
pub struct Field {
    pub part: Part,
    pub title: String,
    pub entry: Entry,
    /// What a new output begins with.
    pub preset: &'static str,
    /// What to say if it is empty; without, it may be.
    pub wanted: Option<String>,
}

/// One kind of output.
pub struct Kind {
    /// Its word in the engine.
    pub word: &'static str,
    /// The scheme of its address, where that is not typed; else what stands in front of what is typed.
    pub scheme: &'static str,
    /// What the parameters stand after.
    pub mark: char,
    /// For the menu and the heading.
    pub title: String,
    /// What nearly everybody has to say.
    pub fields: Vec<Field>,
    /// What most leave as it is.
    pub more: Vec<Field>,
}

/// Values of the fields.
pub type Values = BTreeMap<Part, String>;

fn field(part: Part, title: String) -> Field {
    Field {
        part,
        title,
        entry: Entry::Text,
        preset: "",
        wanted: None,
    }
}

impl Field {
    fn secret(self) -> Self {
        Field {
            entry: Entry::Secret,
            ..self
        }
    }
    fn switch(self) -> Self {
        Field {
            entry: Entry::Switch,
            ..self
        }
    }
    fn choice(self, choices: Vec<(&'static str, String)>) -> Self {
        Field {
            entry: Entry::Choice(choices),
            ..self
        }
    }
    fn preset(self, preset: &'static str) -> Self {
        Field { preset, ..self }
    }
    fn wanted(self, complaint: String) -> Self {
        Field {
            wanted: Some(complaint),
            ..self
        }
    }
}

/// Every kind that is reached under an address.
pub fn kinds() -> Vec<Kind> {
    vec![icecast(), rtmp(), srt(), whip(), janus(), signalling()]
}

/// The kind of this word.
pub fn kind(word: &str) -> Option<Kind> {
    kinds().into_iter().find(|k| k.word == word)
}

fn icecast() -> Kind {
    let formats = vec![
        ("", gettext("As the mount’s ending says")),
        ("webm", "WebM".into()),
        ("ogg", "Ogg".into()),
        ("opus", "Opus".into()),
        ("mp3", "MP3".into()),
        ("aac", "AAC".into()),
        ("flac", "FLAC".into()),
    ];
    Kind {
        word: "icecast",
        scheme: "icecast",
        mark: '?',
        title: gettext("Icecast server"),
        fields: vec![
            field(Part::Host, gettext("Host")).wanted(gettext(
                "Enter the host name of the server, for example radio.example.org.",
            )),
            field(Part::Port, gettext("Port")).preset("8000"),
            field(Part::Path, gettext("Mount"))
                .preset("live.webm")
                .wanted(gettext("Enter a mount, for example /live.webm.")),
            field(Part::User, gettext("User")).preset("source"),
            field(Part::Password, gettext("Source password"))
                .secret()
                .wanted(gettext("Enter the server’s source password.")),
        ],
        more: vec![
            field(Part::Tls, gettext("Encrypted (TLS)")).switch(),
            field(Part::Query("format"), gettext("Format")).choice(formats),
            field(Part::Query("name"), gettext("Name of the broadcast")),
            field(Part::Query("description"), gettext("Description")),
            field(Part::Query("genre"), gettext("Genre")),
            field(Part::Query("url"), gettext("Website")),
            field(Part::Query("public"), gettext("List in public directories")).switch(),
            field(Part::AdminUser, gettext("Admin user")).preset("admin"),
            field(
                Part::AdminPassword,
                gettext("Admin password, to list its listeners"),
            )
            .secret(),
        ],
    }
}

fn rtmp() -> Kind {
    Kind {
        word: "rtmp",
        scheme: "",
        mark: '?',
        title: gettext("RTMP server"),
        fields: vec![
            field(Part::Address, gettext("Server"))
                .preset("rtmp://")
                .wanted(gettext(
                    "Enter the address of the server, for example rtmp://live.example.org/app.",
                )),
            field(Part::Key, gettext("Stream key"))
                .secret()
                .wanted(gettext("Enter the stream key that the service gave you.")),
        ],
        more: vec![],
    }
}

fn srt() -> Kind {
    Kind {
        word: "srt",
        scheme: "srt",
        mark: '?',
        title: gettext("SRT receiver"),
        fields: vec![
            field(Part::Host, gettext("Host")).wanted(gettext("Enter the host of the receiver.")),
            field(Part::Port, gettext("Port"))
                .preset("7001")
                .wanted(gettext("Enter the port of the receiver.")),
            field(Part::Query("passphrase"), gettext("Passphrase")).secret(),
        ],
        more: vec![
            field(Part::Query("mode"), gettext("Who calls")).choice(vec![
                ("", gettext("This computer calls the receiver")),
                ("listener", gettext("The receiver calls this computer")),
            ]),
            field(Part::Query("latency"), gettext("Latency in milliseconds")),
            field(Part::Query("streamid"), gettext("Stream ID")),
        ],
    }
}

fn whip() -> Kind {
    Kind {
        word: "whip",
        scheme: "",
        mark: '#',
        title: gettext("WHIP endpoint"),
        fields: vec![
            field(Part::Address, gettext("Endpoint"))
                .preset("https://")
                .wanted(gettext(
                    "Enter the address of the endpoint, for example https://live.example.org/whip.",
                )),
            field(Part::Query("token"), gettext("Token")).secret(),
        ],
        more: vec![
            field(Part::Query("stun"), gettext("STUN server")),
            field(Part::Query("turn"), gettext("TURN server")).secret(),
        ],
    }
}

fn janus() -> Kind {
    Kind {
        word: "janus",
        scheme: "janus+",
        mark: '?',
        title: gettext("Janus video room"),
        fields: vec![
            field(Part::Address, gettext("Server"))
                .preset("ws://")
                .wanted(gettext(
                    "Enter the address of the server, for example ws://janus.example.org:8188.",
                )),
            field(Part::Query("room"), gettext("Room"))
                .preset("1234")
                .wanted(gettext("Enter the number of the room.")),
        ],
        more: vec![
            field(Part::Query("display"), gettext("Name shown to others")),
            field(Part::Query("apisecret"), gettext("API secret")).secret(),
            field(Part::Query("stun"), gettext("STUN server")),
            field(Part::Query("turn"), gettext("TURN server")).secret(),
        ],
    }
}

fn signalling() -> Kind {
    Kind {
        word: "webrtcsink",
        scheme: "webrtcsink+",
        mark: '?',
        title: gettext("GStreamer signalling server"),
        fields: vec![
            field(Part::Address, gettext("Server"))
                .preset("ws://")
                .wanted(gettext(
                    "Enter the address of the server, for example ws://signalling.example.org:8443.",
                )),
        ],
        more: vec![
            field(Part::Query("mode"), gettext("Encoding")).choice(vec![
                ("", gettext("Shared by all viewers")),
                ("adaptive", gettext("One of its own for each viewer")),
            ]),
            field(
                Part::Query("navigation"),
                gettext("Let viewers point and type"),
            )
            .switch(),
            field(Part::Query("header"), gettext("HTTP header")).secret(),
            field(Part::Query("stun"), gettext("STUN server")),
            field(Part::Query("turn"), gettext("TURN server")).secret(),
        ],
    }
}

impl Kind {
    /// All fields.
    pub fn all(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().chain(&self.more)
    }

    /// What a new one begins with.
    pub fn presets(&self) -> Values {
        let preset = self.all().filter(|f| !f.preset.is_empty());
        preset.map(|f| (f.part, f.preset.to_string())).collect()
    }

    /// The first field that has to be filled and is not: what to say.
    pub fn complaint(&self, values: &Values) -> Option<String> {
        let empty = |f: &&Field| values.get(&f.part).is_none_or(|v| is_empty(v));
        self.all().filter(empty).find_map(|f| f.wanted.clone())
    }

    /// The address with these values. Whether it is one that can be used, the engine says.
    pub fn address(&self, values: &Values) -> String {
        let value = |part| values.get(&part).map_or("", |v| v.trim());
        let mut address = match value(Part::Address) {
            "" => self.put_together(&value),
            typed => format!("{}{typed}", self.scheme),
        };
        if !value(Part::Key).is_empty() {
            address = format!("{}/{}", address.trim_end_matches('/'), value(Part::Key));
        }
        let mut parameters = Vec::new();
        for field in self.all() {
            if let Part::Query(name) = field.part
                && !value(field.part).is_empty()
            {
                parameters.push(format!("{name}={}", coded(value(field.part))));
            }
        }
        if !value(Part::AdminPassword).is_empty() {
            let admin = format!("{}:{}", value(Part::AdminUser), value(Part::AdminPassword));
            parameters.push(format!("admin={}", coded(&admin)));
        }
        if !parameters.is_empty() {
            address.push(if address.contains(self.mark) {
                '&'
            } else {
                self.mark
            });
            address.push_str(&parameters.join("&"));
        }
        address
    }

    /// Scheme, login, host, port and path.
    fn put_together<'a>(&self, value: &impl Fn(Part) -> &'a str) -> String {
        let tls = if value(Part::Tls).is_empty() { "" } else { "s" };
        let (user, password) = (coded(value(Part::User)), coded(value(Part::Password)));
        let login = match (user.is_empty(), password.is_empty()) {
            (true, true) => String::new(),
            (false, true) => format!("{user}@"),
            (_, false) => format!("{user}:{password}@"),
        };
        let host = match value(Part::Host) {
            six if six.contains(':') && !six.starts_with('[') => format!("[{six}]"),
            host => host.to_string(),
        };
        let port = match value(Part::Port) {
            "" => String::new(),
            port => format!(":{port}"),
        };
        let path = value(Part::Path).trim_start_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        format!("{}{tls}://{login}{host}{port}{slash}{path}", self.scheme)
    }

    /// The values in an address that was made before.
    pub fn values(&self, address: &str) -> Values {
        let (base, parameters) = address.split_once(self.mark).unwrap_or((address, ""));
        let parameters: Vec<(String, String)> =
            url::form_urlencoded::parse(parameters.replace('+', "%2B").as_bytes())
                .into_owned()
                .collect();
        let parameter = |name: &str| {
            let mut pairs = parameters.iter().filter(|(key, _)| key == name);
            pairs.next().map_or("", |(_, value)| value)
        };
        let (admin, password) = parameter("admin").split_once(':').unwrap_or(("", ""));
        let mut values = Values::new();
        if self.all().any(|f| f.part == Part::Key) {
            // What stands behind the key belongs to it.
            let (server, key) = address.rsplit_once('/').unwrap_or((address, ""));
            values.insert(Part::Address, server.into());
            values.insert(Part::Key, key.into());
        } else if self.all().any(|f| f.part == Part::Address) {
            let ours = |name: &str| {
                let mut all = self.all();
                all.any(|f| matches!(f.part, Part::Query(n) if n == name))
            };
            let rest = parameters.iter().filter(|(name, _)| !ours(name));
            let rest: Vec<_> = rest.map(|(n, v)| format!("{n}={}", coded(v))).collect();
            let mut typed = base.strip_prefix(self.scheme).unwrap_or(base).to_string();
            if !rest.is_empty() {
                typed = format!("{typed}{}{}", self.mark, rest.join("&"));
            }
            values.insert(Part::Address, typed);
        }
        let url = Url::parse(base).ok();
        let url = url.as_ref();
        for field in self.all() {
            let value = match field.part {
                Part::Tls => match url.is_some_and(|u| u.scheme() == format!("{}s", self.scheme)) {
                    true => "1".into(),
                    false => String::new(),
                },
                Part::Host => url
                    .and_then(Url::host_str)
                    .map_or(String::new(), |h| h.trim_matches(['[', ']']).into()),
                Part::Port => url
                    .and_then(Url::port)
                    .map_or(String::new(), |p| p.to_string()),
                Part::Path => plain(url.map_or("", |u| u.path().trim_start_matches('/'))),
                Part::User => plain(url.map_or("", Url::username)),
                Part::Password => plain(url.and_then(Url::password).unwrap_or_default()),
                Part::Query(name) => parameter(name).to_string(),
                Part::AdminUser => admin.to_string(),
                Part::AdminPassword => password.to_string(),
                Part::Address | Part::Key => continue,
            };
            if !value.is_empty() {
                values.insert(field.part, value);
            }
        }
        values
    }
}

/// Whether nothing was typed yet, or only what stands there from the beginning.
pub fn is_empty(value: &str) -> bool {
    let value = value.trim();
    value.is_empty() || value.ends_with("://")
}

/// As it stands in an address.
fn coded(text: &str) -> String {
    let coded = url::form_urlencoded::byte_serialize(text.as_bytes());
    coded.collect::<String>().replace('+', "%20")
}

/// As it was before it was put into an address.
fn plain(text: &str) -> String {
    let pair = format!("v={}", text.replace('+', "%2B").replace('&', "%26"));
    let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
    pairs.next().map_or(String::new(), |(_, v)| v.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(word: &str, values: &[(Part, &str)], address: &str) {
        let kind = kind(word).unwrap();
        let values: Values = values.iter().map(|(p, v)| (*p, v.to_string())).collect();
        assert_eq!(kind.address(&values), address);
        let mut back = kind.values(address);
        back.retain(|part, _| values.contains_key(part));
        assert_eq!(back, values, "{address}");
    }

    #[test]
    fn values_become_an_address_and_come_back_out_of_it() {
        use Part::*;
        there_and_back(
            "icecast",
            &[
                (Host, "radio.example.org"),
                (Port, "8010"),
                (Path, "show.ogg"),
                (User, "source"),
                (Password, "p@ss/w:rd &%"),
                (Tls, "1"),
                (Query("name"), "Späte Stunde & mehr"),
                (AdminUser, "admin"),
                (AdminPassword, "a:b c"),
            ],
            "icecasts://source:p%40ss%2Fw%3Ard%20%26%25@radio.example.org:8010/show.ogg\
             ?name=Sp%C3%A4te%20Stunde%20%26%20mehr&admin=admin%3Aa%3Ab%20c",
        );
        there_and_back(
            "rtmp",
            &[(Address, "rtmp://live.example.org/app"), (Key, "abcd-1234")],
            "rtmp://live.example.org/app/abcd-1234",
        );
        there_and_back(
            "srt",
            &[
                (Host, "2001:db8::1"),
                (Port, "7001"),
                (Query("passphrase"), "ten letters"),
                (Query("mode"), "listener"),
            ],
            "srt://[2001:db8::1]:7001?passphrase=ten%20letters&mode=listener",
        );
        there_and_back(
            "whip",
            &[
                (Address, "https://live.example.org/whip?room=7"),
                (Query("token"), "t/k+n"),
            ],
            "https://live.example.org/whip?room=7#token=t%2Fk%2Bn",
        );
        there_and_back(
            "janus",
            &[
                (Address, "ws://janus.example.org:8188/?ids=names"),
                (Query("room"), "1234"),
            ],
            "janus+ws://janus.example.org:8188/?ids=names&room=1234",
        );
        there_and_back(
            "webrtcsink",
            &[
                (Address, "ws://signalling.example.org:8443"),
                (Query("navigation"), "1"),
            ],
            "webrtcsink+ws://signalling.example.org:8443?navigation=1",
        );
    }

    #[test]
    fn what_is_missing_is_asked_for_in_order() {
        let icecast = kind("icecast").unwrap();
        let mut values = icecast.presets();
        assert!(icecast.complaint(&values).unwrap().contains("host"));
        values.insert(Part::Host, "h".into());
        assert!(icecast.complaint(&values).unwrap().contains("password"));
        values.insert(Part::Password, "p".into());
        assert_eq!(icecast.complaint(&values), None);
        assert_eq!(
            icecast.address(&values),
            "icecast://source:p@h:8000/live.webm"
        );
    }

    #[test]
    fn no_two_fields_of_a_kind_stand_in_the_same_place() {
        for kind in kinds() {
            let parts: Vec<_> = kind.all().map(|f| f.part).collect();
            let unique: std::collections::BTreeSet<_> = parts.iter().collect();
            assert_eq!(unique.len(), parts.len(), "{}", kind.word);
        }
    }
}
