//! Waiting for what other processes do. The one place that looks twice; tests themselves never sleep.

use std::os::fd::AsFd;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long anything that must happen may take on a busy machine. A passing test never waits so long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again and again until `condition` holds; fails with `what` after [`PATIENCE`].
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(
            Instant::now() < deadline,
            "waited {PATIENCE:?} in vain: {what}"
        );
        let _ = poll(&mut [], PollTimeout::from(5u8));
    }
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
