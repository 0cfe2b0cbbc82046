//! Attacks by what does not end, by their row in our table of attacks: signals without end, states nobody leaves, ends
//! that are none, and sessions by the hundred.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tests::client::connect_from;
use tests::processes::Process;
use tests::{Client, Data, DataConnection, Server, Setup, wait};

#[test]
fn row_8_a_storm_of_signals_disturbs_nobody() {
    let server = Server::start();
    server.put("file", b"content");
    let listener = server.process();
    let over = AtomicBool::new(false);
    let mut sent = 0_u32;
    std::thread::scope(|scope| {
        let storm = scope.spawn(|| {
            let mut sent = 0_u32;
            while !over.load(Ordering::Relaxed) {
                listener.signal(Signal::SIGCHLD);
                listener.signal(Signal::SIGHUP);
                sent += 2;
                std::thread::yield_now();
            }
            sent
        });
        let result = std::panic::catch_unwind(|| {
            for _ in 0..30 {
                let mut client = server.logged_in();
                assert_eq!(client.download(Data::Epsv, "file"), b"content");
                client.upload(Data::Epsv, "new", b"content");
                client.expect("QUIT", 221);
                client.expect_end();
            }
        });
        over.store(true, Ordering::Relaxed);
        sent = storm.join().unwrap();
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    assert!(sent > 1000, "{sent} signals are no storm");
    wait::until("all sessions are over", || server.keepers().is_empty());
    assert!(listener.runs());
}

/// What a client does before it goes silent, and the data connection that it keeps.
type Stick = fn(&mut Client) -> Option<DataConnection>;

/// Waits for the server to be without sessions, and says what was stuck where it is not.
#[track_caller]
fn reaped(server: &Server, state: &str) {
    wait::until(state, || server.keepers().is_empty());
}

#[test]
fn row_56_nobody_stays_in_any_state_for_longer_than_its_limit() {
    let server = Setup::new()
        .setting("LoginTimeout=1")
        .setting("Idle=1")
        .setting("DataTimeout=1")
        .setting("StallTimeout=1")
        .setting("ReplyTimeout=1")
        .start();
    server.put("large", &vec![b'x'; 32 << 20]);
    for (state, octets) in [
        ("the greeting", &b""[..]),
        ("half a command", b"USE"),
        ("a name", b"USER tester\r\n"),
        ("half a password", b"USER tester\r\nPASS corr"),
    ] {
        let start = Instant::now();
        let mut control = connect_from(Ipv4Addr::LOCALHOST, server.address());
        control.write_all(octets).unwrap();
        // To the end of the connection: the greeting, and that time is up.
        let mut said = String::new();
        control.read_to_string(&mut said).unwrap();
        assert!(said.contains("\n421 "), "{state}: {said}");
        assert!(start.elapsed() >= Duration::from_millis(900), "{state}");
        reaped(&server, state);
    }
    // From here on the client is somebody, and goes silent.
    let silent: [(&str, Stick); 5] = [
        ("idle", |_| None),
        ("a passive port", |client| {
            client.passive_address(Data::Epsv);
            None
        }),
        ("a transfer without a connection", |client| {
            client.passive_address(Data::Epsv);
            client.send("RETR large");
            None
        }),
        ("a stalled download", |client| Some(download(client))),
        ("a stalled upload", |client| {
            let data = client.data(Data::Epsv);
            client.begin("STOR new");
            let data = data.open();
            data.write(b"some");
            Some(data)
        }),
    ];
    for (state, stick) in silent {
        let mut client = server.logged_in();
        let data = stick(&mut client);
        reaped(&server, state);
        drop((client, data));
    }
}

/// How a client ends that does not say QUIT.
type End = fn(&Server, Client);

const ENDS: [(&str, End); 6] = [
    ("a reset", |_, client| client.reset()),
    ("a reset amid a download", |_, mut client| {
        let data = download(&mut client);
        data.reset();
        client.reset();
    }),
    ("a reset amid an upload", |_, mut client| {
        let data = client.data(Data::Epsv);
        client.begin("STOR new");
        let data = data.open();
        data.write(b"some");
        data.reset();
        client.reset();
    }),
    ("an end before the data connection", |_, mut client| {
        client.passive_address(Data::Epsv);
        client.send("RETR large");
        drop(client);
    }),
    ("an urgent abort and an end", |_, mut client| {
        let data = download(&mut client);
        client.send_urgent(b"\xff\xf4\xff\xf2");
        client.send("ABOR");
        drop((data, client));
    }),
    ("the death of the network half", |server, client| {
        server.only_keeper().only_child().signal(Signal::SIGKILL);
        drop(client);
    }),
];

/// Begins a download that is too large for the buffers in between.
fn download(client: &mut Client) -> DataConnection {
    let data = client.data(Data::Epsv);
    client.begin("RETR large");
    data.open()
}

/// Fails if processes that have nothing to do take more than a hundredth of a second.
#[track_caller]
fn assert_quiet(what: &str, processes: &[Process]) {
    let times = || -> Vec<Duration> { processes.iter().map(Process::processor_time).collect() };
    let (before, start) = (times(), Instant::now());
    wait::until("a second has passed", || start.elapsed().as_secs() >= 1);
    for (before, after) in before.iter().zip(times()) {
        let used = after - *before;
        assert!(used < Duration::from_millis(10), "{what}: {used:?}");
    }
}

#[test]
fn row_59_after_an_abnormal_end_nothing_spins() {
    // A control connection may be closed in one direction only: a transfer under way is waited for as long as ever.
    let server = Setup::new().setting("DataTimeout=1").start();
    server.put("large", &vec![b'x'; 32 << 20]);
    for (end, act) in ENDS {
        act(&server, server.logged_in());
        wait::until(end, || server.keepers().is_empty());
    }
    assert_quiet("the listener", &[server.process()]);
    // The same of a session that lives on when its transfers were cut off.
    let mut client = server.logged_in();
    download(&mut client).reset();
    client.expect_reply(426);
    let keeper = server.only_keeper();
    let session = keeper.only_child();
    assert_quiet("a session after a reset", &[keeper, session]);
    client.expect("NOOP", 200);
}

#[test]
fn row_64_a_storm_of_sessions_ends_at_the_limit_of_its_user() {
    let server = Setup::new().setting("MaxPerUser=5").start();
    let address = server.address();
    let (name, password) = (&server.login.name, &server.login.password);
    // Each from a neighbour of its own, all at once, and nobody leaves.
    let held: Vec<(Client, u16)> = std::thread::scope(|scope| {
        let logins: Vec<_> = (1..=40)
            .map(|number| {
                scope.spawn(move || {
                    let from = Ipv4Addr::new(127, 0, 5, number);
                    let mut client = Client::over(connect_from(from, address));
                    client.expect_reply(220);
                    client.expect(&format!("USER {name}"), 331);
                    let code = client.command(&format!("PASS {password}")).code;
                    (client, code)
                })
            })
            .collect();
        logins
            .into_iter()
            .map(|login| login.join().unwrap())
            .collect()
    });
    let count = |code: u16| held.iter().filter(|(_, got)| *got == code).count();
    assert_eq!((count(230), count(421)), (5, 35));
    wait::until("only those let in are left", || server.keepers().len() == 5);
    for keeper in server.keepers() {
        assert_eq!(keeper.children().len(), 1);
    }
    drop(held);
    wait::until("nobody is left", || server.keepers().is_empty());
    server.logged_in().expect("NOOP", 200);
}
