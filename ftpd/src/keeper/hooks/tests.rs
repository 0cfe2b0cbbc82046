//! Tests of what hooks are asked about.

use super::*;
use common::channel::UploadAt;
use common::hookd::Interest;
use common::hooks::{Action, Exec, Hook, KindSet, Mode, OnFailure, Trigger};
use std::time::Duration;

fn path(text: &str) -> VirtualPath {
    VirtualPath::new(text.as_bytes()).unwrap()
}

fn create(at: UploadAt, to: &str) -> FileRequest {
    FileRequest::Create {
        path: path(to),
        at,
        continuable: false,
        declared: None,
    }
}

/// A session with a hook that may refuse these commands, and that lets through what it cannot be asked about.
fn hooked(verbs: &[&str]) -> Hooked {
    let mut set = VerbSet::NONE;
    let found = verbs.iter().map(|verb| Verb::find(verb).unwrap());
    found.for_each(|verb| set.insert(verb));
    let trigger = Trigger {
        events: KindSet::NONE,
        verbs: set,
    };
    let exec = Exec::new("/bin/true".into(), Vec::new());
    let mut hook = Hook::new(trigger, Action::Exec(Box::new(exec)));
    (hook.phase, hook.mode, hook.on_failure) = (Phase::Before, Mode::Veto, OnFailure::Ignore);
    let reach = Reach::new(None, Interest::of(&[hook], None), Duration::ZERO);
    Hooked::new(reach, VirtualPath::root())
}

fn name(hooked: &mut Hooked, verb: &str, about: Option<&str>) {
    let command = Commanded {
        verb: Verb::find(verb).unwrap(),
        arguments: Octets::default(),
        reply: None,
    };
    let answer = hooked.command(command, about.map(path), None);
    assert!(matches!(answer, FileAnswer::Done), "{answer:?}");
}

/// SECURITY: a network half that does not name its commands gets nowhere by that.
#[test]
fn what_only_a_command_needs_that_can_be_refused_must_have_been_named() {
    let mut hooked = hooked(&["STOR", "DELE"]);
    let asked = |hooked: &Hooked, request: &FileRequest| hooked.was_asked(VerbSet::ALL, request);
    let store = create(UploadAt::Replace, "/a");
    assert!(!asked(&hooked, &store));
    // Others are needed by commands that no hook is for.
    assert!(asked(&hooked, &create(UploadAt::Append, "/a")));
    assert!(asked(&hooked, &FileRequest::MakeDir { path: path("/d") }));
    assert!(asked(&hooked, &FileRequest::DataEnd));
    name(&mut hooked, "STOR", Some("/a"));
    assert!(asked(&hooked, &store));
    assert!(
        !asked(&hooked, &create(UploadAt::Replace, "/b")),
        "another path"
    );
    let remove = FileRequest::Remove { path: path("/a") };
    assert!(!asked(&hooked, &remove), "another command");
    name(&mut hooked, "DELE", Some("/a"));
    assert!(asked(&hooked, &remove) && !asked(&hooked, &store));
}

/// APPE serves as well as STOR for the end of an upload, unless it is not permitted.
#[test]
fn who_lacks_the_other_commands_cannot_hide_behind_them() {
    let hooked = hooked(&["STOR"]);
    assert!(hooked.was_asked(VerbSet::ALL, &FileRequest::Commit));
    let alone = VerbSet::ALL.without("APPE").without("STOU");
    assert!(!hooked.was_asked(alone, &FileRequest::Commit));
}
