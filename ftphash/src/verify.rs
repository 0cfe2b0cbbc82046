//! `ftphash verify`: checks files against manifests and counts what was not well, as `sha256sum -c` does.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread;

use common::cli::out::Out;
use common::digest::{Algorithm, Digest};

use crate::lines::{Line, Lines};
use crate::manifest::{Ending, Entry};
use crate::measure::{Buffer, Measure};
use crate::ordered;
use crate::progress::Meter;
use crate::source::{Source, reason};
use crate::verdict::{Form, Tell, Verdict, Verdicts};
use crate::{Outcome, complain_of, file_name};

/// The most lines about one file that are checked in one read of it.
const MOST_ABOUT_ONE: usize = 16;

/// What is asked for.
pub(crate) struct Request<'a> {
    pub(crate) manifests: Vec<&'a Path>,
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) ending: Ending,
    pub(crate) tell: Tell,
    pub(crate) form: Form,
    pub(crate) missing: Missing,
    pub(crate) improper: Improper,
    /// Whether each improper line is named.
    pub(crate) warn: bool,
}

/// What a file is that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Fail,
    PassOver,
}

/// What a line is that is no line of a manifest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Improper {
    Count,
    Fail,
}

/// One thing to do.
enum Job {
    /// Lines that follow each other and are about the same file.
    Check(Vec<Entry>),
    /// The number of a line that is none.
    Improper(u64),
    /// The rest of the manifest cannot be read.
    Broken(io::Error),
}

enum Done {
    Checked(Vec<Entry>, io::Result<Vec<(Algorithm, Digest)>>),
    Improper(u64),
    Broken(io::Error),
}

#[derive(Default)]
struct Count {
    good: u64,
    different: u64,
    unreadable: u64,
    improper: u64,
    missing: u64,
    broken: bool,
}

/// Checks all manifests. An error is one of the standard output.
pub(crate) fn verify(request: &Request<'_>, meter: &Meter, out: &mut Out) -> io::Result<Outcome> {
    thread::scope(|scope| {
        if meter.wants_total() {
            scope.spawn(|| survey(request, meter));
        }
        let measure = Measure::new(meter);
        let mut verdicts = Verdicts::new(request.tell, request.form, meter, out);
        let mut outcome = Outcome::Good;
        for manifest in &request.manifests {
            match check(request, manifest, &measure, &mut verdicts) {
                Ok(Outcome::Good) => {}
                Ok(Outcome::Failed) => outcome = Outcome::Failed,
                Err(error) => {
                    meter.stop();
                    return Err(error);
                }
            }
        }
        meter.stop();
        Ok(outcome)
    })
}

/// Adds up what the manifests name, if they can be read twice.
fn survey(request: &Request<'_>, meter: &Meter) {
    let mut names = Vec::new();
    for manifest in &request.manifests {
        match Source::open(manifest) {
            Ok(source) if source.size().is_some() => names.push(source),
            _ => return,
        }
    }
    let jobs = names
        .into_iter()
        .flat_map(|source| Jobs::new(source, request));
    meter.survey(jobs.filter_map(|job| match job {
        Job::Check(entries) => Some(file_name(&entries.first()?.name).metadata().ok()?.len()),
        Job::Improper(_) | Job::Broken(_) => None,
    }));
}

fn check(
    request: &Request<'_>,
    manifest: &Path,
    measure: &Measure<'_>,
    verdicts: &mut Verdicts<'_>,
) -> io::Result<Outcome> {
    let source = match Source::open(manifest) {
        Ok(source) => source,
        Err(error) => return Ok(complain_of(manifest, &error)),
    };
    let mut count = Count::default();
    let ended = ordered::in_order(
        Jobs::new(source, request),
        Buffer::default,
        |buffer, job| job.run(measure, buffer),
        |done| match count.add(done, request, manifest, verdicts) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        },
    );
    match ended {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(count.conclude(manifest, request, verdicts)),
    }
}

/// Reads a manifest while it is checked: it may be long.
struct Jobs {
    lines: Lines<Source>,
    algorithm: Option<Algorithm>,
    ending: Ending,
    line: u64,
    /// Read already, and about another file than the lines before.
    next: Option<Job>,
}

impl Jobs {
    fn new(manifest: Source, request: &Request<'_>) -> Jobs {
        Jobs {
            lines: Lines::new(manifest, request.ending.octet()),
            algorithm: request.algorithm,
            ending: request.ending,
            line: 0,
            next: None,
        }
    }

    fn read(&mut self) -> Option<Job> {
        loop {
            let line = self.lines.next()?;
            self.line += 1;
            let line = match line {
                Ok(Line::Whole(line)) => line,
                Ok(Line::TooLong) => return Some(Job::Improper(self.line)),
                Err(error) => return Some(Job::Broken(error)),
            };
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            return Some(match Entry::parse(&line, self.algorithm, self.ending) {
                Some(entry) => Job::Check(vec![entry]),
                None => Job::Improper(self.line),
            });
        }
    }
}

impl Iterator for Jobs {
    type Item = Job;

    fn next(&mut self) -> Option<Job> {
        let mut job = match self.next.take() {
            Some(job) => job,
            None => self.read()?,
        };
        if let Job::Check(entries) = &mut job {
            while entries.len() < MOST_ABOUT_ONE {
                match self.read() {
                    Some(Job::Check(more)) if more[0].name == entries[0].name => {
                        entries.extend(more);
                    }
                    other => {
                        self.next = other;
                        break;
                    }
                }
            }
        }
        Some(job)
    }
}

impl Job {
    fn run(self, measure: &Measure<'_>, buffer: &mut Buffer) -> Done {
        let entries = match self {
            Job::Improper(line) => return Done::Improper(line),
            Job::Broken(error) => return Done::Broken(error),
            Job::Check(entries) => entries,
        };
        let mut algorithms: Vec<Algorithm> = Vec::new();
        for (algorithm, _) in entries.iter().flat_map(|entry| &entry.digests) {
            if !algorithms.contains(algorithm) {
                algorithms.push(*algorithm);
            }
        }
        let path = PathBuf::from(file_name(&entries[0].name));
        let found = Source::open(&path)
            .and_then(|source| measure.digests(source, &algorithms, buffer))
            .map(|measured| algorithms.into_iter().zip(measured.digests).collect());
        Done::Checked(entries, found)
    }
}

impl Count {
    fn add(
        &mut self,
        done: Done,
        request: &Request<'_>,
        manifest: &Path,
        verdicts: &mut Verdicts<'_>,
    ) -> io::Result<()> {
        let (entries, found) = match done {
            Done::Checked(entries, found) => (entries, found),
            Done::Improper(line) => {
                self.improper += 1;
                if request.warn {
                    verdicts.complain(
                        manifest,
                        format_args!("line {line} is improperly formatted"),
                    );
                }
                return Ok(());
            }
            Done::Broken(error) => {
                self.broken = true;
                verdicts.complain(manifest, reason(&error));
                return Ok(());
            }
        };
        let count = entries.len() as u64;
        let found = match found {
            Ok(found) => found,
            Err(error) if is_missing(&error) && request.missing == Missing::PassOver => {
                self.missing += count;
                return Ok(());
            }
            Err(error) => {
                self.unreadable += count;
                verdicts.complain(file_name(&entries[0].name), reason(&error));
                let unreadable = |entry: &Entry| verdicts.tell(&entry.name, &Verdict::Unreadable);
                return entries.iter().try_for_each(unreadable);
            }
        };
        for entry in &entries {
            let (counter, verdict) = if entry.digests.iter().all(|said| found.contains(said)) {
                (&mut self.good, Verdict::Ok)
            } else {
                (&mut self.different, Verdict::Failed)
            };
            *counter += 1;
            verdicts.tell(&entry.name, &verdict)?;
        }
        Ok(())
    }

    fn conclude(&self, manifest: &Path, request: &Request<'_>, verdicts: &Verdicts<'_>) -> Outcome {
        let proper = self.good + self.different + self.unreadable + self.missing;
        if proper == 0 && !self.broken {
            verdicts.complain(
                manifest,
                "no properly formatted line: it should be what `ftphash sum` prints",
            );
        } else if self.missing == proper && !self.broken && request.tell != Tell::Nothing {
            verdicts.complain(manifest, "no file was verified");
        }
        #[rustfmt::skip]
        let warnings = [
            (self.improper,   "improperly formatted lines", if request.warn { "" } else { " (--warn names them)" }),
            (self.unreadable, "listed files that could not be read", ""),
            (self.different,  "files whose digest did NOT match", ""),
        ];
        for (count, what, more) in warnings {
            if count > 0 && proper > 0 && request.tell != Tell::Nothing {
                verdicts.warn(format_args!("{what}: {count}{more}"));
            }
        }
        self.outcome(request)
    }

    fn outcome(&self, request: &Request<'_>) -> Outcome {
        let checked = self.good + self.different + self.unreadable;
        let bad = self.different + self.unreadable;
        let strict = request.improper == Improper::Fail && self.improper > 0;
        if checked == 0 || bad > 0 || strict || self.broken {
            Outcome::Failed
        } else {
            Outcome::Good
        }
    }
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}
