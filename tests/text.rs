//! TYPE A from outside: line ends of the network and of files.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use tests::{Data, Server};

/// Row 33 of the attacks: text that ends anywhere in a line end, in writes of one octet each.
#[test]
fn row_33_text_arrives_whole_however_it_is_cut() {
    let server = Server::start();
    let mut client = server.logged_in();
    client.expect("TYPE A", 200);
    for (wire, file) in [
        (&b"a\r\nb\r\n"[..], &b"a\nb\n"[..]),
        (b"lone\r", b"lone\r"),
        (b"\r\r\n\r", b"\r\n\r"),
        (b"bare\nlines\n", b"bare\nlines\n"),
        (b"nul\0\r\n\0\r\0\n", b"nul\0\n\0\r\0\n"),
        (b"", b""),
    ] {
        let data = client.data(Data::Epsv);
        client.begin("STOR text");
        let data = data.open();
        data.stream().set_nodelay(true).unwrap();
        wire.iter().for_each(|octet| data.write(&[*octet]));
        data.write_all_and_close(b"");
        client.expect_reply(226);
        assert_eq!(server.content("text"), file, "{}", wire.escape_ascii());
    }
}

/// More line ends than any buffer has room for: nothing is lost where text grows, and it comes back as it was.
#[test]
fn row_33_text_that_doubles_on_its_way_is_sent_whole() {
    let server = Server::start();
    let ends = vec![b'\n'; 1_000_003];
    server.put("ends", &ends);
    let mut client = server.logged_in();
    client.expect("TYPE A", 200);
    let wire = client.download(Data::Epsv, "ends");
    assert!(wire == b"\r\n".repeat(1_000_003));
    client.upload(Data::Epsv, "back", &wire);
    assert!(server.content("back") == ends);
}
