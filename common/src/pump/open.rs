//! Opening a data connection. Only this sends the preliminary reply, so no handler can send one without a connection.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::PollFlags;
use socket2::{SockRef, Socket};

use super::wire::Secured;
use super::{Attendant, Interrupt, Woken, watch};
use crate::control::{Control, Lost};
use crate::net::{self, canonical};
use crate::proto::proxied::Header;
use crate::proto::reply::Mark;
use crate::proxied::Incoming;
use crate::settings::networks::Networks;
use crate::settings::{CloseNotify, DataBinding};
use crate::tls::{Fault, Halt, Side};

/// A data connection that stands; the mark was not sent yet.
#[derive(Debug)]
pub struct DataConnection(OwnedFd);

impl DataConnection {
    /// Gives the socket to who is itself the client: it is told, and tells nobody.
    pub(crate) fn unmarked(self) -> OwnedFd {
        self.0
    }

    /// Tells the client that data follows, and gives the socket to a flow.
    ///
    /// # Errors
    /// The control connection broke.
    pub fn begin(self, control: &mut Control, mark: &Mark) -> Result<OwnedFd, Lost> {
        control.mark(mark)?;
        Ok(self.0)
    }
}

/// Why there is no data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    TimedOut,
    Interrupted(Interrupt),
    Failed(Errno),
    /// There was one, but no TLS on it.
    Insecure(Fault),
}

/// Somebody who came to a passive port and may.
#[derive(Debug)]
pub struct Arrival {
    pub from: IpAddr,
    connection: DataConnection,
}

/// Takes somebody from a passive listener whom `admits` knows, if one is there; whoever else is there is dropped and told to
/// `stranger`. Waits for nothing.
///
/// # Errors
/// What accept(2) says.
pub fn take_arrival(
    listener: &OwnedFd,
    admits: impl Fn(IpAddr) -> bool,
    mut stranger: impl FnMut(SocketAddr),
) -> Result<Option<Arrival>, Errno> {
    let listening = SockRef::from(listener);
    for _ in 0..MOST_AT_ONCE {
        match accept_once(&listening) {
            Ok((socket, Some(from))) if admits(canonical(from).ip()) => {
                return Ok(Some(Arrival {
                    from: canonical(from).ip(),
                    connection: DataConnection(socket.into()),
                }));
            }
            // SECURITY: a port can be guessed; only who may come is served (RFC 2577 §3).
            Ok((_, Some(from))) => stranger(canonical(from)),
            Ok((_, None)) => {}
            Err(Errno::EAGAIN) => break,
            // The connection was gone before it could be accepted.
            Err(Errno::ECONNABORTED | Errno::EINTR | Errno::EPROTO) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(None)
}

/// So many connections are looked at before anything else is.
const MOST_AT_ONCE: u32 = 64;

/// How long a front end may take to say whose data connection it passes on; it has the header ready.
const HEADER_PATIENCE: Duration = Duration::from_secs(5);

/// Waits for somebody on a passive listener, as [`take_arrival`] takes it, unless one has come `early`. Who comes by one of
/// `front_ends` is the client that this names.
///
/// # Errors
/// Nobody came before the deadline, the attendant ended the wait, or accept(2) failed.
pub fn accept(
    listener: &OwnedFd,
    early: Option<Arrival>,
    admits: impl Fn(IpAddr) -> bool,
    front_ends: Option<&Networks>,
    deadline: Instant,
    attendant: &mut dyn Attendant,
    mut stranger: impl FnMut(SocketAddr),
) -> Result<DataConnection, OpenError> {
    if let Some(interrupt) = attendant.begin() {
        return Err(OpenError::Interrupted(interrupt));
    }
    if let Some(arrival) = early {
        return Ok(arrival.connection);
    }
    loop {
        let passes_on = |from| front_ends.is_some_and(|front_ends| front_ends.contain(from));
        let admitted = |from| passes_on(from) || admits(from);
        match take_arrival(listener, admitted, &mut stranger) {
            Ok(Some(arrival)) if passes_on(arrival.from) => {
                let limit = deadline.min(Instant::now() + HEADER_PATIENCE);
                let named = named(&arrival.connection.0, limit, attendant)?.map(canonical);
                match named {
                    Some(client) if admits(client.ip()) => return Ok(arrival.connection),
                    Some(client) => stranger(client),
                    None => stranger(SocketAddr::new(arrival.from, 0)),
                }
                if Instant::now() >= deadline {
                    return Err(OpenError::TimedOut);
                }
            }
            Ok(Some(arrival)) => return Ok(arrival.connection),
            // However many strangers there are, the client's own deadline and its ABOR count.
            Ok(None) if Instant::now() >= deadline => return Err(OpenError::TimedOut),
            Ok(None) => {}
            Err(errno) => return Err(OpenError::Failed(errno)),
        }
        match watch(
            Some((listener.as_fd(), PollFlags::POLLIN)),
            attendant,
            Some(deadline),
            0,
        ) {
            Woken::Ready => {}
            Woken::TimedOut => return Err(OpenError::TimedOut),
            Woken::Interrupted(interrupt) => return Err(OpenError::Interrupted(interrupt)),
        }
    }
}

/// The client that a front end names; `None` if it names nobody in time.
fn named(
    socket: &OwnedFd,
    limit: Instant,
    attendant: &mut dyn Attendant,
) -> Result<Option<SocketAddr>, OpenError> {
    let mut incoming = Incoming::default();
    loop {
        match incoming.take(socket.as_fd()) {
            Ok(Some(Header::Passed { client, .. })) => return Ok(Some(client)),
            Ok(Some(Header::Local)) | Err(_) => return Ok(None),
            Ok(None) => {}
        }
        let data = Some((socket.as_fd(), PollFlags::POLLIN));
        match watch(data, attendant, Some(limit), 0) {
            Woken::Ready => {}
            Woken::TimedOut => return Ok(None),
            Woken::Interrupted(interrupt) => return Err(OpenError::Interrupted(interrupt)),
        }
    }
}

/// One accept4, which makes the new socket non-blocking and close-on-exec in the same call.
fn accept_once(listener: &Socket) -> Result<(Socket, Option<SocketAddr>), Errno> {
    use nix::libc::{SOCK_CLOEXEC, SOCK_NONBLOCK};
    let accepted = listener.accept4(SOCK_CLOEXEC | SOCK_NONBLOCK);
    let (socket, from) = accepted.map_err(net::errno)?;
    Ok((socket, from.as_socket()))
}

/// Waits until a connection to the client that was begun stands.
///
/// # Errors
/// The client refused or did not answer before the deadline, or the attendant ended the wait.
pub fn await_connect(
    socket: OwnedFd,
    deadline: Instant,
    attendant: &mut dyn Attendant,
) -> Result<DataConnection, OpenError> {
    if let Some(interrupt) = attendant.begin() {
        return Err(OpenError::Interrupted(interrupt));
    }
    loop {
        if let Some(errno) = net::failure(&socket) {
            return Err(OpenError::Failed(errno));
        }
        if SockRef::from(&socket).peer_addr().is_ok() {
            return Ok(DataConnection(socket));
        }
        match watch(
            Some((socket.as_fd(), PollFlags::POLLOUT)),
            attendant,
            Some(deadline),
            0,
        ) {
            Woken::Ready => {}
            Woken::TimedOut => return Err(OpenError::TimedOut),
            Woken::Interrupted(interrupt) => return Err(OpenError::Interrupted(interrupt)),
        }
    }
}

/// Does the TLS handshake of a data connection.
///
/// # Errors
/// It failed or did not end before the deadline, or the attendant ended the wait.
pub fn secure(
    socket: OwnedFd,
    side: impl Into<Side>,
    close_notify: CloseNotify,
    deadline: Instant,
    attendant: &mut dyn Attendant,
) -> Result<Box<Secured>, OpenError> {
    let secured = Secured::new(socket, side.into(), close_notify).map_err(OpenError::Insecure)?;
    let mut secured = Box::new(secured);
    loop {
        let events = match secured.handshake() {
            Ok(()) => {
                net::acknowledge(&*secured);
                return Ok(secured);
            }
            Err(Halt::Waits(events)) => events,
            Err(Halt::Lost(errno)) => return Err(OpenError::Failed(errno)),
            Err(Halt::Failed(fault)) => return Err(OpenError::Insecure(fault)),
        };
        net::acknowledge(&*secured);
        let data = Some((secured.as_fd(), events));
        match watch(data, attendant, Some(deadline), 0) {
            Woken::Ready => {}
            Woken::TimedOut => return Err(OpenError::TimedOut),
            Woken::Interrupted(interrupt) => return Err(OpenError::Interrupted(interrupt)),
        }
    }
}

/// What there is to log of a handshake that does not continue the TLS session of its control connection.
///
/// SECURITY: whoever comes from the same address may be somebody else behind the same router. Only the client itself can
/// resume its session.
pub fn unbound(
    secured: &Result<Box<Secured>, OpenError>,
    binding: DataBinding,
    client: IpAddr,
) -> Option<String> {
    let refused = match secured {
        Ok(secured) if !secured.resumed() && binding == DataBinding::Prefer => "",
        Err(OpenError::Insecure(Fault::NotResumed)) => ": refused",
        Ok(_) | Err(_) => return None,
    };
    Some(format!(
        "data connection from {client} did not resume the TLS session of its control connection{refused}"
    ))
}
