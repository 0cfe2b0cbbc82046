//! Landlock: which files a process may name at all. Older kernels enforce what they know of it; the status is told once
//! at start, not for each session.

use std::fmt::Display;
use std::os::fd::{BorrowedFd, OwnedFd};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, RestrictionStatus, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags,
};

use super::SandboxError;

/// The newest interface that was considered here; the kernel's own is negotiated by the library.
const KNOWN: ABI = ABI::V6;

/// Whether this kernel has Landlock. Asked once, before the first fork, and answered for all processes: whoever cannot ask
/// later has not thereby got out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landlock {
    /// It must be in force before anything is served.
    Enforced,
    /// The kernel is older, or was started without it.
    Absent,
}

impl Landlock {
    pub(super) fn of_this_kernel() -> Result<Landlock, SandboxError> {
        let ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(KNOWN))
            .and_then(Ruleset::create)
            .map_err(broken)?;
        Ok(match Option::<OwnedFd>::from(ruleset) {
            Some(_) => Landlock::Enforced,
            None => Landlock::Absent,
        })
    }
}

/// No file can be opened, no TCP port bound or connected, nobody outside signalled.
pub(super) fn deny_all(expected: Landlock) -> Result<(), SandboxError> {
    enforce(expected, || {
        let ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(KNOWN))?
            .handle_access(AccessNet::from_all(KNOWN))?
            .scope(Scope::from_all(KNOWN))?
            .create()?;
        ruleset.restrict_self()
    })
}

/// Below `root` files can be read, written and renamed; nothing can be executed, and no device or socket made.
pub(super) fn confine(expected: Landlock, root: BorrowedFd<'_>) -> Result<(), SandboxError> {
    let allowed: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
        ReadFile | ReadDir | WriteFile | RemoveDir | RemoveFile | MakeDir | MakeReg | MakeSym | Refer | Truncate
    });
    enforce(expected, || {
        let ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(KNOWN))?
            .scope(Scope::from_all(KNOWN))?
            .create()?
            .add_rule(PathBeneath::new(root, allowed))?;
        ruleset.restrict_self()
    })
}

/// Files can be read, and nothing else.
pub(super) fn read_only(expected: Landlock) -> Result<(), SandboxError> {
    enforce(expected, || {
        let reading = make_bitflags!(AccessFs::{ReadFile | ReadDir});
        let ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(KNOWN) & !reading)?
            .scope(Scope::Signal)?
            .create()?;
        ruleset.restrict_self()
    })
}

/// No file can be opened.
pub(super) fn no_files(expected: Landlock) -> Result<(), SandboxError> {
    enforce(expected, || {
        let ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(KNOWN))?
            .scope(Scope::from_all(KNOWN))?
            .create()?;
        ruleset.restrict_self()
    })
}

fn enforce(
    expected: Landlock,
    restrict: impl FnOnce() -> Result<RestrictionStatus, RulesetError>,
) -> Result<(), SandboxError> {
    let status = restrict().map_err(broken)?;
    // SECURITY: to the library every failure of its first question means an old kernel, which is no failure to it.
    if expected == Landlock::Enforced && status.ruleset == RulesetStatus::NotEnforced {
        return Err(broken("the kernel has it and does not enforce it"));
    }
    Ok(())
}

fn broken(error: impl Display) -> SandboxError {
    SandboxError {
        step: "landlock",
        cause: error.to_string(),
    }
}
