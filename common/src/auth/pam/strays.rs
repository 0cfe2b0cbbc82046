//! Programs that modules have started and that left their process group, as daemons do: they come to the process that asked
//! PAM when their parents end, and are found among its children.

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::PamError;

/// So many times it is looked for children of children that were ended.
const ROUNDS: usize = 64;

/// Until it is released, what loses its parent below this process becomes its child, and not init's.
pub(super) struct Strays {
    /// The children before; `None` if the kernel does not tell, and then nobody is ended.
    others: Option<Vec<Pid>>,
}

impl Strays {
    pub(super) fn gather() -> Result<Strays, PamError> {
        set_child_subreaper(true).map_err(|errno| PamError::System("prctl", errno))?;
        Ok(Strays { others: children() })
    }

    /// Lets init have the orphans again.
    pub(super) fn release(self) -> Result<(), PamError> {
        set_child_subreaper(false).map_err(|errno| PamError::System("prctl", errno))
    }

    /// Ends all children that have come since, and theirs.
    pub(super) fn end(&self) {
        let Some(others) = &self.others else {
            return;
        };
        for _ in 0..ROUNDS {
            let mut strays = children().unwrap_or_default();
            strays.retain(|child| !others.contains(child));
            if strays.is_empty() {
                return;
            }
            for stray in strays {
                // One that is another's by now cannot be ended, and is not to be waited for.
                if kill(stray, Signal::SIGKILL).is_ok() {
                    while waitpid(stray, None) == Err(Errno::EINTR) {}
                }
            }
        }
    }
}

/// The children of this process, which has one thread.
fn children() -> Option<Vec<Pid>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the kernel's own list, before the user's files are reached"
    )]
    let text = std::fs::read_to_string("/proc/thread-self/children").ok()?;
    let pids = text
        .split_whitespace()
        .map(|word| word.parse().map(Pid::from_raw));
    pids.collect::<Result<_, _>>().ok()
}
