//! Events read back from their JSON, which has all of them: so one that was written down is the same event when it is delivered
//! again. Pure: no I/O.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::bounded::Bounded;
use super::event::{
    Act, CommandLine, Connection, DataConnection, Event, Id, LIMITS, Outcome, Session,
    TLS_VERSIONS, User,
};
use super::kind::Kind;
use crate::digest::{Algorithm, Digest};
use crate::proto::verbs::Verb;

impl Event {
    /// Reads what [`to_json`](Event::to_json) has written, with `None` for anything else. Fields that are not known are passed
    /// over, so that a later version's events can be read.
    pub fn from_json(json: &str) -> Option<Event> {
        let fields = Fields(serde_json::from_str(json).ok()?);
        let session = fields.session();
        Some(Event {
            id: fields.id("id")?,
            time: fields.text("time")?.parse().ok()?,
            kind: Kind::find(fields.text("event")?)?,
            act: Act {
                client: fields
                    .address("client_address")
                    .filter(|_| session.is_none()),
                ..fields.act()
            },
            session,
        })
    }
}

/// The fields of an object.
struct Fields(Map<String, Value>);

impl Fields {
    fn session(&self) -> Option<Session> {
        Some(Session {
            id: self.id("session")?,
            pid: self.number("pid")?,
            client: self.end("client")?,
            server: self.end("server")?,
            upstream: self.end("upstream"),
            tls: self.word("tls", TLS_VERSIONS),
            login: self.octets("login"),
            user: self.user(),
        })
    }

    fn user(&self) -> Option<User> {
        Some(User {
            name: self.octets("user")?,
            uid: self.number("uid")?,
            gid: self.number("gid")?,
            group: self.octets("group"),
        })
    }

    fn act(&self) -> Act {
        Act {
            client: None,
            command: self.command(),
            directory: self.octets("directory"),
            path: self.octets("path"),
            real_path: self.octets("real_path"),
            from: self.octets("from"),
            real_from: self.octets("real_from"),
            temporary: self.octets("temporary_path"),
            target: self.octets("target"),
            size: self.number("size"),
            offset: self.number("offset"),
            transferred: self.number("transferred"),
            duration: self.number("duration_ms").map(Duration::from_millis),
            hash: self.hash(),
            mode: self
                .text("mode")
                .and_then(|mode| u32::from_str_radix(mode, 8).ok()),
            replaced: self.0.get("replaced").and_then(Value::as_bool),
            data: self.data(),
            reply: self.number("code").zip(self.octets("reply")),
            outcome: self.text("result").and_then(|name| {
                Outcome::ALL
                    .into_iter()
                    .find(|outcome| outcome.name() == name)
            }),
            reason: self.octets("reason"),
            limit: self.word("limit", LIMITS),
            moved: self
                .number("session_received")
                .zip(self.number("session_sent")),
        }
    }

    fn command(&self) -> Option<CommandLine> {
        let verb = Verb::find(self.text("verb")?)?;
        let arguments = self.raw("arguments").unwrap_or_default();
        CommandLine::new(verb, &arguments).ok()
    }

    fn hash(&self) -> Option<(Algorithm, Digest)> {
        let algorithm = Algorithm::find(self.text("hash_algorithm")?)?;
        Some((algorithm, Digest::from_hex(self.text("hash")?.as_bytes())?))
    }

    fn data(&self) -> Option<DataConnection> {
        let name = self.text("connection")?;
        Some(DataConnection {
            source: self.end("source")?,
            destination: self.end("destination")?,
            connection: Connection::ALL.into_iter().find(|one| one.name() == name)?,
        })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// One of the words that there are.
    fn word(&self, name: &str, words: &[&'static str]) -> Option<&'static str> {
        let text = self.text(name)?;
        words.iter().find(|&&word| word == text).copied()
    }

    fn id(&self, name: &str) -> Option<Id> {
        Id::parse(self.text(name)?)
    }

    fn number<T: TryFrom<u64>>(&self, name: &str) -> Option<T> {
        T::try_from(self.0.get(name)?.as_u64()?).ok()
    }

    fn address(&self, name: &str) -> Option<IpAddr> {
        self.text(name)?.parse().ok()
    }

    /// Address and port.
    fn end(&self, name: &str) -> Option<SocketAddr> {
        let address = self.address(&format!("{name}_address"))?;
        Some(SocketAddr::new(
            address,
            self.number(&format!("{name}_port"))?,
        ))
    }

    fn raw(&self, name: &str) -> Option<Vec<u8>> {
        match self.text(name) {
            Some(text) => Some(text.as_bytes().to_vec()),
            None => STANDARD.decode(self.text(&format!("{name}_b64"))?).ok(),
        }
    }

    fn octets<const LONGEST: usize>(&self, name: &str) -> Option<Bounded<LONGEST>> {
        Bounded::new(self.raw(name)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::bounded::Path;
    use super::super::field::tests::full;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_event_is_the_same_after_it_was_written_down() {
        let event = full();
        assert_eq!(Event::from_json(&event.to_json()), Some(event));
        let bare = Event {
            session: None,
            act: Act {
                client: Some(IpAddr::from([192, 0, 2, 1])),
                ..Act::default()
            },
            ..full()
        };
        assert_eq!(Event::from_json(&bare.to_json()), Some(bare));
    }

    #[test]
    fn what_is_no_event_is_none() {
        for json in ["", "{}", "[1]", "{\"id\":1}", "{\"event\":\"upload\"}"] {
            assert_eq!(Event::from_json(json), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_read_back(path in proptest::collection::vec(1u8..=255, 0..300)) {
            let mut event = full();
            event.act.path = Path::new(path).ok();
            prop_assert_eq!(Event::from_json(&event.to_json()), Some(event));
        }

        #[test]
        fn any_text_is_an_event_or_none(text in ".{0,200}") {
            let _ = Event::from_json(&text).is_some();
        }
    }
}
