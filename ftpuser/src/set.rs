//! `ftpuser set`: changes what a user's entry says, but the name and the password. Also the options for rules, which are settings
//! under easier names.

use std::path::PathBuf;

use clap::ArgMatches;
use common::auth::native::{Edit, Record, Setting};
use common::cli::ftpuser::RULES;
use common::settings::check_user_setting;
use common::settings::table;

use crate::add::{Words, home_warning, real_user_exists};
use crate::{Failure, file, name};

/// The setting that lets a user log in.
const ENABLED: &str = "Enabled";

pub(crate) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let words = arguments.get_many::<String>("words").into_iter().flatten();
    let words = Words::sort(words.map(String::as_str), "")?;
    if let Some(word) = words.password {
        let message = format!("{word:?} is not Key=Value; `ftpuser passwd` changes the password");
        return Err(Failure::Usage(message));
    }
    let mut changes = words.settings;
    changes.extend(rules(arguments)?);
    let unset: Vec<&'static str> = unset(arguments)?;
    let real_user = arguments.get_one::<String>("real-user");
    let home = arguments.get_one::<PathBuf>("home");
    if changes.is_empty() && unset.is_empty() && real_user.is_none() && home.is_none() {
        return Err(Failure::usage(
            "nothing to set: say Key=Value, --unset KEY or an option, as in `ftpuser set alice Idle=5m`",
        ));
    }
    if let Some(user) = real_user {
        real_user_exists(user)?;
    }
    if let Some(home) = home {
        home_warning(home);
    }
    rewrite(arguments, real_user, home, changes, &unset)
}

/// `ftpuser enable` and `ftpuser disable`: the shortest way to one setting.
pub(crate) fn enable(arguments: &ArgMatches, enabled: bool) -> Result<(), Failure> {
    let changes = match enabled {
        true => Vec::new(),
        false => vec![(ENABLED.to_owned(), "no".to_owned())],
    };
    rewrite(arguments, None, None, changes, &[ENABLED])
}

/// Changes a user's entry, but the name and the password.
fn rewrite(
    arguments: &ArgMatches,
    real_user: Option<&String>,
    home: Option<&PathBuf>,
    changes: Vec<Setting>,
    unset: &[&str],
) -> Result<(), Failure> {
    let mut edit = Edit::begin(file(arguments))?;
    let old = edit.record(name(arguments))?;
    let record = Record::new(
        old.name().clone(),
        old.stored().clone(),
        real_user.map_or(old.real_user(), String::as_str),
        home.map_or(old.home(), PathBuf::as_path),
        merged(old.settings(), changes, unset),
    )
    .map_err(Failure::failed)?;
    edit.replace(&record)?;
    Ok(edit.commit()?)
}

/// The settings that the options for rules stand for, each checked.
pub(crate) fn rules(arguments: &ArgMatches) -> Result<Vec<Setting>, Failure> {
    let mut settings = Vec::new();
    for &(option, key, _) in RULES {
        let Some(text) = arguments.get_one::<String>(option) else {
            continue;
        };
        // The last field of an entry is cut at blanks.
        let value = text.split_whitespace().collect::<Vec<_>>().join(",");
        check_user_setting(key, &value)
            .map_err(|why| Failure::Usage(format!("--{option}: {why}")))?;
        settings.push((key.to_owned(), value));
    }
    if arguments.get_flag("disable") {
        settings.push((ENABLED.to_owned(), "no".to_owned()));
    }
    Ok(settings)
}

/// The keys that are to go.
fn unset(arguments: &ArgMatches) -> Result<Vec<&'static str>, Failure> {
    let mut keys = Vec::new();
    for key in arguments.get_many::<String>("unset").into_iter().flatten() {
        match table::Setting::find(key) {
            Some(setting) => keys.push(setting.key),
            // What is said of such a key elsewhere, with the nearest one.
            None => check_user_setting(key, "").map_err(Failure::Usage)?,
        }
    }
    if arguments.get_flag("enable") {
        keys.push(ENABLED);
    }
    Ok(keys)
}

/// The old settings without those that go or change, and behind them the new ones.
fn merged(old: &[Setting], changes: Vec<Setting>, unset: &[&str]) -> Vec<Setting> {
    let row = |key: &str| table::Setting::find(key).map(|setting| setting.key);
    let goes = |key: &str| {
        row(key).is_some_and(|key| {
            unset.contains(&key) || changes.iter().any(|(changed, _)| row(changed) == Some(key))
        })
    };
    let mut settings: Vec<_> = old.iter().filter(|(key, _)| !goes(key)).cloned().collect();
    settings.extend(changes);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Vec<Setting> {
        let pairs = text
            .split_whitespace()
            .map(|word| word.split_once('=').unwrap());
        pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn settings_change_in_any_spelling_and_others_stay() {
        let old = settings("idle=5 ChHome=yes Unknown=x Umask=022");
        let new = merged(&old, settings("Idle=9"), &["Umask"]);
        assert_eq!(new, settings("ChHome=yes Unknown=x Idle=9"));
    }
}
