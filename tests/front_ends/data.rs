//! Passive data connections that come through a front end.

use std::net::{SocketAddr, TcpListener};

use tests::client::{connect_from, ended, six_numbers};
use tests::{Client, DataConnection, Server, Setup};

use crate::*;

const CONTENT: &[u8] = b"what is in the file";

fn start(settings: &[&str]) -> Server {
    let setup = Setup::new().setting(TRUSTED);
    let set = |setup: Setup, line: &&str| setup.setting(line);
    let server = settings.iter().fold(setup, set).start();
    server.put("file", CONTENT);
    server
}

fn pasv(client: &mut Client) -> SocketAddr {
    six_numbers(&client.expect("PASV", 227).text()).unwrap()
}

#[track_caller]
fn fetched(client: &mut Client, data: std::net::TcpStream) {
    client.begin("RETR file");
    assert_eq!(DataConnection::Open(data).read_all(), CONTENT);
    client.expect_reply(226);
}

#[test]
fn a_header_says_whose_data_connection_it_is() {
    let server = start(&["ProxyData=yes"]);
    let mut client = logged_in(&server, CLIENT);
    for header in [line as fn(_, _) -> _, binary] {
        let address = pasv(&mut client);
        let data = passed(address, &header(CLIENT, address));
        fetched(&mut client, data);
    }
    // Uploads, too: what comes close behind the header is the file's.
    let address = pasv(&mut client);
    let octets = [binary(CLIENT, address), b"uploaded".to_vec()].concat();
    let data = passed(address, &octets);
    client.begin("STOR new");
    data.shutdown(std::net::Shutdown::Write).unwrap();
    client.expect_reply(226);
    assert_eq!(server.content("new"), b"uploaded");
    // The client itself needs no header.
    let address = pasv(&mut client);
    fetched(&mut client, connect_from(CLIENT, address));
}

#[test]
fn whoever_else_comes_through_the_front_end_gets_nothing() {
    let server = start(&["ProxyData=yes"]);
    let mut client = logged_in(&server, CLIENT);
    let address = pasv(&mut client);
    client.send("RETR file");
    let strangers = [
        passed(address, &binary(OTHER, address)),
        passed(address, b"no header at all"),
        passed(address, &binary_of(0x20, 0x00, b"")),
        connect_from(OTHER, address),
    ];
    for stranger in &strangers {
        assert!(ended(stranger));
    }
    let data = passed(address, &line(CLIENT, address));
    client.expect_reply(150);
    assert_eq!(DataConnection::Open(data).read_all(), CONTENT);
    client.expect_reply(226);
    for from in ["127.0.5.2", "127.0.4.1"] {
        let from = format!("data connection from {from}");
        server.log.line_with(&[&from, "not the client 127.0.5.1"]);
    }
}

#[test]
fn a_front_end_that_says_nothing_does_not_hold_the_port_for_long() {
    let server = start(&["ProxyData=yes"]);
    let mut client = logged_in(&server, CLIENT);
    let address = pasv(&mut client);
    client.send("RETR file");
    let silent = passed(address, b"PROXY TCP4");
    let data = passed(address, &line(CLIENT, address));
    assert!(ended(&silent));
    client.expect_reply(150);
    assert_eq!(DataConnection::Open(data).read_all(), CONTENT);
    client.expect_reply(226);
    // ABOR ends that wait like any other.
    let address = pasv(&mut client);
    client.send("RETR file");
    let silent = passed(address, b"");
    client.send("ABOR");
    client.expect_reply(426);
    client.expect_reply(226);
    assert!(ended(&silent));
}

#[test]
fn without_the_setting_data_connections_are_the_clients_own() {
    let server = start(&[]);
    let mut client = logged_in(&server, CLIENT);
    let address = pasv(&mut client);
    client.send("RETR file");
    let front_end = passed(address, &line(CLIENT, address));
    assert!(ended(&front_end));
    let data = connect_from(CLIENT, address);
    client.expect_reply(150);
    assert_eq!(DataConnection::Open(data).read_all(), CONTENT);
    client.expect_reply(226);
}

/// RFC 959's default: the port that the client's control connection comes from, which the header tells.
#[test]
fn the_default_data_port_is_the_clients_own_and_no_port_of_the_front_end() {
    let server = start(&["DefaultDataPort=yes"]);
    let address = server.address();
    let listener = TcpListener::bind((CLIENT, 0)).unwrap();
    let (ip, port) = (address.ip(), listener.local_addr().unwrap().port());
    let header = format!("PROXY TCP4 {CLIENT} {ip} {port} {}\r\n", address.port());
    let mut client = Client::over(passed(address, header.as_bytes()));
    client.expect_reply(220);
    client.login(&server.login.name, &server.login.password);
    client.begin("RETR file");
    let data = DataConnection::Awaited(listener).open();
    assert_eq!(data.read_all(), CONTENT);
    client.expect_reply(226);
}

#[test]
fn the_setting_alone_is_an_error() {
    Setup::new()
        .setting("ProxyData=yes")
        .refused("ProxyData needs ProxyNetworks");
}
