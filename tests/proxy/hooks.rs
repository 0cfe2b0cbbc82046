//! Hooks of a gateway: on the data connections of both sides, and on what sessions do.

use std::collections::BTreeSet;
use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;
use tests::processes::Process;
use tests::{Data, Gateway, GatewaySetup, Login, Scratch, Server, wait};

use crate::scripts::Script;

fn lines(script: &Script, name: &str) -> Vec<String> {
    let text = fs::read_to_string(script.file(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// `ftpproxy`, and `ftpd` where it leads clients on; each with the setting that has servers connect.
fn gateways() -> [(&'static str, GatewaySetup); 2] {
    [
        ("NoPassive", GatewaySetup::to_here()),
        ("ProxyActive", GatewaySetup::to_here().by_ftpd()),
    ]
}

#[test]
fn each_side_has_its_ways_before_a_transfer_and_they_are_gone_before_226() {
    let server = Server::start();
    server.put("file", b"text");
    for (active, how, sides) in [
        ("no", Data::Epsv, ["FromClient", "ToServer"]),
        ("yes", Data::Eprt, ["ToClient", "FromServer"]),
    ] {
        for (key, setup) in gateways() {
            let scratch = Scratch::new();
            let place = scratch.path();
            let up = Script::within(place, "up", "echo \"$*\" >> $out/up");
            let down = Script::within(place, "down", "echo \"$*\" >> $out/down");
            let gateway = setup
                .setting(&format!("{key}={active}"))
                .setting(&up.setting("ConnectUpHook"))
                .setting(&down.setting("ConnectDownHook"))
                .start();
            let mut client = gateway.connect();
            client.login(&gateway.login(&server.login).name, &server.login.password);
            assert_eq!(client.download(how, "file"), b"text");
            // Its reply has come, so all is over.
            let told = lines(&up, "up");
            let ups: BTreeSet<_> = told.iter().cloned().collect();
            let kinds: BTreeSet<_> = told
                .iter()
                .filter_map(|way| way.rsplit(' ').next())
                .collect();
            assert_eq!(kinds, BTreeSet::from(sides), "{told:?}");
            assert_eq!(told.len(), 2, "{told:?}");
            let downs: BTreeSet<_> = lines(&down, "down").into_iter().collect();
            assert_eq!(downs, ups);
            client.upload(how, "up", b"more");
            assert_eq!(lines(&up, "up").len(), 4);
            assert_eq!(lines(&down, "down").len(), 4);
            // A port that is given up, and one whose session is killed.
            client.passive_address(Data::Epsv);
            client.expect("ABOR", 226);
            client.passive_address(Data::Epsv);
            let up_before = lines(&up, "up").len();
            for dialer in gateway.dialers() {
                dialer.signal(Signal::SIGKILL);
            }
            wait::until("the end of the last ways", || {
                lines(&down, "down").len() == up_before
            });
        }
    }
}

#[test]
fn a_hook_refuses_one_side_in_its_words_and_the_session_goes_on() {
    let server = Server::start();
    server.put("file", b"text");
    let scratch = Scratch::new();
    let body =
        "if [ -e $out/no ] && [ $5 = \"$(cat $out/no)\" ]; then echo 'not this way'; exit 1; fi";
    let up = Script::within(scratch.path(), "up", body);
    let gateway = GatewaySetup::to_here()
        .setting(&up.setting("ConnectUpHook"))
        .start();
    let mut client = gateway.connect();
    client.login(&gateway.login(&server.login).name, &server.login.password);
    for (refused, how) in [
        ("FromClient", Data::Epsv),
        ("ToServer", Data::Epsv),
        ("ToClient", Data::Eprt),
    ] {
        fs::write(up.file("no"), refused).unwrap();
        let told = match refused {
            "FromClient" => client.expect("EPSV", 425).to_string(),
            _ => {
                let _data = client.data(how);
                client.expect("STOR empty", 425).to_string()
            }
        };
        assert!(told.contains("not this way"), "{refused}: {told}");
        fs::remove_file(up.file("no")).unwrap();
        assert_eq!(client.download(how, "file"), b"text");
    }
    // Nothing that was refused became an empty file.
    assert!(!server.names().contains(&"empty".to_owned()));
}

#[test]
fn sessions_of_inetd_and_those_led_into_a_pool_have_hooks_too() {
    let server = Server::start();
    server.put("file", b"text");
    let (at, Login { name, password, .. }) = (server.address(), &server.login);
    let named = GatewaySetup::to_here().without("Penalty=0");
    let pool = GatewaySetup::before(&format!("one={at}"));
    for (setup, inetd, name) in [
        (named, true, format!("{name}@{at}")),
        (pool, false, name.clone()),
    ] {
        let scratch = Scratch::new();
        let login = Script::within(scratch.path(), "login", "echo \"$1\" >> $out/login");
        let up = Script::within(scratch.path(), "up", "echo \"$4 $5\" >> $out/up");
        let setup = setup
            .setting(&login.setting("LogonHook"))
            .setting(&up.setting("ConnectUpHook"));
        let (_gateway, mut client) = match inetd {
            true => {
                let (gateway, mut client) = setup.inetd_for_client();
                client.expect_reply(220);
                (gateway, client)
            }
            false => {
                let gateway = setup.start();
                let client = gateway.connect();
                (gateway, client)
            }
        };
        client.login(&name, password);
        assert_eq!(client.download(Data::Epsv, "file"), b"text");
        wait::until("the login is told", || !lines(&login, "login").is_empty());
        assert_eq!(lines(&login, "login"), [name]);
        let ups = lines(&up, "up");
        assert_eq!(ups.len(), 2, "{ups:?}");
        for way in ["FromClient", "ToServer"] {
            assert!(ups.iter().any(|up| up.ends_with(way)), "{ups:?}");
        }
        client.expect("QUIT", 221);
    }
}

/// The events of sessions, once there is one of this kind for this login.
#[track_caller]
fn events(gateway: &Gateway, kind: &str) -> Vec<Value> {
    let path = gateway.scratch.join("events");
    let mut found: Vec<Value> = Vec::new();
    wait::until(kind, || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let lines = text.lines().map(serde_json::from_str);
        found = lines.collect::<Result<_, _>>().unwrap_or_default();
        found.iter().any(|event| event["event"] == kind)
    });
    found
}

const TARGETS: &str = "servers.targets = [\"127.0.0.1:1024-65535\"]\nlimits.penalty = 0\n";

#[test]
fn events_have_the_client_the_server_and_the_login_and_no_password() {
    let server = Server::start();
    let gateway = GatewaySetup::to_here()
        .toml(&format!(
            "{TARGETS}[[hook]]\non = \"all\"\nfile = \"{{scratch}}/events\"\n"
        ))
        .start();
    let name = gateway.login(&server.login).name;
    let mut client = gateway.connect();
    client.expect(&format!("USER {name}"), 331);
    client.expect("PASS sesame-not", 530);
    client.login(&name, &server.login.password);
    client.upload(Data::Epsv, "file", b"seven..");
    client.expect("QUIT", 221);
    let mut all = events(&gateway, "logout");
    let text = format!("{all:?}");
    assert!(
        !text.contains("sesame-not") && !text.contains(&server.login.password),
        "{text}"
    );
    all.retain(|event| event.get("session").is_some());
    let kinds: Vec<_> = all
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "connect",
            "login_failed",
            "login",
            "data_up",
            "data_up",
            "data_down",
            "data_down",
            "logout"
        ]
    );
    for event in &all {
        assert_eq!(event["session"], all[0]["session"]);
        assert_eq!(event["client_address"], "127.0.0.1");
        assert_eq!(event["server_port"], gateway.address.port());
    }
    for event in &all[1..] {
        assert_eq!(event["login"], name, "{event}");
        assert_eq!(event["upstream_address"], "127.0.0.1");
        assert_eq!(event["upstream_port"], server.address().port());
    }
    let to_server = &all[4];
    assert_eq!(to_server["connection"], "ToServer");
    assert_ne!(to_server["destination_port"], all[3]["destination_port"]);
    let end = &all[7];
    assert_eq!(end["reason"], "quit");
    assert_eq!(end["session_received"], 7);
    assert_eq!(end["session_sent"], 0);
}

#[test]
fn a_hookd_that_is_killed_comes_back_and_without_hooks_there_is_none() {
    let server = Server::start();
    let plain = GatewaySetup::to_here().start();
    let gateway = GatewaySetup::to_here()
        .toml(&format!(
            "{TARGETS}[[hook]]\non = [\"login\", \"data_down\"]\nfile = \"{{scratch}}/events\"\n"
        ))
        .start();
    let own = plain.process().children().len();
    let children = || gateway.process().children();
    assert_eq!(children().len(), own + 1);
    let mut client = gateway.connect();
    client.login(&gateway.login(&server.login).name, &server.login.password);
    events(&gateway, "login");
    client.passive_address(Data::Epsv);
    let dialers = gateway.dialers();
    let servants: Vec<Process> = children()
        .into_iter()
        .filter(|child| !dialers.contains(child))
        .collect();
    // The last one that was started before clients came.
    let hookd = servants.last().unwrap();
    hookd.signal(Signal::SIGKILL);
    hookd.wait_for_end();
    client.expect("ABOR", 226);
    events(&gateway, "data_down");
    client.upload(Data::Epsv, "file", b"content");
    client.expect("QUIT", 221);
    wait::until("it is there again", || children().len() == own + 1);
}

#[test]
fn check_says_which_hooks_a_gateway_cannot_have() {
    for (lines, sentence) in [
        (
            "on = 'upload'\nexec = ['/bin/true']",
            "a gateway has no event \"upload\"",
        ),
        (
            "commands = ['DELE']\nexec = ['/bin/true']",
            "commands are the server's",
        ),
        ("on = 'login'\nexec = ['/no/such']", "/no/such"),
        (
            "on = 'login'\nexec = ['/bin/true']\nrun-as = 'user'",
            "run-as",
        ),
    ] {
        let scratch = Scratch::new();
        let file = scratch.join("c.toml");
        fs::write(
            &file,
            format!("listen.port = 2121\n{TARGETS}[[hook]]\n{lines}\n"),
        )
        .unwrap();
        tests::scratch::mode(&file, 0o600);
        let told = std::process::Command::new(tests::binaries::path("ftpproxy"))
            .arg("-f")
            .arg(&file)
            .arg("--check")
            .output()
            .unwrap();
        let text = String::from_utf8(told.stderr).unwrap();
        assert_eq!(told.status.code(), Some(1), "{lines}: {text}");
        assert!(text.contains(sentence), "{lines}: {text}");
    }
}
