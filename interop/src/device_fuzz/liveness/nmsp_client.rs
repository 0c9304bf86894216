//! A location server works if it connects again and exchanges capabilities, and now and then if it asks for an echo.

use std::sync::Arc;

use core::time::Duration;

use bytes::BytesMut;
use nmsp::wire::message::{OwnedMessage, ServiceSubscribeResponse};
use nmsp::wire::numbers::SubscribeStatus;
use nmsp::wire::{MessageType, Services, WireProfile};
use tokio::time::timeout;

use super::Liveness;
use super::nmsp::{await_message, capability, echo};
use crate::device_fuzz::case::Transport;
use crate::device_fuzz::link::Link;
use crate::device_fuzz::target::{Client, Target as _};

/// How long a location server may take to subscribe after the capabilities; later, it is not waited for.
const SUBSCRIPTION: Duration = Duration::from_secs(2);

/// Waits for a location server.
#[derive(Clone, Debug)]
pub struct ComesBack {
    profile: Arc<WireProfile>,
    echo_every: u32,
    looks: u32,
}

impl ComesBack {
    /// With layout and numbers of this profile. Each `echo_every`th look waits for an echo request, too; a location
    /// server sends them in intervals of its own (15 s is usual), so a look at each would slow the run. 0: none does.
    #[must_use]
    pub const fn new(profile: Arc<WireProfile>, echo_every: u32) -> Self {
        Self {
            profile,
            echo_every,
            looks: 0,
        }
    }
}

impl ComesBack {
    /// Answers the subscription, if there is one soon: a location server that waits for that answer may go before it asks for
    /// an echo.
    async fn grant(&self, link: &mut Link) {
        let request = MessageType::ServiceSubscribeRequest;
        let subscription = timeout(SUBSCRIPTION, await_message(link, &self.profile, request)).await;
        let Ok(Ok((transaction, _))) = subscription else {
            return;
        };
        let response = ServiceSubscribeResponse {
            status: SubscribeStatus::ACCEPTED,
            accepted: Services::MEASUREMENTS,
            ..ServiceSubscribeResponse::default()
        };
        let mut answer = BytesMut::new();
        // It fails for a profile without a number for it, and then nobody waits for it.
        let encoded =
            OwnedMessage::ServiceSubscribeResponse(response).encode(transaction, &self.profile, &mut answer);
        if encoded.is_ok() {
            link.send(&[&answer], &[], Duration::ZERO).await;
        }
    }
}

impl Liveness<Client> for ComesBack {
    fn question(&self) -> &'static str {
        "it connects again and sends its capabilities; now and then, it sends an echo request"
    }

    async fn check(&mut self, target: &mut Client) -> Result<(), String> {
        target.forget();
        let opened = target.open(Transport::Tls).await;
        let mut link = opened.map_err(|end| format!("it did not connect again: {end}"))?;
        await_message(&mut link, &self.profile, MessageType::CapabilityNotification).await?;
        let with_echo = self.echo_every > 0 && self.looks.is_multiple_of(self.echo_every);
        if with_echo {
            let own = capability(&self.profile, "robustness tester");
            link.send(&[&own], &[], Duration::ZERO).await;
            self.grant(&mut link).await;
            let request = MessageType::EchoRequest;
            let (transaction, body) = await_message(&mut link, &self.profile, request).await?;
            let answer = echo(&self.profile, MessageType::EchoResponse, transaction, &body);
            link.send(&[&answer], &[], Duration::ZERO).await;
            link.close().await;
        } else {
            // It has shown that it works; the next case begins here.
            target.keep(link);
        }
        self.looks = self.looks.wrapping_add(1);
        Ok(())
    }
}
