//! Certificates of clients that were revoked, and lists of revocations that tell nothing: then nobody is let in.

use std::fs;
use std::io::{Read, Write};

use rustls::version::TLS13;
use tests::{Server, Setup};

use crate::client::{Secure, handshake};
use crate::pki::{ClientAuthority, Identity, Names};
use crate::server::{Authority, VERSIONS};

/// The year until which lists are valid that are valid.
const LATER: i32 = 2190;

struct Scene {
    server: Server,
    authority: Authority,
}

impl Scene {
    /// A server that knows these lists of the authority's.
    #[track_caller]
    fn new(trusted: &ClientAuthority, lists: &str) -> Scene {
        let (authority, setup) = Scene::setup(trusted, lists);
        let server = setup.start();
        Scene { server, authority }
    }

    fn setup(trusted: &ClientAuthority, lists: &str) -> (Authority, Setup) {
        let authority = Authority::new();
        let setup = authority.certify(Setup::new());
        let (file, revoked) = (
            setup.scratch().join("clients.pem"),
            setup.scratch().join("revoked.pem"),
        );
        fs::write(&file, trusted.pem()).unwrap();
        fs::write(&revoked, lists).unwrap();
        let setup = setup
            .flag(&["-client-ca", file.to_str().unwrap()])
            .flag(&["-client-crl", revoked.to_str().unwrap()])
            .setting("ClientCertificate=optional")
            .account("alice", "plain", "CertificateLogin=enough");
        (authority, setup)
    }

    #[track_caller]
    fn admits(&self, identity: &Identity) {
        for version in VERSIONS {
            let config = self.authority.client_with(version, identity);
            Secure::connect(self.server.address(), &config).expect("USER alice", 232);
        }
    }

    #[track_caller]
    fn refuses(&self, identity: &Identity) {
        for version in VERSIONS {
            let mut client = self.server.connect();
            client.expect("AUTH TLS", 234);
            let config = self.authority.client_with(version, identity);
            // In TLS 1.3 the client is done before the server has looked.
            if let Ok(mut stream) = handshake(&config, client.into_stream()) {
                let _ = stream.write_all(b"NOOP\r\n");
                let end = stream.read(&mut [0; 100]);
                assert!(end.is_err(), "{end:?}");
            }
        }
    }
}

#[test]
fn row_51_who_is_revoked_is_refused_and_nobody_else() {
    let trusted = ClientAuthority::new("clients");
    let (good, bad) = (trusted.certify("alice"), trusted.certify("alice"));
    let scene = Scene::new(&trusted, &trusted.revoke(&[bad.serial], LATER, None));
    scene.admits(&good);
    scene.refuses(&bad);
}

#[test]
fn row_51_a_list_of_nobody_is_a_list() {
    let trusted = ClientAuthority::new("clients");
    let scene = Scene::new(&trusted, &trusted.revoke(&[], LATER, None));
    scene.admits(&trusted.certify("alice"));
}

#[test]
fn row_51_an_expired_list_lets_nobody_in() {
    let trusted = ClientAuthority::new("clients");
    let scene = Scene::new(&trusted, &trusted.revoke(&[], 2021, None));
    scene.refuses(&trusted.certify("alice"));
    scene.server.log.line_with(&["revocation list", "expired"]);
}

#[test]
fn row_51_a_list_of_another_authority_tells_nothing() {
    // Of one that has the same name, and of one that has not.
    for other in ["clients", "others"] {
        let trusted = ClientAuthority::new("clients");
        let other = ClientAuthority::new(other);
        let scene = Scene::new(&trusted, &other.revoke(&[], LATER, None));
        scene.refuses(&trusted.certify("alice"));
    }
}

#[test]
fn row_51_every_authority_on_the_way_needs_a_list() {
    let trusted = ClientAuthority::new("clients");
    let between = trusted.below("department");
    let identity = between.certify("alice");
    let own = between.revoke(&[], LATER, None);
    Scene::new(&trusted, &own).refuses(&identity);
    let root = trusted.revoke(&[], LATER, None);
    Scene::new(&trusted, &root).refuses(&identity);
    Scene::new(&trusted, &(own + &root)).admits(&identity);
}

#[test]
fn row_51_the_second_distribution_point_counts_as_the_first() {
    let trusted = ClientAuthority::new("clients");
    let points = &["http://one.example/crl", "http://two.example/crl"];
    let names = Names {
        common: &["alice"],
        points,
        ..Names::default()
    };
    let (good, bad) = (trusted.certify_as(&names), trusted.certify_as(&names));
    let list = |point| trusted.revoke(&[bad.serial], LATER, Some(point));
    let scene = Scene::new(&trusted, &list(points[1]));
    scene.refuses(&bad);
    scene.admits(&good);
    // A list of a third one says nothing of either.
    let scene = Scene::new(&trusted, &list("http://three.example/crl"));
    scene.refuses(&bad);
    scene.refuses(&good);
}

#[test]
fn row_51_what_is_no_list_is_refused_at_start() {
    let trusted = ClientAuthority::new("clients");
    let block = |body: &str| format!("-----BEGIN X509 CRL-----\n{body}\n-----END X509 CRL-----\n");
    for (text, why) in [
        (String::new(), "it holds no revocation list"),
        (trusted.pem(), "it holds no revocation list"),
        (block(""), "no revocation list that can be used"),
        (block("MAA="), "no revocation list that can be used"),
        (block("!"), "neither PEM nor DER"),
        ("0".to_owned(), "no revocation list that can be used"),
    ] {
        let (_, setup) = Scene::setup(&trusted, &text);
        setup.refused(why);
    }
}

#[test]
fn row_51_lists_are_read_anew_when_they_change_and_bad_ones_change_nothing() {
    let trusted = ClientAuthority::new("clients");
    let identity = trusted.certify("alice");
    let scene = Scene::new(&trusted, &trusted.revoke(&[], LATER, None));
    scene.admits(&identity);
    let file = scene.server.scratch.join("revoked.pem");
    fs::write(&file, "nothing").unwrap();
    scene
        .server
        .log
        .line_with(&["the old ones stay in use", "revoked.pem"]);
    scene.admits(&identity);
    let config = scene.authority.client_with(&TLS13, &identity);
    let mut running = Secure::connect(scene.server.address(), &config);
    running.expect("USER alice", 232);
    fs::write(&file, trusted.revoke(&[identity.serial], LATER, None)).unwrap();
    scene.server.log.line_with(&["certificates: renewed"]);
    scene.refuses(&identity);
    running.expect("NOOP", 200);
}
