//! The channel between the two halves of a session: typed requests one way, answers and open descriptors the other way.
//! A request exists only in its phase; the same octets in another phase decode to nothing and end the session.

mod dialling;
mod messages;

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use zeroize::Zeroize;

pub use dialling::{DialAnswer, DialFault, DialRequest, HostName};
pub use messages::{
    Account, ChangeAnswer, ChangeRequest, Cut, EntryPath, Failed, FileAnswer, FileRequest,
    LeaseAnswer, LeaseRequest, ListFormat, LoginAnswer, LoginRequest, OwnerName, PROOF_PART,
    PackedContent, PackedOwner, Pattern, Refusal, SignAnswer, SignRequest, Typed, UploadAt,
    UserName,
};

use crate::sys::{self, Wait};
use crate::wire::{self, Wire};

/// The longest message: two longest paths, a line of the client's, and a little.
const LONGEST_MESSAGE: usize = 13 * 1024;

/// A phase of a session: which requests exist, and their answers.
pub trait Phase {
    type Request: Wire;
    type Answer: Wire;
}

/// Before login: the trusted half may be root.
#[derive(Debug)]
pub struct PreLogin;
/// After login: the trusted half is the user.
#[derive(Debug)]
pub struct LoggedIn;

/// Beside it, for sessions that share rates with others.
#[derive(Debug)]
pub struct Leasing;

impl Phase for Leasing {
    type Request = LeaseRequest;
    type Answer = LeaseAnswer;
}

impl Phase for PreLogin {
    type Request = LoginRequest;
    type Answer = LoginAnswer;
}

impl Phase for LoggedIn {
    type Request = FileRequest;
    type Answer = FileAnswer;
}

/// Beside the session: one end the network half's, the other that of a process that changes a password.
#[derive(Debug)]
pub struct Changing;

impl Phase for Changing {
    type Request = ChangeRequest;
    type Answer = ChangeAnswer;
}

/// Beside the session: one end the network half's, the other the signer's.
#[derive(Debug)]
pub struct Signing;

impl Phase for Signing {
    type Request = SignRequest;
    type Answer = SignAnswer;
}

/// In a gateway: the trusted half leads to servers by rules of its own.
#[derive(Debug)]
pub struct Dialling;

impl Phase for Dialling {
    type Request = DialRequest;
    type Answer = DialAnswer;
}

impl<P: Phase> Answerer<P> {
    /// Answers over an end that was handed over.
    pub fn over(socket: OwnedFd) -> Self {
        Answerer {
            socket,
            phase: PhantomData,
        }
    }
}

/// Why a channel is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The other half is gone.
    Closed,
    /// The other half sent what is no message of this phase.
    Malformed,
    Failed(Errno),
}

impl From<wire::Malformed> for Broken {
    fn from(_: wire::Malformed) -> Self {
        Broken::Malformed
    }
}

impl From<Errno> for Broken {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::EPIPE | Errno::ECONNRESET => Broken::Closed,
            Errno::EMSGSIZE => Broken::Malformed,
            _ => Broken::Failed(errno),
        }
    }
}

/// An answer with the descriptor that rode on it.
pub type Answered<P> = (<P as Phase>::Answer, Option<OwnedFd>);

/// Names a request, so that its answer is told from an answer to one that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u32);

impl Ticket {
    /// Its number on the channel, for a keeper that leaves the answer to the next one.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// The end that asks: the network half's.
#[derive(Debug)]
pub struct Asker<P: Phase> {
    socket: OwnedFd,
    next: u32,
    /// Answers that nobody waits for any more.
    forgotten: VecDeque<u32>,
    phase: PhantomData<P>,
}

/// The end that answers: the trusted half's.
#[derive(Debug)]
pub struct Answerer<P: Phase> {
    socket: OwnedFd,
    phase: PhantomData<P>,
}

/// Makes both ends of the channel before login.
///
/// # Errors
/// What socketpair(2) says.
pub fn pair() -> Result<(Asker<PreLogin>, Answerer<PreLogin>), Errno> {
    let (asker, answerer) = ends()?;
    Ok((Asker::over(asker), answerer))
}

/// Makes a channel; the end that asks is handed over to another process.
///
/// # Errors
/// What socketpair(2) says.
pub fn ends<P: Phase>() -> Result<(OwnedFd, Answerer<P>), Errno> {
    let (asker, answerer) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?;
    Ok((
        asker,
        Answerer {
            socket: answerer,
            phase: PhantomData,
        },
    ))
}

impl<P: Phase> Asker<P> {
    /// Asks over a socket that was handed over.
    pub fn over(socket: OwnedFd) -> Asker<P> {
        Asker {
            socket,
            next: 0,
            forgotten: VecDeque::new(),
            phase: PhantomData,
        }
    }

    /// Sends a request. The answer is fetched by [`receive`](Self::receive).
    ///
    /// # Errors
    /// The channel is broken.
    pub fn ask(&mut self, request: &P::Request) -> Result<Ticket, Broken> {
        let ticket = self.next;
        self.next = self.next.wrapping_add(1);
        send(self.socket.as_fd(), ticket, request, None)?;
        Ok(Ticket(ticket))
    }

    /// Takes the answer to `ticket` if it has arrived; answers to forgotten requests are dropped on the way.
    ///
    /// # Errors
    /// The channel is broken, or an answer came that nobody asked for.
    pub fn receive(&mut self, ticket: Ticket) -> Result<Option<Answered<P>>, Broken> {
        self.take(ticket, Wait::No)
    }

    /// Asks and waits for the answer: for requests that do not take long.
    ///
    /// # Errors
    /// As [`ask`](Self::ask) and [`receive`](Self::receive).
    pub fn call(&mut self, request: &P::Request) -> Result<Answered<P>, Broken> {
        let ticket = self.ask(request)?;
        loop {
            if let Some(answer) = self.take(ticket, Wait::Yes)? {
                return Ok(answer);
            }
        }
    }

    fn take(&mut self, ticket: Ticket, wait: Wait) -> Result<Option<Answered<P>>, Broken> {
        loop {
            let Some((number, answer, descriptor)) = receive(self.socket.as_fd(), wait)? else {
                return Ok(None);
            };
            if number == ticket.0 {
                return Ok(Some((answer, descriptor)));
            }
            match self
                .forgotten
                .iter()
                .position(|&forgotten| forgotten == number)
            {
                Some(index) => self.forgotten.remove(index),
                None => return Err(Broken::Malformed),
            };
        }
    }

    /// Gives a request up: its answer is dropped when it comes.
    pub fn forget(&mut self, ticket: Ticket) {
        self.forgotten.push_back(ticket.0);
    }
}

impl<P: Phase> Asker<P> {
    /// The same channel in another phase.
    fn turn<Q: Phase>(self) -> Asker<Q> {
        Asker {
            socket: self.socket,
            next: self.next,
            forgotten: self.forgotten,
            phase: PhantomData,
        }
    }
}

impl Asker<PreLogin> {
    /// Goes on to the next phase, after the answer that said so.
    pub fn log_in(self) -> Asker<LoggedIn> {
        self.turn()
    }

    /// Goes on to be led, after the answer that said so.
    pub fn lead(self) -> Asker<Dialling> {
        self.turn()
    }
}

impl Asker<LoggedIn> {
    /// Goes back to the first phase, after the answer that said so.
    pub fn log_out(self) -> Asker<PreLogin> {
        self.turn()
    }
}

impl<P: Phase> Answerer<P> {
    /// Takes the next request if one has arrived.
    ///
    /// # Errors
    /// The channel is broken, or the request carries a descriptor: no request does.
    pub fn receive(&mut self) -> Result<Option<(Ticket, P::Request)>, Broken> {
        match receive(self.socket.as_fd(), Wait::No)? {
            None => Ok(None),
            Some((number, request, None)) => Ok(Some((Ticket(number), request))),
            Some((_, _, Some(_))) => Err(Broken::Malformed),
        }
    }

    /// Answers a request, with a descriptor where the answer speaks of one.
    ///
    /// # Errors
    /// The channel is broken.
    pub fn answer(
        &mut self,
        to: Ticket,
        answer: &P::Answer,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<(), Broken> {
        send(self.socket.as_fd(), to.0, answer, descriptor)
    }
}

impl Answerer<PreLogin> {
    /// Goes on to the next phase, after having become the user.
    pub fn log_in(self) -> Answerer<LoggedIn> {
        Answerer::over(self.socket)
    }

    /// Goes on to lead, having said so.
    pub fn lead(self) -> Answerer<Dialling> {
        Answerer::over(self.socket)
    }
}

impl Answerer<LoggedIn> {
    /// Takes over a channel that a former keeper has left with the request `number` unanswered.
    pub fn take_over(channel: OwnedFd, number: u32) -> (Self, Ticket) {
        (Answerer::over(channel), Ticket(number))
    }

    /// Goes back to the first phase, having said so.
    pub fn log_out(self) -> Answerer<PreLogin> {
        Answerer::over(self.socket)
    }
}

impl<P: Phase> AsFd for Asker<P> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl<P: Phase> AsFd for Answerer<P> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn send<T: Wire>(
    socket: BorrowedFd<'_>,
    number: u32,
    message: &T,
    fd: Option<BorrowedFd<'_>>,
) -> Result<(), Broken> {
    // Room for all at once: a vector that grows would leave a password behind.
    let mut octets = Vec::with_capacity(LONGEST_MESSAGE);
    number.put(&mut octets);
    message.put(&mut octets);
    let sent = sys::send_datagram(socket, &octets, fd);
    // It may have held a password. Wiping the room behind it too took longer than all else that is done here.
    octets.as_mut_slice().zeroize();
    Ok(sent?)
}

type Received<T> = Option<(u32, T, Option<OwnedFd>)>;

fn receive<T: Wire>(socket: BorrowedFd<'_>, wait: Wait) -> Result<Received<T>, Broken> {
    let mut octets = Vec::new();
    let datagram = match sys::receive_datagram(socket, &mut octets, LONGEST_MESSAGE, wait) {
        Ok(datagram) => datagram,
        Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    if datagram.length == 0 {
        return Err(Broken::Closed);
    }
    let mut input = &octets[..];
    let number = u32::take(&mut input)?;
    let message = wire::decode(input);
    // It may have held a password.
    octets.as_mut_slice().zeroize();
    Ok(Some((number, message?, datagram.descriptor)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::VirtualPath;

    #[test]
    fn a_request_of_another_phase_is_malformed() {
        let (asker, mut answerer) = pair().unwrap();
        let mut asker = asker.log_in();
        let request = FileRequest::Remove {
            path: VirtualPath::new(b"/x").unwrap(),
        };
        asker.ask(&request).unwrap();
        assert_eq!(answerer.receive().unwrap_err(), Broken::Malformed);
    }

    #[test]
    fn answers_to_forgotten_requests_are_dropped() {
        let (asker, answerer) = pair().unwrap();
        let (mut asker, mut answerer) = (asker.log_in(), answerer.log_in());
        let path = VirtualPath::root();
        let first = asker
            .ask(&FileRequest::ChangeDir { path: path.clone() })
            .unwrap();
        asker.forget(first);
        let second = asker.ask(&FileRequest::ChangeDir { path }).unwrap();
        while let Some((ticket, _)) = answerer.receive().unwrap() {
            answerer.answer(ticket, &FileAnswer::Done, None).unwrap();
        }
        assert!(matches!(
            asker.receive(second),
            Ok(Some((FileAnswer::Done, None)))
        ));
        assert!(matches!(asker.receive(second), Ok(None)));
    }

    #[test]
    fn an_answer_that_nobody_asked_for_breaks_the_channel() {
        let (mut asker, mut answerer) = pair().unwrap();
        answerer
            .answer(Ticket(7), &LoginAnswer::Refused { last: false }, None)
            .unwrap();
        assert_eq!(asker.receive(Ticket(0)).unwrap_err(), Broken::Malformed);
        drop(answerer);
        assert_eq!(asker.receive(Ticket(0)).unwrap_err(), Broken::Closed);
    }
}
