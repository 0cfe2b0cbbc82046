//! Where clients may come: addresses and network interfaces, with a port of their own where they have one. Pure: no I/O.

use std::fmt;
use std::net::IpAddr;

use super::value::{Value, Wrong, shown, words};

/// So many can be named: each is a socket that the listener looks at.
const MOST_PLACES: usize = 64;

/// Where the control port is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bind {
    /// Without any, all addresses.
    pub places: Vec<Place>,
    /// Nothing but IPv4 (`-4`).
    pub ipv4_only: bool,
}

/// One of the places to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub at: At,
    /// Instead of that which all others have.
    pub port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    Address(IpAddr),
    /// All addresses of a network interface, but for those of one link.
    Interface(String),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Address(address) => address.fmt(f),
            At::Interface(name) => write!(f, "interface {name}"),
        }
    }
}

impl Bind {
    /// Takes `address`, `interface`, `address:port`, `[address]:port` and `interface:port`, with commas between.
    pub(super) fn name(&mut self, list: &str) -> Result<(), Wrong> {
        let places: Vec<Place> = words(list).map(Place::parse).collect::<Result<_, _>>()?;
        if places.is_empty() {
            return Err(expected(list));
        }
        if places.len() > MOST_PLACES {
            return Err(Wrong::Because(format!(
                "it has more than {MOST_PLACES} addresses and interfaces"
            )));
        }
        self.places = places;
        Ok(())
    }

    /// Narrows what was named to IPv4.
    pub(super) fn narrow(&mut self, value: Value) -> Result<(), Wrong> {
        self.ipv4_only = value.switch()?;
        let mut addresses = self.places.iter().filter_map(|place| match place.at {
            At::Address(address) => Some(address),
            At::Interface(_) => None,
        });
        match addresses.find(IpAddr::is_ipv6) {
            Some(address) if self.ipv4_only => Err(Wrong::Because(format!(
                "contradicts the address {address} to listen on"
            ))),
            _ => Ok(()),
        }
    }
}

impl Place {
    fn parse(text: &str) -> Result<Place, Wrong> {
        let (at, port) = match text.rsplit_once(':') {
            // These colons are the address's own.
            _ if text.parse::<IpAddr>().is_ok() || text.ends_with(']') => (text, None),
            Some((at, port)) => {
                let port = Value {
                    text: port,
                    base: None,
                };
                (at, Some(port.port(0).map_err(|_| expected(text))?))
            }
            None => (text, None),
        };
        let inner = at.strip_prefix('[').and_then(|at| at.strip_suffix(']'));
        let at = match inner {
            // Brackets are for addresses that have colons themselves.
            Some(address) => match address.parse::<IpAddr>() {
                Ok(address @ IpAddr::V6(_)) => At::Address(address),
                Ok(IpAddr::V4(_)) | Err(_) => return Err(expected(text)),
            },
            None => At::parse(at, port).ok_or_else(|| expected(text))?,
        };
        Ok(Place { at, port })
    }
}

impl At {
    fn parse(text: &str, port: Option<u16>) -> Option<At> {
        match text.parse() {
            Ok(address @ IpAddr::V4(_)) => return Some(At::Address(address)),
            Ok(address @ IpAddr::V6(_)) => return port.is_none().then_some(At::Address(address)),
            Err(_) => {}
        }
        interface(text).map(|name| At::Interface(name.to_owned()))
    }
}

/// A name that a network interface can have, and that is not meant to be an address.
pub(super) fn interface(name: &str) -> Option<&str> {
    let address = name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let fits = (1..16).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b':' | b'[' | b']'));
    (fits && !address).then_some(name)
}

fn expected(text: &str) -> Wrong {
    let text = shown(text);
    Wrong::Because(format!(
        "\"{text}\" is not an IP address or the name of a network interface, with or without a port: 192.0.2.1, [2001:db8::1]:2121, \
         eth0"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(list: &str) -> Result<Vec<(String, Option<u16>)>, Wrong> {
        let mut bind = Bind::default();
        bind.name(list)?;
        let places = bind.places.into_iter();
        Ok(places
            .map(|place| (place.at.to_string(), place.port))
            .collect())
    }

    #[test]
    fn places_are_addresses_and_interfaces_with_and_without_ports() {
        for (text, at, port) in [
            ("192.0.2.1", "192.0.2.1", None),
            ("192.0.2.1:2121", "192.0.2.1", Some(2121)),
            ("::1", "::1", None),
            ("[::1]", "::1", None),
            ("[::1]:0", "::1", Some(0)),
            // No port: it is an address as a whole.
            ("2001:db8::21", "2001:db8::21", None),
            ("eth0.100", "interface eth0.100", None),
            ("eth0:2121", "interface eth0", Some(2121)),
        ] {
            assert_eq!(named(text), Ok(vec![(at.to_owned(), port)]), "{text}");
        }
        let two = named("192.0.2.1, eth0:990").unwrap();
        assert_eq!(two.len(), 2);
    }

    #[test]
    fn an_address_that_is_none_is_not_an_interface() {
        for wrong in [
            "",
            ",",
            "10.0.0.300",
            "10.0.0.300:21",
            "10.0.0.1:",
            "10.0.0.1:65536",
            "[10.0.0.1]:21",
            "[::1]21",
            "[::1",
            "[fe80::1%1]:21",
            "fe80::1%eth0",
            "eth0:ftp",
            "a/b",
            "a23456789012345678",
        ] {
            assert!(named(wrong).is_err(), "{wrong}");
        }
        assert!(named(&vec!["::1"; 64].join(",")).is_ok());
        assert!(named(&vec!["::1"; 65].join(",")).is_err());
    }
}
