//! Plays the steps of a case, and notes what came back.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use super::case::{Case, Step, Transport};
use super::link::Link;
use super::live;
use super::target::Target;

/// After something came, so long without anything more is taken as the end of the answer.
const QUIET: Duration = Duration::from_millis(30);

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum End {
    /// It has not.
    Open,
    /// We ended it.
    ByUs,
    /// The device closed it in good order.
    Closed,
    /// The device ended it by this TLS alert.
    Alert(u8),
    /// The device broke it off.
    Reset,
    /// The device sent what is no TLS, or refused ours.
    BrokenTls(String),
    /// TCP failed in another way.
    BrokenTcp(String),
    /// The device did not answer the handshake.
    Silent,
    /// There was no connection.
    NotOpened(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("the connection stayed open"),
            Self::ByUs => f.write_str("we ended the connection"),
            Self::Closed => f.write_str("the device closed the connection"),
            Self::Alert(alert) => write!(f, "the device ended the connection by TLS alert {alert}"),
            Self::Reset => f.write_str("the device reset the connection"),
            Self::BrokenTls(error) => write!(f, "TLS failed: {error}"),
            Self::BrokenTcp(error) => write!(f, "TCP failed: {error}"),
            Self::Silent => f.write_str("the device did not answer the TLS handshake in time"),
            Self::NotOpened(reason) => write!(f, "there was no connection: {reason}"),
        }
    }
}

/// What was seen of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What the device sent, decrypted; not more than [`MAX_KEPT`](super::link::MAX_KEPT).
    pub received: Vec<u8>,
    /// How much it sent.
    pub received_total: u64,
    /// Whether it sent something after the last thing that we sent.
    pub received_after_send: bool,
    /// What was [made](super::live) for it while the case was played, in order.
    pub made: Vec<Vec<u8>>,
    /// Its channel bindings, where TLS has been told to note them: tls-unique, tls-exporter.
    pub bindings: Vec<Vec<u8>>,
    /// How it ended.
    pub end: End,
}

/// What was seen of all connections of a case, in the order in which they were opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// One for each [`Step::Open`].
    pub connections: Vec<Seen>,
}

/// How patient the tester is while it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a connection and its handshake.
    pub connect: Duration,
    /// For an answer after the last step.
    pub answer: Duration,
}

/// The connections of a case that has been played. They are open until this is dropped.
#[derive(Debug, Default)]
pub struct Played {
    links: Vec<Result<Link, End>>,
    /// How many connections were opened.
    pub opened: u64,
}

impl Played {
    /// What has been seen so far.
    #[must_use]
    pub fn observation(&self) -> Observation {
        Observation {
            connections: self.links.iter().map(seen).collect(),
        }
    }

    /// Ends all connections: in good order where that is possible at once.
    pub async fn close(mut self) {
        for link in self.links.iter_mut().flatten() {
            link.close().await;
        }
    }
}

fn seen(link: &Result<Link, End>) -> Seen {
    match link {
        Ok(link) => Seen {
            received: link.received().to_vec(),
            received_total: link.received_total(),
            received_after_send: link.has_answered(),
            made: link.made().to_vec(),
            bindings: link.bindings(),
            end: link.end().cloned().unwrap_or(End::Open),
        },
        Err(end) => Seen {
            received: Vec::new(),
            received_total: 0,
            received_after_send: false,
            made: Vec::new(),
            bindings: Vec::new(),
            end: end.clone(),
        },
    }
}

/// Plays a case. Whatever the device does, this ends: each step has a bound of its own.
pub async fn play<T: Target>(target: &mut T, case: &Case, patience: Patience) -> Played {
    let mut played = Played::default();
    let mut current = 0;
    for step in &case.script {
        match step {
            Step::Open { transport } => {
                current = played.links.len();
                let link = open(target, *transport, patience.connect).await;
                played.opened += u64::from(link.is_ok());
                played.links.push(link);
            }
            Step::Use { connection } => current = *connection,
            step => {
                let made = live::bytes(step, current, &played.links);
                match (played.links.get_mut(current), made) {
                    (Some(Ok(link)), Some(made)) => link.send_made(made).await,
                    (Some(Ok(link)), None) => act(link, step).await,
                    _ => {}
                }
            }
        }
    }
    if let Some(Ok(link)) = played.links.get_mut(current) {
        await_answer(link, patience.answer).await;
    }
    for link in played.links.iter_mut().flatten() {
        // Takes what has come meanwhile.
        link.pause(Duration::ZERO).await;
    }
    played
}

async fn open<T: Target>(target: &mut T, transport: Transport, patience: Duration) -> Result<Link, End> {
    match timeout(patience, target.open(transport)).await {
        Ok(opened) => opened,
        Err(_) => Err(End::NotOpened(format!(
            "no connection and no handshake within {} ms",
            patience.as_millis()
        ))),
    }
}

async fn act(link: &mut Link, step: &Step) {
    match step {
        Step::Send {
            records,
            segments,
            stall_milliseconds,
        } => {
            let records: Vec<&[u8]> = records.iter().map(|record| record.0.as_slice()).collect();
            link.send(&records, segments, Duration::from_millis(*stall_milliseconds))
                .await;
        }
        Step::Reply {
            request,
            copy_from,
            copy_to,
            length,
            answer,
            within_milliseconds,
        } => {
            let wait = Duration::from_millis(*within_milliseconds);
            let came = link
                .read_from(&request.0, copy_from.saturating_add(*length), wait)
                .await;
            let copied = came
                .as_deref()
                .and_then(|came| came.get(*copy_from..copy_from.saturating_add(*length)));
            let mut answer = answer.0.clone();
            if let (Some(copied), Some(place)) =
                (copied, answer.get_mut(*copy_to..copy_to.saturating_add(*length)))
            {
                place.copy_from_slice(copied);
            }
            link.send(&[&answer], &[], Duration::ZERO).await;
        }
        Step::SendRepeated { bytes, times } => {
            let mut left = usize::try_from(*times).unwrap_or(usize::MAX);
            // As many as one record holds.
            let at_once = (16_384 / bytes.0.len().max(1)).max(1);
            while left > 0 && link.end().is_none() {
                let now = left.min(at_once);
                link.send(&[&bytes.0.repeat(now)], &[], Duration::ZERO).await;
                left -= now;
            }
        }
        Step::SendRaw { bytes } => link.send_raw(&bytes.0).await,
        Step::Pause { milliseconds } => link.pause(Duration::from_millis(*milliseconds)).await,
        Step::Read { within_milliseconds } => {
            link.read_more(Duration::from_millis(*within_milliseconds)).await;
        }
        Step::HalfClose => link.half_close().await,
        Step::Reset => link.reset(),
        Step::Close => link.close().await,
        // Not steps of one connection alone.
        Step::Open { .. } | Step::Use { .. } | Step::SendLinked { .. } | Step::SendDigest { .. } => {}
    }
}

/// Until the device has answered and come to rest, has closed, or has used up the time.
async fn await_answer(link: &mut Link, patience: Duration) {
    let deadline = Instant::now() + patience;
    while link.end().is_none() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let before = link.received_total();
        let wait = if link.has_answered() {
            QUIET.min(left)
        } else {
            left
        };
        link.read_more(wait).await;
        if link.has_answered() && link.received_total() == before {
            return;
        }
    }
}
