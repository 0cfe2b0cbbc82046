//! Processes that enter a role's sandbox for real, and what became of them.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use common::auth::Identity;
use common::sandbox::{
    EmptyRoot, Kept, Programs, Role, SandboxError, become_user, enter_empty, enter_lookup,
    enter_network_half, enter_watcher, seal_dialer,
};
use common::sys::{self, Fork};
use nix::errno::Errno;
use nix::libc::c_long;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket, socketpair};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Uid, User, chown, getppid, setgroups, setresgid, setresuid};
use tempfile::TempDir;

/// As whom a process enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Root,
    /// An ordinary user: nobody, where the tests run as root.
    Ordinary,
}

/// The uid that session halves take on as root; the logger has the next.
const SESSION_USER: u32 = 60621;

/// Made once, before anything is forked, as in a daemon.
pub(crate) struct Machine {
    programs: Programs,
    empty_root: Option<EmptyRoot>,
    user: User,
    home: TempDir,
}

/// What a process inside has at hand.
pub(crate) struct Hands {
    /// One end of a channel.
    pub(crate) channel: OwnedFd,
    /// The other end.
    pub(crate) other: OwnedFd,
    /// A TCP socket that is neither bound nor connected.
    pub(crate) tcp: OwnedFd,
    /// An open file.
    pub(crate) file: File,
    pub(crate) root: File,
    /// The test itself.
    pub(crate) parent: usize,
}

/// What became of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Works,
    Fails(Errno),
    /// The kernel killed it for the call.
    Dies,
}

/// Exit statuses that are no errno.
const NOT_INSIDE: i32 = 250;
const PANICKED: i32 = 251;

impl Machine {
    pub(crate) fn new() -> Machine {
        let me = Uid::effective();
        let user = if me.is_root() {
            User::from_name("nobody")
        } else {
            User::from_uid(me)
        };
        let user = user.unwrap().expect("who runs the tests is in passwd");
        let home = tempfile::Builder::new()
            .prefix("ftpd-sandbox-")
            .tempdir()
            .unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(home.path().join("file"), "content").unwrap();
        if me.is_root() {
            chown(home.path(), Some(user.uid), Some(user.gid)).unwrap();
        }
        Machine {
            programs: Programs::new().unwrap(),
            empty_root: me.is_root().then(|| EmptyRoot::new().unwrap()),
            user,
            home,
        }
    }

    /// What is missing for a start.
    pub(crate) fn can(&self, start: Start) -> Result<(), &'static str> {
        if start == Start::Root && self.empty_root.is_none() {
            Err("root")
        } else {
            Ok(())
        }
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity::of_real_user(&self.user.name).unwrap()
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    fn hands(&self) -> Hands {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (channel, other) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
        Hands {
            channel,
            other,
            tcp: socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap(),
            file: File::open(self.home.path().join("file")).unwrap(),
            root: File::open(self.home.path()).unwrap(),
            parent: usize::try_from(getppid().as_raw()).unwrap(),
        }
    }

    /// Gives up in this process what the role gives up.
    pub(crate) fn enter(&self, role: Role, hands: &Hands) -> Result<(), SandboxError> {
        let kept = [
            hands.channel.as_fd(),
            hands.other.as_fd(),
            hands.tcp.as_fd(),
            hands.file.as_fd(),
            hands.root.as_fd(),
        ];
        let root = self.empty_root.as_ref();
        match role {
            Role::Session | Role::Gateway => {
                let shared = Some(hands.other.as_fd());
                enter_network_half(role, &self.programs, SESSION_USER, root, &kept, shared)
            }
            Role::Logger => enter_empty(role, &self.programs, SESSION_USER + 1, root, &kept),
            Role::Signer => enter_empty(role, &self.programs, SESSION_USER + 2, root, &kept),
            Role::Dialer => {
                enter_lookup(&self.programs, SESSION_USER + 3, Kept::Nothing, &kept)?;
                seal_dialer(&self.programs)
            }
            Role::Watcher => enter_watcher(&self.programs, SESSION_USER + 5, false, &kept),
            Role::Verifier => enter_empty(role, &self.programs, SESSION_USER + 4, root, &kept),
            Role::Keeper => {
                let chroot = Uid::effective().is_root();
                become_user(
                    &self.identity(),
                    hands.root.as_fd(),
                    chroot,
                    Kept::Nothing,
                    &self.programs,
                )
            }
        }
    }

    /// Enters in a process of its own, makes one call there, and tells what came of it.
    pub(crate) fn try_inside(
        &self,
        role: Role,
        start: Start,
        call: fn(&Hands) -> Result<c_long, Errno>,
    ) -> Outcome {
        let status = self.child(start, |hands| {
            if let Err(error) = self.enter(role, hands) {
                println!("{error}");
                return NOT_INSIDE;
            }
            call(hands).map_or_else(|errno| errno as i32, |_| 0)
        });
        match status {
            WaitStatus::Signaled(_, Signal::SIGSYS, _) => Outcome::Dies,
            WaitStatus::Exited(_, 0) => Outcome::Works,
            WaitStatus::Exited(_, NOT_INSIDE) => panic!("the sandbox was not entered"),
            WaitStatus::Exited(_, PANICKED) => panic!("the process inside panicked"),
            WaitStatus::Exited(_, errno) => Outcome::Fails(Errno::from_raw(errno)),
            other => panic!("it ended by {other:?}"),
        }
    }

    /// Runs something in a process that exits with what it returns.
    pub(crate) fn child(&self, start: Start, run: impl FnOnce(&Hands) -> i32) -> WaitStatus {
        let child = match sys::fork().unwrap() {
            Fork::Parent(child) => child,
            Fork::Child => {
                // A panic must not get out into the test's own loop.
                let status = catch_unwind(AssertUnwindSafe(|| {
                    if start == Start::Ordinary && Uid::effective().is_root() {
                        self.become_ordinary();
                    }
                    let hands = self.hands();
                    let status = run(&hands);
                    // Descriptors may be closed already: nothing here may be dropped.
                    sys::exit(status)
                }));
                sys::exit(status.map_or(PANICKED, |()| PANICKED))
            }
        };
        waitpid(child, None).unwrap()
    }

    fn become_ordinary(&self) {
        let (uid, gid) = (self.user.uid, self.user.gid);
        setgroups(&[gid]).unwrap();
        setresgid(gid, gid, gid).unwrap();
        setresuid(uid, uid, uid).unwrap();
    }
}
