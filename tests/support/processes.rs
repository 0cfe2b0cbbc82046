//! Looks at processes through /proc: who is whose child, and what the kernel says of their powers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait;

/// A process, told apart from a later one with the same number by its start time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    started: u64,
}

impl Process {
    /// The process of that number, if it runs.
    pub fn of(pid: i32) -> Option<Process> {
        let stat = Stat::read(pid)?;
        (!stat.zombie).then_some(Process {
            pid,
            started: stat.started,
        })
    }

    /// The process whose number is in this file.
    #[track_caller]
    pub fn of_file(path: &Path) -> Process {
        let number = fs::read_to_string(path).unwrap().trim().parse().unwrap();
        Process::of(number).expect("the process runs")
    }

    /// Running children, oldest first.
    pub fn children(&self) -> Vec<Process> {
        let mut children: Vec<Process> = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|&pid| Stat::read(pid).is_some_and(|stat| stat.parent == self.pid))
            .filter_map(Process::of)
            .collect();
        children.sort_by_key(|child| (child.started, child.pid));
        children
    }

    /// The one child that there is sooner or later.
    #[track_caller]
    pub fn only_child(&self) -> Process {
        wait::until(&format!("process {} has one child", self.pid), || {
            self.children().len() == 1
        });
        self.children().remove(0)
    }

    /// Whether it runs; one that is dead but not reaped does not.
    pub fn runs(&self) -> bool {
        Process::of(self.pid).is_some_and(|now| now == *self)
    }

    #[track_caller]
    pub fn wait_for_end(&self) {
        wait::until(&format!("process {} ends", self.pid), || !self.runs());
    }

    /// Sends a signal to this very process.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let sent = self.signal_if_there(signal);
        assert!(sent, "process {} has ended already", self.pid);
    }

    /// Sends a signal to this very process, which may end by itself meanwhile; whether it was there.
    pub fn signal_if_there(&self, signal: Signal) -> bool {
        if !self.runs() {
            return false;
        }
        match kill(Pid::from_raw(self.pid), signal) {
            Err(Errno::ESRCH) => false,
            sent => {
                sent.unwrap();
                true
            }
        }
    }

    /// `/proc/PID/status` as key and value.
    pub fn status(&self) -> BTreeMap<String, String> {
        fs::read_to_string(format!("/proc/{}/status", self.pid))
            .unwrap()
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
            .collect()
    }

    /// Its own memory in KiB: pages that it shares with others in parts, and none of the program's file, of which other servers have
    /// parts too.
    pub fn memory(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.pid);
        let text = fs::read_to_string(path).unwrap();
        let pss = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:"));
        let size = pss.unwrap().trim().trim_end_matches(" kB");
        size.parse().unwrap()
    }

    /// How long it has run on a processor.
    pub fn processor_time(&self) -> Duration {
        let path = format!("/proc/{}/schedstat", self.pid);
        let text = fs::read_to_string(path).unwrap();
        Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
    }

    /// The numbers of a field of the status: the four ids of `Uid`, the list of `Groups`.
    pub fn numbers(&self, field: &str) -> Vec<u32> {
        self.status()[field]
            .split_whitespace()
            .map(|number| number.parse().unwrap())
            .collect()
    }

    /// What its descriptors are, as the links in `/proc/PID/fd` say.
    pub fn descriptors(&self) -> Vec<String> {
        fs::read_dir(format!("/proc/{}/fd", self.pid))
            .unwrap()
            .filter_map(|entry| {
                Some(
                    fs::read_link(entry.ok()?.path())
                        .ok()?
                        .display()
                        .to_string(),
                )
            })
            .collect()
    }

    /// Where its root directory is, as seen from here.
    pub fn root(&self) -> std::path::PathBuf {
        fs::read_link(format!("/proc/{}/root", self.pid)).unwrap()
    }
}

struct Stat {
    parent: i32,
    zombie: bool,
    started: u64,
}

impl Stat {
    fn read(pid: i32) -> Option<Stat> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything, parentheses among them.
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        Some(Stat {
            zombie: matches!(*fields.first()?, "Z" | "X"),
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_found_and_its_end_is_seen() {
        let me = Process::of(std::process::id() as i32).unwrap();
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let process = Process::of(child.id() as i32).unwrap();
        assert!(me.children().contains(&process) && process.runs());
        drop(child.stdin.take());
        process.wait_for_end();
        child.wait().unwrap();
    }
}
