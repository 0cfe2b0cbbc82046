//! The file that says which users of a pool are led to which servers. Pure: no I/O.

use std::collections::HashMap;

use super::assign::Place;
use super::nearest::nearest;
use super::pool::PoolServer;
use super::value::shown;

/// The longest name of a user, in octets.
const LONGEST_USER: usize = 255;

/// Servers of users by their names, as indexes of the pool's list, in the order in which they are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserServers(HashMap<Vec<u8>, Vec<usize>>);

/// What is wrong with a file, and where.
pub(super) type Complaint = (Place, String);

impl UserServers {
    /// The servers of a user that the file names.
    pub fn of(&self, user: &[u8]) -> Option<&[usize]> {
        self.0.get(user).map(Vec::as_slice)
    }

    /// How many users it names.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads lines of a user and its servers, with blanks between; `#` begins a comment.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(super) fn parse(text: &str, servers: &[PoolServer]) -> Result<UserServers, Vec<Complaint>> {
        let mut users = UserServers::default();
        let mut complaints = Vec::new();
        for (index, line) in text.lines().enumerate() {
            match users.take(line, index + 1, servers) {
                Ok(()) => {}
                Err(complaint) => complaints.push(complaint),
            }
        }
        match complaints.is_empty() {
            true => Ok(users),
            false => Err(complaints),
        }
    }

    fn take(&mut self, line: &str, number: usize, all: &[PoolServer]) -> Result<(), Complaint> {
        let content = line.split('#').next().unwrap_or_default();
        let place = |word: &str| {
            // The word is a part of the line.
            let start = word.as_ptr().addr() - line.as_ptr().addr();
            Place {
                line: number,
                column: line[..start].chars().count() + 1,
                length: word.chars().count().max(1),
            }
        };
        let mut words = content.split_whitespace();
        let Some(user) = words.next() else {
            return Ok(());
        };
        if user.len() > LONGEST_USER {
            let text = format!("the name is longer than {LONGEST_USER} octets");
            return Err((place(user), text));
        }
        let mut servers = Vec::new();
        for word in words {
            let Some(index) = all.iter().position(|server| server.name == word) else {
                let near = nearest(word, all.iter().map(|server| server.name.as_str()));
                let hint = near.map(|name| format!(", did you mean \"{name}\"?"));
                let text = format!(
                    "Servers has no server \"{}\"{}",
                    shown(word),
                    hint.unwrap_or_default()
                );
                return Err((place(word), text));
            };
            if servers.contains(&index) {
                let text = format!("\"{}\" stands here twice", shown(word));
                return Err((place(word), text));
            }
            servers.push(index);
        }
        if servers.is_empty() {
            let text = format!("\"{}\" has no server behind it", shown(user));
            return Err((place(user), text));
        }
        if self.0.insert(user.as_bytes().to_vec(), servers).is_some() {
            let text = format!("\"{}\" has another line before this one", shown(user));
            return Err((place(user), text));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::pool;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<UserServers, Vec<Complaint>> {
        let servers = pool::servers("one=192.0.2.1,two=192.0.2.2").unwrap();
        UserServers::parse(text, &servers)
    }

    #[test]
    fn each_line_is_a_user_and_its_servers_in_their_order() {
        let users = parse("# who\nalice two one # both\n\n  bob\tone\r\nü two").unwrap();
        assert_eq!(users.of(b"alice"), Some(&[1, 0][..]));
        assert_eq!(users.of(b"bob"), Some(&[0][..]));
        assert_eq!(users.of("ü".as_bytes()), Some(&[1][..]));
        assert_eq!((users.of(b"eve"), users.len()), (None, 3));
    }

    #[test]
    fn what_is_wrong_is_told_with_line_and_column() {
        let long = "x".repeat(256);
        let text =
            format!("alice one\nbob thre\n ü  onee\ncarl\nalice two\ndave one one\n{long} one");
        let wrong = parse(&text).unwrap_err();
        let told: Vec<_> = wrong
            .iter()
            .map(|(place, text)| (place.line, place.column, text.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (2, 5, "Servers has no server \"thre\""),
                (
                    3,
                    5,
                    "Servers has no server \"onee\", did you mean \"one\"?"
                ),
                (4, 1, "\"carl\" has no server behind it"),
                (5, 1, "\"alice\" has another line before this one"),
                (6, 10, "\"one\" stands here twice"),
                (7, 1, "the name is longer than 255 octets"),
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_complained_about(text in "(one|two|[a-z#ü \t\r\n\u{2028}]){0,40}") {
            match parse(&text) {
                Ok(users) => prop_assert!(users.len() <= text.lines().count()),
                Err(complaints) => for (place, _) in complaints {
                    prop_assert!(place.line <= text.lines().count() && place.column > 0);
                }
            }
        }
    }
}
