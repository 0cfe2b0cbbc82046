//! Many sessions at once, logged in before the measurement: small uploads, and large downloads with their fairness.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use super::Subject;
use crate::client::{Session, sink_for_now, source_bytes};
use crate::data::small_name;
use crate::failure::Failure;

const CLIENTS: usize = 64;

/// Runs `work` on every item in a thread of its own, and waits for all.
pub(super) fn each<I: Send, T: Send>(
    items: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = items
            .into_iter()
            .map(|item| scope.spawn(move || work(item)))
            .collect();
        let outcomes = threads.into_iter().map(|thread| {
            thread
                .join()
                .map_err(|_| Failure::wrong("a client panicked"))?
        });
        outcomes.collect()
    })
}

pub(super) fn small_stor(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let uploads = |step| Failure::during(step);
    subject.data.empty_uploads().map_err(uploads("clear up/"))?;
    let sessions = sessions(subject)?;
    let next = AtomicUsize::new(0);
    let (_, took) = subject.measured(|| {
        each(sessions, |mut session| {
            subject.repeat(|_| {
                let index = next.fetch_add(1, Ordering::Relaxed);
                session.transfer(&format!("STOR up/{}", small_name(index)), |data| {
                    source_bytes(data, subject.data.small(index))
                })
            })?;
            session.quit()
        })
    })?;
    let count = next.into_inner();
    subject
        .data
        .check_small_uploads(count)
        .map_err(uploads("uploads"))?;
    subject.data.empty_uploads().map_err(uploads("clear up/"))?;
    Ok(vec![took.per_second(count), took.server_micros_each(count)])
}

/// All streams run for the window; what each received in it says how fair the server is.
pub(super) fn retr(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let sessions = sessions(subject)?;
    let (received, took) = subject.measured(|| {
        let end = Instant::now() + subject.window;
        each(sessions, |mut session| {
            session.download("RETR big", |data| sink_for_now(data, end))
        })
    })?;
    let total: u64 = received.iter().sum();
    let slowest = received.iter().min().copied().unwrap_or_default();
    let total = total as f64;
    Ok(vec![
        total / 1e6 / took.wall.as_secs_f64(),
        took.server.as_secs_f64() * (1u64 << 30) as f64 / total,
        slowest as f64 * CLIENTS as f64 / total,
    ])
}

fn sessions(subject: &Subject) -> Result<Vec<Session>, Failure> {
    (0..CLIENTS).map(|_| subject.session()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_is_the_failure_of_all_and_order_is_kept() {
        assert_eq!(each(0..3, |n| Ok(n * 2)), Ok(vec![0, 2, 4]));
        let work = |n| {
            if n == 1 {
                Err(Failure::wrong("no"))
            } else {
                Ok(n)
            }
        };
        assert_eq!(each(0..3, work), Err(Failure::wrong("no")));
    }
}
