//! Attacks on data connections, by their row in our table of attacks. Those that need other machines are in tests/nat.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use tests::client::{connect_from, ended, eprt_line, port_line, reset};
use tests::{Client, Data, DataConnection, Server, Setup, wait};

const SERVER: Ipv4Addr = Ipv4Addr::new(127, 21, 10, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 21, 11, 1);
/// Whom rules may name.
const FRIEND: Ipv4Addr = Ipv4Addr::new(127, 21, 12, 1);
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 21, 13, 1);

fn logged_in(server: &Server) -> Client {
    let mut client = Client::over(connect_from(CLIENT, server.address()));
    client.expect_reply(220);
    client.login(&server.login.name, &server.login.password);
    client
}

/// The address in LPSV's reply (RFC 1639 §3.3).
fn lpsv(client: &mut Client) -> SocketAddr {
    let text = client.expect("LPSV", 228).text();
    let (_, numbers) = text.split_once("(4,4,").unwrap();
    let (numbers, _) = numbers.split_once(')').unwrap();
    let n: Vec<u8> = numbers.split(',').map(|n| n.parse().unwrap()).collect();
    let [a, b, c, d, 2, high, low] = n[..] else {
        panic!("{text}")
    };
    (Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])).into()
}

/// Whether somebody gets the file by a passive port.
fn comes_in(client: &mut Client, how: &str, from: Ipv4Addr) -> bool {
    let port = match how {
        "PASV" => client.passive_address(Data::Pasv),
        "EPSV" => client.passive_address(Data::Epsv),
        _ => lpsv(client),
    };
    let guest = connect_from(from, port);
    client.send("RETR file");
    let code = client.reply().code;
    if code == 425 {
        assert!(ended(&guest), "{how}: something came to {from}");
        return false;
    }
    assert_eq!(code, 150);
    assert_eq!(DataConnection::Open(guest).read_all(), b"content");
    client.expect_reply(226);
    true
}

/// Whether the server connects to somebody who waits for the file.
fn goes_out(client: &mut Client, how: &str, to: Ipv4Addr) -> bool {
    let listener = TcpListener::bind((to, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let line = match how {
        "PORT" => port_line(address),
        "EPRT" => eprt_line(address),
        _ => {
            let [a, b, c, d] = to.octets();
            let [high, low] = address.port().to_be_bytes();
            format!("LPRT 4,4,{a},{b},{c},{d},2,{high},{low}")
        }
    };
    if client.command(&line).code == 501 {
        client.expect("RETR file", 425);
        return false;
    }
    client.begin("RETR file");
    let data = DataConnection::Awaited(listener).open();
    assert_eq!(data.read_all(), b"content");
    client.expect_reply(226);
    true
}

#[test]
fn attack_43_a_policy_holds_for_every_way_to_a_data_connection() {
    let policies = [
        ("client", false),
        ("127.21.12.0/24", true),
        ("192.0.2.0/24=any,127.21.11.1=127.21.12.1", true),
        ("192.0.2.0/24=any,127.21.11.1=client", false),
        ("@127.21.10.1=127.21.12.1", true),
        ("@127.21.10.2=127.21.12.1", false),
    ];
    for (policy, friend) in policies {
        let server = Setup::new()
            .on(SERVER.into())
            .setting("DataTimeout=200ms")
            .setting(&format!("PassivePeers={policy}"))
            .setting(&format!("ActiveTargets={policy}"))
            .start();
        server.put("file", b"content");
        let mut client = logged_in(&server);
        for (whom, expected) in [(CLIENT, true), (FRIEND, friend), (STRANGER, false)] {
            for how in ["PASV", "EPSV", "LPSV"] {
                let comes = comes_in(&mut client, how, whom);
                assert_eq!(comes, expected, "{policy}: {how} from {whom}");
            }
            for how in ["PORT", "EPRT", "LPRT"] {
                let goes = goes_out(&mut client, how, whom);
                assert_eq!(goes, expected, "{policy}: {how} to {whom}");
            }
        }
    }
}

#[test]
fn attack_38_a_thief_who_waits_for_the_command_does_not_keep_the_client_out() {
    let server = Setup::new().on(SERVER.into()).start();
    server.put("file", b"content");
    let mut client = logged_in(&server);
    let port = client.passive_address(Data::Epsv);
    // More than may wait in front of a port, and all of them before the client.
    let thieves: Vec<_> = (0..300).map(|_| connect_from(STRANGER, port)).collect();
    let data = connect_from(CLIENT, port);
    // Sent away before there is any command.
    assert!(thieves.iter().all(ended));
    client.begin("RETR file");
    assert_eq!(DataConnection::Open(data).read_all(), b"content");
    client.expect_reply(226);
    let told = server.log.text().matches("dropped: it is not").count();
    assert!((1..=20).contains(&told), "{told} lines of log");
}

#[test]
fn attack_38_passive_ports_cannot_be_guessed() {
    const BUCKETS: usize = 16;
    const PORTS: usize = 800;
    let server = Setup::new().on(SERVER.into()).start();
    let mut client = logged_in(&server);
    let ports: Vec<u16> = (0..PORTS)
        .map(|_| client.passive_address(Data::Epsv).port())
        .collect();
    let mut counts = [0.0; BUCKETS];
    for port in &ports {
        counts[usize::from(port - 49152) * BUCKETS / (1 << 14)] += 1.0;
    }
    let expected = (PORTS / BUCKETS) as f64;
    let squares = counts.map(|count: f64| (count - expected).powi(2) / expected);
    // Exceeded by chance once in some ten million times (15 degrees of freedom).
    let chi = squares.iter().sum::<f64>();
    assert!(chi < 65.0, "χ² is {chi}");
    let near = ports.windows(2).filter(|two| two[0].abs_diff(two[1]) < 16);
    assert!(near.count() < 20, "one port tells the next");
}

/// Connects and takes that back at once, so that the connection is gone before anybody accepts it.
fn connect_and_reset(from: Ipv4Addr, server: SocketAddr) {
    reset(&connect_from(from, server));
}

#[test]
fn attack_41_resets_before_anybody_accepts_keep_nobody_out() {
    // No more than fit into a queue at a time, from an address that may have many.
    let server = Setup::new()
        .on(SERVER.into())
        .setting("MaxPerAddress=0")
        .setting("MaxUnauthenticated=0")
        .start();
    server.put("file", b"content");
    let before = server.process().descriptors().len();
    for _ in 0..500 {
        connect_and_reset(STRANGER, server.address());
    }
    let mut client = logged_in(&server);
    let port = client.passive_address(Data::Pasv);
    for _ in 0..300 {
        connect_and_reset(STRANGER, port);
    }
    let data = connect_from(CLIENT, port);
    client.begin("RETR file");
    assert_eq!(DataConnection::Open(data).read_all(), b"content");
    client.expect_reply(226);
    client.expect("QUIT", 221);
    client.expect_end();
    wait::until("nothing is left of them", || {
        server.keepers().is_empty() && server.process().descriptors().len() == before
    });
}

#[test]
fn attack_41_a_client_that_resets_its_own_data_connection_keeps_its_session() {
    let server = Setup::new().on(SERVER.into()).start();
    server.put("file", b"content");
    let mut client = logged_in(&server);
    for _ in 0..20 {
        let port = client.passive_address(Data::Epsv);
        connect_and_reset(CLIENT, port);
        client.send("RETR file");
        // It was the client's connection, and it is gone: nothing was moved.
        let mark = client.reply();
        if mark.code == 150 {
            client.expect_reply(426);
        } else {
            assert_eq!(mark.code, 425, "{mark}");
        }
    }
    assert!(comes_in(&mut client, "EPSV", CLIENT));
}
