//! Every event there is, in the words of its schema, and where it goes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::net::Ipv4Addr;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;
use tests::client::connect_from;
use tests::{Client, Data, Setup, require, wait};

use crate::scripts::Script;

/// Whether a value is of a type.
type Fits = fn(&Value) -> bool;

/// The schema, as the manual tells it: the type of each field that there may be.
#[rustfmt::skip]
const FIELDS: &[(&str, Fits)] = &[
    ("version", is_one), ("id", is_id), ("time", is_time), ("event", Value::is_string), ("session", is_id),
    ("pid", Value::is_u64), ("client_address", is_address), ("client_port", Value::is_u64),
    ("server_address", is_address), ("server_port", Value::is_u64), ("login", Value::is_string),
    ("user", Value::is_string), ("uid", Value::is_u64), ("gid", Value::is_u64), ("group", Value::is_string),
    ("path", is_path), ("real_path", is_path), ("from", is_path), ("real_from", is_path), ("target", Value::is_string),
    ("size", Value::is_u64), ("offset", Value::is_u64), ("transferred", Value::is_u64), ("duration_ms", Value::is_u64),
    ("mode", Value::is_string), ("source_address", is_address), ("source_port", Value::is_u64),
    ("destination_address", is_address), ("destination_port", Value::is_u64), ("connection", Value::is_string),
    ("hash", is_hex), ("hash_algorithm", Value::is_string), ("replaced", Value::is_boolean),
    ("session_received", Value::is_u64), ("session_sent", Value::is_u64),
    ("result", Value::is_string), ("reason", Value::is_string), ("limit", Value::is_string),
];

/// What each event must tell beside version, id, time and its kind.
#[rustfmt::skip]
const EVENTS: &[(&str, &[&str])] = &[
    ("start", &[]),
    ("connect", SESSION),
    ("login_failed", &["session", "pid", "client_address", "client_port", "server_address", "server_port", "login", "reason", "result"]),
    ("login", USER),
    ("mkdir", &["session", "user", "path", "real_path"]),
    ("upload", &["session", "user", "path", "real_path", "size", "duration_ms", "replaced", "result"]),
    ("upload_aborted", &["session", "user", "path", "real_path", "transferred", "duration_ms", "replaced", "result"]),
    ("upload_refused", &["session", "user", "path", "real_path", "duration_ms", "result", "reason"]),
    ("download", &["session", "user", "path", "real_path", "transferred", "duration_ms", "result"]),
    ("download_aborted", &["session", "user", "path", "real_path", "transferred", "duration_ms", "result"]),
    ("rename", &["session", "user", "path", "real_path", "from", "real_from"]),
    ("chmod", &["session", "user", "path", "real_path", "mode"]),
    ("symlink", &["session", "user", "path", "real_path", "target"]),
    ("delete", &["session", "user", "path", "real_path"]),
    ("rmdir", &["session", "user", "path", "real_path"]),
    ("data_up", &["session", "user", "source_address", "source_port", "destination_address", "destination_port", "connection"]),
    ("data_down", &["session", "user", "source_address", "source_port", "destination_address", "destination_port", "connection"]),
    ("logout", &["session", "pid", "client_address", "client_port", "server_address", "server_port", "login", "user", "uid", "gid", "duration_ms", "session_received", "session_sent"]),
    ("limit_hit", &["client_address", "limit", "reason"]),
    ("ban", &["client_address", "duration_ms", "reason"]),
    ("reload", &["reason"]),
    ("stop", &[]),
];

const SESSION: &[&str] = &[
    "session",
    "pid",
    "client_address",
    "client_port",
    "server_address",
    "server_port",
];
const USER: &[&str] = &[
    "session",
    "pid",
    "client_address",
    "client_port",
    "server_address",
    "server_port",
    "login",
    "user",
    "uid",
    "gid",
];

fn is_one(value: &Value) -> bool {
    *value == 1
}

fn is_hex(value: &Value) -> bool {
    let digit = |octet: u8| octet.is_ascii_digit() || (b'a'..=b'f').contains(&octet);
    value.as_str().is_some_and(|text| text.bytes().all(digit))
}

fn is_id(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 32) && is_hex(value)
}

/// Such as 2026-01-02T03:04:05.678901Z.
fn is_time(value: &Value) -> bool {
    let shape = |octet: u8| if octet.is_ascii_digit() { b'9' } else { octet };
    let text = value.as_str().unwrap_or_default();
    text.bytes().map(shape).collect::<Vec<u8>>() == b"9999-99-99T99:99:99.999999Z"
}

fn is_address(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.parse::<std::net::IpAddr>().is_ok()
}

fn is_path(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with('/'))
}

/// Reads a line that must be an event of the schema.
#[track_caller]
pub(crate) fn event(line: &str) -> Value {
    let event: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    for (name, value) in event.as_object().unwrap() {
        let known = FIELDS.iter().find(|(known, _)| known == name);
        let (_, fits) = known.unwrap_or_else(|| panic!("{name} in {line}"));
        assert!(fits(value), "{name} in {line}");
    }
    let kind = event["event"].as_str().unwrap();
    let (_, fields) = EVENTS.iter().find(|(known, _)| *known == kind).unwrap();
    for name in ["version", "id", "time"].iter().chain(*fields) {
        assert!(event.get(name).is_some(), "{name} is missing in {line}");
    }
    event
}

#[track_caller]
pub(crate) fn events(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(event).collect()
}

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| event["event"] == kind)
        .collect()
}

/// What a session does, as far as events tell of it.
fn drive(client: &mut Client) {
    client.expect("MKD directory", 257);
    client.upload(Data::Epsv, "directory/file", b"content");
    let data = client.data(Data::Epsv);
    client.begin("STOR broken");
    let data = data.open();
    data.write(&[7; 100_000]);
    data.reset();
    assert_eq!(client.reply().code / 100, 4);
    let data = client.data(Data::Epsv);
    client.begin("STOR bad.exe");
    data.open().write_all_and_close(b"virus");
    client.expect_reply(550);
    assert_eq!(client.download(Data::Eprt, "directory/file"), b"content");
    let data = client.data(Data::Epsv);
    client.begin("RETR large");
    let data = data.open();
    data.read_some(1000);
    data.reset();
    assert_eq!(client.reply().code / 100, 4);
    client.expect("RNFR directory/file", 350);
    client.expect("RNTO directory/other", 250);
    client.expect("SITE CHMOD 600 directory/other", 200);
    client.expect("SITE SYMLINK other directory/link", 200);
    client.expect("DELE directory/link", 250);
    client.expect("DELE directory/other", 250);
    client.expect("RMD directory", 250);
}

#[test]
fn every_event_is_told_in_the_words_of_the_schema() {
    let setup = Setup::new();
    let scan = Script::new(
        &setup,
        "scan",
        "case $1 in *.exe) echo infected; exit 1;; esac",
    );
    let scan = scan.path.display();
    let mut server = setup
        .with_penalties()
        .toml(&format!(
            "limits.penalty = \"60\"\nlimits.ban = \"15\"\nlimits.per-address = 2\n\
             files.keep-partial = \"0\"\n\
             [[hook]]\non = \"all\"\nfile = \"{{scratch}}/events\"\n\
             [[hook]]\non = [\"upload\"]\nphase = \"accept\"\nmode = \"veto\"\n\
             exec = [\"{scan}\", \"%{{path}}\"]\n"
        ))
        .start();
    let path = server.scratch.join("events");
    server.put("large", &[1; 30_000_000]);
    let mut client = server.logged_in();
    drive(&mut client);
    client.expect("QUIT", 221);
    client.expect_end();
    // Each from an address of its own, as penalties and limits are the address's.
    let address = server.address();
    let crowd: Vec<_> = (0..2)
        .map(|_| {
            let mut one = Client::over(connect_from(Ipv4Addr::new(127, 0, 0, 8), address));
            one.expect_reply(220);
            one
        })
        .collect();
    let mut third = Client::over(connect_from(Ipv4Addr::new(127, 0, 0, 8), address));
    third.expect_reply(421);
    let mut guesser = Client::over(connect_from(Ipv4Addr::new(127, 0, 0, 9), address));
    guesser.expect_reply(220);
    guesser.expect("USER tester", 331);
    guesser.send("PASS wrong");
    guesser.try_reply();
    drop((crowd, guesser));
    server.process().signal(Signal::SIGHUP);
    server.log.line_with(&["settings: read anew"]);
    let all = |path: &Path| -> BTreeSet<String> {
        let kind = |event: Value| event["event"].as_str().unwrap().to_owned();
        events(path).into_iter().map(kind).collect()
    };
    let most = EVENTS.len() - 1;
    wait::until("all but the last", || all(&path).len() == most);
    server.process().signal(Signal::SIGTERM);
    server.wait();
    wait::until("the last", || all(&path).len() > most);
    let events = events(&path);
    let known: BTreeSet<&str> = EVENTS.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(
        all(&path),
        known.iter().map(|&kind| kind.to_owned()).collect()
    );
    check(&events, &server.home);
}

/// What there is to say of the values.
fn check(events: &[Value], home: &Path) {
    let ids: BTreeSet<_> = events.iter().map(|event| event["id"].as_str()).collect();
    assert_eq!(ids.len(), events.len(), "each has an id of its own");
    let one = |kind: &str| of_kind(events, kind)[0];
    let session = &one("login")["session"];
    for kind in ["connect", "upload", "rename", "data_up", "logout"] {
        assert_eq!(&one(kind)["session"], session, "{kind}");
    }
    let upload = one("upload");
    assert_eq!(upload["path"], "/directory/file");
    let real = home.join("directory/file");
    assert_eq!(upload["real_path"], real.to_str().unwrap());
    assert_eq!(
        (&upload["size"], &upload["result"]),
        (&7.into(), &"success".into())
    );
    assert_eq!(one("upload_aborted")["result"], "aborted");
    assert_eq!(one("upload_refused")["reason"], "infected");
    assert_eq!(one("download")["transferred"], 7);
    assert_eq!(one("chmod")["mode"], "0600");
    assert_eq!(one("login_failed")["client_address"], "127.0.0.9");
    assert_eq!(one("ban")["client_address"], "127.0.0.9");
    assert_eq!(one("limit_hit")["client_address"], "127.0.0.8");
    assert_eq!(one("limit_hit")["limit"], "MaxPerAddress");
    let mut ways: BTreeMap<String, i32> = BTreeMap::new();
    for event in events {
        let count = match event["event"].as_str() {
            Some("data_up") => 1,
            Some("data_down") => -1,
            _ => continue,
        };
        let way = format!("{}{}", event["session"], event["destination_port"]);
        *ways.entry(way).or_default() += count;
    }
    assert!(ways.values().all(|open| *open == 0), "{ways:?}");
}

/// The same line arrives in every sink.
#[test]
fn every_sink_gets_the_event() {
    if !require::root() {
        return;
    }
    let setup = Setup::new();
    let scratch = setup.scratch().to_owned();
    nix::unistd::mkfifo(&scratch.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let datagram = UnixDatagram::bind(scratch.join("datagram")).unwrap();
    let stream = UnixListener::bind(scratch.join("stream")).unwrap();
    let journal = scratch.join("run/systemd/journal");
    std::fs::create_dir_all(&journal).unwrap();
    let journal = UnixDatagram::bind(journal.join("socket")).unwrap();
    let program = Script::new(&setup, "program", "cat > $out/new; mv $out/new $out/read");
    let hook = |action: &str| format!("[[hook]]\non = [\"upload\"]\n{action}\n");
    let server = setup
        .toml(&hook("fifo = \"{scratch}/fifo\""))
        .toml(&hook("file = \"{scratch}/file\""))
        .toml(&hook("unix-datagram = \"{scratch}/datagram\""))
        .toml(&hook("unix-stream = \"{scratch}/stream\""))
        .toml(&hook("journald = true"))
        .toml(&hook(&format!("exec = [\"{}\"]", program.path.display())))
        .system_directory("/run", "run")
        .start();
    // Before there is any reader.
    server.logged_in().upload(Data::Epsv, "file", b"content");
    let mut octets = vec![0; 65536];
    let length = datagram.recv(&mut octets).unwrap();
    let line = String::from_utf8(octets[..length].to_vec()).unwrap();
    let id = event(&line)["id"].as_str().unwrap().to_owned();
    let mut heard = String::new();
    let (stream, _) = stream.accept().unwrap();
    BufReader::new(stream).read_line(&mut heard).unwrap();
    assert_eq!(heard.trim_end(), line);
    let mut heard = String::new();
    let fifo = std::fs::File::open(scratch.join("fifo")).unwrap();
    BufReader::new(fifo).read_line(&mut heard).unwrap();
    assert_eq!(heard.trim_end(), line);
    let length = journal.recv(&mut octets).unwrap();
    let fields = String::from_utf8(octets[..length].to_vec()).unwrap();
    assert!(
        fields.contains(&format!("\nFTPD_EVENT_ID={id}\n")),
        "{fields}"
    );
    assert!(fields.contains(&format!("\nMESSAGE={line}\n")), "{fields}");
    assert_eq!(program.wait_for("read").trim_ascii_end(), line.as_bytes());
    let file = scratch.join("file");
    wait::until("the line in the file", || {
        std::fs::read_to_string(&file).is_ok_and(|text| text == format!("{line}\n"))
    });
}

/// A sink that nobody reads stops neither sessions nor other sinks, and what it did not get is counted.
#[test]
fn f12_a_sink_that_takes_nothing_harms_nobody_and_its_drops_are_told() {
    let setup = Setup::new();
    let fifo = setup.scratch().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let server = setup
        .toml("[[hook]]\non = [\"delete\"]\nfifo = \"{scratch}/fifo\"\nqueue = 10")
        .toml("[[hook]]\non = [\"delete\"]\nfile = \"{scratch}/file\"\nqueue = 100000")
        .start();
    let mut client = server.logged_in();
    // A pipe holds 64 KiB, and an event has some 400 octets.
    let name = "n".repeat(200);
    for _ in 0..300 {
        server.put(&name, b"");
        client.expect(&format!("DELE {name}"), 250);
    }
    server
        .log
        .line_with(&["hook to the FIFO", "events were dropped"]);
    let file = server.scratch.join("file");
    wait::until("all events in the file", || events(&file).len() == 300);
    // It goes on where it is read again.
    let mut reader = std::fs::File::open(&fifo).unwrap();
    let mut octets = vec![0; 1 << 20];
    assert!(reader.read(&mut octets).unwrap() > 0);
    wait::until("more than what the pipe held", || {
        octets.resize(1 << 20, 0);
        server.put(&name, b"");
        client.expect(&format!("DELE {name}"), 250);
        let length = reader.read(&mut octets).unwrap();
        let text = String::from_utf8_lossy(&octets[..length]).into_owned();
        let last = text.lines().last().map(event);
        last.is_some_and(|event| event["event"] == "delete")
    });
}
