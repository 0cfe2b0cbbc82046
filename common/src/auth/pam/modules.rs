//! The process that asks the modules, which are other people's code with root's rights, and waits for the end of the session.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl::set_dumpable;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, alarm, chdir, read, setpgid, write};

use super::limits::ResourceLimits;
use super::{GRANTED, LONGEST_REASON, Question, service};
use crate::auth::Secret;
use crate::sandbox::{is_root, keep_module_capabilities};
use crate::sys;
use crate::sys::pam::{About, Transaction};
use crate::wire::Wire;

/// How long modules may take to close a session, in seconds.
const CLOSING: u32 = 60;
/// So much later than whoever asks gives up, a process ends that nobody has ended, in seconds.
const MARGIN: u64 = 5;

/// Asks PAM, tells the answer and stays until the session is over. Gives whether all went well.
pub(super) fn serve(
    question: &Question<'_>,
    patience: Duration,
    answer: OwnedFd,
    ends: OwnedFd,
) -> bool {
    let begun = seal(patience, &answer, &ends)
        .map_err(|why| why.to_string())
        .and_then(|()| begin(question));
    let (transaction, limits) = match begun {
        Ok(begun) => begun,
        Err(why) => {
            let why = &why.as_bytes()[..why.len().min(LONGEST_REASON)];
            #[expect(
                clippy::let_underscore_must_use,
                reason = "who does not hear it lets nobody in"
            )]
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
    if signals.thread_block().is_err() {
        return false;
    }
    alarm::cancel();
    let mut granted = vec![GRANTED];
    limits.put(&mut granted);
    let told = write(&answer, &granted).is_ok();
    drop(answer);
    if transaction.is_open() {
        while told && read(&ends, &mut [0; 1]) == Err(Errno::EINTR) {}
    }
    alarm::set(CLOSING);
    drop(transaction);
    true
}

/// Takes from this process what no module needs, before any of them runs.
fn seal(
    patience: Duration,
    answer: &OwnedFd,
    ends: &OwnedFd,
) -> Result<(), Box<dyn std::error::Error>> {
    // SECURITY: a group of its own, so that whoever ends the session's processes leaves this one the time to close it.
    setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    // A module that hangs is ended by whoever asks, unless that one was ended itself.
    alarm::set(u32::try_from(patience.as_secs() + MARGIN).unwrap_or(u32::MAX));
    // SECURITY: the password is in its memory.
    set_dumpable(false)?;
    // Programs that modules start find what is usual, not what the server was started with.
    umask(Mode::from_bits_truncate(0o022));
    sys::keep_only(&[answer.as_fd(), ends.as_fd()])?;
    chdir("/")?;
    keep_module_capabilities()?;
    Ok(())
}

/// Gives the limits that the modules have set.
fn begin(question: &Question<'_>) -> Result<(Transaction, ResourceLimits), String> {
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
    let limits = || ResourceLimits::current().map_err(|errno| errno.desc().to_owned());
    let before = limits()?;
    let mut transaction = Transaction::begin(about, question.secret.map(Secret::expose))?;
    if question.secret.is_some() {
        transaction.authenticate()?;
    }
    transaction.account()?;
    // Only root's modules could give a session what belongs to it.
    if is_root() {
        transaction.open()?;
    }
    // SECURITY: this process stays as long as the session, as root: it need not know the password that long.
    transaction.forget_secret();
    Ok((transaction, limits()?.changed_since(&before)))
}
