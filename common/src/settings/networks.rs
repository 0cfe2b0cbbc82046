//! Networks, `10.0.0.0/8`, and charsets for them, `10.0.0.0/8=windows-1251`. Pure: no I/O.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::value::{Wrong, charset, shown, words};
use crate::charset::Charset;

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A list of networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// Reads a list, which is not empty.
    pub fn parse(list: &str) -> Result<Networks, Wrong> {
        let networks: Vec<_> = words(list).map(Network::parse).collect::<Result<_, _>>()?;
        if networks.is_empty() {
            return Err(Wrong::Not(
                "a list such as 10.0.0.0/8,2001:db8::/32".to_owned(),
            ));
        }
        Ok(Networks(networks))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Network> {
        self.0.iter()
    }

    /// Whether the address is in one of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// Charsets of networks; the first that an address belongs to counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CharsetNetworks(Vec<(Network, Charset)>);

impl CharsetNetworks {
    /// Reads a list.
    pub(super) fn parse(list: &str) -> Result<CharsetNetworks, Wrong> {
        let networks: Vec<_> = words(list)
            .map(|word| {
                let (network, name) = word.split_once('=').ok_or_else(|| {
                    let word = shown(word);
                    Wrong::Because(format!("\"{word}\" is not a network, \"=\" and a charset"))
                })?;
                Ok((Network::parse(network)?, charset(name)?))
            })
            .collect::<Result<_, Wrong>>()?;
        if networks.is_empty() {
            return Err(Wrong::Not(
                "a list such as 10.0.0.0/8=windows-1251".to_owned(),
            ));
        }
        Ok(CharsetNetworks(networks))
    }

    /// The charset of the first network that the address belongs to.
    pub fn of(&self, address: IpAddr) -> Option<Charset> {
        self.0
            .iter()
            .find(|(network, _)| network.contains(address))
            .map(|&(_, charset)| charset)
    }
}

impl Network {
    /// All addresses of each family.
    pub(super) const ALL: [Network; 2] = [
        Network {
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            prefix: 0,
        },
        Network {
            address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            prefix: 0,
        },
    ];

    /// Reads `10.0.0.0/8`, or one address.
    pub(super) fn parse(text: &str) -> Result<Network, Wrong> {
        let network = match text.split_once('/') {
            Some((address, prefix)) => address
                .parse()
                .ok()
                .zip(prefix.parse().ok())
                // FromStr lets a plus sign pass.
                .filter(|_| prefix.bytes().all(|octet| octet.is_ascii_digit())),
            None => text
                .parse()
                .ok()
                .map(|address: IpAddr| (address, width(address))),
        };
        // Clients over IPv4 are known by their IPv4 addresses only.
        let usable = |&(address, prefix): &(IpAddr, u8)| {
            prefix <= width(address) && address == address.to_canonical()
        };
        let Some((address, prefix)) = network.filter(usable) else {
            let text = shown(text);
            return Err(Wrong::Because(format!(
                "\"{text}\" is not a network such as 10.0.0.0/8 or 2001:db8::/32"
            )));
        };
        let network = Network { address, prefix };
        let first = network.first();
        if first != address {
            return Err(Wrong::Because(format!(
                "\"{text}\" has bits behind its prefix, did you mean \"{first}/{prefix}\"?"
            )));
        }
        Ok(network)
    }

    /// Its first address, and how many bits all its addresses share.
    pub fn parts(self) -> (IpAddr, u8) {
        (self.address, self.prefix)
    }

    /// The network of one address.
    pub(super) fn alone(address: IpAddr) -> Network {
        let prefix = width(address);
        Network { address, prefix }
    }

    /// The network with these parts, if there is one.
    pub fn of_parts(address: IpAddr, prefix: u8) -> Option<Network> {
        let network = Network { address, prefix };
        (prefix <= width(address) && network.first() == address).then_some(network)
    }

    /// The first address of the network.
    fn first(self) -> IpAddr {
        first(self.address, self.prefix)
    }

    /// The first and the last address of the network.
    pub(super) fn ends(self) -> (IpAddr, IpAddr) {
        let last = match self.address {
            IpAddr::V4(address) => {
                let behind = u32::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
                IpAddr::V4((u32::from(address) | behind).into())
            }
            IpAddr::V6(address) => {
                let behind = u128::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
                IpAddr::V6((u128::from(address) | behind).into())
            }
        };
        (self.first(), last)
    }

    /// An address of a machine in it.
    pub(super) fn inside(self) -> IpAddr {
        match self.address {
            address if self.prefix == width(address) => address,
            IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() | 1).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() | 1).into(),
        }
    }

    /// Whether all addresses of the other are in it.
    pub(super) fn covers(self, other: Network) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }

    /// Whether the address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && first(address, self.prefix) == self.address
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix {
            prefix if prefix == width(self.address) => self.address.fmt(f),
            prefix => write!(f, "{}/{prefix}", self.address),
        }
    }
}

/// How many bits an address has.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address without the bits behind the prefix.
fn first(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((u32::from(address) & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((u128::from(address) & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(list: &str, address: &str) -> Option<&'static str> {
        let networks = CharsetNetworks::parse(list).unwrap();
        networks.of(address.parse().unwrap()).map(Charset::name)
    }

    fn wrong(list: &str) -> String {
        match CharsetNetworks::parse(list) {
            Err(Wrong::Not(what)) => format!("not {what}"),
            Err(Wrong::Because(sentence)) => sentence,
            Ok(networks) => panic!("{networks:?}"),
        }
    }

    #[test]
    fn the_first_network_counts() {
        let list = "10.1.0.0/16=GBK, 10.0.0.0/8=cp1251 2001:db8::/33=KOI8-R,192.0.2.7=Big5";
        assert_eq!(of(list, "10.1.255.255"), Some("GBK"));
        assert_eq!(of(list, "10.2.0.0"), Some("windows-1251"));
        assert_eq!(of(list, "11.0.0.0"), None);
        assert_eq!(of(list, "2001:db8:7fff::1"), Some("KOI8-R"));
        assert_eq!(of(list, "2001:db8:8000::1"), None);
        assert_eq!(of(list, "192.0.2.7"), Some("Big5"));
        assert_eq!(of(list, "192.0.2.6"), None);
        assert_eq!(of("0.0.0.0/0=GBK", "203.0.113.9"), Some("GBK"));
        assert_eq!(of("0.0.0.0/0=GBK", "::1"), None);
        assert_eq!(of("::/0=GBK", "::1"), Some("GBK"));
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        assert_eq!(
            wrong("10.0.0.0/8"),
            "\"10.0.0.0/8\" is not a network, \"=\" and a charset"
        );
        assert_eq!(
            wrong("10.0.0.1/8=GBK"),
            "\"10.0.0.1/8\" has bits behind its prefix, did you mean \"10.0.0.0/8\"?"
        );
        assert_eq!(
            wrong("10.0.0.0/8=window-1251"),
            "unknown charset \"window-1251\", did you mean \"windows-1251\"?"
        );
        for network in [
            "10.0.0.0/33",
            "10.0/8",
            "10.0.0.0/+8",
            "::/129",
            "here",
            "/8",
            "::/",
        ] {
            assert_eq!(
                wrong(&format!("{network}=GBK")),
                format!("\"{network}\" is not a network such as 10.0.0.0/8 or 2001:db8::/32")
            );
        }
        assert!(wrong("").starts_with("not a list"));
    }
}
