//! Lists of users: names, patterns of names, and `@group`. Pure: whoever asks brings the groups.

use crate::pattern::Pattern;
use crate::settings::value::{Wrong, shown, words};

/// The longest list, in its words.
const MOST: usize = 1024;

/// Who a list names. The default is nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<Word>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// In lower case.
    Name(Pattern),
    Group(String),
}

/// Somebody who wants to log in.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// The name that the client sent.
    pub typed: &'a [u8],
    /// The name as the method that let them in has it.
    pub stored: &'a [u8],
    /// All groups of the real user.
    pub groups: &'a [u32],
}

impl Names {
    /// Reads a list.
    pub fn parse(list: &str) -> Result<Names, Wrong> {
        let words: Vec<_> = words(list).map(Word::parse).collect::<Result<_, _>>()?;
        match words.len() {
            // SECURITY: an empty list of who may log in is an oversight, not everybody.
            0 => Err(Wrong::Not(
                "a list of users such as fred,guest*,@staff".to_owned(),
            )),
            1..=MOST => Ok(Names(words)),
            _ => Err(Wrong::Because(format!("there are more than {MOST} words"))),
        }
    }

    /// Whether the list names somebody, in any case and under either name. `Err` is a group that `group` does not know,
    /// as long as no other word decides.
    ///
    /// A name that only the client wrote must not let in, so [`Names::allow`] is another question.
    pub fn deny(&self, who: Who<'_>, group: impl Fn(&str) -> Option<u32>) -> Result<bool, String> {
        let mut unknown = None;
        for word in &self.0 {
            match word {
                Word::Name(pattern) => {
                    if [who.typed, who.stored]
                        .into_iter()
                        .any(|name| matches(pattern, name))
                    {
                        return Ok(true);
                    }
                }
                Word::Group(name) => match group(name) {
                    Some(gid) if who.groups.contains(&gid) => return Ok(true),
                    Some(_) => {}
                    None => unknown = Some(name.clone()),
                },
            }
        }
        unknown.map_or(Ok(false), Err)
    }

    /// The groups that the list names.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|word| match word {
            Word::Group(name) => Some(name.as_str()),
            Word::Name(_) => None,
        })
    }

    /// Whether the list names somebody by the stored name and by the typed one. A group that does not exist has no members.
    pub fn allow(&self, who: Who<'_>, group: impl Fn(&str) -> Option<u32>) -> bool {
        let named = |name: &[u8]| {
            self.0.iter().any(|word| match word {
                Word::Name(pattern) => matches(pattern, name),
                Word::Group(_) => false,
            })
        };
        let member = || {
            self.0.iter().any(|word| match word {
                Word::Name(_) => false,
                Word::Group(name) => group(name).is_some_and(|gid| who.groups.contains(&gid)),
            })
        };
        // Each name by a word of its own: "anonymous,ftp" lets in who types either.
        [who.typed, who.stored].into_iter().all(named) || member()
    }
}

impl Word {
    fn parse(word: &str) -> Result<Word, Wrong> {
        let wrong = |why: &str| Wrong::Because(format!("\"{}\" {why}", shown(word)));
        match word.strip_prefix('@') {
            Some("") => Err(wrong("has no name of a group behind it")),
            Some(group) => Ok(Word::Group(group.to_owned())),
            None => Pattern::new(word.to_ascii_lowercase().as_bytes())
                .map(Word::Name)
                .map_err(|_| wrong("is too long")),
        }
    }
}

fn matches(pattern: &Pattern, name: &[u8]) -> bool {
    pattern.matches(&name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str) -> Option<u32> {
        match name {
            "staff" => Some(50),
            "ftp" => Some(60),
            _ => None,
        }
    }

    fn who<'a>(typed: &'a str, stored: &'a str) -> Who<'a> {
        Who {
            typed: typed.as_bytes(),
            stored: stored.as_bytes(),
            groups: &[7, 50],
        }
    }

    fn deny(list: &str, typed: &str, stored: &str) -> Result<bool, String> {
        Names::parse(list).unwrap().deny(who(typed, stored), group)
    }

    fn allow(list: &str, typed: &str, stored: &str) -> bool {
        Names::parse(list).unwrap().allow(who(typed, stored), group)
    }

    #[test]
    fn commas_and_blanks_separate_and_case_does_not_matter() {
        for list in ["root,fred", "root fred", " ROOT ,, FRED "] {
            assert_eq!(deny(list, "fred", "fred"), Ok(true));
            assert_eq!(deny(list, "fReD", "Fred"), Ok(true));
            assert_eq!(deny(list, "freda", "freda"), Ok(false));
            assert!(allow(list, "FRED", "fred") && !allow(list, "ann", "ann"));
        }
    }

    #[test]
    fn either_name_denies_and_both_allow() {
        assert_eq!(deny("ftp", "ftp", "anonymous"), Ok(true));
        assert_eq!(deny("anonymous", "ftp", "anonymous"), Ok(true));
        assert!(!allow("ftp", "ftp", "anonymous"));
        assert!(!allow("anonymous", "ftp", "anonymous"));
        assert!(allow("*", "ftp", "anonymous"));
        assert!(allow("anonymous,ftp", "ftp", "anonymous"));
    }

    #[test]
    fn patterns_match_whole_names_with_their_dots() {
        assert_eq!(deny("guest*", "Guest12", "guest12"), Ok(true));
        assert_eq!(deny("guest*", "aguest", "aguest"), Ok(false));
        assert_eq!(deny("*", ".fred", ".fred"), Ok(true));
        assert_eq!(deny("[a-c]?", "B1", "b1"), Ok(true));
    }

    #[test]
    fn groups_are_those_of_the_real_user() {
        assert_eq!(deny("@staff", "fred", "fred"), Ok(true));
        assert_eq!(deny("@ftp", "fred", "fred"), Ok(false));
        assert!(allow("@ftp,@staff", "fred", "fred") && !allow("@ftp", "fred", "fred"));
    }

    #[test]
    fn an_unknown_group_lets_nobody_in() {
        assert_eq!(deny("@gone", "fred", "fred"), Err("gone".to_owned()));
        assert_eq!(deny("@gone,fred", "fred", "fred"), Ok(true));
        assert!(!allow("@gone", "fred", "fred"));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for list in [
            "",
            " , ",
            "@",
            "fred,@",
            &"x".repeat(257),
            &"x,".repeat(MOST + 1),
        ] {
            assert!(Names::parse(list).is_err(), "{list:?}");
        }
    }
}
