//! strace(1), attached to a process that runs: follows its calls, or makes some of them fail.

use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::processes::Process;
use crate::{require, wait};

/// Attached until it is dropped.
pub struct Strace(Child);

impl Strace {
    /// Whether a test that needs it may go on.
    #[must_use]
    pub fn is_possible() -> bool {
        require::root() && require::programs(&["strace"])
    }

    /// Attaches with these words of its command line.
    #[track_caller]
    pub fn attach(process: &Process, words: &[&str]) -> Strace {
        let child = Command::new("strace")
            .arg("-qq")
            .args(words)
            .args(["-p", &process.pid.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let strace = Strace(child);
        wait::until("strace is attached", || {
            process.status()["TracerPid"] != "0"
        });
        strace
    }

    /// Does to the next one of these calls what `how` says.
    #[track_caller]
    pub fn inject(process: &Process, call: &str, how: &str) -> Strace {
        let (trace, inject) = (
            format!("trace={call}"),
            format!("inject={call}:{how}:when=1"),
        );
        Strace::attach(process, &["-e", &trace, "-e", &inject])
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // It has ended by itself if its process has.
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = kill(Pid::from_raw(self.0.id() as i32), Signal::SIGINT);
            let _ = self.0.wait();
        }
    }
}
