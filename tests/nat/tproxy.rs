//! Clients that a firewall brings to a gateway by TPROXY: neither they nor their servers see anything of it, by whom they are
//! connected to either.

use std::fs;
use std::net::{IpAddr, Ipv6Addr};

use tests::real::{Mode, Program};
use tests::{Client, Data, Gateway, GatewaySetup, Login, Scratch, Server, require, tree, wait};

use crate::scripts::Script;
use crate::transparent::{WAYS_V6, moves_files_of, server, who_may};
use tests::lab::{CLIENT, Lab, Place, SERVER, SERVER_V6};

/// The rules of doc/gateway.md: what belongs to a socket of the gateway's, and what begins at port 21, is for this machine.
const RULES: &str = "table inet ftpproxy {
  chain prerouting {
    type filter hook prerouting priority mangle; policy accept;
    tcp dport != 2121 socket transparent 1 meta mark set 1 accept
    WHERE tcp dport 21 meta mark set 1 tproxy to :2121 accept
  }
}
";

fn targets() -> GatewaySetup {
    GatewaySetup::to("10.2.0.0/24,[fd00:2::/64]:21,10.1.0.0/24:21-3000")
}

/// A gateway between client and server, for both families, and packets of `interface` for it; `None` where the kernel cannot.
fn start(lab: &Lab, setup: GatewaySetup, interface: &str) -> Option<Gateway> {
    let place = Place::ClientsGateway;
    let rules = RULES.replace("WHERE", interface);
    if !require::programs(&["nft"]) || !lab.feed(place, "nft -f -", &rules) {
        require::missing("TPROXY in the kernel");
        return None;
    }
    for family in ["-4", "-6"] {
        lab.run(place, &format!("ip {family} rule add fwmark 1 lookup 100"));
        let all = format!("ip {family} route add local default dev lo table 100");
        lab.run(place, &all);
    }
    let setup = setup
        .setting("TProxy")
        .on(Ipv6Addr::UNSPECIFIED.into())
        .port(2121);
    Some(lab.at(place, || setup.start()))
}

const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 2);

/// Both ways in every mode, to a server of each family, which knows the client alone.
fn moves_files(lab: &Lab, setup: GatewaySetup, what: &str) {
    let four = server(lab, SERVER.into());
    let six = server(lab, SERVER_V6.into());
    let Some(gateway) = start(lab, setup, "iifname v1") else {
        return;
    };
    let families: [(&Server, IpAddr, &[Data]); 2] = [
        (&four, CLIENT.into(), &Data::ALL),
        (&six, CLIENT_V6.into(), &WAYS_V6),
    ];
    for (server, client_address, ways) in families {
        moves_files_of(&gateway, server, ways, what);
        let from = client_address.to_string();
        server.log.line_with(&["login", &server.login.name, &from]);
        for gateways in ["10.1.0.1", "203.0.113.", "fd00:1::1 ", "fd00:3::"] {
            assert!(!server.log.text().contains(gateways), "{gateways}");
        }
    }
}

#[test]
fn servers_see_the_clients_own_address_whoever_opens_the_data_connections() {
    for setting in ["NoPassive=no", "NoPassive=yes"] {
        let Some(lab) = Lab::new() else { return };
        moves_files(&lab, targets().setting(setting), setting);
    }
}

#[test]
fn hooks_hear_that_it_is_the_clients_own_address_on_both_sides() {
    let Some(lab) = Lab::new() else { return };
    let server = server(&lab, SERVER.into());
    server.put("file", b"text");
    let scratch = Scratch::new();
    let up = Script::within(scratch.path(), "up", "echo \"$1 $3 $5\" >> $out/up");
    let setup = targets().setting(&up.setting("ConnectUpHook"));
    let Some(gateway) = start(&lab, setup, "iifname v1") else {
        return;
    };
    let mut client = Client::connect(server.address());
    client.login(&server.login.name, &server.login.password);
    assert_eq!(client.download(Data::Epsv, "file"), b"text");
    let told = fs::read_to_string(up.file("up")).unwrap();
    for way in ["FromClient", "ToServer"] {
        let line = format!("{CLIENT} {SERVER} {way}\n");
        assert!(told.contains(&line), "{told}");
    }
    client.expect("QUIT", 221);
    drop(gateway);
}

#[test]
fn ftpd_does_so_as_well() {
    for setting in ["ProxyActive=no", "ProxyActive=yes"] {
        let Some(lab) = Lab::new() else { return };
        moves_files(&lab, targets().by_ftpd().setting(setting), setting);
    }
}

#[test]
fn trees_go_both_ways_by_real_clients() {
    if !require::programs(&["curl", "lftp"]) {
        return;
    }
    let Some(lab) = Lab::new() else { return };
    let servers = [server(&lab, SERVER.into()), server(&lab, SERVER_V6.into())];
    let Some(gateway) = start(&lab, targets(), "iifname v1") else {
        return;
    };
    let scratch = Scratch::new();
    let sample = scratch.directory("sample");
    tree::furnish(&sample, 2, 4);
    for server in &servers {
        let login: &Login = &server.login;
        for client in [Program::Curl, Program::Lftp] {
            for mode in [Mode::Passive, Mode::Active] {
                if !client.can(mode, login) {
                    continue;
                }
                let remote = format!("{client:?}{mode:?}");
                client.up(login, mode, &sample, &remote);
                let down = scratch.directory(&format!("{remote}{}", login.address.is_ipv4()));
                client.down(login, mode, &remote, &down, &sample);
                tree::assert_same(&sample, &down);
            }
        }
        gateway
            .log
            .line_with(&["connected to", &login.address.to_string()]);
    }
}

#[test]
fn nobody_comes_to_the_gateway_itself_or_back_to_it() {
    let Some(lab) = Lab::new() else { return };
    let server = server(&lab, SERVER.into());
    // A rule for all interfaces, and one that brings the gateway's own connections back over the loopback.
    let Some(gateway) = start(&lab, targets().setting("LogLevel=commands"), "") else {
        return;
    };
    for address in ["10.1.0.1:2121", "10.1.0.1:21"] {
        let mut client = Client::connect_quietly(address.parse::<std::net::SocketAddr>().unwrap());
        client.expect_reply(421);
        client.expect_end();
    }
    let place = Place::ClientsGateway;
    lab.set(place, "ipv4/ip_local_port_range", "40000 40999");
    lab.set(Place::Client, "ipv4/ip_local_port_range", "50000 50999");
    for which in ["--dport 21", "--sport 21 --dport 40000:40999"] {
        let rule = format!("iptables -t mangle -A OUTPUT -p tcp {which} -j MARK --set-mark 1");
        lab.run(place, &rule);
    }
    let mut client = Client::connect_quietly(server.address());
    client.expect_reply(421);
    client.expect_end();
    gateway.log.line_with(&["leads back to this gateway"]);
    wait::until("nothing is left", || gateway.dialers().is_empty());
    assert_eq!(gateway.log.text().matches("leads back").count(), 1);
}

#[test]
fn the_dialer_alone_keeps_a_capability_and_only_for_tproxy() {
    let Some(lab) = Lab::new() else { return };
    let server = server(&lab, SERVER.into());
    let Some(gateway) = start(&lab, targets(), "iifname v1") else {
        return;
    };
    let _client = Client::connect(server.address());
    let [dialer] = &gateway.dialers()[..] else {
        panic!("one session has one dialer");
    };
    // CAP_NET_RAW, which a filter leaves nothing but addresses of.
    assert_eq!(dialer.status()["CapEff"], "0000000000002000");
    assert_eq!(dialer.status()["CapBnd"], "0000000000000000");
    for network_half in dialer.children() {
        assert_eq!(network_half.status()["CapEff"], "0000000000000000");
    }
}

#[test]
fn without_root_there_is_no_tproxy() {
    let gateway = GatewaySetup::to_here().rootless();
    gateway.setting("TProxy").refused("TProxy needs root");
}

#[test]
fn rules_of_users_hold_there_too() {
    let Some(lab) = Lab::new() else { return };
    let server = server(&lab, SERVER.into());
    let rules = format!("UserTargets={}@10.2.0.0/24", server.login.name);
    let Some(gateway) = start(&lab, targets().setting(&rules), "iifname v1") else {
        return;
    };
    who_may(&gateway, &server);
}
