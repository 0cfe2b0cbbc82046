//! MODE Z from outside: real deflate both ways, and what becomes of streams that are none.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use tests::client::{Client, Data};
use tests::real::finish;
use tests::{Scratch, Server, Setup, require, tree};

fn deflate(octets: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

fn inflate(stream: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut decoder = ZlibDecoder::new(stream);
    decoder.read_to_end(&mut octets).unwrap();
    assert_eq!(
        decoder.total_in(),
        stream.len() as u64,
        "one stream, and nothing behind it"
    );
    octets
}

fn text() -> Vec<u8> {
    (0..60_000)
        .flat_map(|n| format!("line {n}\n").into_bytes())
        .collect()
}

fn in_mode_z(server: &Server) -> Client {
    let mut client = server.logged_in();
    client.expect("TYPE I", 200);
    client.expect("MODE Z", 200);
    client
}

/// The reply to an upload of these octets as they are on the wire. The server may hang up before it has all of them.
fn put(client: &mut Client, name: &str, wire: &[u8]) -> u16 {
    let data = client.data(Data::Epsv);
    client.begin(&format!("STOR {name}"));
    let data = data.open();
    let _ = data.stream().write_all(wire);
    drop(data);
    client.reply().code
}

#[test]
fn files_and_listings_are_compressed_at_the_level_that_was_asked_for() {
    let server = Server::start();
    server.put("text", &text());
    let mut client = in_mode_z(&server);
    let sizes = [0, 1, 6, 9].map(|level| {
        client.expect(&format!("OPTS MODE Z LEVEL {level}"), 200);
        let stream = client.download(Data::Epsv, "text");
        assert!(inflate(&stream) == text(), "level {level}");
        stream.len()
    });
    assert!(
        sizes[0] > text().len() && sizes[1] < sizes[0] && sizes[3] <= sizes[2],
        "{sizes:?}"
    );
    for command in ["LIST", "NLST", "MLSD"] {
        let listing = String::from_utf8(inflate(&client.receive(Data::Epsv, command))).unwrap();
        assert!(listing.ends_with("text\r\n"), "{listing}");
    }
    // Another session begins in MODE S, and so does this one after MODE S.
    client.expect("MODE S", 200);
    assert!(client.download(Data::Epsv, "text") == text());
    let mut other = server.logged_in();
    assert!(other.download(Data::Epsv, "text") == text());
}

#[test]
fn an_upload_is_inflated_and_the_text_type_is_below_it() {
    let server = Server::start();
    let mut client = in_mode_z(&server);
    client.upload(Data::Epsv, "up", &deflate(&text()));
    assert!(server.content("up") == text());
    client.upload(Data::Epsv, "empty", &deflate(b""));
    assert_eq!(server.content("empty"), b"");
    client.expect("TYPE A", 200);
    client.upload(Data::Epsv, "lines", &deflate(b"one\r\ntwo\r\n"));
    assert_eq!(server.content("lines"), b"one\ntwo\n");
    assert_eq!(
        inflate(&client.download(Data::Epsv, "lines")),
        b"one\r\ntwo\r\n"
    );
}

/// An offset counts the octets of the file, as in MODE S; each transfer is a stream of its own.
#[test]
fn transfers_go_on_where_they_were() {
    let server = Server::start();
    server.put("file", b"0123456789");
    let mut client = in_mode_z(&server);
    client.expect("REST 4", 350);
    assert_eq!(inflate(&client.download(Data::Epsv, "file")), b"456789");
    client.expect("REST 6", 350);
    client.transmit(Data::Epsv, "STOR file", &deflate(b"abcdefgh"));
    client.transmit(Data::Epsv, "APPE file", &deflate(b"!"));
    assert_eq!(server.content("file"), b"012345abcdefgh!");
    client.expect("REST 16", 350);
    let _listener = client.data(Data::Epsv);
    client.expect("RETR file", 554);
}

/// ALLO declares octets of the file, not those on the wire.
#[test]
fn what_was_declared_is_compared_with_the_file() {
    let server = Setup::new().setting("KeepPartial=0").start();
    let mut client = in_mode_z(&server);
    client.expect("ALLO 30000", 200);
    assert_eq!(put(&mut client, "zeros", &deflate(&[0; 30_000])), 226);
    client.expect("ALLO 30001", 200);
    assert!(put(&mut client, "short", &deflate(&[0; 30_000])) >= 400);
    assert_eq!(server.names(), ["zeros"]);
}

/// Row 63 of the attacks: what is cut, longer than it should be, or damaged replaces nothing, and the session goes on.
#[test]
fn row_63_a_broken_stream_replaces_nothing() {
    let server = Server::start();
    server.put("old", b"the old content");
    let mut client = in_mode_z(&server);
    let stream = deflate(&text());
    let mut damaged = stream.clone();
    damaged[stream.len() / 2] ^= 0x10;
    let longer = [&stream[..], b"x"].concat();
    let second = [&stream[..], &stream].concat();
    for (what, wire, code) in [
        ("nothing at all", &b""[..], 426),
        ("half a stream", &stream[..stream.len() / 2], 426),
        ("no check value", &stream[..stream.len() - 1], 426),
        ("damaged", &damaged, 451),
        ("one octet more", &longer, 451),
        ("two streams", &second, 451),
        ("plain text", b"This is not compressed at all.", 451),
        (
            "gzip",
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00",
            451,
        ),
    ] {
        assert_eq!(put(&mut client, "old", wire), code, "{what}");
        assert_eq!(server.content("old"), b"the old content", "{what}");
        assert_eq!(server.names(), ["old"], "{what}");
    }
    assert_eq!(put(&mut client, "old", &stream), 226);
    assert!(server.content("old") == text());
}

/// Row 63: a stream that becomes a thousand times what it was ends at the ratio.
#[test]
fn row_63_a_bomb_is_refused_and_leaves_nothing() {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1 << 20];
    (0..96).for_each(|_| encoder.write_all(&zeros).unwrap());
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 100 << 10);
    let server = Setup::new()
        .setting("Durability=rename")
        .account("trusted", "plain", "InflateRatio=0")
        .start();
    let mut client = in_mode_z(&server);
    assert_eq!(put(&mut client, "bomb", &bomb), 552);
    assert!(server.names().is_empty());
    client.expect("NOOP", 200);
    // Who is trusted with zeros may send them.
    let mut trusted = server.connect();
    trusted.login("trusted", &server.login.password);
    trusted.expect("TYPE I", 200);
    trusted.expect("MODE Z", 200);
    assert_eq!(put(&mut trusted, "zeros", &bomb), 226);
    assert_eq!(server.content("zeros").len(), 96 << 20);
}

/// While a few octets become many, the client is heard all the same.
#[test]
fn abor_ends_a_transfer_in_mode_z() {
    let server = Server::start();
    server.put("old", b"old");
    let mut client = in_mode_z(&server);
    let data = client.data(Data::Epsv);
    client.begin("STOR old");
    let data = data.open();
    data.write(&deflate(&text())[..1000]);
    assert!(matches!(client.command("STAT").code, 211 | 213));
    client.send("ABOR");
    client.expect_reply(426);
    client.expect_reply(226);
    assert_eq!(server.content("old"), b"old");
}

#[test]
fn lftp_moves_a_tree_with_mode_z_both_ways() {
    if !require::programs(&["lftp"]) {
        return;
    }
    let scratch = Scratch::new();
    let sample = scratch.directory("sample");
    tree::sample(&sample);
    let back = scratch.directory("back");
    for setup in [Setup::new(), Setup::rootless()] {
        let server = setup
            .setting("Durability=rename")
            .flag(&["-loglevel", "commands"])
            .start();
        let script = format!(
            "set cmd:fail-exit yes\nset net:timeout 30\nset net:max-retries 1\nset ftp:ssl-allow no\nset ftp:use-mode-z yes\n\
             set ftp:compressed-re \"\"\nset ftp:charset UTF-8\nset file:charset UTF-8\nopen -u \"{},{}\" ftp://{}\n\
             mirror -R {} tree\nmirror tree {}\n",
            server.login.name,
            server.login.password,
            server.address(),
            sample.display(),
            back.display(),
        );
        finish(&mut std::process::Command::new("lftp"), &script);
        tree::assert_same(&sample, &server.home.join("tree"));
        tree::assert_same(&sample, &back);
        server.log.line_with(&["< MODE Z"]);
        std::fs::remove_dir_all(&back).unwrap();
    }
}
