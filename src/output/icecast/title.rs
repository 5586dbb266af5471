// SPDX-License-Identifier: GPL-3.0-or-later
//! Tells the server what plays now. Icecast 2.4 takes that for MP3 and AAC, which it then tells listeners who ask for it,
//! and for Vorbis alone, where it goes into the stream; for everything else it refuses, and nothing can be done.

use std::{convert::Infallible, time::Duration};

use tokio::sync::watch;

use super::Admin;

/// A mount that was just begun does not exist yet for the admin interface.
const AGAIN: Duration = Duration::from_secs(1);

/// Pass on what is there and what comes, for ever.
pub(super) async fn follow(admin: Admin, mut titles: watch::Receiver<String>) -> Infallible {
    let mut told = String::new();
    loop {
        let title = titles.borrow_and_update().clone();
        if title != told {
            match tell(&admin, &title).await {
                Ok(()) => told = title,
                Err(why) if why.contains("will not accept") => {
                    tracing::info!(server = admin.name(), why, "titles are not taken");
                    return std::future::pending().await;
                }
                Err(why) => {
                    tracing::debug!(server = admin.name(), why, "a title was not taken");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            }
        }
        if titles.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

async fn tell(admin: &Admin, title: &str) -> Result<(), String> {
    let pairs = [
        ("mode", "updinfo"),
        ("song", title),
        // Without it Icecast takes the letters of MP3 and AAC for Latin-1.
        ("charset", "UTF-8"),
    ];
    let answer = admin.ask("metadata", &pairs).await?;
    match answer.contains("<return>1</return>") {
        true => Ok(()),
        false => Err(answer),
    }
}
