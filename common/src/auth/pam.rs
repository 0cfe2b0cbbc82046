//! PAM in a process of its own: a module that hangs or crashes takes nothing with it, and the session of a user is closed however
//! the process ends that serves them.

use std::ffi::CString;
use std::fmt;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, alarm, chdir, pipe2, read, setpgid, write};

use super::Secret;
use crate::control::until;
use crate::sys::pam::{About, Transaction};
use crate::sys::{self, Fork};

/// Who is asked about.
pub struct Question<'a> {
    pub user: &'a [u8],
    /// The name that the client sent.
    pub typed: &'a [u8],
    pub client: IpAddr,
    /// The password; `None` where another method has checked it, and only account and session are PAM's.
    pub secret: Option<&'a Secret>,
}

/// An open session: it is closed when this is dropped, or the process that has it ends.
#[derive(Debug)]
pub struct PamSession {
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
/// How long modules may take to close a session, in seconds.
const CLOSING: u32 = 60;

/// The service by whose rules clients come in; `None` if this system has none of them.
pub fn service() -> Option<&'static str> {
    SERVICES.into_iter().find(|service| {
        DIRECTORIES
            .iter()
            .any(|directory| nix::sys::stat::stat(&Path::new(directory).join(service)).is_ok())
    })
}

/// Asks for the password, if there is one, and the account, and opens a session.
///
/// # Errors
/// Anybody whom PAM does not let in for whatever reason.
pub fn ask(question: &Question<'_>, patience: Duration) -> Result<PamSession, PamError> {
    let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(|errno| PamError::System("pipe2", errno));
    let (answers, answer) = pipe()?;
    let (ends, open) = pipe()?;
    match sys::fork().map_err(|errno| PamError::System("fork", errno))? {
        Fork::Child => {
            drop((answers, open));
            sys::exit(i32::from(!serve(question, answer, ends)))
        }
        Fork::Parent(process) => {
            drop((answer, ends));
            // Both sides do it, since neither knows who is first.
            let _ = setpgid(process, process);
            let told = wait(&answers, patience);
            match told.as_deref() {
                Ok([GRANTED]) => return Ok(PamSession { _open: open }),
                Ok(_) | Err(_) => end(process),
            }
            Err(match told? {
                told if told.is_empty() => PamError::Crashed,
                told => PamError::Refused(String::from_utf8_lossy(&told).into_owned()),
            })
        }
    }
}

/// The answer that somebody may come in; any other is the reason why not, which does not begin so.
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
    let _ = killpg(process, Signal::SIGKILL);
    while waitpid(process, None) == Err(Errno::EINTR) {}
}

/// Asks PAM, tells the answer and stays until the session is over. Gives whether all went well.
fn serve(question: &Question<'_>, answer: OwnedFd, ends: OwnedFd) -> bool {
    // SECURITY: a group of its own, so that whoever ends the session's processes leaves this one the time to close it.
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    // Programs that modules start find what is usual, not what the server was started with.
    umask(Mode::from_bits_truncate(0o022));
    let transaction = sys::keep_only(&[answer.as_fd(), ends.as_fd()])
        .and_then(|()| chdir("/"))
        .map_err(|errno| errno.desc().to_owned())
        .and_then(|()| begin(question));
    let transaction = match transaction {
        Ok(transaction) => transaction,
        Err(why) => {
            let why = &why.as_bytes()[..why.len().min(LONGEST_REASON)];
            let _ = write(&answer, why);
            return false;
        }
    };
    // What ends other processes ends this one by the end of the session.
    let mut signals = SigSet::empty();
    for signal in [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGPIPE,
    ] {
        signals.add(signal);
    }
    let _ = signals.thread_block();
    let told = write(&answer, &[GRANTED]).is_ok();
    drop(answer);
    while told && read(&ends, &mut [0; 1]) == Err(Errno::EINTR) {}
    alarm::set(CLOSING);
    drop(transaction);
    true
}

fn begin(question: &Question<'_>) -> Result<Transaction, String> {
    let text = |octets: &[u8]| CString::new(octets).map_err(|_| "the name holds a NUL".to_owned());
    let service = service().ok_or("there is no PAM service metaftpd, ftp or other")?;
    let (service, host) = (
        text(service.as_bytes())?,
        text(question.client.to_string().as_bytes())?,
    );
    let (user, typed) = (text(question.user)?, text(question.typed)?);
    let about = About {
        service: &service,
        user: &user,
        host: &host,
        typed: &typed,
    };
    let mut transaction = Transaction::begin(about, question.secret.map(Secret::expose))?;
    if question.secret.is_some() {
        transaction.authenticate()?;
    }
    transaction.account()?;
    transaction.open()?;
    // SECURITY: this process stays as long as the session, as root: it need not know the password that long.
    transaction.forget_secret();
    Ok(transaction)
}
