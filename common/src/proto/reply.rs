//! Replies as values: a code, and lines that no file name can forge. Pure: no I/O.

use std::borrow::Cow;

/// A reply code (RFC 959 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(u16);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        impl Code { $($(#[$doc])* pub const $name: Code = Code($value);)* }
    };
}

codes! {
    OK = 200;
    /// Superfluous at this site.
    SUPERFLUOUS = 202;
    SYSTEM_STATUS = 211;
    DIRECTORY_STATUS = 212;
    FILE_STATUS = 213;
    HELP = 214;
    SYSTEM_TYPE = 215;
    SERVICE_READY = 220;
    GOODBYE = 221;
    /// Data connection open, no transfer in progress.
    DATA_OPEN = 225;
    /// Closing data connection, action successful.
    DATA_DONE = 226;
    PASSIVE = 227;
    /// Entering Long Passive Mode (RFC 1639 §3.3).
    LONG_PASSIVE = 228;
    EXTENDED_PASSIVE = 229;
    LOGGED_IN = 230;
    /// RFC 2228 §3: the security data says who it is, so that no password is needed.
    LOGGED_IN_BY_CERTIFICATE = 232;
    /// The handshake may begin (RFC 2228 §5.1).
    SECURITY_ACCEPTED = 234;
    ACTION_DONE = 250;
    /// The digest of a file (draft-twine-ftpmd5 §3).
    FILE_DIGEST = 251;
    FILE_DIGESTS = 252;
    PATHNAME = 257;
    NEED_PASSWORD = 331;
    PENDING = 350;
    /// Service not available, closing control connection.
    CLOSING = 421;
    NO_DATA_CONNECTION = 425;
    /// A security resource is unavailable for now (RFC 2228 §5.1).
    NO_SECURITY_RESOURCE = 431;
    TRANSFER_ABORTED = 426;
    /// File unavailable for now.
    BUSY = 450;
    LOCAL_ERROR = 451;
    NO_SPACE = 452;
    NOT_UNDERSTOOD = 500;
    BAD_ARGUMENT = 501;
    NOT_OFFERED = 502;
    BAD_SEQUENCE = 503;
    PARAMETER_NOT_OFFERED = 504;
    /// Address family not supported (RFC 1639).
    FAMILY_NOT_OFFERED = 521;
    /// No data connection at this level of PROT (RFC 4217 §10.1).
    DATA_LEVEL_REFUSED = 521;
    /// Network protocol not supported (RFC 2428).
    PROTOCOL_NOT_OFFERED = 522;
    /// The TLS of a data connection is refused.
    DATA_TLS_REFUSED = 522;
    NOT_LOGGED_IN = 530;
    /// The control connection stays protected (RFC 2228 §5.1).
    CLEAR_COMMANDS_REFUSED = 533;
    POLICY_REFUSED = 534;
    /// A level of PROT that the mechanism does not have (RFC 2228 §5.1).
    LEVEL_NOT_SUPPORTED = 536;
    UNAVAILABLE = 550;
    QUOTA_EXCEEDED = 552;
    NAME_NOT_ALLOWED = 553;
    /// The restart position is not in the file (RFC 3659 §5).
    BAD_RESTART = 554;
}

impl Code {
    pub fn number(self) -> u16 {
        self.0
    }

    /// Whether what was asked for is done (RFC 959 §4.2: 2yz).
    pub fn is_completion(self) -> bool {
        self.0 / 100 == 2
    }

    /// A code that a server has sent; `None` for a number that no reply of the clear protocol has.
    pub fn of_server(number: u16) -> Option<Code> {
        (100..600).contains(&number).then_some(Code(number))
    }
}

/// One line of a reply's text: never holds CR, LF or NUL, and IAC is doubled as Telnet wants it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<u8>);

impl Line {
    /// Takes any octets. CR, LF and NUL become `?`.
    pub fn new(octets: &[u8]) -> Line {
        let mut line = Vec::with_capacity(octets.len());
        for &octet in octets {
            match octet {
                // SECURITY: a name with a line end in it must not become a second reply.
                b'\r' | b'\n' | 0 => line.push(b'?'),
                255 => line.extend_from_slice(&[255, 255]),
                _ => line.push(octet),
            }
        }
        Line(line)
    }
}

/// A name as a sentence shows it: what could move a terminal is `?`. Where the name is the answer, it stays as it is.
pub fn shown(name: &[u8]) -> Vec<u8> {
    let shown = |&octet: &u8| match octet {
        ..b' ' | 0x7f => b'?',
        octet => octet,
    };
    name.iter().map(shown).collect()
}

impl From<&str> for Line {
    fn from(text: &str) -> Line {
        Line::new(text.as_bytes())
    }
}

impl From<String> for Line {
    fn from(text: String) -> Line {
        Line::new(text.as_bytes())
    }
}

impl From<Vec<u8>> for Line {
    fn from(octets: Vec<u8>) -> Line {
        Line::new(&octets)
    }
}

impl From<Cow<'_, str>> for Line {
    fn from(text: Cow<'_, str>) -> Line {
        Line::new(text.as_bytes())
    }
}

/// The final answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: Code,
    /// Lines before the last one.
    block: Vec<Line>,
    last: Line,
}

impl Reply {
    pub fn new(code: Code, text: impl Into<Line>) -> Reply {
        Reply {
            code,
            block: Vec::new(),
            last: text.into(),
        }
    }

    /// A reply of several lines: `first` and `last` carry the code, those between stand as they are.
    pub fn block(
        code: Code,
        first: impl Into<Line>,
        between: Vec<Line>,
        last: impl Into<Line>,
    ) -> Reply {
        let mut block = vec![first.into()];
        block.extend(between);
        Reply {
            code,
            block,
            last: last.into(),
        }
    }

    /// A reply of these lines.
    pub fn lines<'a>(code: Code, lines: impl Iterator<Item = &'a [u8]>) -> Reply {
        let mut block: Vec<_> = lines.map(Line::new).collect();
        let last = block.pop().unwrap_or_default();
        Reply { code, block, last }
    }

    pub fn code(&self) -> Code {
        self.code
    }

    /// The last line, as it goes over the wire.
    pub fn text(&self) -> &[u8] {
        &self.last.0
    }

    /// Puts lines before the only one. A reply that has several is left as it is: clients read those by their places.
    #[must_use]
    pub fn behind(self, lines: Vec<Line>) -> Reply {
        match self.block.is_empty() {
            true => Reply {
                block: lines,
                ..self
            },
            false => self,
        }
    }

    /// The same text under another code.
    #[must_use]
    pub fn under(self, code: Code) -> Reply {
        Reply { code, ..self }
    }

    /// Appends the reply as it goes over the wire (RFC 959 §4.2).
    pub fn encode(&self, out: &mut Vec<u8>) {
        for (index, line) in self.block.iter().enumerate() {
            if index == 0 {
                out.extend_from_slice(format!("{:03}-", self.code.0).as_bytes());
            } else if line.0.first().is_some_and(u8::is_ascii_digit) {
                // A line that begins with a digit could pass for the end of the reply.
                out.push(b' ');
            }
            out.extend_from_slice(&line.0);
            out.extend_from_slice(b"\r\n");
        }
        put_line(self.code, &self.last, out);
    }
}

fn put_line(code: Code, line: &Line, out: &mut Vec<u8>) {
    let [hundreds, tens, ones] =
        [code.0 / 100 % 10, code.0 / 10 % 10, code.0 % 10].map(|d| b"0123456789"[usize::from(d)]);
    out.extend_from_slice(&[hundreds, tens, ones, b' ']);
    out.extend_from_slice(&line.0);
    out.extend_from_slice(b"\r\n");
}

/// The preliminary reply, 150: only opening a data connection sends it, so a handler cannot send one by mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// A line before the last one.
    warning: Option<Line>,
    last: Line,
}

impl Mark {
    pub fn new(text: impl Into<Line>) -> Mark {
        Mark {
            warning: None,
            last: text.into(),
        }
    }

    /// Puts a warning before the text.
    pub fn warn(self, text: impl Into<Line>) -> Mark {
        Mark {
            warning: Some(text.into()),
            ..self
        }
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        if let Some(warning) = &self.warning {
            out.extend_from_slice(b"150-");
            out.extend_from_slice(&warning.0);
            out.extend_from_slice(b"\r\n");
        }
        put_line(Code(150), &self.last, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.encode(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn one_line_and_several_lines() {
        assert_eq!(encoded(&Reply::new(Code::OK, "Fine.")), "200 Fine.\r\n");
        let feat = Reply::block(
            Code::SYSTEM_STATUS,
            "Features:",
            vec![" SIZE".into(), "226 no".into()],
            "End",
        );
        assert_eq!(
            encoded(&feat),
            "211-Features:\r\n SIZE\r\n 226 no\r\n211 End\r\n"
        );
    }

    #[test]
    fn a_warning_stands_before_the_mark() {
        let mut out = Vec::new();
        Mark::new("Opening.").warn("In use.").encode(&mut out);
        assert_eq!(out, b"150-In use.\r\n150 Opening.\r\n");
    }

    proptest! {
        #[test]
        fn no_text_can_forge_a_reply(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Vec::new();
            Reply::block(Code::ACTION_DONE, octets.clone(), vec![octets.clone().into()], octets).encode(&mut out);
            prop_assert!(out.ends_with(b"\r\n"));
            let lines: Vec<_> = out.strip_suffix(b"\r\n").unwrap().split(|&b| b == b'\n').collect();
            prop_assert_eq!(lines.len(), 3);
            prop_assert!(lines[0].starts_with(b"250-") && lines[2].starts_with(b"250 "));
            prop_assert!(!lines[1].first().is_some_and(u8::is_ascii_digit));
            prop_assert!(!out.contains(&0));
        }
    }
}
