//! The life and death of processes: what ends with what, and what must not start at all.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;

use nix::sys::signal::Signal;
use tests::processes::Process;
use tests::strace::Strace;
use tests::{Client, Data, Server, Setup, scratch, wait};

/// The processes of one session.
struct Session {
    client: Client,
    keeper: Process,
    session: Process,
}

/// Logs in and finds out which processes came with that.
fn session(server: &Server) -> Session {
    let before = server.keepers();
    let client = server.logged_in();
    let keeper = server
        .keepers()
        .into_iter()
        .find(|child| !before.contains(child));
    let keeper = keeper.expect("a session has a process of its own");
    let session = keeper.only_child();
    Session {
        client,
        keeper,
        session,
    }
}

#[test]
fn nothing_is_left_of_a_session_that_quits() {
    let server = Server::start();
    let mut one = session(&server);
    one.client.expect("QUIT", 221);
    one.client.expect_end();
    one.session.wait_for_end();
    one.keeper.wait_for_end();
}

#[test]
fn nothing_is_left_of_a_session_whose_client_vanishes() {
    let server = Server::start();
    let one = session(&server);
    drop(one.client);
    one.session.wait_for_end();
    one.keeper.wait_for_end();
}

#[test]
fn the_death_of_one_half_ends_that_session_only() {
    let server = Server::start();
    let mut bystander = session(&server);
    for half in ["keeper", "session"] {
        let mut victim = session(&server);
        match half {
            "keeper" => victim.keeper.signal(Signal::SIGKILL),
            _ => victim.session.signal(Signal::SIGKILL),
        }
        victim.keeper.wait_for_end();
        victim.session.wait_for_end();
        // A calm word before the end is fine, and so is none.
        if let Some(reply) = victim.client.try_reply() {
            assert_eq!(reply.code, 421, "after the death of the {half}: {reply}");
            victim.client.expect_end();
        }
        bystander.client.expect("NOOP", 200);
        bystander.client.upload(Data::Epsv, "file", b"still served");
    }
    server.logged_in();
}

#[test]
fn the_log_says_what_failed_in_either_half() {
    if !Strace::is_possible() {
        return;
    }
    for (half, place) in [
        ("keeper", "ftpd/src/keeper/serving.rs"),
        ("session", "ftpd/src/session/mod.rs"),
    ] {
        let server = Server::start();
        server.log.expect_fault("ended by an error of the program");
        let mut victim = session(&server);
        let process = match half {
            "keeper" => &victim.keeper,
            _ => &victim.session,
        };
        let strace = Strace::inject(process, "poll", "error=EINVAL:syscall=getpid");
        // It comes to the next wait.
        let _ = victim.client.try_send_octets(b"MDTM none\r\n");
        victim.keeper.wait_for_end();
        victim.session.wait_for_end();
        drop(strace);
        server.log.line_with(&["poll: EINVAL", place]);
        server.log.line_with(&["ended by an error of the program"]);
        server.logged_in().expect("NOOP", 200);
    }
}

#[test]
fn a_network_half_that_will_not_end_is_ended_by_the_listener() {
    let server = Server::start();
    let mut bystander = session(&server);
    let victim = session(&server);
    // Stopped, it does nothing about the end of its channel, as one that was taken over.
    victim.session.signal(Signal::SIGSTOP);
    victim.keeper.signal(Signal::SIGKILL);
    victim.keeper.wait_for_end();
    victim.session.wait_for_end();
    bystander.client.expect("NOOP", 200);
}

#[test]
fn sessions_survive_the_listener_and_nothing_survives_them() {
    let mut server = Server::start();
    let path = server.put("large", b"");
    let size: usize = 64 << 20;
    std::fs::File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(size as u64)
        .unwrap();
    let mut running = session(&server);
    let mut stranger = server.connect();
    let data = running.client.data(Data::Epsv);
    running.client.begin("RETR large");
    let data = data.open();
    data.read_some(1000);
    server.process().signal(Signal::SIGKILL);
    server.wait();
    assert_eq!(data.read_all().len(), size - 1000);
    running.client.expect_reply(226);
    // No login starts: neither on a new connection nor on one that was there before.
    assert!(TcpStream::connect(server.address()).is_err());
    // The server may have hung up already: then there is nobody to send to.
    let login = format!(
        "USER {}\r\nPASS {}\r\n",
        server.login.name, server.login.password
    );
    let _ = stranger.try_send_octets(login.as_bytes());
    while let Some(reply) = stranger.try_reply() {
        assert_ne!(reply.code, 230, "a login without a listener");
    }
    running.client.expect("QUIT", 221);
    running.client.expect_end();
    running.keeper.wait_for_end();
    running.session.wait_for_end();
    server.servants.iter().for_each(Process::wait_for_end);
}

#[test]
fn sigterm_ends_the_listener() {
    let mut server = Server::start();
    server.process().signal(Signal::SIGTERM);
    let status = server.wait();
    assert!(status.success(), "{status}");
    assert!(TcpStream::connect(server.address()).is_err());
}

#[test]
fn sigterm_lets_transfers_finish_and_tells_the_others_to_come_back() {
    let mut server = Server::start();
    let mut stranger = server.connect();
    let mut idle = session(&server);
    let mut busy = session(&server);
    let data = busy.client.data(Data::Epsv);
    busy.client.begin("STOR file");
    let data = data.open();
    data.write(b"half, and ");
    server.process().signal(Signal::SIGTERM);
    for client in [&mut stranger, &mut idle.client] {
        let reply = client.expect_reply(421);
        assert!(reply.to_string().contains("come back later"), "{reply}");
        client.expect_end();
    }
    server.log.line_with(&["stopping: 3 sessions may finish"]);
    assert!(TcpStream::connect(server.address()).is_err());
    // Nothing is read anew by a server that goes.
    server.process().signal(Signal::SIGHUP);
    data.write_all_and_close(b"half");
    busy.client.expect_reply(226);
    busy.client.expect_reply(421);
    busy.client.expect_end();
    assert!(server.wait().success());
    assert_eq!(server.content("file"), b"half, and half");
    assert!(!server.log.text().contains("read anew"));
}

#[test]
fn the_deadline_and_a_second_sigterm_end_transfers_too() {
    for (time, again) in [("1", false), ("1h", true)] {
        let mut server = Setup::new()
            .setting(&format!("DrainTimeout={time}"))
            .start();
        let mut busy = session(&server);
        let data = busy.client.data(Data::Epsv);
        busy.client.begin("STOR file");
        let data = data.open();
        data.write(b"half");
        server.process().signal(Signal::SIGTERM);
        server.log.line_with(&["1 session may finish"]);
        if again {
            server.process().signal(Signal::SIGTERM);
        }
        server.log.line_with(&["stopping, 1 session"]);
        let last = std::iter::from_fn(|| busy.client.try_reply())
            .last()
            .unwrap();
        assert_eq!(last.code, 421, "{last}");
        assert!(server.wait().success());
        // What can be continued stays; the file itself was never whole.
        assert!(!server.names().contains(&"file".to_owned()));
    }
}

#[test]
fn a_port_in_use_is_said_and_ends_the_server() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = std::process::Command::new(tests::binaries::path("ftpd"))
        .args([
            "-nodemon",
            "-i",
            "127.0.0.1",
            "-port",
            &port,
            "-A",
            "native",
            "-a",
            "/dev/null",
        ])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&port), "{said}");
}

#[test]
fn inetd_hands_over_one_session() {
    for setup in [Setup::new(), Setup::rootless()] {
        let (mut server, mut client) = setup.inetd_for_client();
        client.login(&server.login.name, &server.login.password);
        client.upload(Data::Epsv, "file", b"content");
        assert_eq!(client.download(Data::Eprt, "file"), b"content");
        assert_eq!(server.content("file"), b"content");
        client.expect("QUIT", 221);
        client.expect_end();
        assert!(server.wait().success());
    }
}

/// Tries to log in as `name` and finds 530 and a log line that names the account.
#[track_caller]
fn refused(server: &Server, name: &str) {
    let mut client = server.connect();
    client.expect(&format!("USER {name}"), 331);
    client.expect(&format!("PASS {}", server.login.password), 530);
    server.log.line_with(&["login of", name, "failed"]);
    // The session may end there and then; if it goes on, nobody is logged in.
    client.send("PWD");
    if let Some(reply) = client.try_reply() {
        assert!(
            matches!(reply.code, 421 | 530),
            "after the refusal: {reply}"
        );
    }
}

#[test]
fn a_home_that_is_no_directory_of_the_user_refuses_the_login() {
    for setup in [Setup::new(), Setup::rootless()] {
        let user = tests::user::ordinary();
        let homes = setup.scratch().to_owned();
        for name in ["unreadable", "real"] {
            std::fs::create_dir(homes.join(name)).unwrap();
            scratch::give(&homes.join(name), user.uid, user.gid);
        }
        std::fs::write(homes.join("file"), "").unwrap();
        symlink("real", homes.join("link")).unwrap();
        let server = setup
            .entry("missing", &user.name, "{scratch}/nowhere")
            .entry("unreadable", &user.name, "{scratch}/unreadable")
            .entry("linked", &user.name, "{scratch}/link")
            .entry("filed", &user.name, "{scratch}/file")
            .entry("relative", &user.name, "home")
            .entry("homeless", &user.name, "")
            .start();
        scratch::mode(&homes.join("unreadable"), 0o000);
        for name in [
            "missing",
            "unreadable",
            "linked",
            "filed",
            "relative",
            "homeless",
        ] {
            refused(&server, name);
        }
        scratch::mode(&homes.join("unreadable"), 0o700);
        server.logged_in();
    }
}

#[test]
fn an_unknown_real_user_never_means_root() {
    let server = Setup::new()
        .entry("ghost", "no-such-user-here", "{scratch}/home")
        .entry("nameless", "", "{scratch}/home")
        .entry("admin", "root", "{scratch}/home")
        .entry("number", "0", "{scratch}/home")
        .start();
    for name in ["ghost", "nameless", "admin", "number"] {
        refused(&server, name);
    }
    server.logged_in();
}

#[test]
fn the_third_wrong_password_ends_the_session_and_its_processes() {
    let server = Server::start();
    let mut client = server.connect();
    for _ in 0..3 {
        client.expect("USER somebody", 331);
        client.expect("PASS guess", 530);
    }
    client.expect_reply(421);
    client.expect_end();
    wait::until("the session is gone", || server.keepers().is_empty());
}

#[test]
fn site_who_lists_every_session() {
    let server = Server::start();
    let mut one = server.logged_in();
    let _visitor = server.connect();
    let mut listed = one.expect("SITE WHO", 200).to_string();
    // The listener hears of a login a moment after the client.
    wait::until("both are listed", || {
        listed = one.expect("SITE WHO", 200).to_string();
        listed.contains(&server.login.name) && listed.contains("(login)")
    });
    assert_eq!(listed.matches("127.0.0.1").count(), 2, "{listed}");
    let before = server.process().descriptors().len();
    for _ in 0..20 {
        one.expect("SITE WHO", 200);
    }
    wait::until("no pipe is left open", || {
        server.process().descriptors().len() == before
    });
}
