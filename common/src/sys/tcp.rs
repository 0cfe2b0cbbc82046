//! What the kernel tells of a TCP connection (TCP_INFO), as far as a sender asks.

use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc;

/// How far the end of a connection is, after this side has said that it sends no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The other side has not acknowledged that yet, nor perhaps all that went before.
    Open,
    /// It has, and so has all octets.
    Acknowledged,
    /// Nothing more can happen; the error of the socket tells whether that was a good end.
    Closed,
}

/// What became of the octets that were written to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub state: State,
    /// Octets that were written.
    pub written: u64,
    /// Octets that the other side has acknowledged. SYN and FIN of this side count as one each.
    pub acknowledged: u64,
    /// Whether nothing that was sent or is to be sent waits for its acknowledgement.
    pub idle: bool,
    /// The most octets of a segment.
    pub segment: u32,
}

/// Looks at a TCP socket.
///
/// # Errors
/// It is none.
pub fn sent(socket: BorrowedFd<'_>) -> Result<Sent, Errno> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).unwrap_or(0);
    // SAFETY: the kernel writes at most `length` octets, which is the size of what the pointer leads to.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    Errno::result(done)?;
    // SAFETY: it is made of integers only, all of which are zero where an older kernel has written nothing.
    let info = unsafe { info.assume_init() };
    Ok(Sent {
        state: match i32::from(info.tcpi_state) {
            FIN_WAIT2 | TIME_WAIT => State::Acknowledged,
            CLOSE => State::Closed,
            _ => State::Open,
        },
        written: (info.tcpi_bytes_sent + u64::from(info.tcpi_notsent_bytes))
            .saturating_sub(info.tcpi_bytes_retrans),
        acknowledged: info.tcpi_bytes_acked,
        idle: info.tcpi_unacked == 0 && info.tcpi_notsent_bytes == 0,
        segment: info.tcpi_snd_mss,
    })
}

// As include/net/tcp_states.h of the kernel numbers them.
const FIN_WAIT2: i32 = 5;
const TIME_WAIT: i32 = 6;
const CLOSE: i32 = 7;
