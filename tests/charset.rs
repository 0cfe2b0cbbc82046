//! Names in the charset of the client, as far as a transcript cannot show it: whose charset counts, and long listings.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use tests::reply::Text;
use tests::{Client, Data, Server, Setup};

/// A client of `user` that takes octets for what they are.
fn log_in(server: &Server, user: &str) -> Client {
    let mut client = server.connect();
    client.text = Text::Octets;
    client.login(user, &server.login.password);
    client
}

#[test]
fn the_users_charset_goes_over_the_networks_and_this_over_the_servers() {
    // Я in each charset.
    let windows = b"\xdf\r\n";
    let koi = b"\xf1\r\n";
    let utf8 = "Я\r\n".as_bytes();
    let all = "CharsetNetworks=10.0.0.0/8=GBK, 127.0.0.0/8=windows-1251";
    let other = "CharsetNetworks=10.0.0.0/8=GBK";
    for (networks, of_tester, of_own) in [(all, &windows[..], utf8), (other, &koi[..], utf8)] {
        let server = Setup::new()
            .setting("Charset=KOI8-R")
            .setting(networks)
            .account("own", "plain", "Charset=UTF-8")
            .start();
        server.put("Я", b"");
        for (user, expected) in [("tester", of_tester), ("own", of_own)] {
            let listed = log_in(&server, user).receive(Data::Epsv, "NLST");
            assert_eq!(
                listed.escape_ascii().to_string(),
                expected.escape_ascii().to_string(),
                "{user}, {networks}"
            );
        }
    }
}

#[test]
fn a_long_listing_is_converted_to_its_end() {
    let server = Setup::new().setting("Charset=windows-1251").start();
    let count = 3000;
    let name = |number| format!("d/{number:04} довольно длинное имя файла");
    server.put(&name(0), b"");
    for number in 1..count {
        std::fs::write(server.home.join(name(number)), b"").unwrap();
    }
    let mut client = log_in(&server, "tester");
    let listed = client.receive(Data::Epsv, "NLST d");
    let mut lines: Vec<&[u8]> = listed.split_inclusive(|&octet| octet == b'\n').collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), count);
    for (number, line) in lines.into_iter().enumerate() {
        let name = b" \xe4\xee\xe2\xee\xeb\xfc\xed\xee \xe4\xeb\xe8\xed\xed\xee\xe5 \xe8\xec\xff \xf4\xe0\xe9\xeb\xe0\r\n";
        let expected = [format!("d/{number:04}").as_bytes(), &name[..]].concat();
        assert_eq!(line, expected);
    }
    let long = client.receive(Data::Epsv, "LIST d");
    assert_eq!(long.iter().filter(|&&octet| octet == b'\n').count(), count);
}

#[test]
fn abor_ends_a_converted_listing() {
    let server = Setup::new().setting("Charset=windows-1251").start();
    server.put("Я", b"");
    let mut client = log_in(&server, "tester");
    let data = client.data(Data::Epsv);
    client.send_octets(b"LIST\r\nABOR\r\n");
    let first = client.reply().code;
    assert!(matches!(first, 150 | 426), "{first}");
    if first == 150 {
        let code = client.reply().code;
        assert!(matches!(code, 226 | 426), "{code}");
    }
    client.expect_reply(226);
    drop(data);
    assert_eq!(client.receive(Data::Epsv, "NLST"), b"\xdf\r\n");
}
