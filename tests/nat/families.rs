//! Scenario 4.9: IPv4 and IPv6 at one server.

use std::net::IpAddr;

use tests::{Data, Setup};

use super::attempt::{Attempt, attempt, log_in, pasv};
use super::lab::{Lab, Place, SERVER};

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
