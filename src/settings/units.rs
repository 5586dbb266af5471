// SPDX-License-Identifier: GPL-3.0-or-later
//! Sizes, bitrates and times in words.

use std::time::Duration;

use crate::{error::SpecError, output::Split};

/// `1280x720`: even numbers from 16 to 4096.
pub fn size(text: &str) -> Result<(u32, u32), SpecError> {
    let fits = |n: &u32| (16..=4096).contains(n) && n.is_multiple_of(2);
    let side = |s: &str| s.parse::<u32>().ok().filter(fits);
    text.split_once(['x', 'X', '×'])
        .and_then(|(w, h)| Some((side(w)?, side(h)?)))
        .ok_or_else(|| SpecError::Size(text.to_string()))
}

/// `480@8` or `@8`: a width in pixels (64 to 1920) and pictures per second (1 to 30).
pub fn stills(text: &str) -> Result<(Option<u32>, u32), SpecError> {
    let parse = || {
        let (width, fps) = text.split_once('@')?;
        let fps = fps.parse().ok().filter(|n| (1..=30).contains(n))?;
        match width {
            "" => Some((None, fps)),
            _ => {
                let width = width.parse().ok().filter(|n| (64..=1920).contains(n))?;
                Some((Some(width), fps))
            }
        }
    };
    parse().ok_or_else(|| SpecError::Stills(text.to_string()))
}

/// `@8`: pictures per second (1 to 30), of the program's size.
pub fn still_rate(text: &str) -> Result<u32, SpecError> {
    match stills(text) {
        Ok((None, fps)) => Ok(fps),
        Ok((Some(_), _)) | Err(_) => Err(SpecError::StillRate(text.to_string())),
    }
}

/// `2500k`, `2.5M` or plain bit/s; from 6 kbit/s to 200 Mbit/s.
pub fn bitrate(text: &str) -> Result<u64, SpecError> {
    let (number, factor) = match text.strip_suffix(['k', 'K']) {
        Some(n) => (n, 1e3),
        None => match text.strip_suffix(['m', 'M']) {
            Some(n) => (n, 1e6),
            None => (text, 1.0),
        },
    };
    number
        .parse::<f64>()
        .ok()
        .map(|n| n * factor)
        .filter(|n| (6e3..=200e6).contains(n))
        .map(|n| n.round() as u64)
        .ok_or_else(|| SpecError::Bitrate(text.to_string()))
}

/// `2s`, `500ms` or plain seconds; up to ten years.
pub fn time(text: &str) -> Result<Duration, SpecError> {
    let (number, factor) = match text.strip_suffix("ms") {
        Some(n) => (n, 1e-3),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    number
        .parse::<f64>()
        .ok()
        .map(|n| n * factor)
        .filter(|n| *n > 0.0 && *n < 3.2e8)
        .map(Duration::from_secs_f64)
        .ok_or_else(|| SpecError::Time(text.to_string()))
}

/// When a recording goes on in a new file: a time (`90s`, `30m`, `2h`) from 1 s on, or a size (`500M`, `2G`) from 1 MB on.
/// Small letters are times, capitals are bytes.
pub fn split(text: &str) -> Result<Split, SpecError> {
    let bad = || SpecError::RecordSplit(text.to_string());
    let unit = text.chars().next_back().ok_or_else(bad)?;
    let number = text.strip_suffix(unit).and_then(|n| n.parse::<f64>().ok());
    let number = number.filter(|n| n.is_finite()).ok_or_else(bad)?;
    let time = |seconds: f64| {
        let fits = (1.0..3.2e8).contains(&seconds);
        fits.then(|| Split::Time(Duration::from_secs_f64(seconds)))
    };
    let size = |bytes: f64| {
        (1e6..1e15)
            .contains(&bytes)
            .then_some(Split::Size(bytes as u64))
    };
    match unit {
        's' => time(number),
        'm' => time(number * 60.0),
        'h' => time(number * 3600.0),
        'M' => size(number * 1e6),
        'G' => size(number * 1e9),
        'T' => size(number * 1e12),
        _ => None,
    }
    .ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_numbers() {
        assert_eq!(size("1280x720"), Ok((1280, 720)));
        assert_eq!(bitrate("2500k"), Ok(2_500_000));
        assert_eq!(bitrate("2.5M"), Ok(2_500_000));
        assert_eq!(bitrate("64000"), Ok(64_000));
        assert_eq!(stills("480@8"), Ok((Some(480), 8)));
        assert_eq!(stills("@5"), Ok((None, 5)));
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("2"), time("2s"));
        assert_eq!(split("90s"), Ok(Split::Time(Duration::from_secs(90))));
        assert_eq!(split("30m"), split("0.5h"));
        assert_eq!(split("2G"), Ok(Split::Size(2_000_000_000)));
        assert_eq!(split("500M"), split("0.5G"));
    }

    #[test]
    fn what_is_no_number_or_out_of_bounds_is_refused() {
        for bad in [
            "",
            "x",
            "1280",
            "1281x720",
            "0x0",
            "9999x720",
            "-2x4",
            "1280x720x3",
        ] {
            assert!(size(bad).is_err(), "{bad}");
        }
        for bad in [
            "", "8", "480", "480@", "480@0", "9@8", "480@99", "a@b", "480@8@8",
        ] {
            assert!(stills(bad).is_err(), "{bad}");
        }
        for bad in ["", "k", "-1k", "0", "1e30", "NaN", "inf", "2500kk"] {
            assert!(bitrate(bad).is_err(), "{bad}");
        }
        for bad in ["", "s", "-1", "0", "NaN", "1e300"] {
            assert!(time(bad).is_err(), "{bad}");
        }
        for bad in [
            "", "30", "m", "-1m", "0s", "NaNm", "infG", "1k", "10é", "0.1M", "1ms",
        ] {
            assert!(split(bad).is_err(), "{bad}");
        }
    }
}
