//! Scenario 4.9: IPv4 and IPv6 at one server.

use std::net::{IpAddr, SocketAddr, TcpStream};

use tests::{Data, Setup};

use super::attempt::{Attempt, attempt, log_in, log_in_to, pasv};
use tests::lab::{Lab, Place, SERVER};

#[test]
fn scenario_4_9_one_server_for_both_families() {
    let Some(lab) = Lab::new() else { return };
    let server = lab.serve_at(Place::Server, Setup::new().on("::".parse().unwrap()));
    // Over IPv4, at a socket of both families.
    let mut client = log_in(&server.login, SERVER);
    server.log.line_with(&["login of", "from 10.1.0.2"]);
    assert!(!server.log.text().contains("ffff:"));
    assert_eq!(pasv(&mut client).ip(), IpAddr::from(SERVER));
    for how in Data::ALL {
        assert_eq!(attempt(&mut client, how), Attempt::Fine, "{how:?}");
    }
    client.expect("EPSV 1", 229);
    let reply = client.expect("EPSV 2", 522);
    assert!(reply.to_string().contains("(1)"), "{reply}");
    let reply = client.expect("EPRT |2|fd00:1::2|51400|", 522);
    assert!(reply.to_string().contains("(1)"), "{reply}");
    client.expect("LPSV", 228);
    client.expect("LPRT 6,16,253,0,0,1,0,0,0,0,0,0,0,0,0,0,0,2,2,200,200", 521);
    // Over IPv6.
    let address: IpAddr = "fd00:2::2".parse().unwrap();
    let mut client = log_in(&server.login, address);
    server.log.line_with(&["login of", "from fd00:1::2"]);
    let reply = client.expect("PASV", 425);
    assert!(reply.to_string().contains("use EPSV"), "{reply}");
    assert_eq!(attempt(&mut client, Data::Epsv), Attempt::Fine);
    assert_eq!(attempt(&mut client, Data::Eprt), Attempt::Fine);
    client.expect("EPSV 2", 229);
    let reply = client.expect("EPSV 1", 522);
    assert!(reply.to_string().contains("(2)"), "{reply}");
    let reply = client.expect("EPRT |1|10.1.0.2|51400|", 522);
    assert!(reply.to_string().contains("(2)"), "{reply}");
    client.expect("LPSV", 228);
    client.expect("LPRT 4,4,10,1,0,2,2,200,200", 521);
}

#[test]
fn one_server_listens_at_several_addresses_and_ports() {
    let Some(lab) = Lab::new() else { return };
    lab.run(Place::Server, "ip addr add 10.2.0.3/24 dev v3");
    let setup = Setup::new()
        .on(SERVER.into())
        .also_on("10.2.0.3:2121, 10.2.0.3:2122, fd00:2::2");
    let server = lab.serve_at(Place::Server, setup);
    for (address, ways) in [
        ("10.2.0.2:21", &Data::ALL[..]),
        ("10.2.0.3:2121", &Data::ALL),
        ("10.2.0.3:2122", &Data::ALL),
        ("[fd00:2::2]:21", &[Data::Epsv, Data::Eprt]),
    ] {
        let address: SocketAddr = address.parse().unwrap();
        server.log.line_with(&[&format!("listening on {address}")]);
        let mut client = log_in_to(&server.login, address);
        for &how in ways {
            assert_eq!(
                attempt(&mut client, how),
                Attempt::Fine,
                "{address} {how:?}"
            );
        }
    }
    // Nowhere else.
    for address in ["10.2.0.3:21", "10.2.0.2:2121", "[fd00:2::2]:2121"] {
        let address: SocketAddr = address.parse().unwrap();
        assert!(TcpStream::connect(address).is_err(), "{address}");
    }
}

#[test]
fn an_interface_is_all_of_its_addresses() {
    let Some(lab) = Lab::new() else { return };
    lab.run(Place::Server, "ip addr add 10.2.0.3/24 dev v3");
    let loopback = IpAddr::from([127, 0, 0, 1]);
    let server = lab.serve_at(Place::Server, Setup::new().on(loopback).also_on("v3"));
    for address in ["10.2.0.2", "10.2.0.3", "fd00:2::2"] {
        let address: IpAddr = address.parse().unwrap();
        let mut client = log_in(&server.login, address);
        assert_eq!(attempt(&mut client, Data::Epsv), Attempt::Fine, "{address}");
    }
}

#[test]
fn all_addresses_of_ipv6_leave_ipv4_to_who_was_named_for_it() {
    let Some(lab) = Lab::new() else { return };
    let server = lab.serve_at(
        Place::Server,
        Setup::new().on("::".parse().unwrap()).also_on("10.2.0.2"),
    );
    let mut client = log_in(&server.login, SERVER);
    assert_eq!(attempt(&mut client, Data::Pasv), Attempt::Fine);
    let v6: IpAddr = "fd00:2::2".parse().unwrap();
    let mut client = log_in(&server.login, v6);
    assert_eq!(attempt(&mut client, Data::Epsv), Attempt::Fine);
    // Loopback was not named.
    let other = SocketAddr::from(([127, 0, 0, 1], 21));
    let refused = lab.at(Place::Server, || TcpStream::connect(other).is_err());
    assert!(refused);
}
