//! Who beside the client may be at the other end of its data connections. Pure: no I/O.

use std::net::{IpAddr, SocketAddr};

use super::networks::Network;
use super::rules::{Between, Rules};
use super::value::{Wrong, shown};

/// Ports below belong to services, not to clients (RFC 2577 §3).
pub const FIRST_CLIENT_PORT: u16 = 1024;

/// So many networks can a rule name, so that they fit into a message.
const MOST_NETWORKS: usize = 64;
/// So many addresses of this machine are told in one; who decides knows all.
const MOST_OWN_TOLD: usize = 64;

/// Who may take part in data connections. The client itself always may; that is all without a setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    networks: Vec<Network>,
    /// Anybody who continues the TLS session of the control connection.
    pub bound: bool,
    /// The addresses of this machine, which "any" does not mean.
    own: Vec<IpAddr>,
}

impl Peers {
    /// Reads `client`, `any`, `tls`, a network, or several of them with plus signs between; and vsftpd's yes and no.
    fn parse(text: &str) -> Result<Peers, Wrong> {
        let mut peers = Peers::default();
        for word in text.split('+') {
            match word.to_ascii_lowercase().as_str() {
                "client" | "no" => {}
                "any" | "yes" => peers.networks.extend(Network::ALL),
                "tls" => peers.bound = true,
                _ => peers.networks.push(Network::parse(word).map_err(|wrong| {
                    let Wrong::Because(why) = wrong else {
                        return wrong;
                    };
                    Wrong::Because(format!("{why}; others are client, any and tls"))
                })?),
            }
        }
        if peers.networks.len() > MOST_NETWORKS {
            let text = shown(text);
            return Err(Wrong::Because(format!(
                "\"{text}\" has more than {MOST_NETWORKS} networks"
            )));
        }
        Ok(peers)
    }

    /// Reads rules for who may come to a passive port.
    pub fn coming(list: &str) -> Result<Rules<Peers>, Wrong> {
        let unchanged = ["client", "no"];
        if unchanged.iter().any(|word| word.eq_ignore_ascii_case(list)) {
            return Ok(Rules::default());
        }
        Rules::parse(list, Peers::parse)
    }

    /// Reads rules for where active data connections may go.
    pub fn going(list: &str) -> Result<Rules<Peers>, Wrong> {
        let rules = Peers::coming(list)?;
        if rules.values().any(|peers| peers.bound) {
            return Err(Wrong::Because(
                "tls is for PassivePeers: a connection to a stranger is made before there is TLS on it"
                    .to_owned(),
            ));
        }
        Ok(rules)
    }

    /// Whether it names all addresses of a family.
    pub fn is_anybody(&self) -> bool {
        (Network::ALL.iter()).any(|all| self.networks.contains(all))
    }

    /// The same, for a machine that has these addresses.
    pub fn seen_from(self, own: Vec<IpAddr>) -> Peers {
        Peers { own, ..self }
    }

    /// Whether somebody of this address may come to the client's passive port. `under_tls`: it will have to continue the
    /// client's TLS session.
    pub fn admit(&self, client: IpAddr, other: IpAddr, under_tls: bool) -> bool {
        let other = other.to_canonical();
        other == client || (self.bound && under_tls) || self.name(other)
    }

    /// Where a connection to `target` goes, if it may: an IPv4 address in the form of an IPv6 one is what it stands for.
    ///
    /// SECURITY: a third address makes this server a tool against others (CVE-1999-0017, RFC 2577 §3). So what is reached
    /// from here only, this machine and what is around it, has to be named, and privileged ports are refused to everybody.
    pub fn target(&self, between: Between, target: SocketAddr) -> Option<SocketAddr> {
        let ip = target.ip().to_canonical();
        let fits = ip.is_ipv4() == between.server.is_ipv4() && target.port() >= FIRST_CLIENT_PORT;
        let own = ip == between.server || self.own.contains(&ip);
        let inner = own || ip.is_loopback() || is_link_local(ip);
        let named = match (inner, is_host(ip)) {
            (_, false) => false,
            (true, true) => self.closely(ip),
            (false, true) => self.name(ip),
        };
        (fits && (ip == between.client || named)).then(|| SocketAddr::new(ip, target.port()))
    }

    fn name(&self, ip: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(ip))
    }

    /// Whether it is meant by something else than "any".
    fn closely(&self, ip: IpAddr) -> bool {
        let mut networks = self.networks.iter();
        networks.any(|network| !Network::ALL.contains(network) && network.contains(ip))
    }

    /// The networks, to be told.
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// The addresses of this machine, to be told: not all where there are very many.
    pub fn own(&self) -> &[IpAddr] {
        &self.own[..self.own.len().min(MOST_OWN_TOLD)]
    }

    /// Peers as they were told.
    pub fn told(networks: Vec<Network>, bound: bool, own: Vec<IpAddr>) -> Option<Peers> {
        let fit = networks.len() <= MOST_NETWORKS && own.len() <= MOST_OWN_TOLD;
        fit.then_some(Peers {
            networks,
            bound,
            own,
        })
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Whether it can be the address of one machine.
fn is_host(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !(broadcast || ip.is_multicast() || ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn between(client: &str, server: &str) -> Between {
        Between {
            client: ip(client),
            server: ip(server),
        }
    }

    fn peers(text: &str) -> Peers {
        Peers::parse(text).unwrap()
    }

    /// Whether PORT may lead to a target, for a client at 192.0.2.1 or 2001:db8::1.
    fn leads(text: &str, target: &str) -> bool {
        let target: SocketAddr = target.parse().unwrap();
        let between = if target.is_ipv4() {
            between("192.0.2.1", "192.0.2.99")
        } else {
            between("2001:db8::1", "2001:db8::99")
        };
        peers(text).target(between, target).is_some()
    }

    #[test]
    fn without_a_rule_only_the_client_takes_part() {
        let client = ip("192.0.2.1");
        for text in ["client", "no", "NO"] {
            assert_eq!(peers(text), Peers::default());
            assert!(peers(text).admit(client, ip("192.0.2.1"), false));
            assert!(peers(text).admit(client, ip("::ffff:192.0.2.1"), false));
            assert!(!peers(text).admit(client, ip("192.0.2.2"), true));
            assert!(leads(text, "192.0.2.1:1024"));
            assert!(!leads(text, "192.0.2.1:1023"));
            assert!(!leads(text, "192.0.2.2:2000"));
        }
    }

    #[test]
    fn others_take_part_where_a_rule_names_them() {
        let client = ip("192.0.2.1");
        let two = peers("10.0.0.0/8+2001:db8::/32");
        assert!(two.admit(client, ip("10.1.2.3"), false));
        assert!(two.admit(client, ip("2001:db8::7"), false));
        assert!(!two.admit(client, ip("11.1.2.3"), false));
        let tls = peers("TLS");
        assert!(tls.admit(client, ip("203.0.113.9"), true));
        assert!(!tls.admit(client, ip("203.0.113.9"), false));
        assert!(peers("yes").admit(client, ip("203.0.113.9"), false));
    }

    #[test]
    fn any_target_is_none_of_this_machine_and_no_service() {
        assert!(leads("any", "203.0.113.9:1024"));
        assert!(leads("any", "[2001:db8:1::9]:2000"));
        for target in [
            "203.0.113.9:1023",
            "192.0.2.99:8080",
            "127.0.0.1:8080",
            "169.254.169.254:8080",
            "0.0.0.0:8080",
            "224.0.0.1:8080",
            "255.255.255.255:8080",
            "[::1]:8080",
            "[::]:8080",
            "[fe80::1]:8080",
            "[ff02::1]:8080",
            "[2001:db8::99]:8080",
            "[::ffff:127.0.0.1]:8080",
            "[::ffff:203.0.113.9]:8080",
        ] {
            assert!(!leads("any", target), "{target}");
            assert!(!leads("client", target), "{target}");
        }
        // What is named is meant, but for what is no machine and for services.
        assert!(leads("any+127.0.0.0/8", "127.0.0.1:8080"));
        assert!(leads("192.0.2.99", "192.0.2.99:8080"));
        assert!(!leads("192.0.2.99", "192.0.2.99:25"));
        assert!(!leads("224.0.0.0/4", "224.0.0.1:8080"));
    }

    #[test]
    fn any_target_is_no_other_address_of_this_machine_either() {
        let between = between("192.0.2.1", "192.0.2.99");
        let leads = |text: &str, target: &str| {
            let peers = peers(text).seen_from(vec![ip("10.0.0.1"), ip("2001:db8::99")]);
            peers.target(between, target.parse().unwrap()).is_some()
        };
        assert!(!leads("any", "10.0.0.1:8080"));
        assert!(!leads("any", "[::ffff:10.0.0.1]:8080"));
        assert!(leads("any", "10.0.0.2:8080"));
        assert!(leads("any+10.0.0.1", "10.0.0.1:8080"));
        let peers = peers("any").seen_from(vec![ip("192.0.2.1")]);
        let itself = "192.0.2.1:8080".parse().unwrap();
        assert!(peers.target(between, itself).is_some());
    }

    #[test]
    fn what_names_nobody_is_said_in_words() {
        let told = |text| Peers::going(text).unwrap_err().sentence(text);
        assert!(
            told("10.0.0.1/8").contains("bits behind its prefix"),
            "{}",
            told("10.0.0.1/8")
        );
        assert!(told("10.0.0.0/8+nobody").contains("others are client, any and tls"));
        assert!(told("10.0.0.0/8=tls").contains("PassivePeers"));
        let many = vec!["10.0.0.1"; 65].join("+");
        assert!(told(&many).contains("more than 64 networks"));
        assert!(Peers::coming("10.0.0.0/8=tls").is_ok());
    }
}
