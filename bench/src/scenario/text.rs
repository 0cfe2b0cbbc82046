//! TYPE A: a text of short lines, down with the line ends of the network and up with those of the disk.

use std::fs::{self, File};

use super::Subject;
use crate::client::{sink, source};
use crate::data::{LINE, LINES, compare};
use crate::failure::Failure;

const ON_DISK: u64 = LINES * LINE as u64;
/// A line feed becomes two octets.
const ON_WIRE: u64 = ON_DISK + LINES;

pub(super) fn retr(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let mut session = subject.session()?;
    session.command("TYPE A", &[200])?;
    let (count, took) = subject.measured(|| {
        subject.repeat(|_| {
            let length = session.transfer("RETR lines", sink)?;
            right_length(length, ON_WIRE)
        })
    })?;
    session.quit()?;
    Ok(figures(count, took.wall, took.server))
}

pub(super) fn stor(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let during = || Failure::during("STOR in TYPE A");
    let text = File::open(subject.data.lines_of_network()).map_err(during())?;
    let uploaded = subject.data.uploaded("lines");
    let mut session = subject.session()?;
    session.command("TYPE A", &[200])?;
    let (count, took) = subject.measured(|| {
        subject.repeat(|_| session.transfer("STOR up/lines", |data| source(data, &text, ON_WIRE)))
    })?;
    session.quit()?;
    let received = File::open(&uploaded).map_err(during())?;
    compare(
        received,
        File::open(subject.data.lines()).map_err(during())?,
    )
    .map_err(during())?;
    fs::remove_file(uploaded).map_err(during())?;
    Ok(figures(count, took.wall, took.server))
}

fn right_length(length: u64, expected: u64) -> Result<(), Failure> {
    if length == expected {
        return Ok(());
    }
    Err(Failure::wrong(format!(
        "{length} bytes instead of {expected}"
    )))
}

fn figures(count: usize, wall: std::time::Duration, server: std::time::Duration) -> Vec<f64> {
    let count = count as f64;
    let gibibytes = count * ON_DISK as f64 / (1u64 << 30) as f64;
    vec![
        count * ON_DISK as f64 / 1e6 / wall.as_secs_f64(),
        server.as_secs_f64() / gibibytes,
    ]
}
