// SPDX-License-Identifier: GPL-3.0-or-later
//! Facts about the checkout that nobody should have to look after: where GTK is used, that names agree, and that the
//! documentation mentions what there is. No matter of taste is checked here.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every file of the project, relative to its root: what git has or would add; without git, whatever lies there.
fn files() -> Vec<PathBuf> {
    let git = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output();
    let mut found = vec![];
    match git {
        Ok(out) if out.status.success() => {
            let text = String::from_utf8(out.stdout).unwrap();
            found.extend(
                text.split('\0')
                    .filter(|p| !p.is_empty())
                    .map(PathBuf::from),
            );
        }
        _ => walk(root(), &mut found),
    }
    // Deleted, but not committed yet.
    found.retain(|p| root().join(p).is_file());
    found.sort();
    assert!(found.len() > 20, "these cannot be all files: {found:?}");
    found
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().to_string();
        if path.is_dir() && !["target", "node_modules", ".git"].contains(&name.as_str()) {
            walk(&path, found);
        } else if path.is_file() {
            found.push(path.strip_prefix(root()).unwrap().to_path_buf());
        }
    }
}

fn with_ending(ending: &str) -> impl Iterator<Item = PathBuf> {
    files()
        .into_iter()
        .filter(move |p| p.to_string_lossy().ends_with(ending))
}

/// The application's id, as the code has it.
fn app_id() -> String {
    let code = read("src/lib.rs");
    let line = code
        .lines()
        .find(|l| l.starts_with("pub const APP_ID"))
        .expect("lib.rs holds APP_ID");
    line.split('"').nth(1).unwrap().to_string()
}

#[test]
fn the_engine_knows_no_gtk() {
    const WINDOW_ONLY: [&str; 6] = ["gtk", "gtk4", "adw", "libadwaita", "gettext", "gettextrs"];
    for path in with_ending(".rs").filter(|p| p.starts_with("src")) {
        if path.starts_with("src/ui") || path == Path::new("src/main.rs") {
            continue;
        }
        for (n, line) in read(&path).lines().enumerate() {
            let code = line.split("//").next().unwrap();
            let mut words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
            let word = words.find(|w| WINDOW_ONLY.contains(w));
            assert!(
                word.is_none(),
                "{}:{}: {word:?} belongs into src/ui",
                path.display(),
                n + 1
            );
        }
    }
}

#[test]
fn the_application_has_one_id() {
    let id = app_id();
    let desktop = read(format!("data/{id}.desktop.in"));
    assert!(
        desktop.lines().any(|l| l == format!("Icon={id}")),
        "the desktop file names the icon {id}"
    );
    let metainfo = read(format!("data/{id}.metainfo.xml.in"));
    assert!(
        metainfo.contains(&format!("<id>{id}</id>")),
        "metainfo has the id {id}"
    );
    let launchable = format!("<launchable type=\"desktop-id\">{id}.desktop</launchable>");
    assert!(metainfo.contains(&launchable), "metainfo has {launchable}");
    for icon in [format!("data/{id}.svg"), format!("data/{id}-symbolic.svg")] {
        assert!(read(&icon).contains("<svg"), "{icon}");
    }
    assert!(
        read("Makefile").lines().any(|l| l == format!("id := {id}")),
        "the Makefile installs {id}"
    );
    // And nobody writes it out a second time.
    for path in with_ending(".rs").filter(|p| p.starts_with("src") && p != Path::new("src/lib.rs"))
    {
        assert!(
            !read(&path).contains(&format!("\"{id}\"")),
            "{}: use APP_ID",
            path.display()
        );
    }
}

#[test]
fn the_newest_release_is_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let metainfo = read(format!("data/{}.metainfo.xml.in", app_id()));
    let newest = metainfo
        .split("<release version=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    assert_eq!(newest, Some(version), "metainfo tells of its releases");
    for link in metainfo.split("<image").skip(1) {
        let link = link.split('<').next().unwrap();
        assert!(
            link.contains(&format!("/v{version}/")),
            "the tag of {link} is not v{version}"
        );
    }
}

#[test]
fn translators_see_every_text() {
    let listed: BTreeSet<String> = read("po/POTFILES")
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
        .map(String::from)
        .collect();
    let mut with_texts = BTreeSet::new();
    for path in files() {
        let name = path.to_string_lossy().to_string();
        let has = match path.extension().and_then(|e| e.to_str()) {
            Some("ui") => read(&path).contains("translatable=\"yes\""),
            Some("rs") if path.starts_with("src") => calls_gettext(&read(&path)),
            Some("in") => name.ends_with(".desktop.in") || name.ends_with(".metainfo.xml.in"),
            _ => false,
        };
        if has {
            with_texts.insert(name);
        }
    }
    let forgotten: Vec<_> = with_texts.difference(&listed).collect();
    assert!(forgotten.is_empty(), "po/POTFILES lacks {forgotten:?}");
    for name in &listed {
        assert!(
            root().join(name).is_file(),
            "po/POTFILES lists {name}, which is not there"
        );
    }
    let linguas = read("po/LINGUAS");
    let languages: BTreeSet<_> = linguas
        .lines()
        .filter(|l| !l.starts_with('#'))
        .flat_map(str::split_whitespace)
        .collect();
    let translated: Vec<_> = with_ending(".po")
        .map(|p| p.file_stem().unwrap().to_string_lossy().to_string())
        .collect();
    assert_eq!(
        languages,
        translated.iter().map(String::as_str).collect(),
        "po/LINGUAS is the list of po/*.po"
    );
}

fn calls_gettext(code: &str) -> bool {
    code.lines().any(|line| {
        let code = line.split("//").next().unwrap();
        ["gettext(\"", "gettext_f(\"", "gettext(\n"]
            .iter()
            .any(|call| code.contains(call))
            || code.trim_end().ends_with("gettext(")
    })
}

#[test]
fn every_template_has_its_code_beside_it() {
    for path in with_ending(".ui") {
        let code = path.with_extension("rs");
        assert!(
            root().join(&code).is_file(),
            "{} has no {}",
            path.display(),
            code.display()
        );
    }
}

/// What users read.
fn documents() -> impl Iterator<Item = PathBuf> {
    with_ending(".md").filter(|p| {
        p.parent()
            .is_some_and(|dir| dir == Path::new("") || dir == Path::new("docs"))
    })
}

#[test]
fn the_documents_name_every_route() {
    let api = read("docs/api.md");
    let all = api.clone() + &read("docs/outputs.md");
    let mut routes = 0;
    for path in with_ending(".rs").filter(|p| p.starts_with("src/serve")) {
        let code = read(&path);
        // Tests may ask for routes that are not there.
        let code = code.split("#[cfg(test)]").next().unwrap();
        let squeezed: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
        for opening in [
            ".route(\"",
            ".route( \"",
            "const PATH: &str = \"",
            "const PATH: &'static str = \"",
        ] {
            for rest in squeezed.split(opening).skip(1) {
                let route = rest.split('"').next().unwrap();
                // `/api/v1/viewers/{id}` is written as `/api/v1/viewers/ID` there.
                if route.starts_with("/api/v1/") {
                    let written = route
                        .replace("{id}", "ID")
                        .replace("{name}", "NAME")
                        .replace("{address}", "ADDRESS");
                    let row = format!("| `{written}` |");
                    assert!(api.contains(&row), "docs/api.md has no row {row}");
                }
                // What follows a variable part is told in words.
                let fixed = route.split('{').next().unwrap().trim_end_matches('/');
                // Parts of the watch page.
                if route.ends_with(".js") || route.ends_with(".css") {
                    continue;
                }
                assert!(
                    fixed.is_empty() || all.contains(fixed),
                    "docs/api.md and docs/outputs.md do not name {route} of {}",
                    path.display()
                );
                routes += 1;
            }
        }
    }
    assert!(
        routes >= 4,
        "only {routes} routes found: are they written in another way now?"
    );
}

/// Routes of the API with their methods, as the code has them: `.route("/api/v1/bans", get(bans))`.
fn api_routes() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in with_ending(".rs").filter(|p| p.starts_with("src/serve/api")) {
        let code: String = read(&path).split_whitespace().collect();
        for rest in code.split(".route(\"/api/v1/").skip(1) {
            let (route, rest) = rest.split_once("\",").unwrap();
            let end = rest.find(".route(").unwrap_or(rest.len());
            // What follows the last one in a function are no methods of a router.
            let methods = rest[..end].split('}').next().unwrap();
            for method in ["get", "put", "post", "patch", "delete"] {
                if methods.contains(&format!("{method}(")) {
                    found.insert(format!("{method} /api/v1/{route}"));
                }
            }
        }
    }
    found
}

#[test]
fn the_openapi_document_has_every_route_and_nothing_else() {
    let text = read("docs/openapi.json");
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut told = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            told.insert(format!("{method} {path}"));
            // Whoever comes without the right token is refused everywhere.
            for status in ["401", "403"] {
                let told = &operation["responses"][status];
                assert!(told.is_object(), "{method} {path}: no {status}");
            }
        }
    }
    let routes = api_routes();
    assert!(routes.len() > 30, "only {} routes found", routes.len());
    assert_eq!(told, routes);
    // The table for people says the same.
    for path in document["paths"].as_object().unwrap().iter() {
        let (path, item) = path;
        let order = ["get", "post", "put", "patch", "delete"];
        let methods = order.iter().filter(|m| item.get(**m).is_some());
        let methods: BTreeSet<_> = methods.map(|m| m.to_uppercase()).collect();
        let written = ["id", "name", "address"]
            .iter()
            .fold(path.clone(), |p, part| {
                p.replace(&format!("{{{part}}}"), &part.to_uppercase())
            });
        let api = read("docs/api.md");
        let row = api
            .lines()
            .find(|l| l.starts_with(&format!("| `{written}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/api.md has no row {written}"));
        let told = row.split('|').nth(2).unwrap().split(',');
        let told: BTreeSet<_> = told.map(|m| m.trim().to_string()).collect();
        assert_eq!(told, methods, "{path} in docs/api.md");
    }
}

#[test]
fn the_documents_name_every_option() {
    let text = read("docs/getting-started.md");
    for command in ["live", "devices", "check"] {
        assert!(
            text.contains(&format!("aerial {command}")),
            "docs/getting-started.md does not name aerial {command}"
        );
        let out = Command::new(env!("CARGO_BIN_EXE_aerial"))
            .args([command, "--help"])
            .output()
            .unwrap();
        assert!(out.status.success(), "aerial {command} --help");
        let help = String::from_utf8(out.stdout).unwrap();
        let options = help.lines().filter_map(|line| {
            // "  -h, --help" or "      --size <WxH>"
            let option = line
                .trim_start()
                .trim_start_matches("-h, ")
                .trim_start_matches("-V, ");
            option
                .starts_with("--")
                .then(|| option.split([' ', '[']).next().unwrap().to_string())
        });
        for option in options.filter(|o| o != "--help" && o != "--version") {
            let named = text.match_indices(&option).any(|(at, _)| {
                !text[at + option.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '-')
            });
            assert!(named, "docs/getting-started.md does not name {option}");
        }
    }
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let mut links = 0;
    for path in documents() {
        let text = read(&path);
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let folder = path.parent().unwrap();
            let there = match file {
                "" => path.clone(),
                file => folder.join(file),
            };
            let place = format!("{}: {link}", path.display());
            assert!(root().join(&there).exists(), "{place} leads nowhere");
            if !heading.is_empty() {
                assert!(
                    headings(&read(&there)).contains(heading),
                    "{place}: no such heading"
                );
            }
            links += 1;
        }
    }
    assert!(
        links > 40,
        "only {links} links found: are they written in another way now?"
    );
}

/// The names that links have for the headings of a document.
fn headings(text: &str) -> BTreeSet<String> {
    let name = |heading: &str| -> String {
        let small = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = small
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    // Comments of shell scripts begin as headings do.
    let outside = text.split("```").step_by(2);
    outside
        .flat_map(str::lines)
        .filter(|line| line.starts_with('#'))
        .map(name)
        .collect()
}

/// A sentence that a document says is shown stands in the code: what is written there as "…" may be anything.
#[test]
fn what_troubleshooting_says_is_said_is_said() {
    let code: String = with_ending(".rs")
        .filter(|p| p.starts_with("src"))
        .chain(with_ending(".js").filter(|p| p.starts_with("data/web")))
        .map(|p| read(&p))
        .collect();
    let code = code.replace("\\\"", "\"");
    let text = read("docs/troubleshooting.md");
    let mut sentences = 0;
    for row in text.lines().filter(|l| l.starts_with("| ")) {
        let said = row.split('|').nth(1).unwrap();
        for sentence in said.split('"').skip(1).step_by(2) {
            for part in sentence.split('…').map(str::trim) {
                let part = part.trim_matches([':', '.']).trim();
                assert!(code.contains(part), "nothing says {part:?} of {sentence:?}");
            }
            sentences += 1;
        }
    }
    assert!(sentences > 60, "only {sentences} sentences found");
}

#[test]
fn every_source_says_its_licence() {
    const LINE: &str = "SPDX-License-Identifier: GPL-3.0-or-later";
    for path in files() {
        let Ok(text) = fs::read_to_string(root().join(&path)) else {
            continue;
        };
        let source = path
            .extension()
            .is_some_and(|e| ["rs", "py", "js", "css", "html"].iter().any(|s| e == *s));
        if source || text.starts_with("#!") {
            let top: Vec<_> = text.lines().take(3).collect();
            assert!(
                top.iter().any(|l| l.contains(LINE)),
                "{}: no line with {LINE} at the top",
                path.display()
            );
        }
    }
}

#[test]
fn packages_come_from_wherever_the_builder_gets_them() {
    // Mirrors are common; a lock file must not insist on one place. Written in parts, or this file would be found.
    let hosts = [
        "registry.npmjs|org",
        "registry.yarnpkg|com",
        "index.crates|io",
        "static.crates|io",
        "files.pythonhosted|org",
    ]
    .map(|host| host.replace('|', "."));
    for path in files() {
        let Ok(text) = fs::read_to_string(root().join(&path)) else {
            continue;
        };
        for host in &hosts {
            assert!(!text.contains(host), "{} names {host}", path.display());
        }
    }
    assert!(
        !read("tests/web/package-lock.json").contains("\"resolved\""),
        "see tests/web/.npmrc"
    );
}
