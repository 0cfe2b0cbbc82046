//! How a session goes over to TLS, and what it must be under before a password is read.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustls::version::TLS13;
use tests::Client;

use crate::client::{Secure, handshake};
use crate::server::{VERSIONS, implicit, start};

#[test]
fn every_spelling_of_auth_works_and_says_how_data_travels() {
    let (authority, server) = start(&[]);
    server.put("file", b"content");
    for (auth, private) in [
        ("AUTH TLS", false),
        ("auth tls-c", false),
        ("AUTH SSL", true),
        ("AUTH TLS-P", true),
    ] {
        for version in VERSIONS {
            let mut client = Secure::by(server.address(), auth, &authority.client(version));
            client.login(&server.login.name, &server.login.password);
            if private {
                assert_eq!(client.receive("RETR file").0, b"content");
                continue;
            }
            let mut data = TcpStream::connect(client.passive()).unwrap();
            client.expect("RETR file", 150);
            let mut octets = Vec::new();
            data.read_to_end(&mut octets).unwrap();
            client.expect_reply(226);
            assert_eq!(octets, b"content");
        }
    }
}

#[test]
fn the_commands_of_tls_have_their_order_and_their_codes() {
    let (authority, server) = start(&[]);
    let mut clear = server.connect();
    for line in ["PBSZ 0", "PROT P", "CCC"] {
        clear.expect(line, 503);
    }
    clear.expect("AUTH GSSAPI", 504);
    let features = clear.expect("FEAT", 211).lines.join("\n");
    for feature in [" AUTH TLS", " PBSZ", " PROT"] {
        assert!(features.contains(feature), "{features}");
    }
    let mut client = Secure::connect(server.address(), &authority.client(&TLS13));
    client.expect("AUTH TLS", 503);
    client.expect("PROT P", 503);
    client.expect("PBSZ x", 501);
    let size = client.expect("PBSZ 16384", 200).text();
    assert!(size.contains("PBSZ=0"), "{size}");
    client.expect("PROT S", 536);
    client.expect("PROT E", 536);
    client.expect("PROT X", 504);
    client.expect("PROT C", 200);
    client.expect("CCC", 533);
    client.login(&server.login.name, &server.login.password);
    client.expect("QUIT", 221);
    assert!(client.try_reply().is_none());
    // After the login it is too late.
    server.logged_in().expect("AUTH TLS", 503);
}

#[test]
fn without_a_certificate_nothing_of_tls_is_offered() {
    let server = tests::Server::start();
    let mut client = server.connect();
    for line in ["AUTH TLS", "PBSZ 0", "PROT P", "CCC"] {
        client.expect(line, 502);
    }
    let features = client.expect("FEAT", 211).lines.join("\n");
    assert!(
        !features.contains("AUTH") && !features.contains("PROT"),
        "{features}"
    );
}

#[test]
fn row_45_nothing_that_was_said_in_the_clear_counts_under_tls() {
    let (authority, server) = start(&[]);
    let injected = format!(
        "AUTH TLS\r\nUSER {}\r\nPASS {}\r\n",
        server.login.name, server.login.password
    );
    // In one segment with AUTH.
    let mut client = server.connect();
    client.send_octets(injected.as_bytes());
    client.expect_reply(421);
    client.expect_end();
    server.log.line_with(&["in the clear behind AUTH"]);
    // Half of a line behind it.
    let mut client = server.connect();
    client.send_octets(b"AUTH TLS\r\nUSE");
    client.expect_reply(421);
    client.expect_end();
    // Between the reply and the handshake: it is no TLS.
    let mut client = server.connect();
    client.expect("AUTH TLS", 234);
    let mut socket = client.into_stream();
    socket.write_all(b"USER x\r\nPASS y\r\n").unwrap();
    assert!(handshake(&authority.client(&TLS13), socket).is_err());
    server.log.line_with(&["TLS handshake failed", "not TLS"]);
    // What was said before AUTH: half of a login, and an option.
    let mut client = server.connect();
    client.expect(&format!("USER {}", server.login.name), 331);
    client.expect("OPTS UTF8 ON", 200);
    client.expect("AUTH TLS", 234);
    let mut client = Secure::over(client.into_stream(), &authority.client(&TLS13));
    client.expect(&format!("PASS {}", server.login.password), 503);
}

#[test]
fn row_53_a_login_in_the_clear_is_refused_before_the_password() {
    let (authority, server) = start(&["TLSRequired=login", "LogLevel=commands"]);
    let mut client = server.connect();
    client.expect(&format!("USER {}", server.login.name), 530);
    client.expect(&format!("PASS {}", server.login.password), 503);
    client.expect("QUIT", 221);
    // Others' names are refused just so.
    server.connect().expect("USER nobody-knows", 530);
    // Strangers without a password are not named users.
    server.connect().expect("USER anonymous", 331);
    let mut client = Secure::connect(server.address(), &authority.client(&TLS13));
    client.login(&server.login.name, &server.login.password);
    client.expect("CCC", 533);
    assert!(!server.log.text().contains(&server.login.password));
}

#[test]
fn row_53_strangers_have_a_rule_of_their_own() {
    let (_, server) = start(&["TLSRequiredAnonymous=login"]);
    server.connect().expect("USER anonymous", 530);
    server.connect().expect("USER FTP", 530);
    server.logged_in();
}

#[test]
fn row_53_data_in_the_clear_is_refused_where_it_must_be_under_tls() {
    let (authority, server) = start(&["TLSRequired=data"]);
    server.put("file", b"content");
    let mut client = server.logged_in();
    let _data = client.data(tests::Data::Epsv);
    client.expect("RETR file", 521);
    let mut client = authority.logged_in(&server, &TLS13);
    client.expect("PROT C", 534);
    assert_eq!(client.receive("RETR file").0, b"content");
}

#[test]
fn tls_cannot_be_required_where_there_is_none() {
    for key in ["TLSRequired", "TLSRequiredAnonymous"] {
        let setup = tests::Setup::new().setting(&format!("{key}=data"));
        setup.refused(&format!("{key} needs a Certificate"));
    }
}

#[test]
fn an_account_can_demand_tls_by_itself() {
    let authority = crate::server::Authority::new();
    let setup = authority.certify(tests::Setup::new());
    let server = setup
        .account("careful", "plain", "TLSRequired=login")
        .start();
    let mut client = server.connect();
    client.expect("USER careful", 331);
    let told = client.expect(&format!("PASS {}", server.login.password), 421);
    assert!(told.text().contains("change it"), "{told}");
    client.expect_end();
    let mut client = Secure::connect(server.address(), &authority.client(&TLS13));
    client.login("careful", &server.login.password);
}

#[test]
fn rein_leaves_tls_and_what_comes_is_a_new_session() {
    let (authority, server) = start(&[]);
    let mut client = authority.logged_in(&server, &TLS13);
    client.expect("REIN", 220);
    // Its close_notify.
    assert!(client.try_reply().is_none());
    client.stream.conn.send_close_notify();
    client.stream.flush().unwrap();
    let Secure { stream, config, .. } = client;
    let mut clear = Client::over(stream.sock);
    clear.expect("PWD", 530);
    clear.expect("PROT P", 503);
    clear.expect("AUTH TLS", 234);
    let mut client = Secure::over(clear.into_stream(), &config);
    // What was agreed upon before is forgotten: the ticket of that time too.
    let kind = client.stream.conn.handshake_kind();
    assert_eq!(kind, Some(rustls::HandshakeKind::Full));
    client.expect("PROT P", 503);
    client.login(&server.login.name, &server.login.password);
}

#[test]
fn row_47_the_implicit_port_never_speaks_in_the_clear() {
    let (authority, server) = start(&["TLSPort=0", "TLSDataBinding=require"]);
    server.put("file", b"content");
    let port = implicit(&server);
    for version in VERSIONS {
        let socket = TcpStream::connect(port).unwrap();
        let mut client = Secure::over(socket, &authority.client(version));
        client.expect_reply(220);
        client.expect("AUTH TLS", 503);
        client.login(&server.login.name, &server.login.password);
        // Data is under TLS without a word about it.
        assert_eq!(client.receive("RETR file").0, b"content");
        // REIN ends the login, and not TLS.
        client.expect("REIN", 220);
        client.expect("PWD", 530);
        client.login(&server.login.name, &server.login.password);
        assert_eq!(client.receive("RETR file").0, b"content");
    }
    // Whoever speaks in the clear gets no FTP back.
    let mut socket = TcpStream::connect(port).unwrap();
    socket.write_all(b"USER x\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    assert!(
        answer.is_empty() || answer[0] == 21,
        "{}",
        answer.escape_ascii()
    );
    // A ticket of that port is none for a session of the other one.
    let config = authority.client(&TLS13);
    let mut first = Secure::over(TcpStream::connect(port).unwrap(), &config);
    first.expect_reply(220);
    first.expect("NOOP", 200);
    let second = Secure::connect(server.address(), &config);
    let kind = second.stream.conn.handshake_kind();
    assert_eq!(kind, Some(rustls::HandshakeKind::Full));
}
