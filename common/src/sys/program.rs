//! Starting another program in a child: with the descriptors that it is given and no others, in a session and process group of its own.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::prctl;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, pipe2, read, write};

use super::{Fork, exit, fork, watch_process};

/// What a child is to become.
#[derive(Debug)]
pub struct Program {
    pub path: CString,
    /// The name that it is called by, then its arguments.
    pub arguments: Vec<CString>,
    /// The whole environment, each as `NAME=value`.
    pub environment: Vec<CString>,
    pub directory: PathBuf,
}

/// The standard descriptors of a child.
#[derive(Clone, Copy, Debug)]
pub struct Standard<'a> {
    pub input: BorrowedFd<'a>,
    pub output: BorrowedFd<'a>,
    pub error: BorrowedFd<'a>,
}

/// A child that was started. Whether it has become the program is known when it has ended.
#[derive(Debug)]
pub struct Started {
    pub process: Pid,
    /// Readable when the process has ended.
    pub ended: OwnedFd,
    failure: OwnedFd,
}

/// A step on the way to the program that failed in the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    pub step: &'static str,
    pub errno: Errno,
}

const STEPS: [&str; 8] = [
    "setsid",
    "signals",
    "dup2",
    "close_range",
    "identity",
    "chdir",
    "pdeathsig",
    "execve",
];

impl Program {
    /// Starts the program. `become_whom` changes the child's identity and limits, when it has its descriptors.
    ///
    /// # Errors
    /// What pipe2(2), fork(2) and pidfd_open(2) say.
    pub fn start(
        &self,
        standard: Standard<'_>,
        become_whom: impl FnOnce() -> Result<(), Errno>,
    ) -> Result<Started, Errno> {
        let (failure, teller) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        match fork()? {
            Fork::Parent(process) => {
                drop(teller);
                Ok(Started {
                    process,
                    ended: watch_process(process)?,
                    failure,
                })
            }
            Fork::Child => {
                let (step, errno) = self.become_it(standard, become_whom);
                let mut word = vec![step];
                word.extend((errno as i32).to_le_bytes());
                // Nobody is told by other means, and the status below says that something failed.
                write(&teller, &word).ok();
                exit(127)
            }
        }
    }

    /// In the child: returns only if something fails.
    fn become_it(
        &self,
        standard: Standard<'_>,
        become_whom: impl FnOnce() -> Result<(), Errno>,
    ) -> (u8, Errno) {
        let steps = || -> Result<(), (u8, Errno)> {
            nix::unistd::setsid().map_err(|errno| (0, errno))?;
            reset_signals().map_err(|errno| (1, errno))?;
            nix::unistd::dup2_stdin(standard.input).map_err(|errno| (2, errno))?;
            nix::unistd::dup2_stdout(standard.output).map_err(|errno| (2, errno))?;
            nix::unistd::dup2_stderr(standard.error).map_err(|errno| (2, errno))?;
            close_on_exec().map_err(|errno| (3, errno))?;
            umask(Mode::from_bits_truncate(0o022));
            become_whom().map_err(|errno| (4, errno))?;
            nix::unistd::chdir(&self.directory).map_err(|errno| (5, errno))?;
            // A change of identity has cleared it, so it comes last: without its parent nobody would end the program.
            prctl::set_pdeathsig(Signal::SIGKILL).map_err(|errno| (6, errno))
        };
        if let Err(failed) = steps() {
            return failed;
        }
        match nix::unistd::execve(&self.path, &self.arguments, &self.environment) {
            Ok(never) => match never {},
            Err(errno) => (7, errno),
        }
    }
}

impl Started {
    /// What failed in the child before it became the program, if anything did. For when it has ended.
    pub fn failed(&self) -> Option<Failed> {
        let mut word = [0; 5];
        match read(self.failure.as_fd(), &mut word) {
            Ok(5) => {
                let [step, errno @ ..] = word;
                Some(Failed {
                    step: STEPS.get(usize::from(step)).copied().unwrap_or("start"),
                    errno: Errno::from_raw(i32::from_le_bytes(errno)),
                })
            }
            _ => None,
        }
    }
}

/// Every signal does what it does by default, and none is blocked: a program inherits neither from a daemon.
fn reset_signals() -> Result<(), Errno> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in Signal::iterator() {
        if !matches!(signal, Signal::SIGKILL | Signal::SIGSTOP) {
            // SAFETY: no handler is installed, so none can run in a state that it does not expect.
            unsafe { sigaction(signal, &default) }?;
        }
    }
    SigSet::empty().thread_set_mask()
}

/// Whatever is open above the standard descriptors ends with the exec.
fn close_on_exec() -> Result<(), Errno> {
    let flags = nix::libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: the call touches no memory, and closes nothing before this process has become another program.
    let marked = unsafe { nix::libc::syscall(nix::libc::SYS_close_range, 3, u32::MAX, flags) };
    Errno::result(marked).map(drop)
}
