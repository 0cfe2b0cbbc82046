//! `ftpuser`: the users of ftpd's own file, from the command line. Thin: what a user is, `common::auth` says.

mod add;
mod check;
mod export;
mod failure;
mod import;
mod list;
mod password;
mod set;
mod show;

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use clap::ArgMatches;
use common::auth::Secret;
use common::auth::native::{Edit, Scheme, Stored};
use common::cli::{self, out};
use common::settings::Cost;

use failure::Failure;

/// Nobody types a hash twice without seeing it.
const HASH_FROM_WHERE: &str =
    "the hash for type crypt comes with --password-stdin or --password-file";

fn main() -> ExitCode {
    let matches = cli::matches(cli::ftpuser::command());
    let Some((command, arguments)) = matches.subcommand() else {
        return ExitCode::from(2);
    };
    let done = match command {
        "add" => add::run(arguments),
        "del" => delete(arguments),
        "check" => check::run(arguments),
        "disable" => set::enable(arguments, false),
        "enable" => set::enable(arguments, true),
        "export" => export::run(arguments),
        "import" => import::run(arguments),
        "list" => list::run(arguments),
        "passwd" => change_password(arguments),
        "set" => set::run(arguments),
        "show" => show::run(arguments),
        _ => Err(Failure::usage("which of the sub-commands?")),
    };
    let Err(failure) = done else {
        return ExitCode::SUCCESS;
    };
    let status = match failure {
        Failure::Usage(_) => 2,
        Failure::Failed(_) | Failure::Native(_) => 1,
    };
    out::complain("ftpuser", failure.told(file(arguments)));
    ExitCode::from(status)
}

fn delete(arguments: &ArgMatches) -> Result<(), Failure> {
    let mut edit = Edit::begin(file(arguments))?;
    edit.delete(name(arguments))?;
    Ok(edit.commit()?)
}

fn change_password(arguments: &ArgMatches) -> Result<(), Failure> {
    // An unknown user is told before anybody types a password. The lock is not held while they do.
    let edit = Edit::begin(file(arguments))?;
    let known = edit.name_of(name(arguments))?;
    let early = edit.let_go();
    let scheme = scheme(arguments);
    let secret = match (scheme, password::source(arguments)) {
        (Scheme::Null, None) => Secret::new(b""),
        (Scheme::Null, Some(_)) => return Err(Failure::usage("type null has no password")),
        (Scheme::Crypt, None) => return Err(Failure::usage(HASH_FROM_WHERE)),
        (_, source) => password::obtain(source, &known)?,
    };
    // Before the lock: nobody shall wait for this.
    let mut stored = Stored::new(scheme, cost(arguments), &known, &secret)?;
    let mut edit = Edit::begin_after(file(arguments), early)?;
    // The digests of old types are made with the name as the file has it now.
    let now = edit.name_of(name(arguments))?;
    if now.as_bytes() != known.as_bytes() {
        stored = Stored::new(scheme, cost(arguments), &now, &secret)?;
    }
    warn_of_weak(&stored);
    edit.set_password(name(arguments), &stored)?;
    Ok(edit.commit()?)
}

fn warn_of_weak(stored: &Stored) {
    if let Some(weakness) = weakness(stored) {
        out::complain("ftpuser", format!("warning: {weakness}"));
    }
}

/// What is wrong with keeping a password in this way.
fn weakness(stored: &Stored) -> Option<String> {
    match stored.scheme() {
        Scheme::Argon2id | Scheme::Null => None,
        Scheme::Crypt => stored.crypted()?.weakness().map(|method| {
            format!("who reads the file learns the password quickly: it is kept by {method}; `ftpuser passwd` keeps a new one better, and UpdatePass=argon2id the same one from the next login on")
        }),
        Scheme::Challenge => Some(
            "who reads the file learns passwords of type challenge at once, and UpdatePass leaves them; `ftpuser passwd` keeps a new one better".to_owned(),
        ),
        Scheme::Plain
        | Scheme::Md5
        | Scheme::Sha1
        | Scheme::Sha256
        | Scheme::Sha512
        | Scheme::Whirlpool
        | Scheme::Jh(_) => Some(format!(
            "who reads the file learns passwords of type {} quickly; argon2id, the default, is better",
            stored.scheme().name()
        )),
    }
}

/// Writes what a sub-command is for.
fn tell(text: &str) -> Result<(), Failure> {
    let mut out = out::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(unwritten)
}

fn unwritten(error: std::io::Error) -> Failure {
    Failure::Failed(format!("standard output: {error}"))
}

fn file(arguments: &ArgMatches) -> &Path {
    arguments
        .get_one::<std::path::PathBuf>("file")
        .map_or(Path::new(""), |path| path)
}

fn name(arguments: &ArgMatches) -> &[u8] {
    arguments
        .get_one::<OsString>("name")
        .map_or(b"", |name| name.as_bytes())
}

fn scheme(arguments: &ArgMatches) -> Scheme {
    arguments
        .get_one::<Scheme>("type")
        .copied()
        .unwrap_or(Scheme::Argon2id)
}

fn cost(arguments: &ArgMatches) -> Cost {
    arguments
        .get_one::<Cost>("cost")
        .copied()
        .unwrap_or_default()
}
