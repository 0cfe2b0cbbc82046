//! `ftphash`: digests of files, printed and checked. The digests are in `common::digest`.

mod compare;
mod confirm;
mod lines;
mod manifest;
mod measure;
mod ordered;
mod progress;
mod source;
mod sum;
mod told;
mod tree;
mod verdict;
mod verify;

use std::ffi::OsStr;
use std::fmt::{Display, Write as _};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ArgMatches;
use common::cli::{self, out, out::Out};
use common::digest::Algorithm;

use manifest::{Ending, Form};
use progress::Meter;
use verdict::Tell;

const PROGRAM: &str = "ftphash";

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        Some(("confirm", arguments)) => confirm(arguments, &mut out),
        Some(("compare", arguments)) => return compare(arguments, &mut out),
        _ => Ok(Outcome::Failed),
    };
    match finish(done, &mut out) {
        Some(Outcome::Good) => ExitCode::SUCCESS,
        Some(Outcome::Failed) | None => ExitCode::FAILURE,
    }
}

/// What there is to say, unless it could not be said.
fn finish<T>(done: io::Result<T>, out: &mut Out) -> Option<T> {
    let done = done.and_then(|outcome| out.flush().map(|()| outcome));
    done.inspect_err(|error| complain(Path::new("standard output"), source::reason(error)))
        .ok()
}

fn sum(arguments: &ArgMatches, out: &mut Out) -> io::Result<Outcome> {
    let mut algorithms: Vec<Algorithm> = Vec::new();
    for &algorithm in arguments.get_many("algorithm").into_iter().flatten() {
        if !algorithms.contains(&algorithm) {
            algorithms.push(algorithm);
        }
    }
    let form = match (arguments.get_flag("json"), arguments.get_flag("tag")) {
        (true, _) => Form::Json,
        (false, true) => Form::Tagged,
        // Lengths tell too little where there are several.
        (false, false) if algorithms.len() > 1 => Form::Tagged,
        (false, false) => Form::Plain,
    };
    let request = sum::Request {
        files: files(arguments),
        algorithms,
        trees: match arguments.get_flag("recursive") {
            true => sum::Trees::Read,
            false => sum::Trees::Refuse,
        },
        form,
        ending: ending(arguments),
    };
    sum::sum(&request, &meter(arguments), out)
}

fn verify(arguments: &ArgMatches, out: &mut Out) -> io::Result<Outcome> {
    let request = verify::Request {
        manifests: files(arguments),
        algorithm: arguments.get_one("algorithm").copied(),
        ending: ending(arguments),
        tell: tell(arguments),
        form: form(arguments),
        missing: match arguments.get_flag("ignore-missing") {
            true => verify::Missing::PassOver,
            false => verify::Missing::Fail,
        },
        improper: match arguments.get_flag("strict") {
            true => verify::Improper::Fail,
            false => verify::Improper::Count,
        },
        warn: arguments.get_flag("warn"),
    };
    verify::verify(&request, &meter(arguments), out)
}

fn confirm(arguments: &ArgMatches, out: &mut Out) -> io::Result<Outcome> {
    let path = |name| arguments.get_one::<PathBuf>(name).map(PathBuf::as_path);
    let sent = match arguments.get_flag("ascii") {
        true => confirm::Sent::Ascii,
        false => confirm::Sent::Image,
    };
    let told = match arguments.get_many::<String>("reply") {
        Some(replies) => confirm::Told::Replies(replies.map(String::as_str).collect(), sent),
        None => confirm::Told::Transcript(path("transcript").unwrap_or(Path::new("-"))),
    };
    let request = confirm::Request {
        told,
        algorithm: arguments.get_one("algorithm").copied(),
        directory: path("directory").unwrap_or(Path::new(".")),
        file: path("file"),
        tell: tell(arguments),
        form: form(arguments),
    };
    confirm::confirm(&request, &meter(arguments), out)
}

/// Has exit statuses of its own: those of diff(1).
fn compare(arguments: &ArgMatches, out: &mut Out) -> ExitCode {
    let path = |name| arguments.get_one::<PathBuf>(name).map(PathBuf::as_path);
    let (Some(a), Some(b)) = (path("a"), path("b")) else {
        // The command line demands both.
        return ExitCode::from(2);
    };
    let request = compare::Request {
        a,
        b,
        tell: match (arguments.get_flag("all"), arguments.get_flag("status")) {
            (true, _) => compare::Tell::All,
            (false, true) => compare::Tell::Nothing,
            (false, false) => compare::Tell::Differences,
        },
        form: match arguments.get_flag("json") {
            true => compare::Form::Json,
            false => compare::Form::Lines(ending(arguments)),
        },
    };
    let done = compare::compare(&request, &meter(arguments), out);
    match finish(done, out) {
        Some(compare::Outcome::Same) => ExitCode::SUCCESS,
        Some(compare::Outcome::Different) => ExitCode::FAILURE,
        Some(compare::Outcome::Trouble) | None => ExitCode::from(2),
    }
}

fn files(arguments: &ArgMatches) -> Vec<&Path> {
    let files = arguments.get_many::<PathBuf>("files");
    files.into_iter().flatten().map(PathBuf::as_path).collect()
}

fn ending(arguments: &ArgMatches) -> Ending {
    match arguments.get_flag("zero") {
        true => Ending::Nul,
        false => Ending::Newline,
    }
}

fn tell(arguments: &ArgMatches) -> Tell {
    match (arguments.get_flag("status"), arguments.get_flag("quiet")) {
        (true, _) => Tell::Nothing,
        (false, true) => Tell::Failures,
        (false, false) => Tell::All,
    }
}

fn form(arguments: &ArgMatches) -> verdict::Form {
    match arguments.get_flag("json") {
        true => verdict::Form::Json,
        false => verdict::Form::Lines,
    }
}

fn meter(arguments: &ArgMatches) -> Meter {
    Meter::new(!arguments.get_flag("no-progress"))
}

fn file_name(octets: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(octets))
}

fn complain(path: &Path, what: impl Display) {
    out::complain(PROGRAM, format_args!("{}: {what}", shown(path)));
}

fn complain_of(path: &Path, error: &io::Error) -> Outcome {
    complain(path, source::reason(error));
    Outcome::Failed
}

/// A name for people: what would break the line, steer the terminal or is no text is shown as numbers.
fn shown(path: &Path) -> String {
    let mut text = String::new();
    for piece in path.as_os_str().as_bytes().utf8_chunks() {
        for character in piece.valid().chars() {
            match character.is_control() {
                true => text.extend(character.escape_default()),
                false => text.push(character),
            }
        }
        for octet in piece.invalid() {
            // Writing to memory does not fail.
            let _ = write!(text, "\\x{octet:02x}");
        }
    }
    text
}
