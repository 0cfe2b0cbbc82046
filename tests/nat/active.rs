//! Scenarios 4.1, 4.2, 4.15 and 4.16: the server connects to its clients.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, connect, listen, setsockopt,
    socket, sockopt,
};
use tests::client::port_line;
use tests::{Client, Data, DataConnection, Server, Setup, require};

use super::attempt::{Attempt, attempt, log_in};
use tests::lab::{CLIENT, CONTENT, Lab, Place, SERVER};

#[test]
fn scenario_4_1_a_firewall_before_the_client_is_a_425_in_time() {
    let Some(lab) = Lab::new() else { return };
    lab.closes_in_front_of_the_client();
    let server = lab.serve(Setup::new().setting("connect_timeout=300ms"));
    let mut client = log_in(&server.login, SERVER);
    assert_eq!(attempt(&mut client, Data::Port), Attempt::Refused(425));
    let line = server
        .log
        .line_with(&["data connection to 10.1.0.2:", "DataTimeout"]);
    assert!(line.contains("a firewall may keep it out"), "{line}");
    assert_eq!(attempt(&mut client, Data::Eprt), Attempt::Refused(425));
    // The session goes on, by the mode that firewalls let through.
    assert_eq!(attempt(&mut client, Data::Pasv), Attempt::Fine);
    assert_eq!(attempt(&mut client, Data::Epsv), Attempt::Fine);
}

#[test]
fn scenario_4_1_a_firewall_that_says_no_is_heard_at_once() {
    let Some(lab) = Lab::new() else { return };
    let reject = "iptables -A FORWARD -d 10.1.0.0/24 -p tcp --syn -j REJECT";
    lab.run(Place::ClientsGateway, reject);
    // Nobody waits so long in a test.
    let server = lab.serve(Setup::new().setting("DataTimeout=1h"));
    let mut client = log_in(&server.login, SERVER);
    assert_eq!(attempt(&mut client, Data::Port), Attempt::Refused(425));
    server
        .log
        .line_with(&["data connection to 10.1.0.2:", "failed"]);
    assert_eq!(attempt(&mut client, Data::Epsv), Attempt::Fine);
}

/// Fetches the file by PORT to a listener and tells where the connection came from.
#[track_caller]
fn fetch(client: &mut Client, listener: &TcpListener) -> SocketAddr {
    client.expect(&port_line(listener.local_addr().unwrap()), 200);
    take(client, listener)
}

/// The same without PORT.
#[track_caller]
fn take(client: &mut Client, listener: &TcpListener) -> SocketAddr {
    client.begin("RETR file");
    let data = DataConnection::Awaited(listener.try_clone().unwrap()).open();
    assert_eq!(data.read_all(), CONTENT);
    client.expect_reply(226);
    data.stream().peer_addr().unwrap()
}

fn listener() -> TcpListener {
    TcpListener::bind((CLIENT, 0)).unwrap()
}

#[test]
fn scenario_4_2_a_firewall_that_reads_along_opens_for_port_20() {
    let Some(lab) = Lab::new() else { return };
    lab.closes_in_front_of_the_client();
    if !lab.can_help(Place::ClientsGateway) {
        require::missing("the kernel's helper for FTP (nf_conntrack_ftp)");
        return;
    }
    let server = lab.serve(Setup::new().setting("connect_from_port_20=YES"));
    let mut client = log_in(&server.login, SERVER);
    assert_eq!(fetch(&mut client, &listener()).port(), 20);
    assert_eq!(attempt(&mut client, Data::Port), Attempt::Fine);
    assert_eq!(attempt(&mut client, Data::Eprt), Attempt::Fine);
}

/// A control connection and a listener on the port that it comes from.
fn log_in_and_listen(server: &Server) -> (Client, TcpListener) {
    let socket = || {
        let socket = socket(
            AddressFamily::Inet,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            None,
        );
        let socket = socket.unwrap();
        setsockopt(&socket, sockopt::ReuseAddr, &true).unwrap();
        socket
    };
    let (control, waiting) = (socket(), socket());
    let any = SockaddrStorage::from(SocketAddr::from((CLIENT, 0)));
    bind(control.as_raw_fd(), &any).unwrap();
    let to = SockaddrStorage::from(SocketAddr::from((SERVER, 21)));
    connect(control.as_raw_fd(), &to).unwrap();
    let control = TcpStream::from(control);
    let own = SockaddrStorage::from(control.local_addr().unwrap());
    bind(waiting.as_raw_fd(), &own).unwrap();
    listen(&waiting, Backlog::new(8).unwrap()).unwrap();
    let mut client = Client::over(control);
    client.expect_reply(220);
    client.login(&server.login.name, &server.login.password);
    (client, TcpListener::from(waiting))
}

#[test]
fn scenario_4_15_without_port_the_data_goes_to_where_the_control_connection_comes_from() {
    let Some(lab) = Lab::new() else { return };
    let server = lab.serve(
        Setup::new()
            .setting("DefaultDataPort=yes")
            .setting("ActivePorts=20"),
    );
    let (mut client, own) = log_in_and_listen(&server);
    // F1.
    assert_eq!(take(&mut client, &own), SocketAddr::from((SERVER, 20)));
    // F2: what PORT said is for one transfer.
    assert_eq!(fetch(&mut client, &listener()).port(), 20);
    take(&mut client, &own);
    assert_eq!(attempt(&mut client, Data::Epsv), Attempt::Fine);
    take(&mut client, &own);
}

#[test]
fn scenario_4_15_the_default_data_port_is_off_by_default() {
    let Some(lab) = Lab::new() else { return };
    let server = lab.serve(Setup::new());
    lab.count_connects(Place::Server);
    let (mut client, _own) = log_in_and_listen(&server);
    let reply = client.expect("RETR file", 425);
    assert!(reply.to_string().contains("Use PASV"), "{reply}");
    assert_eq!(lab.connects(Place::Server), 0);
}

/// A client without timestamps of TCP: an old connection cannot be told from a new one.
fn without_timestamps(lab: &Lab) {
    lab.set(Place::Client, "ipv4/tcp_timestamps", "0");
}

#[test]
fn scenario_4_16_a_port_that_waits_is_replaced() {
    let Some(lab) = Lab::new() else { return };
    without_timestamps(&lab);
    // T1: any port, after those that are named.
    let server = lab.serve(Setup::new().setting("ActivePorts=20, 2020"));
    let (mut client, own) = (log_in(&server.login, SERVER), listener());
    let ports: Vec<u16> = (0..4).map(|_| fetch(&mut client, &own).port()).collect();
    assert_eq!(ports[..2], [20, 2020]);
    assert!(ports[2..].iter().all(|port| ![20, 2020].contains(port)));
    server.log.line_with(&["comes from another port"]);
    // Another port of the client is reached from port 20 as before.
    assert_eq!(fetch(&mut client, &listener()).port(), 20);
}

#[test]
fn scenario_4_16_a_strict_port_is_a_425_at_once() {
    let Some(lab) = Lab::new() else { return };
    without_timestamps(&lab);
    // T2.
    let server = lab.serve(
        Setup::new()
            .setting("ActivePorts=20")
            .setting("ActivePortsOnly=yes")
            .setting("DataTimeout=1h"),
    );
    let (mut client, own) = (log_in(&server.login, SERVER), listener());
    assert_eq!(fetch(&mut client, &own).port(), 20);
    client.expect(&port_line(own.local_addr().unwrap()), 200);
    let reply = client.expect("RETR file", 425);
    assert!(reply.to_string().contains("still in use"), "{reply}");
    assert_eq!(fetch(&mut client, &listener()).port(), 20);
}

#[test]
fn scenario_4_16_who_closes_first_keeps_the_port_waiting() {
    let Some(lab) = Lab::new() else { return };
    without_timestamps(&lab);
    // T3: after an upload it is the client.
    let server = lab.serve(Setup::new().setting("connect_from_port_20"));
    let (mut client, own) = (log_in(&server.login, SERVER), listener());
    for round in 0..3 {
        client.expect(&port_line(own.local_addr().unwrap()), 200);
        client.begin("STOR up");
        let data = DataConnection::Awaited(own.try_clone().unwrap()).open();
        let from = data.stream().peer_addr().unwrap();
        assert_eq!(from.port(), 20, "round {round}");
        // The end of this side alone, and then that of the other.
        data.write_all_and_close(b"content");
        client.expect_reply(226);
    }
}

#[test]
fn scenario_4_16_two_hundred_at_a_time_come_from_port_20() {
    let Some(lab) = Lab::new() else { return };
    // T4, with a few control connections and many ports.
    let setup = Setup::new()
        .setting("ftp_data_port=20")
        .setting("MaxPerAddress=0")
        .setting("MaxUnauthenticated=0")
        .setting("MaxPerUser=0");
    let server = lab.serve(setup);
    let mut clients: Vec<Client> = (0..200).map(|_| log_in(&server.login, SERVER)).collect();
    let listeners: Vec<TcpListener> = (0..200).map(|_| listener()).collect();
    // All of them are open at once: each is begun before any is read.
    for (client, listener) in clients.iter_mut().zip(&listeners) {
        client.expect(&port_line(listener.local_addr().unwrap()), 200);
        client.begin("STOR up");
    }
    let open: Vec<DataConnection> = listeners
        .into_iter()
        .map(|listener| DataConnection::Awaited(listener).open())
        .collect();
    for data in &open {
        assert_eq!(data.stream().peer_addr().unwrap().port(), 20);
    }
    for (client, data) in clients.iter_mut().zip(open) {
        client.send("ABOR");
        drop(data);
        client.reply();
        client.expect_reply(226);
    }
}

#[test]
fn the_end_of_a_tunnel_reaches_the_client_from_another_address() {
    let Some(lab) = Lab::new() else { return };
    let server = lab.at(Place::Server, || {
        Setup::new()
            .setting("ActiveTargets=self=10.1.0.0/24")
            .start()
    });
    server.put("file", CONTENT);
    let listener = listener();
    // The control connection comes from where the tunnel ends.
    let mut client = lab.at(Place::Server, || Client::connect(server.address()));
    client.login(&server.login.name, &server.login.password);
    assert_eq!(client.local().ip(), Ipv4Addr::LOCALHOST);
    let from = fetch(&mut client, &listener);
    assert_eq!(from.ip(), SERVER);
}
