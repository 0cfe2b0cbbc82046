//! Manifests: lines that say which digests a file has, in the forms of coreutils, BSD and our own in JSON; written and
//! read. Pure: no I/O.

use std::fmt::Write as _;

use common::digest::{self, Algorithm, Digest};
use serde_json::Value;

/// How a manifest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `hex  name`: one digest on a line, whose length tells which.
    Plain,
    /// `SHA256 (name) = hex`.
    Tagged,
    /// An object for each file.
    Json,
}

/// What ends a line, and therefore what cannot stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Newline,
    /// Names are as they are.
    Nul,
}

/// A file is said to have these digests.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    /// At least one.
    pub(crate) digests: Vec<(Algorithm, Digest)>,
}

impl Ending {
    pub(crate) fn octet(self) -> u8 {
        match self {
            Ending::Newline => b'\n',
            Ending::Nul => 0,
        }
    }

    /// A name as it can stand in a line, and the mark that stands before a line whose name is escaped.
    pub(crate) fn name(self, name: &[u8]) -> (&'static [u8], Vec<u8>) {
        match self {
            Ending::Newline => escape(name),
            Ending::Nul => (b"", name.to_vec()),
        }
    }
}

impl Entry {
    /// The lines for a file with so many octets, each with its end.
    pub(crate) fn lines(&self, size: u64, form: Form, ending: Ending) -> Vec<u8> {
        if form == Form::Json {
            return self.object(size).into_bytes();
        }
        let (mark, name) = ending.name(&self.name);
        let mut lines = Vec::new();
        for (algorithm, digest) in &self.digests {
            let digest = digest.to_string();
            let line = match form {
                Form::Tagged => {
                    let tag = tag(*algorithm);
                    [
                        mark,
                        tag.as_bytes(),
                        b" (",
                        &name,
                        b") = ",
                        digest.as_bytes(),
                    ]
                    .concat()
                }
                _ => [mark, digest.as_bytes(), b"  ", &name].concat(),
            };
            lines.extend(line);
            lines.push(ending.octet());
        }
        lines
    }

    fn object(&self, size: u64) -> String {
        let mut text = format!("{{{},\"size\":{size},\"digests\":{{", json_path(&self.name));
        for (count, (algorithm, digest)) in self.digests.iter().enumerate() {
            let comma = if count == 0 { "" } else { "," };
            // Writing to memory does not fail.
            let _ = write!(text, "{comma}\"{algorithm}\":\"{digest}\"");
        }
        text.push_str("}}\n");
        text
    }

    /// Reads a line of any form, without its end. Without `asked` the tag or the length tells the algorithm; where both are
    /// there they must agree, and of several digests the one asked for counts.
    pub(crate) fn parse(line: &[u8], asked: Option<Algorithm>, ending: Ending) -> Option<Entry> {
        if line.starts_with(b"{") {
            return json(line, asked);
        }
        let (line, escaped) = match line.strip_prefix(b"\\") {
            Some(rest) if ending == Ending::Newline => (rest, true),
            _ => (line, false),
        };
        let (tag, hex, name) = tagged(line).or_else(|| plain(line))?;
        let digest = Digest::from_hex(hex)?;
        let algorithm = match (asked, tag) {
            (Some(asked), Some(tag)) if asked != tag => return None,
            (Some(algorithm), _) | (None, Some(algorithm)) => algorithm,
            (None, None) => by_length(&digest)?,
        };
        let name = if escaped {
            unescape(name)?
        } else {
            name.to_vec()
        };
        let sound = fits(algorithm, &digest) && !name.is_empty();
        sound.then(|| Entry {
            name,
            digests: vec![(algorithm, digest)],
        })
    }
}

/// The algorithm that digests of this length mostly are of. Whirlpool is as long as SHA-512, and BLAKE3 as SHA-256; both
/// come later.
pub(crate) fn by_length(digest: &Digest) -> Option<Algorithm> {
    Algorithm::ALL.into_iter().find(|&a| fits(a, digest))
}

pub(crate) fn fits(algorithm: Algorithm, digest: &Digest) -> bool {
    digest.as_bytes().len() == algorithm.length()
}

/// A name as a member of a JSON object.
pub(crate) fn json_path(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(name) => format!("\"path\":{}", Value::from(name)),
        Err(_) => format!("\"path_hex\":\"{}\"", digest::hex(name)),
    }
}

/// The names of BSD's programs, which have no hyphens.
fn tag(algorithm: Algorithm) -> String {
    algorithm.label().replace('-', "")
}

fn escape(name: &[u8]) -> (&'static [u8], Vec<u8>) {
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

type Parts<'a> = (Option<Algorithm>, &'a [u8], &'a [u8]);

fn plain(line: &[u8]) -> Option<Parts<'_>> {
    let space = line.iter().position(|&b| b == b' ')?;
    match &line[space + 1..] {
        [b' ' | b'*', name @ ..] => Some((None, &line[..space], name)),
        _ => None,
    }
}

/// `SHA256 (name) = hex`, and `SHA2-256(name)= hex` as OpenSSL 3 has it.
fn tagged(line: &[u8]) -> Option<Parts<'_>> {
    let open = line.iter().position(|&b| b == b'(')?;
    let (head, rest) = (&line[..open], &line[open + 1..]);
    let (tag, between): (_, &[u8]) = match head.strip_suffix(b" ") {
        Some(tag) => (tag, b") = "),
        None => (head, b")= "),
    };
    let close = rest
        .windows(between.len())
        .rposition(|end| end == between)?;
    let tag = std::str::from_utf8(tag).ok()?;
    let tag = tag
        .strip_prefix("SHA2-")
        .map_or(tag.to_owned(), |bits| format!("SHA-{bits}"));
    let hex = &rest[close + between.len()..];
    Some((Some(Algorithm::find(&tag)?), hex, &rest[..close]))
}

fn json(line: &[u8], asked: Option<Algorithm>) -> Option<Entry> {
    let object: Value = serde_json::from_slice(line).ok()?;
    let name = match (object.get("path"), object.get("path_hex")) {
        (Some(Value::String(name)), None) => name.as_bytes().to_vec(),
        (None, Some(Value::String(hex))) => Digest::from_hex(hex.as_bytes())?.as_bytes().to_vec(),
        _ => return None,
    };
    let mut digests = Vec::new();
    for (label, hex) in object.get("digests")?.as_object()? {
        // What a later version knows beside ours is no reason not to check ours.
        let Some(algorithm) = Algorithm::find(label) else {
            continue;
        };
        let digest = Digest::from_hex(hex.as_str()?.as_bytes())?;
        if !fits(algorithm, &digest) {
            return None;
        }
        if asked.is_none_or(|asked| asked == algorithm) {
            digests.push((algorithm, digest));
        }
    }
    let sound = !name.is_empty() && !name.contains(&0) && !digests.is_empty();
    sound.then_some(Entry { name, digests })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY_MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";

    fn parse(line: &str) -> Option<(Algorithm, Vec<u8>)> {
        Entry::parse(line.as_bytes(), None, Ending::Newline)
            .map(|entry| (entry.digests[0].0, entry.name))
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
            b"\"{}\"",
        ] {
            for form in [Form::Plain, Form::Tagged, Form::Json] {
                for ending in [Ending::Newline, Ending::Nul] {
                    let entry = Entry {
                        name: name.to_vec(),
                        digests: vec![(Algorithm::Sha1, Algorithm::Sha1.digest(b""))],
                    };
                    let line = entry.lines(0, form, ending);
                    let line = &line[..line.len() - 1];
                    assert_eq!(Entry::parse(line, None, ending), Some(entry), "{line:?}");
                }
            }
        }
    }

    #[test]
    fn plain_and_tagged_lines_are_read() {
        let name = b"a (b) = c".to_vec();
        for text in [
            format!("{EMPTY_MD5}  a (b) = c"),
            format!("{EMPTY_MD5} *a (b) = c"),
            format!("MD5 (a (b) = c) = {EMPTY_MD5}"),
            format!("MD5(a (b) = c)= {EMPTY_MD5}"),
        ] {
            assert_eq!(parse(&text), Some((Algorithm::Md5, name.clone())), "{text}");
        }
        let sha256 = Algorithm::Sha256.digest(b"");
        let line = format!("SHA2-256(x)= {sha256}");
        assert_eq!(parse(&line), Some((Algorithm::Sha256, b"x".to_vec())));
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
            "{".to_owned(),
            "{}".to_owned(),
            format!("{{\"path\":\"a\",\"digests\":{{\"sha-1\":\"{EMPTY_MD5}\"}}}}"),
            format!("{{\"path\":\"a\",\"digests\":{{\"md6\":\"{EMPTY_MD5}\"}}}}"),
            format!("{{\"path\":\"\",\"digests\":{{\"md5\":\"{EMPTY_MD5}\"}}}}"),
            format!("{{\"path\":\"a\\u0000\",\"digests\":{{\"md5\":\"{EMPTY_MD5}\"}}}}"),
            format!("{{\"path\":1,\"digests\":{{\"md5\":\"{EMPTY_MD5}\"}}}}"),
        ] {
            assert_eq!(parse(&text), None, "{text}");
        }
        for line in [
            format!("{EMPTY_MD5}  name"),
            format!("MD5 (name) = {EMPTY_MD5}"),
            format!("{{\"path\":\"a\",\"digests\":{{\"md5\":\"{EMPTY_MD5}\"}}}}"),
        ] {
            let asked = Some(Algorithm::Sha1);
            assert_eq!(Entry::parse(line.as_bytes(), asked, Ending::Newline), None);
        }
    }

    #[test]
    fn several_digests_stand_in_one_object_or_in_tagged_lines() {
        let digests = [Algorithm::Crc32, Algorithm::Sha1].map(|a| (a, a.digest(b"")));
        let entry = Entry {
            name: b"\xe9".to_vec(),
            digests: digests.to_vec(),
        };
        let object = entry.lines(0, Form::Json, Ending::Newline);
        let line = "{\"path_hex\":\"e9\",\"size\":0,\"digests\":{\"crc32\":\"00000000\",\
                    \"sha-1\":\"da39a3ee5e6b4b0d3255bfef95601890afd80709\"}}\n";
        assert_eq!(String::from_utf8(object).unwrap(), line);
        assert_eq!(
            Entry::parse(line.as_bytes(), None, Ending::Newline),
            Some(entry)
        );
        let asked = Entry::parse(line.as_bytes(), Some(Algorithm::Sha1), Ending::Newline);
        assert_eq!(asked.unwrap().digests, digests[1..]);
    }
}
