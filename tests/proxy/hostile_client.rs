//! Rows 84 and 86: clients that want to get where they must not, or to know what they must not.

use std::net::{SocketAddr, TcpListener};

use tests::{Client, Data, Gateway, GatewaySetup, Server, require, wait};

/// A service that nobody must reach, and how it sees that somebody did.
fn forbidden() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn row_84_addresses_inside_are_refused_in_every_form() {
    let (service, port) = forbidden();
    for targets in ["*:1-65535", "0.0.0.0/0:1-65535,[::/0]:1-65535", "192.0.2.1"] {
        let gateway = GatewaySetup::to(targets).start();
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "127.1",
            "0",
            "0.0.0.0",
            "localhost",
            "LOCALHOST.",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "10.0.0.1",
            "169.254.169.254",
            "[fd00:ec2::254]",
            "[fe80::1]",
        ] {
            let mut client = gateway.connect();
            client.expect(&format!("USER me@{host}:{port}"), 530);
            let reply = client.command(&format!("SITE PROXY {host} {port}"));
            assert!([501, 550].contains(&reply.code), "{host}: {reply}");
            client.expect("QUIT", 221);
        }
        assert!(service.accept().is_err(), "the service was reached");
    }
}

#[test]
fn row_84_ports_that_no_rule_names_are_refused() {
    let (service, port) = forbidden();
    let gateway = GatewaySetup::to(&format!(
        "127.0.0.1:{}",
        if port == 2121 { 2122 } else { 2121 }
    ))
    .start();
    let mut client = gateway.connect();
    client.expect(&format!("USER me@127.0.0.1:{port}"), 530);
    client.expect("USER me@127.0.0.1", 530);
    assert!(service.accept().is_err(), "the service was reached");
    gateway
        .log
        .line_with(&["not reached: no rule of Targets permits it"]);
}

#[test]
fn row_84_a_loop_ends_at_once() {
    let gateway = GatewaySetup::to_here().start();
    let mut client = gateway.connect();
    client.expect(&format!("USER me@{0}@{0}", gateway.address), 421);
    client.expect_end();
    wait::until("nothing is left of it", || gateway.dialers().is_empty());
    gateway.log.line_with(&["is this gateway itself"]);
}

#[test]
fn row_84_three_misses_end_a_session_and_cost_what_wrong_passwords_do() {
    let gateway = GatewaySetup::to("*").start();
    let mut client = gateway.connect();
    for _ in 0..2 {
        client.expect("USER me@127.0.0.1", 530);
    }
    client.expect("USER me@127.0.0.1", 530);
    client.expect_end();
    let gateway = GatewaySetup::to("*:1-65535")
        .without("Penalty=0")
        .setting("Penalty=30")
        // The second penalty comes a little after the first, which time pays.
        .setting("Ban=50s")
        .start();
    let mut client = gateway.connect();
    client.expect("USER me@127.0.0.1", 530);
    client.expect("USER me@127.0.0.1", 530);
    gateway.log.line_with(&["127.0.0.1: banned"]);
    let mut client = Client::connect_quietly(gateway.address);
    assert_eq!(client.reply().code, 421);
}

/// A gateway that sees these lines in /etc/hosts, and a way to change them.
fn with_hosts(targets: &str, hosts: &str) -> Option<(Gateway, std::path::PathBuf)> {
    if !require::root() || !require::programs(&["unshare", "mount"]) {
        return None;
    }
    let gateway = GatewaySetup::to(targets).hosts(hosts).start();
    let file = gateway.scratch.join("hosts");
    Some((gateway, file))
}

#[test]
fn row_84_a_name_with_an_address_inside_is_refused_as_a_whole() {
    let (service, port) = forbidden();
    let hosts = "203.0.113.1 both.example\n127.0.0.1 both.example\n";
    let Some((gateway, _)) = with_hosts("*:1-65535", hosts) else {
        return;
    };
    let mut client = gateway.connect();
    client.expect(&format!("USER me@both.example:{port}"), 530);
    gateway.log.line_with(&["127.0.0.1 is loopback"]);
    assert!(service.accept().is_err(), "the service was reached");
}

#[test]
fn row_84_a_name_is_looked_up_once() {
    let server = Server::start();
    server.put("file", b"content");
    let address = server.address();
    let hosts = "127.0.0.1 rebind.example\n";
    let targets = format!("rebind.example=127.0.0.1:{}", address.port());
    let Some((gateway, file)) = with_hosts(&targets, hosts) else {
        return;
    };
    let mut client = gateway.connect();
    let name = format!("{}@rebind.example:{}", server.login.name, address.port());
    client.expect(&format!("USER {name}"), 331);
    // From here on it is the name of somebody else.
    std::fs::write(&file, "127.0.0.9 rebind.example\n").unwrap();
    client.expect(&format!("PASS {}", server.login.password), 230);
    client.expect("TYPE I", 200);
    for how in [Data::Pasv, Data::Port] {
        assert_eq!(client.download(how, "file"), b"content");
    }
    // A new session finds it there, where no rule leads.
    let mut client = gateway.connect();
    client.expect(&format!("USER {name}"), 530);
}

#[test]
fn row_86_no_server_is_taken_for_another() {
    let server = Server::start();
    let gateway = GatewaySetup::to("*.invalid,127.0.0.1:1024-65535").start();
    for name in ["me@nobody.invalid", "me", "me@", "@", "me@[", "me@a b"] {
        let mut client = gateway.connect();
        client.expect(&format!("USER {name}"), 530);
        client.expect("PASS secret-canary", 503);
    }
    // After one server there is no other on the same connection.
    let mut client = gateway.connect();
    let login = gateway.login(&server.login);
    client.expect(&format!("USER {}", login.name), 331);
    client.expect("USER me@127.0.0.1:2", 503);
    assert!(!gateway.log.text().contains("canary"));
}

#[test]
fn data_connections_of_the_client_lead_to_the_client() {
    let (service, port) = forbidden();
    let server = Server::start();
    let gateway = GatewaySetup::to_here().start();
    let mut client = gateway.connect();
    client.expect("PORT 127,0,0,1,200,1", 530);
    client.expect("PASV", 530);
    let login = gateway.login(&server.login);
    client.login(&login.name, &login.password);
    let other = SocketAddr::from(([127, 0, 0, 2], port));
    client.expect(
        &format!(
            "PORT {}",
            tests::client::port_line(other).trim_start_matches("PORT ")
        ),
        501,
    );
    client.expect("PORT 127,0,0,1,0,22", 501);
    client.expect("EPRT |2|::1|2000|", 501);
    client.expect("EPRT |3|x|2000|", 522);
    client.expect("EPSV 2", 522);
    client.expect("EPSV ALL", 200);
    client.expect("PASV", 503);
    client.expect("PORT 127,0,0,1,200,1", 503);
    client.expect("EPSV", 229);
    assert!(service.accept().is_err());
}

#[test]
fn what_is_no_ftp_is_not_served() {
    let gateway = GatewaySetup::to_here().start();
    let mut client = gateway.connect();
    for _ in 0..9 {
        client.expect("GET / HTTP/1.1", 500);
    }
    client.expect("GET / HTTP/1.1", 421);
    client.expect_end();
    let mut client = gateway.connect();
    client.send_octets(&[&[b'A'; 10_000][..], b"\r\nNOOP\r\nDELE a\0b\r\n"].concat());
    client.expect_reply(500);
    client.expect_reply(200);
    client.expect_reply(500);
}

#[test]
fn commands_that_are_not_permitted_do_not_pass() {
    let server = Server::start();
    server.put("file", b"content");
    let gateway = GatewaySetup::to_here()
        .setting("PermittedCommands=ALL,-WRITE")
        .start();
    let mut client = gateway.connect();
    let login = gateway.login(&server.login);
    client.login(&login.name, &login.password);
    client.expect("DELE file", 502);
    client.expect("STOR x", 502);
    assert_eq!(client.download(Data::Pasv, "file"), b"content");
    assert!(!client.expect("FEAT", 211).text().contains("MFMT"));
}

#[test]
fn a_client_that_closes_its_half_gets_its_replies() {
    let server = Server::start();
    let gateway = GatewaySetup::to_here().start();
    let mut client = gateway.connect();
    let login = gateway.login(&server.login);
    client.login(&login.name, &login.password);
    client.send_octets(b"PWD\r\nNOOP\r\n");
    client.close_half();
    client.expect_reply(257);
    client.expect_reply(200);
    client.expect_end();
    wait::until("the session is over", || gateway.dialers().is_empty());
}
