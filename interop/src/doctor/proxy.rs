//! An HTTP proxy in between: `CONNECT host:port` (RFC 9110, section 9.3.6).

use core::time::Duration;
use std::io;

use est::client::Proxy;
use pki_common::{Failure, KnownCause, Side};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::road::Road;
use super::walk::Findings;

/// The largest head of a proxy's answer, in bytes: as much as servers allow for theirs.
const MAX_HEAD: usize = 8 * 1024;

/// What the proxy is asked for.
#[derive(Debug, Clone)]
pub(super) struct Tunnel {
    proxy: Proxy,
    /// `host:port` of the service.
    target: String,
}

/// What a proxy answered.
struct Answer {
    status: u16,
    reason: String,
    /// The schemes of `Proxy-Authenticate`.
    offered: Vec<String>,
}

impl Tunnel {
    pub(super) fn new(proxy: Proxy, host: &str, port: u16) -> Self {
        let target = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        Self { proxy, target }
    }

    /// Asks for the tunnel on a connection to the proxy.
    pub(super) async fn open(&self, stream: &mut TcpStream, limit: Duration) -> Result<(), Failure> {
        self.ask(stream, limit)
            .await
            .and_then(|answer| self.judge(&answer))
    }

    async fn ask(&self, stream: &mut TcpStream, limit: Duration) -> Result<Answer, Failure> {
        match timeout(limit, self.exchange(stream)).await {
            Ok(Ok(head)) => self.read(&head),
            Ok(Err(error)) => Err(self.broke(&error)),
            Err(_) => {
                let text = format!(
                    "the proxy {} did not answer CONNECT within {} s.",
                    self.proxy,
                    limit.as_secs_f32()
                );
                let mut failure = KnownCause::AnswerTimedOut.failure(text);
                failure.rung = pki_common::Rung::Proxy;
                Err(failure)
            }
        }
    }

    async fn exchange(&self, stream: &mut TcpStream) -> io::Result<Vec<u8>> {
        let Self { proxy, target } = self;
        let mut request = Zeroizing::new(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"));
        if let Some(credentials) = &proxy.credentials {
            request.push_str("Proxy-Authorization: ");
            request.push_str(&credentials.to_header());
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await?;
        // Byte by byte, because what comes behind the head belongs to TLS.
        let mut head = Vec::new();
        while !(head.ends_with(b"\r\n\r\n") || head.ends_with(b"\n\n")) {
            if head.len() >= MAX_HEAD {
                let text = format!("the head of its answer is larger than {MAX_HEAD} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            head.push(stream.read_u8().await?);
        }
        Ok(head)
    }

    fn read(&self, head: &[u8]) -> Result<Answer, Failure> {
        let head = String::from_utf8_lossy(head);
        let mut lines = head.lines();
        let first = lines.next().unwrap_or_default();
        let status = first
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.split(' ').nth(1));
        let Some(status) = status.and_then(|status| status.parse().ok()) else {
            let text = format!("the proxy {} does not answer in HTTP: {first:?}.", self.proxy);
            return Err(KnownCause::ProxyRefused.failure(text));
        };
        let offered = lines
            .filter_map(|line| line.split_once(':'))
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("proxy-authenticate"))
            .filter_map(|(_, value)| value.split_whitespace().next())
            .map(str::to_owned)
            .collect();
        Ok(Answer {
            status,
            reason: first.splitn(3, ' ').nth(2).unwrap_or_default().trim().to_owned(),
            offered,
        })
    }

    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        let Answer {
            status,
            reason,
            offered,
        } = answer;
        if (200..300).contains(status) {
            return Ok(());
        }
        let Self { proxy, target } = self;
        let cause = format!("the proxy {proxy} answers {status} {reason} to CONNECT {target}.");
        let mut failure = KnownCause::ProxyRefused.failure(cause).refused_by(Side::Peer);
        if *status == 407 {
            failure.remedy = format!(
                "Give the proxy's user name and password (--proxy-user, --proxy-password-file); it offers {}.",
                offered.join(", ")
            );
        }
        Err(failure)
    }

    fn broke(&self, error: &io::Error) -> Failure {
        let Self { proxy, target } = self;
        KnownCause::ProxyRefused.failure(format!(
            "the proxy {proxy} ended the connection in answer to CONNECT {target}: {error}."
        ))
    }
}

/// Asks the proxy once, and tells what it says.
pub(super) async fn check(road: &Road, tunnel: &Tunnel, findings: &mut Findings) -> Result<(), Failure> {
    let mut stream = road.connect().await?;
    let answer = tunnel.ask(&mut stream, road.limit).await?;
    findings.note(format!("{}: {} {}", tunnel.proxy, answer.status, answer.reason));
    findings.fact("proxy", tunnel.proxy.to_string());
    findings.fact("status", answer.status);
    findings.fact("reason", answer.reason.clone());
    if !answer.offered.is_empty() {
        findings.note(format!("offers {}", answer.offered.join(", ")));
        findings.fact("offered", answer.offered.clone());
    }
    tunnel.judge(&answer)
}
