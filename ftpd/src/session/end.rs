//! Why a session is over, and what the client, the hooks and the listener are told of it. Pure.

use common::channel::{Broken, Refusal};
use common::control::Lost;
use common::fault::Fault;
use common::hookd::{EndWords, Listed};
use common::listener::Status;

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Quit,
    ControlLost,
    /// Keeper is gone, or tells the session to go.
    KeeperGone,
    /// The server is about to stop.
    Draining,
    /// Keeper broke the rules of the channel, or the system a promise.
    Broken(Fault),
    TimedOut,
    LoginFailed,
    NotFtp,
    /// The client that a front end has named is not served.
    NotAdmitted(Refusal),
    /// Commands came in the clear behind AUTH.
    Injected,
    /// What the account demands of TLS was not there when the password came.
    NotSecure,
    /// The user has as many sessions as it may have.
    TooManySessions,
    /// REIN, and no listener that could make another keeper.
    CannotBeginAnew,
    /// It goes on at another server.
    Led,
}

impl From<Lost> for End {
    fn from(_: Lost) -> Self {
        End::ControlLost
    }
}

impl From<Broken> for End {
    #[track_caller]
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Closed => End::KeeperGone,
            Broken::Malformed => End::bug("a message that is none"),
            Broken::Failed(errno) => End::Broken(Fault::of("the channel", errno)),
        }
    }
}

impl End {
    /// What cannot be unless the program has a mistake.
    #[track_caller]
    pub(crate) fn bug(what: &'static str) -> End {
        End::Broken(Fault::new(what))
    }

    /// The word that hooks hear; where there is none keeper knows better, or nobody does.
    pub(super) fn word(self) -> Option<Listed<EndWords>> {
        Listed::find(match self {
            End::Quit => "quit",
            End::ControlLost => "connection lost",
            End::TimedOut => "timeout",
            End::Draining => "server stops",
            _ => return None,
        })
    }

    /// The last words to the client, if there is anybody to hear them.
    pub(super) fn text(self) -> Option<&'static str> {
        Some(match self {
            End::Quit | End::ControlLost | End::Led => return None,
            End::KeeperGone => "The service is closing this session.",
            End::Draining => "The server stops; please come back later.",
            End::Broken(_) => "The server has a problem; please try again.",
            End::TimedOut => "Timeout: closing the connection.",
            End::LoginFailed => "Too many failed logins: closing the connection.",
            End::CannotBeginAnew => "Please begin anew on another connection.",
            End::TooManySessions => "This user has too many sessions; please try later.",
            End::NotFtp => "This is an FTP server.",
            End::NotAdmitted(why) => why.text(),
            End::Injected => "Nothing may follow AUTH before TLS.",
            End::NotSecure => {
                "This account must log in under TLS. The password was sent in the clear: change it."
            }
        })
    }

    /// What the listener hears.
    pub(super) fn status(self) -> Status {
        match self {
            End::Quit
            | End::ControlLost
            | End::KeeperGone
            | End::Draining
            | End::CannotBeginAnew
            | End::TooManySessions
            | End::NotAdmitted(_)
            | End::NotSecure => Status::Ended,
            // It is known where to only in between.
            End::Led => Status::Broken(Some(Fault::new("led nowhere"))),
            // The log has it.
            End::Broken(_) => Status::Broken(None),
            End::TimedOut => Status::TimedOut,
            End::LoginFailed => Status::LoginFailed,
            End::NotFtp | End::Injected => Status::NotFtp,
        }
    }
}
