//! The log of this process, in which each registration authority is found by its path label.

use std::io::{self, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Copy)]
struct Log;

fn kept() -> &'static Mutex<Vec<u8>> {
    static KEPT: OnceLock<Mutex<Vec<u8>>> = OnceLock::new();
    KEPT.get_or_init(Mutex::default)
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        kept()
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

/// Keeps the log from now on.
pub(crate) fn keep() {
    static KEEPING: OnceLock<()> = OnceLock::new();
    KEEPING.get_or_init(|| {
        tracing_subscriber::fmt()
            .with_env_filter("est=info")
            .with_writer(Log)
            .with_ansi(false)
            .init();
    });
}

/// The lines of the access log for requests to this path below that of EST.
pub(crate) fn lines_of(path: &str) -> Vec<String> {
    lines_with(&format!("/.well-known/est/{path}"))
}

/// The lines with this text.
pub(crate) fn lines_with(text: &str) -> Vec<String> {
    let kept = kept().lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&kept)
        .lines()
        .filter(|line| line.contains(text))
        .map(str::to_owned)
        .collect()
}
