//! The patterns of NLST and LIST: `*`, `?` and `[…]` over the names of one directory. Matches names; never walks.

use globset::{Candidate, GlobBuilder, GlobMatcher};

use super::Failure;

/// The longest pattern, in octets: matching costs at most pattern times name.
pub const LONGEST_PATTERN: usize = 256;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    meaning: Meaning,
    /// The pattern itself begins with a dot, so names that do may match.
    dotted: bool,
}

#[derive(Clone, Debug)]
enum Meaning {
    Glob(GlobMatcher),
    /// It has no meaning as a pattern, such as `[z-a]`, and stands for itself.
    Name(Vec<u8>),
}

/// Compiles a pattern once before the first fork: the library asks the system then how many processors there are, keeps the
/// answer, and could not ask from inside a sandbox.
pub fn prime_patterns() {
    let _ = Pattern::new(b"*?[a]").map(|pattern| pattern.matches(b"name"));
}

impl Pattern {
    /// Compiles a pattern. Only its length can be wrong.
    pub(super) fn new(octets: &[u8]) -> Result<Self, Failure> {
        if octets.len() > LONGEST_PATTERN {
            return Err(Failure::NameTooLong);
        }
        let meaning = match GlobBuilder::new(&plain(octets))
            .backslash_escape(true)
            .build()
        {
            Ok(glob) => Meaning::Glob(glob.compile_matcher()),
            Err(_) => Meaning::Name(octets.to_vec()),
        };
        Ok(Pattern {
            meaning,
            dotted: octets.starts_with(b".") || octets.starts_with(b"\\."),
        })
    }

    /// Whether a name matches. A leading dot is matched only by a dot.
    pub(super) fn matches(&self, name: &[u8]) -> bool {
        if name.starts_with(b".") && !self.dotted {
            return false;
        }
        match &self.meaning {
            Meaning::Glob(matcher) => matcher.is_match_candidate(&Candidate::from_bytes(name)),
            Meaning::Name(octets) => octets == name,
        }
    }
}

/// The pattern as globset reads it, without the meanings that only globset knows (`{a,b}`, `**`) and with a bracket
/// that is not closed as itself. An octet that is not UTF-8 cannot be said to globset and stands for any octet.
fn plain(octets: &[u8]) -> String {
    let characters: Vec<char> = octets
        .utf8_chunks()
        .flat_map(|chunk| {
            let unknown = chunk.invalid().iter().map(|_| '?');
            chunk.valid().chars().chain(unknown)
        })
        .collect();
    let mut plain = String::with_capacity(octets.len());
    let mut rest = characters.as_slice();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            '*' => {
                plain.push('*');
                while let Some(('*', after)) = rest.split_first() {
                    rest = after;
                }
            }
            '[' => match class_length(rest) {
                Some(length) => {
                    plain.push('[');
                    plain.extend(&rest[..length]);
                    rest = &rest[length..];
                }
                None => plain.push_str("\\["),
            },
            '{' | '}' | ']' => plain.extend(['\\', first]),
            '\\' => {
                // A last backslash stands for itself.
                let (escaped, after) = rest.split_first().unwrap_or((&'\\', rest));
                plain.extend(['\\', *escaped]);
                rest = after;
            }
            other => plain.push(other),
        }
    }
    plain
}

/// How long a class is, without its opening bracket; `None` where nothing closes it. Its first member may be a `]`.
fn class_length(rest: &[char]) -> Option<usize> {
    let negation = usize::from(matches!(rest.first(), Some('!' | '^')));
    let close = rest.iter().skip(negation + 1).position(|&c| c == ']')?;
    Some(negation + 1 + close + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern.as_bytes())
            .unwrap()
            .matches(name.as_bytes())
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
    }

    #[test]
    fn a_leading_dot_wants_a_dot() {
        assert!(!matches("*", ".profile"));
        assert!(!matches("?profile", ".profile"));
        assert!(!matches("[.]profile", ".profile"));
        assert!(matches(".*", ".profile"));
        assert!(matches("\\.p*", ".profile"));
    }

    #[test]
    fn braces_and_broken_classes_stand_for_themselves() {
        assert!(matches("{a,b}", "{a,b}"));
        assert!(!matches("{a,b}", "a"));
        assert!(matches("[a!]{a,b}", "!{a,b}"));
        assert!(matches("a[b", "a[b"));
        assert!(matches("[{a,b}", "[{a,b}"));
        assert!(matches("{[\\", "{[\\"));
        assert!(matches("[z-a]", "[z-a]"));
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
    fn long_patterns_are_refused() {
        assert!(Pattern::new(&[b'?'; LONGEST_PATTERN]).is_ok());
        let refused = Pattern::new(&[b'?'; LONGEST_PATTERN + 1]);
        assert_eq!(refused.err(), Some(Failure::NameTooLong));
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
        fn a_name_without_special_octets_matches_itself(name in "[a-zA-Z0-9 .,{}~_-]{1,255}") {
            prop_assert!(Pattern::new(name.as_bytes()).unwrap().matches(name.as_bytes()));
            let longer = format!("{name}x");
            prop_assert!(!Pattern::new(name.as_bytes()).unwrap().matches(longer.as_bytes()));
        }
    }
}
