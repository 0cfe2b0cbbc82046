//! A program that runs for a hook: started with nothing but what it needs, drained, and ended with its whole group.

use std::ffi::CString;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, killpg};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{lseek, pipe2, read};

use super::guest::Identity;
use crate::hooks::{Event, Exec, Input};
use crate::sandbox;
use crate::sys::program::{Program, Standard, Started};

/// So much of a program's output is kept, in octets; what comes after is read and forgotten.
const MOST_OUTPUT: usize = 64 << 10;
/// So much is read when the program has ended: what a pipe may hold.
const LAST_OUTPUT: usize = 1 << 20;
/// What a program finds as PATH, unless its hook says otherwise.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The most descriptors of a program.
const DESCRIPTORS: u64 = 1024;

/// As whom a program runs.
#[derive(Clone, Debug)]
pub(super) enum Whom {
    /// As this process.
    Same,
    Root,
    Other(Identity),
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Exited(i32),
    Killed(Signal),
    TimedOut(Duration),
    NotStarted { step: &'static str, errno: Errno },
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ending::Exited(status) => write!(f, "exited with {status}"),
            Ending::Killed(signal) => write!(f, "was killed by {signal}"),
            Ending::TimedOut(limit) => {
                write!(
                    f,
                    "was ended: it took longer than {} s",
                    limit.as_secs_f64()
                )
            }
            Ending::NotStarted { step, errno } => {
                write!(f, "could not be started: {step}: {}", errno.desc())
            }
        }
    }
}

/// One of the two outputs.
#[derive(Debug)]
struct Output {
    pipe: Option<OwnedFd>,
    text: Vec<u8>,
    cut: bool,
}

/// A program that runs.
#[derive(Debug)]
pub(super) struct Child {
    started: Started,
    outputs: [Output; 2],
    timeout: Duration,
    kill_after: Duration,
    /// When the next signal is due.
    deadline: Instant,
    terminated: bool,
}

/// A program that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) ending: Ending,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    /// Whether there was more output than is kept.
    pub(super) cut: bool,
}

impl Child {
    /// Starts the program of a hook for an event. `file` is the one that was uploaded.
    pub(super) fn start(
        exec: &Exec,
        event: &Event,
        whom: &Whom,
        file: Option<BorrowedFd<'_>>,
    ) -> Result<Child, Ending> {
        let failed = |step: &'static str| move |errno: Errno| Ending::NotStarted { step, errno };
        let (program, arguments) = expand(exec, event).map_err(failed("arguments"))?;
        let input = input(exec, event, &arguments, file).map_err(failed("input"))?;
        let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(failed("pipe2"));
        let ((out, output), (err, error)) = (pipe()?, pipe()?);
        for end in [&out, &err] {
            fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(failed("fcntl"))?;
        }
        let standard = Standard {
            input: input.as_fd(),
            output: output.as_fd(),
            error: error.as_fd(),
        };
        let new_privileges = exec.new_privileges;
        let started = program
            .start(standard, || become_whom(whom, new_privileges))
            .map_err(failed("fork"))?;
        let kept = |pipe| Output {
            pipe: Some(pipe),
            text: Vec::new(),
            cut: false,
        };
        Ok(Child {
            started,
            outputs: [kept(out), kept(err)],
            timeout: exec.timeout,
            kill_after: exec.kill_after,
            deadline: Instant::now() + exec.timeout,
            terminated: false,
        })
    }

    /// What to wait for: its end, and its output.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let outputs = self
            .outputs
            .iter()
            .filter_map(|output| output.pipe.as_ref());
        std::iter::once(self.started.ended.as_fd()).chain(outputs.map(AsFd::as_fd))
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Takes what it has written, ends it when its time is over; gives how it ended once it has.
    pub(super) fn look(&mut self, has_ended: bool) -> Option<Ended> {
        if has_ended {
            return Some(self.bury());
        }
        self.outputs
            .iter_mut()
            .for_each(|output| output.drain(MOST_OUTPUT));
        if Instant::now() >= self.deadline {
            // It has a group of its own, or has not come so far yet: then the first time is too early, and the next is not.
            let signal = match self.terminated {
                false => Signal::SIGTERM,
                true => Signal::SIGKILL,
            };
            let _ = killpg(self.started.process, signal);
            self.terminated = true;
            self.deadline = Instant::now() + self.kill_after.max(Duration::from_millis(10));
        }
        None
    }

    fn bury(&mut self) -> Ended {
        // The number is still that of its group, since it was not collected yet: whatever it has left behind ends with it.
        let _ = killpg(self.started.process, Signal::SIGKILL);
        self.outputs
            .iter_mut()
            .for_each(|output| output.drain(LAST_OUTPUT));
        let status = waitpid(self.started.process, None);
        let ending = match (self.started.failed(), status) {
            (Some(failed), _) => Ending::NotStarted {
                step: failed.step,
                errno: failed.errno,
            },
            (None, _) if self.terminated => Ending::TimedOut(self.timeout),
            (None, Ok(WaitStatus::Exited(_, status))) => Ending::Exited(status),
            (None, Ok(WaitStatus::Signaled(_, signal, _))) => Ending::Killed(signal),
            (None, _) => Ending::Killed(Signal::SIGKILL),
        };
        let cut = self.outputs.iter().any(|output| output.cut);
        let [stdout, stderr] = self.outputs.each_mut();
        Ended {
            ending,
            stdout: std::mem::take(&mut stdout.text),
            stderr: std::mem::take(&mut stderr.text),
            cut,
        }
    }
}

impl Output {
    /// Reads what is there, `most` octets at most, so that others have their turn.
    fn drain(&mut self, most: usize) {
        let Some(pipe) = &self.pipe else { return };
        let mut buffer = [0; 8 << 10];
        let mut count = 0;
        while count < most {
            match read(pipe, &mut buffer) {
                Ok(0) => {
                    self.pipe = None;
                    return;
                }
                Ok(length) => {
                    count += length;
                    let room = MOST_OUTPUT.saturating_sub(self.text.len());
                    self.cut |= length > room;
                    self.text.extend_from_slice(&buffer[..length.min(room)]);
                }
                Err(Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }
}

/// The program with its arguments, and these by themselves where they go to standard input.
fn expand(exec: &Exec, event: &Event) -> Result<(Program, Vec<Vec<u8>>), Errno> {
    let own = |name: &str| std::env::var_os(name).map(OsStringExt::into_vec);
    let c = |octets: &[u8]| CString::new(octets).map_err(|_| Errno::EINVAL);
    let expanded: Vec<Vec<u8>> = (exec.arguments.iter())
        .map(|argument| argument.expand(event, &own))
        .collect();
    let path = c(exec.program.as_os_str().as_bytes())?;
    let mut arguments = vec![path.clone()];
    if exec.input != Input::Args {
        for argument in &expanded {
            arguments.push(c(argument)?);
        }
    }
    let mut environment = Vec::new();
    if !exec.environment.iter().any(|(name, _)| name == "PATH") {
        environment.push(c(format!("PATH={SEARCH_PATH}").as_bytes())?);
    }
    for (name, value) in &exec.environment {
        let mut pair = format!("{name}=").into_bytes();
        pair.extend(value.expand(event, &own));
        environment.push(c(&pair)?);
    }
    let program = Program {
        path,
        arguments,
        environment,
        directory: exec.directory.clone().unwrap_or_else(|| PathBuf::from("/")),
    };
    Ok((program, expanded))
}

/// What becomes the program's standard input.
fn input(
    exec: &Exec,
    event: &Event,
    arguments: &[Vec<u8>],
    file: Option<BorrowedFd<'_>>,
) -> Result<OwnedFd, Errno> {
    match exec.input {
        Input::Json => memory((event.to_json() + "\n").as_bytes()),
        Input::Args => memory(&Exec::lines(arguments).map_err(|_| Errno::EILSEQ)?),
        Input::Nothing => open(
            "/dev/null",
            OFlag::O_RDONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        ),
        Input::File => {
            use std::os::fd::AsRawFd;
            let file = file.ok_or(Errno::ENOENT)?;
            // Anew, so that it begins at its beginning and cannot be written.
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            open(
                path.as_str(),
                OFlag::O_RDONLY | OFlag::O_CLOEXEC,
                Mode::empty(),
            )
        }
    }
}

/// A file in memory.
fn memory(octets: &[u8]) -> Result<OwnedFd, Errno> {
    let file = memfd_create("event", MFdFlags::MFD_CLOEXEC)?;
    let mut file = std::fs::File::from(file);
    file.write_all(octets).map_err(|_| Errno::ENOSPC)?;
    lseek(&file, 0, nix::unistd::Whence::SeekSet)?;
    Ok(file.into())
}

/// In the child: takes on the identity, and limits.
fn become_whom(whom: &Whom, new_privileges: bool) -> Result<(), Errno> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS)?;
    if !new_privileges {
        nix::sys::prctl::set_no_new_privs()?;
    }
    match whom {
        Whom::Same | Whom::Root => Ok(()),
        Whom::Other(Identity { uid, gid, groups }) => {
            sandbox::become_other(*uid, *gid, groups).map_err(|_| Errno::EPERM)
        }
    }
}
