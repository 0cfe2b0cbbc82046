//! Why a session of a gateway is over, and what the client and the log hear of that. Decides about no session.

use super::server::ServerFault;
use super::session::Session;
use crate::channel::Broken;
use crate::control::Lost;
use crate::fault::Fault;
use crate::listener::Status;
use crate::proto::answer::Answer;
use crate::proto::reply::{Code, Reply};

/// Why a session is over.
#[derive(Debug)]
pub(super) enum End {
    /// With what the server said to it.
    Quit(Reply),
    ClientLost,
    TimedOut,
    NotFtp,
    DialerGone,
    /// The dialer broke the rules of the channel, or the system a promise.
    Broken(Fault),
    /// No server was reached, and there is no other try.
    NotDialled(Reply),
    /// The server ends it with this.
    Dismissed(Answer),
    ServerTimedOut,
    Server(ServerFault),
    TooManySessions,
    /// The gateway is about to stop, and nothing is going on here.
    Draining,
    /// It has tried one name after the other.
    TooManyNames,
}

impl End {
    /// What cannot be unless the program has a mistake.
    #[track_caller]
    pub(super) fn bug(what: &'static str) -> End {
        End::Broken(Fault::new(what))
    }
}

impl From<Lost> for End {
    fn from(_: Lost) -> End {
        End::ClientLost
    }
}

impl From<ServerFault> for End {
    fn from(fault: ServerFault) -> End {
        End::Server(fault)
    }
}

impl From<Broken> for End {
    #[track_caller]
    fn from(broken: Broken) -> End {
        match broken {
            Broken::Closed => End::DialerGone,
            Broken::Malformed => End::bug("a message that is none"),
            Broken::Failed(errno) => End::Broken(Fault::of("the channel", errno)),
        }
    }
}

impl Session<'_> {
    pub(super) fn farewell(&mut self, end: End) -> Status {
        self.tell_of_end(&end);
        self.tell_hooks_of_end(&end);
        let closing = |text: &str| Reply::new(Code::CLOSING, text);
        let (reply, status) = match end {
            End::Quit(reply) => (Some(reply), Status::Ended),
            End::ClientLost => (None, Status::Ended),
            End::DialerGone => {
                let text = "The service is closing this session.";
                (Some(closing(text)), Status::Ended)
            }
            End::Broken(fault) => {
                let client = self.ends.client();
                self.log.line(&format!("session for {client}: {fault}"));
                let text = "The gateway has a problem; please try again.";
                (Some(closing(text)), Status::Broken(None))
            }
            End::TimedOut => {
                let text = "Timeout: closing the connection.";
                (Some(closing(text)), Status::TimedOut)
            }
            End::NotFtp => (Some(closing("This is an FTP gateway.")), Status::NotFtp),
            End::NotDialled(reply) => (Some(reply), Status::Ended),
            End::Dismissed(answer) => (Some(answer.relay_as(Code::CLOSING)), Status::Ended),
            End::ServerTimedOut => {
                self.tell_of_server("it did not answer in time");
                (Some(closing("The server does not answer.")), Status::Ended)
            }
            End::Server(fault) => {
                self.tell_of_server(&fault.to_string());
                (Some(closing(&fault.for_client())), Status::Ended)
            }
            End::TooManyNames => {
                let text = "Too many names: please begin anew on another connection.";
                (Some(closing(text)), Status::LoginFailed)
            }
            End::Draining => {
                let text = "The gateway stops; please come back later.";
                (Some(closing(text)), Status::Ended)
            }
            End::TooManySessions => {
                let text = "This user has too many sessions; please try later.";
                (Some(closing(text)), Status::Ended)
            }
        };
        if let Some(reply) = reply {
            // The client may be gone: then nobody needs to hear it.
            let _ = self.client.reply(&reply);
        }
        self.client.close();
        status
    }

    pub(super) fn tell_of_server(&self, what: &str) {
        let server = match (&self.server, self.member()) {
            (Some(_), Some(_)) => self.place(),
            (Some(server), None) => server.address.to_string(),
            (None, _) => "not reached yet".to_owned(),
        };
        let client = self.ends.client();
        self.log
            .line(&format!("client {client}, server {server}: {what}"));
    }
}
