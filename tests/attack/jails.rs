//! Attacks through the content of a jail and on the places for connections, by their row in our table of attacks.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::net::Ipv4Addr;

use tests::client::connect_from;
use tests::strace::Strace;
use tests::{Client, Data, Server, Setup, wait};

/// What a C library or a resolver would load if it looked for it inside a jail.
const BAIT: [&str; 6] = [
    "etc/nsswitch.conf",
    "etc/localtime",
    "etc/ld.so.preload",
    "etc/passwd",
    "lib/libnss_files.so.2",
    "lib/x86_64-linux-gnu/libnss_files.so.2",
];

/// Follows all calls of a server and its sessions that name a file.
fn trace(server: &Server) -> (Strace, std::path::PathBuf) {
    let file = server.scratch.join("trace");
    let words = [
        "-f",
        "-e",
        "trace=%file,chroot,fchdir",
        "-o",
        file.to_str().unwrap(),
    ];
    (Strace::attach(&server.process(), &words), file)
}

#[test]
fn row_3_nothing_is_loaded_from_inside_a_jail() {
    // Only root changes the root directory.
    if !Strace::is_possible() {
        return;
    }
    let server = Setup::new().flag(&["-chhome"]).start();
    for name in BAIT {
        server.put(name, b"bait");
    }
    server.put("file", b"content");
    let (strace, file) = trace(&server);
    let mut client = server.logged_in();
    let keeper = server.only_keeper().pid.to_string();
    assert_eq!(client.download(Data::Epsv, "file"), b"content");
    client.upload(Data::Pasv, "new", b"a writable root is harmless");
    client.receive(Data::Epsv, "LIST -lR");
    client.receive(Data::Epsv, "MLSD");
    client.expect("SITE TIME %Z %c", 200);
    client.expect("SITE WHO", 200);
    client.expect("CWD /nowhere", 550);
    client.expect("QUIT", 221);
    client.expect_end();
    wait::until("the session is over", || server.keepers().is_empty());
    drop(strace);
    let text = std::fs::read_to_string(file).unwrap();
    // The other half has an empty root of its own, and no call that opens anything.
    let mut lines = text.lines().filter(|line| line.starts_with(&keeper));
    let entered = lines.any(|line| line.contains("chroot(\".\")"));
    assert!(entered, "no jail: {text}");
    let inside: Vec<_> = lines.collect();
    let served = |line: &&str| line.contains("openat2(") && line.contains("\"file\"");
    assert!(inside.iter().any(served), "{inside:#?}");
    // Listings look at the names; nothing opens what they name, but for directories.
    for line in inside.iter().filter(|line| line.contains("open")) {
        let bait = BAIT.iter().find(|bait| {
            let name = bait.rsplit('/').next().unwrap();
            line.contains(name)
        });
        assert_eq!(bait, None, "{line}");
    }
}

#[test]
fn row_55_one_address_cannot_take_all_places() {
    let server = Setup::new()
        .setting("MaxClients=60")
        .setting("MaxPerAddress=40")
        .start();
    let attacker = Ipv4Addr::new(127, 0, 4, 1);
    let connections: Vec<_> = (0..200)
        .map(|_| Client::over(connect_from(attacker, server.address())))
        .collect();
    let mut refused = 0;
    let mut held = Vec::new();
    for mut client in connections {
        match client.reply().code {
            421 => refused += 1,
            _ => held.push(client),
        }
    }
    assert_eq!((held.len(), refused), (40, 160));
    server.logged_in().expect("NOOP", 200);
    drop(held);
    // Row 9: all of them leave nothing behind.
    wait::until("all sessions are over", || server.keepers().is_empty());
    assert!(server.process().descriptors().len() < 20);
}
