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
