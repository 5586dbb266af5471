// SPDX-License-Identifier: GPL-3.0-or-later
//! Coded pictures (PNG, JPEG, WebP, GIF) from anybody, made ready for the program.
//!
//! Nothing about a picture is believed: its kind is told by its first bytes, its size is checked before memory is
//! taken for it, and what is cut short or broken is refused. The decoders are those of the `image` crate: written in
//! Rust without `unsafe` in what parses, and with limits, which GStreamer's own decoders lack.
//!
//! A picture may stay on screen for hours and is scaled by the program for every frame of it, so it is brought to
//! about the program's size and format once, here.

use std::{
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
};

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbaImage};

use crate::error::PictureError;

/// Bytes of a coded picture.
pub(crate) const MOST_BYTES: usize = 64 << 20;
/// Pixels along one side.
const LONGEST_SIDE: u32 = 8192;
/// Pixels in all.
const MOST_PIXELS: u64 = 40_000_000;
/// Bytes a decoder may take for itself: [`MOST_PIXELS`] with four channels of 16 bits, twice.
const MOST_MEMORY: u64 = MOST_PIXELS * 16;

/// A picture as the program takes it. Clones share the pixels.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) buffer: gst::Buffer,
    pub(crate) caps: gst::Caps,
    /// Width and height as whoever sent it knows them (upright).
    pub(crate) sent: (u32, u32),
}

/// The kinds of picture, their names and types.
const KINDS: [(ImageFormat, &str, &[&str]); 4] = [
    (ImageFormat::Png, "PNG", &["image/png", "image/apng"]),
    (
        ImageFormat::Jpeg,
        "JPEG",
        &["image/jpeg", "image/jpg", "image/pjpeg"],
    ),
    (ImageFormat::WebP, "WebP", &["image/webp"]),
    (ImageFormat::Gif, "GIF", &["image/gif"]),
];

/// Types that senders give when they do not know (or when nobody asked them).
const UNTOLD: [&str; 3] = [
    "application/octet-stream",
    "binary/octet-stream",
    // What curl says about anything.
    "application/x-www-form-urlencoded",
];

/// Decode a picture for a program of this size. `told` is the type its sender gave, which must not contradict.
/// Takes its time, and memory in proportion to the picture.
pub(crate) fn decode(
    bytes: &[u8],
    told: Option<&str>,
    program: (u32, u32),
) -> Result<Picture, PictureError> {
    let (format, name) = kind(bytes, told)?;
    let broken = |why: String| PictureError::Broken { kind: name, why };
    // A decoder that gives up in the worst way takes only this picture with it.
    let decoded = catch_unwind(AssertUnwindSafe(|| pixels(bytes, format, name)));
    let image = decoded.unwrap_or_else(|_| Err(broken("its data make no sense".into())))?;
    let sent = (image.width(), image.height());
    let (buffer, caps) = for_program(image, program).map_err(|e| broken(e.to_string()))?;
    Ok(Picture { buffer, caps, sent })
}

/// The kind of picture that these bytes begin.
fn kind(bytes: &[u8], told: Option<&str>) -> Result<(ImageFormat, &'static str), PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    if bytes.len() > MOST_BYTES {
        return Err(PictureError::TooManyBytes);
    }
    let found = image::guess_format(bytes).ok();
    let (format, name, types) = KINDS
        .iter()
        .find(|(format, ..)| Some(*format) == found)
        .ok_or(PictureError::Unknown)?;
    let told = told
        .and_then(|t| t.split(';').next())
        .map(|t| t.trim().to_ascii_lowercase())
        .filter(|t| !t.is_empty() && !UNTOLD.contains(&t.as_str()));
    match told {
        Some(told) if !types.contains(&told.as_str()) => Err(PictureError::Contradiction {
            told: told.chars().take(60).collect(),
            kind: name,
        }),
        Some(_) | None => Ok((*format, name)),
    }
}

/// The first picture of the file, upright.
fn pixels(
    bytes: &[u8],
    format: ImageFormat,
    name: &'static str,
) -> Result<DynamicImage, PictureError> {
    let refused = |e| refusal(e, name);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MOST_MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    if width > LONGEST_SIDE
        || height > LONGEST_SIDE
        || u64::from(width) * u64::from(height) > MOST_PIXELS
    {
        return Err(PictureError::TooLarge { width, height });
    }
    if format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
        return Err(PictureError::Broken {
            kind: name,
            why: "its end is missing".into(),
        });
    }
    decoder.set_limits(limits).map_err(refused)?;
    // As cameras and phones mean it.
    let orientation = decoder.orientation().ok();
    let mut image = DynamicImage::from_decoder(decoder).map_err(refused)?;
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    Ok(image)
}

/// The decoder fills what is missing of a JPEG with grey. So: after the last scan began, there is an end.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    // In coded data a byte of ones is followed by 0, so these two are markers wherever they stand.
    let last = |marker: u8| bytes.windows(2).rposition(|w| w == [0xff, marker]);
    match (last(0xda), last(0xd9)) {
        (Some(scan), Some(end)) => end > scan,
        (None, _) | (_, None) => false,
    }
}

fn refusal(error: ImageError, kind: &'static str) -> PictureError {
    let broken = |why: String| PictureError::Broken { kind, why };
    match error {
        ImageError::Limits(_) => PictureError::TooMuchMemory,
        ImageError::Unsupported(_) => {
            broken("it uses a part of the format that is not supported".into())
        }
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            broken("its end is missing".into())
        }
        ImageError::Decoding(_)
        | ImageError::Encoding(_)
        | ImageError::Parameter(_)
        | ImageError::IoError(_) => {
            let why = error.to_string();
            let why = why.lines().next().unwrap_or_default();
            broken(why.trim_end_matches('.').chars().take(200).collect())
        }
    }
}

/// What is transparent becomes black: there is nothing behind a picture.
fn opaque(image: DynamicImage) -> RgbaImage {
    let transparent = image.color().has_alpha();
    let mut image = image.into_rgba8();
    if transparent {
        for pixel in image.pixels_mut() {
            let [r, g, b, alpha] = pixel.0;
            if alpha != 255 {
                let over = |c: u8| (u16::from(c) * u16::from(alpha) / 255) as u8;
                pixel.0 = [over(r), over(g), over(b), 255];
            }
        }
    }
    image
}

/// The size in which a picture is kept: smaller if it still covers the program then.
fn kept_size((width, height): (u32, u32), program: (u32, u32)) -> (u32, u32) {
    let ratio = |to: u32, from: u32| f64::from(to) / f64::from(from);
    let scale = ratio(program.0, width).max(ratio(program.1, height));
    if scale >= 1.0 {
        return (width, height);
    }
    let scaled = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    (scaled(width), scaled(height))
}

fn for_program(
    image: DynamicImage,
    program: (u32, u32),
) -> Result<(gst::Buffer, gst::Caps), gst::glib::BoolError> {
    let image = opaque(image);
    let (width, height) = image.dimensions();
    let from =
        gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgbx, width, height).build()?;
    let (width, height) = kept_size((width, height), program);
    let to = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, width, height)
        .fps(gst::Fraction::new(0, 1))
        .par(gst::Fraction::new(1, 1))
        .colorimetry(&"bt709".parse()?)
        .build()?;
    let pixels = gst::Buffer::from_slice(image.into_raw());
    let broken = |_| gst::glib::bool_error!("it does not fit into memory");
    let frame = gst_video::VideoFrame::from_buffer_readable(pixels, &from).map_err(broken)?;
    let buffer = gst::Buffer::with_size(to.size())?;
    let mut made = gst_video::VideoFrame::from_buffer_writable(buffer, &to).map_err(broken)?;
    gst_video::VideoConverter::new(&from, &to, None)?.frame(&frame, &mut made);
    Ok((made.into_buffer(), to.to_caps()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: (u32, u32) = (64, 48);

    /// A picture of two colours in this format: left and right.
    fn coded(format: ImageFormat, width: u32, height: u32) -> Vec<u8> {
        let picture = image::RgbImage::from_fn(width, height, |x, _| {
            image::Rgb(if x < width / 2 {
                [200, 20, 20]
            } else {
                [20, 20, 200]
            })
        });
        let mut bytes = Cursor::new(vec![]);
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// Size, and brightness of the leftmost and the rightmost pixel in the middle.
    fn seen(picture: &Picture) -> (u32, u32, u8, u8) {
        let info = gst_video::VideoInfo::from_caps(&picture.caps).unwrap();
        let frame =
            gst_video::VideoFrame::from_buffer_readable(picture.buffer.clone(), &info).unwrap();
        let row = info.height() as usize / 2 * info.stride()[0] as usize;
        let luma = frame.plane_data(0).unwrap();
        let last = row + info.width() as usize - 1;
        (info.width(), info.height(), luma[row], luma[last])
    }

    fn near(found: u8, wanted: u8) -> bool {
        found.abs_diff(wanted) <= 4
    }

    #[test]
    fn every_kind_is_decoded_by_its_content() {
        gst::init().unwrap();
        for (format, name, types) in KINDS {
            let bytes = coded(format, 40, 30);
            for told in [
                None,
                Some(types[0]),
                Some("application/octet-stream"),
                Some(""),
            ] {
                let picture = decode(&bytes, told, PROGRAM).unwrap();
                let (width, height, left, right) = seen(&picture);
                assert_eq!((width, height), (40, 30), "{name}");
                // BT.709, limited range.
                assert!(near(left, 63) && near(right, 43), "{name}: {left} {right}");
            }
            let wrong = KINDS.iter().find(|(other, ..)| *other != format).unwrap().2[0];
            for told in [wrong, "text/plain", "image/bmp; q=1"] {
                let error = decode(&bytes, Some(told), PROGRAM).unwrap_err();
                assert!(matches!(error, PictureError::Contradiction { kind, .. } if kind == name));
            }
        }
    }

    #[test]
    fn a_large_picture_is_kept_as_small_as_still_covers_the_program() {
        assert_eq!(kept_size((4000, 3000), (1280, 720)), (1280, 960));
        assert_eq!(kept_size((8000, 100), (1280, 720)), (8000, 100));
        assert_eq!(kept_size((1000, 8000), (640, 360)), (640, 5120));
        assert_eq!(kept_size((1, 1), (1280, 720)), (1, 1));
        gst::init().unwrap();
        for (width, height) in [(1, 1), (3, 201), (641, 7), (640, 480)] {
            let picture = decode(&coded(ImageFormat::Png, width, height), None, PROGRAM).unwrap();
            let (w, h, ..) = seen(&picture);
            assert_eq!((w, h), kept_size((width, height), PROGRAM));
        }
    }

    #[test]
    fn sixteen_bits_and_transparency_come_out_right() {
        gst::init().unwrap();
        let save = |image: DynamicImage| {
            let mut bytes = Cursor::new(vec![]);
            image.write_to(&mut bytes, ImageFormat::Png).unwrap();
            seen(&decode(&bytes.into_inner(), None, PROGRAM).unwrap())
        };
        let deep = image::ImageBuffer::from_fn(8, 8, |x, _| {
            image::Luma([if x < 4 { 0x80ffu16 } else { 0xffff }])
        });
        let (_, _, grey, white) = save(DynamicImage::ImageLuma16(deep));
        assert!(near(grey, 126) && near(white, 235), "{grey} {white}");
        let clear = RgbaImage::from_fn(8, 8, |x, _| {
            image::Rgba([255, 255, 255, if x < 4 { 0 } else { 128 }])
        });
        let (_, _, black, half) = save(DynamicImage::ImageRgba8(clear));
        assert!(near(black, 16) && near(half, 126), "{black} {half}");
    }

    #[test]
    fn what_is_cut_short_is_refused_wherever_it_is_cut() {
        gst::init().unwrap();
        for (format, name, _) in KINDS {
            let bytes = coded(format, 64, 64);
            for tenth in 1..10 {
                let error = decode(&bytes[..bytes.len() * tenth / 10], None, PROGRAM).unwrap_err();
                let fits = matches!(&error, PictureError::Broken { kind, .. } if *kind == name)
                    || error == PictureError::Unknown;
                assert!(fits, "{name} cut at {tenth}/10: {error:?}");
            }
        }
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        gst::init().unwrap();
        let error = |bytes: &[u8]| decode(bytes, None, PROGRAM).unwrap_err();
        assert_eq!(error(b""), PictureError::Empty);
        assert_eq!(error(b"<svg/>"), PictureError::Unknown);
        assert_eq!(
            error(b"BM1234567890123456789012345678901234567890"),
            PictureError::Unknown
        );
        assert_eq!(error(&vec![0; MOST_BYTES + 1]), PictureError::TooManyBytes);
        let mut broken = coded(ImageFormat::Png, 64, 64);
        let middle = broken.len() / 2;
        broken[middle] ^= 0x55;
        assert!(matches!(error(&broken), PictureError::Broken { .. }));
    }

    #[test]
    fn a_bomb_is_refused_before_memory_is_taken() {
        gst::init().unwrap();
        // Only the head says how large it is; nothing of the kind follows.
        let mut png = coded(ImageFormat::Png, 1, 1);
        png[16..24].copy_from_slice(&[0, 0, 0x1f, 0xff, 0, 0, 0x1f, 0xff]);
        let check = crc(&png[12..29]);
        png[29..33].copy_from_slice(&check.to_be_bytes());
        assert_eq!(
            decode(&png, None, PROGRAM).unwrap_err(),
            PictureError::TooLarge {
                width: 8191,
                height: 8191
            }
        );
        let mut gif = coded(ImageFormat::Gif, 2, 2);
        gif[6..10].copy_from_slice(&[0xff; 4]);
        assert_eq!(
            decode(&gif, None, PROGRAM).unwrap_err(),
            PictureError::TooLarge {
                width: 65535,
                height: 65535
            }
        );
    }

    /// As in the PNG specification.
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |c, _| {
                (c >> 1) ^ if c & 1 == 1 { 0xedb8_8320 } else { 0 }
            })
        })
    }
}
