//! Clients that a firewall redirects to a gateway: they know nothing of it, and it goes where they went.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::process::Command;

use tests::{Client, Data, Gateway, GatewaySetup, Scratch, Server, Setup, binaries, require, wait};

use tests::lab::{CONTENT, Lab, Place, SERVER, SERVER_V6};

/// Passive ports, which are redirected too: after EPSV clients go to the server's address.
const PORTS: &str = "50000:50999";

/// A gateway between client and server, for both families.
fn gateway(lab: &Lab, setting: &str) -> Gateway {
    let setup = GatewaySetup::to("10.2.0.0/24,[fd00:2::/64]:21,10.1.0.0/24:21-3000");
    start(lab, setup.setting(setting))
}

fn start(lab: &Lab, setup: GatewaySetup) -> Gateway {
    let setup = setup
        .setting("Transparent")
        .setting("DataConnectionPortRange=50000-50999")
        .on(Ipv6Addr::UNSPECIFIED.into())
        .port(2121);
    let gateway = lab.at(Place::ClientsGateway, || setup.start());
    for table in ["iptables", "ip6tables"] {
        redirect(lab, table);
    }
    gateway
}

/// Has clients come to the gateway's port.
fn redirect(lab: &Lab, table: &str) {
    let rule = format!("{table} -t nat -A PREROUTING -i v1 -p tcp --dport");
    lab.run(
        Place::ClientsGateway,
        &format!("{rule} 21 -j REDIRECT --to-ports 2121"),
    );
    lab.run(
        Place::ClientsGateway,
        &format!("{rule} {PORTS} -j REDIRECT"),
    );
}

pub(crate) fn server(lab: &Lab, address: IpAddr) -> Server {
    let server = lab.at(Place::Server, || Setup::new().on(address).port(21).start());
    server.put("file", CONTENT);
    server
}

/// The ways of data connections over IPv6.
pub(crate) const WAYS_V6: [Data; 2] = [Data::Epsv, Data::Eprt];

/// Both ways in every mode, to a server of each family.
fn moves_files(gateway: &Gateway, four: &Server, six: &Server, what: &str) {
    moves_files_of(gateway, four, &Data::ALL, what);
    moves_files_of(gateway, six, &WAYS_V6, what);
}

/// The same to one server.
pub(crate) fn moves_files_of(gateway: &Gateway, server: &Server, ways: &[Data], what: &str) {
    let mut client = Client::connect(server.address());
    client.login(&server.login.name, &server.login.password);
    for &how in ways {
        assert_eq!(client.download(how, "file"), CONTENT, "{how:?}, {what}");
        client.upload(how, "up", what.as_bytes());
        assert_eq!(server.content("up"), what.as_bytes());
    }
    client.expect("QUIT", 221);
    let place = server.address().to_string();
    gateway.log.line_with(&["connected to", &place]);
}

#[test]
fn redirected_clients_move_files_in_every_mode() {
    let Some(lab) = Lab::new() else { return };
    let four = server(&lab, SERVER.into());
    let six = server(&lab, SERVER_V6.into());
    for setting in ["NoPassive=no", "NoPassive=yes"] {
        let gateway = gateway(&lab, setting);
        moves_files(&gateway, &four, &six, setting);
        drop(gateway);
        for table in ["iptables", "ip6tables"] {
            lab.run(
                Place::ClientsGateway,
                &format!("{table} -t nat -F PREROUTING"),
            );
        }
    }
}

#[test]
fn ftpd_serves_redirected_clients_as_well() {
    let Some(lab) = Lab::new() else { return };
    let four = server(&lab, SERVER.into());
    let six = server(&lab, SERVER_V6.into());
    let setup = GatewaySetup::to("10.2.0.0/24,[fd00:2::/64]:21").by_ftpd();
    moves_files(&start(&lab, setup), &four, &six, "ftpd");
}

#[test]
fn who_comes_by_itself_or_goes_elsewhere_is_sent_away() {
    let Some(lab) = Lab::new() else { return };
    let _server = server(&lab, SERVER.into());
    let gateway = gateway(&lab, "LogLevel=commands");
    for address in ["10.1.0.1:2121", "10.1.0.1:21", "203.0.113.2:21"] {
        let mut client = Client::connect_quietly(address.parse::<SocketAddr>().unwrap());
        client.expect_reply(421);
        client.expect_end();
    }
    wait::until("nothing is left", || gateway.dialers().is_empty());
}

#[test]
fn a_redirect_that_catches_the_gateway_itself_ends_at_once() {
    let Some(lab) = Lab::new() else { return };
    let server = server(&lab, SERVER.into());
    let gateway = gateway(&lab, "LogLevel=commands");
    let rule = "iptables -t nat -A OUTPUT -p tcp --dport 21 -j REDIRECT --to-ports 2121";
    lab.run(Place::ClientsGateway, rule);
    let mut client = Client::connect_quietly(server.address());
    client.expect_reply(421);
    client.expect_end();
    gateway.log.line_with(&["leads back to this gateway"]);
    wait::until("nothing is left", || gateway.dialers().is_empty());
    assert_eq!(gateway.log.text().matches("leads back").count(), 1);
}

#[test]
fn a_session_of_inetd_goes_where_its_client_went() {
    let Some(lab) = Lab::new() else { return };
    if !require::programs(&["inetd"]) {
        return;
    }
    let server = server(&lab, SERVER.into());
    let scratch = Scratch::new();
    let (program, place) = (binaries::path("ftpproxy"), scratch.path().display());
    let file = |name: &str, text: &str| {
        std::fs::write(scratch.join(name), text).unwrap();
        tests::scratch::mode(&scratch.join(name), 0o600);
    };
    file(
        "conf",
        &format!(
            "Inetd\nTransparent\nTargets=10.2.0.0/24:21\nDataConnectionPortRange=50000-50999\nServLogFile={place}/log\n"
        ),
    );
    let line = format!(
        "0.0.0.0:2121 stream tcp nowait root {} ftpproxy -f {place}/conf\n",
        program.display()
    );
    file("inetd.conf", &line);
    redirect(&lab, "iptables");
    let mut inetd = lab.at(Place::ClientsGateway, || {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "inetd", "-i"]);
        command.arg(scratch.join("inetd.conf")).spawn().unwrap()
    });
    let listens = || lab.run(Place::ClientsGateway, "ss -Hltn").contains(":2121");
    wait::until("inetd listens", listens);
    let mut client = Client::connect(server.address());
    client.login(&server.login.name, &server.login.password);
    for how in Data::ALL {
        assert_eq!(client.download(how, "file"), CONTENT, "{how:?}");
    }
    client.expect("QUIT", 221);
    inetd.kill().unwrap();
    inetd.wait().unwrap();
    let log = std::fs::read_to_string(scratch.join("log")).unwrap();
    assert!(log.contains("connected to 10.2.0.2:21"), "{log}");
}

#[test]
fn rules_of_users_hold_for_redirected_clients() {
    let Some(lab) = Lab::new() else { return };
    let server = server(&lab, SERVER.into());
    let gateway = gateway(
        &lab,
        &format!("UserTargets={}@10.2.0.0/24", server.login.name),
    );
    who_may(&gateway, &server);
}

/// The user of the server may, and nobody else.
pub(crate) fn who_may(gateway: &Gateway, server: &Server) {
    let mut stranger = Client::connect(server.address());
    stranger.expect("USER stranger", 530);
    stranger.expect("PASS secret", 503);
    gateway.log.line_with(&["'stranger' may not go to"]);
    moves_files_of(gateway, server, &[Data::Epsv], "a user who may");
    assert!(!server.log.text().contains("stranger"));
}
