//! What a process that was taken over would try, and what becomes of it in each role.

use std::io::IoSlice;
use std::os::fd::{AsRawFd, RawFd};

use common::sandbox::Role;
use common::sys::mode::FCHMODAT2;
use nix::errno::Errno;
use nix::libc::{self, c_int, c_long};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use crate::inside::Outcome::{Dies, Fails, Works};
use crate::inside::{Hands, Machine, Outcome, Start};
use crate::raw::{address, call};

/// One thing to try.
pub(crate) struct Attempt {
    pub(crate) name: &'static str,
    try_it: fn(&Hands) -> Result<c_long, Errno>,
    /// What becomes of it in each role, in the order of `check`.
    becomes: [Becomes; 8],
}

#[derive(Clone, Copy)]
enum Becomes {
    One(Outcome),
    /// In a chroot the name is not there; without one Landlock forbids it.
    Hidden,
}

const DIES: Becomes = Becomes::One(Dies);
const WORKS: Becomes = Becomes::One(Works);
const EVERYWHERE: [Becomes; 8] = [DIES; 8];

const fn fails(errno: Errno) -> Becomes {
    Becomes::One(Fails(errno))
}

const fn attempt(
    name: &'static str,
    becomes: [Becomes; 8],
    try_it: fn(&Hands) -> Result<c_long, Errno>,
) -> Attempt {
    Attempt {
        name,
        try_it,
        becomes,
    }
}

impl Attempt {
    pub(crate) fn check(&self, machine: &Machine, role: Role, start: Start) {
        let becomes = match role {
            Role::Session => self.becomes[0],
            Role::Keeper => self.becomes[1],
            Role::Logger => self.becomes[2],
            Role::Signer => self.becomes[3],
            Role::Gateway => self.becomes[4],
            Role::Dialer => self.becomes[5],
            Role::Verifier => self.becomes[6],
            Role::Watcher => self.becomes[7],
        };
        let expected = match (becomes, start) {
            (Becomes::One(outcome), _) => outcome,
            (Becomes::Hidden, Start::Root) => Fails(Errno::ENOENT),
            (Becomes::Hidden, Start::Ordinary) => Fails(Errno::EACCES),
        };
        assert_eq!(machine.try_inside(role, start, self.try_it), expected);
    }
}

#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    // That a call of the role's own works shows that the others do not fail for another reason.
    attempt("read a file that is open", [WORKS, WORKS, WORKS, DIES, DIES, DIES, DIES, DIES], |hands| {
        call(libc::SYS_lseek, [fd(&hands.file), 0, 0, 0, 0, 0])
    }),
    attempt("send a descriptor away", [WORKS, WORKS, DIES, WORKS, WORKS, WORKS, DIES, WORKS], |hands| {
        let gift = [hands.file.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&gift)];
        let slice = [IoSlice::new(b"gift")];
        sendmsg::<()>(hands.channel.as_raw_fd(), &slice, &rights, MsgFlags::empty(), None).map(|_| 0)
    }),

    // Files.
    attempt("openat /etc/passwd", EVERYWHERE, |_| {
        call(libc::SYS_openat, [HERE, address(c"/etc/passwd"), 0, 0, 0, 0])
    }),
    attempt("openat2 /etc/passwd", [DIES, Becomes::Hidden, DIES, DIES, DIES, DIES, DIES, DIES], |_| openat2(HERE, address(c"/etc/passwd"), libc::O_RDONLY)),
    attempt("openat2 upwards", [DIES, Becomes::Hidden, DIES, DIES, DIES, DIES, DIES, DIES], |hands| {
        openat2(fd(&hands.root), address(c"../../../../../../etc/passwd"), libc::O_RDONLY)
    }),
    attempt("openat2 its own memory", [DIES, Becomes::Hidden, DIES, DIES, DIES, DIES, DIES, DIES], |_| openat2(HERE, address(c"/proc/self/mem"), libc::O_RDWR)),
    attempt("openat2 below the root", [DIES, WORKS, DIES, DIES, DIES, DIES, DIES, DIES], |hands| openat2(fd(&hands.root), address(c"file"), libc::O_RDONLY)),
    attempt("openat its own memory", EVERYWHERE, |_| {
        call(libc::SYS_openat, [HERE, address(c"/proc/self/mem"), libc::O_RDWR as usize, 0, 0, 0])
    }),
    attempt("chroot", EVERYWHERE, |_| call(libc::SYS_chroot, [address(c"/"), 0, 0, 0, 0, 0])),
    attempt("fchdir", EVERYWHERE, |hands| call(libc::SYS_fchdir, [fd(&hands.root), 0, 0, 0, 0, 0])),
    attempt("mount", EVERYWHERE, |_| {
        call(libc::SYS_mount, [address(c"none"), address(c"/"), address(c"tmpfs"), 0, 0, 0])
    }),
    attempt("make a device", EVERYWHERE, |hands| {
        call(libc::SYS_mknodat, [fd(&hands.root), address(c"device"), (libc::S_IFCHR | 0o666) as usize, 0x103, 0, 0])
    }),
    attempt("give a file away", EVERYWHERE, |hands| call(libc::SYS_fchown, [fd(&hands.file), 1, 1, 0, 0, 0])),
    attempt("make a program setuid", EVERYWHERE, |hands| call(libc::SYS_fchmod, [fd(&hands.file), 0o4755, 0, 0, 0, 0])),
    attempt("make a program setuid by name", EVERYWHERE, |hands| {
        call(FCHMODAT2, [fd(&hands.root), address(c"file"), 0o4755, libc::AT_SYMLINK_NOFOLLOW as usize, 0, 0])
    }),
    attempt("change a mode through a link", EVERYWHERE, |hands| {
        call(FCHMODAT2, [fd(&hands.root), address(c"file"), 0o755, 0, 0, 0])
    }),
    attempt("change a mode by the old call", EVERYWHERE, |hands| {
        call(libc::SYS_fchmodat, [fd(&hands.root), address(c"file"), 0o755, 0, 0, 0])
    }),
    attempt("change times through a link", EVERYWHERE, |hands| {
        call(libc::SYS_utimensat, [fd(&hands.root), address(c"file"), 0, 0, 0, 0])
    }),
    attempt("open by handle", EVERYWHERE, |hands| call(libc::SYS_open_by_handle_at, [fd(&hands.root), 0, 0, 0, 0, 0])),
    attempt("make a file in memory", EVERYWHERE, |_| call(libc::SYS_memfd_create, [address(c"x"), 0, 0, 0, 0, 0])),

    // The network.
    attempt("make a TCP socket", [DIES, WORKS, DIES, DIES, DIES, WORKS, DIES, WORKS], |_| socket(libc::AF_INET, libc::SOCK_STREAM)),
    attempt("make a UDP socket", EVERYWHERE, |_| socket(libc::AF_INET, libc::SOCK_DGRAM)),
    attempt("make a raw socket", EVERYWHERE, |_| socket(libc::AF_INET, libc::SOCK_RAW)),
    attempt("make a UNIX socket", EVERYWHERE, |_| socket(libc::AF_UNIX, libc::SOCK_STREAM)),
    attempt("make a netlink socket", EVERYWHERE, |_| socket(libc::AF_NETLINK, libc::SOCK_RAW)),
    attempt("make a packet socket", EVERYWHERE, |_| socket(libc::AF_PACKET, libc::SOCK_RAW)),
    // Port 1 of loopback: keeper gets as far as finding nobody there.
    attempt("connect to loopback", [DIES, fails(Errno::ECONNREFUSED), DIES, DIES, DIES, fails(Errno::ECONNREFUSED), DIES, fails(Errno::ECONNREFUSED)], |hands| {
        call(libc::SYS_connect, [fd(&hands.tcp), address(&loopback(1)), ADDRESS_LENGTH, 0, 0, 0])
    }),
    attempt("bind a privileged port", [DIES, fails(Errno::EACCES), DIES, DIES, DIES, fails(Errno::EACCES), DIES, DIES], |hands| {
        call(libc::SYS_bind, [fd(&hands.tcp), address(&loopback(1)), ADDRESS_LENGTH, 0, 0, 0])
    }),
    attempt("listen", [DIES, WORKS, DIES, DIES, DIES, WORKS, DIES, DIES], |hands| call(libc::SYS_listen, [fd(&hands.tcp), 1, 0, 0, 0, 0])),

    // A TCP socket that is idle can be connected by sending, past connect(2) and what Landlock sees of it.
    attempt("connect by sendto with fast open", [DIES; 8], |hands| {
        let flags = libc::MSG_FASTOPEN as usize;
        call(libc::SYS_sendto, [fd(&hands.tcp), address(c"x"), 1, flags, address(&loopback(1)), ADDRESS_LENGTH])
    }),
    attempt("connect by sendmsg with fast open", [DIES; 8], |hands| {
        call(libc::SYS_sendmsg, [fd(&hands.tcp), 0, libc::MSG_FASTOPEN as usize, 0, 0, 0])
    }),
    // What many processes share, the log above all, must not be closed or changed by one of them.
    attempt("shut a socket down", [WORKS, DIES, DIES, DIES, WORKS, DIES, DIES, DIES], |hands| {
        call(libc::SYS_shutdown, [fd(&hands.channel), libc::SHUT_RDWR as usize, 0, 0, 0, 0])
    }),
    attempt("shut a shared socket down", [DIES; 8], |hands| {
        call(libc::SYS_shutdown, [fd(&hands.other), libc::SHUT_RDWR as usize, 0, 0, 0, 0])
    }),
    attempt("have a shared socket under another number", [DIES, WORKS, WORKS, WORKS, DIES, WORKS, WORKS, WORKS], |hands| {
        call(libc::SYS_fcntl, [fd(&hands.other), libc::F_DUPFD_CLOEXEC as usize, 0, 0, 0, 0])
    }),
    attempt("set an option of a socket", [DIES, WORKS, DIES, DIES, DIES, WORKS, DIES, WORKS], |hands| {
        let on: c_int = 1;
        call(libc::SYS_setsockopt, [fd(&hands.tcp), libc::SOL_SOCKET as usize, libc::SO_REUSEADDR as usize, address(&on), 4, 0])
    }),
    attempt("have signals sent", [DIES; 8], |hands| {
        call(libc::SYS_fcntl, [fd(&hands.channel), libc::F_SETOWN as usize, hands.parent, 0, 0, 0])
    }),

    // Programs and processes.
    attempt("execve /bin/true", EVERYWHERE, |_| call(libc::SYS_execve, [address(c"/bin/true"), 0, 0, 0, 0, 0])),
    attempt("execveat", EVERYWHERE, |hands| call(libc::SYS_execveat, [fd(&hands.file), address(c""), 0, 0, libc::AT_EMPTY_PATH as usize, 0])),
    attempt("fork by clone", EVERYWHERE, |_| call(libc::SYS_clone, [libc::SIGCHLD as usize, 0, 0, 0, 0, 0])),
    attempt("start a thread", [WORKS, DIES, DIES, DIES, DIES, DIES, DIES, DIES], |_| {
        let thread = std::thread::Builder::new().stack_size(64 << 10).spawn(|| 0);
        thread.map_err(|_| Errno::EAGAIN)?.join().map_err(|_| Errno::EIO)
    }),
    attempt("fork with a thread's memory", EVERYWHERE, |_| clone(libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD)),
    attempt("a thread outside of the group", EVERYWHERE, |_| clone(THREAD & !libc::CLONE_THREAD)),
    attempt("a thread with signals of its own", EVERYWHERE, |_| clone(THREAD & !libc::CLONE_SIGHAND)),
    attempt("a thread that is the parent's child", EVERYWHERE, |_| clone(THREAD | libc::CLONE_PARENT)),
    attempt("a thread in a new namespace", EVERYWHERE, |_| clone(THREAD | libc::CLONE_NEWUSER)),
    attempt("a thread that nobody traces", EVERYWHERE, |_| clone(THREAD | libc::CLONE_UNTRACED)),
    attempt("set the processors it may use", EVERYWHERE, |_| call(libc::SYS_sched_setaffinity, [0; 6])),
    attempt("fork by clone3", [fails(Errno::ENOSYS), DIES, DIES, DIES, DIES, DIES, DIES, DIES], |_| call(libc::SYS_clone3, [0, 0, 0, 0, 0, 0])),
    attempt("be traced", EVERYWHERE, |_| call(libc::SYS_ptrace, [libc::PTRACE_TRACEME as usize, 0, 0, 0, 0, 0])),
    attempt("trace the parent", EVERYWHERE, |hands| {
        call(libc::SYS_ptrace, [libc::PTRACE_ATTACH as usize, hands.parent, 0, 0, 0, 0])
    }),
    attempt("read the parent's memory", EVERYWHERE, |hands| {
        call(libc::SYS_process_vm_readv, [hands.parent, 0, 0, 0, 0, 0])
    }),
    attempt("kill the parent", EVERYWHERE, |hands| {
        call(libc::SYS_kill, [hands.parent, libc::SIGCONT as usize, 0, 0, 0, 0])
    }),
    attempt("kill the parent's thread", EVERYWHERE, |hands| {
        call(libc::SYS_tgkill, [hands.parent, hands.parent, libc::SIGCONT as usize, 0, 0, 0])
    }),
    attempt("open the parent", EVERYWHERE, |hands| call(libc::SYS_pidfd_open, [hands.parent, 0, 0, 0, 0, 0])),
    attempt("leave its group", EVERYWHERE, |_| call(libc::SYS_setpgid, [0, 0, 0, 0, 0, 0])),
    attempt("leave its session", EVERYWHERE, |_| call(libc::SYS_setsid, [0; 6])),

    // Identity and limits.
    attempt("setresuid 0", EVERYWHERE, |_| call(libc::SYS_setresuid, [0; 6])),
    attempt("setresgid 0", EVERYWHERE, |_| call(libc::SYS_setresgid, [0; 6])),
    attempt("setgroups", EVERYWHERE, |_| call(libc::SYS_setgroups, [0; 6])),
    attempt("capset", EVERYWHERE, |_| call(libc::SYS_capset, [0; 6])),
    attempt("be dumpable again", EVERYWHERE, |_| {
        call(libc::SYS_prctl, [libc::PR_SET_DUMPABLE as usize, 1, 0, 0, 0, 0])
    }),
    attempt("raise its limits", EVERYWHERE, |_| call(libc::SYS_prlimit64, [0, libc::RLIMIT_CORE as usize, 0, 0, 0, 0])),
    attempt("another user namespace", EVERYWHERE, |_| call(libc::SYS_unshare, [libc::CLONE_NEWUSER as usize, 0, 0, 0, 0, 0])),
    attempt("another filter", EVERYWHERE, |_| call(libc::SYS_seccomp, [1, 0, 0, 0, 0, 0])),

    // Memory and the kernel's wide doors.
    attempt("map memory to execute", EVERYWHERE, |_| {
        let protection = (libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC) as usize;
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
        call(libc::SYS_mmap, [0, 4096, protection, flags, usize::MAX, 0])
    }),
    attempt("map memory to write", [WORKS; 8], |_| {
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
        call(libc::SYS_mmap, [0, 4096, (libc::PROT_READ | libc::PROT_WRITE) as usize, flags, usize::MAX, 0])
    }),
    attempt("make memory executable", EVERYWHERE, |_| {
        call(libc::SYS_mprotect, [0x1000, 4096, (libc::PROT_READ | libc::PROT_EXEC) as usize, 0, 0, 0])
    }),
    attempt("change protection with a key", EVERYWHERE, |_| {
        call(libc::SYS_pkey_mprotect, [0x1000, 4096, (libc::PROT_READ | libc::PROT_EXEC) as usize, usize::MAX, 0, 0])
    }),
    attempt("io_uring", EVERYWHERE, |_| call(libc::SYS_io_uring_setup, [1, 0, 0, 0, 0, 0])),
    attempt("bpf", EVERYWHERE, |_| call(libc::SYS_bpf, [0; 6])),
    attempt("userfaultfd", EVERYWHERE, |_| call(libc::SYS_userfaultfd, [0; 6])),
    attempt("perf_event_open", EVERYWHERE, |_| call(libc::SYS_perf_event_open, [0; 6])),
    attempt("keys", EVERYWHERE, |_| call(libc::SYS_keyctl, [0; 6])),
    attempt("a number that no call has", EVERYWHERE, |_| call(4000, [0; 6])),
    #[cfg(target_arch = "x86_64")]
    attempt("a permitted call by its x32 number", EVERYWHERE, |_| call(0x4000_0000 + libc::SYS_getpid, [0; 6])),
    #[cfg(target_arch = "x86_64")]
    attempt("open, the oldest", EVERYWHERE, |_| call(libc::SYS_open, [address(c"/etc/passwd"), 0, 0, 0, 0, 0])),
    #[cfg(target_arch = "x86_64")]
    attempt("fork, the oldest", EVERYWHERE, |_| call(libc::SYS_fork, [0; 6])),
];

/// What pthread_create(3) asks clone for.
const THREAD: c_int = 0x3d_0f00;

fn clone(flags: c_int) -> Result<c_long, Errno> {
    call(libc::SYS_clone, [flags as usize, 0, 0, 0, 0, 0])
}

/// The working directory, as `*at` calls name it.
const HERE: usize = libc::AT_FDCWD as isize as usize;
const ADDRESS_LENGTH: usize = size_of::<libc::sockaddr_in>();

fn fd(descriptor: &impl AsRawFd) -> usize {
    let number: RawFd = descriptor.as_raw_fd();
    number as usize
}

fn socket(family: c_int, kind: c_int) -> Result<c_long, Errno> {
    call(
        libc::SYS_socket,
        [family as usize, kind as usize, 0, 0, 0, 0],
    )
}

fn openat2(directory: usize, path: usize, flags: c_int) -> Result<c_long, Errno> {
    // struct open_how: flags, mode, resolve.
    let how = [flags as u64, 0, 0];
    call(
        libc::SYS_openat2,
        [directory, path, address(&how), size_of_val(&how), 0, 0],
    )
}

fn loopback(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::sa_family_t::try_from(libc::AF_INET).unwrap(),
        sin_port: port.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(std::net::Ipv4Addr::LOCALHOST).to_be(),
        },
        sin_zero: [0; 8],
    }
}
