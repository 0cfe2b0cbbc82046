//! Work on a sequence with all cores; the results come in its order. Bounded: however slow one item is, the others are
//! only so far ahead.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// How many items may be under way or done before an earlier one is.
const WINDOW: u64 = 1024;

/// What the workers share of the results.
struct Results<R, D, B> {
    /// Done before an earlier one.
    early: BTreeMap<u64, R>,
    delivered: u64,
    deliver: D,
    broken: Option<B>,
}

/// Runs `work` on every item, on as many threads as there are cores, each with a state of its own, and `deliver` on the
/// results, one after the other in the order of the items. `deliver` ends it all by `Break`.
pub(crate) fn in_order<T, S, R, B: Send>(
    items: impl Iterator<Item = T> + Send,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) -> R + Sync,
    deliver: impl FnMut(R) -> ControlFlow<B> + Send,
) -> ControlFlow<B>
where
    R: Send,
{
    let feed = Mutex::new((items.fuse(), 0));
    let room = Condvar::new();
    let results = Mutex::new(Results {
        early: BTreeMap::new(),
        delivered: 0,
        deliver,
        broken: None,
    });
    // What comes next, and its number; waits until it is not too far ahead.
    let take = || {
        let mut feed = lock(&feed);
        let mut results = lock(&results);
        while results.broken.is_none() && feed.1 >= results.delivered + WINDOW {
            results = room.wait(results).unwrap_or_else(PoisonError::into_inner);
        }
        let broken = results.broken.is_some();
        // The next item may be long in coming: nobody shall wait with a result.
        drop(results);
        let item = if broken { None } else { feed.0.next() };
        item.map(|item| {
            feed.1 += 1;
            (feed.1 - 1, item)
        })
    };
    let worker = || {
        let mut state = state();
        while let Some((number, item)) = take() {
            let result = work(&mut state, item);
            lock(&results).add(number, result);
            room.notify_all();
        }
    };
    thread::scope(|scope| {
        for _ in 1..cores() {
            scope.spawn(worker);
        }
        worker();
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    match results.broken {
        Some(why) => ControlFlow::Break(why),
        None => ControlFlow::Continue(()),
    }
}

impl<R, D: FnMut(R) -> ControlFlow<B>, B> Results<R, D, B> {
    fn add(&mut self, number: u64, result: R) {
        self.early.insert(number, result);
        while self.broken.is_none()
            && let Some(result) = self.early.remove(&self.delivered)
        {
            self.delivered += 1;
            self.broken = (self.deliver)(result).break_value();
        }
    }
}

/// How many threads can work at once.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

// A panic is the end of the process, so nothing is found half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn results_come_in_order() {
        let mut got = Vec::new();
        let ended = in_order(
            0..10_000u64,
            || 0u64,
            |count, item| {
                *count += 1;
                // Work of uneven length.
                (0..item % 97 * 50).fold(item, |a, b| std::hint::black_box(a ^ b ^ b))
            },
            |result| {
                got.push(result);
                ControlFlow::<()>::Continue(())
            },
        );
        assert_eq!(ended, ControlFlow::Continue(()));
        assert!(got.iter().copied().eq(0..10_000));
    }

    #[test]
    fn an_endless_sequence_ends_when_the_receiver_says_so() {
        let taken = AtomicU64::new(0);
        let ended = in_order(
            0u64..,
            || (),
            |(), item| {
                taken.fetch_add(1, Ordering::Relaxed);
                item
            },
            |item| match item {
                5000 => ControlFlow::Break("enough"),
                _ => ControlFlow::Continue(()),
            },
        );
        assert_eq!(ended, ControlFlow::Break("enough"));
        assert!(taken.into_inner() <= 5001 + WINDOW + cores() as u64);
    }

    #[test]
    fn nothing_comes_of_nothing() {
        let ended = in_order(0..0u64, || (), |(), item| item, ControlFlow::Break);
        assert_eq!(ended, ControlFlow::Continue(()));
    }
}
