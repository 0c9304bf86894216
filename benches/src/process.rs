//! A benchmark's other side in a process of its own: this same program, started again with a role.
//!
//! The child prints one line when it is ready (mostly the address it listens on), answers each line on its standard
//! input with the processor time it has used and its resident memory, and ends with its standard input.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const ROLE: &str = "BENCH_ROLE";
const FOLDER: &str = "BENCH_FOLDER";

/// The role that this process was started for; `None` in the process that the user started.
pub fn role() -> Option<String> {
    env::var(ROLE).ok()
}

/// The folder that the parent shares with this child.
///
/// # Panics
/// In a process without a role.
pub fn folder() -> PathBuf {
    PathBuf::from(env::var_os(FOLDER).expect("set by the parent"))
}

/// Tells the parent that this child is ready.
#[expect(clippy::print_stdout, reason = "the pipe to the parent")]
pub fn announce(line: impl core::fmt::Display) {
    println!("{line}");
}

/// Answers the parent's questions for [`Usage`] until it closes the pipe.
#[expect(clippy::print_stdout, reason = "the pipe to the parent")]
pub fn answer_questions() {
    for _ in std::io::stdin().lock().lines().map_while(Result::ok) {
        println!("{} {}", own_processor_seconds(), resident_kib("self"));
    }
}

/// The processor time that this process has used, in seconds.
pub fn own_processor_seconds() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    format!("{}.{:09}", used.tv_sec, used.tv_nsec)
        .parse()
        .unwrap_or_default()
}

/// `VmRSS` of a process, in KiB.
pub fn resident_kib(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|value| value.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

/// Keeps this process on one core, so that the two sides do not share one. On a machine with one core nothing is
/// gained and nothing lost.
pub fn pin_to_core(core: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
        eprintln!("not pinned to core {core}: {error}");
    }
}

/// A child process with a role.
#[derive(Debug)]
pub struct Process {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    line: String,
}

/// What a process has used.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Processor time, in seconds.
    pub processor: f64,
    /// Resident memory, in KiB.
    pub resident: u64,
}

impl Process {
    /// Starts this program again and waits until it is ready.
    ///
    /// # Panics
    /// If it does not start or does not get ready.
    pub fn start(role: &str, folder: &Path) -> Self {
        let mut child = Command::new(env::current_exe().expect("this program"))
            .env(ROLE, role)
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let questions = child.stdin.take().expect("piped");
        let mut answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        answers
            .read_line(&mut line)
            .expect("the line of a child that is ready");
        let line = line.trim().to_owned();
        Self {
            child,
            questions,
            answers,
            line,
        }
    }

    /// What the child announced.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The address that the child announced.
    ///
    /// # Panics
    /// If it announced something else.
    pub fn address(&self) -> SocketAddr {
        self.line.parse().expect("an address")
    }

    /// What the child has used until now.
    ///
    /// # Panics
    /// If it is gone.
    pub fn usage(&mut self) -> Usage {
        writeln!(self.questions).expect("the child reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the child answers");
        let (processor, resident) = line.trim().split_once(' ').expect("two numbers");
        Usage {
            processor: processor.parse().expect("seconds"),
            resident: resident.parse().expect("KiB"),
        }
    }

    /// Ends the child.
    ///
    /// # Panics
    /// If it cannot be waited for.
    pub fn stop(mut self) {
        drop(self.questions);
        self.child.wait().expect("the child ends with its input");
    }
}
