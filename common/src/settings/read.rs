//! Reads the configuration: the `Key=Value` file and the command line, each with where it came from. The only part of
//! the settings that touches the file system; it applies nothing itself.

mod bounded;
mod environment;
pub mod gateway;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use bounded::read_bounded;
pub(crate) use bounded::read_private;

use super::assign::{Assignment, Origin, Origins, Place, SettingError, Target, apply, settle};
use super::hooks::Hooks;
use super::own::UserTables;
use super::table::{FTPD, Kind, Scope, Setting, Settings};
use super::toml::Parsed;
use super::value::shown;
use super::{Config, key_value, shared, toml};
use crate::proto::verbs::Verb;

/// The file that is read where no `-f` names one.
pub const DEFAULT_FILE: &str = "/etc/metaftpd.conf";
/// The name of the flag `-f` in the parsed command line.
pub const FILE_FLAG: &str = "config";

const LONGEST_BANNER: usize = 8192;

/// Where the settings of a program are: its command line, and the directory that relative paths start from. Kept, so that
/// they can be read anew when that directory is no longer the working one.
#[derive(Clone, Debug)]
pub struct Source {
    matches: ArgMatches,
    base: Option<PathBuf>,
    /// The variables that may be meant for one of our programs.
    environment: Vec<(String, OsString)>,
}

impl Source {
    /// Takes the command line, as the program's `cli` defines it.
    pub fn new(matches: ArgMatches) -> Source {
        Source {
            matches,
            base: std::env::current_dir().ok(),
            environment: environment::ours(std::env::vars_os()),
        }
    }

    pub fn matches(&self) -> &ArgMatches {
        &self.matches
    }

    /// Reads the settings of `ftpd`: first the file, then, over it, the environment, then the flags.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first.
    pub fn load(&self) -> Result<Loaded, Vec<SettingError>> {
        load(self)
    }
}

/// A configuration that is fine.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// What is allowed but probably not meant.
    pub warnings: Vec<String>,
    origins: Origins,
}

impl Loaded {
    /// Tells where the value of a setting comes from.
    pub fn origin(&self, setting: &Setting) -> Origin {
        self.origins
            .get(setting.key)
            .map_or(Origin::Default, |(origin, _)| origin.clone())
    }

    /// Tells the text that a setting was made with.
    pub fn text(&self, setting: &Setting) -> &str {
        let made = self.origins.get(setting.key);
        made.map_or(setting.default, |(_, text)| text)
    }
}

fn load(source: &Source) -> Result<Loaded, Vec<SettingError>> {
    let mut config = Config::default();
    let Said {
        users,
        hooks,
        text,
        origins,
        mut errors,
        mut warnings,
    } = gather(FTPD, DEFAULT_FILE, source, &mut config);
    config.server.users = users;
    config.server.hooks = hooks;
    if let Err((keys, message)) = settle(&mut config.session) {
        // The last source that made one of them is the one to correct.
        let origin = keys
            .iter()
            .filter_map(|key| origins.get(key).map(|(origin, _)| origin.clone()))
            .max_by_key(|origin| match origin {
                Origin::Flag(_) => 2,
                Origin::Environment(_) => 1,
                _ => 0,
            })
            .unwrap_or(Origin::Default);
        errors.push(SettingError { origin, message });
    }
    let server = &mut config.server;
    let leading = server.leading.settle(&server.tls).err();
    let misfits = misfits(&config).into_iter().chain(leading);
    errors.extend(misfits.map(|(key, message)| SettingError::of(key, message, &origins)));
    errors.extend(shared::unshared(&config, &origins));
    if !errors.is_empty() {
        errors.sort_by_key(|error| error.origin.order());
        errors.iter_mut().for_each(|error| error.show(&text));
        return Err(errors);
    }
    for (name, own) in config.server.users.all() {
        if let Err(mut error) = config.session.with_user_settings(&config.server, own, &[]) {
            error
                .message
                .push_str(&format!("; logins of {name} are refused"));
            error.show(&text);
            warnings.push(error.to_string());
        }
    }
    if config.session.log_passwords {
        warnings.push(
            "LogPasswords is without effect: no password is ever logged; leave it out".to_owned(),
        );
    }
    let permits = |verb| Verb::find(verb).is_some_and(|v| config.session.permitted.contains(v));
    if !permits("USER") || !permits("PASS") {
        warnings.push(
            "PermittedCommands leaves out USER or PASS: nobody will be able to log in".to_owned(),
        );
    }
    Ok(Loaded {
        config,
        warnings,
        origins,
    })
}

/// What does not fit together once all sources have been applied: the key to correct, and why.
fn misfits(config: &Config) -> Vec<(&'static str, String)> {
    let server = &config.server;
    let without_tls = config.unmet_tls().map(|key| {
        let text =
            format!("{key} needs a Certificate: without TLS nobody could log in or move files");
        (key, text)
    });
    let headers = server.proxy_data && server.limits.front_ends.is_none();
    let headers = headers.then(|| {
        let text = "ProxyData needs ProxyNetworks, which say who may send the header";
        ("ProxyData", text.to_owned())
    });
    let all = [
        server.tls.settle().err(),
        without_tls,
        config.unmet_certificates(),
        headers,
    ];
    all.into_iter().flatten().collect()
}

/// What file and command line say together.
pub(super) struct Said {
    users: UserTables,
    pub(super) hooks: Hooks,
    /// The file's text to point at.
    pub(super) text: String,
    pub(super) origins: Origins,
    pub(super) errors: Vec<SettingError>,
    pub(super) warnings: Vec<String>,
}

/// Applies what the file says that the command line names, over it what the environment says, then the flags.
pub(super) fn gather(
    settings: &Settings,
    default_file: &str,
    source: &Source,
    config: &mut dyn Target,
) -> Said {
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    let file = file(settings, default_file, source, &mut errors);
    let mut sources = [
        file.parsed.assignments,
        environment::assignments(settings, source, &mut errors),
        flags(settings, source),
    ];
    for assignment in sources.iter_mut().flatten() {
        if let Err(error) = replace_by_content(assignment, &mut warnings) {
            errors.push(error);
        }
    }
    let mut origins = Origins::new();
    for source in sources {
        apply(settings, config, &mut origins, &mut errors, source);
    }
    Said {
        users: file.parsed.users,
        hooks: file.parsed.hooks,
        text: file.text,
        origins,
        errors,
        warnings,
    }
}

/// The assignments of the command line, as the program's `cli` defines it.
fn flags(settings: &Settings, source: &Source) -> Vec<Assignment> {
    let Source { matches, base, .. } = source;
    settings
        .rows
        .iter()
        .filter_map(|setting| {
            let text = match setting.scope() {
                Scope::CommandLine => matches.get_flag(setting.key).then(|| "yes".to_owned())?,
                Scope::Server | Scope::Session => {
                    matches.get_one::<String>(setting.key)?.to_owned()
                }
            };
            Some(Assignment {
                setting,
                text,
                base: base.clone(),
                content_of: None,
                origin: Origin::Flag(setting.flags[0]),
            })
        })
        .collect()
}

/// What a configuration file says, and its text to point at.
#[derive(Default)]
struct Configuration {
    parsed: Parsed,
    text: String,
}

/// Reads the file that the command line names, or the default one if there is such a file. A name that ends with `.toml` says
/// what is in it.
fn file(
    settings: &Settings,
    default_file: &str,
    source: &Source,
    errors: &mut Vec<SettingError>,
) -> Configuration {
    let named = source.matches.get_one::<PathBuf>(FILE_FLAG);
    let path = named.map_or(Path::new(default_file), PathBuf::as_path);
    let from_base = source.base.as_ref().map(|base| base.join(path));
    match read_bounded(
        from_base.as_deref().unwrap_or(path),
        nix::unistd::geteuid().is_root(),
    ) {
        Ok(octets)
            if path
                .extension()
                .is_some_and(|extension| extension == "toml") =>
        {
            Configuration {
                parsed: toml::parse(settings, path, &octets, errors),
                text: String::from_utf8_lossy(&octets).into_owned(),
            }
        }
        Ok(octets) => Configuration {
            parsed: {
                let key_value::Parsed { assignments, hooks } =
                    key_value::parse(settings, path, &octets, errors);
                Parsed {
                    assignments,
                    hooks,
                    ..Parsed::default()
                }
            },
            text: String::from_utf8_lossy(octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&octets))
                .into_owned(),
        },
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
            Configuration::default()
        }
        Err(error) => {
            errors.push(SettingError {
                origin: Origin::File {
                    path: path.to_owned(),
                    line: 0,
                },
                message: format!("cannot be read: {error}{}", remedy(&error, "-f")),
            });
            Configuration::default()
        }
    }
}

/// What helps where the error does not say it; `by` is what has named the file.
fn remedy(error: &io::Error, by: &str) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("; {by} names the file"),
        io::ErrorKind::PermissionDenied => {
            "; who starts the program must be able to read it".to_owned()
        }
        _ => String::new(),
    }
}

/// Puts the content of a file in the place of its path, for settings whose value that is.
fn replace_by_content(
    assignment: &mut Assignment,
    warnings: &mut Vec<String>,
) -> Result<(), SettingError> {
    if assignment.setting.kind != Kind::Content {
        return Ok(());
    }
    let path = match (&assignment.base, Path::new(&assignment.text)) {
        (Some(base), path) => base.join(path),
        (None, path) => path.to_owned(),
    };
    let key = assignment.setting.key;
    let text = banner(&path, warnings).map_err(|error| SettingError {
        origin: assignment.origin.clone(),
        message: format!(
            "{key}: {} cannot be read: {error}{}",
            shown(&path.to_string_lossy()),
            remedy(&error, key)
        ),
    });
    assignment.text = text.as_deref().unwrap_or_default().to_owned();
    assignment.content_of = Some(path);
    text.map(|_| ())
}

fn banner(path: &Path, warnings: &mut Vec<String>) -> io::Result<String> {
    if !path.is_absolute() {
        return Err(io::Error::other(
            "the path is not absolute: write it from / on",
        ));
    }
    let mut octets = read_bounded(path, false)?;
    if octets.len() > LONGEST_BANNER {
        octets.truncate(LONGEST_BANNER);
        warnings.push(format!(
            "{}: only the first {LONGEST_BANNER} octets are used",
            path.display()
        ));
    }
    match std::str::from_utf8(&octets) {
        Ok(text) => Ok(text.to_owned()),
        // The cut went through a character.
        Err(error) if error.error_len().is_none() => {
            octets.truncate(error.valid_up_to());
            String::from_utf8(octets).map_err(io::Error::other)
        }
        Err(error) => {
            let Place { line, column, .. } = Place::of_no_text(&octets, error);
            let text = format!(
                "line {line}, column {column} is not UTF-8: save the file in that encoding"
            );
            Err(io::Error::other(text))
        }
    }
}
