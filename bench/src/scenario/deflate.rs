//! MODE Z: a download that is compressed and an upload that is not any more, beside pigz with one thread on the same data.

use std::fs::{self, File};
use std::io;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::Subject;
use crate::client::{Session, collect, source_bytes};
use crate::data::{MIXED, compare};
use crate::failure::Failure;

/// For both levels the speed down, the part of the size, and the time in relation to pigz; then the speed up.
pub(super) fn both(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let mut session = subject.session()?;
    let mode = session.command("MODE Z", &[200]);
    mode.map_err(Failure::unsupported)?;
    let length = fs::metadata(subject.data.mixed()).map_err(Failure::during("mixed"))?;
    let length = length.len();
    let megabytes = length as f64 / 1e6;
    let (mut figures, mut stream) = (Vec::new(), Vec::new());
    for level in [1, 6] {
        session.command(&format!("OPTS MODE Z LEVEL {level}"), &[200])?;
        let started = Instant::now();
        stream = session.transfer(&format!("RETR {MIXED}"), |data| collect(data, length))?;
        let took = started.elapsed().as_secs_f64();
        figures.extend([
            megabytes / took,
            stream.len() as f64 / length as f64,
            pigz(subject, level)?.map_or(f64::NAN, |pigz| took / pigz),
        ]);
    }
    figures.push(megabytes / upload(subject, &mut session, &stream)?);
    session.quit()?;
    Ok(figures)
}

/// Sends what was received back, and compares what it has become.
fn upload(subject: &Subject, session: &mut Session, stream: &[u8]) -> Result<f64, Failure> {
    let started = Instant::now();
    session.transfer("STOR up/mixed", |data| source_bytes(data, stream))?;
    let took = started.elapsed().as_secs_f64();
    let during = || Failure::during("STOR in MODE Z");
    let uploaded = subject.data.uploaded("mixed");
    let received = File::open(&uploaded).map_err(during())?;
    let sent = File::open(subject.data.mixed()).map_err(during())?;
    compare(received, sent).map_err(during())?;
    fs::remove_file(uploaded).map_err(during())?;
    Ok(took)
}

/// How long pigz takes; nothing if it is not here.
fn pigz(subject: &Subject, level: u8) -> Result<Option<f64>, Failure> {
    let started = Instant::now();
    let status = Command::new("pigz")
        .args(["-p1", "-c", &format!("-{level}")])
        .arg(subject.data.mixed())
        .stdout(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(Some(started.elapsed().as_secs_f64())),
        Ok(status) => Err(Failure::wrong(format!("pigz: {status}"))),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Failure::during("pigz")(cause)),
    }
}
