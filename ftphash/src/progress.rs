//! The progress bar on a terminal: how much of how much, the rate, the time left. On anything else, nothing.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_millis(400);

const TOTAL_UNKNOWN: &str = "{bytes} {binary_bytes_per_sec}";
const TOTAL_KNOWN: &str = "{bar:30} {bytes} of {total_bytes} {binary_bytes_per_sec} {eta} left";

/// Counts what is read, and shows it. For any number of threads.
pub(crate) struct Meter {
    /// `None` where none is to be seen.
    shown: Option<Shown>,
    stopped: AtomicBool,
}

struct Shown {
    bar: ProgressBar,
    began: Instant,
    visible: AtomicBool,
}

impl Meter {
    /// A meter whose bar is on the standard error, if that is a terminal and `wanted`.
    pub(crate) fn new(wanted: bool) -> Meter {
        let shown = (wanted && io::stderr().is_terminal()).then(|| Shown {
            bar: ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
                .with_style(style(TOTAL_UNKNOWN)),
            began: Instant::now(),
            visible: AtomicBool::new(false),
        });
        Meter {
            shown,
            stopped: AtomicBool::new(false),
        }
    }

    /// Counts octets that were read.
    ///
    /// # Errors
    /// Nobody wants the result any more.
    pub(crate) fn add(&self, octets: usize) -> io::Result<()> {
        if let Some(shown) = &self.shown {
            shown.bar.inc(octets as u64);
            if !shown.visible.load(Ordering::Relaxed)
                && shown.began.elapsed() > PATIENCE
                && !shown.visible.swap(true, Ordering::Relaxed)
            {
                shown.bar.set_draw_target(ProgressDrawTarget::stderr());
            }
        }
        if self.stopped.load(Ordering::Relaxed) {
            return Err(io::Error::other("no longer wanted"));
        }
        Ok(())
    }

    /// Whether it is of use to know how much there is.
    pub(crate) fn wants_total(&self) -> bool {
        self.shown.is_some()
    }

    /// Adds up how much there will be, and says so when that is known: only then is there a time left.
    pub(crate) fn survey(&self, sizes: impl Iterator<Item = u64>) {
        let Some(shown) = &self.shown else { return };
        let mut total = 0;
        for size in sizes {
            total += size;
            if self.stopped.load(Ordering::Relaxed) {
                return;
            }
        }
        shown.bar.set_length(total);
        shown.bar.set_style(style(TOTAL_KNOWN));
    }

    /// Writes something while the bar is not in the way.
    pub(crate) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.shown {
            Some(shown) if shown.visible.load(Ordering::Relaxed) => shown.bar.suspend(write),
            _ => write(),
        }
    }

    /// Ends what is under way: nobody wants the results any more.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(shown) = &self.shown {
            shown.bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates above are sound; a test looks at them.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_sound() {
        for template in [TOTAL_UNKNOWN, TOTAL_KNOWN] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }

    #[test]
    fn what_is_stopped_ends() {
        let meter = Meter::new(false);
        assert!(meter.add(1).is_ok());
        meter.stop();
        assert!(meter.add(1).is_err());
    }
}
