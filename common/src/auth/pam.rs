//! PAM in a process of its own: a module that hangs or crashes takes nothing with it, and the session of a user is closed however
//! the process ends that serves them.

mod limits;
mod modules;
mod strays;

use std::fmt;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, pipe2, read, setpgid};

pub use self::limits::ResourceLimits;
use self::strays::Strays;
use super::Secret;
use crate::control::until;
use crate::part::Part;
use crate::sandbox::is_root;
use crate::sys::{self, Fork};
use crate::wire::decode;

/// Who is asked about.
pub struct Question<'a> {
    pub user: &'a [u8],
    /// The name that the client sent.
    pub typed: &'a [u8],
    pub client: IpAddr,
    /// The password; `None` where another method has checked it, and only account and session are PAM's.
    pub secret: Option<&'a Secret>,
}

/// An open session: it is closed when this is dropped, or the process that has it ends. Without root there is none to be closed.
#[derive(Debug)]
pub struct PamSession {
    /// What the modules have set for the process that serves the user.
    pub limits: ResourceLimits,
    _open: OwnedFd,
}

/// Why PAM does not let somebody in.
#[derive(Debug)]
pub enum PamError {
    /// What a module said, or what a module cannot be asked.
    Refused(String),
    /// It did not answer in time.
    TimedOut(Duration),
    /// The process that asks ended without an answer.
    Crashed,
    System(&'static str, Errno),
}

impl fmt::Display for PamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PamError::Refused(why) => f.write_str(why),
            PamError::TimedOut(time) => {
                write!(f, "PAM did not answer within {} s", time.as_secs_f32())
            }
            PamError::Crashed => f.write_str("a PAM module ended its process"),
            PamError::System(call, errno) => write!(f, "{call}: {}", errno.desc()),
        }
    }
}

impl std::error::Error for PamError {}

/// The services whose rules count, the first that is there. libpam itself would take `other` for any that is not.
const SERVICES: [&str; 3] = ["metaftpd", "ftp", "other"];
/// Where a system and its vendor keep them.
const DIRECTORIES: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];
/// The longest reason that is handed on, in octets.
const LONGEST_REASON: usize = 512;

/// The service by whose rules clients come in; `None` if this system has none of them.
pub fn service() -> Option<&'static str> {
    SERVICES.into_iter().find(|service| {
        DIRECTORIES
            .iter()
            .any(|directory| nix::sys::stat::stat(&Path::new(directory).join(service)).is_ok())
    })
}

/// Asks for the password, if there is one, and the account, and as root opens a session.
///
/// # Errors
/// Anybody whom PAM does not let in for whatever reason.
pub fn ask(question: &Question<'_>, patience: Duration) -> Result<PamSession, PamError> {
    let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(|errno| PamError::System("pipe2", errno));
    let (answers, answer) = pipe()?;
    let (ends, open) = pipe()?;
    let strays = Strays::gather()?;
    match sys::fork().map_err(|errno| PamError::System("fork", errno))? {
        Fork::Child => {
            Part::Pam.begin();
            drop((answers, open));
            let all_well = modules::serve(question, patience, answer, ends);
            sys::exit(i32::from(!all_well))
        }
        Fork::Parent(process) => {
            drop((answer, ends));
            // Both sides do it, since neither knows who is first.
            #[expect(
                clippy::let_underscore_must_use,
                reason = "the other side checks it, and may have ended"
            )]
            let _ = setpgid(process, process);
            let told = wait(&answers, patience);
            if let Ok([GRANTED, limits @ ..]) = told.as_deref()
                && let Ok(limits) = decode(limits)
            {
                if !is_root() {
                    reap(process);
                }
                strays.release()?;
                return Ok(PamSession {
                    limits,
                    _open: open,
                });
            }
            end(process);
            strays.end();
            strays.release()?;
            Err(match told? {
                told if matches!(told.first(), None | Some(&GRANTED)) => PamError::Crashed,
                told => PamError::Refused(String::from_utf8_lossy(&told).into_owned()),
            })
        }
    }
}

/// The answer that somebody may come in, and behind it the limits; any other is the reason why not, which does not begin so.
const GRANTED: u8 = 0;

/// Reads to the end of the answer.
fn wait(answers: &OwnedFd, patience: Duration) -> Result<Vec<u8>, PamError> {
    let deadline = Instant::now() + patience;
    let mut told = Vec::new();
    loop {
        let mut ready = [PollFd::new(answers.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, until(Some(deadline))) {
            Ok(0) => return Err(PamError::TimedOut(patience)),
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(PamError::System("poll", errno)),
        }
        let mut part = [0; LONGEST_REASON];
        match read(answers, &mut part) {
            Ok(0) => return Ok(told),
            Ok(count) if told.len() <= LONGEST_REASON => told.extend_from_slice(&part[..count]),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(PamError::System("read", errno)),
        }
    }
}

/// Ends the process and what its modules have started.
fn end(process: Pid) {
    #[expect(
        clippy::let_underscore_must_use,
        reason = "there may be nobody left to be ended"
    )]
    let _ = killpg(process, Signal::SIGKILL);
    reap(process);
}

fn reap(process: Pid) {
    while waitpid(process, None) == Err(Errno::EINTR) {}
}
