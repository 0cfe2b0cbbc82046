//! What a login of one user would get, and where each part of it comes from. Asks what keeper would ask, but the password.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;

use common::auth::Identity;
use common::auth::chain::{self, Member};
use common::auth::native::shown;
use common::proto::verbs::Verb;
use common::settings::permitted::written;
use common::settings::table::{Scope, Setting, TABLE};
use common::settings::{JailMode, Loaded, Method, Origin, ServerConfig, SessionConfig};
use nix::unistd::{Gid, Group};
use serde_json::{Map, Value, json};

use crate::keeper::grant::{Claim, place};

/// How wide a table gets before a list is broken, where there is no terminal that tells.
const WIDTH: usize = 100;

/// What a login would get, as far as it gets.
pub(super) struct Answer {
    /// Why it would be refused.
    pub(super) refused: Option<String>,
    facts: Vec<Fact>,
}

/// One part of it.
struct Fact {
    name: String,
    value: String,
    from: String,
}

/// Keys that a fact of another name tells together, or that have their own.
const TOLD: &[&str] = &[
    "ChHome",
    "ChShare",
    "DataConnectionLowPort",
    "DataConnectionHighPort",
    "DataConnectionPortRange",
    "PermittedCommands",
];

/// Finds out what would happen if this user came from this address with the right password.
pub(super) fn ask(loaded: &Loaded, user: &[u8], client: IpAddr) -> Answer {
    let mut answer = Answer {
        refused: None,
        facts: Vec::new(),
    };
    answer.tell("client", client, "-from");
    let server = &loaded.config.server;
    match chain::find(server, user) {
        Ok((member, line)) => {
            let claim = Claim {
                typed: user,
                member: &member,
                client,
            };
            let entry = entry(server, line);
            answer.claim(loaded, &claim, &entry);
        }
        Err(error) => {
            let methods: Vec<_> = server.auth_methods.iter().map(Method::name).collect();
            answer.tell(
                "method",
                methods.join(", "),
                loaded_from(loaded, "AuthMethods"),
            );
            answer.refuse(&error);
        }
    }
    answer
}

impl Answer {
    fn tell(&mut self, name: &str, value: impl ToString, from: impl ToString) {
        self.facts.push(Fact {
            name: name.to_owned(),
            value: value.to_string(),
            from: from.to_string(),
        });
    }

    /// The first reason is the one that the log would have.
    fn refuse(&mut self, why: &impl ToString) {
        self.refused.get_or_insert_with(|| why.to_string());
    }

    fn claim(&mut self, loaded: &Loaded, claim: &Claim<'_>, entry: &str) {
        let server = &loaded.config.server;
        let member = claim.member;
        let method = member.method().name();
        self.tell("account", member.name(), entry);
        self.tell("method", method, loaded_from(loaded, "AuthMethods"));
        match member.record() {
            Some(record) => self.tell("password", record.stored().scheme().name(), entry),
            None => self.tell("password", "of the system", format!("/etc/{method}")),
        }
        match claim.identity(server) {
            Ok(identity) => {
                self.identity(&identity, entry);
                if identity.uid == 0 || identity.groups.contains(&0) {
                    let warning = "root owns the files of the system, and who can write those can do anything";
                    self.tell("warning", warning, loaded_from(loaded, "RootUsers"));
                }
                if let Err(refused) = claim.ask_lists(server, &identity) {
                    self.refuse(&refused);
                }
            }
            Err(refused) => {
                self.tell("real user", shown(member.real_user().as_bytes()), entry);
                self.refuse(&refused);
            }
        }
        match claim.settings(&loaded.config) {
            Ok(settings) => {
                if let Err(refused) = claim.ask_rules(&settings) {
                    self.refuse(&refused);
                }
                self.place(loaded, claim, &settings, entry);
                self.settings(loaded, claim, &settings, entry);
                let server = &loaded.config.session;
                if settings.protection.required.for_login()
                    && !claim.refused_before_password(server)
                {
                    let warning = "in the clear the login is refused only behind its password; TLSRequired of the server refuses it before";
                    let from = from(loaded, member, &["TLSRequired"], entry);
                    self.tell("caution", warning, from);
                }
            }
            Err(refused) => self.refuse(&refused),
        }
    }

    fn identity(&mut self, identity: &Identity, entry: &str) {
        let user = format!("{} ({})", identity.name, identity.uid);
        self.tell("real user", user, entry);
        let mut groups = vec![identity.gid];
        groups.extend(identity.groups.iter().filter(|&&gid| gid != identity.gid));
        let groups: Vec<_> = groups.into_iter().map(group).collect();
        self.tell("groups", groups.join(", "), "this system");
    }

    fn place(&mut self, loaded: &Loaded, claim: &Claim<'_>, settings: &SessionConfig, entry: &str) {
        let chroot = loaded.config.server.chroot.as_deref();
        let home = claim.member.home();
        let outer = chroot.unwrap_or(Path::new("/"));
        let below = |path: &Path| outer.join(path.strip_prefix("/").unwrap_or(path));
        let (root, key) = match &settings.jail {
            JailMode::None => (outer.to_owned(), "Chroot"),
            JailMode::Home => (below(home), "ChHome"),
            JailMode::Share(share) => (below(share), "ChShare"),
        };
        let from = from(loaded, claim.member, &[key], entry);
        self.tell("root directory", root.display(), format!("{key}: {from}"));
        match place(chroot, &settings.jail, home) {
            Ok((_, start)) => self.tell("start directory", start, entry),
            Err(refused) => {
                self.tell("home", home.display(), entry);
                self.refuse(&refused);
            }
        }
    }

    fn settings(
        &mut self,
        loaded: &Loaded,
        claim: &Claim<'_>,
        settings: &SessionConfig,
        entry: &str,
    ) {
        let member = claim.member;
        let (low, high) = settings.data_ports;
        let keys = [
            "DataConnectionPortRange",
            "DataConnectionLowPort",
            "DataConnectionHighPort",
        ];
        self.tell(
            "data ports",
            format!("{low}-{high}"),
            from(loaded, member, &keys, entry),
        );
        for setting in TABLE
            .iter()
            .filter(|s| s.scope() == Scope::Session && !TOLD.contains(&s.key))
        {
            let own = own(loaded, member, setting, entry);
            let text = own.as_ref().map_or(loaded.text(setting), |(text, _)| text);
            let mut source = from(loaded, member, &[setting.key], entry);
            let value = match setting.key {
                "Umask" => {
                    if claim.is_anonymous() && own.is_none() {
                        source = format!("{source}, and the type null");
                    }
                    format!("{:03o}", settings.umask)
                }
                "Charset" => {
                    let networks = &loaded.config.server.charset_networks;
                    if own.is_none() && networks.of(claim.client).is_some() {
                        source = format!(
                            "CharsetNetworks: {}",
                            loaded_from(loaded, "CharsetNetworks")
                        );
                    }
                    settings.charset.name().to_owned()
                }
                "Idle" => settings.idle.as_secs().to_string(),
                _ if text.is_empty() => "-".to_owned(),
                _ => text.to_owned(),
            };
            self.tell(setting.key, value, source);
        }
        let mut source = from(loaded, member, &["PermittedCommands"], entry);
        if claim.is_anonymous()
            && Setting::find("PermittedCommands")
                .and_then(|s| own(loaded, member, s, entry))
                .is_none()
        {
            source = format!("{source}, and the type null");
        }
        let commands = settings.commands();
        let permitted = Verb::all().filter(|&verb| commands.contains(verb));
        let permitted: Vec<_> = permitted.map(|verb| written(verb.spec().verb)).collect();
        self.tell("PermittedCommands", permitted.join(" "), source);
    }

    /// Aligned columns: what, where from, and what it is, which may take several lines. `width` is the terminal's.
    pub(super) fn table(&self, width: Option<u16>) -> String {
        let widest = width.map_or(WIDTH, usize::from);
        let longest = |text: fn(&Fact) -> &str| {
            let widths = self.facts.iter().map(|fact| text(fact).chars().count());
            widths.max().unwrap_or(0)
        };
        let (names, sources) = (longest(|fact| &fact.name), longest(|fact| &fact.from));
        let indent = names + sources + 4;
        let mut text = match &self.refused {
            None => "the login would succeed\n".to_owned(),
            Some(why) => format!("the login would be refused: {why}\n"),
        };
        for Fact { name, value, from } in &self.facts {
            let _ = write!(text, "{name:<names$}  {from:<sources$} ");
            let mut column = indent - 1;
            for word in value.split(' ') {
                let length = word.chars().count();
                if column > indent && column + 1 + length > widest.max(indent + 24) {
                    let _ = write!(text, "\n{:indent$}{word}", "");
                    column = indent + length;
                } else {
                    let _ = write!(text, " {word}");
                    column += 1 + length;
                }
            }
            text.push('\n');
        }
        text
    }

    pub(super) fn json(&self) -> String {
        let facts = self.facts.iter().map(|fact| {
            let told = json!({ "value": fact.value, "from": fact.from });
            (fact.name.clone(), told)
        });
        let answer = json!({
            "allowed": self.refused.is_none(),
            "why": self.refused,
            "facts": Value::Object(Map::from_iter(facts)),
        });
        format!("{answer:#}\n")
    }
}

/// Where the entry of a user stands: in this line of the user file, or in the system's.
pub(crate) fn entry(server: &ServerConfig, line: Option<u64>) -> String {
    match line {
        Some(line) => format!("{}:{line}", server.auth_file.display()),
        None => "/etc/passwd".to_owned(),
    }
}

/// What is the user's own about a setting, and where it stands: the entry goes over the table in the server's file.
pub(crate) fn own(
    loaded: &Loaded,
    member: &Member,
    setting: &Setting,
    entry: &str,
) -> Option<(String, String)> {
    let is = |key: &str| Setting::find(key).is_some_and(|found| found.key == setting.key);
    if let Some((_, text)) = member.settings().iter().rev().find(|(key, _)| is(key)) {
        return Some((text.clone(), entry.to_owned()));
    }
    let table = loaded.config.server.users.of(member.name().as_bytes());
    let own = table.iter().find(|own| own.key == Ok(setting.key));
    own.map(|own| (own.text.clone(), own.origin.to_string()))
}

/// Where the first of these settings that anything says something about comes from.
fn from(loaded: &Loaded, member: &Member, keys: &[&str], entry: &str) -> String {
    let settings = || keys.iter().filter_map(|key| Setting::find(key));
    if let Some((_, from)) = settings().find_map(|setting| own(loaded, member, setting, entry)) {
        return from;
    }
    let made = settings().map(|setting| loaded.origin(setting));
    let made = made.into_iter().find(|origin| *origin != Origin::Default);
    made.unwrap_or(Origin::Default).to_string()
}

fn loaded_from(loaded: &Loaded, key: &str) -> String {
    Setting::find(key)
        .map_or(Origin::Default, |setting| loaded.origin(setting))
        .to_string()
}

fn group(gid: u32) -> String {
    match Group::from_gid(Gid::from_raw(gid)) {
        Ok(Some(group)) => format!("{} ({gid})", group.name),
        Ok(None) | Err(_) => gid.to_string(),
    }
}
