//! Measures ftpd beside vsftpd: prepares, repeats every scenario in turns, reports. How anything is measured is in
//! the modules.

mod account;
mod client;
mod data;
mod failure;
mod gateways;
mod json;
mod options;
mod processes;
mod reply;
mod report;
mod running;
mod scenario;
mod secure;
mod servers;
mod stats;
mod undo;

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::prctl::set_child_subreaper;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::utsname::uname;
use nix::unistd::geteuid;

use crate::account::{Account, run};
use crate::data::{Data, Scratch};
use crate::failure::Failure;
use crate::json::Json;
use crate::options::{Action, Options};
use crate::processes::Processes;
use crate::report::Report;
use crate::running::{Running, Setting, launch};
use crate::scenario::{Place, Round, Scenario, Subject};
use crate::secure::Certificate;
use crate::servers::Server;

fn main() -> ExitCode {
    let outcome = options::read().and_then(|action| match action {
        Action::Measure(options) => measure(*options),
        Action::Launch {
            door,
            program,
            arguments,
        } => Err(launch(&door, &program, &arguments)),
    });
    match outcome {
        Ok(code) => code,
        Err(cause) => {
            say(format_args!("bench: {cause}"));
            ExitCode::from(2)
        }
    }
}

fn measure(mut options: Options) -> io::Result<ExitCode> {
    undo::watch()?;
    set_child_subreaper(true)?;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    if options.install {
        install()?;
    }
    let left_out = leave_out_what_is_missing(&mut options)?;
    processes::remove_left_over();
    let report = {
        let scratch = Scratch::create(&options.scratch)?;
        let account = Account::create(&scratch.home())?;
        let data = Data::prepare(scratch.home(), account.owner)?;
        let disk = options.disk.as_deref().map(Scratch::create).transpose()?;
        let disk_data = disk
            .as_ref()
            .map(|disk| Data::for_uploads(disk.home(), account.owner))
            .transpose()?;
        let certificate = Certificate::make()?;
        let bench = Bench {
            certificate: &certificate,
            options: &options,
            scratch: &scratch,
            account: &account,
            data: &data,
            disk: disk_data.as_ref(),
        };
        bench.repetitions()
    };
    let cpu_source = match Processes::plan("any") {
        Processes::Cgroup(_) => "cgroup v2, cpu.stat of each server's own group",
        Processes::Descendants => {
            "/proc, utime and stime of the server and the children it waited for, in ticks of 10 ms: a lower bound"
        }
    };
    let mut out = io::stdout().lock();
    write!(out, "\n{}", report.table())?;
    for server in left_out {
        writeln!(out, "{server}.")?;
    }
    writeln!(out, "Medians of {} repetitions.", report.repetitions())?;
    writeln!(out, "CPU from {cpu_source}.")?;
    if let Some(path) = &options.json {
        let json = report.json(about(&options, cpu_source)?);
        fs::write(path, format!("{json}\n"))?;
    }
    Ok(ExitCode::from(u8::from(report.has_errors())))
}

/// Tells what is left out.
fn leave_out_what_is_missing(options: &mut Options) -> io::Result<Vec<String>> {
    let programs = options.programs.clone();
    let mut left_out = Vec::new();
    options
        .servers
        .retain(|server| match server.obstacle(&programs) {
            None => true,
            Some(obstacle) => {
                left_out.push(format!("{} is left out: {obstacle}", server.name));
                false
            }
        });
    if options.servers.is_empty() {
        let why = left_out.join("; ");
        return Err(io::Error::other(format!("no server to measure; {why}")));
    }
    Ok(left_out)
}

/// The package starts a daemon of its own on port 21, which nobody asked for.
fn install() -> io::Result<()> {
    if !geteuid().is_root() {
        return Err(io::Error::other("--install needs root"));
    }
    if Path::new("/usr/sbin/vsftpd").exists() {
        return Ok(());
    }
    say(format_args!("bench: installing vsftpd"));
    run(
        "apt-get",
        &["install", "-y", "--no-install-recommends", "vsftpd"],
        "",
    )?;
    if Path::new("/run/systemd/system").exists() {
        run("systemctl", &["disable", "--now", "vsftpd.service"], "")?;
    }
    Ok(())
}

fn about(options: &Options, cpu_source: &str) -> io::Result<Vec<(&'static str, Json)>> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let kernel = uname()?.release().to_string_lossy().into_owned();
    let processors = thread::available_parallelism()?.get();
    Ok(vec![
        ("unix_time", Json::Number(now.as_secs() as f64)),
        ("kernel", Json::text(kernel)),
        ("processors", Json::Number(processors as f64)),
        ("repetitions", Json::Number(options.repetitions as f64)),
        ("window_seconds", Json::Number(options.window.as_secs_f64())),
        ("idle_sessions", Json::Number(f64::from(options.sessions))),
        ("cpu_source", Json::text(cpu_source)),
    ])
}

struct Bench<'a> {
    options: &'a Options,
    scratch: &'a Scratch,
    account: &'a Account,
    certificate: &'a Certificate,
    data: &'a Data,
    disk: Option<&'a Data>,
}

impl Bench<'_> {
    /// Scenario by scenario, server by server, then again: what else the machine does falls on all alike.
    fn repetitions(&self) -> Report {
        let Options {
            servers, scenarios, ..
        } = self.options;
        let mut report = Report::new(
            servers.iter().map(|server| server.name),
            scenarios.iter().copied(),
        );
        let started = Instant::now();
        for repetition in 0..self.options.repetitions {
            let each = started.elapsed() / u32::try_from(repetition).unwrap_or(1).max(1);
            let limit = self.options.limit.unwrap_or(Duration::MAX);
            if repetition > 0 && started.elapsed() + each > limit {
                say(format_args!("bench: no time for another repetition"));
                break;
            }
            let round = if repetition == 0 {
                Round::First
            } else {
                Round::Later
            };
            for (row, scenario) in scenarios.iter().enumerate() {
                for turn in 0..servers.len() {
                    // Nobody always goes first.
                    let column = (turn + row + repetition) % servers.len();
                    if !servers[column].is_for(scenario) {
                        continue;
                    }
                    let outcome = self.once(servers[column], scenario, round);
                    if let Err(Failure::Wrong(what)) = &outcome {
                        say(format_args!(
                            "bench: {} {}: {what}",
                            servers[column].name, scenario.name
                        ));
                    }
                    report.add(row, column, outcome);
                }
            }
            say(format_args!(
                "bench: repetition {} of {}",
                repetition + 1,
                self.options.repetitions
            ));
        }
        report
    }

    /// One scenario with a server that has just been started: nothing is left from the one before.
    fn once(
        &self,
        server: &Server,
        scenario: &Scenario,
        round: Round,
    ) -> Result<Vec<f64>, Failure> {
        let data = match scenario.place {
            Place::Disk => self.disk,
            Place::Scratch | Place::Durable => Some(self.data),
        };
        let data = data.ok_or_else(|| Failure::Unsupported("no disk was named".to_owned()))?;
        let tls = scenario.suite.map(|suite| (self.certificate, suite));
        let setting = Setting {
            programs: &self.options.programs,
            run: self.scratch.directory.join(server.name),
            home: &data.home,
            credentials: &self.account.credentials,
            certificate: tls.map(|(certificate, _)| certificate),
            hooks: scenario.hooks(),
        };
        let program = (server.program)(setting.programs);
        let running = Running::start(server.name, program, setting, &server.arguments);
        let running = running.map_err(Failure::wrong)?;
        (scenario.run)(&Subject {
            server: &running,
            gateway: None,
            programs: &self.options.programs,
            data,
            credentials: &self.account.credentials,
            tls,
            window: self.options.window,
            sessions: self.options.sessions,
            round,
        })
    }
}

/// Progress and complaints go to standard error: standard output is the table.
fn say(what: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{what}");
}
