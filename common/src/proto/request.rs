//! A command line as a client sends it to a server: one line, whatever its argument holds. Pure: no I/O.

use std::fmt;

use zeroize::Zeroize;

/// A command on its way to a server. It may hold a password: it is wiped, and `Debug` shows the verb alone.
pub struct Request {
    verb: &'static str,
    octets: Vec<u8>,
}

/// The argument holds what would end the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsendable;

impl Request {
    /// A command without an argument.
    pub fn plain(verb: &'static str) -> Request {
        let octets = [verb.as_bytes(), b"\r\n"].concat();
        Request { verb, octets }
    }

    /// A command with its argument; IAC in it is doubled, as Telnet wants it (RFC 854).
    ///
    /// # Errors
    /// SECURITY: with CR, LF or NUL in it one command would become two.
    pub fn new(verb: &'static str, argument: &[u8]) -> Result<Request, Unsendable> {
        if argument
            .iter()
            .any(|octet| matches!(octet, b'\r' | b'\n' | 0))
        {
            return Err(Unsendable);
        }
        // It does not grow: nothing is left behind where it was.
        let doubled = argument.iter().filter(|&&octet| octet == 255).count();
        let mut octets = Vec::with_capacity(verb.len() + 3 + argument.len() + doubled);
        octets.extend_from_slice(verb.as_bytes());
        octets.push(b' ');
        for &octet in argument {
            octets.push(octet);
            if octet == 255 {
                octets.push(octet);
            }
        }
        octets.extend_from_slice(b"\r\n");
        Ok(Request { verb, octets })
    }

    pub fn verb(&self) -> &'static str {
        self.verb
    }

    /// The line as it goes over the wire.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.octets.zeroize();
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_is_one_line() {
        assert_eq!(Request::plain("NOOP").octets(), b"NOOP\r\n");
        let request = Request::new("CWD", b"a \xff b").unwrap();
        assert_eq!(request.octets(), b"CWD a \xff\xff b\r\n");
        for bad in [&b"a\r\nDELE b"[..], b"a\nb", b"a\0b"] {
            assert!(Request::new("CWD", bad).is_err());
        }
    }

    #[test]
    fn row_86_a_password_is_not_shown() {
        let request = Request::new("PASS", b"secret").unwrap();
        assert_eq!(format!("{request:?}"), "PASS");
    }
}
