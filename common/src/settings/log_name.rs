//! The name of a session's log, which may depend on whose session it is. Pure: no I/O.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A path in which variables stand for the user and the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogName(String);

/// Whose session it is.
#[derive(Clone, Copy, Debug)]
pub struct Whose<'a> {
    /// The name of the account.
    pub user: &'a [u8],
    /// The user of the system whose files are served.
    pub real_user: &'a str,
    pub client: IpAddr,
}

#[derive(Clone, Copy)]
enum Variable {
    User,
    RealUser,
    ClientIp,
}

const VARIABLES: [(&str, Variable); 3] = [
    ("User", Variable::User),
    ("RealUser", Variable::RealUser),
    ("ClientIP", Variable::ClientIp),
];

impl LogName {
    /// Takes a path.
    ///
    /// # Errors
    /// What stands between `$(` and `)` and is no variable.
    pub fn new(path: &str) -> Result<LogName, &str> {
        match pieces(path).find_map(Piece::unknown) {
            Some(unknown) => Err(unknown),
            None => Ok(LogName(path.to_owned())),
        }
    }

    /// The path, if it is the same for all sessions.
    pub fn plain(&self) -> Option<&Path> {
        has_no_variable(&self.0).then(|| self.0.as_ref())
    }

    /// The directory that the log of every session is in, if it is the same for all.
    pub fn directory(&self) -> Option<&Path> {
        let (parent, _) = self.0.rsplit_once('/')?;
        has_no_variable(parent).then(|| parent.as_ref())
    }

    /// The path for one session. Nothing in a name leads to another directory.
    pub fn of(&self, whose: Whose<'_>) -> PathBuf {
        let mut path = String::new();
        for piece in pieces(&self.0) {
            match piece {
                Piece::Text(text) | Piece::Unknown(text) => path.push_str(text),
                Piece::Variable(Variable::User) => fill(&mut path, whose.user),
                Piece::Variable(Variable::RealUser) => fill(&mut path, whose.real_user.as_bytes()),
                Piece::Variable(Variable::ClientIp) => {
                    fill(&mut path, whose.client.to_string().as_bytes());
                }
            }
        }
        PathBuf::from(path)
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Puts a value in. SECURITY: a slash, or a dot at its beginning, would choose another directory.
fn fill(path: &mut String, value: &[u8]) {
    for (at, &octet) in value.iter().enumerate() {
        match octet {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'@' | b'+' | b':' => {
                path.push(char::from(octet));
            }
            b'.' if at > 0 => path.push('.'),
            _ => path.push_str(&format!("%{octet:02X}")),
        }
    }
}

fn has_no_variable(path: &str) -> bool {
    !pieces(path).any(|piece| matches!(piece, Piece::Variable(_)))
}

enum Piece<'a> {
    Text(&'a str),
    Variable(Variable),
    Unknown(&'a str),
}

impl<'a> Piece<'a> {
    fn unknown(self) -> Option<&'a str> {
        match self {
            Piece::Unknown(text) => Some(text),
            Piece::Text(_) | Piece::Variable(_) => None,
        }
    }
}

fn pieces(path: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = path;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mark = rest.find("$(").unwrap_or(rest.len());
        let (text, from_mark) = rest.split_at(mark);
        if !text.is_empty() {
            rest = from_mark;
            return Some(Piece::Text(text));
        }
        let end = rest.find(')').map_or(rest.len(), |end| end + 1);
        let (variable, behind) = rest.split_at(end);
        rest = behind;
        let name = variable
            .strip_prefix("$(")
            .and_then(|name| name.strip_suffix(')'));
        let known = (VARIABLES.iter())
            .find(|(known, _)| name.is_some_and(|name| name.eq_ignore_ascii_case(known)));
        Some(match known {
            Some((_, variable)) => Piece::Variable(*variable),
            None => Piece::Unknown(variable),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(path: &str) -> LogName {
        LogName::new(path).unwrap()
    }

    fn of(path: &str, user: &[u8]) -> PathBuf {
        name(path).of(Whose {
            user,
            real_user: "ftp",
            client: [192, 0, 2, 7].into(),
        })
    }

    #[test]
    fn variables_are_filled_in_in_any_case() {
        assert_eq!(
            of("/var/log/$(user)-$(RealUser)/$(CLIENTIP).log", b"fred"),
            PathBuf::from("/var/log/fred-ftp/192.0.2.7.log")
        );
        assert_eq!(
            name("/var/log/ftp").plain(),
            Some(Path::new("/var/log/ftp"))
        );
        assert_eq!(name("/l/$(User)").plain(), None);
        assert_eq!(name("/l/$(User)").directory(), Some(Path::new("/l")));
        assert_eq!(name("/l/$(User)/x").directory(), None);
        for wrong in ["/l/$(Usr)", "/l/$(User", "/l/$()"] {
            let unknown = LogName::new(wrong).unwrap_err();
            assert_eq!(unknown, wrong.trim_start_matches("/l/"));
        }
    }

    proptest! {
        #[test]
        fn no_user_leads_elsewhere(user in prop::collection::vec(any::<u8>(), 1..40)) {
            let path = of("/l/$(User)", &user);
            prop_assert_eq!(path.parent(), Some(Path::new("/l")));
            let last = path.file_name().and_then(|name| name.to_str());
            prop_assert!(last.is_some_and(|last| !last.starts_with('.')));
        }
    }
}
