//! Reads single values of `[[hook]]` tables. Pure: no I/O.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use ::toml::de::DeValue;

use super::super::directive::{did_you_mean, program};
use super::super::hook::{RateLimit, RunAs};
use super::super::kind::{Kind, KindSet};
use super::super::matching::{Match, PathPatterns, UserPatterns};
use super::super::template::Template;
use crate::proto::verbs::VerbSet;
use crate::settings::networks::Networks;
use crate::settings::permitted::named;
use crate::settings::value::{Value, Wrong, Zero, digits, shown};

/// What is wrong, and at which octets of the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
}

/// The value of a key.
pub(super) struct Item<'a> {
    pub(super) key: &'static str,
    pub(super) value: &'a DeValue<'a>,
    pub(super) span: Range<usize>,
}

impl Item<'_> {
    pub(super) fn because(&self, message: impl Into<String>) -> Told {
        told(self.span.clone(), message)
    }

    pub(super) fn not(&self, expected: &str) -> Told {
        self.because(format!("\"{}\" is not {expected}", self.key))
    }

    pub(super) fn text(&self) -> Result<&str, Told> {
        self.value.as_str().ok_or_else(|| self.not("a string"))
    }

    pub(super) fn flag(&self) -> Result<bool, Told> {
        self.value
            .as_bool()
            .ok_or_else(|| self.not("true or false"))
    }

    pub(super) fn path(&self) -> Result<PathBuf, Told> {
        program(self.text()?).map_err(|message| self.because(message))
    }

    pub(super) fn time(&self) -> Result<Duration, Told> {
        let number;
        let text = match self.value {
            DeValue::Integer(integer) => {
                number = integer.to_string();
                &number
            }
            _ => self.text()?,
        };
        let value = Value { text, base: None };
        let wrong = |wrong: Wrong| self.because(wrong.sentence(text));
        value.interval(Zero::Refuse).map_err(wrong)
    }

    pub(super) fn number(&self, least: u32, most: u32) -> Result<u32, Told> {
        let DeValue::Integer(integer) = self.value else {
            return Err(self.not("a number"));
        };
        u32::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| self.not(&format!("a number from {least} to {most}")))
    }

    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, Told> {
        let text = self.text()?;
        let chosen = choices.iter().find(|(name, _)| *name == text);
        chosen.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            let hint = did_you_mean(text, names.iter().copied());
            let names = names.join(", ");
            self.because(format!("\"{}\" is none of {names}{hint}", shown(text)))
        })
    }

    /// A string, or a list of them, each with its place.
    pub(super) fn texts(&self) -> Result<Vec<(&str, Range<usize>)>, Told> {
        match self.value {
            DeValue::String(text) => Ok(vec![(text, self.span.clone())]),
            DeValue::Array(items) => items
                .iter()
                .map(|item| match item.get_ref().as_str() {
                    Some(text) => Ok((text, item.span())),
                    None => Err(told(
                        item.span(),
                        format!("\"{}\" is a list of strings", self.key),
                    )),
                })
                .collect(),
            _ => Err(self.not("a string or a list of strings")),
        }
    }
}

pub(super) fn told(span: Range<usize>, message: impl Into<String>) -> Told {
    Told {
        span,
        message: message.into(),
    }
}

pub(super) fn events(item: &Item<'_>) -> Result<KindSet, Told> {
    let mut events = KindSet::NONE;
    for (name, span) in item.texts()? {
        if name == "all" {
            // Every command as well would be a flood that hardly anybody means.
            Kind::ALL
                .into_iter()
                .filter(|&kind| kind != Kind::Command)
                .for_each(|kind| events.insert(kind));
            continue;
        }
        match Kind::find(name) {
            Some(Kind::Command) => {
                return Err(told(
                    span,
                    "commands are named by \"commands\", such as commands = [\"ALL\"]",
                ));
            }
            Some(kind) => events.insert(kind),
            None => {
                let hint = did_you_mean(name, Kind::ALL.map(Kind::name));
                return Err(told(
                    span,
                    format!("unknown event \"{}\"{hint}", shown(name)),
                ));
            }
        }
    }
    Ok(events)
}

pub(super) fn verbs(item: &Item<'_>) -> Result<VerbSet, Told> {
    let mut verbs = VerbSet::NONE;
    for (word, span) in item.texts()? {
        let named = named(word).map_err(|wrong| told(span, wrong.sentence(word)))?;
        verbs = VerbSet::from_bits(verbs.bits() | named.bits());
    }
    Ok(verbs)
}

pub(super) fn matches(item: &Item<'_>) -> Result<Match, Told> {
    let DeValue::Table(table) = item.value else {
        return Err(item.not("a table such as { user = \"fred\", path = \"/in/**\" }"));
    };
    let mut matches = Match::default();
    for (name, value) in table {
        let inner = Item {
            key: "match",
            value: value.get_ref(),
            span: value.span(),
        };
        let texts = inner.texts()?;
        let words: Vec<&str> = texts.iter().map(|(text, _)| *text).collect();
        let too_long = |_| inner.because("a pattern is longer than 256 octets");
        match name.get_ref().as_ref() {
            "user" => matches.users = Some(UserPatterns::parse(&words).map_err(too_long)?),
            "path" => matches.paths = Some(PathPatterns::parse(&words).map_err(too_long)?),
            "network" => {
                let list = words.join(",");
                let networks = Networks::parse(&list);
                matches.networks = Some(networks.map_err(|w| inner.because(w.sentence(&list)))?);
            }
            other => {
                let hint = did_you_mean(other, ["user", "path", "network"]);
                let message = format!("unknown name \"hook.match.{}\"{hint}", shown(other));
                return Err(told(name.span(), message));
            }
        }
    }
    Ok(matches)
}

/// Reads a template; the place of an error is that of the variable, where nothing before it is written in another way.
pub(super) fn template(text: &str, span: &Range<usize>) -> Result<Template, Told> {
    Template::parse(text).map_err(|error| {
        let plain = span.len() == text.len() + 2;
        let start = if plain {
            span.start + 1 + error.at
        } else {
            span.start
        };
        let end = if plain { span.end - 1 } else { span.end };
        told(start..end, error.message)
    })
}

/// SECURITY: what a webhook sends names users and files, so it goes to HTTPS only; a name and password would be in messages.
pub(super) fn url(item: &Item<'_>) -> Result<String, Told> {
    let text = item.text()?;
    let host = text
        .strip_prefix("https://")
        .and_then(|rest| rest.split('/').next());
    let plain = |b: u8| b.is_ascii_graphic();
    match host {
        None | Some("") => Err(item.because("a webhook is https://HOST[:PORT]/PATH")),
        Some(host) if host.contains('@') => {
            Err(item
                .because("no name and password in a URL: it is shown in messages; use secret-file"))
        }
        Some(_) if !text.bytes().all(plain) || text.len() > 2048 => {
            Err(item.because("a URL is up to 2048 printable ASCII characters"))
        }
        Some(_) => Ok(text.to_owned()),
    }
}

pub(super) fn run_as(item: &Item<'_>) -> Result<RunAs, Told> {
    let text = item.text()?;
    match text {
        "user" => return Ok(RunAs::User),
        "hook" => return Ok(RunAs::Hook),
        "root" => return Ok(RunAs::Root),
        _ => {}
    }
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group.to_owned())),
        None => (text, None),
    };
    if user.is_empty() || group.as_deref() == Some("") {
        return Err(item.because("write \"user\", \"hook\", \"root\", NAME or NAME:GROUP"));
    }
    Ok(RunAs::Named {
        user: user.to_owned(),
        group,
    })
}

pub(super) fn environment(item: &Item<'_>) -> Result<Vec<(String, Template)>, Told> {
    let DeValue::Table(table) = item.value else {
        return Err(item.not("a table such as { NAME = \"text\" }"));
    };
    let mut environment = Vec::new();
    for (name, value) in table {
        let word = name.get_ref();
        if word.is_empty() || word.contains(['=', '\0']) {
            let message = format!("\"{}\" is not a name of the environment", shown(word));
            return Err(told(name.span(), message));
        }
        let Some(text) = value.get_ref().as_str() else {
            return Err(told(
                value.span(),
                "a variable of the environment is a string",
            ));
        };
        environment.push((word.clone().into_owned(), template(text, &value.span())?));
    }
    Ok(environment)
}

pub(super) fn rate(item: &Item<'_>) -> Result<RateLimit, Told> {
    let text = item.text()?;
    let parsed = text.split_once('/').and_then(|(count, unit)| {
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return None,
        };
        let count = digits(count).filter(|&count: &u32| count > 0)?;
        Some(RateLimit {
            count,
            per: Duration::from_secs(seconds),
        })
    });
    parsed.ok_or_else(|| {
        item.because(format!(
            "\"{}\" is not a rate such as 50/s, 10/m or 5/h",
            shown(text)
        ))
    })
}
