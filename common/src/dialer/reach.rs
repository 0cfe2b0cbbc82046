//! The way to a server: its name, the rules for its addresses, and a connection to one of them. What was judged is what is
//! connected to: no name is looked up twice.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use crate::channel::DialFault;
use crate::control::until;
use crate::net::{self, Addresses};
use crate::proto::destination::{Destination, Host};
use crate::settings::targets::{Forbidden, Targets};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

/// So many addresses of one host are tried.
const MOST_ADDRESSES: usize = 8;

/// Why a server was not reached, with a sentence for the log.
#[derive(Debug)]
pub(super) struct Unreached {
    pub(super) why: DialFault,
    pub(super) text: String,
}

fn unreached(why: DialFault, text: impl Into<String>) -> Unreached {
    let text = text.into();
    Unreached { why, text }
}

/// A server that was reached.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) socket: OwnedFd,
    pub(super) server: SocketAddr,
    /// The gateway's own address on that connection.
    pub(super) local: SocketAddr,
}

/// Goes to a destination, if the rules let it; as the client `from`, if that is given. `watched` are descriptors that end the wait.
pub(super) fn reach(
    targets: &Targets,
    destination: &Destination,
    from: Option<SocketAddr>,
    deadline: Instant,
    watched: &[BorrowedFd<'_>],
) -> Result<Reached, Unreached> {
    let mut last = unreached(DialFault::UnknownHost, "it has no address");
    for address in permitted(targets, destination)? {
        let server = SocketAddr::new(address, destination.port);
        match connect(server, from, deadline, watched) {
            Ok(reached) => return Ok(reached),
            Err(Errno::ETIMEDOUT) if Instant::now() >= deadline => {
                return Err(unreached(
                    DialFault::TimedOut,
                    format!("{server} does not answer"),
                ));
            }
            Err(errno) => {
                let text = format!("{server}: {}", errno.desc());
                last = unreached(DialFault::Unreachable, text);
            }
        }
    }
    Err(last)
}

/// The addresses of a destination, all of which the rules permit.
///
/// SECURITY: a name with one address that is forbidden is refused as a whole: whoever gives it such an address means to get
/// there (DNS rebinding).
pub(super) fn permitted(
    targets: &Targets,
    destination: &Destination,
) -> Result<Vec<IpAddr>, Unreached> {
    let Destination { host, port, .. } = destination;
    if !targets.may_permit(host, *port) {
        return Err(unreached(
            DialFault::Forbidden,
            "no rule of Targets permits it",
        ));
    }
    let addresses = match host {
        Host::Address(address) => vec![*address],
        Host::Name(name) => addresses(name, *port)?,
    };
    judged(targets, destination, addresses, &net::own_addresses())
}

/// Those addresses of a destination that are tried, if the rules permit all that it has.
fn judged(
    targets: &Targets,
    destination: &Destination,
    mut addresses: Vec<IpAddr>,
    own: &[IpAddr],
) -> Result<Vec<IpAddr>, Unreached> {
    let Destination { host, port, .. } = destination;
    addresses.dedup();
    for &address in &addresses {
        targets
            .judge(host, address, *port, own)
            .map_err(|forbidden| {
                let text = match forbidden {
                    Forbidden::Unlisted => format!("no rule of Targets permits {address}"),
                    Forbidden::Special(what) => {
                        format!("{address} is {what}: only a rule for such a network permits it")
                    }
                    Forbidden::Own => {
                        format!("{address} is this machine: only a rule for it alone permits it")
                    }
                };
                unreached(DialFault::Forbidden, text)
            })?;
    }
    addresses.truncate(MOST_ADDRESSES);
    Ok(addresses)
}

fn addresses(name: &str, port: u16) -> Result<Vec<IpAddr>, Unreached> {
    let found = (name, port).to_socket_addrs();
    let found = found.map_err(|error| unreached(DialFault::UnknownHost, error.to_string()))?;
    Ok(found.map(|found| found.ip().to_canonical()).collect())
}

fn connect(
    server: SocketAddr,
    from: Option<SocketAddr>,
    deadline: Instant,
    watched: &[BorrowedFd<'_>],
) -> Result<Reached, Errno> {
    let socket = match from {
        Some(client) => net::connect_as(client, server)?,
        None => net::connect_server(None, server, Addresses::Own)?,
    };
    loop {
        let mut ready = vec![PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
        ready.extend(watched.iter().map(|&fd| PollFd::new(fd, PollFlags::POLLIN)));
        match poll(&mut ready, until(Some(deadline))) {
            Ok(0) => return Err(Errno::ETIMEDOUT),
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno),
        }
        let speaks = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
        if ready.iter().skip(1).any(speaks) {
            return Err(Errno::ECANCELED);
        }
        if let Some(errno) = net::failure(&socket) {
            return Err(errno);
        }
        // Still on its way, or there.
        if let Ok(ends) = net::Ends::of(&socket) {
            net::prepare_control(&socket, net::KEEPALIVE_AFTER);
            return Ok(Reached {
                socket: socket.into(),
                server: ends.peer,
                local: ends.local,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_tried_is_judged_too() {
        let targets = Targets::parse("*").unwrap();
        let destination = Destination::parse(b"many.example").unwrap();
        let mut many: Vec<IpAddr> = (1..=12)
            .map(|last| IpAddr::from([203, 0, 113, last]))
            .collect();
        assert!(many.len() > MOST_ADDRESSES);
        assert!(
            judged(&targets, &destination, many.clone(), &[])
                .is_ok_and(|it| it.len() == MOST_ADDRESSES)
        );
        many.push(IpAddr::from([127, 0, 0, 1]));
        assert!(judged(&targets, &destination, many, &[]).is_err());
    }
}
