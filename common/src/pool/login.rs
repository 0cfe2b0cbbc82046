//! The login that the watcher tries, from a file that nobody but the daemon's user can read.

use std::path::Path;

use zeroize::Zeroize;

use crate::auth::Secret;
use crate::proto::request::Request;
use crate::settings::read::read_private;

/// A name and a password.
#[derive(Debug)]
pub struct Login {
    pub(super) user: Request,
    pub(super) password: Secret,
}

impl Login {
    /// Reads a file of two lines: the name, and the password.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub fn read(path: &Path) -> Result<Login, String> {
        let wrong = |why: &str| format!("HealthLogin: {}: {why}", path.display());
        let mut octets = read_private(path).map_err(|error| wrong(&error.to_string()))?;
        let login = parse(&octets);
        octets.zeroize();
        login.map_err(wrong)
    }
}

fn parse(octets: &[u8]) -> Result<Login, &'static str> {
    let mut lines = octets.split(|&octet| octet == b'\n');
    let mut line = || {
        let line = lines.next().unwrap_or_default();
        line.strip_suffix(b"\r").unwrap_or(line)
    };
    let (user, password, rest) = (line(), line(), line());
    if user.is_empty() || password.is_empty() || !rest.is_empty() {
        return Err("it is not two lines, the name of a user and its password");
    }
    let user = Request::new("USER", user).map_err(|_| "the name holds a line end")?;
    Request::new("PASS", password).map_err(|_| "the password holds a line end")?;
    Ok(Login {
        user,
        password: Secret::new(password),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_two_lines() {
        for right in [&b"me\nsecret"[..], b"me\nsecret\n", b"me\r\nsecret\r\n"] {
            let login = parse(right).unwrap();
            assert_eq!(login.user.octets(), b"USER me\r\n");
            assert_eq!(login.password.expose(), b"secret");
        }
        for wrong in [
            &b""[..],
            b"me",
            b"me\n",
            b"\nsecret\n",
            b"a\nb\nc\n",
            b"a\rb\nc\n",
        ] {
            assert!(parse(wrong).is_err(), "{}", wrong.escape_ascii());
        }
    }
}
