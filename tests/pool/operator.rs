//! Whoever runs the gateway: how the servers are, and taking one out of service.

use serde_json::Value;
use tests::{Data, Gateway, GatewaySetup, wait};

use crate::members::{
    Greeter, NAMES, listed, log_in, routes, served_by, three, told, user, watchful,
};

fn operated(setup: GatewaySetup) -> Gateway {
    let setup = setup.setting("ControlSocket={scratch}/socket");
    setup.start()
}

#[track_caller]
fn status(gateway: &Gateway) -> Vec<Value> {
    let told = gateway.ask(&["--status", "--json"]);
    assert!(told.status.success(), "{told:?}");
    let text = String::from_utf8(told.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

#[track_caller]
fn one(gateway: &Gateway, server: &str) -> Value {
    let all = status(gateway);
    let found = all.into_iter().find(|one| one["server"] == server);
    found.expect("it is listed")
}

#[test]
fn the_status_tells_of_each_server() {
    let ([one_of_them, _two, _three], list) = three();
    let bad = Greeter::start(b"421 Full.\r\n");
    let list = format!("{list},{}", listed([("bad", bad.address)]));
    let gateway = operated(watchful(&list));
    for name in NAMES {
        told(&gateway, name, "up");
    }
    told(&gateway, "bad", "down");
    let mut client = log_in(&gateway, "user0", &one_of_them);
    let at = served_by(&mut client);
    let all = status(&gateway);
    let names: Vec<_> = all
        .iter()
        .map(|one| one["server"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["one", "two", "three", "bad"]);
    for server in &all {
        let name = server["server"].as_str().unwrap();
        let (state, reason) = match name {
            "bad" => ("down", "it greets with 421"),
            _ => ("up", "it is well"),
        };
        assert_eq!(
            (&server["state"], &server["reason"]),
            (&state.into(), &reason.into())
        );
        assert_eq!(server["sessions"], u32::from(name == at));
        assert_eq!(server["draining"], false);
        assert!(server["seconds"].as_u64().unwrap() < 3600);
    }
    let text = gateway.ask(&["--status"]).stdout;
    let text = String::from_utf8(text).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "SERVER\tADDRESS\tSTATE\tFOR\tSESSIONS\tREASON");
    assert!(
        lines[4].starts_with("bad\t") && lines[4].ends_with("\t0\tit greets with 421"),
        "{text}"
    );
    // Sessions are listed with their server, and can be ended.
    let told = gateway.ask(&["--who", "--json"]);
    let session: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(
        (&session["user"], &session["server"]),
        (&"user0".into(), &at.into())
    );
    let number = session["id"].to_string();
    assert!(gateway.ask(&["--kick", &number]).status.success());
    assert!(client.try_reply().is_none_or(|reply| reply.code == 421));
    wait::until("no session is left", || {
        status(&gateway)
            .iter()
            .all(|server| server["sessions"] == 0)
    });
}

#[test]
fn a_drain_lets_sessions_end_and_cuts_no_file_off() {
    let ([first, second, third], list) = three();
    let octets: Vec<u8> = (0..8_000_000u32).map(|n| (n % 251) as u8).collect();
    for server in [&first, &second, &third] {
        server.put("large", &octets);
    }
    let gateway = operated(GatewaySetup::before(&list));
    let before = routes(&gateway, &first);
    let mut client = log_in(&gateway, "user0", &first);
    let at = before["user0"].clone();
    let down = client.data(Data::Epsv);
    client.begin("RETR large");
    let down = down.open();
    let mut got = down.read_some(1000);
    let mut other = log_in(&gateway, "user0", &first);
    let up = other.data(Data::Epsv);
    other.begin("STOR copy");
    let up = up.open();
    up.write(&octets[..1000]);
    // Its name was heard, and it may go on.
    let mut late = gateway.connect();
    late.expect("USER user0", 331);

    assert!(gateway.ask(&["--drain", &at]).status.success());
    gateway.log.line_with(&[&at, "gets no new sessions"]);
    assert_eq!(one(&gateway, &at)["draining"], true);
    assert_eq!(one(&gateway, &at)["sessions"], 3);
    for (user, now) in routes(&gateway, &first) {
        match before[&user] == at {
            true => assert_ne!(now, at),
            false => assert_eq!(now, before[&user]),
        }
    }
    // What each does can be seen meanwhile.
    wait::until("what they do is listed", || {
        let told = gateway.ask(&["--who", "--json"]);
        let text = String::from_utf8(told.stdout).unwrap();
        let sessions = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut does: Vec<_> = sessions
            .filter(|session| session["octets"].as_u64() > Some(0))
            .map(|session| format!("{} {}", session["command"], session["argument"]))
            .collect();
        does.sort();
        does == ["\"RETR\" \"large\"", "\"STOR\" \"copy\""]
    });
    got.extend(down.read_all());
    assert!(got == octets, "{} octets", got.len());
    client.expect_reply(226);
    up.write(&octets[1000..]);
    up.write_all_and_close(b"");
    other.expect_reply(226);
    let servers = NAMES.iter().zip([&first, &second, &third]);
    let (_, server) = servers.into_iter().find(|(name, _)| **name == at).unwrap();
    assert!(server.content("copy") == octets);
    late.expect(&format!("PASS {}", first.login.password), 230);
    assert_eq!(served_by(&mut late), at);
    for mut session in [client, other, late] {
        session.expect("QUIT", 221);
    }
    wait::until("it has drained", || one(&gateway, &at)["sessions"] == 0);
    assert!(gateway.ask(&["--undrain", &at]).status.success());
    assert_eq!(routes(&gateway, &first), before);
}

#[test]
fn what_is_asked_wrongly_is_answered_by_a_sentence() {
    let (_servers, list) = three();
    let gateway = operated(GatewaySetup::before(&list).setting("Draining=two"));
    for (words, sentence) in [
        (
            ["--drain", "four"],
            "four: Servers has no server of this name",
        ),
        (["--undrain", "two"], "two: Draining names it"),
        (["--kick", "1"], "no such session"),
    ] {
        let told = gateway.ask(&words);
        assert_eq!(told.status.code(), Some(1), "{told:?}");
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(said.contains(sentence), "{said}");
    }
    assert_eq!(one(&gateway, "two")["draining"], true);
    let plain = operated(GatewaySetup::to_here());
    let told = plain.ask(&["--status"]);
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(said.contains("there is no pool"), "{said}");
}

#[test]
fn servers_are_read_anew_and_running_sessions_keep_theirs() {
    let ([first, second, third], list) = three();
    let gateway = operated(watchful(&list));
    for name in NAMES {
        told(&gateway, name, "up");
    }
    let before = routes(&gateway, &first);
    let at = before["user0"].clone();
    let mut stays = log_in(&gateway, "user0", &first);
    let other = if at == "one" { "two" } else { "one" };
    assert!(gateway.ask(&["--drain", other]).status.success());
    let rest: Vec<_> = NAMES.iter().zip([&first, &second, &third]).collect();
    let others = rest.iter().filter(|(name, _)| **name != at);
    let without = listed(others.map(|(name, server)| (**name, server.address())));
    let common = "Penalty=0\nHealthInterval=1\nHealthDown=1\nHealthUp=1\n";
    let socket = gateway.scratch.join("socket");
    let common = format!("{common}ControlSocket={}\n", socket.display());
    gateway.reload(
        &format!("Servers={without}\nDraining=four\n{common}"),
        &["not read anew", "Draining names \"four\""],
    );
    gateway.reload(
        &format!("Servers={without}\n{common}"),
        &["settings: read anew"],
    );
    assert_eq!(status(&gateway).len(), 2);
    // What was known is known still: nobody waits for the next look.
    assert!(
        status(&gateway)
            .iter()
            .all(|server| server["state"] == "up")
    );
    assert_eq!(served_by(&mut stays), at);
    // And so is what the operator wants.
    assert_eq!(one(&gateway, other)["draining"], true);
    let mut client = log_in(&gateway, &user(0), &first);
    assert_ne!(served_by(&mut client), at);
    assert!(gateway.ask(&["--who"]).status.success());
}
