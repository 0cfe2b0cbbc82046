//! Takes the header of the PROXY protocol off a connection, and nothing of what is behind it; puts one on a connection.

use std::fmt;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};

use crate::proto::proxied::{Header, LONGEST, Progress, Wrong, read, write};

/// Begins a connection with a header, without waiting: it fits where nothing was sent before.
///
/// # Errors
/// What send(2) says, with `EAGAIN` for a part.
pub fn introduce(socket: BorrowedFd<'_>, header: Header) -> Result<(), Errno> {
    let octets = write(header);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    match send(socket.as_raw_fd(), &octets, flags)? {
        count if count == octets.len() => Ok(()),
        _ => Err(Errno::EAGAIN),
    }
}

/// A header that is coming in.
#[derive(Debug, Default)]
pub struct Incoming(Vec<u8>);

/// Why there is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Wrong(Wrong),
    /// The connection was closed before it was whole.
    Ended,
    Failed(Errno),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Wrong(wrong) => wrong.fmt(f),
            Fault::Ended => f.write_str("the connection ended before it"),
            Fault::Failed(errno) => errno.fmt(f),
        }
    }
}

impl Incoming {
    /// Takes what has arrived, without waiting; `None` while more has to come.
    ///
    /// # Errors
    /// There will be no header.
    pub fn take(&mut self, socket: BorrowedFd<'_>) -> Result<Option<Header>, Fault> {
        let mut buffer = [0; LONGEST];
        loop {
            let needed = match read(&self.0).map_err(Fault::Wrong)? {
                Progress::Whole(header) => return Ok(Some(header)),
                Progress::Needs(count) => count.min(LONGEST),
            };
            match recv(
                socket.as_raw_fd(),
                &mut buffer[..needed],
                MsgFlags::MSG_DONTWAIT,
            ) {
                Ok(0) => return Err(Fault::Ended),
                Ok(count) => self.0.extend_from_slice(&buffer[..count]),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(errno) => return Err(Fault::Failed(errno)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_header_comes_in_pieces_and_what_follows_stays() {
        let (mut there, mut here) = UnixStream::pair().unwrap();
        let mut incoming = Incoming::default();
        let octets = b"PROXY TCP4 192.0.2.9 192.0.2.1 5000 21\r\nUSER x";
        let (header, behind) = octets.split_at(octets.len() - 6);
        for octet in &header[..header.len() - 1] {
            there.write_all(&[*octet]).unwrap();
            assert_eq!(incoming.take(here.as_fd()), Ok(None));
        }
        there.write_all(b"\n").unwrap();
        there.write_all(behind).unwrap();
        let taken = incoming.take(here.as_fd()).unwrap();
        let client = "192.0.2.9:5000".parse().unwrap();
        assert!(matches!(taken, Some(Header::Passed { client: named, .. }) if named == client));
        drop(there);
        let mut rest = Vec::new();
        here.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, behind);
    }

    #[test]
    fn an_end_is_no_header() {
        let (mut there, here) = UnixStream::pair().unwrap();
        there.write_all(b"PROXY ").unwrap();
        drop(there);
        let taken = Incoming::default().take(here.as_fd());
        assert_eq!(taken, Err(Fault::Ended));
    }
}
