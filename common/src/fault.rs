//! What failed where nothing may fail: the cause of an end that is the program's or the system's, for the log.

use std::fmt;
use std::io;
use std::panic::Location;

use nix::errno::Errno;

/// A step that failed, what the system said to it, and where in the program that was. It holds nothing that a client has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    step: &'static str,
    errno: Option<Errno>,
    place: &'static Location<'static>,
}

impl Fault {
    /// Something that cannot be unless the program has a mistake.
    #[track_caller]
    pub fn new(step: &'static str) -> Fault {
        Fault {
            step,
            errno: None,
            place: Location::caller(),
        }
    }

    /// A call that the system refused.
    #[track_caller]
    pub fn of(call: &'static str, errno: Errno) -> Fault {
        Fault {
            errno: Some(errno),
            ..Fault::new(call)
        }
    }

    /// The same, by what the standard library says of it.
    #[track_caller]
    pub fn io(call: &'static str, error: &io::Error) -> Fault {
        Fault {
            errno: error.raw_os_error().map(Errno::from_raw),
            ..Fault::new(call)
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.step)?;
        if let Some(errno) = self.errno {
            write!(f, ": {errno}")?;
        }
        write!(f, " ({}:{})", self.place.file(), self.place.line())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_what_and_why_and_where() {
        let line = line!() + 1;
        let fault = Fault::of("poll", Errno::EBADF).to_string();
        assert!(fault.starts_with("poll: EBADF: "), "{fault}");
        assert!(fault.ends_with(&format!("fault.rs:{line})")), "{fault}");
        assert!(
            Fault::new("no server")
                .to_string()
                .starts_with("no server (")
        );
    }
}
