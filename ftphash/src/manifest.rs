//! Lines of a manifest, in the form of sha256sum and its kin: written and read. Pure: no I/O.

use common::digest::{Algorithm, Digest};

/// One line: a file is said to have this digest.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) algorithm: Algorithm,
    pub(crate) digest: Digest,
    pub(crate) name: Vec<u8>,
}

/// The line for a file, without its LF.
pub(crate) fn line(digest: &Digest, name: &[u8]) -> Vec<u8> {
    let (mark, name) = escape(name);
    [mark, digest.to_string().as_bytes(), b"  ", &name].concat()
}

/// A name on one line, and the mark that stands at the start of a line whose name is escaped.
pub(crate) fn escape(name: &[u8]) -> (&'static [u8], Vec<u8>) {
    let mut escaped = Vec::with_capacity(name.len());
    for &byte in name {
        match byte {
            b'\\' => escaped.extend_from_slice(b"\\\\"),
            b'\n' => escaped.extend_from_slice(b"\\n"),
            b'\r' => escaped.extend_from_slice(b"\\r"),
            _ => escaped.push(byte),
        }
    }
    let mark: &[u8] = if escaped == name { b"" } else { b"\\" };
    (mark, escaped)
}

fn unescape(name: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name.iter();
    while let Some(&byte) = rest.next() {
        plain.push(match byte {
            b'\\' => match rest.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            },
            _ => byte,
        });
    }
    Some(plain)
}

impl Entry {
    /// Reads a line in the plain form, `hex  name` or `hex *name`, or in the tagged one, `ALGO (name) = hex`. Without
    /// `asked` the tag or the length tells the algorithm; where both are there they must agree.
    pub(crate) fn parse(line: &[u8], asked: Option<Algorithm>) -> Option<Entry> {
        let (line, escaped) = match line.strip_prefix(b"\\") {
            Some(rest) => (rest, true),
            None => (line, false),
        };
        let (tag, hex, name) = tagged(line).or_else(|| plain(line))?;
        let digest = Digest::from_hex(hex)?;
        let algorithm = match (asked, tag) {
            (Some(asked), Some(tag)) if asked != tag => return None,
            (Some(algorithm), _) | (None, Some(algorithm)) => algorithm,
            // Whirlpool is as long as SHA-512, and BLAKE3 as SHA-256; both come later.
            (None, None) => {
                let length = digest.as_bytes().len();
                Algorithm::ALL.into_iter().find(|a| a.length() == length)?
            }
        };
        let name = if escaped {
            unescape(name)?
        } else {
            name.to_vec()
        };
        let sound = digest.as_bytes().len() == algorithm.length() && !name.is_empty();
        sound.then_some(Entry {
            algorithm,
            digest,
            name,
        })
    }
}

type Parts<'a> = (Option<Algorithm>, &'a [u8], &'a [u8]);

fn plain(line: &[u8]) -> Option<Parts<'_>> {
    let space = line.iter().position(|&b| b == b' ')?;
    match &line[space + 1..] {
        [b' ' | b'*', name @ ..] => Some((None, &line[..space], name)),
        _ => None,
    }
}

fn tagged(line: &[u8]) -> Option<Parts<'_>> {
    let open = line.windows(2).position(|pair| pair == b" (")?;
    let close = line.windows(4).rposition(|end| end == b") = ")?;
    let tag = Algorithm::find(std::str::from_utf8(&line[..open]).ok()?)?;
    Some((Some(tag), &line[close + 4..], line.get(open + 2..close)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY_MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";

    fn parse(line: &str) -> Option<(Algorithm, Vec<u8>)> {
        Entry::parse(line.as_bytes(), None).map(|entry| (entry.algorithm, entry.name))
    }

    #[test]
    fn names_survive_whatever_is_in_them() {
        for name in [
            &b"plain"[..],
            b" *two  spaces ",
            b"a\nb\\n\r",
            b"\\",
            b"\xff",
            b"x) = y",
        ] {
            let digest = Algorithm::Sha1.digest(b"");
            let entry = Entry::parse(&line(&digest, name), None).unwrap();
            assert_eq!((entry.name.as_slice(), entry.digest), (name, digest));
        }
    }

    #[test]
    fn plain_and_tagged_lines_are_read() {
        let name = b"a (b) = c".to_vec();
        for text in [
            format!("{EMPTY_MD5}  a (b) = c"),
            format!("{EMPTY_MD5} *a (b) = c"),
            format!("MD5 (a (b) = c) = {EMPTY_MD5}"),
        ] {
            assert_eq!(parse(&text), Some((Algorithm::Md5, name.clone())), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_no_line() {
        for text in [
            String::new(),
            "hello".to_owned(),
            format!("{EMPTY_MD5} name"),
            format!("{EMPTY_MD5}  "),
            format!("{EMPTY_MD5}0  name"),
            format!("{}  name", &EMPTY_MD5[1..]),
            format!("\\{EMPTY_MD5}  a\\b"),
            format!("SHA1 (name) = {EMPTY_MD5}"),
            "MD5 () = ".to_owned(),
        ] {
            assert_eq!(parse(&text), None, "{text}");
        }
        let line = format!("{EMPTY_MD5}  name");
        assert_eq!(Entry::parse(line.as_bytes(), Some(Algorithm::Sha1)), None);
        let line = format!("MD5 (name) = {EMPTY_MD5}");
        assert_eq!(Entry::parse(line.as_bytes(), Some(Algorithm::Sha1)), None);
    }
}
