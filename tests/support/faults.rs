//! Ends a program and looks at what it has left in its log: no test may pass over a process that died of a mistake of its own.

use std::process::{Child, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::log::Log;
use crate::processes::Process;
use crate::wait;

/// How long it may take to end in order. What a test has stopped or holds open is killed then.
const PATIENCE: Duration = Duration::from_secs(5);

/// What stands in lines about ends that no client may cause.
const WORDS: [&str; 4] = [
    "bug: ",
    "ended by an error of the program",
    "broke the rules of its channel",
    "privilege could not be given up",
];

/// Deaths that come from outside.
const SENT: [&str; 2] = ["killed by SIGKILL", "killed by SIGTERM"];

/// Whether a line tells of a process that died of a mistake of its own.
fn is_fault(line: &str) -> bool {
    // Not the programs of hooks, which may be anything.
    let ours = [": killed by SIG", "half was killed by SIG"];
    let killed = ours.iter().any(|words| line.contains(words))
        && !SENT.iter().any(|sent| line.contains(sent));
    killed || WORDS.iter().any(|words| line.contains(words))
}

/// The lines about such ends that the test has not said it expects.
fn unexpected(lines: &str, expected: &[String]) -> Vec<String> {
    let is_expected = |line: &&str| expected.iter().any(|words| line.contains(words));
    let faults = lines.lines().filter(|line| is_fault(line));
    faults
        .filter(|line| !is_expected(line))
        .map(str::to_owned)
        .collect()
}

/// Asks the first process, `process`, to stop, so that the ends of its sessions come into the log; kills what is left of its group and
/// reaps `child`, which started it.
///
/// # Panics
/// A process died of a mistake of its own, and the test had not said that it expects that. A test that fails already fails for its
/// own reason.
pub(crate) fn end(what: &str, child: &mut Child, process: Option<&Process>, log: &Log) {
    // The group is ours as long as its leader is not reaped, or while a session of it lives.
    let group = Pid::from_raw(child.id() as i32);
    let failed = std::thread::panicking();
    if !failed && let Some(process) = process {
        // Also what the test has stopped.
        let _ = killpg(group, Signal::SIGCONT);
        process.signal_if_there(Signal::SIGINT);
        wait::at_most(PATIENCE, || !process.runs());
    }
    let _ = killpg(group, Signal::SIGKILL);
    let _ = child.wait();
    if failed {
        println!("--- log of the {what} ---\n{}", log.text());
        return;
    }
    wait::at_most(PATIENCE, || log.has_ended());
    let faults = unexpected(&log.text(), &log.expected());
    assert!(
        faults.is_empty(),
        "the {what} says what no test expects: {faults:#?}\n--- log of the {what} ---\n{}",
        log.text()
    );
}

/// Whether a session that is the whole program, as under inetd, ended by a mistake of its own.
pub(crate) fn is_mistake(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    let sent = [Signal::SIGKILL as i32, Signal::SIGTERM as i32];
    match status.signal() {
        Some(signal) => !sent.contains(&signal),
        // An error of the program, rules broken, a crash, privilege kept, a panic.
        None => matches!(status.code(), Some(1 | 11 | 12 | 14 | 101)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deaths_that_nobody_has_sent_are_faults() {
        let log = "session 7: killed by SIGKILL\nsession 8: killed by SIGSYS\nsession 9: timed out\n\
                   bug: panicked at x.rs:1\nsession 10: ended by an error of the program";
        let faults = unexpected(log, &["session 10".to_owned()]);
        assert_eq!(
            faults,
            ["session 8: killed by SIGSYS", "bug: panicked at x.rs:1"]
        );
    }
}
