//! Digests from outside: what the end of a transfer tells, and what is asked of files.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use sha2::{Digest, Sha256};
use tests::{Client, Data, Server, Setup};

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn sha256(octets: &[u8]) -> String {
    hex(&Sha256::digest(octets))
}

/// Runs a transfer and gives the text of its 226, and what came.
fn receive(client: &mut Client, line: &str) -> (String, Vec<u8>) {
    let data = client.data(Data::Epsv);
    client.begin(line);
    let octets = data.open().read_all();
    (client.expect_reply(226).text().to_owned(), octets)
}

fn transmit(client: &mut Client, line: &str, octets: &[u8]) -> String {
    let data = client.data(Data::Epsv);
    client.begin(line);
    data.open().write_all_and_close(octets);
    client.expect_reply(226).text().to_owned()
}

#[track_caller]
fn assert_confirmed(text: &str, octets: &[u8]) {
    assert_eq!(
        text,
        format!("Transfer complete. SHA-256={}", sha256(octets))
    );
}

fn confirming() -> Server {
    Setup::new()
        .flag(&["-confirm-transfer", "sha256"])
        .account("other", "plain", "ConfirmTransfer=CRC32")
        .account("quiet", "plain", "ConfirmTransfers=none")
        .start()
}

/// What is hashed is what is on the wire: from the offset on, with the line ends of TYPE A, of every kind of transfer.
#[test]
fn every_transfer_is_confirmed() {
    let server = confirming();
    server.put("file", b"one\ntwo\n");
    let mut client = server.logged_in();
    let (told, octets) = receive(&mut client, "RETR file");
    assert_eq!(octets, b"one\ntwo\n");
    assert_confirmed(&told, &octets);
    client.expect("REST 4", 350);
    assert_confirmed(&receive(&mut client, "RETR file").0, b"two\n");
    assert_confirmed(&transmit(&mut client, "STOR up", b"content"), b"content");
    assert_confirmed(&transmit(&mut client, "STOR up", b""), b"");
    assert_confirmed(&transmit(&mut client, "APPE up", b"more"), b"more");
    assert_confirmed(&transmit(&mut client, "STOU", b"unique"), b"unique");
    client.expect("REST 2", 350);
    assert_confirmed(&transmit(&mut client, "STOR up", b"st"), b"st");
    assert_eq!(server.content("up"), b"most");
    client.expect("TYPE A", 200);
    let (told, octets) = receive(&mut client, "RETR file");
    assert_eq!(octets, b"one\r\ntwo\r\n");
    assert_confirmed(&told, &octets);
    assert_confirmed(
        &transmit(&mut client, "STOR text", b"a\r\nb\r\n"),
        b"a\r\nb\r\n",
    );
    assert_eq!(server.content("text"), b"a\nb\n");
    // A listing is no file.
    assert_eq!(receive(&mut client, "NLST").0, "Transfer complete.");
}

/// Before MODE Z: the same file has the same digest, however it travels.
#[test]
fn compression_is_above_the_digest() {
    let server = confirming();
    server.put("file", &[b'x'; 100_000]);
    let mut client = server.logged_in();
    client.expect("MODE Z", 200);
    let (told, stream) = receive(&mut client, "RETR file");
    assert!(stream.len() < 1000);
    assert_confirmed(&told, &[b'x'; 100_000]);
    assert_confirmed(
        &transmit(&mut client, "STOR back", &stream),
        &[b'x'; 100_000],
    );
}

/// Each of the digests, and the client's own choice, which being asked does not change.
#[test]
fn a_client_chooses_and_an_account_has_its_own() {
    let server = confirming();
    server.put("check", b"123456789");
    let retr = |client: &mut Client| receive(client, "RETR check").0;
    let mut client = server.connect();
    client.login("other", &server.login.password);
    client.expect("TYPE I", 200);
    assert_eq!(client.expect("OPTS TCONF", 200).text(), "CRC32");
    assert_eq!(client.expect("OPTS TCONF", 200).text(), "CRC32");
    assert_eq!(retr(&mut client), "Transfer complete. CRC32=cbf43926");
    for (name, label, digest) in [
        ("md5", "MD5", "25f9e794323b453885f5181f1b624d0b"),
        ("SHA1", "SHA-1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        (
            "blake3",
            "BLAKE3",
            "b7d65b48420d1033cb2595293263b6f72eabee20d55e699d0df1973b3c9deed1",
        ),
    ] {
        assert_eq!(
            client.expect(&format!("OPTS TCONF {name}"), 200).text(),
            label
        );
        assert_eq!(
            retr(&mut client),
            format!("Transfer complete. {label}={digest}")
        );
    }
    for name in ["sha512", "whirlpool"] {
        client.expect(&format!("OPTS TCONF {name}"), 200);
        let told = retr(&mut client);
        assert_eq!(told.split('=').nth(1).map(str::len), Some(128), "{told}");
    }
    client.expect("OPTS TCONF JH-512", 501);
    assert!(retr(&mut client).contains("WHIRLPOOL="));
    client.expect("OPTS TCONF NONE", 200);
    assert_eq!(retr(&mut client), "Transfer complete.");
    let mut quiet = server.connect();
    quiet.login("quiet", &server.login.password);
    assert_eq!(retr(&mut quiet), "Transfer complete.");
}

/// Long ones are hashed by a thread of the sealed half, which ends with the transfer, however that ends.
#[test]
fn long_transfers_are_hashed_beside() {
    let server = confirming();
    let octets: Vec<u8> = (0..8u32 << 20).map(|at| (at / 7 % 251) as u8).collect();
    server.put("long", &octets);
    let mut client = server.logged_in();
    let session = server.only_keeper().only_child();
    let threads = |expected| {
        tests::wait::until("the threads of the session", || {
            session.numbers("Threads") == [expected]
        });
    };
    let data = client.data(Data::Epsv);
    client.begin("STOR up");
    let data = data.open();
    data.write(&octets[..3 << 20]);
    threads(2);
    data.write(&octets[3 << 20..]);
    drop(data);
    assert_confirmed(&client.expect_reply(226).text(), &octets);
    threads(1);
    let (told, got) = receive(&mut client, "RETR up");
    assert!(got == octets, "other octets came back");
    assert_confirmed(&told, &octets);
    threads(1);
    let hash = client.expect("HASH up", 213);
    assert!(hash.text().contains(&sha256(&octets)), "{hash}");
    // Broken off in the middle.
    let data = client.data(Data::Epsv);
    client.begin("STOR up");
    let data = data.open();
    data.write(&octets[..3 << 20]);
    threads(2);
    client.send("ABOR");
    client.expect_reply(426);
    client.expect_reply(226);
    threads(1);
    client.expect("NOOP", 200);
}

/// A transfer that did not end well tells nothing that could be taken for a confirmation.
#[test]
fn what_was_broken_off_is_not_confirmed() {
    let server = confirming();
    let mut client = server.logged_in();
    let data = client.data(Data::Epsv);
    client.begin("STOR part");
    let data = data.open();
    data.write(b"part");
    client.send("ABOR");
    let broken = client.expect_reply(426);
    assert!(!broken.text().contains('='), "{broken}");
    client.expect_reply(226);
    client.expect("ALLO 10", 200);
    let data = client.data(Data::Epsv);
    client.begin("STOR short");
    data.open().write_all_and_close(b"part");
    let short = client.reply();
    assert!(short.code >= 400 && !short.text().contains('='), "{short}");
}

/// One form of a reply, digest in hex and all, for each command.
#[test]
fn a_file_has_every_digest() {
    let server = Server::start();
    server.put("a file", b"123456789");
    server.put("a 0 3", b"123");
    let mut client = server.logged_in();
    let mut told = |line: &str, code| client.expect(line, code).text().to_owned();
    let sha = sha256(b"123456789");
    assert_eq!(
        told("HASH a file", 213),
        format!("SHA-256 0-9 {sha} a file")
    );
    assert_eq!(told("XCRC a file", 250), "CBF43926");
    assert_eq!(told("XCRC \"a file\" 0 9", 250), "CBF43926");
    assert_eq!(
        told("XMD5 \"a file\"", 250),
        "25F9E794323B453885F5181F1B624D0B"
    );
    assert_eq!(
        told("MD5 a file", 251),
        "a file 25F9E794323B453885F5181F1B624D0B"
    );
    assert_eq!(
        told("MMD5 a file, \"a 0 3\"", 252),
        "a file 25F9E794323B453885F5181F1B624D0B, a 0 3 202CB962AC59075B964B07152D234B70"
    );
    for line in ["XSHA a file", "XSHA1 a file"] {
        assert_eq!(told(line, 250), "F7C3BC1D808E04732ADF679965CCC34CA7AE3441");
    }
    assert_eq!(told("XSHA256 a file", 250), sha.to_uppercase());
    assert_eq!(told("XSHA512 a file", 250).len(), 128);
    // Parts, from the first octet to before the last; a name that ends in numbers is a name.
    assert_eq!(
        told("XSHA256 \"a file\" 2 5", 250),
        sha256(b"345").to_uppercase()
    );
    assert_eq!(
        told("XSHA256 a file 2 5", 250),
        sha256(b"345").to_uppercase()
    );
    assert_eq!(told("XSHA256 a file 5 5", 250), sha256(b"").to_uppercase());
    assert_eq!(told("XSHA256 a 0 3", 250), sha256(b"123").to_uppercase());
    for wrong in ["XCRC a file 0 10", "XCRC \"a file\" 9 3", "XCRC \"a file"] {
        told(wrong, 501);
    }
}

#[test]
fn a_range_is_for_one_hash_or_download() {
    let server = Server::start();
    server.put("file", b"0123456789");
    server.put("empty", b"");
    let mut client = server.logged_in();
    let hash = |client: &mut Client, name: &str| {
        client
            .expect(&format!("HASH {name}"), 213)
            .text()
            .to_owned()
    };
    let whole = format!("SHA-256 0-10 {} file", sha256(b"0123456789"));
    client.expect("RANG 2 5", 350);
    assert_eq!(
        hash(&mut client, "file"),
        format!("SHA-256 2-6 {} file", sha256(b"2345"))
    );
    assert_eq!(hash(&mut client, "file"), whole);
    client.expect("RANG 2 5", 350);
    client.expect("RANG 1 0", 350);
    assert_eq!(hash(&mut client, "file"), whole);
    assert_eq!(
        hash(&mut client, "empty"),
        format!("SHA-256 0-0 {} empty", sha256(b""))
    );
    client.expect("RANG 5 10", 350);
    client.expect("HASH file", 501);
    client.expect("RANG 9 5", 501);
    // Setting a transfer up comes in between.
    client.expect("RANG 0 3", 350);
    assert_eq!(receive(&mut client, "RETR file").1, b"0123");
    assert_eq!(receive(&mut client, "RETR file").1.len(), 10);
    client.expect("RANG 9 9", 350);
    assert_eq!(receive(&mut client, "RETR file").1, b"9");
    client.expect("RANG 0 10", 350);
    client.expect("RETR file", 554);
    client.expect("RANG 0 3", 350);
    client.expect("STOR file", 504);
    assert_eq!(server.content("file"), b"0123456789");
}

#[test]
fn hash_gives_what_was_chosen() {
    let server = Server::start();
    server.put("file", b"123456789");
    let mut client = server.connect();
    assert!(
        client
            .expect("FEAT", 211)
            .text()
            .contains(" HASH CRC32;MD5;SHA-1;SHA-256*;SHA-512;WHIRLPOOL;BLAKE3;")
    );
    client.login(&server.login.name, &server.login.password);
    assert_eq!(client.expect("OPTS HASH", 200).text(), "SHA-256");
    assert_eq!(client.expect("OPTS HASH crc32", 200).text(), "CRC32");
    assert_eq!(
        client.expect("HASH file", 213).text(),
        "CRC32 0-9 cbf43926 file"
    );
    client.expect("OPTS HASH JH-224", 501);
    assert_eq!(client.expect("OPTS HASH", 200).text(), "CRC32");
    assert!(
        client
            .expect("FEAT", 211)
            .text()
            .contains(" HASH CRC32*;MD5;SHA-1;SHA-256;SHA-512;")
    );
}

#[test]
fn what_is_no_file_of_the_user_has_no_digest() {
    let server = Setup::new()
        .account("writer", "plain", "PermittedCommands=ALL,-READ")
        .start();
    server.put("file", b"content");
    server.put_directory("directory");
    nix::unistd::mkfifo(
        &server.home.join("pipe"),
        nix::sys::stat::Mode::from_bits_retain(0o644),
    )
    .unwrap();
    std::os::unix::fs::symlink("/etc/passwd", server.home.join("out")).unwrap();
    let mut client = server.logged_in();
    for (name, hash, md5, crc) in [
        ("missing", 550, 550, 550),
        ("directory", 553, 504, 550),
        ("pipe", 553, 504, 550),
        ("out", 550, 550, 550),
    ] {
        client.expect(&format!("HASH {name}"), hash);
        client.expect(&format!("MD5 {name}"), md5);
        client.expect(&format!("XCRC {name}"), crc);
        client.expect(&format!("MMD5 file, {name}"), md5);
    }
    client.expect("HASH", 501);
    let mut writer = server.connect();
    writer.login("writer", &server.login.password);
    for line in ["HASH file", "MD5 file", "XCRC file", "XSHA256 file"] {
        writer.expect(line, 550);
    }
    assert!(!writer.expect("FEAT", 211).text().contains("HASH"));
}

/// Row 62 of the attacks: a user's sessions cannot have the machine hash as often as they like at a time, and a turn ends with
/// its session.
#[test]
fn row_62_digests_are_counted() {
    let server = Server::start();
    let huge = server.put("huge", b"");
    let file = std::fs::File::options().write(true).open(huge).unwrap();
    file.set_len(1 << 42).unwrap();
    server.put("small", b"123456789");
    let begun = || {
        let mut client = server.logged_in();
        client.send("HASH huge");
        client.expect("STAT", 211);
        client
    };
    let mut busy: Vec<Client> = (0..4).map(|_| begun()).collect();
    let mut fifth = server.logged_in();
    fifth.expect("HASH small", 450);
    fifth.expect("XCRC small", 450);
    assert_eq!(fifth.download(Data::Epsv, "small"), b"123456789");
    busy[0].send("ABOR");
    busy[0].expect_reply(426);
    busy[0].expect_reply(226);
    fifth.expect("HASH small", 213);
    busy[0].expect("HASH small", 213);
    busy.push(begun());
    fifth.expect("HASH small", 450);
    drop(busy);
    tests::wait::until("the turns end with their sessions", || {
        fifth.command("HASH small").code == 213
    });
}

/// Row 62 of the attacks: a digest of a file without end is heard of, and ended by ABOR or by hanging up. Its reply comes
/// before those of the commands behind it; only STAT is answered at once.
#[test]
fn row_62_a_long_digest_can_be_ended() {
    let server = Server::start();
    let huge = server.put("huge", b"");
    let file = std::fs::File::options().write(true).open(huge).unwrap();
    file.set_len(1 << 42).unwrap();
    server.put("small", b"123456789");
    let mut client = server.logged_in();
    client.send("HASH huge");
    client.expect("STAT", 211);
    client.send("ABOR");
    client.send("XCRC small");
    client.expect_reply(426);
    client.expect_reply(226);
    client.expect_reply(250);
    client.send_octets(b"XCRC small\r\nNOOP\r\nMD5 small\r\nMMD5 small\r\nHASH small\r\nSTAT\r\n");
    for code in [250, 200, 251, 252, 213, 211] {
        client.expect_reply(code);
    }
    client.send("MMD5 small, huge");
    client.send("STAT");
    client.expect_reply(211);
    drop(client);
    tests::wait::until("the session ends with its client", || {
        server.keepers().is_empty()
    });
}
