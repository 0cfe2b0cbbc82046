//! Attacks on the way from root to the user, by their row in our table of attacks: every single call of it is made to fail, one
//! at a time, and then nobody is logged in. CVE-2020-7468 was a daemon that went on.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "whatever fails shall end the test"
)]

use std::fs;
use std::path::PathBuf;

use tests::processes::Process;
use tests::strace::Strace;
use tests::{Client, Server, Setup, require, wait};

/// Which half of a session makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Network,
    Keeper,
}

/// A call: the error that it fails with, and whether the network half and keeper make it, as root and without.
struct Call {
    name: &'static str,
    error: &'static str,
    root: [bool; 2],
    rootless: [bool; 2],
}

const fn call(
    name: &'static str,
    error: &'static str,
    root: [bool; 2],
    rootless: [bool; 2],
) -> Call {
    Call {
        name,
        error,
        root,
        rootless,
    }
}

const BOTH: [bool; 2] = [true, true];
const NEITHER: [bool; 2] = [false, false];
const NETWORK: [bool; 2] = [true, false];
const KEEPER: [bool; 2] = [false, true];

#[rustfmt::skip]
const CALLS: &[Call] = &[
    call("fchdir",                  "EIO",    BOTH,    NEITHER),
    call("chroot",                  "EPERM",  BOTH,    NEITHER),
    call("chdir",                   "EIO",    BOTH,    NEITHER),
    call("setgroups",               "ENOMEM", BOTH,    NEITHER),
    call("getgroups",               "EFAULT", BOTH,    NEITHER),
    // The last of each of these must fail, and not like this.
    call("setresgid",               "EAGAIN", BOTH,    NEITHER),
    call("setresuid",               "EAGAIN", BOTH,    NEITHER),
    call("getresgid",               "EFAULT", BOTH,    NEITHER),
    call("getresuid",               "EFAULT", BOTH,    NEITHER),
    call("capset",                  "EPERM",  BOTH,    BOTH),
    call("capget",                  "EINVAL", BOTH,    BOTH),
    call("prctl",                   "ENOSYS", BOTH,    BOTH),
    call("prlimit64",               "EPERM",  BOTH,    BOTH),
    call("close_range",             "ENOSYS", NETWORK, NETWORK),
    call("landlock_create_ruleset", "ENOSYS", BOTH,    BOTH),
    call("landlock_add_rule",       "ENOSYS", KEEPER,  KEEPER),
    call("landlock_restrict_self",  "ENOSYS", BOTH,    BOTH),
    call("seccomp",                 "ENOSYS", BOTH,    BOTH),
    call("openat2",                 "EACCES", KEEPER,  KEEPER),
];

/// strace, attached to a process and, if that is the listener, to all that it forks.
struct Injection {
    strace: Strace,
    trace: PathBuf,
}

impl Injection {
    /// Makes the call of that number fail in each process.
    fn into(server: &Server, process: &Process, call: &Call, number: usize) -> Injection {
        let trace = server.scratch.join("trace");
        // The kernel sees a call that every filter lets pass.
        let inject = format!(
            "inject={}:error={}:syscall=getpid:when={number}",
            call.name, call.error
        );
        let calls = format!("trace={}", call.name);
        let mut words = vec!["-e", &calls, "-o", trace.to_str().unwrap(), "-e", &inject];
        words.extend((*process == server.process()).then_some("-f"));
        let strace = Strace::attach(process, &words);
        Injection { strace, trace }
    }

    /// Detaches; tells which call was made to fail, if any was.
    fn end(self) -> Option<Failed> {
        drop(self.strace);
        let trace = fs::read_to_string(&self.trace).unwrap();
        let failed = injected(&trace);
        let naming = |call: &&str| call.contains("PR_GET_NAME") || call.contains("PR_SET_NAME");
        match failed.iter().all(naming) {
            _ if failed.is_empty() => None,
            true => Some(Failed::Naming),
            false => Some(Failed::Privilege),
        }
    }
}

/// The calls that were made to fail. Where those of several processes are followed each line has its process in front, and a
/// call may have two lines, of which only the first has its arguments.
fn injected(trace: &str) -> Vec<&str> {
    let process = |line: &str| line.split(' ').next().map(str::to_owned);
    let lines: Vec<&str> = trace.lines().collect();
    let begun = |end: usize| {
        let own = |line: &&&str| {
            line.contains("<unfinished ...>") && process(line) == process(lines[end])
        };
        lines[..end].iter().rev().find(own).copied()
    };
    let ends = (0..lines.len()).filter(|&end| lines[end].contains("(INJECTED)"));
    ends.map(|end| match lines[end].contains(" resumed>") {
        true => begun(end).unwrap_or(lines[end]),
        false => lines[end],
    })
    .collect()
}

/// What a call that failed was for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failed {
    /// The process's own name for ps(1): without it all goes on.
    Naming,
    Privilege,
}

/// Tries to log in and to do something; gives whether that worked.
fn gets_in(client: &mut Client, password: &str) -> bool {
    for (line, goes_on) in [("USER tester", 331), (&format!("PASS {password}"), 230)] {
        if client
            .try_send_octets(format!("{line}\r\n").as_bytes())
            .is_err()
        {
            return false;
        }
        match client.try_reply() {
            Some(reply) if reply.code == goes_on => {}
            Some(_) => return still_there(client),
            None => return false,
        }
    }
    true
}

/// Whether anything is answered that needs a login.
fn still_there(client: &mut Client) -> bool {
    let sent = client.try_send_octets(b"PWD\r\n").is_ok();
    sent && client
        .try_reply()
        .is_some_and(|reply| !matches!(reply.code, 421 | 530))
}

/// Waits for the end of a session that nobody asked to end; one that goes on fails the test.
fn is_ended(client: &mut Client) -> bool {
    while let Some(reply) = client.try_reply() {
        assert_eq!(reply.code, 421, "{reply}");
    }
    true
}

/// Makes one call after the other fail until there is none left; gives how many there were.
fn fail_each(server: &Server, call: &Call, half: Half) -> usize {
    let (mut number, mut made) = (1, 0);
    loop {
        let password = &server.login.password;
        let (injection, mut client) = match half {
            Half::Network => {
                let injection = Injection::into(server, &server.process(), call, number);
                (injection, Client::connect_quietly(server.address()))
            }
            Half::Keeper => {
                let client = server.connect();
                (
                    Injection::into(server, &server.only_keeper(), call, number),
                    client,
                )
            }
        };
        let greeted =
            half == Half::Keeper || client.try_reply().is_some_and(|reply| reply.code == 220);
        // The other half's calls are another round's.
        let reached = greeted && (half == Half::Network || gets_in(&mut client, password));
        let failed = injection.end();
        let naming = failed == Some(Failed::Naming);
        let failed = failed == Some(Failed::Privilege);
        // Keeper goes its way beside the greeting: where it was keeper's call, the session ends behind that.
        let reached = reached && !(failed && half == Half::Network && is_ended(&mut client));
        drop(client);
        wait::until("the session is over", || server.keepers().is_empty());
        assert_ne!(
            failed, reached,
            "{half:?}: {} number {number} failed: {failed}, and went on: {reached}",
            call.name
        );
        if reached && !naming {
            return made;
        }
        made += usize::from(failed);
        number += 1;
    }
}

fn fail_all(setup: Setup, calls: &[Call], made: fn(&Call) -> [bool; 2]) {
    let server = setup
        .setting("LoginFailDelay=0")
        .setting("Penalty=0")
        .start();
    server.log.expect_fault("privilege could not be given up");
    for call in calls {
        for (half, made) in [Half::Network, Half::Keeper].into_iter().zip(made(call)) {
            let count = fail_each(&server, call, half);
            println!("{:24} {half:8?} {count}", call.name);
            assert_eq!(count > 0, made, "{half:?} makes {}", call.name);
        }
    }
    // The listener has seen all that, and serves on.
    server.logged_in().expect("PWD", 257);
}

#[test]
fn attack_4_with_root_no_call_may_fail_on_the_way_to_the_user() {
    if Strace::is_possible() {
        fail_all(Setup::new(), CALLS, |call| call.root);
    }
}

#[test]
fn attack_4_without_root_no_call_may_fail_on_the_way_to_the_user() {
    if Strace::is_possible() {
        fail_all(Setup::rootless(), CALLS, |call| call.rootless);
    }
}

/// There the bounding set is not empty from the start.
#[test]
fn attack_4_with_pam_no_capability_may_be_left_by_a_call_that_fails() {
    if !Strace::is_possible() || !require::programs(&["unshare", "mount"]) {
        return;
    }
    let setup = Setup::new().methods("native, session-pam");
    let services = setup.scratch().join("pam.d");
    fs::create_dir(&services).unwrap();
    let rules = "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n";
    fs::write(services.join("metaftpd"), rules).unwrap();
    let setup = setup.system_directory("/etc/pam.d", "pam.d");
    let calls = [call("prctl", "EPERM", BOTH, NEITHER)];
    fail_all(setup, &calls, |call| call.root);
}

/// MetaFTPd looked at the result of neither chdir, chroot nor setgid. Here that does not compile, which clippy and the compiler
/// see to as long as they are told to.
#[test]
fn attack_6_no_result_may_be_passed_over_where_privilege_is() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    assert!(text("Cargo.toml").contains("\nunused_must_use = \"deny\"\n"));
    for module in [
        "common/src/auth",
        "common/src/sandbox",
        "common/src/sys",
        "ftpd/src/keeper",
    ] {
        let text = text(&format!("{module}/mod.rs"));
        assert!(
            text.contains("\n#![deny(clippy::let_underscore_must_use)]\n"),
            "{module}"
        );
    }
}
