//! `ftphash compare`: what is not the same in two trees.

mod contents;
mod pairs;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use common::cli::out::Out;

use self::contents::{Buffers, Contents};
use self::pairs::{Pair, Pairs, What};
use crate::manifest::{Ending, json_path};
use crate::progress::Meter;
use crate::source::Source;
use crate::tree::Kind;
use crate::verdict::{GREEN, RED, colours, painted};
use crate::{complain, complain_of, file_name, shown, told};

/// What is asked for.
pub(crate) struct Request<'a> {
    pub(crate) a: &'a Path,
    pub(crate) b: &'a Path,
    pub(crate) tell: Tell,
    pub(crate) form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tell {
    All,
    Differences,
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Lines(Ending),
    Json,
}

/// How it went in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Same,
    Different,
    /// Something could not be looked at.
    Trouble,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Same,
    Differs,
    OnlyInA,
    OnlyInB,
}

/// What came of a path.
enum Done {
    Compared(Vec<u8>, Verdict),
    /// Neither side is a file.
    LeftOut(PathBuf),
    Failed(PathBuf, io::Error),
}

/// Compares two trees or two files. An error is one of the standard output.
pub(crate) fn compare(request: &Request<'_>, meter: &Meter, out: &mut Out) -> io::Result<Outcome> {
    let Some(trees) = are_trees(request) else {
        return Ok(Outcome::Trouble);
    };
    let pairs = || -> Box<dyn Iterator<Item = Pair> + Send> {
        match trees {
            true => Box::new(Pairs::new(request.a, request.b)),
            // Two files are a pair at the roots themselves.
            false => Box::new(std::iter::once(Pair {
                path: Vec::new(),
                what: What::Both(Kind::File, Kind::File),
            })),
        }
    };
    let contents = Contents::new(meter);
    let mut report = Report {
        request,
        colours: colours(),
        outcome: Outcome::Same,
    };
    told::in_order(
        meter,
        pairs().filter_map(|pair| size(&pair, request)),
        pairs(),
        Buffers::default,
        |buffers, pair| look(pair, request, &contents, buffers),
        out,
        |done, out| report.add(done, out),
    )?;
    Ok(report.outcome)
}

/// Whether both are trees; `None`, after a complaint, where they cannot be compared.
fn are_trees(request: &Request<'_>) -> Option<bool> {
    let (a, b) = (request.a, request.b);
    match (a.metadata(), b.metadata()) {
        (Ok(of_a), Ok(of_b)) if of_a.is_dir() == of_b.is_dir() => Some(of_a.is_dir()),
        (Ok(of_a), Ok(_)) => {
            let (tree, file) = if of_a.is_dir() { (a, b) } else { (b, a) };
            complain(
                tree,
                format_args!("is a directory, and {} is not", shown(file)),
            );
            None
        }
        (of_a, of_b) => {
            for (path, metadata) in [(a, of_a), (b, of_b)] {
                if let Err(error) = metadata {
                    complain_of(path, &error);
                }
            }
            None
        }
    }
}

/// Where a path is on both sides.
fn places(path: &[u8], request: &Request<'_>) -> [PathBuf; 2] {
    [request.a, request.b].map(|root| match path {
        b"" => root.to_owned(),
        below => root.join(file_name(below)),
    })
}

/// How many octets are read for a pair.
fn size(pair: &Pair, request: &Request<'_>) -> Option<u64> {
    let What::Both(Kind::File, Kind::File) = pair.what else {
        return None;
    };
    let sizes = places(&pair.path, request).map(|path| Some(path.metadata().ok()?.len()));
    match sizes {
        [Some(a), Some(b)] if a == b => Some(a.saturating_mul(2)),
        _ => None,
    }
}

fn look(pair: Pair, request: &Request<'_>, contents: &Contents<'_>, buffers: &mut Buffers) -> Done {
    let [a, b] = places(&pair.path, request);
    let same = match pair.what {
        What::Closed(at, error) => return Done::Failed(at, error),
        What::OnlyInA => return Done::Compared(pair.path, Verdict::OnlyInA),
        What::OnlyInB => return Done::Compared(pair.path, Verdict::OnlyInB),
        What::Both(Kind::Special, Kind::Special) => return Done::LeftOut(a),
        What::Both(Kind::Link, Kind::Link) => links([&a, &b]),
        What::Both(Kind::File, Kind::File) => {
            let open = match pair.path[..] {
                [] => Source::open,
                _ => Source::open_found,
            };
            match (open(&a), open(&b)) {
                (Ok(one), Ok(other)) => contents.are_same([one, other], buffers),
                (Err(error), _) => Err((0, error)),
                (_, Err(error)) => Err((1, error)),
            }
        }
        What::Both(..) => Ok(false),
    };
    match same {
        Ok(true) => Done::Compared(pair.path, Verdict::Same),
        Ok(false) => Done::Compared(pair.path, Verdict::Differs),
        Err((0, error)) => Done::Failed(a, error),
        Err((_, error)) => Done::Failed(b, error),
    }
}

/// Whether both links say the same; an error comes with the number of its side.
fn links(sides: [&Path; 2]) -> Result<bool, (usize, io::Error)> {
    #[expect(
        clippy::disallowed_methods,
        reason = "links of trees that the caller named, read with the caller's rights"
    )]
    let target = |side: usize| std::fs::read_link(sides[side]).map_err(|error| (side, error));
    Ok(target(0)? == target(1)?)
}

/// What has been told, and how.
struct Report<'a> {
    request: &'a Request<'a>,
    colours: bool,
    outcome: Outcome,
}

impl Report<'_> {
    fn add(&mut self, done: Done, out: &mut Out) -> io::Result<()> {
        let (path, verdict) = match done {
            Done::Compared(path, verdict) => (path, verdict),
            Done::LeftOut(path) => {
                complain(&path, "left out: is no regular file");
                return Ok(());
            }
            Done::Failed(path, error) => {
                complain_of(&path, &error);
                self.outcome = Outcome::Trouble;
                return Ok(());
            }
        };
        if verdict != Verdict::Same && self.outcome == Outcome::Same {
            self.outcome = Outcome::Different;
        }
        let shown = match self.request.tell {
            Tell::All => true,
            Tell::Differences => verdict != Verdict::Same,
            Tell::Nothing => false,
        };
        if !shown {
            return Ok(());
        }
        out.write_all(&self.line(&path, verdict))?;
        out.flush()
    }

    fn line(&self, path: &[u8], verdict: Verdict) -> Vec<u8> {
        use std::os::unix::ffi::OsStrExt;
        // Two files have no path below themselves.
        let path = match path {
            b"" => self.request.a.as_os_str().as_bytes(),
            path => path,
        };
        let word = verdict.word();
        match self.request.form {
            Form::Json => format!("{{{},\"verdict\":\"{word}\"}}\n", json_path(path)).into_bytes(),
            Form::Lines(ending) => {
                let word = match (self.colours, verdict) {
                    (false, _) => word.to_owned(),
                    (true, Verdict::Same) => painted(word, GREEN),
                    (true, _) => painted(word, RED),
                };
                let (mark, path) = ending.name(path);
                [mark, word.as_bytes(), b": ", &path, &[ending.octet()]].concat()
            }
        }
    }
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Same => "same",
            Verdict::Differs => "differs",
            Verdict::OnlyInA => "only in A",
            Verdict::OnlyInB => "only in B",
        }
    }
}
