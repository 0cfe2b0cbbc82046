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
fn names_that_are_refused_cost_what_wrong_passwords_do() {
    let server = Server::start();
    for program in ["ftpproxy", "ftpd"] {
        let setup = gateway(&format!("nobody@{HERE}"))
            .without("Penalty=0")
            .setting("Penalty=30")
            // The second penalty comes a little after the first, which time pays.
            .setting("Ban=50s");
        let gateway = match program {
            "ftpd" => setup.setting("LoginFailDelay=0").by_ftpd(),
            _ => setup,
        }
        .start();
        let mut client = gateway.connect();
        for name in ["one", "two"] {
            client.expect(&format!("USER {name}@{}", server.address()), 530);
        }
        gateway.log.line_with(&["127.0.0.1: banned"]);
        let mut client = Client::connect_quietly(gateway.address);
        assert_eq!(client.reply().code, 421);
    }
}

#[test]
fn rules_that_are_read_anew_hold_for_new_sessions() {
    let server = Server::start();
    let (name, at) = (&server.login.name, server.address());
    let lines = |rules: &str| format!("Targets={HERE}\nPenalty=0\nUserTargets={rules}@{HERE}\n");
    let gateway = gateway(&format!("{name}@{HERE}")).start();
    let mut before = gateway.connect();
    is_served(&mut before, &format!("{name}@{at}"), &server);
    gateway.reload(&lines("nobody"), &["settings: read anew"]);
    let mut after = gateway.connect();
    after.expect(&format!("USER {name}@{at}"), 530);
    // Who is there stays, and what is wrong changes nothing.
    before.expect("NOOP", 200);
    gateway.reload("UserTargets=alice\n", &["not read anew"]);
    gateway.connect().expect(&format!("USER {name}@{at}"), 530);
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
