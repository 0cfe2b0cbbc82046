//! `ftphash sum`: prints the digests of files and trees.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use common::cli::out::Out;
use common::digest::Algorithm;

use crate::manifest::{Ending, Entry, Form};
use crate::measure::{Buffer, Measure, Measured};
use crate::progress::Meter;
use crate::source::{self, Source};
use crate::tree::{Kind, Step, Walk};
use crate::{Outcome, complain, complain_of, told};

/// What is asked for.
pub(crate) struct Request<'a> {
    pub(crate) files: Vec<&'a Path>,
    /// At least one, each once.
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) trees: Trees,
    pub(crate) form: Form,
    pub(crate) ending: Ending,
}

/// What is done with a directory among the files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trees {
    Refuse,
    Read,
}

/// One thing to do.
enum Job {
    /// A file that the caller named.
    Named(PathBuf),
    /// A file of a tree.
    Found(PathBuf),
    /// What is no file.
    Special(PathBuf),
    /// A directory that cannot be read.
    Closed(PathBuf, io::Error),
}

enum Done {
    Measured(PathBuf, Measured),
    Failed(PathBuf, io::Error),
    /// Left out, and why.
    LeftOut(PathBuf, &'static str),
}

/// Prints the digests of all files. An error is one of the standard output.
pub(crate) fn sum(request: &Request<'_>, meter: &Meter, out: &mut Out) -> io::Result<Outcome> {
    let measure = Measure::new(meter);
    let output = source::output();
    let mut outcome = Outcome::Good;
    told::in_order(
        meter,
        jobs(request).filter_map(|job| job.size()),
        jobs(request),
        Buffer::default,
        |buffer, job| job.run(&measure, &request.algorithms, output, buffer),
        out,
        |done, out| tell(done, request, &mut outcome, out),
    )?;
    Ok(outcome)
}

fn jobs(request: &Request<'_>) -> impl Iterator<Item = Job> + Send {
    request.files.iter().flat_map(|&path| {
        let tree = request.trees == Trees::Read && path != Path::new("-") && path.is_dir();
        let (named, walk) = match tree {
            true => (None, Some(Walk::new(path))),
            false => (Some(Job::Named(path.to_owned())), None),
        };
        let found = walk.into_iter().flatten().filter_map(|step| match step {
            Step::Found(path, Kind::File) => Some(Job::Found(path)),
            Step::Found(path, Kind::Special) => Some(Job::Special(path)),
            Step::Found(_, Kind::Link) => None,
            Step::Closed(path, error) => Some(Job::Closed(path, error)),
        });
        named.into_iter().chain(found)
    })
}

impl Job {
    fn size(&self) -> Option<u64> {
        match self {
            Job::Named(path) | Job::Found(path) => Some(path.metadata().ok()?.len()),
            Job::Special(_) | Job::Closed(..) => None,
        }
    }

    fn run(
        self,
        measure: &Measure<'_>,
        algorithms: &[Algorithm],
        output: Option<(u64, u64)>,
        buffer: &mut Buffer,
    ) -> Done {
        let (path, source) = match self {
            Job::Special(path) => return Done::LeftOut(path, "is no regular file"),
            Job::Closed(path, error) => return Done::Failed(path, error),
            Job::Named(path) => {
                let source = Source::open(&path);
                (path, source)
            }
            Job::Found(path) => {
                if output.is_some() && identity(&path) == output {
                    return Done::LeftOut(path, "is what the digests are written to");
                }
                let source = Source::open_found(&path);
                (path, source)
            }
        };
        match source.and_then(|source| measure.digests(source, algorithms, buffer)) {
            Ok(measured) => Done::Measured(path, measured),
            Err(error) => Done::Failed(path, error),
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = path.symlink_metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

fn tell(done: Done, request: &Request<'_>, outcome: &mut Outcome, out: &mut Out) -> io::Result<()> {
    match done {
        Done::Measured(path, Measured { size, digests }) => {
            let entry = Entry {
                name: path.as_os_str().as_bytes().to_vec(),
                digests: request.algorithms.iter().copied().zip(digests).collect(),
            };
            out.write_all(&entry.lines(size, request.form, request.ending))?;
            // A large file may come next: what is known should be seen.
            out.flush()
        }
        Done::Failed(path, error) if error.kind() == io::ErrorKind::IsADirectory => {
            complain(&path, "is a directory; -r reads trees");
            *outcome = Outcome::Failed;
            Ok(())
        }
        Done::Failed(path, error) => {
            *outcome = complain_of(&path, &error);
            Ok(())
        }
        Done::LeftOut(path, why) => {
            complain(&path, format_args!("left out: {why}"));
            Ok(())
        }
    }
}
