//! Each role's sandbox, entered for real and then tried from inside, one forbidden thing in one process. The calls are made
//! raw: what the libraries would refuse to do is no proof of what the kernel refuses.
//!
//! No harness: the processes are forked, and forking wants a process with one thread.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "this is test code: it prepares directories, tells what it did, and whatever fails shall end the test"
)]

mod attempts;
mod failures;
mod flight;
mod inside;
mod raw;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use common::sandbox::Role;
use inside::{Machine, Start};

/// Longer than all of it takes; a process that hangs must not hang the tests.
const WATCHDOG_SECONDS: u32 = 120;

/// What came of the tests.
#[derive(Default)]
struct Tally {
    wanted: Vec<String>,
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Tally {
    fn test(&mut self, name: &str, possible: Result<(), &str>, test: impl FnOnce()) {
        if !self.wanted.is_empty() && !self.wanted.iter().any(|word| name.contains(word.as_str())) {
            return;
        }
        if let Err(needs) = possible {
            println!("SKIPPED {name}: it needs {needs}");
            self.skipped += 1;
        } else if catch_unwind(AssertUnwindSafe(test)).is_ok() {
            println!("test {name} ... ok");
            self.passed += 1;
        } else {
            println!("test {name} ... FAILED");
            self.failed += 1;
        }
    }
}

fn main() -> ExitCode {
    common::sys::promise_single_thread();
    nix::unistd::alarm::set(WATCHDOG_SECONDS);
    let mut tally = Tally {
        wanted: std::env::args()
            .skip(1)
            .filter(|word| !word.starts_with('-'))
            .collect(),
        ..Tally::default()
    };
    let machine = Machine::new();
    for start in [Start::Root, Start::Ordinary] {
        for role in Role::ALL {
            let possible = machine.can(start);
            for attempt in attempts::ALL {
                let name = format!("{role:?} from {start:?}: {}", attempt.name);
                tally.test(&name, possible, || attempt.check(&machine, role, start));
            }
        }
    }
    for failure in failures::ALL {
        let name = format!("a failed {} stops it", failure.name);
        tally.test(&name, machine.can(failure.start), || {
            failure.check(&machine)
        });
    }
    for (name, start, test) in failures::REFUSALS {
        tally.test(name, machine.can(*start), || test(&machine));
    }
    let name = "a crowd of descriptors on their way is waited for";
    tally.test(name, machine.can(Start::Ordinary), || {
        flight::a_crowd_is_waited_for(&machine);
    });
    println!(
        "\n{} passed, {} failed, {} skipped\n",
        tally.passed, tally.failed, tally.skipped
    );
    let must_not_skip = std::env::var("CI").as_deref() == Ok("true");
    if tally.failed > 0 || tally.skipped > 0 && must_not_skip {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
