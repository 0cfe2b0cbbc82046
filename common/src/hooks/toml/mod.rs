//! `[[hook]]` tables of a TOML file. Pure: no I/O.

mod item;
#[cfg(test)]
mod tests;
mod written;

use std::ops::Range;
use std::path::PathBuf;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use self::item::{Item, environment, events, matches, rate, run_as, template, told, url, verbs};
use super::directive::{did_you_mean, program};
use super::hook::{Action, Exec, Hook, Input, Mode, OnFailure, Phase, RateLimit, Trigger, Webhook};
use super::kind::KindSet;
use super::matching::Match;
use crate::proto::verbs::VerbSet;
use crate::settings::value::shown;

pub(crate) use self::item::Told;
pub use self::written::written;

/// A key of a `[[hook]]` table.
pub struct Key {
    pub name: &'static str,
    /// How its value is written.
    pub form: &'static str,
    /// The value of a table that does not have it.
    pub default: &'static str,
    pub doc: &'static str,
    set: fn(&mut Draft, Item<'_>) -> Result<(), Told>,
}

/// All keys, in the order of the manual.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    //   name              form                                   default    documentation                                                                     what it sets
    key("on",              "list of events, or \"all\"",            "",        "Events that the hook is for",                                                   |d, i| { d.events = events(&i)?; Ok(()) }),
    key("commands",        "list of verbs, groups or ALL",        "",        "Commands that the hook is for: each makes an event `command`",                  |d, i| { d.verbs = verbs(&i)?; Ok(()) }),
    key("phase",           "before, after, error, accept",        "after",   "Before it happens, after success, after failure; accept is before a whole file gets its name", |d, i| { d.phase = i.choice(&[("before", Phase::Before), ("after", Phase::After), ("error", Phase::Error), ("accept", Phase::Accept)])?; Ok(()) }),
    key("match",           "{ user, path, network }",             "",        "Patterns for users and paths, and networks; with ! before a pattern, others",   |d, i| { d.matches = matches(&i)?; Ok(()) }),
    key("exec",            "list of strings",                     "",        "Program, by its absolute path, and its arguments, with variables",              exec),
    key("fifo",            "path",                                "",        "FIFO that gets the events as lines of JSON",                                    |d, i| { let path = i.path()?; d.action(i, Action::Fifo(path)) }),
    key("file",            "path",                                "",        "File that gets the events as lines of JSON, at its end",                        |d, i| { let path = i.path()?; d.action(i, Action::File(path)) }),
    key("unix-datagram",   "path",                                "",        "Unix socket that gets each event as a datagram of JSON",                        |d, i| { let path = i.path()?; d.action(i, Action::UnixDatagram(path)) }),
    key("unix-stream",     "path",                                "",        "Unix socket that gets the events as lines of JSON",                             |d, i| { let path = i.path()?; d.action(i, Action::UnixStream(path)) }),
    key("journald",        "true",                                "",        "The journal of systemd gets the events",                                        journald),
    key("webhook",         "URL",                                 "",        "Server that gets the events by HTTPS POST",                                     |d, i| { let url = url(&i)?; d.action(i, Action::Webhook(Webhook { url, secret_file: None, ca_file: None })) }),
    key("secret-file",     "path",                                "",        "File with the key of the webhook's signature",                                  |d, i| { d.secret_file = Some((i.path()?, i.span)); Ok(()) }),
    key("ca-file",         "path",                                "",        "Certificates that the webhook's server is verified by, instead of the system's", |d, i| { d.ca_file = Some((i.path()?, i.span)); Ok(()) }),
    key("run-as",          "hook, user, root, NAME[:GROUP]",      "hook",    "Whose rights the program has: the hook user's, the session's user's, or others'", |d, i| { let run_as = run_as(&i)?; d.exec_key(i, move |e| e.run_as = run_as.clone()) }),
    key("directory",       "path",                                "/",       "Working directory of the program",                                              |d, i| { let path = i.path()?; d.exec_key(i, move |e| e.directory = Some(path.clone())) }),
    key("input",           "json, args, none, file",              "json",    "What the program reads: the event, its arguments as lines, nothing, the file",  |d, i| { let input = i.choice(&[("json", Input::Json), ("args", Input::Args), ("none", Input::Nothing), ("file", Input::File), ("stdin-file", Input::File)])?; d.exec_key(i, move |e| e.input = input) }),
    key("env",             "{ NAME = text }",                     "",        "The whole environment of the program, with variables",                          |d, i| { let env = environment(&i)?; d.exec_key(i, move |e| e.environment = env.clone()) }),
    key("timeout",         "time",                                "60",      "The program gets SIGTERM after it",                                             |d, i| { let time = i.time()?; d.exec_key(i, move |e| e.timeout = time) }),
    key("kill-after",      "time",                                "2",       "And SIGKILL so much later",                                                     |d, i| { let time = i.time()?; d.exec_key(i, move |e| e.kill_after = time) }),
    key("log",             "list of stdout, stderr",              "stderr",  "Outputs of the program that are logged",                                        log),
    key("reply",           "true or false",                       "false",   "Whether the lines of the program's output become lines of the reply",           |d, i| { let reply = i.flag()?; d.exec_key(i, move |e| e.output.send_stdout = reply) }),
    key("quarantine",      "path",                                "",        "Directory for uploads that are refused in the phase accept", |d, i| { let path = i.path()?; d.exec_key(i, move |e| e.quarantine = Some(path.clone())) }),
    key("rename",          "true or false",                       "false",   "Whether in the phase accept the first line of the output is the file's new name", |d, i| { let may = i.flag()?; d.exec_key(i, move |e| e.output.renames = may) }),
    key("new-privileges",  "true or false",                       "false",   "Whether the program may gain privileges, as by sudo",                           |d, i| { let may = i.flag()?; d.exec_key(i, move |e| e.new_privileges = may) }),
    key("mode",            "async, wait, veto",                   "async",   "Whether the session waits, and whether a refusal counts; accept has veto",      |d, i| { d.mode = Some(i.choice(&[("async", Mode::Async), ("wait", Mode::Wait), ("veto", Mode::Veto)])?); Ok(()) }),
    key("on-failure",      "deny, ignore",                        "deny",    "What a veto is whose program could not be run or was too late",                 |d, i| { d.on_failure = Some((i.choice(&[("deny", OnFailure::Deny), ("ignore", OnFailure::Ignore)])?, i.span)); Ok(()) }),
    key("concurrency",     "number",                              "4",       "Most programs of this hook at a time",                                          |d, i| { d.concurrency = Some(i.number(1, 1000)?); Ok(()) }),
    key("queue",           "number",                              "1000",    "Most events that wait; others are dropped and counted",                         |d, i| { d.queue = Some(i.number(1, 100_000)?); Ok(()) }),
    key("rate",            "NUMBER/s, NUMBER/m, NUMBER/h",        "",        "Most events in a second, minute or hour; others are dropped and counted",       |d, i| { d.rate = Some(rate(&i)?); Ok(()) }),
];

const fn key(
    name: &'static str,
    form: &'static str,
    default: &'static str,
    doc: &'static str,
    set: fn(&mut Draft, Item<'_>) -> Result<(), Told>,
) -> Key {
    Key {
        name,
        form,
        default,
        doc,
        set,
    }
}

/// A change of the program, and the place that asks for it.
type ExecKey = (Range<usize>, Box<dyn Fn(&mut Exec)>);

/// What has been read of a table.
struct Draft {
    events: KindSet,
    verbs: VerbSet,
    phase: Phase,
    matches: Match,
    action: Option<Action>,
    exec_keys: Vec<ExecKey>,
    secret_file: Option<(PathBuf, Range<usize>)>,
    ca_file: Option<(PathBuf, Range<usize>)>,
    mode: Option<Mode>,
    on_failure: Option<(OnFailure, Range<usize>)>,
    concurrency: Option<u32>,
    queue: Option<u32>,
    rate: Option<RateLimit>,
}

/// Reads the value of `hook` in the root table. Each hook comes with the place of its table.
pub(crate) fn parse(value: &Spanned<DeValue<'_>>) -> (Vec<(Hook, Range<usize>)>, Vec<Told>) {
    let (mut hooks, mut errors) = (Vec::new(), Vec::new());
    let DeValue::Array(tables) = value.get_ref() else {
        errors.push(told(
            value.span(),
            "hooks are written [[hook]], each with a table of its own",
        ));
        return (hooks, errors);
    };
    for table in tables {
        match table.get_ref() {
            DeValue::Table(keys) => match hook(keys, table.span(), &mut errors) {
                Some(hook) => hooks.push((hook, table.span())),
                None => continue,
            },
            _ => errors.push(told(table.span(), "a hook is a table")),
        }
    }
    (hooks, errors)
}

fn hook(table: &DeTable<'_>, span: Range<usize>, errors: &mut Vec<Told>) -> Option<Hook> {
    let before = errors.len();
    let mut draft = Draft::new();
    for (name, value) in table {
        // The names of the events have underscores, so people write them in keys, too.
        let plain = name.get_ref().replace('_', "-");
        let Some(key) = KEYS.iter().find(|key| key.name == plain) else {
            let hint = did_you_mean(&plain, KEYS.iter().map(|key| key.name));
            let message = format!("unknown name \"hook.{}\"{hint}", shown(name.get_ref()));
            errors.push(told(name.span(), message));
            continue;
        };
        let item = Item {
            key: key.name,
            value: value.get_ref(),
            span: value.span(),
        };
        errors.extend((key.set)(&mut draft, item).err());
    }
    if errors.len() > before {
        return None;
    }
    draft.finish(span).map_err(|error| errors.push(error)).ok()
}

impl Draft {
    fn new() -> Draft {
        Draft {
            events: KindSet::NONE,
            verbs: VerbSet::NONE,
            phase: Phase::After,
            matches: Match::default(),
            action: None,
            exec_keys: Vec::new(),
            secret_file: None,
            ca_file: None,
            mode: None,
            on_failure: None,
            concurrency: None,
            queue: None,
            rate: None,
        }
    }

    fn action(&mut self, item: Item<'_>, action: Action) -> Result<(), Told> {
        if self.action.is_some() {
            return Err(
                item.because("a hook does one thing: write a second [[hook]] for the other")
            );
        }
        self.action = Some(action);
        Ok(())
    }

    fn exec_key(
        &mut self,
        item: Item<'_>,
        change: impl Fn(&mut Exec) + 'static,
    ) -> Result<(), Told> {
        self.exec_keys.push((item.span, Box::new(change)));
        Ok(())
    }

    fn finish(self, span: Range<usize>) -> Result<Hook, Told> {
        let Some(mut action) = self.action else {
            let actions = "exec, fifo, file, unix-datagram, unix-stream, journald or webhook";
            return Err(told(
                span,
                format!("the hook does nothing: give it {actions}"),
            ));
        };
        match &mut action {
            Action::Exec(exec) => self.exec_keys.iter().for_each(|(_, change)| change(exec)),
            _ => {
                if let Some((span, _)) = self.exec_keys.into_iter().next() {
                    return Err(told(
                        span,
                        "this is for programs: there is no \"exec\" in this hook",
                    ));
                }
            }
        }
        match &mut action {
            Action::Webhook(webhook) => {
                webhook.secret_file = self.secret_file.map(|(path, _)| path);
                webhook.ca_file = self.ca_file.map(|(path, _)| path);
            }
            _ => {
                if let Some((_, span)) = self.secret_file.or(self.ca_file) {
                    return Err(told(
                        span,
                        "this is for webhooks: there is no \"webhook\" in this hook",
                    ));
                }
            }
        }
        let trigger = Trigger {
            events: self.events,
            verbs: self.verbs,
        };
        let mut hook = Hook::new(trigger, action);
        hook.phase = self.phase;
        hook.matches = self.matches;
        hook.mode = self.mode.unwrap_or(match self.phase {
            Phase::Accept => Mode::Veto,
            Phase::Before | Phase::After | Phase::Error => Mode::Async,
        });
        hook.concurrency = self.concurrency.unwrap_or(hook.concurrency);
        hook.queue = self.queue.unwrap_or(hook.queue);
        hook.rate = self.rate;
        if let Some((on_failure, span)) = self.on_failure {
            if hook.mode != Mode::Veto {
                return Err(told(span, "\"on-failure\" is for mode = \"veto\""));
            }
            hook.on_failure = on_failure;
        }
        hook.check().map_err(|message| told(span, message))?;
        Ok(hook)
    }
}

fn exec(draft: &mut Draft, item: Item<'_>) -> Result<(), Told> {
    let texts = item.texts()?;
    let Some(((path, span), arguments)) = texts.split_first() else {
        return Err(item.because("the program is missing: exec = [\"/path\", \"argument\"]"));
    };
    let path = program(path).map_err(|message| told(span.clone(), message))?;
    let arguments = arguments.iter().map(|(text, span)| template(text, span));
    let exec = Exec::new(path, arguments.collect::<Result<_, _>>()?);
    draft.action(item, Action::Exec(Box::new(exec)))
}

fn journald(draft: &mut Draft, item: Item<'_>) -> Result<(), Told> {
    match item.flag()? {
        true => draft.action(item, Action::Journald),
        false => Err(item.because("leave it out instead of saying false")),
    }
}

fn log(draft: &mut Draft, item: Item<'_>) -> Result<(), Told> {
    let (mut stdout, mut stderr) = (false, false);
    for (word, span) in item.texts()? {
        match word {
            "stdout" => stdout = true,
            "stderr" => stderr = true,
            other => {
                let message = format!("\"{}\" is none of stdout, stderr", shown(other));
                return Err(told(span, message));
            }
        }
    }
    draft.exec_key(item, move |exec| {
        exec.output.log_stdout = stdout;
        exec.output.log_stderr = stderr;
    })
}
