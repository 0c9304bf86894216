//! Keeps the log of the running libraries, so that the lab can show the lines that belong to one step.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The most that is kept between two calls of [`TraceCapture::take`], in bytes. What comes after is dropped: the lab
/// shows a dozen lines.
const CAPACITY: usize = 1024 * 1024;

/// A log in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct TraceCapture {
    kept: Arc<Mutex<Vec<u8>>>,
}

impl TraceCapture {
    /// Makes this the process's log: the lines of `nmsp` as bare text, without time, level or target.
    ///
    /// Does nothing when the process has a log already, as in a test; [`take`](Self::take) is then empty.
    pub fn install(&self) {
        let installed = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("nmsp=info"))
            .with_writer(self.clone())
            .with_ansi(false)
            .with_level(false)
            .with_target(false)
            .without_time()
            .try_init();
        drop(installed);
    }

    /// Takes the lines written since the last call.
    pub fn take(&self) -> String {
        let bytes = mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for TraceCapture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() + bytes.len() <= CAPACITY {
            kept.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for TraceCapture {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_what_was_written_once() {
        let capture = TraceCapture::default();
        capture
            .clone()
            .write_all(b"Allocated new NMSP connection 0\n")
            .unwrap();
        assert_eq!(capture.take(), "Allocated new NMSP connection 0\n");
        assert_eq!(capture.take(), "");
    }
}
