//! Data sockets: which addresses and ports they may have is decided here, by what keeper itself knows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use common::channel::FileAnswer;
use common::jail::Failure;
use common::lookup::Found;
use common::net::{self, Addresses, Ends, Origin};
use common::proto::hostport::Family;
use common::settings::peers::Peers;
use common::settings::rules::{Between, PortMap};
use common::settings::sources::SourcePorts;
use common::settings::{ServerConfig, SessionConfig};
use nix::errno::Errno;

use super::files::Answered;

/// Makes the data sockets of one session, by the rules for its control connection.
pub(super) struct DataSockets {
    ends: Ends,
    ports: PortMap,
    /// What PASV tells instead of the server's own address.
    advertised: Option<Ipv4Addr>,
    /// Where active connections may go.
    pub(super) targets: Peers,
    /// Passive connections come through the same front end as the control connection.
    through_front_end: bool,
    sources: SourcePorts,
}

impl DataSockets {
    /// Looks up what the rules say about this control connection.
    pub(super) fn new(
        server: &ServerConfig,
        session: &SessionConfig,
        found: &Found,
        ends: Ends,
    ) -> DataSockets {
        let between = ends.between();
        let ports = server.passive_ports.first(between).copied();
        let advertised = server.passive_addresses.first(between);
        DataSockets {
            ends,
            ports: ports.unwrap_or_else(|| PortMap::plain(session.data_ports)),
            advertised: advertised.and_then(|address| found.address(address)),
            targets: targets(server, between),
            through_front_end: server.proxy_data && ends.passed.is_some(),
            sources: server.active_sources.clone(),
        }
    }

    /// A listener on the address of the control connection, with the address that the client is to be told.
    pub(super) fn listen(&self, family: Family) -> Answered {
        let (ip, client_side) = (self.ends.own(), self.ends.server());
        // Through a front end the client comes the way that its control connection came, else straight to this machine.
        let own = if self.through_front_end {
            client_side
        } else {
            ip
        };
        let (matches, told) = match family {
            Family::V4 => (own.is_ipv4(), self.advertised.map_or(own, IpAddr::V4)),
            Family::V6 => (own.is_ipv6(), own),
            Family::Unknown => (false, own),
        };
        if !matches {
            return (FileAnswer::TargetRefused, None);
        }
        match net::listen_passive(
            ip,
            net::scope(self.ends.local),
            self.ports.ports,
            Addresses::Own,
            Origin::Changing,
        ) {
            Ok((socket, port)) => (
                FileAnswer::Listening {
                    address: SocketAddr::new(told, self.ports.told(port)),
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

    /// Who will come to a listener, and where.
    pub(super) fn passive_ends(&self, listener: &OwnedFd) -> Option<(SocketAddr, SocketAddr)> {
        let here = socket2::SockRef::from(listener)
            .local_addr()
            .ok()?
            .as_socket()?;
        Some((SocketAddr::new(self.ends.client(), 0), net::canonical(here)))
    }

    /// Who will connect, and where to.
    pub(super) fn active_ends(&self, target: SocketAddr) -> Option<(SocketAddr, SocketAddr)> {
        let target = self.targets.target(self.ends.between(), target)?;
        Some((SocketAddr::new(self.ends.server(), 0), target))
    }

    /// The beginning of a connection to the client itself, or to somebody whom ActiveTargets names for it.
    pub(super) fn connect(&self, target: SocketAddr) -> Answered {
        let ends = &self.ends;
        let Some(target) = self.targets.target(ends.between(), target) else {
            return (FileAnswer::TargetRefused, None);
        };
        // A front end may have turned one family into the other: then there is no way back.
        if target.ip().is_ipv4() != ends.own().is_ipv4() {
            return (FileAnswer::TargetRefused, None);
        }
        // At the end of a tunnel the control connection is this machine's own; nobody beyond can be reached from there.
        let local = match ends.own() {
            ip if ip.is_loopback() && !target.ip().is_loopback() => unspecified(ip),
            ip => ip,
        };
        match net::connect_active(
            local,
            net::scope(ends.peer),
            &self.sources,
            target,
            Addresses::Own,
        ) {
            Ok((socket, port)) => {
                let elsewhere = port == 0 && !self.sources.are_any();
                (FileAnswer::Connecting { elsewhere }, Some(socket.into()))
            }
            Err(Errno::EADDRINUSE | Errno::EADDRNOTAVAIL) => (
                FileAnswer::Failed {
                    why: Failure::Exhausted,
                },
                None,
            ),
            Err(errno) => (FileAnswer::Failed { why: errno.into() }, None),
        }
    }
}

/// Whom the rules name. What addresses this machine has is asked only where a rule names everybody.
fn targets(server: &ServerConfig, between: Between) -> Peers {
    let named = server.active_targets.first(between).cloned();
    match named.unwrap_or_default() {
        anybody if anybody.is_anybody() => anybody.seen_from(net::machine_addresses()),
        named => named,
    }
}

fn unspecified(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
