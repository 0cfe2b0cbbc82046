//! Reads the files of certificates and keys, as root and before anything is given up, and refuses what does not fit
//! together, with a sentence. Only the signer does this.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use x509_parser::prelude::{CertificateRevocationList, FromDer, GeneralName, X509Certificate};
use zeroize::Zeroizing;

use super::certificates::{
    Certificates, Chain, KeyKind, LONGEST_CERTIFICATE, MOST_CHAINS, MOST_LINKS, MOST_NAMES,
};
use super::clients::{
    Clients, LONGEST_REVOCATIONS, MOST_AUTHORITIES, MOST_REVOCATIONS, Revocations, Trust,
};
use crate::settings::{ClientCertificate, ClientTrust, Tls};

/// The longest file of a certificate chain or a key, in octets.
const LONGEST_FILE: u64 = 1 << 20;
/// What DER begins with here, and PEM does not.
const SEQUENCE: u8 = 0x30;

/// Certificates with the keys to them, in the same order.
pub(super) struct Loaded {
    pub(super) certificates: Certificates,
    pub(super) keys: Vec<Arc<dyn SigningKey>>,
}

/// Reads all pairs. What is wrong with one of them is wrong with all.
pub(super) fn load(settings: &Tls, generation: u32) -> Result<Loaded, String> {
    if settings.certificates.len() > MOST_CHAINS {
        return Err(format!("there are more than {MOST_CHAINS} certificates"));
    }
    let mut chains = Vec::new();
    let mut keys = Vec::new();
    for (certificate, key) in settings.pairs() {
        let (chain, key) = pair(certificate, key)?;
        chains.push(chain);
        keys.push(key);
    }
    Ok(Loaded {
        certificates: Certificates {
            generation,
            chains,
            trust: trust(&settings.clients)?,
        },
        keys,
    })
}

/// Whose certificates clients may show.
fn trust(settings: &ClientTrust) -> Result<Option<Trust>, String> {
    if settings.asked == ClientCertificate::Off {
        return Ok(None);
    }
    let mut trust = Trust {
        authorities: Vec::new(),
        revocations: Vec::new(),
        mandatory: settings.asked == ClientCertificate::Required,
    };
    for path in &settings.authorities {
        let found = authorities(path).map_err(named("ClientCA"))?;
        trust.authorities.extend(found);
    }
    for path in &settings.revocations {
        let found = revocations(path).map_err(named("ClientCRL"))?;
        trust.revocations.extend(found);
    }
    if trust.authorities.len() > MOST_AUTHORITIES || trust.revocations.len() > MOST_REVOCATIONS {
        return Err(format!(
            "there are more than {MOST_AUTHORITIES} authorities or {MOST_REVOCATIONS} lists of revocations"
        ));
    }
    Clients::new(&trust).map_err(|why| format!("ClientCA: {why}"))?;
    Ok(Some(trust))
}

/// Says which setting a file is from that something is wrong with.
pub(super) fn named(key: &str) -> impl Fn(String) -> String {
    move |why| format!("{why}; {key} names the file")
}

/// The certificates of authorities in a file.
pub(super) fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |text: &str| format!("{}: {text}", path.display());
    let (_, octets) = read(path, LONGEST_FILE)?;
    let all: Vec<_> = CertificateDer::pem_slice_iter(&octets)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(&format!("it is not PEM: {error}")))?;
    if all.is_empty() {
        return Err(wrong("it holds no certificate"));
    }
    if all
        .iter()
        .any(|one: &CertificateDer<'_>| one.len() > LONGEST_CERTIFICATE)
    {
        return Err(wrong("a certificate in it is too long"));
    }
    Ok(all)
}

/// The lists in a file: PEM, or one in DER, as authorities publish them.
fn revocations(path: &Path) -> Result<Vec<Revocations>, String> {
    let wrong = |text: &str| format!("{}: {text}", path.display());
    let (_, octets) = read(path, LONGEST_REVOCATIONS as u64)?;
    let lists: Vec<CertificateRevocationListDer<'static>> = match octets.first() {
        Some(&SEQUENCE) => vec![octets.to_vec().into()],
        _ => CertificateRevocationListDer::pem_slice_iter(&octets)
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(&format!("it is neither PEM nor DER: {error}")))?,
    };
    if lists.is_empty() {
        return Err(wrong("it holds no revocation list"));
    }
    let usable = |list: CertificateRevocationListDer<'static>| {
        webpki::OwnedCertRevocationList::from_der(&list).map_err(|error| {
            wrong(&format!(
                "it is no revocation list that can be used: {error}"
            ))
        })?;
        let next = CertificateRevocationList::from_der(&list)
            .ok()
            .and_then(|(_, parsed)| parsed.next_update().map(|next| next.timestamp()));
        Ok(Revocations { list, next })
    };
    lists.into_iter().map(usable).collect()
}

fn pair(certificate: &Path, key: &Path) -> Result<(Chain, Arc<dyn SigningKey>), String> {
    let mut chain = chain(certificate).map_err(named("Certificate"))?;
    let signing = private_key(key).map_err(named("CertificateKey"))?;
    let fits = CertifiedKey::new(chain.certificates.clone(), Arc::clone(&signing)).keys_match();
    if fits.is_err() {
        return Err(format!(
            "the key in {} does not fit the certificate in {}",
            key.display(),
            certificate.display()
        ));
    }
    let kind = kind(signing.as_ref());
    chain.key = kind.ok_or_else(|| {
        format!(
            "{}: the key is none of ECDSA P-256, P-384 and P-521, Ed25519 and RSA",
            key.display()
        )
    })?;
    Ok((chain, signing))
}

/// The chain in a file. What kind of key it has is not known yet.
fn chain(path: &Path) -> Result<Chain, String> {
    let wrong = |text: String| format!("{}: {text}", path.display());
    let (_, octets) = read(path, LONGEST_FILE)?;
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&octets)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(format!("it is not PEM: {error}")))?;
    if certificates.len() > MOST_LINKS {
        return Err(wrong(format!(
            "it holds more than {MOST_LINKS} certificates"
        )));
    }
    if certificates
        .iter()
        .any(|one| one.len() > LONGEST_CERTIFICATE)
    {
        return Err(wrong("a certificate in it is too long".to_owned()));
    }
    let parsed: Vec<X509Certificate<'_>> = certificates
        .iter()
        .zip(1..)
        .map(
            |(certificate, number)| match X509Certificate::from_der(certificate) {
                Ok((_, parsed)) => Ok(parsed),
                Err(_) => Err(wrong(format!("certificate {number} in it cannot be read"))),
            },
        )
        .collect::<Result<_, _>>()?;
    let Some(own) = parsed.first() else {
        return Err(wrong("it holds no certificate".to_owned()));
    };
    for (number, two) in (1..).zip(parsed.windows(2)) {
        if two[0].issuer().as_raw() != two[1].subject().as_raw() {
            return Err(wrong(format!(
                "certificate {number} in it is not issued by the next one: the server's own comes first, then its issuer, and so on"
            )));
        }
    }
    Ok(Chain {
        names: names(own),
        not_after: own.validity().not_after.timestamp(),
        key: KeyKind::Rsa,
        certificates,
    })
}

/// The names of hosts that a certificate is for. The subject's common name is none of them (RFC 9525 §2).
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) if name.len() <= 255 => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .take(MOST_NAMES)
        .collect()
}

/// The first key in a file that nobody else can read.
fn private_key(path: &Path) -> Result<Arc<dyn SigningKey>, String> {
    let wrong = |text: &str| format!("{}: {text}", path.display());
    let (file, octets) = read(path, LONGEST_FILE)?;
    let status = file.metadata().map_err(|error| wrong(&error.to_string()))?;
    let mode = status.mode() & 0o777;
    // SECURITY: whoever can read the key is this server to its clients.
    if mode & 0o077 != 0 {
        return Err(wrong(&format!(
            "others than its owner may use the key, as its mode is {mode:04o}: chmod 600 it"
        )));
    }
    let own = nix::unistd::geteuid().as_raw();
    if status.uid() != 0 && status.uid() != own {
        return Err(wrong(&format!(
            "the key belongs to user number {}, not to root or to the one who runs the server",
            status.uid()
        )));
    }
    let key = match PrivateKeyDer::from_pem_slice(&octets) {
        Ok(key) => Zeroizing::new(key),
        Err(PemError::NoItemsFound) if octets.windows(9).any(|nine| nine == b"ENCRYPTED") => {
            return Err(wrong(
                "the key is encrypted; openssl pkey -in FILE -out NEW writes it in the clear",
            ));
        }
        Err(PemError::NoItemsFound) => return Err(wrong("it holds no private key in PEM")),
        Err(error) => return Err(wrong(&format!("it is not PEM: {error}"))),
    };
    any_supported_type(&key).map_err(|_| wrong("the key cannot be used; it may be damaged"))
}

fn kind(key: &dyn SigningKey) -> Option<KeyKind> {
    KeyKind::ALL.into_iter().find(|kind| {
        kind.algorithm() == key.algorithm() && key.choose_scheme(kind.schemes()).is_some()
    })
}

/// Reads a file whole, into memory that is wiped.
fn read(path: &Path, longest: u64) -> Result<(File, Zeroizing<Vec<u8>>), String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut options = OpenOptions::new();
    // A pipe of that name shall not keep the server waiting.
    options.read(true).custom_flags(nix::libc::O_NONBLOCK);
    #[expect(
        clippy::disallowed_methods,
        reason = "certificates and keys are configuration, not a user's files"
    )]
    let mut file = options.open(path).map_err(wrong)?;
    let status = file.metadata().map_err(wrong)?;
    if !status.is_file() || status.len() > longest {
        let path: PathBuf = path.to_owned();
        return Err(format!(
            "{}: it is no file of at most {longest} octets",
            path.display()
        ));
    }
    // Room for all at once: a vector that grows would leave parts of a key behind.
    let room = usize::try_from(longest.min(status.len() + 1)).unwrap_or(0);
    let mut octets = Zeroizing::new(Vec::with_capacity(room));
    (&mut file)
        .take(status.len())
        .read_to_end(&mut octets)
        .map_err(wrong)?;
    Ok((file, octets))
}
