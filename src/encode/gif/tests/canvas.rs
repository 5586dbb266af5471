// SPDX-License-Identifier: GPL-3.0-or-later
//! Pictures in, images out.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use super::{
    super::{blocks, canvas::Canvas, palette::Palette},
    *,
};

fn canvas() -> Canvas {
    Canvas::new(WIDTH as u16, HEIGHT as u16, 6, true).unwrap()
}

/// Numbers in 0..=4 that look like chance and are the same each time.
fn noise(x: usize, y: usize, picture: usize) -> u8 {
    let n = (x * 7919 + y * 104_729 + picture * 1_299_709) as u32;
    ((n.wrapping_mul(2_654_435_761) >> 13) % 5) as u8
}

fn noisy(picture: usize) -> Raw {
    Raw::of(|x, y| rainbow(x, y).map(|c| c.saturating_add(noise(x, y, picture)).saturating_sub(2)))
}

#[test]
fn pictures_come_out_as_they_went_in() {
    for (raw, near, afar) in [
        (Raw::of(bars), 0.1, 0.1),
        (Raw::of(grey_gradient), 1.0, 0.5),
        (Raw::of(rainbow), 6.0, 1.5),
    ] {
        let gif = stream([&canvas().paint(raw.picture(), true).unwrap()]);
        assert_eq!(places(&gif), [[0, 0, WIDTH, HEIGHT]]);
        let shown = screens(&gif).remove(0);
        assert!(shown.chunks(4).all(|p| p[3] == 255), "no holes");
        let found = (raw.error(&shown), raw.error_from_afar(&shown));
        assert!(found.0 < near && found.1 < afar, "{found:?}");
    }
}

#[test]
fn dithering_mixes_what_the_palette_lacks() {
    let mean = |dither, wanted: u8| {
        let colours = vec![[0; 3], [200, 30, 10], [255; 3]];
        let mut palette = Palette::new(colours, dither);
        let mut green = |i: usize| {
            let index = palette.pick([wanted, wanted, wanted, 0], i % 8, i / 8);
            u32::from(palette.colour(index)[1])
        };
        (0..64).map(&mut green).sum::<u32>() as f64 / 64.0
    };
    for grey in [25, 60, 130, 200, 235] {
        let [mixed, plain] = [true, false].map(|dither| mean(dither, grey));
        assert!(
            (mixed - f64::from(grey)).abs() < 9.0,
            "{grey} became {mixed}"
        );
        assert!([0.0, 30.0, 255.0].contains(&plain), "one colour only");
    }
    // No single dots in what is almost a colour of the palette.
    assert_eq!(mean(true, 4), 0.0);
    assert_eq!(mean(true, 252), 255.0);
}

#[test]
fn ffmpeg_shows_the_same_as_we_mean() {
    let mut canvas = canvas();
    let parts: Vec<_> = (0..12)
        .map(|i| {
            let raw = with_square(i * 8, i * 5, rainbow);
            canvas.paint(raw.picture(), i == 7).unwrap()
        })
        .collect();
    let gif = stream(&parts);
    let mut ffmpeg = Command::new("ffmpeg")
        .args(
            "-v error -f gif -i pipe:0 -vsync passthrough -f rawvideo -pix_fmt rgba pipe:1"
                .split(' '),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = ffmpeg.stdin.take().unwrap();
    let bytes = gif.clone();
    let writer = std::thread::spawn(move || to.write_all(&bytes).unwrap());
    let out = ffmpeg.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(out.status.success());
    let theirs: Vec<_> = out.stdout.chunks(WIDTH * HEIGHT * 4).collect();
    let ours = screens(&gif);
    assert_eq!(theirs.len(), parts.len());
    for (i, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
        assert!(*theirs == ours, "picture {i}");
    }
}

#[test]
fn a_small_change_is_a_small_image() {
    let mut canvas = canvas();
    let whole = canvas.paint(with_square(30, 30, rainbow).picture(), false);
    let whole = whole.unwrap();
    let moved = with_square(38, 33, rainbow);
    let part = canvas.paint(moved.picture(), false).unwrap();
    assert!(
        part.len() * 6 < whole.len(),
        "{} of {}",
        part.len(),
        whole.len()
    );
    let gif = stream([&whole, &part]);
    // From 30 to 58 across, from 30 to 53 down, and up to 3 pixels more.
    let [left, top, right, bottom] = places(&gif)[1];
    assert!((27..=30).contains(&left) && (27..=30).contains(&top));
    assert!((58..=61).contains(&right) && (53..=56).contains(&bottom));
    let shown = screens(&gif).remove(1);
    assert!(moved.error(&shown) < 6.0, "{}", moved.error(&shown));
}

#[test]
fn noise_is_no_change() {
    let mut canvas = canvas();
    canvas.paint(noisy(0).picture(), false).unwrap();
    for i in 1..30 {
        let part = canvas.paint(noisy(i).picture(), false).unwrap();
        assert!(part.len() < 40, "picture {i}: {} bytes", part.len());
        // An image all the same, so that the viewer's clock goes on.
        assert_eq!(places(&stream([&part])), [[0, 0, 1, 1]]);
    }
}

#[test]
fn a_slow_fade_is_followed() {
    let mut canvas = canvas();
    let dimmed = |by: usize| Raw::of(|x, y| rainbow(x, y).map(|c| c.saturating_sub(by as u8)));
    let mut parts = vec![];
    for by in 0..100 {
        parts.push(canvas.paint(dimmed(by).picture(), false).unwrap());
    }
    for (by, shown) in screens(&stream(&parts)).iter().enumerate() {
        let error = dimmed(by).error_from_afar(shown);
        assert!(error < 6.5, "dimmed by {by}: {error}");
    }
}

#[test]
fn errors_do_not_add_up() {
    let mut canvas = canvas();
    let raws: Vec<_> = (0..60)
        .map(|i| with_square(i % 41 * 2, i % 7 * 9, |x, y| rainbow((x + i) % WIDTH, y)))
        .collect();
    let parts: Vec<_> = raws
        .iter()
        .map(|raw| canvas.paint(raw.picture(), false).unwrap())
        .collect();
    let last = raws.last().unwrap();
    let afresh = self::canvas().paint(last.picture(), true).unwrap();
    let afresh = last.error_from_afar(&screens(&stream([&afresh])).remove(0));
    let followed = last.error_from_afar(screens(&stream(&parts)).last().unwrap());
    assert!(
        followed < afresh + 2.0,
        "{followed} after 60 pictures, {afresh} at once"
    );
}

#[test]
fn a_viewer_may_begin_at_any_key_frame() {
    let mut canvas = canvas();
    let parts: Vec<_> = (0..20)
        .map(|i| {
            let raw = with_square(i * 4, i * 3, rainbow);
            canvas.paint(raw.picture(), i % 8 == 0).unwrap()
        })
        .collect();
    let all = screens(&stream(&parts));
    for begin in [8, 16] {
        let late = screens(&stream(&parts[begin..]));
        assert!(
            late == all[begin..],
            "the same from picture {begin} on, to the last bit"
        );
    }
}

#[test]
fn delays_are_shorter_than_the_wait_for_the_next_picture() {
    assert_eq!(blocks::delay(12.5), 6);
    assert_eq!(blocks::delay(100.0), 50);
    // Anything shorter browsers would make 1/10 s.
    assert_eq!(blocks::delay(4.0), 2);
    assert_eq!(blocks::delay(100.0 / 60.0), 2);
    // Unknown, and an hour.
    assert_eq!(blocks::delay(0.0), 2);
    assert_eq!(blocks::delay(360_000.0), u16::MAX);
}
