//! The identity that a session takes on: uid, gid and groups as the system knows them. Must never answer with root.

use std::ffi::CString;
use std::fmt;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::unistd::{Group, User, getgrouplist};

/// A real user, with everything that must be set to become them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    /// All groups, the primary one among them, as `getgrouplist` tells.
    pub groups: Vec<u32>,
    pub name: String,
    /// The home directory in the system's list of users, which need not be the session's.
    pub home: PathBuf,
}

/// Why a name is not an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// The system knows no such user. SECURITY: never falls back to the identity that the process has.
    UnknownUser(String),
    /// The name belongs to uid 0.
    RootRefused(String),
    /// The system could not be asked.
    Lookup(String, Errno),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdentityError::UnknownUser(name) => write!(f, "no real user {name:?} on this system"),
            IdentityError::RootRefused(name) => {
                write!(f, "real user {name:?} is root, which is refused")
            }
            IdentityError::Lookup(name, errno) => {
                write!(f, "looking up real user {name:?}: {}", errno.desc())
            }
        }
    }
}

impl std::error::Error for IdentityError {}

/// The number of a group of the system; `None` if there is none, or the system cannot be asked.
pub fn group_id(name: &str) -> Option<u32> {
    let group = Group::from_name(name).ok()??;
    Some(group.gid.as_raw())
}

impl Identity {
    /// Makes the system's name services load what they need, so that processes forked later share it and no library is
    /// loaded in them.
    pub fn prime() {
        // A name that nobody can have makes every service be asked.
        let _ = User::from_name(":");
        let _ = getgrouplist(c":", nix::unistd::Gid::from_raw(0));
    }

    /// Looks up a real user and exactly the groups that a login of theirs would have.
    pub fn of_real_user(name: &str) -> Result<Identity, IdentityError> {
        let unknown = || IdentityError::UnknownUser(name.to_owned());
        let failed = |errno| IdentityError::Lookup(name.to_owned(), errno);
        // An empty name or one with a NUL is nobody, whatever a name service would say.
        let c_name = CString::new(name).map_err(|_| unknown())?;
        if name.is_empty() {
            return Err(unknown());
        }
        let user = match User::from_name(name) {
            Ok(Some(user)) => user,
            // getpwnam_r(3) allows all of these to mean that there is no such user.
            Ok(None) | Err(Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM) => {
                return Err(unknown());
            }
            Err(errno) => return Err(failed(errno)),
        };
        if user.uid.is_root() {
            return Err(IdentityError::RootRefused(name.to_owned()));
        }
        // SECURITY: for setresuid(2) and setresgid(2) the number −1 means "leave as it is", so it must be no identity.
        if user.uid.as_raw() == u32::MAX || user.gid.as_raw() == u32::MAX {
            return Err(unknown());
        }
        let groups = getgrouplist(&c_name, user.gid).map_err(failed)?;
        Ok(Identity {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: groups.iter().map(|group| group.as_raw()).collect(),
            name: user.name,
            home: user.dir,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_user_is_nobody_and_never_root() {
        for name in ["", "no such user", "a\0b", "0", "-1", "4294967295", "root "] {
            assert_eq!(
                Identity::of_real_user(name),
                Err(IdentityError::UnknownUser(name.to_owned()))
            );
        }
    }

    #[test]
    fn root_is_refused() {
        assert_eq!(
            Identity::of_real_user("root"),
            Err(IdentityError::RootRefused("root".to_owned()))
        );
    }

    #[test]
    fn a_real_user_comes_with_the_primary_group() {
        let daemon = Identity::of_real_user("daemon").unwrap();
        assert_ne!(daemon.uid, 0);
        assert!(daemon.groups.contains(&daemon.gid));
        assert_eq!(daemon.name, "daemon");
    }
}
