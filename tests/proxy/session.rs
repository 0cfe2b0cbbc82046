//! A session through a gateway to `ftpd`: login, commands, and data connections of every kind on either side.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use tests::{Client, Data, Gateway, GatewaySetup, Server, require};

#[track_caller]
fn logged_in(gateway: &Gateway, server: &Server) -> Client {
    let mut client = gateway.connect();
    let login = gateway.login(&server.login);
    client.login(&login.name, &login.password);
    client
}

#[test]
fn files_go_both_ways_whoever_opens_the_data_connections() {
    let server = Server::start();
    let octets: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    server.put("down", &octets);
    for setting in ["NoPassive=no", "NoPassive=yes"] {
        let gateway = GatewaySetup::to_here().setting(setting).start();
        let mut client = logged_in(&gateway, &server);
        for how in Data::ALL {
            assert!(client.download(how, "down") == octets, "{how:?} {setting}");
            let name = format!("up-{how:?}-{setting}");
            client.upload(how, &name, &octets);
            assert!(server.content(&name) == octets, "{how:?} {setting}");
            let names = String::from_utf8(client.receive(how, "NLST")).unwrap();
            assert!(names.contains("down\r\n"), "{names}");
        }
        client.expect("QUIT", 221);
        client.expect_end();
    }
}

#[test]
fn one_side_may_be_ipv6_and_the_other_ipv4() {
    if !require::ipv6() {
        return;
    }
    let six = tests::Setup::new().ipv6().start();
    let four = Server::start();
    for server in [&six, &four] {
        server.put("file", b"content");
    }
    let gateways = [
        GatewaySetup::to_here().ipv6().start(),
        GatewaySetup::to_here().start(),
    ];
    for gateway in &gateways {
        for server in [&six, &four] {
            let mut client = logged_in(gateway, server);
            for how in [Data::Epsv, Data::Eprt] {
                assert_eq!(client.download(how, "file"), b"content");
                client.upload(how, "up", b"other");
                assert_eq!(server.content("up"), b"other");
            }
        }
    }
}

#[test]
fn commands_pass_and_replies_come_back() {
    let server = Server::start();
    let gateway = GatewaySetup::to_here().start();
    let mut client = gateway.connect();
    client.expect("PWD", 530);
    client.expect("FEAT", 211);
    client.expect("PASS x", 503);
    let login = gateway.login(&server.login);
    client.login(&login.name, &login.password);
    client.expect("MKD a", 257);
    client.expect("XCWD a", 250);
    assert!(client.expect("PWD", 257).text().contains("\"/a\""));
    client.upload(Data::Epsv, "file", b"0123456789");
    assert_eq!(client.expect("SIZE file", 213).text(), "10");
    client.expect("REST 4", 350);
    assert_eq!(client.receive(Data::Pasv, "RETR file"), b"456789");
    client.transmit(Data::Pasv, "APPE file", b"AB");
    assert_eq!(server.content("a/file"), b"0123456789AB");
    client.expect("SITE CHMOD 600 file", 200);
    client.expect("SITE EXEC x", 504);
    client.expect("HOST x", 502);
    client.expect("REIN", 502);
    client.expect("XFOO", 500);
    client.expect("NOOP", 200);
    client.expect("MODE Z", 200);
    client.expect("MODE S", 200);
    client.expect("RETR nothing", 425);
    let missing = client.data(Data::Epsv);
    client.expect("RETR nothing", 550);
    drop(missing);
    client.expect("RETR file", 425);
    client.expect("ABOR", 226);
    client.expect("USER other", 503);
    let features = client.expect("FEAT", 211);
    let features = features.text();
    for word in [
        "EPSV",
        "EPRT",
        "MLST",
        "REST STREAM",
        "MODE Z",
        "SITE CHMOD",
    ] {
        assert!(features.contains(word), "{features}");
    }
    for word in ["AUTH", "HOST", "PROT"] {
        assert!(!features.contains(word), "{features}");
    }
}

#[test]
fn site_proxy_leads_to_a_server_before_the_login() {
    let server = Server::start();
    server.put("file", b"content");
    let gateway = GatewaySetup::to_here().start();
    let mut client = gateway.connect();
    let address = server.address();
    client.expect("SITE PROXY", 501);
    client.expect("SITE PROXY a b c", 501);
    client.expect(
        &format!("SITE PROXY {} {}", address.ip(), address.port()),
        220,
    );
    client.expect(&format!("SITE PROXY {}", address.ip()), 503);
    client.login(&server.login.name, &server.login.password);
    assert_eq!(client.download(Data::Pasv, "file"), b"content");
}

#[test]
fn one_server_for_all_greets_by_itself() {
    let server = Server::start();
    server.put("file", b"content");
    let setting = format!("Server={}", server.address());
    let gateway = GatewaySetup::to_here().setting(&setting).start();
    let mut client = gateway.connect();
    client.expect(&format!("SITE PROXY {}", server.address()), 503);
    client.login(&server.login.name, &server.login.password);
    assert_eq!(client.download(Data::Pasv, "file"), b"content");
}

#[test]
fn wrong_passwords_are_the_servers_business_and_logged_without_them() {
    let server = Server::start();
    let gateway = GatewaySetup::to_here().start();
    let mut client = gateway.connect();
    let login = gateway.login(&server.login);
    client.expect(&format!("USER {}", login.name), 331);
    client.expect("PASS canary-1234", 530);
    client.expect(&format!("USER {}", login.name), 331);
    client.expect(&format!("PASS {}", login.password), 230);
    gateway
        .log
        .line_with(&["login of", "failed: the server said 530"]);
    gateway
        .log
        .line_with(&["login of", &server.address().to_string()]);
    assert!(!gateway.log.text().contains("canary"));
    assert!(!gateway.log.text().contains(&login.password));
}

#[test]
fn abort_ends_a_transfer_and_the_session_goes_on() {
    let server = Server::start();
    server.put("large", &vec![7; 50_000_000]);
    let gateway = GatewaySetup::to_here().start();
    let mut client = logged_in(&gateway, &server);
    let data = client.data(Data::Pasv);
    client.begin("RETR large");
    let data = data.open();
    data.read_some(1000);
    client.send("ABOR");
    let first = client.reply();
    assert_eq!(first.code, 426, "{first}");
    client.expect_reply(226);
    drop(data);
    assert_eq!(client.download(Data::Epsv, "large").len(), 50_000_000);
}

#[test]
fn an_upload_that_breaks_off_does_not_pass_for_a_whole_one() {
    let server = Server::start();
    server.put("kept", b"old");
    let gateway = GatewaySetup::to_here().start();
    let mut client = logged_in(&gateway, &server);
    let data = client.data(Data::Pasv);
    client.begin("STOR kept");
    let data = data.open();
    data.write(&[1; 100_000]);
    data.reset();
    let reply = client.reply();
    assert_eq!(reply.code, 426, "{reply}");
    assert_eq!(server.content("kept"), b"old");
    // So it is when the client goes away as a whole.
    let data = client.data(Data::Pasv);
    client.begin("STOR kept");
    let data = data.open();
    data.write(&[1; 100_000]);
    client.reset();
    tests::wait::until("the session is over", || gateway.dialers().is_empty());
    drop(data);
    assert_eq!(server.content("kept"), b"old");
}

#[test]
fn an_ordinary_user_can_run_it() {
    let server = Server::start();
    server.put("file", b"content");
    let gateway = GatewaySetup::to_here().rootless().start();
    let mut client = logged_in(&gateway, &server);
    assert_eq!(client.download(Data::Pasv, "file"), b"content");
    client.upload(Data::Port, "up", b"more");
    assert_eq!(server.content("up"), b"more");
}

#[test]
fn a_login_takes_no_more_round_trips_than_the_server_asks_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Each line is answered before the next one is read: as many lines, as many round trips.
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .set_read_timeout(Some(tests::wait::PATIENCE))
            .unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        stream.write_all(b"220 Hello.\r\n").unwrap();
        let mut heard = Vec::new();
        for line in reader.lines() {
            let line = line.unwrap();
            let answer = match line.split(' ').next() {
                Some("USER") => "331 Password, please.\r\n",
                Some("PASS") => "230 Welcome.\r\n",
                Some("QUIT") => "221 Goodbye.\r\n",
                _ => "257 \"/\"\r\n",
            };
            heard.push(line);
            stream.write_all(answer.as_bytes()).unwrap();
        }
        heard
    });
    let gateway = GatewaySetup::to_here().start();
    let mut client = gateway.connect();
    client.expect(&format!("USER me@{address}"), 331);
    client.expect("PASS secret", 230);
    client.expect("PWD", 257);
    client.expect("QUIT", 221);
    client.expect_end();
    assert_eq!(
        server.join().unwrap(),
        ["USER me", "PASS secret", "PWD", "QUIT"]
    );
}
