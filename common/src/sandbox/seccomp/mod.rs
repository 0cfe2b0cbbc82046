//! seccomp: the system calls of each role; any other kills the process. The lists are compared with the committed
//! picture in doc/system-calls.md by a test.

mod tree;

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;
use seccompiler::BpfProgram;

use super::SandboxError;
use super::landlock::Landlock;

/// The processes that are filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The network half of a session.
    Session,
    /// The trusted half, after it has become the user.
    Keeper,
    Logger,
    /// The process that has the keys of the certificates.
    Signer,
    /// The network half of a gateway's session.
    Gateway,
    /// Its trusted half, once it has reached a server.
    Dialer,
    /// The process that looks at the servers of a pool, where it has no names to look up.
    Watcher,
    /// The process that verifies what a client has proved.
    Verifier,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 8] = [
        Role::Session,
        Role::Keeper,
        Role::Logger,
        Role::Signer,
        Role::Gateway,
        Role::Dialer,
        Role::Watcher,
        Role::Verifier,
    ];
}

/// One permitted system call: its name, number, and what its arguments must be.
struct Call(&'static str, libc::c_long, Must);

/// Limits on the arguments of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Must {
    Any,
    /// Memory never becomes executable (argument 2 is the protection).
    NotExecute,
    /// A stream socket of IPv4 or IPv6.
    InternetStream,
    /// A pair of sockets of this system alone, which reach nothing but each other.
    LocalPair,
    /// fcntl that only looks, duplicates, locks or makes a pipe larger: F_SETOWN and F_SETSIG would send signals to others of the
    /// same uid.
    PlainFcntl,
    /// pipe2 for octets alone: with O_NOTIFICATION_PIPE it is a queue of the kernel's.
    PlainPipe,
    /// sendto without MSG_FASTOPEN, which connects an idle socket to anywhere without connect(2).
    NoFastOpenTo,
    /// sendmsg without it.
    NoFastOpenMessage,
    /// fchmod without setuid, setgid and sticky.
    PlainMode,
    /// fchmodat2 without them, and never through a link.
    PlainModeAt,
    /// utimensat that never goes through a link.
    NoLinkTimes,
    /// setsockopt that has what was received acknowledged at once, or a connection end with a reset.
    QuickAckOrLinger,
    /// clone that makes a thread of this process, in the C library's own words: no process, no namespace, no signal to the parent.
    Thread,
    /// Not there (ENOSYS): of clone3 a filter cannot see the flags, and the C library falls back to clone.
    Absent,
}

/// CLONE_SYSVSEM and CLONE_SETTLS on, this is what pthread_create(3) of glibc asks for.
const THREAD: i32 = libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM
    | libc::CLONE_SETTLS
    | libc::CLONE_PARENT_SETTID
    | libc::CLONE_CHILD_CLEARTID;

/// What a pipe is made with.
const PIPE: i32 = libc::O_CLOEXEC | libc::O_NONBLOCK;

/// Everything in a mode but the permissions of owner, group and others.
const SPECIAL_MODE: u32 = !0o777;

/// The numbers of the calls, by their names.
mod numbers {
    pub(super) use nix::libc::*;

    #[expect(non_upper_case_globals, reason = "it is named as its neighbours")]
    pub(super) const SYS_fchmodat2: c_long = crate::sys::mode::FCHMODAT2;
}

macro_rules! calls {
    ($($name:ident $(: $must:ident)?),* $(,)?) => {
        &[$(Call(stringify!($name), numbers::$name, calls!(@ $($must)?))),*]
    };
    (@) => { Must::Any };
    (@ $must:ident) => { Must::$must };
}

/// What the runtime needs in every role: memory, time, ending.
///
/// SECURITY: no call that sends a signal, not even abort's tgkill: without root all processes of a user are within its reach,
/// and Landlock keeps signals inside only since Linux 6.12. abort then dies of the filter, which is the same end.
const COMMON: &[Call] = calls![
    SYS_brk, SYS_mmap: NotExecute, SYS_munmap, SYS_mremap, SYS_madvise, SYS_mprotect: NotExecute,
    SYS_futex, SYS_clock_gettime, SYS_getrandom, SYS_getpid, SYS_gettid,
    SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_sigaltstack, SYS_restart_syscall,
    SYS_close, SYS_fcntl: PlainFcntl, SYS_exit, SYS_exit_group, SYS_poll, SYS_ppoll, SYS_read, SYS_write,
];

/// Data in, data out, on descriptors that were given; and a thread that hashes (`hashing`), with what it needs to start.
const SESSION: &[Call] = calls![
    SYS_clone: Thread,
    SYS_clone3: Absent,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_sched_getaffinity,
    SYS_sched_yield,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_lseek,
    SYS_fstat,
    SYS_sendfile,
    SYS_splice,
    SYS_pipe2: PlainPipe,
    SYS_recvfrom,
    SYS_sendto: NoFastOpenTo,
    SYS_recvmsg,
    SYS_sendmsg: NoFastOpenMessage,
    SYS_accept4,
    SYS_shutdown,
    SYS_epoll_wait,
    SYS_epoll_pwait,
    SYS_epoll_ctl,
    SYS_setsockopt: QuickAckOrLinger,
    SYS_getsockopt,
    SYS_getpeername,
    SYS_getsockname,
];

/// Files below the root, data sockets, and the channel.
const KEEPER: &[Call] = calls![
    SYS_openat2, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_fstatfs, SYS_getdents64, SYS_readlinkat, SYS_lseek,
    SYS_mkdirat, SYS_unlinkat, SYS_renameat, SYS_renameat2, SYS_symlinkat, SYS_ftruncate, SYS_fsync, SYS_fdatasync, SYS_syncfs,
    SYS_fchmod: PlainMode, SYS_fchmodat2: PlainModeAt, SYS_utimensat: NoLinkTimes,
    SYS_faccessat, SYS_faccessat2, SYS_pipe2, SYS_copy_file_range,
    SYS_socket: InternetStream, SYS_socketpair: LocalPair, SYS_bind, SYS_listen, SYS_connect, SYS_setsockopt, SYS_getsockopt, SYS_getsockname,
    SYS_recvmsg, SYS_sendto: NoFastOpenTo, SYS_sendmsg: NoFastOpenMessage, SYS_wait4,
];

/// Lines in, lines out.
const LOGGER: &[Call] = calls![SYS_recvmsg, SYS_fsync, SYS_fstat, SYS_lseek];

/// Requests in, signatures out.
const SIGNER: &[Call] = calls![
    SYS_recvmsg,
    SYS_getsockopt,
    SYS_sendto: NoFastOpenTo,
    SYS_sendmsg: NoFastOpenMessage,
    SYS_epoll_wait,
    SYS_epoll_pwait,
    SYS_epoll_ctl,
];

/// Data from one descriptor that was given to another.
const GATEWAY: &[Call] = calls![
    SYS_pwrite64,
    SYS_splice,
    SYS_recvfrom,
    SYS_sendto: NoFastOpenTo,
    SYS_recvmsg,
    SYS_sendmsg: NoFastOpenMessage,
    SYS_accept4,
    SYS_shutdown,
    SYS_epoll_wait,
    SYS_epoll_pwait,
    SYS_epoll_ctl,
    SYS_setsockopt: QuickAckOrLinger,
    SYS_getsockopt,
    SYS_getpeername,
    SYS_getsockname,
];

/// Sockets for the other half, and the channel.
const DIALER: &[Call] = calls![
    SYS_socket: InternetStream,
    SYS_bind,
    SYS_listen,
    SYS_connect,
    SYS_setsockopt,
    SYS_getsockopt,
    SYS_getsockname,
    SYS_getpeername,
    SYS_pipe2,
    SYS_recvmsg,
    SYS_sendto: NoFastOpenTo,
    SYS_sendmsg: NoFastOpenMessage,
    SYS_wait4,
];

/// Connections to servers, and a table to write to.
const WATCHER: &[Call] = calls![
    SYS_socket: InternetStream,
    SYS_connect,
    SYS_setsockopt,
    SYS_getsockopt,
    SYS_getsockname,
    SYS_getpeername,
    SYS_recvfrom,
    SYS_sendto: NoFastOpenTo,
    SYS_recvmsg,
    SYS_sendmsg: NoFastOpenMessage,
    SYS_pread64,
    SYS_pwrite64,
];

impl Role {
    fn calls(self) -> impl Iterator<Item = &'static Call> {
        let own = match self {
            Role::Session => SESSION,
            Role::Keeper => KEEPER,
            Role::Logger => LOGGER,
            Role::Signer => SIGNER,
            Role::Gateway => GATEWAY,
            Role::Dialer => DIALER,
            Role::Watcher => WATCHER,
            Role::Verifier => &[],
        };
        COMMON.iter().chain(own)
    }
}

/// The filters of all roles, compiled once before the first fork, and what else was found out then.
#[derive(Clone, Debug)]
pub struct Programs {
    session: BpfProgram,
    keeper: BpfProgram,
    logger: BpfProgram,
    signer: BpfProgram,
    gateway: BpfProgram,
    dialer: BpfProgram,
    watcher: BpfProgram,
    verifier: BpfProgram,
    landlock: Landlock,
}

impl Programs {
    /// Compiles the filters.
    ///
    /// # Errors
    /// This architecture is not known to the compiler of filters, or the kernel does not say what it has.
    pub fn new() -> Result<Programs, SandboxError> {
        Ok(Programs {
            session: tree::compile(Role::Session.calls())?,
            keeper: tree::compile(Role::Keeper.calls())?,
            logger: tree::compile(Role::Logger.calls())?,
            signer: tree::compile(Role::Signer.calls())?,
            gateway: tree::compile(Role::Gateway.calls())?,
            dialer: tree::compile(Role::Dialer.calls())?,
            watcher: tree::compile(Role::Watcher.calls())?,
            verifier: tree::compile(Role::Verifier.calls())?,
            landlock: Landlock::of_this_kernel()?,
        })
    }

    pub(super) fn landlock(&self) -> Landlock {
        self.landlock
    }
}

/// Filters this process for good.
pub(super) fn apply(programs: &Programs, role: Role) -> Result<(), SandboxError> {
    let program = match role {
        Role::Session => &programs.session,
        Role::Keeper => &programs.keeper,
        Role::Logger => &programs.logger,
        Role::Signer => &programs.signer,
        Role::Gateway => &programs.gateway,
        Role::Dialer => &programs.dialer,
        Role::Watcher => &programs.watcher,
        Role::Verifier => &programs.verifier,
    };
    seccompiler::apply_filter(program).map_err(broken)
}

/// Keeps this process from shutting a descriptor down, and from duplicating it to do so by another number; what its role may do
/// otherwise is for [`apply`], which comes later.
pub(super) fn spare(shared: BorrowedFd<'_>) -> Result<(), SandboxError> {
    use seccompiler::{
        SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition,
        SeccompFilter, SeccompRule, TargetArch,
    };
    let number = u64::from(shared.as_raw_fd().unsigned_abs());
    let duplicate = u64::from(libc::F_DUPFD_CLOEXEC.unsigned_abs());
    let program = || -> Result<BpfProgram, seccompiler::BackendError> {
        let it = || Condition::new(0, Len::Dword, Op::Eq, number);
        let duplicates = Condition::new(1, Len::Dword, Op::Eq, duplicate)?;
        let rules = [
            (libc::SYS_shutdown, vec![SeccompRule::new(vec![it()?])?]),
            (
                libc::SYS_fcntl,
                vec![SeccompRule::new(vec![it()?, duplicates])?],
            ),
        ];
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        let (rest, these) = (SeccompAction::Allow, SeccompAction::KillProcess);
        SeccompFilter::new(rules.into_iter().collect(), rest, these, arch)?.try_into()
    };
    let program = program().map_err(broken)?;
    seccompiler::apply_filter(&program).map_err(broken)
}

fn broken(error: impl std::fmt::Display) -> SandboxError {
    SandboxError {
        step: "seccomp",
        cause: error.to_string(),
    }
}

impl Must {
    fn note(self) -> &'static str {
        match self {
            Must::Any => "",
            Must::NotExecute => " (not executable)",
            Must::InternetStream => " (TCP)",
            Must::LocalPair => " (local)",
            Must::PlainFcntl => " (no owner, no flags)",
            Must::PlainPipe => " (plain)",
            Must::NoFastOpenTo | Must::NoFastOpenMessage => " (no fast open)",
            Must::PlainMode => " (no setuid)",
            Must::PlainModeAt => " (no setuid, no links)",
            Must::NoLinkTimes => " (no links)",
            Must::QuickAckOrLinger => " (quick ACK, linger)",
            Must::Thread => " (thread)",
            Must::Absent => " (ENOSYS)",
        }
    }
}

/// The role's list as text, sorted: what doc/system-calls.md shows.
pub fn picture(role: Role) -> String {
    let mut names: Vec<String> = role
        .calls()
        .map(|Call(name, _, must)| {
            let mut text = name.trim_start_matches("SYS_").to_owned();
            text += must.note();
            text
        })
        .collect();
    names.sort();
    names.join(", ")
}

/// The same filter by seccompiler: what ours is held against.
#[cfg(test)]
fn reference(role: Role) -> Result<BpfProgram, SandboxError> {
    use seccompiler::{SeccompAction, SeccompFilter, SeccompRule, TargetArch};
    let mut rules: std::collections::BTreeMap<i64, Vec<SeccompRule>> = Default::default();
    for Call(_, number, must) in role.calls() {
        rules.insert(*number, must.rules().map_err(broken)?);
    }
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(broken)?;
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        arch,
    );
    filter.map_err(broken)?.try_into().map_err(broken)
}

#[cfg(test)]
impl Must {
    /// The call is allowed if any rule holds; no rule allows it always.
    fn rules(self) -> Result<Vec<seccompiler::SeccompRule>, seccompiler::BackendError> {
        use seccompiler::{
            SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition, SeccompRule,
        };
        let exec = u64::from(libc::PROT_EXEC.unsigned_abs());
        let special = u64::from(SPECIAL_MODE);
        let plain = |argument| Condition::new(argument, Len::Dword, Op::MaskedEq(special), 0);
        let straight = u64::from(libc::AT_SYMLINK_NOFOLLOW.unsigned_abs());
        let no_link = || Condition::new(3, Len::Dword, Op::Eq, straight);
        match self {
            Must::Any => Ok(Vec::new()),
            Must::NotExecute => {
                let clear = Condition::new(2, Len::Qword, Op::MaskedEq(exec), 0)?;
                Ok(vec![SeccompRule::new(vec![clear])?])
            }
            Must::InternetStream => [libc::AF_INET, libc::AF_INET6]
                .into_iter()
                .map(|family| {
                    let family =
                        Condition::new(0, Len::Dword, Op::Eq, u64::from(family.unsigned_abs()))?;
                    let stream = u64::from(libc::SOCK_STREAM.unsigned_abs());
                    SeccompRule::new(vec![
                        family,
                        Condition::new(1, Len::Dword, Op::MaskedEq(0xf), stream)?,
                    ])
                })
                .collect(),
            Must::LocalPair => {
                let local = u64::from(libc::AF_UNIX.unsigned_abs());
                let family = Condition::new(0, Len::Dword, Op::Eq, local)?;
                Ok(vec![SeccompRule::new(vec![family])?])
            }
            Must::PlainFcntl => [
                libc::F_GETFD,
                libc::F_GETFL,
                libc::F_OFD_SETLK,
                libc::F_DUPFD_CLOEXEC,
                libc::F_SETPIPE_SZ,
                libc::F_GETPIPE_SZ,
            ]
            .into_iter()
            .map(|command| {
                let same =
                    Condition::new(1, Len::Dword, Op::Eq, u64::from(command.unsigned_abs()))?;
                SeccompRule::new(vec![same])
            })
            .collect(),
            Must::NoFastOpenTo | Must::NoFastOpenMessage => {
                let argument = if self == Must::NoFastOpenTo { 3 } else { 2 };
                let flag = u64::from(libc::MSG_FASTOPEN.unsigned_abs());
                let clear = Condition::new(argument, Len::Dword, Op::MaskedEq(flag), 0)?;
                Ok(vec![SeccompRule::new(vec![clear])?])
            }
            Must::PlainPipe => {
                let octets = u64::from(PIPE.unsigned_abs());
                let same = Condition::new(1, Len::Dword, Op::Eq, octets)?;
                Ok(vec![SeccompRule::new(vec![same])?])
            }
            Must::PlainMode => Ok(vec![SeccompRule::new(vec![plain(1)?])?]),
            Must::PlainModeAt => Ok(vec![SeccompRule::new(vec![plain(2)?, no_link()?])?]),
            Must::NoLinkTimes => Ok(vec![SeccompRule::new(vec![no_link()?])?]),
            Must::QuickAckOrLinger => [
                (libc::IPPROTO_TCP, libc::TCP_QUICKACK),
                (libc::SOL_SOCKET, libc::SO_LINGER),
            ]
            .into_iter()
            .map(|(level, option)| {
                let is = |argument, value: i32| {
                    Condition::new(
                        argument,
                        Len::Dword,
                        Op::Eq,
                        u64::from(value.unsigned_abs()),
                    )
                };
                SeccompRule::new(vec![is(1, level)?, is(2, option)?])
            })
            .collect(),
            Must::Thread => {
                let thread = u64::from(THREAD.unsigned_abs());
                let same = Condition::new(0, Len::Dword, Op::Eq, thread)?;
                Ok(vec![SeccompRule::new(vec![same])?])
            }
            // It has no word for a third answer: whoever compares leaves this call out.
            Must::Absent => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The calls of a role whose names hold a word.
    fn calls_like(role: Role, word: &str) -> Vec<&'static str> {
        let harmless = [
            "SYS_getsockopt",
            "SYS_setsockopt",
            "SYS_getsockname",
            "SYS_set_robust_list",
        ];
        let names = role.calls().map(|Call(name, ..)| *name);
        names
            .filter(|name| name.contains(word) && !harmless.contains(name))
            .collect()
    }

    #[test]
    fn the_lists_hold_nothing_that_opens_connects_or_executes_in_a_session() {
        let forbidden = "open sock bind connect listen exec fork clone ptrace mount unlink rename chmod chown set process kcmp bpf";
        for word in forbidden.split(' ') {
            for role in [Role::Logger, Role::Signer, Role::Gateway, Role::Verifier] {
                assert_eq!(calls_like(role, word), [""; 0], "{role:?}");
            }
            if word != "clone" {
                assert_eq!(calls_like(Role::Session, word), [""; 0]);
            }
        }
        let limits = |call: &&Call| call.0.contains("clone");
        let limits: Vec<Must> = Role::Session
            .calls()
            .filter(limits)
            .map(|call| call.2)
            .collect();
        assert_eq!(limits, [Must::Thread, Must::Absent]);
        for word in "exec fork clone ptrace mount accept chown mknod setres setg chroot process bpf"
            .split(' ')
        {
            assert_eq!(calls_like(Role::Dialer, word), [""; 0]);
            assert_eq!(calls_like(Role::Watcher, word), [""; 0]);
            assert_eq!(calls_like(Role::Keeper, word), [""; 0]);
        }
    }

    #[test]
    fn every_role_compiles() {
        assert!(Programs::new().is_ok());
    }

    #[test]
    fn architecture_md_shows_the_lists_that_are_enforced() {
        let page = include_str!("../../../../doc/system-calls.md");
        for role in Role::ALL {
            let list = picture(role);
            assert!(
                page.contains(&list),
                "doc/system-calls.md lacks the list of {role:?}:\n{list}"
            );
        }
    }
}
