//! The only unsafe code: fork, crypt(3), and descriptors that arrive as bare numbers. Everything else goes through nix and socket2.
#![expect(unsafe_code, reason = "this is where it is allowed")]
#![deny(clippy::let_underscore_must_use)]

pub mod bounding;
pub mod crypt;
pub mod directory;
pub mod lock;
pub mod mode;
pub mod pam;
pub mod program;
pub mod tcp;

use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::Pid;

/// Which side of a fork this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    Parent(Pid),
    Child,
}

/// Forks. The process must have a single thread: that is checked.
///
/// # Errors
/// `EDEADLK` if there is another thread; else what fork(2) says.
pub fn fork() -> Result<Fork, Errno> {
    if !SINGLE_THREADED.get() {
        return Err(Errno::EDEADLK);
    }
    // SAFETY: this thread has promised by `promise_single_thread` that it is the only one, so the child inherits no
    // lock held by a thread that does not exist there.
    match Errno::result(unsafe { _Fork() })? {
        0 => Ok(Fork::Child),
        child => Ok(Fork::Parent(Pid::from_raw(child))),
    }
}

unsafe extern "C" {
    /// POSIX.1-2024's fork without handlers, in glibc since 2.34. The handlers of fork(3) reset locks that a process with
    /// one thread does not hold, and writing them costs each session half a dozen pages of its own.
    fn _Fork() -> nix::libc::pid_t;
}

thread_local! {
    static SINGLE_THREADED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Promises that this process starts no thread before it takes this back by [`expect_threads`]; `main` says so before anything else, and [`fork`] relies on it.
pub fn promise_single_thread() {
    SINGLE_THREADED.set(true);
}

/// Takes the promise back: a thread is about to be started, and [`fork`] refuses from now on.
pub fn expect_threads() {
    SINGLE_THREADED.set(false);
}

/// Takes descriptor 0 as the client's connection (inetd) and leaves /dev/null in its place.
///
/// # Errors
/// What dup(2) says.
pub fn take_standard_input() -> Result<OwnedFd, Errno> {
    // SAFETY: descriptor 0 is only borrowed for the duplication.
    let borrowed = unsafe { BorrowedFd::borrow_raw(0) };
    let socket = nix::fcntl::fcntl(borrowed, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(3))?;
    // SAFETY: fcntl just returned this new descriptor, nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

/// Takes a descriptor that whoever started this program has left open for it: not one of the first three, and each once.
///
/// # Errors
/// `EBADF` if there is none, or `EBUSY` if it was taken.
pub fn take_passed(number: RawFd) -> Result<OwnedFd, Errno> {
    static TAKEN: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(2);
    if TAKEN.fetch_max(number, std::sync::atomic::Ordering::Relaxed) >= number {
        return Err(Errno::EBUSY);
    }
    // SAFETY: the descriptor is only borrowed for the look, which fails if there is none.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    nix::fcntl::fcntl(borrowed, nix::fcntl::FcntlArg::F_GETFD)?;
    // SAFETY: it was there before this program began, and the counter above has let nobody else take it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// One datagram of a SEQPACKET socket.
#[derive(Debug)]
pub struct Datagram {
    /// Octets received; zero is the end of the connection.
    pub length: usize,
    pub descriptor: Option<OwnedFd>,
    /// The process that sent it, in the kernel's word, where the receiver has asked for that by `SO_PASSCRED`.
    pub sender: Option<Pid>,
}

/// Sends one datagram with at most one descriptor on it.
///
/// The descriptors that all processes of a user have on their way count as one against the sender's `RLIMIT_NOFILE`
/// (unix(7)), which is small in a sandbox: many sessions at once come to it without doing any harm. Others take theirs soon,
/// of which there is no event, so this looks again a few times.
///
/// # Errors
/// What sendmsg(2) says; `EPIPE` when the other end is gone; `ETOOMANYREFS` when after two seconds too many descriptors
/// still are on their way.
pub fn send_datagram(
    socket: BorrowedFd<'_>,
    octets: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) -> Result<(), Errno> {
    let mut pauses = [
        1u8, 2, 4, 8, 16, 32, 64, 128, 250, 250, 250, 250, 250, 250, 250,
    ]
    .into_iter();
    loop {
        let sent = send(socket, octets, descriptor, MsgFlags::empty());
        match (sent, pauses.next()) {
            // Whatever ends the pause early, it is only a pause.
            (Err(Errno::ETOOMANYREFS), Some(pause)) => drop(nix::poll::poll(&mut [], pause)),
            (sent, _) => return sent,
        }
    }
}

/// The same without ever waiting.
///
/// # Errors
/// `EAGAIN` when there is no room.
pub fn try_send_datagram(
    socket: BorrowedFd<'_>,
    octets: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) -> Result<(), Errno> {
    send(socket, octets, descriptor, MsgFlags::MSG_DONTWAIT)
}

fn send(
    socket: BorrowedFd<'_>,
    octets: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
    flags: MsgFlags,
) -> Result<(), Errno> {
    let slice = [IoSlice::new(octets)];
    let raw = descriptor.map(|fd| [fd.as_raw_fd()]);
    let rights = raw.as_ref().map(|fds| [ControlMessage::ScmRights(fds)]);
    let control: &[ControlMessage<'_>] = rights.as_ref().map_or(&[], |rights| rights);
    let sent = sendmsg::<()>(
        socket.as_raw_fd(),
        &slice,
        control,
        flags | MsgFlags::MSG_NOSIGNAL,
        None,
    )?;
    if sent == octets.len() {
        Ok(())
    } else {
        Err(Errno::EMSGSIZE)
    }
}

/// Writes all octets, in as many pieces as it takes.
///
/// # Errors
/// What write(2) says; some of the octets may have been written then.
pub fn write_all(descriptor: impl AsFd, octets: &[u8]) -> Result<(), Errno> {
    let mut rest = octets;
    while !rest.is_empty() {
        match nix::unistd::write(&descriptor, rest) {
            Ok(count) => rest = &rest[count..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Whether a call may wait for what is not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    Yes,
    No,
    /// It does not wait, and what it gives stays to be received again.
    Peek,
}

/// Receives one datagram of at most `most` octets into a buffer that is emptied first. The buffer's room is
/// not touched beyond what arrives.
///
/// # Errors
/// `EAGAIN` when there is none, `EMSGSIZE` when it is longer or has more than one descriptor on it, else what recvmsg(2)
/// says.
pub fn receive_datagram(
    socket: BorrowedFd<'_>,
    buffer: &mut Vec<u8>,
    most: usize,
    wait: Wait,
) -> Result<Datagram, Errno> {
    use nix::libc;
    buffer.clear();
    buffer.reserve(most);
    let mut slice = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: most,
    };
    // Room for a descriptor too many, so that it is seen rather than cut off, and for the sender.
    let mut control = ControlRoom([0; 8]);
    // SAFETY: msghdr is plain data, and all zeros is its empty value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut slice;
    header.msg_iovlen = 1;
    header.msg_control = (&raw mut control).cast();
    header.msg_controllen = size_of::<ControlRoom>();
    let flags = libc::MSG_CMSG_CLOEXEC
        | match wait {
            Wait::Yes => 0,
            Wait::No => libc::MSG_DONTWAIT,
            Wait::Peek => libc::MSG_DONTWAIT | libc::MSG_PEEK,
        };
    // SAFETY: the header points to `most` octets that `reserve` has made room for, and to the control room, both alive.
    let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) };
    let length = usize::try_from(Errno::result(received)?).unwrap_or(0);
    // SAFETY: the kernel has just written so many octets, at most `most`.
    unsafe { buffer.set_len(length.min(most)) };
    let (mut descriptors, sender) = received_control(&header);
    if header.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 || descriptors.len() > 1 {
        return Err(Errno::EMSGSIZE);
    }
    Ok(Datagram {
        length,
        descriptor: descriptors.pop(),
        sender,
    })
}

/// Room for control messages, aligned as they must be.
#[repr(C, align(8))]
struct ControlRoom([u64; 8]);

/// Takes ownership of every descriptor that arrived, so that none is lost open, and reads who sent them.
fn received_control(header: &nix::libc::msghdr) -> (Vec<OwnedFd>, Option<Pid>) {
    use nix::libc;
    let mut descriptors = Vec::new();
    let mut sender = None;
    // SAFETY: recvmsg has filled the header, whose control room is still alive.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !message.is_null() {
        // SAFETY: the macros of cmsg(3) give pointers to whole, aligned headers within the control room, or null.
        let part = unsafe { *message };
        if part.cmsg_level == libc::SOL_SOCKET && part.cmsg_type == libc::SCM_RIGHTS {
            // SAFETY: it only computes with the length, which the kernel has written.
            let start = unsafe { libc::CMSG_LEN(0) } as usize;
            let count = part.cmsg_len.saturating_sub(start) / size_of::<RawFd>();
            for index in 0..count {
                // SAFETY: the data of this message holds `count` descriptor numbers; they may be unaligned.
                let fd = unsafe {
                    libc::CMSG_DATA(message)
                        .cast::<RawFd>()
                        .add(index)
                        .read_unaligned()
                };
                // SAFETY: the kernel has just installed this descriptor for us and nobody else knows its number.
                descriptors.push(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
        if part.cmsg_level == libc::SOL_SOCKET && part.cmsg_type == libc::SCM_CREDENTIALS {
            // SAFETY: the data of such a message is one ucred, which the kernel has written; it may be unaligned.
            let credentials = unsafe {
                libc::CMSG_DATA(message)
                    .cast::<libc::ucred>()
                    .read_unaligned()
            };
            sender = Some(Pid::from_raw(credentials.pid));
        }
        // SAFETY: as for CMSG_FIRSTHDR.
        message = unsafe { libc::CMSG_NXTHDR(header, message) };
    }
    (descriptors, sender)
}

/// Closes every descriptor but 0 to 2 and `kept`, whoever owns it: what a process inherited by its fork and has no use for.
///
/// Only for a process that ends by [`std::process::exit`]: an owner elsewhere must not close the number again when it may
/// belong to another descriptor.
///
/// # Errors
/// What close_range(2) says.
pub fn keep_only(kept: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut numbers: Vec<u32> = kept
        .iter()
        .filter_map(|fd| u32::try_from(fd.as_raw_fd()).ok())
        .collect();
    numbers.sort_unstable();
    let mut first = 3;
    for number in numbers {
        if first < number {
            close_range(first, number - 1)?;
        }
        first = first.max(number + 1);
    }
    close_range(first, u32::MAX)
}

fn close_range(first: u32, last: u32) -> Result<(), Errno> {
    // SAFETY: the call touches no memory; that nobody uses these descriptors afterwards is the promise of `keep_only`.
    let result = unsafe { nix::libc::syscall(nix::libc::SYS_close_range, first, last, 0) };
    Errno::result(result).map(drop)
}

/// A descriptor of a process that can be polled: it is readable when the process has ended.
///
/// # Errors
/// What pidfd_open(2) says.
pub fn watch_process(process: Pid) -> Result<OwnedFd, Errno> {
    // SAFETY: the call takes two numbers and touches no memory.
    let opened = unsafe { nix::libc::syscall(nix::libc::SYS_pidfd_open, process.as_raw(), 0) };
    let number = RawFd::try_from(Errno::result(opened)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor (close-on-exec) for us and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Kills the process of a descriptor that [`watch_process`] gave, and none that has got its number since.
///
/// # Errors
/// What pidfd_send_signal(2) says.
pub fn kill_process(process: &OwnedFd) -> Result<(), Errno> {
    let (number, nothing) = (process.as_raw_fd(), std::ptr::null::<u8>());
    let kill = nix::libc::SIGKILL;
    // SAFETY: without details of the signal the call touches no memory.
    let sent =
        unsafe { nix::libc::syscall(nix::libc::SYS_pidfd_send_signal, number, kill, nothing, 0) };
    Errno::result(sent).map(drop)
}

/// Ends this process at once, without the handlers of the program that it was forked from.
pub fn exit(status: i32) -> ! {
    // SAFETY: _exit returns to nobody; everything of worth was written by system calls before.
    unsafe { nix::libc::_exit(status) }
}

/// Makes large buffers come from mmap(2) and go back at once, whatever was freed before, so that an idle session keeps none.
/// For the start of the program.
pub fn map_large_buffers() {
    // SAFETY: mallopt sets a number in malloc's state, and this process has one thread yet.
    unsafe { nix::libc::mallopt(nix::libc::M_MMAP_THRESHOLD, LARGE_BUFFER) };
}

/// What counts as large, in octets.
const LARGE_BUFFER: nix::libc::c_int = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .unwrap()
    }

    #[test]
    fn a_descriptor_rides_on_its_datagram() {
        let (a, b) = pair();
        let (read, write) = nix::unistd::pipe().unwrap();
        send_datagram(a.as_fd(), b"one", Some(write.as_fd())).unwrap();
        send_datagram(a.as_fd(), b"two", None).unwrap();
        let mut buffer = Vec::new();
        let first = receive_datagram(b.as_fd(), &mut buffer, 16, Wait::No).unwrap();
        assert_eq!((first.length, &buffer[..]), (3, &b"one"[..]));
        nix::unistd::write(first.descriptor.unwrap(), b"x").unwrap();
        let mut got = [0; 1];
        assert_eq!(nix::unistd::read(&read, &mut got), Ok(1));
        assert!(
            receive_datagram(b.as_fd(), &mut buffer, 16, Wait::No)
                .unwrap()
                .descriptor
                .is_none()
        );
        assert_eq!(
            receive_datagram(b.as_fd(), &mut buffer, 16, Wait::No).unwrap_err(),
            Errno::EAGAIN
        );
    }

    #[test]
    fn a_datagram_that_was_cut_is_an_error_and_a_closed_end_is_length_zero() {
        let (a, b) = pair();
        send_datagram(a.as_fd(), &[0; 20], None).unwrap();
        assert_eq!(
            receive_datagram(b.as_fd(), &mut Vec::new(), 16, Wait::No).unwrap_err(),
            Errno::EMSGSIZE
        );
        drop(a);
        assert_eq!(
            receive_datagram(b.as_fd(), &mut Vec::new(), 16, Wait::No)
                .unwrap()
                .length,
            0
        );
    }

    #[test]
    fn the_kernel_says_who_sent_a_datagram_where_it_is_asked() {
        let (a, b) = pair();
        nix::sys::socket::setsockopt(&b, nix::sys::socket::sockopt::PassCred, &true).unwrap();
        let (read, _write) = nix::unistd::pipe().unwrap();
        send_datagram(a.as_fd(), b"one", Some(read.as_fd())).unwrap();
        let datagram = receive_datagram(b.as_fd(), &mut Vec::new(), 16, Wait::No).unwrap();
        assert_eq!(datagram.sender, Some(nix::unistd::getpid()));
        assert!(datagram.descriptor.is_some());
    }

    #[test]
    fn fork_refuses_without_the_promise() {
        assert_eq!(fork(), Err(Errno::EDEADLK));
    }
}
