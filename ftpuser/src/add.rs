//! `ftpuser add`: fills in what the caller left out, and writes a new record.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use common::auth::native::{
    Early, Edit, Existing, Name, NativeError, Record, Scheme, Setting, Stored, UserFile,
};
use common::auth::{Identity, IdentityError, Secret, Wanted};
use common::cli::ftpuser::{SHARED_HOME, SHARED_USERS};
use common::cli::out;
use common::settings::check_user_setting;
use nix::unistd::{User, geteuid};

use crate::set::rules;
use crate::{Failure, HASH_FROM_WHERE, cost, file, name, password, scheme, warn_of_weak};

/// The words behind the name: MetaFTPd's password and home, and settings.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Words<'a> {
    pub(crate) password: Option<&'a str>,
    home: Option<&'a str>,
    pub(crate) settings: Vec<Setting>,
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let name = Name::new(name(arguments)).map_err(Failure::failed)?;
    let words = arguments.get_many::<String>("words").into_iter().flatten();
    let mut words = Words::sort(
        words.map(String::as_str),
        " (a password with '=' can come by --password-stdin)",
    )?;
    words.settings.extend(rules(arguments)?);
    let scheme = scheme(arguments);
    let existing = if arguments.get_flag("replace") {
        Existing::Replace
    } else {
        Existing::Refuse
    };
    let (real_user, default_home) = owner(arguments.get_one::<String>("real-user"), scheme)?;
    let home = home(arguments, &words, default_home)?;
    let typed = words.password.is_none() && password::source(arguments).is_none();
    if typed && existing == Existing::Refuse {
        // The answer that counts comes under the lock; this one spares the caller a password typed for nothing.
        refuse_known(file(arguments), &name)?;
    }
    let secret = secret(arguments, &words, scheme, &name)?;
    // The hash takes its time, and a large file does too: each has a thread. Nobody waits for a lock meanwhile.
    let (stored, early) = std::thread::scope(|scope| {
        let early = scope.spawn(|| Early::read(file(arguments)));
        let stored = Stored::new(scheme, cost(arguments), &name, &secret);
        (stored, early.join().ok().flatten())
    });
    if existing == Existing::Refuse && early.as_ref().is_some_and(|early| early.has(&name)) {
        return Err(known(&name));
    }
    let stored = stored?;
    warn_of_weak(&stored);
    let record =
        Record::new(name, stored, &real_user, &home, words.settings).map_err(Failure::failed)?;
    let mut edit = Edit::begin_or_create_after(file(arguments), early)?;
    edit.put(&record, existing).map_err(|error| match error {
        NativeError::UserExists(name) => known(name),
        error => error.into(),
    })?;
    Ok(edit.commit()?)
}

impl<'a> Words<'a> {
    /// Tells the words apart. `hint` goes behind what is said of a setting that is none.
    pub(crate) fn sort(
        words: impl Iterator<Item = &'a str>,
        hint: &str,
    ) -> Result<Words<'a>, Failure> {
        let mut sorted = Words::default();
        for word in words {
            match word.split_once('=').filter(|(key, _)| is_key(key)) {
                Some((key, value)) => {
                    check_user_setting(key, value)
                        .map_err(|why| Failure::Usage(format!("{why}{hint}")))?;
                    sorted.settings.push((key.to_owned(), value.to_owned()));
                }
                None if sorted.password.is_none() => sorted.password = Some(word),
                None if sorted.home.is_none() => sorted.home = Some(word),
                None => {
                    return Err(Failure::usage(
                        "too many words: after NAME, PASSWORD and HOME come only Key=Value settings",
                    ));
                }
            }
        }
        Ok(sorted)
    }
}

fn is_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn refuse_known(file: &Path, name: &Name) -> Result<(), Failure> {
    match UserFile::open(file).and_then(|users| users.find(name.as_bytes())) {
        Ok(_) | Err(NativeError::Malformed { .. }) => Err(known(name)),
        Err(_) => Ok(()),
    }
}

fn known(name: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!(
        "user {name} exists already; --replace replaces, `ftpuser passwd` changes the password"
    ))
}

/// The real user and the home that goes with them.
fn owner(asked: Option<&String>, scheme: Scheme) -> Result<(String, PathBuf), Failure> {
    if asked.is_none() && geteuid().is_root() {
        let shared = SHARED_USERS
            .iter()
            .find(|user| Identity::of_real_user(user).is_ok());
        return match shared {
            Some(user) => Ok(((*user).to_owned(), PathBuf::from(SHARED_HOME))),
            None => Err(Failure::usage(
                "say whose the files are with --real-user USER",
            )),
        };
    }
    let user = match asked {
        Some(user) => user.clone(),
        None => match User::from_uid(geteuid()) {
            Ok(Some(user)) => user.name,
            Ok(None) | Err(_) => {
                return Err(Failure::Failed(format!("uid {} has no name", geteuid())));
            }
        },
    };
    let Identity { uid, gid, home, .. } = real_user_exists(&user)?;
    if scheme == Scheme::Null && (uid == 0 || gid == 0) {
        return Err(Failure::Failed(format!(
            "real user {user:?} is root or of its group, which nobody gets without a password: type null is not for that"
        )));
    }
    Ok((user, home))
}

/// Refuses a real user whose files nobody could ever be served.
pub(crate) fn real_user_exists(user: &str) -> Result<Identity, Failure> {
    let refused = match Identity::of_real_user(user) {
        Ok(identity) => return Ok(identity),
        Err(refused) => refused,
    };
    if let IdentityError::RootRefused(_) | IdentityError::RootGroupRefused(_) = refused {
        out::complain("ftpuser", format!("warning: {refused}"));
    }
    let asked = Wanted {
        real_user: user,
        group: None,
        root_named: true,
    };
    Identity::of(asked).map_err(|error| match error {
        IdentityError::Lookup(..) => Failure::failed(error),
        error => Failure::Failed(format!("{error}; no login could ever succeed")),
    })
}

fn home(arguments: &ArgMatches, words: &Words<'_>, default: PathBuf) -> Result<PathBuf, Failure> {
    let asked = arguments.get_one::<PathBuf>("home");
    let home = match (asked, words.home) {
        (Some(_), Some(_)) => return Err(Failure::usage("the home is given twice")),
        (Some(home), None) => home.clone(),
        (None, Some(home)) => PathBuf::from(home),
        // Some users of the system have no home, and say so with one of these.
        (None, None) if default == Path::new("/") || default.starts_with("/nonexistent") => {
            return Err(Failure::usage(
                "the real user has no home; choose one with --home DIR",
            ));
        }
        (None, None) => default,
    };
    home_warning(&home);
    Ok(home)
}

pub(crate) fn home_warning(home: &Path) {
    if home.is_absolute() && !home.is_dir() {
        out::complain(
            "ftpuser",
            format!(
                "warning: {} is not a directory yet; logins fail until it is",
                home.display()
            ),
        );
    }
}

fn secret(
    arguments: &ArgMatches,
    words: &Words<'_>,
    scheme: Scheme,
    name: &Name,
) -> Result<Secret, Failure> {
    match (scheme, password::source(arguments), words.password) {
        (_, Some(_), Some(_)) => Err(Failure::usage(
            "the password is given twice; the home goes with --home DIR",
        )),
        (Scheme::Null, Some(_), None) => Err(Failure::usage("type null has no password")),
        // With both words it is MetaFTPd's form, which needs some password there; a lone word was meant as the home.
        (Scheme::Null, None, Some(_)) if words.home.is_none() => Err(Failure::usage(
            "type null has no password; the home goes with --home DIR",
        )),
        (Scheme::Null, None, _) => Ok(Secret::new(b"")),
        (_, None, Some(password)) => {
            out::complain(
                "ftpuser",
                "warning: everybody on this system could see the password in the list of processes; \
                 --password-stdin hides it",
            );
            Ok(Secret::new(password.as_bytes()))
        }
        (Scheme::Crypt, None, None) => Err(Failure::usage(HASH_FROM_WHERE)),
        (_, source, None) => password::obtain(source, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_password_home_and_settings_in_any_order() {
        let words = Words::sort(["Idle=5", "pw", "/srv/a=b"].into_iter(), "")
            .ok()
            .unwrap();
        assert_eq!(words.password, Some("pw"));
        assert_eq!(words.home, Some("/srv/a=b"));
        assert_eq!(words.settings, [("Idle".to_owned(), "5".to_owned())]);
        assert!(Words::sort(["a", "b", "c"].into_iter(), "").is_err());
        assert!(Words::sort(["NoSuchSetting=5"].into_iter(), "").is_err());
    }
}
