//! Reads a TOML file: a table for each topic of the settings, and `[user.NAME]` tables of single users. Pure: no I/O.

use std::ops::Range;
use std::path::Path;

use ::toml::Spanned;
use ::toml::de::{DeInteger, DeTable, DeValue};

use super::assign::{Assignment, Origin, Place, SettingError};
use super::hooks::{Hooks, Placed};
use super::nearest::nearest;
use super::own::{OwnSetting, UserTables};
use super::table::{Kind, Scope, Setting, Settings};
use super::value::{Value, shown};

/// The table whose members are users.
const USER: &str = "user";
/// The list of tables that are hooks.
const HOOK: &str = "hook";

/// What a file says.
#[derive(Default)]
pub(super) struct Parsed {
    pub(super) assignments: Vec<Assignment>,
    pub(super) users: UserTables,
    pub(super) hooks: Hooks,
}

/// Reads a file. What is wrong within the table of a user is kept there, for the login of that user.
pub(super) fn parse(
    settings: &Settings,
    path: &Path,
    octets: &[u8],
    errors: &mut Vec<SettingError>,
) -> Parsed {
    let mut parsed = Parsed::default();
    let text = match std::str::from_utf8(octets) {
        Ok(text) => text,
        Err(error) => {
            let valid = str::from_utf8(&octets[..error.valid_up_to()]).unwrap_or_default();
            let end = valid.len();
            let file = File {
                settings,
                path,
                text: valid,
            };
            errors.push(file.error(
                end..end,
                "this is not UTF-8: save the file in that encoding".to_owned(),
            ));
            return parsed;
        }
    };
    let file = File {
        settings,
        path,
        text,
    };
    let root = match DeTable::parse(text) {
        Ok(root) => root,
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            let message = match error.message() {
                twice @ "duplicate key" => format!("{twice}: leave one of them out"),
                message => message.to_owned(),
            };
            errors.push(file.error(span, message));
            return parsed;
        }
    };
    let mut found = Vec::new();
    for (topic, value) in root.get_ref() {
        match (topic.get_ref().as_ref(), value.get_ref()) {
            (USER, DeValue::Table(users)) if settings.users => {
                file.users(users, &mut parsed.users, &mut found)
            }
            (USER, _) if settings.users => found.push(file.error(
                value.span(),
                format!("{USER} is not a table of users: write [{USER}.NAME]"),
            )),
            (HOOK, _) if settings.hooks => file.hooks(value, &mut parsed.hooks, &mut found),
            _ => {
                for entry in file.settings(topic.get_ref(), topic.span(), value) {
                    match entry
                        .and_then(|(setting, text, span)| file.assignment(setting, text, span))
                    {
                        Ok(assignment) => parsed.assignments.push(assignment),
                        Err(error) => found.push(error),
                    }
                }
            }
        }
    }
    errors.extend(found);
    parsed
}

/// A setting, its value in the form of a `Key=Value` file, and where that is.
type Found = (&'static Setting, String, Range<usize>);

struct File<'a> {
    settings: &'a Settings,
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    /// All settings of a topic. One level down is a setting; what is deeper is none.
    fn settings(
        &self,
        topic: &str,
        span: Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) -> Vec<Result<Found, SettingError>> {
        let DeValue::Table(table) = value.get_ref() else {
            return vec![Err(self.error(span, self.unknown(topic)))];
        };
        let rows = self.settings.rows;
        if !rows.iter().any(|setting| setting.topic() == topic) {
            return vec![Err(self.error(span, self.unknown(topic)))];
        }
        let setting = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let name: &std::borrow::Cow<'_, str> = key.get_ref();
            let name = format!("{topic}.{name}");
            let setting = rows
                .iter()
                .find(|setting| setting.toml == name)
                .ok_or_else(|| self.error(key.span(), self.unknown(&name)))?;
            let text = text(setting, value.get_ref())
                .map_err(|why| self.error(value.span(), format!("{}: {why}", setting.toml)))?;
            Ok((setting, text, value.span()))
        };
        table.iter().map(setting).collect()
    }

    fn assignment(
        &self,
        setting: &'static Setting,
        text: String,
        span: Range<usize>,
    ) -> Result<Assignment, SettingError> {
        if setting.scope() == Scope::CommandLine {
            let flag = setting.flags[0];
            let message = format!("\"{}\" is only a flag: -{flag}", setting.toml);
            return Err(self.error(span, message));
        }
        Ok(Assignment {
            setting,
            text,
            base: None,
            content_of: None,
            origin: self.origin(span),
        })
    }

    fn hooks(
        &self,
        value: &Spanned<DeValue<'_>>,
        hooks: &mut Hooks,
        errors: &mut Vec<SettingError>,
    ) {
        let (all, told) = crate::hooks::toml::parse(value);
        let placed = all.into_iter().map(|(hook, span)| Placed {
            hook,
            origin: self.origin(span),
        });
        hooks.all.extend(placed);
        let told = told.into_iter();
        errors.extend(told.map(|told| self.error(told.span, told.message)));
    }

    /// The tables of users, each of which has tables for topics again.
    fn users(&self, users: &DeTable<'_>, tables: &mut UserTables, errors: &mut Vec<SettingError>) {
        // The parser orders by name; of two tables, the later one in the file is the one too many.
        let mut users: Vec<_> = users.iter().collect();
        users.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in users {
            let DeValue::Table(topics) = value.get_ref() else {
                let message = format!("{USER}.{} is not a table", shown(name.get_ref()));
                errors.push(self.error(value.span(), message));
                continue;
            };
            let found = topics
                .iter()
                .flat_map(|(topic, value)| self.settings(topic.get_ref(), topic.span(), value));
            let own = found.map(|found| match found {
                Ok((setting, text, span)) => OwnSetting {
                    key: Ok(setting.key),
                    text,
                    origin: self.origin(span),
                },
                Err(SettingError { origin, message }) => OwnSetting {
                    key: Err(message),
                    text: String::new(),
                    origin,
                },
            });
            if !tables.add(name.get_ref(), own.collect()) {
                let message = format!(
                    "the user {} has a table already, in another case",
                    shown(name.get_ref())
                );
                errors.push(self.error(name.span(), message));
            }
        }
    }

    /// What is said about a name that is no setting.
    fn unknown(&self, name: &str) -> String {
        let rows = self.settings.rows.iter();
        let names = rows.clone().map(|setting| setting.toml);
        let names = names.chain(rows.map(Setting::topic));
        let names = names.chain(self.settings.users.then_some(USER));
        let hint = nearest(name, names)
            .or_else(|| self.below_a_topic(name))
            .map(|name| format!(", did you mean \"{name}\"?"))
            .unwrap_or_else(|| format!(": {} has all names", self.settings.page));
        format!("unknown name \"{}\"{hint}", shown(name))
    }

    /// The setting that somebody means who leaves its topic out, writes another, or the key that it has in the other form.
    fn below_a_topic(&self, name: &str) -> Option<&'static str> {
        let last = name.rsplit('.').next().unwrap_or(name);
        let means = |setting: &&'static Setting| {
            let own = setting.toml.rsplit('.').next();
            own == Some(last) || setting.keys().any(|key| key.eq_ignore_ascii_case(last))
        };
        self.settings
            .rows
            .iter()
            .find(means)
            .map(|setting| setting.toml)
    }

    fn error(&self, span: Range<usize>, message: String) -> SettingError {
        SettingError {
            origin: self.origin(span),
            message,
        }
    }

    fn origin(&self, span: Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let inside = self.text.get(span).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        Origin::Placed {
            path: self.path.to_owned(),
            at: Place {
                line: before.matches('\n').count() + 1,
                column: line.chars().count() + 1,
                length: inside.lines().next().unwrap_or_default().chars().count(),
            },
        }
    }
}

/// The value as a `Key=Value` file would have it, or what it should have been.
fn text(setting: &Setting, value: &DeValue<'_>) -> Result<String, String> {
    match (setting.kind, value) {
        (_, DeValue::String(text)) => Ok(text.clone().into_owned()),
        (Kind::Switch, DeValue::Boolean(switch)) => {
            Ok(if *switch { "yes" } else { "no" }.to_owned())
        }
        (Kind::Text("MODE"), DeValue::Integer(number)) => match number.radix() {
            8 => Ok(number.as_str().to_owned()),
            // SECURITY: 27 is another mode than "027", and nobody would see it.
            _ => Err(format!(
                "write \"{0}\" or 0o{0}, as a mode is octal",
                number.as_str()
            )),
        },
        (Kind::Text(_), DeValue::Integer(number)) => integer(number),
        (Kind::Text("LIST" | "PLACES") | Kind::Files, DeValue::Array(items)) => {
            let items = items.iter().map(|item| text(setting, item.get_ref()));
            items
                .collect::<Result<Vec<_>, _>>()
                .map(|items| items.join(","))
        }
        (Kind::Text("DAY"), DeValue::Datetime(day)) => Ok(day.to_string()),
        (kind, value) => Err(format!(
            "a TOML value of the type {} is not {}",
            value.type_str(),
            match kind {
                Kind::Switch => "true or false",
                Kind::Text("LIST" | "PLACES") | Kind::Files => "a list of strings",
                _ => "a string",
            }
        )),
    }
}

/// The value that makes a setting in a TOML file as this text does elsewhere.
pub fn written(setting: &Setting, text: &str) -> String {
    let value = Value { text, base: None };
    let is_number = |text: &str| {
        text.parse()
            .is_ok_and(|number: i64| number.to_string() == text)
    };
    match (setting.kind, value.switch()) {
        (Kind::Switch, Ok(switch)) => switch.to_string(),
        // The number of a mode is octal in one way of writing only, so it stays a string.
        (Kind::Text(name), _) if name != "MODE" && is_number(text) => text.to_owned(),
        _ => quoted(text),
    }
}

/// A basic string (TOML v1.0, "String").
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn integer(number: &DeInteger<'_>) -> Result<String, String> {
    i64::from_str_radix(number.as_str(), number.radix())
        .map(|number| number.to_string())
        .map_err(|_| format!("{} is too large", shown(number.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Config;
    use crate::settings::assign::{Origins, apply};
    use crate::settings::table::FTPD;
    use proptest::prelude::*;

    fn parse(text: &str) -> (Parsed, Vec<String>) {
        let mut errors = Vec::new();
        let parsed = super::parse(FTPD, Path::new("f"), text.as_bytes(), &mut errors);
        (parsed, errors.iter().map(ToString::to_string).collect())
    }

    fn config(text: &str) -> Config {
        let (parsed, errors) = parse(text);
        assert_eq!(errors, [""; 0]);
        let (mut config, mut origins, mut errors) = (Config::default(), Origins::new(), Vec::new());
        apply(
            FTPD,
            &mut config,
            &mut origins,
            &mut errors,
            parsed.assignments,
        );
        assert_eq!(errors, []);
        config
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in "\\PC*|[\\x00-\\x7f\\u{80}-\\u{a0}]*") {
            let (parsed, errors) = parse(&format!("login.banner = {}", quoted(&value)));
            prop_assert_eq!(errors, Vec::<String>::new());
            prop_assert_eq!(&parsed.assignments[0].text, &value);
        }
    }

    #[test]
    fn a_file_sets_what_the_keys_set() {
        let config = config(
            "listen.port = 0x84d\nlisten.address = ['192.0.2.1', 'eth0:990']\n[files]\numask = 0o027\nconfine-home = true\n\
             [login]\ndeny-users = ['fred', \"@staff\"]\nbanner = \"a, b\"\n[account]\nexpires = 2027-01-31\n\
             [session]\nidle = 90\nmax-idle = '1h'\n",
        );
        assert_eq!(config.server.port, 2125);
        assert_eq!(config.server.bind.places.len(), 2);
        assert_eq!(config.session.umask, 0o027);
        assert_eq!(config.session.jail, crate::settings::JailMode::Home);
        assert_eq!(
            config.server.deny_users,
            crate::policy::Names::parse("fred,@staff").unwrap()
        );
        assert_eq!(config.server.banner, ["a, b"]);
        assert_eq!(config.session.idle.as_secs(), 90);
        assert_eq!(config.session.policy.expires, "2027-01-31".parse().ok());
    }

    #[test]
    fn every_default_of_the_table_is_understood_by_its_name() {
        for setting in FTPD.rows.iter().filter(|s| !s.default.is_empty()) {
            let (parsed, errors) = parse(&format!("{} = '{}'", setting.toml, setting.default));
            match setting.scope() {
                Scope::CommandLine => assert!(errors[0].contains("only a flag"), "{errors:?}"),
                Scope::Server | Scope::Session => {
                    assert_eq!(errors, [""; 0]);
                    assert_eq!(parsed.assignments[0].setting.key, setting.key);
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, error) in [
            (
                "[listen]\nprot = 21",
                "f:2:1: unknown name \"listen.prot\", did you mean \"listen.port\"?",
            ),
            (
                "[lisen]\nport = 21",
                "f:1:2: unknown name \"lisen\", did you mean \"listen\"?",
            ),
            (
                "port = 21",
                "f:1:1: unknown name \"port\", did you mean \"listen.port\"?",
            ),
            (
                "qqq = 21",
                "f:1:1: unknown name \"qqq\": metaftpd.conf(5) has all names",
            ),
            (
                "limits.Idle = 21",
                "f:1:8: unknown name \"limits.Idle\", did you mean \"session.idle\"?",
            ),
            (
                "listen.port = [21]",
                "f:1:15: listen.port: a TOML value of the type array is not a string",
            ),
            (
                "listen.port = 1.5",
                "f:1:15: listen.port: a TOML value of the type float is not a string",
            ),
            (
                "files.confine-home = 1",
                "f:1:22: files.confine-home: a TOML value of the type integer is not true or false",
            ),
            (
                "files.umask = 27",
                "f:1:15: files.umask: write \"27\" or 0o27, as a mode is octal",
            ),
            (
                "listen.port = 99999999999999999999",
                "f:1:15: listen.port: 99999999999999999999 is too large",
            ),
            (
                "run.inetd = true",
                "f:1:13: \"run.inetd\" is only a flag: -inetd",
            ),
            (
                "user = 1",
                "f:1:8: user is not a table of users: write [user.NAME]",
            ),
            ("[user]\nfred = 1", "f:2:8: user.fred is not a table"),
            (
                "[user.fred]\n[user.FRED]",
                "f:2:7: the user FRED has a table already, in another case",
            ),
            (
                "listen.port.x = 1",
                "f:1:8: listen.port: a TOML value of the type table is not a string",
            ),
        ] {
            let found = parse(text).1;
            assert!(
                found.iter().any(|found| found.starts_with(error)) && found.len() == 1,
                "{text}: {found:?}"
            );
        }
        let (_, errors) = parse("[listen]\nport = 1\nport = 2\n");
        assert!(
            errors.len() == 1 && errors[0].starts_with("f:3:1: "),
            "{errors:?}"
        );
        let (_, errors) = parse("é = \"\n");
        assert!(
            errors.len() == 1 && errors[0].starts_with("f:1:"),
            "{errors:?}"
        );
        let mut errors = Vec::new();
        super::parse(FTPD, Path::new("f"), b"# ok\n\xff", &mut errors);
        assert_eq!(
            errors[0].to_string(),
            "f:2:1: this is not UTF-8: save the file in that encoding"
        );
    }

    #[test]
    fn hooks_have_their_places() {
        let (parsed, errors) = parse(
            "[[hook]]\non = 'upload'\nexec = ['/x', '%u']\n[[hook]]\non = 'login'\njournald = true\n",
        );
        assert_eq!(errors, [""; 0]);
        let places: Vec<_> = parsed
            .hooks
            .all
            .iter()
            .map(|h| h.origin.to_string())
            .collect();
        assert_eq!(places, ["f:1:1", "f:4:1"]);
        let (_, errors) = parse("[[hook]]\non = 'upload'\nexec = ['/x', 'a %{usr}']\n");
        assert_eq!(
            errors,
            ["f:3:18: unknown variable \"%{usr}\", did you mean \"%{user}\"?"]
        );
    }

    #[test]
    fn a_user_has_the_tables_of_the_topics() {
        let (parsed, errors) =
            parse("[user.Fred]\nfiles.umask = '007'\n[user.fred2.session]\nidle = 1\nprot = 2\n");
        assert_eq!(errors, [""; 0]);
        let fred = parsed.users.of(b"FRED");
        assert_eq!((&fred[0].key, fred[0].text.as_str()), (&Ok("Umask"), "007"));
        assert_eq!(fred[0].origin.to_string(), "f:2:15");
        let errors: Vec<_> = parsed
            .users
            .of(b"fred2")
            .iter()
            .filter_map(|own| own.key.clone().err())
            .collect();
        assert_eq!(errors.len(), 1);
        assert!(parsed.users.of(b"ann").is_empty() && parsed.users.of(b"\xff").is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_a_file_or_told_wrong(text in "[a-z0-9.=\\[\\]\"' \\n{}#é_-]{0,80}") {
            parse(&text);
        }
    }
}
