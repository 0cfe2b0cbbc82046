//! What hooks cost: commands beside a program that nobody waits for, a program that is waited for, and events in a file.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Subject;
use super::parallel::each;
use crate::data::small_name;
use crate::failure::Failure;

/// What the hooks of each scenario are, in TOML; `{run}` is the directory of the server.
const CONFIGURATIONS: &[(&str, &str)] = &[
    ("hooks-none", ""),
    (
        "hooks-async",
        "[[hook]]\ncommands = [\"SIZE\"]\nexec = [\"/bin/sleep\", \"1\"]\n",
    ),
    (
        "hooks-waited",
        "[[hook]]\ncommands = [\"SIZE\"]\nmode = \"wait\"\nexec = [\"/bin/sleep\", \"0.005\"]\n",
    ),
    (
        "hooks-events",
        "[[hook]]\ncommands = [\"SIZE\"]\nfile = \"{run}/events\"\nqueue = 100000\n",
    ),
];

/// Clients whose commands make events.
const CLIENTS: usize = 8;

/// How long the next event may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// The configuration of a scenario that is about hooks.
pub(crate) fn configuration(scenario: &str) -> Option<&'static str> {
    let found = CONFIGURATIONS.iter().find(|(name, _)| *name == scenario);
    found.map(|(_, text)| *text)
}

fn line() -> String {
    format!("SIZE small/{}", small_name(0))
}

/// Commands of one client: how long each takes, and the server's CPU.
pub(super) fn commands(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let mut session = subject.session()?;
    let line = line();
    let (count, took) =
        subject.measured(|| subject.repeat(|_| session.command(&line, &[213]).map(drop)))?;
    session.quit()?;
    let each = took.wall.as_secs_f64() * 1e6 / count as f64;
    Ok(vec![each, took.server_micros_each(count)])
}

/// Commands that wait for a program, and the program by itself right after them.
pub(super) fn waited(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let mut session = subject.session()?;
    let line = line();
    let (count, took) =
        subject.measured(|| subject.repeat(|_| session.command(&line, &[213]).map(drop)))?;
    session.quit()?;
    let started = Instant::now();
    for _ in 0..count {
        let ended = Command::new("/bin/sleep")
            .arg("0.005")
            .stdin(Stdio::null())
            .status();
        ended.map_err(Failure::wrong)?;
    }
    let each = |wall: Duration| wall.as_secs_f64() * 1e3 / count as f64;
    let (with, alone) = (each(took.wall), each(started.elapsed()));
    let cpu = took.server_micros_each(count) / 1e3;
    Ok(vec![with, alone, with - alone, cpu])
}

/// Events of several clients, until the last one is in the file; and what part of them got there. Who tells of an event waits
/// for nobody, so that those for which there is no room are counted and dropped.
pub(super) fn events(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let sessions = (0..CLIENTS).map(|_| subject.session());
    let sessions: Vec<_> = sessions.collect::<Result<_, _>>()?;
    let line = line();
    let file = subject.server.run.join("events");
    let ((count, written, wall), took) = subject.measured(|| {
        let started = Instant::now();
        let counts = each(sessions, |mut session| {
            subject.repeat(|_| session.command(&line, &[213]).map(drop))
        })?;
        let count: usize = counts.into_iter().sum();
        let (mut written, mut last) = (0, Instant::now());
        while written < count && last.elapsed() < PATIENCE {
            let text = fs::read(&file).unwrap_or_default();
            let now = text.iter().filter(|&&octet| octet == b'\n').count();
            if now > written {
                (written, last) = (now, Instant::now());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok((count, written, last.duration_since(started)))
    })?;
    if written == 0 {
        return Err(Failure::wrong("no event is in the file"));
    }
    Ok(vec![
        written as f64 / wall.as_secs_f64(),
        took.server_micros_each(written),
        written as f64 / count as f64,
    ])
}
