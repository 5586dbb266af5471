// SPDX-License-Identifier: GPL-3.0-or-later
//! Tells the server what plays now. Icecast 2.4 tells it to listeners of MP3 and AAC who ask for it; of Vorbis alone it
//! shows it on its pages; of Ogg with a picture it says yes and does nothing; of everything else it says no (all tried).

use std::{convert::Infallible, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::Admin;

/// A mount that was just begun does not exist yet for the admin interface.
const AGAIN: Duration = Duration::from_secs(1);

/// A mount of Vorbis takes no titles until the server has read the head of the stream: so what was told before this is
/// told once more, whatever the answer was.
const READ: Duration = Duration::from_secs(5);

/// Pass on what is there and what comes, for ever.
pub(super) async fn follow(admin: Admin, mut titles: watch::Receiver<String>) -> Infallible {
    let mut told = String::new();
    let read_at = Instant::now() + READ;
    loop {
        let title = titles.borrow_and_update().clone();
        if title != told {
            match tell(&admin, &title).await {
                Ok(_) if Instant::now() < read_at => {
                    // A new one that comes meanwhile is told at once.
                    if timeout_at(read_at, titles.changed())
                        .await
                        .is_ok_and(|r| r.is_err())
                    {
                        return std::future::pending().await;
                    }
                    continue;
                }
                Ok(true) => told = title,
                Ok(false) => {
                    let mount = &admin.mount;
                    tracing::info!(server = admin.name(), mount, "this mount takes no titles");
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

/// Whether the mount takes titles at all.
async fn tell(admin: &Admin, title: &str) -> Result<bool, String> {
    let pairs = [
        ("mode", "updinfo"),
        ("song", title),
        // Without it Icecast takes the letters of MP3 and AAC for Latin-1.
        ("charset", "UTF-8"),
    ];
    let answer = admin.ask("metadata", &pairs).await?;
    // Both come with a "return" of 1 (tried).
    if answer.contains("will not accept") {
        return Ok(false);
    }
    match answer.contains("<return>1</return>") {
        true => Ok(true),
        false => Err(answer),
    }
}
