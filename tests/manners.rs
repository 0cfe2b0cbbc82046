//! Odd and rude clients on the control connection: what waits, what overtakes, what ends, and when.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::io::Read;

use tests::{Client, Data, DataConnection, Server, Setup, wait};

/// More than the buffers of a connection that nobody reads.
const LARGE: usize = 64 << 20;
/// Interrupt Process and the Synch signal: IAC IP, IAC DM with the mark as urgent data (RFC 959 §4.1.3).
const IP: &[u8] = b"\xff\xf4";

fn with_large_file(setup: Setup) -> Server {
    let server = setup.start();
    let large = std::fs::File::options()
        .write(true)
        .open(server.put("large", b""))
        .unwrap();
    large.set_len(LARGE as u64).unwrap();
    server
}

/// A download that has begun and waits for its reader.
fn amid_download(client: &mut Client) -> DataConnection {
    let data = client.data(Data::Epsv);
    client.begin("RETR large");
    let data = data.open();
    data.read_some(1000);
    data
}

fn send_urgent_abort(client: &mut Client) {
    client.send_octets(IP);
    client.send_urgent(b"\xff");
    client.send_octets(b"\xf2ABOR\r\n");
}

#[test]
fn an_urgent_abort_overtakes_the_commands_before_it() {
    let server = with_large_file(Setup::new());
    let mut client = server.logged_in();
    let data = amid_download(&mut client);
    for line in ["CWD /", "PWD", "NONSENSE"] {
        client.send(line);
    }
    send_urgent_abort(&mut client);
    for code in [426, 226, 250, 257, 500] {
        client.expect_reply(code);
    }
    drop(data);
    client.expect("NOOP", 200);
}

#[test]
fn an_abort_without_a_mark_keeps_its_turn() {
    let server = with_large_file(Setup::new());
    let mut client = server.logged_in();
    let data = amid_download(&mut client);
    client.send("PWD");
    client.send("ABOR");
    assert_eq!(data.read_all().len(), LARGE - 1000);
    for code in [226, 257, 226] {
        client.expect_reply(code);
    }
}

#[test]
fn an_urgent_abort_is_seen_behind_a_line_that_is_too_long() {
    let server = with_large_file(Setup::new());
    let mut client = server.logged_in();
    let data = amid_download(&mut client);
    client.send(&"x".repeat(20_000));
    client.send("A\0B");
    send_urgent_abort(&mut client);
    for code in [426, 226, 500, 500] {
        client.expect_reply(code);
    }
    drop(data);
    client.expect("NOOP", 200);
}

#[test]
fn thousands_of_commands_in_one_burst_are_answered_in_order_behind_a_transfer() {
    let server = with_large_file(Setup::new());
    let mut client = server.logged_in();
    let data = amid_download(&mut client);
    let lines: String = (1..=3000).map(|n| format!("REST {n}\r\n")).collect();
    let reader = std::thread::spawn(move || data.read_all().len());
    client.send_octets(lines.as_bytes());
    assert_eq!(reader.join().unwrap(), LARGE - 1000);
    client.expect_reply(226);
    for n in 1..=3000 {
        let reply = client.expect_reply(350);
        assert!(reply.text().contains(&format!(" {n}.")), "{n}: {reply}");
    }
}

#[test]
fn another_protocol_is_ended_at_once() {
    // Nobody waits for this: a login would time out only after the tests have.
    let server = Setup::new().setting("LoginTimeout=3600").start();
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let old_hello = b"\x80\x2e\x01\x00\x02";
    let ssh = b"SSH-2.0-OpenSSH_9.2\r\n";
    let http = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    for octets in [&hello[..], old_hello, ssh, http, b"\0\0\0\0"] {
        let mut client = server.connect();
        client.send_octets(octets);
        client.expect_reply(421);
        let _ = client.try_reply();
    }
    server.log.line_with(&["does not speak FTP"]);
    // Telnet's own octets and UTF-8 names are FTP.
    let mut client = server.connect();
    client.send_octets(b"\xff\xfd\x03USER \xc3\xa4\r\n");
    client.expect_reply(331);
}

#[test]
fn empty_lines_get_no_reply_and_no_more_time_for_the_login() {
    let server = Setup::new().setting("LoginTimeout=1").start();
    let mut client = server.connect();
    let mut rounds = 0;
    wait::until("the login has timed out", || {
        rounds += 1;
        client.try_send_octets(b"\r\n").is_err() || client.has_something()
    });
    assert!(rounds > 1);
    let reply = client.try_reply();
    assert!(
        reply
            .as_ref()
            .is_none_or(|reply| reply.code == 421 && reply.text().contains("Timeout")),
        "{reply:?}"
    );
}

#[test]
fn empty_lines_keep_a_session_alive() {
    let server = Server::start();
    let mut client = server.logged_in();
    client.send("");
    client.send("");
    client.expect("NOOP", 200);
}

#[test]
fn a_login_that_takes_too_long_is_told_so() {
    let server = Setup::new().setting("LoginTimeout=1").start();
    let mut client = server.connect();
    client.expect("USER somebody", 331);
    let reply = client.expect_reply(421);
    assert!(reply.text().contains("Timeout"), "{reply}");
    client.expect_end();
    // REIN begins the time anew, and ends it too.
    let mut client = server.logged_in();
    client.expect("REIN", 220);
    let reply = client.expect_reply(421);
    assert!(reply.text().contains("Timeout"), "{reply}");
    client.expect_end();
    wait::until("nothing is left", || server.keepers().is_empty());
}

#[test]
fn a_transfer_that_stalls_is_given_up_in_both_directions() {
    let server = with_large_file(Setup::new().setting("StallTimeout=1"));
    let mut client = server.logged_in();
    let data = amid_download(&mut client);
    client.expect_reply(426);
    drop(data);
    let data = client.data(Data::Epsv);
    client.begin("STOR new");
    let data = data.open();
    data.write(b"some");
    client.expect_reply(426);
    drop(data);
    // It can be continued, but there is no such file.
    client.expect("SIZE new", 213);
    client.expect("RETR new", 550);
}

#[test]
fn a_client_that_reads_no_replies_is_let_go() {
    let server = Setup::new().setting("ReplyTimeout=1").start();
    let mut client = server.logged_in();
    let keeper = server.only_keeper();
    // Until both directions are full: then the server waits for the client no longer than it must.
    let burst = "HELP\r\n".repeat(1000);
    wait::until("the server has hung up", || {
        client.try_send_octets(burst.as_bytes()).is_err() || !keeper.runs()
    });
    keeper.wait_for_end();
    server.logged_in();
}

#[test]
fn refused_targets_do_not_fill_the_log() {
    let server = Server::start();
    let mut client = server.logged_in();
    for _ in 0..40 {
        client.expect("PORT 192,0,2,1,200,10", 501);
    }
    client.expect("QUIT", 221);
    client.expect_end();
    server.log.line_with(&["192.0.2.1", "not logged"]);
    let lines = server.log.text();
    assert!(lines.matches("192.0.2.1").count() <= 10, "{lines}");
}

#[test]
fn a_control_connection_half_closed_amid_a_transfer_is_served_to_its_end() {
    let server = with_large_file(Setup::new());
    let mut client = server.logged_in();
    let data = amid_download(&mut client);
    client.send("PWD");
    client.close_half();
    assert_eq!(data.read_all().len(), LARGE - 1000);
    client.expect_reply(226);
    client.expect_reply(257);
    client.expect_end();
}

#[test]
fn the_control_connection_is_kept_alive_by_the_kernel() {
    let server = Server::start();
    let client = server.logged_in();
    let port = client.local().port();
    // The timer of kind 2 in /proc/net/tcp is keepalive's.
    let peer = format!(":{port:04X}");
    wait::until("keepalive's timer runs", || {
        let mut table = String::new();
        std::fs::File::open("/proc/net/tcp")
            .unwrap()
            .read_to_string(&mut table)
            .unwrap();
        table.lines().any(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            matches!(fields[..], [_, _, remote, _, _, timer, ..] if remote.ends_with(&peer) && timer.starts_with("02:"))
        })
    });
}
