//! Sockets of the trusted side: the control port, passive listeners, active connections. Never reads or writes a stream.

mod found;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::SockaddrStorage;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::proto::proxied::Header;
use crate::proto::reply::Reply;
use crate::settings::Transparent;
use crate::settings::networks::Networks;
use crate::settings::peers::FIRST_CLIENT_PORT;
use crate::settings::rules::Between;
use crate::settings::sources::SourcePorts;

pub use found::is_connected;

/// How many may wait at a passive port: so many strangers do not keep the client out.
const DATA_BACKLOG: i32 = 128;
/// When the kernel asks whether a silent client is still there, and how often, before the connection is given up.
pub const KEEPALIVE_AFTER: Duration = Duration::from_secs(120);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);
const KEEPALIVE_TRIES: u32 = 4;

/// How often a random port is tried before the whole range is walked.
const RANDOM_TRIES: u32 = 8;
/// How many ports of the range are walked in search of one that no connection has, before any will do.
const APART_TRIES: u32 = 64;

/// Whose addresses sockets of this machine have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addresses {
    #[default]
    Own,
    /// Also those of others (IP_TRANSPARENT), which needs CAP_NET_RAW and a firewall that brings their answers here.
    Any,
}

impl From<Transparent> for Addresses {
    fn from(transparent: Transparent) -> Addresses {
        match transparent {
            Transparent::Off | Transparent::Redirect => Addresses::Own,
            Transparent::Tproxy => Addresses::Any,
        }
    }
}

impl Addresses {
    /// Lets a socket be bound to such an address.
    pub(crate) fn permit(self, socket: &Socket, family: &SocketAddr) -> io::Result<()> {
        match (self, family) {
            (Addresses::Own, _) => Ok(()),
            (Addresses::Any, SocketAddr::V4(_)) => socket.set_ip_transparent_v4(true),
            (Addresses::Any, SocketAddr::V6(_)) => socket.set_ip_transparent_v6(true),
        }
    }
}

/// An IPv4 address that came in over a socket of both families is shown as IPv4.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Sends a reply as far as that is possible without waiting.
pub fn send_reply(socket: &Socket, reply: &Reply) {
    let mut out = Vec::with_capacity(128);
    reply.encode(&mut out);
    let flags = nix::libc::MSG_DONTWAIT | nix::libc::MSG_NOSIGNAL;
    // A client that is gone already needs no reply.
    let _ = socket.send_with_flags(&out, flags);
}

/// The first IPv4 address of a network interface.
///
/// # Errors
/// There is none, or no such interface.
pub fn interface_address(name: &str) -> io::Result<IpAddr> {
    let mut all = interface_addresses(name)?.into_iter();
    all.find(IpAddr::is_ipv4).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("interface {name} has no IPv4 address"),
        )
    })
}

/// The addresses of a network interface, IPv4 first, but for those that mean something on its link only.
///
/// # Errors
/// There is no such interface, or the system does not tell.
pub fn interface_addresses(name: &str) -> io::Result<Vec<IpAddr>> {
    let all = nix::ifaddrs::getifaddrs()?.filter(|found| found.interface_name == name);
    let mut all = all.peekable();
    if all.peek().is_none() {
        let why = format!("there is no interface {name}: `ip -brief address` lists them");
        return Err(io::Error::new(io::ErrorKind::NotFound, why));
    }
    let addresses = all.filter_map(|found| ip(&found.address?));
    let mut addresses: Vec<IpAddr> = addresses.filter(means_the_same_everywhere).collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
    Ok(addresses)
}

/// All addresses of this machine; none where the system does not tell.
pub fn own_addresses() -> Vec<IpAddr> {
    let all = nix::ifaddrs::getifaddrs().into_iter().flatten();
    all.filter_map(|found| ip(&found.address?)).collect()
}

/// The addresses of this machine, but for those that mean something on one link only.
pub fn machine_addresses() -> Vec<IpAddr> {
    let mut all = own_addresses();
    all.retain(means_the_same_everywhere);
    all
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

fn means_the_same_everywhere(address: &IpAddr) -> bool {
    !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// From which ports connections come to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Another one each time, as a client's.
    Changing,
    /// Maybe the same each time, as a server's (RFC 959 §3.2). It cannot come twice at a time to one port here: the kernel tells
    /// connections apart by nothing else, and the server says 425.
    Fixed,
}

/// Opens a listener for one data connection on `ip`, on a random port of the range; where the other side comes from a fixed port,
/// preferably on one that no connection has, nor had lately.
///
/// Port 0 is never bound: under load the kernel's choice slows down with every connection in TIME_WAIT, a random guess
/// does not.
///
/// # Errors
/// `EADDRINUSE` when no port of the range is free, else what the system calls say.
pub fn listen_passive(
    ip: IpAddr,
    scope: u32,
    (low, high): (u16, u16),
    addresses: Addresses,
    origin: Origin,
) -> Result<(Socket, u16), Errno> {
    let width = u32::from(high.saturating_sub(low)) + 1;
    let mut socket = data_socket(ip, addresses)?;
    let start = getrandom::u32().map_err(|_| Errno::EAGAIN)?;
    let apart = match origin {
        Origin::Changing => 0,
        Origin::Fixed => RANDOM_TRIES + width.min(APART_TRIES),
    };
    for attempt in 0..apart.max(RANDOM_TRIES) + width {
        let offset = match attempt {
            0 => start,
            1..RANDOM_TRIES => getrandom::u32().map_err(|_| Errno::EAGAIN)?,
            _ => (start % width) + attempt - RANDOM_TRIES,
        };
        let port = u16::try_from(u32::from(low) + offset % width).unwrap_or(high);
        // Without this option a port that any connection has is refused; with it, one that a listener has.
        socket.set_reuse_address(attempt >= apart).map_err(errno)?;
        match socket
            .bind(&with_scope(ip, port, scope).into())
            .map_err(errno)
        {
            Ok(()) => {}
            // A bind that failed leaves the socket as it was.
            Err(Errno::EADDRINUSE) => continue,
            Err(errno) => return Err(errno),
        }
        // It holds for the connections that come, which the next listener must not stumble over in a narrow range.
        socket.set_reuse_address(true).map_err(errno)?;
        match socket.listen(DATA_BACKLOG).map_err(errno) {
            Ok(()) => return Ok((socket, port)),
            // Somebody bound the same port and was faster to listen.
            Err(Errno::EADDRINUSE) => socket = data_socket(ip, addresses)?,
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::EADDRINUSE)
}

/// Begins to connect to a client that listens, from the first of the ports that will do; the connection is not waited for.
/// Tells that port, which is zero for any.
///
/// A port in TIME_WAIT towards the same port of the client cannot be used again, unless timestamps tell old segments from new
/// ones (RFC 6191): the kernel says so by connect(2).
///
/// # Errors
/// `EADDRINUSE` or `EADDRNOTAVAIL` when none will do, else what the system calls say.
pub fn connect_active(
    local: IpAddr,
    scope: u32,
    sources: &SourcePorts,
    target: SocketAddr,
    addresses: Addresses,
) -> Result<(Socket, u16), Errno> {
    let mut last = Errno::EADDRINUSE;
    for port in sources.tries() {
        let socket = data_socket(target.ip(), addresses)?;
        match socket
            .bind(&with_scope(local, port, scope).into())
            .map_err(errno)
        {
            Ok(()) => {}
            Err(Errno::EADDRINUSE) => continue,
            Err(errno) => return Err(errno),
        }
        let target = with_scope(target.ip(), target.port(), scope);
        match socket.connect(&target.into()).map_err(errno) {
            Ok(()) | Err(Errno::EINPROGRESS) => return Ok((socket, port)),
            Err(used @ (Errno::EADDRINUSE | Errno::EADDRNOTAVAIL)) => last = used,
            Err(errno) => return Err(errno),
        }
    }
    Err(last)
}

/// Says what keeps this process, which is not root, from using its ports for active connections.
///
/// # Errors
/// The sentence.
pub fn may_use(sources: &SourcePorts) -> Result<(), String> {
    // Below it only root can bind; containers often have none such.
    #[expect(
        clippy::disallowed_methods,
        reason = "the system's own setting, read once at start"
    )]
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let first = first.ok().and_then(|text| text.trim().parse().ok());
    let first: u16 = first.unwrap_or(FIRST_CLIENT_PORT);
    match sources.lowest() {
        Some(port) if port < first => Err(format!(
            "ActivePorts: only a server that root starts can use port {port}: start it as root, or name ports from {first}"
        )),
        _ => Ok(()),
    }
}

/// Begins to connect to a server, from `local` if that is given; the connection is not waited for.
///
/// # Errors
/// What the system calls say.
pub fn connect_server(
    local: Option<IpAddr>,
    server: SocketAddr,
    addresses: Addresses,
) -> Result<Socket, Errno> {
    let socket = data_socket(server.ip(), addresses)?;
    if let Some(local) = local {
        let local = with_scope(local, 0, scope(server));
        socket.bind(&local.into()).map_err(errno)?;
    }
    begin_connect(socket, server)
}

/// The same from a client's own address. Its own port is not taken: whoever tracks connections on the way would take both
/// for one.
///
/// # Errors
/// What the system calls say.
pub fn connect_as(client: SocketAddr, server: SocketAddr) -> Result<Socket, Errno> {
    let mut taken = None;
    loop {
        let socket = data_socket(server.ip(), Addresses::Any)?;
        let local = with_scope(client.ip(), 0, scope(server));
        socket.bind(&local.into()).map_err(errno)?;
        let port = socket.local_addr().map_err(errno)?.as_socket();
        match port.is_some_and(|local| local.port() == client.port()) {
            // While this socket is there, the next one gets another port.
            true if taken.is_none() => taken = Some(socket),
            true => return Err(Errno::EADDRINUSE),
            false => return begin_connect(socket, server),
        }
    }
}

fn begin_connect(socket: Socket, server: SocketAddr) -> Result<Socket, Errno> {
    match socket.connect(&server.into()).map_err(errno) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(socket),
        Err(errno) => Err(errno),
    }
}

/// Where a connection went before a firewall redirected it (REDIRECT); `None` if none did, or nothing is known of it.
pub fn original_destination(socket: &impl AsFd, ends: Ends) -> Option<SocketAddr> {
    let socket = SockRef::from(socket);
    let original = match ends.server() {
        IpAddr::V4(_) => socket.original_dst_v4(),
        IpAddr::V6(_) => socket.original_dst_v6(),
    };
    let original = canonical(original.ok()?.as_socket()?);
    (original != canonical(ends.local)).then_some(original)
}

/// Small replies leave at once, and urgent octets stay in their place (RFC 959 §4.1.3, RFC 1123 §4.1.2.10).
///
/// The kernel asks whether the other side is still there after so much `silence`, in whole seconds.
pub fn prepare_control(socket: &impl AsFd, silence: Duration) {
    let socket = SockRef::from(socket);
    // A connection that is dead already shows itself at the first write.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_out_of_band_inline(true);
    // A client that vanished without a word shows itself, and what forgets silent connections on the way does not forget
    // this one during a long transfer.
    let keepalive = TcpKeepalive::new()
        .with_time(silence)
        .with_interval(KEEPALIVE_EVERY.min(silence))
        .with_retries(KEEPALIVE_TRIES);
    let _ = socket.set_tcp_keepalive(&keepalive);
}

/// Acknowledges what has come, at once. Many peers send nothing more before that (RFC 896): GnuTLS its last word of a handshake
/// behind the one before, everybody data behind that. Where nothing else is on its way to them, each would wait 40 ms.
pub(crate) fn acknowledge(socket: &impl AsFd) {
    // It is a matter of time alone.
    let _ = SockRef::from(socket).set_tcp_quickack(true);
}

fn data_socket(ip: IpAddr, addresses: Addresses) -> Result<Socket, Errno> {
    let domain = if ip.is_ipv4() {
        Domain::IPV4
    } else {
        Domain::IPV6
    };
    let socket = Socket::new(
        domain,
        Type::STREAM.cloexec().nonblocking(),
        Some(Protocol::TCP),
    )
    .map_err(errno)?;
    // A port in TIME_WAIT is free for a listener.
    socket.set_reuse_address(true).map_err(errno)?;
    let family = SocketAddr::new(ip, 0);
    addresses.permit(&socket, &family).map_err(errno)?;
    Ok(socket)
}

/// The interface of a link-local IPv6 address, which means nothing without it.
pub fn scope(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(v6) => v6.scope_id(),
    }
}

fn with_scope(ip: IpAddr, port: u16, scope: u32) -> SocketAddr {
    match ip {
        IpAddr::V4(_) => SocketAddr::new(ip, port),
        IpAddr::V6(v6) => std::net::SocketAddrV6::new(v6, port, 0, scope).into(),
    }
}

/// What has ended a connection, or kept it from being one, if anything has (SO_ERROR). It is told once.
pub(crate) fn failure(socket: &impl AsFd) -> Option<Errno> {
    SockRef::from(socket)
        .take_error()
        .unwrap_or_else(Some)
        .map(errno)
}

pub(crate) fn errno(error: io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// Whether an address means something inside a network only.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            // 100.64.0.0/10 is between carriers and their customers (RFC 6598).
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || (a, b & 0xc0) == (100, 64)
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Both ends of a control connection.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// As accept saw them.
    pub local: SocketAddr,
    pub peer: SocketAddr,
    /// As a front end has named them, once it has.
    pub passed: Option<Passed>,
}

/// Between whom the connection is that a front end passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    pub client: SocketAddr,
    pub server: SocketAddr,
}

impl Ends {
    /// Reads them off a connected stream socket.
    ///
    /// # Errors
    /// It is no connected internet socket.
    pub fn of(socket: &impl AsFd) -> io::Result<Ends> {
        let socket = SockRef::from(socket);
        let internet = |address: socket2::SockAddr| {
            address.as_socket().ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidInput, "not an internet socket")
            })
        };
        Ok(Ends {
            local: internet(socket.local_addr()?)?,
            peer: internet(socket.peer_addr()?)?,
            passed: None,
        })
    }

    /// These ends, once a front end has said whose connection it is. `None` if it cannot be that.
    pub fn passed(self, header: Header) -> Option<Ends> {
        let passed = match header {
            Header::Local => Passed {
                client: self.peer,
                server: self.local,
            },
            Header::Passed { client, server } => Passed { client, server },
        };
        // SECURITY: the loopback of another machine is not ours, to which data connections would go.
        let loopback = passed.client.ip().to_canonical().is_loopback();
        let foreign = loopback && !self.peer.ip().to_canonical().is_loopback();
        (!foreign).then_some(Ends {
            passed: Some(passed),
            ..self
        })
    }

    /// Whether it comes from one of the front ends, which has not said yet whose connection it is.
    pub fn await_header(&self, front_ends: Option<&Networks>) -> bool {
        self.passed.is_none() && front_ends.is_some_and(|networks| networks.contain(self.client()))
    }

    /// The client's address; IPv4 is shown as IPv4.
    pub fn client(&self) -> IpAddr {
        self.client_port().ip()
    }

    /// The client's end of the connection, beyond a front end that has named it.
    pub fn client_port(&self) -> SocketAddr {
        canonical(self.passed.map_or(self.peer, |passed| passed.client))
    }

    /// Between whom it is, as rules for networks ask.
    pub fn between(&self) -> Between {
        Between {
            client: self.client(),
            server: self.server(),
        }
    }

    /// The server's address as the client knows it.
    pub fn server(&self) -> IpAddr {
        let server = self.passed.map_or(self.local, |passed| passed.server);
        server.ip().to_canonical()
    }

    /// The address of this machine on the connection.
    pub fn own(&self) -> IpAddr {
        self.local.ip().to_canonical()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_full_range_is_told_and_a_free_port_is_found() {
        let (first, port) = listen_passive(
            LOOPBACK,
            0,
            (49152, 65535),
            Addresses::Own,
            Origin::Changing,
        )
        .unwrap();
        assert_eq!(
            listen_passive(LOOPBACK, 0, (port, port), Addresses::Own, Origin::Changing)
                .unwrap_err(),
            Errno::EADDRINUSE
        );
        drop(first);
        let again = listen_passive(LOOPBACK, 0, (port, port), Addresses::Own, Origin::Changing);
        assert_eq!(again.unwrap().1, port);
    }

    #[test]
    fn who_comes_from_a_fixed_port_is_not_led_to_one_where_it_is_already() {
        let (first, port) = two_ports();
        let listen = |origin| {
            let range = (port, port + 1);
            listen_passive(LOOPBACK, 0, range, Addresses::Own, origin).unwrap()
        };
        let target = SocketAddr::new(LOOPBACK, port);
        let _there = std::net::TcpStream::connect(target).unwrap();
        let _here = loop {
            match first.accept() {
                Ok((here, _)) => break here,
                Err(error) => assert_eq!(errno(error), Errno::EAGAIN),
            }
        };
        drop(first);
        for _ in 0..50 {
            assert_eq!(listen(Origin::Fixed).1, port + 1);
        }
        // Better than none.
        let (_other, _) = listen(Origin::Fixed);
        assert_eq!(listen(Origin::Fixed).1, port);
    }

    /// A listener on a port whose neighbour is free too.
    fn two_ports() -> (Socket, u16) {
        loop {
            let range = (20_000, 30_000);
            let (first, port) =
                listen_passive(LOOPBACK, 0, range, Addresses::Own, Origin::Fixed).unwrap();
            let next = (port + 1, port + 1);
            if listen_passive(LOOPBACK, 0, next, Addresses::Own, Origin::Fixed).is_ok() {
                return (first, port);
            }
        }
    }

    #[test]
    fn the_loopback_of_another_machine_is_nobody_here() {
        let ends = |peer: &str| Ends {
            local: "192.0.2.1:21".parse().unwrap(),
            peer: peer.parse().unwrap(),
            passed: None,
        };
        let header = |client: &str| Header::Passed {
            client: client.parse().unwrap(),
            server: "198.51.100.1:21".parse().unwrap(),
        };
        let passed = ends("192.0.2.2:5000")
            .passed(header("203.0.113.9:1"))
            .unwrap();
        assert_eq!(passed.client().to_string(), "203.0.113.9");
        assert_eq!(passed.server().to_string(), "198.51.100.1");
        assert_eq!(passed.own().to_string(), "192.0.2.1");
        for client in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(ends("192.0.2.2:5000").passed(header(client)).is_none());
            assert!(ends("127.0.0.1:5000").passed(header(client)).is_some());
        }
        let itself = ends("192.0.2.2:5000").passed(Header::Local).unwrap();
        assert_eq!(itself.client().to_string(), "192.0.2.2");
    }

    #[test]
    fn an_unknown_interface_is_named() {
        let error = interface_address("nosuch0").unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no interface nosuch0: `ip -brief address` lists them"
        );
    }
}
