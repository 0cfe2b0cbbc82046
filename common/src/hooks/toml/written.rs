//! Hooks as `[[hook]]` tables, wherever they were said: what is read from one is the same hook. Pure: no I/O.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use super::super::hook::{Action, Exec, Hook, Input, Mode, OnFailure, Phase};
use super::super::kind::Kind;
use crate::proto::verbs::{Verb, VerbSet};
use crate::settings::toml::quoted;

/// Writes a hook as a table, without what its keys are by default.
pub fn written(hook: &Hook) -> String {
    let mut table = Table::default();
    let events: Vec<&str> = hook.trigger.events.iter().map(Kind::name).collect();
    table.list("on", &events);
    let verbs = Verb::all().filter(|verb| hook.trigger.verbs.contains(*verb));
    let verbs: Vec<&str> = match hook.trigger.verbs == VerbSet::ALL {
        true => vec!["ALL"],
        false => verbs.map(|verb| verb.spec().verb).collect(),
    };
    table.list("commands", &verbs);
    if hook.phase != Phase::After {
        table.text("phase", hook.phase.name());
    }
    matches(hook, &mut table);
    action(&hook.action, &mut table);
    let usual = match hook.phase {
        Phase::Accept => Mode::Veto,
        Phase::Before | Phase::After | Phase::Error => Mode::Async,
    };
    if hook.mode != usual {
        table.text("mode", hook.mode.name());
    }
    if hook.mode == Mode::Veto && hook.on_failure == OnFailure::Ignore {
        table.text("on-failure", "ignore");
    }
    let new = Hook::new(hook.trigger, Action::Journald);
    if hook.concurrency != new.concurrency {
        table.line("concurrency", hook.concurrency.to_string());
    }
    if hook.queue != new.queue {
        table.line("queue", hook.queue.to_string());
    }
    if let Some(rate) = hook.rate {
        let unit = match rate.per.as_secs() {
            1 => "s",
            60 => "m",
            _ => "h",
        };
        table.text("rate", &format!("{}/{unit}", rate.count));
    }
    table.0
}

/// Lines of a table.
#[derive(Default)]
struct Table(String);

impl Table {
    fn line(&mut self, key: &str, value: String) {
        // Writing to memory does not fail.
        let _ = writeln!(self.0, "{key} = {value}");
    }

    fn text(&mut self, key: &str, text: &str) {
        self.line(key, quoted(text));
    }

    fn path(&mut self, key: &str, path: &Path) {
        self.text(key, &path.to_string_lossy());
    }

    fn flag(&mut self, key: &str, is_set: bool) {
        if is_set {
            self.line(key, "true".to_owned());
        }
    }

    fn time(&mut self, key: &str, time: Duration, usual: Duration) {
        if time != usual {
            self.text(key, &format!("{}ms", time.as_millis()));
        }
    }

    /// Nothing for an empty list.
    fn list(&mut self, key: &str, texts: &[&str]) {
        if !texts.is_empty() {
            self.line(key, list(texts));
        }
    }
}

fn list(texts: &[&str]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

fn matches(hook: &Hook, table: &mut Table) {
    let mut parts = Vec::new();
    let words = |words: &[String]| list(&words.iter().map(String::as_str).collect::<Vec<_>>());
    if let Some(users) = &hook.matches.users {
        parts.push(format!("user = {}", words(users.words())));
    }
    if let Some(paths) = &hook.matches.paths {
        parts.push(format!("path = {}", words(paths.words())));
    }
    if let Some(networks) = &hook.matches.networks {
        let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
        parts.push(format!("network = {}", words(&networks)));
    }
    if !parts.is_empty() {
        table.line("match", format!("{{ {} }}", parts.join(", ")));
    }
}

fn action(action: &Action, table: &mut Table) {
    match action {
        Action::Exec(exec) => program(exec, table),
        Action::Fifo(path) => table.path("fifo", path),
        Action::File(path) => table.path("file", path),
        Action::Journald => table.flag("journald", true),
        Action::UnixDatagram(path) => table.path("unix-datagram", path),
        Action::UnixStream(path) => table.path("unix-stream", path),
        Action::Webhook(webhook) => {
            table.text("webhook", &webhook.url);
            if let Some(path) = &webhook.secret_file {
                table.path("secret-file", path);
            }
            if let Some(path) = &webhook.ca_file {
                table.path("ca-file", path);
            }
        }
    }
}

fn program(exec: &Exec, table: &mut Table) {
    let new = Exec::new(exec.program.clone(), Vec::new());
    let program = exec.program.to_string_lossy();
    let arguments = exec.arguments.iter().map(|argument| argument.text());
    let words: Vec<&str> = std::iter::once(&*program).chain(arguments).collect();
    table.list("exec", &words);
    if exec.run_as != new.run_as {
        table.text("run-as", &exec.run_as.to_string());
    }
    if let Some(directory) = &exec.directory {
        table.path("directory", directory);
    }
    match exec.input {
        Input::Json => {}
        Input::Args => table.text("input", "args"),
        Input::Nothing => table.text("input", "none"),
        Input::File => table.text("input", "file"),
    }
    let pair = |(name, text): &(String, super::super::Template)| {
        format!("{} = {}", quoted(name), quoted(text.text()))
    };
    let pairs: Vec<_> = exec.environment.iter().map(pair).collect();
    if !pairs.is_empty() {
        table.line("env", format!("{{ {} }}", pairs.join(", ")));
    }
    table.time("timeout", exec.timeout, new.timeout);
    table.time("kill-after", exec.kill_after, new.kill_after);
    let output = exec.output;
    if (output.log_stdout, output.log_stderr) != (false, true) {
        let stdout = output.log_stdout.then_some("stdout");
        let stderr = output.log_stderr.then_some("stderr");
        let logged: Vec<_> = stdout.into_iter().chain(stderr).collect();
        table.line("log", list(&logged));
    }
    table.flag("reply", output.send_stdout);
    table.flag("rename", output.renames);
    if let Some(directory) = &exec.quarantine {
        table.path("quarantine", directory);
    }
    table.flag("new-privileges", exec.new_privileges);
}

#[cfg(test)]
mod tests {
    use super::super::tests::one;
    use super::*;
    use crate::hooks::directive::{Directive, Directives};
    use crate::settings::Origin;

    fn comes_back(hook: &Hook) {
        let text = written(hook);
        assert_eq!(&one(&text), hook, "{text}");
    }

    #[test]
    fn a_hook_that_is_written_and_read_is_the_same() {
        for text in [
            "on = 'upload'\nexec = '/x'\n",
            "on = 'all'\njournald = true\n",
            "commands = ['WRITE', 'SITE CHMOD']\nphase = 'before'\nmode = 'veto'\non-failure = 'ignore'\nexec = ['/x', 'a \"b\" %{real_path} 100%%']\n",
            "commands = 'ALL'\nphase = 'error'\nmode = 'wait'\nreply = true\nexec = '/x'\nlog = []\n",
            "on = 'upload'\nphase = 'accept'\nexec = ['/x']\nquarantine = '/q'\nrename = true\ninput = 'file'\ntimeout = '90s'\nkill-after = '1500ms'\n",
            "on = 'login'\nmatch = { user = ['fr*', '!fred'], path = '/in/**', network = ['10.0.0.0/8', '::1'] }\nwebhook = 'https://example.org/'\nsecret-file = '/s'\nca-file = '/c'\nrate = '10/m'\nqueue = 5\nconcurrency = 9\n",
            "on = 'delete'\nexec = ['/x']\nrun-as = 'a:b'\ndirectory = '/d'\nenv = { 'A B' = '%u', C = '' }\nnew-privileges = true\nlog = ['stdout', 'stderr']\n",
            "on = 'stop'\nunix-stream = '/s'\n",
            "on = 'stop'\nunix-datagram = '/s'\n",
            "on = 'stop'\nfifo = '/s'\n",
            "on = 'stop'\nfile = '/s'\n",
        ] {
            comes_back(&one(text));
        }
    }

    #[test]
    fn directives_can_be_written_as_tables() {
        let mut directives = Directives::default();
        for (directive, value) in [
            (Directive::Engine, "on"),
            (Directive::OnCommand, "STOR,APPE /x %f \"%b octets\""),
            (Directive::BeforeCommand, "DELE /y"),
            (Directive::OnEvent, "login* /z"),
            (Directive::Environ, "PATH -"),
            (Directive::Options, "useStdin sendStdout"),
            (Directive::Enable, "off /private/**"),
        ] {
            directives.push(directive, value, &Origin::Default).unwrap();
        }
        for placed in directives.finish().unwrap().all {
            comes_back(&placed.hook);
        }
    }
}
