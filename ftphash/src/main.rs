//! `ftphash`: digests of files, printed and checked. Thin: the digests are in `common::digest`.

mod manifest;
mod verify;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ArgMatches;
use common::cli::{self, out, out::Out};
use common::digest::{Algorithm, Digest};
use common::hashing::Hashing;
use verify::Tell;

/// How one file or manifest went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Good,
    Failed,
}

fn main() -> ExitCode {
    let matches = cli::matches(cli::ftphash::command());
    let mut out = out::stdout();
    let done = match matches.subcommand() {
        Some(("sum", arguments)) => sum(arguments, &mut out),
        Some(("verify", arguments)) => verify(arguments, &mut out),
        _ => Ok(Outcome::Failed),
    };
    match done.and_then(|outcome| out.flush().map(|()| outcome)) {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::FAILURE,
        Err(error) => {
            out::complain("ftphash", format!("standard output: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn sum(arguments: &ArgMatches, out: &mut Out) -> io::Result<Outcome> {
    let algorithm = algorithm(arguments).unwrap_or(Algorithm::Sha256);
    let mut outcome = Outcome::Good;
    for path in files(arguments) {
        match open(path).and_then(|source| digest(algorithm, source)) {
            Ok(digest) => {
                let line = manifest::line(&digest, path.as_os_str().as_bytes());
                out.write_all(&line)?;
                out.write_all(b"\n")?;
                // A large file may come next: what is known should be seen.
                out.flush()?;
            }
            Err(error) => outcome = complain_of(path, &error),
        }
        if !out.is_open() {
            break;
        }
    }
    Ok(outcome)
}

fn verify(arguments: &ArgMatches, out: &mut Out) -> io::Result<Outcome> {
    let tell = match (arguments.get_flag("status"), arguments.get_flag("quiet")) {
        (true, _) => Tell::Nothing,
        (false, true) => Tell::Failures,
        (false, false) => Tell::All,
    };
    let mut outcome = Outcome::Good;
    for path in files(arguments) {
        if verify::verify(path, algorithm(arguments), tell, out)? == Outcome::Failed {
            outcome = Outcome::Failed;
        }
    }
    Ok(outcome)
}

fn algorithm(arguments: &ArgMatches) -> Option<Algorithm> {
    arguments.get_one::<Algorithm>("algorithm").copied()
}

fn files(arguments: &ArgMatches) -> impl Iterator<Item = &Path> {
    let files = arguments.get_many::<PathBuf>("files");
    files.into_iter().flatten().map(PathBuf::as_path)
}

fn file_name(octets: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(octets))
}

/// Opens a file, or the standard input for `-`.
fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "a file that the caller named, opened with the caller's rights"
    )]
    let file = File::open(path)?;
    Ok(Box::new(file))
}

fn digest(algorithm: Algorithm, mut source: impl Read) -> io::Result<Digest> {
    let mut hashing = Hashing::new(algorithm);
    loop {
        match source.read(hashing.room()) {
            Ok(0) => return Ok(hashing.finish()),
            Ok(count) => hashing.filled(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn complain_of(path: &Path, error: &io::Error) -> Outcome {
    out::complain("ftphash", format!("{}: {error}", path.display()));
    Outcome::Failed
}
