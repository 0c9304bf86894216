//! One HTTP request and its answer to the last byte. By hand: a library would not tell an answer that was cut off from one
//! that never began.

use core::str;
use std::net::{Ipv4Addr, SocketAddr};

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::PATIENCE;
use super::doors::connect;

/// The longest answer that is read, in bytes: a revocation list of a lab is a few KiB.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::faults) enum Reply<T> {
    /// Nobody answered: no connection, or one that ended before the first byte of an answer.
    None(String),
    /// An answer that began and did not come to its end.
    CutOff(String),
    /// An answer that is not what was asked for. Never allowed.
    Wrong(String),
    /// An error status, in a whole answer.
    Refused(u16),
    /// What was asked for.
    Whole(T),
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::faults) struct Answer {
    pub(in crate::faults) status: u16,
    pub(in crate::faults) body: Vec<u8>,
}

/// Sends a request, which must ask for the end of the connection, and reads the answer.
pub(in crate::faults) async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
) -> Reply<Answer> {
    let mut received = Vec::new();
    let conversation = async {
        // A server that refuses may answer before it has read everything.
        let sent = async {
            stream.write_all(request).await?;
            stream.flush().await
        };
        let sent = sent.await;
        let limit = u64::try_from(MAX_ANSWER).unwrap_or(u64::MAX);
        let read = (&mut stream).take(limit).read_to_end(&mut received).await;
        sent.and(read.map(drop))
    };
    let outcome = timeout(PATIENCE, conversation).await;
    let ended = match outcome {
        Ok(Ok(())) => "the connection ended".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no end after {PATIENCE:?}"),
    };
    if received.is_empty() {
        return Reply::None(ended);
    }
    match parse(&received) {
        Some(answer) => Reply::Whole(answer),
        None => Reply::CutOff(format!(
            "an answer that is not whole, {} bytes ({ended}): {}",
            received.len(),
            received
                .escape_ascii()
                .to_string()
                .chars()
                .take(200)
                .collect::<String>()
        )),
    }
}

/// Head and body of a whole answer with a length; `None` when something is missing.
fn parse(received: &[u8]) -> Option<Answer> {
    let end = memmem::find(received, b"\r\n\r\n")?;
    let (head, body) = received.split_at_checked(end + 4)?;
    let mut lines = str::from_utf8(head).ok()?.split("\r\n");
    let status = lines
        .next()?
        .strip_prefix("HTTP/1.1 ")?
        .split(' ')
        .next()?
        .parse()
        .ok()?;
    let mut length = 0;
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    (body.len() == length).then(|| Answer {
        status,
        body: body.to_vec(),
    })
}

/// Gets something over plain HTTP.
pub(in crate::faults) async fn get(from: Ipv4Addr, to: SocketAddr, path: &str) -> Reply<Vec<u8>> {
    let stream = match connect(from, to).await {
        Ok(stream) => stream,
        Err(error) => return Reply::None(error.to_string()),
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n");
    match exchange(stream, request.as_bytes()).await {
        Reply::Whole(Answer { status: 200, body }) => Reply::Whole(body),
        Reply::Whole(Answer { status, .. }) | Reply::Refused(status) => Reply::Refused(status),
        Reply::CutOff(why) => Reply::CutOff(why),
        Reply::Wrong(why) => Reply::Wrong(why),
        Reply::None(why) => Reply::None(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_has_the_announced_length() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        let answer = parse(whole).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"ok".as_slice()));
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]), None, "{length} bytes");
        }
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokk"), None);
    }
}
