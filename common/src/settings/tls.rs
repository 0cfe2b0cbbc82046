//! What TLS is offered with: files, the implicit port, versions and cipher suites. Pure: no I/O.

use std::path::PathBuf;

use super::clients::ClientCertificate;
use super::nearest::nearest;
use super::value::{Wrong, shown, words};

/// The settings of TLS for the whole server. Without a certificate there is no TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Files with certificate chains; the first is for clients that ask for none of the names.
    pub certificates: Vec<PathBuf>,
    /// The file with the key to each of them; none where the key stands in the file of the certificate.
    pub keys: Vec<PathBuf>,
    /// Where TLS begins with the connection (implicit TLS).
    pub port: Option<u16>,
    pub least: TlsVersion,
    pub suites: CipherSuites,
    pub clients: ClientTrust,
    pub unknown_host: UnknownHost,
}

/// What clients have to show of themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTrust {
    pub asked: ClientCertificate,
    /// Files with the authorities that certify clients.
    pub authorities: Vec<PathBuf>,
    /// Files with what these have revoked.
    pub revocations: Vec<PathBuf>,
}

impl ClientTrust {
    fn settle(&self) -> Result<(), (&'static str, &'static str)> {
        match (self.asked, self.authorities.is_empty()) {
            (ClientCertificate::Off, false) => Err((
                "ClientCA",
                "ClientCA is for ClientCertificate=optional or required",
            )),
            (ClientCertificate::Optional | ClientCertificate::Required, true) => Err((
                "ClientCertificate",
                "ClientCertificate needs a ClientCA that certifies clients",
            )),
            (_, true) if !self.revocations.is_empty() => Err((
                "ClientCRL",
                "ClientCRL needs a ClientCA, whose lists they are",
            )),
            _ => Ok(()),
        }
    }
}

impl Tls {
    /// Whether all this fits together. `Err` names the key of the setting to correct, and says why.
    pub(super) fn settle(&self) -> Result<(), (&'static str, String)> {
        let (certificates, keys) = (self.certificates.len(), self.keys.len());
        let wrong = |key, text: &str| Err((key, text.to_owned()));
        if certificates == 0 && keys > 0 {
            return wrong("CertificateKey", "CertificateKey needs a Certificate");
        }
        if certificates == 0 && self.port.is_some() {
            return wrong("TLSPort", "TLSPort needs a Certificate");
        }
        if certificates == 0 && self.clients.asked != ClientCertificate::Off {
            return wrong("ClientCertificate", "ClientCertificate needs a Certificate");
        }
        if let Err((key, text)) = self.clients.settle() {
            return wrong(key, text);
        }
        if keys > 0 && keys != certificates {
            let text = format!(
                "Certificate names {certificates} files and CertificateKey {keys}: each certificate needs its key, in the same order"
            );
            return Err(("CertificateKey", text));
        }
        if self.suites.of(self.least).next().is_none() {
            let version = self.least.name();
            let text =
                format!("TLSCipherSuites has no suite of {version}, which TLSMinVersion wants");
            return Err(("TLSCipherSuites", text));
        }
        Ok(())
    }

    /// All files that are read.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let own = self.certificates.iter().chain(&self.keys);
        own.chain(&self.clients.authorities)
            .chain(&self.clients.revocations)
    }

    /// The files of each pair: the certificate's and the key's.
    pub fn pairs(&self) -> impl Iterator<Item = (&PathBuf, &PathBuf)> {
        let key = |at: usize, own| self.keys.get(at).unwrap_or(own);
        let files = self.certificates.iter().enumerate();
        files.map(move |(at, certificate)| (certificate, key(at, certificate)))
    }
}

/// What becomes of clients that name a host (SNI) for which there is no certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownHost {
    /// They are shown the first one, and tell their users what they found.
    #[default]
    Serve,
    /// The handshake ends: they have come to the wrong server, or were led here.
    Refuse,
}

impl UnknownHost {
    pub(super) fn parse(text: &str) -> Result<UnknownHost, Wrong> {
        match text.to_ascii_lowercase().as_str() {
            "serve" => Ok(UnknownHost::Serve),
            "refuse" => Ok(UnknownHost::Refuse),
            _ => Err(Wrong::Not("serve or refuse".to_owned())),
        }
    }
}

/// A version of TLS; older ones than these exist no more (RFC 8996).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    #[default]
    V1_2,
    V1_3,
}

impl TlsVersion {
    pub fn name(self) -> &'static str {
        match self {
            TlsVersion::V1_2 => "TLS 1.2",
            TlsVersion::V1_3 => "TLS 1.3",
        }
    }

    /// Reads a version.
    pub(super) fn parse(text: &str) -> Result<TlsVersion, Wrong> {
        match text {
            "1.2" => Ok(TlsVersion::V1_2),
            "1.3" => Ok(TlsVersion::V1_3),
            _ => Err(Wrong::Not("1.2 or 1.3".to_owned())),
        }
    }
}

/// A cipher suite: its number and name in the IANA registry, and the version that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CipherSuite {
    pub number: u16,
    pub name: &'static str,
    pub version: TlsVersion,
}

const fn suite(number: u16, name: &'static str, version: TlsVersion) -> CipherSuite {
    CipherSuite {
        number,
        name,
        version,
    }
}

/// All that there are, the best first: authenticated encryption and forward secrecy only (RFC 9325 §4.2).
#[rustfmt::skip]
const SUITES: &[CipherSuite] = &[
    suite(0x1302, "TLS_AES_256_GCM_SHA384", TlsVersion::V1_3),
    suite(0x1301, "TLS_AES_128_GCM_SHA256", TlsVersion::V1_3),
    suite(0x1303, "TLS_CHACHA20_POLY1305_SHA256", TlsVersion::V1_3),
    suite(0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", TlsVersion::V1_2),
    suite(0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", TlsVersion::V1_2),
    suite(0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", TlsVersion::V1_2),
    suite(0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", TlsVersion::V1_2),
    suite(0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", TlsVersion::V1_2),
    suite(0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", TlsVersion::V1_2),
];

/// The cipher suites that are offered, in the server's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CipherSuites(Vec<CipherSuite>);

impl Default for CipherSuites {
    fn default() -> Self {
        CipherSuites(SUITES.to_vec())
    }
}

impl CipherSuites {
    /// Reads a list of names.
    pub(super) fn parse(list: &str) -> Result<CipherSuites, Wrong> {
        let mut suites: Vec<CipherSuite> = Vec::new();
        for word in words(list) {
            if word.eq_ignore_ascii_case("all") {
                return Ok(CipherSuites::default());
            }
            let found = SUITES
                .iter()
                .find(|suite| suite.name.eq_ignore_ascii_case(word));
            let Some(&suite) = found else {
                let hint = nearest(word, SUITES.iter().map(|suite| suite.name))
                    .map(|name| format!(", did you mean \"{name}\"?"))
                    .unwrap_or_default();
                let text = format!("unknown cipher suite \"{}\"{hint}", shown(word));
                return Err(Wrong::Because(text));
            };
            if !suites.contains(&suite) {
                suites.push(suite);
            }
        }
        if suites.is_empty() {
            return Err(Wrong::Not("a list of cipher suites, or all".to_owned()));
        }
        Ok(CipherSuites(suites))
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = CipherSuite> {
        self.0.iter().copied()
    }

    /// Whether there is one of this version.
    pub(super) fn has(&self, version: TlsVersion) -> bool {
        self.all().any(|suite| suite.version == version)
    }

    /// Those of a version and of newer ones.
    fn of(&self, least: TlsVersion) -> impl Iterator<Item = CipherSuite> {
        self.all().filter(move |suite| suite.version >= least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cipher_suites_are_named_as_the_registry_does() {
        let suites = CipherSuites::parse("tls_aes_128_gcm_sha256, TLS_AES_128_GCM_SHA256").unwrap();
        assert_eq!(suites.0, [SUITES[1]]);
        assert_eq!(CipherSuites::parse("all"), Ok(CipherSuites::default()));
        let wrong = CipherSuites::parse("TLS_AES_128_GCM_SHA265").unwrap_err();
        let message = "unknown cipher suite \"TLS_AES_128_GCM_SHA265\", did you mean \"TLS_AES_128_GCM_SHA256\"?";
        assert_eq!(wrong, Wrong::Because(message.to_owned()));
        assert!(CipherSuites::parse("TLS_RSA_WITH_3DES_EDE_CBC_SHA").is_err());
        assert!(CipherSuites::parse(" ,").is_err());
    }

    #[test]
    fn each_certificate_needs_its_key() {
        let files = |count: usize| vec![PathBuf::from("/f"); count];
        let tls = |certificates, keys| Tls {
            certificates: files(certificates),
            keys: files(keys),
            ..Tls::default()
        };
        for (certificates, keys) in [(0, 0), (1, 0), (2, 2), (2, 0)] {
            assert_eq!(tls(certificates, keys).settle(), Ok(()));
        }
        for (certificates, keys) in [(0, 1), (2, 1), (1, 2)] {
            assert!(tls(certificates, keys).settle().is_err());
        }
        let alone = Tls {
            port: Some(990),
            ..Tls::default()
        };
        assert_eq!(
            alone.settle(),
            Err(("TLSPort", "TLSPort needs a Certificate".to_owned()))
        );
        let old = Tls {
            least: TlsVersion::V1_3,
            suites: CipherSuites::parse(SUITES[3].name).unwrap(),
            ..Tls::default()
        };
        assert!(old.settle().is_err());
    }
}
