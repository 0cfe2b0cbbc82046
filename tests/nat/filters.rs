//! Situations S0 to S3 of the table in doc/networks.md in which nothing but a filter or address translation stands between client
//! and server, over IPv4 and over IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

use tests::client::port_line;
use tests::{Data, Setup, require};

use super::attempt::{Attempt, attempt, log_in};
use super::strangers::{steal, the_client_gets_its_file};
use tests::lab::{CLIENT, Lab, Place, SERVER, SERVER_V6};

/// The server's gateway, as the world sees it.
const OUTSIDE_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 3, 0, 0, 0, 0, 0, 2);

/// One for both families.
fn for_both(setup: Setup) -> Setup {
    setup.on("::".parse().unwrap())
}

/// The ways that there are for data over IPv6.
const WAYS_V6: [Data; 2] = [Data::Epsv, Data::Eprt];

#[test]
fn s0_without_a_filter_every_way_leads() {
    let Some(lab) = Lab::new() else { return };
    let server = lab.serve_at(Place::Server, for_both(Setup::new()));
    let mut client = log_in(&server.login, SERVER);
    for how in Data::ALL {
        assert_eq!(attempt(&mut client, how), Attempt::Fine, "{how:?}");
    }
    let mut client = log_in(&server.login, SERVER_V6);
    for how in WAYS_V6 {
        assert_eq!(attempt(&mut client, how), Attempt::Fine, "{how:?}");
    }
}

#[test]
fn s1_over_ipv6_a_firewall_before_the_client_lets_passive_mode_through() {
    let Some(lab) = Lab::new() else { return };
    for rule in [
        "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        "-i v2 -d fd00:1::/64 -j DROP",
    ] {
        let line = format!("ip6tables -A FORWARD {rule}");
        lab.run(Place::ClientsGateway, &line);
    }
    let server = lab.serve_at(
        Place::Server,
        for_both(Setup::new().setting("DataTimeout=300ms")),
    );
    let mut client = log_in(&server.login, SERVER_V6);
    assert_eq!(attempt(&mut client, Data::Eprt), Attempt::Refused(425));
    server
        .log
        .line_with(&["data connection to [fd00:1::2]:", "DataTimeout"]);
    assert_eq!(attempt(&mut client, Data::Epsv), Attempt::Fine);
}

#[test]
fn s2_client_behind_address_translation_has_passive_mode() {
    let Some(lab) = Lab::new() else { return };
    lab.masquerade(Place::ClientsGateway);
    let server = lab.serve(Setup::new());
    let mut client = log_in(&server.login, SERVER);
    assert_eq!(attempt(&mut client, Data::Pasv), Attempt::Fine);
    assert_eq!(attempt(&mut client, Data::Epsv), Attempt::Fine);
    // The address that it has at home is nobody's here.
    assert_eq!(attempt(&mut client, Data::Port), Attempt::Refused(501));
    assert_eq!(attempt(&mut client, Data::Eprt), Attempt::Refused(501));
}

#[test]
fn s2_a_gateway_that_reads_along_puts_its_own_address_into_port() {
    let Some(lab) = Lab::new() else { return };
    lab.masquerade(Place::ClientsGateway);
    if !lab.can_help(Place::ClientsGateway) {
        require::missing("the kernel's helper for FTP (nf_conntrack_ftp)");
        return;
    }
    let server = lab.serve(Setup::new());
    let mut client = log_in(&server.login, SERVER);
    for how in Data::ALL {
        assert_eq!(attempt(&mut client, how), Attempt::Fine, "{how:?}");
    }
    // And only its own: what leads to others, the server refuses.
    let listener = TcpListener::bind((CLIENT, 0)).unwrap();
    let mut foreign = listener.local_addr().unwrap();
    foreign.set_ip(IpAddr::from(Ipv4Addr::new(10, 1, 0, 9)));
    client.expect(&port_line(foreign), 501);
}

#[test]
fn s3_over_ipv6_the_range_is_all_that_has_to_be_handed_on() {
    let Some(lab) = Lab::new() else { return };
    lab.run(Place::ClientsGateway, "ip -6 route del fd00:2::/64");
    let forward = |ports: &str| {
        let line = format!(
            "ip6tables -t nat -A PREROUTING -d {OUTSIDE_V6} -p tcp --dport {ports} -j DNAT --to-destination {SERVER_V6}"
        );
        lab.run(Place::ServersGateway, &line);
    };
    forward("21");
    let setup = Setup::new().setting("DataConnectionPortRange=50000-50010");
    let server = lab.serve_at(Place::Server, for_both(setup));
    let mut client = log_in(&server.login, OUTSIDE_V6);
    // It goes to where the control connection went, which has no address to be told.
    let gateway = Attempt::Unreachable(OUTSIDE_V6.into());
    assert_eq!(attempt(&mut client, Data::Epsv), gateway);
    forward("50000:50010");
    assert_eq!(attempt(&mut client, Data::Epsv), Attempt::Fine);
    client.expect("PASV", 425);
}

#[test]
fn attack_38_scenario_4_12_over_ipv6_who_comes_first_gets_nothing() {
    let Some(lab) = Lab::new() else { return };
    let server = lab.serve_at(Place::Server, for_both(Setup::new()));
    let mut client = log_in(&server.login, SERVER_V6);
    let port = client.passive_address(Data::Epsv);
    let thief = steal(&lab, port);
    the_client_gets_its_file(&mut client, port, &thief);
    server.log.line_with(&[
        "data connection from [fd00:2::1]",
        "dropped: it is not the client fd00:1::2",
    ]);
}
