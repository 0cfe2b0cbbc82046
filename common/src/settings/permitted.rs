//! Lists of permitted commands: verbs, groups of them, `Basic` and `ALL`, each with `+` or `-`. Pure: no I/O.

use super::nearest::nearest;
use super::value::{Wrong, shown, words};
use crate::proto::verbs::site::PREFIX;
use crate::proto::verbs::{self, CommandError, Group, Verb, VerbSet};

/// The verbs of MetaFTPd's word `Basic`, by their names in the command table.
const BASIC: &[&str] = &[
    "NOOP", "USER", "PASS", "PORT", "CWD", "CDUP", "TYPE", "RETR", "STOR", "LIST", "NLST", "MLST",
    "MLSD", "DELE", "QUIT", "PWD", "MKD", "RMD", "RNFR", "RNTO", "PASV", "FEAT",
];

/// Parses a list. It starts from nothing, and for each verb the last word that names it decides.
pub fn parse(list: &str) -> Result<VerbSet, Wrong> {
    let mut permitted = VerbSet::NONE;
    for word in words(list) {
        let (name, permit) = match word.strip_prefix('-') {
            Some(name) => (name, false),
            None => (word.strip_prefix('+').unwrap_or(word), true),
        };
        let named = named(name)?;
        permitted = VerbSet::from_bits(if permit {
            permitted.bits() | named.bits()
        } else {
            permitted.bits() & !named.bits()
        });
    }
    if !Verb::all().any(|verb| permitted.contains(verb)) {
        return Err(Wrong::Because(format!(
            "\"{}\" permits no command at all; to take some away, begin with ALL",
            shown(list)
        )));
    }
    Ok(permitted)
}

/// The verbs that a word stands for.
pub(crate) fn named(name: &str) -> Result<VerbSet, Wrong> {
    if name.eq_ignore_ascii_case("ALL") {
        return Ok(VerbSet::ALL);
    }
    if name.eq_ignore_ascii_case("Basic") {
        return Ok(set(BASIC.iter().copied().filter_map(Verb::find)));
    }
    if let Some(group) = Group::ALL
        .into_iter()
        .find(|group| group.name().eq_ignore_ascii_case(name))
    {
        return Ok(set(Verb::all().filter(|v| v.spec().group == group)));
    }
    // A SITE command is one word here, since blanks separate words.
    if let Some(verb) = Verb::find(&spoken(name)) {
        return Ok(set([verb]));
    }
    match verbs::verb(name.as_bytes()) {
        Ok(verb) => Ok(set([verb])),
        // Such a verb gets 502 whatever a list says; a list written for other servers may name it.
        Err(CommandError::NotOffered) => Ok(VerbSet::NONE),
        // MetaFTPd knew only SITE as a whole.
        Err(CommandError::SiteAlone) => Ok(set(Verb::all().filter(|verb| verb.is_site()))),
        Err(CommandError::Unknown | CommandError::UnknownSite | CommandError::Argument(..)) => {
            let known = Verb::all().map(Verb::spec);
            let known = known.flat_map(|s| s.aliases.iter().chain([&s.verb]));
            let known = known.map(|name| written(name));
            let groups = Group::ALL.map(Group::name);
            let words = groups.into_iter().chain(["ALL", "Basic", "SITE"]);
            let names: Vec<String> = known.chain(words.map(str::to_owned)).collect();
            let hint = Verb::find(&format!("{PREFIX}{name}"))
                .map(|verb| written(verb.spec().verb))
                .or_else(|| nearest(name, names.iter().map(String::as_str)).map(str::to_owned))
                .map(|name| format!(", did you mean \"{name}\"?"))
                .unwrap_or_default();
            Err(Wrong::Because(format!(
                "unknown command \"{}\"{hint}",
                shown(name)
            )))
        }
    }
}

/// The name of a verb as a list has it: `SITE_HELP`.
pub fn written(verb: &str) -> String {
    verb.replacen(' ', "_", 1)
}

/// The name that a word of a list stands for.
fn spoken(word: &str) -> String {
    word.replacen('_', " ", 1)
}

fn set(verbs: impl IntoIterator<Item = Verb>) -> VerbSet {
    let mut set = VerbSet::NONE;
    verbs.into_iter().for_each(|verb| set.insert(verb));
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(list: &str, verb: &str) -> bool {
        parse(list).unwrap().contains(Verb::find(verb).unwrap())
    }

    #[test]
    fn the_last_match_wins() {
        assert!(!permits("ALL,-PASV", "PASV"));
        assert!(permits("ALL,-PASV", "EPSV"));
        assert!(permits("-PASV,ALL", "PASV"));
        assert!(permits("ALL -WRITE +STOR", "stor"));
        assert!(!permits("ALL -WRITE +STOR", "DELE"));
        assert!(!permits("RETR", "STOR"));
    }

    #[test]
    fn basic_and_the_groups_stand_for_their_verbs() {
        assert!(BASIC.iter().all(|verb| Verb::find(verb).is_some()));
        assert!(permits("basic", "XPWD"));
        assert!(!permits("Basic", "EPSV"));
        assert!(permits("login,Read", "USER") && !permits("login,Read", "STOR"));
        assert_eq!(parse("ALL"), Ok(VerbSet::ALL));
    }

    #[test]
    fn site_commands_are_named_one_by_one_or_together() {
        assert!(permits("RETR,SITE_help", "SITE HELP"));
        assert!(!permits("ALL,-SITE_HELP", "SITE HELP"));
        assert!(!permits("ALL,-SITE", "SITE HELP") && permits("ALL,-SITE", "HELP"));
        assert!(permits("Basic,SITE", "SITE HELP"));
        assert!(parse("ALL,-SITE_NONSENSE").is_err());
        assert!(parse("ALL,-RETR_x").is_err());
    }

    #[test]
    fn a_verb_that_nobody_knows_is_an_error() {
        assert_eq!(
            parse("ALL,-RTER"),
            Err(Wrong::Because(
                "unknown command \"RTER\", did you mean \"RETR\"?".to_owned()
            ))
        );
        assert_eq!(parse("ALL,-SMNT"), Ok(VerbSet::ALL));
        assert!(parse("ALL,--PASV").is_err());
    }

    #[test]
    fn a_list_that_permits_nothing_is_an_error() {
        assert_eq!(
            parse("-PASV"),
            Err(Wrong::Because(
                "\"-PASV\" permits no command at all; to take some away, begin with ALL".to_owned()
            ))
        );
        assert!(parse("").is_err());
    }
}
