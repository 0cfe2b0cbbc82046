//! Has a process of its own verify what a client has proved in its handshake: certificates are parsed where nothing can be done
//! with a mistake in that. It has the authorities, the proof, and a pipe for the answer.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{pipe2, read};
use rustls::pki_types::UnixTime;

use crate::control::until;
use crate::messages;
use crate::part::Part;
use crate::sandbox::{EmptyRoot, Programs, Role, enter_empty};
use crate::sys::{self, Fork};
use crate::tls::clients::{ClientNames, Clients, Proof};
use crate::wire::{Octets, Wire, decode};

/// How long the verdict is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest verdict, in octets: a few dozen names.
const LONGEST_VERDICT: usize = 16 << 10;
/// The longest reason that is told, in octets.
const LONGEST_REASON: usize = 512;

messages! {
    /// What the process says.
    #[derive(Debug)]
    enum Verdict {
        1 => Proven { names: ClientNames },
        2 => Unproven { why: Octets<LONGEST_REASON> },
    }
}

/// What the process is confined by.
#[derive(Clone, Copy, Debug)]
pub struct Shelter<'a> {
    pub programs: &'a Programs,
    /// The uid that it takes, which has nothing.
    pub user: u32,
    /// Only root needs and can use it.
    pub root: Option<&'a EmptyRoot>,
}

/// Why nothing was proved, in words for the log.
#[derive(Debug)]
pub struct NotProven(String);

impl fmt::Display for NotProven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotProven {}

impl From<Errno> for NotProven {
    fn from(errno: Errno) -> Self {
        NotProven(format!("it could not be verified: {}", errno.desc()))
    }
}

/// Verifies a proof, as the network half has encoded it, and gives the names of the client.
///
/// # Errors
/// It proves nothing, or the process came to no end.
pub fn verify(
    proof: &[u8],
    clients: &Clients,
    shelter: Shelter<'_>,
) -> Result<ClientNames, NotProven> {
    let (answer, teller) = pipe2(OFlag::O_CLOEXEC)?;
    match sys::fork()? {
        Fork::Child => {
            Part::Verifier.begin();
            drop(answer);
            let told = judge(proof, clients, shelter, &teller);
            sys::exit(i32::from(told.is_err()))
        }
        Fork::Parent(process) => {
            drop(teller);
            let told = hear(&answer);
            if told.is_err() {
                #[expect(
                    clippy::let_underscore_must_use,
                    reason = "it may have ended; it is not collected yet, so the number is still its own"
                )]
                let _ = kill(process, Signal::SIGKILL);
            }
            while waitpid(process, None) == Err(Errno::EINTR) {}
            match decode(&told?) {
                Ok(Verdict::Proven { names }) => Ok(names),
                Ok(Verdict::Unproven { why }) => Err(NotProven(
                    String::from_utf8_lossy(why.as_slice()).into_owned(),
                )),
                Err(_) => Err(NotProven("its verifier ended without a verdict".to_owned())),
            }
        }
    }
}

/// The process itself.
fn judge(
    proof: &[u8],
    clients: &Clients,
    shelter: Shelter<'_>,
    teller: &OwnedFd,
) -> Result<(), Errno> {
    let Shelter {
        programs,
        user,
        root,
    } = shelter;
    let entered = enter_empty(Role::Verifier, programs, user, root, &[teller.as_fd()]);
    let verdict = match entered {
        Err(error) => unproven(&error.to_string()),
        Ok(()) => match decode::<Proof>(proof) {
            Err(_) => unproven("it is no proof"),
            Ok(proof) => match proof.verify(clients, UnixTime::now()) {
                Ok(names) => Verdict::Proven { names },
                Err(why) => unproven(&why.to_string()),
            },
        },
    };
    let mut octets = Vec::new();
    verdict.put(&mut octets);
    sys::write_all(teller, &octets)
}

fn unproven(why: &str) -> Verdict {
    let octets = why.as_bytes();
    let why = Octets::new(&octets[..octets.len().min(LONGEST_REASON)]);
    Verdict::Unproven {
        why: why.unwrap_or_default(),
    }
}

/// Reads to the end of the verdict.
fn hear(answer: &OwnedFd) -> Result<Vec<u8>, Errno> {
    let deadline = Instant::now() + PATIENCE;
    let mut told = Vec::new();
    loop {
        let mut ready = [PollFd::new(answer.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, until(Some(deadline))) {
            Ok(0) => return Err(Errno::ETIMEDOUT),
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno),
        }
        let mut part = [0; 4096];
        match read(answer, &mut part) {
            Ok(0) => return Ok(told),
            Ok(count) if told.len() + count <= LONGEST_VERDICT => {
                told.extend_from_slice(&part[..count]);
            }
            Ok(_) => return Err(Errno::EMSGSIZE),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
