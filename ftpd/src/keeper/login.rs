//! From a name and a password to a process that is the user and nothing else.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use common::auth::native::{self, NativeError, Record, Scheme, Updated};
use common::auth::{Identity, Secret, group_id};
use common::channel::Account;
use common::clock;
use common::jail::{Allowed, Jail, Viewer, open_root};
use common::listener::Status;
use common::net::Ends;
use common::path::VirtualPath;
use common::policy::{Denied, Who};
use common::sandbox;
use common::settings::{JailMode, ServerConfig, SessionConfig};

use crate::setup::Setup;

/// A login that was refused: what the log says. The client only hears 530.
#[derive(Debug)]
pub(super) enum Refused {
    Native(NativeError),
    Identity(String),
    /// The real user is the one that network halves run as.
    Reserved(String),
    /// Without root privilege only one's own identity can be served.
    NotMine {
        real_user: String,
    },
    Settings(String),
    /// The account's own rules.
    Policy(Denied),
    /// AllowUsers or DenyUsers.
    Listed(String),
    Directory {
        path: PathBuf,
        why: String,
    },
    OutsideShare {
        home: PathBuf,
        share: PathBuf,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Native(error) => write!(f, "{error}"),
            Refused::Identity(error) => write!(f, "{error}"),
            Refused::Reserved(name) => write!(
                f,
                "real user {name} has the uid of SessionUser, which must own nothing"
            ),
            Refused::NotMine { real_user } => {
                write!(
                    f,
                    "files are to be served as {real_user}: only root can do that, and ftpd does not run as root"
                )
            }
            Refused::Settings(error) | Refused::Listed(error) => write!(f, "{error}"),
            Refused::Policy(denied) => write!(f, "{denied}"),
            Refused::Directory { path, why } => write!(f, "directory {}: {why}", path.display()),
            Refused::OutsideShare { home, share } => {
                write!(
                    f,
                    "home {} is not below the share {}",
                    home.display(),
                    share.display()
                )
            }
        }
    }
}

/// A client that gave the right password, before anything irreversible was done.
pub(super) struct Admitted {
    identity: Identity,
    settings: SessionConfig,
    /// The session's `/`.
    root: OwnedFd,
    start: VirtualPath,
}

/// A process that is the user.
pub(super) struct Login {
    pub(super) jail: Jail,
    pub(super) settings: SessionConfig,
    pub(super) account: Account,
}

/// A login that failed after the first irreversible step: the session must end.
pub(super) struct TooLate {
    pub(super) text: String,
    pub(super) status: Status,
}

/// Checks name and password and finds out what the login would get; changes nothing.
pub(super) fn authenticate(
    setup: &Setup,
    ends: &Ends,
    name: &[u8],
    secret: &Secret,
) -> Result<Admitted, Refused> {
    let server = &setup.config.server;
    let cost = server.password_cost;
    let record =
        native::authenticate(&server.auth_file, cost, name, secret).map_err(Refused::Native)?;
    let admitted = admit(setup, ends, name, &record);
    if admitted.is_ok() {
        update_password(setup, &record, secret);
    } else {
        // SECURITY: the right password to an account that may not log in takes the time of a wrong one.
        record.make_up_for(cost, secret);
    }
    admitted
}

/// Keeps the password as `UpdatePass` wants it. Whatever goes wrong with that is no reason to keep its owner out.
fn update_password(setup: &Setup, record: &Record, secret: &Secret) {
    let server = &setup.config.server;
    let Some(scheme) = server.update_pass else {
        return;
    };
    let kind = scheme.name();
    let outcome = match native::update(
        &server.auth_file,
        record,
        scheme,
        server.password_cost,
        secret,
    ) {
        Ok(Updated::Nothing) => return,
        Ok(Updated::Stronger) => format!("is kept as {kind} now"),
        Ok(Updated::Weaker) => format!("is kept as {kind} now, which is weaker than before"),
        Err(error) => format!("could not be kept as {kind}: {error}"),
    };
    let name = record.name();
    setup
        .log
        .line(&format!("UpdatePass: the password of '{name}' {outcome}"));
}

/// Finds out whether somebody who has shown that they are this user may log in, and what they would get.
fn admit(setup: &Setup, ends: &Ends, name: &[u8], record: &Record) -> Result<Admitted, Refused> {
    let server = &setup.config.server;
    let identity = Identity::of_real_user(record.real_user())
        .map_err(|error| Refused::Identity(error.to_string()))?;
    if sandbox::is_root() {
        if [server.session_user, server.session_user + 1].contains(&identity.uid) {
            return Err(Refused::Reserved(identity.name));
        }
    } else if identity.uid != nix::unistd::Uid::current().as_raw() {
        return Err(Refused::NotMine {
            real_user: identity.name,
        });
    }
    // SECURITY: whoever comes in without a password is nobody's user: less is permitted, unless the account's own list of
    // commands says otherwise.
    let mut settings = if record.stored().scheme() == Scheme::Null {
        setup.config.session.for_anonymous()
    } else {
        setup.config.session.clone()
    };
    let who = Who {
        typed: name,
        stored: record.name().as_bytes(),
        groups: &identity.groups,
    };
    listed(server, who).map_err(Refused::Listed)?;
    if let Some(charset) = server.charset_networks.of(ends.client()) {
        settings.charset = charset;
    }
    let settings = settings.with_user_settings(record.settings());
    let settings = settings.map_err(|error| Refused::Settings(error.to_string()))?;
    settings
        .policy
        .judge(ends.client(), clock::local)
        .map_err(Refused::Policy)?;
    let (root, start) = place(server.chroot.as_deref(), &settings.jail, record.home())?;
    Ok(Admitted {
        identity,
        settings,
        root,
        start,
    })
}

/// Asks the lists of users; `Err` says which of them refuses.
fn listed(server: &ServerConfig, who: Who<'_>) -> Result<(), String> {
    match server.deny_users.deny(who, group_id) {
        Ok(false) => {}
        Ok(true) => return Err("DenyUsers: names this user".to_owned()),
        // SECURITY: a user who may be a member of it is not let in.
        Err(group) => return Err(format!("DenyUsers: this system has no group {group:?}")),
    }
    match &server.allow_users {
        Some(users) if !users.allow(who, group_id) => {
            Err("AllowUsers: does not name this user".to_owned())
        }
        Some(_) | None => Ok(()),
    }
}

/// Opens the directory that becomes the session's `/` and finds where in it the session starts.
fn place(
    chroot: Option<&Path>,
    mode: &JailMode,
    home: &Path,
) -> Result<(OwnedFd, VirtualPath), Refused> {
    let refuse = |path: &Path, why: nix::errno::Errno| Refused::Directory {
        path: path.to_owned(),
        why: match why {
            nix::errno::Errno::ENOTDIR => "it is a symbolic link or no directory".to_owned(),
            nix::errno::Errno::ELOOP => {
                "a symbolic link is on the way; write the real path".to_owned()
            }
            other => other.desc().to_owned(),
        },
    };
    let outer = chroot.unwrap_or(Path::new("/"));
    let base = open_root(None, outer).map_err(|why| refuse(outer, why))?;
    let below = |path: &Path| open_root(Some(base.as_fd()), path).map_err(|why| refuse(path, why));
    let virtual_path = |path: &Path| {
        VirtualPath::new(path.as_os_str().as_bytes())
            .map_err(|error| Refused::Settings(format!("home: {error}")))
    };
    match mode {
        JailMode::None => {
            below(home)?;
            Ok((base, virtual_path(home)?))
        }
        JailMode::Home => Ok((below(home)?, VirtualPath::root())),
        JailMode::Share(share) => {
            let inside = home
                .strip_prefix(share)
                .map_err(|_| Refused::OutsideShare {
                    home: home.to_owned(),
                    share: share.clone(),
                })?;
            below(home)?;
            Ok((below(share)?, virtual_path(inside)?))
        }
    }
}

/// Becomes the user for good, and looks at the start directory with the user's eyes.
pub(super) fn become_user(setup: &Setup, admitted: Admitted) -> Result<Login, TooLate> {
    let Admitted {
        identity,
        settings,
        root,
        start,
    } = admitted;
    let whole_system = setup.config.server.chroot.is_none() && settings.jail == JailMode::None;
    // The jail's own umask counts.
    nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    sandbox::become_user(&identity, root.as_fd(), !whole_system, &setup.programs).map_err(
        |error| TooLate {
            text: error.to_string(),
            status: Status::SandboxFailed,
        },
    )?;
    let mut groups = vec![identity.gid];
    groups.extend(
        identity
            .groups
            .iter()
            .copied()
            .filter(|&gid| gid != identity.gid),
    );
    let viewer = Viewer {
        uid: identity.uid,
        groups,
        allowed: Allowed::by(settings.permitted),
    };
    let names = setup.names.shown(settings.list_owners);
    let jail = Jail::new(root, settings.umask, viewer, names);
    jail.check_dir(&start).map_err(|why| TooLate {
        text: format!(
            "user {} cannot enter the start directory {start}: {why:?}",
            identity.name
        ),
        status: Status::Ended,
    })?;
    let idle = match (settings.idle.is_zero(), settings.max_idle.is_zero()) {
        (_, true) => settings.idle,
        (true, false) => settings.max_idle,
        (false, false) => settings.idle.min(settings.max_idle),
    };
    let account = Account {
        start,
        permitted: settings.permitted,
        idle,
        max_idle: settings.max_idle,
        data_timeout: settings.data_timeout,
        stall_timeout: settings.stall_timeout,
        inflate_ratio: settings.inflate_ratio,
        charset: settings.charset,
    };
    Ok(Login {
        jail,
        settings,
        account,
    })
}
