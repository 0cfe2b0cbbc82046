//! What the trusted halves tell the listener: one queue for all, on which the kernel says whose report it is. No report
//! names its sender or its session.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, getsockopt, setsockopt, socketpair, sockopt,
};
use nix::unistd::Pid;

use crate::channel::UserName;
use crate::messages;
use crate::sys::{self, Wait};
use crate::wire::{self, Wire};

/// The longest report, in octets.
const LONGEST: usize = 512;

messages! {
    /// Keeper to listener.
    #[derive(Debug)]
    pub(super) enum Report {
        /// A user has logged in.
        1 => LoggedIn { user: UserName },
        /// Carries keeper's end of the channel: the client wants to begin anew with another keeper, which is to answer
        /// the request `ticket` of the network half `session`.
        2 => Reinitialise { ticket: u32, session: u32 },
        /// Carries the writing end of a pipe, for the list of sessions.
        3 => Who,
    }
}

/// A session's end of the queue.
#[derive(Debug)]
pub struct Reports(Option<OwnedFd>);

/// The listener's end of the queue.
#[derive(Debug)]
pub(super) struct Inbox(OwnedFd);

/// A report with the process that made it and what rode on it.
pub(super) type Received = (Pid, Option<Report>, Option<OwnedFd>);

/// Makes both ends.
pub(super) fn queue() -> Result<(Inbox, Reports), Errno> {
    let (inbox, reports) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
    )?;
    setsockopt(&inbox, sockopt::PassCred, &true)?;
    Ok((Inbox(inbox), Reports(Some(reports))))
}

impl Reports {
    /// For a session that no listener knows of (inetd).
    pub fn nowhere() -> Reports {
        Reports(None)
    }

    /// Tells who has logged in. A full queue loses that: only the list of sessions will lack the name.
    pub fn logged_in(&self, user: &UserName) {
        let _ = self.send(&Report::LoggedIn { user: user.clone() }, None);
    }

    /// Asks for another keeper on this channel, which answers the request `ticket` of the network half `session`.
    ///
    /// # Errors
    /// No listener is there, or it has too much to do.
    pub fn reinitialise(
        &self,
        channel: BorrowedFd<'_>,
        ticket: u32,
        session: Pid,
    ) -> Result<(), Errno> {
        let session = u32::try_from(session.as_raw()).map_err(|_| Errno::ESRCH)?;
        self.send(&Report::Reinitialise { ticket, session }, Some(channel))
    }

    /// Asks for the list of sessions, which goes into `pipe`.
    ///
    /// # Errors
    /// No listener is there, or it has too much to do.
    pub fn who(&self, pipe: BorrowedFd<'_>) -> Result<(), Errno> {
        self.send(&Report::Who, Some(pipe))
    }

    fn send(&self, report: &Report, descriptor: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
        let queue = self.0.as_ref().ok_or(Errno::ENOTCONN)?;
        let mut octets = Vec::with_capacity(LONGEST);
        report.put(&mut octets);
        sys::send_datagram(queue.as_fd(), &octets, descriptor)
    }

    /// The descriptor that must stay open.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(AsFd::as_fd)
    }

    pub(super) fn try_clone(&self) -> Result<Reports, Errno> {
        self.0
            .as_ref()
            .map(nix::unistd::dup)
            .transpose()
            .map(Reports)
    }
}

impl Inbox {
    /// Takes the next report, if there is one; `None` in the middle is what is no report.
    pub(super) fn take(&self) -> Option<Received> {
        let mut octets = Vec::new();
        loop {
            match sys::receive_datagram(self.0.as_fd(), &mut octets, LONGEST, Wait::No) {
                Ok(datagram) => {
                    let sender = datagram.sender?;
                    return Some((sender, wire::decode(&octets).ok(), datagram.descriptor));
                }
                // Cut, or with two descriptors on it: not from us, and from whom is not known.
                Err(Errno::EMSGSIZE | Errno::EINTR) => {}
                Err(_) => return None,
            }
        }
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether a descriptor can be a channel between two halves.
pub(super) fn is_channel(descriptor: &OwnedFd) -> bool {
    getsockopt(descriptor, sockopt::SockType) == Ok(SockType::SeqPacket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_comes_with_its_sender_and_its_descriptor() {
        let (inbox, reports) = queue().unwrap();
        let (ours, _theirs) = queue().unwrap();
        reports
            .reinitialise(ours.as_fd(), 7, Pid::from_raw(12))
            .unwrap();
        let (sender, report, descriptor) = inbox.take().unwrap();
        assert_eq!(sender, nix::unistd::getpid());
        assert!(matches!(
            report,
            Some(Report::Reinitialise {
                ticket: 7,
                session: 12
            })
        ));
        assert!(is_channel(&descriptor.unwrap()));
        assert!(inbox.take().is_none());
    }

    #[test]
    fn what_is_no_report_is_told_from_one() {
        let (inbox, reports) = queue().unwrap();
        sys::send_datagram(reports.descriptor().unwrap(), b"\x09junk", None).unwrap();
        assert!(matches!(inbox.take(), Some((_, None, None))));
        let (read, _write) = nix::unistd::pipe().unwrap();
        assert!(!is_channel(&read));
        assert_eq!(Reports::nowhere().who(read.as_fd()), Err(Errno::ENOTCONN));
    }
}
