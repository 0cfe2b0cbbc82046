//! Where a gateway may go: rules of networks and names with ports. Nothing is permitted that no rule names. Pure: no I/O.

use std::net::IpAddr;

use super::networks::Network;
use super::value::{Wrong, digits, shown, words};
use crate::pattern::Pattern;
use crate::proto::destination::{Destination, FTP_PORT, Host, special};

/// Rules; one that matches is enough.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Targets(Vec<Rule>);

/// `[NAME=]NETWORK[:PORTS]` or `NAME[:PORTS]`.
#[derive(Clone, Debug, PartialEq)]
struct Rule {
    /// Hosts that are named so; without it, however they are named.
    name: Option<Pattern>,
    /// Their addresses; without it, all public ones.
    network: Option<Network>,
    /// Both ends included.
    ports: (u16, u16),
    /// Nobody has said which: it is the usual one.
    usual: bool,
}

/// Why a destination is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// No rule names it.
    Unlisted,
    /// It is loopback, private or the like, and no rule names it as such.
    Special(&'static str),
    /// It is this machine.
    Own,
}

impl Targets {
    /// Reads a list, which is not empty.
    pub fn parse(list: &str) -> Result<Targets, Wrong> {
        let rules: Vec<Rule> = words(list).map(Rule::parse).collect::<Result<_, _>>()?;
        if rules.is_empty() {
            return Err(Wrong::Not(
                "a list such as ftp.example.org,*.example.net:2121,192.0.2.0/24:21-2199".to_owned(),
            ));
        }
        Ok(Targets(rules))
    }

    /// Permits single addresses with a port each, whatever they are.
    pub(super) fn permit(&mut self, addresses: impl Iterator<Item = (IpAddr, u16)>) {
        self.0.extend(addresses.map(|(address, port)| Rule {
            name: None,
            network: Some(Network::alone(address)),
            ports: (port, port),
            usual: false,
        }));
    }

    /// Has another port be the one of rules that name none.
    pub(super) fn set_usual_port(&mut self, port: u16) {
        for rule in self.0.iter_mut().filter(|rule| rule.usual) {
            rule.ports = (port, port);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there may be an address of the host that is permitted: others need not be looked up.
    pub fn may_permit(&self, host: &Host, port: u16) -> bool {
        self.0.iter().any(|rule| rule.permits_host(host, port))
    }

    /// Why nobody can be led there, whatever a look-up may find: what a sentence about the destination ends with.
    pub(super) fn forbid(&self, destination: &Destination) -> Option<String> {
        let Destination { host, port, .. } = destination;
        let judged = match host {
            Host::Address(address) => self.judge(host, *address, *port, &[]),
            Host::Name(_) if self.may_permit(host, *port) => Ok(()),
            Host::Name(_) => Err(Forbidden::Unlisted),
        };
        match judged {
            Ok(()) => None,
            Err(Forbidden::Special(what)) => Some(format!(
                "is {what}: only a rule of Targets for such a network permits it"
            )),
            Err(Forbidden::Unlisted | Forbidden::Own) => {
                Some("no rule of Targets permits".to_owned())
            }
        }
    }

    /// Whether a rule names the address of the host, whatever it is.
    pub(super) fn name(&self, host: &Host, address: IpAddr, port: u16) -> bool {
        let mut rules = self.0.iter();
        rules.any(|rule| rule.permits_host(host, port) && rule.permits_address(address))
    }

    /// Judges an address that the host has; `own` are those of this machine.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn judge(
        &self,
        host: &Host,
        address: IpAddr,
        port: u16,
        own: &[IpAddr],
    ) -> Result<(), Forbidden> {
        let address = address.to_canonical();
        let matching = || {
            self.0
                .iter()
                .filter(|rule| rule.permits_host(host, port) && rule.permits_address(address))
        };
        if matching().next().is_none() {
            return Err(Forbidden::Unlisted);
        }
        // SECURITY: 0.0.0.0/0 means the internet to whoever writes it, not the services of this machine or its neighbours.
        if let Some(what) = special(address)
            && !matching().any(|rule| rule.lists_special())
        {
            return Err(Forbidden::Special(what));
        }
        if own.contains(&address) && !matching().any(|rule| rule.lists_alone(address)) {
            return Err(Forbidden::Own);
        }
        Ok(())
    }
}

impl Rule {
    fn parse(word: &str) -> Result<Rule, Wrong> {
        let wrong = |why: &str| Wrong::Because(format!("\"{}\" {why}", shown(word)));
        let (name, rest) = match word.split_once('=') {
            Some((name, rest)) => (Some(name), rest),
            None => (None, word),
        };
        let (place, said) = split_ports(rest).ok_or_else(|| {
            wrong("does not end with a port such as :21 or ports such as :21-2199")
        })?;
        let bare = place
            .strip_prefix('[')
            .and_then(|place| place.strip_suffix(']'));
        let network = Network::parse(bare.unwrap_or(place));
        let (name, network) = match (name, network) {
            (Some(name), network) => (Some(name), Some(network?)),
            (None, Ok(network)) => (None, Some(network)),
            // It looks like a network, and is none.
            (None, Err(why)) if place.contains(['/', '[', ':']) || !has_letter(place) => {
                return Err(why);
            }
            (None, Err(_)) => (Some(place), None),
        };
        let name = name.map(|name| pattern(name).ok_or_else(|| wrong("has no name of a host")));
        Ok(Rule {
            name: name.transpose()?,
            network,
            ports: said.unwrap_or((FTP_PORT, FTP_PORT)),
            usual: said.is_none(),
        })
    }

    fn permits_host(&self, host: &Host, port: u16) -> bool {
        let (low, high) = self.ports;
        let named = match (&self.name, host) {
            (None, _) => true,
            (Some(pattern), Host::Name(name)) => pattern.matches(name.as_bytes()),
            (Some(_), Host::Address(_)) => false,
        };
        named && (low..=high).contains(&port)
    }

    fn permits_address(&self, address: IpAddr) -> bool {
        self.network.is_none_or(|network| network.contains(address))
    }

    /// Whether it names nothing but special addresses: then these are meant.
    fn lists_special(&self) -> bool {
        self.network.is_some_and(|network| {
            let (first, last) = network.ends();
            special(first).is_some() && special(first) == special(last)
        })
    }

    /// Whether it names this address and no other.
    fn lists_alone(&self, address: IpAddr) -> bool {
        self.network
            .is_some_and(|network| network.ends() == (address, address))
    }
}

/// A pattern for names of hosts, in which `*` stands for any text.
fn pattern(name: &str) -> Option<Pattern> {
    let name = name.to_ascii_lowercase();
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'*');
    let is_name = !name.is_empty() && name.bytes().all(fits);
    is_name.then(|| Pattern::new(name.as_bytes()))?.ok()
}

fn has_letter(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_alphabetic() || b == b'*')
}

/// Splits `place:21` or `place:21-2199`; an IPv6 address has ports only in brackets.
fn split_ports(text: &str) -> Option<(&str, Option<(u16, u16)>)> {
    match text.rsplit_once(':') {
        Some((place, ports)) if place.ends_with(']') || !place.contains(':') => {
            let (low, high) = ports.split_once('-').unwrap_or((ports, ports));
            let (low, high) = (digits::<u16>(low)?, digits::<u16>(high)?);
            (low > 0 && low <= high).then_some((place, Some((low, high))))
        }
        _ => Some((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(rules: &str, to: &str, address: &str) -> Result<(), Forbidden> {
        let targets = Targets::parse(rules).unwrap();
        let Destination { host, port, .. } = Destination::parse(to.as_bytes()).unwrap();
        let own = ["198.51.100.1".parse().unwrap()];
        let judged = targets.judge(&host, address.parse().unwrap(), port, &own);
        assert!(judged.is_err() || targets.may_permit(&host, port));
        judged
    }

    #[test]
    fn only_what_a_rule_names_is_permitted() {
        let rules = "ftp.example.org,*.example.net:2100-2199,192.0.2.0/24,[2001:db8::]:21,[2001:db8:1::/48]:2121";
        for (to, address) in [
            ("ftp.example.org", "203.0.113.1"),
            ("FTP.example.org.:21", "203.0.113.1"),
            ("a.b.example.net:2150", "203.0.113.1"),
            ("192.0.2.7", "192.0.2.7"),
            ("other.example", "192.0.2.7"),
            ("2001:db8::", "2001:db8::"),
            ("[2001:db8:1::5]:2121", "2001:db8:1::5"),
        ] {
            assert_eq!(judge(rules, to, address), Ok(()), "{to}");
        }
        for (to, address) in [
            ("ftp.example.org:22", "203.0.113.1"),
            ("xftp.example.org", "203.0.113.1"),
            ("example.net:2150", "203.0.113.1"),
            ("a.example.net", "203.0.113.1"),
            ("192.0.3.7", "192.0.3.7"),
            ("192.0.2.7:25", "192.0.2.7"),
        ] {
            assert_eq!(judge(rules, to, address), Err(Forbidden::Unlisted), "{to}");
        }
    }

    #[test]
    fn row_84_special_addresses_need_a_rule_of_their_own() {
        for rules in ["0.0.0.0/0,::/0", "inside.example", "*"] {
            for address in [
                "127.0.0.1",
                "10.0.0.5",
                "169.254.169.254",
                "::ffff:127.0.0.1",
                "fd00::1",
            ] {
                let judged = judge(rules, "inside.example", address);
                assert!(judged.is_err(), "{rules} {address}");
            }
        }
        assert_eq!(
            judge("*", "inside.example", "10.0.0.5"),
            Err(Forbidden::Special("private"))
        );
        assert_eq!(judge("*,10.0.0.0/16", "inside.example", "10.0.0.5"), Ok(()));
        assert_eq!(
            judge("inside.example=10.0.0.0/16", "inside.example", "10.0.0.5"),
            Ok(())
        );
        assert_eq!(
            judge("inside.example=10.0.0.0/16", "10.0.0.5", "10.0.0.5"),
            Err(Forbidden::Unlisted)
        );
        // A network that has others too does not mean these.
        assert!(judge("8.0.0.0/6", "10.0.0.5", "10.0.0.5").is_err());
        assert_eq!(
            judge("127.0.0.1:2121", "127.0.0.1:2121", "127.0.0.1"),
            Ok(())
        );
    }

    #[test]
    fn another_port_may_be_the_usual_one() {
        let mut targets = Targets::parse("a.example,b.example:21").unwrap();
        targets.set_usual_port(990);
        let permits = |name: &str, port| targets.may_permit(&Host::parse(name).unwrap(), port);
        assert!(permits("a.example", 990) && !permits("a.example", 21));
        assert!(permits("b.example", 21) && !permits("b.example", 990));
        let said = |text: &str| Destination::parse(text.as_bytes()).unwrap();
        assert_eq!(
            said("a.example").with_usual_port(990),
            said("a.example:990")
        );
        assert_eq!(said("a.example:21").with_usual_port(990).port, 21);
    }

    #[test]
    fn row_84_own_addresses_need_a_rule_for_them_alone() {
        let own = "198.51.100.1";
        assert_eq!(judge("198.51.100.0/24", own, own), Err(Forbidden::Own));
        assert_eq!(judge("*", "me.example", own), Err(Forbidden::Own));
        assert_eq!(judge("198.51.100.1", own, own), Ok(()));
    }

    #[test]
    fn what_is_no_rule_is_said_in_words() {
        let wrong = |list: &str| Targets::parse(list).unwrap_err().sentence(list);
        for list in [
            "",
            "a:0",
            "a:5-4",
            "a:x",
            "10.0.0.1/8",
            "1.2.3",
            "a=b",
            "a b/c",
            "x_y!",
        ] {
            assert!(!wrong(list).is_empty(), "{list}");
        }
        assert!(wrong("10.0.0.1/8").contains("did you mean \"10.0.0.0/8\"?"));
    }
}
