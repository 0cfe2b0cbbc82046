//! A pipe that every session watches: it tells that the listener wants them to stop, or that it is gone.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{pipe2, write};

/// The listener's end.
#[derive(Debug)]
pub struct Watched(OwnedFd);

/// A session's end.
#[derive(Debug)]
pub struct Lifeline {
    end: OwnedFd,
    /// The other end, where no listener holds it.
    unattended: Option<OwnedFd>,
}

/// The network halves' end of a pipe that tells that the server is about to stop: who waits for a command then goes.
#[derive(Debug)]
pub struct Drain(OwnedFd);

/// The listener's end of that.
#[derive(Debug)]
pub(super) struct Drainer(OwnedFd);

/// What a session may go on to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The listener is there.
    Alive,
    /// The listener wants all sessions to end.
    Stop,
    /// The listener died: sessions that are logged in finish, nobody logs in any more.
    Orphaned,
}

/// Makes both ends.
pub(super) fn pair() -> Result<(Watched, Lifeline), Errno> {
    let (session, listener) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    let lifeline = Lifeline {
        end: session,
        unattended: None,
    };
    Ok((Watched(listener), lifeline))
}

/// Makes both ends of the pipe that tells that the server is about to stop.
pub(super) fn drain() -> Result<(Drainer, Drain), Errno> {
    let (session, listener) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    // With a single page there is room again exactly when the octet is gone.
    fcntl(&listener, FcntlArg::F_SETPIPE_SZ(1))?;
    Ok((Drainer(listener), Drain(session)))
}

impl Drainer {
    /// Tells every session. SECURITY: one that was taken over could read the octet away, so it is told again whenever there is
    /// room for it.
    pub(super) fn tell(&self) {
        let _ = write(&self.0, b"Q");
    }
}

impl AsFd for Drainer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drain {
    /// What poll(2) has said of it; true if the server is about to stop. Where whoever could tell is gone it is let go, and no
    /// session ends by that.
    pub fn told(drain: &mut Option<Drain>, events: PollFlags) -> bool {
        if events == PollFlags::POLLHUP {
            *drain = None;
        }
        events.contains(PollFlags::POLLIN)
    }

    pub(super) fn try_clone(&self) -> Result<Drain, Errno> {
        nix::unistd::dup(&self.0).map(Drain)
    }
}

impl AsFd for Drain {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Watched {
    /// Tells every session: the octet is never read, so all of them see it.
    pub(super) fn tell_to_stop(&self) {
        // The pipe is empty and ours: there is room for one octet.
        let _ = write(&self.0, b"Q");
    }
}

impl Lifeline {
    /// Looks without waiting.
    pub fn sign(&self) -> Sign {
        let mut ready = [PollFd::new(self.end.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, PollTimeout::ZERO) {
            Ok(1..) => {
                let events = ready[0].revents().unwrap_or(PollFlags::empty());
                if events.contains(PollFlags::POLLIN) {
                    Sign::Stop
                } else {
                    Sign::Orphaned
                }
            }
            _ => Sign::Alive,
        }
    }

    /// All descriptors that it needs to stay open.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        std::iter::once(&self.end)
            .chain(&self.unattended)
            .map(AsFd::as_fd)
    }

    /// One that nobody holds the other end of but the session itself: for inetd, where no listener is.
    ///
    /// # Errors
    /// What pipe(2) says.
    pub fn unattended() -> Result<Lifeline, Errno> {
        let (watched, lifeline) = pair()?;
        Ok(Lifeline {
            unattended: Some(watched.0),
            ..lifeline
        })
    }

    pub(super) fn try_clone(&self) -> Result<Lifeline, Errno> {
        let end = nix::unistd::dup(&self.end)?;
        Ok(Lifeline {
            end,
            unattended: None,
        })
    }
}

impl AsFd for Lifeline {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_tell_a_stop_from_a_death() {
        let (watched, lifeline) = pair().unwrap();
        let other = lifeline.try_clone().unwrap();
        assert_eq!(lifeline.sign(), Sign::Alive);
        watched.tell_to_stop();
        assert_eq!((lifeline.sign(), other.sign()), (Sign::Stop, Sign::Stop));
        let (watched, lifeline) = pair().unwrap();
        drop(watched);
        assert_eq!(lifeline.sign(), Sign::Orphaned);
    }

    #[test]
    fn an_octet_that_is_read_away_makes_room_for_another_and_the_end_of_the_listener_says_nothing()
    {
        let (drainer, drain) = drain().unwrap();
        let events = |fd: BorrowedFd<'_>, wanted| {
            let mut ready = [PollFd::new(fd, wanted)];
            poll(&mut ready, PollTimeout::ZERO).unwrap();
            ready[0].revents().unwrap()
        };
        let has_room = || !events(drainer.as_fd(), PollFlags::POLLOUT).is_empty();
        let mut told = Some(drain.try_clone().unwrap());
        let is_told = |told: &mut Option<Drain>| {
            let events = events(drain.as_fd(), PollFlags::POLLIN);
            Drain::told(told, events)
        };
        assert!(!is_told(&mut told));
        for _ in 0..3 {
            drainer.tell();
            assert!(!has_room());
            assert!(is_told(&mut told));
            nix::unistd::read(&drain, &mut [0; 8]).unwrap();
            assert!(has_room());
        }
        drop(drainer);
        assert!(!is_told(&mut told));
        assert!(told.is_none());
    }
}
