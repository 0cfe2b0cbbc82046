//! What the kernel knows of connections of this machine: asks it about one (sock_diag(7)), in octets of its own.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

/// `SOCK_DIAG_BY_FAMILY`, of questions and answers alike.
const BY_FAMILY: u16 = 20;
const REQUEST: u16 = 1;
const TCP: u8 = 6;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
/// Of the header, and of all of a question.
const HEADER: usize = 16;
const QUESTION: u32 = 72;

/// States of TCP in which there is no connection.
const TIME_WAIT: u8 = 6;
const LISTEN: u8 = 10;

/// Whether this machine has the `local` end of a connection to `remote`.
///
/// # Errors
/// The kernel does not tell.
pub fn is_connected(local: SocketAddr, remote: SocketAddr) -> Result<bool, Errno> {
    let (local, remote) = (super::canonical(local), super::canonical(remote));
    let kernel = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )?;
    let question = question(local, remote);
    let to = NetlinkAddr::new(0, 0);
    sendto(kernel.as_raw_fd(), &question, &to, MsgFlags::empty())?;
    // It has been answered when the question is sent.
    let mut answer = [0; 512];
    let length = recv(kernel.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT)?;
    let answer = answer.get(..length).unwrap_or_default();
    Ok(state(answer)?.is_some_and(|state| !matches!(state, TIME_WAIT | LISTEN)))
}

/// A `nlmsghdr` and an `inet_diag_req_v2` behind it.
fn question(local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    let mut octets = QUESTION.to_ne_bytes().to_vec();
    octets.extend([BY_FAMILY.to_ne_bytes(), REQUEST.to_ne_bytes()].concat());
    // A number, and the sender: nobody else can answer on this socket.
    octets.extend([0; 8]);
    let family = match local {
        SocketAddr::V4(_) => AF_INET,
        SocketAddr::V6(_) => AF_INET6,
    };
    octets.extend([family, TCP, 0, 0]);
    let all_states = u32::MAX;
    octets.extend(all_states.to_ne_bytes());
    octets.extend([local.port().to_be_bytes(), remote.port().to_be_bytes()].concat());
    for address in [local.ip(), remote.ip()] {
        match address {
            IpAddr::V4(v4) => {
                octets.extend(v4.octets());
                octets.extend([0; 12]);
            }
            IpAddr::V6(v6) => octets.extend(v6.octets()),
        }
    }
    // Any interface, and no cookie.
    octets.extend([0; 4]);
    octets.extend([u8::MAX; 8]);
    octets
}

/// The state of what was found; `None` if nothing was.
fn state(answer: &[u8]) -> Result<Option<u8>, Errno> {
    let kind = answer.get(4..6).and_then(|two| two.try_into().ok());
    if kind.map(u16::from_ne_bytes) == Some(BY_FAMILY) {
        return answer.get(HEADER + 1).copied().map(Some).ok_or(Errno::EIO);
    }
    // An error, as a negative number.
    let error = answer.get(HEADER..HEADER + 4);
    let error = error.and_then(|four| four.try_into().ok());
    match error.map(i32::from_ne_bytes) {
        Some(error) if error == -(Errno::ENOENT as i32) => Ok(None),
        Some(error) => Err(Errno::from_raw(-error)),
        None => Err(Errno::EIO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_connection_is_known_by_both_its_ends() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                continue;
            };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, _) = listener.accept().unwrap();
            let (one, other) = (client.local_addr().unwrap(), server.local_addr().unwrap());
            assert_eq!(is_connected(one, other), Ok(true));
            assert_eq!(is_connected(other, one), Ok(true));
            let mut nobody = one;
            nobody.set_port(one.port() ^ 1);
            // A listener is there for whoever may come, and no connection.
            assert_eq!(is_connected(other, nobody), Ok(false));
        }
    }
}
