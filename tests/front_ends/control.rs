//! Control connections: who is believed, who is admitted, and for whom everything counts.

use std::io::Write;

use tests::client::{connect_from, port_line};
use tests::{Client, Server, Setup, wait};

use crate::*;

fn start() -> Server {
    Setup::new().setting(TRUSTED).start()
}

#[test]
fn both_versions_say_whose_session_it_is() {
    let server = start();
    let address = server.address();
    for (last, header) in [(7, line as fn(_, _) -> _), (8, binary)] {
        let client = Ipv4Addr::new(127, 0, 5, last);
        // In pieces, and with what the client says close behind.
        let octets = header(client, address);
        let (one, two) = octets.split_at(14);
        let mut stream = passed(address, one);
        stream.write_all(two).unwrap();
        stream.write_all(b"NOOP\r\n").unwrap();
        let mut session = Client::over(stream);
        session.expect_reply(220);
        session.expect_reply(200);
        session.login(&server.login.name, &server.login.password);
        let from = format!("from {client}");
        server.log.line_with(&["login of", &from]);
        let list = session.expect("SITE WHO", 200).to_string();
        assert!(list.contains(&client.to_string()), "{list}");
        assert!(!list.contains(&FRONT_END.to_string()), "{list}");
        // The server connects to the client, and to nobody else.
        server.put("file", b"content");
        let listener = std::net::TcpListener::bind((client, 0)).unwrap();
        session.expect(&port_line(listener.local_addr().unwrap()), 200);
        session.begin("RETR file");
        let data = tests::DataConnection::Awaited(listener).open();
        assert_eq!(data.read_all(), b"content");
        session.expect_reply(226);
        session.expect(&port_line((FRONT_END, 5000).into()), 501);
        // Another user of the same connection has the same address.
        session.expect("REIN", 220);
        session.login(&server.login.name, &server.login.password);
        let list = session.expect("SITE WHO", 200).to_string();
        assert!(list.contains(&client.to_string()), "{list}");
    }
}

#[test]
fn rules_by_network_are_about_the_client() {
    let server = Setup::new()
        .setting(TRUSTED)
        .setting("PassiveAddress=127.0.5.1=198.51.100.1, 127.0.4.0/24=198.51.100.2, 198.51.100.3")
        .account("bound", "plain", "AllowedNetworks=127.0.5.1")
        .start();
    let told = |client| {
        let reply = logged_in(&server, client).expect("PASV", 227);
        tests::client::six_numbers(&reply.text()).unwrap().ip()
    };
    assert_eq!(told(CLIENT).to_string(), "198.51.100.1");
    assert_eq!(told(OTHER).to_string(), "198.51.100.3");
    let password = server.login.password.clone();
    greeted(&server, CLIENT).login("bound", &password);
    let mut other = greeted(&server, OTHER);
    other.expect("USER bound", 331);
    other.expect(&format!("PASS {password}"), 530);
    server
        .log
        .line_with(&["login of 'bound' from 127.0.5.2 failed"]);
}

/// Row 42 of the attacks: a header from somebody who may not send one.
#[test]
fn a_header_from_anybody_else_ends_the_session() {
    let server = Setup::new()
        .setting(TRUSTED)
        .setting("LoginTimeout=3600")
        .with_penalties()
        .setting("Ban=20")
        .start();
    let address = server.address();
    for (last, octets) in [(1, line(CLIENT, address)), (2, binary(CLIENT, address))] {
        let liar = Ipv4Addr::new(127, 0, 6, last);
        let mut stream = connect_from(liar, address);
        stream.write_all(&octets).unwrap();
        let mut client = Client::over(stream);
        client.expect_reply(220);
        client.expect_reply(421);
        let _ = client.try_reply();
        // It has a penalty, and the client that it named has none.
        let banned = format!("{liar}: banned");
        server.log.line_with(&[&banned]);
    }
    greeted(&server, CLIENT);
    Client::over(connect_from(CLIENT, address)).expect_reply(220);
}

/// Row 42 of the attacks: headers that are none.
#[test]
fn a_front_end_without_a_proper_header_is_refused_and_not_banned() {
    let server = Setup::new()
        .setting(TRUSTED)
        .with_penalties()
        .setting("Ban=10")
        .start();
    let address = server.address();
    let ends = [127, 0, 5, 1, 127, 0, 0, 1, 1, 1, 0, 21];
    let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 205], b"\r\n"].concat();
    let cases: &[(&[u8], &str)] = &[
        (b"USER tester\r\n", "there is none"),
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            "there is none",
        ),
        (b"PROXY TCP4 127.0.5.1 127.0.0.1 1\r\n", "malformed"),
        (b"PROXY TCP4 127.0.5.1 127.0.0.1 1 99999\r\n", "malformed"),
        (b"PROXY TCP4 ::1 ::1 1 21\r\n", "malformed"),
        (b"PROXY UNKNOWN\r\n", "whose connection"),
        (
            b"PROXY TCP4 0.0.0.0 127.0.0.1 1 21\r\n",
            "no client can have",
        ),
        (&long, "too long"),
        (&binary_of(0x22, 0x11, &ends), "malformed"),
        (&binary_of(0x21, 0x11, &ends[1..]), "malformed"),
        (
            &binary_of(0x21, 0x11, &[&ends[..], b"\x04\xff\xff"].concat()),
            "malformed",
        ),
        (
            &binary_of(0x21, 0x11, &[&ends[..], b"\x04\x00"].concat()),
            "malformed",
        ),
        (&binary_of(0x21, 0x11, &[0; 521]), "too long"),
        (&binary_of(0x21, 0x00, b""), "whose connection"),
        (&binary_of(0x21, 0x31, &[0; 216]), "whose connection"),
    ];
    for &(octets, why) in cases {
        let mut client = Client::over(passed(address, octets));
        client.expect_reply(421);
        let _ = client.try_reply();
        server.log.line_with(&["front end 127.0.4.1", why]);
    }
    // A front end that says nothing, or half of it.
    for octets in [&b""[..], b"PROXY TCP4 127"] {
        let mut client = Client::over(passed(address, octets));
        client.expect_reply(421);
        client.expect_end();
    }
    server.log.line_with(&["front end", "in time"]);
    greeted(&server, CLIENT);
    assert!(
        !server.log.text().contains("banned"),
        "{}",
        server.log.text()
    );
}

#[test]
fn a_look_whether_the_server_is_there_is_answered() {
    let server = start();
    let address = server.address();
    for junk in [&b""[..], b"whatever"] {
        let mut client = Client::over(passed(address, &binary_of(0x20, 0x00, junk)));
        client.expect_reply(220);
        client.expect("QUIT", 221);
    }
}

#[test]
fn limits_and_penalties_are_for_the_client_not_for_its_front_end() {
    let server = Setup::new()
        .setting(TRUSTED)
        .setting("MaxPerAddress=1")
        .with_penalties()
        .setting("Ban=15")
        .setting("LoginFailDelay=0")
        .start();
    let first = logged_in(&server, CLIENT);
    let mut second = quiet(&server, CLIENT);
    let reply = second.expect_reply(421);
    assert!(reply.to_string().contains("your address"), "{reply}");
    second.expect_end();
    server
        .log
        .line_with(&["client 127.0.5.1 refused", "MaxPerAddress"]);
    // A connection of its own is the same client's.
    Client::over(connect_from(CLIENT, server.address())).expect_reply(421);
    let _other = greeted(&server, OTHER);
    drop(first);
    wait::until("the place is free", || {
        quiet(&server, CLIENT).reply().code == 220
    });
    let guesser = Ipv4Addr::new(127, 0, 7, 7);
    let mut client = greeted(&server, guesser);
    for _ in 0..2 {
        client.expect("USER nobody", 331);
        client.expect("PASS wrong", 530);
    }
    server.log.line_with(&["127.0.7.7: banned"]);
    drop(client);
    for mut refused in [
        quiet(&server, guesser),
        Client::over(connect_from(guesser, server.address())),
    ] {
        let reply = refused.expect_reply(421);
        assert!(reply.to_string().contains("Too many failures"), "{reply}");
    }
    wait::until("others come in", || {
        quiet(&server, Ipv4Addr::new(127, 0, 8, 8)).reply().code == 220
    });
}

#[test]
fn a_flood_from_a_front_end_stays_within_the_limits_of_all() {
    let server = Setup::new()
        .setting(TRUSTED)
        .setting("MaxUnauthenticated=4")
        .setting("ExemptNetworks=127.0.4.0/24")
        .start();
    let address = server.address();
    let silent: Vec<_> = (0..4).map(|_| passed(address, b"")).collect();
    wait::until("all of them have a session", || server.keepers().len() == 4);
    let mut more = Client::over(passed(address, b""));
    let reply = more.expect_reply(421);
    assert!(reply.to_string().contains("Too many clients"), "{reply}");
    assert_eq!(server.keepers().len(), 4);
    // Clients of their own get places all the same.
    let mut direct = Client::over(connect_from(OTHER, address));
    direct.expect_reply(220);
    drop(silent);
    wait::until("the places are free", || {
        quiet(&server, CLIENT).reply().code == 220
    });
}

#[test]
fn who_has_most_places_before_login_through_a_front_end_makes_room() {
    let server = Setup::new()
        .setting(TRUSTED)
        .setting("MaxUnauthenticated=3")
        .start();
    let mut greedy: Vec<_> = (0..3).map(|_| greeted(&server, CLIENT)).collect();
    let mut honest = logged_in(&server, OTHER);
    wait::until("the oldest is gone", || greedy[0].has_something());
    greedy.remove(0).expect_end();
    honest.expect("NOOP", 200);
}

#[test]
fn the_header_comes_before_tls_and_nothing_is_said_in_the_clear() {
    use std::io::Read;
    let setup = Setup::new();
    let names = ["localhost".to_owned()];
    let certified = rcgen::generate_simple_self_signed(names).unwrap();
    let pem = certified.cert.pem() + &certified.signing_key.serialize_pem();
    let path = setup.scratch().join("tls.pem");
    std::fs::write(&path, pem).unwrap();
    tests::scratch::mode(&path, 0o600);
    let server = setup
        .flag(&["-cert", path.to_str().unwrap(), "-tls-port", "0"])
        .setting(TRUSTED)
        .setting("MaxPerAddress=1")
        .start();
    let address = server.log.implicit();
    let _first = greeted(&server, CLIENT);
    // Neither who sends no header nor who is not admitted hears a word.
    for octets in [b"\x16\x03\x01\x00\x05hello".to_vec(), line(CLIENT, address)] {
        let mut stream = passed(address, &octets);
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        assert_eq!(heard, b"");
    }
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let mut tls = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let mut stream = passed(address, &binary(OTHER, address));
    let mut greeting = [0; 4];
    let mut secure = rustls::Stream::new(&mut tls, &mut stream);
    secure.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"220 ");
}
