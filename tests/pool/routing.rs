//! Which server a user is led to, and to which next one when that is of no use.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use tests::client::connect_from;
use tests::{Client, GatewaySetup, Server, require};

use crate::members::{self, Greeter, listed, log_in, routes, served_by, three, user};

#[test]
fn a_user_is_led_to_one_server_and_only_the_users_of_a_dead_one_go_elsewhere() {
    let ([one, two, three], list) = three();
    let gateway = GatewaySetup::before(&list).start();
    let before = routes(&gateway, &one);
    let used: BTreeSet<_> = before.values().collect();
    assert!(used.len() > 1, "{before:?}");
    assert_eq!(routes(&gateway, &one), before);
    // Whose server it is does not depend on the order in the file.
    let other = listed([
        ("three", three.address()),
        ("one", one.address()),
        ("two", two.address()),
    ]);
    let other = GatewaySetup::before(&other).start();
    assert_eq!(routes(&other, &one), before);
    let dead = before["user0"].clone();
    let servers = [("one", one), ("two", two), ("three", three)];
    let alive: Vec<(&str, Server)> = servers
        .into_iter()
        .filter(|(name, _)| *name != dead)
        .collect();
    let after = routes(&gateway, &alive[0].1);
    for (user, at) in &before {
        match *at == dead {
            true => assert_ne!(after[user], dead),
            false => assert_eq!(after[user], *at),
        }
    }
    gateway.log.line_with(&[&dead, "not reached"]);
    gateway.log.line_with(&["login of 'user0' at"]);
}

#[test]
fn a_server_that_is_of_no_use_is_passed_over_before_the_client_hears_anything() {
    let good = members::start("good");
    for greeting in [
        &b"421 Too many of you.\r\n"[..],
        b"530 Go away.\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"220 Hello.\r\n220 Hello.\r\n",
        b"",
    ] {
        let bad = Greeter::start(greeting);
        let list = listed([("bad", bad.address), ("good", good.address())]);
        let gateway = GatewaySetup::before(&list)
            .setting("ServerPatience=5")
            .start();
        for number in 0..4 {
            let mut client = gateway.connect();
            let name = user(number);
            let reply = client.expect(&format!("USER {name}"), 331);
            assert!(!reply.text().contains("many"), "{reply}");
            client.expect(&format!("PASS {}", good.login.password), 230);
            assert_eq!(served_by(&mut client), "good");
        }
        assert!(bad.came() > 0, "nobody was led to the bad one");
    }
}

#[test]
fn a_server_that_says_421_to_the_name_is_passed_over_too() {
    let good = members::start("good");
    let bad = Greeter::start(b"220 Hello.\r\n421 No more sessions for you.\r\n");
    let late = Greeter::run(|stream| {
        use std::io::{Read, Write};
        let _ = stream.write_all(b"220 Hello.\r\n");
        let mut line = [0; 64];
        let _ = stream.read(&mut line);
        let _ = stream.write_all(b"421 No more sessions for you.\r\n");
    });
    let list = listed([
        ("bad", bad.address),
        ("late", late.address),
        ("good", good.address()),
    ]);
    let gateway = GatewaySetup::before(&list).start();
    for number in 0..6 {
        let mut client = log_in(&gateway, &user(number), &good);
        assert_eq!(served_by(&mut client), "good");
    }
    assert!(late.came() > 0);
    gateway.log.line_with(&["late", "it said 421"]);
}

#[test]
fn where_no_server_is_there_the_client_hears_so_once_and_pays_nothing() {
    let bad = Greeter::start(b"421 Full.\r\n");
    let list = listed([("bad", bad.address)]);
    let gateway = GatewaySetup::before(&list).without("Penalty=0");
    let gateway = gateway.setting("Penalty=10").setting("Ban=10").start();
    for _ in 0..5 {
        let mut client = gateway.connect();
        let reply = client.expect("USER me", 421);
        assert!(reply.text().contains("No server is there"), "{reply}");
        client.expect_end();
    }
}

#[test]
fn another_name_goes_to_its_own_server_and_only_so_many_names_are_tried() {
    let ([one, _two, _three], list) = three();
    let gateway = GatewaySetup::before(&list).start();
    let routes = routes(&gateway, &one);
    let other = routes.iter().find(|(_, at)| **at != routes["user0"]);
    let (other, at) = other.unwrap();
    let mut client = gateway.connect();
    client.expect("USER user0", 331);
    client.expect("PASS wrong", 530);
    client.login(other, &one.login.password);
    assert_eq!(served_by(&mut client), *at);
    client.expect("USER user0", 503);

    let mut client = gateway.connect();
    for number in 0..10 {
        client.expect(&format!("USER nobody{number}"), 331);
    }
    client.expect("USER nobody10", 421);
    client.expect_end();
    // The same name again is no other one.
    let mut client = gateway.connect();
    for _ in 0..15 {
        client.expect("USER user0", 331);
    }
    client.expect(&format!("PASS {}", one.login.password), 230);
}

#[test]
fn nobody_says_where_to_go_in_front_of_a_pool() {
    let ([one, _two, _three], list) = three();
    let gateway = GatewaySetup::before(&list).start();
    let mut client = gateway.connect();
    client.expect(
        &format!("SITE PROXY 127.0.0.1 {}", one.address().port()),
        503,
    );
    client.expect("PWD", 530);
    client.expect("FEAT", 211);
    // The name is passed as it is: no server has it.
    client.expect(&format!("USER user0@{}", one.address()), 331);
    client.expect(&format!("PASS {}", one.login.password), 530);
}

#[test]
fn a_file_says_whose_servers_are_which() {
    let ([one, two, three], list) = three();
    let map = tests::Scratch::new();
    let path = map.join("users");
    std::fs::write(&path, "user0 two\nuser1 three one # then the other\n").unwrap();
    tests::scratch::mode(&path, 0o600);
    let gateway = GatewaySetup::before(&list).setting(&format!("UserServers={}", path.display()));
    let gateway = gateway.start();
    let password = &one.login;
    assert_eq!(routes(&gateway, &one)["user0"], "two");
    assert_eq!(routes(&gateway, &one)["user1"], "three");
    drop(three);
    assert_eq!(served_by(&mut log_in(&gateway, "user1", &one)), "one");
    drop(two);
    // Nowhere but where the file says.
    let mut client = gateway.connect();
    client.expect("USER user0", 421);
    let mut client = gateway.connect();
    client.expect("USER user1", 331);
    client.expect(&format!("PASS {}", password.password), 230);
}

#[test]
fn limits_and_penalties_hold_at_the_edge_by_address() {
    let server = members::start("one");
    let gateway = GatewaySetup::before(&listed([("one", server.address())])).without("Penalty=0");
    let gateway = gateway.setting("Penalty=60").setting("Ban=60");
    let gateway = gateway.setting("MaxPerAddress=2").start();
    let from = |last| {
        Client::over(connect_from(
            Ipv4Addr::new(127, 0, 7, last),
            gateway.address,
        ))
    };
    let mut guesses = from(1);
    guesses.expect_reply(220);
    guesses.expect("USER user0", 331);
    guesses.expect("PASS wrong", 530);
    from(1).expect_reply(421);
    // Neither the others nor the server pay for that.
    let mut first = from(2);
    first.expect_reply(220);
    first.login("user0", &server.login.password);
    let mut second = from(2);
    second.expect_reply(220);
    from(2).expect_reply(421);
    from(3).expect_reply(220);
    first.expect("NOOP", 200);
}

#[test]
fn servers_may_be_named_by_their_hosts_which_are_looked_up_for_each_session() {
    if !require::root() || !require::programs(&["unshare", "mount"]) {
        return;
    }
    let ([one, two, three], _) = three();
    let named = [("one", &one), ("two", &two), ("three", &three)];
    let ports = named.map(|(name, server)| (name, server.address().port()));
    let list = ports.map(|(name, port)| format!("{name}={name}.example:{port}"));
    let targets = ports.map(|(name, port)| format!("{name}.example=127.0.0.1:{port}"));
    let hosts = "127.0.0.1 one.example two.example three.example\n";
    let gateway = GatewaySetup::before(&list.join(","))
        .setting(&format!("Targets={}", targets.join(",")))
        .hosts(hosts)
        .start();
    let before = routes(&gateway, &one);
    let used: BTreeSet<_> = before.values().collect();
    assert!(used.len() > 1, "{before:?}");
    // A name that leads nowhere, or where no rule lets it, is as a server that is dead.
    let gone = before["user0"].clone();
    let without = hosts.replace(&format!("{gone}.example"), "");
    std::fs::write(gateway.scratch.join("hosts"), without).unwrap();
    for (user, at) in routes(&gateway, &one) {
        match before[&user] == gone {
            true => assert_ne!(at, gone),
            false => assert_eq!(at, before[&user]),
        }
    }
    gateway.log.line_with(&[&gone, "not reached"]);
}
