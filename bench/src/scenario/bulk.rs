//! One large file down and up, in one stream.

use std::fs::{self, File};

use super::{Round, Subject, Took};
use crate::client::{sink, source};
use crate::data::{BIG, compare};
use crate::failure::Failure;

pub(super) fn retr(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let mut session = subject.session()?;
    if subject.round == Round::First {
        let expected = File::open(subject.data.big()).map_err(Failure::wrong)?;
        session.transfer("RETR big", |data| compare(data, expected))?;
    }
    let (count, took) = subject.measured(|| {
        subject.repeat(|_| {
            let length = session.transfer("RETR big", sink)?;
            right_length(length)
        })
    })?;
    session.quit()?;
    Ok(figures(count, &took))
}

pub(super) fn stor(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let file = File::open(subject.data.big()).map_err(Failure::wrong)?;
    let uploaded = subject.data.uploaded("big");
    let mut session = subject.session()?;
    // A fresh file each time, as for a first upload; removing the last one must not be in the figure.
    let mut wall = std::time::Duration::ZERO;
    let (count, mut took) = subject.measured(|| {
        subject.repeat(|_| {
            if uploaded.exists() {
                fs::remove_file(&uploaded).map_err(Failure::during("remove the last upload"))?;
            }
            let started = std::time::Instant::now();
            session.transfer("STOR up/big", |data| source(data, &file, BIG))?;
            wall += started.elapsed();
            let metadata = fs::metadata(&uploaded).map_err(Failure::during("STOR"))?;
            right_length(metadata.len())
        })
    })?;
    took.wall = wall;
    session.quit()?;
    let received = File::open(&uploaded).map_err(Failure::during("STOR"))?;
    compare(received, &file).map_err(Failure::during("STOR"))?;
    fs::remove_file(&uploaded).map_err(Failure::during("STOR"))?;
    Ok(figures(count, &took))
}

fn right_length(length: u64) -> Result<(), Failure> {
    if length == BIG {
        return Ok(());
    }
    Err(Failure::wrong(format!("{length} bytes instead of {BIG}")))
}

fn figures(count: usize, took: &Took) -> Vec<f64> {
    let count = count as f64;
    vec![
        count * BIG as f64 / 1e6 / took.wall.as_secs_f64(),
        took.server.as_secs_f64() / count,
        took.client.as_secs_f64() / count,
    ]
}
