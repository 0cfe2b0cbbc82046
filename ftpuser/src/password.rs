//! Where a new password comes from. Never echoes it and never takes it from the environment.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::PathBuf;

use clap::ArgMatches;
use common::auth::Secret;
use common::auth::native::Name;
use zeroize::Zeroizing;

use crate::Failure;

/// The longest password that is taken, in octets; no client's line could carry more.
const LONGEST: usize = 1024;

/// A place that holds a password in its first line.
pub(crate) enum Source {
    Stdin,
    File(PathBuf),
}

/// The place that the arguments name; `None` is the terminal.
pub(crate) fn source(arguments: &ArgMatches) -> Option<Source> {
    if arguments.get_flag("password-stdin") {
        return Some(Source::Stdin);
    }
    let file = arguments.get_one::<PathBuf>("password-file");
    file.cloned().map(Source::File)
}

/// Reads the password from its place or asks for it, twice.
pub(crate) fn obtain(source: Option<Source>, name: &Name) -> Result<Secret, Failure> {
    match source {
        Some(Source::Stdin) => first_line(io::stdin().lock())
            .map_err(|error| Failure::Failed(format!("standard input: {error}"))),
        Some(Source::File(path)) => {
            #[expect(
                clippy::disallowed_methods,
                reason = "a file that the caller named, opened with the caller's rights"
            )]
            let opened = File::open(&path);
            opened
                .and_then(|file| first_line(BufReader::new(file)))
                .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
        }
        None => ask(name),
    }
}

fn ask(name: &Name) -> Result<Secret, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "no terminal to ask for the password; use --password-stdin or --password-file FILE",
        ));
    }
    let once = |prompt: String| {
        rpassword::prompt_password(prompt)
            .map(Zeroizing::new)
            .map_err(|error| Failure::Failed(format!("reading the password: {error}")))
    };
    let first = once(format!("Password for {name}: "))?;
    let second = once("The same again: ".to_owned())?;
    if first != second {
        return Err(Failure::failed("the two passwords differ"));
    }
    Ok(Secret::new(first.as_bytes()))
}

fn first_line(source: impl BufRead) -> io::Result<Secret> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST + 2));
    source
        .take(LONGEST as u64 + 2)
        .read_until(b'\n', &mut line)?;
    let password = line.strip_suffix(b"\n").unwrap_or(&line);
    let password = password.strip_suffix(b"\r").unwrap_or(password);
    if password.len() > LONGEST {
        let message = format!("a password longer than {LONGEST} octets");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(Secret::new(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_the_first_line_without_its_end() {
        for (octets, password) in [
            (&b"a b \nmore\n"[..], &b"a b "[..]),
            (b"ab\r\n", b"ab"),
            (b"ab", b"ab"),
            (b"", b""),
        ] {
            assert_eq!(first_line(octets).unwrap().expose(), password);
        }
        let longest = vec![b'x'; LONGEST];
        assert_eq!(first_line(&longest[..]).unwrap().expose(), longest);
        assert!(first_line(&vec![b'x'; LONGEST + 1][..]).is_err());
    }
}
