//! The arguments of what asks for digests of files: HASH and RANG (draft-bryan-ftpext-hash, draft-bryan-ftp-range), MD5 and
//! MMD5 (draft-twine-ftpmd5), and the older X commands. Pure: no I/O.

use super::{ArgError, PathArg, number};
use crate::digest::Algorithm;
use crate::proto::verbs::Command;

/// Octets of a file, from one to before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: u64,
    pub end: u64,
}

/// The argument of the X commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartArg {
    pub path: PathArg,
    /// Without it, all of the file.
    pub span: Option<Span>,
    /// The argument as a whole, where the numbers at its end may belong to the name.
    pub whole: Option<PathArg>,
}

/// `"name" [start end]` with `""` for a quote in the name, or `name [start end]`.
pub(in crate::proto) fn part(argument: &[u8]) -> Result<PartArg, ArgError> {
    match argument.strip_prefix(b"\"") {
        Some(quoted) => {
            let (name, rest) = unquote(quoted)?;
            Ok(PartArg {
                path: PathArg(name),
                span: span(rest)?,
                whole: None,
            })
        }
        None => unquoted(argument),
    }
}

fn unquoted(argument: &[u8]) -> Result<PartArg, ArgError> {
    let whole = super::path(argument)?;
    let is_number = |word: &&[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    let mut words = argument.rsplitn(3, |&octet| octet == b' ');
    let (end, start) = (
        words.next().filter(is_number),
        words.next().filter(is_number),
    );
    match (words.next(), start, end) {
        (Some(name), Some(start), Some(end)) if !name.is_empty() => Ok(PartArg {
            path: PathArg(name.to_vec()),
            span: Some(between(number(start)?, number(end)?)?),
            whole: Some(whole),
        }),
        _ => Ok(PartArg {
            path: whole,
            span: None,
            whole: None,
        }),
    }
}

/// The name in front of the closing quote, and what is behind that.
fn unquote(mut quoted: &[u8]) -> Result<(Vec<u8>, &[u8]), ArgError> {
    let mut name = Vec::new();
    loop {
        let end = memchr::memchr(b'"', quoted).ok_or(ArgError::Syntax)?;
        name.extend_from_slice(&quoted[..end]);
        quoted = &quoted[end + 1..];
        match quoted.strip_prefix(b"\"") {
            Some(rest) => {
                name.push(b'"');
                quoted = rest;
            }
            None if name.is_empty() => return Err(ArgError::Missing),
            None => return Ok((name, quoted)),
        }
    }
}

/// Nothing, or two numbers behind a blank.
fn span(rest: &[u8]) -> Result<Option<Span>, ArgError> {
    if !rest.is_empty() && !rest.starts_with(b" ") {
        return Err(ArgError::Syntax);
    }
    let mut words = rest.split(|&b| b == b' ').filter(|word| !word.is_empty());
    match (words.next(), words.next(), words.next()) {
        (None, None, None) => Ok(None),
        (Some(start), Some(end), None) => between(number(start)?, number(end)?).map(Some),
        _ => Err(ArgError::Syntax),
    }
}

fn between(start: u64, end: u64) -> Result<Span, ArgError> {
    if start <= end {
        Ok(Span { start, end })
    } else {
        Err(ArgError::Syntax)
    }
}

/// RANG's first and last octet; `1 0` asks for the whole file again.
pub(in crate::proto) fn range(argument: &[u8]) -> Result<Option<Span>, ArgError> {
    let mut words = argument
        .split(|&b| b == b' ')
        .filter(|word| !word.is_empty());
    match (words.next(), words.next(), words.next()) {
        (Some(start), Some(last), None) => match (number(start)?, number(last)?) {
            (1, 0) => Ok(None),
            (start, last) => {
                let end = last.checked_add(1).ok_or(ArgError::Syntax)?;
                let wrong = start > last;
                (!wrong)
                    .then_some(Some(Span { start, end }))
                    .ok_or(ArgError::Syntax)
            }
        },
        (None, ..) | (Some(_), None, _) => Err(ArgError::Missing),
        _ => Err(ArgError::Syntax),
    }
}

/// MMD5's names: commas stand between them, so a name with a comma is quoted.
pub(in crate::proto) fn names(argument: &[u8]) -> Result<Vec<PathArg>, ArgError> {
    let mut names = Vec::new();
    let mut rest = argument.trim_ascii();
    loop {
        let name = match rest.strip_prefix(b"\"") {
            Some(quoted) => {
                let (name, behind) = unquote(quoted)?;
                rest = behind.trim_ascii_start();
                name
            }
            None => {
                let end = memchr::memchr(b',', rest).unwrap_or(rest.len());
                let (name, behind) = rest.split_at(end);
                rest = behind;
                name.trim_ascii().to_vec()
            }
        };
        if name.is_empty() {
            return Err(ArgError::Missing);
        }
        names.push(PathArg(name));
        match rest.split_first() {
            None => return Ok(names),
            Some((b',', behind)) => rest = behind.trim_ascii_start(),
            Some(_) => return Err(ArgError::Syntax),
        }
    }
}

/// OPTS HASH: the name of a digest; without one the client asks which it is.
pub(super) fn choice(argument: &[u8]) -> Result<Command, ArgError> {
    let name = super::optional_text(argument)?;
    let algorithm = name.map(|name| Algorithm::find(&name).ok_or(ArgError::Syntax));
    Ok(Command::OptsHash(algorithm.transpose()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name, the numbers, and whether they may belong to the name.
    type Parsed = (String, Option<(u64, u64)>, bool);

    fn parsed(argument: &str) -> Result<Parsed, ArgError> {
        part(argument.as_bytes()).map(|part| {
            let name = String::from_utf8(part.path.0).unwrap();
            let span = part.span.map(|span| (span.start, span.end));
            (name, span, part.whole.is_some())
        })
    }

    #[test]
    fn a_part_of_a_file_is_a_name_and_perhaps_two_numbers() {
        let whole = |name: &str| Ok((name.to_owned(), None, false));
        assert_eq!(parsed("file"), whole("file"));
        assert_eq!(parsed("a file"), whole("a file"));
        assert_eq!(parsed("file 7"), whole("file 7"));
        assert_eq!(parsed("\"file 1 2\""), whole("file 1 2"));
        assert_eq!(parsed("\"a \"\"b\"\"\""), whole("a \"b\""));
        let some = |name: &str, span, guess| Ok((name.to_owned(), Some(span), guess));
        assert_eq!(parsed("file 0 12"), some("file", (0, 12), true));
        assert_eq!(parsed("a file 3 3"), some("a file", (3, 3), true));
        assert_eq!(parsed("\"a file\" 3 12"), some("a file", (3, 12), false));
        for wrong in [
            "\"open",
            "\"a\"b",
            "\"a\" 1",
            "\"a\" 2 1",
            "\"a\" 1 x",
            "\"a\" 1 2 3",
            "a 5 4",
        ] {
            assert_eq!(parsed(wrong), Err(ArgError::Syntax), "{wrong}");
        }
        let huge = "\"a\" 0 18446744073709551616";
        assert_eq!(parsed(huge), Err(ArgError::Syntax));
        for missing in ["", "\"\""] {
            assert_eq!(parsed(missing), Err(ArgError::Missing), "{missing}");
        }
    }

    #[test]
    fn a_range_has_both_its_ends_in_it() {
        let span = |start, end| Ok(Some(Span { start, end }));
        assert_eq!(range(b"0 0"), span(0, 1));
        assert_eq!(range(b" 5  9 "), span(5, 10));
        assert_eq!(range(b"1 0"), Ok(None));
        assert_eq!(range(b"5"), Err(ArgError::Missing));
        for wrong in ["9 5", "0 18446744073709551615", "-1 5", "1 2 3"] {
            assert_eq!(range(wrong.as_bytes()), Err(ArgError::Syntax), "{wrong}");
        }
    }

    #[test]
    fn several_names_have_commas_between_them() {
        let parsed = |argument: &str| {
            names(argument.as_bytes()).map(|names| {
                let texts = names
                    .into_iter()
                    .map(|name| String::from_utf8(name.0).unwrap());
                texts.collect::<Vec<_>>().join("|")
            })
        };
        assert_eq!(parsed("one"), Ok("one".to_owned()));
        assert_eq!(
            parsed("one, two words ,three"),
            Ok("one|two words|three".to_owned())
        );
        assert_eq!(parsed("\"a, b\", c"), Ok("a, b|c".to_owned()));
        for missing in ["", "a,", ",a", "a,,b"] {
            assert_eq!(parsed(missing), Err(ArgError::Missing), "{missing}");
        }
        assert_eq!(parsed("\"a\" b"), Err(ArgError::Syntax));
    }
}
