//! A certificate for servers and gateways of this machine, and whoever trusts it.

use std::fs;
use std::path::PathBuf;

use crate::scratch::mode;
use crate::{GatewaySetup, Scratch, Setup};

/// The certificate, signed by itself, and its key.
pub struct Trust(Scratch);

impl Trust {
    /// For all names of this machine.
    pub fn here() -> Trust {
        Trust::of(["localhost", "127.0.0.1", "::1"].map(str::to_owned))
    }

    pub fn of(names: impl Into<Vec<String>>) -> Trust {
        Trust::made(rcgen::CertificateParams::new(names).unwrap())
    }

    pub fn made(params: rcgen::CertificateParams) -> Trust {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let trust = Trust(Scratch::new());
        mode(trust.0.path(), 0o755);
        fs::write(trust.certificate(), certificate.pem()).unwrap();
        fs::write(trust.pem(), certificate.pem() + &key.serialize_pem()).unwrap();
        mode(&trust.certificate(), 0o644);
        mode(&trust.pem(), 0o600);
        trust
    }

    /// What is trusted.
    pub fn certificate(&self) -> PathBuf {
        self.0.join("certificate.pem")
    }

    /// The same with the key.
    pub fn pem(&self) -> PathBuf {
        self.0.join("tls.pem")
    }

    /// Gives it to a server.
    pub fn certify(&self, setup: Setup) -> Setup {
        setup.flag(&["-cert", self.pem().to_str().unwrap()])
    }

    /// Gives it to a gateway, for its clients.
    pub fn certify_gateway(&self, setup: GatewaySetup) -> GatewaySetup {
        setup.setting(&format!("Certificate={}", self.pem().display()))
    }

    /// Has a gateway speak TLS with servers that have it.
    pub fn believe(&self, setup: GatewaySetup, how: &str) -> GatewaySetup {
        let setup = setup.setting(&format!("ServerTLS={how}"));
        setup.setting(&format!("ServerCA={}", self.certificate().display()))
    }
}
