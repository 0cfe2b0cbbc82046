//! Applies assignments, wherever they come from, to the configuration, and words what is wrong with them.
//! Pure: no I/O.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::str::Utf8Error;

use super::nearest::nearest;
use super::own::OwnSetting;
use super::shared::unshared_own;
use super::table::{FTPD, Kind, Scope, Set, Setting, Settings};
use super::value::{Value, Wrong, shown};
use super::{Config, FTPPROXY, ServerConfig, SessionConfig};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// A line of a file, or the file itself as line 0.
    File {
        path: PathBuf,
        line: usize,
    },
    /// A place in a file, which can be pointed at.
    Placed {
        path: PathBuf,
        at: Place,
    },
    /// The variable's name.
    Environment(String),
    /// The flag's name without dashes.
    Flag(&'static str),
    /// A user's own settings: the one of this number in the entry, counted from 0, or all of them together.
    User(Option<usize>),
}

/// Some characters of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line and column count from 1.
    pub line: usize,
    pub column: usize,
    pub length: usize,
}

impl Place {
    /// The first octet of a file that is no text.
    pub(super) fn of_no_text(octets: &[u8], error: Utf8Error) -> Place {
        let text = String::from_utf8_lossy(&octets[..error.valid_up_to()]);
        let before = text.rsplit('\n').next().unwrap_or_default();
        Place {
            line: text.matches('\n').count() + 1,
            column: before.chars().count() + 1,
            length: 1,
        }
    }

    /// What stands at these octets of a line's text.
    pub(super) fn within(line: usize, text: &str, place: Range<usize>) -> Place {
        let before = text.get(..place.start).unwrap_or(text);
        let inside = text.get(place).unwrap_or_default();
        Place {
            line,
            column: before.chars().count() + 1,
            length: inside.chars().count(),
        }
    }
}

impl Origin {
    /// Sorts as people read: a file from the top, then the flags.
    pub(super) fn order(&self) -> (u8, usize, usize) {
        match self {
            Origin::File { line, .. } => (0, *line, 0),
            Origin::Placed { at, .. } => (0, at.line, at.column),
            Origin::Environment(_) => (1, 0, 0),
            Origin::Flag(_) => (2, 0, 0),
            Origin::Default | Origin::User(_) => (3, 0, 0),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line: 0 } => write!(f, "{}", path.display()),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Placed { path, at } => {
                write!(f, "{}:{}:{}", path.display(), at.line, at.column)
            }
            Origin::Environment(name) => f.write_str(name),
            Origin::Flag(flag) => write!(f, "-{flag}"),
            Origin::User(_) => f.write_str("user setting"),
        }
    }
}

/// Something that is wrong with a setting: where, and a sentence about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    pub origin: Origin,
    pub message: String,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            // Nobody has said anything: there is no place to point at.
            Origin::Default => f.write_str(&self.message),
            _ => write!(f, "{}: {}", self.origin, self.message),
        }
    }
}

impl std::error::Error for SettingError {}

/// How much of a line is shown, in characters, and how much of that before the place in question.
const SHOWN: usize = 100;
const BEFORE: usize = 60;

impl SettingError {
    /// What is wrong with a key, at the place that has set it.
    pub(super) fn of(key: &str, message: String, origins: &Origins) -> SettingError {
        let made = origins.get(key).map(|(origin, _)| origin.clone());
        SettingError {
            origin: made.unwrap_or(Origin::Default),
            message,
        }
    }

    /// Adds the line of a file that it is about, with a mark below the place.
    pub(super) fn show(&mut self, text: &str) {
        let Origin::Placed { at, .. } = &self.origin else {
            return;
        };
        let Some(line) = text.lines().nth(at.line - 1) else {
            return;
        };
        self.message.push_str(&marked(at, line));
    }
}

/// A line below a message, and below that a mark at a place in it.
pub fn marked(at: &Place, line: &str) -> String {
    let skipped = (at.column - 1).saturating_sub(BEFORE);
    let blank = |c: char| if c.is_control() { ' ' } else { c };
    let line: String = line.chars().skip(skipped).take(SHOWN).map(blank).collect();
    let before = at.column - 1 - skipped;
    let marks = at.length.min(SHOWN - before).max(1);
    let number = at.line.to_string();
    let gap = number.len();
    format!(
        "\n  {number} | {line}\n  {:gap$} | {:before$}{:^<marks$}",
        "", "", ""
    )
}

/// A setting and the text that it is given.
pub(super) struct Assignment {
    pub(super) setting: &'static Setting,
    pub(super) text: String,
    /// Where relative paths start.
    pub(super) base: Option<PathBuf>,
    /// The file whose content the text is.
    pub(super) content_of: Option<PathBuf>,
    pub(super) origin: Origin,
}

/// Which source made each setting, and the text that it had there; a setting that is not here has its default.
pub(super) type Origins = BTreeMap<&'static str, (Origin, String)>;

/// Finds the setting of a key that a file or a user's entry names, or says why there is none.
pub(super) fn lookup(settings: &Settings, key: &str) -> Result<&'static Setting, String> {
    lookup_among(settings, key, &[])
}

/// The same where the key may be meant to be one of these words, too.
pub(super) fn lookup_among(
    settings: &Settings,
    key: &str,
    words: &[&str],
) -> Result<&'static Setting, String> {
    if let Some(setting) = settings.find(key) {
        return match setting.scope() {
            Scope::CommandLine => Err(format!(
                "\"{}\" is not a key, only a flag: -{}",
                setting.key, setting.flags[0]
            )),
            Scope::Server | Scope::Session => Ok(setting),
        };
    }
    let keys = settings
        .rows
        .iter()
        .filter(|setting| setting.scope() != Scope::CommandLine)
        .flat_map(Setting::keys);
    let elsewhere = [FTPD, FTPPROXY]
        .into_iter()
        .find(|other| other.page != settings.page && other.find(key).is_some());
    let near = nearest(key, keys).or_else(|| nearest(key, words.iter().copied()));
    let hint = match (elsewhere, near) {
        (Some(other), _) => format!(", which is for {}: leave it out", other.page),
        (None, Some(name)) => format!(", did you mean \"{name}\"?"),
        (None, None) => format!(": {} has all keys", settings.page),
    };
    Err(format!("unknown key \"{}\"{hint}", shown(key)))
}

/// What settings are applied to.
pub(super) trait Target {
    /// Makes a setting that is of this program.
    fn set(&mut self, set: &Set, value: Value) -> Result<(), Wrong>;
}

/// A setting of another program, which no table has.
pub(super) fn foreign() -> Wrong {
    Wrong::Because("this is a setting of another program".to_owned())
}

impl Target for Config {
    fn set(&mut self, set: &Set, value: Value) -> Result<(), Wrong> {
        match set {
            Set::CommandLine(set) | Set::Server(set) => set(&mut self.server, value),
            Set::Session(set) => set(&mut self.session, value),
            Set::Gateway(_) => Err(foreign()),
        }
    }
}

/// Applies what one source says. Within it the order does not matter: the table's decides.
pub(super) fn apply(
    settings: &Settings,
    config: &mut dyn Target,
    origins: &mut Origins,
    errors: &mut Vec<SettingError>,
    mut assignments: Vec<Assignment>,
) {
    let rows = settings.rows;
    assignments.sort_by_key(|a| rows.iter().position(|row| row.key == a.setting.key));
    errors.extend(contradictions(settings, &assignments));
    for assignment in assignments {
        let value = Value {
            text: &assignment.text,
            base: assignment.base.as_deref(),
        };
        match config.set(&assignment.setting.set, value) {
            Ok(()) => {
                let written = assignment.written();
                origins.insert(assignment.setting.key, (assignment.origin, written));
            }
            Err(wrong) => errors.push(assignment.error(wrong)),
        }
    }
}

/// Settings that do not fit together: their keys, and a sentence about them.
pub(super) type Misfit = (&'static [&'static str], String);

/// Finishes the session part once all sources have been applied: `Err` names what does not fit together.
pub(super) fn settle(session: &mut SessionConfig) -> Result<(), Misfit> {
    let (low, high) = session.data_ports;
    if low > high {
        let keys = &[
            "DataConnectionHighPort",
            "DataConnectionLowPort",
            "DataConnectionPortRange",
        ];
        let message = format!("the lowest data port, {low}, is above the highest, {high}");
        return Err((keys, message));
    }
    modes(session)?;
    let limit = session.max_idle;
    if !limit.is_zero() && (session.idle.is_zero() || session.idle > limit) {
        session.idle = limit;
    }
    Ok(())
}

fn modes(session: &SessionConfig) -> Result<(), Misfit> {
    let wrong = |sentence: &str| {
        let keys = &["ActiveMode", "NoPASV", "PassiveMode", "DefaultDataPort"];
        Err((&keys[..], sentence.to_owned()))
    };
    match (session.passive_mode, session.active_mode) {
        (false, false) => wrong(
            "PassiveMode and ActiveMode are both off, so no file could be moved: leave one on, or take RETR, STOR and the like \
             out of PermittedCommands",
        ),
        (true, false) if session.default_data_port => wrong(
            "DefaultDataPort has the server connect to clients, which ActiveMode=no forbids: leave one of them out",
        ),
        _ => Ok(()),
    }
}

impl Assignment {
    fn error(&self, wrong: Wrong) -> SettingError {
        let sentence = wrong.sentence(&self.text);
        let message = match self.origin {
            // The flag or the variable has said which setting it is.
            Origin::Flag(_) | Origin::Environment(_) => sentence,
            Origin::Default | Origin::File { .. } | Origin::Placed { .. } | Origin::User(_) => {
                format!("{}: {sentence}", self.setting.key)
            }
        };
        SettingError {
            origin: self.origin.clone(),
            message,
        }
    }

    /// The text that says the same in any file: paths are whole.
    fn written(&self) -> String {
        let value = Value {
            text: &self.text,
            base: self.base.as_deref(),
        };
        let paths = match (self.setting.kind, &self.content_of) {
            (Kind::Content, Some(path)) => vec![path.clone()],
            (Kind::File | Kind::Directory, _) => value.path().into_iter().collect(),
            (Kind::Files, _) => value.paths().unwrap_or_default(),
            _ => Vec::new(),
        };
        if paths.is_empty() {
            return self.text.clone();
        }
        let paths = paths.iter().map(|path| path.to_string_lossy().into_owned());
        paths.collect::<Vec<_>>().join(",")
    }

    /// Whether it switches something off, which contradicts nothing.
    fn is_no(&self) -> bool {
        let value = Value {
            text: &self.text,
            base: None,
        };
        self.setting.kind == Kind::Switch && value.switch() == Ok(false)
    }
}

fn contradictions(
    settings: &Settings,
    assignments: &[Assignment],
) -> impl Iterator<Item = SettingError> {
    let find = |key: &str| {
        assignments
            .iter()
            .find(|a| a.setting.key == key && !a.is_no())
    };
    settings.exclusive.iter().filter_map(move |(one, other)| {
        find(one)?;
        let at = find(other)?;
        Some(SettingError {
            origin: at.origin.clone(),
            message: format!("{one} and {other} exclude each other"),
        })
    })
}

/// Checks a key and value that are to become a user's own setting.
pub fn check_user_setting(key: &str, value: &str) -> Result<(), String> {
    // Not settled: whether it fits the other settings is known at login only.
    SessionConfig::default()
        .overlaid(&[OwnSetting::of_entry(0, &(key.to_owned(), value.to_owned()))])
        .map(|_| ())
        .map_err(|error| error.message)
}

impl SessionConfig {
    /// Returns these settings with a user's own over them: first those of the server's file, then those of the user's entry,
    /// of which the last one of a key counts, as entries grow at the end. What they need of the server's must be there.
    pub fn with_user_settings(
        &self,
        server: &ServerConfig,
        table: &[OwnSetting],
        entry: &[(String, String)],
    ) -> Result<SessionConfig, SettingError> {
        let entry = entry.iter().enumerate();
        let entry: Vec<_> = entry
            .map(|(nth, pair)| OwnSetting::of_entry(nth, pair))
            .collect();
        let mut session = self.overlaid(table)?.overlaid(&entry)?;
        settle(&mut session).map_err(|(_, message)| user(message))?;
        session.tls_fits(&server.tls).map_err(user)?;
        match unshared_own(&session, server.run, table.iter().chain(&entry)) {
            Some(error) => Err(error),
            None => Ok(session),
        }
    }

    fn overlaid(&self, own: &[OwnSetting]) -> Result<SessionConfig, SettingError> {
        let mut assignments: Vec<Assignment> = Vec::new();
        for OwnSetting { key, text, origin } in own {
            let error = |message| SettingError {
                origin: origin.clone(),
                message,
            };
            let setting = key
                .clone()
                .and_then(|key| lookup(FTPD, key))
                .map_err(error)?;
            assignments.retain(|earlier| earlier.setting.key != setting.key);
            assignments.push(Assignment {
                setting,
                text: text.clone(),
                base: None,
                content_of: None,
                origin: origin.clone(),
            });
        }
        if let Some(contradiction) = contradictions(FTPD, &assignments).next() {
            return Err(contradiction);
        }
        let mut session = self.clone();
        for assignment in assignments {
            let value = Value {
                text: &assignment.text,
                base: None,
            };
            match assignment.setting.set {
                Set::Session(set) => {
                    set(&mut session, value).map_err(|wrong| assignment.error(wrong))?;
                }
                // SECURITY: an entry of the user file must not reach the server's settings.
                Set::CommandLine(_) | Set::Server(_) | Set::Gateway(_) => {
                    return Err(SettingError {
                        message: format!(
                            "{} is a setting of the server, not of a user",
                            assignment.setting.key
                        ),
                        origin: assignment.origin,
                    });
                }
            }
        }
        Ok(session)
    }
}

fn user(message: String) -> SettingError {
    SettingError {
        origin: Origin::User(None),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{JailMode, Run};
    use std::time::Duration;

    fn with(pairs: &[(&str, &str)]) -> Result<SessionConfig, String> {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        SessionConfig::default()
            .with_user_settings(&ServerConfig::default(), &[], &pairs)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_user_overrides_the_session_part() {
        let session = with(&[("chhome", ""), ("IDLE", "5m"), ("Idle", "10m")]).unwrap();
        assert_eq!(session.jail, JailMode::Home);
        assert_eq!(session.idle, Duration::from_secs(600));
        let session = with(&[("ChShare", "/srv"), ("ChHome", "no")]).unwrap();
        assert_eq!(session.jail, JailMode::Share("/srv".into()));
    }

    #[test]
    fn what_sessions_share_refuses_its_user_under_inetd() {
        let under_inetd = |value: &str| {
            let entry = [("MaxPerUser".to_owned(), value.to_owned())];
            let server = ServerConfig {
                run: Run::Inetd,
                ..ServerConfig::default()
            };
            SessionConfig::default()
                .with_user_settings(&server, &[], &entry)
                .map_err(|error| error.to_string())
        };
        let told = under_inetd("3").unwrap_err();
        assert!(
            told.starts_with("user setting: MaxPerUser needs the daemon"),
            "{told}"
        );
        assert_eq!(under_inetd("0").unwrap().max_per_user, 0);
        assert_eq!(with(&[("MaxPerUser", "3")]).unwrap().max_per_user, 3);
    }

    #[test]
    fn a_user_cannot_reach_the_server_part() {
        let message = "user setting: AuthFile is a setting of the server, not of a user";
        assert_eq!(with(&[("AuthFile", "/tmp/x")]), Err(message.to_owned()));
        let message = "\"Inetd\" is not a key, only a flag: -inetd";
        assert_eq!(check_user_setting("inetd", ""), Err(message.to_owned()));
        for setting in FTPD.rows.iter().filter(|s| s.scope() != Scope::Session) {
            assert!(check_user_setting(setting.key, setting.default).is_err());
        }
    }

    #[test]
    fn a_user_setting_that_is_wrong_is_said_in_words() {
        let message = "Idle: \"soon\" is not a time such as 90, 5m, 1h30m or 500ms";
        assert_eq!(check_user_setting("Idle", "soon"), Err(message.to_owned()));
        let message = "unknown key \"Idel\", did you mean \"Idle\"?";
        assert_eq!(check_user_setting("Idel", "5"), Err(message.to_owned()));
        assert_eq!(check_user_setting("ChShare", "/srv/ftp"), Ok(()));
        assert_eq!(check_user_setting("DataConnectionHighPort", "2000"), Ok(()));
        let message = "ChShare: \"pub\" is not an absolute path";
        assert_eq!(
            check_user_setting("ChShare", "pub"),
            Err(message.to_owned())
        );
    }

    #[test]
    fn what_a_user_sets_must_fit_together() {
        let message = "user setting: the lowest data port, 60000, is above the highest, 50000";
        let ports = [
            ("DataConnectionLowPort", "60000"),
            ("DataConnectionHighPort", "50000"),
        ];
        assert_eq!(with(&ports), Err(message.to_owned()));
        let message = "user setting: ChHome and ChShare exclude each other";
        let both = [("ChHome", "yes"), ("ChShare", "/srv")];
        assert_eq!(with(&both), Err(message.to_owned()));
    }

    #[test]
    fn idle_is_never_longer_than_max_idle() {
        let idle = |pairs| with(pairs).unwrap().idle.as_secs();
        assert_eq!(idle(&[("MaxIdle", "100")]), 100);
        assert_eq!(idle(&[("Idle", "0"), ("MaxIdle", "100")]), 100);
        assert_eq!(idle(&[("Idle", "50"), ("MaxIdle", "100")]), 50);
        assert_eq!(idle(&[("Idle", "0")]), 0);
    }
}
