//! Lines that say how it went with a file: `name: OK`, in colours on a terminal, or objects in JSON.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use common::cli::out::Out;
use serde_json::Value;

use crate::manifest::{Ending, json_path};
use crate::progress::Meter;

/// How much is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tell {
    All,
    /// Not what is well.
    Failures,
    /// Only what hinders checking.
    Nothing,
}

/// How verdicts are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Lines,
    Json,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    /// As far as this says.
    OkFor(String),
    Failed,
    Unreadable,
    /// Nothing can be said, and why.
    Unknown(String),
}

impl Verdict {
    pub(crate) fn is_good(&self) -> bool {
        matches!(self, Verdict::Ok | Verdict::OkFor(_))
    }

    /// The verdict as an object has it, and what there is to say beside it.
    fn word(&self) -> (&'static str, Option<&str>) {
        match self {
            Verdict::Ok => ("ok", None),
            Verdict::OkFor(what) => ("ok", Some(what)),
            Verdict::Failed => ("failed", None),
            Verdict::Unreadable => ("unreadable", None),
            Verdict::Unknown(why) => ("unknown", Some(why)),
        }
    }

    fn object(&self, name: &[u8]) -> String {
        let (word, note) = self.word();
        let note = note.map(|note| format!(",\"note\":{}", Value::from(note)));
        let note = note.unwrap_or_default();
        format!("{{{},\"verdict\":\"{word}\"{note}}}\n", json_path(name))
    }

    fn text(&self) -> String {
        match self {
            Verdict::Ok => "OK".to_owned(),
            Verdict::OkFor(what) => format!("OK ({what})"),
            Verdict::Failed => "FAILED".to_owned(),
            Verdict::Unreadable => "FAILED open or read".to_owned(),
            Verdict::Unknown(why) => format!("NOT CONFIRMED ({why})"),
        }
    }
}

/// Where verdicts go.
pub(crate) struct Verdicts<'a> {
    tell: Tell,
    form: Form,
    colours: bool,
    meter: &'a Meter,
    out: &'a mut Out,
}

impl<'a> Verdicts<'a> {
    pub(crate) fn new(tell: Tell, form: Form, meter: &'a Meter, out: &'a mut Out) -> Verdicts<'a> {
        Verdicts {
            tell,
            form,
            colours: colours(),
            meter,
            out,
        }
    }

    /// Says what hinders checking.
    pub(crate) fn complain(&self, path: &Path, what: impl Display) {
        self.meter.aside(|| crate::complain(path, what));
    }

    /// Says what was not well in all.
    pub(crate) fn warn(&self, what: impl Display) {
        let warning = format_args!("WARNING: {what}").to_string();
        self.meter
            .aside(|| common::cli::out::complain(crate::PROGRAM, warning));
    }

    /// Tells a verdict, if it is to be told.
    ///
    /// # Errors
    /// Those of the standard output.
    pub(crate) fn tell(&mut self, name: &[u8], verdict: &Verdict) -> io::Result<()> {
        let shown = match self.tell {
            Tell::All => true,
            Tell::Failures => !verdict.is_good(),
            Tell::Nothing => false,
        };
        if !shown {
            return Ok(());
        }
        let line = match self.form {
            Form::Lines => self.line(name, verdict),
            Form::Json => verdict.object(name).into_bytes(),
        };
        self.meter.aside(|| {
            self.out.write_all(&line)?;
            self.out.flush()
        })
    }

    fn line(&self, name: &[u8], verdict: &Verdict) -> Vec<u8> {
        // As coreutils: only a name that would break the line is escaped here.
        let breaks = name.iter().any(|b| matches!(b, b'\n' | b'\r'));
        let (mark, name) = match breaks {
            true => Ending::Newline.name(name),
            false => (b"".as_slice(), name.to_vec()),
        };
        let mut text = verdict.text();
        if self.colours {
            text = painted(&text, if verdict.is_good() { GREEN } else { RED });
        }
        [mark, &name, b": ", text.as_bytes(), b"\n"].concat()
    }
}

/// Whether colours are welcome: on a terminal, unless NO_COLOR (no-color.org) is set.
pub(crate) fn colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|word| word.is_empty())
}

/// SGR parameters of ECMA-48.
pub(crate) const RED: &str = "31";
pub(crate) const GREEN: &str = "32";

pub(crate) fn painted(text: &str, colour: &str) -> String {
    format!("\x1b[{colour}m{text}\x1b[0m")
}
