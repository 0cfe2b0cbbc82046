//! Attacks by what a command line says, by their row in our table of attacks: links, modes, names that are no names, patterns,
//! options, and lines that are none.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tests::processes::Process;
use tests::{Client, Data, Server, Setup, require, wait};

/// What a session may use of a processor for one line, whatever that says: far more than any takes, far less than a bomb.
const WORK: Duration = Duration::from_secs(2);

/// Both halves of the only session.
fn halves(server: &Server) -> [Process; 2] {
    let keeper = server.only_keeper();
    let session = keeper.only_child();
    [keeper, session]
}

fn work(halves: &[Process; 2]) -> Duration {
    halves.iter().map(Process::processor_time).sum()
}

/// The code of the only reply to a line, with its text but for the name.
fn told(client: &mut Client, line: &str, name: &str) -> (u16, String) {
    let reply = client.command(line);
    (reply.code, reply.text().replace(name, "NAME"))
}

#[test]
fn row_24_what_is_outside_looks_as_what_is_nowhere() {
    let server = Server::start();
    let outside = server.scratch.join("outside");
    std::fs::write(&outside, b"secret").unwrap();
    symlink(&outside, server.home.join("there")).unwrap();
    symlink(server.scratch.join("nothing"), server.home.join("gone")).unwrap();
    let mut client = server.logged_in();
    for verb in ["SIZE", "MDTM", "CWD", "RETR", "DSIZ", "XCRC"] {
        let data = (verb == "RETR").then(|| client.data(Data::Epsv));
        let there = told(&mut client, &format!("{verb} there"), "there");
        let again = (verb == "RETR").then(|| client.data(Data::Epsv));
        let gone = told(&mut client, &format!("{verb} gone"), "gone");
        assert_eq!(there, gone, "{verb}");
        drop((data, again));
    }
}

#[test]
fn row_25_no_mode_gives_anybody_else_s_rights_away() {
    let server = Server::start();
    server.put("file", b"content");
    server.put_directory("directory");
    let mut client = server.logged_in();
    for special in 1..=7 {
        for name in ["file", "directory"] {
            let reply = client.command(&format!("SITE CHMOD {special}755 {name}"));
            let mode = std::fs::metadata(server.home.join(name)).unwrap();
            let mode = mode.permissions().mode();
            assert_eq!(mode & 0o7000, 0, "{special}755 {name}: {reply}");
        }
    }
}

#[test]
fn row_27_what_is_no_file_takes_no_upload() {
    let server = Server::start();
    server.put_directory("directory");
    server.put("file", b"content");
    mkfifo(&server.home.join("pipe"), Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(server.home.join("socket")).unwrap();
    let mut client = server.logged_in();
    for name in ["directory", "pipe", "socket"] {
        for verb in ["STOR", "APPE", "RETR"] {
            let _data = client.data(Data::Epsv);
            let reply = client.command(&format!("{verb} {name}"));
            assert_eq!(reply.code / 100, 5, "{verb} {name}: {reply}");
        }
    }
    for offset in ["-1", "+1", "1e3", "0x10", "18446744073709551616", ""] {
        client.expect(&format!("REST {offset}"), 501);
    }
    for offset in [i64::MAX as u64, u64::MAX] {
        for verb in ["RETR", "STOR"] {
            let _data = client.data(Data::Epsv);
            let rest = client.command(&format!("REST {offset}"));
            let reply = client.command(&format!("{verb} file"));
            let refused = |reply: &tests::Reply| reply.code >= 400;
            assert!(
                refused(&rest) || refused(&reply),
                "{verb} {offset}: {reply}"
            );
            if !refused(&rest) || refused(&reply) {
                continue;
            }
            client.reply();
        }
    }
    assert_eq!(server.content("file"), b"content");
}

#[test]
fn row_29_a_line_is_one_command_however_long_it_is() {
    let server = Server::start();
    server.put("victim", b"content");
    let mut client = server.logged_in();
    for length in [
        500, 511, 512, 513, 1023, 1024, 1025, 4095, 4096, 4097, 65_536,
    ] {
        let line = format!("CWD {}DELE victim", "x".repeat(length));
        let reply = client.command(&line);
        assert_eq!(reply.code / 100, 5, "{length}: {reply}");
        client.expect("NOOP", 200);
    }
    assert_eq!(server.content("victim"), b"content");
}

#[test]
fn row_35_who_speaks_something_else_is_not_listened_to() {
    let server = Server::start();
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let posted =
        b"POST / HTTP/1.1\r\nHost: mirror\r\nContent-Length: 20\r\n\r\nUSER mirror\r\nDELE x\r\n";
    for octets in [
        &b"GET /mirror HTTP/1.1\r\nHost: mirror\r\n\r\n"[..],
        posted,
        hello,
    ] {
        let mut client = server.connect();
        client.send_octets(octets);
        let said = client.reply();
        assert_eq!(said.code / 100, 4, "{said}");
        assert!(!said.text().contains("mirror"), "{said}");
        client.expect_end();
    }
}

#[test]
fn row_36_nul_ends_no_name() {
    let server = Server::start();
    server.put("file", b"content");
    server.put_directory("directory");
    let mut client = server.logged_in();
    for line in [
        "SIZE file\0.txt",
        "DELE file\0.txt",
        "CWD directory\0x",
        "RMD directory\0x",
        "RNFR file\0x",
        "MKD new\0x",
        "SITE CHMOD 600 file\0x",
        "MFMT 20200101000000 file\0x",
        "XCRC file\0x",
    ] {
        let reply = client.command(line);
        assert_eq!(reply.code / 100, 5, "{line:?}: {reply}");
    }
    assert_eq!(server.names(), ["directory", "file"]);
    let mut other = server.connect();
    let name = format!("USER {}\0x", server.login.name);
    if other.command(&name).code == 331 {
        let password = format!("PASS {}", server.login.password);
        assert_eq!(other.command(&password).code, 530);
    }
}

#[test]
fn row_57_no_pattern_costs_more_than_its_listing() {
    let server = Server::start();
    for directory in ["a", "b", "c"] {
        for name in ["a", "aa", &"a".repeat(200)] {
            server.put(&format!("{directory}/{name}"), b"");
        }
    }
    let mut client = server.logged_in();
    let halves = halves(&server);
    let patterns = [
        "*/../".repeat(60) + "*",
        "{a,b}".repeat(80),
        "*?".repeat(120),
        "*a".repeat(120) + "b",
        "[!-~]*".repeat(60),
        "[".repeat(250),
        "?*/".repeat(80),
        "**/".repeat(80),
    ];
    for pattern in patterns {
        for verb in ["LIST", "NLST", "MLSD", "STAT"] {
            let before = work(&halves);
            let line = format!("{verb} {pattern}");
            let data = (verb != "STAT").then(|| client.data(Data::Epsv));
            let reply = client.command(&line);
            if reply.code == 150 {
                data.map(|data| data.open().read_all());
                client.reply();
            }
            let took = work(&halves) - before;
            assert!(took < WORK, "{line}: {took:?}");
        }
    }
    client.expect("NOOP", 200);
}

#[test]
fn row_58_options_with_numbers_are_no_numbers() {
    let server = Server::start();
    server.put("file", b"content");
    let mut client = server.logged_in();
    for option in [
        "-w",
        "-w 99999999999999999999",
        "-w2147483648",
        "-T0",
        "--width=-1",
        "-I%n%n",
    ] {
        let reply = client.command(&format!("STAT {option} file"));
        assert!((200..600).contains(&reply.code), "{option}: {reply}");
        let data = client.data(Data::Epsv);
        let reply = client.command(&format!("LIST {option}"));
        if reply.code == 150 {
            assert!(data.open().read_all().len() < 1000, "{option}");
            client.reply();
        }
    }
    client.expect("NOOP", 200);
}

/// A loop that closes all descriptors there may be takes minutes where there may be many.
#[test]
fn row_66_a_large_limit_of_descriptors_costs_nothing() {
    if !require::programs(&["prlimit"]) {
        return;
    }
    let limits = |process: &str| {
        let text = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
        let line = text.lines().find(|line| line.starts_with("Max open files"));
        let words = line.unwrap().split_whitespace().map(str::to_owned);
        words.skip(3).take(2).collect::<Vec<_>>()
    };
    // As many as this machine allows.
    let most = limits("self").remove(1);
    let limit = format!("--nofile={most}:{most}");
    let server = Setup::new().through(&["prlimit", &limit]).start();
    assert_eq!(limits(&server.process().pid.to_string())[1], most);
    let client = server.logged_in();
    let halves = halves(&server);
    assert!(work(&halves) < WORK, "{:?}", work(&halves));
    assert_eq!(limits(&halves[1].pid.to_string()), ["32", "32"]);
    drop(client);
    wait::until("the session is over", || server.keepers().is_empty());
}
