//! Lines of our own logs that are about transfers: objects of `LogFormat=json`, which may hold a digest, and lines of xferlog(5), which
//! hold a size. Pure: no I/O.

use serde_json::Value;

use super::reply::Reply;
use super::transcript::{About, Exchange, Representation};

/// The forms of our logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Log {
    Json,
    Xferlog,
}

/// A transfer in a log.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    /// The whole path.
    pub(super) path: Vec<u8>,
    pub(super) told: Told,
}

/// What a log says about a transfer.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    /// It was broken off.
    Incomplete,
    /// A digest was told to the client.
    Digest(Exchange),
    /// It had so many octets, as they are on the disk.
    Size(u64),
    /// Nothing that a file can be compared with, and why.
    Nothing(&'static str),
}

impl Log {
    /// The form of a log that begins with this line.
    pub(super) fn of_first(line: &[u8]) -> Option<Log> {
        if line.starts_with(b"{\"time\":") {
            return Some(Log::Json);
        }
        Log::Xferlog.transfer(line).map(|_| Log::Xferlog)
    }

    /// What a line says, if it is about a transfer.
    pub(super) fn transfer(self, line: &[u8]) -> Option<Entry> {
        match self {
            Log::Json => json(line),
            Log::Xferlog => xferlog(line),
        }
    }
}

fn json(line: &[u8]) -> Option<Entry> {
    let object: Value = serde_json::from_slice(line).ok()?;
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let number = |name: &str| object.get(name).and_then(Value::as_u64);
    if text("event") != Some("transfer") {
        return None;
    }
    let path = text("path")?.as_bytes().to_vec();
    let octets = number("octets")?;
    let offset = number("offset").unwrap_or(0);
    let (kind, special) = (text("type")?, text("special")?);
    let told = match text("digest") {
        _ if text("completion") != Some("c") => Told::Incomplete,
        Some(digest) => {
            // A log does not say what was part of a file: the last octet does, where octets went as they are.
            let last = octets
                .checked_sub(1)
                .filter(|_| (kind, special) == ("b", "_"));
            let last = last.map(|last| offset.saturating_add(last));
            Told::Digest(exchange(&path, (offset, last), kind, digest))
        }
        None if offset > 0 => Told::Nothing("a part, without a digest"),
        None => size(octets, kind, special),
    };
    Some(Entry { path, told })
}

/// As if a client had heard of the digest.
fn exchange(path: &[u8], (start, last): (u64, Option<u64>), kind: &str, digest: &str) -> Exchange {
    Exchange {
        name: path.to_vec(),
        about: About::Transfer { start, last },
        representation: match kind {
            "b" => Representation::Image,
            _ => Representation::Ascii,
        },
        reply: Some(Reply {
            code: 226,
            text: digest.as_bytes().to_vec(),
        }),
    }
}

/// `Sun Nov 29 10:55:16 2026 1 192.0.2.7 4 /name b _ i r joe ftp 0 * c`; no name holds a space there.
fn xferlog(line: &[u8]) -> Option<Entry> {
    let words: Vec<_> = line
        .split(|&octet| octet == b' ')
        .filter(|word| !word.is_empty())
        .collect();
    let [
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        octets,
        path,
        kind,
        special,
        direction,
        _,
        _,
        _,
        _,
        _,
        completion,
    ] = words[..]
    else {
        return None;
    };
    let text = |word| std::str::from_utf8(word).ok();
    let octets = text(octets)?.parse().ok()?;
    let told = match (direction, completion) {
        (b"i" | b"o", b"c") => size(octets, text(kind)?, text(special)?),
        (b"i" | b"o", b"i") => Told::Incomplete,
        _ => return None,
    };
    let path = path.to_vec();
    Some(Entry { path, told })
}

fn size(octets: u64, kind: &str, special: &str) -> Told {
    match (kind, special) {
        (_, "T") => Told::Nothing("it was an archive"),
        (_, "C") => Told::Nothing("compressed, without a digest"),
        ("b", _) => Told::Size(octets),
        _ => Told::Nothing("in TYPE A, without a digest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const XFERLOG: &str = "Sun Nov  1 10:55:16 2026 1 192.0.2.7 4 /a/b b _ i r joe ftp 0 * c";

    fn told(log: Log, line: &str) -> Option<Told> {
        log.transfer(line.as_bytes()).map(|entry| entry.told)
    }

    #[test]
    fn xferlog_tells_sizes() {
        assert_eq!(Log::of_first(XFERLOG.as_bytes()), Some(Log::Xferlog));
        let entry = Log::Xferlog.transfer(XFERLOG.as_bytes()).unwrap();
        assert_eq!(entry.path, b"/a/b");
        assert_eq!(entry.told, Told::Size(4));
        for (from, to, expected) in [
            ("* c", "* i", Told::Incomplete),
            ("b _", "a _", Told::Nothing("in TYPE A, without a digest")),
            ("b _", "b C", Told::Nothing("compressed, without a digest")),
            ("b _", "b T", Told::Nothing("it was an archive")),
        ] {
            assert_eq!(
                told(Log::Xferlog, &XFERLOG.replace(from, to)),
                Some(expected)
            );
        }
        for other in [
            "",
            "220 hello",
            &XFERLOG.replace(" 4 ", " x "),
            &XFERLOG.replace("* c", "c"),
        ] {
            assert_eq!(told(Log::Xferlog, other), None, "{other}");
        }
    }

    #[test]
    fn objects_tell_digests() {
        let line = |more: &str| {
            format!(
                "{{\"time\":\"x\",\"event\":\"transfer\",\"path\":\"/a\",\"octets\":4,\"type\":\"b\",\"special\":\"_\",\
                 \"completion\":\"c\"{more}}}"
            )
        };
        assert_eq!(Log::of_first(line("").as_bytes()), Some(Log::Json));
        assert_eq!(told(Log::Json, &line("")), Some(Told::Size(4)));
        let part = Told::Nothing("a part, without a digest");
        assert_eq!(told(Log::Json, &line(",\"offset\":2")), Some(part));
        let Some(Told::Digest(exchange)) = told(
            Log::Json,
            &line(",\"offset\":2,\"digest\":\"CRC32=00000000\""),
        ) else {
            panic!("no digest");
        };
        let part = About::Transfer {
            start: 2,
            last: Some(5),
        };
        assert_eq!(exchange.about, part);
        let broken = line("").replace("\"completion\":\"c\"", "\"completion\":\"i\"");
        assert_eq!(told(Log::Json, &broken), Some(Told::Incomplete));
        for other in ["{\"time\":", "{\"time\":\"x\",\"event\":\"login\"}", ""] {
            assert_eq!(told(Log::Json, other), None, "{other}");
        }
    }
}
