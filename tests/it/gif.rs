// SPDX-License-Identifier: GPL-3.0-or-later
//! The endless GIF, as GIF programs see it.

use std::{net::TcpStream, path::Path, process::Command};

use image::{ImageFormat, Rgb, RgbImage};

use crate::{
    frames::send,
    http::Viewer,
    rig::{Aerial, have, viewers},
};

const WIDTH: u32 = 480;
const HEIGHT: u32 = 270;
/// Where the pictures differ: left, top, width and height.
const SQUARE: (u32, u32, u32, u32) = (200, 100, 40, 40);
const LEFT: [u8; 3] = [200, 30, 40];
const RIGHT: [u8; 3] = [30, 60, 200];
const INSIDE: [u8; 3] = [250, 240, 20];

/// Two halves, with a square in them or not.
fn picture(square: bool) -> Vec<u8> {
    let (left, top, width, height) = SQUARE;
    let image = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let inside = (left..left + width).contains(&x) && (top..top + height).contains(&y);
        Rgb(match (square && inside, x < WIDTH / 2) {
            (true, _) => INSIDE,
            (false, true) => LEFT,
            (false, false) => RIGHT,
        })
    });
    let mut bytes = std::io::Cursor::new(vec![]);
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Left, top, width and height of each image of a GIF that may end anywhere, and the bytes of its coded pixels.
fn images(gif: &[u8]) -> Vec<((u32, u32, u32, u32), usize)> {
    let mut options = gif::DecodeOptions::new();
    options.skip_frame_decoding(true);
    let mut decoder = options.read_info(gif).unwrap();
    let mut all = vec![];
    while let Ok(Some(frame)) = decoder.read_next_frame() {
        let place = (frame.left, frame.top, frame.width, frame.height);
        let place = (
            place.0.into(),
            place.1.into(),
            place.2.into(),
            place.3.into(),
        );
        all.push((place, frame.buffer.len()));
    }
    all
}

/// What Pillow sees at these places of the last picture, after ImageMagick has found nothing wrong with the file.
fn judged(file: &Path, places: &[(u32, u32)]) -> Vec<[u8; 3]> {
    let out = Command::new("identify").arg(file).output().unwrap();
    let complaints = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success() && complaints.is_empty(),
        "{complaints}"
    );
    let look = "import sys\n\
                from PIL import Image\n\
                i = Image.open(sys.argv[1])\n\
                i.seek(i.n_frames - 1)\n\
                i = i.convert('RGB')\n\
                for p in sys.argv[2:]: print(*i.getpixel(tuple(map(int, p.split(',')))))\n";
    let out = Command::new("/usr/bin/python3")
        .args(["-c", look])
        .arg(file)
        .args(places.iter().map(|(x, y)| format!("{x},{y}")))
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let text = String::from_utf8_lossy(&out.stdout).to_string();
    text.lines()
        .map(|line| {
            let numbers: Vec<u8> = line.split(' ').map(|n| n.parse().unwrap()).collect();
            numbers.try_into().unwrap()
        })
        .collect()
}

#[test]
fn the_gif_has_the_right_colours_and_grows_by_what_changes() {
    let story = "the_gif_has_the_right_colours_and_grows_by_what_changes";
    if !have(story, &["identify", "/usr/lib/python3/dist-packages/PIL"]) {
        return;
    }
    let size = format!("{WIDTH}x{HEIGHT}");
    let mut aerial = Aerial::live(&[
        "--video", "frames:a", "--audio", "none", "--size", &size, "--gif", "480@10",
    ]);
    send(&aerial, "PUT", "a", Some("image/png"), &picture(false)).taken();
    aerial.wait("the picture to be shown", |s| {
        s["sources"][0]["state"] == "live"
    });
    let request = format!(
        "GET /live.gif HTTP/1.1\r\nHost: {}\r\n\r\n",
        aerial.address()
    );
    let viewer = Viewer::start(
        TcpStream::connect(aerial.address()).unwrap(),
        &request,
        true,
    );
    aerial.wait("the viewer to be listed", |s| {
        viewers(s, "http").iter().any(|v| v["format"] == "gif")
    });
    // Twenty pictures that are all the same, and twenty after the square came.
    viewer.wait_more(500);
    send(&aerial, "PUT", "a", Some("image/png"), &picture(true)).taken();
    viewer.wait_more(1500);

    let stream = viewer.kept();
    let body = stream
        .windows(6)
        .position(|w| w == b"GIF89a")
        .expect("a GIF begins");
    let gif = &stream[body..];
    let images = images(gif);
    let whole = (0, 0, WIDTH, HEIGHT);
    assert_eq!(images[0].0, whole, "a viewer begins with a whole picture");
    let (left, top, width, height) = SQUARE;
    let changes: Vec<_> = images.iter().filter(|(place, _)| place.2 > 1).collect();
    let square: Vec<_> = changes
        .iter()
        .filter(|(place, _)| *place != whole)
        .collect();
    assert!(!square.is_empty(), "the square was drawn: {images:?}");
    for (place, bytes) in &square {
        // Blocks of four pixels are compared, and the codec before the GIF blurs nothing.
        let near = place.0 + 4 >= left
            && place.1 + 4 >= top
            && place.0 + place.2 <= left + width + 4
            && place.1 + place.3 <= top + height + 4;
        assert!(near, "{place:?} is more than what changed");
        assert!(
            *bytes < (width * height) as usize,
            "{bytes} bytes for {place:?}"
        );
    }
    assert!(
        changes.len() < 6,
        "still pictures change nothing: {changes:?}"
    );

    let file = aerial.path("x.gif");
    // Up to the last image that is complete.
    let end = last_end(gif);
    std::fs::write(&file, [&gif[..end], &[0x3b]].concat()).unwrap();
    let seen = judged(&file, &[(20, 200), (460, 20), (left + 20, top + 20)]);
    for (seen, wanted) in seen.iter().zip([LEFT, RIGHT, INSIDE]) {
        let close = seen.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) < 16);
        assert!(close, "{seen:?} is not {wanted:?}");
    }
    drop(viewer);
    aerial.wait("the encoder to end", |s| {
        s["encoders"].as_array().is_some_and(Vec::is_empty)
    });
    aerial.stop();
}

/// Where the last whole image ends: blocks are walked as the specification has them (GIF89a, sections 18 to 25).
fn last_end(gif: &[u8]) -> usize {
    let mut at = 13;
    let mut end = at;
    let blocks = |mut at: usize| loop {
        let size = *gif.get(at)? as usize;
        at += 1 + size;
        if size == 0 {
            return Some(at);
        }
    };
    let next = |at: usize| match *gif.get(at)? {
        0x21 => Some((blocks(at + 2)?, false)),
        0x2c => {
            let flags = *gif.get(at + 9)?;
            let table = if flags & 0x80 != 0 {
                3 << ((flags & 7) + 1)
            } else {
                0
            };
            let after = blocks(at + 10 + table + 1)?;
            (after <= gif.len()).then_some((after, true))
        }
        _ => None,
    };
    while let Some((after, image)) = next(at) {
        at = after;
        if image {
            end = at;
        }
    }
    end
}
