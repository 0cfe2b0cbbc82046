//! The text of a Berkeley DB with users, as db_load(1) reads and db_dump(1) prints it: names and passwords by turns. Pure: no I/O.

use zeroize::Zeroizing;

/// What stands before the users in what db_dump prints, and behind them.
const DUMPED: &[u8] = b"VERSION=";
const HEADER_END: &[u8] = b"HEADER=END";
const DATA_END: &[u8] = b"DATA=END";

/// A user, and the number of the line with the name.
#[derive(Debug, PartialEq)]
pub(super) struct Pair {
    pub(super) line: usize,
    pub(super) name: Vec<u8>,
    /// `None` where the text ends first.
    pub(super) password: Option<Zeroizing<Vec<u8>>>,
}

/// Reads all users.
pub(super) fn pairs(octets: &[u8]) -> Vec<Pair> {
    let dumped = octets.starts_with(DUMPED);
    let mut lines = (1..).zip(octets.split(|&octet| octet == b'\n'));
    if dumped {
        let _ = lines.find(|(_, line)| *line == HEADER_END);
    }
    let mut texts = lines
        .take_while(|(_, line)| !dumped || *line != DATA_END)
        .map(|(number, line)| match dumped {
            true => (number, plain(line)),
            false => {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                (number, Zeroizing::new(line.to_vec()))
            }
        })
        .filter(|(_, line)| !line.is_empty());
    std::iter::from_fn(|| {
        let (line, name) = texts.next()?;
        Some(Pair {
            line,
            name: name.to_vec(),
            password: texts.next().map(|(_, password)| password),
        })
    })
    .collect()
}

/// A line of `db_dump -p`: a space, and octets that cannot be printed as `\xx`, the backslash doubled. pam_userdb and db_load put no
/// NUL at the end; others do.
fn plain(line: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut rest = line.strip_prefix(b" ").unwrap_or(line);
    let mut octets = Zeroizing::new(Vec::with_capacity(rest.len()));
    while let [first, behind @ ..] = rest {
        let hex = behind
            .get(..2)
            .and_then(|digits| str::from_utf8(digits).ok());
        let escaped = hex.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (octet, length) = match (first, behind.first(), escaped) {
            (b'\\', Some(b'\\'), _) => (b'\\', 2),
            (b'\\', _, Some(octet)) => (octet, 3),
            _ => (*first, 1),
        };
        octets.push(octet);
        rest = &rest[length..];
    }
    if octets.last() == Some(&0) {
        octets.pop();
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, String, Option<String>)> {
        let text_of = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        let pairs = pairs(text.as_bytes()).into_iter();
        pairs
            .map(|pair| {
                let password = pair.password.map(|password| text_of(&password));
                (pair.line, text_of(&pair.name), password)
            })
            .collect()
    }

    #[test]
    fn names_and_passwords_come_by_turns() {
        let some = |text: &str| Some(text.to_owned());
        let ann = (1, "ann".to_owned(), some("a:b c"));
        assert_eq!(
            read("ann\na:b c\r\n\njoe\n"),
            [ann, (4, "joe".to_owned(), None)]
        );
        assert_eq!(read(""), []);
    }

    #[test]
    fn a_dump_is_read_as_well() {
        let text = "VERSION=3\nformat=print\ntype=hash\nHEADER=END\n ann\n a\\\\b\\c3\\a4\\00\n joe\n  x\nDATA=END\n";
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            read(text),
            [
                (5, "ann".to_owned(), some("a\\b\u{e4}")),
                (7, "joe".to_owned(), some(" x"))
            ]
        );
        assert_eq!(read("VERSION=3\n"), []);
    }
}
