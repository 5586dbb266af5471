// SPDX-License-Identifier: GPL-3.0-or-later
//! How sessions begin.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use str0m::{Rtc, RtcConfig, bwe::Bitrate};

use super::{LegThread, confined};
use crate::{
    error::ServeError,
    serve::webrtc::{
        SessionId,
        feed::on_air,
        session::{Around, OnAir, Session},
        tracks::Needs,
    },
};

/// Offers and answers that nobody followed up. The oldest goes when there are more: each costs memory only.
const UNCONNECTED: usize = 256;

impl LegThread {
    fn config(&self) -> RtcConfig {
        let mut config = Rtc::builder()
            .set_crypto_provider(self.provider.clone())
            .set_dtls_cert(self.certificate.clone())
            .set_rtp_mode(true)
            .set_stats_interval(Some(Duration::from_millis(500)))
            .enable_bwe(Some(Bitrate::bps(self.needs.first_estimate())));
        // A viewer that vanished is noticed after 10 s instead of 22.
        config.set_max_stun_rto(Duration::from_secs(2));
        config.set_max_stun_retransmits(6);
        config
    }

    pub(super) fn make(
        &mut self,
        now: Instant,
        from: Option<IpAddr>,
        make: impl FnOnce(
            RtcConfig,
            &[SocketAddr],
            OnAir,
            &mut Around<'_>,
        ) -> Result<(Session, String), ServeError>,
    ) -> Result<(SessionId, String), ServeError> {
        if let Some(address) = from {
            self.audience.check(address)?;
        }
        let on_air = on_air(&self.encoders);
        self.needs = Needs::of(&self.encoders);
        let config = self.config();
        self.wire.open_own();
        let addresses: Vec<_> = self.wire.addresses().collect();
        let mut around = Around {
            wire: &mut self.wire,
            audience: &self.audience,
            needs: self.needs,
        };
        let made = confined(|| make(config, &addresses, on_air, &mut around))
            .unwrap_or_else(|| Err(ServeError::Sdp("it has a form not understood".into())));
        if made.is_err() && self.sessions.is_empty() {
            self.wire.close_own();
        }
        let (session, sdp) = made?;
        let id = session.id;
        self.add(session, now);
        Ok((id, sdp))
    }

    fn add(&mut self, session: Session, now: Instant) {
        let waiting = || self.sessions.values().filter(|s| !s.is_connected());
        if waiting().count() >= UNCONNECTED
            && let Some(oldest) = waiting().min_by_key(|s| s.born()).map(|s| s.id)
        {
            self.end(oldest);
        }
        // Leased now, so that the encoder starts while the connection is being made.
        self.tracks.need(&self.encoders, session.size(), now);
        let id = session.id;
        self.by_ufrag.insert(session.ufrag.clone(), id);
        self.sessions.insert(id, session);
        self.with(id, |session, around| session.drive(around, now));
    }
}
