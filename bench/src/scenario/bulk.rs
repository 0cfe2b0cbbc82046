//! One large file down and up, in one stream.

use std::fs::{self, File};
use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Round, Subject, Took};
use crate::client::{Session, sink, source};
use crate::data::{BIG, compare};
use crate::failure::Failure;
use crate::secure::Suite;

/// What a server sends of tickets at most, in octets.
const TICKETS: u64 = 4096;

pub(super) fn retr(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let mut session = subject.session()?;
    check_down(subject, &mut session)?;
    let (count, took) =
        subject.measured(|| subject.repeat(|_| down(subject, &mut session).map(drop)))?;
    session.quit()?;
    figures(subject, count, &took)
}

pub(super) fn stor(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let file = File::open(subject.data.big()).map_err(Failure::wrong)?;
    let mut session = subject.session()?;
    // Removing the last one must not be in the figure.
    let mut wall = Duration::ZERO;
    let (count, mut took) = subject.measured(|| {
        subject.repeat(|_| {
            wall += up(subject, &mut session, &file)?;
            Ok(())
        })
    })?;
    took.wall = wall;
    session.quit()?;
    check_up(subject, &file)?;
    figures(subject, count, &took)
}

/// Compares the content of a download, in the first round.
pub(super) fn check_down(subject: &Subject, session: &mut Session) -> Result<(), Failure> {
    if subject.round == Round::First {
        let expected = File::open(subject.data.big()).map_err(Failure::wrong)?;
        session.transfer("RETR big", |data| compare(data, expected))?;
    }
    Ok(())
}

/// One download, and how long it took.
pub(super) fn down(subject: &Subject, session: &mut Session) -> Result<Duration, Failure> {
    let started = Instant::now();
    let length = session.transfer("RETR big", sink)?;
    let took = started.elapsed();
    match subject.tls {
        // Tickets are counted too.
        Some(_) if (BIG..BIG + TICKETS).contains(&length) => Ok(took),
        _ => right_length(length).map(|()| took),
    }
}

/// One upload, and how long it took: a fresh file each time, as for a first one.
pub(super) fn up(
    subject: &Subject,
    session: &mut Session,
    file: &File,
) -> Result<Duration, Failure> {
    let uploaded = subject.data.uploaded("big");
    if uploaded.exists() {
        fs::remove_file(&uploaded).map_err(Failure::during("remove the last upload"))?;
    }
    let started = Instant::now();
    session.transfer("STOR up/big", |data| source(data, file, BIG))?;
    let took = started.elapsed();
    let metadata = fs::metadata(&uploaded).map_err(Failure::during("STOR"))?;
    right_length(metadata.len()).map(|()| took)
}

/// Compares the content of the last upload, and removes it.
pub(super) fn check_up(subject: &Subject, file: &File) -> Result<(), Failure> {
    let uploaded = subject.data.uploaded("big");
    let received = File::open(&uploaded).map_err(Failure::during("STOR"))?;
    compare(received, file).map_err(Failure::during("STOR"))?;
    fs::remove_file(&uploaded).map_err(Failure::during("STOR"))
}

fn right_length(length: u64) -> Result<(), Failure> {
    if length == BIG {
        return Ok(());
    }
    Err(Failure::wrong(format!("{length} bytes instead of {BIG}")))
}

/// In MB/s.
pub(super) fn speed(files: f64, wall: Duration) -> f64 {
    files * BIG as f64 / 1e6 / wall.as_secs_f64()
}

/// Under TLS with the CPU time in relation to what OpenSSL needs for the cipher alone, measured right afterwards; NaN where it
/// is not here.
fn figures(subject: &Subject, count: usize, took: &Took) -> Result<Vec<f64>, Failure> {
    let count = count as f64;
    let server = took.server.as_secs_f64() / count;
    let mut figures = vec![
        speed(count, took.wall),
        server,
        took.client.as_secs_f64() / count,
    ];
    if let Some((_, suite)) = subject.tls {
        let alone = openssl_speed(suite)?.map(|speed| BIG as f64 / speed);
        figures.push(alone.map_or(f64::NAN, |alone| server / alone));
    }
    Ok(figures)
}

/// How many octets OpenSSL encrypts in a second of CPU time, in pieces as long as records are; nothing if it is not here.
fn openssl_speed(suite: Suite) -> Result<Option<f64>, Failure> {
    let mut command = Command::new("openssl");
    command.args(["speed", "-mr", "-seconds", "1", "-bytes", "16384"]);
    command.args(["-evp", suite.cipher()]).stderr(Stdio::null());
    let output = match command.output() {
        Ok(output) => output,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(Failure::during("openssl speed")(cause)),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    match speed_in(&said) {
        Some(speed) => Ok(Some(speed)),
        None => Err(Failure::wrong(format!("openssl speed says {said:?}"))),
    }
}

/// The last field of the line of results.
fn speed_in(said: &str) -> Option<f64> {
    let line = said.lines().find(|line| line.starts_with("+F:"))?;
    let speed = line.rsplit(':').next()?.parse().ok()?;
    (speed > 0.0).then_some(speed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_is_what_openssl_writes_for_programs() {
        let said = "+H:16384\n+F:25:AES-128-GCM:4480941252.53\n";
        assert_eq!(speed_in(said), Some(4_480_941_252.53));
        assert_eq!(speed_in("+H:16384\n"), None);
    }
}
