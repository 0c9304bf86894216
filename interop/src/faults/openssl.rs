//! `openssl s_client` against a server: what rustls, on both ends, could not try.

use core::time::Duration;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use pki_common::Failure;

use super::lab::PATIENCE;
use super::trouble;
use crate::peers;

/// The time between two lines that are typed.
const TYPING: Duration = Duration::from_millis(300);

/// What makes it the location server of the lab.
pub(super) const LOCATION_SERVER: [&str; 4] =
    ["-cert", "location-server.pem", "-key", "location-server.key.pem"];

/// The program, and where its files are.
#[derive(Clone, Debug)]
pub(super) struct OpenSsl {
    program: PathBuf,
    /// The folder of the lab.
    folder: PathBuf,
}

impl OpenSsl {
    pub(super) fn find(folder: &Path) -> Option<Self> {
        let program = peers::find_or_skip("openssl")?;
        let folder = folder.to_owned();
        Some(Self { program, folder })
    }

    /// A server that gives out sessions with which early data may be sent. Whoever gets it ends it.
    pub(super) fn gives_sessions(&self) -> Result<(Child, SocketAddr), Failure> {
        let mut child = Command::new(&self.program)
            .args([
                "s_server",
                "-accept",
                "127.0.0.1:0",
                "-cert",
                "server.pem",
                "-key",
                "server.key.pem",
            ])
            .args(["-tls1_3", "-early_data", "-max_early_data", "16384"])
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(trouble)?;
        let output = child.stdout.take().map(BufReader::new);
        let mut lines = output
            .into_iter()
            .flat_map(|output| output.lines().map_while(Result::ok));
        let address = lines.find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned));
        // The rest is not read, and less than a pipe holds.
        let address = address.and_then(|address| address.parse().ok());
        match address {
            Some(address) => Ok((child, address)),
            None => Err(trouble("openssl s_server does not say where it listens")),
        }
    }

    /// Connects, types these lines and ends. Everything that was printed.
    pub(super) async fn talk(
        &self,
        address: SocketAddr,
        options: &[&str],
        typed: &[&'static str],
    ) -> Result<String, Failure> {
        let mut command = Command::new(&self.program);
        let address = address.to_string();
        command
            .args(["s_client", "-connect", &address])
            .args(options)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let typed = typed.to_vec();
        let said = tokio::task::spawn_blocking(move || converse(&mut command, &typed));
        said.await
            .map_err(trouble)?
            .map_err(|error| trouble(format_args!("openssl: {error}")))
    }
}

fn converse(command: &mut Command, typed: &[&str]) -> std::io::Result<String> {
    let mut child = command.spawn()?;
    let (mut output, mut errors) = (child.stdout.take(), child.stderr.take());
    let read = move || {
        let mut text = Vec::new();
        if let Some(output) = &mut output {
            output.read_to_end(&mut text)?;
        }
        Ok::<_, std::io::Error>(text)
    };
    let read = std::thread::spawn(read);
    let read_errors = std::thread::spawn(move || {
        let mut text = Vec::new();
        let read = errors.as_mut().map(|errors| errors.read_to_end(&mut text));
        drop(read);
        text
    });
    let mut stdin = child.stdin.take();
    for line in typed {
        std::thread::sleep(TYPING);
        // It may have ended because it was refused.
        if let Some(stdin) = &mut stdin {
            drop(stdin.write_all(line.as_bytes()).and(stdin.flush()));
        }
    }
    std::thread::sleep(TYPING);
    drop(stdin);
    let begun = Instant::now();
    while child.try_wait()?.is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut text = read.join().unwrap_or_else(|_| Ok(Vec::new()))?;
    text.extend(read_errors.join().unwrap_or_default());
    Ok(String::from_utf8_lossy(&text).into_owned())
}
