//! Scenarios 4.18 and 4.20: what forgets connections on the way, and links that take small packets only.

use std::net::SocketAddr;

use tests::{Client, Data, DataConnection, GatewaySetup, Server, Setup, wait};

use super::attempt::{log_in, log_in_to};
use tests::lab::{CONTENT, Lab, OUTSIDE, Place, SERVER};

/// A transfer that outlasts what the client's gateway remembers of a silent connection; how many packets it has dropped as
/// unknown then.
fn long_transfer(keepalive: &str) -> Option<(Lab, tests::Client, tests::Server)> {
    let lab = Lab::new()?;
    let gateway = Place::ClientsGateway;
    lab.run(
        gateway,
        "iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP",
    );
    lab.set(gateway, "netfilter/nf_conntrack_tcp_loose", "0");
    lab.set(
        gateway,
        "netfilter/nf_conntrack_tcp_timeout_established",
        "4",
    );
    let setup = Setup::new().setting("DownloadRate=8KiB/s");
    let server = lab.serve(setup.setting(keepalive));
    server.put("long", &[b'x'; 64 << 10]);
    let mut client = log_in(&server.login, SERVER);
    let data = client.data(Data::Epsv);
    client.begin("RETR long");
    assert_eq!(data.read_all().len(), 64 << 10);
    Some((lab, client, server))
}

#[test]
fn scenario_4_18_a_silent_control_connection_is_kept_during_a_long_transfer() {
    let Some((_lab, mut client, _server)) = long_transfer("KeepAlive=1") else {
        return;
    };
    client.expect_reply(226);
}

#[test]
fn scenario_4_18_without_that_the_gateway_forgets_it() {
    let Some((lab, client, _server)) = long_transfer("KeepAlive=600") else {
        return;
    };
    wait::until("the gateway drops the reply", || {
        let rules = lab.run(Place::ClientsGateway, "iptables -nvxL FORWARD");
        let rule = rules.lines().find(|line| line.contains("INVALID")).unwrap();
        rule.split_whitespace().next() != Some("0")
    });
    assert!(!client.has_something());
}

#[test]
fn scenario_4_20_a_link_with_small_packets_in_the_middle() {
    let Some(lab) = Lab::new() else { return };
    for place in [Place::ClientsGateway, Place::ServersGateway] {
        lab.run(place, "ip link set v2 mtu 1280");
    }
    let server = lab.serve(Setup::new());
    let large: Vec<u8> = (0..2_000_001_u32).map(|n| (n * 7 % 251) as u8).collect();
    server.put("large", &large);
    let mut client = log_in(&server.login, SERVER);
    for how in Data::ALL {
        client.upload(how, "new", &large);
        assert!(server.content("new") == large, "{how:?}");
        assert!(client.download(how, "large") == large, "{how:?}");
    }
}

/// A download of which the client's gateway lets nothing through: neither what is sent nor what acknowledges it.
fn download_into_nowhere(setting: &str) -> Option<(Lab, Server, Client, DataConnection)> {
    let lab = Lab::new()?;
    let setup = Setup::new().setting("DataConnectionPortRange=50000-50009");
    let server = lab.serve(setup.setting(setting));
    let mut client = log_in(&server.login, SERVER);
    let data = fetch_into_nowhere(&lab, &mut client);
    Some((lab, server, client, data))
}

fn fetch_into_nowhere(lab: &Lab, client: &mut Client) -> DataConnection {
    let data = client.data(Data::Epsv).open();
    lab.run(Place::ClientsGateway, &format!("iptables -A {NOWHERE}"));
    client.begin("RETR file");
    // By then it was sent: the rest is for the client to acknowledge.
    wait::until("the gateway drops the file", || dropped(lab) > 0);
    data
}

const NOWHERE: &str = "FORWARD -p tcp --sport 50000:50009 -j DROP";

/// How many packets of the file were dropped.
fn dropped(lab: &Lab) -> u64 {
    let rules = lab.run(Place::ClientsGateway, "iptables -nvxL FORWARD");
    let rule = rules.lines().find(|line| line.contains("spts:")).unwrap();
    rule.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn scenario_4_20_what_the_client_has_not_acknowledged_is_not_complete() {
    let Some((lab, _server, mut client, data)) = download_into_nowhere("StallTimeout=60") else {
        return;
    };
    // Whoever thinks that sending is enough has said so before.
    client.expect("STAT", 213);
    assert!(!client.has_something());
    lab.run(Place::ClientsGateway, &format!("iptables -D {NOWHERE}"));
    assert_eq!(data.read_all(), CONTENT);
    client.expect_reply(226);
}

#[test]
fn scenario_4_20_a_client_that_vanishes_leaves_no_complete_transfer() {
    let Some((_lab, server, mut client, _data)) = download_into_nowhere("StallTimeout=1") else {
        return;
    };
    let reply = client.expect_reply(426);
    assert!(reply.to_string().contains("no progress"), "{reply}");
    server.log.line_with(&["download of file", "stalled"]);
}

#[test]
fn scenario_4_20_the_word_of_this_system_is_enough_where_a_setting_says_so() {
    let nowhere = download_into_nowhere("AwaitAcknowledgement=no");
    let Some((_lab, _server, mut client, _data)) = nowhere else {
        return;
    };
    client.expect_reply(226);
}

#[test]
fn scenario_4_20_a_gateway_waits_for_the_client_too() {
    let Some(lab) = Lab::new() else { return };
    let server = lab.serve(Setup::new());
    let setup = GatewaySetup::to("10.2.0.0/24:21-65535")
        .on(OUTSIDE.into())
        .port(2121)
        .setting("DataConnectionPortRange=50000-50009")
        .setting("StallTimeout=1");
    let gateway = lab.at(Place::ServersGateway, || setup.start());
    let address = SocketAddr::new(OUTSIDE.into(), 2121);
    let mut client = log_in_to(&gateway.login(&server.login), address);
    let data = fetch_into_nowhere(&lab, &mut client);
    // The server has said long since that the gateway has it all.
    client.expect_reply(426);
    gateway.log.line_with(&["RETR 'file'", "cut off"]);
    drop(data);
}
