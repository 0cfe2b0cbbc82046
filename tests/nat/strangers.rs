//! Scenarios 4.3 and 4.12 to 4.14: others than the client at the other end of its data connections.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, connect, getpeername, socket,
};
use tests::client::{ended, port_line};
use tests::wait::PATIENCE;
use tests::{Client, Data, DataConnection, Server, Setup};

use super::attempt::{Attempt, attempt, log_in};
use tests::lab::{CLIENT, CONTENT, Lab, NEIGHBOUR, Place, SERVER};

/// How many lines of the log tell of data connections that were dropped or refused.
fn told_of(server: &Server, what: &str) -> usize {
    server.log.text().matches(what).count()
}

#[test]
fn scenario_4_3_behind_address_translation_port_is_refused_before_a_packet_leaves() {
    let Some(lab) = Lab::new() else { return };
    lab.masquerade(Place::ClientsGateway);
    let server = lab.serve(Setup::new());
    lab.count_connects(Place::Server);
    let mut client = log_in(&server.login, SERVER);
    for line in [
        "PORT 10,1,0,2,200,200",
        "EPRT |1|10.1.0.2|51400|",
        "LPRT 4,4,10,1,0,2,2,200,200",
    ] {
        let reply = client.expect(line, 501);
        assert!(reply.to_string().contains("Address not allowed"), "{reply}");
    }
    client.expect("RETR file", 425);
    assert_eq!(lab.connects(Place::Server), 0);
    assert_eq!(attempt(&mut client, Data::Pasv), Attempt::Fine);
    assert_eq!(attempt(&mut client, Data::Epsv), Attempt::Fine);
}

/// Comes to a port before its owner does, from the server's own network.
pub(crate) fn steal(lab: &Lab, port: SocketAddr) -> TcpStream {
    let stolen = lab.at(Place::ServersGateway, || {
        TcpStream::connect_timeout(&port, PATIENCE)
    });
    stolen.unwrap()
}

/// Moves a file by a passive port to which somebody else came first.
pub(crate) fn the_client_gets_its_file(client: &mut Client, port: SocketAddr, thief: &TcpStream) {
    client.send("RETR file");
    assert!(ended(thief), "something came to the thief");
    let data = TcpStream::connect_timeout(&port, PATIENCE).unwrap();
    client.expect_reply(150);
    assert_eq!(DataConnection::Open(data).read_all(), CONTENT);
    client.expect_reply(226);
}

/// Begins to connect, and waits for nothing.
fn begin_to_steal(port: SocketAddr) -> OwnedFd {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
    let begun = connect(socket.as_raw_fd(), &SockaddrStorage::from(port));
    assert!(matches!(begun, Ok(()) | Err(Errno::EINPROGRESS)));
    socket
}

#[test]
fn attack_38_scenario_4_12_who_comes_first_gets_nothing_and_the_client_its_file() {
    let Some(lab) = Lab::new() else { return };
    let server = lab.serve(Setup::new());
    let mut client = log_in(&server.login, SERVER);
    let port = client.passive_address(Data::Pasv);
    let thief = steal(&lab, port);
    the_client_gets_its_file(&mut client, port, &thief);
    let line = server.log.line_with(&["data connection from 10.2.0.1"]);
    assert!(
        line.contains("dropped: it is not the client 10.1.0.2"),
        "{line}"
    );
    assert_eq!(told_of(&server, "dropped: it is not"), 1);
}

#[test]
fn attack_38_scenario_4_12_nobody_sends_a_file_in_the_clients_place() {
    let Some(lab) = Lab::new() else { return };
    let server = lab.serve(Setup::new());
    let mut client = log_in(&server.login, SERVER);
    let port = client.passive_address(Data::Epsv);
    let thief = steal(&lab, port);
    DataConnection::Open(thief.try_clone().unwrap()).write(b"not the client's");
    client.send("STOR new");
    assert!(ended(&thief), "left open");
    let data = TcpStream::connect_timeout(&port, PATIENCE).unwrap();
    client.expect_reply(150);
    DataConnection::Open(data).write_all_and_close(b"the client's");
    client.expect_reply(226);
    assert_eq!(
        std::fs::read(server.home.join("new")).unwrap(),
        b"the client's"
    );
}

#[test]
fn attack_38_scenario_4_12_five_hundred_thieves_do_not_keep_the_client_out() {
    let Some(lab) = Lab::new() else { return };
    let server = lab.serve(Setup::new());
    let mut client = log_in(&server.login, SERVER);
    let port = client.passive_address(Data::Pasv);
    let begin = || (0..500).map(|_| begin_to_steal(port)).collect();
    let thieves: Vec<OwnedFd> = lab.at(Place::ServersGateway, begin);
    client.send("RETR file");
    let data = TcpStream::connect_timeout(&port, PATIENCE).unwrap();
    client.expect_reply(150);
    assert_eq!(DataConnection::Open(data).read_all(), CONTENT);
    client.expect_reply(226);
    // The port is closed: who got in was dropped, and who waited hears that there is nobody.
    let streams = thieves.into_iter().map(TcpStream::from);
    let came: Vec<TcpStream> = streams
        .filter(|stream| getpeername::<SockaddrStorage>(stream.as_raw_fd()).is_ok())
        .collect();
    assert!(!came.is_empty(), "no thief ever came");
    for thief in came {
        thief.set_nonblocking(false).unwrap();
        assert!(ended(&thief), "something came to a thief");
    }
    let lines = told_of(&server, "dropped: it is not");
    assert!((1..=20).contains(&lines), "{lines} lines of log");
}

/// Two servers, and clients of both that log in from the client's machine.
fn exchange(lab: &Lab, sender: Setup, taker: Setup) -> [(Server, Client); 2] {
    let taker = lab.serve(taker);
    let sender = lab.serve_at(Place::ServersGateway, sender.on(NEIGHBOUR.into()));
    sender.put("only here", b"from server to server");
    let to_sender = log_in(&sender.login, NEIGHBOUR);
    let to_taker = log_in(&taker.login, SERVER);
    [(sender, to_sender), (taker, to_taker)]
}

#[test]
fn scenario_4_13_servers_exchange_files_only_where_both_allow_it() {
    let Some(lab) = Lab::new() else { return };
    let sends = "ActiveTargets=10.1.0.0/24=10.2.0.2";
    let takes = "PassivePeers=10.9.0.0/16=any,10.1.0.0/24=198.51.100.0/24+10.2.0.1";
    // Neither side allows it.
    let [(sender, mut source), (taker, mut sink)] = exchange(&lab, Setup::new(), Setup::new());
    let port = sink.passive_address(Data::Pasv);
    source.expect(&port_line(port), 501);
    sender
        .log
        .line_with(&["10.2.0.2", "refused", "ActiveTargets"]);
    drop(((sender, source), (taker, sink)));
    // One does.
    let [(sender, mut source), (taker, mut sink)] = exchange(
        &lab,
        Setup::new().setting(sends),
        Setup::new().setting("DataTimeout=300ms"),
    );
    let port = sink.passive_address(Data::Pasv);
    source.expect(&port_line(port), 200);
    sink.send("STOR moved");
    source.begin("RETR only here");
    sink.expect_reply(425);
    assert!(matches!(source.reply().code, 226 | 426));
    taker
        .log
        .line_with(&["10.2.0.1", "dropped", "PassivePeers"]);
    assert!(!taker.home.join("moved").exists());
    drop(((sender, source), (taker, sink)));
    // Both do, and privileged ports are refused all the same.
    let [(sender, mut source), (taker, mut sink)] = exchange(
        &lab,
        Setup::new().setting(sends),
        Setup::new().setting(takes),
    );
    source.expect("PORT 10,2,0,2,0,25", 501);
    let port = sink.passive_address(Data::Epsv);
    source.expect(&port_line(port), 200);
    sink.send("STOR moved");
    source.begin("RETR only here");
    sink.expect_reply(150);
    source.expect_reply(226);
    sink.expect_reply(226);
    let moved = std::fs::read(taker.home.join("moved")).unwrap();
    assert_eq!(moved, b"from server to server");
    drop(sender);
}

/// Lines that would have the server connect to somebody else, for a client of that family.
const BOUNCES_V4: &[&str] = &[
    "PORT 10,2,0,1,200,200",
    "PORT 10,2,0,2,200,200",
    "PORT 10,2,0,2,0,25",
    "PORT 10,1,0,2,0,25",
    "PORT 127,0,0,1,200,200",
    "PORT 255,255,255,255,200,200",
    "PORT 10,1,0,255,200,200",
    "PORT 224,0,0,1,200,200",
    "EPRT |1|10.2.0.1|51400|",
    "EPRT |1|127.0.0.1|51400|",
    "EPRT |1|255.255.255.255|51400|",
    "LPRT 4,4,127,0,0,1,2,200,200",
    "LPRT 4,4,10,2,0,1,2,200,200",
];
/// Of another family than the control connection, whatever they stand for.
const FOREIGN_V4: &[&str] = &[
    "EPRT |2|::ffff:10.2.0.1|51400|",
    "EPRT |2|::ffff:127.0.0.1|51400|",
    "EPRT |2|::ffff:10.1.0.2|51400|",
    "EPRT |2|::1|51400|",
];
const BOUNCES_V6: &[&str] = &[
    "EPRT |2|fd00:2::1|51400|",
    "EPRT |2|fd00:2::2|51400|",
    "EPRT |2|fd00:1::2|25|",
    "EPRT |2|::1|51400|",
    "EPRT |2|ff02::1|51400|",
    "EPRT |2|::ffff:127.0.0.1|51400|",
    "EPRT |2|::ffff:10.1.0.2|51400|",
    "LPRT 6,16,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,2,200,200",
];

#[track_caller]
fn refused(client: &mut Client, lines: &[&str], code: u16) {
    for line in lines {
        client.expect(line, code);
        client.expect("RETR file", 425);
    }
}

#[test]
fn attack_37_scenario_4_14_no_form_of_port_leads_to_anybody_else() {
    let Some(lab) = Lab::new() else { return };
    // Whatever "any" lets in, it is not this machine, no other of its network by name only, and no service.
    for setting in ["ActiveTargets=client", "ActiveTargets=10.9.0.0/16=any"] {
        let server = lab.serve_at(
            Place::Server,
            Setup::new().on("::".parse().unwrap()).setting(setting),
        );
        lab.run(Place::Server, "iptables -F OUTPUT");
        lab.run(Place::Server, "ip6tables -F OUTPUT");
        lab.count_connects(Place::Server);
        let mut client = log_in(&server.login, SERVER);
        refused(&mut client, BOUNCES_V4, 501);
        refused(&mut client, FOREIGN_V4, 522);
        let address: std::net::IpAddr = "fd00:2::2".parse().unwrap();
        let mut client = log_in(&server.login, address);
        refused(&mut client, BOUNCES_V6, 501);
        refused(&mut client, &["EPRT |1|10.1.0.2|51400|"], 522);
        assert_eq!(lab.connects(Place::Server), 0);
    }
}

#[test]
fn attack_37_any_target_is_not_this_machine_and_no_service() {
    let Some(lab) = Lab::new() else { return };
    // This machine has others than the one to which the client has come.
    lab.run(Place::Server, "ip addr add 198.51.100.7/32 dev lo");
    lab.run(Place::Server, "ip addr add 2001:db8::7/128 dev lo");
    let everywhere = Setup::new().on("::".parse().unwrap());
    let server = lab.serve_at(Place::Server, everywhere.setting("port_promiscuous=YES"));
    lab.count_connects(Place::Server);
    let address: std::net::IpAddr = "fd00:2::2".parse().unwrap();
    let mut client = log_in(&server.login, address);
    for line in [
        "EPRT |2|fd00:2::2|51400|",
        "EPRT |2|2001:db8::7|51400|",
        "EPRT |2|::ffff:198.51.100.7|51400|",
        "EPRT |2|::1|51400|",
    ] {
        refused(&mut client, &[line], 501);
    }
    let mut client = log_in(&server.login, SERVER);
    for line in [
        "PORT 10,2,0,2,200,200",
        "PORT 198,51,100,7,200,200",
        "PORT 127,0,0,1,200,200",
        "PORT 10,2,0,1,0,25",
        "PORT 169,254,169,254,200,200",
        "PORT 255,255,255,255,200,200",
    ] {
        refused(&mut client, &[line], 501);
    }
    assert_eq!(lab.connects(Place::Server), 0);
    // Another machine is what was asked for.
    let listener = lab.at(Place::ServersGateway, || {
        TcpListener::bind((NEIGHBOUR, 0)).unwrap()
    });
    client.expect(&port_line(listener.local_addr().unwrap()), 200);
    client.begin("RETR file");
    let data = DataConnection::Awaited(listener).open();
    assert_eq!(data.read_all(), CONTENT);
    client.expect_reply(226);
    assert_eq!(lab.connects(Place::Server), 1);
    assert_eq!(client.local().ip(), CLIENT);
}
