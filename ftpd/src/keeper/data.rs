//! Data sockets: which addresses and ports they may have is decided here, by what keeper itself knows.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use common::channel::FileAnswer;
use common::jail::Failure;
use common::net::{self, Ends};
use common::proto::hostport::Family;
use nix::errno::Errno;

/// Ports below belong to services, not to clients (RFC 2577 §3).
const FIRST_CLIENT_PORT: u16 = 1024;

/// A listener on the address of the control connection.
pub(super) fn passive_listen(
    ends: &Ends,
    family: Family,
    ports: (u16, u16),
) -> (FileAnswer, Option<OwnedFd>) {
    let ip = ends.server();
    let matches = match family {
        Family::V4 => ip.is_ipv4(),
        Family::V6 => ip.is_ipv6(),
        Family::Unknown => false,
    };
    if !matches {
        return (FileAnswer::TargetRefused, None);
    }
    match net::listen_passive(ip, scope(ends.local), ports) {
        Ok((socket, port)) => (
            FileAnswer::Listening {
                address: SocketAddr::new(ip, port),
            },
            Some(socket.into()),
        ),
        // Every port of the range is taken: another try may find one.
        Err(Errno::EADDRINUSE) => (
            FileAnswer::Failed {
                why: Failure::Exhausted,
            },
            None,
        ),
        Err(errno) => (FileAnswer::Failed { why: errno.into() }, None),
    }
}

/// The beginning of a connection to the client itself, never to anybody else.
pub(super) fn active_connect(ends: &Ends, target: SocketAddr) -> (FileAnswer, Option<OwnedFd>) {
    // SECURITY: a third address would make this server a tool against others (CVE-1999-0017, RFC 2577 §3).
    if target.ip().to_canonical() != ends.client() || target.port() < FIRST_CLIENT_PORT {
        return (FileAnswer::TargetRefused, None);
    }
    match net::connect_active(
        ends.server(),
        scope(ends.peer),
        SocketAddr::new(ends.client(), target.port()),
    ) {
        Ok(socket) => (FileAnswer::Connecting, Some(socket.into())),
        Err(errno) => (FileAnswer::Failed { why: errno.into() }, None),
    }
}

fn scope(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(v6) => v6.scope_id(),
    }
}
