//! Looks for what keeps users of the file from logging in, before they try.

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::stat::stat;

use super::{Entry, Record, Scheme};
use crate::auth::{Identity, Wanted};
use crate::settings::{Config, ServerConfig};

/// Something that is wrong with a line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counts from 1.
    pub line: u64,
    /// The user's name, fit to be shown.
    pub name: String,
    pub text: String,
}

/// Looks at every entry as a login under this configuration would, but for the password and the client.
pub fn review(config: &Config, entries: &[Entry]) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut names: BTreeMap<String, u64> = BTreeMap::new();
    let mut asked: BTreeSet<(&str, bool)> = BTreeSet::new();
    for entry in entries {
        let mut warn = |text: String| {
            found.push(Problem {
                line: entry.line,
                name: entry.name.clone(),
                text,
            });
        };
        let key = entry.name.to_ascii_lowercase();
        if let Some(first) = names.get(&key) {
            warn(format!(
                "line {first} decides about this name, so this one is without effect"
            ));
            continue;
        }
        names.insert(key, entry.line);
        let record = match &entry.record {
            Ok(record) => record,
            Err(why) => {
                warn(format!("cannot log in: {why}"));
                continue;
            }
        };
        let own = config.server.users.of(record.name().as_bytes());
        let settings = config
            .session
            .with_user_settings(&config.server, own, record.settings());
        match settings {
            Ok(own) if own.log_passwords && !config.session.log_passwords => {
                warn("LogPasswords is without effect: no password is ever logged".to_owned());
            }
            Ok(_) => {}
            Err(error) => warn(format!("cannot log in: {}", error.message)),
        }
        let wanted = record.wanted(&config.server);
        if asked.insert((wanted.real_user, wanted.root_named))
            && let Err(error) = Identity::of(wanted)
        {
            warn(format!("cannot log in: {error}"));
        }
        // Those below a chroot are of another file system than this one's paths.
        if config.server.chroot.is_none()
            && let Err(errno) = stat(record.home())
        {
            warn(format!(
                "home {}: {}",
                record.home().display(),
                errno.desc()
            ));
        }
    }
    found
}

impl Record {
    /// What the identity of this user is looked up by: the entry names no group. Users of the system have their own.
    pub fn wanted<'a>(&'a self, server: &'a ServerConfig) -> Wanted<'a> {
        let is = |named: &String| named.as_bytes() == self.name().as_bytes();
        // SECURITY: where any password is right, nobody is root.
        let named = self.stored().scheme() != Scheme::Null && server.root_users.iter().any(is);
        Wanted {
            real_user: self.real_user(),
            group: server.default_group.as_deref(),
            root_named: named,
        }
    }
}
