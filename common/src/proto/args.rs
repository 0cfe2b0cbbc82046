//! The argument grammars that the command table points to. Pure: no I/O.

use std::fmt;

use super::facts::FactSet;
use super::hostport::Family;
use super::listing::{ListOptions, Order};
use super::verbs::{Command, EpsvArg};

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

/// How octets on the wire relate to octets in the file (RFC 959 §3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representation {
    /// NVT-ASCII, non-print: lines end in CR LF on the wire, in LF in the file.
    Ascii,
    /// As it is.
    Image,
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

impl ListArg {
    /// The path without the blanks around it, which clients send by mistake; `None` where there are none.
    pub fn without_blanks(&self) -> Option<&[u8]> {
        let trimmed = self.path.trim_ascii();
        (trimmed.len() < self.path.len()).then_some(trimmed)
    }
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
pub(super) fn representation(argument: &[u8]) -> Result<Representation, ArgError> {
    let words: Vec<Vec<u8>> = argument
        .split(|&b| b == b' ')
        .filter(|w| !w.is_empty())
        .map(<[u8]>::to_ascii_uppercase)
        .collect();
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    match words[..] {
        [] => Err(ArgError::Missing),
        [b"A"] | [b"A", b"N"] => Ok(Representation::Ascii),
        [b"I"] | [b"L", b"8"] | [b"L8"] => Ok(Representation::Image),
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
        b"S" | b"s" => Ok(Command::Mode),
        [_] => Err(ArgError::NotOffered),
        _ => Err(ArgError::Syntax),
    }
}

pub(super) fn stru(argument: &[u8]) -> Result<Command, ArgError> {
    match argument.trim_ascii() {
        b"" => Err(ArgError::Missing),
        b"F" | b"f" => Ok(Command::Stru),
        [_] => Err(ArgError::NotOffered),
        _ => Err(ArgError::Syntax),
    }
}

/// `UTF8 [ON|OFF]`: always on, since names are octets anyway. `MLST [fact;…]`: which facts are shown.
pub(super) fn opts(argument: &[u8]) -> Result<Command, ArgError> {
    let (option, rest) = super::verbs::split(argument.trim_ascii());
    match option.to_ascii_uppercase().as_slice() {
        b"" => Err(ArgError::Missing),
        b"UTF8" | b"UTF-8" => Ok(Command::OptsUtf8),
        b"MLST" => Ok(Command::OptsMlst(FactSet::parse(rest))),
        _ => Err(ArgError::Syntax),
    }
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
        assert_eq!(representation(b"a n"), Ok(Representation::Ascii));
        assert_eq!(representation(b"L 8"), Ok(Representation::Image));
        assert_eq!(representation(b"L 36"), Err(ArgError::NotOffered));
        assert_eq!(representation(b"E"), Err(ArgError::NotOffered));
        assert_eq!(representation(b"X"), Err(ArgError::Syntax));
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
    fn blanks_around_a_path_are_kept_and_can_be_left_out() {
        let blank = |argument: &[u8]| {
            let found = list(argument).unwrap();
            let without = found.without_blanks().map(<[u8]>::to_vec);
            (found.path, without)
        };
        assert_eq!(blank(b"lead"), (b"lead".to_vec(), None));
        assert_eq!(
            blank(b" lead "),
            (b" lead ".to_vec(), Some(b"lead".to_vec()))
        );
        assert_eq!(
            blank(b"-a  lead"),
            (b" lead".to_vec(), Some(b"lead".to_vec()))
        );
        assert_eq!(blank(b"   "), (Vec::new(), None));
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
