//! What `ftpd` is told about leading sessions to other servers. Pure: no I/O.

use std::time::Duration;

use super::targets::Targets;
use super::user_targets::UserTargets;
use super::value::Wrong;
use super::{
    GatewayConfig, ServerConfig, ServerData, ServerTls, SessionConfig, Tls, Transparent,
    UpstreamTls,
};

/// Whether clients are led to other servers, and where. Without [`targets`](Self::targets) nobody is led anywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Leading {
    pub targets: Targets,
    pub user_targets: UserTargets,
    pub who: Led,
    /// Where it is on, nobody is served here.
    pub transparent: Transparent,
    pub server_data: ServerData,
    /// TLS towards those servers.
    pub upstream: UpstreamTls,
    /// How long the way to a server may take, names and all.
    pub connect_timeout: Duration,
    /// How long a server may take to answer.
    pub answer_timeout: Duration,
}

/// Who is led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Led {
    /// Everybody: USER name@host, and SITE PROXY before a login and after it.
    Anybody,
    /// SITE PROXY after a login here.
    Users,
}

impl Default for Leading {
    fn default() -> Self {
        let GatewayConfig {
            targets,
            user_targets,
            transparent,
            server_data,
            upstream,
            connect_timeout,
            answer_timeout,
            ..
        } = GatewayConfig::default();
        Leading {
            targets,
            user_targets,
            who: Led::Anybody,
            transparent,
            server_data,
            upstream,
            connect_timeout,
            answer_timeout,
        }
    }
}

impl Led {
    pub(super) fn parse(text: &str) -> Result<Led, Wrong> {
        match text.to_ascii_lowercase().as_str() {
            "anybody" => Ok(Led::Anybody),
            "users" => Ok(Led::Users),
            _ => Err(Wrong::Not("anybody or users".to_owned())),
        }
    }
}

impl Leading {
    /// Finishes it once all sources have been applied: `Err` names the key to correct, and says why.
    pub(super) fn settle(&mut self, tls: &Tls) -> Result<(), (&'static str, String)> {
        let upstream = self.upstream.settle(tls, false);
        upstream.map_err(|(key, text)| (key, text.to_owned()))?;
        self.targets.set_usual_port(self.upstream.mode.usual_port());
        self.user_targets
            .set_usual_port(self.upstream.mode.usual_port());
        if !self.user_targets.is_empty() && self.targets.is_empty() {
            let text = "UserTargets says who may go where of Targets, which says nothing: such as -targets ftp.example.org";
            return Err(("UserTargets", text.to_owned()));
        }
        if self.upstream.mode != ServerTls::Off && self.targets.is_empty() {
            let text = "ServerTLS is for the servers of Targets, which names none";
            return Err(("ServerTLS", text.to_owned()));
        }
        if self.transparent.is_on() && self.targets.is_empty() {
            let text = "Transparent leads nobody anywhere without Targets, the networks that clients may go to: such as -targets 192.0.2.0/24, \
                        or Targets=192.0.2.0/24 in the file; 0.0.0.0/0,::/0 are all public addresses";
            return Err(("Transparent", text.to_owned()));
        }
        Ok(())
    }

    /// The configuration of a gateway that leads the sessions of this server; none if they are not led.
    pub fn gateway(&self, server: &ServerConfig, session: &SessionConfig) -> Option<GatewayConfig> {
        (!self.targets.is_empty()).then(|| GatewayConfig {
            user: server.session_user,
            tls: server.tls.clone(),
            required: session.protection.required,
            binding: session.protection.binding,
            targets: self.targets.clone(),
            user_targets: self.user_targets.clone(),
            server: None,
            transparent: self.transparent,
            server_data: self.server_data,
            upstream: self.upstream.clone(),
            limits: server.limits.clone(),
            max_per_user: session.max_per_user,
            permitted: session.commands(),
            login_timeout: server.login_timeout,
            connect_timeout: self.connect_timeout,
            answer_timeout: self.answer_timeout,
            idle: session.idle,
            reply_timeout: server.reply_timeout,
            data_timeout: session.data_timeout,
            stall_timeout: session.stall_timeout,
            await_acknowledgement: server.await_acknowledgement,
            data_ports: session.data_ports,
            ..GatewayConfig::default()
        })
    }
}
