// SPDX-License-Identifier: GPL-3.0-or-later
//! HTTPS: the certificate, the user's or one made here, and the handshake.
//!
//! The same port takes both: the first byte of TLS is one that no HTTP request begins with.

use std::{
    fmt::Write,
    fs,
    io::ErrorKind,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig, crypto,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
    server::TlsStream,
};

use super::door::COMPUTER;
use crate::{
    error::{ServeError, StudioError},
    settings::{self, Https},
};

/// The first byte of a connection with TLS: a handshake.
const HANDSHAKE: u8 = 0x16;
/// A handshake takes two messages each way.
const PATIENCE: Duration = Duration::from_secs(10);
/// Some browsers take no certificate that is good for longer.
const GOOD_FOR: Duration = Duration::from_secs(820 * 24 * 3600);
/// Made anew before it is too late.
const RENEWED_AFTER: Duration = Duration::from_secs(780 * 24 * 3600);
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "certificate-key.pem";

/// What HTTPS is served with.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    fingerprint: Arc<str>,
}

impl Tls {
    /// With the user's certificate, or our own for these addresses.
    pub(crate) fn new(
        https: &Https,
        addresses: &[IpAddr],
        hosts: &[String],
    ) -> Result<Tls, StudioError> {
        match https {
            Https::Files { certificate, key } => Ok(Tls::read(certificate, key)?),
            Https::Own => {
                let folder = settings::folder().unwrap_or_else(|| PathBuf::from(".aerial"));
                let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
                if !is_fresh(&certificate) || !key.exists() {
                    let (certificate, key) = make(addresses, hosts).map_err(|why| {
                        let path = certificate.clone();
                        ServeError::Certificate { path, why }
                    })?;
                    settings::write(KEY, &key)?;
                    settings::write(CERTIFICATE, &certificate)?;
                }
                Ok(Tls::read(&certificate, &key)?)
            }
        }
    }

    fn read(certificate: &Path, key: &Path) -> Result<Tls, ServeError> {
        let problem = |path: &Path, why: String| ServeError::Certificate {
            path: path.to_path_buf(),
            why: why.trim_end_matches('.').to_string(),
        };
        let unread = |path: &Path, e: &dyn std::fmt::Display| problem(path, e.to_string());
        let text = |path: &Path| {
            fs::read(path).map_err(|e| match e.kind() == ErrorKind::NotFound {
                true => problem(path, "there is no such file".into()),
                false => unread(path, &e),
            })
        };
        let chain = CertificateDer::pem_slice_iter(&text(certificate)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| unread(certificate, &e))?;
        let first = chain
            .first()
            .ok_or_else(|| problem(certificate, "there is none in it".into()))?;
        let mut fingerprint = String::new();
        for (i, byte) in Sha256::digest(first).iter().enumerate() {
            let colon = if i == 0 { "" } else { ":" };
            let _ = write!(fingerprint, "{colon}{byte:02X}");
        }
        let secret = PrivateKeyDer::from_pem_slice(&text(key)?)
            // Its words may not tell what is in it.
            .map_err(|_| problem(key, "there is no private key in it".into()))?;
        let provider = Arc::new(crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| unread(certificate, &e))?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(|e| unread(certificate, &e))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            fingerprint: fingerprint.into(),
        })
    }

    /// SHA-256 of the certificate, as browsers show it.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether somebody begins with TLS; `None` if nothing came in time.
    pub(super) async fn is_wanted(socket: &TcpStream) -> Option<bool> {
        let mut first = [0];
        let peeked = tokio::time::timeout(PATIENCE, socket.peek(&mut first)).await;
        match peeked {
            Ok(Ok(1)) => Some(first[0] == HANDSHAKE),
            Ok(Ok(_) | Err(_)) | Err(_) => None,
        }
    }

    /// Shake hands; `None` if that comes to nothing.
    pub(super) async fn accept(&self, socket: TcpStream) -> Option<TlsStream<TcpStream>> {
        match tokio::time::timeout(PATIENCE, self.acceptor.accept(socket)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(e)) => {
                tracing::debug!(error = %e, "a TLS handshake failed");
                None
            }
            Err(_) => None,
        }
    }
}

/// There, and good for long enough.
fn is_fresh(certificate: &Path) -> bool {
    let made = fs::metadata(certificate).and_then(|m| m.modified());
    made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age < RENEWED_AFTER))
}

/// A certificate that signs itself, and its key.
fn make(addresses: &[IpAddr], hosts: &[String]) -> Result<(String, String), String> {
    let mut names = vec!["localhost".to_string(), "127.0.0.1".into(), "::1".into()];
    let given = hosts.iter().cloned().chain(COMPUTER.iter().cloned());
    for name in given.chain(addresses.iter().map(IpAddr::to_string)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let words = |e: rcgen::Error| e.to_string();
    let mut params = CertificateParams::new(names).map_err(words)?;
    let name = COMPUTER.first().map_or("Aerial", String::as_str);
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = date_time_ymd(1970, 1, 1) + now.unwrap_or_default();
    // Clocks of viewers may be a little behind.
    params.not_before = now - Duration::from_secs(24 * 3600);
    params.not_after = params.not_before + GOOD_FOR;
    let key = KeyPair::generate().map_err(words)?;
    let certificate = params.self_signed(&key).map_err(words)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_can_be_read_and_what_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        let made = make(
            &["192.0.2.1".parse().unwrap()],
            &["live.example.org".into()],
        )
        .unwrap();
        fs::write(&certificate, &made.0).unwrap();
        fs::write(&key, &made.1).unwrap();
        let tls = Tls::read(&certificate, &key).unwrap();
        assert_eq!(tls.fingerprint().split(':').count(), 32);
        let error = |c: &Path, k: &Path| Tls::read(c, k).err().unwrap().to_string();
        assert!(error(&key, &key).contains("there is none in it"));
        assert!(error(&certificate, &certificate).contains("no private key"));
        assert!(error(&folder.path().join("x"), &key).contains("no such file"));
        let other = make(&[], &[]).unwrap();
        fs::write(&key, other.1).unwrap();
        assert!(
            Tls::read(&certificate, &key).is_err(),
            "a key of another one"
        );
    }
}
