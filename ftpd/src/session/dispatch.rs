//! From a line to its handler: verb, login, permission, argument, in this order, all from the command table.

use common::log::Log;
use common::proto::args::ArgError;
use common::proto::reply::{Code, Reply};
use common::proto::verbs::{self, Command, CommandError, Group, Spec, Verb, When};

use super::commands::{
    access, change, digest, inspect, listing, modify, navigate, options, password, security, site,
    transfer, tree, who,
};
use super::hooked::Told;
use super::lead;
use super::{End, Session, Stage, Stop};

/// Verbs of HTTP, SMTP and the like, which browsers and attackers can be made to send here.
const OTHER_PROTOCOLS: &[&[u8]] = &[
    b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"CONNECT", b"OPTIONS", b"PATCH", b"TRACE",
    b"EHLO", b"HELO", b"MAIL", b"PROXY",
];

/// Whether octets of a line whose end has not come can be none of FTP: a TLS handshake, say, or another binary protocol
/// that would wait here for an answer until the login times out.
pub(super) fn is_of_another_protocol(unfinished: &[u8]) -> bool {
    matches!(unfinished.first(), Some(0..=8 | 14..=31 | 127..=254))
}

impl Session {
    /// Carries a line out. `None` where the handler has sent its replies itself.
    pub(super) fn obey(&mut self, line: &[u8]) -> Result<Option<Reply>, End> {
        let obeyed = self.try_obey(line);
        self.link.teller.end();
        match obeyed {
            Ok(reply) | Err(Stop::Reply(reply)) => Ok(Some(reply)),
            Err(Stop::End(end)) => Err(end),
        }
    }

    fn try_obey(&mut self, line: &[u8]) -> Result<Reply, Stop> {
        // Taken for every line, whatever that is: nothing is left over for a later one.
        let pending = self.take_pending();
        let verb = match verbs::verb(line) {
            Ok(verb) => verb,
            Err(error) => return self.not_a_command(line, &error),
        };
        let Some(mut told) = self.told(verb, line, &pending) else {
            return self.carry_out(verb, line, pending, None);
        };
        let result = self.carry_out(verb, line, pending, Some(&mut told));
        self.tell_hooks(&told, result)
    }

    /// Carries out a line whose verb is known; with `told`, hooks are asked before.
    fn carry_out(
        &mut self,
        verb: Verb,
        line: &[u8],
        pending: super::Pending,
        told: Option<&mut Told>,
    ) -> Result<Reply, Stop> {
        let spec = verb.spec();
        if spec.when == When::LoggedIn {
            self.user()?;
        }
        // Who cannot log in or out cannot do anything: these verbs are not up for permission.
        if (spec.group != Group::Login || spec.tls) && !self.permitted.contains(verb) {
            return Ok(self.not_permitted(verb));
        }
        log_line(&self.link.log, line, spec);
        let argument = verbs::shown_argument(verb, line);
        self.link.teller.begin(spec.verb, argument);
        if spec.between
            && let Stage::User(user) = &mut self.stage
        {
            user.pending = super::Pending {
                rename_from: None,
                copy_from: None,
                ..pending.clone()
            };
        }
        match verbs::parse(verb, line) {
            Ok(command) => {
                if let Some(told) = told {
                    self.ask_hooks(told, &command)?;
                }
                self.dispatch(command, pending)
            }
            Err(CommandError::Argument(_, error)) => Ok(bad_argument(verb, error)),
            Err(error) => self.not_a_command(line, &error),
        }
    }

    /// What a client is told that lacks the permission: for other than files, as if the verb were not there.
    fn not_permitted(&self, verb: Verb) -> Reply {
        match verb.spec().group {
            Group::Read | Group::Write => Reply::new(Code::UNAVAILABLE, "Permission denied."),
            _ if verb.is_site() => unknown_site(),
            Group::Data if self.link.tunnelled && verb.spec().verb == "EPSV" => Reply::new(
                Code::NOT_OFFERED,
                format!(
                    "Only this connection comes through the tunnel; {}.",
                    self.link.way_past_tunnel()
                ),
            ),
            Group::Login | Group::Info | Group::Data | Group::Dirs => {
                Reply::new(Code::NOT_OFFERED, "This command is not offered.")
            }
        }
    }

    pub(super) fn take_pending(&mut self) -> super::Pending {
        match &mut self.stage {
            Stage::User(user) => std::mem::take(&mut user.pending),
            Stage::Visitor(_) | Stage::Changing => super::Pending::default(),
        }
    }

    #[rustfmt::skip]
    fn dispatch(&mut self, command: Command, pending: super::Pending) -> Result<Reply, Stop> {
        match command {
            Command::User(name)   => access::user(self, name),
            Command::Pass(secret) => access::pass(self, &secret),
            Command::Quit         => access::quit(self),
            Command::Rein         => access::rein(self),
            Command::Auth(data)   => security::auth(self, data),
            Command::Pbsz(_)      => Ok(security::pbsz(self)),
            Command::Prot(level)  => Ok(security::prot(self, level)),
            Command::Ccc          => Ok(security::ccc(self)),
            Command::Acct         => Ok(Reply::new(Code::SUPERFLUOUS, "No account is needed.")),
            Command::Host(name)   => access::host(self, &name),
            Command::Clnt(_)      => Ok(Reply::new(Code::OK, "Noted.")),
            Command::Csid(_)      => Ok(Reply::new(Code::OK, inspect::own_name(matches!(self.stage, Stage::User(_))))),
            Command::Lang(_)      => Ok(Reply::new(Code::OK, "Replies are in English (EN).")),
            Command::Feat         => Ok(inspect::feat(self.permitted, self.facts(), self.hash())),
            Command::Help(verb)   => Ok(inspect::help(self.permitted, verb.as_deref())),
            Command::Noop         => Ok(Reply::new(Code::OK, "Done nothing.")),
            Command::Syst         => Ok(Reply::new(Code::SYSTEM_TYPE, "UNIX Type: L8")),
            Command::OptsUtf8(utf8) => options::utf8(self, utf8),
            Command::OptsMlst(facts) => self.user().map(|(_, user)| options::facts(user, facts)),
            Command::OptsHash(algorithm) => self.user().map(|(_, user)| digest::choose(user, algorithm)),
            Command::OptsTconf(confirmation) => self.user().map(|(_, user)| options::confirmation(user, confirmation)),
            Command::OptsMode(level) => self.user().map(|(_, user)| options::level(user, level)),
            Command::Pwd          => self.user().map(|(_, user)| navigate::pwd(user)),
            Command::Cwd(path)    => self.user().and_then(|(_, user)| navigate::cwd(user, &path)),
            Command::Cdup         => self.user().and_then(|(_, user)| navigate::cdup(user)),
            Command::List(arg)    => self.user().and_then(|(link, user)| listing::list(link, user, &arg)),
            Command::Nlst(arg)    => self.user().and_then(|(link, user)| listing::nlst(link, user, &arg)),
            Command::Mlsd(path)   => self.user().and_then(|(link, user)| listing::mlsd(link, user, &path)),
            Command::Retr(path)   => self.user().and_then(|(link, user)| transfer::retr(link, user, &path, &pending)),
            Command::Stor(path)   => self.user().and_then(|(link, user)| transfer::stor(link, user, &path, &pending)),
            Command::Appe(path)   => self.user().and_then(|(link, user)| transfer::appe(link, user, &path, &pending)),
            Command::Hash(path)   => self.user().and_then(|(link, user)| digest::hash(link, user, &path, &pending)),
            Command::Rang(range)  => self.user().map(|(_, user)| digest::rang(user, range)),
            Command::Md5(path)    => self.user().and_then(|(link, user)| digest::md5(link, user, &path)),
            Command::Mmd5(paths)  => self.user().and_then(|(link, user)| digest::mmd5(link, user, &paths)),
            Command::XDigest(algorithm, part) => self.user().and_then(|(link, user)| digest::part(link, user, algorithm, &part)),
            Command::Abor         => self.user().map(|(_, user)| transfer::abor(user)),
            Command::Mlst(path)   => self.user().and_then(|(_, user)| inspect::mlst(user, &path)),
            Command::Size(path)   => self.user().and_then(|(_, user)| inspect::size(user, &path)),
            Command::Mdtm(path)   => self.user().and_then(|(_, user)| inspect::mdtm(user, &path)),
            Command::MdtmSet { time, path, whole } => self.user().and_then(|(_, user)| modify::mdtm(user, time, &path, &whole)),
            Command::Mff(facts, path) => self.user().and_then(|(_, user)| modify::mff(user, facts, &path)),
            Command::Mfmt(time, path) => self.user().and_then(|(_, user)| modify::mfmt(user, time, &path)),
            Command::Stat(arg)    => self.user().and_then(|(link, user)| inspect::stat(link, user, arg.as_ref())),
            Command::Rmda(path)   => self.user().and_then(|(link, user)| tree::rmda(link, user, &path)),
            Command::Dsiz(path)   => self.user().and_then(|(link, user)| tree::dsiz(link, user, &path)),
            Command::Avbl(path)   => self.user().and_then(|(_, user)| tree::avbl(user, &path)),
            Command::Stou         => self.user().and_then(|(link, user)| transfer::stou(link, user, &pending)),
            Command::SiteMkdir(path) => self.user().and_then(|(_, user)| tree::mkdirs(user, &path)),
            Command::SiteCpfr(path) => self.user().and_then(|(_, user)| tree::cpfr(user, &path)),
            Command::SiteCpto(path) => self.user().and_then(|(link, user)| tree::cpto(link, user, &path, &pending)),
            Command::SitePswd { old, new } => self.user().and_then(|(_, user)| password::change(user, old, new)),
            Command::SiteProxy(to) => lead::site_proxy(self, &to),
            Command::SiteWho      => self.user().and_then(|(_, user)| who::who(user)),
            Command::Dele(path)   => self.user().and_then(|(_, user)| change::dele(user, &path)),
            Command::Mkd(path)    => self.user().and_then(|(_, user)| change::mkd(user, &path)),
            Command::Rmd(path)    => self.user().and_then(|(_, user)| change::rmd(user, &path)),
            Command::Rnfr(path)   => self.user().and_then(|(_, user)| change::rnfr(user, &path)),
            Command::Rnto(path)   => self.user().and_then(|(_, user)| change::rnto(user, &path, &pending)),
            Command::SiteChmod(mode, path) => self.user().and_then(|(_, user)| modify::chmod(user, mode, &path)),
            Command::SiteIdle(seconds) => self.user().map(|(_, user)| site::idle(user, seconds)),
            Command::SiteSymlink(new) => self.user().and_then(|(_, user)| modify::symlink(user, &new)),
            Command::SiteTime(format) => Ok(site::time(format.as_deref())),
            Command::SiteUmask(new) => self.user().and_then(|(_, user)| modify::umask(user, new)),
            Command::SiteUtime(times) => self.user().and_then(|(_, user)| modify::utime(user, &times)),
            Command::SiteZone     => Ok(site::zone()),
            Command::Type(kind)   => self.user().map(|(_, user)| options::representation_type(user, kind)),
            Command::Mode(mode)   => self.user().map(|(_, user)| options::mode(user, mode)),
            Command::Stru(to)     => self.user().map(|(_, user)| options::structure(user, to)),
            Command::Rest(offset) => self.user().map(|(_, user)| options::rest(user, offset)),
            Command::Allo(size)   => self.user().map(|(_, user)| options::allo(user, size)),
            Command::Pasv         => self.user().and_then(|(link, user)| options::pasv(link, user)),
            Command::Epsv(arg)    => self.user().and_then(|(link, user)| options::epsv(link, user, arg)),
            Command::Port(target) => self.user().and_then(|(link, user)| options::port(link, user, target.into())),
            Command::Lpsv         => self.user().and_then(|(link, user)| options::lpsv(link, user)),
            Command::Lprt(target) => self.user().and_then(|(link, user)| options::lprt(link, user, target)),
            Command::Pret(verb)   => Ok(options::pret(self.permitted, verb)),
            Command::Eprt(target) => self.user().and_then(|(link, user)| options::eprt(link, user, target)),
        }
    }

    fn not_a_command(&mut self, line: &[u8], error: &CommandError) -> Result<Reply, Stop> {
        if let Stage::Visitor(visitor) = &mut self.stage {
            let (word, _) = verbs::split(line);
            // SECURITY: a browser that is sent here must not get a conversation going (ALPACA, server-side request forgery).
            if OTHER_PROTOCOLS
                .iter()
                .any(|other| word.eq_ignore_ascii_case(other))
                || word.starts_with(b"SSH-")
                || visitor.strange_line()
            {
                return Err(End::NotFtp.into());
            }
        }
        Ok(match error {
            CommandError::NotOffered => {
                Reply::new(Code::NOT_OFFERED, "This command is not offered.")
            }
            CommandError::SiteAlone => {
                Reply::new(Code::BAD_ARGUMENT, "Which one? SITE HELP lists them.")
            }
            CommandError::UnknownSite => unknown_site(),
            CommandError::Unknown | CommandError::Argument(..) => {
                Reply::new(Code::NOT_UNDERSTOOD, "Not understood.")
            }
        })
    }
}

fn unknown_site() -> Reply {
    Reply::new(
        Code::PARAMETER_NOT_OFFERED,
        "This SITE command is not offered.",
    )
}

fn bad_argument(verb: Verb, error: ArgError) -> Reply {
    let spec = verb.spec();
    let code = match error {
        ArgError::Missing | ArgError::Syntax => Code::BAD_ARGUMENT,
        ArgError::NotOffered => Code::PARAMETER_NOT_OFFERED,
    };
    Reply::new(
        code,
        format!("{error}. Usage: {} {}", spec.verb, spec.arguments)
            .trim_end()
            .to_owned(),
    )
}

fn log_line(log: &Log, line: &[u8], spec: &Spec) {
    log.command(|| {
        let session = log.session().unwrap_or_default();
        match spec.secret {
            true => format!("session {session} < {} ****", spec.verb),
            false => format!("session {session} < {}", line.escape_ascii()),
        }
    });
}
