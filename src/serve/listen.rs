// SPDX-License-Identifier: GPL-3.0-or-later
//! Where the server listens: on this computer alone, or for the network, which can change while it serves.
//!
//! One port cannot be had twice, so the listener for one is closed before that for the other is opened, which takes less
//! than a millisecond. Connections that are there know nothing of it; only those from elsewhere end when the network is
//! shut out.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{Bound, Shared, announce, connection, guests::Guests, reachable, webrtc::Leg};
use crate::error::ServeError;

/// The open door of the server.
pub(super) struct Listening {
    address: SocketAddr,
    open: Option<Open>,
    /// What it opens to.
    shared: Arc<Shared>,
    on_air: watch::Receiver<bool>,
    leg: Leg,
    guests: Guests,
    ended: CancellationToken,
}

struct Open {
    /// Ends the accepting, not what was accepted.
    shut: CancellationToken,
    accepting: JoinHandle<()>,
    /// Ends the connections of other computers.
    abroad: CancellationToken,
    announced: Option<JoinHandle<()>>,
}

impl Listening {
    /// Accept connections; inside the runtime.
    pub(super) fn start(
        bound: Bound,
        shared: Arc<Shared>,
        on_air: watch::Receiver<bool>,
        leg: Leg,
        guests: Guests,
        ended: CancellationToken,
    ) -> Result<Listening, ServeError> {
        let mut listening = Listening {
            address: bound.address(),
            open: None,
            shared,
            on_air,
            leg,
            guests,
            ended,
        };
        listening.open(bound)?;
        Ok(listening)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Let the network in, or this computer only, at the same port.
    ///
    /// # Errors
    ///
    /// If the port is taken there. Then everything is as before.
    pub(super) async fn share(&mut self, on: bool) -> Result<(), ServeError> {
        if on != self.address.ip().is_loopback() {
            return Ok(());
        }
        let six = self.address.is_ipv6();
        let ip: IpAddr = match (on, six) {
            (true, false) => Ipv4Addr::UNSPECIFIED.into(),
            (true, true) => Ipv6Addr::UNSPECIFIED.into(),
            (false, false) => Ipv4Addr::LOCALHOST.into(),
            (false, true) => Ipv6Addr::LOCALHOST.into(),
        };
        let wanted = SocketAddr::new(ip, self.address.port());
        self.shut().await;
        let changed = Bound::bind(wanted).and_then(|bound| self.open(bound));
        if changed.is_err() {
            let bound = Bound::bind(self.address)?;
            self.open(bound)?;
        }
        let ips = reachable(self.address.ip());
        self.leg.listen(ips.clone());
        self.guests.listen(ips);
        changed
    }

    fn open(&mut self, bound: Bound) -> Result<(), ServeError> {
        let Bound(listener, address) = bound;
        let listener = TcpListener::from_std(listener).map_err(|e| ServeError::Listen {
            address: address.to_string(),
            why: e.to_string(),
        })?;
        let shut = self.ended.child_token();
        let abroad = self.ended.child_token();
        let announced = (!address.ip().is_loopback())
            .then(|| tokio::spawn(announce::run(address, self.on_air.clone(), shut.clone())));
        let accepting = tokio::spawn(connection::accept(
            listener,
            self.shared.clone(),
            shut.clone(),
            connection::Ends {
                here: self.ended.clone(),
                abroad: abroad.clone(),
            },
        ));
        self.address = address;
        self.open = Some(Open {
            shut,
            accepting,
            abroad,
            announced,
        });
        Ok(())
    }

    /// Close the listener, let go who came from elsewhere, and tell the network.
    pub(super) async fn shut(&mut self) {
        let Some(open) = self.open.take() else { return };
        open.shut.cancel();
        let _ = open.accepting.await;
        open.abroad.cancel();
        if let Some(announced) = open.announced {
            let _ = announced.await;
        }
    }
}
