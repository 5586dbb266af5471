// SPDX-License-Identifier: GPL-3.0-or-later
//! Tells the network, by mDNS, that there is something to watch: a web page of the kind `_http._tcp`, while on the air.
//!
//! The token is not told: who finds the page still needs the link or the password.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use mdns_sd::{ServiceDaemon, ServiceInfo};
use tokio::{sync::watch, task::block_in_place};
use tokio_util::sync::CancellationToken;

use super::{door::COMPUTER, reachable};

const KIND: &str = "_http._tcp.local.";
/// Saying goodbye is one packet for each network.
const GOODBYE: Duration = Duration::from_millis(500);

/// Announce the server at this address whenever it is on the air, until it ends.
pub(super) async fn run(
    address: SocketAddr,
    mut on_air: watch::Receiver<bool>,
    ended: CancellationToken,
) {
    let mut told: Option<Announced> = None;
    loop {
        let live = *on_air.borrow_and_update();
        if live != told.is_some() {
            // Both talk to a thread, which may be busy.
            told = block_in_place(|| {
                drop(told.take());
                live.then(|| Announced::begin(address)).flatten()
            });
        }
        tokio::select! {
            changed = on_air.changed() => if changed.is_err() { break },
            () = ended.cancelled() => break,
        }
    }
    block_in_place(|| drop(told));
}

/// Told to the network as long as it lives.
struct Announced {
    daemon: ServiceDaemon,
    name: String,
}

impl Announced {
    /// `None` where the network takes no such thing: nobody is kept from watching by it.
    fn begin(address: SocketAddr) -> Option<Announced> {
        let begin = || {
            let computer = COMPUTER.first().map_or("aerial", String::as_str);
            let name = format!("Aerial on {computer}");
            let host = format!("{computer}.local.");
            let all: Vec<IpAddr> = reachable(address.ip());
            let all: Vec<IpAddr> = all.into_iter().filter(|ip| !ip.is_loopback()).collect();
            let page = [("path", "/")];
            let mut service =
                ServiceInfo::new(KIND, &name, &host, &all[..], address.port(), &page[..])?;
            if address.ip().is_unspecified() {
                service = service.enable_addr_auto();
            }
            let name = service.get_fullname().to_string();
            let daemon = ServiceDaemon::new()?;
            let announced = Announced { daemon, name };
            announced.daemon.register(service)?;
            Ok::<_, mdns_sd::Error>(announced)
        };
        begin()
            .inspect_err(|e| tracing::warn!(error = %e, "mDNS announces nothing"))
            .ok()
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        if let Ok(done) = self.daemon.unregister(&self.name) {
            let _ = done.recv_timeout(GOODBYE);
        }
        if let Ok(done) = self.daemon.shutdown() {
            let _ = done.recv_timeout(GOODBYE);
        }
    }
}
