// SPDX-License-Identifier: GPL-3.0-or-later
//! The links that `aerial live` serves, told once.

use std::io::{self, IsTerminal, Write};

use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};
use serde_json::json;
use studio::Studio;

use super::Style;

/// Tell where the broadcast is watched, where guests join, and the token of the API.
pub(super) fn say_links(
    studio: &Studio,
    token: &str,
    obs_password: Option<&str>,
    joins: &[String],
    style: Style,
) {
    let links = studio.links();
    let base = links.first().cloned().unwrap_or_default();
    let joins: Vec<String> = joins.iter().map(|path| format!("{base}{path}")).collect();
    let watch = |path: &str| studio.watch_link(&base, path);
    let mut out = io::stdout().lock();
    let _ = match style {
        Style::Json => {
            let shared = links.iter().map(|link| studio.watch_link(link, "/"));
            let object = json!({
                "event": "serving",
                "links": {
                    "watch": watch("/"),
                    "webm": watch("/live.webm"),
                    "hls": watch("/hls/index.m3u8"),
                    "mp4": watch("/live.mp4"),
                    "ogg": watch("/live.ogg"),
                    "ts": watch("/live.ts"),
                    "mp3": watch("/live.mp3"),
                    "opus": watch("/live.opus"),
                    "mjpeg": watch("/live.mjpeg"),
                    "snapshot": watch("/snapshot.jpg"),
                    "whep": watch("/whep"),
                    "signalling": watch("/signalling").replacen("http", "ws", 1),
                    "whip": format!("{base}/whip"),
                    "status": format!("{base}/api/v1/status"),
                    "join": joins.first(),
                    "joins": joins,
                    "all": links,
                    "share": shared.collect::<Vec<_>>(),
                },
                "api_token": token,
                "obs_websocket": obs_password.map(|password| {
                    let all = studio.obs_links();
                    json!({"url": all.first(), "all": all, "password": password})
                }),
                "viewer_token": studio.viewer_token(),
                "fingerprint": studio.fingerprint(),
            });
            writeln!(out, "{object}")
        }
        Style::Text => {
            for link in &links {
                let _ = writeln!(out, "Watch at   {}", studio.watch_link(link, "/"));
            }
            let _ = writeln!(out, "WebM at    {}", watch("/live.webm"));
            let _ = writeln!(out, "HLS at     {}", watch("/hls/index.m3u8"));
            let _ = writeln!(
                out,
                "Also at    {base}/live.ogg .mp4 .ts .mp3 .opus .mjpeg, /snapshot.jpg"
            );
            for join in &joins {
                let _ = writeln!(out, "Guest joins at  {join}");
            }
            if let Some(password) = obs_password {
                for link in studio.obs_links() {
                    let _ = writeln!(out, "Remote controls at  {link}");
                }
                let _ = writeln!(out, "Their password  {password}");
            }
            if let Some(fingerprint) = studio.fingerprint() {
                let _ = writeln!(out, "Certificate  SHA-256 {fingerprint}");
            }
            let done = writeln!(out, "API token  {token}");
            // For a telephone that is held before it; nobody else could read it there.
            let shared = links.iter().find(|_| !studio.address().ip().is_loopback());
            if shared.is_some() && io::stdout().is_terminal() {
                let mut others = links.iter().map(|link| studio.watch_link(link, "/"));
                if let Some(code) = others.next_back().and_then(|link| drawn(&link)) {
                    let _ = writeln!(out, "{code}");
                }
            }
            done
        }
    };
    let _ = out.flush();
}

/// A QR code of letters, two dots each.
fn drawn(link: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(link, EcLevel::L).ok()?;
    // Light on dark, as most terminals are; readers take both.
    let drawn = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    Some(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_fits_on_a_terminal() {
        let link = format!("https://192.168.100.100:8080/?t={}", "a".repeat(40));
        let drawn = drawn(&link).unwrap();
        assert!(drawn.lines().count() <= 24, "{drawn}");
        assert!(
            drawn.lines().all(|line| line.chars().count() <= 48),
            "{drawn}"
        );
    }
}
