//! A long campaign: `cargo run --release -p fuzz -- --runs 10000000 [--seed N] [target …]`.

#![allow(
    clippy::print_stdout,
    reason = "a campaign shows its seed and its pace"
)]

use std::time::Instant;

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command, value_parser};
use fuzz::{Campaign, TARGETS, run};

fn command() -> Command {
    let targets = TARGETS.iter().map(|target| target.name);
    Command::new("fuzz")
        .about("Fuzzes what parses a stranger's octets")
        .arg(
            Arg::new("runs")
                .long("runs")
                .value_parser(value_parser!(u64))
                .default_value("1000000")
                .help("Inputs for each target"),
        )
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_parser(value_parser!(u64))
                .help("Repeats a campaign"),
        )
        .arg(
            Arg::new("target")
                .num_args(0..)
                .value_parser(PossibleValuesParser::new(targets))
                .help("Only these targets"),
        )
}

fn main() {
    let matches = command().get_matches();
    let runs = matches.get_one("runs").copied().unwrap_or_default();
    let campaign = Campaign::new(runs, matches.get_one("seed").copied());
    let wanted: Vec<&String> = matches.get_many("target").unwrap_or_default().collect();
    println!("seed {}", campaign.seed);
    for target in TARGETS {
        if !wanted.is_empty() && !wanted.iter().any(|name| *name == target.name) {
            continue;
        }
        let begun = Instant::now();
        run(target, &campaign);
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{:<10} {:>12} runs {:>8.1} s",
            target.name, campaign.runs, seconds
        );
    }
}
