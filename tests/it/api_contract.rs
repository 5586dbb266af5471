// SPDX-License-Identifier: GPL-3.0-or-later
//! The API's OpenAPI document and its metrics, judged by the tools of others: schemathesis makes requests out of the
//! document, right ones and wrong ones, and compares what comes; Prometheus' own parser reads the metrics.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use serde_json::Value;

use crate::{
    http::{self, Viewer},
    rig::{Aerial, checkout, have, viewers},
};

/// Where the tools are, or why they are not.
fn tools() -> &'static Result<PathBuf, String> {
    static TOOLS: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    TOOLS.get_or_init(install)
}

/// An environment of their own under target/, made anew when other versions are wanted.
fn install() -> Result<PathBuf, String> {
    let wanted = checkout("tests/bed/requirements.txt");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("api-tools");
    let (bin, done) = (folder.join("bin"), folder.join("requirements.txt"));
    let text = fs::read(&wanted).unwrap();
    if fs::read(&done).is_ok_and(|there| there == text) {
        return Ok(bin);
    }
    let ran = |command: &mut Command| {
        let out: Output = command
            .stdin(Stdio::null())
            .output()
            .map_err(|e| e.to_string())?;
        match out.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&out.stderr).to_string()),
        }
    };
    let venv = ["-m", "venv", "--clear"];
    ran(Command::new("python3").args(venv).arg(&folder))?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
    ];
    ran(Command::new(bin.join("python3")).args(pip).arg(&wanted))?;
    fs::write(done, text).map_err(|e| e.to_string())?;
    Ok(bin)
}

/// The folder of the tools. Where everything must be there they are; elsewhere the story is skipped without them.
fn have_tools(story: &str) -> Option<&'static Path> {
    if !have(story, &["python3"]) {
        return None;
    }
    match tools() {
        Ok(bin) => Some(bin),
        Err(why) => {
            let ci = std::env::var("CI").as_deref() == Ok("true");
            assert!(!ci, "{story}: {why}");
            eprintln!("SKIPPED {story}: its tools cannot be installed: {why}");
            None
        }
    }
}

/// Not called: events never end, and ending the broadcast would end the story. All else is, in a folder of its own, where
/// words that nobody chose make no source, no recording and no address.
const LEFT_OUT: [&str; 2] = ["events", "setAir"];

#[test]
fn the_running_server_answers_as_its_document_says_and_no_request_makes_it_fail() {
    let Some(bin) = have_tools("the document of the API") else {
        return;
    };
    let mut aerial = Aerial::live(&[
        "--video", "test", "--video", "guest", "--audio", "tone", "--size", "320x180",
    ]);
    let served = aerial.api("GET", "/api/v1/openapi.json");
    assert_eq!(served.header("content-type"), Some("application/json"));
    assert_eq!(
        served.body,
        fs::read(checkout("docs/openapi.json")).unwrap()
    );
    let _viewer = Viewer::join(aerial.address(), "/live.webm");
    let mut run = Command::new(bin.join("schemathesis"));
    run.arg("run").arg(checkout("docs/openapi.json"));
    run.args(["--url", &aerial.link("")]);
    run.args(["-H", &format!("Authorization: Bearer {}", aerial.token())]);
    for operation in LEFT_OUT {
        run.args(["--exclude-operation-id", operation]);
    }
    // Words of the command line cannot be written as a pattern: what the document allows may be refused.
    run.args([
        "--checks",
        "all",
        "--exclude-checks",
        "positive_data_acceptance",
    ]);
    run.args(["--phases", "examples,coverage,fuzzing", "--seed", "1"]);
    run.args(["--max-examples", "10", "--request-timeout", "60"]);
    run.args(["--continue-on-failure", "--warnings", "off"]);
    let run = run.current_dir(aerial.path("")).stdin(Stdio::null());
    let out = run.output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).to_string();
    assert!(
        out.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let document: Value = serde_json::from_slice(&served.body).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let all: usize = paths.map(|path| path.as_object().unwrap().len()).sum();
    let called = format!("{} selected / {all} total", all - LEFT_OUT.len());
    assert!(said.contains(&called), "{called}: {said}");
    assert!(!aerial.said().contains("panicked"), "{}", aerial.said());
    assert_eq!(aerial.api("GET", "/api/v1/air").json()["air"], "live");
    aerial.stop();
}

#[test]
fn prometheus_own_parser_reads_the_metrics() {
    let Some(bin) = have_tools("the metrics") else {
        return;
    };
    let mut aerial = Aerial::live(&["--audio", "tone", "--size", "320x180", "--record", "a.mkv"]);
    let viewer = Viewer::join(aerial.address(), "/live.webm");
    viewer.wait_more(20_000);
    aerial.wait("numbers of all", |s| {
        viewers(s, "http").len() == 1 && s["outputs"][0]["state"] == "live"
    });
    let page = aerial.api("GET", "/metrics");
    assert_eq!(page.status, 200);
    fs::write(aerial.path("page"), &page.body).unwrap();
    let read = "import sys\n\
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as read\n\
        for f in read(open(sys.argv[1]).read()): print(f.type, f.name, len(f.samples))";
    let mut python = Command::new(bin.join("python3"));
    let out = python.args(["-c", read]).arg(aerial.path("page"));
    let out = out.output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).to_string();
    let error = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{error}");
    for family in [
        "gauge aerial_viewers 4",
        "counter aerial_viewer_bytes 1",
        "counter aerial_viewers_dropped 4",
        "counter process_cpu_seconds 1",
    ] {
        assert!(said.lines().any(|line| line == family), "{family}: {said}");
    }
    let none = http::request(aerial.address(), "GET", "/metrics", &[], b"");
    assert_eq!(none.status, 401);
    aerial.stop();
}
