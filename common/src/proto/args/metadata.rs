//! Arguments of what changes metadata: times, modes, links. Pure: no I/O.

use super::{ArgError, PathArg, path};
use crate::proto::facts::{Permissions, seconds_of};
use crate::proto::verbs::{Command, split};

/// The new facts of MFF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewFacts {
    /// Seconds since 1970.
    pub modify: Option<i64>,
    pub mode: Option<Permissions>,
}

/// The argument of SITE UTIME, in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTimes {
    pub accessed: i64,
    pub modified: i64,
    pub path: PathArg,
}

/// The argument of SITE SYMLINK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLink {
    pub target: PathArg,
    pub link: PathArg,
}

/// A time value (RFC 3659 §2.3). Its fraction is left out, as no fact here has one.
fn time_value(text: &[u8]) -> Result<i64, ArgError> {
    let (whole, fraction) = match text.iter().position(|&b| b == b'.') {
        Some(dot) => (&text[..dot], Some(&text[dot + 1..])),
        None => (text, None),
    };
    let good = fraction.is_none_or(|f| !f.is_empty() && f.iter().all(u8::is_ascii_digit));
    match seconds_of(whole) {
        Some(seconds) if good && whole.len() == 14 => Ok(seconds),
        _ => Err(ArgError::Syntax),
    }
}

/// The grammar of MFMT and MFCT: `<time> <path>`.
pub(in crate::proto) fn time_and_path(argument: &[u8]) -> Result<(i64, PathArg), ArgError> {
    let (time, name) = split(argument);
    if time.is_empty() {
        return Err(ArgError::Missing);
    }
    Ok((time_value(time)?, path(name)?))
}

/// `<path>`, or MetaFTPd's `<time> <path>`, which sets the time; the file may also have that as its name.
pub(in crate::proto) fn mdtm(argument: &[u8]) -> Result<Command, ArgError> {
    let whole = path(argument)?;
    Ok(match time_and_path(argument) {
        Ok((time, path)) => Command::MdtmSet { time, path, whole },
        Err(_) => Command::Mdtm(whole),
    })
}

/// No Linux file system lets the time of creation be set.
pub(in crate::proto) fn mfct(argument: &[u8]) -> Result<Command, ArgError> {
    time_and_path(argument).and(Err(ArgError::NotOffered))
}

/// `<fact>=<value>;… <path>`, with the names that MLST has for facts.
pub(in crate::proto) fn mff(argument: &[u8]) -> Result<Command, ArgError> {
    let (list, name) = split(argument);
    let list = list.strip_suffix(b";").ok_or(match list {
        b"" => ArgError::Missing,
        _ => ArgError::Syntax,
    })?;
    let mut facts = NewFacts::default();
    for fact in list.split(|&b| b == b';') {
        let equals = fact.iter().position(|&b| b == b'=');
        let (fact, value) = fact.split_at(equals.ok_or(ArgError::Syntax)?);
        let value = &value[1..];
        match fact.to_ascii_lowercase().as_slice() {
            b"modify" if facts.modify.is_none() => facts.modify = Some(time_value(value)?),
            b"unix.mode" if facts.mode.is_none() => facts.mode = Some(mode(value)?),
            b"" | b"modify" | b"unix.mode" => return Err(ArgError::Syntax),
            _ => return Err(ArgError::NotOffered),
        }
    }
    Ok(Command::Mff(facts, path(name)?))
}

pub(in crate::proto) fn mode(octal: &[u8]) -> Result<Permissions, ArgError> {
    Permissions::parse(octal).ok_or(ArgError::Syntax)
}

/// `<octal> <path>`.
pub(in crate::proto) fn chmod(argument: &[u8]) -> Result<Command, ArgError> {
    match split(argument.trim_ascii_start()) {
        (b"", _) => Err(ArgError::Missing),
        (octal, name) => Ok(Command::SiteChmod(mode(octal)?, path(name)?)),
    }
}

pub(in crate::proto) fn umask(argument: &[u8]) -> Result<Command, ArgError> {
    Ok(Command::SiteUmask(match argument.trim_ascii() {
        b"" => None,
        octal => Some(mode(octal)?),
    }))
}

/// Both forms that are in use: `<stamp> <path>`, and `<path> <accessed> <modified> <created> UTC`. The time of creation
/// cannot be set and is left out.
pub(in crate::proto) fn utime(argument: &[u8]) -> Result<NewTimes, ArgError> {
    if argument.trim_ascii().is_empty() {
        return Err(ArgError::Missing);
    }
    if let Some(times) = three_times(argument.trim_ascii_end()) {
        return Ok(times);
    }
    let (stamp, name) = split(argument.trim_ascii_start());
    let time = seconds_of(stamp).ok_or(ArgError::Syntax)?;
    Ok(NewTimes {
        accessed: time,
        modified: time,
        path: path(name)?,
    })
}

fn three_times(argument: &[u8]) -> Option<NewTimes> {
    let mut words = argument.rsplitn(5, |&b| b == b' ');
    let zone = words.next()?;
    let mut time = || words.next().and_then(seconds_of);
    let (_created, modified, accessed) = (time()?, time()?, time()?);
    let name = words.next().filter(|name| !name.is_empty())?;
    zone.eq_ignore_ascii_case(b"UTC").then(|| NewTimes {
        accessed,
        modified,
        path: PathArg(name.to_vec()),
    })
}

/// `<target> <link>`: two words. In double quotes, which are doubled inside, a word may hold blanks.
pub(in crate::proto) fn symlink(argument: &[u8]) -> Result<NewLink, ArgError> {
    let (target, rest) = word(argument)?;
    let (link, rest) = word(rest)?;
    match rest.trim_ascii() {
        b"" => Ok(NewLink { target, link }),
        _ => Err(ArgError::Syntax),
    }
}

fn word(input: &[u8]) -> Result<(PathArg, &[u8]), ArgError> {
    let input = input.trim_ascii_start();
    let Some(quoted) = input.strip_prefix(b"\"") else {
        let (word, rest) = split(input);
        return Ok((path(word)?, rest));
    };
    let mut word = Vec::new();
    let mut rest = quoted;
    loop {
        let quote = rest.iter().position(|&b| b == b'"');
        let (part, after) = rest.split_at(quote.ok_or(ArgError::Syntax)?);
        word.extend_from_slice(part);
        match &after[1..] {
            [b'"', more @ ..] => {
                word.push(b'"');
                rest = more;
            }
            more @ ([] | [b' ', ..]) => return Ok((path(&word)?, more)),
            _ => return Err(ArgError::Syntax),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> PathArg {
        PathArg(name.as_bytes().to_vec())
    }

    #[test]
    fn a_time_and_a_path_are_parted_by_one_blank() {
        let billion = 1_000_000_000;
        let parsed = |text: &str| time_and_path(text.as_bytes());
        assert_eq!(parsed("20010909014640 a b "), Ok((billion, name("a b "))));
        assert_eq!(parsed("20010909014640.123  x"), Ok((billion, name(" x"))));
        assert_eq!(parsed(""), Err(ArgError::Missing));
        assert_eq!(parsed("20010909014640"), Err(ArgError::Missing));
        for text in [
            "20010909 x",
            "20010909014640. x",
            "20011309014640 x",
            "x 20010909014640",
        ] {
            assert_eq!(parsed(text), Err(ArgError::Syntax), "{text}");
        }
    }

    #[test]
    fn mdtm_sets_only_what_begins_with_a_whole_time() {
        assert_eq!(
            mdtm(b"20010909014640 x"),
            Ok(Command::MdtmSet {
                time: 1_000_000_000,
                path: name("x"),
                whole: name("20010909014640 x")
            })
        );
        for text in ["my file", "20010909 x", "20010909014640", "20010909014640 "] {
            assert_eq!(
                mdtm(text.as_bytes()),
                Ok(Command::Mdtm(name(text))),
                "{text}"
            );
        }
    }

    #[test]
    fn new_facts_are_those_that_can_be_set() {
        let parsed = |text: &str| mff(text.as_bytes());
        let facts = NewFacts {
            modify: Some(1_000_000_000),
            mode: Permissions::new(0o640),
        };
        assert_eq!(
            parsed("Modify=20010909014640;unix.mode=0640; a b"),
            Ok(Command::Mff(facts, name("a b")))
        );
        assert_eq!(parsed(""), Err(ArgError::Missing));
        assert_eq!(parsed("UNIX.mode=0640;"), Err(ArgError::Missing));
        for fact in ["create=20010909014640", "UNIX.owner=root", "size=0"] {
            assert_eq!(
                parsed(&format!("{fact}; x")),
                Err(ArgError::NotOffered),
                "{fact}"
            );
        }
        for text in [
            "UNIX.mode=0640 x",
            "UNIX.mode; x",
            "; x",
            "=; x",
            "UNIX.mode=; x",
            "UNIX.mode=8; x",
            "UNIX.mode=0;UNIX.mode=0; x",
            "modify=20010909; x",
        ] {
            assert_eq!(parsed(text), Err(ArgError::Syntax), "{text}");
        }
    }

    #[test]
    fn both_forms_of_utime_are_understood() {
        let times = |accessed, modified, path| {
            Ok(NewTimes {
                accessed,
                modified,
                path: name(path),
            })
        };
        let billion = 1_000_000_000;
        assert_eq!(utime(b"20010909014640 a b"), times(billion, billion, "a b"));
        assert_eq!(
            utime(b"200109090146 x"),
            times(billion - 40, billion - 40, "x")
        );
        assert_eq!(
            utime(b"a b 20010909014641 20010909014640 20010909014642 utc"),
            times(billion + 1, billion, "a b")
        );
        assert_eq!(utime(b" "), Err(ArgError::Missing));
        assert_eq!(utime(b"20010909014640"), Err(ArgError::Missing));
        for text in [
            "a",
            "a b",
            "2001 x",
            "x 20010909014640 20010909014640 20010909014640 CET",
            "x 20010909014640 20010909014640 UTC",
        ] {
            assert_eq!(utime(text.as_bytes()), Err(ArgError::Syntax), "{text}");
        }
    }

    #[test]
    fn two_paths_are_two_words_or_quoted() {
        let parsed = |text: &str| symlink(text.as_bytes());
        let link = |target, link| {
            Ok(NewLink {
                target: name(target),
                link: name(link),
            })
        };
        assert_eq!(parsed("a  b "), link("a", "b"));
        assert_eq!(parsed("\"a b\" c\"d"), link("a b", "c\"d"));
        assert_eq!(parsed("a \"b \"\"c\"\"\""), link("a", "b \"c\""));
        assert_eq!(parsed("a"), Err(ArgError::Missing));
        assert_eq!(parsed("\"\" b"), Err(ArgError::Missing));
        for text in ["a b c", "\"a b", "\"a\"b c", "a \"b\"c"] {
            assert_eq!(parsed(text), Err(ArgError::Syntax), "{text}");
        }
    }
}
