//! Sessions that are led to another server: their beginning, their logins and their end are events here.

use serde_json::Value;
use tests::{Server, Setup, wait};

/// A server that leads clients on, with a file of events.
fn leading(settings: &str) -> Server {
    Setup::new()
        .flag(&["-targets", "127.0.0.1:1024-65535", "-loginfaildelay", "0"])
        .toml(&format!(
            "{settings}\n[[hook]]\non = \"all\"\nfile = \"{{scratch}}/events\"\n"
        ))
        .start()
}

/// The events of sessions, once there is so many of the last kind.
#[track_caller]
fn until(here: &Server, kind: &str, count: usize) -> Vec<Value> {
    let path = here.scratch.join("events");
    let mut found: Vec<Value> = Vec::new();
    wait::until(&format!("{count} times {kind}"), || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let lines = text.lines().map(serde_json::from_str);
        found = lines.collect::<Result<_, _>>().unwrap_or_default();
        found.retain(|event| event.get("session").is_some());
        found.iter().filter(|event| event["event"] == kind).count() == count
    });
    found
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect()
}

#[test]
fn a_visitor_who_is_led_elsewhere_logs_in_and_out_there() {
    let (there, here) = (Server::start(), leading(""));
    let name = format!("{}@{}", there.login.name, there.address());
    let mut client = here.connect();
    client.expect(&format!("USER {name}"), 331);
    client.expect("PASS wrong", 530);
    client.login(&name, &there.login.password);
    client.expect("PWD", 257);
    client.expect("QUIT", 221);
    let events = until(&here, "logout", 1);
    assert_eq!(
        kinds(&events),
        ["connect", "login_failed", "login", "logout"]
    );
    for event in &events {
        assert_eq!(event["session"], events[0]["session"]);
        assert_eq!(event["client_address"], "127.0.0.1");
        assert_eq!(event.get("user"), None);
    }
    for event in &events[1..] {
        assert_eq!(event["login"], name);
    }
    assert_eq!(events[1]["result"], "refused");
}

#[test]
fn a_user_who_is_led_elsewhere_logs_out_here() {
    let (there, here) = (Server::start(), leading(""));
    let address = there.address();
    let mut client = here.logged_in();
    client.expect(
        &format!("SITE PROXY {} {}", address.ip(), address.port()),
        220,
    );
    client.login(&there.login.name, &there.login.password);
    client.expect("QUIT", 221);
    let events = until(&here, "logout", 2);
    assert_eq!(
        kinds(&events),
        ["connect", "login", "logout", "login", "logout"]
    );
    assert_eq!(events[2]["reason"], "led to another server");
    assert_eq!(events[2]["user"], here.login.name);
    let elsewhere = format!("{}@{address}", there.login.name);
    assert_eq!(events[3]["login"], elsewhere);
    assert_eq!(events[4]["login"], elsewhere);
    assert_eq!(events[4]["reason"], "quit");
    assert_eq!(events[4]["session_sent"], 0);
    assert_eq!(events[4]["upstream_port"], address.port());
}
