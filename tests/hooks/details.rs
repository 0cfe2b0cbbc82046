//! What events tell beside their names: digests, what was replaced, sums and ends; and that every way to a visible file is an
//! upload.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tests::{Client, Data, Server, Setup, wait};

use crate::accept::entry;
use crate::events::events;
use crate::scripts::Script;

/// Waits until there are so many events of a kind and gives them.
#[track_caller]
fn wait_for(path: &Path, kind: &str, count: usize) -> Vec<Value> {
    let mut found = Vec::new();
    wait::until(&format!("{count} times {kind}"), || {
        found = events(path);
        found.retain(|event| event["event"] == kind);
        found.len() >= count
    });
    found
}

fn sha256(octets: &[u8]) -> String {
    let digest = Sha256::digest(octets);
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn start(lines: &str) -> Server {
    Setup::new()
        .toml(&format!(
            "{lines}\n[[hook]]\non = \"all\"\nfile = \"{{scratch}}/events\"\n"
        ))
        .start()
}

/// A digest that the session has taken is told, and only where it is the file's.
#[test]
fn events_tell_the_digest_that_a_transfer_was_confirmed_by() {
    let server = start("data.confirm = \"sha256\"");
    let path = server.scratch.join("events");
    let mut client = server.logged_in();
    client.upload(Data::Epsv, "file", b"content");
    let data = client.data(Data::Epsv);
    client.begin("APPE file");
    data.open().write_all_and_close(b" more");
    client.expect_reply(226);
    client.expect("TYPE A", 200);
    let data = client.data(Data::Epsv);
    client.begin("STOR text");
    data.open().write_all_and_close(b"a\r\n");
    client.expect_reply(226);
    client.expect("TYPE I", 200);
    let uploads = wait_for(&path, "upload", 3);
    assert_eq!(uploads[0]["hash_algorithm"], "SHA-256");
    assert_eq!(uploads[0]["hash"], sha256(b"content"));
    for other in &uploads[1..] {
        assert_eq!(other.get("hash"), None, "{other}");
    }
    client.download(Data::Epsv, "file");
    client.expect("REST 3", 350);
    client.download(Data::Epsv, "file");
    let downloads = wait_for(&path, "download", 2);
    assert_eq!(downloads[0]["hash"], sha256(b"content more"));
    assert_eq!(downloads[1].get("hash"), None);
}

/// The commands that ask for digests tell theirs, whichever transfer follows.
#[test]
fn events_tell_the_digest_that_a_command_asked_for() {
    let server =
        start("[[hook]]\ncommands = [\"HASH\", \"XMD5\", \"NOOP\"]\nfile = \"{scratch}/commands\"");
    server.put("file", b"content");
    let mut client = server.logged_in();
    client.expect("HASH file", 213);
    client.expect("XMD5 file 1 3", 250);
    client.expect("NOOP", 200);
    client.upload(Data::Epsv, "other", b"other");
    let path = server.scratch.join("commands");
    let lines = || -> Vec<Value> {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    };
    wait::until("all commands", || lines().len() == 3);
    let lines = lines();
    assert_eq!(lines[0]["verb"], "HASH");
    assert_eq!(lines[0]["hash"], sha256(b"content"));
    // Of a part, and of nothing.
    assert_eq!((lines[1].get("hash"), lines[2].get("hash")), (None, None));
    let uploads = wait_for(&server.scratch.join("events"), "upload", 1);
    assert_eq!(uploads[0].get("hash"), None);
}

#[test]
fn events_tell_what_was_replaced_and_how_much_has_come() {
    let server = start("");
    let path = server.scratch.join("events");
    let mut client = server.logged_in();
    client.upload(Data::Epsv, "file", b"one");
    client.upload(Data::Epsv, "file", b"three");
    client.transmit(Data::Epsv, "APPE file", b"four");
    client.expect("REST 2", 350);
    client.transmit(Data::Epsv, "STOR file", b"ab");
    let told: Vec<_> = wait_for(&path, "upload", 4)
        .iter()
        .map(|event| {
            let number = |name: &str| event.get(name).and_then(Value::as_u64);
            (
                event["replaced"].as_bool().unwrap(),
                number("offset"),
                number("transferred"),
                number("size").unwrap(),
            )
        })
        .collect();
    let expected = [
        (false, None, Some(3), 3),
        (true, None, Some(5), 5),
        (true, Some(5), Some(4), 9),
        (true, Some(2), Some(2), 4),
    ];
    assert_eq!(told, expected);
    let data = client.data(Data::Epsv);
    client.begin("STOR broken");
    let data = data.open();
    data.write(&[7; 100_000]);
    wait::until("all of it is on the disk", || {
        let sizes = server
            .names()
            .into_iter()
            .map(|name| server.content(&name).len());
        sizes.max() == Some(100_000)
    });
    data.reset();
    assert_eq!(client.reply().code / 100, 4);
    let broken = &wait_for(&path, "upload_aborted", 1)[0];
    assert_eq!(broken["transferred"], 100_000);
}

/// Ends a session that has sent 7 octets and got 14; what its logout tells.
fn logout(end: impl FnOnce(&mut Server, Client)) -> Value {
    logout_with("", end)
}

fn logout_with(settings: &str, end: impl FnOnce(&mut Server, Client)) -> Value {
    let mut server = start(settings);
    let path = server.scratch.join("events");
    let mut client = server.logged_in();
    client.upload(Data::Epsv, "file", b"content");
    assert_eq!(client.download(Data::Epsv, "file"), b"content");
    assert_eq!(client.download(Data::Epsv, "file"), b"content");
    end(&mut server, client);
    wait_for(&path, "logout", 1).remove(0)
}

#[test]
fn a_logout_tells_why_and_what_the_session_has_moved() {
    let quit = logout(|_, mut client| drop(client.expect("QUIT", 221)));
    assert_eq!(quit["reason"], "quit");
    assert_eq!(
        (&quit["session_received"], &quit["session_sent"]),
        (&7.into(), &14.into())
    );
    let lost = logout(|_, client| client.reset());
    assert_eq!(lost["reason"], "connection lost");
    let idle = logout_with("session.idle = \"3\"", |_, mut client| {
        client.expect_reply(421);
    });
    assert_eq!(idle["reason"], "timeout");
    let anew = logout(|_, mut client| drop(client.expect("REIN", 220)));
    assert_eq!(anew["reason"], "begun anew");
    let stopped = logout(|server, _client| {
        server.process().signal(nix::sys::signal::Signal::SIGTERM);
        server.wait();
    });
    assert_eq!(stopped["reason"], "server stops");
    assert_eq!(stopped["session_received"], 7);
}

/// A transfer that stands still is told apart from one that the client has broken off.
#[test]
fn a_transfer_without_progress_is_told_as_such() {
    let server = start("data.stall-timeout = \"3\"");
    let mut client = server.logged_in();
    let data = client.data(Data::Epsv);
    client.begin("STOR file");
    let data = data.open();
    data.write(b"some");
    assert_eq!(client.reply().code / 100, 4);
    let broken = wait_for(&server.scratch.join("events"), "upload_aborted", 1);
    assert_eq!(broken[0]["result"], "timeout");
    assert_eq!(broken[0]["transferred"], 4);
}

/// Does an upload in each way that there is; gives how many files have come.
fn every_way(client: &mut Client) -> usize {
    client.upload(Data::Epsv, "stored", b"content");
    client.transmit(Data::Epsv, "STOU", b"content");
    client.transmit(Data::Epsv, "APPE appended", b"con");
    client.transmit(Data::Epsv, "APPE appended", b"tent");
    client.expect("SITE CPFR stored", 350);
    client.expect("SITE CPTO copied", 250);
    client.expect("STRU T", 200);
    let mut archive = entry("packed", b"content");
    archive.extend(entry("packed2", b"content"));
    archive.extend([0; 1024]);
    client.transmit(Data::Epsv, "STOR .", &archive);
    client.expect("STRU F", 200);
    7
}

/// However a file has come, the hooks that accept files have seen it, it was in the spool, and its event tells its size.
#[test]
fn every_way_to_a_visible_file_is_an_upload() {
    let setup = Setup::new();
    let seen = Script::new(
        &setup,
        "seen",
        "ls \"$out/../spool\" | wc -l >> $out/spooled; echo \"$1\" >> $out/seen",
    );
    let setup = setup.toml(&format!(
        "hooks.spool = \"{{scratch}}/spool\"\n\
         [[hook]]\non = \"upload\"\nphase = \"accept\"\nexec = [\"{}\", \"%F %{{size}}\"]\n\
         [[hook]]\non = \"upload\"\nfile = \"{{scratch}}/events\"\n",
        seen.path.display()
    ));
    let spool = setup.scratch().join("spool");
    fs::create_dir(&spool).unwrap();
    tests::scratch::mode(&spool, 0o700);
    let server = setup.start();
    let count = every_way(&mut server.logged_in());
    let uploads = wait_for(&server.scratch.join("events"), "upload", count);
    assert_eq!(uploads.len(), count);
    let mut told: Vec<String> = uploads
        .iter()
        .map(|event| {
            assert_eq!(event["result"], "success", "{event}");
            format!("{} {}", event["path"].as_str().unwrap(), event["size"])
        })
        .collect();
    let seen = fs::read_to_string(seen.file("seen")).unwrap();
    let mut seen: Vec<_> = seen.lines().map(str::to_owned).collect();
    told.sort();
    seen.sort();
    assert_eq!(told, seen);
    for name in [
        "/stored 7",
        "/copied 7",
        "/packed 7",
        "/packed2 7",
        "/appended 3",
        "/appended 7",
    ] {
        assert!(told.iter().any(|line| line == name), "{name}: {told:?}");
    }
    wait::until("the spool is empty", || {
        let names = fs::read_dir(&spool).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.len() == 32).count() == 0
    });
}

/// What no hook accepts is not there by way of a copy either.
#[test]
fn a_copy_can_be_refused() {
    let setup = Setup::new();
    let script = Script::new(
        &setup,
        "accept",
        "case $1 in *.exe) echo infected; exit 1;; esac",
    );
    let server = setup
        .toml(&format!(
            "[[hook]]\non = \"upload\"\nphase = \"accept\"\nexec = [\"{}\", \"%F\"]\n\
             [[hook]]\non = \"all\"\nfile = \"{{scratch}}/events\"\n",
            script.path.display()
        ))
        .start();
    let mut client = server.logged_in();
    client.upload(Data::Epsv, "good", b"content");
    client.expect("SITE CPFR good", 350);
    let reply = client.expect("SITE CPTO bad.exe", 550);
    assert!(reply.text().contains("infected"), "{reply:?}");
    assert_eq!(server.names(), ["good"]);
    let refused = wait_for(&server.scratch.join("events"), "upload_refused", 1);
    assert_eq!(refused[0]["path"], "/bad.exe");
}
