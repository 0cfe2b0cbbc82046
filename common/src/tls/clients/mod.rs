//! Certificates of clients: whom the authorities of the configuration have certified, and what a client has to prove.
//! Whoever is to believe a proof verifies it for itself.

mod names;
mod proof;
mod witness;

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

pub use self::names::ClientNames;
pub use self::proof::{LONGEST_PROOF, Proof, Unproven};
pub use self::witness::{Kept, Witness};
use super::certificates::{LONGEST_CERTIFICATE, put_list, put_octets, take_list, take_octets};
use crate::wire::{Malformed, Wire};

/// The most authorities, and the most lists of what they have revoked.
pub(super) const MOST_AUTHORITIES: usize = 256;
pub(super) const MOST_REVOCATIONS: usize = 64;
/// The longest list of what an authority has revoked, in octets.
pub(super) const LONGEST_REVOCATIONS: usize = 8 << 20;

/// Whose certificates clients may show, as it stands in the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    pub authorities: Vec<CertificateDer<'static>>,
    pub revocations: Vec<Revocations>,
    /// There is no TLS without a certificate.
    pub mandatory: bool,
}

/// What an authority has revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocations {
    pub list: CertificateRevocationListDer<'static>,
    /// The second, since 1970, in which the next list is due; none if it does not say.
    pub next: Option<i64>,
}

impl Wire for Trust {
    fn put(&self, out: &mut Vec<u8>) {
        let octets: Vec<_> = self.authorities.iter().map(|one| one.to_vec()).collect();
        put_list(&octets, out, |one, out| put_octets(one, out));
        put_list(&self.revocations, out, |one, out| {
            put_octets(&one.list, out);
            one.next.put(out);
        });
        self.mandatory.put(out);
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        Ok(Trust {
            authorities: take_list(input, MOST_AUTHORITIES, |input| {
                take_octets(input, LONGEST_CERTIFICATE).map(CertificateDer::from)
            })?,
            revocations: take_list(input, MOST_REVOCATIONS, |input| {
                Ok(Revocations {
                    list: take_octets(input, LONGEST_REVOCATIONS)?.into(),
                    next: Wire::take(input)?,
                })
            })?,
            mandatory: Wire::take(input)?,
        })
    }
}

/// Tells which certificates are those of clients.
#[derive(Clone, Debug)]
pub struct Clients {
    verifier: Arc<dyn ClientCertVerifier>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Clients {
    /// Takes the authorities and what they have revoked.
    ///
    /// SECURITY: with any list of revocations a certificate is refused of which none that is valid now tells, and so is one
    /// whose issuer's issuers have none.
    ///
    /// # Errors
    /// What cannot be used of it, as a sentence.
    pub fn new(trust: &Trust) -> Result<Clients, String> {
        let mut roots = RootCertStore::empty();
        for (number, authority) in (1..).zip(&trust.authorities) {
            let added = roots.add(authority.clone());
            added.map_err(|error| format!("authority {number} cannot be used: {error}"))?;
        }
        let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let lists = trust.revocations.iter().map(|one| one.list.clone());
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .with_crls(lists)
            .enforce_revocation_expiration();
        let builder = match trust.mandatory {
            true => builder,
            false => builder.allow_unauthenticated(),
        };
        let verifier = builder.build().map_err(|error| error.to_string())?;
        Ok(Clients {
            verifier,
            algorithms,
        })
    }
}

#[cfg(test)]
mod tests;
