//! Descriptors on their way: the kernel counts those of all processes of a user against the sender's limit of open ones.

use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use common::sys;
use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::sys::wait::WaitStatus;

use crate::inside::{Hands, Machine, Start};

const LIMIT: usize = 32;

/// With as many on their way as may be, one more is sent as soon as others are taken.
pub(crate) fn a_crowd_is_waited_for(machine: &Machine) {
    let ended = machine.child(Start::Ordinary, |hands| {
        setrlimit(Resource::RLIMIT_NOFILE, LIMIT as u64, LIMIT as u64).unwrap();
        // Other processes of the same user may have some on their way too.
        let sent = (0..2 * LIMIT).take_while(|_| send(hands).is_ok()).count();
        assert_eq!(send(hands), Err(Errno::ETOOMANYREFS));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // So that the crowd is met.
                std::thread::sleep(Duration::from_millis(20));
                for _ in 0..sent {
                    let wait = sys::Wait::Yes;
                    let taken =
                        sys::receive_datagram(hands.other.as_fd(), &mut Vec::new(), 16, wait);
                    assert!(taken.unwrap().descriptor.is_some());
                }
            });
            let gift = Some(hands.file.as_fd());
            sys::send_datagram(hands.channel.as_fd(), b"one more", gift).unwrap();
        });
        0
    });
    assert!(matches!(ended, WaitStatus::Exited(_, 0)), "{ended:?}");
}

fn send(hands: &Hands) -> Result<usize, Errno> {
    let gift = [hands.file.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&gift)];
    let slice = [IoSlice::new(b"gift")];
    let channel = hands.channel.as_raw_fd();
    sendmsg::<()>(channel, &slice, &rights, MsgFlags::MSG_DONTWAIT, None)
}
