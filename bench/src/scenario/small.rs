//! Many small files in one session, one after the other: what a transfer costs before its bytes.

use super::{Subject, Took};
use crate::client::{Session, collect, source_bytes};
use crate::data::{SMALL, SMALL_FILES, small_name};
use crate::failure::Failure;

pub(super) fn retr(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let mut session = subject.session()?;
    session.command("CWD small", &[250])?;
    let (count, took) = subject.measured(|| {
        subject.repeat(|index| {
            let name = small_name(index % SMALL_FILES);
            let bytes =
                session.transfer(&format!("RETR {name}"), |data| collect(data, SMALL as u64))?;
            if bytes == subject.data.small(index) {
                return Ok(());
            }
            Err(Failure::wrong(format!(
                "{name}: wrong content, {} bytes",
                bytes.len()
            )))
        })
    })?;
    let figures = figures(count, &took, &session);
    session.quit()?;
    Ok(figures)
}

pub(super) fn stor(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let uploads = |step| Failure::during(step);
    subject.data.empty_uploads().map_err(uploads("clear up/"))?;
    let mut session = subject.session()?;
    session.command("CWD up", &[250])?;
    let (count, took) = subject.measured(|| {
        subject.repeat(|index| {
            session.transfer(&format!("STOR {}", small_name(index)), |data| {
                source_bytes(data, subject.data.small(index))
            })
        })
    })?;
    let figures = figures(count, &took, &session);
    session.quit()?;
    subject
        .data
        .check_small_uploads(count)
        .map_err(uploads("uploads"))?;
    subject.data.empty_uploads().map_err(uploads("clear up/"))?;
    Ok(figures)
}

/// Under TLS with the part of the data connections that resumed a session.
fn figures(count: usize, took: &Took, session: &Session) -> Vec<f64> {
    let figures = [took.per_second(count), took.server_micros_each(count)];
    figures.into_iter().chain(session.resumed_part()).collect()
}
