//! Whom is trusted? The client's side of TLS.

use std::io;
use std::path::Path;
use std::sync::Arc;

use load_core::error::UsageError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// The configuration of all connections of a process; sessions are resumed. `protocols` are offered by ALPN
/// (RFC 7301).
///
/// # Errors
/// A certificate file that is not one.
pub fn client_config(
    cacert: Option<&Path>,
    insecure: bool,
    protocols: &[&[u8]],
) -> Result<Arc<ClientConfig>, UsageError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| UsageError::new(format!("TLS: {error}")))?;
    let mut config = if insecure {
        let anyone = Arc::new(Anyone(provider));
        builder.dangerous().with_custom_certificate_verifier(anyone).with_no_client_auth()
    } else {
        builder.with_root_certificates(roots(cacert)?).with_no_client_auth()
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// Mozilla's certificates, those of this machine, and those in `cacert`.
fn roots(cacert: Option<&Path>) -> Result<RootCertStore, UsageError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    // A machine without a store of its own is in order.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = cacert {
        let wrong = |why: String| UsageError::new(format!("--cacert {}: {why}", file.display()));
        let certificates = CertificateDer::pem_file_iter(file).map_err(|error| wrong(error.to_string()))?;
        let before = roots.len();
        for certificate in certificates {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
        if roots.len() == before {
            return Err(wrong("no certificate in it; expected PEM".into()));
        }
    }
    Ok(roots)
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
        other => format!("TLS handshake: {other}"),
    }
}

fn reason(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => "unknown issuer".into(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "not valid yet".into(),
        CertificateError::NotValidForName => "wrong name".into(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("wrong name: it is for {}, not for {}", presented.join(", "), expected.to_str())
        }
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
