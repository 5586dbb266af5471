// SPDX-License-Identifier: GPL-3.0-or-later
//! The link that viewers open, and who can open it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use gettextrs::gettext;
use studio::Studio;

use super::{model::Broadcast, words::fill};

/// Tell the model of the link as it is now.
pub fn show(studio: &Studio, broadcast: &Broadcast) {
    let shared = !studio.address().ip().is_loopback();
    broadcast.set_link(of_viewers(studio));
    broadcast.set_shared(shared);
    broadcast.set_reach(reach(studio.address()));
    broadcast.set_renewable(shared && studio.viewer_token().is_some());
    let fingerprint = studio
        .fingerprint()
        .map(|f| fill(gettext("Certificate: {fingerprint}"), &[("fingerprint", f)]));
    broadcast.set_fingerprint(fingerprint.unwrap_or_default());
}

/// The link that viewers open, with the token that lets them in.
fn of_viewers(studio: &Studio) -> String {
    let address = studio.address();
    let link = link(address);
    let base = link.trim_end_matches('/');
    let base = match studio.fingerprint().is_some() && !address.ip().is_loopback() {
        true => base.replacen("http:", "https:", 1),
        false => base.to_string(),
    };
    studio.watch_link(&base, "/")
}

/// The link of the watch page.
fn link(address: SocketAddr) -> String {
    let shown = match address.ip().is_unspecified() {
        true => SocketAddr::new(outward(address.ip()), address.port()),
        false => address,
    };
    format!("http://{shown}/")
}

/// Who can open it, as one sentence.
fn reach(address: SocketAddr) -> String {
    match address.ip().is_loopback() {
        true => gettext("Opens on this computer only."),
        false => gettext("Opens in this network."),
    }
}

/// The address under which others see this computer.
fn outward(unspecified: IpAddr) -> IpAddr {
    // Connecting a UDP socket sends nothing: the system only picks the interface it would use. The addresses are
    // those kept for documentation.
    let (here, there): (IpAddr, IpAddr) = match unspecified {
        IpAddr::V4(_) => (
            Ipv4Addr::UNSPECIFIED.into(),
            Ipv4Addr::new(192, 0, 2, 1).into(),
        ),
        IpAddr::V6(_) => (
            Ipv6Addr::UNSPECIFIED.into(),
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
        ),
    };
    UdpSocket::bind((here, 0))
        .and_then(|socket| {
            socket.connect((there, 9))?;
            socket.local_addr()
        })
        .map_or(
            match unspecified {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            },
            |a| a.ip(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_host_and_port() {
        assert_eq!(
            link(([127, 0, 0, 1], 8080).into()),
            "http://127.0.0.1:8080/"
        );
        assert_eq!(link((Ipv6Addr::LOCALHOST, 80).into()), "http://[::1]:80/");
        assert!(!link(([0, 0, 0, 0], 8080).into()).contains("0.0.0.0"));
    }
}
