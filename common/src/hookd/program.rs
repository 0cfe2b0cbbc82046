//! Hooks that run programs: what waits for its turn, what runs, as whom, and what came of it. It waits for nobody.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use nix::errno::Errno;

use super::child::{Child, Ended, Ending, Whom};
use super::guest::Identity;
use super::quarantine::{self, Copying, Kept};
use super::question::{Questions, Word};
use super::queue::{Job, Queue, Urgency};
use super::results::Results;
use super::speech;
use crate::hooks::{Action, Event, Exec, Hook, Id, Mode, OnFailure, Output, Phase, RunAs};

/// The exit status by which a program says no. Any other one but 0 is a failure of its own.
const REFUSES: i32 = 1;

/// The identities that hooks can have beside those of users.
#[derive(Debug)]
pub(super) struct Identities {
    pub(super) hook: Option<Identity>,
    /// By the place of their hook.
    pub(super) named: Vec<Option<Identity>>,
}

/// An event on its way to hooks.
pub(super) struct Offer {
    pub(super) event: Rc<Event>,
    pub(super) phase: Phase,
    /// As whom programs of the user run.
    pub(super) identity: Option<Rc<Identity>>,
    /// The file that was uploaded.
    pub(super) file: Option<Rc<OwnedFd>>,
    /// The question that waits for the hooks.
    pub(super) question: Option<u64>,
    pub(super) urgency: Urgency,
}

/// What came of one hook for one event.
pub(super) struct Conclusion {
    /// The event, if it had happened.
    pub(super) of: Option<Id>,
    pub(super) question: Option<u64>,
    pub(super) word: Word,
}

#[derive(Debug)]
struct Running {
    queue: usize,
    job: Job,
    child: Child,
}

/// A refused file that is on its way into quarantine: until it is there its session waits.
struct Apart {
    copying: Copying,
    what: String,
    conclusion: Conclusion,
}

pub(super) struct Programs {
    queues: Vec<Queue>,
    identities: Identities,
    running: Vec<Running>,
    apart: Vec<Apart>,
    results: Results,
}

impl Programs {
    /// Takes the hooks that run programs, with their identities.
    pub(super) fn new(hooks: Vec<Hook>, identities: Identities, results: Results) -> Programs {
        Programs {
            queues: hooks.into_iter().map(Queue::new).collect(),
            identities,
            running: Vec::new(),
            apart: Vec::new(),
            results,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        let all_done = self.running.is_empty() && self.apart.is_empty();
        all_done && self.queues.iter().all(Queue::is_idle)
    }

    /// What to wait for, by program: its end first, then its output.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = Vec<BorrowedFd<'_>>> {
        let running = self.running.iter();
        let running = running.map(|running| running.child.descriptors().collect());
        let apart = self.apart.iter();
        running.chain(apart.map(|apart| vec![apart.copying.descriptor()]))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = self.running.iter().map(|running| running.child.deadline());
        let due = self.queues.iter().filter_map(|queue| queue.quota.due());
        deadlines.chain(due).min()
    }

    /// Takes an event for every hook that is for it; gives how many have it, and what is decided without running anything.
    pub(super) fn take(
        &mut self,
        offer: &Offer,
        questions: &mut Questions,
    ) -> (usize, Vec<Conclusion>) {
        let now = Instant::now();
        let (mut taken, mut unheard) = (0, Vec::new());
        for queue in &mut self.queues {
            if !queue.hook.is_for(&offer.event, offer.phase) {
                continue;
            }
            let question = offer.question.filter(|_| queue.hook.mode != Mode::Async);
            let job = Job {
                event: Rc::clone(&offer.event),
                identity: offer.identity.clone(),
                file: offer.file.clone(),
                question,
                urgency: offer.urgency,
            };
            if let Some(id) = question {
                questions.join(id);
            }
            if queue.push(job, now).is_ok() {
                taken += 1;
            } else {
                unheard.push(Conclusion {
                    of: None,
                    question,
                    word: word_of_failure(&queue.hook),
                });
            }
        }
        (taken, unheard)
    }

    /// Looks after what runs, given which programs have ended.
    pub(super) fn look(&mut self, ended: &[bool]) -> Vec<Conclusion> {
        let mut concluded = self.look_apart(ended.get(self.running.len()..).unwrap_or_default());
        let mut over = Vec::new();
        for (place, running) in self.running.iter_mut().enumerate() {
            let has_ended = ended.get(place).copied().unwrap_or(false);
            if let Some(ended) = running.child.look(has_ended) {
                over.push((place, ended));
            }
        }
        for (place, ended) in over.into_iter().rev() {
            let running = self.running.swap_remove(place);
            concluded.extend(self.conclude(running.queue, &running.job, &ended));
        }
        concluded
    }

    /// The same for files that are copied.
    fn look_apart(&mut self, ended: &[bool]) -> Vec<Conclusion> {
        let mut concluded = Vec::new();
        for place in (0..self.apart.len()).rev() {
            if ended.get(place).copied().unwrap_or(false) {
                let Apart {
                    copying,
                    what,
                    conclusion,
                } = self.apart.swap_remove(place);
                self.tell_of_quarantine(&what, copying.finish());
                concluded.push(conclusion);
            }
        }
        concluded
    }

    /// Starts what may begin; gives what could not.
    pub(super) fn start(&mut self) -> Vec<Conclusion> {
        let mut failed = Vec::new();
        for queue in 0..self.queues.len() {
            while let Some(job) = self.queues[queue].next() {
                let Action::Exec(exec) = &self.queues[queue].hook.action else {
                    self.queues[queue].done();
                    continue;
                };
                let file = job.file.as_ref().map(|file| file.as_fd());
                let started = self
                    .whom(queue, exec, job.identity.as_deref())
                    .and_then(|whom| Child::start(exec, &job.event, &whom, file));
                match started {
                    Ok(child) => self.running.push(Running { queue, job, child }),
                    Err(ending) => {
                        let ended = Ended {
                            ending,
                            stdout: Vec::new(),
                            stderr: Vec::new(),
                            cut: false,
                        };
                        failed.extend(self.conclude(queue, &job, &ended));
                    }
                }
            }
        }
        failed
    }

    /// As whom a program runs. SECURITY: never as root, unless its hook says so.
    fn whom(&self, queue: usize, exec: &Exec, user: Option<&Identity>) -> Result<Whom, Ending> {
        if !crate::sandbox::is_root() {
            return Ok(Whom::Same);
        }
        let identity = match &exec.run_as {
            RunAs::Root => return Ok(Whom::Root),
            RunAs::User => user.or(self.identities.hook.as_ref()),
            RunAs::Hook => self.identities.hook.as_ref(),
            RunAs::Named { .. } => self.identities.named.get(queue).and_then(Option::as_ref),
        };
        match identity {
            Some(identity) if identity.uid != 0 => Ok(Whom::Other(identity.clone())),
            _ => Err(Ending::NotStarted {
                step: "run_as",
                errno: Errno::EPERM,
            }),
        }
    }

    /// Takes in how a hook ended; none where there is something left to do before that is told.
    fn conclude(&mut self, queue: usize, job: &Job, ended: &Ended) -> Option<Conclusion> {
        let queue = &mut self.queues[queue];
        queue.done();
        let name = name(&queue.hook);
        let (kind, id) = (job.event.kind.name(), job.event.id);
        let line = format!("hook {name} for {kind} {id}: {}", ended.ending);
        match ended.ending {
            Ending::Exited(0) => self.results.good(&line),
            _ => self.results.line(&line),
        }
        if let Action::Exec(exec) = &queue.hook.action {
            log_output(&self.results, &name, exec, ended);
        }
        let word = word(&queue.hook, ended);
        let refused = matches!(word, Word::Refuse(_)) && ended.ending == Ending::Exited(REFUSES);
        let conclusion = Conclusion {
            of: matches!(queue.hook.phase, Phase::After | Phase::Error).then_some(job.event.id),
            question: job.question,
            word,
        };
        let (Action::Exec(exec), Some(file), true) = (&queue.hook.action, &job.file, refused)
        else {
            return Some(conclusion);
        };
        let Some(directory) = &exec.quarantine else {
            return Some(conclusion);
        };
        let what = format!("hook {name}: the file of {id}");
        match quarantine::keep(directory, file.as_fd(), &job.event) {
            Ok(Kept::Soon(copying)) => {
                self.apart.push(Apart {
                    copying,
                    what,
                    conclusion,
                });
                return None;
            }
            Ok(Kept::There(path)) => self.tell_of_quarantine(&what, Ok(path)),
            Err(errno) => self.tell_of_quarantine(&what, Err(errno)),
        }
        Some(conclusion)
    }

    fn tell_of_quarantine(&self, what: &str, kept: Result<PathBuf, Errno>) {
        self.results.line(&match kept {
            Ok(path) => format!("{what} is in quarantine: {}", path.display()),
            Err(errno) => format!("{what} cannot get into quarantine: {}", errno.desc()),
        });
    }

    /// Tells the log of events that found no place.
    pub(super) fn tell_of_drops(&mut self, now: Instant) {
        for queue in &mut self.queues {
            if let Some(count) = queue.quota.news(now) {
                let name = name(&queue.hook);
                self.results.line(&format!(
                    "hook {name}: {count} events were dropped: its queue of {} is full, or its rate is exceeded",
                    queue.hook.queue
                ));
            }
        }
    }
}

/// What a hook is called in the log.
fn name(hook: &Hook) -> String {
    match &hook.action {
        Action::Exec(exec) => exec.program.display().to_string(),
        other => format!("{other:?}"),
    }
}

/// What a program that has ended says to who waits for it.
fn word(hook: &Hook, ended: &Ended) -> Word {
    let output = match &hook.action {
        Action::Exec(exec) => exec.output,
        _ => Output::default(),
    };
    match (hook.mode, &ended.ending) {
        (Mode::Veto, Ending::Exited(REFUSES)) => Word::Refuse(speech::refusal(&ended.stdout)),
        (_, Ending::Exited(0)) if output.renames => {
            speech::name(&ended.stdout).map_or(Word::Nothing, Word::Rename)
        }
        (_, Ending::Exited(_)) if output.send_stdout => Word::Say(ended.stdout.clone()),
        (Mode::Async | Mode::Wait, _) | (_, Ending::Exited(0)) => Word::Nothing,
        // Whatever it is that a program ends with otherwise: it is no answer.
        (Mode::Veto, _) => word_of_failure(hook),
    }
}

/// What is said where a hook could not be asked.
fn word_of_failure(hook: &Hook) -> Word {
    match (hook.mode, hook.on_failure) {
        (Mode::Veto, OnFailure::Deny) => {
            Word::Refuse(b"Refused: it cannot be checked now.".to_vec())
        }
        _ => Word::Nothing,
    }
}

/// Writes the lines of a program's output to the log that its hook wants there.
fn log_output(log: &Results, name: &str, exec: &Exec, ended: &Ended) {
    const MOST_LINES: usize = 20;
    let outputs = [
        (exec.output.log_stdout, &ended.stdout),
        (exec.output.log_stderr, &ended.stderr),
    ];
    for (_, text) in outputs.iter().filter(|(wanted, _)| *wanted) {
        let lines = text
            .split(|&octet| octet == b'\n')
            .filter(|line| !line.is_empty());
        for line in lines.take(MOST_LINES) {
            log.line(&format!("hook {name}: {}", line.escape_ascii()));
        }
    }
    if ended.cut {
        log.line(&format!("hook {name}: it wrote more than is kept"));
    }
}
