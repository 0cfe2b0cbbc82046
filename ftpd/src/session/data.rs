//! The data connection that the next transfer will use.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use common::pump::{DataConnection, accept, await_connect};

use super::attend::Watch;
use super::{Link, Stop, User, outcome};
use common::proto::reply::{Code, Reply};

/// How the next data connection comes about; a transfer takes it.
#[derive(Debug, Default)]
pub(crate) enum DataChannel {
    #[default]
    None,
    /// The client will come to this listener.
    Passive(OwnedFd),
    /// The client waits at this address.
    Active(SocketAddr),
}

/// So many strangers are remembered while one data connection is waited for.
const MOST_STRANGERS: usize = 10;

/// Opens the data connection. The flag says that ABOR has come meanwhile.
pub(crate) fn open(link: &mut Link, user: &mut User) -> Result<DataConnection, Stop> {
    let deadline = user.deadline_for_data();
    let channel = std::mem::take(&mut user.data);
    let (opened, aborted) = match channel {
        DataChannel::None => {
            return Err(Reply::new(
                Code::NO_DATA_CONNECTION,
                "Use PASV, EPSV, PORT or EPRT first.",
            )
            .into());
        }
        DataChannel::Passive(listener) => {
            let peer = link.ends.client();
            let mut strangers = Vec::new();
            let mut watch = Watch::new(
                &mut link.control,
                user.files.as_fd(),
                user.account.permitted,
            );
            let opened = accept(&listener, peer, deadline, &mut watch, |stranger| {
                if strangers.len() < MOST_STRANGERS {
                    strangers.push(stranger);
                }
            });
            let aborted = watch.aborted;
            for stranger in strangers {
                link.tell_of_stranger(&format!(
                    "data connection from {stranger} dropped: it is not the client {peer}"
                ));
            }
            (opened, aborted)
        }
        DataChannel::Active(target) => {
            let socket = user
                .files
                .active_connect(target)?
                .map_err(outcome::data_setup)?;
            let mut watch = Watch::new(
                &mut link.control,
                user.files.as_fd(),
                user.account.permitted,
            );
            (await_connect(socket, deadline, &mut watch), watch.aborted)
        }
    };
    opened.map_err(|error| {
        let stop = outcome::data_open(error);
        if aborted {
            after_abort(link, stop)
        } else {
            stop
        }
    })
}

/// ABOR is answered twice: for the transfer that ended, and for itself (RFC 959 §4.1.3).
pub(crate) fn after_abort(link: &mut Link, transfer: Stop) -> Stop {
    match transfer {
        Stop::Reply(reply) => match link.control.reply(&reply) {
            Ok(()) => Reply::new(Code::DATA_DONE, "Abort successful.").into(),
            Err(lost) => lost.into(),
        },
        end @ Stop::End(_) => end,
    }
}
