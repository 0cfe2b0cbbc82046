//! Connect, USER, PASS, QUIT, again and again: what a session costs before it does anything.

use super::{Subject, parallel};
use crate::failure::Failure;

const PARALLEL: usize = 32;

pub(super) fn one(subject: &Subject) -> Result<Vec<f64>, Failure> {
    logins(subject, 1)
}

pub(super) fn many(subject: &Subject) -> Result<Vec<f64>, Failure> {
    logins(subject, PARALLEL)
}

fn logins(subject: &Subject, clients: usize) -> Result<Vec<f64>, Failure> {
    let client = |_| subject.repeat(|_| subject.login()?.quit());
    let (counts, took) = subject.measured(|| parallel::each(0..clients, client))?;
    let count = counts.into_iter().sum();
    Ok(vec![
        took.per_second(count),
        took.server_micros_each(count) / 1e3,
    ])
}
