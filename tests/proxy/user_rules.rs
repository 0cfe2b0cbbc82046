//! Who may go where: by the name for the server, and after a login at `ftpd` by the user of that.

use tests::{Client, Data, GatewaySetup, Server, Setup};

const HERE: &str = "127.0.0.1:1024-65535";

fn gateway(rules: &str) -> GatewaySetup {
    GatewaySetup::to_here().setting(&format!("UserTargets={rules}"))
}

#[track_caller]
fn is_served(client: &mut Client, name: &str, server: &Server) {
    client.login(name, &server.login.password);
    server.put("file", b"content");
    assert_eq!(client.download(Data::Epsv, "file"), b"content");
}

#[test]
fn a_user_that_is_named_goes_there_and_nobody_else() {
    let server = Server::start();
    let (name, at) = (&server.login.name, server.address());
    for program in ["ftpproxy", "ftpd"] {
        let setup = gateway(&format!("{name}@{HERE},else*@192.0.2.0/24"));
        let setup = match program {
            "ftpd" => setup.by_ftpd(),
            _ => setup,
        };
        let gateway = setup.start();
        is_served(&mut gateway.connect(), &format!("{name}@{at}"), &server);
        for other in ["elsewhere", "stranger"] {
            let mut client = gateway.connect();
            client.expect(&format!("USER {other}@{at}"), 530);
        }
        let mut client = gateway.connect();
        client.expect(&format!("SITE PROXY {} {}", at.ip(), at.port()), 220);
        // The server does nothing for somebody who may be nobody, nor after a name that is refused.
        client.expect("SYST", 530);
        client.expect("USER stranger", 530);
        client.expect("PASS secret", 503);
        client.expect("SYST", 530);
        client.expect(&format!("USER {name}"), 331);
        gateway.log.line_with(&["'stranger' may not go to"]);
    }
    assert!(!server.log.text().contains("stranger"));
}

#[test]
fn the_third_name_that_is_refused_ends_the_session() {
    let server = Server::start();
    let gateway = gateway(&format!("nobody@{HERE}")).start();
    let mut client = gateway.connect();
    for name in ["one", "two", "three"] {
        client.expect(&format!("USER {name}@{}", server.address()), 530);
    }
    client.expect_end();
}

#[test]
fn where_the_gateway_knows_the_server_the_name_alone_is_judged() {
    let server = Server::start();
    let (name, at) = (&server.login.name, server.address());
    let gateway = gateway(&format!("{name}@{HERE}"))
        .setting(&format!("Server={at}"))
        .start();
    let mut client = gateway.connect();
    client.expect("USER stranger", 530);
    is_served(&mut client, name, &server);
}

#[test]
fn after_a_login_the_user_of_that_counts() {
    let there = Server::start();
    let at = there.address();
    let line = format!("SITE PROXY {} {}", at.ip(), at.port());
    for (users, code) in [("*", 220), ("stranger", 550)] {
        let here = Setup::new()
            .setting(&format!("Targets={HERE}"))
            .setting(&format!("UserTargets={users}@{HERE}"))
            .start();
        let mut client = here.logged_in();
        client.expect(&line, code);
        if code == 220 {
            is_served(&mut client, &there.login.name, &there);
        }
    }
}
