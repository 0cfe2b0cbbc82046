//! Work on a sequence with all cores, each result told to the standard output in its turn, beside the bar.

use std::io;
use std::ops::ControlFlow;
use std::thread;

use common::cli::out::Out;

use crate::ordered;
use crate::progress::Meter;

/// Runs `work` on every item, as [`ordered::in_order`] does, and `tell` on each result. `sizes` are looked at beside that, if the
/// bar wants to know how much there is in all. An output that takes no more ends it early.
///
/// # Errors
/// What `tell` says of the standard output.
pub(crate) fn in_order<T, S, R: Send>(
    meter: &Meter,
    sizes: impl Iterator<Item = u64> + Send,
    items: impl Iterator<Item = T> + Send,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) -> R + Sync,
    out: &mut Out,
    mut tell: impl FnMut(R, &mut Out) -> io::Result<()> + Send,
) -> io::Result<()> {
    let ended = thread::scope(|scope| {
        if meter.wants_total() {
            scope.spawn(|| meter.survey(sizes));
        }
        let ended = ordered::in_order(items, state, work, |done| {
            match meter.aside(|| tell(done, out)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    meter.stop();
                    ControlFlow::Break(error)
                }
            }
        });
        meter.stop();
        ended
    });
    match ended {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}
