//! Host and port in the forms of PORT, PASV (RFC 959), EPRT, EPSV (RFC 2428), LPRT and LPSV (RFC 1639), both directions.
//! Pure: no I/O.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use super::args::ArgError;

/// The address families of RFC 2428, as EPSV's argument names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
    /// A number that RFC 2428 gives no meaning: 522.
    Unknown,
}

/// EPRT named an address family that does not exist: 522.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownProtocol;

/// Parses the argument of PORT: `h1,h2,h3,h4,p1,p2`.
pub fn parse_port(argument: &[u8]) -> Result<SocketAddrV4, ArgError> {
    let text = std::str::from_utf8(argument.trim_ascii()).map_err(|_| ArgError::Syntax)?;
    if text.is_empty() {
        return Err(ArgError::Missing);
    }
    let mut octets = [0u8; 6];
    let mut fields = text.split(',');
    for octet in &mut octets {
        let field = fields.next().ok_or(ArgError::Syntax)?;
        *octet = decimal(field).ok_or(ArgError::Syntax)?;
    }
    if fields.next().is_some() {
        return Err(ArgError::Syntax);
    }
    let [a, b, c, d, high, low] = octets;
    Ok(SocketAddrV4::new(
        Ipv4Addr::new(a, b, c, d),
        u16::from_be_bytes([high, low]),
    ))
}

/// Finds the address in the text of a reply to PASV: six numbers with commas between, wherever they stand (RFC 1123
/// §4.1.2.6).
pub fn find_port(text: &[u8]) -> Option<SocketAddrV4> {
    let is_part = |octet: &u8| octet.is_ascii_digit() || *octet == b',';
    text.split(|octet| !is_part(octet))
        .map(|numbers| numbers.strip_suffix(b",").unwrap_or(numbers))
        .find_map(|numbers| parse_port(numbers).ok())
}

/// Finds the port in the text of a reply to EPSV: `(|||6446|)`, with any printable delimiter (RFC 2428 §3).
pub fn find_extended_port(text: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(text).ok()?;
    let (_, inner) = text.rsplit_once('(')?;
    let (inner, _) = inner.split_once(')')?;
    let delimiter = inner.chars().next().filter(char::is_ascii_graphic)?;
    match inner.split(delimiter).collect::<Vec<_>>()[..] {
        ["", "", "", port, ""] => decimal(port),
        _ => None,
    }
}

/// Writes an address as PASV's reply and PORT's argument have it.
pub fn port_text(address: SocketAddrV4) -> String {
    let [a, b, c, d] = address.ip().octets();
    let [high, low] = address.port().to_be_bytes();
    format!("{a},{b},{c},{d},{high},{low}")
}

/// Parses the argument of EPRT: `|1|132.235.1.2|6275|`, with any printable delimiter.
pub fn parse_eprt(argument: &[u8]) -> Result<Result<SocketAddr, UnknownProtocol>, ArgError> {
    let text = std::str::from_utf8(argument.trim_ascii()).map_err(|_| ArgError::Syntax)?;
    let delimiter = text.chars().next().ok_or(ArgError::Missing)?;
    if !delimiter.is_ascii_graphic() || delimiter.is_ascii_alphanumeric() {
        return Err(ArgError::Syntax);
    }
    let fields: Vec<&str> = text.split(delimiter).collect();
    let ["", family, host, port, ""] = fields[..] else {
        return Err(ArgError::Syntax);
    };
    if family.is_empty() || !family.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ArgError::Syntax);
    }
    let port: u16 = decimal(port).ok_or(ArgError::Syntax)?;
    let host: IpAddr = match family {
        "1" => IpAddr::V4(host.parse().map_err(|_| ArgError::Syntax)?),
        "2" => IpAddr::V6(host.parse().map_err(|_| ArgError::Syntax)?),
        _ => return Ok(Err(UnknownProtocol)),
    };
    Ok(Ok(SocketAddr::new(host, port)))
}

/// Parses the argument of LPRT (RFC 1639 §3.2): family, length and octets of the host, length and octets of the port.
pub fn parse_lprt(argument: &[u8]) -> Result<Result<SocketAddr, UnknownProtocol>, ArgError> {
    let text = std::str::from_utf8(argument.trim_ascii()).map_err(|_| ArgError::Syntax)?;
    if text.is_empty() {
        return Err(ArgError::Missing);
    }
    let octets: Vec<u8> = text
        .split(',')
        .map(|field| decimal(field.trim_matches(' ')).ok_or(ArgError::Syntax))
        .collect::<Result<_, _>>()?;
    match octets[..] {
        [4, 4, a, b, c, d, 2, high, low] => {
            let ip = Ipv4Addr::new(a, b, c, d);
            Ok(Ok((ip, u16::from_be_bytes([high, low])).into()))
        }
        [6, 16, ref host @ .., 2, high, low] => {
            let host: [u8; 16] = host.try_into().map_err(|_| ArgError::Syntax)?;
            let port = u16::from_be_bytes([high, low]);
            Ok(Ok((Ipv6Addr::from(host), port).into()))
        }
        [4 | 6, ..] => Err(ArgError::Syntax),
        _ => Ok(Err(UnknownProtocol)),
    }
}

/// Writes an address as LPSV's reply has it (RFC 1639 §3.3).
pub fn long_text(address: SocketAddr) -> String {
    let (family, host) = match address.ip() {
        IpAddr::V4(ip) => (4, ip.octets().to_vec()),
        IpAddr::V6(ip) => (6, ip.octets().to_vec()),
    };
    let mut text = format!("{family},{}", host.len());
    for octet in host {
        text.push_str(&format!(",{octet}"));
    }
    let [high, low] = address.port().to_be_bytes();
    text.push_str(&format!(",2,{high},{low}"));
    text
}

/// Digits only: Rust's own parser would take a plus sign.
fn decimal<T: std::str::FromStr>(text: &str) -> Option<T> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        None
    } else {
        text.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lprt_takes_both_families() {
        let v4 = parse_lprt(b"4,4,132,235,1,2,2,24,131");
        assert_eq!(v4, Ok(Ok("132.235.1.2:6275".parse().unwrap())));
        let v6 = parse_lprt(b"6,16,32,1,13,184,0,0,0,0,0,0,0,0,0,0,0,1,2,20,162");
        assert_eq!(v6, Ok(Ok("[2001:db8::1]:5282".parse().unwrap())));
        assert_eq!(parse_lprt(b"16,1,0,1,0"), Ok(Err(UnknownProtocol)));
        for bad in [
            "4",
            "4,4,1,2,3,2,0,1",
            "4,4,1,2,3,4,2,0",
            "6,16,1,2,0,1",
            "4,4,1,2,3,256,2,0,1",
            "4,,1",
            "x",
        ] {
            assert_eq!(parse_lprt(bad.as_bytes()), Err(ArgError::Syntax), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn lpsv_text_is_read_back(ip: IpAddr, port: u16) {
            let address = SocketAddr::new(ip, port);
            prop_assert_eq!(parse_lprt(long_text(address).as_bytes()), Ok(Ok(address)));
        }
    }

    #[test]
    fn eprt_takes_both_families() {
        let v4 = parse_eprt(b"|1|132.235.1.2|6275|");
        assert_eq!(v4, Ok(Ok("132.235.1.2:6275".parse().unwrap())));
        let v6 = parse_eprt(b"!2!1080::8:800:200C:417A!5282!");
        assert_eq!(v6, Ok(Ok("[1080::8:800:200C:417A]:5282".parse().unwrap())));
        assert_eq!(parse_eprt(b"|3|x|1|"), Ok(Err(UnknownProtocol)));
        for bad in [
            "",
            "|",
            "|1|::1|1|",
            "|2|1.2.3.4|1|",
            "|1|1.2.3.4|65536|",
            "|1|1.2.3.4|+1|",
            "|1|1.2.3.4|1",
            "a1a1.2.3.4a1a",
        ] {
            assert!(parse_eprt(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_are_found_in_replies_of_many_servers() {
        for text in [
            "Entering Passive Mode (192,0,2,1,4,1).",
            "Entering Passive Mode. 192,0,2,1,4,1",
            "=192,0,2,1,4,1",
            "Entering Passive Mode (192,0,2,1,4,1), please.",
        ] {
            let found = find_port(text.as_bytes());
            assert_eq!(found, Some("192.0.2.1:1025".parse().unwrap()), "{text}");
        }
        for text in [
            "Entering Passive Mode",
            "(1,2,3,4,5)",
            "(1,2,3,4,5,256)",
            "1,2,3,4,5,6,7",
            ",,,,,,",
            "",
        ] {
            assert_eq!(find_port(text.as_bytes()), None, "{text}");
        }
        assert_eq!(find_extended_port(b"Extended (|||6446|)"), Some(6446));
        assert_eq!(find_extended_port(b"(x) (!!!1!) ok"), Some(1));
        for text in [
            "",
            "|||1|",
            "(|||65536|)",
            "(||1|1|)",
            "(|||+1|)",
            "()",
            "(|||1|",
        ] {
            assert_eq!(find_extended_port(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn port_refuses_what_is_not_six_octets() {
        for bad in [
            "",
            "1,2,3,4,5",
            "1,2,3,4,5,6,7",
            "256,2,3,4,5,6",
            "1,2,3,4,,6",
            "+1,2,3,4,5,6",
            "1, 2,3,4,5,6",
        ] {
            assert!(parse_port(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn port_round_trips(ip: u32, port: u16) {
            let address = SocketAddrV4::new(ip.into(), port);
            prop_assert_eq!(parse_port(port_text(address).as_bytes()), Ok(address));
        }
    }
}
