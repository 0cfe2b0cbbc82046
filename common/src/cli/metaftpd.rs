//! MetaFTPd's `-user add`, `del` and `list`: the same words for `ftpuser`, which does that here. Pure: starts nothing.

use std::ffi::OsString;

/// What `ftpuser` is asked for by a command line of MetaFTPd's; `None` for any other one.
///
/// As there, an option may stand anywhere, and a user who exists already is replaced. `-h`, which MetaFTPd's own example has
/// before the home directory, is `--home`.
pub fn user_command(argv: &[OsString]) -> Option<Vec<OsString>> {
    let [_, flag, action, words @ ..] = argv else {
        return None;
    };
    let known = ["add", "del", "list"].iter().any(|known| action == known);
    // A question about a user who has one of these names.
    let asks = |word: &OsString| {
        let text = word.to_string_lossy();
        matches!(text.trim_start_matches('-'), "check" | "dump-config") && text.starts_with('-')
    };
    if !known || (flag != "-user" && flag != "--user") || words.iter().any(asks) {
        return None;
    }
    let mut command = vec![action.clone()];
    command.extend(words.iter().map(|word| match word.to_str() {
        Some("-h") if action == "add" => "--home".into(),
        Some("-e") => "-t".into(),
        _ => word.clone(),
    }));
    if action == "add" {
        command.push("--replace".into());
    }
    Some(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Option<String> {
        let argv = std::iter::once("ftpd").chain(line.split_whitespace());
        let argv: Vec<OsString> = argv.map(OsString::from).collect();
        let words = user_command(&argv)?;
        Some(words.join(" ".as_ref()).into_string().unwrap())
    }

    #[test]
    fn the_forms_of_its_readme_are_those_of_ftpuser() {
        for (given, expected) in [
            (
                "-user add joe pw /home/joe -t sha1 -a /f Idle=5",
                "add joe pw /home/joe -t sha1 -a /f Idle=5 --replace",
            ),
            (
                "-user add anonymous -t null -h /tmp",
                "add anonymous -t null --home /tmp --replace",
            ),
            (
                "-user add joe -e md5 pw /tmp",
                "add joe -t md5 pw /tmp --replace",
            ),
            ("-user del joe -a /f", "del joe -a /f"),
            ("-user list", "list"),
        ] {
            assert_eq!(told(given).as_deref(), Some(expected));
        }
    }

    #[test]
    fn other_command_lines_stay_what_they_are() {
        for given in [
            "",
            "-user",
            "-user fred --check",
            "-user add --check",
            "-check -user add",
            "-user list -dump-config",
        ] {
            assert_eq!(told(given), None, "{given}");
        }
    }
}
