//! Answers of the listener: one message through a pipe that came with the question. The one who asks waits if it wants to;
//! the listener never does.

use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{pipe2, read, write};

use crate::wire::{self, Wire};

/// The longest answer, in octets: a pipe takes it whole or not at all.
const LONGEST: usize = 512;

/// An answer that has not come yet.
#[derive(Debug)]
pub struct Answer<A> {
    pipe: OwnedFd,
    kind: PhantomData<A>,
}

/// Where the listener puts an answer.
#[derive(Debug)]
pub(super) struct Envelope(OwnedFd);

/// Makes both ends.
pub(super) fn pair<A>() -> Result<(Answer<A>, Envelope), Errno> {
    let (pipe, envelope) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    let answer = Answer {
        pipe,
        kind: PhantomData,
    };
    Ok((answer, Envelope(envelope)))
}

impl<A: Wire> Answer<A> {
    /// Takes the answer if it has come.
    ///
    /// # Errors
    /// `EPIPE` when none will come, `EPROTO` when it is none.
    pub fn take(&self) -> Result<Option<A>, Errno> {
        let mut octets = [0; LONGEST];
        match read(&self.pipe, &mut octets) {
            Ok(0) => Err(Errno::EPIPE),
            Ok(count) => wire::decode(&octets[..count])
                .map(Some)
                .map_err(|_| Errno::EPROTO),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}

impl<A> From<Answer<A>> for OwnedFd {
    fn from(answer: Answer<A>) -> OwnedFd {
        answer.pipe
    }
}

impl<A> From<OwnedFd> for Answer<A> {
    /// An answer that was handed on.
    fn from(pipe: OwnedFd) -> Answer<A> {
        Answer {
            pipe,
            kind: PhantomData,
        }
    }
}

impl<A> AsFd for Answer<A> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl Envelope {
    /// Takes what came with a question.
    pub(super) fn of(descriptor: OwnedFd) -> Option<Envelope> {
        // SECURITY: only a pipe cannot make the listener wait, and only without blocking.
        let is_pipe = fstat(&descriptor).is_ok_and(|stat| {
            SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFIFO
        });
        let usable = is_pipe && fcntl(&descriptor, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).is_ok();
        usable.then_some(Envelope(descriptor))
    }

    /// Answers. Whoever asked may be gone by now.
    pub(super) fn send<A: Wire>(&self, answer: &A) {
        let mut octets = Vec::with_capacity(LONGEST);
        answer.put(&mut octets);
        self.send_octets(&octets);
    }

    /// Answers with what is no message, as much as fits.
    pub(super) fn send_octets(&self, octets: &[u8]) {
        let _ = write(&self.0, octets);
    }
}

impl From<Envelope> for OwnedFd {
    fn from(envelope: Envelope) -> OwnedFd {
        envelope.0
    }
}

impl AsFd for Envelope {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_once_or_not_at_all() {
        let (answer, envelope) = pair::<u32>().unwrap();
        assert_eq!(answer.take(), Ok(None));
        envelope.send(&7u32);
        assert_eq!(answer.take(), Ok(Some(7)));
        drop(envelope);
        assert_eq!(answer.take(), Err(Errno::EPIPE));
        let (answer, envelope) = pair::<u32>().unwrap();
        envelope.send_octets(b"no");
        assert_eq!(answer.take(), Err(Errno::EPROTO));
    }

    #[test]
    fn only_a_pipe_is_an_envelope() {
        let (reader, _writer) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(Envelope::of(reader.into()).is_none());
        let (_reader, writer) = nix::unistd::pipe().unwrap();
        assert!(Envelope::of(writer).is_some());
    }
}
