//! An answer before it becomes HTTP, and how its body goes out.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::iis_log::win32;
use super::page;

/// How long the first half of an answer gets to go out before the connection is cut.
const HALF_TIME: Duration = Duration::from_millis(50);

/// An answer, with its columns of the log.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) substatus: u16,
    pub(super) win32: u32,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

impl Answer {
    /// A page of AD CS: always status 200, the verdict is in the text.
    pub(super) fn page(text: String) -> Self {
        Self::ok("text/html; charset=utf-8", text.into_bytes())
    }

    pub(super) fn ok(content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            status: 200,
            substatus: 0,
            win32: win32::OK,
            content_type,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// A status other than 200.
    pub(super) fn status(status: u16, substatus: u16, win32: u32, title: &str) -> Self {
        Self {
            status,
            substatus,
            win32,
            ..Self::page(page::status(title))
        }
    }

    pub(super) fn moved(location: String) -> Self {
        let mut answer = Self {
            status: 301,
            ..Self::page(page::moved(&location))
        };
        answer.headers.push(("location", location));
        answer
    }
}

/// PEM with the line ends of Windows.
pub(super) fn armour(label: &str, der: &[u8]) -> Vec<u8> {
    let mut text = format!("-----BEGIN {label}-----\r\n");
    let encoded = STANDARD.encode(der);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, others) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push_str("\r\n");
        rest = others;
    }
    text.push_str(&format!("-----END {label}-----\r\n"));
    text.into_bytes()
}

/// The body of an answer: whole, or its first half and then an error that cuts the connection.
pub(super) struct AnswerBody {
    rest: Option<Bytes>,
    /// What is announced.
    length: u64,
    cut: Option<Pin<Box<Sleep>>>,
}

impl AnswerBody {
    pub(super) fn whole(body: Bytes) -> Self {
        Self {
            length: u64::try_from(body.len()).unwrap_or(u64::MAX),
            rest: Some(body),
            cut: None,
        }
    }

    /// Announces the whole and sends half of it.
    pub(super) fn cut(body: &Bytes) -> Self {
        Self {
            cut: Some(Box::pin(tokio::time::sleep(HALF_TIME))),
            rest: Some(body.slice(..body.len() / 2)),
            length: u64::try_from(body.len()).unwrap_or(u64::MAX),
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(part) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        let Some(cut) = &mut self.cut else {
            return Poll::Ready(None);
        };
        cut.as_mut()
            .poll(context)
            .map(|()| Some(Err(io::Error::other("the simulator cuts the connection"))))
    }

    fn is_end_stream(&self) -> bool {
        self.cut.is_none() && self.rest.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
