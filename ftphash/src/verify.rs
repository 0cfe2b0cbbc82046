//! `ftphash verify`: checks files against manifests and counts what was not well, as `sha256sum -c` does.

use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use common::cli::out::{self, Out};
use common::digest::Algorithm;

use crate::manifest::{self, Entry};
use crate::{Outcome, digest, file_name, open};

/// The longest line that is read as one: a path with every octet escaped, and a digest.
const LONGEST_LINE: u64 = 16 * 1024;

/// How much is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tell {
    All,
    /// Not what is well.
    Failures,
    /// Only what hinders checking.
    Nothing,
}

#[derive(Default)]
struct Count {
    good: u64,
    different: u64,
    unreadable: u64,
    improper: u64,
}

/// Checks the files that one manifest names. An error is one of the standard output.
pub(crate) fn verify(
    path: &Path,
    algorithm: Option<Algorithm>,
    tell: Tell,
    out: &mut Out,
) -> io::Result<Outcome> {
    let mut source = match open(path) {
        Ok(source) => io::BufReader::new(source),
        Err(error) => return Ok(crate::complain_of(path, &error)),
    };
    let mut count = Count::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut source)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
        {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return Ok(crate::complain_of(path, &error)),
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        match Entry::parse(line, algorithm) {
            Some(entry) => count.check(&entry, tell, out)?,
            None => count.improper += 1,
        }
    }
    Ok(count.conclude(path, tell))
}

impl Count {
    fn check(&mut self, entry: &Entry, tell: Tell, out: &mut Out) -> io::Result<()> {
        let path = file_name(&entry.name);
        let found = open(path).and_then(|source| digest(entry.algorithm, source));
        let (counter, verdict, shown) = match found {
            Ok(found) if found == entry.digest => (&mut self.good, "OK", tell == Tell::All),
            Ok(_) => (&mut self.different, "FAILED", tell != Tell::Nothing),
            Err(error) => {
                crate::complain_of(path, &error);
                let verdict = "FAILED open or read";
                (&mut self.unreadable, verdict, tell != Tell::Nothing)
            }
        };
        *counter += 1;
        if shown {
            // As coreutils: only a name that would break the line is escaped here.
            let breaks = entry.name.iter().any(|b| matches!(b, b'\n' | b'\r'));
            let (mark, name) = if breaks {
                manifest::escape(&entry.name)
            } else {
                (b"".as_slice(), entry.name.clone())
            };
            out.write_all(&[mark, &name, b": ", verdict.as_bytes(), b"\n"].concat())?;
        }
        Ok(())
    }

    fn conclude(&self, path: &Path, tell: Tell) -> Outcome {
        let checked = self.good + self.different + self.unreadable;
        if checked == 0 {
            let path = path.display();
            out::complain("ftphash", format!("{path}: no properly formatted line"));
            return Outcome::Failed;
        }
        #[rustfmt::skip]
        let warnings = [
            (self.improper,   "improperly formatted lines"),
            (self.unreadable, "listed files that could not be read"),
            (self.different,  "files whose digest did NOT match"),
        ];
        for (count, what) in warnings {
            if count > 0 && tell != Tell::Nothing {
                out::complain("ftphash", format!("WARNING: {what}: {count}"));
            }
        }
        if self.different + self.unreadable == 0 {
            Outcome::Good
        } else {
            Outcome::Failed
        }
    }
}
