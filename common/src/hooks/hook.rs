//! What is to be done when something happens. `[[hook]]` tables, mod_exec's directives and MetaFTPd's settings all make
//! these. Pure: no I/O.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::event::Event;
use super::kind::{Kind, KindSet};
use super::matching::Match;
use super::template::Template;
use crate::proto::verbs::{Verb, VerbSet};

/// One hook.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    pub trigger: Trigger,
    pub phase: Phase,
    pub matches: Match,
    pub action: Action,
    pub mode: Mode,
    pub on_failure: OnFailure,
    /// How many of its deliveries go on at a time.
    pub concurrency: u32,
    /// How many events wait for that; more are dropped and counted.
    pub queue: u32,
    pub rate: Option<RateLimit>,
}

/// What a hook is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    pub events: KindSet,
    /// Commands; they make events of the kind `command`.
    pub verbs: VerbSet,
}

/// When it comes, as seen from what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before anything is done.
    Before,
    /// After success, and before the reply.
    After,
    /// After a failure, and before the reply.
    Error,
    /// When an uploaded file is whole and not yet under its name.
    Accept,
}

/// What is done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Exec(Box<Exec>),
    /// JSON lines into a FIFO, which need not have a reader yet.
    Fifo(PathBuf),
    /// JSON lines to the end of a file.
    File(PathBuf),
    /// To the journal of systemd.
    Journald,
    /// A datagram of JSON to a Unix socket.
    UnixDatagram(PathBuf),
    /// JSON lines into a connection to a Unix socket.
    UnixStream(PathBuf),
    Webhook(Webhook),
}

/// A program to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Exec {
    /// The program, by its absolute path.
    pub program: PathBuf,
    /// Its arguments; each template becomes exactly one.
    pub arguments: Vec<Template>,
    pub run_as: RunAs,
    /// The working directory; `/` where none is said.
    pub directory: Option<PathBuf>,
    pub input: Input,
    /// The whole environment.
    pub environment: Vec<(String, Template)>,
    /// The program gets SIGTERM when it takes longer.
    pub timeout: Duration,
    /// And SIGKILL when it then takes longer than this.
    pub kill_after: Duration,
    pub output: Output,
    /// Where uploaded files go that it refuses.
    pub quarantine: Option<PathBuf>,
    /// Whether it may gain privileges, as by a setuid program.
    pub new_privileges: bool,
}

/// Whose identity a program gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunAs {
    /// The user of the session; before the login the hook user.
    User,
    /// The user that hooks have, who owns nothing.
    Hook,
    Root,
    /// A user of this system, with a group other than its primary one.
    Named {
        user: String,
        group: Option<String>,
    },
}

/// What a program reads from its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The event as a line of JSON.
    Json,
    /// The arguments, which then are not on the command line: each on a line, and at last a line with a dot.
    Args,
    Nothing,
    /// The file that was uploaded.
    File,
}

/// What becomes of a program's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Output {
    pub log_stdout: bool,
    pub log_stderr: bool,
    /// The lines of its standard output become lines of the reply.
    pub send_stdout: bool,
    /// The first line of its standard output becomes the name of the uploaded file.
    pub renames: bool,
}

/// A request to a web server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// `https://…`; nothing in it depends on an event.
    pub url: String,
    /// The file with the key of the signature.
    pub secret_file: Option<PathBuf>,
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// Who waits for the hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nobody.
    Async,
    /// The session, whatever comes of it.
    Wait,
    /// The session, and what the hook is about is refused if it says no.
    Veto,
}

/// What a veto is that could not be asked for: the program is missing, killed, or too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    Ignore,
    Deny,
}

/// At most so many within a time; more are dropped and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub count: u32,
    pub per: Duration,
}

impl Hook {
    /// A hook with the defaults of everything that is not said.
    pub fn new(trigger: Trigger, action: Action) -> Hook {
        Hook {
            trigger,
            phase: Phase::After,
            matches: Match::default(),
            action,
            mode: Mode::Async,
            on_failure: OnFailure::Deny,
            concurrency: 4,
            queue: 1000,
            rate: None,
        }
    }

    /// Whether the hook is for this event in this phase.
    pub fn is_for(&self, event: &Event, phase: Phase) -> bool {
        let user = event.session.as_ref().and_then(|s| s.user.as_ref());
        let verb = event.act.command.as_ref().map(|line| line.verb());
        self.phase == phase
            && match event.kind {
                Kind::Command => {
                    verb.is_some_and(|verb| self.trigger.verbs.contains(verb)) && user.is_some()
                }
                kind => self.trigger.events.contains(kind),
            }
            && self.matches.includes(event)
    }

    /// Whether its program has, or can get, capabilities.
    pub fn needs_privileges(&self) -> bool {
        match &self.action {
            Action::Exec(exec) => exec.run_as == RunAs::Root || exec.new_privileges,
            _ => false,
        }
    }

    /// Tells in a sentence what does not fit together.
    pub fn check(&self) -> Result<(), String> {
        let commands = self.trigger.verbs != VerbSet::NONE;
        let events = self.trigger.events;
        if !commands && events == KindSet::NONE {
            return Err(
                "it is about nothing: name events in \"on\" or commands in \"commands\"".into(),
            );
        }
        let only = |may: fn(Kind) -> bool| events.iter().find(|&kind| !may(kind));
        match self.phase {
            Phase::Before => {
                if let Some(kind) = only(Kind::has_before) {
                    return Err(format!(
                        "nothing comes before the event {}: it is told when it has happened",
                        kind.name()
                    ));
                }
            }
            Phase::Accept if commands || only(|kind| kind == Kind::Upload).is_some() => {
                return Err("the phase \"accept\" is of uploads alone: on = [\"upload\"]".into());
            }
            Phase::Error if events != KindSet::NONE => {
                return Err("the phase \"error\" is of commands alone; failures of others are events of their own".into());
            }
            Phase::Accept | Phase::Error | Phase::After => {}
        }
        if self.mode == Mode::Veto && matches!(self.phase, Phase::After | Phase::Error) {
            return Err("what has happened cannot be refused any more: \"veto\" needs the phase \"before\" or \"accept\"".into());
        }
        if self.phase == Phase::Accept && self.mode == Mode::Async {
            return Err(
                "the phase \"accept\" waits for its hook: mode = \"wait\" or \"veto\"".into(),
            );
        }
        if self.mode != Mode::Async && events.iter().any(|kind| !kind.is_of_session()) {
            return Err(
                "the daemon waits for nobody: events without a session need mode = \"async\""
                    .into(),
            );
        }
        let speaks = match &self.action {
            Action::Exec(exec) => exec.output.send_stdout,
            _ => false,
        };
        let after = matches!(self.phase, Phase::After | Phase::Error);
        if speaks && (events != KindSet::NONE || !after) {
            return Err("only hooks on commands have something to say in the reply, and after them: give \"commands\", with phase = \"after\" or \"error\"".into());
        }
        match &self.action {
            Action::Exec(exec) => exec.check(self.phase, self.mode),
            _ if self.mode != Mode::Async => {
                Err("only a program is waited for: give \"exec\", or mode = \"async\"".into())
            }
            _ => Ok(()),
        }
    }
}

/// In a line: what it is about, when, and what is done.
impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.trigger.events.iter().map(Kind::name);
        let verbs = Verb::all().filter(|verb| self.trigger.verbs.contains(*verb));
        let about: Vec<&str> = match self.trigger.verbs == VerbSet::ALL {
            true => events.chain(["all commands"]).collect(),
            false => events.chain(verbs.map(|verb| verb.spec().verb)).collect(),
        };
        write!(
            f,
            "{} {}, {}: {}",
            self.phase.name(),
            about.join(" "),
            self.mode.name(),
            self.action
        )
    }
}

/// What is done, and as whom.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Exec(exec) => {
                write!(f, "{} as {}", exec.program.display(), exec.run_as)
            }
            Action::Fifo(path) => write!(f, "FIFO {}", path.display()),
            Action::File(path) => write!(f, "file {}", path.display()),
            Action::Journald => f.write_str("journald"),
            Action::UnixDatagram(path) | Action::UnixStream(path) => {
                write!(f, "socket {}", path.display())
            }
            Action::Webhook(webhook) => f.write_str(&webhook.url),
        }
    }
}

/// As it is written in a configuration.
impl fmt::Display for RunAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunAs::User => f.write_str("user"),
            RunAs::Hook => f.write_str("hook"),
            RunAs::Root => f.write_str("root"),
            RunAs::Named { user, group: None } => f.write_str(user),
            RunAs::Named {
                user,
                group: Some(group),
            } => write!(f, "{user}:{group}"),
        }
    }
}

impl Phase {
    /// The word in configuration files.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Before => "before",
            Phase::After => "after",
            Phase::Error => "error",
            Phase::Accept => "accept",
        }
    }
}

impl Mode {
    /// The word in configuration files.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Async => "async",
            Mode::Wait => "wait",
            Mode::Veto => "veto",
        }
    }
}

impl Exec {
    /// The longest that a program may take where nothing is said.
    pub const TIMEOUT: Duration = Duration::from_secs(60);
    /// How long it has after SIGTERM where nothing is said.
    pub const KILL_AFTER: Duration = Duration::from_secs(2);

    /// A program with the defaults of everything that is not said.
    pub fn new(program: PathBuf, arguments: Vec<Template>) -> Exec {
        Exec {
            program,
            arguments,
            run_as: RunAs::Hook,
            directory: None,
            input: Input::Json,
            environment: Vec::new(),
            timeout: Exec::TIMEOUT,
            kill_after: Exec::KILL_AFTER,
            output: Output {
                log_stderr: true,
                ..Output::default()
            },
            quarantine: None,
            new_privileges: false,
        }
    }

    fn check(&self, phase: Phase, mode: Mode) -> Result<(), String> {
        if self.input == Input::File && phase != Phase::Accept {
            return Err("only in the phase \"accept\" can the file be the input".into());
        }
        if phase != Phase::Accept && (self.quarantine.is_some() || self.output.renames) {
            let what =
                "only in the phase \"accept\" can a file be renamed or get into a quarantine";
            return Err(what.into());
        }
        if self.quarantine.is_some() && mode != Mode::Veto {
            return Err("without mode = \"veto\" nothing gets into the quarantine".into());
        }
        if self.output.send_stdout && mode == Mode::Async {
            return Err(
                "a reply can have the output only of a program that is waited for: mode = \"wait\""
                    .into(),
            );
        }
        Ok(())
    }

    /// The arguments as [`Input::Args`] puts them on standard input. `Err` has the argument that cannot be told so: it has
    /// a line's end, or is the dot that ends the list.
    pub fn lines(arguments: &[Vec<u8>]) -> Result<Vec<u8>, &[u8]> {
        let mut lines = Vec::new();
        for argument in arguments {
            if argument.contains(&b'\n') || argument == b"." {
                return Err(argument);
            }
            lines.extend_from_slice(argument);
            lines.push(b'\n');
        }
        lines.extend_from_slice(b".\n");
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::super::field::tests::full;
    use super::*;
    use crate::proto::verbs::Verb;

    fn verbs(name: &str) -> VerbSet {
        let mut verbs = VerbSet::NONE;
        verbs.insert(Verb::find(name).unwrap());
        verbs
    }

    fn on(kinds: &[Kind]) -> Hook {
        let trigger = Trigger {
            events: kinds.iter().copied().collect(),
            verbs: VerbSet::NONE,
        };
        let exec = Exec::new(PathBuf::from("/bin/true"), Vec::new());
        Hook::new(trigger, Action::Exec(Box::new(exec)))
    }

    #[test]
    fn a_hook_is_for_its_events_in_its_phase() {
        let event = full();
        assert!(on(&[Kind::Upload, Kind::Delete]).is_for(&event, Phase::After));
        assert!(!on(&[Kind::Upload]).is_for(&event, Phase::Before));
        assert!(!on(&[Kind::Delete]).is_for(&event, Phase::After));
    }

    #[test]
    fn a_command_is_told_to_hooks_on_its_verb_after_the_login() {
        let mut hook = on(&[]);
        hook.trigger.verbs = verbs("STOR");
        let mut event = full();
        assert!(!hook.is_for(&event, Phase::After), "that is an upload");
        event.kind = Kind::Command;
        assert!(hook.is_for(&event, Phase::After));
        event.session.as_mut().unwrap().user = None;
        assert!(!hook.is_for(&event, Phase::After));
        event.session = full().session;
        assert!(hook.is_for(&event, Phase::After));
        hook.trigger.verbs = verbs("RETR");
        assert!(!hook.is_for(&event, Phase::After));
    }

    #[test]
    fn what_does_not_fit_together_is_said() {
        let wrong = |change: &dyn Fn(&mut Hook)| {
            let mut hook = on(&[Kind::Upload]);
            change(&mut hook);
            hook.check().unwrap_err()
        };
        assert_eq!(on(&[Kind::Upload]).check(), Ok(()));
        assert!(
            on(&[])
                .check()
                .unwrap_err()
                .starts_with("it is about nothing")
        );
        assert!(wrong(&|hook| hook.mode = Mode::Veto).starts_with("what has happened"));
        assert!(
            wrong(&|hook| hook.phase = Phase::Accept).starts_with("the phase \"accept\" waits")
        );
        assert!(wrong(&|hook| hook.phase = Phase::Error).contains("commands alone"));
        assert!(
            wrong(&|hook| {
                hook.phase = Phase::Before;
                hook.trigger.events.insert(Kind::Logout);
            })
            .contains("the event logout")
        );
        assert!(
            wrong(&|hook| {
                hook.phase = Phase::Accept;
                hook.mode = Mode::Veto;
                hook.trigger.verbs = verbs("STOR");
            })
            .contains("uploads alone")
        );
        assert!(
            wrong(&|hook| {
                hook.mode = Mode::Wait;
                hook.trigger.events.insert(Kind::Start);
            })
            .starts_with("the daemon waits")
        );
        assert!(
            wrong(&|hook| {
                hook.mode = Mode::Wait;
                hook.action = Action::Journald;
            })
            .starts_with("only a program")
        );
        let exec = |hook: &mut Hook, change: &dyn Fn(&mut Exec)| match &mut hook.action {
            Action::Exec(exec) => change(exec),
            _ => panic!("not a program"),
        };
        assert!(wrong(&|hook| exec(hook, &|exec| exec.input = Input::File)).contains("accept"));
        let speaks = |hook: &mut Hook| exec(hook, &|exec| exec.output.send_stdout = true);
        assert!(wrong(&speaks).starts_with("only hooks on commands"));
        assert!(
            wrong(&|hook| {
                hook.trigger = Trigger {
                    events: KindSet::NONE,
                    verbs: verbs("STOR"),
                };
                speaks(hook);
            })
            .contains("wait")
        );
    }

    #[test]
    fn arguments_on_lines_cannot_be_taken_for_others() {
        let lines = |arguments: &[&str]| {
            let arguments: Vec<_> = arguments.iter().map(|a| a.as_bytes().to_vec()).collect();
            Exec::lines(&arguments).map_err(<[u8]>::to_vec)
        };
        assert_eq!(lines(&["a b", ""]), Ok(b"a b\n\n.\n".to_vec()));
        assert_eq!(lines(&["a", "b\nc"]), Err(b"b\nc".to_vec()));
        assert_eq!(lines(&["."]), Err(b".".to_vec()));
    }
}
