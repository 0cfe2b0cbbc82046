//! The ports that clients come to: which the settings mean, and opening them, or taking those that were passed. Never accepts
//! and never reads.

pub mod passed;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use crate::log::Log;
use crate::net::{Addresses, interface_addresses};
use crate::sandbox::is_root;
use crate::settings::Tls;
use crate::settings::bind::{At, Bind};

/// How many connections may wait to be accepted on a control port.
const BACKLOG: i32 = 1024;

/// How TLS begins on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// When the client asks for it, if there is a certificate.
    Plain,
    /// With the connection (implicit TLS).
    Tls,
}

impl Entrance {
    fn words(self) -> &'static str {
        match self {
            Entrance::Plain => "",
            Entrance::Tls => ", with implicit TLS",
        }
    }
}

/// A port that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    pub address: SocketAddr,
    pub entrance: Entrance,
    /// All addresses of IPv6 are those of IPv4 too, unless there is another gate for these.
    both_families: bool,
}

/// A port that is open.
#[derive(Debug)]
pub struct Port {
    pub socket: Socket,
    /// What it was opened for; its own number is another one if that is zero.
    pub gate: Gate,
    pub origin: Origin,
}

/// Who has opened a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This program.
    Own,
    /// Whoever started it: then nobody else opens any.
    Passed,
}

impl Port {
    /// Where it listens.
    fn address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()?.as_socket()
    }
}

/// What becomes of the ports that are open, for other settings.
#[derive(Debug)]
pub struct Change {
    /// Those that will do.
    pub stay: Vec<Gate>,
    pub opened: Vec<Port>,
}

impl Gate {
    /// Whether whoever comes to the other comes to this one as well.
    fn includes(self, other: Gate) -> bool {
        let (one, all) = (self.address, self.address.ip().is_unspecified());
        let family = one.is_ipv4() == other.address.is_ipv4();
        // Each zero is another port.
        let port = one.port() == other.address.port() && one.port() != 0;
        port && family && (all || one.ip() == other.address.ip())
    }
}

/// What the settings mean today: a port for each address that is named, and a second one for implicit TLS. What is named
/// twice is there once.
///
/// # Errors
/// An interface has no address, or a port would be that of both kinds; with what to do about it.
pub fn gates(bind: &Bind, port: u16, tls: Option<u16>) -> Result<Vec<Gate>, String> {
    let mut wanted = Vec::new();
    for (address, own) in addresses(bind)? {
        let gate = |port, entrance| Gate {
            address: SocketAddr::new(address, port),
            entrance,
            both_families: false,
        };
        wanted.push(gate(own.unwrap_or(port), Entrance::Plain));
        wanted.extend(tls.map(|port| gate(port, Entrance::Tls)));
    }
    let v4: Vec<u16> = (wanted.iter().filter(|gate| gate.address.is_ipv4()))
        .map(|gate| gate.address.port())
        .collect();
    for gate in wanted.iter_mut().filter(|gate| is_for_all(gate)) {
        gate.both_families = gate.address.is_ipv6() && !v4.contains(&gate.address.port());
    }
    let mut gates: Vec<Gate> = Vec::new();
    // Those for all addresses first, so that they are found to include others.
    wanted.sort_by_key(|gate| (gate.entrance == Entrance::Tls, !is_for_all(gate)));
    for gate in wanted {
        match gates.iter().find(|first| first.includes(gate)) {
            None => gates.push(gate),
            Some(first) if first.entrance == gate.entrance => {}
            Some(_) => {
                let port = gate.address.port();
                return Err(format!(
                    "port {port} of {} is both the plain one and TLSPort: choose another for one of them",
                    gate.address.ip()
                ));
            }
        }
    }
    Ok(gates)
}

fn is_for_all(gate: &Gate) -> bool {
    gate.address.ip().is_unspecified()
}

/// All addresses that are named, each with its own port.
fn addresses(bind: &Bind) -> Result<Vec<(IpAddr, Option<u16>)>, String> {
    if bind.places.is_empty() {
        let all: IpAddr = match bind.ipv4_only {
            true => Ipv4Addr::UNSPECIFIED.into(),
            false => Ipv6Addr::UNSPECIFIED.into(),
        };
        return Ok(vec![(all, None)]);
    }
    let mut named = Vec::new();
    for place in &bind.places {
        match &place.at {
            At::Address(address) => named.push((*address, place.port)),
            At::Interface(name) => {
                let mut all = interface_addresses(name).map_err(|error| error.to_string())?;
                all.retain(|address| address.is_ipv4() || !bind.ipv4_only);
                if all.is_empty() {
                    return Err(format!(
                        "interface {name} has no address to listen on: give it one, or name another with BindAddress"
                    ));
                }
                named.extend(all.into_iter().map(|address| (address, place.port)));
            }
        }
    }
    Ok(named)
}

/// Opens the control ports, and those for implicit TLS if they are wanted; or takes those that were passed.
///
/// # Errors
/// Why that is not possible, with what to do about it.
pub fn open(bind: &Bind, port: u16, tls: &Tls) -> Result<Vec<Port>, String> {
    let passed = passed::take(tls)?;
    if passed.is_empty() {
        return change(bind, port, tls, &[]).map(|change| change.opened);
    }
    passed::fit(&gates_of(&passed), bind, port, tls)?;
    Ok(passed)
}

/// Looks at what [`open`] would do, and opens nothing: what there is to know about ports that were passed.
///
/// # Errors
/// As [`open`], as far as that can be known without it.
pub fn look(bind: &Bind, port: u16, tls: &Tls) -> Result<Vec<String>, String> {
    let passed = passed::take(tls)?;
    if passed.is_empty() {
        return gates(bind, port, tls.port).map(|_| Vec::new());
    }
    let gates = gates_of(&passed);
    passed::fit(&gates, bind, port, tls)?;
    let notes = gates.iter().map(|gate| {
        let address = gate.address;
        format!(
            "clients come to {address}{}, a socket that was passed",
            gate.entrance.words()
        )
    });
    Ok(notes.collect())
}

/// Where clients come: by the ports that were passed, or else by what the settings mean today. Opens nothing.
///
/// # Errors
/// As [`open`], as far as that can be known without it.
pub fn planned(bind: &Bind, port: u16, tls: &Tls) -> Result<Vec<Gate>, String> {
    let passed = passed::take(tls)?;
    match passed.is_empty() {
        true => gates(bind, port, tls.port),
        false => Ok(gates_of(&passed)),
    }
}

fn gates_of(ports: &[Port]) -> Vec<Gate> {
    ports.iter().map(|port| port.gate).collect()
}

/// Opens what is wanted and not open yet. Closes nothing. Ports that were passed stay all.
///
/// # Errors
/// As [`open`].
pub fn change(bind: &Bind, port: u16, tls: &Tls, there: &[Port]) -> Result<Change, String> {
    if there.iter().any(|port| port.origin == Origin::Passed) {
        let stay = gates_of(there);
        passed::fit(&stay, bind, port, tls)?;
        let opened = Vec::new();
        return Ok(Change { stay, opened });
    }
    let is_there = |gate: &Gate| there.iter().any(|port| port.gate == *gate);
    let (stay, missing): (Vec<Gate>, Vec<Gate>) =
        gates(bind, port, tls.port)?.into_iter().partition(is_there);
    let open = |gate: Gate| match listen(gate, bind.places.is_empty()) {
        Ok(socket) => Ok(Port {
            socket,
            gate,
            origin: Origin::Own,
        }),
        Err(error) => Err(cannot_listen(bind, gate.address, &error, there)),
    };
    let opened = missing.into_iter().map(open).collect::<Result<_, _>>()?;
    Ok(Change { stay, opened })
}

fn listen(gate: Gate, nothing_named: bool) -> io::Result<Socket> {
    match listen_at(gate.address, gate.both_families) {
        Err(error) if nothing_named && gate.both_families && no_ipv6(&error) => {
            let all = (Ipv4Addr::UNSPECIFIED, gate.address.port());
            listen_at(all.into(), false)
        }
        other => other,
    }
}

fn no_ipv6(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL))
}

fn listen_at(address: SocketAddr, both_families: bool) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.cloexec().nonblocking(),
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!both_families)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// Why the port could not be opened, with what to do about it.
fn cannot_listen(bind: &Bind, address: SocketAddr, error: &io::Error, there: &[Port]) -> String {
    let listens = |at: SocketAddr| at.port() == address.port();
    let ours = (there.iter()).any(|port| port.address().is_some_and(listens));
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need root or CAP_NET_BIND_SERVICE, a higher one does not: -port 2121"
        }
        io::ErrorKind::AddrInUse if ours => {
            "; this server has it for other addresses: such a change needs a restart"
        }
        io::ErrorKind::AddrInUse => {
            "; another program has it: stop that or choose another with -port"
        }
        io::ErrorKind::AddrNotAvailable => {
            "; no interface of this machine has that address: see BindAddress"
        }
        _ => "",
    };
    let at = match (bind.places.is_empty(), bind.ipv4_only) {
        (true, false) => "all addresses".to_owned(),
        (true, true) => "all IPv4 addresses".to_owned(),
        (false, _) => address.ip().to_string(),
    };
    format!(
        "cannot listen on port {} ({at}): {error}{hint}",
        address.port()
    )
}

/// Whether a firewall can bring those here who want to connect to such addresses.
///
/// # Errors
/// Only root can have that, as a sentence.
pub fn may_admit(addresses: Addresses) -> Result<(), String> {
    match addresses {
        Addresses::Any if !is_root() => Err(
            "TProxy needs root, for sockets with addresses of other machines: start it as root, or say Transparent instead"
                .to_owned(),
        ),
        Addresses::Own | Addresses::Any => Ok(()),
    }
}

/// Lets ports that are open be reached by those who want to connect to such addresses.
///
/// # Errors
/// Why that is not possible, with what to do about it.
pub fn admit(ports: &[Port], addresses: Addresses) -> Result<(), String> {
    may_admit(addresses)?;
    let mut sockets = ports.iter().map(|port| (&port.socket, &port.gate.address));
    sockets
        .try_for_each(|(socket, address)| addresses.permit(socket, address))
        .map_err(|error| format!("TProxy: {error}"))
}

/// Tells the log where clients may come.
pub fn announce(ports: &[Port], log: &Log) {
    for port in ports {
        if let Some(address) = port.address() {
            let how = port.gate.entrance.words();
            let whose = match port.origin {
                Origin::Own => "",
                Origin::Passed => ", a socket that was passed",
            };
            log.line(&format!("listening on {address}{how}{whose}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::bind;

    fn bind(list: &[(&str, Option<u16>)]) -> Bind {
        let place = |(address, port): &(&str, Option<u16>)| bind::Place {
            at: match address.parse() {
                Ok(address) => At::Address(address),
                Err(_) => At::Interface((*address).to_owned()),
            },
            port: *port,
        };
        Bind {
            places: list.iter().map(place).collect(),
            ipv4_only: false,
        }
    }

    fn shown(bind: &Bind, tls: Option<u16>) -> Result<Vec<String>, String> {
        let gates = gates(bind, 21, tls)?.into_iter();
        Ok(gates
            .map(|gate| format!("{} {:?}", gate.address, gate.entrance))
            .collect())
    }

    #[test]
    fn each_address_has_the_port_of_all_or_its_own() {
        assert_eq!(shown(&Bind::default(), None).unwrap(), ["[::]:21 Plain"]);
        let two = bind(&[("192.0.2.1", None), ("2001:db8::1", Some(2121))]);
        assert_eq!(
            shown(&two, Some(990)).unwrap(),
            [
                "192.0.2.1:21 Plain",
                "[2001:db8::1]:2121 Plain",
                "192.0.2.1:990 Tls",
                "[2001:db8::1]:990 Tls"
            ]
        );
        // Two ports of one address have one for implicit TLS.
        let one = bind(&[("192.0.2.1", None), ("192.0.2.1", Some(2121))]);
        assert_eq!(shown(&one, Some(990)).unwrap().len(), 3);
    }

    #[test]
    fn what_is_named_twice_is_there_once() {
        let twice = bind(&[("192.0.2.1", None), ("192.0.2.1", Some(21))]);
        assert_eq!(shown(&twice, None).unwrap(), ["192.0.2.1:21 Plain"]);
        let within = bind(&[("192.0.2.1", None), ("0.0.0.0", None), ("::1", None)]);
        assert_eq!(
            shown(&within, None).unwrap(),
            ["0.0.0.0:21 Plain", "[::1]:21 Plain"]
        );
        // Any free port is another one each time.
        let free = bind(&[("192.0.2.1", Some(0)), ("192.0.2.1", Some(0))]);
        assert_eq!(shown(&free, None).unwrap().len(), 2);
    }

    #[test]
    fn a_port_is_plain_or_for_tls() {
        let why = shown(&Bind::default(), Some(21)).unwrap_err();
        assert!(why.contains("both the plain one and TLSPort"), "{why}");
        let own = bind(&[("192.0.2.1", Some(990)), ("192.0.2.2", None)]);
        assert!(shown(&own, Some(990)).is_err());
        assert!(shown(&own, Some(991)).is_ok());
    }

    #[test]
    fn an_interface_stands_for_its_addresses() {
        let loopback = shown(&bind(&[("lo", Some(2121))]), None).unwrap();
        assert!(
            loopback.contains(&"127.0.0.1:2121 Plain".to_owned()),
            "{loopback:?}"
        );
        let why = shown(&bind(&[("nosuch0", None)]), None).unwrap_err();
        assert!(why.contains("nosuch0"), "{why}");
    }
}
