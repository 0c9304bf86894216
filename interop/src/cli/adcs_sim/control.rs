//! Commands from another terminal: one line over a socket of the file system, and an answer.

use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use interop::adcs_sim::{Simulator, execute};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

/// The longest command and the longest answer, in bytes.
const MAX_COMMAND: u64 = 4096;
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// How long a command may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait before accepting again when the operating system has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Before the text of an answer.
const DONE: &str = "done\n";
const FAILED: &str = "failed\n";

/// Listens on a socket that only its owner may use. One that an ended simulator has left is replaced.
pub(super) fn listen(socket: &Path) -> Result<UnixListener, String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", socket.display());
    if fs::symlink_metadata(socket).is_ok_and(|found| found.file_type().is_socket()) {
        if std::os::unix::net::UnixStream::connect(socket).is_ok() {
            return Err(format!("{}: another simulator listens there", socket.display()));
        }
        fs::remove_file(socket).map_err(wrong)?;
    }
    let listener = UnixListener::bind(socket).map_err(wrong)?;
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600)).map_err(wrong)?;
    Ok(listener)
}

/// Answers commands, one after the other.
pub(super) async fn answer(listener: UnixListener, simulator: Arc<Simulator>) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => answer_one(stream, &simulator).await,
            Err(error) => {
                tracing::warn!(%error, "the control socket cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer_one(mut stream: UnixStream, simulator: &Simulator) {
    let exchange = async {
        let mut command = Vec::new();
        (&mut stream).take(MAX_COMMAND).read_to_end(&mut command).await?;
        let (verdict, text) = match execute(simulator, &String::from_utf8_lossy(&command)) {
            Ok(told) => (DONE, told),
            Err(problem) => (FAILED, problem),
        };
        stream.write_all(verdict.as_bytes()).await?;
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await
    };
    // Who sends a command and does not wait for its answer has no use for an error.
    drop(timeout(PATIENCE, exchange).await);
}

/// Sends a command and returns what the simulator tells.
pub(super) async fn send(socket: &Path, command: &str) -> Result<String, String> {
    let wrong = |error: std::io::Error| format!("{}: {error}; does the simulator run?", socket.display());
    let mut stream = UnixStream::connect(socket).await.map_err(wrong)?;
    stream.write_all(command.as_bytes()).await.map_err(wrong)?;
    stream.shutdown().await.map_err(wrong)?;
    let mut answer = String::new();
    let mut stream = stream.take(MAX_ANSWER);
    match timeout(2 * PATIENCE, stream.read_to_string(&mut answer)).await {
        Ok(read) => read.map_err(wrong)?,
        Err(_elapsed) => return Err(format!("{}: no answer", socket.display())),
    };
    match (answer.strip_prefix(DONE), answer.strip_prefix(FAILED)) {
        (Some(told), _) => Ok(told.to_owned()),
        (None, Some(problem)) => Err(problem.to_owned()),
        (None, None) => Err(format!("{}: the answer is cut off", socket.display())),
    }
}
