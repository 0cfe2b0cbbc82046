//! Sockets that whoever started this program has opened for it (socket activation), and whether they are what the settings
//! mean. The protocol is that of sd_listen_fds(3).

use socket2::{Domain, Protocol, Socket, Type};

use super::{Entrance, Gate, Origin, Port};
use crate::settings::{Bind, Tls};
use crate::sys;

/// The port of a server that was told none: nothing that a socket has to agree with.
const UNSAID: u16 = 21;

/// So many are taken: each is a socket that the listener looks at.
const MOST: usize = 64;

/// The names that sockets have where nobody has given them one.
const NO_NAME: [&str; 2] = ["", "unknown"];

/// Whether there are any.
pub fn are_there() -> bool {
    sd_notify::listen_fds().is_ok_and(|mut numbers| numbers.next().is_some())
}

/// Takes them; without any that is an empty list. They can be taken once.
///
/// # Errors
/// What is wrong with one of them, with what to do about it.
pub(super) fn take(tls: &Tls) -> Result<Vec<Port>, String> {
    let passed = sd_notify::listen_fds_with_names();
    let passed: Vec<_> = passed
        .map_err(|error| format!("LISTEN_FDS: {error}"))?
        .collect();
    if passed.len() > MOST {
        return Err(format!("more than {MOST} sockets were passed"));
    }
    let mut ports = Vec::new();
    for (number, name) in passed {
        let shown = match NO_NAME.contains(&name.as_str()) {
            true => format!("the socket {number} that was passed"),
            false => format!("the socket {name:?} ({number}) that was passed"),
        };
        let socket = sys::take_passed(number).map_err(|error| format!("{shown}: {error}"))?;
        let socket = Socket::from(socket);
        let gate = look(&socket, &name, tls).map_err(|why| format!("{shown} {why}"))?;
        // Whoever passed it may have left it as it was made.
        socket
            .set_nonblocking(true)
            .map_err(|error| format!("{shown}: {error}"))?;
        ports.push(Port {
            socket,
            gate,
            origin: Origin::Passed,
        });
    }
    Ok(ports)
}

/// What one is for.
fn look(socket: &Socket, name: &str, tls: &Tls) -> Result<Gate, String> {
    let Ok(kind) = socket.r#type() else {
        return Err("is no socket: ListenStream= makes one".to_owned());
    };
    let domain = socket
        .domain()
        .map_err(|error| format!("is odd: {error}"))?;
    let internet = domain == Domain::IPV4 || domain == Domain::IPV6;
    let tcp = matches!(socket.protocol(), Ok(Some(Protocol::TCP)));
    if kind != Type::STREAM || !internet || !tcp {
        return Err("is not one of TCP: ListenStream= with a port makes one".to_owned());
    }
    if !socket.is_listener().unwrap_or(false) {
        let hint = "pass listening sockets (Accept=no), or start a session for each connection with -inetd and StandardInput=socket";
        return Err(format!("does not listen: {hint}"));
    }
    let address = socket.local_addr().ok().and_then(|own| own.as_socket());
    let address = address.ok_or("has no address")?;
    let entrance = match name {
        "ftp" => Entrance::Plain,
        "ftps" => Entrance::Tls,
        name if NO_NAME.contains(&name) && tls.port == Some(address.port()) => Entrance::Tls,
        name if NO_NAME.contains(&name) => Entrance::Plain,
        _ => {
            return Err(
                "has a name that says nothing here: FileDescriptorName=ftp, or ftps for implicit TLS"
                    .to_owned(),
            );
        }
    };
    let both_families =
        address.is_ipv6() && address.ip().is_unspecified() && !socket.only_v6().unwrap_or(true);
    Ok(Gate {
        address,
        entrance,
        both_families,
    })
}

/// Whether they are what the settings mean: who says where to listen twice has to say the same.
///
/// # Errors
/// What contradicts what, with what to do about it.
pub(super) fn fit(gates: &[Gate], bind: &Bind, port: u16, tls: &Tls) -> Result<(), String> {
    let has = |entrance, port| {
        let mut these = gates.iter().filter(|gate| gate.entrance == entrance);
        these.any(|gate| gate.address.port() == port)
    };
    if gates.iter().any(|gate| gate.entrance == Entrance::Tls) && tls.certificates.is_empty() {
        return Err("a socket for implicit TLS was passed, and there is no Certificate".to_owned());
    }
    if port != UNSAID && port != 0 && !has(Entrance::Plain, port) {
        return Err(format!(
            "Port={port}: none of the sockets that were passed listens there; leave Port out, or have it passed"
        ));
    }
    if let Some(port) = tls.port
        && !has(Entrance::Tls, port)
    {
        return Err(format!(
            "TLSPort={port}: no socket for implicit TLS was passed that listens there; have one passed with the name ftps, or leave \
             TLSPort out"
        ));
    }
    if bind.ipv4_only
        && let Some(gate) = gates.iter().find(|gate| gate.address.is_ipv6())
    {
        return Err(format!(
            "-4 (IPv4Only): a socket was passed that listens on {}; leave one of them out",
            gate.address
        ));
    }
    places(gates, bind, port, tls)
}

/// Whether `BindAddress`, if it is there, names just where they listen.
fn places(gates: &[Gate], bind: &Bind, port: u16, tls: &Tls) -> Result<(), String> {
    if bind.places.is_empty() {
        return Ok(());
    }
    let wanted = super::gates(bind, port, tls.port)?;
    let same =
        |one: &Gate, other: &Gate| (one.address, one.entrance) == (other.address, other.entrance);
    for gate in &wanted {
        if !gates.iter().any(|passed| same(passed, gate)) {
            return Err(format!(
                "BindAddress: no socket was passed that listens on {}; leave BindAddress out, or have one passed",
                gate.address
            ));
        }
    }
    for passed in gates {
        if !wanted.iter().any(|gate| same(passed, gate)) {
            return Err(format!(
                "BindAddress: a socket was passed that listens on {}, which it does not name; leave one of them out",
                passed.address
            ));
        }
    }
    Ok(())
}
