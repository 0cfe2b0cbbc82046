//! Passive ports: a small range is shared, walked to its end and given back, whatever becomes of the session. Each test has
//! a loopback address of its own, on which nobody else listens.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;

use tests::client::connect_from;
use tests::{Client, Data, Server, Setup, wait};

const RANGE: &str = "DataConnectionPortRange=50000-50009";

fn on(last: u8) -> Setup {
    Setup::new().on(Ipv4Addr::new(127, 21, 8, last).into())
}

/// The ports on which the address is listened on, but for the control port.
fn open_ports(server: &Server) -> Vec<u16> {
    let std::net::IpAddr::V4(ip) = server.address().ip() else {
        panic!("not IPv4")
    };
    let host = format!("{:08X}:", u32::from_le_bytes(ip.octets()));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let mut ports: Vec<u16> = table
        .lines()
        .filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let port = fields.get(1)?.strip_prefix(&host)?;
            (fields.get(3) == Some(&"0A")).then(|| u16::from_str_radix(port, 16).ok())?
        })
        .filter(|&port| port != server.address().port())
        .collect();
    ports.sort_unstable();
    ports
}

fn descriptors(server: &Server) -> usize {
    server.process().descriptors().len()
}

/// PASV, then one of the ways in which a port is given up.
fn rounds(server: &Server, count: usize) {
    let mut client = server.logged_in();
    for round in 0..count {
        client.passive_address(if round % 2 == 0 {
            Data::Pasv
        } else {
            Data::Epsv
        });
        match round % 4 {
            0 => {
                client.expect("QUIT", 221);
                client.expect_end();
                client = server.logged_in();
            }
            1 => client = server.logged_in(),
            2 => {
                client.expect("PORT 192,0,2,1,200,200", 501);
                let local = client.local();
                client.expect(&tests::client::port_line(local), 200);
            }
            _ => {
                client.expect("TYPE A", 200);
            }
        }
    }
}

#[track_caller]
fn nothing_is_left(last: u8, count: usize) {
    let server = on(last)
        .setting("DataConnectionPortRange=50000-50001")
        .start();
    drop(server.logged_in());
    wait::until("the first session has ended", || {
        server.keepers().is_empty()
    });
    let before = descriptors(&server);
    rounds(&server, count);
    wait::until("all sessions have ended", || server.keepers().is_empty());
    assert!(open_ports(&server).is_empty());
    assert_eq!(descriptors(&server), before);
    // Both are free again, at once.
    let (mut one, mut other) = (server.logged_in(), server.logged_in());
    one.expect("PASV", 227);
    other.expect("PASV", 227);
}

#[test]
fn ports_and_descriptors_come_back_whatever_ends_the_wait() {
    nothing_is_left(1, 500);
}

#[test]
#[ignore = "takes minutes: make soak"]
fn ports_and_descriptors_come_back_ten_thousand_times() {
    nothing_is_left(2, 10_000);
}

#[test]
fn every_port_of_a_range_is_found_before_a_client_hears_that_none_is_free() {
    let server = on(3).setting(RANGE).start();
    let mut clients: Vec<Client> = (0..11).map(|_| server.logged_in()).collect();
    let mut last = clients.pop().unwrap();
    let mut ports: Vec<u16> = clients
        .iter_mut()
        .map(|client| client.passive_address(Data::Pasv).port())
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, (50000..=50009).collect::<Vec<_>>());
    assert_eq!(open_ports(&server), ports);
    let reply = last.expect("EPSV", 425);
    assert!(
        reply.to_string().contains("No passive port is free"),
        "{reply}"
    );
    // The session goes on, and an aborted wait gives its port to the next.
    clients[4].expect("ABOR", 225);
    last.expect("EPSV", 229);
    clients[5].expect("REIN", 220);
    clients[4].expect("PASV", 227);
    assert_eq!(open_ports(&server), ports);
}

#[test]
fn ten_ports_serve_two_hundred_clients() {
    let server = on(4)
        .setting(RANGE)
        .setting("MaxPerAddress=0")
        .setting("MaxUnauthenticated=0")
        .setting("MaxPerUser=0")
        .start();
    server.put("file", b"content");
    thread::scope(|scope| {
        for number in 0..200u8 {
            let server = &server;
            scope.spawn(move || {
                let from = Ipv4Addr::new(127, 21, 9, number);
                let mut client = Client::over(connect_from(from, server.address()));
                client.expect_reply(220);
                client.login(&server.login.name, &server.login.password);
                for round in 0..3 {
                    assert_eq!(patient(&mut client, from, round), b"content");
                }
            });
        }
    });
    assert!(open_ports(&server).is_empty());
}

/// Downloads, asking again while no port is free; any other error ends the test.
fn patient(client: &mut Client, from: Ipv4Addr, round: usize) -> Vec<u8> {
    let mut address = None;
    wait::until("a port is free", || {
        let reply = client.command("EPSV");
        assert!(matches!(reply.code, 229 | 425), "round {round}: {reply}");
        let text = reply.text();
        let port = text
            .split_once("(|||")
            .and_then(|(_, rest)| rest.split_once("|)"));
        address = port.map(|(port, _)| SocketAddr::new(client.peer().ip(), port.parse().unwrap()));
        address.is_some()
    });
    let data = connect_from(from, address.unwrap());
    client.begin("RETR file");
    let octets = tests::DataConnection::Open(data).read_all();
    client.expect_reply(226);
    octets
}

#[test]
fn a_port_that_nobody_uses_is_closed_and_the_session_goes_on() {
    let server = on(5).setting("accept_timeout=200ms").setting(RANGE).start();
    let mut client = server.logged_in();
    let address = client.passive_address(Data::Pasv);
    let line = server.log.line_with(&["nobody came to the passive port"]);
    assert!(line.contains(&address.to_string()), "{line}");
    wait::until("the port is closed", || open_ports(&server).is_empty());
    client.expect("LIST", 425);
    client.expect("NOOP", 200);
    // Somebody who came, and whose command did not: nothing to tell, and the port is closed all the same.
    let address = client.passive_address(Data::Epsv);
    let early = TcpStream::connect(address).unwrap();
    wait::until("the port is closed", || open_ports(&server).is_empty());
    assert!(tests::client::ended(&early), "left open");
    client.expect("LIST", 425);
    client.expect("QUIT", 221);
    let text = server.log.text();
    assert_eq!(text.matches("nobody came").count(), 1, "{text}");
}

#[test]
fn who_sends_the_command_and_does_not_come_is_told_of_too() {
    let server = on(6).setting("DataTimeout=200ms").start();
    let mut client = server.logged_in();
    let address = client.passive_address(Data::Epsv);
    client.expect("LIST", 425);
    let told = format!("nobody came to the passive port {address}; a firewall may keep");
    server.log.line_with(&[&told]);
    assert!(open_ports(&server).is_empty());
}
