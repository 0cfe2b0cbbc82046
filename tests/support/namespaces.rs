//! Networks and process numbers of a test's own: the rest of the machine does not see them.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use nix::sched::{CloneFlags, setns, unshare};

use crate::require;

/// Whether this thread, and those that it starts from now on, may have a network of their own, with nothing in it but the
/// loopback interface and these addresses, such as `fd00::1/64`.
#[must_use]
pub fn network(addresses: &[String]) -> bool {
    if !require::root() || !require::programs(&["ip"]) {
        return false;
    }
    if unshare(CloneFlags::CLONE_NEWNET).is_err() {
        return require::missing("the right to make network namespaces");
    }
    let mut batch = "link set lo up\n".to_owned();
    for address in addresses {
        batch.push_str(&format!("address add {address} dev lo nodad\n"));
    }
    let mut ip = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    ip.stdin
        .take()
        .unwrap()
        .write_all(batch.as_bytes())
        .unwrap();
    assert!(ip.wait().unwrap().success());
    true
}

/// Runs a script in mounts, a network and process numbers of its own, where it says `staged` to its standard error once it has
/// mounted what it needs; `None` where it may not.
pub fn staged(script: &str, prepare: impl FnOnce(&mut Command)) -> Option<Output> {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--pid", "--fork"]);
    command.args(["--kill-child", "--mount-proc", "sh", "-c", script]);
    prepare(&mut command);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let may = errors.contains("staged") || require::missing("the right to mount in a namespace");
    may.then_some(output)
}

/// Process numbers of a test's own, which are given again as soon as they are free.
pub struct Numbers {
    init: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Numbers {
    /// Makes them, unless this machine does not allow it.
    pub fn new() -> Option<Numbers> {
        if !require::root() || !require::programs(&["unshare", "nsenter"]) {
            return None;
        }
        // The first process in there: it begins the count anew for each line that it reads, and ends all others with itself.
        let script = "echo ready; while read -r last; do echo $last > /proc/sys/kernel/ns_last_pid; echo done; done";
        let mut init = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--pid", "--fork"])
            .args(["--kill-child", "sh", "-c", script])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = init.stdin.take().unwrap();
        let answers = BufReader::new(init.stdout.take().unwrap());
        let mut numbers = Numbers {
            init,
            orders,
            answers,
        };
        let ready = numbers.answer() == "ready";
        (ready || require::missing("the right to make process namespaces")).then_some(numbers)
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The next process gets the first free number above this one.
    pub fn again_from(&mut self, last: u32) {
        writeln!(self.orders, "{last}").unwrap();
        assert_eq!(self.answer(), "done");
    }

    /// Where nsenter(1) finds the namespace.
    pub fn path(&self) -> String {
        format!("/proc/{}/ns/pid_for_children", self.init.id())
    }

    /// Makes the children of this thread members. It can start no threads any more.
    pub fn enter(path: &str) {
        let namespace = File::open(path).unwrap();
        setns(namespace.as_fd(), CloneFlags::CLONE_NEWPID).unwrap();
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        // Whoever is left in there is killed by the kernel with its first process.
        let _ = self.init.kill();
        let _ = self.init.wait();
    }
}
