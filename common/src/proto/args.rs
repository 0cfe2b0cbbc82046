//! The argument grammars that the command table points to. Pure: no I/O.

pub(super) mod digest;
pub(super) mod metadata;
pub(super) mod security;

use std::fmt;

pub use self::digest::{PartArg, Span};
pub use self::metadata::{NewFacts, NewLink, NewTimes};
pub use self::security::DataLevel;

use super::facts::FactSet;
use super::hostport::Family;
use super::listing::{ListOptions, Order};
use super::representation::{Level, Mode, Structure, Type};
use super::verbs::{Command, EpsvArg};
use crate::digest::Algorithm;

/// Why an argument is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgError {
    /// There is none but there must be one.
    Missing,
    /// It does not follow the grammar.
    Syntax,
    /// It follows the grammar but this server does not offer it (504).
    NotOffered,
}

impl fmt::Display for ArgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ArgError::Missing => "an argument is missing",
            ArgError::Syntax => "the argument is malformed",
            ArgError::NotOffered => "this parameter is not offered",
        })
    }
}

/// A path as typed: resolved against the working directory later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathArg(pub Vec<u8>);

/// The argument of OPTS TCONF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// Which digest is it?
    Tell,
    Set(Option<Algorithm>),
}

/// Whether names on the wire are UTF-8 because the client says so (`OPTS UTF8`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Utf8 {
    /// The client speaks UTF-8.
    On,
    /// It has not said so, or no longer: names are as the session is configured.
    #[default]
    Off,
}

/// The argument of LIST and NLST: options of ls that are understood, and a path or pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListArg {
    pub options: ListOptions,
    /// `-l`: NLST in the form of LIST.
    pub long: bool,
    /// What is listed, with all its blanks; empty for the working directory.
    pub path: Vec<u8>,
}

/// Refuses any argument; blanks do not count.
pub(super) fn none(argument: &[u8], command: Command) -> Result<Command, ArgError> {
    if argument.iter().all(|&b| b == b' ') {
        Ok(command)
    } else {
        Err(ArgError::Syntax)
    }
}

pub(super) fn path(argument: &[u8]) -> Result<PathArg, ArgError> {
    if argument.is_empty() {
        Err(ArgError::Missing)
    } else {
        Ok(PathArg(argument.to_vec()))
    }
}

pub(super) fn optional_path(argument: &[u8]) -> PathArg {
    PathArg(argument.to_vec())
}

pub(super) fn user(argument: &[u8]) -> Result<Vec<u8>, ArgError> {
    match argument.trim_ascii() {
        b"" => Err(ArgError::Missing),
        name => Ok(name.to_vec()),
    }
}

/// An unsigned decimal number without sign or blanks inside.
pub(super) fn number(argument: &[u8]) -> Result<u64, ArgError> {
    let digits = argument.trim_ascii();
    if digits.is_empty() {
        return Err(ArgError::Missing);
    }
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(ArgError::Syntax);
    }
    let text = std::str::from_utf8(digits).map_err(|_| ArgError::Syntax)?;
    text.parse().map_err(|_| ArgError::Syntax)
}

pub(super) fn optional_number(argument: &[u8]) -> Result<Option<u64>, ArgError> {
    match argument.trim_ascii() {
        b"" => Ok(None),
        digits => number(digits).map(Some),
    }
}

pub(super) fn optional_text(argument: &[u8]) -> Result<Option<String>, ArgError> {
    match argument.trim_ascii() {
        b"" => Ok(None),
        text => std::str::from_utf8(text)
            .map(|text| Some(text.to_owned()))
            .map_err(|_| ArgError::Syntax),
    }
}

/// `<octets> [R <size>]`; an empty argument is tolerated.
pub(super) fn allo(argument: &[u8]) -> Result<Option<u64>, ArgError> {
    let mut words = argument.split(|&b| b == b' ').filter(|w| !w.is_empty());
    let Some(first) = words.next() else {
        return Ok(None);
    };
    match (words.next(), words.next(), words.next()) {
        (None, None, None) => {}
        (Some(r), Some(size), None) if r.eq_ignore_ascii_case(b"R") => {
            number(size)?;
        }
        _ => return Err(ArgError::Syntax),
    }
    number(first).map(Some)
}

pub(super) fn optional_word(argument: &[u8]) -> Result<Option<String>, ArgError> {
    match argument.trim_ascii() {
        b"" => Ok(None),
        word => std::str::from_utf8(word)
            .map(|w| Some(w.to_ascii_uppercase()))
            .map_err(|_| ArgError::Syntax),
    }
}

pub(super) fn epsv(argument: &[u8]) -> Result<EpsvArg, ArgError> {
    match argument.trim_ascii() {
        b"" => Ok(EpsvArg::Default),
        b"1" => Ok(EpsvArg::Family(Family::V4)),
        b"2" => Ok(EpsvArg::Family(Family::V6)),
        word if word.eq_ignore_ascii_case(b"ALL") => Ok(EpsvArg::All),
        word if word.iter().all(u8::is_ascii_digit) => Ok(EpsvArg::Family(Family::Unknown)),
        _ => Err(ArgError::Syntax),
    }
}

/// `A`, `A N`, `I`, `L 8`; what RFC 959 knows beyond is 504.
pub(super) fn representation_type(argument: &[u8]) -> Result<Type, ArgError> {
    let words: Vec<Vec<u8>> = argument
        .split(|&b| b == b' ')
        .filter(|w| !w.is_empty())
        .map(<[u8]>::to_ascii_uppercase)
        .collect();
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    match words[..] {
        [] => Err(ArgError::Missing),
        [b"A"] | [b"A", b"N"] => Ok(Type::Ascii),
        [b"I"] | [b"L", b"8"] | [b"L8"] => Ok(Type::Image),
        [b"A", b"T" | b"C"] | [b"E"] | [b"E", b"N" | b"T" | b"C"] => Err(ArgError::NotOffered),
        [b"L", size] if !size.is_empty() && size.iter().all(u8::is_ascii_digit) => {
            Err(ArgError::NotOffered)
        }
        _ => Err(ArgError::Syntax),
    }
}

pub(super) fn mode(argument: &[u8]) -> Result<Command, ArgError> {
    match argument.trim_ascii() {
        b"" => Err(ArgError::Missing),
        b"S" | b"s" => Ok(Command::Mode(Mode::Stream)),
        b"Z" | b"z" => Ok(Command::Mode(Mode::Deflate)),
        [_] => Err(ArgError::NotOffered),
        _ => Err(ArgError::Syntax),
    }
}

pub(super) fn stru(argument: &[u8]) -> Result<Command, ArgError> {
    match argument.trim_ascii() {
        b"" => Err(ArgError::Missing),
        b"F" | b"f" => Ok(Command::Stru(Structure::File)),
        b"T" | b"t" => Ok(Command::Stru(Structure::Archive)),
        [_] => Err(ArgError::NotOffered),
        _ => Err(ArgError::Syntax),
    }
}

/// Words of printable text that must not be missing.
pub(super) fn text(argument: &[u8]) -> Result<String, ArgError> {
    let text = std::str::from_utf8(argument.trim_ascii()).map_err(|_| ArgError::Syntax)?;
    match text {
        "" => Err(ArgError::Missing),
        text if text.chars().any(char::is_control) => Err(ArgError::Syntax),
        text => Ok(text.to_owned()),
    }
}

/// The longest name of a host (RFC 1035 §2.3.4), in octets.
const LONGEST_HOST: usize = 255;

/// A domain name or an address literal in brackets (RFC 7151 §3.1), in lower case and without a last dot, as names are
/// compared.
pub(crate) fn host(argument: &[u8]) -> Result<String, ArgError> {
    let name = text(argument)?.to_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    let inside = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let right = match inside {
        Some(address) => {
            let address = address.strip_prefix("ipv6:").unwrap_or(address);
            address.parse::<std::net::IpAddr>().is_ok()
        }
        None => {
            name.len() <= LONGEST_HOST
                && name.split('.').all(|label| {
                    (1..=63).contains(&label.len())
                        && label
                            .chars()
                            .all(|c| c.is_alphanumeric() || c == '-' || c == '_')
                })
        }
    };
    right.then(|| name.to_owned()).ok_or(ArgError::Syntax)
}

/// A language tag (RFC 2640 §4.1); only English is spoken.
pub(super) fn language(argument: &[u8]) -> Result<Option<String>, ArgError> {
    let Some(tag) = optional_word(argument)? else {
        return Ok(None);
    };
    let primary = tag.split('-').next().unwrap_or_default();
    if !tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') || primary.is_empty() {
        Err(ArgError::Syntax)
    } else if primary == "EN" {
        Ok(Some(tag))
    } else {
        Err(ArgError::NotOffered)
    }
}

/// PRET's argument is the whole command that will follow; what is announced must be a command.
pub(super) fn announced(argument: &[u8]) -> Result<Command, ArgError> {
    if argument.trim_ascii().is_empty() {
        return Err(ArgError::Missing);
    }
    let verb = super::verbs::verb(argument).map_err(|_| ArgError::Syntax)?;
    if verb.spec().verb == "PRET" {
        return Err(ArgError::Syntax);
    }
    match super::verbs::parse(verb, argument) {
        Ok(_) => Ok(Command::Pret(verb)),
        Err(super::verbs::CommandError::Argument(_, error)) => Err(error),
        Err(_) => Err(ArgError::Syntax),
    }
}

/// `UTF8 [ON|OFF]`: what names are on the wire; without either, and for an old draft's `NLST`, it is ON. `MLST [fact;…]`: which
/// facts are shown. `MODE Z [LEVEL n]`: how hard it compresses. `TCONF [hash]`: what the end of a transfer tells.
pub(super) fn opts(argument: &[u8]) -> Result<Command, ArgError> {
    let (option, rest) = super::verbs::split(argument.trim_ascii());
    match option.to_ascii_uppercase().as_slice() {
        b"" => Err(ArgError::Missing),
        b"UTF8" | b"UTF-8" => match rest.trim_ascii().to_ascii_uppercase().as_slice() {
            b"" | b"ON" | b"NLST" => Ok(Command::OptsUtf8(Utf8::On)),
            b"OFF" => Ok(Command::OptsUtf8(Utf8::Off)),
            _ => Err(ArgError::Syntax),
        },
        b"MLST" => Ok(Command::OptsMlst(FactSet::parse(rest))),
        b"MODE" => deflate_level(rest).map(Command::OptsMode),
        b"HASH" => digest::choice(rest),
        b"TCONF" => confirmation(rest).map(Command::OptsTconf),
        _ => Err(ArgError::Syntax),
    }
}

/// The name of a digest, or NONE; without either the client asks.
fn confirmation(argument: &[u8]) -> Result<Confirm, ArgError> {
    Ok(match optional_text(argument)?.as_deref() {
        None => Confirm::Tell,
        Some(word) if word.eq_ignore_ascii_case("NONE") || word.eq_ignore_ascii_case("OFF") => {
            Confirm::Set(None)
        }
        Some(name) => Confirm::Set(Some(Algorithm::find(name).ok_or(ArgError::Syntax)?)),
    })
}

/// `Z`, and pairs of a name and a value (draft-preston-ftpext-deflate-04 §3): LEVEL, and the one engine that there is.
fn deflate_level(argument: &[u8]) -> Result<Option<Level>, ArgError> {
    let words = argument.to_ascii_uppercase();
    let mut words = words.split(|&b| b == b' ').filter(|word| !word.is_empty());
    match words.next() {
        None => return Err(ArgError::Missing),
        Some(b"Z") => {}
        Some(_) => return Err(ArgError::NotOffered),
    }
    let mut level = None;
    while let Some(name) = words.next() {
        match (name, words.next().ok_or(ArgError::Missing)?) {
            (b"LEVEL", &[digit @ b'0'..=b'9']) => level = Level::new(digit - b'0'),
            (b"LEVEL", _) => return Err(ArgError::Syntax),
            (b"ENGINE", b"ZLIB") => {}
            _ => return Err(ArgError::NotOffered),
        }
    }
    Ok(level)
}

/// Options of ls before the path, apart or together. Unknown letters are ignored, as clients send them by habit; `--`
/// ends them. One blank stands before the path; the others are its own.
pub(super) fn list(argument: &[u8]) -> Result<ListArg, ArgError> {
    let mut found = ListArg::default();
    let mut rest = argument;
    while let [b'-', letters @ ..] = rest.trim_ascii_start() {
        let blank = letters.iter().position(|&octet| octet == b' ');
        let (word, after) = letters.split_at(blank.unwrap_or(letters.len()));
        let is_end = word == b"-";
        if word.is_empty() || !is_end && !word.iter().all(u8::is_ascii_alphanumeric) {
            break;
        }
        rest = after.get(1..).unwrap_or_default();
        if is_end {
            break;
        }
        word.iter().for_each(|&letter| found.option(letter));
    }
    if found.options.reverse && found.options.order == Order::Unsorted {
        found.options.order = Order::Name;
    }
    if !rest.trim_ascii().is_empty() {
        found.path = rest.to_vec();
    }
    Ok(found)
}

impl ListArg {
    /// Takes one letter; of `-t` and `-S` the last counts. `-1` is what every listing is.
    fn option(&mut self, letter: u8) {
        let options = &mut self.options;
        match letter {
            b'a' | b'A' => options.all = true,
            b'l' => self.long = true,
            b'R' => options.recursive = true,
            b'd' => options.itself = true,
            b't' => options.order = Order::Time,
            b'S' => options.order = Order::Size,
            b'r' => options.reverse = true,
            _ => {}
        }
    }
}

pub(super) fn optional_list(argument: &[u8]) -> Result<Option<ListArg>, ArgError> {
    if argument.trim_ascii().is_empty() {
        Ok(None)
    } else {
        list(argument).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_rfc_959() {
        assert_eq!(representation_type(b"a n"), Ok(Type::Ascii));
        assert_eq!(representation_type(b"L 8"), Ok(Type::Image));
        assert_eq!(representation_type(b"L 36"), Err(ArgError::NotOffered));
        assert_eq!(representation_type(b"E"), Err(ArgError::NotOffered));
        assert_eq!(representation_type(b"X"), Err(ArgError::Syntax));
    }

    fn listed(argument: &[u8]) -> (ListOptions, Vec<u8>) {
        let found = list(argument).unwrap();
        (found.options, found.path)
    }

    #[test]
    fn list_options_come_before_the_path() {
        let all = ListOptions {
            all: true,
            ..ListOptions::default()
        };
        assert_eq!(listed(b"-la dir x"), (all, b"dir x".to_vec()));
        assert_eq!(listed(b"-A -l x"), (all, b"x".to_vec()));
        assert_eq!(listed(b"-al  "), (all, Vec::new()));
        assert_eq!(listed(b"  -a"), (all, Vec::new()));
        assert_eq!(listed(b"-l"), listed(b""));
        assert_eq!(listed(b"-- -a"), (ListOptions::default(), b"-a".to_vec()));
        assert_eq!(listed(b"-weird.name").1, b"-weird.name");
        assert_eq!(listed(b"-").1, b"-");
    }

    #[test]
    fn options_are_understood_together_and_apart() {
        let together = list(b"-laRtr1FhX x").unwrap();
        assert_eq!(together, list(b"-l -a -R -t -r -1 x").unwrap());
        assert!(together.long && together.options.all && together.options.recursive);
        assert!(together.options.reverse && !together.options.itself);
        assert_eq!(together.options.order, Order::Time);
        assert_eq!(listed(b"-St").0.order, Order::Time);
        assert_eq!(listed(b"-tS").0.order, Order::Size);
        assert_eq!(listed(b"-r").0.order, Order::Name);
        assert!(listed(b"-d x").0.itself);
        assert_eq!(listed(b"-X9"), listed(b""));
    }

    #[test]
    fn blanks_around_a_path_are_kept() {
        let path = |argument: &[u8]| list(argument).unwrap().path;
        assert_eq!(path(b"lead"), b"lead");
        assert_eq!(path(b" lead "), b" lead ");
        assert_eq!(path(b"-a  lead"), b" lead");
        assert_eq!(path(b"   "), b"");
    }

    #[test]
    fn utf8_is_on_or_off() {
        for (argument, utf8) in [
            (&b"UTF8"[..], Utf8::On),
            (b"utf8 on", Utf8::On),
            (b"UTF8 NLST", Utf8::On),
            (b"UTF-8 Off ", Utf8::Off),
        ] {
            assert_eq!(opts(argument), Ok(Command::OptsUtf8(utf8)));
        }
        assert_eq!(opts(b"UTF8 yes"), Err(ArgError::Syntax));
    }

    #[test]
    fn mode_z_has_ten_levels() {
        let level = |number| Ok(Command::OptsMode(Level::new(number)));
        assert_eq!(opts(b"MODE Z LEVEL 0"), level(0));
        assert_eq!(opts(b"mode z  engine zlib level 9"), level(9));
        assert_eq!(opts(b"MODE Z"), Ok(Command::OptsMode(None)));
        for wrong in ["MODE Z LEVEL 10", "MODE Z LEVEL -1", "MODE Z LEVEL x"] {
            assert_eq!(opts(wrong.as_bytes()), Err(ArgError::Syntax), "{wrong}");
        }
        for other in ["MODE S", "MODE Z ENGINE LZS", "MODE Z METHOD 8"] {
            assert_eq!(opts(other.as_bytes()), Err(ArgError::NotOffered), "{other}");
        }
        for short in ["MODE", "MODE Z LEVEL"] {
            assert_eq!(opts(short.as_bytes()), Err(ArgError::Missing), "{short}");
        }
    }

    #[test]
    fn confirmations_are_digests_or_none() {
        let set = |algorithm| Ok(Command::OptsTconf(Confirm::Set(algorithm)));
        assert_eq!(opts(b"TCONF SHA-256"), set(Some(Algorithm::Sha256)));
        assert_eq!(opts(b"tconf crc32"), set(Some(Algorithm::Crc32)));
        assert_eq!(opts(b"TCONF none"), set(None));
        assert_eq!(opts(b"TCONF"), Ok(Command::OptsTconf(Confirm::Tell)));
        assert_eq!(opts(b"TCONF JH-512"), Err(ArgError::Syntax));
    }

    #[test]
    fn hosts_are_names_or_addresses_in_brackets() {
        for (good, compared) in [
            ("FTP.example.org", "ftp.example.org"),
            ("example.org.", "example.org"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[IPv6:2001:db8::1]", "[ipv6:2001:db8::1]"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(host(good.as_bytes()).as_deref(), Ok(compared));
        }
        for bad in ["[192.0.2.1", "a..b", "a b", "[x]", "-/-", &"a".repeat(64)] {
            assert_eq!(host(bad.as_bytes()), Err(ArgError::Syntax), "{bad}");
        }
        assert_eq!(host(b" "), Err(ArgError::Missing));
    }

    #[test]
    fn english_is_the_only_language() {
        assert_eq!(language(b"en-gb"), Ok(Some("EN-GB".to_owned())));
        assert_eq!(language(b""), Ok(None));
        assert_eq!(language(b"fr"), Err(ArgError::NotOffered));
        assert_eq!(language(b"e n"), Err(ArgError::Syntax));
    }

    #[test]
    fn numbers_have_no_sign_and_fit() {
        assert_eq!(number(b"18446744073709551615"), Ok(u64::MAX));
        assert_eq!(number(b"18446744073709551616"), Err(ArgError::Syntax));
        assert_eq!(number(b"+1"), Err(ArgError::Syntax));
        assert_eq!(allo(b"100 R 8"), Ok(Some(100)));
        assert_eq!(allo(b""), Ok(None));
        assert_eq!(allo(b"1 2"), Err(ArgError::Syntax));
    }
}
