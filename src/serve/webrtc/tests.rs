// SPDX-License-Identifier: GPL-3.0-or-later
//! The leg as a viewer sees it.

use std::time::{Duration, Instant};

use str0m::{change::SdpOffer, format::Codec as Format, media::KeyframeRequestKind};
use tokio::net::UdpSocket;

use super::{
    NoSessionId, SessionId, Wish,
    rig::{Got, LOOPBACK, PATIENCE, Rig, Viewer, rig, settings, who},
};
use crate::{
    audience::Transport,
    encode::{Codec, EncodeSettings},
    error::ServeError,
    message::MediaKind,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_gets_picture_and_sound_from_a_key_frame_on_and_nothing_leaks() {
    let mut rig = rig(settings());
    let (mut viewer, id) = Viewer::watch(&rig.leg).await;
    let got = viewer.frames(20).await;
    let video = &got["VP8"];
    assert!(video[0].0, "the first frame is a key frame");
    assert!(video.windows(2).all(|w| w[0].1 < w[1].1), "in order");
    assert!(video.iter().skip(1).all(|f| f.2), "none missing");
    assert!(got.contains_key("opus"), "{:?}", got.keys());

    let listed = rig.joined().await;
    assert_eq!(listed.who.format, "vp8+opus");
    assert_eq!(listed.who.transport, Transport::Webrtc);
    assert!(listed.counters.bytes() > 0);
    assert_eq!(rig.encoders.running().len(), 2);

    let mut ended = rig.leg.ended();
    assert!(rig.leg.end(id).await);
    viewer.closed().await;
    assert_eq!(rig.left().await, listed.id);
    assert_eq!(ended.recv().await, Some(id));
    assert!(!rig.leg.end(id).await, "once is enough");
    rig.assert_unused();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_comes_right_after_another_need_not_wait_for_the_next_key_frame() {
    let mut slow = settings();
    slow.key_interval = Duration::from_secs(600);
    let rig = rig(slow);
    let (mut first, _) = Viewer::watch(&rig.leg).await;
    first.frames(1).await;
    for _ in 0..3 {
        let (mut next, _) = Viewer::watch(&rig.leg).await;
        let video = next.frames(30).await.remove("VP8").unwrap();
        assert!(video[0].0);
        assert!(video.windows(2).all(|w| w[0].1 < w[1].1), "{video:?}");
        assert!(video.iter().skip(1).all(|f| f.2), "{video:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_offer_is_answered_by_a_viewer_who_trickles_its_address() {
    let mut rig = rig(settings());
    let (id, offer) = rig.leg.offer(who()).await.unwrap();
    let mut viewer = Viewer::new().await;
    let offer = SdpOffer::from_sdp_string(&offer).unwrap();
    let answer = viewer.rtc.sdp_api().accept_offer(offer).unwrap();
    // As from a browser that tells its addresses apart from its answer.
    let (addresses, answer): (Vec<_>, Vec<_>) = answer
        .to_sdp_string()
        .lines()
        .map(|l| format!("{l}\r\n"))
        .partition(|l| l.starts_with("a=candidate"));
    rig.leg.answer(id, answer.concat()).await.unwrap();
    let hidden = "candidate:1 1 udp 1 abc.local 9 typ host";
    assert!(rig.leg.candidate(id, hidden.into()).await);
    for address in addresses {
        assert!(rig.leg.candidate(id, address).await);
    }
    assert!(viewer.frames(5).await["VP8"][0].0);
    rig.joined().await;
    let again = rig.leg.answer(id, answer.concat()).await;
    assert!(matches!(again, Err(ServeError::Sdp(_))), "{again:?}");
    rig.left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kicked_viewer_is_told_at_once_and_others_go_on() {
    let mut rig = rig(settings());
    let (mut first, _) = Viewer::watch(&rig.leg).await;
    first.frames(1).await;
    let listed = rig.joined().await;
    let (mut second, _) = Viewer::watch(&rig.leg).await;
    second.frames(1).await;
    rig.joined().await;

    let kicked = Instant::now();
    assert!(rig.audience.kick(listed.id));
    first.closed().await;
    assert!(kicked.elapsed() < Duration::from_secs(3));
    assert_eq!(rig.left().await, listed.id);
    second.frames(10).await;
    assert_eq!(rig.audience.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_and_reports_of_every_packet_are_negotiated() {
    let rig = rig(settings());
    let (offer, _) = Viewer::new().await.offer();
    let (id, answer) = rig.leg.accept(offer, who()).await.unwrap();
    assert!(rig.leg.end(id).await);
    let (id, offer) = rig.leg.offer(who()).await.unwrap();
    assert!(rig.leg.end(id).await);
    for sdp in [answer, offer] {
        let video = sdp.split("m=").find(|part| part.starts_with("video"));
        for what in [" rtx/90000", " nack\r", " nack pli", " transport-cc"] {
            assert!(video.unwrap().contains(what), "{what:?} in {sdp}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_packets_are_sent_again() {
    let mut big = settings();
    (big.width, big.height, big.video_bitrate) = (640, 480, 2_000_000);
    let rig = rig(big);
    let (mut viewer, _) = Viewer::watch(&rig.leg).await;
    viewer.frames(1).await;
    viewer.lose_every = Some(20);
    let got = viewer.frames(60).await;
    assert!(got["VP8"].iter().all(|f| f.2), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_who_asks_gets_a_key_frame() {
    let mut slow = settings();
    slow.key_interval = Duration::from_secs(600);
    let rig = rig(slow);
    let (mut viewer, _) = Viewer::watch(&rig.leg).await;
    let mut keys = 0;
    while keys < 3 {
        let Got::Frame {
            mid,
            key: true,
            format: Format::Vp8,
            ..
        } = viewer.next().await
        else {
            continue;
        };
        keys += 1;
        let mut writer = viewer.rtc.writer(mid).unwrap();
        writer
            .request_keyframe(None, KeyframeRequestKind::Pli)
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_who_chooses_gets_the_other_size_from_a_key_frame_on_and_its_encoder_runs_no_longer_than_that()
 {
    let mut slow = settings();
    slow.key_interval = Duration::from_secs(600);
    let mut rig = rig(slow);
    let (mut viewer, id) = Viewer::watch(&rig.leg).await;
    viewer.frames(1).await;
    let listed = rig.joined().await;
    let pictures = |rig: &Rig| {
        let all = rig.encoders.running().into_iter();
        let words: Vec<_> = all.map(|e| e.rung.word()).collect();
        words
    };
    assert_eq!(pictures(&rig), ["full", "audio"]);
    let mut last = Duration::ZERO;
    for (wish, low) in [(Wish::Low, true), (Wish::Full, false), (Wish::Low, true)] {
        assert!(rig.leg.prefer(id, wish).await);
        let mut turned = false;
        while !turned {
            let Got::Frame {
                key, format, time, ..
            } = viewer.next().await
            else {
                panic!("it ended");
            };
            if format != Format::Vp8 {
                continue;
            }
            assert!(time > last, "time goes on");
            last = time;
            turned = key && listed.counters.low() == low;
        }
    }
    // The other one lingers, and ends.
    let alone = async {
        while pictures(&rig) != ["low", "audio"] {
            viewer.next().await;
        }
    };
    tokio::time::timeout(PATIENCE, alone).await.unwrap();
    assert!(rig.leg.end(id).await);
    assert!(!rig.leg.prefer(id, Wish::Auto).await);
    rig.assert_unused();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_change_of_codec_viewers_come_back_for_the_new_one() {
    let mut rig = rig(settings());
    let (mut viewer, _) = Viewer::watch(&rig.leg).await;
    viewer.frames(1).await;
    rig.joined().await;
    rig.encoders.set(EncodeSettings {
        video: Codec::find("vp9", MediaKind::Video).unwrap(),
        ..settings()
    });
    viewer.closed().await;
    rig.left().await;
    let (mut viewer, _) = Viewer::watch(&rig.leg).await;
    let got = viewer.frames(10).await;
    assert!(got["VP9"][0].0, "{:?}", got.keys());
    assert_eq!(rig.joined().await.who.format, "vp9+opus");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_encoder_of_the_same_codec_ends_nobody() {
    let rig = rig(settings());
    let (mut viewer, _) = Viewer::watch(&rig.leg).await;
    viewer.frames(1).await;
    let mut other = settings();
    other.key_interval = Duration::from_secs(1);
    rig.encoders.set(other);
    viewer.frames(60).await;
    assert_eq!(rig.audience.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_that_cannot_be_used_are_refused_with_a_reason() {
    let rig = rig(settings());
    let (good, _) = Viewer::new().await.offer();
    let without = |what: &str| {
        let lines = good.lines().filter(|l| !l.contains(what));
        lines.map(|l| format!("{l}\r\n")).collect::<String>()
    };
    let bad = [
        String::new(),
        "v=0".into(),
        "\u{0}\u{1}garbage 💥\r\n".repeat(500),
        "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n".into(),
        good[..good.len() / 2].to_string(),
        without("fingerprint"),
        without("ufrag"),
        without("m="),
        without("setup"),
        good.replace("recvonly", "sendonly"),
        good.replace("VP8", "XX8").replace("opus", "xpus"),
    ];
    for offer in bad {
        match rig.leg.accept(offer.clone(), who()).await {
            Err(ServeError::Sdp(why)) => assert!(!why.is_empty() && !why.contains('\n')),
            // What is left of it may be enough.
            Ok((id, _)) => assert!(rig.leg.end(id).await),
            other => panic!("{other:?} for {offer}"),
        }
    }
    let nobody = "00000000000000000000000000000001".parse().unwrap();
    let answer = rig.leg.answer(nobody, good).await;
    assert!(matches!(answer, Err(ServeError::Sdp(_))));
    rig.assert_unused();
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_datagrams_harm_nobody() {
    let rig = rig(settings());
    let (mut viewer, _) = Viewer::watch(&rig.leg).await;
    viewer.frames(1).await;
    let stranger = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let target = rig.leg.addresses()[0];
    for len in [0, 1, 2, 12, 20, 1500, 9000] {
        for first in [0u8, 1, 22, 128, 200, 255] {
            let mut bytes = vec![first; len];
            if len > 8 {
                bytes[4..8].copy_from_slice(&0x2112_A442u32.to_be_bytes());
            }
            stranger.send_to(&bytes, target).await.unwrap();
        }
    }
    viewer.frames(10).await;
    assert_eq!(rig.audience.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_handle_ends_everything() {
    let mut rig = rig(settings());
    let (mut viewer, _) = Viewer::watch(&rig.leg).await;
    viewer.frames(1).await;
    rig.joined().await;
    let mut ended = rig.leg.ended();
    let address = rig.leg.addresses()[0];
    let encoders = rig.encoders.clone();
    drop(rig.leg);
    viewer.closed().await;
    assert_eq!(rig.audience.count(), 0);
    assert!(ended.recv().await.is_some() && ended.recv().await.is_none());
    std::net::UdpSocket::bind(address).expect("the socket is closed");
    drop(encoders);
}

#[test]
fn a_sessions_name_is_read_back_and_nothing_else_is() {
    let id = SessionId::random();
    assert_eq!(id.to_string().parse(), Ok(id));
    for bad in ["", "1", "+0000000000000000000000000000001", &"g".repeat(32)] {
        assert_eq!(bad.parse::<SessionId>(), Err(NoSessionId), "{bad}");
    }
}
