//! The signer: the only process that has the private keys. It reads their files as root, tells the listener what of them
//! is public, gives up everything, and then signs handshakes for sessions, each over a channel of its own and within a
//! budget. It ends with the last that could ask it.

pub(super) mod desk;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socketpair, sockopt};
use nix::sys::time::TimeVal;
use nix::unistd::{Pid, pipe2, read};
use rustls::SignatureScheme;
use rustls::sign::SigningKey;

use self::desk::Desk;
use super::Offer;
use super::certificates::Certificates;
use super::clients::Clients;
use super::load::{self, Loaded};
use crate::channel::{self, Signing};
use crate::control::until;
use crate::log::Log;
use crate::messages;
use crate::part::Part;
use crate::sandbox::{EmptyRoot, Programs, Role, enter_empty};
use crate::settings::Tls;
use crate::sys::{self, Fork};
use crate::wire::{Octets, decode};

/// The longest time from the start of a signer to its word.
const LONGEST_START: Duration = Duration::from_secs(30);
/// The most that a signer tells, in octets: all chains at their longest are not served.
const LONGEST_WORD: usize = 24 << 20;
/// How long the door is waited at. The signer waits for nobody, so there is soon room.
const PATIENCE: TimeVal = TimeVal::new(5, 0);

messages! {
    /// What a signer tells the listener when it is ready, or why it is not.
    #[derive(Debug)]
    pub enum Word {
        1 => Ready { certificates: Certificates },
        2 => Refused { why: Octets<4096> },
    }
}

/// What a signer is started with.
#[derive(Debug)]
pub struct Recipe {
    pub settings: Tls,
    pub programs: Programs,
    /// The uid that it takes, which has nothing.
    pub user: u32,
    /// Only root needs and can use it.
    pub root: Option<EmptyRoot>,
    pub log: Log,
}

/// The way to a signer: keepers put an end of a channel in.
#[derive(Debug)]
pub struct Door(OwnedFd);

impl Door {
    /// Makes a door and what is behind it.
    pub(super) fn new() -> Result<(Door, OwnedFd), Errno> {
        let (door, desk) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        setsockopt(&door, sockopt::SendTimeout, &PATIENCE)?;
        Ok((Door(door), desk))
    }

    pub(super) fn channel(&self) -> Result<OwnedFd, Errno> {
        let (asker, answerer) = channel::ends::<Signing>()?;
        // SECURITY: the signer waits for nobody, not even for a session that does not take its answers.
        fcntl(&answerer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        sys::send_datagram(self.0.as_fd(), b"+", Some(answerer.as_fd()))?;
        Ok(asker)
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A signer that has not said yet whether it is ready.
#[derive(Debug)]
pub struct Starting {
    process: Pid,
    word: OwnedFd,
    received: Vec<u8>,
    door: Arc<Door>,
    deadline: Instant,
}

/// A signer that is ready.
#[derive(Debug)]
pub struct Ready {
    pub process: Pid,
    pub offer: Offer,
}

impl Recipe {
    /// Starts a signer for what the files hold now.
    ///
    /// # Errors
    /// What the system says about fork(2), pipe(2) or socketpair(2).
    pub fn start(&self, generation: u32) -> Result<Starting, Errno> {
        let (word, teller) = pipe2(OFlag::O_CLOEXEC)?;
        let (door, desk) = Door::new()?;
        match sys::fork()? {
            Fork::Parent(process) => {
                fcntl(&word, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
                Ok(Starting {
                    process,
                    word,
                    received: Vec::new(),
                    door: Arc::new(door),
                    deadline: Instant::now() + LONGEST_START,
                })
            }
            Fork::Child => {
                Part::Signer.begin();
                drop((word, door));
                sys::exit(self.run(generation, &teller, desk))
            }
        }
    }

    /// Starts the first signer and waits for it.
    ///
    /// # Errors
    /// Why it cannot start, as a sentence.
    pub fn start_and_wait(&self) -> Result<Ready, String> {
        let mut starting = self.start(0).map_err(|errno| errno.to_string())?;
        loop {
            match starting.look() {
                Some(told) => return told,
                None => {
                    let mut ready = [PollFd::new(starting.as_fd(), PollFlags::POLLIN)];
                    // Whatever it says, the look that follows decides.
                    let _ = poll(&mut ready, until(Some(starting.deadline())));
                }
            }
        }
    }

    /// The signer's own process, from its start to its end.
    fn run(&self, generation: u32, teller: &OwnedFd, door: OwnedFd) -> i32 {
        let mut desk = match prepare(self, teller, door) {
            Ok(desk) => desk,
            Err(errno) => return refuse(teller, &errno.to_string()),
        };
        let loaded = match load::load(&self.settings, generation) {
            Ok(loaded) => loaded,
            Err(why) => return refuse(teller, &why),
        };
        // The first signature makes what all others use: it may open files, and later none can be opened.
        if let Err(why) = rehearse(&loaded) {
            return refuse(teller, &why);
        }
        let Loaded { certificates, keys } = loaded;
        let mut kept = vec![teller.as_fd()];
        kept.extend(desk.descriptors());
        kept.extend(self.log.descriptor());
        let root = self.root.as_ref();
        if let Err(error) = enter_empty(Role::Signer, &self.programs, self.user, root, &kept) {
            return refuse(teller, &error.to_string());
        }
        drop(kept);
        if tell(teller, &Word::Ready { certificates }).is_err() {
            return 1;
        }
        desk.serve(&keys, &self.log)
    }
}

/// In a new child: leaves everything of the listener's behind, its ports above all, before any file is waited for.
fn prepare(recipe: &Recipe, teller: &OwnedFd, door: OwnedFd) -> Result<Desk, Errno> {
    // It ends by itself, behind the sessions that it signs for.
    let mut ends: SigSet = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        ends.add(signal);
    }
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&ends), None)?;
    let mut kept = vec![teller.as_fd(), door.as_fd()];
    kept.extend(recipe.log.descriptor());
    kept.extend(recipe.root.as_ref().map(EmptyRoot::descriptor));
    sys::keep_only(&kept)?;
    // SECURITY: nobody may look into this process from the moment on in which it has a key.
    nix::sys::prctl::set_dumpable(false)?;
    Desk::new(door)
}

/// Signs once by each key.
fn rehearse(loaded: &Loaded) -> Result<(), String> {
    for (key, chain) in loaded.keys.iter().zip(&loaded.certificates.chains) {
        let signs = chain
            .key
            .schemes()
            .first()
            .and_then(|&scheme| sign(key.as_ref(), scheme, b"rehearsal"));
        if signs.is_none() {
            return Err(format!(
                "a key of the kind {} does not sign",
                chain.key.name()
            ));
        }
    }
    Ok(())
}

/// A signature, if the key can make it.
fn sign(key: &dyn SigningKey, scheme: SignatureScheme, message: &[u8]) -> Option<Vec<u8>> {
    key.choose_scheme(&[scheme])?.sign(message).ok()
}

fn refuse(teller: &OwnedFd, why: &str) -> i32 {
    let end = (0..=why.len().min(4096))
        .rev()
        .find(|&end| why.is_char_boundary(end));
    let why = Octets::new(&why.as_bytes()[..end.unwrap_or(0)]).unwrap_or_default();
    // Who does not hear it sees the end of the pipe.
    let _ = tell(teller, &Word::Refused { why });
    1
}

fn tell(teller: &OwnedFd, word: &Word) -> Result<(), Errno> {
    use crate::wire::Wire;
    let mut octets = Vec::new();
    word.put(&mut octets);
    // The length first: the pipe's own end comes only with that of the process.
    let mut all = Vec::new();
    u32::try_from(octets.len())
        .map_err(|_| Errno::EMSGSIZE)?
        .put(&mut all);
    all.extend_from_slice(&octets);
    sys::write_all(teller, &all)
}

impl Starting {
    /// When it will have taken too long.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What the signer says, once it has. Nothing is waited for; a signer that says nothing in time is killed.
    pub fn look(&mut self) -> Option<Result<Ready, String>> {
        let told = match self.receive() {
            Ok(None) if Instant::now() < self.deadline => return None,
            Ok(None) => Err("the files could not be read in time".to_owned()),
            Ok(Some(Word::Ready { certificates })) => {
                clients_of(&certificates).map(|clients| (certificates, clients))
            }
            Ok(Some(Word::Refused { why })) => {
                Err(String::from_utf8_lossy(why.as_slice()).into_owned())
            }
            Err(error) => Err(error),
        };
        if told.is_err() {
            // It has not been collected yet, so the number is still its own.
            let _ = kill(self.process, Signal::SIGKILL);
        }
        Some(told.map(|(certificates, clients)| Ready {
            process: self.process,
            offer: Offer {
                certificates: Arc::new(certificates),
                clients,
                door: Arc::clone(&self.door),
            },
        }))
    }

    fn receive(&mut self) -> Result<Option<Word>, String> {
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some((length, word)) = self.received.split_first_chunk() {
                let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
                if length > LONGEST_WORD {
                    return Err("the certificates are too many or too long".to_owned());
                }
                if word.len() >= length {
                    let broken = |_| "the signer does not speak as it should".to_owned();
                    return decode(&word[..length]).map(Some).map_err(broken);
                }
            }
            match read(&self.word, &mut buffer) {
                Ok(0) => return Err("the signer ended without a word".to_owned()),
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(io::Error::from(errno).to_string()),
            }
        }
    }
}

/// Made once, so that sessions inherit it.
fn clients_of(certificates: &Certificates) -> Result<Option<Clients>, String> {
    certificates.trust.as_ref().map(Clients::new).transpose()
}

impl AsFd for Starting {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.word.as_fd()
    }
}
