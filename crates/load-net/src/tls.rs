//! Whom is trusted? The client's side of TLS.

mod named;

use std::io;
use std::path::Path;
use std::sync::Arc;

use load_core::error::UsageError;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use self::named::Named;

/// What a client brings to the handshake.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings<'a> {
    /// A PEM file with more certificates to trust.
    pub cacert: Option<&'a Path>,
    /// Any certificate is good.
    pub insecure: bool,
    /// PEM files with the client's own certificate, its chain behind it, and its key.
    pub identity: Option<(&'a Path, &'a Path)>,
    /// No session is taken up again: every handshake is a full one.
    pub always_full: bool,
}

/// The configuration of all connections of a process; sessions are resumed. `protocols` are offered by ALPN
/// (RFC 7301).
///
/// # Errors
/// A certificate or key file that is not one.
pub fn client_config(settings: &Settings<'_>, protocols: &[&[u8]]) -> Result<Arc<ClientConfig>, UsageError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| UsageError::new(format!("TLS: {error}")))?;
    let builder = match settings.cacert {
        _ if settings.insecure => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        }
        None => builder.with_root_certificates(roots()),
        Some(file) => builder.dangerous().with_custom_certificate_verifier(Arc::new(named(file, provider)?)),
    };
    let mut config = match settings.identity {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let chain = certificates("--cert", cert)?;
            let wrong = |why: rustls::pki_types::pem::Error| {
                UsageError::new(format!("--key {}: {}", key.display(), key_trouble(&why)))
            };
            let private = PrivateKeyDer::from_pem_file(key).map_err(wrong)?;
            builder.with_client_auth_cert(chain, private).map_err(|error| {
                UsageError::new(format!("--cert {} with --key {}: {error}", cert.display(), key.display()))
            })?
        }
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    if settings.always_full {
        config.resumption = Resumption::disabled();
    }
    Ok(Arc::new(config))
}

/// Never with what is in the file.
fn key_trouble(why: &rustls::pki_types::pem::Error) -> String {
    match why {
        rustls::pki_types::pem::Error::Io(error) => error.to_string(),
        rustls::pki_types::pem::Error::NoItemsFound => {
            "no private key in it; expected PEM, not encrypted".into()
        }
        _ => "not PEM; expected a private key, not encrypted".into(),
    }
}

/// The certificates in `file`, which `flag` names; at least one.
fn certificates(flag: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, UsageError> {
    let wrong = |why: String| UsageError::new(format!("{flag} {}: {why}", file.display()));
    let all = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(error.to_string()))?;
    if all.is_empty() {
        return Err(wrong("no certificate in it; expected PEM".into()));
    }
    Ok(all)
}

/// Mozilla's certificates and those of this machine.
fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    // A machine without a store of its own is in order.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// These, and the certificates in `file`.
fn named(file: &Path, provider: Arc<CryptoProvider>) -> Result<Named, UsageError> {
    let wrong = |error: String| UsageError::new(format!("--cacert {}: {error}", file.display()));
    let (mut roots, named) = (roots(), certificates("--cacert", file)?);
    for certificate in &named {
        roots.add(certificate.clone()).map_err(|error| wrong(error.to_string()))?;
    }
    Named::new(roots, named, provider).map_err(wrong)
}

/// The fault of TLS behind an I/O error, if it was one.
pub fn cause(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What went wrong in a handshake, and what to do about it, in one line.
pub fn explain(error: &io::Error) -> String {
    const TRUST: &str = "--cacert FILE trusts your own CA, --insecure turns verification off";
    let Some(error) = cause(error) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                "the server closed the connection during the TLS handshake".into()
            }
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no answer to the TLS handshake".into(),
            _ => format!("TLS handshake: {error}"),
        };
    };
    match error {
        rustls::Error::InvalidCertificate(why) => format!("bad certificate: {}; {TRUST}", reason(why)),
        rustls::Error::InvalidMessage(_) => {
            "the server does not speak TLS on this port; is it http://?".into()
        }
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            "the server does not speak the version of HTTP that it was offered (ALPN); --http2 offers HTTP/2"
                .into()
        }
        other => format!("TLS handshake: {other}"),
    }
}

fn reason(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => "unknown issuer".into(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "not valid yet".into(),
        CertificateError::NotValidForName => "wrong name".into(),
        CertificateError::NotValidForNameContext { expected, presented } if presented.is_empty() => {
            format!("wrong name: it has no subjectAltName, expected one for {}", expected.to_str())
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("wrong name: it is for {}, not for {}", presented.join(", "), expected.to_str())
        }
        ca if named::is_a_ca(ca) => "self-signed, and not the one that is trusted".into(),
        other => other.to_string(),
    }
}

/// Takes any certificate; only that the server holds its key is still checked.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
