//! Looks on while a handshake proves who the client is, and keeps the proof.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::super::certificates::MOST_LINKS;
use super::{Clients, Proof};

/// Where the proof of the last handshake is.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Mutex<Option<Proof>>>);

impl Kept {
    /// Takes it.
    pub fn take(&self) -> Option<Proof> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Proof>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Verifies as [`Clients`] do, and keeps what they were shown.
#[derive(Debug)]
pub struct Witness {
    inner: Arc<dyn ClientCertVerifier>,
    /// What was shown, until it is proved.
    shown: Mutex<Vec<CertificateDer<'static>>>,
    kept: Kept,
}

impl Witness {
    /// Looks on for one session.
    pub fn new(clients: &Clients, kept: Kept) -> Witness {
        Witness {
            inner: Arc::clone(&clients.verifier),
            shown: Mutex::new(Vec::new()),
            kept,
        }
    }

    fn keep(&self, message: &[u8], signed: &DigitallySignedStruct) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *self.kept.lock() = Some(Proof {
            chain: std::mem::take(&mut *shown),
            scheme: signed.scheme.into(),
            message: message.to_vec(),
            signature: signed.signature().to_vec(),
        });
    }
}

impl ClientCertVerifier for Witness {
    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(own, others, now)?;
        let all = std::iter::once(own).chain(others);
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = all
            .take(MOST_LINKS)
            .map(|one| one.clone().into_owned())
            .collect();
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = self.inner.verify_tls12_signature(message, own, signed)?;
        self.keep(message, signed);
        Ok(valid)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = self.inner.verify_tls13_signature(message, own, signed)?;
        self.keep(message, signed);
        Ok(valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
