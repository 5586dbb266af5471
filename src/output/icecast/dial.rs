// SPDX-License-Identifier: GPL-3.0-or-later
//! Connections to a server, plain or encrypted.

use std::{fmt, io, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore,
        SignatureScheme,
        client::{
            WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime},
    },
};

use super::target::host_and_port;
use crate::error::OutputError;

/// How long making the connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long agreeing on encryption may take, of that.
const HANDSHAKE: Duration = Duration::from_secs(6);
/// What may wait in the system for the network to take it. Small, so that what was written was sent: the system would
/// otherwise take seconds of sound from us that no server has seen.
const UNSENT: u32 = 32 << 10;

/// Both directions of a connection.
pub(super) trait Link: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Link for T {}

/// Knows the way to one server. Clones are the same.
#[derive(Clone)]
pub(in crate::output) struct Dialer {
    host: String,
    port: u16,
    tls: Option<Tls>,
}

#[derive(Clone)]
struct Tls {
    config: Arc<ClientConfig>,
    judge: Arc<Judge>,
}

impl Dialer {
    /// Encrypted if `tls`. Reads this computer's list of trusted certificates, which blocks for a moment.
    pub(super) fn new(host: &str, port: u16, tls: bool, fingerprint: Option<&str>) -> Dialer {
        Dialer {
            host: host.to_string(),
            port,
            tls: tls.then(|| Tls::new(fingerprint)),
        }
    }

    /// Host and port.
    pub(in crate::output) fn name(&self) -> String {
        host_and_port(&self.host, self.port)
    }

    /// Connect.
    pub(super) async fn dial(&self) -> Result<Box<dyn Link>, OutputError> {
        let unreachable = |why: &str| OutputError::Unreachable {
            host: self.name(),
            why: why.into(),
        };
        match tokio::time::timeout(CONNECT, self.connect()).await {
            Ok(link) => link,
            Err(_) => Err(unreachable("it does not answer")),
        }
    }

    async fn connect(&self) -> Result<Box<dyn Link>, OutputError> {
        let unreachable = |why: &str| OutputError::Unreachable {
            host: self.name(),
            why: why.into(),
        };
        let found = lookup_host((self.host.as_str(), self.port)).await;
        let found: Vec<_> = found
            .map_err(|_| unreachable("there is no such host"))?
            .collect();
        let socket = TcpStream::connect(&found[..]).await.map_err(|e| {
            use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, TimedOut};
            let known = [
                (ConnectionRefused, "nobody answers there"),
                (HostUnreachable, "the network has no way there"),
                (NetworkUnreachable, "the network has no way there"),
                (TimedOut, "it does not answer"),
            ];
            let row = known.iter().find(|(kind, _)| *kind == e.kind());
            unreachable(row.map_or(e.to_string().as_str(), |(_, words)| words))
        })?;
        // What the system refuses only makes "live" a little less true.
        let _ = socket.set_nodelay(true);
        let _ = socket2::SockRef::from(&socket).set_tcp_notsent_lowat(UNSENT);
        match &self.tls {
            None => Ok(Box::new(socket)),
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone())
                    .map_err(|_| unreachable("there is no such host"))?;
                let connector = TlsConnector::from(tls.config.clone());
                // A server that knows no TLS mostly says nothing, for it waits for the end of a request.
                match tokio::time::timeout(HANDSHAKE, connector.connect(name, socket)).await {
                    Ok(Ok(link)) => Ok(Box::new(link)),
                    Ok(Err(e)) => Err(self.refused(tls, &e)),
                    Err(_) => Err(unreachable("it does not answer over TLS")),
                }
            }
        }
    }

    /// Why there is no encrypted connection.
    fn refused(&self, tls: &Tls, e: &io::Error) -> OutputError {
        let host = self.name();
        let inner = e.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::InvalidCertificate(why)) => OutputError::Untrusted {
                host,
                why: words(why),
                fingerprint: tls.judge.seen.lock().clone(),
            },
            Some(rustls::Error::InvalidMessage(_)) => OutputError::Unreachable {
                host,
                why: "it speaks no TLS there".into(),
            },
            Some(other) => OutputError::Unreachable {
                host,
                why: other.to_string(),
            },
            None => OutputError::Unreachable {
                host,
                why: "it closed the connection".into(),
            },
        }
    }
}

impl Tls {
    fn new(fingerprint: Option<&str>) -> Tls {
        let provider = Arc::new(ring::default_provider());
        let judge = Arc::new(Judge {
            usual: match fingerprint {
                Some(_) => None,
                None => usual(provider.clone()),
            },
            pin: fingerprint.map(str::to_string),
            seen: Mutex::default(),
            algorithms: provider.signature_verification_algorithms,
        });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows the usual versions")
            .dangerous()
            .with_custom_certificate_verifier(judge.clone())
            .with_no_client_auth();
        Tls {
            config: Arc::new(config),
            judge,
        }
    }
}

/// As a browser would judge, by the certificates that this computer trusts; `None` if there are none.
fn usual(provider: Arc<rustls::crypto::CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .ok()
}

/// Judges a server's certificate: in the usual way, or by its fingerprint alone. A fingerprint rather than a file of
/// authorities, because what Icecast's manual has people make signs itself: it is no authority, and the usual way
/// refuses it even from a list of authorities.
struct Judge {
    usual: Option<Arc<WebPkiServerVerifier>>,
    pin: Option<String>,
    /// Fingerprint of the last certificate judged, to be told when it is refused.
    seen: Mutex<String>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seen = glib::compute_checksum_for_data(glib::ChecksumType::Sha256, certificate)
            .map(String::from)
            .unwrap_or_default();
        *self.seen.lock() = seen.clone();
        match (&self.pin, &self.usual) {
            (Some(pin), _) if *pin == seen => Ok(ServerCertVerified::assertion()),
            (Some(_), _) => Err(CertificateError::ApplicationVerificationFailure.into()),
            (None, Some(usual)) => usual.verify_server_cert(certificate, others, name, ocsp, now),
            (None, None) => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// rustls' reasons in plain words.
fn words(why: &CertificateError) -> String {
    use CertificateError as E;
    if matches!(why, E::ApplicationVerificationFailure) {
        "it is not the one with the fingerprint that was given".into()
    } else if matches!(why, E::Expired | E::ExpiredContext { .. }) {
        "it has expired".into()
    } else if matches!(why, E::NotValidForName | E::NotValidForNameContext { .. }) {
        "it was made for another name".into()
    } else if matches!(why, E::UnknownIssuer) {
        "nobody whom this computer trusts has signed it".into()
    } else {
        // A self-signed certificate that calls itself an authority, mostly.
        why.to_string().trim_end_matches('.').to_string()
    }
}
