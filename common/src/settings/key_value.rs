//! Reads a `Key=Value` file into assignments. Pure: no I/O.

use std::path::Path;

use super::assign::{Assignment, Origin, SettingError, lookup};
use super::table::{Kind, Setting, Settings};

/// Splits a file into assignments. Keys may be in any case, lines may end with CRLF, `#` begins a comment line, and the
/// value is everything after the first `=`. A key that comes twice is an error: one of the two would be without effect.
pub(super) fn parse(
    settings: &Settings,
    path: &Path,
    octets: &[u8],
    errors: &mut Vec<SettingError>,
) -> Vec<Assignment> {
    let mut assignments: Vec<Assignment> = Vec::new();
    let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
    for (line, octets) in (1..).zip(octets.split(|&b| b == b'\n')) {
        let origin = Origin::File {
            path: path.to_owned(),
            line,
        };
        match parse_line(settings, octets) {
            Ok(None) => {}
            Ok(Some((setting, text))) => {
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
    assignments
}

fn parse_line<'a>(
    settings: &Settings,
    octets: &'a [u8],
) -> Result<Option<(&'static Setting, &'a str)>, String> {
    let line = std::str::from_utf8(octets).map_err(|_| "the line is not UTF-8".to_owned())?;
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (key, text) = match line.split_once('=') {
        Some((key, text)) => (key.trim_end(), Some(text.trim_start())),
        None => (line, None),
    };
    let setting = lookup(settings, key)?;
    match text {
        Some(text) => Ok(Some((setting, text))),
        None if setting.kind == Kind::Switch => Ok(Some((setting, ""))),
        None => Err(format!(
            "{key} needs a value: {key}={}",
            setting.value_name(),
            key = setting.key
        )),
    }
}
