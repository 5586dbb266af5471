// SPDX-License-Identifier: GPL-3.0-or-later
//! Requests of a document, and the answers that it tells.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{http, rig::Aerial};

/// Requests, and what the last of them is to answer.
struct Exchange {
    code: String,
    status: String,
    json: Option<Value>,
}

/// Every block with `curl`, with the "Answers `200`" and the JSON between it and the next one.
fn exchanges(document: &Path) -> Vec<Exchange> {
    let text = fs::read_to_string(document).unwrap();
    let blocks = text.split("```sh\n").skip(1);
    blocks
        .filter(|block| block.starts_with("curl"))
        .map(|block| {
            let (code, rest) = block.split_once("```").unwrap();
            let status = rest.split_once("Answers `");
            let status = status.unwrap_or_else(|| panic!("{code}: no answer")).1;
            let before_the_next_part = rest.split("\n#").next().unwrap();
            let json = before_the_next_part
                .split_once("```json\n")
                .map(|(_, json)| {
                    let json = json.split("```").next().unwrap();
                    serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"))
                });
            Exchange {
                code: code.to_string(),
                status: status[..3].to_string(),
                json,
            }
        })
        .collect()
}

/// Asks everything, in the document's order, with one viewer there.
pub fn story(aerial: &Aerial, document: &Path) {
    let exchanges = exchanges(document);
    assert!(exchanges.len() > 20, "only {} requests", exchanges.len());
    let _viewer = http::Viewer::join(aerial.address(), "/live.webm");
    aerial.wait("the viewer to be listed, and the film to play", |s| {
        s["viewers"][0]["id"] == 1
            && s["encoders"].as_array().is_some_and(|all| !all.is_empty())
            && s["sources"][1]["progress"]["position"].as_f64() > Some(0.0)
    });
    for exchange in exchanges {
        let (status, body) = ask(aerial, &exchange.code);
        assert_eq!(status, exchange.status, "{}{body}", exchange.code);
        if let Some(told) = exchange.json {
            let got: Value = serde_json::from_str(&body).unwrap();
            same(&told, &got, &exchange.code);
        }
    }
}

/// Runs a block; status and body of its last request. Those before it are to be done.
fn ask(aerial: &Aerial, code: &str) -> (String, String) {
    // Each answer is followed by a line with its status and a sign that is in none.
    let wrapped = "curl() { command curl -sS -w '\n%{http_code}\u{1e}' \"$@\"; }\nset -eu\n";
    let mut child = Command::new("sh");
    child
        .args(["-c", &format!("{wrapped}{code}")])
        .env("API", aerial.link("/api/v1"))
        .env("TOKEN", aerial.token())
        .stdin(Stdio::null());
    let out = child.output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{code}{said}");
    let text = String::from_utf8(out.stdout).unwrap();
    let answers = text.split_terminator('\u{1e}');
    let answers: Vec<_> = answers.map(|a| a.rsplit_once('\n').unwrap()).collect();
    let ((body, status), before) = answers.split_last().unwrap();
    for (body, status) in before {
        assert!(status.starts_with('2'), "{code}{status} {body}");
    }
    (status.to_string(), body.to_string())
}

/// The same words with values of the same kinds. Sentences of errors are the same altogether.
fn same(told: &Value, got: &Value, place: &str) {
    match (told, got) {
        (Value::Object(a), Value::Object(b)) => {
            let names = |o: &serde_json::Map<String, Value>| o.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(a), names(b), "{place}");
            if a.contains_key("error") && a.len() == 1 {
                assert_eq!(a, b, "{place}");
            }
            for (name, value) in a {
                same(value, &b[name], place);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            if let (Some(a), Some(b)) = (a.first(), b.first()) {
                same(a, b, place);
            }
        }
        (Value::Null, _)
        | (_, Value::Null)
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::String(_), Value::String(_)) => (),
        _ => panic!("{place}: {told} is told, {got} is answered"),
    }
}
