//! The argument of SITE PSWD. Pure: no I/O.

use zeroize::Zeroizing;

use crate::auth::Secret;
use crate::proto::args::ArgError;

/// Two passwords with one blank between them. One that holds blanks or begins with a quote is put in quotes, in which
/// a quote is doubled (as in RFC 959's reply 257).
pub(super) fn two_secrets(argument: &[u8]) -> Result<(Secret, Secret), ArgError> {
    if argument.is_empty() {
        return Err(ArgError::Missing);
    }
    let (old, rest) = secret(argument)?;
    let (new, rest) = secret(rest.strip_prefix(b" ").ok_or(ArgError::Syntax)?)?;
    if rest.is_empty() {
        Ok((old, new))
    } else {
        Err(ArgError::Syntax)
    }
}

/// A password, and what follows it.
fn secret(octets: &[u8]) -> Result<(Secret, &[u8]), ArgError> {
    let Some(mut rest) = octets.strip_prefix(b"\"") else {
        let end = octets.iter().position(|&octet| octet == b' ');
        let (word, rest) = octets.split_at(end.unwrap_or(octets.len()));
        return match word {
            [] => Err(ArgError::Syntax),
            word => Ok((Secret::new(word), rest)),
        };
    };
    let mut password = Zeroizing::new(Vec::with_capacity(octets.len()));
    loop {
        match rest {
            [b'"', b'"', behind @ ..] => {
                password.push(b'"');
                rest = behind;
            }
            [b'"', behind @ ..] => return Ok((Secret::new(&password), behind)),
            [octet, behind @ ..] => {
                password.push(*octet);
                rest = behind;
            }
            [] => return Err(ArgError::Syntax),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_passwords_are_told_apart() {
        let both = |argument: &str| {
            let (old, new) = two_secrets(argument.as_bytes())?;
            let text = |secret: &Secret| String::from_utf8(secret.expose().to_vec()).unwrap();
            Ok((text(&old), text(&new)))
        };
        for (argument, old, new) in [
            ("a b", "a", "b"),
            ("a:b\" c\"d", "a:b\"", "c\"d"),
            (r#""a b" "c ""d"" ""#, "a b", "c \"d\" "),
            (r#""" b"#, "", "b"),
        ] {
            assert_eq!(both(argument), Ok((old.to_owned(), new.to_owned())));
        }
        assert_eq!(both(""), Err(ArgError::Missing));
        for wrong in ["a", "a ", " a", "a b c", "a  b", "\"a b", "\"a\"b c"] {
            assert_eq!(both(wrong), Err(ArgError::Syntax), "{wrong}");
        }
    }
}
