//! The processes of one server: which they are, what CPU they have used, what memory they hold, and their end.
//! A cgroup of its own where that can be made (root, cgroup v2), else the descendants of this program in /proc.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeVal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, SysconfVar, sysconf};

/// Killed processes get this long to disappear.
const DEATH: Duration = Duration::from_secs(10);
const PREFIX: &str = "ftpbench-";
const POLL: Duration = Duration::from_millis(5);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Processes {
    Cgroup(PathBuf),
    Descendants,
}

impl Processes {
    /// Names a group for the server `name`; nothing exists before `create`.
    pub(crate) fn plan(name: &str) -> Self {
        match cgroup_root() {
            Some(root) if nix::unistd::geteuid().is_root() => {
                Self::Cgroup(root.join(format!("{PREFIX}{}-{name}", process::id())))
            }
            _ => Self::Descendants,
        }
    }

    pub(crate) fn create(&self) -> io::Result<()> {
        match self {
            Self::Cgroup(directory) => fs::create_dir(directory),
            Self::Descendants => Ok(()),
        }
    }

    /// The file to which a process writes 0 to join the group.
    pub(crate) fn door(&self) -> PathBuf {
        match self {
            Self::Cgroup(directory) => directory.join("cgroup.procs"),
            // A descendant belongs by birth.
            Self::Descendants => "/dev/null".into(),
        }
    }

    pub(crate) fn list(&self) -> io::Result<Vec<i32>> {
        match self {
            Self::Cgroup(directory) => {
                let text = match fs::read_to_string(directory.join("cgroup.procs")) {
                    Err(cause) if cause.kind() == io::ErrorKind::NotFound => String::new(),
                    other => other?,
                };
                let pids = text.lines().filter_map(|line| line.parse().ok());
                // 0 stands for a process of another PID namespace, and for `kill` it would mean ourselves.
                Ok(pids.filter(|pid| *pid > 0).collect())
            }
            Self::Descendants => Ok(descendants()?
                .into_iter()
                .filter(|stat| stat.state != 'Z')
                .map(|stat| stat.pid)
                .collect()),
        }
    }

    /// CPU time used so far, of ended processes too.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        match self {
            Self::Cgroup(directory) => {
                let text = fs::read_to_string(directory.join("cpu.stat"))?;
                usage(&text).ok_or_else(|| io::Error::other("cpu.stat has no usage_usec"))
            }
            Self::Descendants => {
                let ticks: u64 = descendants()?.iter().map(|stat| stat.ticks).sum();
                let second = sysconf(SysconfVar::CLK_TCK)?.unwrap_or(100);
                let running = Duration::from_secs(1).mul_f64(ticks as f64 / second as f64);
                let reaped = getrusage(UsageWho::RUSAGE_CHILDREN)?;
                Ok(running + duration(reaped.user_time()) + duration(reaped.system_time()))
            }
        }
    }

    /// Proportional memory of all processes, in KiB. One that cannot be read is an error: a sum without it would lie.
    pub(crate) fn proportional_memory(&self) -> io::Result<u64> {
        let mut total = 0;
        for pid in self.list()? {
            let path = format!("/proc/{pid}/smaps_rollup");
            let text = match fs::read_to_string(&path) {
                // It ended between the list and here.
                Err(cause) if cause.raw_os_error() == Some(nix::libc::ESRCH) => continue,
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(|cause| io::Error::other(format!("{path}: {cause}")))?,
            };
            total +=
                proportional(&text).ok_or_else(|| io::Error::other(format!("{path}: no Pss")))?;
        }
        Ok(total)
    }

    /// Waits until the number of processes has stayed the same for a while, so that sessions that have just begun or
    /// ended are counted. Gives up after a few seconds: then they are what they are.
    pub(crate) fn settle(&self) -> io::Result<()> {
        const STILL: u32 = 12;
        let started = Instant::now();
        let (mut before, mut same) = (usize::MAX, 0);
        while same < STILL && started.elapsed() < Duration::from_secs(4) {
            let now = self.list()?.len();
            same = if now == before { same + 1 } else { 0 };
            before = now;
            thread::sleep(POLL);
        }
        Ok(())
    }

    pub(crate) fn wait_until_gone(&self, limit: Duration) -> io::Result<bool> {
        let started = Instant::now();
        while !self.list()?.is_empty() {
            if started.elapsed() > limit {
                return Ok(false);
            }
            thread::sleep(POLL);
        }
        Ok(true)
    }

    /// Kills every process of the group, and no other, waits for those that have become children of this program (its
    /// subreaper duty), then removes the group. Nothing to kill is fine.
    pub(crate) fn end(&self) {
        let started = Instant::now();
        while started.elapsed() < DEATH {
            let pids = self.list().unwrap_or_default();
            if pids.is_empty() {
                break;
            }
            for pid in pids {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            thread::sleep(POLL);
        }
        reap(started);
        if let Self::Cgroup(directory) = self {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Waits for children that have ended, until none is left or the time for dying is over.
fn reap(started: Instant) {
    while started.elapsed() < DEATH {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => thread::sleep(POLL),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

/// Removes the empty groups of runs that were killed before they could do so.
pub(crate) fn remove_left_over() {
    let groups = cgroup_root().and_then(|root| fs::read_dir(root).ok());
    for group in groups.into_iter().flatten().flatten() {
        let name = group.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|rest| rest.split('-').next())
            .and_then(|number| number.parse::<u32>().ok());
        if number.is_some_and(|number| !Path::new("/proc").join(number.to_string()).exists()) {
            // Fails where a process is left, as it should: that is not ours to end.
            let _ = fs::remove_dir(group.path());
        }
    }
}

/// Where cgroup v2 is mounted, alone or beside v1.
fn cgroup_root() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let root = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let path = fields.nth(1)?;
        (fields.next()? == "cgroup2").then(|| PathBuf::from(path))
    })?;
    Path::new(&root)
        .join("cgroup.procs")
        .exists()
        .then_some(root)
}

fn usage(cpu_stat: &str) -> Option<Duration> {
    let value = cpu_stat
        .lines()
        .find_map(|line| line.strip_prefix("usage_usec "))?;
    value.parse().ok().map(Duration::from_micros)
}

fn proportional(smaps_rollup: &str) -> Option<u64> {
    let value = smaps_rollup
        .lines()
        .find_map(|line| line.strip_prefix("Pss:"))?;
    value.trim().strip_suffix(" kB")?.trim().parse().ok()
}

pub(crate) fn duration(value: TimeVal) -> Duration {
    Duration::from_secs(value.tv_sec().unsigned_abs())
        + Duration::from_micros(value.tv_usec().unsigned_abs())
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stat {
    pid: i32,
    state: char,
    parent: i32,
    /// User and system time of the process and of the children that it has waited for.
    ticks: u64,
}

/// One line of /proc/PID/stat. The name in parentheses may itself contain parentheses and blanks.
fn stat(line: &str) -> Option<Stat> {
    let (head, tail) = line.rsplit_once(')')?;
    let (pid, _) = head.split_once(' ')?;
    let fields: Vec<&str> = tail.split_whitespace().collect();
    let ticks = fields
        .get(11..15)?
        .iter()
        .map(|field| field.parse::<u64>().ok())
        .sum::<Option<u64>>()?;
    Some(Stat {
        pid: pid.parse().ok()?,
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        ticks,
    })
}

/// All processes below this one. As its subreaper it stays the ancestor of those whose parent has ended.
fn descendants() -> io::Result<Vec<Stat>> {
    let mut children: HashMap<i32, Vec<Stat>> = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if !name.as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let line = fs::read_to_string(Path::new("/proc").join(name).join("stat"));
        if let Some(stat) = line.ok().as_deref().and_then(stat) {
            children.entry(stat.parent).or_default().push(stat);
        }
    }
    let mut found: Vec<Stat> = Vec::new();
    let mut parents = vec![i32::try_from(process::id()).map_err(io::Error::other)?];
    while let Some(parent) = parents.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            parents.push(child.pid);
            found.push(child);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_cannot_shift_the_fields_of_stat() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194560 100 200 0 0 10 20 3 4 20 0 1 0 5 6 7";
        let expected = Stat {
            pid: 42,
            state: 'S',
            parent: 7,
            ticks: 37,
        };
        assert_eq!(stat(line), Some(expected));
    }

    #[test]
    fn cpu_and_memory_are_read_by_their_names() {
        let text = "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n";
        assert_eq!(usage(text), Some(Duration::from_micros(1500)));
        let text = "Rss:    900 kB\nPss:    123 kB\nPss_Dirty:  7 kB\n";
        assert_eq!(proportional(text), Some(123));
    }
}
