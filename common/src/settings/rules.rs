//! Rules for the control connections of some networks, `10.0.0.0/8=value`, of which the first that fits counts: the
//! addresses and ports that clients are told, and who may take part in data connections. Pure: no I/O.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bind::interface;
use super::networks::Network;
use super::value::{Value, Wrong, shown, words};

/// Between whom a control connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Between {
    pub client: IpAddr,
    pub server: IpAddr,
}

impl Between {
    /// Whether it comes from the server's own machine, as from the end of a tunnel.
    pub fn is_own(self) -> bool {
        self.client == self.server || self.client.is_loopback()
    }
}

/// The control connections that a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clients {
    from: From,
    /// The server's address on the connection.
    at: Option<Network>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    All,
    /// The server's own machine.
    Own,
    Network(Network),
}

/// A client from anywhere: no network is for it alone (RFC 5737).
pub const ANYBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 254));
/// The same of IPv6 (RFC 3849).
pub const ANYBODY_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1));

impl fmt::Display for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.at) {
            (From::All, None) => f.write_str("all"),
            (From::All, Some(_)) => Ok(()),
            (From::Own, _) => f.write_str("self"),
            (From::Network(network), _) => network.fmt(f),
        }?;
        self.at.map_or(Ok(()), |at| write!(f, "@{at}"))
    }
}

impl Clients {
    const ALL: Clients = Clients {
        from: From::All,
        at: None,
    };

    /// Reads `10.0.0.0/8`, `self`, `@192.0.2.1` for the server's address, or one of the first two with that.
    fn parse(text: &str) -> Result<Clients, Wrong> {
        let (from, at) = match text.split_once('@') {
            Some((from, at)) => (from, Some(Network::parse(at)?)),
            None => (text, None),
        };
        let from = match from {
            "" if at.is_some() => From::All,
            own if own.eq_ignore_ascii_case("self") => From::Own,
            network => From::Network(Network::parse(network)?),
        };
        Ok(Clients { from, at })
    }

    /// One of the connections that they have, to a server with this address for each family.
    fn example(self, own: [IpAddr; 2]) -> Between {
        let at = self.at.map(Network::inside);
        let server = |client: IpAddr| at.unwrap_or(own[usize::from(client.is_ipv6())]);
        let client = match self.from {
            From::All => ANYBODY,
            From::Own => server(own[0]),
            From::Network(network) => network.inside(),
        };
        Between {
            client,
            server: server(client),
        }
    }

    fn include(&self, between: Between) -> bool {
        let from = match self.from {
            From::All => true,
            From::Own => between.is_own(),
            From::Network(network) => network.contains(between.client),
        };
        from && self.at.is_none_or(|at| at.contains(between.server))
    }

    /// Whether none is left for the others.
    fn cover(&self, others: &Clients) -> bool {
        let from = match (self.from, others.from) {
            (From::All, _) | (From::Own, From::Own) => true,
            (From::Network(all), From::Network(some)) => all.covers(some),
            (From::Own | From::Network(_), _) => false,
        };
        let at = match (self.at, others.at) {
            (None, _) => true,
            (Some(all), Some(some)) => all.covers(some),
            (Some(_), None) => false,
        };
        from && at
    }
}

/// Control connections of some kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientList(Vec<Clients>);

impl ClientList {
    /// Reads a list such as `self, 10.1.0.0/16@192.0.2.1`.
    pub(super) fn parse(list: &str) -> Result<ClientList, Wrong> {
        words(list)
            .map(Clients::parse)
            .collect::<Result<_, _>>()
            .map(ClientList)
    }

    /// Each with its name and an example, for a server with this address for each family.
    pub fn kinds(&self, own: [IpAddr; 2]) -> impl Iterator<Item = (String, Between)> {
        let all = self.0.iter();
        all.map(move |clients| (clients.to_string(), clients.example(own)))
    }

    pub fn include(&self, between: Between) -> bool {
        self.0.iter().any(|clients| clients.include(between))
    }
}

/// Rules in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules<T>(Vec<Rule<T>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule<T> {
    clients: Clients,
    value: T,
    text: String,
}

impl<T> Default for Rules<T> {
    fn default() -> Self {
        Rules(Vec::new())
    }
}

impl<T> Rules<T> {
    /// Reads a list of `CLIENTS=VALUE`; a value alone is for all clients.
    pub(super) fn parse(
        list: &str,
        value: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Result<Rules<T>, Wrong> {
        let rule = |word: &str| {
            let (clients, text) = match word.split_once('=') {
                Some((clients, text)) => (Clients::parse(clients)?, text),
                None => (Clients::ALL, word),
            };
            Ok(Rule {
                clients,
                value: value(text)?,
                text: word.to_owned(),
            })
        };
        words(list).map(rule).collect::<Result<_, _>>().map(Rules)
    }

    /// The value of the first rule that is for this connection.
    pub fn first(&self, between: Between) -> Option<&T> {
        self.all(between).next()
    }

    /// The values of all rules that are for this connection.
    pub fn all(&self, between: Between) -> impl Iterator<Item = &T> {
        let fit = self.0.iter();
        fit.filter(move |rule| rule.clients.include(between))
            .map(|rule| &rule.value)
    }

    /// For whom each of them is, with an example, for a server with this address for each family.
    pub fn kinds(&self, own: [IpAddr; 2]) -> impl Iterator<Item = (String, Between)> {
        let all = self.0.iter().map(|rule| rule.clients);
        all.map(move |clients| (clients.to_string(), clients.example(own)))
    }

    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|rule| &rule.value)
    }

    /// Rules that no connection ever comes to, each with the earlier one that takes all of theirs.
    pub fn idle(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().enumerate().filter_map(|(index, rule)| {
            let mut before = self.0[..index].iter();
            let first = before.find(|earlier| earlier.clients.cover(&rule.clients))?;
            Some((&rule.text[..], &first.text[..]))
        })
    }
}

/// The address that PASV tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advertised {
    /// That of the server's side of the control connection.
    Local,
    Address(Ipv4Addr),
    /// What a host name leads to now.
    Host(String),
    /// The first IPv4 address of a network interface.
    Interface(String),
}

impl Advertised {
    pub(super) fn parse(text: &str) -> Result<Advertised, Wrong> {
        let expected = || {
            let text = shown(text);
            Wrong::Because(format!(
                "\"{text}\" is not local, an IPv4 address, a host name, or interface:NAME"
            ))
        };
        if text.eq_ignore_ascii_case("local") {
            return Ok(Advertised::Local);
        }
        if let Some(name) = text.strip_prefix("interface:") {
            let name = interface(name).ok_or_else(expected)?;
            return Ok(Advertised::Interface(name.to_owned()));
        }
        match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) if !address.is_unspecified() => {
                return Ok(Advertised::Address(address));
            }
            Ok(IpAddr::V6(_)) => {
                return Err(Wrong::Because(format!(
                    "\"{text}\": PASV tells IPv4 addresses only, and EPSV none"
                )));
            }
            Ok(IpAddr::V4(_)) => return Err(expected()),
            Err(_) => {}
        }
        // What looks like an address and is none would be asked for in vain.
        let name = crate::proto::args::host(text.as_bytes()).map_err(|_| expected())?;
        if name
            .bytes()
            .all(|octet| octet.is_ascii_digit() || octet == b'.')
            || name.contains(':')
        {
            return Err(expected());
        }
        Ok(Advertised::Host(name))
    }
}

impl fmt::Display for Advertised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Advertised::Local => f.write_str("local"),
            Advertised::Address(address) => write!(f, "{address}"),
            Advertised::Host(name) => f.write_str(name),
            Advertised::Interface(name) => write!(f, "interface {name}"),
        }
    }
}

/// Passive ports, and what they are called outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortMap {
    /// Both ends included.
    pub ports: (u16, u16),
    /// What the lowest of them is outside; the others follow.
    outside: u16,
}

impl PortMap {
    /// Ports that are the same outside.
    pub fn plain(ports: (u16, u16)) -> PortMap {
        PortMap {
            ports,
            outside: ports.0,
        }
    }

    /// Reads `50000-50010`, or `50000-50010:40000-40010` with the ports outside first, as container tools have it.
    pub(super) fn parse(text: &str) -> Result<PortMap, Wrong> {
        let named = |text: &str| {
            let value = Value { text, base: None };
            let range = value.port_range(1024);
            range.map_err(|wrong| Wrong::Because(wrong.sentence(text)))
        };
        let Some((outside, inside)) = text.split_once(':') else {
            return named(text).map(PortMap::plain);
        };
        let (outside, ports) = (named(outside)?, named(inside)?);
        if outside.1 - outside.0 != ports.1 - ports.0 {
            let text = shown(text);
            return Err(Wrong::Because(format!(
                "\"{text}\" has more ports on one side than on the other"
            )));
        }
        Ok(PortMap {
            ports,
            outside: outside.0,
        })
    }

    /// What a port of the range is outside.
    pub fn told(self, port: u16) -> u16 {
        self.outside
            .saturating_add(port.saturating_sub(self.ports.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(client: &str, server: &str) -> Between {
        Between {
            client: client.parse().unwrap(),
            server: server.parse().unwrap(),
        }
    }

    fn advertised(list: &str) -> Rules<Advertised> {
        Rules::parse(list, Advertised::parse).unwrap()
    }

    fn wrong<T: fmt::Debug>(parsed: Result<T, Wrong>) -> String {
        parsed.unwrap_err().sentence("")
    }

    #[test]
    fn the_first_rule_counts() {
        let rules = advertised(
            "self=198.51.100.1, 10.2.0.0/24=local @10.3.0.1=ftp.Example.org,10.9.0.0/16@10.2.0.2=interface:eth0,203.0.113.2",
        );
        let told = |client, server| rules.first(between(client, server)).unwrap().to_string();
        assert_eq!(told("10.2.0.2", "10.2.0.2"), "198.51.100.1");
        assert_eq!(told("127.0.0.1", "127.0.0.1"), "198.51.100.1");
        assert_eq!(told("10.2.0.9", "10.2.0.2"), "local");
        assert_eq!(told("192.0.2.1", "10.3.0.1"), "ftp.example.org");
        assert_eq!(told("10.9.1.1", "10.2.0.2"), "interface eth0");
        assert_eq!(told("10.9.1.1", "10.2.0.3"), "203.0.113.2");
        assert_eq!(rules.idle().count(), 0);
        assert_eq!(advertised("").first(between("10.0.0.1", "10.0.0.2")), None);
    }

    #[test]
    fn rules_that_are_never_reached_are_found() {
        let idle = |list| {
            let rules = advertised(list);
            let idle: Vec<_> = rules
                .idle()
                .map(|(one, other)| format!("{one} < {other}"))
                .collect();
            idle.join("; ")
        };
        assert_eq!(
            idle("10.0.0.0/8=local,10.1.0.0/16=192.0.2.1"),
            "10.1.0.0/16=192.0.2.1 < 10.0.0.0/8=local"
        );
        assert_eq!(idle("local,self=192.0.2.1"), "self=192.0.2.1 < local");
        assert_eq!(idle("10.1.0.0/16=local,10.0.0.0/8=192.0.2.1,192.0.2.2"), "");
        assert_eq!(idle("@10.0.0.1=local,10.0.0.0/8=192.0.2.1"), "");
        assert_eq!(
            idle("10.0.0.0/8@10.0.0.0/8=local,10.1.0.0/16@10.0.0.1=local"),
            "10.1.0.0/16@10.0.0.1=local < 10.0.0.0/8@10.0.0.0/8=local"
        );
    }

    #[test]
    fn rules_have_examples_that_they_are_for() {
        let list = "self=local,10.2.0.0/24@192.0.2.0/24=local,2001:db8::/32=local,192.0.2.7=local,@10.0.0.1=local,local";
        let rules = advertised(list);
        let own = ["192.0.2.1", "2001:db8::1"].map(|own| own.parse().unwrap());
        let kinds: Vec<_> = rules.kinds(own).collect();
        for ((name, example), rule) in kinds.iter().zip(&rules.0) {
            assert!(rule.clients.include(*example), "{name}: {example:?}");
            assert_eq!(example.client.is_ipv4(), example.server.is_ipv4(), "{name}");
        }
        let names: Vec<_> = kinds.into_iter().map(|(name, _)| name).collect();
        let all = [
            "self",
            "10.2.0.0/24@192.0.2.0/24",
            "2001:db8::/32",
            "192.0.2.7",
            "@10.0.0.1",
            "all",
        ];
        assert_eq!(names, all);
    }

    #[test]
    fn a_list_names_networks_and_the_server_itself() {
        let list = ClientList::parse("self, 10.1.0.0/16@192.0.2.1").unwrap();
        let includes = |client, server| list.include(between(client, server));
        assert!(includes("192.0.2.9", "192.0.2.9") && includes("::1", "::1"));
        assert!(includes("10.1.9.9", "192.0.2.1") && !includes("10.1.9.9", "192.0.2.2"));
        assert!(!ClientList::default().include(between("127.0.0.1", "127.0.0.1")));
        assert!(wrong(ClientList::parse("self=local")).contains("is not a network"));
    }

    #[test]
    fn what_is_no_address_is_said_in_words() {
        for word in [
            "10.0.0.300",
            "0.0.0.0",
            "1234",
            "interface:",
            "interface:1.2.3.4",
            "a b",
        ] {
            let told = wrong(Advertised::parse(word));
            assert!(told.contains("is not local, an IPv4 address"), "{told}");
        }
        assert!(wrong(Advertised::parse("2001:db8::1")).contains("PASV tells IPv4 addresses only"));
        let told = wrong(Rules::parse("10.0.0.1/8=local", Advertised::parse));
        assert!(told.contains("bits behind its prefix"), "{told}");
        assert!(wrong(Rules::parse("=local", Advertised::parse)).contains("is not a network"));
    }

    #[test]
    fn ports_may_have_other_numbers_outside() {
        let map = PortMap::parse("50000-50010:40000-40010").unwrap();
        assert_eq!(map.ports, (40000, 40010));
        assert_eq!([map.told(40000), map.told(40010)], [50000, 50010]);
        assert_eq!(PortMap::parse("2000-2001").unwrap().told(2001), 2001);
        let told = wrong(PortMap::parse("50000-50010:40000-40009"));
        assert!(told.contains("more ports on one side"), "{told}");
        assert!(wrong(PortMap::parse("50000:40000")).contains("\"50000\" is not a range"));
    }
}
