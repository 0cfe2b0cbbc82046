//! Hookd: the one process that runs programs for hooks, outside of every jail. The listener introduces each session to it
//! through a door; then the session's keeper tells what it does over a channel of its own, and can say nothing else.

mod child;
mod desk;
mod guest;
mod interest;
mod keeping;
mod ledger;
pub mod look;
mod message;
mod outlet;
mod program;
mod quarantine;
mod question;
mod queue;
mod quota;
mod reach;
mod results;
mod speech;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::Pid;

pub use self::interest::Interest;
pub use self::message::{
    Arguments, Commanded, EndWords, FileDigest, Happened, Introduced, Introduction, Listed, Reason,
    Said, Stage, Sum, Told, Verdict, VersionWords, fresh_id,
};
pub use self::reach::Reach;

use self::desk::Desk;
use self::guest::Identity;
use self::keeping::Keeping;
use self::ledger::{Book, Ledger};
use self::message::{LONGEST_MESSAGE, Parting};
use self::outlet::{Outlets, Posting};
use self::program::{Identities, Programs};
use self::results::Results;
use crate::auth;
use crate::hooks::{Action, Hook, Id, Mode, RunAs};
use crate::log::Log;
use crate::part::Part;
use crate::sandbox;
use crate::settings::SpoolFull;
use crate::spool::Spool;
use crate::sys::{self, Fork, Wait};
use crate::wire::{Wire, decode};

/// What hookd is started with.
#[derive(Debug)]
pub struct Recipe {
    pub hooks: Vec<Hook>,
    /// The uid and gid of hooks that say nothing else.
    pub user: u32,
    /// Where events of uploads are kept until all hooks are done with them.
    pub spool: Option<Arc<Spool>>,
    /// What becomes of an upload whose event cannot be kept.
    pub spool_full: SpoolFull,
    /// What the processes of webhooks are confined with.
    pub programs: sandbox::Programs,
    /// A file that tells of programs beside the log.
    pub results: Option<PathBuf>,
    pub log: Log,
}

/// The way in: sessions are introduced here.
#[derive(Debug)]
pub struct Door(OwnedFd);

/// What is behind the door. It outlives any single hookd, so that nothing that was said is lost.
#[derive(Debug)]
pub struct Behind {
    door: OwnedFd,
    /// What hookds have not done yet.
    book: Book,
}

/// Makes a door and what is behind it.
///
/// # Errors
/// What socketpair(2) and memfd_create(2) say.
pub fn door() -> Result<(Door, Behind), Errno> {
    let (door, behind) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?;
    // Neither waits for the other.
    for end in [&door, &behind] {
        fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    let behind = Behind {
        door: behind,
        book: Book::new()?,
    };
    Ok((Door(door), behind))
}

/// Makes a session's channel: keeper's end, and hookd's.
///
/// # Errors
/// What socketpair(2) says.
pub fn channel() -> Result<(OwnedFd, OwnedFd), Errno> {
    socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
    )
}

impl Door {
    /// Introduces a session, or a user, with the descriptor that belongs to it.
    ///
    /// # Errors
    /// What sendmsg(2) says.
    pub fn introduce(
        &self,
        introduction: &Introduction,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<(), Errno> {
        let mut octets = Vec::new();
        introduction.put(&mut octets);
        sys::send_datagram(self.0.as_fd(), &octets, descriptor)
    }

    /// The number of a channel that has ended, and that need not be kept for the next hookd any more.
    pub fn parting(&self) -> Option<u64> {
        let mut octets = Vec::new();
        let heard =
            sys::receive_datagram(self.0.as_fd(), &mut octets, LONGEST_MESSAGE, Wait::No).ok()?;
        if heard.length == 0 {
            return None;
        }
        decode(&octets).ok().map(|Parting::Over { number }| number)
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The longest that a session waits for these hooks.
pub fn longest(hooks: &[Hook]) -> Duration {
    let waited = hooks.iter().filter(|hook| hook.mode != Mode::Async);
    let longest = waited.filter_map(|hook| match &hook.action {
        Action::Exec(exec) => Some(exec.timeout + exec.kill_after),
        _ => None,
    });
    // What is before it in the queue takes its time too.
    longest.max().unwrap_or_default() * 2
}

impl Recipe {
    /// Starts a hookd. `id` is of its hooks, `others` are of other hooks that still have sessions: what is theirs in the spool
    /// they see to.
    ///
    /// # Errors
    /// What fork(2) and dup(2) say.
    pub fn start(&self, behind: &Behind, id: Id, others: &[Id]) -> Result<Pid, Errno> {
        let door = nix::unistd::dup(&behind.door)?;
        let book = nix::unistd::dup(&behind.book)?;
        match sys::fork()? {
            Fork::Parent(process) => Ok(process),
            Fork::Child => sys::exit(self.run(door, book, (id, others))),
        }
    }

    /// Hookd's own process, from its start to its end.
    fn run(&self, door: OwnedFd, book: OwnedFd, ids: (Id, &[Id])) -> i32 {
        Part::Hookd.begin();
        let mut kept = vec![door.as_fd(), book.as_fd()];
        kept.extend(self.spool.iter().flat_map(|spool| spool.descriptors()));
        kept.extend(self.log.descriptor());
        if let Err(errno) = sys::keep_only(&kept).and_then(|()| leave()) {
            self.log.line(&format!("hooks: cannot start: {errno}"));
            return 1;
        }
        let ledger = match Ledger::open(book) {
            Ok(ledger) => ledger,
            Err(errno) => {
                self.log.line(&format!("hooks: ledger: {errno}"));
                return 1;
            }
        };
        let keeping = Keeping::new(ledger, self.spool.as_deref(), ids, self.log.clone());
        let hooks = self.hooks.iter().cloned();
        let (run, write): (Vec<_>, Vec<_>) =
            hooks.partition(|hook| matches!(hook.action, Action::Exec(_)));
        let identities = Identities {
            hook: Some(Identity {
                uid: self.user,
                gid: self.user,
                groups: Vec::new(),
            }),
            named: run.iter().map(|hook| self.named(hook)).collect(),
        };
        let posting = Posting {
            programs: self.programs.clone(),
            user: self.user,
            log: self.log.clone(),
        };
        let results = Results::new(self.log.clone(), self.results.as_deref());
        let programs = Programs::new(run, identities, results);
        let outlets = Outlets::new(write, &posting);
        let doers = (programs, outlets);
        let keepers = (keeping, self.spool_full);
        Desk::new(door, doers, keepers, self.log.clone()).serve()
    }

    /// The identity that a hook names.
    fn named(&self, hook: &Hook) -> Option<Identity> {
        let Action::Exec(exec) = &hook.action else {
            return None;
        };
        let RunAs::Named { user, group } = &exec.run_as else {
            return None;
        };
        let wanted = auth::Wanted {
            real_user: user,
            group: group.as_deref(),
            root_named: false,
        };
        match auth::Identity::of(wanted) {
            Ok(identity) => Some(Identity {
                uid: identity.uid,
                gid: identity.gid,
                groups: identity.groups,
            }),
            Err(error) => {
                self.log.line(&format!("hooks: run as {user}: {error}"));
                None
            }
        }
    }
}

/// Leaves what is the listener's behind. It ends by itself, behind the sessions that it serves.
fn leave() -> Result<(), Errno> {
    let mut ends = SigSet::empty();
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGUSR1,
    ] {
        ends.add(signal);
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&ends), None)?;
    nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    // SECURITY: nobody may look into the process that can become anybody.
    prctl::set_dumpable(false)
}
