//! Who gets in: limits of connections, turns of password checks, penalties of addresses. As one client and its neighbours
//! see it, each on a loopback address of its own.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::net::Ipv4Addr;
use std::thread;

use nix::sys::signal::Signal;
use tests::client::connect_from;
use tests::{Client, Server, Setup, wait};

const HONEST: Ipv4Addr = Ipv4Addr::new(127, 9, 9, 9);

fn quiet(server: &Server, from: Ipv4Addr) -> Client {
    Client::over(connect_from(from, server.address()))
}

/// A client that was let in.
#[track_caller]
fn greeted(server: &Server, from: Ipv4Addr) -> Client {
    let mut client = quiet(server, from);
    client.expect_reply(220);
    client
}

#[track_caller]
fn logged_in(server: &Server, from: Ipv4Addr) -> Client {
    let mut client = greeted(server, from);
    client.login(&server.login.name, &server.login.password);
    client
}

/// A client that is told 421 with these words and cut off, before it said anything.
#[track_caller]
fn refused(server: &Server, from: Ipv4Addr, words: &str) {
    let mut client = quiet(server, from);
    let reply = client.expect_reply(421);
    assert!(reply.to_string().contains(words), "{reply}");
    client.expect_end();
}

fn neighbour(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 3, number)
}

#[test]
fn an_address_has_so_many_connections_and_each_that_ends_frees_its_place() {
    let server = Setup::new().setting("MaxPerAddress=2").start();
    let _first = greeted(&server, neighbour(1));
    let mut second = logged_in(&server, neighbour(1));
    refused(&server, neighbour(1), "your address");
    server
        .log
        .line_with(&["client 127.0.3.1 refused", "MaxPerAddress"]);
    greeted(&server, neighbour(2));
    second.expect("QUIT", 221);
    wait::until("the place is free", || {
        quiet(&server, neighbour(1)).reply().code == 220
    });
}

#[test]
fn a_full_server_keeps_places_for_exempt_networks() {
    let server = Setup::new()
        .setting("max_clients=2")
        .setting("ExemptNetworks=127.0.3.200/30")
        .start();
    let _clients = [
        greeted(&server, neighbour(1)),
        greeted(&server, neighbour(2)),
    ];
    refused(&server, neighbour(3), "Too many clients");
    let mut administrator = logged_in(&server, neighbour(201));
    administrator.expect("NOOP", 200);
    refused(&server, neighbour(3), "Too many clients");
}

#[test]
fn a_user_has_so_many_sessions_under_whatever_spelling() {
    let server = Setup::new()
        .setting("MaxPerUser=1")
        .account("Many", "plain", "MaxPerUser=2")
        .start();
    let password = server.login.password.clone();
    let _first = server.logged_in();
    let mut second = server.connect();
    second.expect(&format!("USER {}", server.login.name), 331);
    let reply = second.expect(&format!("PASS {password}"), 421);
    assert!(reply.to_string().contains("too many sessions"), "{reply}");
    second.expect_end();
    server
        .log
        .line_with(&["failed: MaxPerUser of 1 is reached"]);
    // The user's own entry counts, and another user has places of its own. A wrong password is told nothing.
    let mut many = [server.connect(), server.connect(), server.connect()];
    many[0].login("Many", &password);
    many[1].login("Many", &password);
    many[2].expect("USER Many", 331);
    many[2].expect("PASS wrong", 530);
    many[2].expect("USER Many", 331);
    many[2].expect(&format!("PASS {password}"), 421);
    // A session that begins anew gives its place up.
    many[0].expect("REIN", 220);
    let mut next = server.connect();
    next.login("Many", &password);
}

#[test]
fn silent_connections_from_one_address_make_room_for_others() {
    let server = Setup::new().setting("MaxUnauthenticated=4").start();
    let mut silent: Vec<_> = (0..4).map(|_| greeted(&server, neighbour(1))).collect();
    refused(&server, neighbour(1), "your address");
    let mut honest = logged_in(&server, HONEST);
    // The oldest had to go; who is logged in counts no more.
    wait::until("the oldest is gone", || silent[0].has_something());
    silent.remove(0).expect_end();
    let _other = greeted(&server, neighbour(2));
    honest.expect("NOOP", 200);
    silent.remove(1).expect("NOOP", 200);
}

#[test]
fn many_logins_at_once_take_turns_and_a_client_that_vanishes_blocks_nobody() {
    let server = Setup::new().setting("MaxPasswordChecks=1").start();
    thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| logged_in(&server, HONEST).expect("NOOP", 200));
            scope.spawn(|| {
                let mut client = greeted(&server, neighbour(1));
                client.send(&format!("USER {}", server.login.name));
                client.send("PASS wrong");
            });
        }
    });
    // The keeper of one that is being checked is killed.
    let mut victim = server.connect();
    let keepers = || server.keepers();
    victim.expect(&format!("USER {}", server.login.name), 331);
    victim.send("PASS wrong");
    for keeper in keepers() {
        // Those whose clients have vanished end by themselves.
        keeper.signal_if_there(Signal::SIGKILL);
    }
    server.logged_in();
}

/// Tries so many passwords; how many were checked, and how many connections for one were refused.
fn guess(server: &Server, from: Ipv4Addr, passwords: u32) -> (u32, u32) {
    let (mut tried, mut cut) = (0, 0);
    while tried + cut < passwords {
        let mut client = quiet(server, from);
        if client.reply().code == 421 {
            cut += 1;
            continue;
        }
        for _ in 0..5 {
            if tried + cut >= passwords {
                break;
            }
            client.expect(&format!("USER {}", server.login.name), 331);
            client.expect("PASS guess", 530);
            tried += 1;
        }
    }
    (tried, cut)
}

#[test]
fn a_session_may_show_as_many_wrong_passwords_as_are_allowed() {
    let server = Setup::new()
        .setting("LoginFailDelay=0")
        .setting("PasswordCost=m=8,t=1,p=1")
        .setting("MaxLoginFails=1200")
        .start();
    let mut client = greeted(&server, HONEST);
    for _ in 0..1100 {
        client.expect(&format!("USER {}", server.login.name), 331);
        client.expect("PASS guess", 530);
    }
    client.login(&server.login.name, &server.login.password);
}

#[test]
fn a_ban_outlives_sighup_and_ends() {
    let server = Setup::new()
        .with_penalties()
        .setting("LoginFailDelay=0")
        .setting("MaxLoginFails=10")
        .setting("Penalty=5s")
        .setting("Ban=4s")
        .start();
    // One is enough: on a busy machine time would pay for the first before the second.
    assert_eq!(guess(&server, neighbour(1), 1), (1, 0));
    server.log.line_with(&["127.0.3.1: banned for "]);
    server.process().signal(Signal::SIGHUP);
    refused(&server, neighbour(1), "Too many failures");
    greeted(&server, neighbour(2));
    server
        .log
        .line_with(&["127.0.3.1: ban ended, 1 connections were refused"]);
    greeted(&server, neighbour(1));
}

#[test]
fn garbage_counts_against_its_address() {
    let server = Setup::new().with_penalties().setting("Ban=20s").start();
    let mut client = greeted(&server, neighbour(1));
    client.send_octets(b"\x16\x03\x01\x02\x00\x01");
    client.expect_reply(421);
    client.expect_end();
    server.log.line_with(&["127.0.3.1: banned for 20 s"]);
    refused(&server, neighbour(1), "Too many failures");
}

/// The line of an account in the user file.
fn line_of(server: &Server, name: &str) -> String {
    let text = std::fs::read_to_string(server.scratch.join("auth")).unwrap();
    let found = text
        .lines()
        .find(|line| line.starts_with(&format!("{name}:")));
    found.unwrap().to_owned()
}

#[test]
fn a_user_changes_the_own_password_and_no_other_session_notices() {
    let server = Setup::new()
        .setting("PasswordCost=m=8,t=1,p=1")
        .setting("LogLevel=commands")
        .account("other", "plain", "")
        .start();
    let (name, old) = (server.login.name.clone(), server.login.password.clone());
    let other = line_of(&server, "other");
    let mut bystander = server.logged_in();
    let mut client = server.logged_in();
    client.expect(&format!("SITE PSWD \"{old}\" a-new-one"), 250);
    bystander.expect("NOOP", 200);
    client.expect("NOOP", 200);
    let mut next = server.connect();
    next.expect(&format!("USER {name}"), 331);
    next.expect(&format!("PASS {old}"), 530);
    next.login(&name, "a-new-one");
    // MetaFTPd's other name for it, and once more from a session that is older than the first change.
    bystander.expect("SITE CPWD a-new-one another-one", 250);
    server.connect().login(&name, "another-one");
    assert!(line_of(&server, &name).starts_with(&format!("{name}:argon2id:")));
    assert_eq!(line_of(&server, "other"), other);
    server
        .log
        .line_with(&[&format!("password of '{name}' changed from 127.0.0.1")]);
    for secret in [old.as_str(), "a-new-one", "another-one"] {
        assert!(!server.log.text().contains(secret), "{}", server.log.text());
    }
}

#[test]
fn a_password_is_not_changed_without_the_old_one_or_into_nonsense() {
    let server = Setup::new()
        .with_penalties()
        .setting("Ban=25s")
        .setting("PasswordCost=m=8,t=1,p=1")
        .account("null", "null", "PermittedCommands=ALL")
        .start();
    let (name, old) = (server.login.name.clone(), server.login.password.clone());
    let before = line_of(&server, &name);
    let mut client = server.logged_in();
    for (line, code) in [
        ("SITE PSWD".to_owned(), 501),
        (format!("SITE PSWD \"{old}\""), 501),
        (format!("SITE CPWD \"{old}\" new:root:/ more"), 501),
        (format!("SITE PSWD \"{old}\" short"), 550),
        (format!("SITE PSWD \"{old}\" {}", "x".repeat(1025)), 501),
    ] {
        client.expect(&line, code);
    }
    for (typed, code) in [("other", 550), ("OTHER", 550), ("", 550)] {
        // Whatever the old one is said to be; after the third the right one comes too late in this session.
        client.expect(&format!("SITE PSWD wrong{typed} long-enough"), code);
    }
    client.expect(&format!("SITE PSWD \"{old}\" long-enough"), 450);
    assert_eq!(line_of(&server, &name), before);
    server.log.line_with(&["127.0.0.1: banned for 30 s"]);
    client.expect("NOOP", 200);
    let mut anonymous = Client::over(connect_from(neighbour(1), server.address()));
    anonymous.expect_reply(220);
    anonymous.login("null", "anything");
    anonymous.expect("SITE PSWD anything long-enough", 550);
    anonymous.expect("NOOP", 200);
}

#[test]
fn what_needs_the_daemon_is_refused_under_inetd() {
    let (mut server, mut client) = Setup::new().inetd_for_client();
    let (name, old) = (server.login.name.clone(), server.login.password.clone());
    let before = line_of(&server, &name);
    client.login(&name, &old);
    for line in [&format!("SITE PSWD \"{old}\" a-new-one"), "SITE WHO"] {
        let reply = client.expect(line, 502);
        assert!(reply.to_string().contains("inetd"), "{reply}");
    }
    assert_eq!(line_of(&server, &name), before);
    client.expect("QUIT", 221);
    client.expect_end();
    assert!(server.wait().success());
}

#[test]
fn a_password_with_a_colon_stays_a_password() {
    let server = Setup::new().setting("PasswordCost=m=8,t=1,p=1").start();
    let (name, old) = (server.login.name.clone(), server.login.password.clone());
    let mut client = server.logged_in();
    client.expect(&format!("SITE PSWD \"{old}\" x:root:/:Chroot=/"), 250);
    assert_eq!(line_of(&server, &name).matches(":root:").count(), 0);
    server.connect().login(&name, "x:root:/:Chroot=/");
}
