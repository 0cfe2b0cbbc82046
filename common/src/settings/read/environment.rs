//! Settings from variables in the environment, as containers have them: `FTPD_LISTEN_PORT=2121` is listen.port.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Source, read_bounded, remedy};
use crate::settings::FTPPROXY;
use crate::settings::assign::{Assignment, Origin, SettingError};
use crate::settings::nearest::nearest;
use crate::settings::table::FTPD;
use crate::settings::table::{Scope, Setting, Settings};
use crate::settings::value::shown;

/// Behind the name of a variable: its value is not the setting's but names a file that holds it, such as a secret.
const IN_A_FILE: &str = "_FILE";

/// The variables that are for one of the programs that have settings. An empty one says nothing, as where a script leaves it so.
pub(super) fn ours(all: impl Iterator<Item = (OsString, OsString)>) -> Vec<(String, OsString)> {
    let mut ours: Vec<_> = all
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| {
            [FTPD, FTPPROXY]
                .iter()
                .any(|one| name.starts_with(one.environment))
        })
        .collect();
    ours.sort();
    ours
}

/// What they set. One that is no setting is an error, as a key would be.
pub(super) fn assignments(
    settings: &Settings,
    source: &Source,
    errors: &mut Vec<SettingError>,
) -> Vec<Assignment> {
    let mut assignments: Vec<Assignment> = Vec::new();
    for (name, value) in &source.environment {
        let Some(rest) = name.strip_prefix(settings.environment) else {
            continue;
        };
        let origin = Origin::Environment(name.clone());
        let made = made(settings, rest, value).and_then(|(setting, text)| {
            match assignments
                .iter()
                .find(|one| one.setting.key == setting.key)
            {
                Some(Assignment { origin, .. }) => Err(format!(
                    "{} is already set by {origin}: unset one of them",
                    setting.key
                )),
                None => Ok((setting, text)),
            }
        });
        match made {
            Ok((setting, text)) => assignments.push(Assignment {
                setting,
                text,
                base: source.base.clone(),
                content_of: None,
                origin,
            }),
            Err(message) => errors.push(SettingError { origin, message }),
        }
    }
    assignments
}

/// The setting that a variable makes, and its text.
fn made(
    settings: &Settings,
    name: &str,
    value: &OsStr,
) -> Result<(&'static Setting, String), String> {
    let find = |name: &str| settings.rows.iter().find(|row| row.variable() == name);
    let in_a_file = || find(name.strip_suffix(IN_A_FILE)?);
    let (setting, octets) = match (find(name), in_a_file()) {
        (Some(setting), _) => (setting, value.as_bytes().to_vec()),
        (None, Some(setting)) => (setting, content(value)?),
        (None, None) => {
            let names: Vec<_> = settings.rows.iter().map(Setting::variable).collect();
            let hint = nearest(name, names.iter().map(String::as_str))
                .map(|name| format!(", did you mean {}{name}?", settings.environment))
                .unwrap_or_else(|| format!(": unset it; {} has all", settings.page));
            return Err(format!("no setting has this variable{hint}"));
        }
    };
    if setting.scope() == Scope::CommandLine {
        return Err(format!("this is only a flag: -{}", setting.flags[0]));
    }
    let text = String::from_utf8(octets)
        .map_err(|_| "its value is not UTF-8: write it in that encoding".to_owned())?;
    Ok((setting, text))
}

fn content(path: &OsStr) -> Result<Vec<u8>, String> {
    let path = Path::new(path);
    let mut octets = read_bounded(path, nix::unistd::geteuid().is_root()).map_err(|error| {
        let (path, remedy) = (path.to_string_lossy(), remedy(&error, "the variable"));
        format!("{} cannot be read: {error}{remedy}", shown(&path))
    })?;
    while octets.last().is_some_and(|octet| b"\r\n".contains(octet)) {
        octets.pop();
    }
    Ok(octets)
}
