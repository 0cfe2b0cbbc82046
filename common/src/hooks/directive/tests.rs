use super::super::field::tests::full;
use super::*;
use crate::proto::verbs::Verb;
use proptest::prelude::*;

fn read(lines: &[&str]) -> Result<Hooks, String> {
    let mut directives = Directives::default();
    for line in lines {
        let (key, value) = line.split_once('=').unwrap();
        directives.push(Directive::find(key).unwrap(), value, &Origin::Default)?;
    }
    directives.finish()
}

fn hook(lines: &[&str]) -> (Hook, Exec) {
    let lines: Vec<_> = lines.iter().chain(&["ExecEngine=on"]).copied().collect();
    let hook = read(&lines).unwrap().all.remove(0).hook;
    match hook.action.clone() {
        Action::Exec(exec) => (hook, *exec),
        other => panic!("{other:?}"),
    }
}

fn wrong(line: &str) -> String {
    read(&[line]).unwrap_err()
}

#[test]
fn a_command_hook_has_its_verbs_phase_and_identity() {
    let (hook, exec) = hook(&["ExecOnCommand=stor,Appe /usr/bin/x --file %f \"a b\""]);
    for verb in Verb::all() {
        let named = ["STOR", "APPE"].contains(&verb.spec().verb);
        assert_eq!(hook.trigger.verbs.contains(verb), named);
    }
    assert_eq!((hook.phase, hook.mode), (Phase::After, Mode::Async));
    assert_eq!((exec.run_as, exec.input), (RunAs::User, Input::Nothing));
    let arguments = exec.arguments.iter().map(|a| a.expand(&full(), &|_| None));
    let arguments: Vec<_> = arguments.collect();
    assert_eq!(
        arguments,
        [&b"--file"[..], b"/home/fred/in/a b.txt", b"a b"]
    );
}

#[test]
fn before_waits_and_error_is_for_failures() {
    let (before, _) = hook(&["ExecBeforeCommand=DELE /x"]);
    assert_eq!((before.phase, before.mode), (Phase::Before, Mode::Wait));
    let (error, _) = hook(&["execonerror=ALL /x"]);
    assert_eq!(error.phase, Phase::Error);
}

/// F6: in mod_exec a group never matched before a command. Here it is the table's.
#[test]
fn groups_are_those_of_the_command_table() {
    for group in ["READ", "WRITE", "DIRS", "LOGIN", "ALL"] {
        for directive in ["ExecBeforeCommand", "ExecOnCommand", "ExecOnError"] {
            let (hook, _) = hook(&[&format!("{directive}={group} /x")]);
            for verb in Verb::all() {
                let inside = group == "ALL" || verb.spec().group.name() == group;
                assert_eq!(hook.trigger.verbs.contains(verb), inside, "{verb:?}");
            }
        }
    }
}

#[test]
fn moments_and_events_are_kinds() {
    for (line, kind, run_as) in [
        ("ExecOnConnect=/x", Kind::Connect, RunAs::Hook),
        ("ExecOnExit=/x %u", Kind::Logout, RunAs::Hook),
        ("ExecOnRestart=/x", Kind::Reload, RunAs::Hook),
        ("ExecOnEvent=MaxInstances /x", Kind::LimitHit, RunAs::Hook),
        ("ExecOnEvent=mod_ban.ban-host* /x", Kind::Ban, RunAs::Root),
        ("ExecOnEvent=upload~ /x", Kind::Upload, RunAs::User),
    ] {
        let (hook, exec) = hook(&[line]);
        assert_eq!(
            hook.trigger.events.iter().collect::<Vec<_>>(),
            [kind],
            "{line}"
        );
        assert_eq!(exec.run_as, run_as, "{line}");
    }
}

#[test]
fn options_environment_and_time_are_for_all() {
    let (hook, exec) = hook(&[
        "ExecOnCommand=STOR /x",
        "ExecOptions=logStdout useStdin",
        "ExecOptions=SENDSTDOUT",
        "ExecEnviron=user_name %u",
        "ExecEnviron=path -",
        "ExecTimeout=3",
    ]);
    let output = Output {
        log_stdout: true,
        send_stdout: true,
        ..Output::default()
    };
    assert_eq!(
        (hook.mode, exec.output, exec.input),
        (Mode::Wait, output, Input::Args)
    );
    assert_eq!(exec.timeout, Duration::from_secs(3));
    let environment = |name: &str| (name == "PATH").then(|| b"/bin".to_vec());
    let value = |at: usize| exec.environment[at].1.expand(&full(), &environment);
    assert_eq!(
        (exec.environment[0].0.as_str(), value(0)),
        ("USER_NAME", b"fred".to_vec())
    );
    assert_eq!(
        (exec.environment[1].0.as_str(), value(1)),
        ("PATH", b"/bin".to_vec())
    );
    let (exit, _) = self::hook(&["ExecOnExit=/x", "ExecOptions=sendStdout"]);
    assert_eq!(exit.mode, Mode::Async);
}

#[test]
fn the_engine_must_be_said_and_can_be_off() {
    assert!(
        read(&["ExecOnExit=/x"])
            .unwrap_err()
            .contains("write ExecEngine=on")
    );
    assert_eq!(
        read(&["ExecOnExit=/x", "ExecEngine=off"]),
        Ok(Hooks::default())
    );
    let log = read(&["ExecEngine=on", "ExecLog=/var/log/x"]).unwrap().log;
    assert_eq!(log, Some(PathBuf::from("/var/log/x")));
    assert_eq!(read(&["ExecEngine=on", "ExecLog=none"]).unwrap().log, None);
    assert_eq!(read(&[]), Ok(Hooks::default()));
}

#[test]
fn directories_can_be_without_hooks_on_commands() {
    let lines = ["ExecOnCommand=STOR /x", "ExecEnable=off /private/**"];
    let (hook, _) = hook(&lines);
    let mut event = full();
    event.kind = Kind::Command;
    assert!(hook.is_for(&event, Phase::After));
    event.act.path = super::super::Path::new("/private/a").ok();
    assert!(!hook.is_for(&event, Phase::After));
    event.act.path = None;
    assert!(hook.is_for(&event, Phase::After));
}

#[test]
fn what_is_wrong_is_said_in_words() {
    for (line, sentence) in [
        (
            "ExecOnCommand=STOR",
            "write ExecOnCommand=commands program [argument…]",
        ),
        (
            "ExecOnCommand=STRO /x",
            "unknown command \"STRO\", did you mean \"STOR\"?",
        ),
        ("ExecOnCommand=STOR x", "\"x\" is not an absolute path"),
        (
            "ExecOnExit=/x %{usr}",
            "unknown variable \"%{usr}\", did you mean \"%{user}\"?",
        ),
        ("ExecOnExit=/x \"", "a quote has no end"),
        (
            "ExecOnEvent=uplod /x",
            "unknown event \"uplod\", did you mean \"upload\"?",
        ),
        (
            "ExecOptions=logStdut",
            "unknown option \"logStdut\", did you mean \"logStdout\"?",
        ),
        ("ExecEnable=off", "write ExecEnable=off path…"),
        ("ExecTimeout=0", "\"0\" is not a time longer than zero"),
        ("ExecEnviron=a", "write ExecEnviron=name text"),
        ("ExecLog=x", "\"x\" is not an absolute path"),
    ] {
        assert_eq!(wrong(line), sentence, "{line}");
    }
    assert_eq!(Directive::find("ExecOnFoo"), None);
}

#[test]
fn quotes_hold_words_together() {
    let words = |value| words(value).unwrap();
    assert_eq!(
        words(r#"a "b c" d"e f"g "" \"h \\ \i"#),
        ["a", "b c", "de fg", "", "\"h", "\\", "\\i"]
    );
}

proptest! {
    #[test]
    fn any_line_is_a_directive_or_told_wrong(number in 0usize..13, value in "[ -~é]{0,60}") {
        let mut directives = Directives::default();
        if directives.push(Directive::ALL[number], &value, &Origin::Default).is_ok() {
            let _ = directives.finish();
        }
    }

    #[test]
    fn a_quoted_word_is_itself(word in "[^\0]{0,40}") {
        let quoted = word.replace('\\', "\\\\").replace('"', "\\\"");
        prop_assert_eq!(words(&format!("\"{quoted}\"")), Ok(vec![word]));
    }
}
