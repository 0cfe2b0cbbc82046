//! Listings of a large directory. Every listing must name exactly the files that are there.

use std::time::Instant;

use super::Subject;
use crate::client::collect;
use crate::data::{LISTED, listed_name};
use crate::failure::Failure;

/// No entry of a sane listing is longer.
const LONGEST_ENTRY: u64 = 400;

pub(super) fn list(subject: &Subject) -> Result<Vec<f64>, Failure> {
    listing(subject, "LIST", |line| {
        let name = line.rsplit(' ').next()?;
        let entry = !line.starts_with("total ") && name != "." && name != "..";
        entry.then_some(name)
    })
}

pub(super) fn nlst(subject: &Subject) -> Result<Vec<f64>, Failure> {
    listing(subject, "NLST", |line| {
        (line != "." && line != "..").then_some(line)
    })
}

pub(super) fn mlsd(subject: &Subject) -> Result<Vec<f64>, Failure> {
    listing(subject, "MLSD", |line| {
        let (facts, name) = line.split_once(' ')?;
        let facts = facts.to_ascii_lowercase();
        let entry = !facts.contains("type=cdir;") && !facts.contains("type=pdir;");
        entry.then_some(name)
    })
}

fn listing(
    subject: &Subject,
    command: &str,
    name: fn(&str) -> Option<&str>,
) -> Result<Vec<f64>, Failure> {
    let mut session = subject.session()?;
    session.command("CWD list", &[250])?;
    let (mut listings, mut waits) = (Vec::new(), Vec::new());
    let (count, took) = subject.measured(|| {
        subject.repeat(|_| {
            let limit = LISTED as u64 * LONGEST_ENTRY;
            let (first, listing) = session.transfer(command, |data| {
                // From the mark, which has been read, to the first octet.
                let begun = Instant::now();
                data.wait()?;
                Ok((begun.elapsed(), collect(data, limit)?))
            })?;
            waits.push(first);
            listings.push(listing);
            Ok(())
        })
    })?;
    session.quit()?;
    for listing in &listings {
        complete(listing, name)?;
    }
    let entries = count * LISTED;
    Ok(vec![
        took.per_second(entries),
        took.server_micros_each(entries),
        waits
            .iter()
            .max()
            .map_or(0.0, |wait| wait.as_secs_f64() * 1e3),
    ])
}

fn complete(listing: &[u8], name: fn(&str) -> Option<&str>) -> Result<(), Failure> {
    let text = str::from_utf8(listing).map_err(Failure::wrong)?;
    let mut names: Vec<&str> = text.lines().filter_map(name).collect();
    names.sort_unstable();
    let expected = (0..LISTED).map(listed_name);
    if names.len() == LISTED && names.iter().copied().eq(expected) {
        return Ok(());
    }
    let got = names.len();
    Err(Failure::wrong(format!(
        "a listing of {got} names is not that of {LISTED} files"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(line: &str) -> Option<&str> {
        line.rsplit(' ').next()
    }

    #[test]
    fn a_listing_with_a_missing_or_doubled_name_is_a_failure() {
        let mut lines: Vec<String> = (0..LISTED)
            .rev()
            .map(|n| format!("-rw- {}", listed_name(n)))
            .collect();
        assert_eq!(complete(lines.join("\r\n").as_bytes(), last), Ok(()));
        lines[7] = lines[8].clone();
        assert!(complete(lines.join("\r\n").as_bytes(), last).is_err());
        lines.remove(7);
        assert!(complete(lines.join("\r\n").as_bytes(), last).is_err());
    }
}
