// SPDX-License-Identifier: GPL-3.0-or-later
//! What is shown when nobody has chosen anything yet: the camera and the microphone that are there, else the test
//! card.

use std::{rc::Rc, time::Duration};

use gtk::glib;
use studio::{
    message::{Command, MediaKind},
    source::{AudioSpec, Device, Spec, VideoSpec},
};

use super::bridge::Bridge;

/// Devices are told this soon after the start, or there are none.
const PATIENCE: Duration = Duration::from_millis(600);
const STEP: Duration = Duration::from_millis(20);

/// Choose as soon as it is known what is plugged in.
pub async fn choose(bridge: &Rc<Bridge>) {
    let bridge = Rc::downgrade(bridge);
    let mut waited = Duration::ZERO;
    loop {
        let Some(bridge) = bridge.upgrade() else {
            return;
        };
        let devices = bridge.devices();
        if devices.is_some() || waited >= PATIENCE {
            let specs = sources(&devices.unwrap_or_default());
            bridge.ask(Command::SetSources(specs)).await;
            return;
        }
        drop(bridge);
        glib::timeout_future(STEP).await;
        waited += STEP;
    }
}

/// No test tone: what nobody asked for should not be heard.
fn sources(devices: &[Device]) -> Vec<Spec> {
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
    let audio = audio.map(Spec::Audio);
    [Spec::Video(video)].into_iter().chain(audio).collect()
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
        assert_eq!(sources(&[]), [Spec::Video(VideoSpec::Test)]);
        assert_eq!(
            sources(&[camera]),
            [Spec::Video(VideoSpec::Camera(Some("v4l2.0".into())))]
        );
    }
}
