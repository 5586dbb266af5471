// SPDX-License-Identifier: GPL-3.0-or-later
//! Both sizes of HLS are cut at the same pictures, so that a player can change between them whenever it likes.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};

use crate::{
    browser::{self, Browser},
    formats::{SMALL, ask, folder, newest, text, times},
    media,
    rig::{Aerial, checkout, have_alone},
};

/// A frame of the broadcast, and what is lost by writing times as decimals.
const FRAME: f64 = 1.0 / 30.0 + 0.001;

/// A segment in a playlist.
#[derive(Debug, Clone)]
struct Listed {
    /// Time of day, as written.
    date: String,
    duration: f64,
    discontinuity: bool,
    map: String,
    path: String,
}

/// The complete segments of a playlist by their number.
fn listed(list: &str) -> BTreeMap<u64, Listed> {
    let mut found = BTreeMap::new();
    let mut number: u64 = 0;
    let (mut map, mut date, mut discontinuity, mut duration) =
        (String::new(), String::new(), false, 0.0);
    for line in list.lines() {
        if let Some(first) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
            number = first.parse().unwrap();
        } else if let Some(uri) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
            map = uri.trim_end_matches('"').into();
        } else if let Some(at) = line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:") {
            date = at.into();
        } else if line == "#EXT-X-DISCONTINUITY" {
            discontinuity = true;
        } else if let Some(length) = line.strip_prefix("#EXTINF:") {
            duration = length.trim_end_matches(',').parse().unwrap();
        } else if !line.starts_with('#') {
            let segment = Listed {
                date: std::mem::take(&mut date),
                duration,
                discontinuity: std::mem::take(&mut discontinuity),
                map: map.clone(),
                path: line.into(),
            };
            found.insert(number, segment);
            number += 1;
        }
    }
    found
}

/// Seconds of the day.
fn seconds(date: &str) -> f64 {
    let clock = date.split_once('T').unwrap().1.trim_end_matches('Z');
    clock
        .split(':')
        .fold(0.0, |all, n| all * 60.0 + n.parse::<f64>().unwrap())
}

/// When the picture of a segment begins, as ffprobe finds it.
fn first_picture(aerial: &Aerial, root: &str, segment: &Listed) -> f64 {
    let [head, body] = [&segment.map, &segment.path].map(|path| {
        let reply = ask(aerial, "GET", &format!("{root}/{path}"));
        assert_eq!(reply.status, 200, "{path}");
        reply.body
    });
    let file = aerial.path("one.mp4");
    fs::write(&file, [head, body].concat()).unwrap();
    times(&media::probe(&file), "video", "pts_time")[0]
}

/// Look at both sizes until so many segments are in both lists; those are the same. Their numbers.
fn agree(aerial: &Aerial, root: &str, enough: usize) -> Vec<u64> {
    let mut lists =
        ["full", "low"].map(|name| text(ask(aerial, "GET", &format!("{root}/{name}.m3u8"))));
    loop {
        let [full, low] = [&lists[0], &lists[1]].map(|list| listed(list));
        let both: Vec<u64> = full
            .keys()
            .filter(|n| low.contains_key(n))
            .copied()
            .collect();
        if both.len() < enough {
            for (name, list) in ["full", "low"].iter().zip(&mut lists) {
                let next = newest(list).0;
                *list = text(ask(
                    aerial,
                    "GET",
                    &format!("{root}/{name}.m3u8?_HLS_msn={next}"),
                ));
            }
            continue;
        }
        for number in &both {
            let (full, low) = (&full[number], &low[number]);
            let near = |a: f64, b: f64| (a - b).abs() <= FRAME;
            assert!(
                near(seconds(&full.date), seconds(&low.date)),
                "{number}: {lists:#?}"
            );
            assert!(near(full.duration, low.duration), "{number}: {lists:#?}");
            assert_eq!(
                full.discontinuity, low.discontinuity,
                "{number}: {lists:#?}"
            );
            let begins = [full, low].map(|segment| first_picture(aerial, root, segment));
            assert!(
                near(begins[0], begins[1]),
                "{number}: {begins:?} {lists:#?}"
            );
        }
        return both;
    }
}

#[test]
fn both_sizes_of_hls_begin_each_segment_with_the_same_picture() {
    let story = "both_sizes_of_hls_begin_each_segment_with_the_same_picture";
    if !have_alone(story, media::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(SMALL);
    let root = format!("/hls/{}", folder(&aerial));
    let first = agree(&aerial, &root, 4);
    assert_eq!(first[..4], [0, 1, 2, 3], "from the very first");

    // The small one is given up while nobody looks at it, and comes back in step.
    let low = |s: &Value| {
        let mut all = s["encoders"].as_array().unwrap().iter();
        all.any(|e| e["rung"] == "low")
    };
    while aerial.statuses().last().is_some_and(|s| low(s)) {
        let list = text(ask(&aerial, "GET", &format!("{root}/full.m3u8")));
        let next = newest(&list).0;
        text(ask(
            &aerial,
            "GET",
            &format!("{root}/full.m3u8?_HLS_msn={next}"),
        ));
    }
    let again = agree(&aerial, &root, 3);
    assert!(again[0] > first[3], "{first:?} {again:?}");
    aerial.stop();
}

#[test]
fn a_player_changes_the_size_of_hls_both_ways_without_a_hole() {
    let story = "a_player_changes_the_size_of_hls_both_ways_without_a_hole";
    if !have_alone(story, browser::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(SMALL);
    let web = format!("/test/={}", checkout("tests/web").display());
    let serve = ["--serve", web.as_str(), "--eval", "JSON.stringify(seen)"];
    let mut page = Browser::open(&aerial.link("/test/hls.html"), &serve);
    page.wait_first_frame();
    for (how, level, width) in [
        ("nextLevel", 1, 640),
        ("nextLevel", 0, 320),
        ("currentLevel", 1, 640),
        ("currentLevel", 0, 320),
        ("nextLevel", 1, 640),
    ] {
        // Two seconds of it.
        let shown = format!(
            "new Promise(done => {{ const v = document.querySelector('video'); let since = null; hls.{how} = {level}; \
             v.ontimeupdate = () => {{ if (v.videoWidth !== {width}) since = null; \
             else if (since === null) since = v.currentTime; \
             else if (v.currentTime > since + 2) {{ v.ontimeupdate = null; done(v.videoWidth); }} }} }})"
        );
        assert_eq!(page.ask(&shown), json!(width), "{how}");
    }
    let saw = page.finish();
    assert_eq!(saw["ok"], true, "{saw:#}");
    assert_eq!(saw["media_error"], Value::Null, "{saw:#}");
    let seen: Value = serde_json::from_str(saw["eval"].as_str().unwrap()).unwrap();
    let errors = seen["errors"].as_array().unwrap().iter();
    let errors: Vec<&str> = errors.map(|e| e.as_str().unwrap()).collect();
    // It may help itself when a busy computer was late, but nothing is missing between two segments.
    let fault = |e: &&&str| e.contains("bufferSeekOverHole") || e.contains(" true ");
    assert_eq!(errors.iter().find(fault), None, "{seen:#}");
    assert_eq!(seen["lowLatency"], true, "{seen:#}");
    aerial.stop();
}
