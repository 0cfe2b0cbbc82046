//! One running server: started by way of `launch`, ready when it greets, ended with everything that it forked.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, setsid};

use crate::client::{Credentials, Session};
use crate::options::launch as launching;
use crate::processes::Processes;
use crate::secure::Certificate;
use crate::servers::{Place, Ports, Programs};
use crate::undo::{self, Undo};

const READY: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_millis(700);

#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) port: u16,
    pub(crate) processes: Processes,
    child: Child,
    /// Its directory.
    pub(crate) run: PathBuf,
    undo: Option<Undo>,
}

/// What one start needs beside the program.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) programs: &'a Programs,
    pub(crate) run: PathBuf,
    pub(crate) home: &'a Path,
    pub(crate) credentials: &'a Credentials,
    /// With one it offers TLS.
    pub(crate) certificate: Option<&'a Certificate>,
    pub(crate) hooks: Option<&'static str>,
}

impl Running {
    /// Starts `program` with what `arguments` writes and gives; its directory is made here and removed at the end.
    pub(crate) fn start(
        name: &str,
        program: PathBuf,
        setting: Setting,
        arguments: &dyn Fn(&Place) -> io::Result<Vec<OsString>>,
    ) -> io::Result<Self> {
        let Setting {
            programs,
            run,
            home,
            credentials,
            certificate,
            hooks,
        } = setting;
        let ports = Ports::free()?;
        let processes = Processes::plan(name);
        let (ended, removed) = (processes.clone(), run.clone());
        let undo = undo::at_end(move || {
            ended.end();
            let _ = fs::remove_dir_all(removed);
        });
        fs::create_dir(&run)?;
        let pem = certificate.map(|certificate| certificate.write(&run.join("tls.pem")));
        let place = Place {
            pem: pem.transpose()?,
            run: &run,
            home,
            credentials,
            ports,
            programs,
            hooks,
        };
        let arguments = arguments(&place)?;
        let log = File::create_new(run.join("log"))?;
        processes.create()?;
        let child = Command::new("/proc/self/exe")
            .args(launching(processes.door(), program, arguments))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut running = Self {
            port: ports.control,
            processes,
            child,
            run,
            undo: Some(undo),
        };
        running.wait_for_greeting()?;
        running.processes.settle()?;
        Ok(running)
    }

    fn wait_for_greeting(&mut self) -> io::Result<()> {
        let started = Instant::now();
        loop {
            let failure = match Session::connect(self.port).and_then(Session::quit) {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            let ended = self.child.try_wait()?;
            if ended.is_some() || started.elapsed() > READY {
                let log = fs::read_to_string(self.run.join("log")).unwrap_or_default();
                let said = log.lines().last().unwrap_or("nothing");
                let state = ended.map_or("still running".into(), |status| status.to_string());
                return Err(io::Error::other(format!(
                    "did not start: {failure}; {state}; its last words: {said}"
                )));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The number is still ours: the child has not been waited for unless it ended early.
        if let (Ok(None), Ok(pid)) = (self.child.try_wait(), i32::try_from(self.child.id())) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.processes.wait_until_gone(GRACE);
        drop(self.undo.take());
    }
}

/// Becomes the server: joins the group behind `door` and executes `program`. The process exists so
/// that the server starts with ordinary signals, out of the terminal's reach, and never outlives the benchmark.
pub(crate) fn launch(door: &Path, program: &str, arguments: &[String]) -> io::Error {
    let prepared = || -> io::Result<()> {
        set_pdeathsig(Signal::SIGKILL)?;
        setsid()?;
        fs::write(door, "0")?;
        SigSet::empty().thread_set_mask()?;
        Ok(())
    };
    let cause = match prepared() {
        Ok(()) => Command::new(program).args(arguments).exec(),
        Err(cause) => cause,
    };
    io::Error::other(format!("cannot start {program}: {cause}"))
}
