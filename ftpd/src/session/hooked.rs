//! Commands that hooks are for: keeper hears of them before they are carried out, and with their replies. What hooks are
//! told beside, keeper knows by itself.

use common::channel::{FileAnswer, FileRequest};
use common::hookd::{Arguments, Reason};
use common::path::VirtualPath;
use common::proto::reply::{Code, Line, Reply};
use common::proto::verbs::{self, Command, Verb};

use super::files::Denied;
use super::{End, Link, Pending, Session, Stage, Stop, User, outcome, transfer};

/// A command as keeper is told of it.
pub(super) struct Told {
    verb: Verb,
    arguments: Arguments,
    path: Option<VirtualPath>,
    from: Option<VirtualPath>,
    /// Whether a hook takes its time.
    waits: bool,
}

impl Session {
    /// What is to be told of a line, if hooks are for its verb.
    pub(super) fn told(&self, verb: Verb, line: &[u8], pending: &Pending) -> Option<Told> {
        if !self.interest.of_command(verb) {
            return None;
        }
        let arguments = verbs::shown_argument(verb, line);
        let from = match verb.spec().verb {
            "RNTO" => pending.rename_from.clone(),
            "SITE CPTO" => pending.copy_from.clone(),
            _ => None,
        };
        Some(Told {
            verb,
            arguments: Arguments::new(arguments).unwrap_or_default(),
            path: None,
            from,
            waits: self.interest.waits_for(verb),
        })
    }

    /// Has hooks asked about a command that is about to be carried out. Nobody is asked about those of clients who have not
    /// logged in.
    pub(super) fn ask_hooks(&mut self, told: &mut Told, command: &Command) -> Result<(), Stop> {
        let Stage::User(user) = &mut self.stage else {
            return Ok(());
        };
        told.path = command.path().and_then(|path| about(user, path));
        let (answer, aborted) = told.say(&mut self.link, user, None)?;
        match answer {
            Ok(_) if aborted => Err(transfer::not_begun(&mut self.link)),
            Ok(_) => Ok(()),
            Err(denied) => {
                let refused = outcome::file(denied);
                Err(transfer::conclude(&mut self.link, aborted, refused)?.into())
            }
        }
    }

    /// Has hooks told of a command's reply, to which they may have something to add.
    pub(super) fn tell_hooks(
        &mut self,
        told: &Told,
        result: Result<Reply, Stop>,
    ) -> Result<Reply, Stop> {
        let (reply, end) = match result {
            Ok(reply) | Err(Stop::Reply(reply)) => (reply, None),
            Err(Stop::End(End::Quit)) => (Reply::new(Code::GOODBYE, ""), Some(End::Quit)),
            Err(end) => return Err(end),
        };
        let Stage::User(user) = &mut self.stage else {
            return Ok(reply);
        };
        let (said, aborted) = told.say(&mut self.link, user, Some(&reply))?;
        match end {
            Some(end) => Err(end.into()),
            // It is over, so ABOR comes too late.
            None => {
                let reply = reply.behind(said.unwrap_or_default());
                transfer::conclude(&mut self.link, aborted, reply)
            }
        }
    }
}

impl Told {
    /// Tells hooks, and hears the client meanwhile where they take their time; the flag says that ABOR has come.
    fn say(
        &self,
        link: &mut Link,
        user: &mut User,
        reply: Option<&Reply>,
    ) -> Result<(Result<Vec<Line>, Denied>, bool), End> {
        let request = self.request(reply);
        match self.waits {
            true => transfer::told(link, user, &request),
            false => Ok((user.files.command(&request)?, false)),
        }
    }

    fn request(&self, reply: Option<&Reply>) -> FileRequest {
        let text = reply.map(Reply::text).unwrap_or_default();
        let text = text.get(..Reason::LONGEST).unwrap_or(text);
        FileRequest::Command {
            verb: self.verb,
            arguments: self.arguments.clone(),
            path: self.path.clone(),
            from: self.from.clone(),
            code: reply.map(|reply| reply.code().number()),
            text: Reason::new(text).unwrap_or_default(),
        }
    }
}

/// The path that an argument means; none where it means no path at all, as the command will say itself.
fn about(user: &User, typed: &[u8]) -> Option<VirtualPath> {
    let name = user.names.on_disk(typed).ok()?;
    user.directory.join(&name).ok()
}

/// Takes the lines out of an answer.
pub(super) fn lines(answer: FileAnswer) -> Result<Result<Vec<Line>, Denied>, End> {
    match answer {
        FileAnswer::Done => Ok(Ok(Vec::new())),
        FileAnswer::Said { text } => {
            let lines = text.as_slice().split(|&octet| octet == b'\n');
            let lines = lines.filter(|line| !line.is_empty());
            Ok(Ok(lines.map(Line::new).collect()))
        }
        FileAnswer::Vetoed { text } => Ok(Err(Denied::Vetoed(text))),
        _ => Err(End::bug("an answer of keeper that is none")),
    }
}
