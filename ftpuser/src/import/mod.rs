//! `ftpuser import`: users of another program's file, with the passwords that they have.

mod forms;
mod pairs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use common::auth::native::{Edit, Existing, Name, Record, Scheme, Stored, shown};
use common::cli::ftpuser::{Form, form_of};
use common::cli::out::complain;
use common::path::LONGEST_NAME;
use common::settings::{Cost, check_user_setting};
use zeroize::Zeroizing;

use crate::{Failure, file, tell, weakness};
use forms::{Candidate, Owner, Password};
use pairs::pairs;

/// The largest file that is taken, in octets; a million users have less.
const LARGEST: u64 = 256 << 20;

/// The numbers in hashes and B-trees of Berkeley DB that say what the file is.
const BERKELEY: [&[u8]; 2] = [
    &0x0006_1561_u32.to_le_bytes(),
    &0x0005_3162_u32.to_le_bytes(),
];

/// What fills the gaps of a form.
struct Defaults<'a> {
    real_user: Option<&'a str>,
    home: Option<&'a str>,
}

/// What became of the lines of a source.
#[derive(Default)]
struct Taken {
    records: Vec<Record>,
    /// In lower case.
    names: BTreeSet<String>,
    /// Lines that are about nobody who logs in with a password.
    without_password: usize,
    bad: usize,
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let form = form_of(arguments);
    let path = |name: &str| arguments.get_one::<PathBuf>(name);
    let source = path("source").map_or(Path::new(""), PathBuf::as_path);
    let octets = read(source)?;
    let shadow = match (path("shadow"), form) {
        (Some(shadow), Form::Passwd) => read(shadow)?,
        (Some(_), _) => return Err(Failure::usage("--shadow goes with --from passwd")),
        (None, _) => Zeroizing::default(),
    };
    let text = |name: &str| arguments.get_one::<String>(name).map(String::as_str);
    let defaults = Defaults {
        real_user: text("real-user"),
        home: text("home"),
    };
    if BERKELEY
        .iter()
        .any(|magic| octets.get(12..16) == Some(magic))
    {
        return Err(Failure::Failed(format!(
            "{}: a Berkeley DB: `db_dump -p` (of the package db-util) makes text of it, which --from pam-userdb reads",
            source.display()
        )));
    }
    let taken = take(form, source, &octets, &forms::shadow(&shadow), &defaults);
    if taken.bad > 0 && !arguments.get_flag("skip-bad") {
        return Err(Failure::Failed(format!(
            "{} cannot be taken over, so nothing was imported; --skip-bad leaves out what cannot",
            counted(taken.bad, "line")
        )));
    }
    let existing = match arguments.get_flag("replace") {
        true => Existing::Replace,
        false => Existing::Refuse,
    };
    let dry = arguments.get_flag("dry-run");
    put(file(arguments), &taken.records, existing, dry)?;
    let verb = if dry { "would import" } else { "imported" };
    let mut told = format!("{verb} {}", counted(taken.records.len(), "user"));
    if taken.without_password > 0 {
        told.push_str(&format!(
            ", left out {} without a password",
            taken.without_password
        ));
    }
    if taken.bad > 0 {
        told.push_str(&format!(", left out {}", counted(taken.bad, "bad line")));
    }
    tell(&format!("{told}\n"))
}

fn counted(count: usize, what: &str) -> String {
    let many = if count == 1 { "" } else { "s" };
    format!("{count} {what}{many}")
}

fn put(file: &Path, records: &[Record], existing: Existing, dry: bool) -> Result<(), Failure> {
    // Only who really writes makes the file.
    if dry && !file.exists() {
        return Ok(());
    }
    let mut edit = match dry {
        true => Edit::begin(file)?,
        false => Edit::begin_or_create(file)?,
    };
    edit.put_all(records, existing)?;
    match dry {
        true => Ok(()),
        false => Ok(edit.commit()?),
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error| Failure::Failed(format!("{}: {error}", path.display()));
    #[expect(
        clippy::disallowed_methods,
        reason = "a file that the caller named, opened with the caller's rights"
    )]
    let file = File::open(path).map_err(failed)?;
    let mut octets = Zeroizing::new(Vec::new());
    file.take(LARGEST + 1)
        .read_to_end(&mut octets)
        .map_err(failed)?;
    match octets.len() as u64 > LARGEST {
        true => Err(Failure::Failed(format!(
            "{}: larger than {} MiB",
            path.display(),
            LARGEST >> 20
        ))),
        false => Ok(octets),
    }
}

/// Reads every user; what is wrong with one is told at once.
fn take(
    form: Form,
    source: &Path,
    octets: &[u8],
    shadow: &BTreeMap<&[u8], &[u8]>,
    defaults: &Defaults<'_>,
) -> Taken {
    let mut taken = Taken::default();
    if form == Form::PamUserdb {
        for pair in pairs(octets) {
            let place = Place::new(source, pair.line, &pair.name);
            let candidate = forms::of_pair(&pair);
            taken.add(&place, candidate.and_then(|user| record(user, defaults)));
        }
        return taken;
    }
    for (number, line) in (1..).zip(octets.split(|&octet| octet == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.trim_ascii().is_empty() || line.starts_with(b"#") {
            continue;
        }
        let name = line.split(|&octet| octet == b':').next();
        let place = Place::new(source, number, name.unwrap_or_default());
        let record = match form {
            Form::Metaftpd => Record::parse(line).map(Some).map_err(|why| why.to_string()),
            _ => forms::candidate(form, line, shadow).and_then(|candidate| {
                for lost in &candidate.lost {
                    place.complain(&format!("warning: {lost}"));
                }
                record(candidate, defaults)
            }),
        };
        taken.add(&place, record);
    }
    taken
}

/// A user in a source.
struct Place<'a> {
    source: &'a Path,
    line: usize,
    /// As it can be shown.
    name: String,
}

impl Place<'_> {
    fn new<'a>(source: &'a Path, line: usize, name: &[u8]) -> Place<'a> {
        Place {
            source,
            line,
            name: shown(&name[..name.len().min(LONGEST_NAME + 1)]),
        }
    }

    fn complain(&self, text: &str) {
        let (source, line, name) = (self.source.display(), self.line, &self.name);
        complain("ftpuser", format!("{source}:{line}: user {name:?}: {text}"));
    }
}

impl Taken {
    fn add(&mut self, place: &Place<'_>, record: Result<Option<Record>, String>) {
        let problem = match record {
            Ok(Some(_)) if !self.names.insert(place.name.to_ascii_lowercase()) => {
                "another line has this name already".to_owned()
            }
            Ok(Some(record)) => {
                if let Some(weakness) = weakness(record.stored()) {
                    place.complain(&format!("warning: {weakness}"));
                }
                return self.records.push(record);
            }
            Ok(None) => return self.without_password += 1,
            Err(why) => why,
        };
        place.complain(&problem);
        self.bad += 1;
    }
}

/// Makes a record of what a line says and the caller adds; `None` where nobody could log in with a password anyway.
fn record(candidate: Candidate<'_>, defaults: &Defaults<'_>) -> Result<Option<Record>, String> {
    let Some(password) = candidate.password else {
        return Ok(None);
    };
    let name = Name::new(candidate.name).map_err(|error| error.to_string())?;
    let real_user = match (defaults.real_user, candidate.owner) {
        (Some(user), _) => user.to_owned(),
        (None, Owner::Name(user)) => user.to_owned(),
        (None, Owner::Uid(uid)) => user_of(uid)?,
        (None, Owner::Unknown) => {
            return Err("whose are the files? --real-user USER says it".to_owned());
        }
    };
    let home = match (candidate.home, defaults.home) {
        (Some(home), _) => home,
        (None, Some(home)) => PathBuf::from(home.replace("{name}", &name.to_string())),
        (None, None) => return Err("there is no home; --home DIR says one".to_owned()),
    };
    let stored = match password {
        Password::Hash(hash) => Stored::of_hash(hash).map_err(|error| {
            let hint = forms::unusable(hash);
            format!("{error}{hint}; add this user with a new password")
        })?,
        Password::Plain(secret) => Stored::new(Scheme::Argon2id, Cost::default(), &name, &secret)
            .map_err(|error| error.to_string())?,
    };
    for (key, value) in &candidate.settings {
        check_user_setting(key, value)?;
    }
    Record::new(name, stored, &real_user, &home, candidate.settings)
        .map(Some)
        .map_err(|error| error.to_string())
}

fn user_of(uid: u32) -> Result<String, String> {
    match nix::unistd::User::from_uid(uid.into()) {
        Ok(Some(user)) => Ok(user.name),
        Ok(None) => Err(format!(
            "this system has no user with uid {uid}; --real-user USER says whose the files are"
        )),
        Err(errno) => Err(format!("uid {uid}: {}", errno.desc())),
    }
}
