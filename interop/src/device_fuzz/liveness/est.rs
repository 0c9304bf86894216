//! An EST server works if it gives out its certificates, and gives out the same as before.

use core::time::Duration;
use std::collections::BTreeSet;

use est::operation::Operation;
use est::wire::base64;
use est::wire::certs_only::{self, CertsOnlyLimits, DEFAULT_MAX_LENGTH};

use super::Liveness;
use crate::device_fuzz::case::Transport;
use crate::device_fuzz::grammar::est::Settings;
use crate::device_fuzz::play::End;
use crate::device_fuzz::target::Target;

/// The longest answer that is waited for, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// Asks for `cacerts`, each time over a connection of its own.
#[derive(Clone, Debug)]
pub struct CaCerts {
    request: Vec<u8>,
    /// What the first answer held.
    certificates: Option<BTreeSet<Vec<u8>>>,
}

impl CaCerts {
    /// Asks the server of these settings, under their label.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let (path, host) = (settings.path(Operation::CaCerts), &settings.host);
        Self {
            request: format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes(),
            certificates: None,
        }
    }

    fn compare(&mut self, received: &[u8]) -> Result<(), String> {
        let found = certificates(received)?;
        match &self.certificates {
            None => {
                self.certificates = Some(found);
                Ok(())
            }
            Some(before) if *before == found => Ok(()),
            Some(before) => Err(format!(
                "cacerts is another than before: {} certificates, {} before",
                found.len(),
                before.len()
            )),
        }
    }
}

impl<T: Target> Liveness<T> for CaCerts {
    fn question(&self) -> &'static str {
        "cacerts is answered on a connection of its own, with the same certificates as at the start"
    }

    async fn check(&mut self, target: &mut T) -> Result<(), String> {
        let mut link = target
            .open(Transport::Tls)
            .await
            .map_err(|end| format!("no connection for cacerts: {end}"))?;
        link.send(&[&self.request], &[], Duration::ZERO).await;
        // The caller bounds the time.
        while link.end().is_none() && link.received().len() < MAX_ANSWER && !is_complete(link.received()) {
            link.read_more(Duration::from_secs(1)).await;
        }
        if link.received().is_empty() {
            let end = link.end().cloned().unwrap_or(End::Open);
            return Err(format!("no answer to cacerts: {end}"));
        }
        self.compare(link.received())
    }
}

/// Whether the server refuses a request for a certificate that comes without name and password by asking for them. Asked
/// once, before a run: what [`Settings::demands_password`] is to be.
///
/// # Errors
/// What the device did instead of answering, in one sentence.
pub async fn demands_password(target: &mut impl Target, anonymous_enrolment: &[u8]) -> Result<bool, String> {
    let opened = target.open(Transport::Tls).await;
    let mut link = opened.map_err(|end| format!("no connection for simpleenroll: {end}"))?;
    link.send(&[anonymous_enrolment], &[], Duration::ZERO).await;
    while link.end().is_none() && !is_complete(link.received()) && link.received().len() < MAX_ANSWER {
        link.read_more(Duration::from_secs(1)).await;
    }
    let line = String::from_utf8_lossy(link.received().get(..12).unwrap_or_default()).into_owned();
    link.close().await;
    Ok(line.ends_with(" 401"))
}

/// The head of an answer, and what stands behind it.
fn split(received: &[u8]) -> Option<(String, &[u8])> {
    let end = memchr::memmem::find(received, b"\r\n\r\n")?;
    let (head, body) = received.split_at_checked(end + 4)?;
    Some((String::from_utf8_lossy(head).to_ascii_lowercase(), body))
}

/// Whether all of it is there, as far as a Content-Length says so; else the end of the connection does.
fn is_complete(received: &[u8]) -> bool {
    let Some((head, body)) = split(received) else {
        return false;
    };
    head.lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|length| length.trim().parse::<usize>().ok())
        .is_some_and(|length| body.len() >= length)
}

fn certificates(received: &[u8]) -> Result<BTreeSet<Vec<u8>>, String> {
    let (head, body) = split(received).ok_or("the answer to cacerts breaks off")?;
    let line = head.lines().next().unwrap_or_default().trim_end();
    if line.split(' ').nth(1) != Some("200") {
        return Err(format!("cacerts is refused: {}", line.escape_debug()));
    }
    let body = if head.contains("transfer-encoding: chunked") {
        unchunked(body)
    } else {
        body.to_vec()
    };
    let body = body.strip_suffix(b"\0").unwrap_or(&body);
    let message = base64::decode(body, DEFAULT_MAX_LENGTH).map_err(|error| format!("cacerts: {error}"))?;
    let found = certs_only::decode(&message, &CertsOnlyLimits::default());
    let found = found.map_err(|error| format!("cacerts: {error}"))?;
    Ok(found
        .into_iter()
        .map(|certificate| certificate.to_vec())
        .collect())
}

/// The content of chunks, as far as they are there.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(end) = memchr::memmem::find(rest, b"\r\n") {
        let line = String::from_utf8_lossy(rest.get(..end).unwrap_or_default());
        let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16);
        let after = rest.get(end + 2..).unwrap_or_default();
        let Some((data, behind)) = size
            .ok()
            .filter(|size| *size > 0)
            .and_then(|size| after.split_at_checked(size))
        else {
            break;
        };
        content.extend_from_slice(data);
        rest = behind.get(2..).unwrap_or_default();
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(certificates: &str) -> String {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{certificates}",
            certificates.len()
        )
    }

    #[test]
    fn the_same_certificates_in_another_layout_are_the_same() {
        let message = include_bytes!("../../../../est/testdata/certs_only/three-certificates.der");
        let one = base64::encode(message, base64::Base64Layout::SingleLine);
        let lines = base64::encode(message, base64::Base64Layout::Columns76CrLf);
        let mut look = CaCerts::new(&Settings::new("h"));
        look.compare(answer(&one).as_bytes()).unwrap();
        look.compare(answer(&lines).as_bytes()).unwrap();
        let chunked = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n0\r\n\r\n",
            one.len()
        );
        look.compare(chunked.as_bytes()).unwrap();
    }

    #[test]
    fn says_what_is_wrong_with_an_answer() {
        let mut look = CaCerts::new(&Settings::new("h"));
        for (received, expected) in [
            ("HTTP/1.1 503 Busy\r\n\r\n".to_owned(), "refused: http/1.1 503"),
            (answer("%%%%"), "base64"),
            ("HTTP/1.1 200".to_owned(), "breaks off"),
        ] {
            let found = look.compare(received.as_bytes()).unwrap_err();
            assert!(found.contains(expected), "{found}");
        }
    }
}
