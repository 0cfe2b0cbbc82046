//! `ftphash confirm`: checks local files against what a server said about them.

mod check;
mod log;
mod reply;
mod transcript;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use common::cli::out::Out;
use common::digest::Algorithm;

use self::check::{Claim, Form, Reading};
use self::log::{Entry, Log};
use self::reply::{Reply, Said};
use self::transcript::{About, Exchange, Representation, Transcript};
use crate::lines::{Line, Lines};
use crate::measure::{Buffer, Measure};
use crate::progress::Meter;
use crate::source::{Source, reason};
use crate::verdict::{self, Tell, Verdict, Verdicts};
use crate::{Outcome, complain, complain_of, file_name, ordered};

/// What is asked for.
pub(crate) struct Request<'a> {
    pub(crate) told: Told<'a>,
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) directory: &'a Path,
    /// The only file to be checked.
    pub(crate) file: Option<&'a Path>,
    pub(crate) tell: Tell,
    pub(crate) form: verdict::Form,
}

/// Where the server's words are.
pub(crate) enum Told<'a> {
    Replies(Vec<&'a str>, Sent),
    Transcript(&'a Path),
}

/// How a file was sent whose reply is given alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    Image,
    Ascii,
}

/// What is to be said about one file.
struct Item {
    /// As the client or the server named it; empty where nobody did.
    name: Vec<u8>,
    claim: Result<Claim, String>,
}

/// Checks everything that was told. An error is one of the standard output.
pub(crate) fn confirm(request: &Request<'_>, meter: &Meter, out: &mut Out) -> io::Result<Outcome> {
    let items = match &request.told {
        Told::Replies(replies, sent) => of_replies(replies, *sent, request.algorithm),
        Told::Transcript(log) => match read(log, request.algorithm) {
            Ok(items) => items,
            Err(error) => return Ok(complain_of(log, &error)),
        },
    };
    if items.is_empty() {
        let place = match request.told {
            Told::Replies(..) => Path::new("--reply"),
            Told::Transcript(log) => log,
        };
        complain(
            place,
            "there is no transfer and no digest in it: servers tell digests after HASH or XCRC, ours in each 226 with ConfirmTransfers too",
        );
        return Ok(Outcome::Failed);
    }
    let Some(items) = chosen(items, request) else {
        return Ok(Outcome::Failed);
    };
    let measure = Measure::new(meter);
    let mut verdicts = Verdicts::new(request.tell, request.form, meter, out);
    let mut outcome = Outcome::Good;
    let ended = ordered::in_order(
        items.into_iter(),
        Buffer::default,
        |buffer, item| item.look(request, &measure, buffer),
        |(name, looked)| {
            let verdict = looked.unwrap_or_else(|(path, error)| {
                verdicts.complain(&path, reason(&error));
                Verdict::Unreadable
            });
            if !verdict.is_good() {
                outcome = Outcome::Failed;
            }
            match verdicts.tell(&name, &verdict) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    meter.stop();
                    ControlFlow::Break(error)
                }
            }
        },
    );
    match ended {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(outcome),
    }
}

/// Those that are about the file that was asked for.
fn chosen(items: Vec<Item>, request: &Request<'_>) -> Option<Vec<Item>> {
    let Some(file) = request.file else {
        return Some(items);
    };
    let name = file.file_name().map(std::os::unix::ffi::OsStrExt::as_bytes);
    let first = items.first().map(|item| last_part(&item.name).to_vec());
    // Under another name only if it cannot be another one.
    if items
        .iter()
        .all(|item| Some(last_part(&item.name)) == first.as_deref())
    {
        return Some(items);
    }
    let named = |item: &Item| Some(last_part(&item.name)) == name;
    let chosen: Vec<_> = items.into_iter().filter(named).collect();
    if chosen.is_empty() {
        complain(file, "is not mentioned");
        return None;
    }
    Some(chosen)
}

fn of_replies(replies: &[&str], sent: Sent, algorithm: Option<Algorithm>) -> Vec<Item> {
    let forms = match sent {
        Sent::Image => &[Form::Image],
        Sent::Ascii => &[Form::Ascii],
    };
    let mut items = Vec::new();
    for line in replies.iter().flat_map(|text| text.lines()) {
        // As it may have been copied from a transcript.
        let marks = ["< ", "<--- ", "S: "];
        let line = marks
            .iter()
            .find_map(|mark| line.strip_prefix(mark))
            .unwrap_or(line);
        let Some((reply, _)) = Reply::parse(line.trim_ascii_start().as_bytes()) else {
            continue;
        };
        for said in reply.digests(algorithm) {
            let readings = readings(&spans(said.range), forms);
            items.push(Item::of(said, &[], readings));
        }
    }
    items
}

fn read(log: &Path, algorithm: Option<Algorithm>) -> io::Result<Vec<Item>> {
    let mut transcript = Transcript::default();
    let mut exchanges = Vec::new();
    let mut lines = Lines::new(Source::open(log)?, b'\n').peekable();
    // The first line tells, as with transcripts.
    let ours = match lines.peek() {
        Some(Ok(Line::Whole(first))) => Log::of_first(first),
        _ => None,
    };
    if let Some(ours) = ours {
        return of_log(ours, lines, algorithm);
    }
    for line in lines {
        // What is longer than any command or reply is neither.
        if let Line::Whole(line) = line? {
            exchanges.extend(transcript.push(&line));
        }
    }
    exchanges.extend(transcript.finish());
    let mut items: Vec<_> = exchanges
        .into_iter()
        .flat_map(|exchange| of_exchange(exchange, algorithm))
        .collect();
    forget_what_was_done_again(&mut items);
    Ok(items)
}

/// The last transfer of each file that was not broken off, in a log of ours.
fn of_log(
    log: Log,
    lines: impl Iterator<Item = io::Result<Line>>,
    algorithm: Option<Algorithm>,
) -> io::Result<Vec<Item>> {
    let mut last: BTreeMap<Vec<u8>, log::Told> = BTreeMap::new();
    for line in lines {
        let Line::Whole(line) = line? else { continue };
        let Some(Entry { path, told }) = log.transfer(&line) else {
            continue;
        };
        if told != log::Told::Incomplete || !last.contains_key(&path) {
            last.insert(path, told);
        }
    }
    let items = last.into_iter().flat_map(|(name, told)| {
        let claim = match told {
            log::Told::Digest(exchange) => return of_exchange(exchange, algorithm),
            log::Told::Size(octets) => Ok(Claim::Size(octets)),
            log::Told::Incomplete => Err("it was broken off".to_owned()),
            log::Told::Nothing(why) => Err(why.to_owned()),
        };
        vec![Item { name, claim }]
    });
    Ok(items.collect())
}

/// A transfer that failed does not count where a later one of the same file went well.
fn forget_what_was_done_again(items: &mut Vec<Item>) {
    let mut done = HashSet::new();
    for index in (0..items.len()).rev() {
        let item = &items[index];
        let name = last_part(&item.name).to_vec();
        if item.claim.is_ok() {
            done.insert(name);
        } else if done.contains(&name) {
            items.remove(index);
        }
    }
}

fn of_exchange(exchange: Exchange, algorithm: Option<Algorithm>) -> Vec<Item> {
    let Exchange {
        name,
        about,
        representation,
        reply,
    } = exchange;
    let without = |why: String| {
        vec![Item {
            name: name.clone(),
            claim: Err(why),
        }]
    };
    let Some(reply) = reply else {
        return without("the transcript ends before".to_owned());
    };
    if !(200..300).contains(&reply.code) {
        return without(format!("the server said {}", reply.code));
    }
    let asked = match about {
        About::Digest {
            algorithm: named, ..
        } => named.or(algorithm),
        About::Transfer { .. } => algorithm,
    };
    let said = reply.digests(asked);
    if said.is_empty() {
        return without("no digest in the reply".to_owned());
    }
    let item = |said: Said| {
        let (spans, forms): (_, &[Form]) = match (&about, representation) {
            (About::Transfer { start, last }, Representation::Image) => {
                (sent(*start, *last), &[Form::Image])
            }
            (About::Transfer { start, last }, Representation::Ascii) => {
                (sent(*start, *last), &[Form::Ascii])
            }
            (About::Transfer { start, last }, Representation::Unknown) => {
                (sent(*start, *last), &[Form::Image, Form::Ascii])
            }
            // Servers take digests of what is on their disk, or of what they would send.
            (About::Digest { range, .. }, Representation::Ascii) => {
                (spans(said.range.or(*range)), &[Form::Image, Form::Ascii])
            }
            (About::Digest { range, .. }, _) => (spans(said.range.or(*range)), &[Form::Image]),
        };
        let readings = readings(&spans, forms);
        Item::of(said, &name, readings)
    };
    said.into_iter().map(item).collect()
}

type Span = (u64, Option<u64>);

const WHOLE: Span = (0, None);

/// What a transfer from and to these octets may be of: that part of the file, or a file that has nothing else.
fn sent(start: u64, last: Option<u64>) -> Vec<Span> {
    match (start, last) {
        (0, None) => vec![WHOLE],
        (start, last) => vec![(start, last.map(|last| last.saturating_add(1))), WHOLE],
    }
}

/// What a range may mean: its end is the last octet, or the one behind it.
fn spans(range: Option<(u64, u64)>) -> Vec<Span> {
    match range {
        None => vec![WHOLE],
        Some((start, end)) => vec![(start, Some(end)), (start, Some(end.saturating_add(1)))],
    }
}

fn readings(spans: &[Span], forms: &[Form]) -> Vec<Reading> {
    let each = |&(start, end)| forms.iter().map(move |&form| Reading { start, end, form });
    spans.iter().flat_map(each).collect()
}

impl Item {
    /// Of what a reply said, under the name there if the command has none.
    fn of(said: Said, asked: &[u8], readings: Vec<Reading>) -> Item {
        let name = match (&said.name, asked) {
            // MMD5 asks for many files, and the reply tells them apart.
            (Some(name), _) => name.clone(),
            (None, asked) => asked.to_vec(),
        };
        Item {
            name,
            claim: Ok(Claim::Digest {
                algorithm: said.algorithm,
                digest: said.digest,
                readings,
            }),
        }
    }

    /// The name of the file and what came of it.
    fn look(
        self,
        request: &Request<'_>,
        measure: &Measure<'_>,
        buffer: &mut Buffer,
    ) -> (Vec<u8>, Result<Verdict, (PathBuf, io::Error)>) {
        use std::os::unix::ffi::OsStrExt;
        let name = last_part(&self.name);
        let path = match request.file {
            Some(file) => file.to_owned(),
            // SECURITY: whoever wrote the transcript chooses among the files of one directory, nothing else.
            None if matches!(name, b"" | b"." | b"..") || name.contains(&0) => {
                let verdict = Verdict::Unknown("no name of a file: give FILE".to_owned());
                return (self.name, Ok(verdict));
            }
            None => request.directory.join(file_name(name)),
        };
        // Opened with the directory, as - is the standard input; told without it.
        let shown = path.strip_prefix(".").unwrap_or(&path);
        let looked = match self.claim {
            Err(why) => Ok(Verdict::Unknown(why)),
            Ok(claim) => {
                let looked = claim.check(&path, measure, buffer);
                looked.map_err(|error| (shown.to_owned(), error))
            }
        };
        (shown.as_os_str().as_bytes().to_vec(), looked)
    }
}

/// What stands behind the last slash.
fn last_part(name: &[u8]) -> &[u8] {
    name.rsplit(|&b| b == b'/').next().unwrap_or_default()
}
