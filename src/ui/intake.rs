// SPDX-License-Identifier: GPL-3.0-or-later
//! What was dropped, pasted or chosen: sorted into sources, and into what cannot be used with the reason. Files are
//! looked at without holding up the window.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use gettextrs::gettext;
use gtk::{gdk, gio, glib, prelude::*};
use studio::source::{AudioSpec, Link, Spec, VideoSpec};

use super::{
    notice,
    words::{fill, short},
};

/// What is asked about a file.
const ATTRIBUTES: &str = "standard::type,standard::content-type,standard::size,access::can-read";
/// A folder is looked through this far for a picture.
const SEARCHED: u32 = 2000;
/// Text is read this far: more lines than that are no list of links.
const LINES: usize = 200;

/// Sources, and sentences about what is none.
#[derive(Debug, Default)]
pub struct Intake {
    /// Each is a picture, a sound, or both of one thing.
    pub sources: Vec<Vec<Spec>>,
    /// What cannot be used, and why.
    pub refused: Vec<String>,
}

/// Something that may be a source.
#[derive(Debug, Clone)]
pub enum Offer {
    /// A file or folder, here or elsewhere.
    File(gio::File),
    /// A link, or words.
    Text(String),
}

/// What a dragged or pasted value offers.
pub fn offers(value: &glib::Value) -> Vec<Offer> {
    if let Ok(files) = value.get::<gdk::FileList>() {
        return files.files().into_iter().map(Offer::File).collect();
    }
    value.get::<String>().map(|t| lines(&t)).unwrap_or_default()
}

/// Each line of a text is an offer of its own.
pub fn lines(text: &str) -> Vec<Offer> {
    text.lines()
        .map(str::trim)
        // Lists of addresses may have comments.
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .take(LINES)
        .map(|line| match line.starts_with("file:/") {
            true => Offer::File(gio::File::for_uri(line)),
            false if line.starts_with('/') => Offer::File(gio::File::for_path(line)),
            false => Offer::Text(line.to_string()),
        })
        .collect()
}

/// Look at each of them.
pub async fn sort(offers: Vec<Offer>) -> Intake {
    let mut intake = Intake::default();
    if offers.is_empty() {
        intake
            .refused
            .push(gettext("There is nothing in it that can be added."));
    }
    for offer in offers {
        let result = match offer {
            Offer::File(file) => look_at(&file).await,
            Offer::Text(text) => link(&text),
        };
        match result {
            Ok(specs) if intake.sources.contains(&specs) => (),
            Ok(specs) => intake.sources.push(specs),
            Err(why) => intake.refused.push(why),
        }
    }
    intake
}

/// A link, or why it is none.
pub fn link(text: &str) -> Result<Vec<Spec>, String> {
    if !Link::looks_like_one(text) {
        let sentence = gettext("“{text}” is neither a link nor a file.");
        return Err(fill(sentence, &[("text", &short(text))]));
    }
    let link: Link = text.parse().map_err(|e| notice::spec(&e).text())?;
    Ok(vec![
        Spec::Video(VideoSpec::Link(link.clone())),
        Spec::Audio(AudioSpec::Link(link)),
    ])
}

async fn look_at(file: &gio::File) -> Result<Vec<Spec>, String> {
    let name = name_of(file);
    let refuse = |why: String| Err(fill(why, &[("name", &name)]));
    let Some(path) = file.path() else {
        // Browsers drag links as if they were files.
        let uri = file.uri();
        return match link(&uri) {
            Err(_) if !file.has_uri_scheme("ftp") && !file.has_uri_scheme("http") => refuse(
                gettext("{name} is on another computer. Copy it to this one first."),
            ),
            link => link,
        };
    };
    let info = file.query_info_future(
        ATTRIBUTES,
        gio::FileQueryInfoFlags::NONE,
        glib::Priority::DEFAULT,
    );
    let info = match info.await {
        Ok(info) => info,
        Err(e) if e.matches(gio::IOErrorEnum::NotFound) => {
            return refuse(gettext("{name} is not there any more."));
        }
        Err(e) => {
            let why = fill(
                gettext("{name} cannot be used: {why}."),
                &[("why", e.message().trim_end_matches('.'))],
            );
            return refuse(why);
        }
    };
    if !info.boolean("access::can-read") {
        return refuse(gettext(
            "{name} cannot be read: you do not have the permission.",
        ));
    }
    if info.file_type() == gio::FileType::Directory {
        return match has_pictures(file).await {
            true => Ok(vec![Spec::Video(VideoSpec::Folder(path))]),
            false => refuse(gettext("There are no pictures in the folder {name}.")),
        };
    }
    if info.size() == 0 {
        return refuse(gettext("{name} is empty."));
    }
    let kind = info.content_type().unwrap_or_default();
    let (video, audio) = (VideoSpec::File(path.clone()), AudioSpec::File(path.clone()));
    match media(&kind, &path) {
        Some(Media::Picture) => Ok(vec![Spec::Video(video)]),
        Some(Media::Sound) => Ok(vec![Spec::Audio(audio)]),
        Some(Media::Film) => Ok(vec![Spec::Video(video), Spec::Audio(audio)]),
        None => {
            let kind = gio::content_type_get_description(&kind);
            let why = gettext("{name} is neither picture, film nor sound but “{kind}”.");
            refuse(fill(why, &[("kind", &kind)]))
        }
    }
}

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Media {
    Picture,
    Sound,
    /// Picture and sound, as far as it has them.
    Film,
}

/// By its type; where types are ambiguous, by its ending.
fn media(kind: &str, path: &Path) -> Option<Media> {
    let ending = path.extension().and_then(|e| e.to_str());
    let ending = ending.map(str::to_ascii_lowercase).unwrap_or_default();
    // Playlists pass for sounds, and MPEG transport streams for translations.
    let ambiguous = ["m3u", "m3u8", "ts", "mts", "m2ts", "mxf", "y4m"];
    if ambiguous.contains(&ending.as_str()) {
        return Some(Media::Film);
    }
    let mime = gio::content_type_get_mime_type(kind)?;
    match mime.split_once('/')? {
        ("image", _) => Some(Media::Picture),
        ("audio", _) => Some(Media::Sound),
        ("video", _) => Some(Media::Film),
        ("application", "ogg" | "mxf" | "vnd.apple.mpegurl" | "x-matroska") => Some(Media::Film),
        _ => None,
    }
}

async fn has_pictures(folder: &gio::File) -> bool {
    let found = folder.enumerate_children_future(
        "standard::content-type",
        gio::FileQueryInfoFlags::NONE,
        glib::Priority::DEFAULT,
    );
    let Ok(children) = found.await else {
        return false;
    };
    let mut seen = 0;
    while seen < SEARCHED {
        let Ok(some) = children
            .next_files_future(100, glib::Priority::DEFAULT)
            .await
        else {
            return false;
        };
        if some.is_empty() {
            return false;
        }
        seen += some.len() as u32;
        let picture = |info: &gio::FileInfo| {
            let mime = info
                .content_type()
                .and_then(|k| gio::content_type_get_mime_type(&k));
            mime.is_some_and(|m| m.starts_with("image/"))
        };
        if some.iter().any(picture) {
            return true;
        }
    }
    false
}

fn name_of(file: &gio::File) -> String {
    let name = file.basename().map(|n| n.to_string_lossy().into_owned());
    short(&name.unwrap_or_else(|| file.uri().into()))
}

/// A playlist of these files, kept in the user's data folder. Returns where it is.
pub fn playlist(paths: &[PathBuf]) -> io::Result<PathBuf> {
    let folder = glib::user_data_dir().join("aerial").join("playlists");
    playlist_in(&folder, paths)
}

fn playlist_in(folder: &Path, paths: &[PathBuf]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let first = paths.first().and_then(|p| p.file_stem());
    let name = first.map_or_else(|| "Playlist".into(), |n| n.to_string_lossy().into_owned());
    let mut text = String::from("#EXTM3U\n");
    for path in paths {
        // As addresses: names may hold line breaks and leading hashes.
        text.push_str(&gio::File::for_path(path).uri());
        text.push('\n');
    }
    let mut n = 1;
    loop {
        let number = if n == 1 {
            String::new()
        } else {
            format!(" ({n})")
        };
        let place = folder.join(format!("{}{number}.m3u8", short(&name)));
        match fs::File::create_new(&place) {
            Ok(mut file) => {
                file.write_all(text.as_bytes())?;
                return Ok(place);
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => n += 1,
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(offers: Vec<Offer>) -> Intake {
        glib::MainContext::new().block_on(sort(offers))
    }

    #[test]
    fn what_can_be_used_is_taken_and_the_rest_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a \"50 %\"\nü.png"), b"\x89PNG\r\n\x1a\n").unwrap();
        std::fs::write(at("notes.txt"), "words").unwrap();
        std::fs::write(at("empty.webm"), "").unwrap();
        std::fs::create_dir(at("nothing")).unwrap();
        let file = |name: &str| Offer::File(gio::File::for_path(at(name)));
        let intake = sorted(vec![
            file("a \"50 %\"\nü.png"),
            file("notes.txt"),
            file("empty.webm"),
            file("nothing"),
            file("gone.mp4"),
            Offer::Text("ftp://example.org/film.mkv".into()),
            Offer::Text("rtsp://cam.example/1".into()),
            Offer::File(gio::File::for_path(folder.path())),
        ]);
        let first = Spec::Video(VideoSpec::File(at("a \"50 %\"\nü.png")));
        assert_eq!(intake.sources[0], [first]);
        assert_eq!(intake.sources[1].len(), 2, "a link may have both");
        let pictures = Spec::Video(VideoSpec::Folder(folder.path().into()));
        assert_eq!(intake.sources[2], [pictures]);
        assert_eq!(intake.refused.len(), 5, "{:?}", intake.refused);
        for (sentence, name) in
            intake
                .refused
                .iter()
                .zip(["notes.txt", "empty.webm", "nothing", "gone.mp4", "ftp"])
        {
            assert!(sentence.contains(name), "{sentence} does not name {name}");
        }
    }

    #[test]
    fn a_playlist_holds_every_file_and_replaces_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [PathBuf::from("/v/#1\nx.webm"), PathBuf::from("/v/b c.webm")];
        let first = playlist_in(folder.path(), &paths).unwrap();
        let second = playlist_in(folder.path(), &paths).unwrap();
        assert_ne!(first, second);
        let text = std::fs::read_to_string(first).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let wanted = ["#EXTM3U", "file:///v/%231%0Ax.webm", "file:///v/b%20c.webm"];
        assert_eq!(lines, wanted);
    }

    #[test]
    fn pasted_text_may_hold_files_links_and_words() {
        let offers = lines("file:///a%20b.png\n\n  https://example.org/x  \n# no\nhello");
        let [Offer::File(file), Offer::Text(link), Offer::Text(word)] = offers.as_slice() else {
            panic!("{offers:?}");
        };
        assert_eq!(file.path().unwrap(), Path::new("/a b.png"));
        assert_eq!(
            (link.as_str(), word.as_str()),
            ("https://example.org/x", "hello")
        );
    }
}
