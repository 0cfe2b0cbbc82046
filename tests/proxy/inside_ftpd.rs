//! `ftpd` that serves its own users and leads others to servers behind it: USER name@host and SITE PROXY.

use nix::sys::signal::Signal;
use tests::processes::Process;
use tests::real::{Mode, Program};
use tests::{Client, Data, GatewaySetup, Scratch, Server, Setup, require, tree, wait};

use tests::trust::Trust;

/// The uid of dialers of `ftpd`: six behind that of the network half.
const SESSION_USER: u32 = 60621;

fn leading(setting: &str) -> Server {
    Setup::new()
        .setting("Targets=127.0.0.1:1024-65535")
        .setting("Penalty=0")
        .setting("LoginFailDelay=0")
        .setting(setting)
        .start()
}

fn name_there(server: &Server) -> String {
    format!("{}@{}", server.login.name, server.address())
}

#[track_caller]
fn moves_files(client: &mut Client, there: &Server) {
    for how in Data::ALL {
        there.put("down", b"from there");
        assert_eq!(client.download(how, "down"), b"from there", "{how:?}");
        client.upload(how, "up", format!("{how:?}").as_bytes());
        assert_eq!(there.content("up"), format!("{how:?}").as_bytes());
    }
}

#[test]
fn some_users_are_served_here_and_others_are_led_on() {
    let (there, here) = (Server::start(), leading("ProxyClients=anybody"));
    let mut client = here.connect();
    client.login(&here.login.name, &here.login.password);
    here.put("file", b"content");
    assert_eq!(client.download(Data::Epsv, "file"), b"content");
    client.expect("QUIT", 221);
    let mut client = here.connect();
    client.login(&name_there(&there), &there.login.password);
    moves_files(&mut client, &there);
    let server = there.address().to_string();
    here.log.line_with(&["login of", &server]);
    assert!(!here.log.text().contains(&there.login.password));
    client.expect("QUIT", 221);
    client.expect_end();
    wait::until("nothing is left", || here.keepers().is_empty());
}

#[test]
fn commands_that_were_sent_on_ahead_are_not_lost() {
    let (there, here) = (Server::start(), leading("ProxyClients=anybody"));
    let mut client = here.connect();
    let (name, password) = (name_there(&there), &there.login.password);
    client.send_octets(format!("USER {name}\r\nPASS {password}\r\nPWD\r\nNOOP\r\n").as_bytes());
    for code in [331, 230, 257, 200] {
        client.expect_reply(code);
    }
}

#[test]
fn site_proxy_leads_on_before_a_login_and_after_one() {
    let (there, here) = (Server::start(), leading("ProxyClients=anybody"));
    let address = there.address();
    let line = format!("SITE PROXY {} {}", address.ip(), address.port());
    for logged_in in [false, true] {
        let mut client = here.connect();
        if logged_in {
            client.login(&here.login.name, &here.login.password);
            client.expect("SITE PROXY", 501);
            client.expect("SITE PROXY 192.0.2.1", 550);
            client.expect("PWD", 257);
            assert!(client.expect("FEAT", 211).text().contains("SITE PROXY"));
        }
        client.expect(&line, 220);
        client.login(&there.login.name, &there.login.password);
        moves_files(&mut client, &there);
        client.expect("QUIT", 221);
    }
    wait::until("nothing is left", || here.keepers().is_empty());
}

#[test]
fn where_only_users_are_led_a_visitor_is_not() {
    let (there, here) = (Server::start(), leading("ProxyClients=users"));
    let line = format!("SITE PROXY {}", there.address());
    let mut client = here.connect();
    client.expect(&line, 530);
    // A name like any other, which nobody has.
    client.expect(&format!("USER {}", name_there(&there)), 331);
    client.expect(&format!("PASS {}", there.login.password), 530);
    client.login(&here.login.name, &here.login.password);
    client.expect(&line, 220);
    client.login(&there.login.name, &there.login.password);
    moves_files(&mut client, &there);
}

#[test]
fn names_with_an_at_that_lead_nowhere_are_users_of_this_server() {
    let here = Setup::new()
        .line("alice@example.org:plain::{password}:{user}:{home}:")
        .setting("Targets=127.0.0.1:1024-65535")
        .start();
    let mut client = here.connect();
    client.login("alice@example.org", &here.login.password);
    client.expect("PWD", 257);
}

#[test]
fn without_targets_nobody_is_led_anywhere() {
    let (there, here) = (Server::start(), Server::start());
    let mut client = here.connect();
    client.expect(&format!("SITE PROXY {}", there.address()), 504);
    client.expect(&format!("USER {}", name_there(&there)), 331);
    client.expect(&format!("PASS {}", there.login.password), 530);
    client.login(&here.login.name, &here.login.password);
    client.expect(&format!("SITE PROXY {}", there.address()), 504);
    assert!(!client.expect("FEAT", 211).text().contains("PROXY"));
}

#[test]
fn both_halves_of_a_session_that_is_led_on_are_nobody_and_sealed() {
    if !require::root() {
        return;
    }
    let (there, here) = (Server::start(), leading("ProxyClients=anybody"));
    let address = there.address();
    for logged_in in [false, true] {
        let mut client = here.connect();
        if logged_in {
            client.login(&here.login.name, &here.login.password);
            client.expect(&format!("SITE PROXY {address}"), 220);
            client.login(&there.login.name, &there.login.password);
        } else {
            client.login(&name_there(&there), &there.login.password);
        }
        // The network half of who was logged in here is the listener's child.
        let mut session = here.keepers();
        session.extend(
            session
                .iter()
                .flat_map(Process::children)
                .collect::<Vec<_>>(),
        );
        session.retain(Process::runs);
        let mut uids: Vec<_> = session
            .iter()
            .map(|process| process.numbers("Uid"))
            .collect();
        uids.sort();
        assert_eq!(uids, [[SESSION_USER; 4], [SESSION_USER + 6; 4]]);
        for process in session {
            let status = process.status();
            for set in ["CapPrm", "CapEff", "CapBnd"] {
                assert_eq!(status[set], "0000000000000000", "{set}");
            }
            assert_eq!(
                (status["Seccomp"].as_str(), status["NoNewPrivs"].as_str()),
                ("2", "1")
            );
        }
        client.expect("QUIT", 221);
        wait::until("nothing is left", || here.keepers().is_empty());
    }
}

#[test]
fn servers_are_spoken_to_under_tls_and_trees_go_both_ways() {
    if !require::programs(&["lftp"]) {
        return;
    }
    let trust = Trust::here();
    let server = trust.certify(Setup::new()).setting("TLSRequired=all");
    let server = server
        .setting("TLSDataBinding=require")
        .setting("TLSPort=0")
        .start();
    let scratch = Scratch::new();
    let sample = scratch.directory("sample");
    tree::furnish(&sample, 1, 4);
    for (how, at) in [
        ("require", server.address()),
        ("implicit", server.log.implicit()),
    ] {
        for active in ["ProxyActive=no", "ProxyActive=yes"] {
            let gateway = GatewaySetup::to_here().by_ftpd().setting(active);
            let gateway = trust.believe(gateway, how).start();
            let mut login = gateway.login(&server.login);
            login.name = format!("{}@{at}", server.login.name);
            let remote = format!("{how}-{}", active.ends_with("yes"));
            Program::Lftp.up(&login, Mode::Passive, &sample, &remote);
            let down = scratch.directory(&remote);
            Program::Lftp.down(&login, Mode::Active, &remote, &down, &sample);
            tree::assert_same(&sample, &down);
        }
    }
}

#[test]
fn after_a_login_the_way_on_is_under_tls_too_and_authorities_are_read_anew() {
    for program in ["ftpd", "ftpproxy"] {
        let (trust, other) = (Trust::here(), Trust::here());
        let there = trust
            .certify(Setup::new())
            .setting("TLSRequired=all")
            .start();
        let setup = GatewaySetup::to_here();
        let setup = match program {
            "ftpd" => setup.by_ftpd(),
            _ => setup,
        };
        let here = other.believe(setup, "require").start();
        let name = name_there(&there);
        let mut client = here.connect();
        client.send(&format!("USER {name}"));
        let reply = client.expect_reply(421);
        assert!(reply.text().contains("nobody who is trusted"), "{reply}");
        std::fs::copy(trust.certificate(), other.certificate()).unwrap();
        here.process().signal(Signal::SIGHUP);
        wait::until("the new authorities are in use", || {
            let mut client = here.connect();
            client.command(&format!("USER {name}")).code == 331
        });
        let mut client = here.connect();
        client.login(&name, &there.login.password);
        moves_files(&mut client, &there);
        std::fs::write(other.certificate(), "nothing").unwrap();
        here.process().signal(Signal::SIGHUP);
        here.log.line_with(&["not read anew"]);
        let mut client = here.connect();
        client.login(&name, &there.login.password);
    }
}
