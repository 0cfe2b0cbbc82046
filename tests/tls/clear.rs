//! CCC: TLS that ends on the control connection, and what may no longer be said then.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use rustls::HandshakeKind;
use rustls::version::TLS13;
use tests::real::finish;
use tests::{Client, Scratch, require};

use crate::client::{Secure, handshake};
use crate::server::{VERSIONS, implicit, start};

/// Leaves TLS as the client of RFC 4217 §12.3 does.
#[track_caller]
fn leave(mut client: Secure) -> Client {
    client.expect("CCC", 200);
    // The server's close_notify.
    assert!(client.try_reply().is_none());
    client.stream.conn.send_close_notify();
    client.stream.flush().unwrap();
    Client::over(client.stream.sock)
}

#[test]
fn row_53_ccc_is_refused_unless_it_is_permitted() {
    let (authority, server) = start(&[]);
    let mut client = authority.logged_in(&server, &TLS13);
    client.expect("CCC", 533);
    client.expect("NOOP", 200);
    let (authority, server) = start(&["PermitCCC", "TLSPort=0"]);
    server.connect().expect("CCC", 503);
    // Not before the password.
    let mut client = Secure::connect(server.address(), &authority.client(&TLS13));
    client.expect("CCC", 533);
    client.expect("NOOP", 200);
    // Not with anything behind it, which is carried out under TLS.
    let mut client = authority.logged_in(&server, &TLS13);
    client.send("CCC\r\nNOOP");
    client.expect_reply(533);
    client.expect_reply(200);
    // Not where nothing is ever in the clear.
    let socket = TcpStream::connect(implicit(&server)).unwrap();
    let mut client = Secure::over(socket, &authority.client(&TLS13));
    client.expect_reply(220);
    client.login(&server.login.name, &server.login.password);
    client.expect("CCC", 533);
}

#[test]
fn row_53_data_stays_as_it_was_agreed_upon_behind_ccc() {
    for version in VERSIONS {
        let settings = &["PermitCCC", "TLSRequired=all", "TLSDataBinding=require"];
        let (authority, server) = start(settings);
        server.put("file", b"content");
        let client = authority.logged_in(&server, version);
        let config = client.config.clone();
        let mut clear = leave(client);
        // Whoever is on the way cannot take the protection off, nor begin anew.
        clear.expect("PROT C", 534);
        clear.expect("PROT P", 534);
        clear.expect("AUTH TLS", 503);
        clear.expect("CCC", 503);
        let port = clear.expect("EPSV", 229).text();
        let port = port.split('|').nth(3).unwrap().parse::<u16>().unwrap();
        let socket = TcpStream::connect((server.address().ip(), port)).unwrap();
        clear.expect("RETR file", 150);
        let mut data = handshake(&config, socket).unwrap();
        let mut octets = Vec::new();
        data.read_to_end(&mut octets).unwrap();
        clear.expect_reply(226);
        assert_eq!(octets, b"content");
        assert_eq!(data.conn.handshake_kind(), Some(HandshakeKind::Resumed));
        // Whoever is next has nothing of it, and the password may not be in the clear.
        clear.expect("REIN", 220);
        clear.expect(&format!("USER {}", server.login.name), 530);
        clear.expect("PROT P", 503);
        clear.expect("AUTH TLS", 234);
        let mut client = Secure::over(clear.into_stream(), &config);
        let kind = client.stream.conn.handshake_kind();
        assert_eq!(kind, Some(HandshakeKind::Full));
        client.login(&server.login.name, &server.login.password);
    }
}

#[test]
fn row_53_what_comes_between_tls_and_the_clear_is_one_or_the_other() {
    let (authority, server) = start(&["PermitCCC"]);
    server.put("kept", b"");
    // Under TLS behind the reply: it is dropped, as the client has said that it leaves.
    let mut client = authority.logged_in(&server, &TLS13);
    client.expect("CCC", 200);
    assert!(client.try_reply().is_none());
    client.send("DELE kept");
    client.stream.conn.send_close_notify();
    client.stream.flush().unwrap();
    let mut clear = Client::over(client.stream.sock);
    clear.expect("NOOP", 200);
    assert!(server.home.join("kept").exists());
    // Without a word of TLS, as some clients leave.
    let mut client = authority.logged_in(&server, &TLS13);
    client.expect("CCC", 200);
    assert!(client.try_reply().is_none());
    let mut clear = Client::over(client.stream.sock);
    clear.expect("NOOP", 200);
    clear.expect("PWD", 257);
}

#[test]
fn curl_and_lftp_leave_tls() {
    if !require::programs(&["curl", "lftp"]) {
        return;
    }
    let (_, server) = start(&["PermitCCC", "LogLevel=commands"]);
    server.put("file", b"content");
    let certificate = server.scratch.join("certificate.pem");
    let login = &server.login;
    let scratch = Scratch::new();
    for mode in ["active", "passive"] {
        let down = scratch.join(mode);
        let mut command = Command::new("curl");
        command.args(["--disable", "-sS", "--ftp-ssl-control"]);
        command.args(["--ftp-ssl-ccc-mode", mode, "--cacert"]);
        command.arg(&certificate);
        command.args(["-u", &format!("{}:{}", login.name, login.password)]);
        command.arg("-o").arg(&down);
        finish(command.arg(format!("ftp://{}/file", login.address)), "");
        assert_eq!(std::fs::read(&down).unwrap(), b"content", "{mode}");
    }
    let down = scratch.join("lftp");
    let script = format!(
        "set net:max-retries 1; set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ftp:ssl-use-ccc yes; \
         set ssl:ca-file {}; set ssl:check-hostname no; open -u {},{} ftp://{}; get file -o {}; bye",
        certificate.display(),
        login.name,
        login.password.replace(' ', "\\ "),
        login.address,
        down.display(),
    );
    let mut command = Command::new("lftp");
    finish(command.args(["--norc", "-c", &script]), "");
    assert_eq!(std::fs::read(&down).unwrap(), b"content");
    let asked = server.log.text().matches("CCC").count();
    assert!(asked >= 3, "{}", server.log.text());
}
