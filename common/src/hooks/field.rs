//! THE table of an event's fields. JSON, the names in templates and the manual's schema follow from [`FIELDS`] and from
//! nowhere else. Pure: no I/O.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::event::{DataConnection, Event, Session, User};
use crate::digest::hex;

/// The version of the schema. It grows when a field changes its meaning or goes away, not when one is added.
pub const SCHEMA_VERSION: u64 = 1;

/// One field.
pub struct Field {
    pub name: &'static str,
    /// The type as the manual tells it.
    pub form: &'static str,
    pub doc: &'static str,
    pub value: fn(&Event) -> Option<Value<'_>>,
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Field) -> bool {
        self.name == other.name
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Number(u64),
    Flag(bool),
    Text(String),
    Word(&'static str),
    /// Octets that others chose. In JSON they are a string, or where they are no UTF-8 the field `…_b64`.
    Octets(&'a [u8]),
}

const NUMBER: &str = "number";
const TEXT: &str = "text";
const OCTETS: &str = "octets";
const FLAG: &str = "flag";

/// All fields, in the order in which they are written.
#[rustfmt::skip]
pub const FIELDS: &[Field] = &[
    //    name                  type    meaning                                                             value
    field("version",             NUMBER, "Version of this schema: 1",                                        |_| Some(Value::Number(SCHEMA_VERSION))),
    field("id",                  TEXT,   "Of this event alone: 32 hexadecimal digits, later ones greater",   |e| text(e.id)),
    field("time",                TEXT,   "When it happened: RFC 3339, in UTC, to the microsecond",           |e| text(format_args!("{:.6}", e.time))),
    field("event",               TEXT,   "The kind of event",                                                |e| word(e.kind.name())),
    field("session",             TEXT,   "Of this session alone, as `id`",                                   |e| text(session(e)?.id)),
    field("pid",                 NUMBER, "Process that serves the session",                                  |e| number(session(e)?.pid)),
    field("client_address",      TEXT,   "The client's address",                                             |e| text(session(e).map(|s| s.client.ip()).or(e.act.client)?)),
    field("client_port",         NUMBER, "The client's port",                                                |e| number(session(e)?.client.port())),
    field("server_address",      TEXT,   "The address that the client has connected to",                     |e| text(session(e)?.server.ip())),
    field("server_port",         NUMBER, "The port that the client has connected to",                        |e| number(session(e)?.server.port())),
    field("upstream_address",    TEXT,   "Of a gateway: the server that the session was led to",             |e| text(session(e)?.upstream?.ip())),
    field("upstream_port",       NUMBER, "Its port",                                                         |e| number(session(e)?.upstream?.port())),
    field("tls",                 TEXT,   "Version of TLS on the control connection; absent in the clear",    |e| word(session(e)?.tls?)),
    field("login",               OCTETS, "What the client said with USER",                                   |e| octets(session(e)?.login.as_ref()?.as_bytes())),
    field("user",                OCTETS, "The user, once logged in",                                         |e| octets(user(e)?.name.as_bytes())),
    field("uid",                 NUMBER, "The user's number",                                                |e| number(user(e)?.uid)),
    field("gid",                 NUMBER, "The number of the user's primary group",                           |e| number(user(e)?.gid)),
    field("group",               OCTETS, "The name of the user's primary group",                             |e| octets(user(e)?.group.as_ref()?.as_bytes())),
    field("verb",                TEXT,   "The command's verb; of SITE both words",                           |e| word(e.act.command.as_ref()?.verb().spec().verb)),
    field("arguments",           OCTETS, "The command's arguments; `(hidden)` where they are a secret",      |e| octets(e.act.command.as_ref()?.arguments())),
    field("directory",           OCTETS, "The working directory, as the client sees it",                     |e| octets(e.act.directory.as_ref()?.as_bytes())),
    field("path",                OCTETS, "The path, as the client sees it; of a rename the new one",         |e| octets(e.act.path.as_ref()?.as_bytes())),
    field("real_path",           OCTETS, "The same path outside of every jail",                              |e| octets(e.act.real_path.as_ref()?.as_bytes())),
    field("from",                OCTETS, "The old path of a rename, as the client sees it",                  |e| octets(e.act.from.as_ref()?.as_bytes())),
    field("real_from",           OCTETS, "The same path outside of every jail",                              |e| octets(e.act.real_from.as_ref()?.as_bytes())),
    field("temporary_path",      OCTETS, "Where the file is before it is accepted; outside of every jail",   |e| octets(e.act.temporary.as_ref()?.as_bytes())),
    field("target",              OCTETS, "What a symbolic link points to",                                   |e| octets(e.act.target.as_ref()?.as_bytes())),
    field("size",                NUMBER, "Octets of the file",                                               |e| e.act.size.map(Value::Number)),
    field("offset",              NUMBER, "Where in the file the transfer began",                             |e| e.act.offset.map(Value::Number)),
    field("transferred",         NUMBER, "Octets of the file that were moved",                               |e| e.act.transferred.map(Value::Number)),
    field("duration_ms",         NUMBER, "Milliseconds that it took, or that a ban is long",                 |e| number(u64::try_from(e.act.duration?.as_millis()).ok()?)),
    field("hash_algorithm",      TEXT,   "Digest of the next field, such as `SHA-256`",                      |e| text(e.act.hash.as_ref()?.0.label())),
    field("hash",                TEXT,   "Digest of the file: of whole files in TYPE I that the session has confirmed, and of HASH and its like", |e| text(hex(e.act.hash.as_ref()?.1.as_bytes()))),
    field("mode",                TEXT,   "Permissions after a change, in octal",                             |e| text(format_args!("{:04o}", e.act.mode?))),
    field("replaced",            FLAG,   "Of uploads: whether there was a file of this name before",         |e| e.act.replaced.map(Value::Flag)),
    field("source_address",      TEXT,   "Who makes the data connection",                                    |e| text(data(e)?.source.ip())),
    field("source_port",         NUMBER, "Its port; 0 while nobody knows it",                                |e| number(data(e)?.source.port())),
    field("destination_address", TEXT,   "Who waits for the data connection",                                |e| text(data(e)?.destination.ip())),
    field("destination_port",    NUMBER, "Its port",                                                         |e| number(data(e)?.destination.port())),
    field("connection",          TEXT,   "`FromClient`, `ToClient`, `ToServer` or `FromServer`",             |e| word(data(e)?.connection.name())),
    field("code",                NUMBER, "The code of the reply",                                            |e| number(e.act.reply.as_ref()?.0)),
    field("reply",               OCTETS, "The last line of the reply",                                       |e| octets(e.act.reply.as_ref()?.1.as_bytes())),
    field("result",              TEXT,   "`success`, `failed`, `refused`, `aborted` or `timeout`",           |e| word(e.act.outcome?.name())),
    field("reason",              OCTETS, "Why it is no success; of a logout `quit`, `connection lost`, `timeout`, `server stops`, `begun anew`, `led to another server`, and at a gateway `server gone`", |e| octets(e.act.reason.as_ref()?.as_bytes())),
    field("limit",               TEXT,   "The setting whose limit was hit",                                  |e| word(e.act.limit?)),
    field("session_received",    NUMBER, "At its end: octets of files that the session has received",        |e| number(e.act.moved?.0)),
    field("session_sent",        NUMBER, "At its end: octets of files that the session has sent",            |e| number(e.act.moved?.1)),
];

const fn field(
    name: &'static str,
    form: &'static str,
    doc: &'static str,
    value: fn(&Event) -> Option<Value<'_>>,
) -> Field {
    Field {
        name,
        form,
        doc,
        value,
    }
}

fn session(event: &Event) -> Option<&Session> {
    event.session.as_ref()
}

fn user(event: &Event) -> Option<&User> {
    session(event)?.user.as_ref()
}

fn data(event: &Event) -> Option<&DataConnection> {
    event.act.data.as_ref()
}

fn number<'a>(number: impl Into<u64>) -> Option<Value<'a>> {
    Some(Value::Number(number.into()))
}

fn text<'a>(text: impl ToString) -> Option<Value<'a>> {
    Some(Value::Text(text.to_string()))
}

fn word<'a>(word: &'static str) -> Option<Value<'a>> {
    Some(Value::Word(word))
}

fn octets(octets: &[u8]) -> Option<Value<'_>> {
    Some(Value::Octets(octets))
}

impl Field {
    /// Finds a field by its name.
    pub fn find(name: &str) -> Option<&'static Field> {
        FIELDS.iter().find(|field| field.name == name)
    }
}

impl Value<'_> {
    /// The value as an argument of a program has it.
    pub fn push(&self, argument: &mut Vec<u8>) {
        match self {
            Value::Number(number) => argument.extend_from_slice(number.to_string().as_bytes()),
            Value::Flag(flag) => argument.extend_from_slice(flag.to_string().as_bytes()),
            Value::Text(text) => argument.extend_from_slice(text.as_bytes()),
            Value::Word(word) => argument.extend_from_slice(word.as_bytes()),
            Value::Octets(octets) => argument.extend_from_slice(octets),
        }
    }
}

impl Event {
    /// The event as one JSON object on one line, without the line's end. Fields without a value are left out.
    pub fn to_json(&self) -> String {
        let mut json = String::from("{");
        for field in FIELDS {
            let Some(value) = (field.value)(self) else {
                continue;
            };
            if json.len() > 1 {
                json.push(',');
            }
            let (suffix, value) = json_value(&value);
            json.push_str(&format!("\"{}{suffix}\":{value}", field.name));
        }
        json.push('}');
        json
    }
}

/// What the field's name ends with, and its value.
fn json_value(value: &Value<'_>) -> (&'static str, String) {
    match value {
        Value::Number(number) => ("", number.to_string()),
        Value::Flag(flag) => ("", flag.to_string()),
        Value::Text(text) => ("", quoted(text)),
        Value::Word(word) => ("", quoted(word)),
        Value::Octets(octets) => match std::str::from_utf8(octets) {
            Ok(text) => ("", quoted(text)),
            Err(_) => ("_b64", quoted(&STANDARD.encode(octets))),
        },
    }
}

/// A string in JSON. What ends a line for some readers of Unicode, or moves a terminal, is escaped too, so that an event is
/// always one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for c in serde_json::Value::from(text).to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::bounded::{Name, Path, Text};
    use super::super::event::{
        Act, CommandLine, Connection, DataConnection, Event, Id, Outcome, Session, Time, User,
    };
    use super::super::kind::Kind;
    use super::*;
    use crate::digest::Algorithm;
    use crate::proto::verbs::Verb;
    use proptest::prelude::*;
    use std::time::Duration;

    /// An event that has everything.
    pub(in super::super) fn full() -> Event {
        let path = |path: &str| Some(Path::new(path).unwrap());
        let address = |address: &str| address.parse().unwrap();
        Event {
            id: Id::from_bytes([0xab; 16]),
            time: Time::new(1_764_000_000, 120_000_000).unwrap(),
            kind: Kind::Upload,
            session: Some(Session {
                id: Id::from_bytes([1; 16]),
                pid: 4711,
                client: address("192.0.2.7:40000"),
                server: address("[2001:db8::1]:21"),
                upstream: Some("192.0.2.9:2121".parse().unwrap()),
                tls: Some("TLSv1.3"),
                login: Some(Name::new("Fred").unwrap()),
                user: Some(User {
                    name: Name::new("fred").unwrap(),
                    uid: 1000,
                    gid: 100,
                    group: Some(Name::new("users").unwrap()),
                }),
            }),
            act: Act {
                client: None,
                command: CommandLine::new(Verb::find("STOR").unwrap(), b"in/a b.txt").ok(),
                directory: path("/"),
                path: path("/in/a b.txt"),
                real_path: path("/home/fred/in/a b.txt"),
                from: path("/in/old"),
                real_from: path("/home/fred/in/old"),
                temporary: path("/home/fred/in/.part"),
                target: path("a"),
                size: Some(12),
                offset: Some(2),
                transferred: Some(10),
                duration: Some(Duration::from_millis(1500)),
                hash: Some((Algorithm::Sha256, Algorithm::Sha256.digest(b"x"))),
                mode: Some(0o644),
                replaced: Some(true),
                data: Some(DataConnection {
                    source: address("192.0.2.7:0"),
                    destination: address("[2001:db8::1]:50000"),
                    connection: Connection::FromClient,
                }),
                reply: Some((226, Text::cut("Done"))),
                outcome: Some(Outcome::Success),
                reason: Some(Text::cut("none")),
                limit: Some("MaxClients"),
                moved: Some((10, 20)),
            },
        }
    }

    #[test]
    fn an_event_is_one_object_with_all_fields_in_order() {
        let event = full();
        let parsed: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&event.to_json()).unwrap();
        assert_eq!(parsed.len(), FIELDS.len());
        for field in FIELDS {
            let value = &parsed[field.name];
            let form = match field.form {
                NUMBER => value.is_u64(),
                FLAG => value.is_boolean(),
                _ => value.is_string(),
            };
            assert!(form, "{}: {value}", field.name);
        }
        assert!(event.to_json().starts_with(
            "{\"version\":1,\"id\":\"abababababababababababababababab\",\
             \"time\":\"2025-11-24T16:00:00.120000Z\",\"event\":\"upload\",\"session\":\"0101"
        ));
        assert_eq!(parsed["mode"], "0644");
        assert_eq!(parsed["duration_ms"], 1500);
        assert_eq!(parsed["server_address"], "2001:db8::1");
        assert_eq!(parsed["hash_algorithm"], "SHA-256");
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let event = Event {
            session: None,
            act: Act::default(),
            kind: Kind::Start,
            ..full()
        };
        assert!(event.to_json().ends_with(",\"event\":\"start\"}"));
    }

    #[test]
    fn names_that_are_no_utf8_are_base64_under_another_name() {
        let mut event = full();
        event.act.path = Path::new(*b"/\xff").ok();
        let parsed: serde_json::Value = serde_json::from_str(&event.to_json()).unwrap();
        assert_eq!(parsed["path_b64"], "L/8=");
        assert!(parsed.get("path").is_none());
    }

    proptest! {
        #[test]
        fn any_name_is_one_string_of_one_line(name in proptest::collection::vec(1u8..=255, 0..300)) {
            let mut event = full();
            event.act.path = Path::new(name.clone()).ok();
            let json = event.to_json();
            let ends_line = |c: char| c.is_control() || ('\u{2028}'..='\u{2029}').contains(&c);
            prop_assert!(!json.chars().any(ends_line), "{}", json);
            let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
            let read = match parsed.get("path") {
                Some(path) => path.as_str().unwrap().as_bytes().to_vec(),
                None => STANDARD.decode(parsed["path_b64"].as_str().unwrap()).unwrap(),
            };
            prop_assert_eq!(read, name);
        }
    }
}
