//! Clients with certificates: who may come in by one, and who is whom.

use std::fs;
use std::net::TcpStream;
use std::sync::Arc;

use rustls::version::TLS13;
use rustls::{ClientConfig, HandshakeKind};
use sha2::{Digest, Sha256};
use tests::{Server, Setup};

use crate::client::{Secure, handshake};
use crate::pki::{ClientAuthority, Identity, Names};
use crate::server::{Authority, VERSIONS, implicit};

/// A server that asks clients for certificates, and what clients trust.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) authority: Authority,
}

impl Scene {
    /// With accounts by name and settings, and settings of the server.
    #[track_caller]
    pub(crate) fn new(
        trusted: &ClientAuthority,
        accounts: &[(&str, &str)],
        settings: &[&str],
    ) -> Scene {
        let authority = Authority::new();
        let mut setup = authority.certify(Setup::new());
        let file = setup.scratch().join("clients.pem");
        fs::write(&file, trusted.pem()).unwrap();
        setup = setup.flag(&["-client-ca", file.to_str().unwrap()]);
        for (name, settings) in accounts {
            setup = setup.account(name, "plain", settings);
        }
        for line in settings {
            setup = setup.setting(line);
        }
        let server = setup.start();
        Scene { server, authority }
    }

    pub(crate) fn connect(&self, config: &Arc<ClientConfig>) -> Secure {
        Secure::connect(self.server.address(), config)
    }

    /// Whoever shows this certificate.
    fn show(&self, identity: &Identity) -> Secure {
        self.connect(&self.authority.client_with(&TLS13, identity))
    }

    /// Whoever shows none.
    fn hide(&self) -> Secure {
        self.connect(&self.authority.client(&TLS13))
    }

    fn password(&self) -> String {
        format!("PASS {}", self.server.login.password)
    }
}

#[test]
fn a_certificate_lets_its_account_in_without_a_password() {
    let trusted = ClientAuthority::new("clients");
    let settings = &["ClientCertificate=optional", "TLSDataBinding=require"];
    let accounts = &[
        ("alice", "CertificateLogin=enough"),
        ("bob", "CertificateLogin=enough"),
    ];
    let scene = Scene::new(&trusted, accounts, settings);
    scene.server.put("file", b"content");
    let alice = trusted.certify("alice");
    for version in VERSIONS {
        let mut client = scene.connect(&scene.authority.client_with(version, &alice));
        client.expect("USER alice", 232);
        client.protect();
        client.expect("TYPE I", 200);
        let (octets, kind) = client.receive("RETR file");
        assert_eq!(
            (octets, kind),
            (b"content".to_vec(), Some(HandshakeKind::Resumed))
        );
    }
    let fingerprint = hex(&alice);
    scene
        .server
        .log
        .line_with(&["login of 'alice'", &fingerprint]);
    // It is nobody else's, who has a password.
    let mut client = scene.show(&alice);
    client.expect("USER bob", 331);
    client.expect("PASS wrong", 530);
    client.expect("USER bob", 331);
    client.expect(&scene.password(), 230);
    // Without one the password is as good, under TLS or not.
    let mut client = scene.hide();
    client.expect("USER alice", 331);
    client.expect(&scene.password(), 230);
    let mut clear = scene.server.connect();
    clear.expect("USER alice", 331);
    clear.expect(&scene.password(), 230);
}

fn hex(identity: &Identity) -> String {
    let digest = Sha256::digest(&identity.chain[0]);
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn what_a_certificate_is_worth_is_the_accounts_word() {
    let trusted = ClientAuthority::new("clients");
    let settings = &[
        "ClientCertificate=optional",
        "MaxLoginFails=9",
        "LoginFailDelay=0",
    ];
    let accounts = &[
        ("only", "CertificateLogin=only"),
        ("both", "CertificateLogin=both"),
        ("none", ""),
    ];
    let scene = Scene::new(&trusted, accounts, settings);
    let [only, both, none] = ["only", "both", "none"].map(|name| trusted.certify(name));
    // No password lets in, with its own certificate or without.
    scene.show(&only).expect("USER only", 232);
    for mut client in [scene.hide(), scene.show(&both)] {
        client.expect("USER only", 331);
        client.expect(&scene.password(), 530);
    }
    scene
        .server
        .log
        .line_with(&["'only'", "no password lets this account in"]);
    // Both are wanted.
    let mut client = scene.show(&both);
    client.expect("USER both", 331);
    client.expect("PASS wrong", 530);
    client.expect("USER both", 331);
    client.expect(&scene.password(), 230);
    for mut client in [scene.hide(), scene.show(&only)] {
        client.expect("USER both", 331);
        client.expect(&scene.password(), 530);
    }
    scene
        .server
        .log
        .line_with(&["'both'", "there was no certificate"]);
    scene
        .server
        .log
        .line_with(&["'both'", "none of the account's"]);
    // It says nothing where it is to say nothing, and in the clear there is none.
    scene.show(&none).expect("USER none", 331);
    let mut clear = scene.server.connect();
    clear.expect("USER both", 331);
    clear.expect(&scene.password(), 530);
}

#[test]
fn names_and_fingerprints_tell_whose_a_certificate_is() {
    let trusted = ClientAuthority::new("clients");
    let mail = trusted.certify_as(&Names {
        common: &["cn-of-mail"],
        emails: &["Mail@Example.org"],
        ..Names::default()
    });
    let host = trusted.certify_as(&Names {
        common: &["cn-of-host"],
        hosts: &["printer.example.org", "other.example.org"],
        ..Names::default()
    });
    let two = trusted.certify_as(&Names {
        common: &["first", "second"],
        ..Names::default()
    });
    let pinned = format!("CertificateFingerprint={},{}", hex(&mail), hex(&two));
    let accounts = &[
        ("mail@example.org", "CertificateNames=email"),
        ("other.example.org", "CertificateNames=dns,email"),
        ("cn-of-host", &pinned[..]),
        ("cn-of-mail", ""),
        ("Cn-of-other", ""),
        ("first", ""),
        ("second", ""),
    ];
    let settings = &["ClientCertificate=optional", "CertificateLogin=enough"];
    let scene = Scene::new(&trusted, accounts, settings);
    let let_in = |identity: &Identity, name: &str| {
        let reply = {
            let mut client = scene.show(identity);
            client.send(&format!("USER {name}"));
            client.try_reply().unwrap()
        };
        reply.code == 232
    };
    assert!(let_in(&mail, "mail@example.org"));
    assert!(let_in(&mail, "cn-of-mail"));
    assert!(!let_in(&host, "mail@example.org"));
    assert!(let_in(&host, "other.example.org"));
    assert!(!let_in(&host, "printer.example.org"));
    // Where fingerprints are named, names are nothing.
    assert!(!let_in(&host, "cn-of-host"));
    assert!(let_in(&mail, "cn-of-host"));
    assert!(let_in(&two, "cn-of-host"));
    // Two common names are none, and case counts in one.
    assert!(!let_in(&two, "first"));
    assert!(!let_in(&two, "second"));
    assert!(!let_in(&trusted.certify("cn-of-other"), "Cn-of-other"));
    assert!(let_in(&trusted.certify("Cn-of-other"), "Cn-of-other"));
}

#[test]
fn strangers_certificates_end_the_handshake() {
    let trusted = ClientAuthority::new("clients");
    let other = ClientAuthority::new("clients");
    let scene = Scene::new(
        &trusted,
        &[("alice", "CertificateLogin=enough")],
        &["ClientCertificate=optional"],
    );
    let server = trusted.certify_as(&Names {
        common: &["alice"],
        server: true,
        ..Names::default()
    });
    for version in VERSIONS {
        for stranger in [&other.certify("alice"), &server] {
            refused(&scene, &scene.authority.client_with(version, stranger));
        }
    }
    scene
        .server
        .log
        .line_with(&["TLS handshake failed", "certificate is not accepted"]);
    // An authority between is one that came with the certificate.
    let between = trusted.below("department");
    scene
        .show(&between.certify("alice"))
        .expect("USER alice", 232);
}

/// The client does not get as far as a reply.
#[track_caller]
fn refused(scene: &Scene, config: &Arc<ClientConfig>) {
    let mut client = scene.server.connect();
    client.expect("AUTH TLS", 234);
    // In TLS 1.3 the client is done before the server has looked.
    let Ok(mut stream) = handshake(config, client.into_stream()) else {
        return;
    };
    use std::io::{Read, Write};
    let _ = stream.write_all(b"NOOP\r\n");
    let end = stream.read(&mut [0; 100]);
    assert!(end.is_err(), "{end:?}");
}

#[test]
fn where_certificates_are_required_nobody_has_tls_without_one() {
    let trusted = ClientAuthority::new("clients");
    let settings = &["ClientCertificate=required", "TLSRequired=all"];
    let scene = Scene::new(&trusted, &[], settings);
    for version in VERSIONS {
        refused(&scene, &scene.authority.client(version));
        let anybody = trusted.certify("whoever");
        let mut client = scene.connect(&scene.authority.client_with(version, &anybody));
        let login = &scene.server.login;
        client.login(&login.name, &login.password);
        client.protect();
        scene.server.put("file", b"content");
        assert_eq!(client.receive("RETR file").0, b"content");
    }
}

#[test]
fn data_belongs_to_the_client_whose_certificate_it_is() {
    let trusted = ClientAuthority::new("clients");
    let accounts = &[("alice", "CertificateLogin=enough")];
    let scene = Scene::new(
        &trusted,
        accounts,
        &["ClientCertificate=optional", "TLSDataBinding=off"],
    );
    scene.server.put("file", b"content");
    let (alice, bob) = (trusted.certify("alice"), trusted.certify("bob"));
    for version in VERSIONS {
        let mut client = scene.connect(&scene.authority.client_with(version, &alice));
        client.expect("USER alice", 232);
        client.protect();
        let others = [
            scene.authority.client_with(version, &bob),
            scene.authority.client(version),
        ];
        for other in others {
            drop(client.begin_as("RETR file", &other).unwrap());
            client.expect_reply(522);
        }
        // The same client without its tickets.
        let same = scene.authority.client_with(version, &alice);
        let mut data = client.begin_as("RETR file", &same).unwrap();
        let mut octets = Vec::new();
        std::io::Read::read_to_end(&mut data, &mut octets).unwrap();
        client.expect_reply(226);
        assert_eq!(octets, b"content");
    }
}

#[test]
fn whoever_begins_anew_shows_the_certificate_anew() {
    let trusted = ClientAuthority::new("clients");
    let accounts = &[("alice", "CertificateLogin=enough")];
    let settings = &["ClientCertificate=optional", "TLSPort=0"];
    let scene = Scene::new(&trusted, accounts, settings);
    let alice = trusted.certify("alice");
    // Where TLS stays, so does the certificate.
    let config = scene.authority.client_with(&TLS13, &alice);
    let socket = TcpStream::connect(implicit(&scene.server)).unwrap();
    let mut client = Secure::over(socket, &config);
    client.expect_reply(220);
    for _ in 0..2 {
        client.expect("USER alice", 232);
        client.expect("REIN", 220);
    }
    // Nor is it shown twice to who knows it.
    client.expect("USER alice", 232);
    client.expect("REIN", 220);
    client.expect("USER bob", 331);
    client.expect("REIN", 220);
    client.expect("USER alice", 232);
    // Where it ends with the login, nothing of it is left.
    let mut client = scene.connect(&config);
    client.expect("USER alice", 232);
    client.expect("REIN", 220);
    assert!(client.try_reply().is_none());
    client.stream.conn.send_close_notify();
    std::io::Write::flush(&mut client.stream).unwrap();
    let mut clear = tests::Client::over(client.stream.sock);
    clear.expect("USER alice", 331);
}

#[test]
fn accounts_are_not_found_out_by_a_certificate() {
    let trusted = ClientAuthority::new("clients");
    let accounts = &[("alice", "CertificateLogin=enough")];
    let scene = Scene::new(&trusted, accounts, &["ClientCertificate=optional"]);
    let mut client = scene.show(&trusted.certify("alice"));
    // By default three.
    for _ in 0..3 {
        client.expect("USER nobody-knows", 331);
    }
    client.expect("USER alice", 331);
    client.expect(&scene.password(), 230);
}

#[test]
fn settings_that_do_not_fit_are_refused_with_a_sentence() {
    let refused = |settings: &[&str], why: &str| {
        let authority = Authority::new();
        let mut setup = authority.certify(Setup::new());
        for line in settings {
            setup = setup.setting(line);
        }
        setup.refused(why);
    };
    refused(
        &["ClientCertificate=optional"],
        "ClientCertificate needs a ClientCA",
    );
    refused(
        &["ClientCA=/x"],
        "ClientCA is for ClientCertificate=optional or required",
    );
    refused(
        &["CertificateLogin=both"],
        "CertificateLogin needs ClientCertificate=optional",
    );
    refused(
        &["ClientCertificate=required", "ClientCA=/x"],
        "ClientCertificate=required needs TLSRequired=login or all",
    );
    refused(
        &["ClientCertificate=optional", "ClientCA=/dev/null"],
        "/dev/null",
    );
    refused(
        &["CertificateFingerprint=abc"],
        "\"abc\" is no SHA-256 fingerprint",
    );
}
