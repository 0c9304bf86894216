//! A controller works if it exchanges capabilities and answers an echo request.

use std::sync::Arc;

use core::time::Duration;

use bytes::BytesMut;
use nmsp::wire::frame::{Header, encode_message};
use nmsp::wire::message::{Capability, OwnedMessage};
use nmsp::wire::{Frame, MessageType, Services, Text, WireProfile};
use tokio::time::Instant;

use super::Liveness;
use crate::device_fuzz::case::Transport;
use crate::device_fuzz::link::Link;
use crate::device_fuzz::target::Target;

/// The longest message that is read while an echo is waited for.
const LONGEST: usize = 1024 * 1024;

/// No look waits longer; its caller cuts it short before.
const LONG: Duration = Duration::from_secs(3600);

/// Asks a controller for an echo.
#[derive(Clone, Debug)]
pub struct EchoIsAnswered {
    profile: Arc<WireProfile>,
    asked: u32,
}

impl EchoIsAnswered {
    /// With layout and numbers of this profile.
    #[must_use]
    pub const fn new(profile: Arc<WireProfile>) -> Self {
        Self { profile, asked: 0 }
    }

    async fn converse(&mut self, link: &mut Link) -> Result<(), String> {
        self.asked = self.asked.wrapping_add(1);
        let capability = capability(&self.profile, "look for life");
        link.send(&[&capability], &[], Duration::ZERO).await;
        await_message(link, &self.profile, MessageType::CapabilityNotification).await?;
        // Without a body: what may stand in it is not known.
        let echo = echo(&self.profile, MessageType::EchoRequest, self.asked, &[]);
        link.send(&[&echo], &[], Duration::ZERO).await;
        let (transaction, answered) = await_message(link, &self.profile, MessageType::EchoResponse).await?;
        if transaction != self.asked || !answered.is_empty() {
            return Err(format!(
                "it answered echo request {} with transaction {transaction} and the bytes {}",
                self.asked,
                hex::encode(answered)
            ));
        }
        Ok(())
    }
}

impl<T: Target> Liveness<T> for EchoIsAnswered {
    fn question(&self) -> &'static str {
        "a new connection exchanges capabilities, and an echo request is answered"
    }

    async fn check(&mut self, target: &mut T) -> Result<(), String> {
        let opened = target.open(Transport::Tls).await;
        let mut link = opened.map_err(|end| format!("a new connection failed: {end}"))?;
        let outcome = self.converse(&mut link).await;
        link.close().await;
        outcome
    }
}

/// Waits for the first message of a type: its transaction and its body.
pub(super) async fn await_message(
    link: &mut Link,
    profile: &WireProfile,
    wanted: MessageType,
) -> Result<(u32, Vec<u8>), String> {
    link.read_until(Instant::now() + LONG, |received| {
        !matches!(find(profile, received, wanted), Ok(None))
    })
    .await;
    match find(profile, link.received(), wanted) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => {
            let end = link
                .end()
                .map_or_else(|| "nothing more came".to_owned(), ToString::to_string);
            Err(format!("there was no {}: {end}", wanted.name()))
        }
        Err(problem) => Err(problem),
    }
}

fn find(
    profile: &WireProfile,
    mut received: &[u8],
    wanted: MessageType,
) -> Result<Option<(u32, Vec<u8>)>, String> {
    while !received.is_empty() {
        match Frame::cut(profile, LONGEST, received) {
            Ok(None) => return Ok(None),
            Err(error) => return Err(format!("it sent what is no message: {error}")),
            Ok(Some((frame, length))) => {
                if profile.message_type(frame.header.id) == Some(wanted) {
                    return Ok(Some((frame.header.transaction, frame.body.to_vec())));
                }
                received = received.get(length..).unwrap_or_default();
            }
        }
    }
    Ok(None)
}

pub(super) fn capability(profile: &WireProfile, name: &str) -> Vec<u8> {
    let capability = Capability {
        version: nmsp::proto::PROTOCOL_VERSION,
        services: Services::MEASUREMENTS,
        system_name: Some(Text::from(name)),
        ..Capability::default()
    };
    let mut out = BytesMut::new();
    // Every profile has numbers for it: the check of profiles asks for them.
    drop(OwnedMessage::CapabilityNotification(capability).encode(0, profile, &mut out));
    out.to_vec()
}

pub(super) fn echo(profile: &WireProfile, message: MessageType, transaction: u32, body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    if let Some(id) = profile.message_id(message) {
        // No echo is longer than a length can say: its body is empty, or was received.
        drop(encode_message(
            Header::new(id, transaction),
            profile,
            &mut out,
            |writer| {
                writer.bytes(body);
                Ok(())
            },
        ));
    }
    out.to_vec()
}
