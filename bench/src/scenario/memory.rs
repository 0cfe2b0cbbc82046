//! What an idle session that is logged in holds of memory.

use std::io;
use std::thread;

use super::Subject;
use crate::client::Session;
use crate::failure::Failure;
use crate::processes::Processes;

/// Clients that log in side by side.
const PARALLEL: u32 = 8;

pub(super) fn idle(subject: &Subject) -> Result<Vec<f64>, Failure> {
    grown(subject, &[subject.processes()])
}

/// How much each session adds to each of these, in KiB.
pub(super) fn grown(subject: &Subject, groups: &[&Processes]) -> Result<Vec<f64>, Failure> {
    let memory = || -> Result<Vec<u64>, Failure> {
        let memories = groups.iter().map(|processes| {
            processes
                .settle()
                .and_then(|()| processes.proportional_memory())
        });
        let memories: io::Result<_> = memories.collect();
        memories.map_err(Failure::during("memory"))
    };
    let before = memory()?;
    let sessions = open(subject)?;
    let after = memory()?;
    // A session that has ended meanwhile would have made the figure smaller.
    for mut session in sessions {
        session.command("NOOP", &[200])?;
        session.quit()?;
    }
    let each = |(after, before)| (after as f64 - before as f64) / f64::from(subject.sessions);
    Ok(after.into_iter().zip(before).map(each).collect())
}

fn open(subject: &Subject) -> Result<Vec<Session>, Failure> {
    let client = |share: u32| -> Result<Vec<Session>, Failure> {
        (0..share).map(|_| subject.session()).collect()
    };
    let shares = (0..PARALLEL).map(|client| (subject.sessions + client) / PARALLEL);
    let opened = thread::scope(|scope| {
        let clients: Vec<_> = shares
            .map(|share| scope.spawn(move || client(share)))
            .collect();
        clients
            .into_iter()
            .map(|client| {
                client
                    .join()
                    .map_err(|_| Failure::wrong("a client panicked"))?
            })
            .collect::<Result<Vec<_>, Failure>>()
    })?;
    Ok(opened.into_iter().flatten().collect())
}
