// SPDX-License-Identifier: GPL-3.0-or-later
//! The element, fed and read like in a pipeline of Aerial's.

use gst::prelude::*;

use super::{
    super::{ELEMENT, blocks, register},
    *,
};

/// The element with somebody who feeds it and somebody who takes what comes out.
struct Bench {
    pipeline: gst::Pipeline,
    raw: gst_app::AppSrc,
    coded: gst_app::AppSink,
    encoder: gst::Element,
    pushed: u64,
}

impl Bench {
    fn new(properties: &str) -> Bench {
        gst::init().unwrap();
        register().unwrap();
        register().expect("a second time is as good as the first");
        let line = format!(
            "appsrc name=raw format=time ! {} name=encoder {properties} ! appsink name=coded sync=false",
            ELEMENT
        );
        let pipeline = gst::parse::launch(&line).unwrap();
        let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
        let part = |name| pipeline.by_name(name).unwrap();
        let bench = Bench {
            raw: part("raw").downcast().unwrap(),
            coded: part("coded").downcast().unwrap(),
            encoder: part("encoder"),
            pushed: 0,
            pipeline,
        };
        bench.set_size(WIDTH, HEIGHT);
        bench.pipeline.set_state(gst::State::Playing).unwrap();
        bench
    }

    fn set_size(&self, width: usize, height: usize) {
        let caps = gst_video::VideoCapsBuilder::new()
            .format(gst_video::VideoFormat::Rgbx)
            .width(width as i32)
            .height(height as i32)
            .framerate(gst::Fraction::new(8, 1));
        self.raw.set_caps(Some(&caps.build()));
    }

    /// What a picture becomes: its caps, whether it is a key frame, its bytes.
    fn code(&mut self, pixels: &[u8]) -> (gst::Caps, bool, Vec<u8>) {
        let mut buffer = gst::Buffer::from_slice(pixels.to_vec());
        let pts = gst::ClockTime::from_mseconds(125 * self.pushed);
        buffer.get_mut().unwrap().set_pts(pts);
        self.pushed += 1;
        self.raw.push_buffer(buffer).unwrap();
        let sample = self.coded.try_pull_sample(gst::ClockTime::from_seconds(20));
        let sample = sample.expect("one buffer for each picture");
        let buffer = sample.buffer().unwrap();
        assert_eq!(buffer.pts(), Some(pts));
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let bytes = buffer.map_readable().unwrap().to_vec();
        (sample.caps_owned().unwrap(), key, bytes)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.pipeline.set_state(gst::State::Null).unwrap();
    }
}

fn header_in(caps: &gst::Caps) -> Vec<u8> {
    let fields = caps.structure(0).unwrap();
    assert_eq!(fields.name(), "image/gif");
    let headers = fields.get::<gst::Array>("streamheader").unwrap();
    assert_eq!(headers.len(), 1);
    let header = headers[0].get::<gst::Buffer>().unwrap();
    header.map_readable().unwrap().to_vec()
}

#[test]
fn the_element_makes_key_frames_in_time_and_when_asked() {
    let mut bench = Bench::new("gop-size=6");
    let (mut keys, mut parts) = (vec![], vec![]);
    for i in 0..20 {
        if i == 9 {
            let ask = gst_video::UpstreamForceKeyUnitEvent::builder().build();
            let pad = bench.encoder.static_pad("src").unwrap();
            assert!(pad.send_event(ask));
        }
        let raw = with_square(i * 4, 20, rainbow);
        let (caps, key, bytes) = bench.code(&raw.0);
        assert_eq!(
            header_in(&caps),
            blocks::header(WIDTH as u16, HEIGHT as u16)
        );
        if key {
            keys.push(i);
        }
        parts.push(bytes);
    }
    // Six pictures after each key frame there is another one, and the one that was asked for counts.
    assert_eq!(keys, [0, 6, 9, 15]);
    for (i, place) in places(&stream(&parts)).iter().enumerate() {
        let whole = *place == [0, 0, WIDTH, HEIGHT];
        assert_eq!(whole, keys.contains(&i), "picture {i}");
    }
}

#[test]
fn another_size_begins_another_stream() {
    let mut bench = Bench::new("dither=false");
    bench.code(&Raw::of(bars).0);
    for (width, height) in [(1, 1), (37, 23)] {
        bench.set_size(width, height);
        let pixels = vec![90; width * height * 4];
        let (caps, key, bytes) = bench.code(&pixels);
        assert!(key, "nothing of the old size is of use");
        let mut gif = header_in(&caps);
        gif.extend(bytes);
        gif.push(0x3b);
        let shown = screens(&gif).remove(0);
        assert!(shown.chunks(4).all(|p| p == [90, 90, 90, 255]));
        assert_eq!(shown.len(), pixels.len());
    }
}
