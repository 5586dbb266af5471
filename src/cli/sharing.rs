// SPDX-License-Identifier: GPL-3.0-or-later
//! Who may watch, as the words of the command line and of a profile say it.

use studio::{
    audience::Limits,
    error::SpecError,
    settings::{
        Https, Profile, Secret, Sharing, Watching,
        sharing::{host, viewer_token},
        units::time,
    },
};

use super::Live;

/// The words of both; those of the command line go first.
pub(super) fn sharing(live: &Live, profile: &Profile) -> Result<Sharing, SpecError> {
    let first = |given: &Option<String>, saved: &Option<Secret>| {
        let given = given.clone().filter(|words| !words.is_empty());
        given.map(Secret::new).or_else(|| saved.clone())
    };
    let token = first(&live.viewer_token, &profile.viewer_token);
    let token = token.map(|t| viewer_token(t.expose())).transpose()?;
    let password = first(&live.viewer_password, &profile.viewer_password);
    let watching = match live.open || profile.open {
        true if token.is_some() => return Err(SpecError::Conflict("--open", "--viewer-token")),
        true if password.is_some() => {
            return Err(SpecError::Conflict("--open", "--viewer-password"));
        }
        true => Watching::Open,
        false => Watching::Invited { token, password },
    };
    let hosts = match live.host.is_empty() {
        true => &profile.host,
        false => &live.host,
    };
    let certificate = live.tls_cert.as_ref().or(profile.tls_cert.as_ref());
    let key = live.tls_key.as_ref().or(profile.tls_key.as_ref());
    let https = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Https::Files {
            certificate: certificate.clone(),
            key: key.clone(),
        }),
        (None, None) => (live.tls || profile.tls).then_some(Https::Own),
        (Some(_), None) => return Err(SpecError::Alone("--tls-cert", "--tls-key")),
        (None, Some(_)) => return Err(SpecError::Alone("--tls-key", "--tls-cert")),
    };
    let usual = Limits::default();
    Ok(Sharing {
        watching,
        hosts: hosts.iter().map(|h| host(h)).collect::<Result<_, _>>()?,
        limits: Limits {
            per_address: live
                .max_viewers_per_address
                .or(profile.max_viewers_per_address)
                .unwrap_or(usual.per_address),
            all: live
                .max_viewers
                .or(profile.max_viewers)
                .unwrap_or(usual.all),
            stall: match live.max_stall.as_ref().or(profile.max_stall.as_ref()) {
                Some(text) => time(text)?,
                None => usual.stall,
            },
        },
        https,
    })
}
