//! Waiting for what other processes do. The one place that looks twice; tests themselves never sleep.

use std::os::fd::AsFd;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long anything that must happen may take on a busy machine. A passing test never waits so long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again and again until `condition` holds; fails with `what` after [`PATIENCE`].
#[track_caller]
pub fn until(what: &str, condition: impl FnMut() -> bool) {
    assert!(
        at_most(PATIENCE, condition),
        "waited {PATIENCE:?} in vain: {what}"
    );
}

/// Looks again and again until `condition` holds, or it has taken too long; whether it holds.
pub fn at_most(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while !condition() {
        if Instant::now() >= deadline {
            return false;
        }
        let _ = poll(&mut [], PollTimeout::from(5u8));
    }
    true
}

/// Waits until a process that the test has started ends by itself, and reaps it.
#[track_caller]
pub fn for_child(child: &mut Child) -> ExitStatus {
    let mut status = None;
    until("the process ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

/// Waits until the descriptor can be read, or its other end is gone.
pub fn readable(descriptor: impl AsFd, limit: Duration) -> bool {
    let mut fds = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
    let limit = PollTimeout::try_from(limit).unwrap();
    loop {
        match poll(&mut fds, limit) {
            Err(nix::errno::Errno::EINTR) => {}
            polled => return polled.unwrap() == 1,
        }
    }
}
