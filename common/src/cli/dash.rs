//! Lets long options begin with one dash too, as MetaFTPd's do, for any command: turns `-port` into `--port` before
//! the real parser looks. Pure: no I/O.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, Command};

use crate::settings::nearest::nearest;

/// Rewrites `-name` and `-name=value` as `--name` and `--name=value` for the command's own long names, and `-?` as
/// `--help`. Values, `--name`, short options and everything after `--` stay as they are.
///
/// A short option may carry its value (`-p2121`) unless that begins with a letter: `-prot` is a wrong long name, not
/// `-p` with the value `rot`.
pub fn normalise(command: &Command, argv: Vec<OsString>) -> Result<Vec<OsString>, clap::Error> {
    let mut command = command.clone();
    // Adds the options --help and --version, and to subcommands the global ones.
    command.build();
    let mut current = &command;
    let mut rewritten = Vec::with_capacity(argv.len());
    let mut words = argv.into_iter();
    rewritten.extend(words.next());
    let mut value_of: Option<&Arg> = None;
    while let Some(word) = words.next() {
        if let Some(option) = value_of.take()
            && is_value(option, &word)
        {
            rewritten.push(word);
            continue;
        }
        if word == "--" {
            rewritten.push(word);
            rewritten.extend(words);
            break;
        }
        // What is not text is no name of ours.
        let Some(text) = word.to_str() else {
            rewritten.push(word);
            continue;
        };
        if let Some(long) = text.strip_prefix("--") {
            value_of = find_long(current, long)
                .filter(|option| awaits_value(option))
                .filter(|_| !long.contains('='));
            rewritten.push(word);
        } else if text == "-?" {
            rewritten.push("--help".into());
        } else if let Some(option) = text.strip_prefix('-').filter(|name| !name.is_empty()) {
            if let Some(long) = find_long(current, option) {
                value_of = Some(long)
                    .filter(|option| awaits_value(option))
                    .filter(|_| !option.contains('='));
                rewritten.push(format!("--{option}").into());
            } else if current.get_positionals().any(Arg::is_trailing_var_arg_set) {
                // The command takes words of any shape.
                rewritten.push(word);
            } else {
                value_of = shorts(current, option).ok_or_else(|| unknown(current, option))?;
                rewritten.push(word);
            }
        } else {
            if let Some(subcommand) = current.find_subcommand(text) {
                current = subcommand;
            }
            rewritten.push(word);
        }
    }
    Ok(rewritten)
}

/// Whether the word after `option` is its value; otherwise the option's value is missing.
fn is_value(option: &Arg, word: &OsString) -> bool {
    let octets = word.as_encoded_bytes();
    let dashed = octets.len() > 1 && octets[0] == b'-';
    !dashed
        || option.is_allow_hyphen_values_set()
        || (option.is_allow_negative_numbers_set() && octets[1].is_ascii_digit())
}

/// Whether the word after the option belongs to it.
fn awaits_value(option: &Arg) -> bool {
    option
        .get_num_args()
        .is_some_and(|count| count.min_values() > 0)
}

/// The option that `name` or `name=value` is the long form of. One letter is never a long name.
fn find_long<'a>(command: &'a Command, text: &str) -> Option<&'a Arg> {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    let mut options = command.get_arguments();
    options.find(|option| name.chars().count() > 1 && long_names(option).contains(&name))
}

fn long_names(option: &Arg) -> Vec<&str> {
    let mut names = option.get_all_aliases().unwrap_or_default();
    names.extend(option.get_long());
    names
}

/// Reads a cluster of short options. `None` if it is none; else the option, if any, that the next word is the value of.
#[expect(
    clippy::option_option,
    reason = "whether it is a cluster, and whether that awaits something"
)]
fn shorts<'a>(command: &'a Command, cluster: &str) -> Option<Option<&'a Arg>> {
    let mut rest = cluster.chars();
    while let Some(letter) = rest.next() {
        let option = command.get_arguments().find(|option| {
            option.get_short() == Some(letter)
                || option
                    .get_all_short_aliases()
                    .is_some_and(|aliases| aliases.contains(&letter))
        })?;
        if awaits_value(option) {
            return match rest.next() {
                None => Some(Some(option)),
                Some(first) if first.is_alphabetic() => None,
                Some(_) => Some(None),
            };
        }
    }
    Some(None)
}

fn unknown(command: &Command, text: &str) -> clap::Error {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    let names = command
        .get_arguments()
        .filter(|option| !option.is_hide_set())
        .flat_map(long_names);
    let mut message = format!("unknown option '-{}'", name.escape_debug());
    let mut letters = name.chars();
    if let Some(near) = nearest(name, names) {
        message.push_str(&format!(", did you mean '-{near}'?"));
    } else if let Some(letter) = letters.next()
        && letters.as_str().starts_with(char::is_alphabetic)
        && shorts(command, letter.encode_utf8(&mut [0; 4])).is_some_and(|option| option.is_some())
    {
        let value = letters.as_str().escape_debug();
        message.push_str(&format!(", did you mean '-{letter} {value}'?"));
    }
    command.clone().error(ErrorKind::UnknownArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ArgAction;
    use proptest::prelude::*;

    fn tool() -> Command {
        Command::new("tool")
            .version("1")
            .arg(
                Arg::new("port")
                    .long("port")
                    .alias("control-port")
                    .short('p'),
            )
            .arg(Arg::new("file").long("authfile").short('a').global(true))
            .arg(Arg::new("four").short('4').action(ArgAction::SetTrue))
            .arg(
                Arg::new("inetd")
                    .long("inetd")
                    .short('I')
                    .action(ArgAction::SetTrue),
            )
            .arg(
                Arg::new("chhome")
                    .long("chhome")
                    .num_args(0..=1)
                    .require_equals(true),
            )
            .subcommand(
                Command::new("add")
                    .arg(Arg::new("name"))
                    .arg(Arg::new("type").long("type").short('t')),
            )
    }

    fn normal(line: &str) -> Result<String, String> {
        let argv = std::iter::once("tool").chain(line.split_whitespace());
        let argv = argv.map(OsString::from).collect();
        match normalise(&tool(), argv) {
            Ok(argv) => {
                let words: Vec<_> = argv[1..].iter().map(|w| w.to_str().unwrap()).collect();
                Ok(words.join(" "))
            }
            Err(error) => {
                let text = error.to_string();
                Err(text.lines().next().unwrap_or_default().to_owned())
            }
        }
    }

    #[test]
    fn one_dash_becomes_two() {
        for (given, normalised) in [
            ("-port 2121", "--port 2121"),
            ("-port=2121", "--port=2121"),
            ("--port 2121", "--port 2121"),
            ("-control-port 1 -4", "--control-port 1 -4"),
            ("-p 2121 -p2121 -p=1", "-p 2121 -p2121 -p=1"),
            ("-chhome -inetd", "--chhome --inetd"),
            ("-chhome=no", "--chhome=no"),
            ("-4I -4p 1 -4p1", "-4I -4p 1 -4p1"),
            ("-? -help -version -h", "--help --help --version -h"),
            ("-a/etc/x -a./x", "-a/etc/x -a./x"),
        ] {
            assert_eq!(normal(given), Ok(normalised.to_owned()));
        }
    }

    #[test]
    fn values_and_what_follows_two_dashes_stay() {
        for line in ["-p - x", "-a port", "--port help", "-- -port -x", "-"] {
            assert_eq!(normal(line), Ok(line.to_owned()));
        }
        assert_eq!(normal("-port -inetd"), Ok("--port --inetd".to_owned()));
    }

    #[test]
    fn subcommands_have_their_own_names_and_the_global_ones() {
        assert_eq!(
            normal("add bob -type md5 -authfile f"),
            Ok("add bob --type md5 --authfile f".to_owned())
        );
        assert_eq!(
            normal("add -port 1"),
            Err("error: unknown option '-port'".to_owned())
        );
        assert_eq!(
            normal("-type x"),
            Err("error: unknown option '-type'".to_owned())
        );
        assert_eq!(normal("-a add -port 1"), Ok("-a add --port 1".to_owned()));
    }

    #[test]
    fn a_wrong_name_is_an_error_and_not_a_short_option() {
        for (given, message) in [
            ("-prot 21", "unknown option '-prot', did you mean '-port'?"),
            ("-prot=21", "unknown option '-prot', did you mean '-port'?"),
            ("-4prot", "unknown option '-4prot'"),
            (
                "-alocks",
                "unknown option '-alocks', did you mean '-a locks'?",
            ),
            ("-x", "unknown option '-x'"),
            ("-4x", "unknown option '-4x'"),
        ] {
            assert_eq!(normal(given), Err(format!("error: {message}")));
        }
    }

    #[test]
    fn a_value_behind_an_equals_sign_is_all_there_is() {
        let words = ["tool", "--port=1", "add", "-type"].map(OsString::from);
        let rewritten = normalise(&tool(), words.to_vec()).unwrap();
        assert_eq!(rewritten, ["tool", "--port=1", "add", "--type"]);
    }

    proptest! {
        #[test]
        fn twice_is_as_good_as_once(words in proptest::collection::vec(
            prop_oneof![
                proptest::sample::select(vec![
                    "-port", "--port", "-port=1", "-p", "-p1", "-prot", "-a", "-a/x", "-authfile", "-4", "-I4p",
                    "-chhome", "-chhome=no", "add", "-t", "-type", "--type", "-?", "--", "-", "bob", "", "-help",
                ]).prop_map(str::to_owned),
                "-{0,2}[a-z4I=?é]{0,4}",
            ],
            0..8,
        )) {
            let argv: Vec<OsString> = std::iter::once("tool".to_owned()).chain(words).map(Into::into).collect();
            if let Ok(once) = normalise(&tool(), argv.clone()) {
                prop_assert_eq!(once.len(), argv.len());
                prop_assert_eq!(normalise(&tool(), once.clone()).unwrap(), once);
            }
        }
    }
}
