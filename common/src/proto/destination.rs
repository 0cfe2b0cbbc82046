//! Where a client of a gateway wants to go: `user@host[:port]` and the argument of SITE PROXY. Pure: no I/O.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The port of FTP (RFC 959 §8).
pub const FTP_PORT: u16 = 21;
/// The port of FTP under TLS from the first octet (IANA's ftps).
pub const IMPLICIT_PORT: u16 = 990;
/// The longest name of a host, in octets (RFC 1035 §2.3.4).
pub const LONGEST_HOST: usize = 253;

/// A host by address or name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// Never an IPv4 address in the form of IPv6.
    Address(IpAddr),
    /// In lower case, without the dot at its end.
    Name(String),
}

/// A host and a port.
#[derive(Clone, Debug)]
pub struct Destination {
    pub host: Host,
    pub port: u16,
    /// Nobody has said a port: it is the usual one.
    usual: bool,
}

/// What was written is no host and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoDestination;

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Address(address) => write!(f, "{address}"),
            Host::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Splits the argument of USER at its last `@`: names of users may hold others.
pub fn split_login(argument: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = argument.iter().rposition(|&octet| octet == b'@')?;
    Some((&argument[..at], &argument[at + 1..]))
}

impl Host {
    /// Reads an address or a name.
    ///
    /// SECURITY: the system's own functions read 2130706433, 0x7f.1 and 0177.0.0.1 as addresses. What looks like a number
    /// is a plain IPv4 address here, or nothing.
    pub fn parse(text: &str) -> Result<Host, NoDestination> {
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        if let Some(address) = bare {
            let address: Ipv6Addr = address.parse().map_err(|_| NoDestination)?;
            return Ok(Host::Address(IpAddr::V6(address).to_canonical()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Host::Address(address.to_canonical()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        let last = name.rsplit('.').next().unwrap_or_default();
        let is_number = last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit());
        if name.len() > LONGEST_HOST || is_number || !name.split('.').all(label) {
            return Err(NoDestination);
        }
        Ok(Host::Name(name))
    }
}

impl PartialEq for Destination {
    fn eq(&self, other: &Destination) -> bool {
        (&self.host, self.port) == (&other.host, other.port)
    }
}

impl Eq for Destination {}

impl Destination {
    /// A host and the port that was said.
    pub fn new(host: Host, port: u16) -> Destination {
        let usual = false;
        Destination { host, port, usual }
    }

    /// The same where another port is the usual one.
    #[must_use]
    pub fn with_usual_port(mut self, port: u16) -> Destination {
        if self.usual {
            self.port = port;
        }
        self
    }

    /// Reads `host`, `host:port`, `[v6]:port` or an IPv6 address alone, which has more than one colon.
    ///
    /// # Errors
    /// It is none of these.
    pub fn parse(text: &[u8]) -> Result<Destination, NoDestination> {
        let text = std::str::from_utf8(text).map_err(|_| NoDestination)?;
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if host.ends_with(']') || !host.contains(':') => (host, Some(port)),
            _ => (text, None),
        };
        Destination::of(host, port)
    }

    /// Reads the words `host [port]`.
    ///
    /// # Errors
    /// They are not that.
    pub fn parse_words(text: &[u8]) -> Result<Destination, NoDestination> {
        let text = std::str::from_utf8(text).map_err(|_| NoDestination)?;
        let mut words = text.split_ascii_whitespace();
        let host = words.next().ok_or(NoDestination)?;
        match (words.next(), words.next()) {
            (None, _) => Destination::parse(host.as_bytes()),
            (Some(port), None) => Destination::of(host, Some(port)),
            (Some(_), Some(_)) => Err(NoDestination),
        }
    }

    fn of(host: &str, port: Option<&str>) -> Result<Destination, NoDestination> {
        let usual = port.is_none();
        let port = match port {
            None => FTP_PORT,
            Some(port) => port
                .parse()
                .ok()
                .filter(|&number| number > 0 && port.bytes().all(|b| b.is_ascii_digit()))
                .ok_or(NoDestination)?,
        };
        let host = Host::parse(host)?;
        Ok(Destination { host, port, usual })
    }
}

/// Why an address is no host of the public internet, and the networks of which that is true.
#[rustfmt::skip]
const SPECIAL: &[(u8, [u8; 4], &str)] = &[
    (8,  [0, 0, 0, 0],       "this network"),
    (8,  [10, 0, 0, 0],      "private"),
    (10, [100, 64, 0, 0],    "shared between carriers and customers"),
    (8,  [127, 0, 0, 0],     "loopback"),
    (16, [169, 254, 0, 0],   "link-local"),
    (12, [172, 16, 0, 0],    "private"),
    (24, [192, 0, 0, 0],     "special"),
    (16, [192, 168, 0, 0],   "private"),
    (15, [198, 18, 0, 0],    "for benchmarks"),
    (4,  [224, 0, 0, 0],     "multicast"),
    (4,  [240, 0, 0, 0],     "reserved"),
];

/// What is special about an address that no gateway should lead strangers to; `None` is a public one. Addresses of IPv6
/// that hold one of IPv4 (mapped, compatible, NAT64, 6to4) are what the inner one is.
pub fn special(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => {
            let [first, second, .., high, low] = address.segments();
            let [_, _, third, fourth, fifth, sixth, _, _] = address.segments();
            let inner = |high: u16, low: u16| {
                let [a, b] = high.to_be_bytes();
                let [c, d] = low.to_be_bytes();
                special_v4(Ipv4Addr::new(a, b, c, d))
            };
            match first {
                _ if address.is_loopback() => Some("loopback"),
                _ if address.is_unspecified() => Some("this network"),
                0 => Some("special"),
                0x64 if second == 0xff9b && [third, fourth, fifth, sixth] == [0; 4] => {
                    inner(high, low)
                }
                0x64 => Some("special"),
                0x2002 => inner(second, third),
                0xfc00..=0xfdff => Some("private"),
                0xfe80..=0xfebf => Some("link-local"),
                0xfec0..=0xfeff => Some("private"),
                0xff00.. => Some("multicast"),
                _ => None,
            }
        }
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    SPECIAL.iter().find_map(|&(prefix, network, what)| {
        let mask = u32::MAX << (32 - u32::from(prefix));
        (u32::from(address) & mask == u32::from(Ipv4Addr::from(network))).then_some(what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> Option<String> {
        Destination::parse(text.as_bytes())
            .ok()
            .map(|d| d.to_string())
    }

    #[test]
    fn a_destination_is_read_in_all_its_forms() {
        for (text, wanted) in [
            ("ftp.example.org", "ftp.example.org:21"),
            ("FTP.Example.org.:2121", "ftp.example.org:2121"),
            ("192.0.2.1", "192.0.2.1:21"),
            ("192.0.2.1:21", "192.0.2.1:21"),
            ("2001:db8::1", "[2001:db8::1]:21"),
            ("[2001:db8::1]", "[2001:db8::1]:21"),
            ("[2001:db8::1]:2121", "[2001:db8::1]:2121"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(wanted), "{text}");
        }
        let words = |text: &[u8]| Destination::parse_words(text).ok().map(|d| d.to_string());
        assert_eq!(words(b"host 2121").as_deref(), Some("host:2121"));
        assert_eq!(words(b" host:2121 ").as_deref(), Some("host:2121"));
        assert_eq!(words(b"host 1 2"), None);
        assert_eq!(words(b""), None);
    }

    #[test]
    fn row_84_numbers_in_other_forms_are_no_hosts() {
        for text in [
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "127.1",
            "0177.0.0.1",
            "127.0.0.1.",
            "1.2.3.0x4",
            "127.0.0.01",
            "",
            ":21",
            "a:0",
            "a:65536",
            "a:+1",
            "a..b",
            "-a",
            "a b",
            "a/b",
            "a@b",
            "é",
            "[::1",
            "[1.2.3.4]",
            "fe80::1%eth0",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
        // What is IPv4 in the form of IPv6 is IPv4.
        assert_eq!(shown("::ffff:127.0.0.1").as_deref(), Some("127.0.0.1:21"));
    }

    #[test]
    fn the_last_at_sign_splits() {
        let split = split_login(b"me@mail.example@host").unwrap();
        assert_eq!(split, (&b"me@mail.example"[..], &b"host"[..]));
        assert_eq!(split_login(b"me"), None);
    }

    #[test]
    fn row_84_special_addresses_are_known_in_every_dress() {
        for address in [
            "127.0.0.1",
            "127.255.255.255",
            "10.0.0.1",
            "172.31.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.100.100.200",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(special(address.parse().unwrap()).is_some(), "{address}");
        }
        for address in [
            "192.0.2.1",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "2001:db8::1",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert_eq!(special(address.parse().unwrap()), None, "{address}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_so_that_it_is_read_again(text in "[a-z0-9.:@\\[\\]-]{0,40}") {
            if let Ok(destination) = Destination::parse(text.as_bytes()) {
                prop_assert_eq!(Destination::parse(destination.to_string().as_bytes()), Ok(destination));
            }
        }
    }
}
