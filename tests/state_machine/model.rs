//! What a session ought to be, as a small model: it tells the code of the reply to every command.

use std::collections::BTreeMap;

/// The names that the commands are about. Two directories deep is deep enough.
pub(crate) const PATHS: [&str; 6] = ["/a", "/b", "/d", "/d/a", "/d/e", "/missing/x"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    File(Vec<u8>),
    Directory,
}

/// A command of the client.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    User,
    Pass {
        right: bool,
    },
    Rein,
    /// A line whose code depends on nothing but whether somebody is logged in.
    Fixed(Fixed),
    Type {
        ascii: bool,
    },
    Mkd(usize),
    Rmd(usize),
    Dele(usize),
    Rnfr(usize),
    Rnto(usize),
    Rest(u8),
    Allo(u8),
    Size(usize),
    Mdtm(usize),
    Cwd(usize),
    Pasv,
    Epsv,
    EpsvAll,
    Port,
    Abor,
    Retr(usize),
    Stor(usize, u8),
    Appe(usize, u8),
    Nlst,
}

/// A line, its code after login, its code before, and whether REST and ALLO outlive it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fixed {
    pub(crate) line: &'static str,
    pub(crate) code: u16,
    pub(crate) before_login: u16,
    pub(crate) keeps: bool,
}

const fn fixed(line: &'static str, code: u16, before_login: u16, keeps: bool) -> Fixed {
    Fixed {
        line,
        code,
        before_login,
        keeps,
    }
}

#[rustfmt::skip]
pub(crate) const FIXED: [Fixed; 24] = [
    fixed("NOOP", 200, 200, true),
    fixed("FEAT", 211, 211, false),
    fixed("HELP", 214, 214, false),
    fixed("HELP RETR", 214, 214, false),
    fixed("SYST", 215, 215, false),
    fixed("STAT", 211, 530, false),
    fixed("PWD", 257, 530, false),
    fixed("TYPE E", 504, 530, true),
    fixed("MODE S", 200, 530, true),
    fixed("MODE B", 504, 530, true),
    fixed("OPTS MODE Z LEVEL 3", 200, 530, false),
    fixed("STRU F", 200, 530, true),
    fixed("STRU R", 504, 530, true),
    fixed("OPTS UTF8 ON", 200, 200, false),
    fixed("OPTS FANCY", 501, 501, false),
    fixed("SITE HELP", 214, 214, false),
    fixed("SITE", 501, 501, false),
    fixed("RETR", 501, 530, false),
    fixed("REST x", 501, 530, true),
    fixed("FOO bar", 500, 500, false),
    fixed("CONF x", 502, 502, false),
    fixed("PORT 1,2,3", 501, 530, true),
    fixed("mlst /", 250, 530, false),
    fixed("A\0B", 500, 500, false),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    Nobody,
    Named,
    Done,
}

/// A session and the files it works on.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) login: Login,
    pub(crate) ascii: bool,
    pub(crate) restart: u64,
    pub(crate) declared: Option<u64>,
    pub(crate) rename_from: Option<usize>,
    pub(crate) epsv_only: bool,
    /// Whether a data connection has been agreed upon.
    pub(crate) data: bool,
    pub(crate) tree: BTreeMap<String, Node>,
}

/// What the model says of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) code: u16,
    /// For a transfer that takes place: what a download brings.
    pub(crate) moves: Option<Moves>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Moves {
    Down(Vec<u8>),
    Up(Vec<u8>),
}

impl From<u16> for Expected {
    fn from(code: u16) -> Self {
        Expected { code, moves: None }
    }
}

/// What a one-shot command left for the next one.
#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    restart: u64,
    declared: Option<u64>,
    rename_from: Option<usize>,
}

/// `count` letters that no other upload brings.
pub(crate) fn content(count: u8) -> Vec<u8> {
    (0..count)
        .map(|index| b'a' + (index + count) % 26)
        .collect()
}

impl Model {
    pub(crate) fn new() -> Model {
        Model {
            login: Login::Nobody,
            ascii: true,
            restart: 0,
            declared: None,
            rename_from: None,
            epsv_only: false,
            data: false,
            tree: BTreeMap::new(),
        }
    }

    /// Takes a step and tells what the server must say.
    pub(crate) fn take(&mut self, step: &Step) -> Expected {
        match *step {
            Step::User => return self.user().into(),
            Step::Pass { right } => return self.pass(right).into(),
            Step::Rein => {
                let tree = std::mem::take(&mut self.tree);
                *self = Model {
                    tree,
                    ..Model::new()
                };
                return 220.into();
            }
            Step::Fixed(fixed) if self.login != Login::Done => return fixed.before_login.into(),
            _ if self.login != Login::Done => return 530.into(),
            _ => {}
        }
        let pending = self.take_pending(step);
        match *step {
            Step::User | Step::Pass { .. } | Step::Rein => unreachable!("answered above"),
            Step::Fixed(fixed) => fixed.code.into(),
            Step::Type { ascii } => {
                self.ascii = ascii;
                200.into()
            }
            Step::Mkd(path) => self.make(path).into(),
            Step::Rmd(path) => self.remove_directory(path).into(),
            Step::Dele(path) => match self.node(path) {
                Some(Node::File(_)) => {
                    self.tree.remove(PATHS[path]);
                    250.into()
                }
                _ => 550.into(),
            },
            Step::Rnfr(path) if self.node(path).is_some() => {
                self.rename_from = Some(path);
                350.into()
            }
            Step::Rnfr(_) => 550.into(),
            Step::Rnto(path) => self.rename(pending.rename_from, path).into(),
            Step::Rest(offset) => {
                self.restart = offset.into();
                350.into()
            }
            Step::Allo(size) => {
                self.declared = Some(size.into());
                200.into()
            }
            Step::Size(path) => match self.node(path) {
                Some(Node::File(_)) if !self.ascii => 213.into(),
                _ => 550.into(),
            },
            Step::Mdtm(path) => match self.node(path) {
                Some(_) => 213.into(),
                None => 550.into(),
            },
            Step::Cwd(path) => match self.node(path) {
                Some(Node::Directory) => 250.into(),
                _ => 550.into(),
            },
            Step::Pasv if self.epsv_only => 503.into(),
            Step::Pasv => self.agree(227).into(),
            Step::Epsv => self.agree(229).into(),
            Step::EpsvAll => {
                self.epsv_only = true;
                200.into()
            }
            // Somebody else's address.
            Step::Port if self.epsv_only => 503.into(),
            Step::Port => 501.into(),
            Step::Abor => {
                (self.restart, self.declared) = (0, None);
                if std::mem::take(&mut self.data) {
                    225.into()
                } else {
                    226.into()
                }
            }
            Step::Retr(path) => self.download(path, pending),
            Step::Stor(path, count) => self.upload(path, count, pending, false),
            Step::Appe(path, count) => self.upload(path, count, pending, true),
            Step::Nlst if std::mem::take(&mut self.data) => Expected {
                code: 226,
                moves: Some(Moves::Down(self.names())),
            },
            Step::Nlst => 425.into(),
        }
    }

    fn user(&mut self) -> u16 {
        if self.login == Login::Done {
            self.forget_pending();
            return 503;
        }
        self.login = Login::Named;
        331
    }

    fn pass(&mut self, right: bool) -> u16 {
        match self.login {
            Login::Nobody => 503,
            Login::Done => {
                self.forget_pending();
                503
            }
            Login::Named if right => {
                self.login = Login::Done;
                230
            }
            Login::Named => {
                self.login = Login::Nobody;
                530
            }
        }
    }

    fn forget_pending(&mut self) {
        (self.restart, self.declared, self.rename_from) = (0, None, None);
    }

    fn take_pending(&mut self, step: &Step) -> Pending {
        let pending = Pending {
            restart: self.restart,
            declared: self.declared,
            rename_from: self.rename_from,
        };
        let keeps = match step {
            Step::Fixed(fixed) => fixed.keeps,
            Step::Type { .. }
            | Step::Rest(_)
            | Step::Allo(_)
            | Step::Size(_)
            | Step::Mdtm(_)
            | Step::Pasv
            | Step::Epsv
            | Step::EpsvAll
            | Step::Port => true,
            _ => false,
        };
        self.rename_from = None;
        if !keeps {
            self.forget_pending();
        }
        pending
    }

    fn node(&self, path: usize) -> Option<&Node> {
        self.tree.get(PATHS[path])
    }

    fn has_parent(&self, path: usize) -> bool {
        match PATHS[path].rsplit_once('/') {
            Some(("", _)) => true,
            Some((parent, _)) => self.tree.get(parent) == Some(&Node::Directory),
            None => false,
        }
    }

    fn is_empty(&self, path: &str) -> bool {
        let below = format!("{path}/");
        !self.tree.keys().any(|name| name.starts_with(&below))
    }

    fn make(&mut self, path: usize) -> u16 {
        if self.node(path).is_some() || !self.has_parent(path) {
            return 550;
        }
        self.tree.insert(PATHS[path].to_owned(), Node::Directory);
        257
    }

    fn remove_directory(&mut self, path: usize) -> u16 {
        if self.node(path) != Some(&Node::Directory) || !self.is_empty(PATHS[path]) {
            return 550;
        }
        self.tree.remove(PATHS[path]);
        250
    }

    fn rename(&mut self, from: Option<usize>, to: usize) -> u16 {
        let Some(from) = from else { return 503 };
        let (old, new) = (PATHS[from], PATHS[to]);
        let Some(node) = self.tree.get(old).cloned() else {
            return 550;
        };
        let into_itself = new.starts_with(&format!("{old}/"));
        if !self.has_parent(to) || self.node(to) == Some(&Node::Directory) || into_itself {
            return 550;
        }
        if node == Node::Directory && self.node(to).is_some() {
            return 550;
        }
        let below = format!("{old}/");
        let moved: Vec<String> = self
            .tree
            .keys()
            .filter(|name| name.starts_with(&below))
            .cloned()
            .collect();
        for name in moved {
            // No step may speak of its new name, but it is there.
            if let Some(content) = self.tree.remove(&name) {
                self.tree
                    .insert(format!("{new}/{}", &name[below.len()..]), content);
            }
        }
        self.tree.remove(old);
        self.tree.insert(new.to_owned(), node);
        250
    }

    /// The names in the root, as NLST sends them: so that each can be typed as it stands (RFC 1123 §4.1.2.7).
    fn names(&self) -> Vec<u8> {
        let names = self.tree.keys().filter(|name| name.rfind('/') == Some(0));
        names
            .flat_map(|name| format!("{name}\r\n").into_bytes())
            .collect()
    }

    fn agree(&mut self, code: u16) -> u16 {
        self.data = true;
        code
    }

    fn download(&mut self, path: usize, pending: Pending) -> Expected {
        if pending.restart > 0 && self.ascii {
            return 504.into();
        }
        let Some(Node::File(content)) = self.node(path) else {
            return 550.into();
        };
        let rest = usize::try_from(pending.restart).unwrap_or(usize::MAX);
        let Some(rest) = content.get(rest..).map(<[u8]>::to_vec) else {
            return 554.into();
        };
        if !std::mem::take(&mut self.data) {
            return 425.into();
        }
        Expected {
            code: 226,
            moves: Some(Moves::Down(rest)),
        }
    }

    fn upload(&mut self, path: usize, count: u8, pending: Pending, append: bool) -> Expected {
        let restart = if append { 0 } else { pending.restart };
        if restart > 0 && self.ascii {
            return 504.into();
        }
        let former = match self.node(path) {
            Some(Node::Directory) => return 550.into(),
            Some(Node::File(content)) => Some(content.clone()),
            // There is nothing to go on with.
            None if restart > 0 => return 550.into(),
            None if self.has_parent(path) => None,
            None => return 550.into(),
        };
        let sent = content(count);
        let start = match (append, &former) {
            (true, former) => former.as_ref().map_or(0, Vec::len),
            (false, _) => usize::try_from(restart).unwrap_or(usize::MAX),
        };
        let mut whole = former.unwrap_or_default();
        if start > whole.len() {
            return 554.into();
        }
        if !std::mem::take(&mut self.data) {
            return 425.into();
        }
        let moves = Some(Moves::Up(sent.clone()));
        let declared = pending
            .declared
            .filter(|_| !append && restart == 0 && !self.ascii);
        if declared.is_some_and(|declared| declared > u64::from(count)) {
            return Expected { code: 426, moves };
        }
        if declared.is_some_and(|declared| declared < u64::from(count)) {
            return Expected { code: 552, moves };
        }
        if append || restart > 0 {
            // What was there behind the restart position does not outlive the new end.
            whole.truncate(start);
            whole.extend(sent);
        } else {
            whole = sent;
        }
        self.tree.insert(PATHS[path].to_owned(), Node::File(whole));
        Expected { code: 226, moves }
    }
}
