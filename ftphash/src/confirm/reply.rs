//! Digests in the replies of servers. Pure: no I/O.

use common::digest::{Algorithm, Digest};

use crate::manifest::{by_length, fits};

/// A reply as it arrived: the code, and the text of its last line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) text: Vec<u8>,
}

/// A digest that a reply tells.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    pub(super) algorithm: Algorithm,
    pub(super) digest: Digest,
    /// What it is of, where the reply names it.
    pub(super) name: Option<Vec<u8>>,
    /// The first octet, and the last one or the one behind it: servers differ.
    pub(super) range: Option<(u64, u64)>,
}

impl Reply {
    /// Reads one line of a reply, with or without the hyphen of those that more follow.
    pub(super) fn parse(line: &[u8]) -> Option<(Reply, Continues)> {
        let (code, rest) = line.split_at_checked(3)?;
        let code = std::str::from_utf8(code).ok()?;
        let proper = code.starts_with(['1', '2', '3', '4', '5', '6'])
            && code.bytes().all(|b| b.is_ascii_digit());
        let (continues, text) = match rest {
            [b' ', text @ ..] => (Continues::No, text),
            [b'-', text @ ..] => (Continues::Yes, text),
            [] => (Continues::No, rest),
            _ => return None,
        };
        let reply = Reply {
            code: code.parse().ok().filter(|_| proper)?,
            text: text.to_vec(),
        };
        Some((reply, continues))
    }

    /// The digests in it. `asked` is the algorithm that the command or the caller named.
    pub(super) fn digests(&self, asked: Option<Algorithm>) -> Vec<Said> {
        let said = match self.code {
            213 => self.hash(),
            251 | 252 => self.named(),
            200..300 => None,
            _ => return Vec::new(),
        };
        let said = said.or_else(|| self.confirmation().map(|said| vec![said]));
        let said = said.or_else(|| self.bare(asked).map(|said| vec![said]));
        let said = said.unwrap_or_default().into_iter();
        said.filter(|said| asked.is_none_or(|asked| asked == said.algorithm))
            .collect()
    }

    /// `SHA-256 0-49 hex name` (draft-bryan-ftpext-hash §3.2).
    fn hash(&self) -> Option<Vec<Said>> {
        let mut words = self.text.splitn(4, |&b| b == b' ');
        let algorithm = algorithm(words.next()?)?;
        let (start, end) = std::str::from_utf8(words.next()?).ok()?.split_once('-')?;
        let range = Some((start.parse().ok()?, end.parse().ok()?));
        let digest = digest(algorithm, words.next()?)?;
        Some(vec![Said {
            algorithm,
            digest,
            name: words.next().map(<[u8]>::to_vec),
            range,
        }])
    }

    /// `name hex, name hex` (draft-twine-ftpmd5 §3). A name may hold what stands between them: the digests show the way.
    fn named(&self) -> Option<Vec<Said>> {
        let mut said = Vec::new();
        let mut rest = &self.text[..];
        while !rest.is_empty() {
            let (at, digest) = (0..rest.len())
                .filter(|&at| rest[at] == b' ')
                .find_map(|at| {
                    let hex = rest.get(at + 1..at + 33)?;
                    let ended = matches!(rest.get(at + 33), None | Some(b','));
                    digest(Algorithm::Md5, hex)
                        .filter(|_| ended)
                        .map(|d| (at, d))
                })?;
            said.push(Said {
                algorithm: Algorithm::Md5,
                digest,
                name: Some(rest[..at].to_vec()),
                range: None,
            });
            rest = &rest[at + 33..];
            rest = rest.strip_prefix(b", ").unwrap_or(rest);
        }
        Some(said).filter(|said| !said.is_empty())
    }

    /// `… SHA-256=hex`. What stands before, such as a name, may look like it too.
    fn confirmation(&self) -> Option<Said> {
        let words = self.text.split(|b| b" ,;()".contains(b)).rev();
        let mut found = words.filter_map(|word| {
            let equals = word.iter().position(|&b| b == b'=')?;
            let algorithm = algorithm(&word[..equals])?;
            Some((algorithm, digest(algorithm, &word[equals + 1..])?))
        });
        found
            .next()
            .map(|(algorithm, digest)| plain(algorithm, digest))
    }

    /// A digest and nothing that says so, as answers to XMD5 and its like are.
    fn bare(&self, asked: Option<Algorithm>) -> Option<Said> {
        if !matches!(self.code, 213 | 250) {
            return None;
        }
        let words = self.text.split(|&b| b == b' ').rev();
        let mut found = words.filter_map(|word| {
            let digest = Digest::from_hex(word)?;
            // A SIZE could be a CRC, and a time nearly.
            let unsaid = || {
                by_length(&digest).filter(|&found| found != Algorithm::Crc32 || self.code == 250)
            };
            let algorithm = asked.or_else(unsaid)?;
            fits(algorithm, &digest).then_some(plain(algorithm, digest))
        });
        found.next()
    }
}

/// Whether more lines of the same reply follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Continues {
    Yes,
    No,
}

fn plain(algorithm: Algorithm, digest: Digest) -> Said {
    Said {
        algorithm,
        digest,
        name: None,
        range: None,
    }
}

fn algorithm(name: &[u8]) -> Option<Algorithm> {
    Algorithm::find(std::str::from_utf8(name).ok()?)
}

fn digest(algorithm: Algorithm, hex: &[u8]) -> Option<Digest> {
    Digest::from_hex(hex).filter(|digest| fits(algorithm, digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "6f5902ac237024bdd0c176cb93063dc4";

    /// The algorithm, the name and the range.
    type Short = (Algorithm, Option<String>, Option<(u64, u64)>);

    fn digests(line: &str, asked: Option<Algorithm>) -> Vec<Short> {
        let (reply, _) = Reply::parse(line.as_bytes()).unwrap();
        let said = reply.digests(asked).into_iter();
        said.map(|said| {
            let name = said.name.map(|name| String::from_utf8(name).unwrap());
            (said.algorithm, name, said.range)
        })
        .collect()
    }

    #[test]
    fn digests_are_found_where_servers_put_them() {
        let name = |name: &str| Some(name.to_owned());
        let md5 = Algorithm::Md5;
        let crc = Algorithm::Crc32;
        for (line, expected) in [
            (
                format!("226 Transfer complete. MD5={MD5}"),
                vec![(md5, None, None)],
            ),
            (
                format!("226 OK 'a MD5={MD5}' 6.0  bytes Transferred CRC32=3610a686"),
                vec![(crc, None, None)],
            ),
            (
                format!("213 MD5 0-12 {MD5} a b"),
                vec![(md5, name("a b"), Some((0, 12)))],
            ),
            (
                format!("213 MD5 5-9 {MD5}"),
                vec![(md5, None, Some((5, 9)))],
            ),
            (
                format!("250 {}", MD5.to_uppercase()),
                vec![(md5, None, None)],
            ),
            ("250 XCRC 3610A686".to_owned(), vec![(crc, None, None)]),
            (format!("251 a b {MD5}"), vec![(md5, name("a b"), None)]),
            (
                format!("252 a, b {MD5}, c {MD5}"),
                vec![(md5, name("a, b"), None), (md5, name("c"), None)],
            ),
            ("226 Transfer complete.".to_owned(), vec![]),
            ("213 20260101000000".to_owned(), vec![]),
            ("213 12345678".to_owned(), vec![]),
            (format!("550 MD5={MD5}"), vec![]),
            (format!("226 MD5={MD5}0"), vec![]),
            (format!("226 {MD5}"), vec![]),
        ] {
            assert_eq!(digests(&line, None), expected, "{line}");
        }
        assert_eq!(digests(&format!("226 MD5={MD5}"), Some(crc)), []);
        assert_eq!(digests("213 12345678", Some(md5)), []);
        assert_eq!(digests("213 12345678", Some(crc)), [(crc, None, None)]);
    }

    #[test]
    fn only_replies_are_replies() {
        for line in [
            "", "22", "226x", "2265", "026 x", "999 x", "+26 x", "\u{e9}26",
        ] {
            assert_eq!(Reply::parse(line.as_bytes()), None, "{line}");
        }
        let (reply, continues) = Reply::parse(b"226-a").unwrap();
        assert_eq!((reply.code, continues), (226, Continues::Yes));
        assert_eq!(Reply::parse(b"226").unwrap().1, Continues::No);
    }
}
