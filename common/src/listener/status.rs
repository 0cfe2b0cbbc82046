//! How a session ended, as the exit status of its process: the listener judges addresses by it.

use nix::errno::Errno;

use crate::channel::Broken;
use crate::fault::Fault;
use crate::log::Log;

/// The typed exit status of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// QUIT, or the client closed the connection.
    Ended,
    /// The program itself could not go on: why, where the log does not have it yet.
    Broken(Option<Fault>),
    /// Too many wrong passwords.
    LoginFailed,
    /// The network half sent what is no message of its phase.
    Misbehaved,
    /// A half died of a signal.
    Crashed,
    /// The client was silent for too long.
    TimedOut,
    /// Privilege could not be given up as it should.
    SandboxFailed,
    /// The client speaks another protocol.
    NotFtp,
}

/// What a broken channel means to the half that answers on it.
impl From<Broken> for Status {
    #[track_caller]
    fn from(broken: Broken) -> Status {
        match broken {
            Broken::Closed => Status::Ended,
            Broken::Malformed => Status::Misbehaved,
            Broken::Failed(errno) => Status::failed("the channel", errno),
        }
    }
}

const ALL: [Status; 8] = [
    Status::Ended,
    Status::Broken(None),
    Status::LoginFailed,
    Status::Misbehaved,
    Status::Crashed,
    Status::TimedOut,
    Status::SandboxFailed,
    Status::NotFtp,
];

impl Status {
    /// The system refused a call without which the program cannot go on.
    #[track_caller]
    pub fn failed(call: &'static str, errno: Errno) -> Status {
        Status::Broken(Some(Fault::of(call, errno)))
    }

    /// What cannot be unless the program has a mistake.
    #[track_caller]
    pub fn bug(what: &'static str) -> Status {
        Status::Broken(Some(Fault::new(what)))
    }

    /// Has the log say why the program could not go on, if that is so and it does not have it yet.
    #[must_use]
    pub fn explained(self, log: &Log) -> Status {
        match self {
            Status::Broken(Some(fault)) => {
                log.line(&fault.to_string());
                Status::Broken(None)
            }
            other => other,
        }
    }

    /// The exit code; 2 is left to usage errors of the command line.
    pub fn code(self) -> i32 {
        match self {
            Status::Ended => 0,
            Status::Broken(_) => 1,
            Status::LoginFailed => 10,
            Status::Misbehaved => 11,
            Status::Crashed => 12,
            Status::TimedOut => 13,
            Status::SandboxFailed => 14,
            Status::NotFtp => 15,
        }
    }

    /// Reads an exit code; one that is not ours is [`Status::Broken`].
    pub fn from_code(code: i32) -> Status {
        ALL.into_iter()
            .find(|status| status.code() == code)
            .unwrap_or(Status::Broken(None))
    }

    /// What the log should say, if anything.
    pub fn remark(self) -> Option<&'static str> {
        match self {
            Status::Ended | Status::TimedOut => None,
            Status::Broken(_) => Some("ended by an error of the program"),
            Status::LoginFailed => Some("ended after too many failed logins"),
            Status::Misbehaved => Some("ended: the network half broke the rules of its channel"),
            Status::Crashed => Some("ended: the network half crashed"),
            Status::SandboxFailed => Some("ended: privilege could not be given up"),
            Status::NotFtp => Some("ended: the client does not speak FTP"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_come_back() {
        for status in ALL {
            assert_eq!(Status::from_code(status.code()), status);
        }
        assert_eq!(Status::from_code(101), Status::Broken(None));
    }
}
