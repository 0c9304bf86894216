//! The log of the web server, in the W3C extended format with the fields of Cisco document 214396 (F002-31).

use std::collections::VecDeque;
use std::fmt;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;
use time::macros::format_description;

/// The fields in their order.
pub const FIELDS: &str = "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) \
    cs(Referer) sc-status sc-substatus sc-win32-status time-taken";

/// The most lines that are kept in memory; the oldest goes first. What is written to a file is complete.
pub const MAX_LINES: usize = 10_000;

/// Codes of the column `sc-win32-status`.
pub mod win32 {
    /// All is well.
    pub const OK: u32 = 0;
    /// `ERROR_FILE_NOT_FOUND`.
    pub const FILE_NOT_FOUND: u32 = 2;
    /// `ERROR_ACCESS_DENIED`.
    pub const ACCESS_DENIED: u32 = 5;
    /// `ERROR_NETNAME_DELETED`: the connection was lost before the answer was out.
    pub const CONNECTION_LOST: u32 = 64;
    /// `ERROR_LOGON_FAILURE` as an HRESULT, 0x8007052E: Basic with a wrong password.
    pub const LOGON_FAILURE: u32 = 2_147_943_726;
    /// `SEC_E_INVALID_TOKEN`, 0x80090308.
    pub const INVALID_TOKEN: u32 = 2_148_074_248;
    /// `SEC_E_LOGON_DENIED`, 0x8009030C: NTLM with a wrong password.
    pub const LOGON_DENIED: u32 = 2_148_074_252;
    /// `SEC_E_NO_CREDENTIALS`, 0x8009030E: the first leg of NTLM, answered by the challenge.
    pub const NO_CREDENTIALS: u32 = 2_148_074_254;
    /// `SEC_E_MESSAGE_ALTERED`, 0x8009030F.
    pub const MESSAGE_ALTERED: u32 = 2_148_074_255;
}

/// One line. `Display` writes it as IIS does: UTC, `-` for what is empty, `+` for blanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When the request ended, by the server's clock.
    pub time: OffsetDateTime,
    /// The server's address; its port is the field `s-port`.
    pub server: SocketAddr,
    /// The method.
    pub method: String,
    /// The path.
    pub stem: String,
    /// The query without its question mark; empty for none.
    pub query: String,
    /// Who was logged in, or tried to by Basic.
    pub user: Option<String>,
    /// The client's address; its port is not written.
    pub client: SocketAddr,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// The client's `Referer`.
    pub referer: Option<String>,
    /// The HTTP status.
    pub status: u16,
    /// The reason behind the status.
    pub substatus: u16,
    /// The code of [`win32`].
    pub win32: u32,
    /// From the request to the end of the answer, in milliseconds.
    pub time_taken: u128,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamp = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
        let time = self.time.format(stamp).map_err(|_| fmt::Error)?;
        write!(
            f,
            "{time} {} {} {} {} {} {} {} {} {} {} {} {} {}",
            self.server.ip(),
            Field(&self.method),
            Field(&self.stem),
            Field(&self.query),
            self.server.port(),
            Field(self.user.as_deref().unwrap_or_default()),
            self.client.ip(),
            Field(self.user_agent.as_deref().unwrap_or_default()),
            Field(self.referer.as_deref().unwrap_or_default()),
            self.status,
            self.substatus,
            self.win32,
            self.time_taken,
        )
    }
}

/// A text of the client: one field whatever is in it.
struct Field<'a>(&'a str);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("-");
        }
        for character in self.0.chars() {
            let shown = if character == ' ' || character.is_control() {
                '+'
            } else {
                character
            };
            write!(f, "{shown}")?;
        }
        Ok(())
    }
}

/// What stands above the lines.
pub(super) fn header(now: OffsetDateTime) -> String {
    let stamp = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let time = now.format(stamp).unwrap_or_default();
    format!(
        "#Software: Microsoft Internet Information Services 10.0 (simulated)\n#Version: 1.0\n#Date: {time}\n#Fields: \
         {FIELDS}\n"
    )
}

/// The lines so far, and who else wants them.
#[derive(Debug, Default)]
pub(super) struct IisLog {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<LogLine>,
    writers: Vec<Sender<String>>,
}

impl IisLog {
    pub(super) fn add(&self, line: LogLine) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.writers.is_empty() {
            let text = format!("{line}\n");
            kept.writers.retain(|writer| writer.send(text.clone()).is_ok());
        }
        if kept.lines.len() == MAX_LINES {
            kept.lines.pop_front();
        }
        kept.lines.push_back(line);
    }

    pub(super) fn lines(&self) -> Vec<LogLine> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.lines.iter().cloned().collect()
    }

    /// Writes the header and every line from now on, each at once, from a thread of its own: a slow disk must not stop
    /// the server. A writer that fails gets no more.
    pub(super) fn follow(&self, mut writer: Box<dyn Write + Send>, now: OffsetDateTime) {
        let (sender, lines) = mpsc::channel::<String>();
        let header = header(now);
        std::thread::spawn(move || {
            let mut write = |text: &str| writer.write_all(text.as_bytes()).and_then(|()| writer.flush());
            let mut written = write(&header);
            while let (Ok(()), Ok(line)) = (&written, lines.recv()) {
                written = write(&line);
            }
            if let Err(error) = written {
                tracing::warn!(%error, "the log of the simulator cannot be written any more");
            }
        });
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.writers.push(sender);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn line() -> LogLine {
        LogLine {
            time: datetime!(2019-03-05 17:31:15 UTC),
            server: "14.48.31.152:443".parse().unwrap(),
            method: "GET".to_owned(),
            stem: "/certsrv".to_owned(),
            query: String::new(),
            user: Some("MICHAMEN\\ciscora".to_owned()),
            client: "14.48.31.128:50000".parse().unwrap(),
            user_agent: Some("CiscoRA 1.0".to_owned()),
            referer: None,
            status: 301,
            substatus: 0,
            win32: 0,
            time_taken: 16,
        }
    }

    /// The line of Cisco document 214396 (F002-17), with an address of the server.
    #[test]
    fn writes_a_line_as_the_vendors_log_has_it() {
        assert_eq!(
            line().to_string(),
            "2019-03-05 17:31:15 14.48.31.152 GET /certsrv - 443 MICHAMEN\\ciscora 14.48.31.128 CiscoRA+1.0 - 301 0 0 16"
        );
    }

    #[test]
    fn a_client_cannot_add_fields_or_lines() {
        let forged = LogLine {
            user_agent: Some("a b\r\n2019-01-01 x\ty".to_owned()),
            ..line()
        };
        let fields = FIELDS.split(' ').count();
        assert_eq!(forged.to_string().split_whitespace().count(), fields);
        assert_eq!(line().to_string().split_whitespace().count(), fields);
    }

    #[test]
    fn keeps_the_newest_lines() {
        let log = IisLog::default();
        for number in 0..=MAX_LINES {
            let status = u16::try_from(number).unwrap();
            log.add(LogLine { status, ..line() });
        }
        assert_eq!(log.lines().len(), MAX_LINES);
        assert_eq!(log.lines()[0].status, 1);
    }
}
