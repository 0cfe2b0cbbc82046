//! A full disk: what was there is intact, nothing is left over, and the server goes on.

use std::io::Write;

use tests::mounts::{self, Mounted};
use tests::{Client, Data, Server, Setup};

/// A server whose files are on a tmpfs.
fn on_a_disk(options: &str) -> (Server, Mounted) {
    let setup = Setup::new();
    let mounted = Mounted::tmpfs(&setup.scratch().join("home"), options);
    (setup.start(), mounted)
}

/// Fills the disk to the last page.
fn fill(server: &Server) {
    let mut file = std::fs::File::create(server.home.join("ballast")).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
}

fn stor(client: &mut Client, name: &str, octets: &[u8]) -> u16 {
    let data = client.data(Data::Epsv);
    client.begin(&format!("STOR {name}"));
    let data = data.open();
    // The server hangs up when the disk is full.
    let _ = data.stream().write_all(octets);
    drop(data);
    client.reply().code
}

/// Row 65 of the attacks, and what is promised of full disks.
#[test]
fn a_full_disk_is_said_and_leaves_nothing_behind() {
    if !mounts::private() {
        return;
    }
    let (server, _mounted) = on_a_disk("size=1m");
    server.put("file", &[b'o'; 5000]);
    let mut client = server.logged_in();
    for name in ["file", "new"] {
        assert_eq!(stor(&mut client, name, &[b'n'; 4 << 20]), 452, "{name}");
        assert_eq!(server.names(), ["file"]);
    }
    // More than there is, as far as is known beforehand.
    client.expect("ALLO 2000000", 200);
    let _data = client.data(Data::Epsv);
    client.expect("STOR new", 452);
    fill(&server);
    for line in ["STOR file", "STOR new"] {
        let _data = client.data(Data::Epsv);
        client.expect(line, 452);
    }
    assert_eq!(server.content("file"), [b'o'; 5000]);
    assert_eq!(server.names(), ["ballast", "file"]);
    std::fs::remove_file(server.home.join("ballast")).unwrap();
    assert_eq!(stor(&mut client, "file", b"new"), 226);
    assert_eq!(server.content("file"), b"new");
}

#[test]
fn directories_do_not_come_about_halfway_on_a_full_disk() {
    if !mounts::private() {
        return;
    }
    let (server, _mounted) = on_a_disk("size=1m,nr_inodes=50");
    // Without an inode there is no directory, whatever room there is.
    let mut count = 0;
    while std::fs::write(server.home.join(format!("f{count}")), "").is_ok() {
        count += 1;
        assert!(count < 50, "a disk without inodes takes no more files");
    }
    let mut client = server.logged_in();
    client.expect("MKD dir", 452);
    client.expect("SITE MKDIR a/b/c", 452);
    let _data = client.data(Data::Epsv);
    client.expect("STOR new", 452);
    std::fs::remove_file(server.home.join("f0")).unwrap();
    client.expect("MKD dir", 257);
}
