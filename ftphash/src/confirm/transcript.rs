//! What a client tells of its session, line by line: which files went where, and what the server said about them.
//! Pure: no I/O.

use std::collections::VecDeque;

use common::digest::Algorithm;

use super::reply::{Continues, Reply};

/// A command that was about a file, and how it ended.
#[derive(Debug, PartialEq)]
pub(super) struct Exchange {
    /// What it was about, as the client named it here or there.
    pub(super) name: Vec<u8>,
    pub(super) about: About,
    pub(super) representation: Representation,
    /// `None` where the transcript ends before it.
    pub(super) reply: Option<Reply>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// A transfer: from this octet on, and where RANG said so, up to that one.
    Transfer { start: u64, last: Option<u64> },
    /// The digest of the whole file or of a part, by an algorithm that the command names.
    Digest {
        algorithm: Option<Algorithm>,
        range: Option<(u64, u64)>,
    },
}

/// TYPE, as far as the transcript tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Representation {
    Unknown,
    Ascii,
    Image,
}

/// A reading under way.
#[derive(Default)]
pub(super) struct Transcript {
    dialect: Option<&'static Dialect>,
    /// Commands without their final reply.
    waiting: VecDeque<Command>,
    /// A transfer that the client told in words of its own.
    announced: Option<Announced>,
    /// The code of a reply whose last line has not come.
    inside: Option<u16>,
    representation: Option<Representation>,
    restart: u64,
    range: Option<(u64, u64)>,
    sizes: Vec<(Vec<u8>, u64)>,
    commands: bool,
}

#[derive(Debug)]
struct Command {
    verb: String,
    argument: Vec<u8>,
    /// What the file is called here, where the client told.
    local: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Announced {
    local: Vec<u8>,
    remote: Vec<u8>,
}

/// How a client marks what it sent and what came.
struct Dialect {
    sent: &'static [&'static str],
    came: &'static str,
    end: &'static str,
    /// Replies to what the user typed come without a mark.
    raw: bool,
}

/// curl -v; lftp -d; our own logs; Python's ftplib; and those that show replies as they came: tnftp, inetutils, wget -d.
#[rustfmt::skip]
static DIALECTS: [Dialect; 5] = [
    Dialect { sent: &["> "],             came: "< ",        end: "", raw: false },
    Dialect { sent: &["---> "],          came: "<--- ",     end: "", raw: true },
    Dialect { sent: &["C: "],            came: "S: ",       end: "", raw: false },
    Dialect { sent: &["*cmd* '"],        came: "*resp* '",  end: "'", raw: false },
    Dialect { sent: &["---> ", "--> "],  came: "",          end: "", raw: false },
];

/// Commands whose reply is a digest, and of which kind where they say so.
#[rustfmt::skip]
const DIGESTS: [(&str, Option<Algorithm>); 9] = [
    ("HASH",    None),
    ("MD5",     Some(Algorithm::Md5)),
    ("MMD5",    Some(Algorithm::Md5)),
    ("XCRC",    Some(Algorithm::Crc32)),
    ("XMD5",    Some(Algorithm::Md5)),
    ("XSHA",    Some(Algorithm::Sha1)),
    ("XSHA1",   Some(Algorithm::Sha1)),
    ("XSHA256", Some(Algorithm::Sha256)),
    ("XSHA512", Some(Algorithm::Sha512)),
];

const TRANSFERS: [&str; 4] = ["RETR", "STOR", "APPE", "STOU"];

/// Sizes are remembered only as long as an upload could go on from them.
const MOST_SIZES: usize = 64;

impl Transcript {
    /// Takes the next line; gives an exchange that it ends.
    pub(super) fn push(&mut self, line: &[u8]) -> Option<Exchange> {
        // Some clients leave their prompt before what comes next.
        let mut line = line;
        while let Some(rest) = line.strip_prefix(b"ftp> ") {
            line = rest;
        }
        let dialect = match self.dialect {
            Some(dialect) => dialect,
            // The first reply tells: whatever looks like another one later is contents, or somebody's joke.
            None => {
                let found = DIALECTS
                    .iter()
                    .find(|dialect| dialect.reply(line).is_some());
                self.dialect = found;
                found.or_else(|| {
                    DIALECTS
                        .iter()
                        .find(|dialect| dialect.command(line).is_some())
                })?
            }
        };
        if let Some(text) = dialect.received(line) {
            if let Some(code) = self.inside {
                let last = Reply::parse(text).filter(|(reply, _)| reply.code == code);
                return match last {
                    Some((reply, Continues::No)) => {
                        self.inside = None;
                        self.answer(reply)
                    }
                    _ => None,
                };
            }
            match Reply::parse(text) {
                Some((reply, Continues::Yes)) => {
                    self.inside = Some(reply.code);
                    return None;
                }
                Some((reply, Continues::No)) => return self.answer(reply),
                None => {}
            }
        }
        if let Some(text) = dialect.command(line) {
            self.commands = true;
            return self.ask(text);
        }
        let asked = self.waiting.front().map(|command| command.verb.as_str());
        if dialect.raw
            && asked.is_some_and(|asked| DIGESTS.iter().any(|(verb, _)| *verb == asked))
            && let Some((reply, Continues::No)) = Reply::parse(line)
        {
            return self.answer(reply);
        }
        if let (true, Some(announced)) = (dialect.came.is_empty(), announced(line)) {
            let unfinished = self.announced.replace(announced);
            return unfinished.and_then(|announced| self.end_announced(announced, None));
        }
        None
    }

    /// What has no end in the transcript.
    pub(super) fn finish(mut self) -> Vec<Exchange> {
        let announced = self.announced.take();
        let announced = announced.and_then(|announced| self.end_announced(announced, None));
        let waiting = std::mem::take(&mut self.waiting);
        let waiting = waiting
            .into_iter()
            .filter_map(|command| self.end(command, None));
        waiting.chain(announced).collect()
    }

    fn ask(&mut self, text: &[u8]) -> Option<Exchange> {
        let space = text.iter().position(|&b| b == b' ').unwrap_or(text.len());
        let verb = String::from_utf8_lossy(&text[..space]).to_ascii_uppercase();
        let argument = text.get(space + 1..).unwrap_or_default().to_vec();
        let local = match TRANSFERS.contains(&verb.as_str()) {
            true => self.announced.take().map(|announced| announced.local),
            false => None,
        };
        self.waiting.push_back(Command {
            verb,
            argument,
            local,
        });
        None
    }

    fn answer(&mut self, reply: Reply) -> Option<Exchange> {
        if reply.code < 200 {
            if !self.commands && self.announced.is_none() {
                self.announced = opening(&reply.text);
            }
            return None;
        }
        if let Some(command) = self.waiting.pop_front() {
            return self.end(command, Some(reply));
        }
        // Commands are not shown: only these replies are about transfers.
        let ends = matches!(reply.code, 226 | 250 | 425 | 426 | 450..=452 | 550..=553);
        if self.commands || !ends {
            return None;
        }
        let announced = self.announced.take()?;
        self.end_announced(announced, Some(reply))
    }

    fn end_announced(&mut self, announced: Announced, reply: Option<Reply>) -> Option<Exchange> {
        // Which way it went makes no difference.
        let command = Command {
            verb: "RETR".to_owned(),
            argument: announced.remote,
            local: Some(announced.local),
        };
        self.end(command, reply)
    }

    /// The end of a command: what it changed, or the exchange that it was.
    fn end(&mut self, command: Command, reply: Option<Reply>) -> Option<Exchange> {
        let Command {
            verb,
            argument,
            local,
        } = command;
        let code = reply.as_ref().map_or(0, |reply| reply.code);
        let numbers = numbers(&argument);
        let representation = self.representation.unwrap_or(Representation::Unknown);
        let exchange = |name, about| Exchange {
            name,
            about,
            representation,
            reply: reply.clone(),
        };
        match verb.as_str() {
            "TYPE" if code == 200 => {
                self.representation = Some(match argument.first() {
                    Some(b'A' | b'a') => Representation::Ascii,
                    _ => Representation::Image,
                });
            }
            "REST" if code == 350 => self.restart = numbers.first().copied().unwrap_or(0),
            "RANG" if code == 350 => {
                self.range = match numbers[..] {
                    [start, last] if start <= last => Some((start, last)),
                    _ => None,
                };
            }
            "SIZE" if code == 213 => {
                let text = reply
                    .as_ref()
                    .map(|reply| String::from_utf8_lossy(&reply.text));
                if let Some(size) = text.and_then(|text| text.trim().parse().ok()) {
                    self.sizes.retain(|(name, _)| *name != argument);
                    self.sizes.truncate(MOST_SIZES - 1);
                    self.sizes.insert(0, (argument, size));
                }
            }
            "RETR" | "STOR" | "APPE" | "STOU" => {
                let range = self.range.take().filter(|_| verb == "RETR");
                let mut start = std::mem::take(&mut self.restart);
                if verb == "APPE" && start == 0 {
                    // It went on behind what was there.
                    let mut sizes = self.sizes.iter();
                    start = sizes
                        .find(|(name, _)| *name == argument)
                        .map_or(0, |(_, size)| *size);
                }
                let about = About::Transfer {
                    start: range.map_or(start, |(start, _)| start),
                    last: range.map(|(_, last)| last),
                };
                return Some(exchange(local.unwrap_or(argument), about));
            }
            _ => {
                let (_, algorithm) = *DIGESTS.iter().find(|(name, _)| *name == verb)?;
                let mut range = None;
                let mut name = argument;
                if verb == "HASH" {
                    self.range = None;
                    self.restart = 0;
                } else if verb.starts_with('X') {
                    (name, range) = part(&name);
                }
                return Some(exchange(name, About::Digest { algorithm, range }));
            }
        }
        None
    }
}

impl Dialect {
    fn received<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        let text = line.strip_prefix(self.came.as_bytes())?;
        Some(text.strip_suffix(self.end.as_bytes()).unwrap_or(text))
    }

    fn reply<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        self.received(line)
            .filter(|text| Reply::parse(text).is_some())
    }

    fn command<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        let text = self
            .sent
            .iter()
            .find_map(|mark| line.strip_prefix(mark.as_bytes()))?;
        Some(text.strip_suffix(self.end.as_bytes()).unwrap_or(text))
    }
}

/// `local: name remote: name`, as BSD's client and its kin say.
fn announced(line: &[u8]) -> Option<Announced> {
    let rest = line.strip_prefix(b"local: ")?;
    let between = b" remote: ";
    let at = rest
        .windows(between.len())
        .position(|part| part == between)?;
    Some(Announced {
        local: rest[..at].to_vec(),
        remote: rest[at + between.len()..].to_vec(),
    })
}

/// `Opening BINARY mode data connection for name (4 bytes).`, as BSD's server and its kin say in their 150.
fn opening(text: &[u8]) -> Option<Announced> {
    let rest = text.strip_prefix(b"Opening ")?;
    let before = b" mode data connection for ";
    let at = rest.windows(before.len()).position(|part| part == before)?;
    let rest = &rest[at + before.len()..];
    let rest = rest.strip_suffix(b".").unwrap_or(rest);
    let name = match rest.windows(2).rposition(|part| part == b" (") {
        Some(size) if rest.ends_with(b" bytes)") => &rest[..size],
        _ => rest,
    };
    // What they call listings.
    let file = !matches!(name, b"file list" | b"/bin/ls" | b"directory listing");
    file.then(|| Announced {
        local: name.to_vec(),
        remote: name.to_vec(),
    })
}

/// Numbers with blanks between them; nothing else.
fn numbers(argument: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(argument);
    let words = text.split_ascii_whitespace().map(str::parse);
    words.collect::<Result<_, _>>().unwrap_or_default()
}

/// `"name" 0 5` or `name 0 5`, as the X commands have it.
fn part(argument: &[u8]) -> (Vec<u8>, Option<(u64, u64)>) {
    let quoted = argument.strip_prefix(b"\"").and_then(|rest| {
        let end = rest.iter().rposition(|&b| b == b'"')?;
        Some((&rest[..end], &rest[end + 1..]))
    });
    if let Some((name, rest)) = quoted {
        let range = match numbers(rest)[..] {
            [start, end] => Some((start, end)),
            _ => None,
        };
        return (name.to_vec(), range);
    }
    let mut words = argument.rsplitn(3, |&b| b == b' ');
    let (end, start, name) = (words.next(), words.next(), words.next());
    let number = |word: Option<&[u8]>| match numbers(word?)[..] {
        [number] => Some(number),
        _ => None,
    };
    match (name, number(start), number(end)) {
        (Some(name), Some(start), Some(end)) => (name.to_vec(), Some((start, end))),
        _ => (argument.to_vec(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, About, Representation, Option<u16>)> {
        let mut transcript = Transcript::default();
        let mut found: Vec<_> = text
            .lines()
            .filter_map(|line| transcript.push(line.as_bytes()))
            .collect();
        found.extend(transcript.finish());
        let short = |exchange: Exchange| {
            let name = String::from_utf8(exchange.name).unwrap();
            let code = exchange.reply.map(|reply| reply.code);
            (name, exchange.about, exchange.representation, code)
        };
        found.into_iter().map(short).collect()
    }

    const WHOLE: About = About::Transfer {
        start: 0,
        last: None,
    };

    fn transfer(
        name: &str,
        representation: Representation,
        code: u16,
    ) -> (String, About, Representation, Option<u16>) {
        (name.to_owned(), WHOLE, representation, Some(code))
    }

    #[test]
    fn every_client_is_understood() {
        let image = Representation::Image;
        for text in [
            "* Trying\n< 220 hello\n> USER x\n< 331 ?\n> PASS y\n< 230-a\n< 226 b\n< 230 c\n> TYPE I\n< 200 ok\n\
             226 not a reply\n> RETR a\n< 150 now\n{ [5 bytes data]\n< 226 MD5=x\n> QUIT\n< 221 bye\n",
            "---- Connecting\n<--- 220 hello\n---> TYPE I\n---> RETR a\n<--- 200 ok\n<--- 150 now\n226 not a reply\n<--- 226 done\n",
            "S: 220 hello\nC: TYPE I\nS: 200 ok\nC: RETR a\nS: 150 now\nS: 226 done\n",
            "*resp* '220 hello'\n*cmd* 'TYPE I'\n*resp* '200 ok'\n*cmd* 'RETR a'\n*resp* '150 now'\n*resp* '226 done'\n",
            "Connected to x.\n220 hello\n---> TYPE I\n200 ok\nlocal: a remote: dir/b\n---> EPSV\n229 x\n---> RETR dir/b\n150 now\n226 done\n",
            "220 hello\nTYPE I ... \n--> TYPE I\n\n200 ok\n--> RETR a\n\n150 now\n226 done\n",
        ] {
            assert_eq!(read(text), [transfer("a", image, 226)], "{text}");
        }
        let verbose = "220 hello\n200 ok\nlocal: a remote: b\n229 x\n150 now\n226 done\nlocal: c remote: c\n550 no\n226 stray\n";
        let silent = "220 hello\n150 Opening BINARY mode data connection for d/a (1) (4 bytes).\n226 done\n\
                      150 Opening ASCII mode data connection for file list\n226 done\n\
                      150 Opening BINARY mode data connection for b.\n426 no\n";
        let unknown = Representation::Unknown;
        let expected = [
            transfer("d/a (1)", unknown, 226),
            transfer("b", unknown, 426),
        ];
        assert_eq!(read(silent), expected);
        assert_eq!(
            read(verbose),
            [transfer("a", unknown, 226), transfer("c", unknown, 550)]
        );
    }

    #[test]
    fn restarts_ranges_and_types_count_for_the_next_transfer_only() {
        let part = |start, last| About::Transfer { start, last };
        let found = read(
            "S: 220 x\nC: TYPE A\nS: 200 x\nC: REST 5\nS: 350 x\nC: RETR a\nS: 226 x\nC: RETR b\nS: 226 x\n\
             C: REST 7\nS: 501 x\nC: TYPE I\nS: 200 x\nC: STOR c\nS: 426 x\nC: SIZE c\nS: 213 9\nC: APPE c\nS: 226 x\n\
             C: RANG 2 4\nS: 350 x\nC: RETR d\nS: 226 x\nC: RETR e\n",
        );
        let (ascii, image) = (Representation::Ascii, Representation::Image);
        let name = |name: &str| name.to_owned();
        assert_eq!(
            found,
            [
                (name("a"), part(5, None), ascii, Some(226)),
                (name("b"), WHOLE, ascii, Some(226)),
                (name("c"), WHOLE, image, Some(426)),
                (name("c"), part(9, None), image, Some(226)),
                (name("d"), part(2, Some(4)), image, Some(226)),
                (name("e"), WHOLE, image, None),
            ]
        );
    }

    /// lftp shows what it is told to send and what comes back as it is.
    #[test]
    fn what_lftp_quotes_is_found() {
        let text = "<--- 220 x\n---> HASH a\n213 x\n---> RETR b\n226 MD5=x\n<--- 226 x\n";
        let found = read(text);
        let codes: Vec<_> = found
            .into_iter()
            .map(|(name, .., code)| (name, code))
            .collect();
        assert_eq!(
            codes,
            [("a".to_owned(), Some(213)), ("b".to_owned(), Some(226))]
        );
    }

    #[test]
    fn digests_that_were_asked_for_are_found() {
        let found = read(
            "S: 220 x\nC: HASH a b\nS: 213 x\nC: XCRC \"a b\" 0 5\nS: 250-a\nS: 226 b\nS: 250 x\nC: XMD5 a 1 2\nS: 250 x\n\
             C: XSHA256 a 1\nS: 250 x\nC: LIST\nS: 226 x\n",
        );
        let digest = |algorithm, range| About::Digest { algorithm, range };
        let found: Vec<_> = found
            .into_iter()
            .map(|(name, about, ..)| (name, about))
            .collect();
        assert_eq!(
            found,
            [
                ("a b".to_owned(), digest(None, None)),
                (
                    "a b".to_owned(),
                    digest(Some(Algorithm::Crc32), Some((0, 5)))
                ),
                ("a".to_owned(), digest(Some(Algorithm::Md5), Some((1, 2)))),
                ("a 1".to_owned(), digest(Some(Algorithm::Sha256), None)),
            ]
        );
    }

    /// What stands within a reply of many lines is the server's, and tells nothing about the client.
    #[test]
    fn a_server_cannot_speak_for_the_client() {
        let text = "220-hello\nlocal: /etc/shadow remote: x\n---> RETR y\n226 MD5=x\n220 done\n";
        assert_eq!(read(text), []);
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(lines in proptest::collection::vec("(C: |S: |> |< |---> |)(220|226-|RETR|REST|RANG|XCRC|SIZE|TYPE)[ \"0-9a\u{e9}]{0,9}", 0..20)) {
            let mut transcript = Transcript::default();
            for line in lines {
                transcript.push(line.as_bytes());
            }
            transcript.finish();
        }
    }
}
