//! The public part of what TLS is offered with: what the signer tells the listener, and the sessions inherit.

use rustls::pki_types::CertificateDer;
use rustls::{SignatureAlgorithm, SignatureScheme};

use super::clients::Trust;
use crate::wire::{Malformed, Wire};

/// The most certificate chains of a server.
pub(super) const MOST_CHAINS: usize = 64;
/// The most certificates of a chain.
pub(super) const MOST_LINKS: usize = 10;
/// The longest certificate, in octets.
pub(super) const LONGEST_CERTIFICATE: usize = 32 << 10;
/// The most names of a certificate, and the longest of them.
pub(super) const MOST_NAMES: usize = 256;
const LONGEST_NAME: usize = 255;

/// The certificates that are offered. The keys to them are the signer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// Which of those that one server had, counted from its start: a signer has the keys to its own only.
    pub generation: u32,
    /// The first is for clients that ask for none of the names.
    pub chains: Vec<Chain>,
    /// Whose certificates clients may show, if they are asked for any.
    pub trust: Option<Trust>,
}

/// A certificate with its issuers, and what is needed to choose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The server's own certificate first.
    pub certificates: Vec<CertificateDer<'static>>,
    pub key: KeyKind,
    /// The names of hosts that it is for, in lower case; the first label may be `*`.
    pub names: Vec<String>,
    /// The last second in which it is valid, since 1970.
    pub not_after: i64,
}

/// What kind of key a certificate has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    EcdsaP256,
    EcdsaP384,
    EcdsaP521,
    Ed25519,
    Rsa,
}

impl KeyKind {
    pub(super) const ALL: [KeyKind; 5] = [
        KeyKind::EcdsaP256,
        KeyKind::EcdsaP384,
        KeyKind::EcdsaP521,
        KeyKind::Ed25519,
        KeyKind::Rsa,
    ];

    /// The schemes that such a key signs by, the best first.
    pub fn schemes(self) -> &'static [SignatureScheme] {
        match self {
            KeyKind::EcdsaP256 => &[SignatureScheme::ECDSA_NISTP256_SHA256],
            KeyKind::EcdsaP384 => &[SignatureScheme::ECDSA_NISTP384_SHA384],
            KeyKind::EcdsaP521 => &[SignatureScheme::ECDSA_NISTP521_SHA512],
            KeyKind::Ed25519 => &[SignatureScheme::ED25519],
            // SHA-256 is as good as the longer ones here, and the fastest.
            KeyKind::Rsa => &[
                SignatureScheme::RSA_PSS_SHA256,
                SignatureScheme::RSA_PSS_SHA384,
                SignatureScheme::RSA_PSS_SHA512,
                SignatureScheme::RSA_PKCS1_SHA256,
                SignatureScheme::RSA_PKCS1_SHA384,
                SignatureScheme::RSA_PKCS1_SHA512,
            ],
        }
    }

    pub fn algorithm(self) -> SignatureAlgorithm {
        match self {
            KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::EcdsaP521 => {
                SignatureAlgorithm::ECDSA
            }
            KeyKind::Ed25519 => SignatureAlgorithm::ED25519,
            KeyKind::Rsa => SignatureAlgorithm::RSA,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            KeyKind::EcdsaP256 => "ECDSA P-256",
            KeyKind::EcdsaP384 => "ECDSA P-384",
            KeyKind::EcdsaP521 => "ECDSA P-521",
            KeyKind::Ed25519 => "Ed25519",
            KeyKind::Rsa => "RSA",
        }
    }
}

impl Chain {
    /// Whether the certificate is for a host, whose name is in lower case (RFC 9525 §6.3: `*` is one whole label).
    pub fn is_for(&self, host: &str) -> bool {
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            None => name == host,
            Some(domain) => host
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest == domain),
        })
    }

    /// Whole days for which it is still valid at a time; negative once it has expired.
    pub fn days_left(&self, now: i64) -> i64 {
        self.not_after.saturating_sub(now).div_euclid(24 * 3600)
    }
}

impl Wire for Certificates {
    fn put(&self, out: &mut Vec<u8>) {
        self.generation.put(out);
        put_list(&self.chains, out, Chain::put);
        self.trust.put(out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        Ok(Certificates {
            generation: Wire::take(input)?,
            chains: take_list(input, MOST_CHAINS, Chain::take)?,
            trust: Wire::take(input)?,
        })
    }
}

impl Wire for Chain {
    fn put(&self, out: &mut Vec<u8>) {
        put_list(&self.certificates, out, |one, out| put_octets(one, out));
        self.key.put(out);
        put_list(&self.names, out, |name, out| {
            put_octets(name.as_bytes(), out)
        });
        self.not_after.put(out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let octets = |input: &mut &[u8]| take_octets(input, LONGEST_CERTIFICATE);
        let name = |input: &mut &[u8]| {
            String::from_utf8(take_octets(input, LONGEST_NAME)?).map_err(|_| Malformed)
        };
        Ok(Chain {
            certificates: take_list(input, MOST_LINKS, |input| {
                octets(input).map(CertificateDer::from)
            })?,
            key: Wire::take(input)?,
            names: take_list(input, MOST_NAMES, name)?,
            not_after: Wire::take(input)?,
        })
    }
}

impl Wire for KeyKind {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self {
            KeyKind::EcdsaP256 => 1,
            KeyKind::EcdsaP384 => 2,
            KeyKind::EcdsaP521 => 3,
            KeyKind::Ed25519 => 4,
            KeyKind::Rsa => 5,
        });
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let index = usize::from(u8::take(input)?).checked_sub(1);
        let kind = index.and_then(|index| KeyKind::ALL.get(index));
        kind.copied().ok_or(Malformed)
    }
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    // Every caller's bound is far below.
    u32::try_from(count).unwrap_or(u32::MAX).put(out);
}

pub(super) fn put_octets(octets: &[u8], out: &mut Vec<u8>) {
    put_count(octets.len(), out);
    out.extend_from_slice(octets);
}

pub(super) fn put_list<T>(list: &[T], out: &mut Vec<u8>, put: impl Fn(&T, &mut Vec<u8>)) {
    put_count(list.len(), out);
    list.iter().for_each(|item| put(item, out));
}

fn take_count(input: &mut &[u8], most: usize) -> Result<usize, Malformed> {
    let count = usize::try_from(u32::take(input)?).map_err(|_| Malformed)?;
    (count <= most).then_some(count).ok_or(Malformed)
}

pub(super) fn take_octets(input: &mut &[u8], most: usize) -> Result<Vec<u8>, Malformed> {
    let count = take_count(input, most)?;
    let (head, tail) = input.split_at_checked(count).ok_or(Malformed)?;
    *input = tail;
    Ok(head.to_vec())
}

pub(super) fn take_list<T>(
    input: &mut &[u8],
    most: usize,
    mut take: impl FnMut(&mut &[u8]) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = take_count(input, most)?;
    (0..count).map(|_| take(input)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::clients::Revocations;
    use super::*;
    use crate::wire::decode;
    use proptest::prelude::*;

    fn chain(names: &[&str]) -> Chain {
        Chain {
            certificates: vec![vec![0x30, 0].into(), vec![0x30, 1, 2].into()],
            key: KeyKind::Rsa,
            names: names.iter().map(|&name| name.to_owned()).collect(),
            not_after: 86_400 * 30,
        }
    }

    #[test]
    fn certificates_round_trip() {
        let certificates = Certificates {
            generation: 7,
            chains: vec![chain(&["a.example", "*.b.example"]), chain(&[])],
            trust: Some(Trust {
                authorities: vec![vec![0x30, 0].into()],
                revocations: vec![Revocations {
                    list: vec![0x30, 0].into(),
                    next: Some(1),
                }],
                mandatory: true,
            }),
        };
        let mut out = Vec::new();
        certificates.put(&mut out);
        assert_eq!(decode(&out), Ok(certificates));
        for kind in KeyKind::ALL {
            let mut out = Vec::new();
            kind.put(&mut out);
            assert_eq!(decode(&out), Ok(kind));
        }
    }

    #[test]
    fn a_star_is_one_whole_label() {
        let chain = chain(&["ftp.example", "*.b.example"]);
        for host in ["ftp.example", "x.b.example"] {
            assert!(chain.is_for(host), "{host}");
        }
        for host in [
            "example",
            "b.example",
            "x.y.b.example",
            ".b.example",
            "xb.example",
        ] {
            assert!(!chain.is_for(host), "{host}");
        }
    }

    #[test]
    fn days_are_whole_ones() {
        let chain = chain(&[]);
        assert_eq!(chain.days_left(0), 30);
        assert_eq!(chain.days_left(1), 29);
        assert_eq!(chain.days_left(86_400 * 30 + 1), -1);
    }

    proptest! {
        #[test]
        fn any_octets_decode_totally(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode::<Certificates>(&octets).is_ok();
        }
    }
}
