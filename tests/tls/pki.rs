//! Authorities that certify clients, and what they revoke.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    CrlDistributionPoint, CrlIssuingDistributionPoint, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Somebody whose word is believed about clients.
pub(crate) struct ClientAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// The certificates between it and the authority that is known.
    above: Vec<CertificateDer<'static>>,
}

/// A client's certificate with its issuers, and the key to it.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    pem: String,
    pub(crate) serial: u64,
}

/// What a client is called.
#[derive(Clone, Default)]
pub(crate) struct Names<'a> {
    pub(crate) common: &'a [&'a str],
    pub(crate) emails: &'a [&'a str],
    pub(crate) hosts: &'a [&'a str],
    /// Where the list is from which it may be struck out, as the certificate says.
    pub(crate) points: &'a [&'a str],
    /// It is for servers.
    pub(crate) server: bool,
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&[name]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn named(names: &[&str]) -> DistinguishedName {
    let mut all = DistinguishedName::new();
    // A name of each type has room; the second common name comes by the number of its type.
    let types = [DnType::CommonName, DnType::CustomDnType(vec![2, 5, 4, 3])];
    for (kind, name) in types.into_iter().zip(names) {
        all.push(kind, *name);
    }
    all
}

impl ClientAuthority {
    pub(crate) fn new(name: &str) -> ClientAuthority {
        let key = KeyPair::generate().unwrap();
        ClientAuthority {
            issuer: CertifiedIssuer::self_signed(authority(name), key).unwrap(),
            above: Vec::new(),
        }
    }

    /// Another one, for which this one stands.
    pub(crate) fn below(&self, name: &str) -> ClientAuthority {
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::signed_by(authority(name), key, &self.issuer).unwrap();
        let above = vec![issuer.der().clone()];
        ClientAuthority { issuer, above }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn certify(&self, common: &str) -> Identity {
        self.certify_as(&Names {
            common: &[common],
            ..Names::default()
        })
    }

    pub(crate) fn certify_as(&self, names: &Names<'_>) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(names.common);
        let emails = names.emails.iter();
        let emails = emails.map(|&name| SanType::Rfc822Name(name.try_into().unwrap()));
        let hosts = names.hosts.iter();
        let hosts = hosts.map(|&name| SanType::DnsName(name.try_into().unwrap()));
        params.subject_alt_names = emails.chain(hosts).collect();
        params.extended_key_usages = vec![match names.server {
            true => ExtendedKeyUsagePurpose::ServerAuth,
            false => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        let points = names.points.iter();
        params.crl_distribution_points = points
            .map(|&uri| CrlDistributionPoint {
                uris: vec![uri.to_owned()],
            })
            .collect();
        let serial = u64::from(fastrand::u32(1..));
        params.serial_number = Some(SerialNumber::from(serial));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let chain = std::iter::once(certificate.der().clone());
        Identity {
            chain: chain.chain(self.above.iter().cloned()).collect(),
            pem: certificate.pem(),
            key,
            serial,
        }
    }

    /// The list of what it has revoked, which is followed by another one in the year `next`; for the certificates that name
    /// `point`, or for all.
    pub(crate) fn revoke(&self, serials: &[u64], next: i32, point: Option<&str>) -> String {
        let revoked = serials.iter().map(|&serial| RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: date_time_ymd(2020, 2, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(next, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: point.map(|uri| CrlIssuingDistributionPoint {
                distribution_point: CrlDistributionPoint {
                    uris: vec![uri.to_owned()],
                },
                scope: None,
            }),
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

impl Identity {
    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// Certificate and key, each in a file, for programs.
    pub(crate) fn files(&self, directory: &Path) -> (PathBuf, PathBuf) {
        let (certificate, key) = (directory.join("client.pem"), directory.join("client.key"));
        fs::write(&certificate, &self.pem).unwrap();
        fs::write(&key, self.key.serialize_pem()).unwrap();
        (certificate, key)
    }
}
