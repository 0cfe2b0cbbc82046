//! Reads a `Key=Value` file into assignments. Pure: no I/O.

use std::ops::Range;
use std::path::Path;

use super::assign::{Assignment, Origin, Place, SettingError, lookup_among};
use super::hooks::{Hooks, Lines};
use super::table::{Kind, Setting, Settings};
use super::value::shown;
use crate::hooks::directive::Directive;

/// What a file says.
#[derive(Default)]
pub(super) struct Parsed {
    pub(super) assignments: Vec<Assignment>,
    pub(super) hooks: Hooks,
}

enum Line<'a> {
    Nothing,
    Setting(&'static Setting, &'a str, Range<usize>),
    Directive(Directive, &'a str, Range<usize>),
}

/// Splits a file into assignments. Keys may be in any case, lines may end with CRLF, `#` begins a comment line, and the
/// value is everything after the first `=`. A key that comes twice is an error, as one of the two would be without effect;
/// mod_exec's directives may come often.
pub(super) fn parse(
    settings: &Settings,
    path: &Path,
    octets: &[u8],
    errors: &mut Vec<SettingError>,
) -> Parsed {
    let mut lines = Lines::default();
    let mut assignments: Vec<Assignment> = Vec::new();
    let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
    for (line, octets) in (1..).zip(octets.split(|&b| b == b'\n')) {
        let text = String::from_utf8_lossy(octets);
        let origin = |place: Range<usize>| Origin::Placed {
            path: path.to_owned(),
            at: Place::within(line, &text, place),
        };
        match parse_line(settings, octets) {
            Ok(Line::Nothing) => {}
            Ok(Line::Directive(directive, text, place)) => {
                errors.extend(lines.push(directive, text, &origin(place)).err());
            }
            Ok(Line::Setting(setting, text, place)) => {
                let earlier = assignments.iter().find(|a| a.setting.key == setting.key);
                if let Some(Origin::Placed { at, .. }) = earlier.map(|earlier| &earlier.origin) {
                    errors.push(SettingError {
                        message: format!(
                            "{} is already set on line {}: leave one of them out",
                            setting.key, at.line
                        ),
                        origin: origin(place),
                    });
                } else {
                    assignments.push(Assignment {
                        setting,
                        text: text.to_owned(),
                        base: None,
                        content_of: None,
                        origin: origin(place),
                    });
                }
            }
            Err((place, message)) => errors.push(SettingError {
                origin: origin(place),
                message,
            }),
        }
    }
    let hooks = lines.finish().unwrap_or_else(|error| {
        errors.push(error);
        Hooks::default()
    });
    Parsed { assignments, hooks }
}

/// What is wrong with a line, and where in it, in octets.
type Wrong = (Range<usize>, String);

fn parse_line<'a>(settings: &Settings, octets: &'a [u8]) -> Result<Line<'a>, Wrong> {
    let line = std::str::from_utf8(octets).map_err(|error| {
        let at = error.valid_up_to();
        let sentence = "this is not UTF-8: save the file in that encoding";
        (at..at + 1, sentence.to_owned())
    })?;
    let line = line.trim_end();
    let said = line.trim_start();
    if said.is_empty() || said.starts_with('#') {
        return Ok(Line::Nothing);
    }
    let start = line.len() - said.len();
    let (key, text) = match said.split_once('=') {
        Some((key, text)) => (key.trim_end(), Some(text.trim_start())),
        None => (said, None),
    };
    let whole = start..start + key.len();
    if key.is_empty() {
        return Err((start..start + 1, "there is no key before the =".to_owned()));
    }
    // What follows the = is the end of the line; without it the key is the place.
    let place = match text {
        Some(text) if !text.is_empty() => line.len() - text.len()..line.len(),
        _ => whole.clone(),
    };
    if settings.hooks
        && let Some(directive) = Directive::find(key)
    {
        return Ok(Line::Directive(directive, text.unwrap_or_default(), place));
    }
    if text.is_none()
        && let Some((first, rest)) = said.split_once(char::is_whitespace)
        && settings.find(first).is_some()
    {
        let meant = shown(rest.trim_start());
        return Err((
            whole,
            format!("a = is missing: did you mean \"{first}={meant}\"?"),
        ));
    }
    let directives = Directive::ALL.map(Directive::name);
    let words: &[&str] = if settings.hooks { &directives } else { &[] };
    let setting = lookup_among(settings, key, words).map_err(|message| (whole.clone(), message))?;
    match text {
        Some(text) => Ok(Line::Setting(setting, text, place)),
        None if setting.kind == Kind::Switch => Ok(Line::Setting(setting, "", place)),
        None => Err((
            whole,
            format!(
                "{key} needs a value: {key}={}",
                setting.value_name(),
                key = setting.key
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::FTPD;
    use super::*;

    fn parse(text: &str) -> (Parsed, Vec<String>) {
        let mut errors = Vec::new();
        let parsed = super::parse(FTPD, Path::new("f"), text.as_bytes(), &mut errors);
        (parsed, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn directives_of_mod_exec_may_come_often() {
        let (parsed, errors) = parse(
            "Port=2121\nExecEngine on\nexecengine=on\nExecOnCommand=STOR /a %f\n\
             ExecOnCommand=STOR /b %f\nExecLog=/var/log/hooks\n",
        );
        assert_eq!(
            errors,
            ["f:2:1: unknown key \"ExecEngine on\", did you mean \"ExecEngine\"?"]
        );
        let places: Vec<_> = parsed
            .hooks
            .all
            .iter()
            .map(|h| h.origin.to_string())
            .collect();
        assert_eq!(places, ["f:4:15", "f:5:15"]);
        assert_eq!(parsed.hooks.log, Some("/var/log/hooks".into()));
        assert_eq!(parsed.assignments.len(), 1);
    }

    #[test]
    fn a_line_without_a_key_or_its_end_is_told() {
        let (_, errors) = parse("Port 2121\n =3\n");
        let expected = [
            "f:1:1: a = is missing: did you mean \"Port=2121\"?",
            "f:2:2: there is no key before the =",
        ];
        assert_eq!(errors, expected);
    }

    #[test]
    fn what_is_wrong_with_a_directive_is_told_with_its_line() {
        let (_, errors) = parse("\nExecOnExit=/x %q\nExecOnFoo=1\n");
        assert!(errors[0].starts_with("f:2:12: ExecOnExit: unknown variable \"%q\""));
        assert_eq!(
            errors[1],
            "f:3:1: unknown key \"ExecOnFoo\": metaftpd.conf(5) has all keys"
        );
        assert!(
            errors[2].starts_with("f:2:12: without ExecEngine"),
            "{errors:?}"
        );
    }
}
