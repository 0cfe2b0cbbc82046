//! Where the log goes and in what form: JSON, syslog, the xferlog, files that are renamed; and that no client forges a line.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use tests::log::{events, lines, message};
use tests::{Client, Data, Server, Setup, binaries, require, wait};

/// A configuration line that names a file of the server's.
fn naming(setup: &Setup, key: &str, file: &str) -> String {
    format!("{key}={}", setup.scratch().join(file).display())
}

const HOSTILE: &[u8] = b"a \"}\xc3\xa4\\{\"event\":\"login\"";

fn work(server: &Server) {
    let mut client = server.logged_in();
    client.upload(Data::Epsv, "up load", b"seven..");
    assert_eq!(client.download(Data::Epsv, "up load"), b"seven..");
    let mut line = b"STOR ".to_vec();
    line.extend_from_slice(HOSTILE);
    line.extend_from_slice(b"\r\n");
    let data = client.data(Data::Epsv);
    client.send_octets(&line);
    client.expect_reply(150);
    data.open().write_all_and_close(b"x");
    client.expect_reply(226);
    client.expect("QUIT", 221);
}

#[test]
fn json_has_an_object_for_each_line_and_facts_beside_the_sentence() {
    let server = Setup::new()
        .setting("LogFormat=json")
        .setting("LogLevel=commands")
        .start();
    work(&server);
    let mut intruder = server.connect();
    intruder.send_octets(b"USER eve\"}\x1b[1m\\\r\n");
    intruder.expect_reply(331);
    intruder.expect("PASS sesame-not", 530);
    server.log.line_with(&["login_failed"]);
    server
        .log
        .line_with(&["\"direction\":\"i\"", "\"octets\":1"]);
    let text = server.log.text();
    let logins = events(&text, "login");
    assert_eq!(logins.len(), 1, "{text}");
    assert_eq!(logins[0]["user"], server.login.name.as_str());
    assert_eq!(logins[0]["client"], "127.0.0.1");
    let failed = events(&text, "login_failed");
    assert_eq!(failed.len(), 1, "{text}");
    assert_eq!(failed[0]["user"], "eve\"}\u{1b}[1m\\");
    assert_ne!(failed[0]["session"], logins[0]["session"]);
    let transfers = events(&text, "transfer");
    assert_eq!(transfers.len(), 3, "{text}");
    assert_eq!(transfers[0]["path"], "/up load");
    assert_eq!(transfers[0]["octets"], 7);
    assert_eq!(transfers[1]["direction"], "o");
    assert_eq!(transfers[1]["session"], logins[0]["session"]);
    assert_eq!(transfers[1]["completion"], "c");
    assert!(!text.contains('\u{1b}') && !text.contains("sesame-not"));
    assert!(!text.contains(&server.login.password), "{text}");
}

#[test]
fn an_upload_that_came_whole_and_was_not_kept_is_not_complete() {
    let server = Setup::new().setting("LogFormat=json").start();
    let mut client = server.logged_in();
    client.expect("ALLO 10", 200);
    let data = client.data(Data::Epsv);
    client.send("STOR short");
    client.expect_reply(150);
    data.open().write_all_and_close(b"x");
    client.expect_reply(426);
    client.upload(Data::Epsv, "whole", b"0123456789");
    server
        .log
        .line_with(&["\"path\":\"/whole\"", "\"completion\":\"c\""]);
    let transfers = events(&server.log.text(), "transfer");
    assert_eq!(transfers.len(), 2, "{transfers:?}");
    assert_eq!(transfers[0]["completion"], "i");
    assert_eq!(transfers[0]["end"], "complete, answered 426");
}

#[test]
fn the_log_of_transfers_is_wu_ftpds_also_where_the_log_has_none_and_after_a_rename() {
    let setup = Setup::new().setting("LogLevel=logins");
    let line = naming(&setup, "TransferLog", "xferlog");
    let server = setup.setting(&line).start();
    work(&server);
    let path = server.scratch.join("xferlog");
    let found = lines(&path, 3);
    assert_eq!(found.len(), 3, "{found:?}");
    let fields: Vec<Vec<&str>> = found.iter().map(|line| line.split(' ').collect()).collect();
    for fields in &fields {
        // A day of one digit has a blank before it.
        let fields: Vec<_> = fields.iter().filter(|field| !field.is_empty()).collect();
        assert_eq!(fields.len(), 18, "{fields:?}");
        assert_eq!(*fields[13], server.login.name);
        assert_eq!(fields[14..], [&"ftp", &"0", &"*", &"c"]);
    }
    assert!(
        found[0].contains(" 127.0.0.1 7 /up_load b _ i r "),
        "{found:?}"
    );
    assert!(
        found[1].contains(" 127.0.0.1 7 /up_load b _ o r "),
        "{found:?}"
    );
    assert!(
        found[2].contains("/a_\"}??\\{\"event\":\"login\" b _ i r "),
        "{found:?}"
    );
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!server.log.text().contains("octets"));
    counted_by_ftpstats(&path);
    fs::rename(&path, server.scratch.join("xferlog.1")).unwrap();
    server.process().signal(Signal::SIGUSR1);
    wait::until("there is a new file", || path.exists());
    server.logged_in().upload(Data::Epsv, "later", b"1");
    assert_eq!(lines(&path, 1).len(), 1);
}

/// ProFTPD's reader of such logs finds all three transfers in it.
fn counted_by_ftpstats(log: &Path) {
    let Some(ftpstats) = binaries::peer("proftpd-core", "ftpstats") else {
        require::missing("ftpstats, as packaging/peers.sh unpacks it");
        return;
    };
    let output = Command::new(ftpstats).arg("-f").arg(log).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let files = told
        .lines()
        .find(|line| line.starts_with("Files Transmitted During"));
    assert!(files.is_some_and(|line| line.ends_with(" 3")), "{told}");
}

#[test]
fn syslog_hears_what_is_logged_and_may_come_and_go() {
    let setup = Setup::new().setting("Syslog=yes");
    let path = setup.scratch().join("syslog");
    let listen = || {
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(wait::PATIENCE)).unwrap();
        socket
    };
    let socket = listen();
    let line = naming(&setup, "SyslogSocket", "syslog");
    let server = setup.setting(&line).start();
    server.logged_in();
    let text = message(&socket, "login of ");
    assert!(
        text.starts_with("<94>1 20") && text.contains(" - ftpd "),
        "{text}"
    );
    assert!(
        text.contains(" login - login of 'tester' from 127.0.0.1"),
        "{text}"
    );
    // Gone, it is missed by nobody but the log's reader.
    drop(socket);
    fs::remove_file(&path).unwrap();
    server.logged_in();
    let socket = listen();
    server.process().signal(Signal::SIGUSR1);
    wait::until("it is reached again", || {
        server.logged_in();
        socket.set_nonblocking(true).unwrap();
        socket.recv(&mut [0; 8192]).is_ok()
    });
}

#[test]
fn the_journal_gets_fields_and_no_client_makes_one() {
    let setup = Setup::new().setting("Journal=yes");
    let socket = UnixDatagram::bind(setup.scratch().join("journal")).unwrap();
    socket.set_read_timeout(Some(wait::PATIENCE)).unwrap();
    let line = naming(&setup, "JournalSocket", "journal");
    let server = setup.setting(&line).start();
    let mut intruder = server.connect();
    intruder.send_octets(b"USER eve\x0bPRIORITY=0\x1f\x85\r\n");
    intruder.expect_reply(331);
    intruder.expect("PASS sesame-not", 530);
    let text = message(&socket, "FTP_EVENT=login_failed");
    let fields: Vec<_> = text
        .lines()
        .map(|line| line.split_once('=').unwrap())
        .collect();
    let field = |name: &str| fields.iter().find(|(known, _)| *known == name).unwrap().1;
    assert_eq!(field("PRIORITY"), "6");
    assert_eq!(field("SYSLOG_IDENTIFIER"), "ftpd");
    assert_eq!(field("FTP_CLIENT"), "127.0.0.1");
    assert!(field("MESSAGE").starts_with("login of 'eve"), "{text}");
    assert!(
        field("FTP_USER").starts_with("eve\u{fffd}PRIORITY=0"),
        "{text}"
    );
    assert!(field("FTP_SESSION").parse::<u32>().is_ok(), "{text}");
    assert!(!text.contains("sesame-not"));
    server.logged_in();
    let text = message(&socket, "FTP_EVENT=login\n");
    assert!(text.contains("\nFTP_USER=tester\n"), "{text}");
}

#[test]
fn a_server_does_not_write_where_somebody_else_leads_it() {
    let setup = Setup::new();
    let victim = setup.scratch().join("victim");
    fs::write(&victim, "").unwrap();
    symlink(&victim, setup.scratch().join("log")).unwrap();
    let line = naming(&setup, "TransferLog", "log");
    setup.setting(&line).refused("log ");
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can give files away");
        return;
    }
    let setup = Setup::new();
    let strange = setup.scratch().join("log");
    fs::write(&strange, "").unwrap();
    std::os::unix::fs::chown(&strange, Some(65534), None).unwrap();
    let line = naming(&setup, "LogFile", "log");
    let scratch = setup.scratch().to_owned();
    let refused = setup.setting(&line).refused("belongs to user 65534");
    assert!(refused.contains(scratch.to_str().unwrap()), "{refused}");
}

#[test]
fn a_session_that_fills_the_log_does_not_stop_others() {
    let server = Setup::new().setting("LogLevel=commands").start();
    let mut noisy = server.logged_in();
    for _ in 0..200 {
        noisy.send(&"NOOP x".repeat(10));
    }
    for _ in 0..200 {
        noisy.reply();
    }
    Client::connect(server.address()).expect("NOOP", 200);
}

#[test]
fn lines_for_people_say_whose_a_transfer_is_and_in_words_how_it_ended() {
    let server = Setup::new().start();
    let mut client = server.logged_in();
    client.upload(
        Data::Epsv,
        "login of 'x' from 192.0.2.7 failed: ",
        b"0123456789",
    );
    let data = client.data(Data::Epsv);
    client.begin("STOR part");
    let data = data.open();
    data.write(b"half");
    client.send("ABOR");
    client.expect_reply(426);
    client.expect_reply(226);
    let name = &server.login.name;
    let who = format!("'{name}' from 127.0.0.1: upload of ");
    for (upload, end) in [
        ("login of", ": 10 octets, complete"),
        ("part: ", "octets, aborted by the client"),
    ] {
        server
            .log
            .line_with(&["] session ", &format!("{who}{upload}"), end]);
    }
}
