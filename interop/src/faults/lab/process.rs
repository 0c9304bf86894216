//! A server as a process: started, signalled, looked at, ended.

use core::time::Duration;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use pki_common::Failure;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use super::PATIENCE;
use crate::faults::trouble;

/// The two commands.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// `est`.
    pub est: PathBuf,
    /// `nmsp`.
    pub nmsp: PathBuf,
}

impl Binaries {
    /// Both in this folder, if they are.
    #[must_use]
    pub fn within(folder: &std::path::Path) -> Option<Self> {
        let (est, nmsp) = (folder.join("est"), folder.join("nmsp"));
        (est.is_file() && nmsp.is_file()).then_some(Self { est, nmsp })
    }

    /// Beside this program, where `cargo build --workspace` puts them.
    #[must_use]
    pub fn beside_this_program() -> Option<Self> {
        let program = std::env::current_exe().ok()?;
        program.ancestors().skip(1).take(2).find_map(Self::within)
    }
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub(in crate::faults) struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
    log: PathBuf,
}

impl Process {
    /// Starts it, its log into this file.
    pub(super) fn start(command: &mut Command, log: PathBuf) -> Result<Self, Failure> {
        let file = fs::OpenOptions::new().create(true).append(true).open(&log);
        let file = file.map_err(|error| trouble(format_args!("{}: {error}", log.display())))?;
        let mut child = command
            .env("RUST_LOG", "warn")
            .env_remove("EST_CA_PASSPHRASE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .map_err(|error| trouble(format_args!("{command:?}: {error}")))?;
        let (sender, lines) = mpsc::channel();
        if let Some(output) = child.stdout.take() {
            // Ends with the process.
            std::thread::spawn(move || {
                let read = BufReader::new(output).lines().map_while(Result::ok);
                read.for_each(|line| sender.send(line).unwrap_or_default());
            });
        }
        Ok(Self { child, lines, log })
    }

    /// The rest of the next line that it prints, which must begin like this.
    pub(super) fn says(&self, beginning: &str) -> Result<String, Failure> {
        let line = self.lines.recv_timeout(PATIENCE).unwrap_or_default();
        let rest = line.strip_prefix(beginning).map(str::to_owned);
        rest.ok_or_else(|| {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            trouble(format_args!(
                "a server said {line:?} and not {beginning:?}; its log: {log}"
            ))
        })
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(in crate::faults) fn signal(&self, signal: Signal) -> Result<(), Failure> {
        kill_process(self.pid(), signal).map_err(|error| trouble(format_args!("{signal:?}: {error}")))
    }

    /// Bounds its descriptors from now on; those that it has stay.
    pub(in crate::faults) fn limit_descriptors(&self, most: u64) -> Result<(), Failure> {
        self.limit(Resource::Nofile, most)
    }

    /// Bounds the length of the files that it writes.
    pub(in crate::faults) fn limit_file_size(&self, most: Option<u64>) -> Result<(), Failure> {
        match most {
            Some(most) => self.limit(Resource::Fsize, most),
            None => {
                let none = Rlimit {
                    current: getrlimit(Resource::Fsize).current,
                    maximum: getrlimit(Resource::Fsize).maximum,
                };
                self.set(Resource::Fsize, none)
            }
        }
    }

    /// The soft limit alone, so that it can be raised again.
    fn limit(&self, resource: Resource, most: u64) -> Result<(), Failure> {
        let limit = Rlimit {
            current: Some(most),
            maximum: getrlimit(resource).maximum,
        };
        self.set(resource, limit)
    }

    fn set(&self, resource: Resource, limit: Rlimit) -> Result<(), Failure> {
        let set = prlimit(Some(self.pid()), resource, limit);
        set.map(drop)
            .map_err(|error| trouble(format_args!("the limit {resource:?}: {error}")))
    }

    /// Whether it has ended by itself.
    pub(in crate::faults) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end.
    pub(in crate::faults) async fn end(&mut self) -> Result<ExitStatus, Failure> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            if begun.elapsed() > PATIENCE {
                return Err(trouble(format_args!("a server has not ended after {PATIENCE:?}")));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What it uses.
    pub(in crate::faults) fn usage(&self) -> Usage {
        let folder = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|rest| rest.split_whitespace().next());
            number.and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        Usage {
            memory: field("VmRSS:"),
            threads: field("Threads:"),
            descriptors: fs::read_dir(folder.join("fd"))
                .map_or(0, |entries| crate::faults::count(entries.count())),
        }
    }

    /// Where it tells of panics.
    pub(in crate::faults) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a process uses at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::faults) struct Usage {
    /// Resident memory in KiB.
    pub(in crate::faults) memory: u64,
    pub(in crate::faults) descriptors: u64,
    pub(in crate::faults) threads: u64,
}
