//! Hookd's own loop: hears the door and the sessions, starts what is to run, and answers who waits. It waits for nobody.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

use super::child::{Child, Ended, Ending, Whom};
use super::guest::{Guest, Heard, Identity, of_daemon};
use super::message::{Answer, Introduction, LONGEST_MESSAGE, LONGEST_TEXT, Request, Verdict};
use super::queue::{Job, Queue};
use crate::control::until;
use crate::hooks::{Action, Event, Exec, Hook, Mode, OnFailure, Phase, RunAs};
use crate::log::Log;
use crate::sys::{self, Wait};
use crate::wire::{Octets, Wire, decode};

/// So many messages of one session are taken before the others have their turn.
const TURN: usize = 64;

/// The identities that hooks can have beside those of users.
#[derive(Debug)]
pub(super) struct Identities {
    pub(super) hook: Option<Identity>,
    /// By the place of their hook.
    pub(super) named: Vec<Option<Identity>>,
}

#[derive(Debug)]
pub(super) struct Desk {
    door: Option<OwnedFd>,
    log: Log,
    identities: Identities,
    queues: Vec<Queue>,
    guests: BTreeMap<u64, Guest>,
    questions: HashMap<u64, Question>,
    next_question: u64,
    running: Vec<Running>,
}

/// Who asks, and as whom programs of the user run.
struct Asker {
    guest: u64,
    question: u32,
    identity: Option<Rc<Identity>>,
}

/// Somebody who waits.
#[derive(Debug)]
struct Question {
    guest: u64,
    number: u32,
    /// So many hooks are still to be heard.
    open: usize,
    refused: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Running {
    hook: usize,
    job: Job,
    child: Child,
}

impl Desk {
    pub(super) fn new(door: OwnedFd, hooks: Vec<Hook>, identities: Identities, log: Log) -> Desk {
        Desk {
            door: Some(door),
            log,
            identities,
            queues: hooks.into_iter().map(Queue::new).collect(),
            guests: BTreeMap::new(),
            questions: HashMap::new(),
            next_question: 0,
            running: Vec::new(),
        }
    }

    /// Serves until the door is closed, all sessions have ended, and all that they owed has run.
    pub(super) fn serve(&mut self) -> i32 {
        while self.door.is_some()
            || !self.guests.is_empty()
            || !self.running.is_empty()
            || !self.queues.iter().all(Queue::is_idle)
        {
            let ready = match self.wait() {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(errno) => {
                    self.log.line(&format!("hooks: poll: {errno}"));
                    return 1;
                }
            };
            // Before the sessions: what they say is said after what the listener says of them.
            self.hear_door();
            self.hear_guests();
            self.look_at_children(&ready);
            self.start();
            self.tell_of_drops();
        }
        0
    }

    /// Waits until there is something to do; gives which children have ended.
    fn wait(&self) -> Result<Vec<bool>, Errno> {
        let mut fds: Vec<PollFd<'_>> = Vec::new();
        let mut ends = Vec::new();
        for running in &self.running {
            ends.push(fds.len());
            let descriptors = running.child.descriptors();
            fds.extend(descriptors.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        }
        let guests = self.guests.values().map(Guest::channel);
        let door = self.door.as_ref().map(AsFd::as_fd);
        fds.extend(
            guests
                .chain(door)
                .map(|fd| PollFd::new(fd, PollFlags::POLLIN)),
        );
        let deadlines = self.running.iter().map(|running| running.child.deadline());
        let due = self.queues.iter().filter_map(Queue::due);
        poll(&mut fds, until(deadlines.chain(due).min()))?;
        let has_ended = |&place: &usize| {
            let events = fds.get(place).and_then(PollFd::revents);
            events.is_some_and(|events| !events.is_empty())
        };
        Ok(ends.iter().map(has_ended).collect())
    }

    fn hear_door(&mut self) {
        while let Some(door) = &self.door {
            let mut octets = Vec::new();
            let heard = sys::receive_datagram(door.as_fd(), &mut octets, LONGEST_MESSAGE, Wait::No);
            match heard {
                Ok(datagram) if datagram.length == 0 => self.door = None,
                Ok(datagram) => match (decode(&octets), datagram.descriptor) {
                    (Ok(introduction), descriptor) => self.introduce(introduction, descriptor),
                    (Err(_), _) => self.log.line("hooks: the door brought what is no message"),
                },
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                Err(_) => self.door = None,
            }
        }
    }

    fn introduce(&mut self, introduction: Introduction, descriptor: Option<OwnedFd>) {
        match (introduction, descriptor) {
            (
                Introduction::Session {
                    number,
                    process,
                    client,
                    server,
                    again,
                },
                Some(channel),
            ) => {
                // One that begins anew: what it said before comes before.
                self.hear_guest(number);
                self.end_guest(number);
                let mut guest = Guest::new(channel, process, client, server);
                if again {
                    send(guest.channel(), &Answer::Again);
                } else {
                    let told = super::message::Told::new(crate::hooks::Kind::Connect);
                    let event = Rc::new(guest.event(told));
                    self.spread(&event, Phase::After, None, None, None);
                }
                self.guests.insert(number, guest);
            }
            (Introduction::User { number, user }, root) => {
                if let Some(guest) = self.guests.get_mut(&number) {
                    guest.introduce(user, root);
                }
            }
            (Introduction::Daemon { kind, reason }, None) => {
                let event = Rc::new(of_daemon(kind, reason.as_slice()));
                self.spread(&event, Phase::After, None, None, None);
            }
            _ => {}
        }
    }

    fn hear_guests(&mut self) {
        let numbers: Vec<u64> = self.guests.keys().copied().collect();
        for number in numbers {
            if self.hear_guest(number) {
                self.end_guest(number);
            }
        }
    }

    /// Takes what a session says; whether it has ended.
    fn hear_guest(&mut self, number: u64) -> bool {
        for _ in 0..TURN {
            let Some(guest) = self.guests.get_mut(&number) else {
                return false;
            };
            let (request, file) = match guest.hear() {
                Heard::Nothing => return false,
                Heard::End => return true,
                Heard::Request(request, file) => (*request, file),
            };
            match request {
                Request::Recall { data, logged_in } => guest.recall(data, logged_in),
                Request::Tell { told } => {
                    let identity = guest.identity.clone();
                    let event = Rc::new(guest.event(told));
                    self.spread(&event, Phase::After, identity, None, None);
                }
                Request::Ask {
                    number: question,
                    phase,
                    told,
                } => {
                    // It is asked twice where another hookd has begun meanwhile.
                    if guest.asked.replace(question) == Some(question) {
                        continue;
                    }
                    let asker = Asker {
                        guest: number,
                        question,
                        identity: guest.identity.clone(),
                    };
                    let event = Rc::new(guest.event(told));
                    self.ask(asker, &event, phase, file);
                }
            }
        }
        false
    }

    fn end_guest(&mut self, number: u64) {
        if let Some(mut guest) = self.guests.remove(&number) {
            let identity = guest.identity.clone();
            for event in guest.farewell() {
                self.spread(&Rc::new(event), Phase::After, identity.clone(), None, None);
            }
        }
    }

    fn ask(&mut self, asker: Asker, event: &Rc<Event>, phase: Phase, file: Option<OwnedFd>) {
        let id = self.next_question;
        self.next_question += 1;
        // Held open until all hooks are asked.
        let question = Question {
            guest: asker.guest,
            number: asker.question,
            open: 1,
            refused: None,
        };
        self.questions.insert(id, question);
        self.spread(event, phase, asker.identity, file.map(Rc::new), Some(id));
        self.heard(id, None);
    }

    /// Hands an event to every hook that is for it.
    fn spread(
        &mut self,
        event: &Rc<Event>,
        phase: Phase,
        identity: Option<Rc<Identity>>,
        file: Option<Rc<OwnedFd>>,
        question: Option<u64>,
    ) {
        let now = Instant::now();
        let mut unheard = Vec::new();
        for queue in &mut self.queues {
            if !queue.hook.is_for(event, phase) {
                continue;
            }
            let question = question.filter(|_| queue.hook.mode != Mode::Async);
            let job = Job {
                event: Rc::clone(event),
                identity: identity.clone(),
                file: file.clone(),
                question,
            };
            if let Some(asked) = question.and_then(|id| self.questions.get_mut(&id)) {
                asked.open += 1;
            }
            if queue.push(job, now).is_err()
                && let Some(id) = question
            {
                unheard.push((id, refusal_of_failure(&queue.hook)));
            }
        }
        for (id, refused) in unheard {
            self.heard(id, refused);
        }
    }

    /// One more hook of a question was heard: it refuses, or does not.
    fn heard(&mut self, id: u64, refused: Option<Vec<u8>>) {
        let Some(question) = self.questions.get_mut(&id) else {
            return;
        };
        question.open -= 1;
        if question.refused.is_none() {
            question.refused = refused;
        }
        if question.open > 0 {
            return;
        }
        let Some(question) = self.questions.remove(&id) else {
            return;
        };
        let verdict = match question.refused {
            None => Verdict::Pass,
            Some(text) => Verdict::Refuse {
                text: Octets::new(&text).unwrap_or_default(),
            },
        };
        if let Some(guest) = self.guests.get(&question.guest) {
            let number = question.number;
            send(guest.channel(), &Answer::Verdict { number, verdict });
        }
    }

    fn look_at_children(&mut self, ended: &[bool]) {
        let mut over = Vec::new();
        for (place, running) in self.running.iter_mut().enumerate() {
            let has_ended = ended.get(place).copied().unwrap_or(false);
            if let Some(ended) = running.child.look(has_ended) {
                over.push((place, ended));
            }
        }
        for (place, ended) in over.into_iter().rev() {
            let running = self.running.swap_remove(place);
            self.conclude(running.hook, &running.job, ended);
        }
    }

    /// Starts what may begin.
    fn start(&mut self) {
        for hook in 0..self.queues.len() {
            while let Some(job) = self.queues[hook].next() {
                let Action::Exec(exec) = &self.queues[hook].hook.action else {
                    self.queues[hook].done();
                    continue;
                };
                let file = job.file.as_ref().map(|file| file.as_fd());
                let started = self
                    .whom(hook, exec, job.identity.as_deref())
                    .and_then(|whom| Child::start(exec, &job.event, &whom, file));
                match started {
                    Ok(child) => self.running.push(Running { hook, job, child }),
                    Err(ending) => {
                        let ended = Ended {
                            ending,
                            stdout: Vec::new(),
                            stderr: Vec::new(),
                            cut: false,
                        };
                        self.conclude(hook, &job, ended);
                    }
                }
            }
        }
    }

    /// As whom a program runs. SECURITY: never as root, unless its hook says so.
    fn whom(&self, hook: usize, exec: &Exec, user: Option<&Identity>) -> Result<Whom, Ending> {
        if !crate::sandbox::is_root() {
            return Ok(Whom::Same);
        }
        let identity = match &exec.run_as {
            RunAs::Root => return Ok(Whom::Root),
            RunAs::User => user.or(self.identities.hook.as_ref()),
            RunAs::Hook => self.identities.hook.as_ref(),
            RunAs::Named { .. } => self.identities.named.get(hook).and_then(Option::as_ref),
        };
        match identity {
            Some(identity) if identity.uid != 0 => Ok(Whom::Other(identity.clone())),
            _ => Err(Ending::NotStarted {
                step: "run_as",
                errno: Errno::EPERM,
            }),
        }
    }

    /// Takes in how a hook ended.
    fn conclude(&mut self, hook: usize, job: &Job, ended: Ended) {
        let queue = &mut self.queues[hook];
        queue.done();
        let name = name(&queue.hook);
        let (kind, id) = (job.event.kind.name(), job.event.id);
        let line = format!("hook {name} for {kind} {id}: {}", ended.ending);
        match ended.ending {
            Ending::Exited(0) => self.log.transfer(|| line),
            _ => self.log.line(&line),
        }
        if let Action::Exec(exec) = &queue.hook.action {
            log_output(&self.log, &name, exec, &ended);
        }
        let refused = match (queue.hook.mode, &ended.ending) {
            (Mode::Async | Mode::Wait, _) | (Mode::Veto, Ending::Exited(0)) => None,
            (Mode::Veto, Ending::Exited(_)) => Some(first_line(&ended.stdout)),
            (Mode::Veto, _) => refusal_of_failure(&queue.hook),
        };
        if let Some(id) = job.question {
            self.heard(id, refused);
        }
    }

    fn tell_of_drops(&mut self) {
        let now = Instant::now();
        for queue in &mut self.queues {
            if let Some(count) = queue.news(now) {
                let name = name(&queue.hook);
                self.log.line(&format!(
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

/// What is said where a veto could not be asked for.
fn refusal_of_failure(hook: &Hook) -> Option<Vec<u8>> {
    let denies = hook.mode == Mode::Veto && hook.on_failure == OnFailure::Deny;
    denies.then(|| b"Refused: it cannot be checked now.".to_vec())
}

/// What a program that refuses says to the client: the first line of its output.
fn first_line(output: &[u8]) -> Vec<u8> {
    let line = output
        .split(|&octet| octet == b'\n')
        .next()
        .unwrap_or_default();
    let line: Vec<u8> = line
        .iter()
        .copied()
        .filter(|octet| !octet.is_ascii_control())
        .collect();
    match line.get(..LONGEST_TEXT / 2).unwrap_or(&line) {
        [] => b"Refused.".to_vec(),
        line => line.to_vec(),
    }
}

/// Writes the lines of a program's output to the log that its hook wants there.
fn log_output(log: &Log, name: &str, exec: &Exec, ended: &Ended) {
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

fn send(channel: BorrowedFd<'_>, answer: &Answer) {
    let mut octets = Vec::new();
    answer.put(&mut octets);
    // Who does not hear it has gone, or asks again.
    let _ = sys::send_datagram(channel, &octets, None);
}
