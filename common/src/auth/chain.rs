//! The methods in their order: the first that knows the password says who the client is. What they found is one value, from
//! which a login goes on without asking by which method it came.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::SystemTime;

use super::Secret;
use super::native::{self, Name, NativeError, Record, Scheme, Setting, UserFile};
use super::pam::{self, PamError, PamSession, Question};
use super::system::{Files, Source, SystemError, SystemUser};
use crate::sandbox::is_root;
use crate::settings::{Method, Methods, ServerConfig};

/// Somebody who has shown that they are this user, or would have.
#[derive(Clone, Debug)]
pub enum Member {
    Native(Box<Record>),
    System(SystemUser, Method),
}

impl Member {
    /// The name as it is stored.
    pub fn name(&self) -> &Name {
        match self {
            Member::Native(record) => record.name(),
            Member::System(user, _) => user.name(),
        }
    }

    /// The user of the system that a session becomes.
    pub fn real_user(&self) -> &str {
        match self {
            Member::Native(record) => record.real_user(),
            Member::System(user, _) => user.real_user(),
        }
    }

    pub fn home(&self) -> &Path {
        match self {
            Member::Native(record) => record.home(),
            Member::System(user, _) => user.home(),
        }
    }

    /// The user's own settings.
    pub fn settings(&self) -> &[Setting] {
        match self {
            Member::Native(record) => record.settings(),
            Member::System(..) => &[],
        }
    }

    /// Whether any password is right.
    pub fn is_anonymous(&self) -> bool {
        match self {
            Member::Native(record) => record.stored().scheme() == Scheme::Null,
            Member::System(..) => false,
        }
    }

    pub fn method(&self) -> Method {
        match self {
            Member::Native(_) => Method::Native,
            Member::System(_, method) => *method,
        }
    }

    /// The record of the user file, if that is where the password was found.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Member::Native(record) => Some(record),
            Member::System(..) => None,
        }
    }
}

/// Why no method lets somebody in: what each of them said that was asked.
#[derive(Debug)]
pub struct Denied(Vec<(&'static str, MethodError)>);

/// Why one method does not.
#[derive(Debug)]
pub enum MethodError {
    Native(NativeError),
    System(SystemError),
    Pam(PamError),
}

impl MethodError {
    /// Whether the next method may be asked. SECURITY: where a method cannot tell, because its file is not there to be read or
    /// the user's line is damaged, another one must not decide instead of it.
    fn leaves_it_to_others(&self) -> bool {
        match self {
            MethodError::Native(error) => match error {
                NativeError::NoSuchUser(_) | NativeError::WrongPassword => true,
                // Whoever lists several methods need not have a user file.
                NativeError::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
                NativeError::UserExists(_)
                | NativeError::Busy
                | NativeError::Malformed { .. }
                | NativeError::Password(_)
                | NativeError::Untrusted { .. } => false,
            },
            MethodError::Pam(error) => matches!(error, PamError::Refused(_)),
            MethodError::System(error) => match error {
                SystemError::NoSuchUser(_) | SystemError::WrongPassword | SystemError::Locked => {
                    true
                }
                SystemError::Barred(_)
                | SystemError::OutOfMemory
                | SystemError::Malformed { .. }
                | SystemError::Io { .. } => false,
            },
        }
    }
}

impl fmt::Display for MethodError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MethodError::Native(error) => error.fmt(f),
            MethodError::System(error) => error.fmt(f),
            MethodError::Pam(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // With a single method it goes without saying which.
        if let [(_, error)] = self.0.as_slice() {
            return error.fmt(f);
        }
        for (place, (method, error)) in self.0.iter().enumerate() {
            let gap = if place == 0 { "" } else { "; " };
            write!(f, "{gap}{method}: {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Denied {}

/// Checks a name and a password.
pub fn authenticate(
    server: &ServerConfig,
    name: &[u8],
    client: IpAddr,
    secret: &Secret,
) -> Result<(Member, Option<PamSession>), Denied> {
    let (file, cost) = (&server.auth_file, server.password_cost);
    let system = |source| Files::default().authenticate(source, name, secret, today());
    // The network half waits for the whole of that time.
    let patience = server.login_timeout / 2;
    let mut session = None;
    let member = ask(server, |method| match method {
        Method::Native => native::authenticate(file, cost, name, secret)
            .map(|record| Member::Native(Box::new(record)))
            .map_err(MethodError::Native),
        Method::Passwd => of_system(method, system(Source::Passwd)),
        Method::Shadow => of_system(method, system(Source::Shadow)),
        Method::Pam => {
            let question = Question {
                user: name,
                typed: name,
                client,
                secret: Some(secret),
            };
            session = Some(pam::ask(&question, patience).map_err(MethodError::Pam)?);
            of_system(method, Files::default().known(name))
        }
    })?;
    if session.is_none() {
        session = open_session(server, &member, name, client)?;
    }
    Ok((member, session))
}

/// Asks PAM, where that is to be asked, about a member who has shown by other means than a password who they are.
pub fn vouch(
    server: &ServerConfig,
    member: &Member,
    name: &[u8],
    client: IpAddr,
) -> Result<Option<PamSession>, Denied> {
    if member.method() != Method::Pam {
        return open_session(server, member, name, client);
    }
    ask_pam(server, name, name, client)
        .map(Some)
        .map_err(|error| Denied(vec![(Method::Pam.name(), error)]))
}

/// Asks PAM about account and session, where `session-pam` wants that.
fn open_session(
    server: &ServerConfig,
    member: &Member,
    name: &[u8],
    client: IpAddr,
) -> Result<Option<PamSession>, Denied> {
    if !server.auth_methods.session_pam() {
        return Ok(None);
    }
    // It is the real user whose rules count, by whatever name the client came.
    ask_pam(server, member.real_user().as_bytes(), name, client)
        .map(Some)
        .map_err(|error| Denied(vec![(Methods::SESSION_PAM, error)]))
}

/// Asks PAM about somebody whose password is not its matter.
fn ask_pam(
    server: &ServerConfig,
    user: &[u8],
    typed: &[u8],
    client: IpAddr,
) -> Result<PamSession, MethodError> {
    let question = Question {
        user,
        typed,
        client,
        secret: None,
    };
    // The network half waits for the whole of that time.
    pam::ask(&question, server.login_timeout / 2).map_err(MethodError::Pam)
}

/// Finds who a login under this name would be with the right password, and, for the user file, the line.
pub fn find(server: &ServerConfig, name: &[u8]) -> Result<(Member, Option<u64>), Denied> {
    let system = |source| Files::default().find(source, name, today());
    let mut line = None;
    let found = ask(server, |method| match method {
        Method::Native => UserFile::open_trusted(&server.auth_file)
            .and_then(|users| users.find_login(name))
            .map(|(number, record)| {
                line = Some(number);
                Member::Native(Box::new(record))
            })
            .map_err(MethodError::Native),
        Method::Passwd => of_system(method, system(Source::Passwd)),
        Method::Shadow => of_system(method, system(Source::Shadow)),
        Method::Pam => of_system(method, Files::default().known(name)),
    });
    found.map(|member| (member, line))
}

/// Whether the files can be read that the system's methods need. `Err` is a sentence: nobody could log in by the method.
pub fn look(server: &ServerConfig) -> Result<(), String> {
    let look = |source, method: Method| {
        let looked = Files::default().look(source);
        looked.map_err(|error| format!("AuthMethods: {}: {error}", method.name()))
    };
    server
        .auth_methods
        .iter()
        .try_for_each(|method| match method {
            Method::Native => Ok(()),
            Method::Passwd => look(Source::Passwd, method),
            Method::Shadow => look(Source::Shadow, method),
            Method::Pam => Ok(()),
        })?;
    look_at_pam(&server.auth_methods)
}

/// Whether PAM can be asked, if it is to be.
pub fn look_at_pam(methods: &Methods) -> Result<(), String> {
    if !methods.need_pam() {
        return Ok(());
    }
    if methods.session_pam() && !is_root() {
        return Err("AuthMethods: session-pam: only root can open sessions".to_owned());
    }
    if !crate::sys::pam::is_there() {
        return Err("AuthMethods: pam: this system has no libpam.so.0".to_owned());
    }
    if pam::service().is_none() {
        return Err("AuthMethods: pam: there is no service metaftpd, ftp or other".to_owned());
    }
    Ok(())
}

fn of_system(
    method: Method,
    found: Result<SystemUser, SystemError>,
) -> Result<Member, MethodError> {
    found
        .map(|user| Member::System(user, method))
        .map_err(MethodError::System)
}

/// Asks one method after the other until one knows.
fn ask(
    server: &ServerConfig,
    mut method: impl FnMut(Method) -> Result<Member, MethodError>,
) -> Result<Member, Denied> {
    let mut errors = Vec::new();
    for next in server.auth_methods.iter() {
        match method(next) {
            Ok(member) => return Ok(member),
            Err(error) => {
                let goes_on = error.leaves_it_to_others();
                errors.push((next.name(), error));
                if !goes_on {
                    break;
                }
            }
        }
    }
    Err(Denied(errors))
}

/// Days since 1970, as shadow counts. A clock before that makes everything expired.
fn today() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(u64::MAX, |time| time.as_secs() / 86_400)
}
