//! REIN: another keeper for the same connection, and nothing left of the former user.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::net::TcpStream;

use nix::sys::signal::Signal;
use tests::processes::Process;
use tests::{Client, Data, Server, Setup, require, user, wait};

/// A client that is logged in, with both halves of its session.
fn session(server: &Server) -> (Client, Process, Process) {
    let client = server.logged_in();
    let keeper = server.only_keeper();
    let network = keeper.only_child();
    (client, keeper, network)
}

/// The keeper that goes on when the former one has gone.
fn next_keeper(server: &Server, former: &Process, network: &Process) -> Process {
    former.wait_for_end();
    let others = || {
        let mut children = server.keepers();
        children.retain(|child| child != network && child != former);
        children
    };
    wait::until("there is another keeper", || others().len() == 1);
    others().remove(0)
}

#[test]
fn another_keeper_goes_on_with_the_same_network_half() {
    for setup in [Setup::new(), Setup::rootless()] {
        let server = setup.start();
        let (mut client, former, network) = session(&server);
        client.upload(Data::Epsv, "first", b"1");
        client.expect("REIN", 220);
        client.expect("PWD", 530);
        let keeper = next_keeper(&server, &former, &network);
        client.login(&server.login.name, &server.login.password);
        client.upload(Data::Epsv, "second", b"2");
        assert_eq!(server.names(), ["first", "second"]);
        assert!(network.runs());
        // As often as one likes.
        client.expect("REIN", 220);
        let last = next_keeper(&server, &keeper, &network);
        client.login(&server.login.name, &server.login.password);
        client.expect("QUIT", 221);
        client.expect_end();
        network.wait_for_end();
        last.wait_for_end();
        assert!(server.keepers().is_empty());
        server.logged_in();
    }
}

#[test]
fn the_next_user_has_an_identity_of_their_own() {
    if !require::root() {
        return;
    }
    let other = user::SystemUser::with_groups(2);
    let server = Setup::new()
        .entry("other", &other.name, "{scratch}")
        .start();
    let (mut client, former, network) = session(&server);
    client.expect("REIN", 220);
    let keeper = next_keeper(&server, &former, &network);
    client.login("other", &server.login.password);
    let (uid, gid) = (other.uid.as_raw(), other.gid.as_raw());
    assert_eq!(keeper.numbers("Uid"), [uid; 4]);
    assert_eq!(keeper.numbers("Gid"), [gid; 4]);
    assert_eq!(keeper.numbers("Groups"), other.groups);
    assert_eq!(keeper.status()["CapEff"], "0000000000000000");
    assert_eq!(keeper.status()["Seccomp"], "2");
    // It has what a keeper has that was there from the start.
    let mut first = server.connect();
    first.login("other", &server.login.password);
    let fresh = server
        .keepers()
        .into_iter()
        .find(|child| *child != keeper && *child != network)
        .unwrap();
    let kinds = |process: &Process| {
        let mut kinds: Vec<String> = process
            .descriptors()
            .iter()
            .map(|link| link.split(':').next().unwrap().to_owned())
            .collect();
        kinds.sort();
        kinds
    };
    assert_eq!(kinds(&keeper), kinds(&fresh));
}

#[test]
fn nothing_of_the_former_state_is_left() {
    let server = Server::start();
    let mut client = server.logged_in();
    client.expect("MKD below", 257);
    for line in ["CWD below", "TYPE I", "OPTS MLST size;", "EPSV ALL"] {
        let reply = client.command(line);
        assert!((200..300).contains(&reply.code), "{line}: {reply}");
    }
    client.expect("RNFR .", 350);
    let address = client.passive_address(Data::Epsv);
    client.expect("REIN", 220);
    assert!(TcpStream::connect(address).is_err(), "a listener is left");
    client.expect(&format!("USER {}", server.login.name), 331);
    client.expect(&format!("PASS {}", server.login.password), 230);
    client.expect("RNTO elsewhere", 503);
    assert!(client.expect("PWD", 257).to_string().contains("\"/\""));
    assert!(client.expect("STAT", 211).to_string().contains("ASCII"));
    client.upload(Data::Pasv, "file", b"content");
}

#[test]
fn a_name_that_waits_for_its_password_is_forgotten() {
    let server = Server::start();
    let mut client = server.connect();
    client.expect(&format!("USER {}", server.login.name), 331);
    client.expect("REIN", 220);
    client.expect(&format!("PASS {}", server.login.password), 503);
    client.login(&server.login.name, &server.login.password);
}

#[test]
fn the_death_of_the_next_keeper_ends_the_session() {
    let server = Server::start();
    let (mut client, former, network) = session(&server);
    client.expect("REIN", 220);
    next_keeper(&server, &former, &network).signal(Signal::SIGKILL);
    network.wait_for_end();
    wait::until("nothing is left", || server.keepers().is_empty());
}

#[test]
fn without_a_listener_the_client_is_told_to_come_again() {
    let mut server = Server::start();
    let (mut client, keeper, network) = session(&server);
    server.process().signal(Signal::SIGKILL);
    server.wait();
    client.expect("REIN", 421);
    client.expect_end();
    network.wait_for_end();
    keeper.wait_for_end();
    let (mut inetd, mut client) = Setup::new().inetd_for_client();
    client.login(&inetd.login.name, &inetd.login.password);
    client.expect("REIN", 421);
    client.expect_end();
    assert!(inetd.wait().success());
}
