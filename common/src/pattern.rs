//! Patterns for names of files and of users: `*`, `?` and `[…]`. Pure: matches names, never walks.
//!
//! Names are octets, so a pattern is matched against units: whole characters where a name is UTF-8, single octets where it
//! is not. `?` is one unit, and every name can be matched.

/// The longest pattern, in octets, slashes included: matching a name costs at most pattern times name.
pub const LONGEST_PATTERN: usize = 256;

/// A pattern for the names in one directory, or of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Part>);

/// The pattern is longer than [`LONGEST_PATTERN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Exactly this unit.
    Unit(Unit),
    /// `?`: any unit.
    One,
    /// `*`: any units, or none.
    Any,
    /// `[…]`: a unit of these ranges, or with `negated` of none of them.
    Class {
        negated: bool,
        ranges: Vec<(Unit, Unit)>,
    },
}

/// A character of UTF-8 by its number; an octet that belongs to none, above all of these.
type Unit = u32;

/// What an octet that is no UTF-8 counts from.
const OCTET: Unit = 0x11_0000;

impl Pattern {
    /// Reads a pattern. Only its length can be wrong: a bracket that nothing closes stands for itself, and so does a
    /// backslash at the end; before that it takes the meaning from what follows.
    pub fn new(octets: &[u8]) -> Result<Self, TooLong> {
        if octets.len() > LONGEST_PATTERN {
            return Err(TooLong);
        }
        let units = units(octets);
        let mut rest = units.as_slice();
        let mut parts = Vec::new();
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            parts.push(match char::from_u32(first) {
                Some('*') if parts.last() == Some(&Part::Any) => continue,
                Some('*') => Part::Any,
                Some('?') => Part::One,
                Some('[') => match class(after) {
                    Some((class, behind)) => {
                        rest = behind;
                        class
                    }
                    None => Part::Unit(first),
                },
                Some('\\') => match after.split_first() {
                    Some((&escaped, behind)) => {
                        rest = behind;
                        Part::Unit(escaped)
                    }
                    None => Part::Unit(first),
                },
                _ => Part::Unit(first),
            });
        }
        Ok(Pattern(parts))
    }

    /// Whether the name of a file matches. A leading dot is matched only by a dot.
    pub fn matches_file(&self, name: &[u8]) -> bool {
        let dotted = self.0.first() == Some(&Part::Unit(u32::from(b'.')));
        (dotted || !name.starts_with(b".")) && self.matches(name)
    }

    /// Whether all of a name matches.
    pub fn matches(&self, name: &[u8]) -> bool {
        let (mut parts, mut rest) = (self.0.as_slice(), name);
        // Where to go on when what follows a `*` does not match here: that `*` takes one unit more. The stars before it
        // need not be tried again, so no pattern costs more than its length times that of the name.
        let mut again: Option<(&[Part], &[u8])> = None;
        loop {
            let matched = match parts.split_first() {
                Some((Part::Any, after)) => {
                    again = Some((after, rest));
                    Some((after, rest))
                }
                Some((part, after)) => take(rest)
                    .filter(|(unit, _)| part.accepts(*unit))
                    .map(|(_, behind)| (after, behind)),
                None if rest.is_empty() => return true,
                None => None,
            };
            (parts, rest) = match (matched, again) {
                (Some(matched), _) => matched,
                (None, Some((after, from))) => {
                    let Some((_, from)) = take(from) else {
                        return false;
                    };
                    again = Some((after, from));
                    (after, from)
                }
                (None, None) => return false,
            };
        }
    }
}

impl Part {
    fn accepts(&self, unit: Unit) -> bool {
        match self {
            Part::Unit(own) => *own == unit,
            Part::One | Part::Any => true,
            Part::Class { negated, ranges } => {
                let within = |(low, high): &(Unit, Unit)| (*low..=*high).contains(&unit);
                ranges.iter().any(within) != *negated
            }
        }
    }
}

/// Reads a class behind its opening bracket; `None` where nothing closes it. Its first member may be a `]`.
fn class(rest: &[Unit]) -> Option<(Part, &[Unit])> {
    let is = |unit: Unit, octets: &[u8]| octets.iter().any(|&octet| unit == u32::from(octet));
    let negated = rest.first().is_some_and(|&unit| is(unit, b"!^"));
    let mut rest = &rest[usize::from(negated)..];
    let mut ranges = Vec::new();
    loop {
        let (low, after) = member(rest)?;
        rest = after;
        let mut high = low;
        if let [dash, end, ..] = rest
            && is(*dash, b"-")
            && !is(*end, b"]")
        {
            (high, rest) = member(&rest[1..])?;
        }
        ranges.push((low, high));
        if let Some((&close, behind)) = rest.split_first()
            && is(close, b"]")
        {
            return Some((Part::Class { negated, ranges }, behind));
        }
    }
}

/// Takes one member of a class; a backslash before it takes its meaning.
fn member(rest: &[Unit]) -> Option<(Unit, &[Unit])> {
    match rest {
        [backslash, escaped, after @ ..] if *backslash == u32::from(b'\\') => {
            Some((*escaped, after))
        }
        [unit, after @ ..] => Some((*unit, after)),
        [] => None,
    }
}

fn units(mut octets: &[u8]) -> Vec<Unit> {
    let mut units = Vec::with_capacity(octets.len());
    while let Some((unit, rest)) = take(octets) {
        units.push(unit);
        octets = rest;
    }
    units
}

/// Takes the first unit.
fn take(octets: &[u8]) -> Option<(Unit, &[u8])> {
    let &first = octets.first()?;
    let length = match first {
        0..=0x7f => return Some((first.into(), &octets[1..])),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    // Overlong forms and surrogates are no characters; the library knows.
    let character = octets
        .get(..length)
        .and_then(|octets| str::from_utf8(octets).ok())
        .and_then(|text| text.chars().next());
    Some(match character {
        Some(character) => (character.into(), &octets[length..]),
        None => (OCTET + u32::from(first), &octets[1..]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern.as_bytes())
            .unwrap()
            .matches_file(name.as_bytes())
    }

    #[test]
    fn stars_marks_and_classes_match() {
        assert!(matches("*.c", "a.c"));
        assert!(matches("*", "a\nb"));
        assert!(matches("a?c", "abc"));
        assert!(!matches("a?c", "ac"));
        assert!(matches("[a-c]*", "beta"));
        assert!(!matches("[!a-c]*", "beta"));
        assert!(matches("[]]x", "]x"));
        assert!(matches("**", "abc"));
        assert!(matches("a**c", "abc"));
        assert!(matches("*.tar.*", "a.tar.tar.gz"));
        assert!(!matches("*.c", "a.cc"));
        assert!(matches("*a*b", "xaxbxb"));
        assert!(matches("[a-]x", "-x"));
        assert!(!matches("[^\\]-a]x", "]x"));
    }

    #[test]
    fn a_leading_dot_wants_a_dot() {
        assert!(!matches("*", ".profile"));
        assert!(!matches("?profile", ".profile"));
        assert!(!matches("[.]profile", ".profile"));
        assert!(matches(".*", ".profile"));
        assert!(matches("\\.p*", ".profile"));
        assert!(Pattern::new(b"*").unwrap().matches(b".profile"));
    }

    #[test]
    fn braces_and_broken_classes_stand_for_themselves() {
        assert!(matches("{a,b}", "{a,b}"));
        assert!(!matches("{a,b}", "a"));
        assert!(matches("[a!]{a,b}", "!{a,b}"));
        assert!(matches("a[b", "a[b"));
        assert!(matches("[{a,b}", "[{a,b}"));
        assert!(matches("{[\\", "{[\\"));
        assert!(!matches("[z-a]", "b"));
        assert!(matches("a\\", "a\\"));
        assert!(matches("\\*\\*", "**"));
        assert!(!matches("\\*", "x"));
    }

    #[test]
    fn names_need_not_be_utf_8() {
        let star = Pattern::new(b"caf*").unwrap();
        assert!(star.matches(b"caf\xe9"));
        let latin = Pattern::new(b"caf\xe9").unwrap();
        assert!(latin.matches(b"caf\xe9"));
        assert!(matches("é*", "été"));
    }

    #[test]
    fn a_mark_is_one_character_or_one_octet() {
        let pattern = |octets: &[u8]| Pattern::new(octets).unwrap();
        assert!(matches("?t?", "été"));
        assert!(!matches("?????", "été"));
        assert!(!matches("*??", "日"));
        assert!(matches("[à-ï]t[!x]", "été"));
        assert!(pattern(b"caf?").matches(b"caf\xe9"));
        assert!(pattern(b"caf[\xe8-\xea]").matches(b"caf\xe9"));
        assert!(!pattern(b"caf\xe9").matches("café".as_bytes()));
        // A surrogate and an overlong slash are octets, not characters.
        assert!(pattern(b"???").matches(b"\xed\xa0\x80"));
        assert!(pattern(b"??").matches(b"\xc0\xaf"));
        for octet in 1..=255 {
            assert!(pattern(b"x?y").matches(&[b'x', octet, b'y']), "{octet}");
            assert!(
                pattern(&[b'*', b'\\', octet]).matches(&[b'x', octet]),
                "{octet}"
            );
        }
    }

    #[test]
    fn long_patterns_are_refused() {
        assert!(Pattern::new(&[b'?'; LONGEST_PATTERN]).is_ok());
        let refused = Pattern::new(&[b'?'; LONGEST_PATTERN + 1]);
        assert_eq!(refused.err(), Some(TooLong));
    }

    #[test]
    fn hostile_patterns_end_soon() {
        let name = [b'a'; 255];
        for pattern in [
            "*?".repeat(127),
            "*a".repeat(127) + "b",
            "[!-~]".repeat(51),
            "{a,b}".repeat(51),
        ] {
            let pattern = Pattern::new(pattern.as_bytes()).unwrap();
            let begin = std::time::Instant::now();
            pattern.matches(&name);
            assert!(begin.elapsed().as_millis() < 50, "{:?}", begin.elapsed());
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_a_pattern(octets in proptest::collection::vec(any::<u8>(), 0..=LONGEST_PATTERN),
                                    name in proptest::collection::vec(any::<u8>(), 0..256)) {
            Pattern::new(&octets).unwrap().matches(&name);
        }

        #[test]
        fn any_name_matches_itself_escaped_and_under_a_star(name in proptest::collection::vec(any::<u8>(), 1..100)) {
            let escaped: String = char::from(b'\\').to_string();
            let parts = units(&name).len();
            let mut pattern = Vec::new();
            let mut rest = name.as_slice();
            while let Some((_, behind)) = take(rest) {
                pattern.extend_from_slice(escaped.as_bytes());
                pattern.extend_from_slice(&rest[..rest.len() - behind.len()]);
                rest = behind;
            }
            prop_assert!(Pattern::new(&pattern).unwrap().matches(&name));
            if name[0] != b'.' {
                prop_assert!(Pattern::new(b"*").unwrap().matches(&name));
                prop_assert!(Pattern::new(&vec![b'?'; parts]).unwrap().matches(&name));
            }
        }

        #[test]
        fn stars_mean_what_trying_everything_finds(pattern in "[ab*?]{0,8}", name in "[ab]{0,8}") {
            fn tried(pattern: &[u8], name: &[u8]) -> bool {
                match pattern.split_first() {
                    None => name.is_empty(),
                    Some((b'*', after)) => (0..=name.len()).any(|taken| tried(after, &name[taken..])),
                    Some((&one, after)) => name.split_first().is_some_and(|(&first, rest)| {
                        (one == b'?' || one == first) && tried(after, rest)
                    }),
                }
            }
            prop_assert_eq!(matches(&pattern, &name), tried(pattern.as_bytes(), name.as_bytes()));
        }

        #[test]
        fn a_name_without_special_octets_matches_itself(name in "[a-zA-Z0-9 .,{}~_-]{1,255}") {
            prop_assert!(Pattern::new(name.as_bytes()).unwrap().matches(name.as_bytes()));
            let longer = format!("{name}x");
            prop_assert!(!Pattern::new(name.as_bytes()).unwrap().matches(longer.as_bytes()));
        }
    }
}
