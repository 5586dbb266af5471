// SPDX-License-Identifier: GPL-3.0-or-later
//! The music player of this desktop: every one of them tells over MPRIS (D-Bus) what it plays.

use std::{collections::HashMap, time::Duration};

use futures::{StreamExt, stream::select};
use zbus::{
    Connection, MatchRule, Message, MessageStream,
    fdo::{DBusProxy, PropertiesProxy},
    message::Type,
    names::{InterfaceName, OwnedBusName},
    zvariant::{Array, OwnedValue},
};

use super::clean;
use crate::now_playing::NowPlaying;

const PLAYERS: &str = "org.mpris.MediaPlayer2";
const PLAYER: &str = "org.mpris.MediaPlayer2.Player";
const OBJECT: &str = "/org/mpris/MediaPlayer2";
/// A desktop that is not there (yet) is asked again.
const AGAIN: Duration = Duration::from_secs(5);
/// A player that does not answer is not waited for.
const ANSWER: Duration = Duration::from_secs(2);

/// For ever.
pub(super) async fn follow(title: NowPlaying) {
    let mut complained = false;
    loop {
        let Err(error) = listen(&title).await else {
            continue;
        };
        if !complained {
            complained = true;
            tracing::warn!(%error, "this desktop cannot be asked what plays");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Until the bus is gone.
async fn listen(title: &NowPlaying) -> zbus::Result<()> {
    let bus = Connection::session().await?;
    let changed = MatchRule::builder()
        .msg_type(Type::Signal)
        .interface("org.freedesktop.DBus.Properties")?
        .member("PropertiesChanged")?
        .path(OBJECT)?
        .build();
    let came_or_went = MatchRule::builder()
        .msg_type(Type::Signal)
        .interface("org.freedesktop.DBus")?
        .member("NameOwnerChanged")?
        .build();
    // Heard before the first look, so that nothing is missed in between.
    let mut news = select(
        MessageStream::for_match_rule(changed, &bus, None).await?,
        MessageStream::for_match_rule(came_or_went, &bus, None).await?,
    );
    let names = DBusProxy::new(&bus).await?;
    let mut last: Option<(OwnedBusName, String)> = None;
    let mut shown = None;
    loop {
        last = playing(&bus, &names, last.map(|(name, _)| name)).await?;
        let now = last
            .as_ref()
            .map_or(String::new(), |(_, text)| text.clone());
        if shown.as_ref() != Some(&now) {
            title.set(now.clone());
            shown = Some(now);
        }
        loop {
            let news = news.next().await;
            let gone = || zbus::Error::Failure("the bus is gone".into());
            if is_of_players(&news.ok_or_else(gone)??) {
                break;
            }
        }
    }
}

/// Whether it is about a player. Names come and go all the time on a desktop.
fn is_of_players(message: &Message) -> bool {
    let body = message.body();
    match body.deserialize::<(&str, &str, &str)>() {
        Ok((name, _, _)) => name.starts_with(PLAYERS),
        Err(_) => true,
    }
}

/// The player that plays and what; of several the one that was playing before.
async fn playing(
    bus: &Connection,
    names: &DBusProxy<'_>,
    before: Option<OwnedBusName>,
) -> zbus::Result<Option<(OwnedBusName, String)>> {
    let mut players: Vec<_> = names
        .list_names()
        .await?
        .into_iter()
        .filter(|name| name.starts_with(PLAYERS))
        .collect();
    players.sort_by_key(|name| (Some(name) != before.as_ref(), name.to_string()));
    for name in players {
        let asked = tokio::time::timeout(ANSWER, ask(bus, &name)).await;
        // One that has gone meanwhile, or does not answer, plays nothing.
        if let Ok(Ok(Some(text))) = asked {
            return Ok(Some((name, text)));
        }
    }
    Ok(None)
}

/// What a player plays, if it does.
async fn ask(bus: &Connection, name: &OwnedBusName) -> zbus::Result<Option<String>> {
    let properties = PropertiesProxy::builder(bus)
        .destination(name.clone())?
        .path(OBJECT)?
        .build()
        .await?;
    let all = properties.get_all(InterfaceName::try_from(PLAYER)?).await?;
    let status = all
        .get("PlaybackStatus")
        .and_then(|s| s.downcast_ref::<&str>().ok());
    if status != Some("Playing") {
        return Ok(None);
    }
    let metadata = all.get("Metadata").and_then(|m| m.try_clone().ok());
    let metadata: HashMap<String, OwnedValue> =
        metadata.and_then(|m| m.try_into().ok()).unwrap_or_default();
    Ok(Some(words(&metadata)))
}

/// `Artist, Artist - Title`, or what there is of it.
fn words(metadata: &HashMap<String, OwnedValue>) -> String {
    let text = |key: &str| {
        let text = metadata.get(key)?.downcast_ref::<&str>().ok()?;
        (!text.is_empty()).then(|| text.to_string())
    };
    let artists = metadata
        .get("xesam:artist")
        .and_then(|a| a.downcast_ref::<&Array<'_>>().ok())
        .map(|all| {
            let names = all.iter().filter_map(|a| a.downcast_ref::<&str>().ok());
            names
                .filter(|a| !a.is_empty())
                .collect::<Vec<_>>()
                .join(", ")
        })
        .filter(|artists| !artists.is_empty());
    let parts: Vec<_> = [artists, text("xesam:title")]
        .into_iter()
        .flatten()
        .collect();
    clean(&parts.join(" - "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zbus::zvariant::Value;

    #[test]
    fn a_title_is_made_of_what_the_player_tells() {
        let metadata = |pairs: Vec<(&str, Value<'static>)>| {
            let owned = |(key, value): (&str, Value<'static>)| {
                (key.to_string(), value.try_to_owned().unwrap())
            };
            pairs.into_iter().map(owned).collect::<HashMap<_, _>>()
        };
        let artists = || Value::from(vec!["Ann", "", "Bob"]);
        let both = metadata(vec![
            ("xesam:artist", artists()),
            ("xesam:title", "Song".into()),
        ]);
        assert_eq!(words(&both), "Ann, Bob - Song");
        let one = metadata(vec![
            ("xesam:title", "Song".into()),
            ("mpris:length", 5_i64.into()),
        ]);
        assert_eq!(words(&one), "Song");
        assert_eq!(words(&metadata(vec![("xesam:title", 7_u32.into())])), "");
    }
}
