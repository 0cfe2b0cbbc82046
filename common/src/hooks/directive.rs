//! mod_exec's directives by their names. In a `Key=Value` file each is a line, and may come often:
//! `ExecOnCommand=STOR,APPE /usr/local/bin/arrived %f`. Pure: no I/O.

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use super::hook::{Action, Exec, Hook, Input, Mode, Output, Phase, RunAs, Trigger};
use super::kind::{Kind, KindSet};
use super::matching::PathPatterns;
use super::template::Template;
use crate::proto::verbs::{Verb, VerbSet};
use crate::settings::Origin;
use crate::settings::hooks::{Hooks, Placed};
use crate::settings::nearest::nearest;
use crate::settings::permitted::named;
use crate::settings::value::{Value, Wrong, Zero, shown};

/// A directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directive {
    BeforeCommand,
    Enable,
    Engine,
    Environ,
    Log,
    OnCommand,
    OnConnect,
    OnError,
    OnEvent,
    OnExit,
    OnRestart,
    Options,
    Timeout,
}

impl Directive {
    pub const ALL: [Directive; 13] = [
        Directive::BeforeCommand,
        Directive::Enable,
        Directive::Engine,
        Directive::Environ,
        Directive::Log,
        Directive::OnCommand,
        Directive::OnConnect,
        Directive::OnError,
        Directive::OnEvent,
        Directive::OnExit,
        Directive::OnRestart,
        Directive::Options,
        Directive::Timeout,
    ];

    /// Finds a directive by its name, in any case.
    pub fn find(key: &str) -> Option<Directive> {
        Directive::ALL
            .into_iter()
            .find(|directive| directive.name().eq_ignore_ascii_case(key))
    }

    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// How its value is written.
    pub fn syntax(self) -> &'static str {
        self.row().1
    }

    /// One line for the manual.
    pub fn doc(self) -> &'static str {
        self.row().2
    }

    #[rustfmt::skip]
    fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Directive::BeforeCommand => ("ExecBeforeCommand", "commands program [argument…]", "Before these commands, which wait for it"),
            Directive::Enable => ("ExecEnable", "off path…", "No hook on commands is for paths that match one of these patterns"),
            Directive::Engine => ("ExecEngine", "on|off", "Whether any of these directives counts; needed beside them"),
            Directive::Environ => ("ExecEnviron", "name text", "A variable of the environment of all programs; the text \"-\" takes the daemon's own"),
            Directive::Log => ("ExecLog", "file|none", "Where the results and outputs of programs are written, beside the log"),
            Directive::OnCommand => ("ExecOnCommand", "commands program [argument…]", "When one of these commands has succeeded"),
            Directive::OnConnect => ("ExecOnConnect", "program [argument…]", "When a client has connected"),
            Directive::OnError => ("ExecOnError", "commands program [argument…]", "When one of these commands has failed"),
            Directive::OnEvent => ("ExecOnEvent", "event[*|~] program [argument…]", "At an event; with * as root, with ~ as the user who is logged in"),
            Directive::OnExit => ("ExecOnExit", "program [argument…]", "When the session of a user has ended"),
            Directive::OnRestart => ("ExecOnRestart", "program [argument…]", "When the daemon has read its files again"),
            Directive::Options => ("ExecOptions", "[logStdout] [logStderr] [sendStdout] [useStdin]", "What becomes of outputs, and how arguments are given"),
            Directive::Timeout => ("ExecTimeout", "time", "The longest that a program may take"),
        }
    }
}

/// What the directives of a file say together.
#[derive(Debug, Default, PartialEq)]
pub struct Directives {
    engine: Option<bool>,
    hooks: Vec<Placed>,
    environment: Vec<(String, Template)>,
    log: Option<PathBuf>,
    output: Output,
    use_stdin: bool,
    timeout: Option<Duration>,
    disabled: Vec<String>,
    any: bool,
}

impl Directives {
    /// Takes one line. `Err` is a sentence about its value.
    pub fn push(
        &mut self,
        directive: Directive,
        value: &str,
        origin: &Origin,
    ) -> Result<(), String> {
        let words = words(value)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.any = true;
        match (directive, words.as_slice()) {
            (Directive::Engine, [word]) => self.engine = Some(on(word)?),
            (Directive::Enable, ["on" | "On" | "ON"]) => {}
            (Directive::Enable, [word, paths @ ..]) if !paths.is_empty() && !on(word)? => {
                PathPatterns::parse(paths).map_err(|_| "a pattern is too long".to_owned())?;
                let paths = paths.iter().map(|path| format!("!{path}"));
                self.disabled.extend(paths);
            }
            (Directive::Environ, [name, text]) => self.environ(name, text)?,
            (Directive::Log, ["none"]) => self.log = None,
            (Directive::Log, [path]) => self.log = Some(program(path)?),
            (Directive::Options, [_, ..]) => self.options(&words)?,
            (Directive::Timeout, [text]) => {
                let value = Value { text, base: None };
                let wrong = |wrong: Wrong| wrong.sentence(text);
                self.timeout = Some(value.interval(Zero::Refuse).map_err(wrong)?);
            }
            _ => match hook(directive, &words)? {
                Some(hook) => {
                    let logins = of_failed_logins(directive, &hook);
                    self.hooks
                        .extend(std::iter::once(hook).chain(logins).map(|hook| Placed {
                            hook,
                            origin: origin.clone(),
                        }));
                }
                None => return Err(format!("write {}={}", directive.name(), directive.syntax())),
            },
        }
        Ok(())
    }

    /// The hooks of all lines together, in their order.
    pub fn finish(self) -> Result<Hooks, String> {
        match self.engine {
            Some(true) => {}
            Some(false) => return Ok(Hooks::default()),
            None if !self.any => return Ok(Hooks::default()),
            None => {
                let why = "without ExecEngine none of the Exec directives would count: write ExecEngine=on, or ExecEngine=off to keep them unused";
                return Err(why.to_owned());
            }
        }
        let disabled: Vec<&str> = self.disabled.iter().map(String::as_str).collect();
        let disabled = PathPatterns::parse(&disabled).map_err(|_| "a pattern is too long")?;
        let disabled = Some(disabled).filter(|_| !self.disabled.is_empty());
        let mut all = self.hooks;
        for Placed { hook, .. } in &mut all {
            let sends = self.output.send_stdout && can_send(hook);
            if sends {
                hook.mode = Mode::Wait;
            }
            if hook.trigger.verbs != VerbSet::NONE {
                hook.matches.paths = disabled.clone();
            }
            if let Action::Exec(exec) = &mut hook.action {
                exec.output = Output {
                    send_stdout: sends,
                    ..self.output
                };
                exec.environment = self.environment.clone();
                exec.timeout = self.timeout.unwrap_or(Exec::TIMEOUT);
                exec.input = if self.use_stdin {
                    Input::Args
                } else {
                    Input::Nothing
                };
            }
            hook.check()?;
        }
        Ok(Hooks { all, log: self.log })
    }

    fn environ(&mut self, name: &str, text: &str) -> Result<(), String> {
        let name = name.to_ascii_uppercase();
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(format!(
                "\"{}\" is not a name of the environment",
                shown(&name)
            ));
        }
        let text = match text {
            "-" => Template::of_environment(&name),
            _ => Template::parse(text),
        };
        let text = text.map_err(|error| error.message)?;
        self.environment.retain(|(earlier, _)| *earlier != name);
        self.environment.push((name, text));
        Ok(())
    }

    fn options(&mut self, words: &[&str]) -> Result<(), String> {
        const OPTIONS: [&str; 4] = ["logStdout", "logStderr", "sendStdout", "useStdin"];
        let output = &mut self.output;
        for word in words {
            let known = OPTIONS
                .iter()
                .position(|known| known.eq_ignore_ascii_case(word));
            match known {
                Some(0) => output.log_stdout = true,
                Some(1) => output.log_stderr = true,
                Some(2) => output.send_stdout = true,
                Some(_) => self.use_stdin = true,
                None => {
                    let hint = did_you_mean(word, OPTIONS);
                    return Err(format!("unknown option \"{}\"{hint}", shown(word)));
                }
            }
        }
        Ok(())
    }
}

/// The hook of a directive that makes one.
fn hook(directive: Directive, words: &[&str]) -> Result<Option<Hook>, String> {
    let hook = match (directive, words) {
        (
            Directive::BeforeCommand | Directive::OnCommand | Directive::OnError,
            [commands, path, arguments @ ..],
        ) => on_command(directive, commands, exec(path, arguments)?)?,
        (Directive::OnConnect, [path, arguments @ ..]) => {
            on_kind(Kind::Connect, exec(path, arguments)?)
        }
        (Directive::OnExit, [path, arguments @ ..]) => {
            on_kind(Kind::Logout, exec(path, arguments)?)
        }
        (Directive::OnRestart, [path, arguments @ ..]) => {
            on_kind(Kind::Reload, exec(path, arguments)?)
        }
        (Directive::OnEvent, [event, path, arguments @ ..]) => {
            on_event(event, exec(path, arguments)?)?
        }
        _ => return Ok(None),
    };
    Ok(Some(hook))
}

fn on_command(directive: Directive, commands: &str, exec: Exec) -> Result<Hook, String> {
    let mut verbs = VerbSet::NONE;
    for word in commands.split(',').filter(|word| !word.is_empty()) {
        let named = named(word).map_err(|wrong| wrong.sentence(word))?;
        verbs = VerbSet::from_bits(verbs.bits() | named.bits());
    }
    let trigger = Trigger {
        events: KindSet::NONE,
        verbs,
    };
    let exec = Exec {
        run_as: RunAs::User,
        ..exec
    };
    let mut hook = Hook::new(trigger, Action::Exec(Box::new(exec)));
    (hook.phase, hook.mode) = match directive {
        // It is to have run before the command does anything.
        Directive::BeforeCommand => (Phase::Before, Mode::Wait),
        Directive::OnError => (Phase::Error, Mode::Async),
        _ => (Phase::After, Mode::Async),
    };
    Ok(hook)
}

/// A PASS that fails is no command of anybody who has logged in: there is an event for it.
fn of_failed_logins(directive: Directive, hook: &Hook) -> Option<Hook> {
    let pass = Verb::find("PASS")?;
    let Action::Exec(exec) = &hook.action else {
        return None;
    };
    let wanted = directive == Directive::OnError && hook.trigger.verbs.contains(pass);
    let exec = Exec {
        run_as: RunAs::Hook,
        ..Exec::clone(exec)
    };
    wanted.then(|| on_kind(Kind::LoginFailed, exec))
}

fn on_kind(kind: Kind, exec: Exec) -> Hook {
    let trigger = Trigger {
        events: KindSet::from_iter([kind]),
        verbs: VerbSet::NONE,
    };
    Hook::new(trigger, Action::Exec(Box::new(exec)))
}

fn on_event(event: &str, exec: Exec) -> Result<Hook, String> {
    let (name, run_as) = match event.strip_suffix('*') {
        Some(name) => (name, RunAs::Root),
        None => match event.strip_suffix('~') {
            Some(name) => (name, RunAs::User),
            None => (event, RunAs::Hook),
        },
    };
    Ok(on_kind(event_named(name)?, Exec { run_as, ..exec }))
}

/// Whether mod_exec would send the output of this hook to the client.
fn can_send(hook: &Hook) -> bool {
    match hook.phase {
        // Not that of ExecOnConnect: whoever connects waits for no program.
        Phase::After | Phase::Error => hook.trigger.verbs != VerbSet::NONE,
        Phase::Before | Phase::Accept => false,
    }
}

/// mod_exec's names of events, the internal ones of other modules among them, beside our own.
const EVENTS: &[(&str, Kind)] = &[
    ("MaxConnectionRate", Kind::LimitHit),
    ("MaxInstances", Kind::LimitHit),
    ("core.max-connection-rate", Kind::LimitHit),
    ("core.max-instances", Kind::LimitHit),
    ("mod_auth.max-login-attempts", Kind::LoginFailed),
    ("mod_ban.ban-host", Kind::Ban),
];

fn event_named(name: &str) -> Result<Kind, String> {
    let theirs = EVENTS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    let ours = Kind::find(name).filter(|&kind| kind != Kind::Command);
    theirs.map(|&(_, kind)| kind).or(ours).ok_or_else(|| {
        let names = EVENTS.iter().map(|(name, _)| *name);
        let hint = did_you_mean(name, names.chain(Kind::ALL.map(Kind::name)));
        format!("unknown event \"{}\"{hint}", shown(name))
    })
}

pub(super) fn did_you_mean<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, names)
        .map(|name| format!(", did you mean \"{name}\"?"))
        .unwrap_or_default()
}

fn on(word: &str) -> Result<bool, String> {
    let value = Value {
        text: word,
        base: None,
    };
    value.switch().map_err(|wrong| wrong.sentence(word))
}

fn exec(path: &str, arguments: &[&str]) -> Result<Exec, String> {
    let arguments = arguments.iter().map(|text| Template::parse(text));
    let arguments = arguments
        .collect::<Result<_, _>>()
        .map_err(|error| error.message)?;
    Ok(Exec::new(program(path)?, arguments))
}

pub(super) fn program(path: &str) -> Result<PathBuf, String> {
    if !path.starts_with('/') || path.contains('\0') {
        return Err(format!("\"{}\" is not an absolute path", shown(path)));
    }
    Ok(PathBuf::from(path))
}

/// The words of a value. Blanks separate them, but not between quotes; a backslash takes the meaning from a quote or a
/// backslash.
fn words(value: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' => {
                let escaped = characters.next_if(|&next| next == '"' || next == '\\');
                word.get_or_insert_default().push(escaped.unwrap_or('\\'));
            }
            blank if blank.is_whitespace() && !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    if quoted {
        return Err("a quote has no end".to_owned());
    }
    words.extend(word);
    Ok(words)
}
