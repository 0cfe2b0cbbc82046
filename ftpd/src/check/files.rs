//! Looks at the files, directories, users and groups that a configuration names. Opens nothing for writing.

use std::os::fd::AsFd;
use std::path::Path;

use common::auth::chain;
use common::auth::native::{Entry, UserFile, review};
use common::auth::system::{Files, Source};
use common::auth::{group_id, session_group};
use common::clock;
use common::entrances::passed;
use common::jail::open_root;
use common::log;
use common::sandbox::is_root;
use common::settings::{Config, JailMode, Method, ServerConfig};
use common::startup;
use common::tls;
use nix::errno::Errno;
use nix::unistd::{Uid, User};

use super::Finding::{self, Error, Note, Warning};

/// The lowest port that anybody may listen on.
const FREE_PORT: u16 = 1024;

/// Looks at everything.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let server = &config.server;
    let mut found = Vec::new();
    directories(config, &mut found);
    log_files(config, &mut found);
    identities(server, &mut found);
    methods(config, &mut found);
    certificates(server, &mut found);
    super::data::look(config, &mut found);
    found.extend(startup::trusted(&server.leading.upstream).err().map(Error));
    found.extend(super::hooks(server));
    found
}

/// Reads certificates and keys as the signer would, and tells how long they are valid.
fn certificates(server: &ServerConfig, found: &mut Vec<Finding>) {
    let now = clock::seconds();
    let files = &server.tls.certificates;
    match tls::look(&server.tls) {
        Ok(certificates) => {
            let warnings = tls::warnings(&server.tls, &certificates, now);
            found.extend(warnings.into_iter().map(Warning));
            let pairs = files.iter().zip(&certificates.chains);
            let well = pairs.filter(|(file, chain)| tls::warning(file, chain, now).is_none());
            found.extend(well.map(|(file, chain)| {
                Note(format!(
                    "{}: {}, {}, {} days left",
                    file.display(),
                    chain.key.name(),
                    chain.names.join(" "),
                    chain.days_left(now)
                ))
            }));
            found.extend(certificates.trust.map(|trust| {
                let (authorities, lists) = (trust.authorities.len(), trust.revocations.len());
                Note(format!(
                    "certificates of clients: {authorities} authorities, {lists} revocation lists"
                ))
            }));
        }
        Err(why) => found.push(Error(why)),
    }
}

/// Looks at the files that passwords are in.
fn methods(config: &Config, found: &mut Vec<Finding>) {
    let server = &config.server;
    for method in server.auth_methods.iter() {
        match method {
            Method::Native => {
                let opened = UserFile::open_trusted(&server.auth_file);
                match opened.and_then(|file| Ok((file.entries()?, file))) {
                    Ok((entries, file)) => users(config, &file, &entries, found),
                    Err(error) => {
                        found.push(Error(format!("AuthFile: nobody can log in: {error}")))
                    }
                }
            }
            Method::Passwd => system(method, Source::Passwd, found),
            Method::Shadow => system(method, Source::Shadow, found),
            Method::Pam => {}
        }
    }
    if let Err(error) = chain::look_at_pam(&server.auth_methods) {
        found.push(Error(error));
    }
}

fn system(method: Method, source: Source, found: &mut Vec<Finding>) {
    if let Err(error) = Files::default().look(source) {
        let name = method.name();
        found.push(Error(format!(
            "AuthMethods: {name}: {error}: nobody can log in by it"
        )));
    }
}

fn directories(config: &Config, found: &mut Vec<Finding>) {
    let outer = config.server.chroot.as_deref();
    let base = match open_root(None, outer.unwrap_or(Path::new("/"))) {
        Ok(base) => base,
        Err(errno) => return found.push(Error(unusable("Chroot", outer, errno))),
    };
    if let JailMode::Share(share) = &config.session.jail
        && let Err(errno) = open_root(Some(base.as_fd()), share)
    {
        found.push(Error(unusable("ChShare", Some(share), errno)));
    }
}

fn unusable(key: &str, path: Option<&Path>, errno: Errno) -> String {
    let why = match errno {
        Errno::ENOTDIR => "is a symbolic link or no directory",
        Errno::ELOOP => "has a symbolic link on the way; write the real path",
        other => other.desc(),
    };
    format!("{key}: {}: {why}", path.unwrap_or(Path::new("/")).display())
}

fn log_files(config: &Config, found: &mut Vec<Finding>) {
    let server = &config.server;
    let mut wrong = Vec::new();
    let own = server.log_file.as_deref();
    wrong.extend(own.and_then(|path| log::look_at_file("ServLogFile", path)));
    if let Some(name) = &config.session.log_file {
        wrong.extend(match (name.plain(), name.directory()) {
            (Some(path), _) => log::look_at_file("LogFile", path),
            (None, Some(directory)) => log::look_at_directory("LogFile", directory),
            (None, None) => None,
        });
    }
    wrong.extend(log::look_at_outputs(
        &server.outputs,
        config.logs_to_syslog(),
    ));
    found.extend(wrong.into_iter().map(Error));
}

fn identities(server: &ServerConfig, found: &mut Vec<Finding>) {
    if !is_root() && (1..FREE_PORT).contains(&server.port) && !passed::are_there() {
        found.push(Warning(format!(
            "Port: {} needs root or CAP_NET_BIND_SERVICE",
            server.port
        )));
    }
    for uid in server.own_uids() {
        if let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) {
            found.push(Warning(format!(
                "SessionUser: uid {uid} should be nobody's, and belongs to {}",
                user.name
            )));
        }
    }
    if let Some(Err(error)) = server.default_group.as_deref().map(session_group) {
        found.push(Error(format!("DefaultGroup: {error}")));
    }
    for name in &server.root_users {
        found.push(Warning(format!(
            "RootUsers: sessions of {name:?} may be root's"
        )));
    }
    let denied = server.deny_users.groups().map(|group| ("DenyUsers", group));
    let allowed = server.allow_users.iter().flat_map(|users| users.groups());
    for (key, group) in denied.chain(allowed.map(|group| ("AllowUsers", group))) {
        if group_id(group).is_none() {
            let effect = match key {
                "DenyUsers" => "nobody can log in",
                _ => "it has no members",
            };
            found.push(Warning(format!(
                "{key}: this system has no group {group:?}: {effect}"
            )));
        }
    }
}

fn users(config: &Config, file: &UserFile, entries: &[Entry], found: &mut Vec<Finding>) {
    let path = &config.server.auth_file;
    if entries.is_empty() {
        found.push(Warning(format!("{} has no users", path.display())));
    }
    let mut problems = review(config, entries);
    // Where they are is only said more exactly then.
    #[expect(clippy::let_underscore_must_use, reason = "as said above")]
    let _ = file.point_at(&mut problems);
    let told = problems.iter().map(|problem| problem.told(path));
    found.extend(told.map(Warning));
}
