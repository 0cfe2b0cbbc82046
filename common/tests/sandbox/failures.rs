//! Giving up privilege is all or nothing: whichever step is made to fail, the error comes back and nothing goes on. The
//! steps are made to fail by a filter that answers EPERM to them (CVE-2020-7468 was a daemon that went on).

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use common::auth::Identity;
use common::sandbox::{Kept, Role, SandboxError, become_user, enter_empty};
use nix::errno::Errno;
use nix::libc::{self, c_long};
use nix::sys::wait::WaitStatus;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op,
    SeccompCondition as Condition, SeccompFilter, SeccompRule, TargetArch,
};

use crate::inside::{Machine, Start};

/// A call that is made to fail.
pub(crate) struct Failure {
    pub(crate) name: &'static str,
    pub(crate) start: Start,
    number: c_long,
    /// What the first argument must be, where a call does many things.
    first: Option<u64>,
    /// The steps that the error may name, in a session's half and in keeper. `None`: the role has no such step.
    steps: [Option<&'static str>; 2],
}

const fn failure(name: &'static str, number: c_long, steps: [Option<&'static str>; 2]) -> Failure {
    Failure {
        name,
        start: Start::Root,
        number,
        first: None,
        steps,
    }
}

const fn both(step: &'static str) -> [Option<&'static str>; 2] {
    [Some(step); 2]
}

impl Failure {
    const fn only(self, first: i32) -> Failure {
        Failure {
            first: Some(first as u64),
            ..self
        }
    }

    const fn rootless(self) -> Failure {
        Failure {
            start: Start::Ordinary,
            ..self
        }
    }
}

#[rustfmt::skip]
pub(crate) const ALL: &[Failure] = &[
    failure("fchdir", libc::SYS_fchdir, both("fchdir")),
    failure("chroot", libc::SYS_chroot, both("chroot")),
    failure("chdir", libc::SYS_chdir, both("chdir")),
    failure("setgroups", libc::SYS_setgroups, both("setgroups")),
    failure("getgroups", libc::SYS_getgroups, both("getgroups")),
    failure("bounding set", libc::SYS_prctl, both("drop bounding")).only(libc::PR_CAPBSET_DROP),
    failure("ambient set", libc::SYS_prctl, both("clear ambient")).only(libc::PR_CAP_AMBIENT),
    failure("setresgid", libc::SYS_setresgid, both("setresgid")),
    failure("getresgid", libc::SYS_getresgid, both("getresgid")),
    failure("setresuid", libc::SYS_setresuid, both("setresuid")),
    failure("getresuid", libc::SYS_getresuid, both("getresuid")),
    failure("capset", libc::SYS_capset, both("clear capabilities")),
    failure("capset without root", libc::SYS_capset, both("clear capabilities")).rootless(),
    failure("close_range", libc::SYS_close_range, [Some("close_range"), None]),
    failure("setrlimit", libc::SYS_prlimit64, both("setrlimit CORE")),
    failure("no_new_privs", libc::SYS_prctl, both("no_new_privs")).only(libc::PR_SET_NO_NEW_PRIVS),
    failure("dumpable", libc::SYS_prctl, both("dumpable")).only(libc::PR_SET_DUMPABLE),
    failure("landlock_create_ruleset", libc::SYS_landlock_create_ruleset, both("landlock")),
    failure("landlock_add_rule", libc::SYS_landlock_add_rule, [None, Some("landlock")]),
    failure("landlock_restrict_self", libc::SYS_landlock_restrict_self, both("landlock")),
    failure("seccomp", libc::SYS_seccomp, both("seccomp")),
    failure("setrlimit without root", libc::SYS_prlimit64, both("setrlimit CORE")).rootless(),
    failure("no_new_privs without root", libc::SYS_prctl, both("no_new_privs")).only(libc::PR_SET_NO_NEW_PRIVS).rootless(),
    failure("dumpable without root", libc::SYS_prctl, both("dumpable")).only(libc::PR_SET_DUMPABLE).rootless(),
    failure("landlock_create_ruleset without root", libc::SYS_landlock_create_ruleset, both("landlock")).rootless(),
    failure("landlock_restrict_self without root", libc::SYS_landlock_restrict_self, both("landlock")).rootless(),
    failure("seccomp without root", libc::SYS_seccomp, both("seccomp")).rootless(),
];

/// What the process that tried exits with.
const STOPPED: i32 = 0;
const STOPPED_ELSEWHERE: i32 = 1;
const WENT_ON: i32 = 2;

impl Failure {
    pub(crate) fn check(&self, machine: &Machine) {
        let filter = self.filter();
        for (role, step) in [Role::Session, Role::Keeper].into_iter().zip(self.steps) {
            let Some(step) = step else { continue };
            let status = machine.child(self.start, |hands| {
                seccompiler::apply_filter(&filter).unwrap();
                verdict(machine.enter(role, hands), step)
            });
            assert_eq!(exit_code(status), STOPPED, "{role:?}");
        }
    }

    /// Answers EPERM to the call, and lets everything else be.
    fn filter(&self) -> BpfProgram {
        let rules = self.first.map(|first| {
            let condition = Condition::new(0, Len::Dword, Op::Eq, first).unwrap();
            SeccompRule::new(vec![condition]).unwrap()
        });
        let rules = BTreeMap::from([(self.number, rules.into_iter().collect())]);
        let refuse = SeccompAction::Errno(Errno::EPERM as u32);
        let arch = TargetArch::try_from(std::env::consts::ARCH).unwrap();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).unwrap();
        filter.try_into().unwrap()
    }
}

fn verdict(entered: Result<(), SandboxError>, step: &str) -> i32 {
    match entered {
        Ok(()) => WENT_ON,
        Err(error) if error.step == step => STOPPED,
        Err(error) => {
            println!("{error}");
            STOPPED_ELSEWHERE
        }
    }
}

#[track_caller]
fn exit_code(status: WaitStatus) -> i32 {
    match status {
        WaitStatus::Exited(_, code) => code,
        other => panic!("it ended by {other:?}"),
    }
}

type Refusal = (&'static str, Start, fn(&Machine));

pub(crate) const REFUSALS: &[Refusal] = &[
    ("nobody becomes root", Start::Root, root_is_refused),
    (
        "without an empty directory there is no network half",
        Start::Root,
        no_directory,
    ),
    (
        "nobody else is served without root",
        Start::Ordinary,
        somebody_else,
    ),
];

fn root_is_refused(machine: &Machine) {
    let status = machine.child(Start::Root, |hands| {
        let root = Identity {
            uid: 0,
            gid: 0,
            groups: vec![0],
            ..machine.identity()
        };
        verdict(
            become_user(
                &root,
                hands.root.as_fd(),
                true,
                Kept::Nothing,
                machine.programs(),
            ),
            "setresuid",
        )
    });
    assert_eq!(exit_code(status), STOPPED);
}

fn no_directory(machine: &Machine) {
    let status = machine.child(Start::Root, |_| {
        let entered = enter_empty(Role::Session, machine.programs(), 60621, None, &[]);
        verdict(entered, "chroot")
    });
    assert_eq!(exit_code(status), STOPPED);
}

fn somebody_else(machine: &Machine) {
    let status = machine.child(Start::Ordinary, |hands| {
        let mut other = machine.identity();
        other.uid += 1;
        verdict(
            become_user(
                &other,
                hands.root.as_fd(),
                false,
                Kept::Nothing,
                machine.programs(),
            ),
            "uid",
        )
    });
    assert_eq!(exit_code(status), STOPPED);
}
