//! May a server show the very certificate that `--cacert` names? What `openssl req -x509` makes is a CA's (CA:TRUE), so the
//! verification of chains refuses it as a server's; curl takes it, and so do we, when it is the same byte for byte.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};

/// Takes what `chains` takes, and the `named` certificates themselves.
#[derive(Debug)]
pub(super) struct Named {
    chains: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl Named {
    /// Trusts chains that end at `roots`, and the certificates that are `named`.
    ///
    /// # Errors
    /// There are no roots at all.
    pub(super) fn new(
        roots: RootCertStore,
        named: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        chains.map(|chains| Self { chains, named }).map_err(|error| error.to_string())
    }
}

/// Whether it was refused for nothing but that it is a CA's. Its dates are in order then: they are looked at first.
pub(super) fn is_a_ca(why: &CertificateError) -> bool {
    let CertificateError::Other(other) = why else { return false };
    other.0.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity)
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match &verified {
            Err(Error::InvalidCertificate(why)) if is_a_ca(why) && self.named.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            _ => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.chains.root_hint_subjects()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
    use rustls::crypto::ring;

    use super::*;

    /// As `openssl req -x509` makes it, good until the end of that year.
    fn own(is_ca: IsCa, last_year: i32) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.is_ca = is_ca;
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(last_year, 12, 31));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn ca(last_year: i32) -> CertificateDer<'static> {
        own(IsCa::Ca(BasicConstraints::Unconstrained), last_year)
    }

    /// What becomes of a server that shows `shown` as `name`, in 2026, where `--cacert` has `named`.
    fn shown(
        shown: &CertificateDer<'static>,
        name: &str,
        named: &CertificateDer<'static>,
    ) -> Result<(), CertificateError> {
        let mut roots = RootCertStore::empty();
        roots.add(named.clone()).unwrap();
        let verifier = Named::new(roots, vec![named.clone()], Arc::new(ring::default_provider())).unwrap();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_795_000_000));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        match verifier.verify_server_cert(shown, &[], &name, &[], now) {
            Ok(_) => Ok(()),
            Err(Error::InvalidCertificate(why)) => Err(why),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_certificate_that_is_named_itself_is_good_for_its_name() {
        let mine = ca(2040);
        assert_eq!(shown(&mine, "localhost", &mine), Ok(()));
        let wrong = shown(&mine, "example.org", &mine).unwrap_err();
        assert!(matches!(wrong, CertificateError::NotValidForNameContext { .. }), "{wrong:?}");
        // One that is no CA's needs none of this.
        let plain = own(IsCa::NoCa, 2040);
        assert_eq!(shown(&plain, "localhost", &plain), Ok(()));
    }

    #[test]
    fn one_that_is_not_named_or_not_good_any_more_is_refused() {
        let (mine, other) = (ca(2040), ca(2040));
        assert!(is_a_ca(&shown(&other, "localhost", &mine).unwrap_err()));
        let old = ca(2025);
        let expired = shown(&old, "localhost", &old).unwrap_err();
        assert!(matches!(expired, CertificateError::ExpiredContext { .. }), "{expired:?}");
    }
}
