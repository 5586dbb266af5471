// SPDX-License-Identifier: GPL-3.0-or-later
//! The examples of the documents, run as they stand there.
//!
//! A block of `sh` that runs `aerial` goes live, and every source and output of it must become live; `aerial devices` and
//! `aerial check` must end with 0. Only this is changed: addresses at `example.org` and their passwords become those of
//! servers of the test, `--share` and `--listen` a free port, and pictures are small. A comment before a block says what is
//! not here:
//!
//! - `<!-- needs: camera -->` (desktop, viewer …): it must be accepted and go live, whatever its sources and outputs say
//! - `<!-- needs: feature NAME -->`: it must be refused, since that was left out of this build
//!
//! A block of `sh` with `curl` asks a broadcast that `docs/api.md` begins; the status and the JSON that follow the block
//! must be the answer. The JSON may have other values, but no other words.

mod api;
mod servers;

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
    thread,
};

use serde_json::Value;

use crate::{
    icecast, media, peers,
    push::{NGINX, SRT},
    rig::{Aerial, Home, checkout, have},
};
use servers::Servers;

/// A block of `sh`.
#[derive(Clone)]
struct Example {
    /// File and line.
    place: String,
    needs: Option<String>,
    code: String,
}

/// All of a document, in their order.
fn examples(file: &str) -> Vec<Example> {
    let text = fs::read_to_string(checkout(file)).unwrap();
    let mut found = vec![];
    let mut lines = text.lines().enumerate();
    let mut needs = None;
    while let Some((n, line)) = lines.next() {
        if let Some(what) = line.strip_prefix("<!-- needs: ") {
            needs = Some(what.trim_end_matches("-->").trim().to_string());
        } else if line.starts_with("```") {
            let body = lines.by_ref().map(|(_, l)| l);
            let body: Vec<_> = body.take_while(|l| !l.starts_with("```")).collect();
            let needs = needs.take();
            if line == "```sh" {
                found.push(Example {
                    place: format!("{file}:{}", n + 1),
                    needs,
                    code: body.join("\n"),
                });
            }
        }
    }
    found
}

/// What `aerial` is run with, and the program in front of its pipe, if there is one.
struct Run {
    place: String,
    needs: Option<String>,
    feeder: Option<String>,
    args: Vec<String>,
}

/// Every run of `aerial` in a block. A shell takes it apart as it does for everybody.
fn runs(example: &Example) -> Vec<Run> {
    let (feeder, code) = match example.code.split_once("| aerial ") {
        Some((feeder, rest)) => (Some(feeder.to_string()), format!("aerial {rest}")),
        None => (None, example.code.clone()),
    };
    if !code.starts_with("aerial ") {
        return vec![];
    }
    let script =
        format!("aerial() {{ printf '%s\\0' \"$@\"; printf '\\n\\0'; }}\nset -efu\n{code}");
    let out = Command::new("sh").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{}: {said}", example.place);
    let text = String::from_utf8(out.stdout).unwrap();
    text.split_terminator("\n\0")
        .map(|words| Run {
            place: example.place.clone(),
            needs: example.needs.clone(),
            feeder: feeder.clone(),
            args: words.split_terminator('\0').map(String::from).collect(),
        })
        .collect()
}

/// The documents whose commands are run.
const DOCUMENTS: [&str; 7] = [
    "README.md",
    "docs/getting-started.md",
    "docs/sources.md",
    "docs/outputs.md",
    "docs/scaling.md",
    "docs/api.md",
    "docs/troubleshooting.md",
];

#[test]
fn every_command_of_the_documents_goes_live_as_it_stands() {
    let story = "every_command_of_the_documents_goes_live_as_it_stands";
    let needs = [
        media::NEEDS,
        icecast::NEEDS,
        NGINX,
        SRT,
        peers::JANUS,
        servers::NEEDS,
    ]
    .concat();
    if !have(story, &needs) {
        return;
    }
    let mut seen = BTreeSet::new();
    let mut all: Vec<Run> = DOCUMENTS
        .iter()
        .flat_map(|file| examples(file))
        .flat_map(|example| runs(&example))
        .filter(|run| seen.insert(run.args.clone()))
        .collect();
    assert!(all.len() > 25, "only {} commands found", all.len());
    all.reverse();
    let servers = Servers::start();
    let left = Mutex::new(all);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().pop();
                    let Some(run) = next else { break };
                    try_out(&run, &servers);
                }
            });
        }
    });
}

/// Runs one as it stands, but for what the head of this file says.
fn try_out(run: &Run, servers: &Servers) {
    let home = Home::new();
    servers.lend(&home.path(""));
    let args: Vec<String> = run.args.iter().map(|word| servers.at_home(word)).collect();
    let place = format!("{}: aerial {}", run.place, args.join(" "));
    let needs = run.needs.as_deref().unwrap_or_default();
    eprintln!("{place}");
    if args[0] != "live" || needs.starts_with("feature ") {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let out = home.aerial(&args, None).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        let left_out = needs.starts_with("feature ");
        assert_eq!(
            (out.status.code(), said.contains("was built without")),
            (Some(if left_out { 2 } else { 0 }), left_out),
            "{place}: {said}"
        );
        return;
    }
    let left = args.iter().find(|word| word.contains("example.org"));
    assert!(
        left.is_none() || !needs.is_empty(),
        "{place}: there is no such server here"
    );
    let args = small(&args[1..]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut feeder = run.feeder.as_ref().map(|code| {
        let mut command = Command::new("sh");
        let command = command.args(["-c", &format!("exec {code}")]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().unwrap()
    });
    let input = feeder.as_mut().and_then(|f| f.stdout.take());
    let mut aerial = Aerial::live_fed(home, &args, None, input.map_or(Stdio::null(), Stdio::from));
    if needs.is_empty() {
        aerial.wait(&format!("all to be live of {place}"), all_live);
    }
    aerial.stop();
    if let Some(mut feeder) = feeder {
        let _ = feeder.kill();
        let _ = feeder.wait();
    }
}

/// With a free port and small pictures.
fn small(args: &[String]) -> Vec<String> {
    let mut all = vec![];
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--share" => (),
            "--listen" => drop(words.next()),
            _ => all.push(word.clone()),
        }
    }
    if !all.iter().any(|word| word == "--size") {
        all.extend(["--size", "320x180", "--video-bitrate", "400k"].map(String::from));
    }
    all
}

/// Every source plays, or waits for somebody; every output is taken.
fn all_live(status: &Value) -> bool {
    let sources = status["sources"].as_array().unwrap();
    let outputs = status["outputs"].as_array().unwrap();
    let waits = |spec: &str| spec == "guest" || spec.starts_with("frames:");
    sources.iter().all(|s| {
        let wanted = match waits(s["spec"].as_str().unwrap()) {
            true => "starting",
            false => "live",
        };
        s["state"] == wanted
    }) && outputs.iter().all(|o| o["state"] == "live")
}

#[test]
fn every_request_of_the_api_s_document_is_answered_as_it_says() {
    let story = "every_request_of_the_api_s_document_is_answered_as_it_says";
    if !have(story, &[media::NEEDS, &["curl"]].concat()) {
        return;
    }
    let home = Home::new();
    servers::make_files(&home.path(""));
    let first = examples("docs/api.md").remove(0);
    let run = runs(&first).remove(0);
    let args = small(&run.args[1..]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut aerial = Aerial::live_in(home, &args, None);
    api::story(&aerial, Path::new(&checkout("docs/api.md")));
    aerial.stop();
}
