//! Ways that are made for data connections, and closed behind them.

use std::fs;

use tests::{Data, Setup, wait};

use crate::scripts::Script;

fn lines(script: &Script, name: &str) -> Vec<String> {
    let text = fs::read_to_string(script.file(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_way_is_there_before_the_client_hears_of_it_and_gone_before_226() {
    let setup = Setup::new();
    let up = Script::new(&setup, "up", "echo \"up $*\" >> $out/ways");
    let down = Script::new(&setup, "down", "echo \"down $*\" >> $out/ways");
    let server = setup
        .setting(&up.setting("ConnectUpHook"))
        .setting(&down.setting("DataConnectDownScript"))
        .start();
    server.put("file", b"text");
    let mut client = server.logged_in();
    let address = client.passive_address(Data::Epsv);
    let ends = format!("127.0.0.1 0 127.0.0.1 {} FromClient", address.port());
    assert_eq!(lines(&up, "ways"), [format!("up {ends}")]);
    let data = std::net::TcpStream::connect(address).unwrap();
    client.begin("RETR file");
    client.expect_reply(226);
    drop(data);
    assert_eq!(
        lines(&up, "ways"),
        [format!("up {ends}"), format!("down {ends}")]
    );
    // A port that is given up for another one.
    client.passive_address(Data::Epsv);
    client.passive_address(Data::Epsv);
    assert_eq!(lines(&up, "ways").len(), 5);
    // And the last one, when the client vanishes.
    client.reset();
    wait::until("the end of the last way", || lines(&up, "ways").len() == 6);
    let ways = lines(&up, "ways");
    assert_eq!(ways.iter().filter(|way| way.starts_with("down")).count(), 3);
}

#[test]
fn the_end_is_owed_also_when_the_session_is_killed() {
    let setup = Setup::new();
    let down = Script::new(&setup, "down", "echo \"$*\" >> $out/ways");
    let server = setup.setting(&down.setting("ConnectDownHook")).start();
    let mut client = server.logged_in();
    client.passive_address(Data::Epsv);
    server
        .only_keeper()
        .signal(nix::sys::signal::Signal::SIGKILL);
    wait::until("the end of the way", || lines(&down, "ways").len() == 1);
}

/// F7, for what is asked before: its exit status counts, and its words cannot be more than one line of the reply (F9).
#[test]
fn f7_f9_a_hook_can_refuse_in_one_line() {
    let setup = Setup::new();
    let up = Script::new(
        &setup,
        "up",
        "printf 'not today\\r\\n230 You are root\\r\\n'; exit 1",
    );
    let server = setup.setting(&up.setting("ConnectUpHook")).start();
    let mut client = server.logged_in();
    let reply = client.expect("EPSV", 425);
    assert!(reply.text().contains("not today"), "{reply:?}");
    client.expect("NOOP", 200);
}

/// On a server for both families, IPv4 addresses are what they are everywhere else.
#[test]
fn addresses_of_version_4_are_told_as_such() {
    if !tests::require::ipv6() {
        return;
    }
    let setup = Setup::new().on(std::net::Ipv6Addr::UNSPECIFIED.into());
    let login = Script::new(&setup, "in", "cat > $out/part; mv $out/part $out/event");
    let hook = format!("on = 'login'\nexec = ['{}']", login.path.display());
    let server = setup.hook(&hook).start();
    let port = server.address().port();
    let mut client = tests::Client::connect(([127, 0, 0, 1], port).into());
    client.login(&server.login.name, &server.login.password);
    wait::until("the login is told", || login.file("event").exists());
    let event = fs::read_to_string(login.file("event")).unwrap();
    for end in ["client", "server"] {
        assert!(
            event.contains(&format!("\"{end}_address\":\"127.0.0.1\"")),
            "{event}"
        );
    }
}
