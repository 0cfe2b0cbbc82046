//! Whoever runs the server: `ftpd --who`, `ftpd --kick`, and the socket that they use.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use nix::sys::signal::Signal;
use serde_json::Value;
use tests::{Client, Data, Server, Setup, binaries, require, wait};

fn setup() -> Setup {
    asked(Setup::new())
}

/// A server that can be asked.
fn asked(setup: Setup) -> Setup {
    let line = format!("ControlSocket={}", setup.scratch().join("socket").display());
    setup.setting(&line)
}

fn ask(server: &Server, words: &[&str]) -> Output {
    Command::new(binaries::path("ftpd"))
        .arg("-f")
        .arg(server.scratch.join("ftpd.conf"))
        .args(words)
        .output()
        .unwrap()
}

/// The sessions, as JSON.
#[track_caller]
fn who(server: &Server) -> Vec<Value> {
    let told = ask(server, &["--who", "--json"]);
    assert!(told.status.success(), "{told:?}");
    let text = String::from_utf8(told.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The processes of a session end as they should, also where they have told what they do.
#[test]
fn sessions_that_tell_what_they_do_end_well() {
    for setup in [Setup::new(), Setup::rootless()] {
        let server = asked(setup).start();
        let mut client = server.logged_in();
        client.upload(Data::Epsv, "file", b"content");
        client.expect("QUIT", 221);
        client.expect_end();
        wait::until("the session is gone", || server.keepers().is_empty());
        // The listener has seen the end of the one before when it serves the next.
        server.logged_in();
        let log = server.log.text();
        assert!(
            !log.contains("killed") && !log.contains("error of the program"),
            "{log}"
        );
    }
}

#[test]
fn the_list_has_users_addresses_and_what_they_do() {
    let server = setup().start();
    assert_eq!(who(&server), [] as [Value; 0]);
    let _visitor = server.connect();
    let mut client = server.logged_in();
    client.upload(Data::Epsv, "file", &[7; 1000]);
    wait::until("both are listed, and the upload is over", || {
        let sessions = who(&server);
        sessions.len() == 2 && sessions[1]["total_octets"] == 1000
    });
    let sessions = who(&server);
    assert_eq!(sessions[0]["user"], Value::Null);
    assert_eq!(sessions[1]["user"], server.login.name.as_str());
    assert_eq!(sessions[1]["address"], "127.0.0.1");
    assert_eq!(sessions[1]["command"], "");
    // One that has begun and does not go on.
    let data = client.data(Data::Epsv);
    client.send("STOR half written");
    client.expect_reply(150);
    let data = data.open();
    data.write(&[7; 5000]);
    wait::until("what it does is listed", || {
        let session = &who(&server)[1];
        session["command"] == "STOR" && session["octets"] == 5000
    });
    let told = ask(&server, &["--who"]);
    let text = String::from_utf8(told.stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(
        lines.iter().all(|line| line.split('\t').count() == 8),
        "{text}"
    );
    assert!(lines[2].contains("\tSTOR half written\t"), "{text}");
    assert!(!text.contains(&server.login.password));
    data.write_all_and_close(b"");
    client.expect_reply(226);
}

#[test]
fn a_session_is_ended_by_its_number_and_others_stay() {
    let server = setup().start();
    let mut stays = server.logged_in();
    let mut goes = server.logged_in();
    wait::until("both are there", || who(&server).len() == 2);
    let number = who(&server)[1]["id"].to_string();
    assert!(ask(&server, &["--kick", &number]).status.success());
    let reply = goes.expect_reply(421);
    assert!(
        reply.to_string().contains("is closing this session"),
        "{reply}"
    );
    goes.expect_end();
    wait::until("it is gone", || who(&server).len() == 1);
    server.log.line_with(&["ended by the operator"]);
    stays.expect("NOOP", 200);
    for wrong in [number.as_str(), "1"] {
        let told = ask(&server, &["--kick", wrong]);
        assert_eq!(told.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&told.stderr).contains("no such session"));
    }
    // An ended session is no offence of its address.
    server.logged_in();
}

#[test]
fn nobody_else_may_ask_and_nothing_is_left_behind() {
    let mut server = setup().start();
    let path = server.scratch.join("socket");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    if require::root() {
        // Even where somebody has opened it for all.
        for place in [server.scratch.path(), &path] {
            tests::scratch::mode(place, 0o777);
        }
        let program = server.scratch.join("ftpd");
        tests::scratch::copy_program(&binaries::path("ftpd"), &program);
        let told = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(&program)
            .args(["-f", "/dev/null", "-controlsocket"])
            .arg(&path)
            .arg("--who")
            .output()
            .unwrap();
        assert_eq!(told.status.code(), Some(1), "{told:?}");
        assert_eq!(told.stdout, b"");
    }
    let mut client = server.logged_in();
    let data = client.data(Data::Epsv);
    client.begin("STOR file");
    let data = data.open();
    let told = ask(&server, &["--health"]);
    assert_eq!(
        String::from_utf8_lossy(&told.stdout),
        "it serves, 1 session\n"
    );
    assert!(told.status.success());
    server.process().signal(Signal::SIGTERM);
    // A new client would not come in.
    server.log.line_with(&["stopping: 1 session may finish"]);
    let told = ask(&server, &["--health"]);
    assert_eq!(told.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&told.stderr).contains("it stops"),
        "{told:?}"
    );
    data.write_all_and_close(b"whole");
    client.expect_reply(226);
    server.wait();
    assert_eq!(ask(&server, &["--health"]).status.code(), Some(1));
    assert!(!path.exists());
    let told = ask(&server, &["--who"]);
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&told.stderr).contains("no daemon listens there"));
}

#[test]
fn who_asks_badly_or_not_at_all_keeps_nobody_waiting() {
    use nix::sys::socket::{
        AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, send, socket,
    };
    use std::os::fd::AsRawFd;
    let server = setup().start();
    let address = UnixAddr::new(&server.scratch.join("socket")).unwrap();
    let mut held = Vec::new();
    for question in [
        &b""[..],
        b"who\0",
        b"kick",
        b"kick -1",
        b"kick 99999999999999999999",
        &[0xff; 4000],
    ] {
        for _ in 0..20 {
            let guest = socket(
                AddressFamily::Unix,
                SockType::SeqPacket,
                SockFlag::empty(),
                None,
            );
            let guest = guest.unwrap();
            connect(guest.as_raw_fd(), &address).unwrap();
            let _ = send(guest.as_raw_fd(), question, MsgFlags::MSG_NOSIGNAL);
            held.push(guest);
        }
        Client::connect(server.address()).expect("NOOP", 200);
    }
    wait::until("it answers", || ask(&server, &["--who"]).status.success());
    assert!(server.process().descriptors().len() < 100);
}

#[test]
fn a_socket_that_was_left_is_replaced_and_one_in_use_is_not() {
    let mut server = setup().start();
    let path = server.scratch.join("socket");
    let line = format!("ControlSocket={}", path.display());
    Setup::new()
        .setting(&line)
        .refused("another daemon listens there");
    server.process().signal(Signal::SIGKILL);
    server.wait();
    assert!(path.exists());
    let next = Setup::new().setting(&line).start();
    next.logged_in();
    drop(next);
    fs::write(server.scratch.join("file"), "kept").unwrap();
    let line = format!("ControlSocket={}", server.scratch.join("file").display());
    Setup::new()
        .setting(&line)
        .refused("something else has this name");
    assert_eq!(fs::read(server.scratch.join("file")).unwrap(), b"kept");
}
