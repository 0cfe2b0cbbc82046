//! The header of the PROXY protocol, with which a front end says whose connection it passes on: read in versions 1 and 2,
//! written in version 2. Pure: no I/O.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The longest line of version 1, in octets, with its end.
const LONGEST_LINE: usize = 107;
/// The shortest one: `PROXY UNKNOWN` and its end.
const SHORTEST_LINE: usize = 15;
/// The longest header of version 2, in octets, with what it adds about the connection: what one segment always holds.
pub const LONGEST: usize = 536;
/// Version 2 before its addresses.
const FIXED: usize = 16;
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const WORD: &[u8] = b"PROXY ";

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The front end speaks for itself, as when it looks whether the server is there.
    Local,
    /// Between whom the connection is that it passes on.
    Passed {
        client: SocketAddr,
        server: SocketAddr,
    },
}

/// How far a header has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many octets are to come at least: not one of them is behind the header.
    Needs(usize),
    Whole(Header),
}

/// Why octets are no header that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// They begin with something else.
    Missing,
    Malformed,
    TooLong,
    /// It names no addresses, or none of TCP.
    Nameless,
    /// Nobody can have the client's address.
    Impossible,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wrong::Missing => "there is none",
            Wrong::Malformed => "it is malformed",
            Wrong::TooLong => "it is too long",
            Wrong::Nameless => "it does not say whose connection of TCP it is",
            Wrong::Impossible => "no client can have the address that it names",
        })
    }
}

/// Reads the octets that have come so far of a header.
///
/// # Errors
/// They are none, and with no more octets will be one.
pub fn read(octets: &[u8]) -> Result<Progress, Wrong> {
    if octets.is_empty() {
        Ok(Progress::Needs(SHORTEST_LINE))
    } else if begins(octets, SIGNATURE) {
        binary(octets)
    } else if begins(octets, WORD) {
        line(octets)
    } else {
        Err(Wrong::Missing)
    }
}

/// Writes a header in version 2. Addresses of both families together are written as those of IPv6.
pub fn write(header: Header) -> Vec<u8> {
    let (command, family, body) = match header {
        Header::Local => (0x20, 0x00, Vec::new()),
        Header::Passed { client, server } => {
            let ports = [client.port().to_be_bytes(), server.port().to_be_bytes()].concat();
            let (family, mut body) = match (client.ip().to_canonical(), server.ip().to_canonical())
            {
                (IpAddr::V4(client), IpAddr::V4(server)) => {
                    (0x11, [client.octets(), server.octets()].concat())
                }
                (client, server) => (0x21, [wide(client), wide(server)].concat()),
            };
            body.extend(ports);
            (0x21, family, body)
        }
    };
    // At most 36 octets.
    let length = u16::try_from(body.len()).unwrap_or(0).to_be_bytes();
    [SIGNATURE, &[command, family][..], &length, &body].concat()
}

fn wide(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// Whether octets begin with a word, as far as there are any.
fn begins(octets: &[u8], word: &[u8]) -> bool {
    let both = octets.len().min(word.len());
    octets[..both] == word[..both]
}

/// Version 1.
fn line(octets: &[u8]) -> Result<Progress, Wrong> {
    let Some(end) = octets.iter().position(|&octet| octet == b'\n') else {
        let least = match octets.last() {
            Some(b'\r') => 1,
            _ => 2,
        };
        let least = least.max(SHORTEST_LINE.saturating_sub(octets.len()));
        return if octets.len() + least > LONGEST_LINE {
            Err(Wrong::TooLong)
        } else {
            Ok(Progress::Needs(least))
        };
    };
    let line = octets[..end].strip_suffix(b"\r").ok_or(Wrong::Malformed)?;
    if end + 1 != octets.len() {
        return Err(Wrong::Malformed);
    }
    let line = std::str::from_utf8(line).map_err(|_| Wrong::Malformed)?;
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    match words[..] {
        ["UNKNOWN", ..] => Err(Wrong::Nameless),
        ["TCP4", client, server, from, to] => {
            let ends = (
                address::<Ipv4Addr>(client, from)?,
                address::<Ipv4Addr>(server, to)?,
            );
            passed(ends.0, ends.1)
        }
        ["TCP6", client, server, from, to] => {
            let ends = (
                address::<Ipv6Addr>(client, from)?,
                address::<Ipv6Addr>(server, to)?,
            );
            passed(ends.0, ends.1)
        }
        _ => Err(Wrong::Malformed),
    }
}

fn address<A: FromStr + Into<IpAddr>>(ip: &str, port: &str) -> Result<SocketAddr, Wrong> {
    // FromStr lets a plus sign and zeros in front pass.
    let plain = port.bytes().all(|octet| octet.is_ascii_digit());
    if !plain || (port.len() > 1 && port.starts_with('0')) {
        return Err(Wrong::Malformed);
    }
    let ip: A = ip.parse().map_err(|_| Wrong::Malformed)?;
    let port = port.parse().map_err(|_| Wrong::Malformed)?;
    Ok(SocketAddr::new(ip.into(), port))
}

/// Version 2.
fn binary(octets: &[u8]) -> Result<Progress, Wrong> {
    let Some((fixed, rest)) = octets.split_first_chunk::<FIXED>() else {
        return Ok(Progress::Needs(FIXED - octets.len()));
    };
    let [.., command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if !matches!(command, 0x20 | 0x21) {
        return Err(Wrong::Malformed);
    }
    if FIXED + length > LONGEST {
        return Err(Wrong::TooLong);
    }
    match rest.len() {
        have if have < length => return Ok(Progress::Needs(length - have)),
        have if have > length => return Err(Wrong::Malformed),
        _ => {}
    }
    match (command, family) {
        (0x20, _) => Ok(Progress::Whole(Header::Local)),
        (_, 0x11) => both(rest, |ip: [u8; 4]| Ipv4Addr::from(ip).into()),
        (_, 0x21) => both(rest, |ip: [u8; 16]| Ipv6Addr::from(ip).into()),
        // Without addresses, or of UDP and local sockets.
        (_, 0x00 | 0x12 | 0x22 | 0x31 | 0x32) => Err(Wrong::Nameless),
        _ => Err(Wrong::Malformed),
    }
}

/// Reads two addresses, two ports, and steps over what is added behind them.
fn both<const N: usize>(octets: &[u8], ip: impl Fn([u8; N]) -> IpAddr) -> Result<Progress, Wrong> {
    let short = Wrong::Malformed;
    let (client, rest) = octets.split_first_chunk::<N>().ok_or(short)?;
    let (server, rest) = rest.split_first_chunk::<N>().ok_or(short)?;
    let (from, rest) = rest.split_first_chunk::<2>().ok_or(short)?;
    let (to, mut added) = rest.split_first_chunk::<2>().ok_or(short)?;
    while let Some(([_, high, low], rest)) = added.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        added = rest.get(length..).ok_or(short)?;
    }
    if !added.is_empty() {
        return Err(short);
    }
    passed(
        SocketAddr::new(ip(*client), u16::from_be_bytes(*from)),
        SocketAddr::new(ip(*server), u16::from_be_bytes(*to)),
    )
}

fn passed(client: SocketAddr, server: SocketAddr) -> Result<Progress, Wrong> {
    let nobody = match client.ip().to_canonical() {
        IpAddr::V4(v4) => v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_multicast(),
    };
    if nobody {
        return Err(Wrong::Impossible);
    }
    Ok(Progress::Whole(Header::Passed { client, server }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads as a connection is read: never more than is needed. Gives what was not read, too.
    fn take(mut stream: &[u8]) -> (Result<Progress, Wrong>, &[u8]) {
        let mut have = Vec::new();
        loop {
            match read(&have) {
                Ok(Progress::Needs(count)) if !stream.is_empty() => {
                    assert!(count > 0 && have.len() + count <= LONGEST);
                    let (now, later) = stream.split_at(count.min(stream.len()));
                    have.extend_from_slice(now);
                    stream = later;
                }
                done => return (done, stream),
            }
        }
    }

    fn whole(client: &str, server: &str) -> Result<Progress, Wrong> {
        Ok(Progress::Whole(Header::Passed {
            client: client.parse().unwrap(),
            server: server.parse().unwrap(),
        }))
    }

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family][..], &length, body].concat()
    }

    const V4: [u8; 12] = [203, 0, 113, 9, 192, 0, 2, 1, 0x30, 0x39, 0, 21];

    #[test]
    fn both_versions_name_both_ends() {
        let v4 = whole("203.0.113.9:12345", "192.0.2.1:21");
        assert_eq!(read(b"PROXY TCP4 203.0.113.9 192.0.2.1 12345 21\r\n"), v4);
        assert_eq!(read(&v2(0x21, 0x11, &V4)), v4);
        let v6 = whole("[2001:db8::9]:12345", "[2001:db8::1]:21");
        assert_eq!(read(b"PROXY TCP6 2001:db8::9 2001:db8::1 12345 21\r\n"), v6);
        let ip = |last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).octets();
        let body = [&ip(9)[..], &ip(1), &[0x30, 0x39, 0, 21]].concat();
        assert_eq!(read(&v2(0x21, 0x21, &body)), v6);
        let local = Ok(Progress::Whole(Header::Local));
        assert_eq!(read(&v2(0x20, 0x00, b"")), local);
        // What stands there is of no meaning, and as long as it says.
        assert_eq!(read(&v2(0x20, 0x99, b"junk")), local);
    }

    #[test]
    fn what_is_added_must_fit_and_is_stepped_over() {
        let with = |added: &[u8]| read(&v2(0x21, 0x11, &[&V4, added].concat()));
        let v4 = whole("203.0.113.9:12345", "192.0.2.1:21");
        assert_eq!(with(b"\x04\x00\x00"), v4);
        assert_eq!(with(b"\x02\x00\x03abc\xee\x00\x01x"), v4);
        for added in [
            &b"\x04"[..],
            b"\x04\x00",
            b"\x04\x00\x01",
            b"\x04\xff\xffx",
            b"\x02\x00\x01ab",
        ] {
            assert_eq!(with(added), Err(Wrong::Malformed), "{added:?}");
        }
        let most = LONGEST - FIXED - V4.len() - 3;
        let added = |count: usize| {
            let length = u16::try_from(count).unwrap().to_be_bytes();
            [&[4][..], &length, &vec![0; count]].concat()
        };
        assert_eq!(with(&added(most)), v4);
        assert_eq!(with(&added(most + 1)), Err(Wrong::TooLong));
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 216]].concat();
        let cases: &[(&[u8], Wrong)] = &[
            (b"USER x\r\n", Wrong::Missing),
            (b"PASS x\r\n", Wrong::Missing),
            (b"proxy TCP4 192.0.2.9 192.0.2.1 1 21\r\n", Wrong::Missing),
            (b"\x16\x03\x01\x02\x00", Wrong::Missing),
            (b"\r\n\r\n\0\r\nQUIX", Wrong::Missing),
            (b"PROXY UNKNOWN\r\n", Wrong::Nameless),
            (b"PROXY UNKNOWN anything at all\r\n", Wrong::Nameless),
            (b"PROXY TCP4 192.0.2.9 192.0.2.1 1\r\n", Wrong::Malformed),
            (
                b"PROXY TCP4 192.0.2.9 192.0.2.1 1 21 \r\n",
                Wrong::Malformed,
            ),
            (
                b"PROXY  TCP4 192.0.2.9 192.0.2.1 1 21\r\n",
                Wrong::Malformed,
            ),
            (b"PROXY TCP4 192.0.2.9 192.0.2.1 1 21\n", Wrong::Malformed),
            (
                b"PROXY TCP4 192.0.2.9 192.0.2.1 01 21\r\n",
                Wrong::Malformed,
            ),
            (
                b"PROXY TCP4 192.0.2.9 192.0.2.1 +1 21\r\n",
                Wrong::Malformed,
            ),
            (
                b"PROXY TCP4 192.0.2.9 192.0.2.1 65536 21\r\n",
                Wrong::Malformed,
            ),
            (
                b"PROXY TCP4 192.0.2.09 192.0.2.1 1 21\r\n",
                Wrong::Malformed,
            ),
            (
                b"PROXY TCP4 2001:db8::9 192.0.2.1 1 21\r\n",
                Wrong::Malformed,
            ),
            (b"PROXY TCP6 192.0.2.9 192.0.2.1 1 21\r\n", Wrong::Malformed),
            (b"PROXY TCP5 192.0.2.9 192.0.2.1 1 21\r\n", Wrong::Malformed),
            (
                b"PROXY TCP4 192.0.2.9 192.0.2.\xb2 1 21\r\n",
                Wrong::Malformed,
            ),
            (b"PROXY TCP4 0.0.0.0 192.0.2.1 1 21\r\n", Wrong::Impossible),
            (
                b"PROXY TCP4 255.255.255.255 192.0.2.1 1 21\r\n",
                Wrong::Impossible,
            ),
            (
                b"PROXY TCP4 224.0.0.1 192.0.2.1 1 21\r\n",
                Wrong::Impossible,
            ),
            (b"PROXY TCP6 ::ffff:0.0.0.0 ::1 1 21\r\n", Wrong::Impossible),
            (&long, Wrong::TooLong),
        ];
        for &(octets, wrong) in cases {
            assert_eq!(take(octets).0, Err(wrong), "{}", octets.escape_ascii());
        }
        for (command, family) in [
            (0x22, 0x11),
            (0x31, 0x11),
            (0x11, 0x11),
            (0x21, 0x13),
            (0x21, 0x41),
        ] {
            assert_eq!(read(&v2(command, family, &V4)), Err(Wrong::Malformed));
        }
        for family in [0x00, 0x12, 0x22, 0x31, 0x32] {
            assert_eq!(read(&v2(0x21, family, &[0; 216])), Err(Wrong::Nameless));
        }
        assert_eq!(read(&v2(0x21, 0x11, &V4[..11])), Err(Wrong::Malformed));
        assert_eq!(read(&v2(0x21, 0x21, &V4)), Err(Wrong::Malformed));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(client: SocketAddr, server: SocketAddr) {
            let header = Header::Passed { client, server };
            match read(&write(header)) {
                Ok(Progress::Whole(Header::Passed { client: c, server: s })) => {
                    let plain = |at: SocketAddr| (at.ip().to_canonical(), at.port());
                    prop_assert_eq!((plain(c), plain(s)), (plain(client), plain(server)));
                }
                other => prop_assert_eq!(other, Err(Wrong::Impossible)),
            }
            prop_assert_eq!(read(&write(Header::Local)), Ok(Progress::Whole(Header::Local)));
        }

        #[test]
        fn what_follows_a_header_is_left_where_it_is(
            client: SocketAddr, server: SocketAddr, binary: bool, behind in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let mixed = client.is_ipv4() != server.is_ipv4();
            let octets = match (client, server) {
                _ if mixed => return Ok(()),
                (SocketAddr::V4(c), SocketAddr::V4(s)) if binary => {
                    let ports = [c.port().to_be_bytes(), s.port().to_be_bytes()].concat();
                    v2(0x21, 0x11, &[&c.ip().octets()[..], &s.ip().octets(), &ports].concat())
                }
                (SocketAddr::V6(c), SocketAddr::V6(s)) if binary => {
                    let ports = [c.port().to_be_bytes(), s.port().to_be_bytes()].concat();
                    v2(0x21, 0x21, &[&c.ip().octets()[..], &s.ip().octets(), &ports].concat())
                }
                _ => {
                    let family = if client.is_ipv4() { 4 } else { 6 };
                    format!("PROXY TCP{family} {} {} {} {}\r\n", client.ip(), server.ip(), client.port(), server.port())
                        .into_bytes()
                }
            };
            let stream = [octets, behind.clone()].concat();
            match take(&stream) {
                (Ok(Progress::Whole(Header::Passed { client: c, server: s })), rest) => {
                    prop_assert_eq!((c.ip(), c.port()), (client.ip(), client.port()));
                    prop_assert_eq!((s.ip(), s.port()), (server.ip(), server.port()));
                    prop_assert_eq!(rest, &behind[..]);
                }
                (other, _) => prop_assert_eq!(other, Err(Wrong::Impossible)),
            }
        }

        #[test]
        fn whatever_comes_is_no_trap(mut octets in proptest::collection::vec(any::<u8>(), 0..600), start in 0u8..3) {
            let begin: &[u8] = match start { 0 => SIGNATURE, 1 => WORD, _ => b"" };
            octets.splice(0..0, begin.iter().copied());
            let _ = take(&octets);
        }
    }
}
