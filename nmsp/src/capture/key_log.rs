//! Key logs in the format of NSS: the secrets of TLS sessions, one a line (`SSLKEYLOGFILE`).

use core::fmt;
use std::collections::HashMap;

use super::error::Problem;

/// How many sessions a key log may hold. A test bench that connects a hundred times a second fills it in three hours;
/// secrets in a capture file come from whoever wrote it.
pub const MAX_SESSIONS: usize = 1_048_576;

/// The longest secret: SHA-512 and the 48-byte master secret of TLS 1.2 both fit.
const MAX_SECRET: usize = 64;

/// Which secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Label {
    /// The master secret of TLS 1.2 and before.
    Master,
    ClientHandshake,
    ServerHandshake,
    ClientApplication,
    ServerApplication,
}

impl Label {
    const ALL: [Self; 5] = [
        Self::Master,
        Self::ClientHandshake,
        Self::ServerHandshake,
        Self::ClientApplication,
        Self::ServerApplication,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Master => "CLIENT_RANDOM",
            Self::ClientHandshake => "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            Self::ServerHandshake => "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            Self::ClientApplication => "CLIENT_TRAFFIC_SECRET_0",
            Self::ServerApplication => "SERVER_TRAFFIC_SECRET_0",
        }
    }
}

/// Secrets by the client random of their session.
///
/// ```
/// let log = format!("CLIENT_RANDOM {} {}\n# a comment\n", "11".repeat(32), "22".repeat(48));
/// let (keys, problems) = nmsp::capture::KeyLog::parse(&log);
/// assert_eq!((keys.sessions(), problems.len()), (1, 0));
/// ```
#[derive(Clone, Default)]
pub struct KeyLog {
    sessions: HashMap<[u8; 32], Secrets>,
}

type Secrets = HashMap<Label, Vec<u8>>;

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLog")
            .field("sessions", &self.sessions.len())
            .finish_non_exhaustive()
    }
}

impl KeyLog {
    /// Reads a key log. Lines that cannot be read are skipped and reported; labels that are not needed to read application
    /// data are skipped in silence.
    #[must_use]
    pub fn parse(text: &str) -> (Self, Vec<Problem>) {
        let mut log = Self::default();
        let problems = log.add(text);
        (log, problems)
    }

    /// Adds the lines of another key log.
    pub fn add(&mut self, text: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (line, content) in (1..).zip(text.lines()) {
            if let Err(cause) = self.add_line(content) {
                problems.push(Problem::KeyLog { line, cause });
            }
        }
        problems
    }

    fn add_line(&mut self, line: &str) -> Result<(), &'static str> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let mut words = line.split_ascii_whitespace();
        let (Some(label), Some(random), Some(secret), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err("it is not a label, a client random and a secret");
        };
        let Some(label) = Label::ALL.into_iter().find(|known| known.name() == label) else {
            return Ok(());
        };
        let random = bytes_of(random).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let random = random.ok_or("the client random is not 64 hexadecimal digits")?;
        let secret = bytes_of(secret).ok_or("the secret is not hexadecimal")?;
        if secret.is_empty() || secret.len() > MAX_SECRET {
            return Err("the secret is empty or longer than 64 bytes");
        }
        if self.sessions.len() >= MAX_SESSIONS && !self.sessions.contains_key(&random) {
            return Err("the key log holds more than 1048576 sessions");
        }
        self.sessions.entry(random).or_default().insert(label, secret);
        Ok(())
    }

    /// How many sessions it has secrets of.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn secret(&self, client_random: &[u8; 32], label: Label) -> Option<&[u8]> {
        self.sessions.get(client_random)?.get(&label).map(Vec::as_slice)
    }
}

/// The bytes of hexadecimal digits; `None` if they are no pairs of digits.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_secrets_by_label_and_client_random() {
        let (random, secret) = ("ab".repeat(32), "Cd".repeat(48));
        let text = format!(
            "# openssl\r\n\r\nCLIENT_TRAFFIC_SECRET_0 {random} {secret}\r\nEXPORTER_SECRET {random} 00\n\
             SERVER_HANDSHAKE_TRAFFIC_SECRET {random} 0102\n"
        );
        let (log, problems) = KeyLog::parse(&text);
        assert_eq!(problems, []);
        assert_eq!(log.sessions(), 1);
        let find = |label| log.secret(&[0xab; 32], label);
        assert_eq!(find(Label::ClientApplication), Some(&[0xcd; 48][..]));
        assert_eq!(find(Label::ServerHandshake), Some(&[1, 2][..]));
        assert_eq!(find(Label::Master), None);
        assert_eq!(log.secret(&[0; 32], Label::ClientApplication), None);
    }

    #[test]
    fn names_the_line_that_it_skips_and_not_the_secret() {
        let random = "ab".repeat(32);
        let text = format!(
            "nonsense\nCLIENT_RANDOM zz 00\nCLIENT_RANDOM {random} 5ecre7\nCLIENT_RANDOM {random} 5ecre\n\
             CLIENT_RANDOM {random} {}\n",
            "00".repeat(65)
        );
        let (log, problems) = KeyLog::parse(&text);
        assert_eq!(log.sessions(), 0);
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 5);
        for (line, text) in (1..).zip(&shown) {
            assert!(text.starts_with(&format!("key log line {line}: ")), "{text}");
            assert!(!text.contains("5ecre"), "{text}");
        }
        let secret = format!("CLIENT_RANDOM {random} {}", "77".repeat(48));
        assert!(!format!("{:?}", KeyLog::parse(&secret)).contains("77"));
    }
}
