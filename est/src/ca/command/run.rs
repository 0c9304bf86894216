//! One run of the command, within its bounds.

use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::{CommandSettings, EnrollError, internal};
use crate::process_group::ProcessGroup;

/// How much of the standard error is kept, in bytes: a sentence for the client, or the end of a stack trace.
const ERRORS_KEPT: usize = 4096;

/// What a run left behind.
#[derive(Debug)]
pub(super) struct Ran {
    /// The exit status; `None` after a signal.
    pub(super) code: Option<i32>,
    /// The standard output.
    pub(super) output: Vec<u8>,
    /// The standard error, without control characters.
    pub(super) errors: String,
}

pub(super) async fn run(
    settings: &CommandSettings,
    environment: Vec<(&'static str, String)>,
    input: Vec<u8>,
) -> Result<Ran, EnrollError> {
    let mut command = command(settings, environment);
    let mut child = command.spawn().map_err(|error| {
        internal(&format!(
            "the command {} cannot be started: {error}",
            settings.program.display()
        ))
    })?;
    let group = ProcessGroup::of(&child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let all = async {
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A command that decides without reading the request closes the pipe.
                drop(stdin.write_all(&input).await);
            }
        };
        let ((), output, errors) = tokio::join!(
            feed,
            read_up_to(stdout, settings.output),
            read_up_to(stderr, ERRORS_KEPT)
        );
        (child.wait().await, output, errors)
    };
    // Dropping the rest at the end of the time kills the child.
    let (status, output, errors) =
        tokio::time::timeout(settings.time, all)
            .await
            .map_err(|_| EnrollError::Unavailable {
                reason: format!(
                    "the external authority took longer than {} s and was ended",
                    settings.time.as_secs_f32()
                ),
                retry_after: settings.retry_after,
            })?;
    group.has_ended();
    let status = status.map_err(|error| internal(&format!("the command's end was not seen: {error}")))?;
    let (output, output_is_whole) = output;
    if !output_is_whole {
        let most = settings.output;
        return Err(internal(&format!("the command printed more than {most} bytes")));
    }
    Ok(Ran {
        code: status.code(),
        output,
        errors: String::from_utf8_lossy(&errors.0)
            .trim()
            .replace(char::is_control, " "),
    })
}

fn command(settings: &CommandSettings, environment: Vec<(&'static str, String)>) -> Command {
    let mut command = Command::new(&settings.program);
    // Nothing of ours that begins like this is for the command; the passphrase of an authority's key would be.
    let own = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("EST_"));
    own.for_each(|(name, _)| {
        command.env_remove(name);
    });
    // A group of its own, so that what the command started ends with it.
    #[cfg(unix)]
    command.process_group(0);
    command
        .args(&settings.arguments)
        .envs(environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Also when the client has gone away and nobody waits for the answer.
        .kill_on_drop(true);
    command
}

/// The first bytes, and whether that was all. The rest is read and thrown away, so that the command does not wait for
/// a reader for ever.
async fn read_up_to(source: Option<impl AsyncRead + Unpin>, limit: usize) -> (Vec<u8>, bool) {
    let (mut kept, mut whole) = (Vec::new(), true);
    let Some(mut source) = source else {
        return (kept, whole);
    };
    let mut buffer = [0; 4096];
    while let Ok(read) = source.read(&mut buffer).await {
        let room = limit.saturating_sub(kept.len());
        whole &= read <= room;
        match buffer.get(..read.min(room)) {
            _ if read == 0 => break,
            Some(bytes) => kept.extend_from_slice(bytes),
            None => break,
        }
    }
    (kept, whole)
}
