//! Tickets that are somebody else's, or of another time: none of them is worth anything (row 48).

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;

use nix::sys::signal::Signal;
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use rustls::{ClientConfig, HandshakeKind, NamedGroup, SupportedProtocolVersion};
use tests::scratch::mode;
use tests::{Server, Setup};

use crate::client::{Secure, handshake_as};
use crate::server::{Authority, VERSIONS, start};

/// Tickets without a word on whose they are: each is offered to everybody.
#[derive(Debug)]
struct Promiscuous(ClientSessionMemoryCache);

fn anybody() -> ServerName<'static> {
    "anybody".try_into().unwrap()
}

impl ClientSessionStore for Promiscuous {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(anybody(), group);
    }
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&anybody())
    }
    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(anybody(), value);
    }
    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&anybody())
    }
    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&anybody());
    }
    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(anybody(), value);
    }
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&anybody())
    }
}

/// What comes of a download by who has these tickets: the code of the reply, and the octets.
#[track_caller]
fn steal(client: &mut Secure, thief: &Arc<ClientConfig>, name: &str) -> (u16, Vec<u8>) {
    let socket = TcpStream::connect(client.passive()).unwrap();
    client.expect("RETR file", 150);
    let mut octets = Vec::new();
    if let Ok(mut data) = handshake_as(thief, name, socket) {
        let _ = data.read_to_end(&mut octets);
    }
    (client.try_reply().unwrap().code, octets)
}

/// The kind of a handshake of a new control connection with these tickets.
#[track_caller]
fn comes_back(server: &Server, config: &Arc<ClientConfig>) -> Option<HandshakeKind> {
    let client = Secure::connect(server.address(), config);
    client.stream.conn.handshake_kind()
}

#[test]
fn row_48_a_ticket_of_one_host_is_none_of_another() {
    for version in VERSIONS {
        let (one, other) = (Authority::of("one.example"), Authority::of("other.example"));
        let setup = Setup::new().setting("TLSDataBinding=require");
        let files = [("one", &one), ("other", &other)].map(|(name, authority)| {
            let file = setup.scratch().join(name);
            fs::write(&file, authority.pem()).unwrap();
            mode(&file, 0o600);
            file.display().to_string()
        });
        let server = setup.flag(&["-cert", &files.join(",")]).start();
        server.put("file", b"content");
        let tickets = Promiscuous(ClientSessionMemoryCache::new(64));
        let config = one.client_of_all(version, &[&other], Arc::new(tickets));
        let mut clear = server.connect();
        clear.expect("AUTH TLS", 234);
        let mut client = Secure::over_as(clear.into_stream(), &config, "one.example");
        client.login(&server.login.name, &server.login.password);
        client.protect();
        assert_eq!(
            steal(&mut client, &config, "one.example"),
            (226, b"content".to_vec())
        );
        assert_eq!(
            steal(&mut client, &config, "other.example"),
            (522, Vec::new())
        );
        let mut clear = server.connect();
        clear.expect("AUTH TLS", 234);
        let client = Secure::over_as(clear.into_stream(), &config, "other.example");
        let kind = client.stream.conn.handshake_kind();
        assert_eq!(kind, Some(HandshakeKind::Full));
    }
}

/// A server with a file, and another account on it.
fn two_users(settings: &[&str]) -> (Authority, Server) {
    let setup = Setup::new().account("other", "plain", "");
    let (authority, server) = crate::server::start_as(setup, settings);
    server.put("file", b"content");
    (authority, server)
}

#[track_caller]
fn log_in(
    authority: &Authority,
    server: &Server,
    version: &'static SupportedProtocolVersion,
    name: &str,
) -> Secure {
    let mut client = Secure::connect(server.address(), &authority.client(version));
    client.login(name, &server.login.password);
    client.protect();
    client
}

#[test]
fn row_48_a_ticket_of_one_user_opens_no_data_of_another() {
    for version in VERSIONS {
        let (authority, server) = two_users(&["TLSDataBinding=require"]);
        let mut one = log_in(&authority, &server, version, &server.login.name);
        let mut other = log_in(&authority, &server, version, "other");
        // Both have tickets of data connections too.
        for client in [&mut one, &mut other] {
            assert_eq!(client.receive("RETR file").0, b"content");
        }
        let (first, second) = (Arc::clone(&one.config), Arc::clone(&other.config));
        assert_eq!(steal(&mut other, &first, "localhost"), (522, Vec::new()));
        assert_eq!(steal(&mut one, &second, "localhost"), (522, Vec::new()));
        // Where it is only preferred, it is no resumption either, and is told of.
        let (authority, server) = two_users(&["TLSDataBinding=prefer"]);
        let one = log_in(&authority, &server, version, &server.login.name);
        let mut other = log_in(&authority, &server, version, "other");
        let data = other.begin_as("RETR file", &one.config).unwrap();
        assert_eq!(data.conn.handshake_kind(), Some(HandshakeKind::Full));
        server.log.line_with(&["did not resume the TLS session"]);
    }
}

#[test]
fn row_48_a_ticket_from_before_rein_is_none_behind_it() {
    for version in VERSIONS {
        let (authority, server) = start(&["TLSDataBinding=require"]);
        server.put("file", b"content");
        // Of a client that has not even logged in.
        let mut visitor = Secure::connect(server.address(), &authority.client(version));
        visitor.expect("NOOP", 200);
        let before = Arc::clone(&visitor.config);
        let mut clear = rein(visitor);
        clear.expect("AUTH TLS", 234);
        let mut client = Secure::over(clear.into_stream(), &authority.client(version));
        client.login(&server.login.name, &server.login.password);
        client.protect();
        assert_eq!(steal(&mut client, &before, "localhost"), (522, Vec::new()));
        assert_eq!(client.receive("RETR file").0, b"content");
        // Nor is one of a user for the next one.
        let before = Arc::clone(&client.config);
        let mut clear = rein(client);
        clear.expect("AUTH TLS", 234);
        let client = Secure::over(clear.into_stream(), &before);
        let kind = client.stream.conn.handshake_kind();
        assert_eq!(kind, Some(HandshakeKind::Full));
    }
}

/// Begins anew, and leaves TLS with the server.
#[track_caller]
fn rein(mut client: Secure) -> tests::Client {
    client.expect("REIN", 220);
    assert!(client.try_reply().is_none());
    client.stream.conn.send_close_notify();
    std::io::Write::flush(&mut client.stream).unwrap();
    tests::Client::over(client.stream.sock)
}

#[test]
fn row_48_a_ticket_is_no_login_after_a_change_of_password() {
    let (authority, server) = start(&["TLSDataBinding=require"]);
    server.put("file", b"content");
    let mut client = authority.logged_in(&server, &TLS13);
    let (name, old) = (&server.login.name, &server.login.password);
    client.expect(&format!("SITE PSWD \"{old}\" another-one"), 250);
    // The session that has changed it goes on.
    assert_eq!(client.receive("RETR file").0, b"content");
    let mut back = Secure::connect(server.address(), &client.config);
    let kind = back.stream.conn.handshake_kind();
    assert_eq!(kind, Some(HandshakeKind::Full));
    back.expect("PWD", 530);
    back.expect(&format!("USER {name}"), 331);
    back.expect(&format!("PASS {old}"), 530);
    back.expect(&format!("USER {name}"), 331);
    back.expect("PASS another-one", 230);
}

#[test]
fn row_48_a_ticket_outlives_no_session_that_was_ended() {
    let (authority, server) = start(&["TLSDataBinding=require"]);
    server.put("file", b"content");
    let client = authority.logged_in(&server, &TLS13);
    let tickets = Arc::clone(&client.config);
    let keeper = server.only_keeper();
    keeper.signal(Signal::SIGKILL);
    keeper.wait_for_end();
    assert_eq!(comes_back(&server, &tickets), Some(HandshakeKind::Full));
    let mut next = authority.logged_in(&server, &TLS13);
    assert_eq!(steal(&mut next, &tickets, "localhost"), (522, Vec::new()));
}

#[test]
fn row_48_a_ticket_of_an_older_certificate_is_none() {
    let (authority, server) = start(&["TLSDataBinding=require"]);
    server.put("file", b"content");
    let mut client = authority.logged_in(&server, &TLS13);
    let new = Authority::new();
    let file = server.scratch.join("new.pem");
    fs::write(&file, new.pem()).unwrap();
    mode(&file, 0o600);
    fs::rename(file, server.scratch.join("tls.pem")).unwrap();
    server.log.line_with(&["certificates: renewed"]);
    // The running session keeps its own.
    let (octets, kind) = client.receive("RETR file");
    let resumed = Some(HandshakeKind::Resumed);
    assert_eq!((octets, kind), (b"content".to_vec(), resumed));
    // A new one shows the new certificate, which who knows the old one only does not accept, tickets or not.
    let mut clear = server.connect();
    clear.expect("AUTH TLS", 234);
    assert!(handshake_as(&client.config, "localhost", clear.into_stream()).is_err());
    let mut next = new.logged_in(&server, &TLS13);
    assert_eq!(
        steal(&mut next, &client.config, "localhost"),
        (522, Vec::new())
    );
}
