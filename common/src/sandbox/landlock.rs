//! Landlock: which files a process may name at all. Older kernels enforce what they know of it; the status is told once
//! at start, not for each session.

use std::os::fd::BorrowedFd;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, Scope, make_bitflags,
};

use super::SandboxError;

/// The newest interface that was considered here; the kernel's own is negotiated by the library.
const KNOWN: ABI = ABI::V6;

/// No file can be opened, no TCP port bound or connected, nobody outside signalled.
pub(super) fn deny_all() -> Result<(), SandboxError> {
    wrap(|| {
        let ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(KNOWN))?
            .handle_access(AccessNet::from_all(KNOWN))?
            .scope(Scope::from_all(KNOWN))?
            .create()?;
        ruleset.restrict_self().map(drop)
    })
}

/// Below `root` files can be read, written and renamed; nothing can be executed, and no device or socket made.
pub(super) fn confine(root: BorrowedFd<'_>) -> Result<(), SandboxError> {
    let allowed: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
        ReadFile | ReadDir | WriteFile | RemoveDir | RemoveFile | MakeDir | MakeReg | MakeSym | Refer | Truncate
    });
    wrap(|| {
        let ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(KNOWN))?
            .scope(Scope::from_all(KNOWN))?
            .create()?
            .add_rule(PathBeneath::new(root, allowed))?;
        ruleset.restrict_self().map(drop)
    })
}

fn wrap(enforce: impl FnOnce() -> Result<(), RulesetError>) -> Result<(), SandboxError> {
    enforce().map_err(|error| SandboxError {
        step: "landlock",
        cause: error.to_string(),
    })
}
