//! Handshakes with keys of every kind whose signatures come from a signer's desk, and files that do not fit.
#![expect(
    clippy::disallowed_methods,
    reason = "it makes the files that are read, and a thread that stands for the signer"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};
use tempfile::TempDir;

use super::load::{Loaded, load};
use super::signer::desk::Desk;
use super::*;
use crate::channel::{Asker, SignAnswer, SignRequest, Signing};
use crate::log::Log;
use crate::settings::Tls;
use crate::wire::Octets;

/// Files of certificates and keys.
struct Files(TempDir);

/// What rcgen makes a key of.
#[derive(Clone, Copy, Debug)]
enum Made {
    P256,
    P384,
    P521,
    Ed25519,
    Rsa,
}

impl Made {
    fn key(self) -> KeyPair {
        match self {
            Made::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Made::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            Made::P521 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512),
            Made::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
            Made::Rsa => KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256),
        }
        .unwrap()
    }
}

impl Files {
    fn new() -> Files {
        Files(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// A self-signed pair for a host.
    fn pair(&self, host: &str, key: &KeyPair) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        let name = &mut params.distinguished_name;
        name.push(rcgen::DnType::CommonName, host);
        let certificate = params.self_signed(key).unwrap();
        (
            self.write(&format!("{host}.pem"), &certificate.pem(), 0o644),
            self.write(&format!("{host}.key"), &key.serialize_pem(), 0o600),
        )
    }
}

fn settings(pairs: &[(&Path, &Path)]) -> Tls {
    Tls {
        certificates: pairs.iter().map(|pair| pair.0.to_owned()).collect(),
        keys: pairs.iter().map(|pair| pair.1.to_owned()).collect(),
        ..Tls::default()
    }
}

fn loaded(pairs: &[(PathBuf, PathBuf)]) -> Loaded {
    let pairs: Vec<_> = pairs.iter().map(|(one, two)| (&**one, &**two)).collect();
    load(&settings(&pairs), 3).unwrap_or_else(|why| panic!("{why}"))
}

/// Runs the desk in a thread for as long as the door or a channel is open.
fn with_signer<T>(loaded: Loaded, run: impl FnOnce(&Door, &Arc<Certificates>) -> T) -> T {
    let (door, inside) = Door::new().unwrap();
    let mut desk = Desk::new(inside).unwrap();
    let Loaded { certificates, keys } = loaded;
    let certificates = Arc::new(certificates);
    let signer = std::thread::spawn(move || desk.serve(&keys, &Log::nowhere()));
    let result = run(&door, &certificates);
    drop(door);
    assert_eq!(signer.join().unwrap(), 0);
    result
}

fn client(
    roots: &[CertificateDer<'static>],
    version: &'static SupportedProtocolVersion,
    alpn: &str,
) -> Arc<ClientConfig> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = Vec::from_iter((!alpn.is_empty()).then(|| alpn.as_bytes().to_vec()));
    config.resumption = Resumption::in_memory_sessions(8);
    Arc::new(config)
}

/// A handshake in memory, until both are through; gives the client's end.
fn shake_hands(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
    host: &str,
) -> Result<ClientConnection, rustls::Error> {
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    // Until nothing is on its way any more: tickets come after the handshake.
    loop {
        let mut octets = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut octets).unwrap();
        }
        let sent = octets.len();
        let mut input = &octets[..];
        while !input.is_empty() {
            server.read_tls(&mut input).unwrap();
            server.process_new_packets()?;
        }
        octets.clear();
        while server.wants_write() {
            server.write_tls(&mut octets).unwrap();
        }
        if sent == 0 && octets.is_empty() {
            assert!(!client.is_handshaking() && !server.is_handshaking());
            return Ok(client);
        }
        let mut input = &octets[..];
        while !input.is_empty() {
            client.read_tls(&mut input).unwrap();
            client.process_new_packets()?;
        }
    }
}

#[test]
fn every_kind_of_key_signs_for_both_versions() {
    for made in [Made::P256, Made::P384, Made::P521, Made::Ed25519, Made::Rsa] {
        let files = Files::new();
        let loaded = loaded(&[files.pair("ftp.example", &made.key())]);
        let root = loaded.certificates.chains[0].certificates.clone();
        with_signer(loaded, |door, certificates| {
            let channel = door.channel().unwrap();
            let server = server_config(certificates, channel, &Policy::default(), None).unwrap();
            let server = Arc::new(server);
            for version in [&TLS12, &TLS13] {
                let client = client(&root, version, "ftp");
                let done = shake_hands(&client, &server, "ftp.example");
                let done = done.unwrap_or_else(|error| panic!("{made:?}: {error}"));
                assert_eq!(done.protocol_version(), Some(version.version));
                assert_eq!(done.alpn_protocol(), Some(&b"ftp"[..]));
                assert_eq!(done.handshake_kind(), Some(HandshakeKind::Full));
                let again = shake_hands(&client, &server, "ftp.example").unwrap();
                assert_eq!(again.handshake_kind(), Some(HandshakeKind::Resumed));
            }
        });
    }
}

#[test]
fn no_session_resumes_another() {
    let files = Files::new();
    let loaded = loaded(&[files.pair("ftp.example", &Made::P256.key())]);
    let root = loaded.certificates.chains[0].certificates.clone();
    with_signer(loaded, |door, certificates| {
        let session = || {
            let made = server_config(
                certificates,
                door.channel().unwrap(),
                &Policy::default(),
                None,
            );
            Arc::new(made.unwrap())
        };
        for version in [&TLS12, &TLS13] {
            let client = client(&root, version, "");
            shake_hands(&client, &session(), "ftp.example").unwrap();
            let other = shake_hands(&client, &session(), "ftp.example").unwrap();
            assert_eq!(other.handshake_kind(), Some(HandshakeKind::Full));
        }
    });
}

#[test]
fn the_host_chooses_the_certificate_and_the_policy_the_version() {
    let files = Files::new();
    let pairs = [
        files.pair("a.example", &Made::P256.key()),
        files.pair("b.example", &Made::Ed25519.key()),
    ];
    let loaded = loaded(&pairs);
    let chains = loaded.certificates.chains.clone();
    let roots: Vec<_> = chains
        .iter()
        .map(|chain| chain.certificates[0].clone())
        .collect();
    with_signer(loaded, |door, certificates| {
        let policy = Policy {
            least: crate::settings::TlsVersion::V1_3,
            ..Policy::default()
        };
        let server = server_config(certificates, door.channel().unwrap(), &policy, None).unwrap();
        let server = Arc::new(server);
        let new = client(&roots, &TLS13, "");
        for (host, chain) in ["a.example", "B.example"].into_iter().zip(&chains) {
            let done = shake_hands(&new, &server, host).unwrap();
            assert_eq!(done.peer_certificates(), Some(&chain.certificates[..]));
        }
        // Not one of ours: the first certificate, which the client does not take.
        let strange = shake_hands(&new, &server, "c.example").unwrap_err();
        assert!(
            matches!(strange, rustls::Error::InvalidCertificate(_)),
            "{strange}"
        );
        assert!(shake_hands(&client(&roots, &TLS12, ""), &server, "a.example").is_err());
        let web = shake_hands(&client(&roots, &TLS13, "http/1.1"), &server, "a.example");
        assert_eq!(web.unwrap_err(), rustls::Error::NoApplicationProtocol);
    });
}

#[test]
fn nothing_but_handshakes_is_signed() {
    let files = Files::new();
    let loaded = loaded(&[files.pair("ftp.example", &Made::P256.key())]);
    with_signer(loaded, |door, _| {
        let mut asker: Asker<Signing> = Asker::over(door.channel().unwrap());
        let mut ask = |certificate, scheme, message: &[u8]| {
            let message = Octets::new(message).unwrap();
            let request = SignRequest::Sign {
                certificate,
                scheme,
                message,
            };
            asker.call(&request).unwrap().0
        };
        let verify = [
            &[b' '; 64],
            &b"TLS 1.3, server CertificateVerify\0"[..],
            &[1; 32],
        ]
        .concat();
        let p256 = 0x0403;
        assert!(matches!(
            ask(0, p256, &verify),
            SignAnswer::Signature { .. }
        ));
        assert!(matches!(ask(0, p256, b"a contract"), SignAnswer::Refused));
        assert!(matches!(ask(1, p256, &verify), SignAnswer::Refused));
        assert!(matches!(ask(0, 0x0804, &verify), SignAnswer::Refused));
    });
}

#[test]
fn a_session_that_takes_no_answers_stops_nobody() {
    let files = Files::new();
    let loaded = loaded(&[files.pair("ftp.example", &Made::P256.key())]);
    with_signer(loaded, |door, _| {
        let message = Octets::new(b"never signed").unwrap();
        let request = SignRequest::Sign {
            certificate: 0,
            scheme: 0,
            message,
        };
        let mut greedy: Asker<Signing> = Asker::over(door.channel().unwrap());
        let mut other: Asker<Signing> = Asker::over(door.channel().unwrap());
        // More than may wait in a socket: then the desk closes the channel.
        while greedy.ask(&request).is_ok() {
            assert!(matches!(
                other.call(&request).unwrap().0,
                SignAnswer::Refused
            ));
        }
    });
}

fn refusal(certificate: &Path, key: &Path) -> String {
    let loaded = load(&settings(&[(certificate, key)]), 0);
    let Err(why) = loaded else {
        panic!("{} was taken", certificate.display());
    };
    why
}

#[test]
fn what_does_not_fit_is_refused_with_a_sentence() {
    let files = Files::new();
    let key = Made::P256.key();
    let (certificate, private) = files.pair("a.example", &key);
    let (other, _) = files.pair("b.example", &Made::P256.key());
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    let fits = |text: &str, why: String| assert!(why.contains(text), "{why}");
    fits("does not fit the certificate", refusal(&other, &private));
    let keyless = files.write("keyless.key", &text(&certificate), 0o600);
    fits("holds no private key", refusal(&certificate, &keyless));
    fits("holds no certificate", refusal(&private, &private));
    let open = files.write("open.key", &key.serialize_pem(), 0o640);
    fits("its mode is 0640: chmod 600", refusal(&certificate, &open));
    let broken = files.write("broken.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n", 0o644);
    fits("broken.pem", refusal(&broken, &private));
    let half = key.serialize_pem().replacen("MIG", "AAA", 1);
    let damaged = files.write("damaged.key", &half, 0o600);
    fits("damaged.key", refusal(&certificate, &damaged));
    fits("/nowhere", refusal(&certificate, Path::new("/nowhere")));
    fits(
        "no file of at most",
        refusal(&certificate, Path::new("/dev/null")),
    );
    let chain = text(&certificate) + &text(&other);
    let chain = files.write("chain.pem", &chain, 0o644);
    fits(
        "certificate 1 in it is not issued by the next",
        refusal(&chain, &private),
    );
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let locked = files.write("locked.key", locked, 0o600);
    fits("openssl pkey", refusal(&certificate, &locked));
}

#[test]
fn keys_come_in_the_old_forms_too_and_in_one_file_with_the_certificate() {
    let files = Files::new();
    let rsa = Made::Rsa.key();
    let (certificate, _) = files.pair("rsa.example", &rsa);
    // PKCS #8 wraps PKCS #1: 26 octets stand before it with a key of 2048 bits.
    let old = pem("RSA PRIVATE KEY", &rsa.serialized_der()[26..]);
    let old = files.write("old.key", &old, 0o600);
    assert!(load(&settings(&[(&certificate, &old)]), 0).is_ok());
    let ecdsa = Made::P256.key();
    let (certificate, _) = files.pair("ec.example", &ecdsa);
    let der = ecdsa.serialized_der();
    let start = der
        .windows(3)
        .position(|three| three == [0x30, 0x6b, 0x02])
        .unwrap();
    let old = files.write("sec1.key", &pem("EC PRIVATE KEY", &der[start..]), 0o600);
    assert!(load(&settings(&[(&certificate, &old)]), 0).is_ok());
    let both = std::fs::read_to_string(&certificate).unwrap() + &ecdsa.serialize_pem();
    let both = files.write("both.pem", &both, 0o600);
    let together = Tls {
        certificates: vec![both],
        ..Tls::default()
    };
    assert!(load(&together, 0).is_ok());
}

fn pem(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in der.chunks(3) {
        let bits = three
            .iter()
            .fold(0u32, |bits, &octet| bits << 8 | u32::from(octet));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..4 {
            let six = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap();
            let octet = if place > three.len() {
                b'='
            } else {
                ALPHABET[six]
            };
            text.push(char::from(octet));
        }
    }
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}
