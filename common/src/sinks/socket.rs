//! Unix sockets: datagrams, the journal's among them, and a stream of lines.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, send, socket,
};

use super::{Notice, Trouble, gone, line, progress};
use crate::journal;

/// A socket that takes a datagram for each event.
pub(super) struct Datagrams {
    path: PathBuf,
    /// Whether it is the journal, which wants fields.
    journal: bool,
    socket: Option<OwnedFd>,
}

impl Datagrams {
    pub(super) fn new(path: &Path, journal: bool) -> Datagrams {
        Datagrams {
            path: path.to_owned(),
            journal,
            socket: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    pub(super) fn write(&mut self, notice: &Notice) -> Result<(), Trouble> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => connected(SockType::Datagram, &self.path)?,
        };
        let datagram = match self.journal {
            true => fields(notice),
            false => notice.json.clone().into_bytes(),
        };
        match send(socket.as_raw_fd(), &datagram, FLAGS) {
            Ok(_) => {}
            Err(Errno::EMSGSIZE) => {
                self.socket = Some(socket);
                let octets = datagram.len();
                return Err(Trouble::Refused(format!(
                    "{octets} octets are too many for a datagram"
                )));
            }
            Err(errno) => {
                let trouble = gone("send", errno);
                // Whoever listens has another socket after a restart.
                if trouble == Trouble::Full {
                    self.socket = Some(socket);
                }
                return Err(trouble);
            }
        }
        self.socket = Some(socket);
        Ok(())
    }
}

fn fields(notice: &Notice) -> Vec<u8> {
    journal::datagram(&[
        ("PRIORITY", b"6"),
        ("SYSLOG_IDENTIFIER", b"ftpd"),
        ("MESSAGE", notice.json.as_bytes()),
        ("FTPD_EVENT", notice.kind.name().as_bytes()),
        ("FTPD_EVENT_ID", notice.id.to_string().as_bytes()),
    ])
}

/// A socket that takes lines.
pub(super) struct Stream {
    path: PathBuf,
    socket: Option<OwnedFd>,
}

impl Stream {
    pub(super) fn new(path: &Path) -> Stream {
        Stream {
            path: path.to_owned(),
            socket: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Writes to the connection. A new one begins with a whole line.
    pub(super) fn write(
        &mut self,
        notice: &Notice,
        written: usize,
    ) -> Result<Option<usize>, Trouble> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => connected(SockType::Stream, &self.path)?,
        };
        let rest = line(notice, written);
        match send(socket.as_raw_fd(), &rest, FLAGS) {
            Ok(count) => {
                self.socket = Some(socket);
                Ok(progress(count, rest.len()))
            }
            Err(errno) => {
                let trouble = gone("send", errno);
                if trouble == Trouble::Full {
                    self.socket = Some(socket);
                }
                Err(trouble)
            }
        }
    }
}

const FLAGS: MsgFlags = MsgFlags::MSG_DONTWAIT.union(MsgFlags::MSG_NOSIGNAL);

fn connected(kind: SockType, path: &Path) -> Result<OwnedFd, Trouble> {
    let error = |call: &str, errno: Errno| Trouble::Gone(format!("{call}: {}", errno.desc()));
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, kind, flags, None).map_err(|e| error("socket", e))?;
    let address = UnixAddr::new(path).map_err(|e| error("path", e))?;
    connect(socket.as_raw_fd(), &address).map_err(|e| error("connect", e))?;
    Ok(socket)
}
