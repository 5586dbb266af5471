// SPDX-License-Identifier: GPL-3.0-or-later
//! The name of the computer somebody watches from, asked for only when the broadcaster wants to know: the question goes to
//! servers of other people.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{Audience, ViewerId};
use crate::error::StudioError;

/// Name servers that do not answer are asked again by the system for up to half a minute.
const PATIENCE: Duration = Duration::from_secs(8);

impl Audience {
    /// Find out the name of the computer that a viewer comes from, and list it with the viewer.
    ///
    /// # Errors
    ///
    /// If there is no such viewer, it has no address of its own, or its address has no name.
    pub async fn look_up(&self, id: ViewerId) -> Result<Arc<str>, StudioError> {
        self.look_up_by(id, |ip| dns_lookup::lookup_addr(&ip).ok())
            .await
    }

    async fn look_up_by(
        &self,
        id: ViewerId,
        name_of: impl FnOnce(IpAddr) -> Option<String> + Send + 'static,
    ) -> Result<Arc<str>, StudioError> {
        let viewer = self.viewer(id).ok_or(StudioError::NoSuchViewer)?;
        let ip = viewer.who.ip().ok_or(StudioError::NoAddress)?;
        let asked = tokio::task::spawn_blocking(move || name_of(ip));
        let name = tokio::time::timeout(PATIENCE, asked).await;
        let name = name.ok().and_then(Result::ok).flatten();
        // Without a name the system gives the address back. What a stranger wrote is shown: nothing but a name.
        let proper = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let name = name
            .filter(|name| name.parse::<IpAddr>().is_err())
            .filter(|name| !name.is_empty() && name.len() <= 253 && name.chars().all(proper))
            .ok_or(StudioError::NoHost(ip))?;
        let host: Arc<str> = name.into();
        match self.found(id, host.clone()) {
            true => Ok(host),
            false => Err(StudioError::NoSuchViewer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Change, Transport, Who};
    use super::*;

    #[tokio::test]
    async fn a_name_is_listed_with_its_viewer_and_what_is_no_name_is_not() {
        let told = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let hear = told.clone();
        let audience = Audience::new(move |change| hear.lock().push(change));
        let who = |address: &str| Who {
            transport: Transport::Http,
            format: "webm".into(),
            address: address.into(),
            agent: "test".into(),
        };
        let guard = audience.join(who("[2001:db8::7]:50000")).unwrap();
        let relay = audience.join(who("a relay")).unwrap();
        let id = guard.id();
        let ask = |name: Option<&str>| {
            let name = name.map(str::to_string);
            audience.look_up_by(id, move |ip| {
                assert_eq!(ip, "2001:db8::7".parse::<IpAddr>().unwrap());
                name
            })
        };
        let none = Err(StudioError::NoHost("2001:db8::7".parse().unwrap()));
        for name in [None, Some("2001:db8::7"), Some(""), Some("<b>\n")] {
            assert_eq!(ask(name).await, none, "{name:?}");
        }
        assert_eq!(
            &*ask(Some("ada.example.org")).await.unwrap(),
            "ada.example.org"
        );
        let row = audience.viewer(id).unwrap();
        assert_eq!(row.host.as_deref(), Some("ada.example.org"));
        assert!(matches!(told.lock().last(), Some(Change::Noted(v)) if v.host == row.host));
        assert_eq!(
            audience.look_up(relay.id()).await,
            Err(StudioError::NoAddress)
        );
        drop(guard);
        assert_eq!(audience.look_up(id).await, Err(StudioError::NoSuchViewer));
    }
}
