//! What the network half of a gateway may ask its dialer, and the answers. Nothing that the dialer knows is said again: the
//! client's address, the server that was reached, the rules.

use std::net::SocketAddr;

use super::messages::UserName;
use crate::hookd::{EndWords, Listed, Reason};
use crate::jail::Failure;
use crate::messages;
use crate::proto::destination::LONGEST_HOST;
use crate::proto::hostport::Family;
use crate::wire::Octets;

/// A host as a destination names it, and brackets around an address.
pub type HostName = Octets<{ LONGEST_HOST + 2 }>;

messages! {
    /// Network half to dialer.
    #[derive(Debug)]
    pub enum DialRequest {
        /// To a server that the client names. → `Dialled` with a connection, or `NotDialled`, in its own time.
        230 => Dial { host: HostName, port: u16 },
        /// To the server that all clients of this port are led to. → as above.
        231 => DialGiven,
        /// To the next server of the pool for this user: asked again, the one before was of no use. → `Serving` with a
        /// connection, or `NotDialled`, in its own time.
        240 => DialFor { user: UserName },
        /// A listener for the client. → `Listening` with its descriptor.
        232 => ListenForClient { family: Family },
        /// A connection to the client. → `Connecting` with its descriptor.
        233 => ConnectToClient { target: SocketAddr },
        /// A connection to a port of the server that was dialled. → `Connecting` with its descriptor.
        234 => ConnectToServer { port: u16 },
        /// A listener for that server. → `Listening` with its descriptor.
        235 => ListenForServer,
        /// The server is to check a password. → `Done` when it may.
        236 => BeginLogin,
        /// It was wrong for this user. → `Done`.
        237 => LoginFailed { user: UserName },
        /// It was right. → `Done`, or `TooMany` for this user.
        238 => LoggedIn { user: UserName },
        /// The rules of users keep this one from the server. → `Done`, once it may go on.
        243 => UserRefused { user: UserName },
        /// The data connections that there were have ended. → `Done`, once hooks are that are waited for.
        241 => DataEnded,
        /// The session ends, having moved so much. → `Done`.
        242 => Leave { end: Listed<EndWords>, up: u64, down: u64 },
        /// A channel to the signer that has the keys to these certificates. → `Signer` with its end, or `NoSigner`.
        239 => Signer { generation: u32 },
    }
}

messages! {
    /// Dialer to network half.
    #[derive(Debug)]
    pub enum DialAnswer {
        1 => Done,
        2 => Dialled { server: SocketAddr },
        /// `last`: there is no other try.
        3 => NotDialled { why: DialFault, last: bool },
        4 => Listening { address: SocketAddr },
        5 => Connecting,
        /// The target is not the client, its port is privileged, or there is no server yet.
        6 => TargetRefused,
        7 => Failed { why: Failure },
        8 => TooMany,
        9 => Signer,
        /// It is the server of the pool with this number.
        11 => Serving { server: SocketAddr, number: u16 },
        /// A hook refuses the data connection, in these words.
        12 => Vetoed { text: Reason },
        /// The certificates are others now, the signer is gone, or the session has had its channel.
        10 => NoSigner,
    }
}

messages! {
    /// Why a server was not reached.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum DialFault {
        /// No rule permits it.
        1 => Forbidden,
        /// Its name has no address.
        2 => UnknownHost,
        3 => Unreachable,
        4 => TimedOut,
        /// It is this gateway itself.
        5 => Loop,
        /// There is a server for all clients, or none yet where one has to be.
        6 => OutOfPlace,
        /// No other server of the pool is there for this user.
        7 => Exhausted,
    }
}

#[cfg(test)]
mod tests {
    use super::super::messages::{FileRequest, LoginRequest};
    use super::*;
    use crate::wire::decode;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_octets_decode_totally_and_mean_something_in_one_phase(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let dial = decode::<DialRequest>(&octets).is_ok();
            let other = decode::<FileRequest>(&octets).is_ok() || decode::<LoginRequest>(&octets).is_ok();
            prop_assert!(!(dial && other));
            let _ = decode::<DialAnswer>(&octets).is_ok();
        }
    }
}
