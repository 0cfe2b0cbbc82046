//! Handshakes that are refused, and those that only look as if they had to be.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use rustls::{AlertDescription, ClientConnection, Error, StreamOwned};
use tests::require;
use tests::wait::PATIENCE;

use crate::client::{Secure, handshake};
use crate::server::{VERSIONS, start};

/// A connection on which AUTH was said.
fn after_auth(server: &tests::Server) -> TcpStream {
    let mut client = server.connect();
    client.expect("AUTH TLS", 234);
    let socket = client.into_stream();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

#[test]
fn row_46_other_protocols_are_refused_by_name() {
    let (authority, server) = start(&[]);
    for version in VERSIONS {
        for protocols in [&[&b"http/1.1"[..]][..], &[b"h2", b"http/1.1"], &[b"imap"]] {
            let config = authority.client_of(version, protocols);
            let error = handshake(&config, after_auth(&server)).err().unwrap();
            let alert = Error::AlertReceived(AlertDescription::NoApplicationProtocol);
            assert!(error.to_string().contains(&alert.to_string()), "{error}");
        }
        // No protocol at all is that of clients which know nothing of ALPN.
        for protocols in [&[][..], &[&b"ftp"[..]], &[b"h2", b"ftp"]] {
            let config = authority.client_of(version, protocols);
            Secure::connect(server.address(), &config).expect("NOOP", 200);
        }
    }
    server.log.line_with(&["another protocol than FTP"]);
}

#[test]
fn row_46_a_host_that_is_another_one_is_refused_where_that_is_wanted() {
    let host = |name: &str| ServerName::try_from(name.to_owned()).unwrap();
    let connect = |server: &tests::Server, config, name| {
        let connection = ClientConnection::new(config, name).unwrap();
        let mut stream = StreamOwned::new(connection, after_auth(server));
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        std::io::Result::Ok(())
    };
    for version in VERSIONS {
        let (authority, server) = start(&["TLSUnknownHost=refuse"]);
        let own = |name| connect(&server, authority.client(version), host(name));
        own("localhost").unwrap();
        own("LOCALHOST").unwrap();
        // An address is no name (RFC 6066 §3).
        own("127.0.0.1").unwrap();
        let told = own("other.example").unwrap_err().to_string();
        assert!(told.contains("received fatal alert"), "{told}");
        let why = "no certificate for the name that the client asks for";
        server.log.line_with(&["TLS handshake failed", why]);
        // By default the client itself is to see whom it has found.
        let (authority, server) = start(&[]);
        let other = connect(&server, authority.client(version), host("other.example"));
        let told = other.unwrap_err().to_string();
        assert!(told.contains("certificate"), "{told}");
    }
}

/// What a client says first.
fn hello(authority: &crate::server::Authority) -> Vec<u8> {
    let name = "localhost".try_into().unwrap();
    let mut client = ClientConnection::new(authority.client(&TLS13), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

/// The same handshake message in records of so many octets.
fn in_records_of(size: usize, hello: &[u8]) -> Vec<u8> {
    let (version, message) = (&hello[1..3], &hello[5..]);
    let records = message.chunks(size).map(|piece| {
        let length = u16::try_from(piece.len()).unwrap().to_be_bytes();
        [&[22], version, &length, piece].concat()
    });
    records.collect::<Vec<_>>().concat()
}

#[test]
fn row_52_a_hello_in_records_of_one_octet_is_understood() {
    let (authority, server) = start(&[]);
    let mut socket = after_auth(&server);
    socket
        .write_all(&in_records_of(1, &hello(&authority)))
        .unwrap();
    let mut header = [0; 6];
    socket.read_exact(&mut header).unwrap();
    // A handshake record with a ServerHello.
    assert_eq!((header[0], header[5]), (22, 2));
}

#[test]
fn row_52_hostile_beginnings_end_one_session_and_no_other() {
    let (authority, server) = start(&[]);
    let hello = hello(&authority);
    let mut endless = vec![1, 0, 0xff, 0xff];
    endless.resize(4 + 0xffff, 0);
    let endless = in_records_of(16_000, &[&[22, 3, 1, 0, 0], &endless[..]].concat());
    let beginnings: &[(&str, &[u8])] = &[
        ("64 KiB of hello", &endless),
        ("close_notify", &[21, 3, 3, 0, 2, 1, 0]),
        (
            "an alert between two halves of a hello",
            &[&hello[..40], &[21, 3, 3, 0, 2, 1, 0]].concat(),
        ),
        (
            "data before the handshake",
            &[23, 3, 3, 0, 5, 1, 2, 3, 4, 5],
        ),
        ("a record of zero octets", &[22, 3, 1, 0, 0]),
        ("a record that is too long", &[22, 3, 1, 0xff, 0xff]),
        ("half a hello", &hello[..hello.len() / 2]),
        ("noise", &[0x80; 300]),
    ];
    for (what, octets) in beginnings {
        let mut socket = after_auth(&server);
        // The server may close before it has read all.
        let _ = socket.write_all(octets);
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        assert!(
            !answer.starts_with(&[22]),
            "{what} was answered by a handshake"
        );
        tests::wait::until(what, || server.keepers().is_empty());
    }
    assert!(!server.log.text().contains("bug"), "{}", server.log.text());
    Secure::connect(server.address(), &authority.client(&TLS13)).expect("NOOP", 200);
}

#[test]
fn row_50_what_is_old_in_tls_is_not_there() {
    if !require::programs(&["openssl"]) {
        return;
    }
    let (_, server) = start(&[]);
    let talk = |arguments: &[&str], say: &str| {
        let mut client = Command::new("openssl")
            .args(["s_client", "-starttls", "ftp", "-connect"])
            .arg(server.address().to_string())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        client
            .stdin
            .take()
            .unwrap()
            .write_all(say.as_bytes())
            .unwrap();
        let output = client.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    };
    // The client itself must be ready to do it.
    for old in [
        &["-tls1", "-cipher", "ALL:@SECLEVEL=0"][..],
        &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
        &[
            "-tls1_2",
            "-cipher",
            "AES128-SHA:AES256-GCM-SHA384:@SECLEVEL=0",
        ],
    ] {
        let (done, text) = talk(old, "QUIT\n");
        assert!(!done && text.contains("alert"), "{old:?}: {text}");
    }
    let (done, text) = talk(&["-tls1_2"], "QUIT\n");
    assert!(done && text.contains("Compression: NONE"), "{text}");
    // R has s_client ask for renegotiation.
    let (_, text) = talk(&["-tls1_2"], "R\nNOOP\nQUIT\n");
    assert!(text.contains("RENEGOTIATING"), "{text}");
    assert!(
        !text.contains("\n200 "),
        "went on after a renegotiation: {text}"
    );
}
