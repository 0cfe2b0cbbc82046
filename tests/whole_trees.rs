//! Work on whole trees and copies: no link is followed, what fails is named, and ABOR ends what takes long.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use tests::{Server, Setup, require};

#[test]
fn what_links_lead_to_is_neither_counted_nor_removed() {
    let server = Server::start();
    server.put("kept/file", b"12345");
    server.put("tree/file", b"123");
    symlink("../kept", server.home.join("tree/link")).unwrap();
    symlink("/etc", server.home.join("tree/out")).unwrap();
    symlink("../kept/file", server.home.join("tree/file-link")).unwrap();
    let mut client = server.logged_in();
    assert_eq!(client.expect("DSIZ tree", 213).text(), "3");
    client.expect("RMDA tree", 250);
    assert_eq!(server.names(), ["kept"]);
    assert_eq!(server.content("kept/file"), b"12345");
    // Nor is a link in the place of the tree.
    symlink("kept", server.home.join("link")).unwrap();
    client.expect("RMDA link", 550);
    assert_eq!(server.content("kept/file"), b"12345");
}

#[test]
fn what_cannot_be_removed_is_named() {
    if !require::root() {
        return;
    }
    let server = Server::start();
    server.put("tree/a/file", b"");
    let closed = server.home.join("tree/b/closed");
    server.put_directory("tree/b");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(closed.join("file"), "").unwrap();
    let mut client = server.logged_in();
    let reply = client.expect("RMDA tree", 550);
    assert!(
        reply.text().contains("tree/b/closed: Permission denied"),
        "{reply}"
    );
    assert!(reply.text().starts_with("2 "), "{reply}");
    assert!(closed.join("file").exists() && !server.home.join("tree/a").exists());
    let reply = client.expect("DSIZ tree", 550);
    assert!(reply.text().contains("tree/b/closed"), "{reply}");
}

#[test]
fn a_tree_that_is_too_deep_is_no_end_of_the_session() {
    let server = Server::start();
    let deep = vec!["d"; 400].join("/");
    server.put(&format!("tree/{deep}/file"), b"");
    let mut client = server.logged_in();
    client.expect("DSIZ tree", 550);
    client.expect("RMDA tree", 550);
    client.expect("NOOP", 200);
    // Nobody else could remove it by name either: the test does, from below.
    fs::remove_dir_all(server.home.join("tree")).unwrap();
}

#[test]
fn abor_ends_long_work_and_the_session_goes_on() {
    let server = Setup::new().setting("Durability=rename").start();
    server.put_directory("tree");
    let count = 30_000;
    for number in 0..count {
        fs::File::create(server.home.join(format!("tree/{number}"))).unwrap();
    }
    let mut client = server.logged_in();
    client.send_octets(b"RMDA tree\r\nNOOP\r\nABOR\r\nPWD\r\n");
    let mut codes = Vec::new();
    while codes.last() != Some(&257) {
        codes.push(client.reply().code);
    }
    let left = fs::read_dir(server.home.join("tree")).map_or(0, Iterator::count);
    match codes[..] {
        // In time: the rest is there.
        [200, 426, 226, 257] => assert!((1..=count).contains(&left), "{left}"),
        // It was done before.
        [250, 200, 226, 257] | [200, 250, 226, 257] => assert_eq!(left, 0),
        _ => panic!("{codes:?}, {left} left"),
    }
    client.expect("RMDA tree", if left > 0 { 250 } else { 550 });
    client.upload(tests::Data::Epsv, "file", b"as before");
}

#[test]
fn a_copy_has_the_content_and_no_special_bits() {
    let server = Server::start();
    let content: Vec<u8> = (0..5_000_000u32).flat_map(u32::to_le_bytes).collect();
    let path = server.put("large", &content);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o6755)).unwrap();
    server.put("old", b"old");
    let mut client = server.logged_in();
    client.expect("SITE CPFR large", 350);
    client.expect("SITE CPTO old", 250);
    assert!(server.content("old") == content);
    client.expect("SITE CPFR large", 350);
    client.expect("SITE CPTO new", 250);
    assert!(server.content("new") == content);
    let mode = fs::metadata(server.home.join("new"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o644);
    assert_eq!(server.names(), ["large", "new", "old"]);
    // Onto itself it stays what it is.
    client.expect("SITE CPFR large", 350);
    client.command("SITE CPTO large");
    assert!(server.content("large") == content);
}
