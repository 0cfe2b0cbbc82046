//! Changing uid, gid, groups and root directory for good, with each step read back.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use caps::{CapSet, Capability, CapsHashSet};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::prctl;
use nix::sys::stat::Mode;
use nix::unistd::{
    Gid, Uid, chroot, fchdir, getgroups, getresgid, getresuid, mkdtemp, setgroups, setresgid,
    setresuid,
};

use super::{SandboxError, step};
use crate::sys::bounding;

/// Whether this process may change its identity.
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

/// A directory that is empty and stays so, since it has no name any more: nobody can put anything in.
#[derive(Debug)]
pub struct EmptyRoot(OwnedFd);

impl EmptyRoot {
    /// Makes a directory below /run, opens it and removes it.
    ///
    /// # Errors
    /// The step that failed.
    pub fn new() -> Result<EmptyRoot, SandboxError> {
        let path = step(
            "mkdtemp",
            mkdtemp("/run/ftpd-empty-XXXXXX").or_else(|_| mkdtemp("/tmp/ftpd-empty-XXXXXX")),
        )?;
        let directory = open(
            &path,
            OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW,
            Mode::empty(),
        );
        let removed = nix::unistd::unlinkat(
            nix::fcntl::AT_FDCWD,
            &path,
            nix::unistd::UnlinkatFlags::RemoveDir,
        );
        let directory = step("open empty directory", directory)?;
        step("rmdir empty directory", removed)?;
        Ok(EmptyRoot(directory))
    }

    /// Another descriptor of the same directory.
    ///
    /// # Errors
    /// What dup(2) says.
    pub fn try_clone(&self) -> Result<EmptyRoot, Errno> {
        let copy = self.0.try_clone();
        copy.map(EmptyRoot)
            .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))
    }

    /// The directory itself.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    pub(super) fn enter(&self) -> Result<(), SandboxError> {
        change_root(self.0.as_fd())
    }
}

/// Makes `root` the root and working directory.
pub(super) fn change_root(root: BorrowedFd<'_>) -> Result<(), SandboxError> {
    step("fchdir", fchdir(root))?;
    step("chroot", chroot("."))?;
    step("chdir", nix::unistd::chdir("/"))
}

/// What is left of the bounding set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounding {
    /// Nothing: no program that is executed gets a capability.
    Empty,
    /// What modules of PAM may need, and programs that they start.
    Modules,
    /// All: programs of hooks may be root.
    Whole,
}

/// What no module of PAM needs: to change the kernel or the network, or to look into what is not the user's.
const NEEDED_BY_NO_MODULE: [Capability; 15] = [
    Capability::CAP_BLOCK_SUSPEND,
    Capability::CAP_BPF,
    Capability::CAP_CHECKPOINT_RESTORE,
    Capability::CAP_MAC_ADMIN,
    Capability::CAP_MAC_OVERRIDE,
    Capability::CAP_NET_ADMIN,
    Capability::CAP_NET_RAW,
    Capability::CAP_PERFMON,
    Capability::CAP_SYS_BOOT,
    Capability::CAP_SYS_MODULE,
    Capability::CAP_SYS_PTRACE,
    Capability::CAP_SYS_RAWIO,
    Capability::CAP_SYS_TIME,
    Capability::CAP_SYSLOG,
    Capability::CAP_WAKE_ALARM,
];

/// Takes from this process, and from the programs that it starts, the capabilities that no module of PAM needs.
///
/// # Errors
/// A capability could not be dropped.
pub fn keep_module_capabilities() -> Result<(), SandboxError> {
    if !is_root() {
        return Ok(());
    }
    drop_bounding(Bounding::Modules)?;
    for set in [CapSet::Effective, CapSet::Permitted] {
        for capability in NEEDED_BY_NO_MODULE {
            capability_step("drop capabilities", caps::drop(None, set, capability))?;
        }
        let left = capability_step("capget", caps::read(None, set))?;
        let gone = NEEDED_BY_NO_MODULE.iter().all(|one| !left.contains(one));
        check("drop capabilities", gone)?;
    }
    Ok(())
}

/// Empties the bounding set, or makes it smaller. The listener does it once for all sessions.
///
/// # Errors
/// A capability could not be dropped.
pub fn drop_bounding(to: Bounding) -> Result<(), SandboxError> {
    // It never grows again, in this process or one forked from it: one look by one process is enough.
    static EMPTY: AtomicBool = AtomicBool::new(false);
    if EMPTY.load(Ordering::Relaxed) {
        return Ok(());
    }
    let stays = |&number: &u8| {
        to == Bounding::Whole
            || to == Bounding::Modules
                && NEEDED_BY_NO_MODULE.iter().all(|one| one.index() != number)
    };
    let members = || step("read bounding", bounding::members());
    for number in members()?.into_iter().filter(|number| !stays(number)) {
        step("drop bounding", bounding::drop(number))?;
    }
    check("drop bounding", members()?.iter().all(stays))?;
    EMPTY.store(to == Bounding::Empty, Ordering::Relaxed);
    Ok(())
}

/// Takes on the ids and drops every capability, then proves that there is no way back. `root_named`: whether root and root's
/// group may be among them; without capabilities, that is an owner of files like any other.
pub(super) fn become_ids(
    uid: u32,
    gid: u32,
    groups: &[u32],
    root_named: bool,
    kept: Kept,
) -> Result<(), SandboxError> {
    let refuse = |step| SandboxError {
        step,
        cause: "refusing to serve as root".to_owned(),
    };
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    if uid.is_root() && !root_named {
        return Err(refuse("setresuid"));
    }
    if (gid.as_raw() == 0 || groups.contains(&0)) && !root_named {
        return Err(refuse("setresgid"));
    }
    let groups: Vec<Gid> = groups.iter().map(|&g| Gid::from_raw(g)).collect();
    step("setgroups", setgroups(&groups))?;
    check("setgroups", same_groups(&groups)?)?;
    drop_bounding(Bounding::Empty)?;
    capability_step("clear ambient", caps::clear(None, CapSet::Ambient))?;
    step("setresgid", setresgid(gid, gid, gid))?;
    let now = step("getresgid", getresgid())?;
    check(
        "setresgid",
        (now.real, now.effective, now.saved) == (gid, gid, gid),
    )?;
    if kept != Kept::Nothing {
        step("keep capabilities", prctl::set_keepcaps(true))?;
    }
    step("setresuid", setresuid(uid, uid, uid))?;
    let now = step("getresuid", getresuid())?;
    check(
        "setresuid",
        (now.real, now.effective, now.saved) == (uid, uid, uid),
    )?;
    match kept {
        Kept::Nothing => no_capabilities()?,
        Kept::PrivilegedPorts => only(Capability::CAP_NET_BIND_SERVICE)?,
        Kept::ForeignAddresses => only(Capability::CAP_NET_RAW)?,
    }
    // Root does not need a capability to become root.
    let other = Uid::from_raw(u32::from(uid.is_root()));
    check(
        "setresuid must be final",
        setresuid(other, other, other) == Err(Errno::EPERM),
    )?;
    let other = Gid::from_raw(u32::from(gid.as_raw() == 0));
    check(
        "setresgid must be final",
        setresgid(other, other, other) == Err(Errno::EPERM),
    )
}

/// What is kept of root's power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    Nothing,
    /// To bind to ports below 1024: data connections that come from port 20 need it.
    PrivilegedPorts,
    /// To bind sockets to addresses of others (IP_TRANSPARENT). Of the two capabilities for that CAP_NET_RAW is the one that
    /// changes nothing of the network, and a filter that knows TCP alone leaves nothing else of it.
    ForeignAddresses,
}

/// Gives up every capability but one.
fn only(capability: Capability) -> Result<(), SandboxError> {
    step("keep capabilities", prctl::set_keepcaps(false))?;
    capability_step("clear ambient", caps::clear(None, CapSet::Ambient))?;
    capability_step("clear capabilities", caps::clear(None, CapSet::Effective))?;
    let kept = CapsHashSet::from([capability]);
    for set in [CapSet::Permitted, CapSet::Effective] {
        capability_step("keep one capability", caps::set(None, set, &kept))?;
    }
    capability_step("clear inheritable", caps::clear(None, CapSet::Inheritable))?;
    for (set, expected) in [
        (CapSet::Permitted, &kept),
        (CapSet::Effective, &kept),
        (CapSet::Inheritable, &CapsHashSet::new()),
    ] {
        let now = capability_step("capget", caps::read(None, set))?;
        check("capabilities", now == *expected)?;
    }
    check("keep capabilities", prctl::get_keepcaps() == Ok(false))
}

/// Gives up every capability, those that a program may have been started with without being root among them.
pub(super) fn no_capabilities() -> Result<(), SandboxError> {
    capability_step("clear ambient", caps::clear(None, CapSet::Ambient))?;
    for set in [CapSet::Effective, CapSet::Permitted] {
        capability_step("clear capabilities", caps::clear(None, set))?;
    }
    capability_step("clear inheritable", caps::clear(None, CapSet::Inheritable))?;
    for set in [CapSet::Permitted, CapSet::Effective, CapSet::Inheritable] {
        check(
            "capabilities",
            capability_step("capget", caps::read(None, set))?.is_empty(),
        )?;
    }
    Ok(())
}

/// Without privilege nobody else can be served than the one who runs the program.
pub(super) fn already_is(uid: u32) -> Result<(), SandboxError> {
    check(
        "uid",
        Uid::current() == Uid::from_raw(uid) && Uid::effective() == Uid::from_raw(uid),
    )
}

/// Forbids to gain privilege by exec, and other processes to look into this one.
pub(super) fn no_way_back() -> Result<(), SandboxError> {
    step("no_new_privs", prctl::set_no_new_privs())?;
    step("dumpable", prctl::set_dumpable(false))
}

fn same_groups(wanted: &[Gid]) -> Result<bool, SandboxError> {
    let sorted = |groups: &[Gid]| {
        let mut raw: Vec<u32> = groups.iter().map(|g| g.as_raw()).collect();
        raw.sort_unstable();
        raw
    };
    Ok(sorted(&step("getgroups", getgroups())?) == sorted(wanted))
}

fn capability_step<T>(
    name: &'static str,
    result: Result<T, caps::errors::CapsError>,
) -> Result<T, SandboxError> {
    result.map_err(|error| SandboxError {
        step: name,
        cause: error.to_string(),
    })
}

fn check(name: &'static str, holds: bool) -> Result<(), SandboxError> {
    if holds {
        Ok(())
    } else {
        Err(SandboxError {
            step: name,
            cause: "the result is not what was asked for".to_owned(),
        })
    }
}
