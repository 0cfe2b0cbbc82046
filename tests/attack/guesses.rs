//! Guessing passwords, by its row in our table of attacks: from many addresses, from many addresses of one host, at many users.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::thread;

use tests::client::connect_from;
use tests::{Client, Server, Setup, namespaces, wait};

const GUESSERS: u8 = 50;
const GUESSES: u32 = 1000;

/// What became of guesses.
#[derive(Debug, Default)]
struct Fates {
    /// Of passwords.
    wrong: u32,
    /// Of sessions, after the third wrong password.
    cut: u32,
    /// Of connections.
    refused: u32,
}

/// A client that may be refused.
fn quiet(server: &Server, from: impl Into<IpAddr>) -> Client {
    Client::over(connect_from(from, server.address()))
}

/// Shows wrong passwords for names in turn, in as many sessions as it takes, until so many were wrong or refused.
fn guess(server: &Server, from: Ipv4Addr, names: &[String], guesses: u32) -> Fates {
    let mut fates = Fates::default();
    let mut names = names.iter().cycle();
    while fates.wrong + fates.refused < guesses {
        let mut client = quiet(server, from);
        let greeting = client.reply();
        if greeting.code == 421 {
            assert!(greeting.text().contains("Too many failures"), "{greeting}");
            client.expect_end();
            fates.refused += 1;
            continue;
        }
        for last in [false, false, true] {
            if fates.wrong + fates.refused == guesses {
                break;
            }
            client.expect(&format!("USER {}", names.next().unwrap()), 331);
            client.expect("PASS a-guess", 530);
            fates.wrong += 1;
            if last {
                client.expect_reply(421);
                client.expect_end();
                fates.cut += 1;
            }
        }
    }
    fates
}

/// With the settings that matter here as they are by default, but for a hash that lets it end soon. How long honest logins take
/// is for the benchmark to tell.
#[test]
fn attack_68_a_thousand_guesses_from_fifty_addresses() {
    let server = Setup::new()
        .with_penalties()
        .setting("PasswordCost=m=1024,t=1,p=1")
        .start();
    let honest = || {
        let mut client = quiet(&server, Ipv4Addr::new(127, 9, 9, 9));
        client.expect_reply(220);
        client.login(&server.login.name, &server.login.password);
        client.expect("QUIT", 221);
    };
    honest();
    wait::until("the listener is alone", || server.keepers().is_empty());
    let before = server.process().memory();
    let descriptors = server.process().descriptors().len();
    let names = [server.login.name.clone()];
    let (fates, served) = thread::scope(|scope| {
        let guessers: Vec<_> = (1..=GUESSERS)
            .map(|number| {
                let (server, names) = (&server, &names);
                let from = Ipv4Addr::new(127, 1, number, 1);
                scope.spawn(move || guess(server, from, names, GUESSES / u32::from(GUESSERS)))
            })
            .collect();
        let mut served = 0;
        while !guessers.iter().all(|guesser| guesser.is_finished()) {
            honest();
            served += 1;
        }
        let mut sum = Fates::default();
        for guesser in guessers {
            let fates = guesser.join().unwrap();
            sum.wrong += fates.wrong;
            sum.cut += fates.cut;
            sum.refused += fates.refused;
        }
        (sum, served)
    });
    println!("{fates:?}, {served} honest logins meanwhile");
    assert_eq!(fates.wrong + fates.refused, GUESSES, "{fates:?}");
    // Six wrong passwords of ten seconds each are a ban; time pays for some meanwhile.
    assert!(fates.refused >= GUESSES / 4, "{fates:?}");
    assert!(
        fates.cut >= fates.wrong / 3 - u32::from(GUESSERS),
        "{fates:?}"
    );
    assert!(served > 0);
    for number in 1..=GUESSERS {
        let line = format!("127.1.{number}.1: banned for ");
        server.log.line_with(&[line.as_str()]);
    }
    wait::until("the listener is alone", || server.keepers().is_empty());
    let grown = server.process().memory().saturating_sub(before);
    assert!(grown < 512, "the listener grew by {grown} KiB");
    assert_eq!(server.process().descriptors().len(), descriptors);
}

fn setup() -> Setup {
    Setup::new()
        .with_penalties()
        .setting("LoginFailDelay=0")
        .setting("PasswordCost=m=8,t=1,p=1")
}

#[test]
fn attack_68_guesses_at_many_users_are_as_many_guesses() {
    let server = setup().account("other", "plain", "").start();
    let (guesser, spray) = (Ipv4Addr::new(127, 1, 0, 1), Ipv4Addr::new(127, 2, 0, 1));
    let names: Vec<String> = (0..20).map(|number| format!("user{number}")).collect();
    let mixed = ["other", "tester", "nobody", "root"].map(str::to_owned);
    for (from, names) in [(guesser, &mixed[..]), (spray, &names)] {
        let fates = guess(&server, from, names, 20);
        assert!(fates.refused > 0 && fates.wrong >= 6, "{fates:?}");
        let line = format!("{from}: banned for ");
        server.log.line_with(&[line.as_str()]);
    }
    server.logged_in().expect("NOOP", 200);
}

#[test]
fn attack_68_all_addresses_of_one_host_are_one() {
    let host = |number: u16| Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, number);
    let neighbour = Ipv6Addr::new(0xfd00, 1, 0, 1, 0, 0, 0, 1);
    let addresses = (1..=20).map(host).chain([neighbour]);
    let addresses: Vec<String> = addresses.map(|address| format!("{address}/64")).collect();
    if !namespaces::network(&addresses) {
        return;
    }
    let server = setup().ipv6().setting("MaxPerAddress=3").start();
    let mut held: Vec<Client> = (1..=3).map(|number| quiet(&server, host(number))).collect();
    for client in &mut held {
        client.expect_reply(220);
    }
    quiet(&server, host(4)).expect_reply(421);
    quiet(&server, neighbour).expect_reply(220);
    drop(held);
    wait::until("all sessions are over", || server.keepers().is_empty());
    // Each guess from an address that has made none yet.
    let mut guesses = 0;
    for number in 1..=20 {
        let mut client = quiet(&server, host(number));
        let greeting = client.reply();
        if greeting.code == 421 {
            assert!(greeting.text().contains("Too many failures"), "{greeting}");
            break;
        }
        client.expect(&format!("USER {}", server.login.name), 331);
        client.expect("PASS a-guess", 530);
        client.expect("QUIT", 221);
        client.expect_end();
        guesses += 1;
    }
    assert!((6..20).contains(&guesses), "{guesses} guesses");
    server.log.line_with(&["fd00:1::/64: banned for "]);
    let mut client = quiet(&server, neighbour);
    client.expect_reply(220);
    client.login(&server.login.name, &server.login.password);
}
