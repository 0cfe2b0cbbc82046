//! Reads a `Key=Value` file into assignments. Pure: no I/O.

use std::path::Path;

use super::assign::{Assignment, Origin, SettingError, lookup_among};
use super::hooks::{Hooks, Lines};
use super::table::{Kind, Setting, Settings};
use crate::hooks::directive::Directive;

/// What a file says.
#[derive(Default)]
pub(super) struct Parsed {
    pub(super) assignments: Vec<Assignment>,
    pub(super) hooks: Hooks,
}

enum Line<'a> {
    Nothing,
    Setting(&'static Setting, &'a str),
    Directive(Directive, &'a str),
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
        let origin = Origin::File {
            path: path.to_owned(),
            line,
        };
        match parse_line(settings, octets) {
            Ok(Line::Nothing) => {}
            Ok(Line::Directive(directive, text)) => {
                errors.extend(lines.push(directive, text, &origin).err());
            }
            Ok(Line::Setting(setting, text)) => {
                let earlier = assignments.iter().find(|a| a.setting.key == setting.key);
                if let Some(Origin::File { line, .. }) = earlier.map(|earlier| &earlier.origin) {
                    errors.push(SettingError {
                        origin,
                        message: format!("{} is already set on line {line}", setting.key),
                    });
                } else {
                    assignments.push(Assignment {
                        setting,
                        text: text.to_owned(),
                        base: None,
                        content_of: None,
                        origin,
                    });
                }
            }
            Err(message) => errors.push(SettingError { origin, message }),
        }
    }
    let hooks = lines.finish().unwrap_or_else(|error| {
        errors.push(error);
        Hooks::default()
    });
    Parsed { assignments, hooks }
}

fn parse_line<'a>(settings: &Settings, octets: &'a [u8]) -> Result<Line<'a>, String> {
    let line = std::str::from_utf8(octets).map_err(|_| "the line is not UTF-8".to_owned())?;
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(Line::Nothing);
    }
    let (key, text) = match line.split_once('=') {
        Some((key, text)) => (key.trim_end(), Some(text.trim_start())),
        None => (line, None),
    };
    if settings.hooks
        && let Some(directive) = Directive::find(key)
    {
        return Ok(Line::Directive(directive, text.unwrap_or_default()));
    }
    let directives = Directive::ALL.map(Directive::name);
    let words: &[&str] = if settings.hooks { &directives } else { &[] };
    let setting = lookup_among(settings, key, words)?;
    match text {
        Some(text) => Ok(Line::Setting(setting, text)),
        None if setting.kind == Kind::Switch => Ok(Line::Setting(setting, "")),
        None => Err(format!(
            "{key} needs a value: {key}={}",
            setting.value_name(),
            key = setting.key
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
            ["f:2: unknown key \"ExecEngine on\", did you mean \"ExecEngine\"?"]
        );
        let places: Vec<_> = parsed
            .hooks
            .all
            .iter()
            .map(|h| h.origin.to_string())
            .collect();
        assert_eq!(places, ["f:4", "f:5"]);
        assert_eq!(parsed.hooks.log, Some("/var/log/hooks".into()));
        assert_eq!(parsed.assignments.len(), 1);
    }

    #[test]
    fn what_is_wrong_with_a_directive_is_told_with_its_line() {
        let (_, errors) = parse("\nExecOnExit=/x %q\nExecOnFoo=1\n");
        assert!(errors[0].starts_with("f:2: ExecOnExit: unknown variable \"%q\""));
        assert_eq!(errors[1], "f:3: unknown key \"ExecOnFoo\"");
        assert!(
            errors[2].starts_with("f:2: without ExecEngine"),
            "{errors:?}"
        );
    }
}
