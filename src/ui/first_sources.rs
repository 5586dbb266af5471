// SPDX-License-Identifier: GPL-3.0-or-later
//! What is shown when nobody has chosen anything yet: the camera and the microphone that are there, else the test
//! card.

use std::{rc::Rc, time::Duration};

use gtk::glib;
use studio::{
    message::{Command, MediaKind},
    source::{AudioSpec, Device, VideoSpec},
};

use super::bridge::Bridge;

/// Devices are told this soon after the start, or there are none.
const PATIENCE: Duration = Duration::from_millis(600);
const STEP: Duration = Duration::from_millis(20);

/// Choose as soon as it is known what is plugged in.
pub fn choose(bridge: &Rc<Bridge>) {
    let weak = Rc::downgrade(bridge);
    glib::spawn_future_local(async move {
        let mut waited = Duration::ZERO;
        loop {
            let Some(bridge) = weak.upgrade() else { return };
            let devices = bridge.devices();
            if devices.is_some() || waited >= PATIENCE {
                let (video, audio) = sources(&devices.unwrap_or_default());
                bridge.command(Command::SetVideo(video));
                return bridge.command(Command::SetAudio(audio));
            }
            drop(bridge);
            glib::timeout_future(STEP).await;
            waited += STEP;
        }
    });
}

/// No test tone: what nobody asked for should not be heard.
fn sources(devices: &[Device]) -> (Vec<VideoSpec>, Vec<AudioSpec>) {
    let first = |kind| {
        devices
            .iter()
            .find(|d| d.kind == kind)
            .map(|d| d.id.clone())
    };
    let video = match first(MediaKind::Video) {
        Some(id) => VideoSpec::Camera(Some(id)),
        None => VideoSpec::Test,
    };
    // The system's own choice among microphones is better than the first.
    let audio = first(MediaKind::Audio).map(|_| AudioSpec::Mic(None));
    (vec![video], audio.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_goes_before_the_test_card() {
        let camera = Device {
            kind: MediaKind::Video,
            id: "v4l2.0".into(),
            name: "Front".into(),
        };
        assert_eq!(sources(&[]), (vec![VideoSpec::Test], vec![]));
        assert_eq!(
            sources(&[camera]),
            (vec![VideoSpec::Camera(Some("v4l2.0".into()))], vec![])
        );
    }
}
