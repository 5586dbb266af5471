// SPDX-License-Identifier: GPL-3.0-or-later
//! The playlists as text: RFC 8216 with the low-latency extension of RFC 8216bis.

use std::{
    fmt::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::window::{Segment, Window};
use crate::encode::{EncodeSettings, Format, Tracks};

/// Newest complete segments of which the parts are listed too.
const WITH_PARTS: usize = 2;

/// What there is to choose from. `token` is the viewer's own folder.
pub(super) fn master(settings: &EncodeSettings, tracks: Tracks, token: &str) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    for (name, format) in super::RENDITIONS {
        let rungs = settings.rungs_of(format, tracks);
        if format == Format::Mp4Low && !tracks.video {
            continue;
        }
        let mean: u64 = rungs.iter().map(|rung| settings.bitrate(*rung)).sum();
        let mut codecs = vec![];
        let mut picture = String::new();
        for rung in rungs {
            if tracks.video && rung.codec.name == "h264" {
                let (width, height) = settings.size(rung);
                codecs.push(format!(
                    "avc1.42c0{:02x}",
                    level(width, height, settings.fps)
                ));
                picture = format!(
                    ",RESOLUTION={width}x{height},FRAME-RATE={}.000",
                    settings.fps
                );
            } else {
                codecs.push("mp4a.40.2".into());
            }
        }
        // A constant bitrate is one over a second or so, and the container takes its share.
        let _ = writeln!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}\"{picture}\n{token}/{name}.m3u8",
            mean * 3 / 2 + 20_000,
            mean + 20_000,
            codecs.join(","),
        );
    }
    text
}

/// The same playlist with this token in each of its addresses.
pub(super) fn carrying(text: &str, token: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for line in text.lines() {
        match (line.starts_with('#'), line.split_once("URI=\"")) {
            (false, _) => {
                let _ = write!(out, "{line}?t={token}");
            }
            (true, Some((before, rest))) => {
                let (address, after) = rest.split_once('"').unwrap_or((rest, ""));
                let _ = write!(out, "{before}URI=\"{address}?t={token}\"{after}");
            }
            (true, None) => out += line,
        }
        out.push('\n');
    }
    out
}

/// The lowest level of H.264 that allows this size and rate (table A-1 of the standard), as a player wants to know it
/// before it has seen anything.
fn level(width: u32, height: u32, fps: u32) -> u8 {
    const LEVELS: [(u8, u32, u32); 12] = [
        (20, 396, 11_880),
        (21, 792, 19_800),
        (22, 1_620, 20_250),
        (30, 1_620, 40_500),
        (31, 3_600, 108_000),
        (32, 5_120, 216_000),
        (40, 8_192, 245_760),
        (42, 8_704, 522_240),
        (50, 22_080, 589_824),
        (51, 36_864, 983_040),
        (52, 36_864, 2_073_600),
        (60, 139_264, 4_177_920),
    ];
    let blocks = width.div_ceil(16) * height.div_ceil(16);
    let fits = |(_, size, rate): &&(u8, u32, u32)| blocks <= *size && blocks * fps <= *rate;
    LEVELS.iter().find(fits).map_or(62, |(level, ..)| *level)
}

/// The segments of one rendition. `zero` is the time of day at which the program began.
pub(super) fn media(
    window: &Window,
    name: &str,
    key_interval: Duration,
    zero: SystemTime,
) -> String {
    let target = key_interval.as_secs_f64().ceil().max(1.0);
    let part = window.part_target().as_secs_f64();
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:{target}\n\
         #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={:.3},HOLD-BACK={:.3}\n\
         #EXT-X-PART-INF:PART-TARGET={part:.3}\n#EXT-X-MEDIA-SEQUENCE:{}\n",
        part * 3.0,
        target * 3.0,
        window.first(),
    );
    if window.discontinuities() > 0 {
        let _ = writeln!(
            text,
            "#EXT-X-DISCONTINUITY-SEQUENCE:{}",
            window.discontinuities()
        );
    }
    text += "#EXT-X-INDEPENDENT-SEGMENTS\n";
    let mut epoch = None;
    let listed = window.listed();
    let plain = listed.len().saturating_sub(WITH_PARTS);
    for (n, segment) in listed.enumerate() {
        begin(&mut text, segment, name, zero, &mut epoch);
        if n >= plain {
            parts(&mut text, segment, name);
        }
        let _ = writeln!(
            text,
            "#EXTINF:{:.5},\n{name}/s{}.m4s",
            segment.duration().as_secs_f64(),
            segment.number
        );
    }
    if let Some(growing) = window.growing() {
        begin(&mut text, growing, name, zero, &mut epoch);
        parts(&mut text, growing, name);
    }
    let _ = writeln!(
        text,
        "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{name}/p{}.m4s\"",
        window.next_part()
    );
    text
}

fn begin(
    text: &mut String,
    segment: &Segment,
    name: &str,
    zero: SystemTime,
    epoch: &mut Option<u64>,
) {
    // The first of the list may say it too: it is the number before the list that leaves it out.
    if segment.discontinuity {
        *text += "#EXT-X-DISCONTINUITY\n";
    }
    if *epoch != Some(segment.epoch) {
        let _ = writeln!(text, "#EXT-X-MAP:URI=\"{name}/i{}.mp4\"", segment.epoch);
        *epoch = Some(segment.epoch);
    }
    let _ = writeln!(
        text,
        "#EXT-X-PROGRAM-DATE-TIME:{}",
        date(zero + segment.begin)
    );
}

fn parts(text: &mut String, segment: &Segment, name: &str) {
    for part in &segment.parts {
        let _ = writeln!(
            text,
            "#EXT-X-PART:DURATION={:.5},URI=\"{name}/p{}.m4s\"{}",
            part.duration.as_secs_f64(),
            part.number,
            if part.key { ",INDEPENDENT=YES" } else { "" }
        );
    }
}

/// A time of day as ISO 8601 in UTC, with milliseconds. Days to dates: the civil calendar, counted from March.
fn date(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Days since 0000-03-01, and the 400 years they fall into.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!(
        "{:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        era * 400 + year + next,
        second / 3600,
        second / 60 % 60,
        second % 60,
        since.subsec_millis()
    )
}

#[cfg(test)]
mod tests {
    use super::{super::plan::tests::plan, super::window::tests::fill, *};
    use bytes::Bytes;

    const BOTH: Tracks = Tracks {
        video: true,
        audio: true,
    };

    #[test]
    fn the_choice_is_between_the_whole_picture_and_a_small_one() {
        gst::init().unwrap();
        let text = master(&EncodeSettings::default(), BOTH, "me");
        assert!(text.contains(
            "BANDWIDTH=3962000,AVERAGE-BANDWIDTH=2648000,CODECS=\"avc1.42c01f,mp4a.40.2\",\
             RESOLUTION=1280x720,FRAME-RATE=30.000\nme/full.m3u8\n"
        ));
        assert!(text.contains("RESOLUTION=640x360,FRAME-RATE=30.000\nme/low.m3u8\n"));
        let sound = Tracks {
            video: false,
            ..BOTH
        };
        let text = master(&EncodeSettings::default(), sound, "me");
        assert!(
            text.contains("CODECS=\"mp4a.40.2\"\nme/full.m3u8\n"),
            "{text}"
        );
        assert!(!text.contains("low.m3u8") && !text.contains("RESOLUTION"));
    }

    #[test]
    fn a_token_is_carried_on_to_every_address() {
        let text = "#EXTM3U\n#EXT-X-MAP:URI=\"full/i1.mp4\"\n#EXTINF:2.0,\nfull/s0.m4s\n\
                    #EXT-X-PART:DURATION=0.5,URI=\"full/p1.m4s\",INDEPENDENT=YES\n";
        let carried = "#EXTM3U\n#EXT-X-MAP:URI=\"full/i1.mp4?t=ab\"\n#EXTINF:2.0,\nfull/s0.m4s?t=ab\n\
                       #EXT-X-PART:DURATION=0.5,URI=\"full/p1.m4s?t=ab\",INDEPENDENT=YES\n";
        assert_eq!(carrying(text, "ab"), carried);
    }

    #[test]
    fn levels_are_those_of_the_standard() {
        assert_eq!(level(320, 180, 30), 20);
        assert_eq!(level(640, 360, 30), 30);
        assert_eq!(level(1280, 720, 30), 31);
        assert_eq!(level(1280, 720, 60), 32);
        assert_eq!(level(1920, 1080, 30), 40);
        assert_eq!(level(3840, 2160, 30), 51);
    }

    #[test]
    fn the_list_tells_segments_parts_and_what_comes_next() {
        let (mut window, mut plan) = (Window::default(), plan(0));
        window.begin(Bytes::new());
        fill(&mut window, &mut plan, 0, 66);
        let zero = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let text = media(&window, "full", Duration::from_secs(2), zero);
        let expected = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n\
             #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.650,HOLD-BACK=6.000\n\
             #EXT-X-PART-INF:PART-TARGET=0.550\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-INDEPENDENT-SEGMENTS\n\
             #EXT-X-MAP:URI=\"full/i1.mp4\"\n\
             #EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z\n#EXTINF:2.00000,\nfull/s0.m4s\n";
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(text.matches("#EXT-X-PART:").count(), 9);
        assert_eq!(text.matches("INDEPENDENT=YES").count(), 3);
        assert!(text.ends_with(
            "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:26.000Z\n\
             #EXT-X-PART:DURATION=0.50000,URI=\"full/p12.m4s\",INDEPENDENT=YES\n\
             #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"full/p13.m4s\"\n"
        ));
    }

    #[test]
    fn a_new_encoder_is_told_with_its_head() {
        let (mut window, mut plan) = (Window::default(), plan(0));
        window.begin(Bytes::new());
        fill(&mut window, &mut plan, 0, 46);
        plan.leave();
        plan.begin(Duration::from_secs(6), Duration::from_millis(500), vec![]);
        plan.join();
        window.begin(Bytes::new());
        fill(&mut window, &mut plan, 60, 41);
        let text = media(&window, "low", Duration::from_secs(2), UNIX_EPOCH);
        let again = "low/s2.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"low/i2.mp4\"\n";
        assert!(text.contains(again), "{text}");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds| date(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_827_696), "2000-02-29T12:34:56.000Z");
        assert_eq!(at(1_735_689_599), "2024-12-31T23:59:59.000Z");
    }
}
