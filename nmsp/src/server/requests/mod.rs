//! What location servers ask, and where the answers come from.
//!
//! | request | answered from |
//! |---|---|
//! | Measurement, Information, Statistics, Attachment, Location, AP Discovery, Spectrum | the store |
//! | Device Info | the store: everything about a device put together |
//! | IDS Get | the parameters that the application gave the store, or that an IDS Set changed |
//! | Location Subscribe and Unsubscribe | this connection's subscription |
//! | AP Monitor Subscription | this connection's subscription; the application hears of it |
//! | IDS Set, Path Loss Config | the application ([`RequestHandler`]); "not supported" without one |

mod answer;
mod device;
mod handler;
mod select;

pub use handler::{RequestHandler, Requester};

pub(super) use answer::{Answer, in_forms};

use std::borrow::Cow;

use super::store::{RecordKind, StationStore};
use crate::proto::policy::check_parameters;
use crate::wire::message::bodies::{
    DeviceRequest, IdsGetRequest, LocationRequest, LocationResponse, SpectrumRequest, StationRequest,
    StatusResponse,
};
use crate::wire::numbers::StatusCode;
use crate::wire::{MessageType, OwnedMessage};
use answer::Item;
use select::Selection;

/// What a request changes in the connection's subscription.
#[derive(Debug)]
pub(super) enum Change {
    Locations(crate::wire::message::bodies::LocationSubscribe),
    NoLocations(crate::wire::message::bodies::LocationUnsubscribe),
    Monitor(bool),
}

/// How a request is answered.
#[derive(Debug)]
pub(super) enum Reply {
    /// With this message.
    Message(OwnedMessage),
    /// With records of the store, in as many messages as they need.
    Records(Answer),
    /// Not: this is why.
    Refusal(StatusCode, Cow<'static, str>),
}

/// Answers a request; also says what it changes in the subscription.
pub(super) fn reply(
    request: &OwnedMessage,
    store: &StationStore,
    handler: Option<&dyn RequestHandler>,
    from: &Requester,
) -> (Reply, Option<Change>) {
    use OwnedMessage as M;
    let selection = match request {
        M::MeasurementRequest(request) => stations(store, MessageType::MeasurementNotification, request),
        M::InformationRequest(request) => stations(store, MessageType::InformationNotification, request),
        M::StatisticsRequest(request) => stations(store, MessageType::StatisticsNotification, request),
        M::AttachmentRequest(request) => {
            select::about(store, &[RecordKind::Attachment], &request.stations, &[])
        }
        M::LocationRequest(request) => locations(store, request),
        M::ApDiscoveryRequest(request) => select::about(
            store,
            &[RecordKind::AccessPoint],
            &request.access_points,
            &request.access_point_groups,
        ),
        M::SpectrumRequest(request) => spectrum(store, request),
        M::IdsGetRequest(request) => ids_parameters(store, request),
        M::DeviceInfoRequest(request) => devices(store, request),
        other => return reply_otherwise(other, store, handler, from),
    };
    (Reply::Records(Answer::new(selection, store)), None)
}

/// Requests that are not answered with records.
fn reply_otherwise(
    request: &OwnedMessage,
    store: &StationStore,
    handler: Option<&dyn RequestHandler>,
    from: &Requester,
) -> (Reply, Option<Change>) {
    use OwnedMessage as M;
    let located = || {
        Reply::Message(M::LocationResponse(LocationResponse {
            status: StatusCode::SUCCESS,
            ..LocationResponse::default()
        }))
    };
    let asked = handler.and_then(|handler| handler.answer(from, request));
    match request {
        M::LocationSubscribe(wanted) => match check_parameters(wanted.parameters.as_slice()) {
            Ok(()) => (located(), Some(Change::Locations(wanted.clone()))),
            Err(error) => (
                Reply::Refusal(StatusCode::MALFORMED, error.to_string().into()),
                None,
            ),
        },
        M::LocationUnsubscribe(unwanted) => (located(), Some(Change::NoLocations(unwanted.clone()))),
        M::ApMonitorSubscription(wanted) => {
            let status = asked.unwrap_or(StatusResponse {
                status: StatusCode::SUCCESS,
                explanation: None,
            });
            let wants_reports = !wanted.parameters.is_empty();
            let accepted = status.status == StatusCode::SUCCESS;
            let change = accepted.then_some(Change::Monitor(wants_reports));
            (Reply::Message(M::ApMonitorResponse(status)), change)
        }
        M::IdsSetRequest(wanted) => match asked {
            Some(status) => {
                if status.status == StatusCode::SUCCESS {
                    store.set_ids_parameters(&wanted.parameters);
                }
                (Reply::Message(M::IdsSetResponse(status)), None)
            }
            None => (nobody_does_it(), None),
        },
        M::PathLossConfigRequest(_) => match asked {
            Some(status) => (Reply::Message(M::PathLossConfigResponse(status)), None),
            None => (nobody_does_it(), None),
        },
        _ => (nobody_does_it(), None),
    }
}

const fn nobody_does_it() -> Reply {
    let text = Cow::Borrowed("this controller does not do this");
    Reply::Refusal(StatusCode::NOT_SUPPORTED, text)
}

/// A request for measurements, information or statistics: the kinds that this notification reports, of the services asked
/// for.
fn stations(store: &StationStore, notification: MessageType, request: &StationRequest) -> Selection {
    let kinds: Vec<RecordKind> = RecordKind::ALL
        .iter()
        .copied()
        .filter(|kind| kind.message() == notification && !(kind.service_set() & request.services).is_empty())
        .collect();
    let mut selection = select::about(store, &kinds, &request.stations, &request.access_point_groups);
    select::keep_associated(store, request.services, &mut selection);
    selection
}

fn locations(store: &StationStore, request: &LocationRequest) -> Selection {
    let mut selection = select::targets(store, &request.targets);
    selection.forms = request.capabilities;
    selection
}

fn spectrum(store: &StationStore, request: &SpectrumRequest) -> Selection {
    let kinds: Vec<RecordKind> = RecordKind::ALL
        .iter()
        .copied()
        .filter(|kind| {
            kind.message() == MessageType::SpectrumNotification
                && !(kind.service_set() & request.services).is_empty()
        })
        .collect();
    select::spectrum(
        store,
        &kinds,
        &request.access_points,
        &request.access_point_groups,
    )
}

fn ids_parameters(store: &StationStore, request: &IdsGetRequest) -> Selection {
    let known = store.ids_parameters();
    let wanted = |attack| request.attacks.is_empty() || request.attacks.contains(&attack);
    let items: Vec<Item> = known
        .into_iter()
        .filter(|parameters| wanted(parameters.attack))
        .map(|parameters| Item::Ids(Box::new(parameters)))
        .collect();
    Selection::found(items, request.attacks.len())
}

fn devices(store: &StationStore, request: &DeviceRequest) -> Selection {
    let mut wanted = request.stations.clone();
    wanted.sort_unstable();
    wanted.dedup();
    let asked = wanted.len();
    let items: Vec<Item> = wanted
        .into_iter()
        .filter(|station| device::information(store, *station).is_some())
        .map(Item::Device)
        .collect();
    Selection::found(items, asked)
}
