//! TLS secrets for whoever is to read the traffic.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Mutex;

use rustls::KeyLog;

/// A key log in the format of NSS, as Wireshark reads it: each secret is a line, appended to a file that only its owner may
/// read. For [`ServerTls::dangerous_key_log`](super::ServerTls::dangerous_key_log) and
/// [`ClientTls::dangerous_key_log`](super::ClientTls::dangerous_key_log).
pub struct KeyLogFile {
    file: Mutex<File>,
}

impl fmt::Debug for KeyLogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLogFile").finish_non_exhaustive()
    }
}

impl KeyLogFile {
    /// Opens the file, and makes it if there is none.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn append(path: impl AsRef<Path>) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self {
            file: Mutex::new(options.open(path)?),
        })
    }
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line = format!("{label} ");
        for (bytes, end) in [(client_random, ' '), (secret, '\n')] {
            for byte in bytes {
                line.push_str(&format!("{byte:02x}"));
            }
            line.push(end);
        }
        // A thread that panicked while it wrote has at worst left half a line.
        let mut file = self
            .file
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::warn!(%error, "a TLS secret could not be added to the key log");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_a_line_for_each_secret_to_a_file_of_the_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.txt");
        for _ in 0..2 {
            let log = KeyLogFile::append(&path).unwrap();
            log.log("CLIENT_RANDOM", &[0xab, 1], &[2, 0xff]);
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "CLIENT_RANDOM ab01 02ff\nCLIENT_RANDOM ab01 02ff\n");
        #[cfg(unix)]
        {
            let mode =
                std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
