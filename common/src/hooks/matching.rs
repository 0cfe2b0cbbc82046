//! For which users, paths and networks a hook is. Pure: no I/O.

use super::event::Event;
use crate::pattern::{Pattern, TooLong};
use crate::settings::networks::Networks;

/// All that is said must be so. What an event does not have matches no pattern, so that it is not excluded by one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Match {
    pub users: Option<UserPatterns>,
    pub paths: Option<PathPatterns>,
    /// Of the client.
    pub networks: Option<Networks>,
}

impl Match {
    pub fn includes(&self, event: &Event) -> bool {
        let session = event.session.as_ref();
        let user = session.and_then(|session| session.user.as_ref());
        let path = event.act.path.as_ref();
        let user = user.map(|user| user.name.as_bytes());
        let path = path.map(|path| path.as_bytes());
        let users = self.users.as_ref().is_none_or(|users| {
            users
                .0
                .include(|pattern| user.is_some_and(|user| pattern.matches(user)))
        });
        let paths = self.paths.as_ref().is_none_or(|paths| {
            paths
                .0
                .include(|pattern| path.is_some_and(|path| pattern.matches(path)))
        });
        let networks = self.networks.as_ref().is_none_or(|networks| {
            session.is_some_and(|session| networks.contain(session.client.ip().to_canonical()))
        });
        users && paths && networks
    }
}

/// Patterns, each of which may have `!` before it. Included is what matches a pattern without one, or anything if there is
/// none of these, and no pattern with one.
#[derive(Clone, Debug, PartialEq)]
struct Patterns<P> {
    /// As they were written.
    words: Vec<String>,
    some: Vec<P>,
    none: Vec<P>,
}

impl<P> Patterns<P> {
    fn parse(
        words: &[&str],
        parse: impl Fn(&str) -> Result<P, TooLong>,
    ) -> Result<Patterns<P>, TooLong> {
        let (mut some, mut none) = (Vec::new(), Vec::new());
        for word in words {
            match word.strip_prefix('!') {
                Some(word) => none.push(parse(word)?),
                None => some.push(parse(word)?),
            }
        }
        let words = words.iter().map(|&word| word.to_owned()).collect();
        Ok(Patterns { words, some, none })
    }

    fn include(&self, matches: impl Fn(&P) -> bool) -> bool {
        (self.some.is_empty() || self.some.iter().any(&matches)) && !self.none.iter().any(&matches)
    }
}

/// Patterns for names of users.
#[derive(Clone, Debug, PartialEq)]
pub struct UserPatterns(Patterns<Pattern>);

impl UserPatterns {
    pub fn parse(words: &[&str]) -> Result<UserPatterns, TooLong> {
        Patterns::parse(words, |word| Pattern::new(word.as_bytes())).map(UserPatterns)
    }

    /// The patterns as they were written.
    pub(super) fn words(&self) -> &[String] {
        &self.0.words
    }
}

/// Patterns for paths as the client sees them. A part `**` is any number of parts, or none.
#[derive(Clone, Debug, PartialEq)]
pub struct PathPatterns(Patterns<PathPattern>);

impl PathPatterns {
    /// Reads patterns. One that does not begin with a slash is for the last part of a path.
    pub fn parse(words: &[&str]) -> Result<PathPatterns, TooLong> {
        Patterns::parse(words, PathPattern::parse).map(PathPatterns)
    }

    /// The patterns as they were written.
    pub(super) fn words(&self) -> &[String] {
        &self.0.words
    }
}

#[derive(Clone, Debug, PartialEq)]
struct PathPattern(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// `**`.
    AnyDepth,
    Part(Pattern),
}

impl PathPattern {
    fn parse(word: &str) -> Result<PathPattern, TooLong> {
        // The pattern as a whole is bounded by what one part may be.
        Pattern::new(word.as_bytes())?;
        let (mut steps, parts) = match word.strip_prefix('/') {
            Some(parts) => (Vec::new(), parts),
            None => (vec![Step::AnyDepth], word),
        };
        for part in parts.split('/').filter(|part| !part.is_empty()) {
            match part {
                "**" if steps.last() == Some(&Step::AnyDepth) => {}
                "**" => steps.push(Step::AnyDepth),
                _ => steps.push(Step::Part(Pattern::new(part.as_bytes())?)),
            }
        }
        Ok(PathPattern(steps))
    }

    /// Whether all of a path matches. As in [`Pattern::matches`] only the last `**` is tried again, which bounds the time.
    fn matches(&self, path: &[u8]) -> bool {
        let parts: Vec<&[u8]> = path
            .split(|&octet| octet == b'/')
            .filter(|part| !part.is_empty())
            .collect();
        let (mut steps, mut rest) = (self.0.as_slice(), parts.as_slice());
        let mut again: Option<(&[Step], &[&[u8]])> = None;
        loop {
            match (steps.split_first(), rest.split_first()) {
                (Some((Step::AnyDepth, after)), _) => {
                    again = Some((after, rest));
                    steps = after;
                    continue;
                }
                (Some((Step::Part(pattern), after)), Some((part, behind)))
                    if pattern.matches(part) =>
                {
                    (steps, rest) = (after, behind);
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            let Some((after, [_, behind @ ..])) = again else {
                return false;
            };
            again = Some((after, behind));
            (steps, rest) = (after, behind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bounded::Path;
    use super::super::field::tests::full;
    use super::*;

    fn path(words: &[&str], path: &str) -> bool {
        let mut event = full();
        event.act.path = Path::new(path).ok();
        let paths = PathPatterns::parse(words).ok();
        Match {
            paths,
            ..Match::default()
        }
        .includes(&event)
    }

    #[test]
    fn a_path_is_matched_part_by_part() {
        assert!(path(&["/incoming/**"], "/incoming/a"));
        assert!(path(&["/incoming/**"], "/incoming/a/b"));
        assert!(path(&["/incoming/**"], "/incoming"));
        assert!(!path(&["/incoming/**"], "/incoming2/a"));
        assert!(path(&["/incoming/*"], "/incoming/a"));
        assert!(!path(&["/incoming/*"], "/incoming/a/b"));
        assert!(path(&["/**/x/**/y"], "/a/x/b/x/c/y"));
        assert!(!path(&["/**/x/**/y"], "/a/y/b/x"));
        assert!(path(&["*.exe"], "/a/b/c.exe"));
        assert!(!path(&["*.exe"], "/a/b.exe/c"));
        assert!(path(&["/"], "/") && !path(&["/"], "/a"));
    }

    #[test]
    fn an_exclamation_mark_excludes() {
        assert!(path(&["/in/**", "!*.part"], "/in/a"));
        assert!(!path(&["/in/**", "!*.part"], "/in/a.part"));
        assert!(path(&["!*.part"], "/a") && !path(&["!*.part"], "/a.part"));
        assert!(PathPatterns::parse(&[&"x".repeat(300)]).is_err());
    }

    #[test]
    fn users_and_networks_must_match_too() {
        let event = full();
        let matches = |users: Option<&[&str]>, networks: Option<&str>| {
            Match {
                users: users.map(|users| UserPatterns::parse(users).unwrap()),
                paths: None,
                networks: networks.map(|list| Networks::parse(list).unwrap()),
            }
            .includes(&event)
        };
        assert!(matches(None, None));
        assert!(matches(Some(&["fr*"]), Some("192.0.2.0/24")));
        assert!(!matches(Some(&["!fred"]), Some("192.0.2.0/24")));
        assert!(!matches(Some(&["fr*"]), Some("10.0.0.0/8")));
        let mut stranger = full();
        stranger.session = None;
        let includes = |word: &str| {
            let users = UserPatterns::parse(&[word]).ok();
            Match {
                users,
                ..Match::default()
            }
            .includes(&stranger)
        };
        assert!(includes("!fred") && !includes("*"));
    }
}
