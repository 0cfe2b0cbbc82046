//! What each process gives up, and in which order: identity, then Landlock, then seccomp. Every step is checked and read
//! back; a failure of any ends the process before it answers anybody.
// SECURITY: on the way from root to the user nothing that fails is passed over without a reason.
#![deny(clippy::let_underscore_must_use)]

mod identity;
mod landlock;
mod seccomp;

use std::fmt;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

pub use self::identity::{
    Bounding, EmptyRoot, Kept, drop_bounding, is_root, keep_module_capabilities,
};
pub use self::seccomp::{Programs, Role, picture};
use crate::auth::Identity;
use crate::sys;

/// A step of giving up privilege that failed.
#[derive(Debug)]
pub struct SandboxError {
    /// The system call or check, as in the table of doc/processes.md.
    pub step: &'static str,
    pub cause: String,
}

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.step, self.cause)
    }
}

impl std::error::Error for SandboxError {}

/// Turns the result of a step into ours.
fn step<T>(name: &'static str, result: Result<T, Errno>) -> Result<T, SandboxError> {
    result.map_err(|errno| SandboxError {
        step: name,
        cause: errno.desc().to_owned(),
    })
}

/// Becomes a process that only works on the descriptors it has: the network half of a session, the logger or the signer.
///
/// As root: an empty root directory and the uid `user` that owns nothing. As anybody: no file system (Landlock), no
/// other system call than the role's (seccomp). Of the descriptors above 2 only `kept` stay open.
///
/// # Errors
/// The step that failed; the process must end.
pub fn enter_empty(
    role: Role,
    programs: &Programs,
    user: u32,
    root: Option<&EmptyRoot>,
    kept: &[BorrowedFd<'_>],
) -> Result<(), SandboxError> {
    empty(role, programs, user, root, kept, None)
}

fn empty(
    role: Role,
    programs: &Programs,
    user: u32,
    root: Option<&EmptyRoot>,
    kept: &[BorrowedFd<'_>],
    shares: Option<BorrowedFd<'_>>,
) -> Result<(), SandboxError> {
    if is_root() {
        let root = root.ok_or_else(|| SandboxError {
            step: "chroot",
            cause: "no empty directory".to_owned(),
        })?;
        root.enter()?;
        identity::become_ids(user, user, &[], false, Kept::Nothing)?;
    } else {
        identity::no_capabilities()?;
    }
    shed(role, kept)?;
    landlock::deny_all(programs.landlock())?;
    shares.map_or(Ok(()), seccomp::spare)?;
    seccomp::apply(programs, role)
}

/// Gives up all descriptors above 2 but those, what the role needs no more of, and ways to more privilege.
fn shed(role: Role, kept: &[BorrowedFd<'_>]) -> Result<(), SandboxError> {
    step("close_range", sys::keep_only(kept))?;
    // It makes no files; the umask shall not be what somebody started the server with.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    limits(role)?;
    identity::no_way_back()
}

/// Becomes the network half of a session, as [`enter_empty`] makes it, that keeps one more descriptor, which it `shares` with
/// others. SECURITY: the role may call shutdown(2); whoever took it over would silence the log of all sessions with that.
///
/// # Errors
/// The step that failed; the process must end.
pub fn enter_network_half(
    role: Role,
    programs: &Programs,
    user: u32,
    root: Option<&EmptyRoot>,
    kept: &[BorrowedFd<'_>],
    shares: Option<BorrowedFd<'_>>,
) -> Result<(), SandboxError> {
    let kept: Vec<_> = kept.iter().copied().chain(shares).collect();
    empty(role, programs, user, root, &kept, shares)
}

/// Becomes a process that asks the system's name services and changes nothing: nobody, as `enter_empty` makes it, but with
/// files to read and sockets to ask by, and `power` of root's. Of the descriptors above 2 only `kept` stay open.
///
/// # Errors
/// The step that failed; the process must end.
pub fn enter_lookup(
    programs: &Programs,
    user: u32,
    power: Kept,
    kept: &[BorrowedFd<'_>],
) -> Result<(), SandboxError> {
    become_nobody(programs, user, Role::Dialer, power, kept)
}

/// Becomes somebody who owns nothing, and may read files as everybody may.
fn become_nobody(
    programs: &Programs,
    user: u32,
    role: Role,
    power: Kept,
    kept: &[BorrowedFd<'_>],
) -> Result<(), SandboxError> {
    if is_root() {
        identity::become_ids(user, user, &[], false, power)?;
    } else {
        identity::no_capabilities()?;
    }
    shed(role, kept)?;
    landlock::read_only(programs.landlock())
}

/// Becomes a process that looks at servers: nobody, with sockets of TCP, and with files only where `has_names` says that there
/// are names to look up. Of the descriptors above 2 only `kept` stay open.
///
/// # Errors
/// The step that failed; the process must end.
pub fn enter_watcher(
    programs: &Programs,
    user: u32,
    has_names: bool,
    kept: &[BorrowedFd<'_>],
) -> Result<(), SandboxError> {
    become_nobody(programs, user, Role::Watcher, Kept::Nothing, kept)?;
    if has_names {
        return Ok(());
    }
    landlock::no_files(programs.landlock())?;
    seccomp::apply(programs, Role::Watcher)
}

/// Gives up files, for a process that [`enter_lookup`] has made and that needs to look up no name any more.
///
/// # Errors
/// The step that failed; the process must end.
pub fn seal_dialer(programs: &Programs) -> Result<(), SandboxError> {
    landlock::no_files(programs.landlock())?;
    seccomp::apply(programs, Role::Dialer)
}

/// Becomes the user: exactly its uid, gid and groups, inside `root`.
///
/// `chroot`: whether `root` becomes the process's `/` too (only root can). Without root privilege the identity must be
/// the process's own already, and Landlock and the jail hold the user.
///
/// # Errors
/// The step that failed; the process must end.
pub fn become_user(
    who: &Identity,
    root: BorrowedFd<'_>,
    chroot: bool,
    kept: Kept,
    programs: &Programs,
) -> Result<(), SandboxError> {
    if is_root() {
        if chroot {
            identity::change_root(root)?;
        }
        identity::become_ids(who.uid, who.gid, &who.groups, who.root_named, kept)?;
    } else {
        identity::already_is(who.uid)?;
        identity::no_capabilities()?;
    }
    no_core()?;
    identity::no_way_back()?;
    landlock::confine(programs.landlock(), root)?;
    seccomp::apply(programs, Role::Keeper)
}

/// Becomes somebody who is not root, for a program that is about to be executed.
///
/// # Errors
/// The step that failed; the process must end.
pub fn become_other(uid: u32, gid: u32, groups: &[u32]) -> Result<(), SandboxError> {
    identity::become_ids(uid, gid, groups, false, identity::Kept::Nothing)
}

/// No core dump: a password may be in memory.
fn no_core() -> Result<(), SandboxError> {
    step("setrlimit CORE", setrlimit(Resource::RLIMIT_CORE, 0, 0))
}

/// So many logs of sessions the logger can have open.
pub const LOG_FILES: u8 = 255;

/// Limits of a process that parses what strangers send.
fn limits(role: Role) -> Result<(), SandboxError> {
    const ADDRESS_SPACE: u64 = 512 << 20;
    // A session hashes in a thread of its own, and no system call makes anything else. The kernel counts the threads of all
    // sessions, so this is also the most that one which was taken over can have; where there are none left, none is needed.
    const THREADS: u64 = 4096;
    // A session uses a dozen; one that was taken over shall not collect every passive port.
    const DESCRIPTORS: u64 = 32;
    // The watcher has one for each server of the pool.
    const SERVERS: u64 = 128;
    no_core()?;
    // The signer has one of every session with TLS.
    if role != Role::Signer {
        let descriptors = match role {
            Role::Logger => {
                let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((0, DESCRIPTORS));
                most.min(DESCRIPTORS + u64::from(LOG_FILES))
            }
            Role::Watcher => SERVERS,
            _ => DESCRIPTORS,
        };
        let descriptors = setrlimit(Resource::RLIMIT_NOFILE, descriptors, descriptors);
        step("setrlimit NOFILE", descriptors)?;
    }
    let threads = if role == Role::Session { THREADS } else { 0 };
    let threads = setrlimit(Resource::RLIMIT_NPROC, threads, threads);
    step("setrlimit NPROC", threads)?;
    step(
        "setrlimit AS",
        setrlimit(Resource::RLIMIT_AS, ADDRESS_SPACE, ADDRESS_SPACE),
    )
}
