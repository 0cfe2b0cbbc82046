//! What a table of gateways plays in: four servers on one machine, a client on another, and a machine between them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use tests::lab::{Lab, Place, SERVER};
use tests::trust::Trust;
use tests::twins::{Twin, program};
use tests::{Login, Scratch, Server, Setup, require, tree};

use crate::Way;

/// The gateway, as the client sees it.
pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
pub(crate) const GATEWAY_PORT: u16 = 2121;
/// Where the gateway's passive ports are.
pub(crate) const DATA_PORTS: [u16; 2] = [50_000, 50_999];
/// Where all control ports of servers are.
const SERVER_PORTS: [u16; 2] = [20_000, 31_999];
const OUR_PORT: u16 = 20_000;

/// As in README.md, for the ports of these servers.
const RULES: &str = "table inet ftpproxy {
  chain prerouting {
    type filter hook prerouting priority mangle; policy accept;
    tcp dport != 2121 socket transparent 1 meta mark set 1 accept
    iifname v1 tcp dport 20000-31999 meta mark set 1 tproxy to :2121 accept
  }
}
";

pub(crate) struct World {
    pub(crate) ours: Server,
    /// All of them by their names.
    pub(crate) servers: Vec<(&'static str, Login)>,
    _twins: Vec<Twin>,
    pub(crate) trust: Trust,
    pub(crate) place: Scratch,
    pub(crate) lab: Lab,
}

impl World {
    /// All servers take clients with TLS and without; `None` if the test must be skipped.
    pub(crate) fn start() -> Option<World> {
        let programs = ["curl", "lftp", "useradd", "userdel", "usermod", "chpasswd"];
        if !require::root() || !require::programs(&programs) {
            return None;
        }
        let lab = Lab::new()?;
        let trust = Trust::of([GATEWAY, SERVER].map(|address| address.to_string()));
        let setup = trust
            .certify(Setup::new())
            .setting("TLSDataBinding=require");
        let setup = setup.on(SERVER.into()).port(OUR_PORT);
        let ours = lab.at(Place::Server, || setup.start());
        let mut servers = vec![("ours", ours.login.clone())];
        let mut twins = Vec::new();
        for name in ["vsftpd", "proftpd", "pure-ftpd"] {
            let Some(program) = program(name) else {
                require::missing(&format!("{name}, as packaging/peers.sh unpacks it"));
                continue;
            };
            let start = || Twin::start_on(SERVER, name, &program, Some(&trust.pem()));
            let twin = lab.at(Place::Server, start);
            servers.push((name, twin.login.clone()));
            twins.push(twin);
        }
        let place = Scratch::new();
        tree::furnish(&place.directory("sample"), 1, 11);
        Some(World {
            ours,
            servers,
            _twins: twins,
            trust,
            place,
            lab,
        })
    }

    /// What all trees are copies of.
    pub(crate) fn sample(&self) -> PathBuf {
        self.place.join("sample")
    }

    /// Has the machine between them bring clients to the gateway; whether it can.
    pub(crate) fn leads(&self, way: Way) -> bool {
        let (lab, place) = (&self.lab, Place::ClientsGateway);
        match way {
            Way::Named | Way::SiteProxy | Way::Pool => true,
            Way::Redirect => {
                let rule = "iptables -t nat -A PREROUTING -i v1 -p tcp --dport";
                let [first, last] = SERVER_PORTS;
                let control =
                    format!("{rule} {first}:{last} -j REDIRECT --to-ports {GATEWAY_PORT}");
                lab.run(place, &control);
                let [first, last] = DATA_PORTS;
                lab.run(place, &format!("{rule} {first}:{last} -j REDIRECT"));
                true
            }
            Way::Tproxy => {
                if !require::programs(&["nft"]) || !lab.feed(place, "nft -f -", RULES) {
                    return require::missing("TPROXY in the kernel");
                }
                lab.run(place, "ip rule add fwmark 1 lookup 100");
                lab.run(place, "ip route add local default dev lo table 100");
                true
            }
        }
    }
}

pub(crate) fn gateway_address() -> SocketAddr {
    (GATEWAY, GATEWAY_PORT).into()
}
