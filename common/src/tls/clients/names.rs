//! What a certificate calls its client, and whether that is an account. Parses what a client sends: never in a process that
//! could do anything with it.

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::digest::Algorithm;
use crate::settings::{CertificateNames, CertificateRule, Fingerprint};
use crate::wire::{Malformed, Octets, Wire};

/// The most names of a kind that count, and the longest of them in octets: no account has a longer one.
const MOST_NAMES: usize = 16;
const LONGEST_NAME: usize = 255;

type Name = Octets<LONGEST_NAME>;

/// Who a certificate says that a client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientNames {
    pub fingerprint: Fingerprint,
    common: Vec<Name>,
    emails: Vec<Name>,
    hosts: Vec<Name>,
}

impl ClientNames {
    /// Reads the names of a certificate that has been verified.
    pub fn of(certificate: &[u8]) -> Option<ClientNames> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let subject = parsed.subject();
        let mut common: Vec<Name> = subject
            .iter_common_name()
            .filter_map(|name| name.as_str().ok().and_then(plain))
            .collect();
        // SECURITY: which of several an authority has looked at, nobody knows.
        if subject.iter_common_name().count() != 1 {
            common.clear();
        }
        let (mut emails, mut hosts) = (Vec::new(), Vec::new());
        if let Ok(Some(extension)) = parsed.subject_alternative_name() {
            for name in &extension.value.general_names {
                match name {
                    GeneralName::RFC822Name(name) => emails.extend(plain(name)),
                    GeneralName::DNSName(name) => hosts.extend(plain(name)),
                    _ => {}
                }
            }
        }
        emails.truncate(MOST_NAMES);
        hosts.truncate(MOST_NAMES);
        Some(ClientNames {
            fingerprint: Fingerprint::new(&Algorithm::Sha256.digest(certificate))?,
            common,
            emails,
            hosts,
        })
    }

    /// Whether the certificate is one of the account's.
    pub fn belong_to(&self, account: &[u8], rule: &CertificateRule) -> bool {
        if !rule.fingerprints.is_empty() {
            return rule.fingerprints.contains(&self.fingerprint);
        }
        let CertificateNames { common, email, dns } = rule.names;
        let is = |name: &Name| name.as_slice() == account;
        // Neither hosts nor, in practice, mail addresses have a case (RFC 4343).
        let is_in_any_case = |name: &Name| name.as_slice().eq_ignore_ascii_case(account);
        common && self.common.iter().any(is)
            || email && self.emails.iter().any(is_in_any_case)
            || dns && self.hosts.iter().any(is_in_any_case)
    }
}

/// A name that could be an account's. SECURITY: a NUL or a control character is somebody's attempt to be taken for another.
fn plain(name: &str) -> Option<Name> {
    let fits = !name.is_empty() && !name.chars().any(char::is_control);
    fits.then(|| Octets::new(name.as_bytes())).flatten()
}

impl Wire for ClientNames {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.fingerprint.0);
        for names in [&self.common, &self.emails, &self.hosts] {
            u8::try_from(names.len()).unwrap_or(u8::MAX).put(out);
            names.iter().for_each(|name| name.put(out));
        }
    }
    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let (fingerprint, rest) = input.split_first_chunk().ok_or(Malformed)?;
        let fingerprint = Fingerprint(*fingerprint);
        *input = rest;
        let mut names = || {
            let count = usize::from(u8::take(input)?);
            if count > MOST_NAMES {
                return Err(Malformed);
            }
            (0..count).map(|_| Name::take(input)).collect()
        };
        Ok(ClientNames {
            fingerprint,
            common: names()?,
            emails: names()?,
            hosts: names()?,
        })
    }
}
