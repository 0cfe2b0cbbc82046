//! Debian's vsftpd as a peer: the tests of the harness itself run against a server that we did not write.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::unistd::User;

use crate::scratch::{Scratch, give};
use crate::server::Login;

/// A vsftpd that serves its scratch directory to `anonymous`; `pub` in it can be written to. Needs root.
pub struct Vsftpd {
    child: Child,
    pub login: Login,
    pub home: PathBuf,
    _scratch: Scratch,
}

impl Vsftpd {
    #[track_caller]
    pub fn start() -> Vsftpd {
        let scratch = Scratch::new();
        let home = scratch.directory("home");
        let empty = scratch.directory("empty");
        // vsftpd first enters this user's own home, so it has to be one who has any.
        let user = User::from_name("daemon").unwrap().unwrap();
        // It refuses a root that can be written to; `pub` can.
        give(&scratch.directory("home/pub"), user.uid, user.gid);
        // vsftpd cannot choose a port itself.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: SocketAddr = free.local_addr().unwrap();
        drop(free);
        let configuration = scratch.join("vsftpd.conf");
        let settings = format!(
            "listen=YES\nbackground=NO\nlisten_address={}\nlisten_port={}\nanonymous_enable=YES\nwrite_enable=YES\n\
             anon_root={}\nanon_upload_enable=YES\nanon_mkdir_write_enable=YES\nanon_other_write_enable=YES\n\
             anon_umask=022\nanon_world_readable_only=NO\nftp_username={}\n\
             nopriv_user={}\nsecure_chroot_dir={}\nseccomp_sandbox=NO\nconnect_from_port_20=NO\n",
            address.ip(),
            address.port(),
            home.display(),
            user.name,
            user.name,
            empty.display(),
        );
        fs::write(&configuration, settings).unwrap();
        let program = crate::require::find("vsftpd").expect("vsftpd is installed");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .arg(configuration)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let login = Login {
            address,
            name: "anonymous".into(),
            password: "x".into(),
            certificate: None,
            led: None,
        };
        let peer = Vsftpd {
            child,
            login,
            home,
            _scratch: scratch,
        };
        crate::wait::until("vsftpd listens", || TcpStream::connect(address).is_ok());
        peer
    }
}

impl Drop for Vsftpd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
