//! The variables of LogFormat, as mod_exec's users know them, by letter and by long name; beside them every field of an
//! event is a long name. Pure: no I/O.

use std::time::Duration;

use super::event::{Event, Outcome};
use super::field::{FIELDS, Field, Value};
use crate::settings::nearest::nearest;
use crate::settings::value::shown;

/// A variable of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Variable {
    Field(&'static Field),
    Row(&'static Row),
    /// Of the daemon's own environment.
    Environment(String),
    /// The event's time in a format of strftime.
    Time(String),
}

/// A variable that is no field under its own name.
pub struct Row {
    /// The letter behind `%`.
    pub letter: Option<char>,
    /// The name within `%{…}`.
    pub long: Option<&'static str>,
    pub doc: &'static str,
    value: fn(&Event) -> Option<Value<'_>>,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", self.letter, self.long)
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Row) -> bool {
        (self.letter, self.long) == (other.letter, other.long)
    }
}

/// All of them.
#[rustfmt::skip]
pub const VARIABLES: &[Row] = &[
    row('a', "remote-address",    "Address of the client",                               |e| of(e, "client_address")),
    row('b', "bytes",             "Octets of the transfer; of a deleted file its size",  |e| of(e, "transferred").or_else(|| of(e, "size"))),
    letter('C',                   "Working directory, as the client sees it",            |e| of(e, "directory")),
    letter('D',                   "Path, as the client sees it",                         |e| of(e, "path")),
    letter('d',                   "Last part of the path",                               basename),
    letter('E',                   "Why the session has ended",                           |e| of(e, "reason")),
    letter('F',                   "Path, as the client sees it",                         |e| of(e, "path")),
    letter('f',                   "Path outside of every jail",                          |e| of(e, "real_path")),
    letter('g',                   "Primary group of the user",                           |e| of(e, "group")),
    letter('H',                   "Address that the client has connected to",            |e| of(e, "server_address")),
    letter('h',                   "Address of the client: its name is not looked up",    |e| of(e, "client_address")),
    letter('I',                   "Octets that the session has received",                |e| of(e, "session_received")),
    letter('J',                   "Arguments of the command",                            |e| of(e, "arguments")),
    letter('L',                   "Address that the client has connected to",            |e| of(e, "server_address")),
    letter('m',                   "Verb of the command",                                 |e| of(e, "verb")),
    letter('O',                   "Octets that the session has sent",                    |e| of(e, "session_sent")),
    letter('P',                   "Process that serves the session",                     |e| of(e, "pid")),
    letter('p',                   "Port that the client has connected to",               |e| of(e, "server_port")),
    letter('R',                   "Milliseconds that it took",                           |e| of(e, "duration_ms")),
    letter('r',                   "Verb and arguments of the command",                   whole_command),
    letter('S',                   "Text of the reply",                                   |e| of(e, "reply")),
    letter('s',                   "Code of the reply",                                   |e| of(e, "code")),
    letter('T',                   "Seconds that it took, with three decimals",           |e| e.act.duration.map(seconds)),
    letter('t',                   "Time of the event, in UTC",                           |e| Some(Value::Text(e.time.strftime("%Y-%m-%d %H:%M:%S +0000").to_string()))),
    letter('U',                   "What the client said with USER",                      |e| of(e, "login")),
    letter('u',                   "User who has logged in",                              |e| of(e, "user")),
    letter('w',                   "Old path of a rename, as the client sees it",         |e| of(e, "from")),
    long("basename",              "Last part of the path",                               basename),
    long("epoch",                 "Time of the event, in seconds since 1970",            |e| u64::try_from(e.time.as_second()).ok().map(Value::Number)),
    long("file-modified",         "Whether there was a file of this name before",        |e| of(e, "replaced")),
    long("file-offset",           "Where in the file the transfer began",                |e| of(e, "offset")),
    long("file-size",             "Octets of the file",                                  |e| of(e, "size")),
    long("iso8601",               "Time of the event, in UTC, to the second",            |e| Some(Value::Text(e.time.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string()))),
    long("microsecs",             "Microseconds of the event's second",                  |e| u64::try_from(e.time.subsec_microsecond()).ok().map(Value::Number)),
    long("millisecs",             "Milliseconds of the event's second",                  |e| u64::try_from(e.time.subsec_millisecond()).ok().map(Value::Number)),
    long("protocol",              "`ftps` under TLS, else `ftp`",                        |e| e.session.as_ref().map(|s| Value::Word(if s.tls.is_some() { "ftps" } else { "ftp" }))),
    long("remote-port",           "Port of the client",                                  |e| of(e, "client_port")),
    long("transfer-failure",      "Why the transfer is no success",                      |e| of(e, "reason")),
    long("transfer-millisecs",    "Milliseconds that the transfer took",                 |e| of(e, "duration_ms")),
    long("transfer-port",         "Port that waits for the data connection",             |e| of(e, "destination_port")),
    long("transfer-speed",        "KiB a second",                                        speed),
    long("transfer-status",       "`success`, `failed`, `cancelled`, `timeout`",         |e| e.act.outcome.map(status)),
];

/// What LogFormat has and an event has not, and why.
const NOT_HERE: &[(&str, &str)] = &[
    (
        "A",
        "what strangers give as a password goes to nobody; use %U",
    ),
    (
        "c",
        "there are no classes of connections; use match.network",
    ),
    ("l", "nobody is asked by IDENT; leave it out"),
    ("V", "the server has no name of its own; use %L"),
    ("v", "the server has no name of its own; use %L"),
    ("note", "there are no notes; leave it out"),
    ("var", "there are no SQL variables; leave it out"),
    ("transfer-type", "use %r of a hook on TYPE"),
];

const fn letter(letter: char, doc: &'static str, value: fn(&Event) -> Option<Value<'_>>) -> Row {
    Row {
        letter: Some(letter),
        long: None,
        doc,
        value,
    }
}

const fn long(
    name: &'static str,
    doc: &'static str,
    value: fn(&Event) -> Option<Value<'_>>,
) -> Row {
    Row {
        letter: None,
        long: Some(name),
        doc,
        value,
    }
}

const fn row(
    letter: char,
    name: &'static str,
    doc: &'static str,
    value: fn(&Event) -> Option<Value<'_>>,
) -> Row {
    Row {
        letter: Some(letter),
        long: Some(name),
        doc,
        value,
    }
}

impl Variable {
    /// Finds the variable of a letter.
    pub(super) fn of_letter(letter: char) -> Result<Variable, String> {
        if let Some(row) = VARIABLES.iter().find(|row| row.letter == Some(letter)) {
            return Ok(Variable::Row(row));
        }
        let name = shown(&letter.to_string());
        Err(not_here(&name).unwrap_or_else(|| {
            let letters: String = VARIABLES.iter().filter_map(|row| row.letter).collect();
            format!(
                "unknown variable \"%{name}\": the letters are {letters}, and a percent sign is written %%"
            )
        }))
    }

    /// Finds the variable of a name in braces.
    pub(super) fn of_name(name: &str) -> Result<Variable, String> {
        if let Some(field) = Field::find(name) {
            return Ok(Variable::Field(field));
        }
        if let Some(row) = VARIABLES.iter().find(|row| row.long == Some(name)) {
            return Ok(Variable::Row(row));
        }
        match name.split_once(':') {
            Some(("env", variable)) => return Variable::of_environment(variable),
            Some(("time", format)) => return Variable::of_time(format),
            _ => {}
        }
        let word = name.split(':').next().unwrap_or(name);
        Err(not_here(word).unwrap_or_else(|| {
            let fields = FIELDS.iter().map(|field| field.name);
            let names = fields.chain(VARIABLES.iter().filter_map(|row| row.long));
            let hint = nearest(name, names)
                .map(|name| format!(", did you mean \"%{{{name}}}\"?"))
                .unwrap_or_default();
            format!("unknown variable \"%{{{}}}\"{hint}", shown(name))
        }))
    }

    /// The variable of the daemon's environment that has this name.
    pub(super) fn of_environment(name: &str) -> Result<Variable, String> {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(format!(
                "\"{}\" is not a name of the environment",
                shown(name)
            ));
        }
        Ok(Variable::Environment(name.to_owned()))
    }

    /// The time in a format, which is tried now so that it cannot fail later.
    pub(super) fn of_time(format: &str) -> Result<Variable, String> {
        let tried = jiff::fmt::strtime::format(format, jiff::Timestamp::UNIX_EPOCH);
        match tried {
            Ok(_) => Ok(Variable::Time(format.to_owned())),
            Err(error) => Err(format!(
                "\"{}\" is not a format of a time: {error}",
                shown(format)
            )),
        }
    }

    /// Adds the value for an event; nothing where it has none.
    pub(super) fn push(
        &self,
        event: &Event,
        environment: &dyn Fn(&str) -> Option<Vec<u8>>,
        argument: &mut Vec<u8>,
    ) {
        match self {
            Variable::Field(field) => push(&(field.value)(event), argument),
            Variable::Row(row) => push(&(row.value)(event), argument),
            Variable::Environment(name) => {
                argument.extend_from_slice(&environment(name).unwrap_or_default());
            }
            Variable::Time(format) => {
                let time = jiff::fmt::strtime::format(format, event.time).unwrap_or_default();
                argument.extend_from_slice(time.as_bytes());
            }
        }
    }
}

fn push(value: &Option<Value<'_>>, argument: &mut Vec<u8>) {
    if let Some(value) = value {
        value.push(argument);
    }
}

fn not_here(name: &str) -> Option<String> {
    let (_, why) = NOT_HERE.iter().find(|(known, _)| *known == name)?;
    let percent = match name.len() {
        1 => format!("%{name}"),
        _ => format!("%{{{name}}}"),
    };
    Some(format!("\"{percent}\" is not offered: {why}"))
}

fn of<'a>(event: &'a Event, field: &str) -> Option<Value<'a>> {
    (Field::find(field)?.value)(event)
}

fn basename(event: &Event) -> Option<Value<'_>> {
    let path = event.act.path.as_ref()?.as_bytes();
    let name = path.rsplit(|&octet| octet == b'/').next()?;
    Some(Value::Octets(if name.is_empty() { path } else { name }))
}

fn whole_command(event: &Event) -> Option<Value<'_>> {
    event
        .act
        .command
        .as_ref()
        .map(|line| Value::Octets(line.whole()))
}

fn seconds(duration: Duration) -> Value<'static> {
    Value::Text(format!("{:.3}", duration.as_secs_f64()))
}

fn speed(event: &Event) -> Option<Value<'_>> {
    let milliseconds = event.act.duration?.as_millis().max(1);
    let kib = u128::from(event.act.transferred?) * 1000 / milliseconds / 1024;
    Some(Value::Number(u64::try_from(kib).ok()?))
}

fn status(outcome: Outcome) -> Value<'static> {
    Value::Word(match outcome {
        Outcome::Success => "success",
        Outcome::Failed | Outcome::Refused => "failed",
        Outcome::Aborted => "cancelled",
        Outcome::TimedOut => "timeout",
    })
}

#[cfg(test)]
mod tests {
    use super::super::field::tests::full;
    use super::*;

    #[test]
    fn every_variable_has_a_value_where_everything_is_known() {
        let event = full();
        for row in VARIABLES {
            assert!((row.value)(&event).is_some(), "{row:?}");
        }
    }

    #[test]
    fn no_name_means_two_things() {
        for (number, row) in VARIABLES.iter().enumerate() {
            for other in &VARIABLES[..number] {
                assert!(row.letter.is_none() || row.letter != other.letter);
                assert!(row.long.is_none() || row.long != other.long);
            }
            assert!(row.long.is_none_or(|name| Field::find(name).is_none()));
        }
    }
}
