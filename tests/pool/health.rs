//! The watcher: servers that go and come back, logins that fail, and servers that mean harm.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tests::{Client, Data, GatewaySetup, Scratch, wait};

use crate::members::{
    Greeter, NAMES, furnish, hasty, listed, log_in, routes, served_by, setup, start, three, told,
    user, watchful,
};

#[test]
fn a_server_that_dies_takes_only_its_sessions_along_and_is_taken_back() {
    let (servers, list) = three();
    let gateway = watchful(&list)
        .setting("MaxPerAddress=0")
        .setting("MaxUnauthenticated=0");
    let gateway = gateway.start();
    for name in NAMES {
        told(&gateway, name, "up");
    }
    let mut clients: Vec<(String, String, Client)> = Vec::new();
    for number in 0..100 {
        let name = user(number % crate::members::USERS);
        let mut client = log_in(&gateway, &name, &servers[0]);
        let at = served_by(&mut client);
        clients.push((name, at, client));
    }
    let dead = clients[0].1.clone();
    // Uploads that are under way on the others.
    let octets: Vec<u8> = (0..400_000u32).map(|n| (n % 251) as u8).collect();
    let mut uploads = Vec::new();
    for (index, (_, at, client)) in clients.iter_mut().enumerate() {
        if *at != dead {
            let data = client.data(Data::Epsv);
            client.begin(&format!("STOR upload{index}"));
            let data = data.open();
            data.write(&octets[..200_000]);
            uploads.push((index, data));
        }
    }
    let (mut others, mut killed) = (Vec::new(), None);
    for (name, server) in NAMES.into_iter().zip(servers) {
        match name == dead {
            true => killed = Some(server),
            false => others.push((name, server)),
        }
    }
    let killed = killed.unwrap();
    let address = killed.address();
    // All of it, as a crash of the machine would: each session is a process group of its own.
    for keeper in killed.keepers() {
        let _ = killpg(Pid::from_raw(keeper.pid), Signal::SIGKILL);
    }
    drop(killed);
    told(&gateway, &dead, "down");
    for (index, data) in uploads {
        data.write(&octets[200_000..]);
        data.write_all_and_close(b"");
        let (_, at, client) = &mut clients[index];
        client.expect_reply(226);
        let server = others.iter().find(|(name, _)| name == at).unwrap();
        assert!(server.1.content(&format!("upload{index}")) == octets);
    }
    for (_, at, client) in &mut clients {
        if *at == dead {
            client.send("NOOP");
            let reply = client.try_reply();
            assert!(reply.is_none_or(|reply| reply.code == 421));
        } else {
            assert_eq!(served_by(client), *at);
        }
    }
    let elsewhere = routes(&gateway, &others[0].1);
    for (user, at, _) in &clients {
        match *at == dead {
            true => assert_ne!(elsewhere[user], dead),
            false => assert_eq!(elsewhere[user], *at),
        }
    }
    assert!(
        !gateway.log.text().contains("not reached"),
        "the watcher was not asked"
    );
    let before = gateway.log.text().matches(&format!("{dead} is up")).count();
    let _again = furnish(setup(&dead).port(address.port()).start(), &dead);
    wait::until("it is taken back", || {
        gateway.log.text().matches(&format!("{dead} is up")).count() > before
    });
    for (user, at, _) in &clients[..crate::members::USERS] {
        assert_eq!(served_by(&mut log_in(&gateway, user, &others[0].1)), *at);
    }
}

#[test]
fn a_login_that_fails_makes_a_server_down() {
    let scratch = Scratch::new();
    let path = scratch.join("login");
    let good = start("good");
    let strange = setup("strange").setting("DenyUsers=user0").start();
    std::fs::write(&path, format!("user0\n{}\n", good.login.password)).unwrap();
    tests::scratch::mode(&path, 0o600);
    let list = listed([("good", good.address()), ("strange", strange.address())]);
    let gateway = watchful(&list).setting(&format!("HealthLogin={}", path.display()));
    let gateway = gateway.start();
    told(&gateway, "good", "up");
    let line = told(&gateway, "strange", "down");
    assert!(line.contains("refuses the login with 530"), "{line}");
    for at in routes(&gateway, &good).values() {
        assert_eq!(at, "good");
    }
    assert!(!gateway.log.text().contains(&good.login.password));
    for process in gateway.servants.iter().chain([&gateway.process()]) {
        let words = std::fs::read_to_string(format!("/proc/{}/cmdline", process.pid)).unwrap();
        assert!(!words.contains(&good.login.password));
    }
}

#[test]
fn a_server_that_is_down_is_the_last_resort_and_no_more() {
    let good = start("good");
    let scratch = Scratch::new();
    let path = scratch.join("login");
    std::fs::write(&path, "nobody\nwrong\n").unwrap();
    tests::scratch::mode(&path, 0o600);
    let list = listed([("good", good.address())]);
    let gateway = watchful(&list).setting(&format!("HealthLogin={}", path.display()));
    let gateway = gateway.start();
    told(&gateway, "good", "down");
    assert_eq!(served_by(&mut log_in(&gateway, "user0", &good)), "good");
}

/// Sends this without an end.
fn endless(octets: &'static [u8]) -> Greeter {
    Greeter::run(move |stream| while stream.write_all(octets).is_ok() {})
}

#[test]
fn servers_that_mean_harm_to_the_watcher_harm_nobody() {
    let good = start("good");
    let evil = [
        ("endless", endless(b"220-Hello.\r\n")),
        ("wide", endless(&[b'x'; 4096])),
        ("telnet", endless(&[255, 251, 1, 255, 253, 3, 255, 250])),
        ("mute", Greeter::start(b"")),
        (
            "slow",
            Greeter::run(|stream| {
                // An octet now and then: time is what ends it.
                for octet in b"220-".iter().chain(std::iter::repeat(&b'x')) {
                    if stream.write_all(&[*octet]).is_err()
                        || wait::readable(&*stream, std::time::Duration::from_millis(100))
                    {
                        break;
                    }
                }
            }),
        ),
        ("nul", Greeter::start(b"220 \0\r\n")),
        (
            "forged",
            Greeter::start(b"220 x\r\n230 Logged in.\r\n230 Logged in.\r\n"),
        ),
        ("words", Greeter::start(b"hello\r\n")),
        ("full", Greeter::start(b"421 Full.\r\n")),
    ];
    let scratch = Scratch::new();
    let path = scratch.join("login");
    std::fs::write(&path, format!("user0\n{}\n", good.login.password)).unwrap();
    tests::scratch::mode(&path, 0o600);
    let members = evil.iter().map(|(name, peer)| (*name, peer.address));
    let list = listed(members.chain([("good", good.address())]));
    let gateway = hasty(&list, 8);
    let gateway = gateway
        .setting(&format!("HealthLogin={}", path.display()))
        .start();
    let watcher = gateway.servants.clone();
    told(&gateway, "good", "up");
    for (name, _) in &evil {
        // What it did with the reply that came before its command is not important, only that it is no good.
        if *name != "forged" {
            told(&gateway, name, "down");
        }
    }
    // Each is looked at again, and nobody has died.
    let came = evil.each_ref().map(|(_, peer)| peer.came());
    for ((name, peer), before) in evil.iter().zip(came) {
        // A round takes as long as the slowest of them is waited for.
        assert!(
            wait::at_most(3 * wait::PATIENCE, || peer.came() > before),
            "{name}"
        );
    }
    assert!(watcher.iter().all(|process| process.runs()));
    assert!(!gateway.log.text().contains("the watcher ended"));
    let memory = watcher
        .iter()
        .map(|process| process.memory())
        .max()
        .unwrap();
    assert!(memory < 64 << 20, "{memory} octets");
    assert_eq!(served_by(&mut log_in(&gateway, "user1", &good)), "good");
}

#[test]
fn a_watcher_that_is_killed_is_followed_by_another_one() {
    let good = start("good");
    let turned = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&turned);
    let other = Greeter::run(move |stream| {
        let greeting = if now.load(Ordering::SeqCst) {
            "421 Full.\r\n"
        } else {
            "220 Hello.\r\n"
        };
        let _ = stream.write_all(greeting.as_bytes());
        while !tests::client::ended(stream) {}
    });
    let list = listed([("good", good.address()), ("other", other.address)]);
    let gateway = watchful(&list).start();
    told(&gateway, "other", "up");
    // The logger is the other one.
    let watcher = gateway.servants.last().unwrap();
    watcher.signal(Signal::SIGKILL);
    gateway.log.line_with(&["the watcher ended"]);
    assert_eq!(served_by(&mut log_in(&gateway, "user0", &good)).len(), 4);
    turned.store(true, Ordering::SeqCst);
    told(&gateway, "other", "down");
}

#[test]
fn the_watcher_ends_with_the_gateway() {
    let nowhere: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let gateway = watchful(&listed([("gone", nowhere)])).start();
    told(&gateway, "gone", "down");
    let watcher = gateway.servants.last().unwrap().clone();
    gateway.process().signal(Signal::SIGKILL);
    watcher.wait_for_end();
}

#[test]
fn a_first_check_that_fails_is_told_as_one_of_so_many() {
    // Nobody listens there any more.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gateway = GatewaySetup::before(&format!("one={address}"))
        .setting("HealthInterval=1")
        .setting("HealthDown=2")
        .start();
    told(&gateway, "one", "up so far: check 1 of 2 failed: ");
    told(&gateway, "one", "down: ");
}
