//! What certificates of clients are asked for, and what one of them is worth at a login. Pure: no I/O.

use std::fmt;

use super::value::{Wrong, shown, words};
use crate::digest::Digest;

/// Whether clients are asked for a certificate in the handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    #[default]
    Off,
    Optional,
    /// There is no TLS without one.
    Required,
}

impl ClientCertificate {
    pub(super) fn parse(text: &str) -> Result<ClientCertificate, Wrong> {
        match text.to_ascii_lowercase().as_str() {
            "off" => Ok(ClientCertificate::Off),
            "optional" => Ok(ClientCertificate::Optional),
            "required" => Ok(ClientCertificate::Required),
            _ => Err(Wrong::Not("off, optional or required".to_owned())),
        }
    }
}

/// What an account makes of certificates: which are its own, and what they are worth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateRule {
    pub login: CertificateLogin,
    pub names: CertificateNames,
    /// Where there are any, they alone say which certificates are the account's.
    pub fingerprints: Vec<Fingerprint>,
}

/// What a certificate of the account is worth at a login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateLogin {
    /// Nothing.
    #[default]
    Off,
    /// As much as the password.
    Enough,
    /// It alone lets in, and no password.
    Only,
    /// It has to be there beside the password.
    Both,
}

impl CertificateLogin {
    pub(super) fn parse(text: &str) -> Result<CertificateLogin, Wrong> {
        match text.to_ascii_lowercase().as_str() {
            "off" => Ok(CertificateLogin::Off),
            "enough" => Ok(CertificateLogin::Enough),
            "only" => Ok(CertificateLogin::Only),
            "both" => Ok(CertificateLogin::Both),
            _ => Err(Wrong::Not("off, enough, only or both".to_owned())),
        }
    }

    /// Whether a certificate of the account lets in without a password.
    pub fn replaces_password(self) -> bool {
        matches!(self, CertificateLogin::Enough | CertificateLogin::Only)
    }
}

/// Which names of a certificate may be that of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateNames {
    /// The subject's common name.
    pub common: bool,
    /// Mail addresses among the subject's alternative names.
    pub email: bool,
    /// Names of hosts among them.
    pub dns: bool,
}

impl Default for CertificateNames {
    fn default() -> Self {
        CertificateNames {
            common: true,
            email: false,
            dns: false,
        }
    }
}

impl CertificateNames {
    pub(super) fn parse(list: &str) -> Result<CertificateNames, Wrong> {
        let mut names = CertificateNames {
            common: false,
            ..CertificateNames::default()
        };
        for word in words(list) {
            match word.to_ascii_lowercase().as_str() {
                "cn" => names.common = true,
                "email" => names.email = true,
                "dns" => names.dns = true,
                _ => return Err(Wrong::Not("a list of cn, email and dns".to_owned())),
            }
        }
        match names.common || names.email || names.dns {
            true => Ok(names),
            false => Err(Wrong::Not("a list of cn, email and dns".to_owned())),
        }
    }
}

/// The SHA-256 of a certificate in DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl Fingerprint {
    /// Takes a digest of that length.
    pub fn new(digest: &Digest) -> Option<Fingerprint> {
        digest.as_bytes().try_into().ok().map(Fingerprint)
    }

    /// Reads a list of them: 64 hexadecimal digits each, with colons or without, as `openssl x509 -fingerprint` has them.
    pub(super) fn parse_list(list: &str) -> Result<Vec<Fingerprint>, Wrong> {
        words(list).map(Fingerprint::parse).collect()
    }

    fn parse(text: &str) -> Result<Fingerprint, Wrong> {
        let wrong = || {
            let text = shown(text);
            Wrong::Because(format!(
                "\"{text}\" is no SHA-256 fingerprint, which has 64 hexadecimal digits"
            ))
        };
        let digits: Vec<u8> = text.bytes().filter(|&octet| octet != b':').collect();
        let digest = Digest::from_hex(&digits).ok_or_else(wrong)?;
        Fingerprint::new(&digest).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_openssl_writes_them() {
        let plain = "0123456789abcdef".repeat(4);
        let colons = plain
            .to_uppercase()
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).into_owned())
            .collect::<Vec<_>>()
            .join(":");
        let both = Fingerprint::parse_list(&format!("{plain}, {colons}")).unwrap();
        assert_eq!(both.len(), 2);
        assert_eq!(both[0], both[1]);
        assert_eq!(both[0].0[..2], [0x01, 0x23]);
        assert_eq!(Fingerprint::parse_list(""), Ok(Vec::new()));
        for wrong in [&plain[1..], "SHA256", &plain.replace('0', "g"), "é"] {
            assert!(Fingerprint::parse_list(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn at_least_one_kind_of_name_counts() {
        let names = CertificateNames::parse("Email, dns").unwrap();
        assert_eq!((names.common, names.email, names.dns), (false, true, true));
        assert!(CertificateNames::parse("").is_err());
        assert!(CertificateNames::parse("uid").is_err());
    }
}
