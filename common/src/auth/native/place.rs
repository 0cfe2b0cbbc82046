//! Where in a line of the user file something stands, and as much of the line as may be shown: neither salt nor secret.
//! Pure: no I/O.

use std::ops::Range;

use super::record::{Fields, LONGEST_LINE};
use crate::settings::table::{Scope, Setting};
use crate::settings::{Place, marked};

/// What stands for the octets that are not shown.
const HIDDEN: &str = "…";

/// What of a line something is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Its form, which is none.
    Line,
    Name,
    Type,
    /// The salt and the secret.
    Secret,
    RealUser,
    Home,
    Settings,
    /// One of the settings, counted from 0.
    Setting(usize),
}

/// A place that can be pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointed {
    /// In characters of the line, from 1.
    pub column: usize,
    /// More lines for a person: that of the file, without its secret, and a mark below the place.
    pub excerpt: String,
}

impl About {
    /// Points at this in a line of this number, given without its LF.
    pub(super) fn point(self, number: usize, line: &[u8]) -> Pointed {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(fields) = Fields::split(line).filter(|_| line.len() <= LONGEST_LINE) else {
            return cut_off(number, line);
        };
        let secret = fields.name.len() + fields.scheme.len() + 2;
        let rest = line.len() - fields.rest.len();
        let place = self.place(&fields, secret, rest);
        let before = line.get(..secret).unwrap_or_default();
        let shown = [before, HIDDEN.as_bytes(), b":", fields.rest].concat();
        let shown_place = match place.start {
            start if start < secret => place.clone(),
            start if start < rest => secret..secret + HIDDEN.len(),
            _ => {
                let moved = |at: usize| at - rest + secret + HIDDEN.len() + 1;
                moved(place.start)..moved(place.end)
            }
        };
        pointed(number, (line, place), (&shown, shown_place))
    }

    /// Where this is, in octets of the line.
    fn place(self, fields: &Fields<'_>, secret: usize, rest: usize) -> Range<usize> {
        let from = |start: usize, field: &[u8]| start..start + field.len();
        let home = rest + fields.real_user.len() + 1;
        let settings = home + fields.home.len() + 1;
        match self {
            About::Line | About::Name => from(0, fields.name),
            About::Type => from(fields.name.len() + 1, fields.scheme),
            // Up to the colon behind it.
            About::Secret => secret..rest - 1,
            About::RealUser => from(rest, fields.real_user),
            About::Home => from(home, fields.home),
            About::Settings => from(settings, fields.settings),
            About::Setting(nth) => {
                let within = setting(fields.settings, nth);
                settings + within.start..settings + within.end
            }
        }
    }
}

/// Points at the end of a line that has too few fields, or is too long: what is behind its type may be a secret.
fn cut_off(number: usize, line: &[u8]) -> Pointed {
    let mut colons = line.iter().enumerate().filter(|&(_, &octet)| octet == b':');
    let known = colons.nth(1).map_or(0, |(at, _)| at + 1);
    let shown = [&line[..known], HIDDEN.as_bytes()].concat();
    let place = known..line.len();
    pointed(number, (line, place), (&shown, known..shown.len()))
}

/// A place in a line, and the same in what may be shown of it.
fn pointed(
    number: usize,
    (line, place): (&[u8], Range<usize>),
    (shown, shown_place): (&[u8], Range<usize>),
) -> Pointed {
    let at = |octets: &[u8], place: Range<usize>| {
        let characters = |octets: &[u8]| String::from_utf8_lossy(octets).chars().count();
        let before = octets.get(..place.start).unwrap_or(octets);
        Place {
            line: number,
            column: characters(before) + 1,
            length: characters(octets.get(place).unwrap_or_default()),
        }
    };
    Pointed {
        column: at(line, place).column,
        excerpt: marked(&at(shown, shown_place), &String::from_utf8_lossy(shown)),
    }
}

/// Where a setting is among all: its value, or its key where that is no key of a user's or has no value.
fn setting(settings: &[u8], nth: usize) -> Range<usize> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, octet) in settings.iter().chain(b" ").enumerate() {
        match (octet.is_ascii_whitespace(), start) {
            (false, None) => start = Some(at),
            (true, Some(begun)) => {
                words.push(begun..at);
                start = None;
            }
            _ => {}
        }
    }
    let Some(word) = words.get(nth) else {
        return 0..settings.len();
    };
    let octets = settings.get(word.clone()).unwrap_or_default();
    let equals = octets.iter().position(|&octet| octet == b'=');
    let key = &octets[..equals.unwrap_or(octets.len())];
    let known = std::str::from_utf8(key)
        .ok()
        .and_then(Setting::find)
        .is_some_and(|setting| setting.scope() == Scope::Session);
    match equals.map(|at| word.start + at + 1) {
        Some(value) if known && value < word.end => value..word.end,
        _ => word.start..word.start + key.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &str = "fréd:md5:salt:s3cret:nobody:/srv/frédéric: Idle=soon  Idel=5 ChHome";

    /// Whether what is at `at`, and nothing else, is marked with so many marks.
    #[track_caller]
    fn points(about: About, at: &str, marks: usize) {
        let Pointed { column, excerpt } = about.point(7, LINE.as_bytes());
        let before = |text: &str, at: &str| text[..text.find(at).unwrap()].chars().count();
        assert_eq!(column, before(LINE, at) + 1);
        let line = "fréd:md5:…:nobody:/srv/frédéric: Idle=soon  Idel=5 ChHome";
        let shown_at = if at == "salt" { "…" } else { at };
        let blank = " ".repeat(before(line, shown_at));
        assert_eq!(
            excerpt,
            format!("\n  7 | {line}\n    | {blank}{}", "^".repeat(marks))
        );
    }

    #[test]
    fn every_part_is_pointed_at_and_no_secret_is_shown() {
        points(About::Name, "fréd", 4);
        points(About::Type, "md5", 3);
        points(About::Secret, "salt", 1);
        points(About::RealUser, "nobody", 6);
        points(About::Home, "/srv", 13);
        points(About::Setting(0), "soon", 4);
        points(About::Setting(1), "Idel", 4);
        points(About::Setting(2), "ChHome", 6);
    }

    #[test]
    fn of_a_line_that_is_cut_off_only_name_and_type_are_shown() {
        let pointed = About::Line.point(2, b"fred:plain:pass:word");
        assert_eq!(
            (pointed.column, pointed.excerpt.as_str()),
            (12, "\n  2 | fred:plain:…\n    |            ^")
        );
        let pointed = About::Line.point(2, b"password");
        assert_eq!(
            (pointed.column, pointed.excerpt.as_str()),
            (1, "\n  2 | …\n    | ^")
        );
    }

    proptest! {
        #[test]
        fn no_line_is_too_odd_and_none_betrays_its_secret(
            about in prop::sample::select(vec![
                About::Line, About::Name, About::Type, About::Secret, About::RealUser, About::Home, About::Settings,
                About::Setting(0), About::Setting(3),
            ]),
            ends in ("[^:XYZ\n]{0,9}", "[^XYZ\n]{0,30}"),
            odd in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let line = format!("{}:plain:XXX:XYZ:{}", ends.0, ends.1);
            prop_assert!(!about.point(1, line.as_bytes()).excerpt.contains(['X', 'Y', 'Z']));
            let pointed = about.point(1, &odd);
            prop_assert!(pointed.column <= odd.len() + 1);
        }
    }
}
