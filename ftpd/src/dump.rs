//! `ftpd --dump-config`: every setting and where its value comes from, as a TOML file that says the same.

use std::fmt::Write;
use std::process::ExitCode;

use common::auth::chain;
use common::cli::out::{answer, complain};
use common::hooks::toml as hooks_toml;
use common::settings::hooks::Placed;
use common::settings::table::{Scope, Setting, TABLE};
use common::settings::toml::{quoted, written};
use common::settings::{Loaded, Origin, OwnSetting};

use crate::check::{entry, own};

/// Values wider than this have their origins further to the right than the others.
const WIDEST: usize = 60;

/// A setting as the file tells it.
struct Line {
    setting: &'static Setting,
    text: String,
    /// `None` where nothing was said.
    origin: Option<String>,
}

/// Prints all settings, or those that one user has.
pub(crate) fn dump(loaded: &Loaded, user: Option<&[u8]>) -> ExitCode {
    let text = match user {
        None => whole(loaded),
        Some(user) => match of_user(loaded, user) {
            Ok(text) => text,
            Err(denied) => {
                complain("ftpd", denied);
                return ExitCode::FAILURE;
            }
        },
    };
    answer("ftpd", &text, ExitCode::SUCCESS)
}

fn whole(loaded: &Loaded) -> String {
    let mut text = tables(TABLE.iter().map(|setting| of_server(loaded, setting)));
    for (name, settings) in loaded.config.server.users.all() {
        let _ = write!(text, "\n[user.{}]\n", quoted(name));
        text.push_str(&aligned(settings.iter().map(own_row).collect()));
    }
    let hooks = &loaded.config.server.hooks;
    if let Some(path) = &hooks.log {
        let _ = write!(text, "\n# ExecLog = {}\n", plain(&path.to_string_lossy()));
    }
    for Placed { hook, origin } in &hooks.all {
        let origin = plain(&origin.to_string());
        let _ = write!(
            text,
            "\n[[hook]]  # {origin}\n{}",
            hooks_toml::written(hook)
        );
    }
    text
}

fn of_user(loaded: &Loaded, user: &[u8]) -> Result<String, chain::Denied> {
    let (member, line) = chain::find(&loaded.config.server, user)?;
    let entry = entry(&loaded.config.server, line);
    let settings = TABLE.iter().filter(|s| s.scope() == Scope::Session);
    let lines = settings.map(|setting| match own(loaded, &member, setting, &entry) {
        Some((text, origin)) => Line {
            setting,
            text,
            origin: Some(origin),
        },
        None => of_server(loaded, setting),
    });
    Ok(tables(lines))
}

fn of_server(loaded: &Loaded, setting: &'static Setting) -> Line {
    let origin = loaded.origin(setting);
    Line {
        setting,
        text: loaded.text(setting).to_owned(),
        origin: (origin != Origin::Default).then(|| origin.to_string()),
    }
}

/// One table for each topic. What has its default, and what no file may say, is a comment.
fn tables(lines: impl Iterator<Item = Line>) -> String {
    let lines: Vec<_> = lines.collect();
    let mut topics: Vec<_> = Vec::new();
    for line in &lines {
        if !topics.contains(&line.setting.topic()) {
            topics.push(line.setting.topic());
        }
    }
    let table = |topic: &&str| {
        let rows = lines.iter().filter(|line| line.setting.topic() == *topic);
        format!("[{topic}]\n{}", aligned(rows.map(Line::row).collect()))
    };
    topics.iter().map(table).collect::<Vec<_>>().join("\n")
}

impl Line {
    fn row(&self) -> (String, String) {
        let name = self
            .setting
            .toml
            .split_once('.')
            .map_or("", |(_, name)| name);
        let said = format!("{name} = {}", written(self.setting, &self.text));
        match (&self.origin, self.setting.scope()) {
            (None, _) => (format!("# {said}"), "default".to_owned()),
            (Some(origin), Scope::CommandLine) => {
                (format!("# {said}"), format!("{origin}, a flag only"))
            }
            (Some(origin), Scope::Server | Scope::Session) => (said, origin.clone()),
        }
    }
}

/// A setting of a user's table; one that is wrong stays visible, as it has that user refused.
fn own_row(own: &OwnSetting) -> (String, String) {
    let said = match &own.key {
        Ok(key) => Setting::find(key).map_or(String::new(), |setting| {
            format!("{} = {}", setting.toml, written(setting, &own.text))
        }),
        Err(why) => format!("# wrong: {why}"),
    };
    (said, own.origin.to_string())
}

/// Rows with their origins in a column of comments.
fn aligned(rows: Vec<(String, String)>) -> String {
    let width = |said: &str| said.chars().count();
    let widths = rows.iter().map(|(said, _)| width(said));
    let column = widths.filter(|&width| width <= WIDEST).max().unwrap_or(0);
    rows.iter()
        .map(|(said, origin)| format!("{said:<column$}  # {}\n", plain(origin)))
        .collect()
}

/// A path may hold anything, and a comment ends with its line.
fn plain(origin: &str) -> String {
    origin.replace(char::is_control, "?")
}
