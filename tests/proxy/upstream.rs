//! TLS between gateway and server: explicit, implicit, preferred or demanded, verified by name, with data that resumes.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};

use tests::{Client, Data, Gateway, GatewaySetup, Server, Setup, wait};

use tests::trust::Trust;

/// A server that lets nobody in without TLS, nor data that does not resume its session.
fn strict(trust: &Trust) -> Server {
    let server = trust.certify(Setup::new()).setting("TLSRequired=all");
    server
        .setting("TLSDataBinding=require")
        .setting("TLSPort=0")
        .start()
}

#[track_caller]
fn log_in(gateway: &Gateway, server: &Server, at: SocketAddr) -> Client {
    let mut client = gateway.connect();
    let login = &server.login;
    client.login(&format!("{}@{at}", login.name), &login.password);
    client
}

#[test]
fn data_goes_both_ways_under_tls_whoever_opens_the_connections() {
    let trust = Trust::here();
    let server = strict(&trust);
    let octets: Vec<u8> = (0..700_001u32).map(|n| (n % 251) as u8).collect();
    for version in ["1.2", "1.3"] {
        for (how, at) in [
            ("require", server.address()),
            ("implicit", server.log.implicit()),
        ] {
            for setting in ["NoPassive=no", "NoPassive=yes"] {
                let gateway = GatewaySetup::to_here().setting(setting);
                let newest = format!("ServerTLSMaxVersion={version}");
                let gateway = trust.believe(gateway, how).setting(&newest);
                let gateway = gateway.setting("LogLevel=commands").start();
                let mut client = log_in(&gateway, &server, at);
                gateway
                    .log
                    .line_with(&[&format!("TLSv{}", version.replace('.', "_"))]);
                for data in Data::ALL {
                    client.upload(data, "file", &octets);
                    assert!(server.content("file") == octets, "{how} {data:?} {setting}");
                    assert!(
                        client.download(data, "file") == octets,
                        "{how} {data:?} {setting}"
                    );
                    client.upload(data, "empty", b"");
                    assert!(client.download(data, "empty").is_empty());
                }
                client.expect("QUIT", 221);
            }
        }
    }
}

#[test]
fn tickets_never_run_dry() {
    let trust = Trust::here();
    let server = strict(&trust);
    let gateway = trust.believe(GatewaySetup::to_here(), "require");
    let gateway = gateway.setting("ServerTLSMaxVersion=1.3").start();
    let mut client = log_in(&gateway, &server, server.address());
    // A ticket of TLS 1.3 is used once; those who only send get new ones all the same.
    for number in 0..100 {
        client.upload(Data::Epsv, "file", format!("{number}").as_bytes());
    }
    for _ in 0..100 {
        assert_eq!(client.download(Data::Epsv, "file"), b"99");
    }
    // Nor do transfers that are broken off use them up.
    server.put("large", &vec![7; 30_000_000]);
    for _ in 0..12 {
        let data = client.data(Data::Epsv);
        client.begin("RETR large");
        let data = data.open();
        data.read_some(1000);
        client.send("ABOR");
        client.expect_reply(426);
        client.expect_reply(226);
    }
    assert_eq!(client.download(Data::Epsv, "file"), b"99");
}

/// What a client hears who wants to get to this server, and that it got nowhere.
#[track_caller]
fn refused(gateway: &Gateway, server: &Server, why: &str) {
    let mut client = gateway.connect();
    client.send(&format!("USER {}@{}", server.login.name, server.address()));
    let reply = client.expect_reply(421);
    assert!(reply.text().contains(why), "{reply}");
    client.expect_end();
    assert!(!server.log.text().contains("login of"));
}

#[test]
fn certificates_are_verified_and_clients_hear_what_is_wrong() {
    let (trust, other) = (Trust::here(), Trust::here());
    let believing = |trust: &Trust| trust.believe(GatewaySetup::to_here(), "require").start();
    let server = strict(&trust);
    refused(
        &believing(&other),
        &server,
        "nobody who is trusted here has signed",
    );
    // The authorities of the system know nothing of it.
    let system = GatewaySetup::to_here().setting("ServerTLS=prefer").start();
    refused(&system, &server, "nobody who is trusted here has signed");
    let elsewhere = Trust::of(["ftp.example.org".to_owned()]);
    let server = strict(&elsewhere);
    let gateway = believing(&elsewhere);
    refused(&gateway, &server, "is for another name");
    gateway.log.line_with(&["is for another name"]);
    let mut params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let expired = Trust::made(params);
    refused(&believing(&expired), &strict(&expired), "has expired");
}

#[test]
fn one_server_may_have_a_name_that_is_told() {
    let trust = Trust::of(["ftp.example.org".to_owned()]);
    let server = strict(&trust);
    server.put("file", b"content");
    let gateway = trust.believe(GatewaySetup::to_here(), "require");
    let gateway = gateway
        .setting(&format!("Server={}", server.address()))
        .setting("ServerTLSName=ftp.example.org")
        .start();
    let mut client = gateway.connect();
    client.login(&server.login.name, &server.login.password);
    assert_eq!(client.download(Data::Pasv, "file"), b"content");
}

#[test]
fn a_server_without_tls_is_reached_where_it_is_preferred_and_not_where_it_is_required() {
    let trust = Trust::here();
    let server = Server::start();
    server.put("file", b"content");
    let gateway = trust.believe(GatewaySetup::to_here(), "require").start();
    refused(&gateway, &server, "offers no TLS");
    let gateway = trust.believe(GatewaySetup::to_here(), "prefer").start();
    let mut client = log_in(&gateway, &server, server.address());
    assert_eq!(client.download(Data::Epsv, "file"), b"content");
    gateway.log.line_with(&["it offers no TLS"]);
}

#[test]
fn words_in_the_clear_behind_the_answer_to_auth_end_the_session() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(wait::PATIENCE)).unwrap();
        stream.write_all(b"220 Hello.\r\n").unwrap();
        let mut line = String::new();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        reader.read_line(&mut line).unwrap();
        // In one piece, as somebody on the way sends them.
        stream
            .write_all(b"234 Go on.\r\n331 Password, please.\r\n")
            .unwrap();
        let mut rest = Vec::new();
        let _ = reader.read_until(0, &mut rest);
        (line, rest)
    });
    let trust = Trust::here();
    let gateway = trust.believe(GatewaySetup::to_here(), "require").start();
    let mut client = gateway.connect();
    client.expect(&format!("USER me@{address}"), 421);
    client.expect_end();
    assert_eq!(
        server.join().unwrap(),
        ("AUTH TLS\r\n".to_owned(), Vec::new())
    );
    gateway
        .log
        .line_with(&["a reply that nothing was asked for"]);
}

#[test]
fn clients_may_have_to_speak_tls_too() {
    let trust = Trust::here();
    let server = Server::start();
    let gateway = trust.certify_gateway(GatewaySetup::to_here());
    let gateway = gateway.setting("TLSRequired=login").start();
    let mut client = gateway.connect();
    let login = gateway.login(&server.login);
    client.expect(&format!("USER {}", login.name), 530);
    client.expect("PASS secret", 503);
    let gateway = trust.certify_gateway(GatewaySetup::to_here());
    let gateway = gateway.setting("TLSRequired=data").start();
    let mut client = gateway.connect();
    let login = gateway.login(&server.login);
    client.login(&login.name, &login.password);
    drop(client.data(Data::Epsv));
    client.expect("NLST", 521);
}
