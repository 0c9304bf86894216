//! Everything that a location server can ask a controller for.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use pki_common::{Diagnose as _, Failure};
use tokio::sync::{mpsc, oneshot};

use super::task::Command;
use super::{Client, ControllerIdentity};
use crate::error::Error;
use crate::proto::{CloseReason, ConnectionCounters, CounterSnapshot, RequestError};
use crate::wire::message::bodies::{
    AccessPointDiscoveryRequest, AccessPointDiscoveryResponse, AttachmentRequest, AttachmentResponse,
    DeviceRequest, DeviceResponse, IdsGetRequest, IdsGetResponse, IdsSetRequest, InformationResponse,
    LocationRequest, LocationResponse, LocationSubscribe, LocationUnsubscribe, MeasurementResponse,
    MonitorSubscription, PathLossConfiguration, SpectrumRequest, SpectrumResponse, StationRequest,
    StatisticsResponse, StatusResponse,
};
use crate::wire::message::{Capability, ServiceSubscribeRequest, ServiceSubscribeResponse, SubscribeOutcome};
use crate::wire::numbers::StatusCode;
use crate::wire::{OwnedMessage, Services};

/// How many requests wait until the task of the connection takes them; more wait at their callers.
pub(super) const COMMAND_QUEUE_LENGTH: usize = 16;

/// Asks the controller of one connection. Clones ask over the same connection; several calls may be under way at the same
/// time, and dropping the future of one gives up its answer and nothing else.
///
/// The connection ends when its [`Client`] is dropped or closed, or by its fleet; a handle does not hold it. Calls then
/// fail with the reason.
#[derive(Clone, Debug)]
pub struct ClientHandle {
    commands: mpsc::Sender<Command>,
    about: Arc<About>,
}

/// What is known of a connection from its start to its end.
#[derive(Debug)]
struct About {
    address: SocketAddr,
    identity: Arc<ControllerIdentity>,
    capability: Capability,
    counters: Arc<ConnectionCounters>,
    ended: Arc<Ended>,
}

/// Why a connection ended.
#[derive(Debug, Default)]
pub(super) struct Ended(OnceLock<Result<CloseReason, Failure>>);

impl Ended {
    /// The first reason counts.
    pub(super) fn set(&self, outcome: &Result<CloseReason, Error>) {
        self.0.get_or_init(|| match outcome {
            Ok(reason) => Ok(reason.clone()),
            Err(error) => Err(error.diagnose()),
        });
    }

    fn error(&self) -> Error {
        match self.0.get() {
            Some(Ok(reason)) => reason.clone().into(),
            Some(Err(failure)) => Error::Ended(Box::new(failure.clone())),
            None => RequestError::Closed.into(),
        }
    }
}

impl ClientHandle {
    pub(super) fn new(
        commands: mpsc::Sender<Command>,
        address: SocketAddr,
        identity: Arc<ControllerIdentity>,
        capability: Capability,
        counters: Arc<ConnectionCounters>,
        ended: Arc<Ended>,
    ) -> Self {
        let about = Arc::new(About {
            address,
            identity,
            capability,
            counters,
            ended,
        });
        Self { commands, about }
    }

    /// The controller's address.
    #[must_use]
    pub fn controller(&self) -> SocketAddr {
        self.about.address
    }

    /// Who the controller is: host, address, and what its certificate says.
    #[must_use]
    pub fn identity(&self) -> &Arc<ControllerIdentity> {
        &self.about.identity
    }

    /// What the controller said it can do at the start.
    #[must_use]
    pub fn capability(&self) -> &Capability {
        &self.about.capability
    }

    /// The counters of the connection.
    #[must_use]
    pub fn counters(&self) -> CounterSnapshot {
        self.about.counters.snapshot()
    }

    /// Sends any request and returns the whole answer, its parts joined.
    ///
    /// # Errors
    /// If the message is not a request or does not fit the wire profile, the controller does not answer in time, the
    /// answer is too long, or the connection has ended.
    pub async fn request(&self, message: OwnedMessage) -> Result<OwnedMessage, Error> {
        let message = Box::new(message);
        self.ask(|reply| Command::Request { message, reply }).await
    }

    /// Asks for these services, from these access point groups, as often as this, instead of whatever is subscribed now; no
    /// service at all unsubscribes.
    ///
    /// # Errors
    /// As [`request`](Self::request). Services that the controller does not offer are no error: the answer says so.
    pub async fn subscribe(
        &self,
        subscription: impl Into<ServiceSubscribeRequest>,
    ) -> Result<SubscribeOutcome, Error> {
        let message = OwnedMessage::ServiceSubscribeRequest(subscription.into());
        self.request(message).await.map(|answer| outcome(&answer))
    }

    /// Ends these services; others stay. The answer says what is still subscribed.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn unsubscribe(&self, services: Services) -> Result<SubscribeOutcome, Error> {
        let answer = self.ask(|reply| Command::Unsubscribe { services, reply }).await;
        answer.map(|answer| outcome(&answer))
    }

    /// Answers a request of the controller ([`Event::Request`](crate::proto::Event::Request)).
    ///
    /// # Errors
    /// If the connection has ended. An answer that is not one, or comes too late, is logged.
    pub async fn respond(&self, transaction: u32, message: OwnedMessage) -> Result<(), Error> {
        let message = Box::new(message);
        self.send(Command::Respond { transaction, message }).await
    }

    /// Answers a request of the controller with a status and nothing else.
    ///
    /// # Errors
    /// As [`respond`](Self::respond).
    pub async fn refuse(
        &self,
        transaction: u32,
        status: StatusCode,
        text: impl Into<String>,
    ) -> Result<(), Error> {
        let text = text.into();
        self.send(Command::Refuse {
            transaction,
            status,
            text,
        })
        .await
    }

    /// Tells the controller something, for example where things are (Location Notification). Sequence numbers are the
    /// caller's, from 1.
    ///
    /// # Errors
    /// If the connection has ended. A message that is no notification of a location server is logged.
    pub async fn notify(&self, sequence: u32, message: OwnedMessage) -> Result<(), Error> {
        let message = Box::new(message);
        self.send(Command::Notify { sequence, message }).await
    }

    async fn ask(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<OwnedMessage, Error>>) -> Command,
    ) -> Result<OwnedMessage, Error> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        answer.await.map_err(|_| self.about.ended.error())?
    }

    async fn send(&self, command: Command) -> Result<(), Error> {
        let sent = self.commands.send(command).await;
        sent.map_err(|_| self.about.ended.error())
    }
}

fn outcome(answer: &OwnedMessage) -> SubscribeOutcome {
    match answer {
        OwnedMessage::ServiceSubscribeResponse(response)
        | OwnedMessage::ServiceUnsubscribeResponse(response) => response.into(),
        // The task answers subscriptions with subscriptions.
        _ => SubscribeOutcome::from(&ServiceSubscribeResponse::default()),
    }
}

/// The requests that have an answer of their own, once for the handle and once for the client.
macro_rules! requests {
    ($($(#[doc = $doc:literal])+ $name:ident($request:ident $body:ident) -> $response:ident $answer:ident;)+) => {
        impl ClientHandle {
            $(
                $(#[doc = $doc])+
                ///
                /// # Errors
                /// As [`request`](Self::request). A status other than success is no error: the answer says so.
                pub async fn $name(&self, request: $body) -> Result<$answer, Error> {
                    match self.request(OwnedMessage::$request(request)).await? {
                        OwnedMessage::$response(answer) => Ok(answer),
                        // The connection matches answers to requests by their kind, too.
                        _ => Err(RequestError::Closed.into()),
                    }
                }
            )+
        }

        impl Client {
            $(
                $(#[doc = $doc])+
                ///
                /// # Errors
                #[doc = concat!("As [`ClientHandle::", stringify!($name), "`].")]
                pub async fn $name(&self, request: $body) -> Result<$answer, Error> {
                    self.handle().$name(request).await
                }
            )+
        }
    };
}

requests! {
    /// What access points hear of stations now.
    measurements(MeasurementRequest StationRequest) -> MeasurementResponse MeasurementResponse;
    /// Facts about stations.
    information(InformationRequest StationRequest) -> InformationResponse InformationResponse;
    /// Counters of stations.
    statistics(StatisticsRequest StationRequest) -> StatisticsResponse StatisticsResponse;
    /// Where devices are attached.
    attachments(AttachmentRequest AttachmentRequest) -> AttachmentResponse AttachmentResponse;
    /// Where something is: civic (RFC 4776), geodetic (RFC 6225) or on a map.
    locations(LocationRequest LocationRequest) -> LocationResponse LocationResponse;
    /// Asks for notifications when something moves, instead of the earlier ones.
    subscribe_locations(LocationSubscribe LocationSubscribe) -> LocationResponse LocationResponse;
    /// Ends such notifications.
    unsubscribe_locations(LocationUnsubscribe LocationUnsubscribe) -> LocationResponse LocationResponse;
    /// Says what access points in monitor mode are to report, instead of the earlier; no parameters end it.
    monitor(ApMonitorSubscription MonitorSubscription) -> ApMonitorResponse StatusResponse;
    /// Which access points there are.
    access_points(ApDiscoveryRequest AccessPointDiscoveryRequest) -> ApDiscoveryResponse AccessPointDiscoveryResponse;
    /// Says how path loss is to be measured.
    configure_path_loss(PathLossConfigRequest PathLossConfiguration) -> PathLossConfigResponse StatusResponse;
    /// Interferers and air quality now.
    spectrum(SpectrumRequest SpectrumRequest) -> SpectrumResponse SpectrumResponse;
    /// How attacks are recognised.
    ids_parameters(IdsGetRequest IdsGetRequest) -> IdsGetResponse IdsGetResponse;
    /// Says how attacks are to be recognised.
    set_ids_parameters(IdsSetRequest IdsSetRequest) -> IdsSetResponse StatusResponse;
    /// Everything that the controller knows about some devices.
    devices(DeviceInfoRequest DeviceRequest) -> DeviceInfoResponse DeviceResponse;
}
