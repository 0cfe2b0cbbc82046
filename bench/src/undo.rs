//! Remembers what a run must put back (directories, the account, servers) and puts it back on every way out that a
//! program can see: the end of a scope, a signal, a panic. It does not know what the actions do.

use std::io::{self, Write};
use std::panic;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;

use nix::sys::signal::{SigSet, Signal};

type Action = Box<dyn FnOnce() + Send>;

static PENDING: Mutex<Pending> = Mutex::new(Pending {
    next: 0,
    actions: Vec::new(),
});

struct Pending {
    next: u64,
    actions: Vec<(u64, Action)>,
}

/// Runs its action when it is dropped, unless a signal or a panic came first.
#[must_use]
#[derive(Debug)]
pub(crate) struct Undo(u64);

/// Registers `action`. Register before doing what it undoes: an action must bear that nothing has been done yet.
pub(crate) fn at_end(action: impl FnOnce() + Send + 'static) -> Undo {
    let mut pending = lock();
    let id = pending.next;
    pending.next += 1;
    pending.actions.push((id, Box::new(action)));
    Undo(id)
}

impl Drop for Undo {
    fn drop(&mut self) {
        // The lock is held while the action runs, so that the signal thread cannot exit in the middle of it.
        let mut pending = lock();
        if let Some(at) = pending.actions.iter().position(|(id, _)| *id == self.0) {
            let (_, action) = pending.actions.remove(at);
            action();
        }
    }
}

/// From now on SIGINT, SIGTERM, SIGHUP and panics undo everything before they end the program. Call it before the
/// first thread starts: threads inherit the blocked signals.
pub(crate) fn watch() -> io::Result<()> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block()?;
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            if let Ok(signal) = signals.wait() {
                let _ = writeln!(io::stderr(), "\nbench: {signal}: cleaning up");
                // Still locked when the process exits: the other threads can start nothing more.
                let mut pending = lock();
                everything(&mut pending);
                process::exit(128 + signal as i32);
            }
        })?;

    // Panics abort here, so destructors will not run.
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |information| {
        report(information);
        match PENDING.try_lock() {
            Ok(mut pending) => everything(&mut pending),
            Err(TryLockError::Poisoned(poisoned)) => everything(&mut poisoned.into_inner()),
            // An action itself panicked: the others cannot be reached.
            Err(TryLockError::WouldBlock) => {}
        }
    }));
    Ok(())
}

fn everything(pending: &mut Pending) {
    while let Some((_, action)) = pending.actions.pop() {
        action();
    }
}

fn lock() -> MutexGuard<'static, Pending> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn an_action_runs_once_at_the_end_of_its_scope() {
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let undo = at_end(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(runs.load(Ordering::SeqCst), 0);
        drop(undo);
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }
}
