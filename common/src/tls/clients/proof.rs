//! What a client has proved in its handshake, for somebody who was not there: its certificates, and the signature by the key
//! to the first of them. That the signature is of this very handshake cannot be seen from it.

use std::fmt;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{Error, SignatureScheme};

use super::super::certificates::{
    LONGEST_CERTIFICATE, MOST_LINKS, put_list, put_octets, take_list, take_octets,
};
use super::{ClientNames, Clients};
use crate::wire::{Malformed, Wire};

/// The longest proof, in octets. A client's own part of a handshake is at most a quarter of that.
pub const LONGEST_PROOF: usize = 128 << 10;
/// The longest signed message: in TLS 1.2 the handshake itself.
const LONGEST_MESSAGE: usize = 64 << 10;
/// The longest signature, by an RSA key of 16,384 bits.
const LONGEST_SIGNATURE: usize = 2 << 10;

/// Certificates of a client, and that it has the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The client's own first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) scheme: u16,
    pub(super) message: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// What is signed is no handshake.
    NoHandshake,
    /// The authorities do not stand for the certificate, as rustls says it.
    Certificate(String),
    /// The key is another one.
    Signature,
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unproven::NoHandshake => f.write_str("what the client signed is no handshake"),
            Unproven::Certificate(why) => f.write_str(why),
            Unproven::Signature => {
                f.write_str("the signature is not by the key to the certificate")
            }
        }
    }
}

/// What a client signs in TLS 1.3 (RFC 8446 §4.4.3): 64 blanks, this, and the hash of the handshake.
const BLANKS: [u8; 64] = [b' '; 64];
const CONTEXT: &[u8] = b"TLS 1.3, client CertificateVerify\0";
/// The messages that a client signs in TLS 1.2 (RFC 5246 §7.4.8): ClientHello, ServerHello, Certificate, ServerKeyExchange,
/// CertificateRequest, ServerHelloDone, Certificate, ClientKeyExchange.
const HANDSHAKE: [u8; 8] = [1, 2, 11, 12, 13, 14, 11, 16];

/// The version of TLS in whose handshake a message is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1_2,
    V1_3,
}

/// Recognises what a client signs. SECURITY: what the key signs elsewhere, such as mail, proves nothing here.
fn version(message: &[u8]) -> Option<Version> {
    let hash = message
        .strip_prefix(&BLANKS)
        .and_then(|rest| rest.strip_prefix(CONTEXT));
    if let Some(hash) = hash {
        return matches!(hash.len(), 32 | 48).then_some(Version::V1_3);
    }
    let mut rest = message;
    for expected in HANDSHAKE {
        let (&[kind, high, middle, low], body) = rest.split_first_chunk()?;
        let length = u32::from_be_bytes([0, high, middle, low]);
        let (_, behind) = body.split_at_checked(usize::try_from(length).ok()?)?;
        if kind != expected {
            return None;
        }
        rest = behind;
    }
    rest.is_empty().then_some(Version::V1_2)
}

impl Proof {
    /// The client's own certificate.
    pub fn certificate(&self) -> &[u8] {
        self.chain.first().map_or(&[], AsRef::as_ref)
    }

    /// Its octets, for who verifies it.
    pub fn encode(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        self.put(&mut octets);
        octets
    }

    /// Verifies all of it: the chain at this time, and the signature.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub fn verify(&self, clients: &Clients, now: UnixTime) -> Result<ClientNames, Unproven> {
        let version = version(&self.message).ok_or(Unproven::NoHandshake)?;
        let because = |error: Error| Unproven::Certificate(error.to_string());
        let (own, others) = self.chain.split_first().ok_or(Unproven::NoHandshake)?;
        let verified = clients.verifier.verify_client_cert(own, others, now);
        verified.map_err(because)?;
        self.verify_signature(own, version, clients)?;
        ClientNames::of(own)
            .ok_or_else(|| Unproven::Certificate("the certificate cannot be read".to_owned()))
    }

    fn verify_signature(
        &self,
        own: &CertificateDer<'_>,
        version: Version,
        clients: &Clients,
    ) -> Result<(), Unproven> {
        let scheme = SignatureScheme::from(self.scheme);
        let mut known = clients.algorithms.mapping.iter();
        let algorithms = known
            .find(|(known, _)| *known == scheme)
            .map(|(_, algorithms)| *algorithms)
            .ok_or(Unproven::Signature)?;
        // In TLS 1.3 the scheme names the curve, which is the first, and PKCS #1 v1.5 is gone (RFC 8446 §4.2.3).
        let algorithms = match version {
            Version::V1_2 => algorithms,
            Version::V1_3 if is_old(scheme) => &[],
            Version::V1_3 => &algorithms[..algorithms.len().min(1)],
        };
        let own = webpki::EndEntityCert::try_from(own).map_err(|_| Unproven::Signature)?;
        let by = |algorithm: &&dyn rustls::pki_types::SignatureVerificationAlgorithm| {
            let verified = own.verify_signature(*algorithm, &self.message, &self.signature);
            verified.is_ok()
        };
        algorithms
            .iter()
            .any(by)
            .then_some(())
            .ok_or(Unproven::Signature)
    }
}

fn is_old(scheme: SignatureScheme) -> bool {
    matches!(
        scheme,
        SignatureScheme::RSA_PKCS1_SHA256
            | SignatureScheme::RSA_PKCS1_SHA384
            | SignatureScheme::RSA_PKCS1_SHA512
    )
}

impl Wire for Proof {
    fn put(&self, out: &mut Vec<u8>) {
        put_list(&self.chain, out, |one, out| put_octets(one, out));
        self.scheme.put(out);
        put_octets(&self.message, out);
        put_octets(&self.signature, out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        Ok(Proof {
            chain: take_list(input, MOST_LINKS, |input| {
                take_octets(input, LONGEST_CERTIFICATE).map(CertificateDer::from)
            })?,
            scheme: Wire::take(input)?,
            message: take_octets(input, LONGEST_MESSAGE)?,
            signature: take_octets(input, LONGEST_SIGNATURE)?,
        })
    }
}
