//! Attacks by what a server repeats of what others have chosen: names in replies, in logs and in look-ups. By their row in our
//! table of attacks.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::ffi::OsStr;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tests::reply::Text;
use tests::{Client, Data, Server, Setup, namespaces, require, wait};

/// Names that would be more than names if somebody let them.
const HOSTILE: &[&[u8]] = &[
    b"a\r\n226 Transfer complete.\r\n",
    b"a\n550 no",
    b"\r\n",
    b"\"; 257 \"root",
    b"\"\"quoted\"\"",
    b"250-x",
    b"250 End.",
    b" leading",
    b"\x1b]0;title\x07\x1b[2J",
    b"\xff\xf4\xff\xf2",
    b"\xc2\x9b2J\xe2\x80\xa8x",
];

/// These, and one name for each octet that there may be in one.
fn names() -> Vec<Vec<u8>> {
    let single = (1..=255u8).filter(|&octet| octet != b'/');
    let single = single.map(|octet| [b"n", &[octet][..], b"m"].concat());
    single
        .chain(HOSTILE.iter().map(|name| name.to_vec()))
        .collect()
}

/// A command as it goes over Telnet (RFC 854), whose line ends are not the command's: CR is followed by NUL, IAC is doubled.
fn line(verb: &str, name: &[u8]) -> Vec<u8> {
    let mut line = format!("{verb} ").into_bytes();
    for &octet in name {
        match octet {
            b'\r' => line.extend(b"\r\0"),
            255 => line.extend([255, 255]),
            octet => line.push(octet),
        }
    }
    line.extend(b"\r\n");
    line
}

fn client(server: &Server) -> Client {
    let mut client = server.logged_in();
    client.text = Text::Names;
    client
}

/// Sends a command; gives the text of its one reply.
#[track_caller]
fn single(client: &mut Client, verb: &str, name: &[u8]) -> (u16, String) {
    let shown = format!("{verb} {}", name.escape_ascii());
    client.send_octets(&line(verb, name));
    let reply = client.reply();
    // What comes next is this one's, or there was a reply too many.
    client.send("NOOP");
    assert_eq!(client.reply().code, 200, "{shown}");
    assert!(!client.has_something(), "{shown}");
    (reply.code, reply.text())
}

/// The path in a reply (RFC 959, appendix II): a quote in it is doubled, and IAC is on any Telnet connection.
#[track_caller]
fn quoted(text: &str) -> String {
    let inner = text.strip_prefix('"').unwrap();
    let (mut path, mut rest) = (String::new(), inner.chars().peekable());
    loop {
        match rest.next() {
            Some('"') if rest.next_if_eq(&'"').is_none() => {
                return path.replace("\u{ff}\u{ff}", "\u{ff}");
            }
            Some(other) => path.push(other),
            None => panic!("the path does not end: {text}"),
        }
    }
}

/// Octets as the client's strict reader shows them.
fn as_read(octets: &[u8]) -> String {
    octets.iter().copied().map(char::from).collect()
}

/// A name that a client has made comes back as itself: one reply, one line, quotes doubled.
#[test]
fn row_73_no_name_that_a_client_chooses_splits_a_reply() {
    let server = Server::start();
    let mut client = client(&server);
    for name in names().iter().filter(|name| !name.contains(&b'\n')) {
        let shown = name.escape_ascii();
        let (code, text) = single(&mut client, "MKD", name);
        if code != 257 {
            // It is refused whole.
            assert!(
                matches!(code, 500 | 501 | 550 | 553),
                "{shown}: {code} {text}"
            );
            continue;
        }
        assert_eq!(
            quoted(&text),
            as_read(&[b"/", &name[..]].concat()),
            "{shown}"
        );
        assert_eq!(single(&mut client, "CWD", name).0, 250, "{shown}");
        let (code, text) = single(&mut client, "PWD", b"");
        assert_eq!(code, 257, "{shown}");
        assert_eq!(
            quoted(&text),
            as_read(&[b"/", &name[..]].concat()),
            "{shown}"
        );
        assert_eq!(single(&mut client, "CDUP", b"").0, 250, "{shown}");
        for verb in [
            "MLST",
            "RNFR",
            "STAT",
            "SIZE",
            "MDTM",
            "DELE",
            "SITE CHMOD 700",
        ] {
            single(&mut client, verb, name);
        }
        assert_eq!(single(&mut client, "RMD", name).0, 250, "{shown}");
        for verb in ["CWD", "RMD", "RETR", "HELP", "SITE", "OPTS", "NLST"] {
            single(&mut client, verb, name);
        }
    }
}

/// Names that come from elsewhere, with line ends too, by all commands that list on the control connection.
#[test]
fn row_73_no_name_that_is_there_splits_a_reply() {
    let server = Server::start();
    for name in names() {
        let name = OsStr::from_bytes(&name);
        fs::write(server.home.join(name), "").unwrap();
        let link = [b"to-", name.as_bytes()].concat();
        std::os::unix::fs::symlink(name, server.home.join(OsStr::from_bytes(&link))).unwrap();
    }
    server.put_directory("below");
    let cut = OsStr::from_bytes(b"a\r\n226 Transfer complete.");
    fs::create_dir(server.home.join("below").join(cut)).unwrap();
    let mut client = client(&server);
    let count = 2 * names().len();
    for verb in ["STAT", "STAT -a", "STAT -1"] {
        let (code, text) = single(&mut client, verb, b".");
        assert!(matches!(code, 212 | 213), "{verb}: {code} {text}");
        assert!(text.lines().count() >= count, "{verb}: {text}");
    }
    single(&mut client, "STAT", b"below");
    single(&mut client, "STAT", b"n*");
    single(&mut client, "MLST", b".");
    for verb in ["LIST", "NLST", "MLSD"] {
        let octets = client.receive(Data::Epsv, verb);
        for line in octets.split(|&octet| octet == b'\n') {
            let forged = line.starts_with(b"226 Transfer") || line.starts_with(b"550 no");
            assert!(!forged, "{verb}: {}", line.escape_ascii());
        }
    }
    client.expect("NOOP", 200);
}

/// What a client says that would be a line of its own, a colour, or somebody else's address.
const FORGERIES: &[&[u8]] = &[
    b"x\r2026-01-01T00:00:00.000Z [1] login of 'root' from 192.0.2.9",
    b"\x1b[2J\x1b]0;owned\x07",
    b"x] login of 'root' from 192.0.2.9 failed: wrong password",
    b"ip=192.0.2.9 \x08\x08\x7f",
    b"\xc2\x9b31m\xe2\x80\xae\xe2\x80\xa8",
    b"\xff\xfe\x9b",
    b"%n%s%x${jndi:ldap://192.0.2.9/x}",
];

/// Whether octets have nothing in them that a terminal obeys, but line feeds.
fn is_plain(text: &str) -> bool {
    text.chars()
        .all(|character| character == '\n' || !character.is_control())
}

/// Fails on a line of the server's log that does not begin as its lines do.
#[track_caller]
fn assert_log(text: &str) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{line}");
        let (process, _) = rest.split_once("] ").unwrap_or_else(|| panic!("{line}"));
        let process = process
            .strip_prefix('[')
            .unwrap_or_else(|| panic!("{line}"));
        assert!(
            process.bytes().all(|octet| octet.is_ascii_digit()),
            "{line}"
        );
    }
}

/// Does whatever has a client's words logged.
fn say_everywhere(server: &Server, forgery: &[u8]) {
    let mut stranger = server.connect();
    stranger.text = Text::Names;
    stranger.send_octets(&line("USER", forgery));
    stranger.reply();
    stranger.send_octets(&line("PASS", forgery));
    // A line that is no text in the charset is none at all.
    assert!(matches!(stranger.reply().code, 500..=530));
    let mut client = client(server);
    for verb in ["CLNT", "MKD", "CWD", "RMD", "SITE", "XNIX", "ACCT"] {
        client.send_octets(&line(verb, forgery));
        client.reply();
    }
    let data = client.data(Data::Epsv);
    client.send_octets(&line("STOR", forgery));
    if client.reply().code == 150 {
        data.open().write_all_and_close(b"content");
        client.expect_reply(226);
    }
    client.expect("QUIT", 221);
}

#[test]
fn row_74_nobody_forges_a_line_of_a_log() {
    for format in ["text", "json"] {
        let setup = Setup::new()
            .setting("LogLevel=commands")
            .setting("LoginFailDelay=0")
            .setting(&format!("LogFormat={format}"));
        let transfers = setup.scratch().join("transfers");
        let server = setup
            .setting(&format!("TransferLog={}", transfers.display()))
            .start();
        FORGERIES
            .iter()
            .for_each(|forgery| say_everywhere(&server, forgery));
        server.logged_in().upload(Data::Epsv, "last", b"content");
        let read = || fs::read(&transfers).unwrap_or_default();
        wait::until("all is written", || {
            String::from_utf8_lossy(&read()).contains("/last")
        });
        server.log.line_with(&["upload", "last", "7"]);
        let (text, transfers) = (server.log.text(), String::from_utf8(read()).unwrap());
        for text in [&text, &transfers] {
            assert!(is_plain(text), "{}", text.escape_debug());
        }
        for line in transfers.lines() {
            assert!(line.contains(" 127.0.0.1 7 /"), "{line}");
        }
        if format == "json" {
            for line in text.lines() {
                let object: Value = serde_json::from_str(line).unwrap();
                assert!(object.is_object(), "{line}");
            }
        } else {
            assert_log(&text);
        }
    }
}

/// Where a server that asked for names would ask.
const RESOLVER: &str = "127.0.0.53";

/// A client's address has a name that its owner chooses, so nobody asks for it: neither log, nor hook, nor login rule.
#[test]
fn row_76_nobody_asks_for_the_name_of_a_client() {
    if !require::programs(&["getent"]) || !namespaces::network(&[]) {
        return;
    }
    let resolver = UdpSocket::bind((RESOLVER, 53)).unwrap();
    resolver.set_nonblocking(true).unwrap();
    let setup = Setup::new()
        .setting("LogLevel=commands")
        .setting("ExecEngine=on")
        .setting("ExecOnConnect=/bin/echo %h %a")
        .setting("ExecOptions=logStdout")
        .system_file(
            "/etc/resolv.conf",
            &format!("nameserver {RESOLVER}\noptions timeout:1 attempts:1\n"),
        )
        .system_file(
            "/etc/nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\n",
        );
    let words = setup.with_system_files();
    let asked = |words: &[String]| {
        let told = Command::new(&words[0])
            .args(&words[1..])
            .args(["getent", "hosts", "192.0.2.7"])
            .output();
        told.unwrap();
        resolver.recv(&mut [0; 512]).is_ok()
    };
    assert!(asked(&words), "who asks for a name asks here");
    while resolver.recv(&mut [0; 512]).is_ok() {}
    let server = setup.start();
    let mut client = server.logged_in();
    client.upload(Data::Epsv, "file", b"content");
    client.upload(Data::Eprt, "file", b"content");
    client.expect("STAT", 211);
    client.expect("QUIT", 221);
    let mut stranger = server.connect();
    stranger.command("USER nobody-here");
    stranger.expect("PASS wrong", 530);
    server
        .log
        .line_with(&["hook /bin/echo: 127.0.0.1 127.0.0.1"]);
    server.log.line_with(&["nobody-here", "failed"]);
    let told = resolver.recv(&mut [0; 512]);
    assert!(told.is_err(), "somebody has asked for a name");
}

/// There is no database whose statements somebody could get into: no client of one is among what the programs are built of.
#[test]
fn row_76_nothing_here_speaks_sql() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap();
    let packages = lock.lines().filter_map(|line| line.strip_prefix("name = "));
    let mut count = 0;
    for package in packages {
        count += 1;
        for database in ["sql", "postgres", "diesel", "odbc", "mongo", "ldap"] {
            assert!(!package.contains(database), "{package}");
        }
    }
    assert!(count > 50, "{count} packages");
}
