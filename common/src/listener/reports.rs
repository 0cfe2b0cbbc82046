//! What the trusted halves tell and ask the listener: one queue for all, on which the kernel says whose report it is. No
//! report names its sender or its session. An answer comes through a pipe that rides on the question (`answers`).

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, getsockopt, setsockopt, socketpair, sockopt,
};
use nix::unistd::Pid;

use super::answers::{self, Answer};
use crate::channel::{self, Changing, Refusal, UserName};
use crate::control::until;
use crate::hookd::Introduced;
use crate::messages;
use crate::net::Passed;
use crate::rate::{Direction, Grant, Rates};
use crate::settings::pool::LONGEST_NAME;
use crate::sys::{self, Wait};
use crate::wire::{self, Octets, Wire, fields};

/// The name of a server of a pool.
pub(super) type ServerName = Octets<LONGEST_NAME>;

/// The longest report, in octets: a user with all groups.
const LONGEST: usize = 4096;
/// What most reports fit into.
const USUAL: usize = 512;
/// How long a full queue is waited for. The listener waits for nobody, so it is soon empty again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The log that a session has for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnLog {
    pub path: Octets<1024>,
    /// The process of the network half.
    pub network: u32,
}
fields! { OwnLog: path, network }

messages! {
    /// Keeper to listener.
    #[derive(Debug)]
    pub(super) enum Report {
        /// Somebody has shown a password. Carries a pipe for a [`Verdict`], which comes when it may be checked.
        4 => Admit,
        /// It was wrong.
        5 => Failed,
        /// It was right. Carries a pipe for a [`Verdict`]: whether there is room for one more session of this user, who may
        /// have `most` of them, or any number if that is zero. From then on the session's entries go to `log`.
        1 => LoggedIn { user: UserName, most: u32, log: Option<OwnLog> },
        /// Carries keeper's end of the channel: the client wants to begin anew with another keeper, which is to answer
        /// the request `ticket` of the network half `session`. Or it wants to be `led` to another server, with whoever leads there.
        2 => Reinitialise { ticket: u32, session: u32, led: bool },
        /// Carries the writing end of a pipe, for the list of sessions.
        3 => Who,
        /// Carries an end of a channel, on which the network half sends the passwords.
        6 => ChangePassword,
        /// To move more in one direction, of the rate that the user's sessions share and of that of all. Carries a pipe for a
        /// [`Grant`].
        7 => Lease { upload: bool, user_rates: Rates },
        /// A front end has said between whom its connection is. Carries a pipe for a [`Verdict`].
        8 => Peer { client: SocketAddr, server: SocketAddr },
        /// Who the user is that is about to log in, for hooks. Carries the root directory.
        9 => Introduce { user: Introduced },
        /// Which server of the pool the session is with, before its login.
        10 => Serves { server: ServerName },
    }
}

messages! {
    /// Listener to keeper, about a login or a client.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Verdict {
        1 => Admitted,
        2 => TooMany,
        3 => Refused { why: Refusal },
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

    /// Asks whether a password may be checked now; the place is held until [`failed`](Self::failed) or
    /// [`logged_in`](Self::logged_in), or the end of this process.
    ///
    /// # Errors
    /// The listener is gone, or has too much to do.
    pub fn admit(&self) -> Result<Answer<Verdict>, Errno> {
        self.ask(&Report::Admit, Verdict::Admitted)
    }

    /// Tells of a wrong password.
    ///
    /// # Errors
    /// The listener is gone, or has too much to do.
    pub fn failed(&self) -> Result<(), Errno> {
        match self.send(&Report::Failed, None) {
            Err(Errno::ENOTCONN) => Ok(()),
            other => other,
        }
    }

    /// Tells whose password was right, and asks whether one more session of that user may begin, whose log is `log`.
    ///
    /// # Errors
    /// The listener is gone, or has too much to do.
    pub fn logged_in(
        &self,
        user: UserName,
        most: u32,
        log: Option<OwnLog>,
    ) -> Result<Answer<Verdict>, Errno> {
        self.ask(&Report::LoggedIn { user, most, log }, Verdict::Admitted)
    }

    /// Tells whose connection a front end passes on, and asks whether that client may enter.
    ///
    /// # Errors
    /// The listener is gone, or has too much to do.
    pub fn peer(&self, passed: Passed) -> Result<Answer<Verdict>, Errno> {
        let Passed { client, server } = passed;
        self.ask(&Report::Peer { client, server }, Verdict::Admitted)
    }

    /// Tells hookd, through the listener, who is about to log in, with the root directory of the session.
    ///
    /// # Errors
    /// The listener is gone, or has too much to do.
    pub fn introduce(&self, user: Introduced, root: BorrowedFd<'_>) -> Result<(), Errno> {
        self.send(&Report::Introduce { user }, Some(root))
    }

    /// Tells which server of a pool the session is with.
    ///
    /// # Errors
    /// The listener is gone, or has too much to do.
    pub fn serves(&self, server: &str) -> Result<(), Errno> {
        let server = ServerName::new(server.as_bytes()).ok_or(Errno::ENAMETOOLONG)?;
        self.send(&Report::Serves { server }, None)
    }

    /// Asks what has an answer; without a listener, `alone` is the answer.
    fn ask<A: Wire>(&self, question: &Report, alone: A) -> Result<Answer<A>, Errno> {
        let (answer, envelope) = answers::pair()?;
        match self.send(question, Some(envelope.as_fd())) {
            Ok(()) => {}
            Err(Errno::ENOTCONN) => envelope.send(&alone),
            Err(errno) => return Err(errno),
        }
        Ok(answer)
    }

    /// Asks for another keeper on this channel, which answers the request `ticket` of the network half `session`; or for
    /// somebody who leads to another server.
    ///
    /// # Errors
    /// No listener is there, or it has too much to do.
    pub fn reinitialise(
        &self,
        channel: BorrowedFd<'_>,
        ticket: u32,
        session: Pid,
        led: bool,
    ) -> Result<(), Errno> {
        let session = u32::try_from(session.as_raw()).map_err(|_| Errno::ESRCH)?;
        let report = Report::Reinitialise {
            ticket,
            session,
            led,
        };
        self.send(&report, Some(channel))
    }

    /// Asks for the list of sessions, which goes into `pipe`.
    ///
    /// # Errors
    /// No listener is there, or it has too much to do.
    pub fn who(&self, pipe: BorrowedFd<'_>) -> Result<(), Errno> {
        self.send(&Report::Who, Some(pipe))
    }

    /// Asks for a change of the user's password; gives the network half's end of the channel to whoever makes it.
    ///
    /// # Errors
    /// No listener is there, or it has too much to do.
    pub fn change_password(&self) -> Result<OwnedFd, Errno> {
        let (asker, answerer) = channel::ends::<Changing>()?;
        self.send(&Report::ChangePassword, Some(answerer.as_fd()))?;
        Ok(asker)
    }

    /// Asks to move more; the answer goes into a pipe for the network half.
    ///
    /// # Errors
    /// No listener is there, or it has too much to do.
    pub fn lease(&self, direction: Direction, user_rates: Rates) -> Result<OwnedFd, Errno> {
        let (answer, envelope) = answers::pair::<Grant>()?;
        let upload = direction == Direction::Upload;
        self.send(
            &Report::Lease { upload, user_rates },
            Some(envelope.as_fd()),
        )?;
        Ok(answer.into())
    }

    fn send(&self, report: &Report, descriptor: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
        let queue = self.0.as_ref().ok_or(Errno::ENOTCONN)?;
        let mut octets = Vec::with_capacity(USUAL);
        report.put(&mut octets);
        let deadline = Instant::now() + PATIENCE;
        loop {
            match sys::send_datagram(queue.as_fd(), &octets, descriptor) {
                Err(Errno::EAGAIN) => {}
                Err(Errno::EINTR) => continue,
                other => return other,
            }
            let mut ready = [PollFd::new(queue.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut ready, until(Some(deadline))) {
                Ok(0) => return Err(Errno::EAGAIN),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
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
            .reinitialise(ours.as_fd(), 7, Pid::from_raw(12), true)
            .unwrap();
        let (sender, report, descriptor) = inbox.take().unwrap();
        assert_eq!(sender, nix::unistd::getpid());
        assert!(matches!(
            report,
            Some(Report::Reinitialise {
                ticket: 7,
                session: 12,
                led: true
            })
        ));
        assert!(is_channel(&descriptor.unwrap()));
        assert!(inbox.take().is_none());
    }

    #[test]
    fn a_question_is_answered_through_what_rides_on_it() {
        let (inbox, reports) = queue().unwrap();
        let answer = reports.admit().unwrap();
        assert_eq!(answer.take(), Ok(None));
        let (_, report, descriptor) = inbox.take().unwrap();
        assert!(matches!(report, Some(Report::Admit)));
        let envelope = answers::Envelope::of(descriptor.unwrap()).unwrap();
        envelope.send(&Verdict::TooMany);
        assert_eq!(answer.take(), Ok(Some(Verdict::TooMany)));
        let answer = Reports::nowhere().admit().unwrap();
        assert_eq!(answer.take(), Ok(Some(Verdict::Admitted)));
        assert_eq!(Reports::nowhere().failed(), Ok(()));
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
