//! What a login gets, once it is known whose it is: identity, settings, root. Changes nothing; `--check` asks here too.

use std::fmt;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use common::auth::chain::{Denied as Unknown, Member};
use common::auth::pam::PamSession;
use common::auth::{Identity, group_id};
use common::channel::UserName;
use common::clock;
use common::jail::open_root;
use common::path::VirtualPath;
use common::policy::{Denied, Who};
use common::sandbox;
use common::settings::{CertificateLogin, Config, JailMode, ServerConfig, SessionConfig};
use common::tls::clients::ClientNames;

/// A login that was refused: what the log says. The client only hears 530.
#[derive(Debug)]
pub(crate) enum Refused {
    /// No method lets the client in.
    Unknown(Unknown),
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
    /// A password alone does not let this account in.
    Certificate(&'static str),
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
            Refused::Unknown(error) => write!(f, "{error}"),
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
            Refused::Certificate(why) => f.write_str(why),
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

/// Somebody who has shown that they are this user, or would have.
pub(crate) struct Claim<'a> {
    /// The name that the client sent.
    pub(crate) typed: &'a [u8],
    pub(crate) member: &'a Member,
    pub(crate) client: IpAddr,
}

/// What a login gets, before anything irreversible was done.
pub(crate) struct Grant {
    /// The user's name as it is stored.
    pub(super) name: UserName,
    pub(super) identity: Identity,
    pub(super) settings: SessionConfig,
    /// The session's `/`.
    pub(super) root: OwnedFd,
    pub(super) start: VirtualPath,
    /// What PAM has opened, and closes when this is dropped.
    pub(super) pam: Option<PamSession>,
}

impl Claim<'_> {
    /// Finds out whether the login may happen, and what it gets.
    pub(crate) fn grant(&self, config: &Config) -> Result<Grant, Refused> {
        let server = &config.server;
        let identity = self.identity(server)?;
        self.ask_lists(server, &identity)?;
        let settings = self.settings(config)?;
        self.ask_rules(&settings)?;
        let (root, start) = place(server.chroot.as_deref(), &settings.jail, self.member.home())?;
        let name = UserName::new(self.member.name().as_bytes())
            .ok_or_else(|| Refused::Settings("the name is too long".to_owned()))?;
        Ok(Grant {
            name,
            identity,
            settings,
            root,
            start,
            pam: None,
        })
    }

    /// The user of the system that the session becomes.
    pub(crate) fn identity(&self, server: &ServerConfig) -> Result<Identity, Refused> {
        let identity = match self.member.record() {
            Some(record) => Identity::of(record.wanted(server)),
            None => Identity::of_real_user(self.member.real_user()),
        }
        .map_err(|error| Refused::Identity(error.to_string()))?;
        if sandbox::is_root() {
            if server.own_uids().contains(&identity.uid) {
                return Err(Refused::Reserved(identity.name));
            }
        } else if identity.uid != nix::unistd::Uid::current().as_raw() {
            return Err(Refused::NotMine {
                real_user: identity.name,
            });
        }
        Ok(identity)
    }

    /// The settings of the session: the server's, and the user's own over them.
    pub(crate) fn settings(&self, config: &Config) -> Result<SessionConfig, Refused> {
        // SECURITY: whoever comes in without a password is nobody's user: less is permitted, unless the account's own list of
        // commands says otherwise.
        let mut settings = if self.is_anonymous() {
            config.session.for_anonymous()
        } else {
            config.session.clone()
        };
        if let Some(charset) = config.server.charset_networks.of(self.client) {
            settings.charset = charset;
        }
        settings
            .with_user_settings(
                &config.server,
                config.server.users.of(self.member.name().as_bytes()),
                self.member.settings(),
            )
            .map_err(|error| Refused::Settings(error.to_string()))
    }

    /// Whether any password is right.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.member.is_anonymous()
    }

    /// Whether the server's own rule refuses this name in the clear, before its password.
    pub(crate) fn refused_before_password(&self, server: &SessionConfig) -> bool {
        server.required_by_name().of(self.typed).for_login()
    }

    /// Asks AllowUsers and DenyUsers.
    pub(crate) fn ask_lists(
        &self,
        server: &ServerConfig,
        identity: &Identity,
    ) -> Result<(), Refused> {
        let who = Who {
            typed: self.typed,
            stored: self.member.name().as_bytes(),
            groups: &identity.groups,
        };
        listed(server, who).map_err(Refused::Listed)
    }

    /// Asks what the account wants beside the password, or instead of it.
    pub(crate) fn ask_beside_password(
        &self,
        settings: &SessionConfig,
        certificate: Option<&ClientNames>,
    ) -> Result<(), Refused> {
        let rule = &settings.certificate;
        match (rule.login, certificate) {
            (CertificateLogin::Off | CertificateLogin::Enough, _) => Ok(()),
            (CertificateLogin::Only, _) => Err(Refused::Certificate(
                "CertificateLogin=only: no password lets this account in",
            )),
            (CertificateLogin::Both, None) => Err(Refused::Certificate(
                "CertificateLogin=both: the password was right, and there was no certificate",
            )),
            (CertificateLogin::Both, Some(names)) => names
                .belong_to(self.member.name().as_bytes(), rule)
                .then_some(())
                .ok_or(Refused::Certificate(
                    "CertificateLogin=both: the password was right, and the certificate is none of the account's",
                )),
        }
    }

    /// Asks the account's own rules.
    pub(crate) fn ask_rules(&self, settings: &SessionConfig) -> Result<(), Refused> {
        settings
            .policy
            .judge(self.client, clock::local)
            .map_err(Refused::Policy)
    }
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
pub(crate) fn place(
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
