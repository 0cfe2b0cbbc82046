//! Looks for what keeps users of the file from logging in, before they try.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use nix::sys::stat::stat;

use super::{About, Entry, NativeError, Pointed, Record, Scheme, UserFile};
use crate::auth::{Identity, Wanted};
use crate::settings::table::Setting;
use crate::settings::{Config, Origin, ServerConfig, SettingError};

/// Something that is wrong with a line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counts from 1.
    pub line: u64,
    /// The user's name, fit to be shown.
    pub name: String,
    pub text: String,
    /// What of the line it is about.
    pub about: About,
    /// Where that is, once [`UserFile::point_at`] has looked.
    pub pointed: Option<Pointed>,
}

impl Problem {
    /// Something about an entry.
    pub fn of(entry: &Entry, about: About, text: String) -> Problem {
        Problem {
            line: entry.line,
            name: entry.name.clone(),
            text,
            about,
            pointed: None,
        }
    }

    /// The whole sentence, with the place in this file.
    pub fn told(&self, file: &Path) -> String {
        let Problem {
            line, name, text, ..
        } = self;
        let file = file.display();
        match &self.pointed {
            Some(Pointed { column, excerpt }) => {
                format!("{file}:{line}:{column}: user {name:?}: {text}{excerpt}")
            }
            None => format!("{file}:{line}: user {name:?}: {text}"),
        }
    }
}

/// Looks at every entry as a login under this configuration would, but for the password and the client.
pub fn review(config: &Config, entries: &[Entry]) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut names: BTreeMap<String, u64> = BTreeMap::new();
    let mut asked: BTreeSet<(&str, bool)> = BTreeSet::new();
    for entry in entries {
        let mut warn = |about: About, text: String| found.push(Problem::of(entry, about, text));
        let key = entry.name.to_ascii_lowercase();
        if let Some(first) = names.get(&key) {
            let text =
                format!("line {first} decides about this name, so this one is without effect");
            warn(About::Name, text);
            continue;
        }
        names.insert(key, entry.line);
        let record = match &entry.record {
            Ok(record) => record,
            Err(why) => {
                warn(why.about(), format!("cannot log in: {why}"));
                continue;
            }
        };
        for (nth, key) in repeated(record) {
            let text = format!("{key} stands here twice, and the last one counts: leave one out");
            warn(About::Setting(nth), text);
        }
        let own = config.server.users.of(record.name().as_bytes());
        let settings = config
            .session
            .with_user_settings(&config.server, own, record.settings());
        match settings {
            Ok(own) if own.log_passwords && !config.session.log_passwords => {
                let text = "LogPasswords is without effect: no password is ever logged";
                warn(About::Settings, text.to_owned());
            }
            Ok(_) => {}
            Err(error) => warn(about(&error), format!("cannot log in: {}", error.message)),
        }
        let wanted = record.wanted(&config.server);
        if asked.insert((wanted.real_user, wanted.root_named))
            && let Err(error) = Identity::of(wanted)
        {
            warn(About::RealUser, format!("cannot log in: {error}"));
        }
        // Those below a chroot are of another file system than this one's paths.
        if config.server.chroot.is_none()
            && let Err(errno) = stat(record.home())
        {
            let home = record.home().display();
            warn(About::Home, format!("home {home}: {}", errno.desc()));
        }
    }
    found
}

/// The settings that a later one of the same entry goes over, by their numbers, counted from 0.
fn repeated(record: &Record) -> Vec<(usize, &'static str)> {
    let keys = record.settings().iter();
    let keys: Vec<_> = keys.map(|(key, _)| Some(Setting::find(key)?.key)).collect();
    let numbered = keys.iter().enumerate();
    numbered
        .filter_map(|(nth, key)| Some((nth, (*key)?)))
        .filter(|(nth, key)| keys[nth + 1..].contains(&Some(key)))
        .collect()
}

/// What of the entry is wrong, if it is the entry's setting.
fn about(error: &SettingError) -> About {
    match error.origin {
        Origin::User(Some(nth)) => About::Setting(nth),
        Origin::User(None) => About::Settings,
        // It stands in the server's file.
        _ => About::Name,
    }
}

impl UserFile {
    /// Finds the places of problems, which come in the order of their lines, in one pass through the file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn point_at(&self, problems: &mut [Problem]) -> Result<(), NativeError> {
        let mut left = problems.iter_mut().peekable();
        self.each_line(|number, line| {
            while let Some(problem) = left.next_if(|problem| problem.line == number) {
                let number = usize::try_from(number).unwrap_or(usize::MAX);
                problem.pointed = Some(problem.about.point(number, line));
            }
            left.peek().is_some()
        })
    }
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
