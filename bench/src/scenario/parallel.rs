//! Many sessions at once, logged in before the measurement: small uploads, and large downloads with their fairness.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Subject;
use crate::client::{Session, sink_while, source_bytes};
use crate::data::small_name;
use crate::failure::Failure;
use crate::secure::Connection;

const CLIENTS: usize = 64;
/// With 64 servers and 64 clients on a few cores it takes a while until everybody had a turn.
const FAIR_WINDOW: Duration = Duration::from_secs(2);

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

/// All streams run for the window, which opens when the last one has got something; what each received in it says how fair the
/// server is.
pub(super) fn retr(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let sessions = sessions(subject)?;
    let length = subject.window.max(FAIR_WINDOW);
    let window = Window::new(CLIENTS, length);
    let (received, took) = subject.measured(|| {
        each(sessions, |mut session| {
            session.download("RETR big", |data| window.sink(data))
        })
    })?;
    let all: u64 = received.iter().map(|received| received.in_all).sum();
    let within = received.iter().map(|received| received.within);
    let within: Vec<u64> = within
        .collect::<Option<_>>()
        .ok_or_else(|| Failure::wrong("a stream ended before the last one began"))?;
    let total = within.iter().sum::<u64>() as f64;
    let slowest = within.iter().min().copied().unwrap_or_default();
    Ok(vec![
        total / 1e6 / length.as_secs_f64(),
        took.server.as_secs_f64() * (1u64 << 30) as f64 / all as f64,
        slowest as f64 * CLIENTS as f64 / total,
    ])
}

/// A piece of time that begins when all streams run.
struct Window {
    streams: usize,
    length: Duration,
    running: AtomicUsize,
    opened: OnceLock<Instant>,
}

/// Octets of one stream.
struct Received {
    in_all: u64,
    /// From the opening of the window to its end; nothing if it did not see the opening.
    within: Option<u64>,
}

impl Window {
    fn new(streams: usize, length: Duration) -> Window {
        Window {
            streams,
            length,
            running: AtomicUsize::new(0),
            opened: OnceLock::new(),
        }
    }

    /// Drops what arrives until the end of the window.
    fn sink(&self, data: &mut Connection) -> io::Result<Received> {
        let (mut is_running, mut before, mut in_all) = (false, None, 0);
        sink_while(data, |total| {
            in_all = total;
            if !is_running {
                is_running = true;
                if self.running.fetch_add(1, Ordering::SeqCst) + 1 == self.streams {
                    self.opened.get_or_init(Instant::now);
                }
            }
            match self.opened.get() {
                None => true,
                Some(opened) => {
                    before.get_or_insert(total);
                    opened.elapsed() < self.length
                }
            }
        })?;
        Ok(Received {
            in_all,
            within: before.map(|before| in_all - before),
        })
    }
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
