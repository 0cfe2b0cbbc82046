//! The command line. It decides what is measured and how often, not how.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::data::MEMORY;
use crate::scenario::{SCENARIOS, Scenario};
use crate::servers::{Programs, SERVERS, Server};

pub(crate) enum Action {
    Measure(Box<Options>),
    /// Become a server: how the benchmark starts one. Not for people.
    Launch {
        door: PathBuf,
        program: String,
        arguments: Vec<String>,
    },
}

pub(crate) struct Options {
    pub(crate) servers: Vec<&'static Server>,
    pub(crate) scenarios: Vec<&'static Scenario>,
    pub(crate) repetitions: usize,
    pub(crate) window: Duration,
    pub(crate) sessions: u32,
    pub(crate) install: bool,
    pub(crate) json: Option<PathBuf>,
    pub(crate) programs: Programs,
    /// Where the data lies: what a sync costs depends on it.
    pub(crate) scratch: PathBuf,
    /// A directory on a disk, for what is measured there.
    pub(crate) disk: Option<PathBuf>,
    /// No repetition is begun that would end later.
    pub(crate) limit: Option<Duration>,
}

/// Reads the command line; help and mistakes end the program as is usual.
pub(crate) fn read() -> io::Result<Action> {
    let matches = command().get_matches();
    if let Some(("launch", launch)) = matches.subcommand() {
        let mut argv = launch
            .get_many::<String>("argv")
            .unwrap_or_default()
            .cloned();
        return Ok(Action::Launch {
            door: launch
                .get_one::<PathBuf>("door")
                .cloned()
                .unwrap_or_default(),
            program: argv.next().unwrap_or_default(),
            arguments: argv.collect(),
        });
    }
    options(&matches).map(Box::new).map(Action::Measure)
}

fn options(matches: &ArgMatches) -> io::Result<Options> {
    let full = matches.get_flag("full");
    let quick = full || matches.get_flag("quick");
    let names = |id| -> Vec<&str> {
        let values = matches.get_many::<String>(id).unwrap_or_default();
        values.map(String::as_str).collect()
    };
    let (servers, scenarios) = (names("servers"), names("only"));
    let chosen = |names: &[&str], name| names.is_empty() || names.contains(&name);
    let ftpd = match matches.get_one::<PathBuf>("ftpd") {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("ftpd"),
    };
    let repetitions = matches.get_one::<u32>("reps").copied();
    let usual = match (full, quick) {
        (true, _) => 9,
        (false, true) => 3,
        (false, false) => 5,
    };
    let disk = match matches.get_one::<PathBuf>("disk") {
        Some(directory) => Some(directory.canonicalize()?),
        None if full => std::env::current_exe()?.parent().map(PathBuf::from),
        None => None,
    };
    let minutes = matches.get_one::<u32>("limit").copied();
    let minutes = minutes.or(full.then_some(FULL_MINUTES));
    Ok(Options {
        servers: SERVERS
            .iter()
            .filter(|server| chosen(&servers, server.name))
            .collect(),
        scenarios: SCENARIOS
            .iter()
            .filter(|scenario| chosen(&scenarios, scenario.name))
            .collect(),
        repetitions: repetitions.unwrap_or(usual) as usize,
        window: Duration::from_millis(if quick { 400 } else { 1000 }),
        sessions: matches.get_one::<u32>("sessions").copied().unwrap_or(200),
        install: matches.get_flag("install"),
        json: matches.get_one::<PathBuf>("json").cloned(),
        programs: Programs { ftpd },
        scratch: match matches.get_one::<PathBuf>("scratch") {
            Some(directory) => directory.canonicalize()?,
            None => MEMORY.into(),
        },
        disk,
        limit: minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60)),
    })
}

const FULL_MINUTES: u32 = 15;

fn command() -> Command {
    let scenarios = PossibleValuesParser::new(SCENARIOS.iter().map(|scenario| scenario.name));
    let servers = PossibleValuesParser::new(SERVERS.iter().map(|server| server.name));
    let list = |id: &'static str| {
        Arg::new(id)
            .long(id)
            .value_delimiter(',')
            .action(ArgAction::Append)
    };
    let flag = |id: &'static str| Arg::new(id).long(id).action(ArgAction::SetTrue);
    let count = |id: &'static str| {
        let positive = value_parser!(u32).range(1..);
        Arg::new(id).long(id).value_name("N").value_parser(positive)
    };
    let file = |id: &'static str| {
        let path = value_parser!(PathBuf);
        Arg::new(id).long(id).value_name("FILE").value_parser(path)
    };
    Command::new("bench")
        .about("Measures ftpd beside vsftpd, on loopback, and prints what the run measured")
        .args_conflicts_with_subcommands(true)
        .arg(flag("quick").help("Shorter and fewer repetitions"))
        .arg(flag("full").help("Everything 9 times, as short as with --quick, and on a disk too; it ends in time"))
        .arg(count("limit").value_name("MINUTES").help("Begin no repetition that would end later [default: none, with --full 15]"))
        .arg(
            file("disk")
                .value_name("DIR")
                .help("A directory on a disk, to measure what syncing costs [default: none, with --full beside this program]"),
        )
        .arg(count("reps").help("Repetitions [default: 5, with --quick 3, with --full 9]"))
        .arg(
            list("only")
                .value_name("SCENARIO")
                .value_parser(scenarios)
                .help("Only these scenarios"),
        )
        .arg(
            list("servers")
                .value_name("SERVER")
                .value_parser(servers)
                .help("Only these servers"),
        )
        .arg(count("sessions").help("Idle sessions whose memory is measured [default: 200]"))
        .arg(file("json").help("Write every value to FILE"))
        .arg(file("ftpd").help("Our server [default: beside this program]"))
        .arg(
            file("scratch")
                .value_name("DIR")
                .help("Where the data lies [default: /dev/shm, in memory]"),
        )
        .arg(flag("install").help("As root: install vsftpd with apt-get where it is missing"))
        .subcommand(
            Command::new("launch")
                .hide(true)
                .arg(
                    Arg::new("door")
                        .required(true)
                        .value_parser(value_parser!(PathBuf)),
                )
                .arg(Arg::new("argv").required(true).num_args(1..).last(true)),
        )
}

/// The arguments of a `launch` of `program`.
pub(crate) fn launch(door: PathBuf, program: PathBuf, arguments: Vec<OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["launch".into(), door.into(), "--".into(), program.into()];
    words.extend(arguments);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Options {
        let words = ["bench"].iter().chain(words);
        options(&command().try_get_matches_from(words).unwrap()).unwrap()
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn everything_is_measured_unless_something_is_chosen() {
        let all = parsed(&[]);
        assert_eq!(
            (all.servers.len(), all.scenarios.len()),
            (SERVERS.len(), SCENARIOS.len())
        );
        let some = parsed(&[
            "--only",
            "list,retr",
            "--servers",
            "vsftpd",
            "--quick",
            "--reps",
            "7",
        ]);
        let names: Vec<_> = some
            .scenarios
            .iter()
            .map(|scenario| scenario.name)
            .collect();
        assert_eq!(names, ["retr", "list"]);
        assert_eq!((some.servers[0].name, some.repetitions), ("vsftpd", 7));
    }

    #[test]
    fn an_unknown_scenario_is_refused() {
        assert!(
            command()
                .try_get_matches_from(["bench", "--only", "retrr"])
                .is_err()
        );
    }

    #[test]
    fn a_launch_keeps_the_flags_of_the_server() {
        let words = launch(
            "/dev/null".into(),
            "/bin/ftpd".into(),
            vec!["-port".into(), "21".into()],
        );
        let words = [OsString::from("bench")].into_iter().chain(words);
        let matches = command().try_get_matches_from(words).unwrap();
        let (_, launch) = matches.subcommand().unwrap();
        let argv: Vec<_> = launch.get_many::<String>("argv").unwrap().collect();
        assert_eq!(argv, ["/bin/ftpd", "-port", "21"]);
    }
}
