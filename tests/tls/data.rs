//! Data connections under TLS: whose they are, and where they end.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};
use tests::client::{connect_from, ended};
use tests::{Setup, require};

use crate::client::{Ending, Secure, finish, handshake};
use crate::server::{VERSIONS, start, start_as};

#[test]
fn files_and_listings_go_both_ways_in_both_versions() {
    let (authority, server) = start(&["TLSDataBinding=require"]);
    let content: Vec<u8> = (0..2_000_003_u32).map(|n| (n % 253) as u8).collect();
    server.put("empty", b"");
    for version in VERSIONS {
        let mut client = authority.logged_in(&server, version);
        assert_eq!(client.upload("up", &content, Ending::CloseNotify).code, 226);
        assert!(server.content("up") == content);
        let (back, kind) = client.receive("RETR up");
        assert!(back == content);
        assert_eq!(kind, Some(HandshakeKind::Resumed));
        assert_eq!(client.receive("RETR empty").0, b"");
        let names = String::from_utf8(client.receive("NLST").0).unwrap();
        assert!(
            names.contains("up\r\n") && names.contains("empty\r\n"),
            "{names}"
        );
        client.expect("TYPE A", 200);
        assert_eq!(
            client
                .upload("text", b"one\r\ntwo\r\n", Ending::CloseNotify)
                .code,
            226
        );
        assert_eq!(server.content("text"), b"one\ntwo\n");
        assert_eq!(client.receive("RETR text").0, b"one\r\ntwo\r\n");
    }
}

#[test]
fn active_connections_are_under_tls_too() {
    for ipv6 in [false, true] {
        if ipv6 && !require::ipv6() {
            return;
        }
        let setup = if ipv6 {
            Setup::new().ipv6()
        } else {
            Setup::new()
        };
        let (authority, server) = start_as(setup, &["TLSDataBinding=require"]);
        server.put("file", b"content");
        let ip = server.address().ip();
        let family = if ipv6 { 2 } else { 1 };
        for version in VERSIONS {
            let mut client = authority.logged_in(&server, version);
            assert_eq!(client.receive("RETR file").0, b"content");
            let listener = std::net::TcpListener::bind((ip, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            client.expect(&format!("EPRT |{family}|{ip}|{port}|"), 200);
            client.expect("RETR file", 150);
            let mut data = handshake(&client.config, listener.accept().unwrap().0).unwrap();
            let mut octets = Vec::new();
            data.read_to_end(&mut octets).unwrap();
            client.expect_reply(226);
            assert_eq!(octets, b"content");
        }
    }
}

#[test]
fn row_39_who_does_not_resume_the_session_is_refused() {
    for version in VERSIONS {
        let (authority, server) = start(&["TLSDataBinding=require"]);
        server.put("secret", b"content");
        let mut client = authority.logged_in(&server, version);
        // From the same address, with a ticket of nobody or of a session of its own.
        let thief = authority.client(version);
        for own_session in [false, true] {
            if own_session {
                let mut own = crate::client::Secure::connect(server.address(), &thief);
                own.login(&server.login.name, &server.login.password);
            }
            let stolen = client.begin_as("RETR secret", &thief);
            let mut octets = Vec::new();
            if let Ok(mut data) = stolen {
                let _ = data.read_to_end(&mut octets);
            }
            assert_eq!(octets, b"");
            client.expect_reply(522);
            // Nor can it put anything in the client's place.
            if let Ok(mut data) = client.begin_as("STOR secret", &thief) {
                let _ = data.write_all(b"forged");
            }
            client.expect_reply(522);
            assert_eq!(server.content("secret"), b"content");
        }
        // The client itself goes on.
        assert_eq!(client.receive("RETR secret").0, b"content");
        server.log.line_with(&["did not resume", "refused"]);
    }
}

#[test]
fn row_39_the_binding_can_stand_for_the_address() {
    let settings = ["TLSDataBinding=require", "PassivePeers=127.21.14.0/24=tls"];
    let (authority, server) = start(&settings);
    server.put("file", b"content");
    for version in VERSIONS {
        let config = authority.client(version);
        let control = connect_from(std::net::Ipv4Addr::new(127, 21, 14, 1), server.address());
        let mut client = tests::Client::over(control);
        client.expect_reply(220);
        client.expect("AUTH TLS", 234);
        let mut client = Secure::over(client.into_stream(), &config);
        client.login(&server.login.name, &server.login.password);
        client.protect();
        // By another address than that of the control connection.
        assert_eq!(client.receive("RETR file").0, b"content");
        let thief = authority.client(version);
        if let Ok(mut data) = client.begin_as("RETR file", &thief) {
            let _ = data.read_to_end(&mut Vec::new());
        }
        client.expect_reply(522);
        // In the clear there is nothing that it could stand for.
        client.expect("PROT C", 200);
        let stranger = TcpStream::connect(client.passive()).unwrap();
        assert!(ended(&stranger), "left open");
    }
}

#[test]
fn row_39_by_default_it_is_logged() {
    let (authority, server) = start(&[]);
    server.put("file", b"content");
    let mut client = authority.logged_in(&server, &TLS13);
    assert_eq!(client.receive("RETR file").0, b"content");
    assert!(!server.log.text().contains("did not resume"));
    let mut data = client
        .begin_as("RETR file", &authority.client(&TLS13))
        .unwrap();
    data.read_to_end(&mut Vec::new()).unwrap();
    client.expect_reply(226);
    server.log.line_with(&["did not resume"]);
}

#[test]
fn row_44_an_upload_that_was_cut_off_replaces_nothing() {
    for version in VERSIONS {
        let (authority, server) = start(&[]);
        server.put("file", b"the old content");
        let mut client = authority.logged_in(&server, version);
        let reply = client.upload("file", b"the new", Ending::Cut);
        assert_eq!(reply.code, 426, "{reply}");
        assert!(reply.text().contains("close_notify"), "{reply}");
        assert_eq!(server.content("file"), b"the old content");
        let reply = client.upload("file", b"the new", Ending::CloseNotify);
        assert_eq!(reply.code, 226, "{reply}");
        assert_eq!(server.content("file"), b"the new");
    }
}

#[test]
fn row_44_where_it_is_not_demanded_the_end_of_the_connection_is_one() {
    let (authority, server) = start(&["TLSCloseNotify=lax"]);
    let mut client = authority.logged_in(&server, &TLS13);
    assert_eq!(client.upload("file", b"content", Ending::Cut).code, 226);
    assert_eq!(server.content("file"), b"content");
}

#[test]
fn row_49_two_hundred_data_connections_resume_with_tickets_that_are_used_once() {
    for version in VERSIONS {
        let (authority, server) = start(&["TLSDataBinding=require", "Durability=rename"]);
        server.put("file", b"content");
        let mut client = authority.logged_in(&server, version);
        let session = server.only_keeper().only_child();
        let mut before = 0;
        for round in 0..100 {
            if round == 10 {
                before = session.memory();
            }
            let (octets, kind) = client.receive("RETR file");
            assert_eq!(octets, b"content");
            assert_eq!(kind, Some(HandshakeKind::Resumed), "{round}");
            let mut data = client.begin("STOR up");
            assert_eq!(
                data.conn.handshake_kind(),
                Some(HandshakeKind::Resumed),
                "{round}"
            );
            finish(&mut data, b"content", Ending::CloseNotify);
            client.expect_reply(226);
        }
        // Of TLS 1.2 some sessions are kept, but not so many.
        let grown = session.memory().saturating_sub(before);
        println!("{version:?}: {grown} KiB more after 180 connections");
        assert!(grown <= 64, "{grown} KiB more after 180 connections");
    }
}

#[test]
fn abor_works_in_the_middle_of_a_transfer() {
    let (authority, server) = start(&[]);
    server.put("large", &vec![b'x'; 64 << 20]);
    for version in VERSIONS {
        let mut client = authority.logged_in(&server, version);
        let mut data = client.begin("RETR large");
        data.read_exact(&mut [0; 1000]).unwrap();
        client.send("STAT");
        client.expect_reply(213);
        client.send("ABOR");
        client.expect_reply(426);
        client.expect_reply(226);
        let mut data = client.begin("STOR up");
        data.write_all(b"half").unwrap();
        data.flush().unwrap();
        client.send("ABOR");
        client.expect_reply(426);
        client.expect_reply(226);
        client.expect("NOOP", 200);
    }
}

#[test]
fn data_that_is_no_tls_is_told_and_harms_nobody() {
    let (authority, server) = start(&[]);
    server.put("file", b"content");
    let mut client = authority.logged_in(&server, &TLS12);
    let mut data = TcpStream::connect(client.passive()).unwrap();
    client.expect("RETR file", 150);
    data.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let reply = client.expect_reply(425);
    assert!(reply.text().contains("TLS"), "{reply}");
    // One that leaves in the middle of the handshake.
    let data = TcpStream::connect(client.passive()).unwrap();
    client.expect("RETR file", 150);
    drop(data);
    client.expect_reply(425);
    assert_eq!(client.receive("RETR file").0, b"content");
}
