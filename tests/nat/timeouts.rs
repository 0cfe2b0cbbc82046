//! Scenarios 4.18 and 4.20: what forgets connections on the way, and links that take small packets only.

use tests::{Data, Setup, wait};

use super::attempt::log_in;
use super::lab::{Lab, Place, SERVER};

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
