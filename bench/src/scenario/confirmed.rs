//! What it costs to have a transfer confirmed by a digest: the plain transfer's time in relation to the confirmed one's, the two
//! of each pair right after each other.

use std::fs::{self, File};
use std::time::Instant;

use super::Subject;
use crate::client::{Session, sink, source};
use crate::data::BIG;
use crate::failure::Failure;

pub(super) const ALGORITHMS: [&str; 6] = ["CRC32", "MD5", "SHA-1", "SHA-256", "SHA-512", "BLAKE3"];

/// A part of the large file is enough for a ratio.
const LENGTH: u64 = 256 << 20;

pub(super) fn retr(subject: &Subject) -> Result<Vec<f64>, Failure> {
    pairs(subject, |session| {
        session.command(&format!("REST {}", BIG - LENGTH), &[350])?;
        let (length, told) = session.told("RETR big", sink)?;
        if length == LENGTH {
            return Ok(told);
        }
        Err(Failure::wrong(format!(
            "{length} bytes instead of {LENGTH}"
        )))
    })
}

pub(super) fn stor(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let file = File::open(subject.data.big()).map_err(Failure::wrong)?;
    let uploaded = subject.data.uploaded("confirmed");
    let ratios = pairs(subject, |session| {
        let ((), told) = session.told("STOR up/confirmed", |data| source(data, &file, LENGTH))?;
        let length = fs::metadata(&uploaded)
            .map_err(Failure::during("STOR"))?
            .len();
        if length == LENGTH {
            return Ok(told);
        }
        Err(Failure::wrong(format!(
            "{length} bytes instead of {LENGTH}"
        )))
    })?;
    fs::remove_file(&uploaded).map_err(Failure::during("STOR"))?;
    Ok(ratios)
}

/// The plain transfer's speed in MB/s, and the ratio for each algorithm.
fn pairs(
    subject: &Subject,
    transfer: impl Fn(&mut Session) -> Result<String, Failure>,
) -> Result<Vec<f64>, Failure> {
    let mut session = subject.session()?;
    let choose = |session: &mut Session, name| {
        let chosen = session.command(&format!("OPTS TCONF {name}"), &[200]);
        chosen.map_err(Failure::unsupported)
    };
    choose(&mut session, "NONE")?;
    let timed = |session: &mut Session, name| {
        choose(session, name)?;
        let started = Instant::now();
        let told = transfer(session)?;
        let took = started.elapsed().as_secs_f64();
        if (name == "NONE") == told.contains('=') {
            return Err(Failure::wrong(format!("OPTS TCONF {name}: {told}")));
        }
        Ok(took)
    };
    // The first of all makes what the others find made.
    timed(&mut session, "NONE")?;
    let (mut plain, mut ratios) = (0.0, Vec::new());
    for (turn, name) in ALGORITHMS.into_iter().enumerate() {
        let (without, with) = if turn % 2 == 0 {
            let without = timed(&mut session, "NONE")?;
            (without, timed(&mut session, name)?)
        } else {
            let with = timed(&mut session, name)?;
            (timed(&mut session, "NONE")?, with)
        };
        plain += without;
        ratios.push(without / with);
    }
    session.quit()?;
    let speed = LENGTH as f64 / 1e6 * ALGORITHMS.len() as f64 / plain;
    Ok([vec![speed], ratios].concat())
}
