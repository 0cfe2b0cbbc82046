//! An honest login while 50 addresses guess 1,000 passwords between them, beside the same login when nobody does.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use super::Subject;
use crate::client::Session;
use crate::failure::Failure;
use crate::stats::median;

const GUESSERS: u8 = 50;
/// Of each, wrong passwords and refused connections together.
const GUESSES: u32 = 20;
/// Of logins there must be so many, with and without guessers.
const LEAST: usize = 9;

/// What became of the guesses.
#[derive(Debug, Default)]
struct Fates {
    answered: AtomicU32,
    refused: AtomicU32,
}

pub(super) fn guessers(subject: &Subject) -> Result<Vec<f64>, Failure> {
    // The first one after the start is slower.
    login(subject)?;
    let mut alone = Vec::new();
    for _ in 0..2 * LEAST {
        alone.push(login(subject)?);
    }
    let (fates, left) = (Fates::default(), AtomicUsize::new(GUESSERS.into()));
    let crowded = thread::scope(|scope| {
        for number in 1..=GUESSERS {
            let (fates, left) = (&fates, &left);
            scope.spawn(move || {
                guess(subject, Ipv4Addr::new(127, 1, number, 1), fates);
                left.fetch_sub(1, Ordering::Relaxed);
            });
        }
        let mut crowded = Vec::new();
        while left.load(Ordering::Relaxed) > 0 {
            crowded.push(login(subject)?);
        }
        Ok::<_, Failure>(crowded)
    })?;
    if crowded.len() < LEAST {
        let count = crowded.len();
        return Err(Failure::wrong(format!(
            "only {count} logins beside the guesses"
        )));
    }
    let longest = crowded.iter().copied().fold(0.0, f64::max);
    let middle = |times: &[f64]| median(times).unwrap_or_default();
    let (alone, crowded) = (middle(&alone), middle(&crowded));
    Ok(vec![
        alone,
        crowded,
        longest,
        crowded / alone,
        f64::from(fates.answered.into_inner()),
        f64::from(fates.refused.into_inner()),
    ])
}

/// From the connection to 230, in milliseconds.
fn login(subject: &Subject) -> Result<f64, Failure> {
    let started = Instant::now();
    let session = subject.login()?;
    let took = started.elapsed();
    session.quit()?;
    Ok(took.as_secs_f64() * 1e3)
}

/// Tries so many passwords as fast as it is let. Whatever else than a wrong password comes back is one refused.
fn guess(subject: &Subject, from: Ipv4Addr, fates: &Fates) {
    let mut tried = 0;
    while tried < GUESSES {
        let mut session = match Session::connect_from(from, subject.server.port) {
            Ok(session) => session,
            Err(_) => {
                fates.refused.fetch_add(1, Ordering::Relaxed);
                tried += 1;
                continue;
            }
        };
        let before = tried;
        while tried < GUESSES {
            let user = format!("USER {}", subject.credentials.user);
            let answered = session
                .command(&user, &[331])
                .and_then(|_| session.command("PASS a-guess", &[530]));
            if answered.is_err() {
                break;
            }
            fates.answered.fetch_add(1, Ordering::Relaxed);
            tried += 1;
        }
        // A session that is ended after some answers is no guess of its own, one that is ended before any is.
        if tried == before {
            fates.refused.fetch_add(1, Ordering::Relaxed);
            tried += 1;
        }
    }
}
