//! Connect, USER, PASS, QUIT, again and again: what a session costs before it does anything.

use std::thread;

use super::Subject;
use crate::client::Session;
use crate::failure::Failure;

const PARALLEL: usize = 32;

pub(super) fn one(subject: &Subject) -> Result<Vec<f64>, Failure> {
    logins(subject, 1)
}

pub(super) fn many(subject: &Subject) -> Result<Vec<f64>, Failure> {
    logins(subject, PARALLEL)
}

fn logins(subject: &Subject, clients: usize) -> Result<Vec<f64>, Failure> {
    let client =
        || subject.repeat(|_| Session::login(subject.server.port, subject.credentials)?.quit());
    let (count, took) = subject.measured(|| {
        thread::scope(|scope| {
            let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
            clients
                .into_iter()
                .map(|client| {
                    client
                        .join()
                        .map_err(|_| Failure::wrong("a client panicked"))?
                })
                .sum::<Result<usize, Failure>>()
        })
    })?;
    Ok(vec![
        took.per_second(count),
        took.server_micros_each(count) / 1e3,
    ])
}
