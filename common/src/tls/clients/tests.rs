//! Proofs as real handshakes make them, and what is made of them.

use std::io::Write;
use std::os::fd::AsFd;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivatePkcs8KeyDer, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SignatureScheme, SupportedProtocolVersion};

use super::super::stream::Stream;
use super::super::testing::{Pki, client, sockets, until_done};
use super::*;
use crate::settings::{CertificateNames, CertificateRule, Fingerprint};
use crate::wire::decode;
use proptest::prelude::*;

struct Scene {
    authority: CertifiedIssuer<'static, KeyPair>,
    clients: Clients,
}

impl Scene {
    fn new() -> Scene {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(params, key).unwrap();
        let clients = Clients::new(&Trust {
            authorities: vec![authority.der().clone()],
            revocations: Vec::new(),
            mandatory: true,
        });
        Scene {
            authority,
            clients: clients.unwrap(),
        }
    }

    /// What a handshake leaves of a client that is called `name`.
    fn prove(&self, name: &str, version: &'static SupportedProtocolVersion) -> Proof {
        let mut params = CertificateParams::default();
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let pki = Pki::new();
        let kept = Kept::default();
        let witness = Arc::new(Witness::new(&self.clients, kept.clone()));
        let server = pki.server_with(witness);
        let config = pki
            .begin_client(version)
            .with_client_auth_cert(vec![certificate.der().clone()], key);
        let (there, here) = sockets();
        let other = client(&Arc::new(config.unwrap()), there, |stream| {
            stream.write_all(b"x").unwrap();
        });
        accept(server, &here);
        other.join().unwrap();
        kept.take().unwrap()
    }
}

fn accept(server: Arc<ServerConfig>, socket: &std::os::fd::OwnedFd) {
    let mut stream = Stream::for_data(server.into()).unwrap();
    let fd = socket.as_fd();
    until_done(socket, || stream.handshake(fd)).unwrap();
    let mut octet = [0];
    assert_eq!(until_done(socket, || stream.receive(fd, &mut octet)), Ok(1));
}

#[test]
fn a_handshake_proves_who_the_client_is_in_both_versions() {
    let scene = Scene::new();
    for version in [&TLS12, &TLS13] {
        let proof = scene.prove("alice", version);
        let octets = proof.encode();
        assert!(octets.len() < LONGEST_PROOF / 8, "{}", octets.len());
        assert_eq!(decode(&octets), Ok(proof.clone()));
        let names = proof.verify(&scene.clients, UnixTime::now()).unwrap();
        let rule = CertificateRule::default();
        assert!(names.belong_to(b"alice", &rule));
        assert!(!names.belong_to(b"Alice", &rule));
        assert!(!names.belong_to(b"", &rule));
        let pinned = |fingerprints| CertificateRule {
            fingerprints,
            ..CertificateRule::default()
        };
        assert!(names.belong_to(b"bob", &pinned(vec![names.fingerprint])));
        assert!(!names.belong_to(b"alice", &pinned(vec![Fingerprint([0; 32])])));
        let mut octets = Vec::new();
        names.put(&mut octets);
        assert_eq!(decode(&octets), Ok(names));
    }
}

#[test]
fn whatever_is_changed_of_a_proof_it_proves_nothing() {
    let scene = Scene::new();
    for version in [&TLS12, &TLS13] {
        let proof = scene.prove("alice", version);
        let other = scene.prove("bob", version);
        let refused = |change: &dyn Fn(&mut Proof)| {
            let mut proof = proof.clone();
            change(&mut proof);
            proof.verify(&scene.clients, UnixTime::now()).unwrap_err()
        };
        let signature = Unproven::Signature;
        assert_eq!(refused(&|one| one.signature[8] ^= 1), signature);
        assert_eq!(refused(&|one| one.signature.clear()), signature);
        assert_eq!(refused(&|one| one.chain = other.chain.clone()), signature);
        assert_eq!(refused(&|one| one.scheme = 0x0804), signature);
        assert_eq!(refused(&|one| one.scheme = 0xffff), signature);
        // The last octet is of a hash or of a key, whatever the version.
        let changed = refused(&|one| *one.message.last_mut().unwrap() ^= 1);
        assert_eq!(changed, signature);
        let shape = Unproven::NoHandshake;
        assert_eq!(refused(&|one| one.message.clear()), shape);
        assert_eq!(refused(&|one| one.message.push(0)), shape);
        assert_eq!(
            refused(&|one| one.message.truncate(one.message.len() - 1)),
            shape
        );
        assert_eq!(refused(&|one| one.message[0] ^= 1), shape);
        assert_eq!(refused(&|one| one.chain.clear()), shape);
        let elsewhere = Scene::new();
        let unknown = proof.verify(&elsewhere.clients, UnixTime::now());
        assert!(matches!(unknown, Err(Unproven::Certificate(_))));
        let later = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1 << 38));
        let expired = proof.verify(&scene.clients, later);
        assert!(matches!(expired, Err(Unproven::Certificate(_))));
    }
}

#[test]
fn what_a_server_signs_is_no_proof_of_a_client() {
    let scene = Scene::new();
    let mut proof = scene.prove("alice", &TLS13);
    let client = b"client".as_slice();
    let at = proof.message.windows(6).position(|six| six == client);
    proof.message[at.unwrap()..][..6].copy_from_slice(b"server");
    let refused = proof.verify(&scene.clients, UnixTime::now());
    assert_eq!(refused, Err(Unproven::NoHandshake));
    // PKCS #1 v1.5 signs nothing in TLS 1.3.
    let mut proof = scene.prove("alice", &TLS13);
    proof.scheme = SignatureScheme::RSA_PKCS1_SHA256.into();
    let refused = proof.verify(&scene.clients, UnixTime::now());
    assert_eq!(refused, Err(Unproven::Signature));
}

#[test]
fn names_that_could_be_taken_for_others_are_none() {
    let scene = Scene::new();
    let certify = |name: &str| {
        let mut params = CertificateParams::new(["host.example".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &scene.authority).unwrap();
        ClientNames::of(certificate.der()).unwrap()
    };
    let rule = CertificateRule {
        names: CertificateNames {
            common: true,
            email: true,
            dns: true,
        },
        ..CertificateRule::default()
    };
    assert!(certify("alice").belong_to(b"alice", &rule));
    assert!(certify("alice").belong_to(b"HOST.example", &rule));
    assert!(!certify("alice\0.other").belong_to(b"alice", &rule));
    assert!(!certify("alice\0.other").belong_to(b"alice\0.other", &rule));
    assert!(!certify("alice\n").belong_to(b"alice\n", &rule));
    assert_eq!(ClientNames::of(b"0"), None);
}

proptest! {
    #[test]
    fn any_octets_decode_totally(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode::<Proof>(&octets).is_ok();
        let _ = decode::<ClientNames>(&octets).is_ok();
        let _ = decode::<Trust>(&octets).is_ok();
        let _ = ClientNames::of(&octets);
    }
}
