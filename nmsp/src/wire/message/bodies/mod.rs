//! The bodies of the messages, one file per family. Several messages may share a body.

mod location;
mod network;
mod session;
mod station;

pub use location::{
    AttachmentNotification, AttachmentRequest, AttachmentResponse, LocationCapability, LocationNotification,
    LocationRequest, LocationResponse, LocationSubscribe, LocationUnsubscribe,
};
pub use network::{
    AccessPointDiscoveryRequest, AccessPointDiscoveryResponse, AccessPointNotification, IdsGetRequest,
    IdsGetResponse, IdsNotification, IdsSetRequest, MonitorNotification, MonitorSubscription,
    PathLossConfiguration, SpectrumNotification, SpectrumRequest, SpectrumResponse,
};
pub use session::{
    Capability, Disconnect, Echo, ServiceSubscribeRequest, ServiceSubscribeResponse,
    ServiceUnsubscribeRequest, StatusResponse, SubscribeOutcome,
};
pub use station::{
    DeviceRequest, DeviceResponse, InformationNotification, InformationResponse, MeasurementResponse,
    Measurements, StationRequest, StatisticsNotification, StatisticsResponse,
};
