//! Sizes, offsets and kinds of files: what is refused before and during an upload.

use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::net::UnixListener;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tests::{Client, Data, Server, Setup};

/// The reply to an upload; the server may hang up before it has everything.
fn put(client: &mut Client, line: &str, octets: &[u8]) -> u16 {
    let data = client.data(Data::Epsv);
    client.begin(line);
    let data = data.open();
    let _ = data.stream().write_all(octets);
    drop(data);
    client.reply().code
}

#[test]
fn the_largest_size_is_enforced_as_the_octets_come() {
    let server = Setup::new().setting("MaxFileSize=100KiB").start();
    server.put("file", b"the old text");
    let mut client = server.logged_in();
    assert_eq!(put(&mut client, "STOR file", &[7; 1 << 20]), 552);
    assert_eq!(server.content("file"), b"the old text");
    assert_eq!(put(&mut client, "STOR exact", &[7; 100 << 10]), 226);
    assert_eq!(put(&mut client, "APPE exact", b"!"), 552);
    assert_eq!(server.content("exact").len(), 100 << 10);
    assert_eq!(put(&mut client, "APPE file", &[7; 100 << 10]), 552);
    client.expect("ALLO 102401", 200);
    let _data = client.data(Data::Epsv);
    client.expect("STOR more", 552);
    // What is text on the wire counts as it is in the file.
    client.expect("TYPE A", 200);
    let lines = b"\r\n".repeat(100 << 10);
    assert_eq!(put(&mut client, "STOR lines", &lines), 226);
    assert_eq!(server.content("lines").len(), 100 << 10);
    assert_eq!(server.names(), ["exact", "file", "lines"]);
}

#[test]
fn what_allo_declares_is_compared_both_ways() {
    let server = Setup::new().setting("KeepPartial=0").start();
    server.put("file", b"the old text");
    let mut client = server.logged_in();
    for (sent, code) in [(99, 426), (101, 552), (1 << 20, 552), (100, 226)] {
        client.expect("ALLO 100", 200);
        assert_eq!(
            put(&mut client, "STOR file", &vec![7; sent]),
            code,
            "{sent}"
        );
        if code != 226 {
            assert_eq!(server.content("file"), b"the old text", "{sent}");
        }
    }
    // More than any disk has: said before anything is sent.
    client.expect("ALLO 9000000000000000000", 200);
    let _data = client.data(Data::Epsv);
    client.expect("STOR more", 452);
    assert_eq!(server.names(), ["file"]);
}

/// Row 27 of the attacks.
#[test]
fn special_files_and_strange_offsets_are_refused() {
    let server = Server::start();
    server.put("file", b"text");
    server.put_directory("dir");
    mkfifo(&server.home.join("fifo"), Mode::from_bits_truncate(0o666)).unwrap();
    let _socket = UnixListener::bind(server.home.join("socket")).unwrap();
    let mut client = server.logged_in();
    let _data = client.data(Data::Epsv);
    for name in ["fifo", "socket", "dir"] {
        for verb in ["STOR", "APPE", "RETR"] {
            client.expect(&format!("{verb} {name}"), 550);
        }
        client.expect("REST 1", 350);
        client.expect(&format!("STOR {name}"), 550);
    }
    for offset in ["-1", "18446744073709551616", "1e3", "0x10", "+5"] {
        client.expect(&format!("REST {offset}"), 501);
    }
    for offset in ["5", "9223372036854775807", "18446744073709551615"] {
        for verb in ["STOR", "RETR"] {
            client.expect(&format!("REST {offset}"), 350);
            client.expect(&format!("{verb} file"), 554);
        }
    }
    assert_eq!(server.content("file"), b"text");
}

#[test]
fn offsets_beyond_2_and_4_gib_are_right_in_both_directions() {
    let server = Server::start();
    let path = server.put("large", b"");
    for offset in [(2u64 << 30) - 1, (4 << 30) - 1, 5 << 30] {
        let mut file = std::fs::File::options()
            .write(true)
            .read(true)
            .open(&path)
            .unwrap();
        file.set_len(offset + 3).unwrap();
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.write_all(b"end").unwrap();
        let mut client = server.logged_in();
        let size = client.expect("SIZE large", 213).text().to_owned();
        assert_eq!(size, (offset + 3).to_string());
        client.expect(&format!("REST {offset}"), 350);
        assert_eq!(client.download(Data::Epsv, "large"), b"end");
        client.expect(&format!("REST {}", offset + 1), 350);
        client.transmit(Data::Epsv, "STOR large", b"NEW");
        client.transmit(Data::Epsv, "APPE large", b"!");
        assert_eq!(file.metadata().unwrap().len(), offset + 5);
        let mut end = String::new();
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.read_to_string(&mut end).unwrap();
        assert_eq!(end, "eNEW!");
    }
}

/// Row 21 of the attacks: another name of a file that is replaced leads to the old one.
#[test]
fn another_name_keeps_the_old_text() {
    let server = Server::start();
    let path = server.put("file", b"old");
    std::fs::hard_link(&path, server.home.join("other")).unwrap();
    let mut client = server.logged_in();
    client.upload(Data::Epsv, "file", b"new");
    assert_eq!(server.content("file"), b"new");
    assert_eq!(server.content("other"), b"old");
}
