//! Everything that reads a stranger's octets, each as a function that any fuzzer can call: it takes arbitrary octets and
//! panics where a promise is broken. [`run`] is the driver of the stable toolchain.

#![allow(
    clippy::print_stdout,
    reason = "a campaign shows its seed and its pace"
)]

mod driver;
mod targets;

pub use driver::{Campaign, run};
pub use targets::{TARGETS, Target};

#[cfg(test)]
mod tests {
    use super::*;

    /// The slice of CI; `make soak` runs more.
    const RUNS: u64 = 10_000;

    #[test]
    fn every_target_survives_a_slice() {
        let campaign = Campaign::new(RUNS, None);
        println!("fuzz: seed {} repeats this run", campaign.seed);
        for target in TARGETS {
            run(target, &campaign);
        }
    }

    #[test]
    fn a_broken_promise_is_found() {
        fn never_two_blanks(octets: &[u8]) {
            assert!(!octets.windows(2).any(|pair| pair == b"  "));
        }
        let target = Target {
            name: "two blanks",
            run: never_two_blanks,
        };
        let found = std::panic::catch_unwind(|| run(&target, &Campaign::new(RUNS, Some(1))));
        assert!(found.is_err());
    }
}
