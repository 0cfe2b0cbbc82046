//! The identity that a session takes on: uid, gid and groups as the system knows them. Must never answer with root, or with
//! root's group, unless the configuration names who may be that.

use std::ffi::CString;
use std::fmt;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::unistd::{Gid, Group, User, getgid, getgrouplist};

use crate::sandbox::is_root;

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
    /// Whether the configuration names who may be root, or in root's group; for nobody else can either be in here.
    pub root_named: bool,
}

/// What an identity is looked up by.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub real_user: &'a str,
    /// The primary group, where it is not the user's own.
    pub group: Option<&'a str>,
    /// Whether root and root's group are no refusal.
    pub root_named: bool,
}

/// Why a name is not an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// The system knows no such user. SECURITY: never falls back to the identity that the process has.
    UnknownUser(String),
    /// The name belongs to uid 0.
    RootRefused(String),
    /// The user is a member of gid 0.
    RootGroupRefused(String),
    /// The system knows no such group.
    UnknownGroup(String),
    /// The group that was to be everybody's is gid 0.
    RootGroup(String),
    /// The process cannot take on this group.
    GroupNeedsRoot(String),
    /// The system could not be asked.
    Lookup(String, Errno),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdentityError::UnknownUser(name) => write!(f, "no real user {name:?} on this system"),
            IdentityError::RootRefused(name) => {
                write!(
                    f,
                    "real user {name:?} is root, which is refused unless RootUsers names the account"
                )
            }
            IdentityError::RootGroupRefused(name) => {
                write!(
                    f,
                    "real user {name:?} is in root's group, which is refused unless RootUsers names the account"
                )
            }
            IdentityError::UnknownGroup(name) => write!(f, "this system has no group {name:?}"),
            IdentityError::RootGroup(name) => write!(f, "group {name:?} is root's"),
            IdentityError::GroupNeedsRoot(name) => {
                write!(f, "only root can give sessions the group {name:?}")
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

/// The number of a group that sessions may have instead of the real user's own.
///
/// # Errors
/// There is none, it is root's, or this process could not take it on.
pub fn session_group(name: &str) -> Result<u32, IdentityError> {
    let owned = || name.to_owned();
    let group = Group::from_name(name)
        .map_err(|errno| IdentityError::Lookup(owned(), errno))?
        .ok_or_else(|| IdentityError::UnknownGroup(owned()))?;
    match group.gid.as_raw() {
        0 => Err(IdentityError::RootGroup(owned())),
        u32::MAX => Err(IdentityError::UnknownGroup(owned())),
        gid if !is_root() && gid != getgid().as_raw() => {
            Err(IdentityError::GroupNeedsRoot(owned()))
        }
        gid => Ok(gid),
    }
}

impl Identity {
    /// Makes the system's name services load what they need, so that processes forked later share it and no library is
    /// loaded in them.
    #[expect(
        clippy::let_underscore_must_use,
        reason = "what they say about nobody does not matter"
    )]
    pub fn prime() {
        // A name that nobody can have makes every service be asked.
        let _ = User::from_name(":");
        let _ = getgrouplist(c":", Gid::from_raw(0));
    }

    /// Looks up a real user and exactly the groups that a login of theirs would have.
    pub fn of_real_user(name: &str) -> Result<Identity, IdentityError> {
        Identity::of(Wanted {
            real_user: name,
            group: None,
            root_named: false,
        })
    }

    /// Looks up a real user, and the groups that initgroups(3) would give with that primary group.
    pub fn of(wanted: Wanted<'_>) -> Result<Identity, IdentityError> {
        let name = wanted.real_user;
        let user = look_up(name)?;
        if user.uid.is_root() && !wanted.root_named {
            return Err(IdentityError::RootRefused(name.to_owned()));
        }
        let gid = match wanted.group {
            Some(group) => Gid::from_raw(session_group(group)?),
            None => user.gid,
        };
        let unknown = || IdentityError::UnknownUser(name.to_owned());
        // SECURITY: for setresuid(2) and setresgid(2) the number −1 means "leave as it is", so it must be no identity.
        if user.uid.as_raw() == u32::MAX || gid.as_raw() == u32::MAX {
            return Err(unknown());
        }
        let c_name = CString::new(name).map_err(|_| unknown())?;
        let groups = getgrouplist(&c_name, gid)
            .map_err(|errno| IdentityError::Lookup(name.to_owned(), errno))?;
        let in_roots = gid.as_raw() == 0 || groups.iter().any(|group| group.as_raw() == 0);
        // Without root privilege nothing is given that the process does not have.
        if in_roots && !wanted.root_named && is_root() {
            return Err(IdentityError::RootGroupRefused(name.to_owned()));
        }
        Ok(Identity {
            uid: user.uid.as_raw(),
            gid: gid.as_raw(),
            groups: groups.iter().map(|group| group.as_raw()).collect(),
            name: user.name,
            home: user.dir,
            root_named: wanted.root_named,
        })
    }
}

fn look_up(name: &str) -> Result<User, IdentityError> {
    let unknown = || IdentityError::UnknownUser(name.to_owned());
    // An empty name or one with a NUL is nobody, whatever a name service would say.
    if name.is_empty() || name.contains('\0') {
        return Err(unknown());
    }
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user),
        // getpwnam_r(3) allows all of these to mean that there is no such user.
        Ok(None) | Err(Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM) => {
            Err(unknown())
        }
        Err(errno) => Err(IdentityError::Lookup(name.to_owned(), errno)),
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
    fn root_is_root_where_it_is_named() {
        let root = Identity::of(Wanted {
            real_user: "root",
            group: None,
            root_named: true,
        });
        let root = root.unwrap();
        assert_eq!((root.uid, root.gid, root.root_named), (0, 0, true));
    }

    #[test]
    fn a_group_for_everybody_exists_and_is_not_roots() {
        assert_eq!(
            session_group("no such group"),
            Err(IdentityError::UnknownGroup("no such group".to_owned()))
        );
        assert_eq!(
            session_group("root"),
            Err(IdentityError::RootGroup("root".to_owned()))
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
