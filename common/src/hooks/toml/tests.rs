//! Tests of `[[hook]]` tables.

use super::super::field::tests::full;
use super::super::hook::RunAs;
use super::super::kind::Kind;
use super::*;
use crate::proto::verbs::Verb;
use crate::settings::value::digits;
use proptest::prelude::*;
use std::time::Duration;

fn read(text: &str) -> (Vec<Hook>, Vec<(String, String)>) {
    let root = DeTable::parse(text).unwrap();
    let (hooks, errors) = parse(&root.get_ref()["hook"]);
    let errors = errors
        .into_iter()
        .map(|error| (text[error.span].to_owned(), error.message))
        .collect();
    (hooks.into_iter().map(|(hook, _)| hook).collect(), errors)
}

pub(super) fn one(text: &str) -> Hook {
    let (mut hooks, errors) = read(&format!("[[hook]]\n{text}"));
    assert_eq!(errors, []);
    hooks.remove(0)
}

fn wrong(text: &str) -> (String, String) {
    let (_, mut errors) = read(&format!("[[hook]]\n{text}"));
    assert_eq!(errors.len(), 1, "{text}: {errors:?}");
    errors.remove(0)
}

fn exec(hook: &Hook) -> &Exec {
    match &hook.action {
        Action::Exec(exec) => exec,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_table_says_everything_about_a_hook() {
    let hook = one("on = ['upload', 'rename']\nphase = 'before'\n\
         match = { user = '!anonymous', path = '/in/**', network = '192.0.2.0/24' }\n\
         exec = ['/usr/local/bin/scan', '--file', '%{real_path}']\nrun_as = 'scanner:clam'\n\
         directory = '/srv'\ninput = 'none'\nenv = { FOO = '%u' }\ntimeout = '500ms'\n\
         kill-after = 1\nlog = ['stdout']\nreply = false\nnew-privileges = true\nmode = 'veto'\n\
         on-failure = 'ignore'\nconcurrency = 2\nqueue = 10\nrate = '50/m'\n");
    assert!(hook.is_for(&full(), Phase::Before));
    assert_eq!(
        (hook.mode, hook.on_failure),
        (Mode::Veto, OnFailure::Ignore)
    );
    assert_eq!((hook.concurrency, hook.queue), (2, 10));
    let per = Duration::from_secs(60);
    assert_eq!(hook.rate, Some(RateLimit { count: 50, per }));
    let exec = exec(&hook);
    assert_eq!(exec.program, PathBuf::from("/usr/local/bin/scan"));
    assert_eq!(
        exec.arguments[1].expand(&full(), &|_| None),
        b"/home/fred/in/a b.txt"
    );
    let (user, group) = ("scanner".to_owned(), Some("clam".to_owned()));
    assert_eq!(exec.run_as, RunAs::Named { user, group });
    assert_eq!((exec.input, exec.new_privileges), (Input::Nothing, true));
    assert_eq!(
        (exec.timeout, exec.kill_after),
        (Duration::from_millis(500), Duration::from_secs(1))
    );
    assert!(exec.output.log_stdout && !exec.output.log_stderr && !exec.output.send_stdout);
    assert_eq!(exec.environment[0].1.expand(&full(), &|_| None), b"fred");
}

#[test]
fn events_and_commands_are_sets() {
    let hook = one("on = 'all'\ncommands = ['WRITE', 'SITE_CHMOD']\njournald = true");
    assert!(hook.trigger.events.contains(Kind::Stop));
    assert!(!hook.trigger.events.contains(Kind::Command));
    assert!(hook.trigger.verbs.contains(Verb::find("STOR").unwrap()));
    assert!(!hook.trigger.verbs.contains(Verb::find("RETR").unwrap()));
}

#[test]
fn every_action_is_one_of_the_keys() {
    for (text, action) in [
        ("fifo = '/x'", Action::Fifo("/x".into())),
        ("file = '/x'", Action::File("/x".into())),
        ("unix-datagram = '/x'", Action::UnixDatagram("/x".into())),
        ("unix-stream = '/x'", Action::UnixStream("/x".into())),
        ("journald = true", Action::Journald),
    ] {
        assert_eq!(one(&format!("on = 'upload'\n{text}")).action, action);
    }
    let hook = one("on = 'upload'\nwebhook = 'https://h/p'\nsecret-file = '/s'\nca-file = '/c'");
    let webhook = Webhook {
        url: "https://h/p".to_owned(),
        secret_file: Some("/s".into()),
        ca_file: Some("/c".into()),
    };
    assert_eq!(hook.action, Action::Webhook(webhook));
}

#[test]
fn accept_is_a_veto_if_nothing_else_is_said() {
    let hook = one("on = 'upload'\nphase = 'accept'\nexec = ['/x']\ninput = 'file'");
    assert_eq!((hook.mode, hook.on_failure), (Mode::Veto, OnFailure::Deny));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let upload = |text: &str| wrong(&format!("on = 'upload'\n{text}"));
    let exec = |text: &str| upload(&format!("exec = ['/x']\n{text}"));
    for ((place, message), expected_place, expected) in [
        (
            wrong("on = ['uplod']\njournald = true"),
            "'uplod'",
            "unknown event \"uplod\", did you mean \"upload\"?",
        ),
        (
            wrong("on = 'command'\njournald = true"),
            "'command'",
            "commands are named by",
        ),
        (
            wrong("commands = ['STRO']\njournald = true"),
            "'STRO'",
            "unknown command \"STRO\", did you mean \"STOR\"?",
        ),
        (
            upload("exce = ['/x']\njournald = true"),
            "exce",
            "unknown name \"hook.exce\", did you mean \"exec\"?",
        ),
        (
            upload("exec = ['/x', 'a %{usr}']"),
            "%{usr}",
            "unknown variable \"%{usr}\", did you mean \"%{user}\"?",
        ),
        (
            upload("exec = ['x']"),
            "'x'",
            "\"x\" is not an absolute path",
        ),
        (upload("exec = []"), "[]", "the program is missing"),
        (exec("env = { A = '%q' }"), "%q", "unknown variable \"%q\""),
        (
            exec("env = { A = 1 }"),
            "1",
            "a variable of the environment is a string",
        ),
        (
            exec("mode = 'vito'"),
            "'vito'",
            "\"vito\" is none of async, wait, veto, did you mean \"veto\"?",
        ),
        (
            exec("timeout = 0"),
            "0",
            "\"0\" is not a time longer than zero",
        ),
        (
            exec("queue = 0"),
            "0",
            "\"queue\" is not a number from 1 to 100000",
        ),
        (exec("rate = '5'"), "'5'", "\"5\" is not a rate such as"),
        (exec("run-as = ':x'"), "':x'", "write \"user\""),
        (
            exec("match = { path = 1 }"),
            "1",
            "\"match\" is not a string",
        ),
        (
            exec("match = { usr = 'x' }"),
            "usr",
            "unknown name \"hook.match.usr\", did you mean \"user\"?",
        ),
        (exec("match = { network = 'x' }"), "'x'", "\"x\" is not"),
        (exec("journald = true"), "true", "a hook does one thing"),
        (
            exec("on-failure = 'deny'"),
            "'deny'",
            "\"on-failure\" is for mode = \"veto\"",
        ),
        (exec("secret-file = '/s'"), "'/s'", "this is for webhooks"),
        (
            upload("journald = true\ntimeout = 1"),
            "1",
            "this is for programs",
        ),
        (
            upload("webhook = 'http://h/'"),
            "'http://h/'",
            "a webhook is https://",
        ),
        (
            upload("webhook = 'https://u:p@h/'"),
            "'https://u:p@h/'",
            "no name and password in a URL",
        ),
    ] {
        assert!(message.starts_with(expected), "{message}");
        assert_eq!(place, expected_place, "{message}");
    }
    assert!(
        wrong("on = 'upload'")
            .1
            .starts_with("the hook does nothing")
    );
    assert!(
        wrong("journald = true")
            .1
            .starts_with("it is about nothing")
    );
    assert!(read("hook = 1").1[0].1.starts_with("hooks are written"));
    assert!(read("hook = [1]").1[0].1.starts_with("a hook is a table"));
}

#[test]
fn the_table_of_keys_tells_the_true_defaults() {
    for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
        let text = format!(
            "on = 'upload'\nexec = ['/x']\nmode = 'veto'\nphase = 'before'\n{} = ",
            key.name
        );
        let value = match key.default {
            number if digits::<u32>(number).is_some() => number.to_owned(),
            flag @ ("true" | "false") => flag.to_owned(),
            text => format!("'{text}'"),
        };
        // The two that the text itself says.
        if key.name == "mode" || key.name == "phase" {
            assert_eq!(
                one(&format!(
                    "on = 'upload'\nexec = ['/x']\n{} = {value}",
                    key.name
                )),
                one("on = 'upload'\nexec = ['/x']")
            );
            continue;
        }
        let (mut with, mut without) = (
            one(&format!("{text}{value}")),
            one(text.rsplit_once('\n').map_or("", |(text, _)| text)),
        );
        if key.name == "directory" {
            for hook in [&mut with, &mut without] {
                if let Action::Exec(exec) = &mut hook.action {
                    exec.directory.get_or_insert("/".into());
                }
            }
        }
        assert_eq!(with, without, "{}", key.name);
    }
}

proptest! {
    #[test]
    fn any_value_of_any_key_is_read_or_told_wrong(number in 0usize..KEYS.len(), value in "[a-z0-9%{}'\\[\\],= /]{0,24}") {
        let text = format!("[[hook]]\non = 'upload'\n{} = {value}", KEYS[number].name);
        if let Ok(root) = DeTable::parse(&text) {
            let (hooks, errors) = parse(&root.get_ref()["hook"]);
            prop_assert_eq!(hooks.len() + usize::from(!errors.is_empty()), 1);
            prop_assert!(errors.iter().all(|error| text.get(error.span.clone()).is_some()));
        }
    }
}
