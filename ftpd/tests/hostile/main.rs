//! A network half that was taken over, against the real keeper in each phase. The keeper here is `ftpd`'s own source; in
//! place of the real network half it forks one that gives its end of the channel away, so the product has no seam for it.
//!
//! No harness: keeper is forked, and forking wants a process with one thread.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "this is test code: it prepares directories, tells what it did, and whatever fails shall end the test"
)]

#[expect(
    unused_imports,
    dead_code,
    reason = "its unit tests are run by its own target, and no listener is here"
)]
#[path = "../../src/keeper/mod.rs"]
mod keeper;
#[path = "../../src/setup.rs"]
mod setup;

mod load;
mod manners;
mod requests;
mod scene;
/// The hostile half, under the name that keeper calls.
#[path = "half.rs"]
mod session;

use std::panic::catch_unwind;
use std::process::ExitCode;

use scene::Identity;

/// A test and its name.
type Test = (&'static str, fn(Identity));

/// Longer than all of it takes; a test that hangs must not hang forever.
const WATCHDOG_SECONDS: u32 = 300;

fn main() -> ExitCode {
    common::sys::promise_single_thread();
    nix::unistd::alarm::set(WATCHDOG_SECONDS);
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for identity in [Identity::Root, Identity::Ordinary] {
        for (name, test) in [manners::TESTS, requests::TESTS, load::TESTS].concat() {
            let name = format!("{name} ({identity:?})");
            if !wanted.is_empty() && !wanted.iter().any(|word| name.contains(word.as_str())) {
                continue;
            }
            if identity == Identity::Root && !nix::unistd::geteuid().is_root() {
                println!("SKIPPED {name}: it needs root");
                skipped += 1;
            } else if catch_unwind(|| test(identity)).is_ok() {
                println!("test {name} ... ok");
                passed += 1;
            } else {
                println!("test {name} ... FAILED");
                failed += 1;
            }
        }
    }
    println!("\n{passed} passed, {failed} failed, {skipped} skipped\n");
    let must_not_skip = std::env::var("CI").as_deref() == Ok("true");
    if failed > 0 || skipped > 0 && must_not_skip {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
