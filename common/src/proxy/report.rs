//! What the log is told of a session, with both of its legs: who came from where, to which server, as whom, what was moved and
//! how it ended. SECURITY: no password passes here.

use std::time::Instant;

use super::end::End;
use super::session::Session;
use crate::log::Fact;
use crate::proto::answer::Answer;
use crate::proto::verbs::Verb;
use crate::rate::Direction;

/// What a session has done so far.
#[derive(Debug)]
pub(super) struct Tally {
    began: Instant,
    /// Octets of uploads and of downloads.
    up: u64,
    down: u64,
    /// Whether TYPE A holds.
    ascii: bool,
}

impl Default for Tally {
    fn default() -> Self {
        Tally {
            began: Instant::now(),
            up: 0,
            down: 0,
            // RFC 959 §3.1.1.1: it is the default.
            ascii: true,
        }
    }
}

impl Tally {
    /// Octets of uploads, and of downloads.
    pub(super) fn moved(&self) -> (u64, u64) {
        (self.up, self.down)
    }

    /// Hears a TYPE that the server has agreed to.
    pub(super) fn typed(&mut self, argument: &[u8]) {
        self.ascii = argument
            .first()
            .is_some_and(|letter| letter.eq_ignore_ascii_case(&b'A'));
    }
}

/// A transfer that has ended.
pub(super) struct Moved<'a> {
    pub(super) verb: Verb,
    /// What the client has named.
    pub(super) path: &'a [u8],
    pub(super) direction: Direction,
    pub(super) octets: u64,
    pub(super) complete: bool,
    pub(super) began: Instant,
}

impl Session<'_> {
    pub(super) fn tell_of_login(&self) {
        let text = format!(
            "login of '{}' at {} from {}{}",
            self.who.name.escape_ascii(),
            self.place(),
            self.ends.client(),
            self.on_behalf()
        );
        self.tell(&text, "login");
    }

    pub(super) fn tell_of_failure(&self, answer: &Answer) {
        let text = format!(
            "login of '{}' at {} from {}{} failed: the server said {}",
            self.who.name.escape_ascii(),
            self.place(),
            self.ends.client(),
            self.on_behalf(),
            answer.code().number()
        );
        self.tell(&text, "login_failed");
    }

    fn tell(&self, text: &str, event: &str) {
        let (client, server) = (self.ends.client().to_string(), self.place());
        let facts = [
            ("event", Fact::Text(event.as_bytes())),
            ("user", Fact::Text(&self.who.name)),
            ("client", Fact::Text(client.as_bytes())),
            ("server", Fact::Text(server.as_bytes())),
        ];
        self.log.entry(text, &facts);
    }

    /// Who has logged in before, where that was somebody.
    fn on_behalf(&self) -> String {
        let behalf = self.behalf.as_ref();
        behalf.map_or_else(String::new, |user| {
            format!(" for '{}'", user.escape_ascii())
        })
    }

    pub(super) fn tell_of_transfer(&mut self, moved: &Moved<'_>) {
        let (sum, what, letter) = match moved.direction {
            Direction::Download => (&mut self.tally.down, "download", b"o"),
            Direction::Upload => (&mut self.tally.up, "upload", b"i"),
        };
        *sum = sum.saturating_add(moved.octets);
        if !self.log.tells_of_transfers() {
            return;
        }
        let took = moved.began.elapsed();
        let (client, server) = (self.ends.client().to_string(), self.place());
        let end = match moved.complete {
            true => "complete",
            false => "cut off",
        };
        let text = || {
            format!(
                "{what}, {} '{}' of '{}' at {server} from {client}: {} octets in {:.3} s, {end}",
                moved.verb.spec().verb,
                moved.path.escape_ascii(),
                self.who.name.escape_ascii(),
                moved.octets,
                took.as_secs_f64(),
            )
        };
        let (kind, completion): (&[u8], &[u8]) = (
            if self.tally.ascii { b"a" } else { b"b" },
            if moved.complete { b"c" } else { b"i" },
        );
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let facts = [
            ("event", Fact::Text(b"transfer")),
            ("user", Fact::Text(&self.who.name)),
            ("client", Fact::Text(client.as_bytes())),
            ("server", Fact::Text(server.as_bytes())),
            ("command", Fact::Text(moved.verb.spec().verb.as_bytes())),
            ("direction", Fact::Text(letter)),
            ("path", Fact::Text(moved.path)),
            ("octets", Fact::Number(moved.octets)),
            ("milliseconds", Fact::Number(milliseconds)),
            ("type", Fact::Text(kind)),
            ("completion", Fact::Text(completion)),
            ("end", Fact::Text(end.as_bytes())),
        ];
        self.log.transferred(text, &facts);
    }

    /// Tells how a session ends that has got as far as to a server.
    pub(super) fn tell_of_end(&self, end: &End) {
        if self.server.is_none() && !self.who.logged_in {
            return;
        }
        let (client, server) = (self.ends.client().to_string(), self.place());
        let reason = end.reason();
        let took = self.tally.began.elapsed();
        let who = match self.who.logged_in {
            true => format!(" of '{}'", self.who.name.escape_ascii()),
            false => " without a login".to_owned(),
        };
        let text = format!(
            "end of a session{who} at {server} from {client}: {reason}; {} octets up, {} down, {:.3} s",
            self.tally.up,
            self.tally.down,
            took.as_secs_f64()
        );
        let user: &[u8] = match self.who.logged_in {
            true => &self.who.name,
            false => b"",
        };
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let facts = [
            ("event", Fact::Text(b"logout")),
            ("user", Fact::Text(user)),
            ("client", Fact::Text(client.as_bytes())),
            ("server", Fact::Text(server.as_bytes())),
            ("up", Fact::Number(self.tally.up)),
            ("down", Fact::Number(self.tally.down)),
            ("milliseconds", Fact::Number(milliseconds)),
            ("end", Fact::Text(reason.as_bytes())),
        ];
        self.log.entry(&text, &facts);
    }
}

impl End {
    /// Why, in a few words.
    fn reason(&self) -> String {
        let words = match self {
            End::Quit(_) => "quit",
            End::ClientLost => "the client is gone",
            End::TimedOut => "the client was silent for too long",
            End::NotFtp => "the client does not speak FTP",
            End::DialerGone => "ended by the gateway",
            End::Draining => "the gateway stops",
            End::Broken(_) => "the gateway's own error",
            End::NotDialled(_) => "no other server",
            End::ServerTimedOut => "the server did not answer in time",
            End::TooManySessions => "too many sessions of this user",
            End::TooManyNames => "too many names",
            End::Dismissed(_) => "the server ended it",
            End::Server(fault) => return format!("the server: {fault}"),
        };
        words.to_owned()
    }
}
