//! From a name and a password to a process that is the user and nothing else.

use std::os::fd::{AsFd, OwnedFd};

use common::auth::chain::Member;
use common::auth::native::{self, Record, Updated};
use common::auth::pam::PamSession;
use common::auth::{Identity, Secret, chain};
use common::channel::Account;
use common::hooks::{Kind, Phase};
use common::jail::{Allowed, Jail, Terms, Viewer};
use common::listener::Status;
use common::net::Ends;
use common::part::Part;
use common::path::VirtualPath;
use common::rate::Rates;
use common::sandbox::{self, Kept};
use common::settings::peers::{FIRST_CLIENT_PORT, Peers};
use common::settings::{JailMode, SessionConfig};
use common::tls::clients::ClientNames;
use common::turns::Queue;
use common::wire::Octets;
use nix::errno::Errno;

use super::data::DataSockets;
use super::grant::{Claim, Grant, Refused};
use super::leases::Leases;
use crate::setup::Setup;

/// A process that is the user.
pub(super) struct Login {
    pub(super) jail: Jail,
    pub(super) settings: SessionConfig,
    pub(super) account: Account,
    pub(super) data: DataSockets,
    pub(super) pam: Option<PamSession>,
    /// Before it takes a digest, a session waits for its turn here; not if there is no other one.
    pub(super) queue: Option<Result<Queue, Errno>>,
    /// Where rates are shared, the channel for leases, and the end of it that is the network half's.
    pub(super) leases: Option<(Leases, OwnedFd)>,
}

/// A login that failed after the first irreversible step: the session must end.
pub(super) struct TooLate {
    pub(super) text: String,
    pub(super) status: Status,
}

/// What a client says of itself: a name, and what is known of it beside that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claimed<'a> {
    pub(super) name: &'a [u8],
    /// The certificate that it has proved to be its own.
    pub(super) certificate: Option<&'a ClientNames>,
}

/// Checks name and password, and the certificate where the account wants one, and finds out what the login would get; changes
/// nothing.
pub(super) fn authenticate(
    setup: &Setup,
    ends: &Ends,
    claimed: Claimed<'_>,
    secret: &Secret,
) -> Result<Grant, Refused> {
    let Claimed { name, certificate } = claimed;
    let server = &setup.config.server;
    let cost = server.password_cost;
    let (member, pam) =
        chain::authenticate(server, name, ends.client(), secret).map_err(Refused::Unknown)?;
    let claim = Claim {
        typed: name,
        member: &member,
        client: ends.client(),
    };
    let granted = claim.grant(&setup.config).and_then(|granted| {
        claim.ask_beside_password(&granted.settings, certificate)?;
        Ok(granted)
    });
    if let Some(record) = member.record() {
        if granted.is_ok() {
            update_password(setup, record, secret);
        } else {
            // SECURITY: the right password to an account that may not log in takes the time of a wrong one.
            record.make_up_for(cost, secret);
        }
    }
    granted.map(|grant| Grant { pam, ..grant })
}

/// Finds out whose account a certificate lets its client into by this name, without a password; `None` where it does not.
pub(super) fn entitled(
    setup: &Setup,
    ends: &Ends,
    name: &[u8],
    certificate: &ClientNames,
) -> Option<Member> {
    let (member, _) = chain::find(&setup.config.server, name).ok()?;
    let claim = Claim {
        typed: name,
        member: &member,
        client: ends.client(),
    };
    let settings = claim.settings(&setup.config).ok()?;
    let rule = &settings.certificate;
    // SECURITY: where any password is right, a certificate says nothing either.
    let enough = rule.login.replaces_password() && !claim.is_anonymous();
    let own = enough && certificate.belong_to(member.name().as_bytes(), rule);
    own.then_some(member)
}

/// Finds out what such a login would get.
pub(super) fn vouch(
    setup: &Setup,
    ends: &Ends,
    name: &[u8],
    member: &Member,
) -> Result<Grant, Refused> {
    let claim = Claim {
        typed: name,
        member,
        client: ends.client(),
    };
    let granted = claim.grant(&setup.config)?;
    let pam = chain::vouch(&setup.config.server, member, name, ends.client());
    let pam = pam.map_err(Refused::Unknown)?;
    Ok(Grant { pam, ..granted })
}

/// Keeps the password as `UpdatePass` wants it. Whatever goes wrong with that is no reason to keep its owner out.
fn update_password(setup: &Setup, record: &Record, secret: &Secret) {
    let server = &setup.config.server;
    let Some(scheme) = server.update_pass else {
        return;
    };
    let kind = scheme.name();
    let outcome = match native::update(
        &server.auth_file,
        record,
        scheme,
        server.password_cost,
        secret,
    ) {
        Ok(Updated::Nothing) => return,
        Ok(Updated::Stronger) => format!("is kept as {kind} now"),
        Ok(Updated::Weaker) => format!("is kept as {kind} now, which is weaker than before"),
        Err(error) => format!("could not be kept as {kind}: {error}"),
    };
    let name = record.name();
    setup
        .log
        .line(&format!("UpdatePass: the password of '{name}' {outcome}"));
}

/// Becomes the user for good, and looks at the start directory with the user's eyes.
pub(super) fn become_user(setup: &Setup, ends: Ends, granted: Grant) -> Result<Login, TooLate> {
    let Grant {
        name: _,
        identity,
        mut settings,
        root,
        start,
        pam,
    } = granted;
    let server = &setup.config.server;
    let data = DataSockets::new(server, &settings, &setup.found, ends);
    let peers = server.passive_peers.first(ends.between()).cloned();
    let shared = settings.user_rates.slower(setup.config.server.total_rates);
    // No socket can be made once this is the user.
    let leases = if shared.is_unlimited() {
        None
    } else {
        let made = Leases::new(settings.user_rates);
        Some(made.map_err(TooLate::because("socketpair", Status::Broken(None)))?)
    };
    let whole_system = setup.config.server.chroot.is_none() && settings.jail == JailMode::None;
    let queue = setup.turns.as_ref().map(|turns| turns.join(identity.uid));
    if let Some(PamSession { limits, .. }) = &pam {
        let applied = limits.apply();
        applied.map_err(TooLate::because("setrlimit", Status::SandboxFailed))?;
        let largest = settings.max_file_size.into_iter();
        settings.max_file_size = largest.chain(limits.largest_file()).min();
    }
    Part::Keeper.begin();
    // The jail's own umask counts.
    nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    let kept = match server.active_sources.lowest() {
        Some(..FIRST_CLIENT_PORT) => Kept::PrivilegedPorts,
        _ => Kept::Nothing,
    };
    let became = sandbox::become_user(
        &identity,
        root.as_fd(),
        !whole_system,
        kept,
        &setup.programs,
    );
    became.map_err(|error| TooLate {
        text: error.to_string(),
        status: Status::SandboxFailed,
    })?;
    let jail = jail(setup, &identity, &settings, root);
    jail.check_dir(&start).map_err(|why| TooLate {
        text: format!(
            "user {} cannot enter the start directory {start}: {why:?}",
            identity.name
        ),
        status: Status::Ended,
    })?;
    Ok(Login {
        jail,
        account: Account {
            passive_peers: peers.unwrap_or_default(),
            active_targets: data.targets.clone(),
            tells_downloads: setup.interest.of_downloads(),
            tells_data: setup.interest.has(Kind::DataUp, Phase::Before)
                || setup.interest.has(Kind::DataUp, Phase::After),
            tells_digests: setup.interest.of_digests(),
            tells_end: setup.interest.has(Kind::Logout, Phase::After),
            holds_transfers: setup.interest.holds_transfers(),
            ..account(start, &settings, shared)
        },
        settings,
        data,
        pam,
        queue,
        leases,
    })
}

impl TooLate {
    fn because(call: &str, status: Status) -> impl FnOnce(Errno) -> TooLate {
        move |errno| TooLate {
            text: format!("{call}: {errno}"),
            status,
        }
    }
}

/// The files below the root, as this user may have them.
fn jail(setup: &Setup, identity: &Identity, settings: &SessionConfig, root: OwnedFd) -> Jail {
    let further = identity.groups.iter().copied();
    let mut groups = vec![identity.gid];
    groups.extend(further.filter(|&gid| gid != identity.gid));
    let viewer = Viewer {
        uid: identity.uid,
        groups,
        allowed: Allowed::by(settings.commands()),
    };
    let names = setup.names.shown(settings.list_owners);
    Jail::new(root, settings.umask, viewer, names).with_terms(Terms {
        largest: settings.max_file_size,
        keep: settings.keep_partial,
        locks: settings.locks,
    })
}

/// What the network half is told.
fn account(start: VirtualPath, settings: &SessionConfig, shared: Rates) -> Account {
    let idle = match (settings.idle.is_zero(), settings.max_idle.is_zero()) {
        (_, true) => settings.idle,
        (true, false) => settings.max_idle,
        (false, false) => settings.idle.min(settings.max_idle),
    };
    Account {
        start,
        permitted: settings.commands(),
        idle,
        max_idle: settings.max_idle,
        data_timeout: settings.data_timeout,
        passive_timeout: settings.passive_timeout,
        stall_timeout: settings.stall_timeout,
        rates: settings.rates,
        shared,
        inflate_ratio: settings.inflate_ratio,
        confirm: settings.confirm,
        charset: settings.charset,
        protection: settings.protection,
        passive_peers: Peers::default(),
        active_targets: Peers::default(),
        default_data_port: settings.default_data_port,
        // Longer than this is no setting.
        prompt: Octets::new(settings.prompt.join("\n").as_bytes()).unwrap_or_default(),
        tells_downloads: false,
        tells_data: false,
        tells_digests: false,
        tells_end: false,
        holds_transfers: false,
    }
}
