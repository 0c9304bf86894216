//! The messages that have a name.

use core::fmt;

use crate::wire::profile::Numbered;

/// Who may send a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Only the controller.
    Controller,
    /// Only the location server.
    LocationServer,
    /// Both.
    Both,
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Controller => "controller",
            Self::LocationServer => "location server",
            Self::Both => "both",
        })
    }
}

/// Defines the named messages once: enum, list, name, sender.
macro_rules! messages {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $sender:ident;)+) => {
        /// A message with a name. Its number belongs to the profile.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum MessageType {
            $($(#[$doc])* $variant,)+
        }

        impl MessageType {
            /// Every message with a name.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The vendor's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Who may send it (recalled).
            #[must_use]
            pub const fn sender(self) -> Sender {
                match self { $(Self::$variant => Sender::$sender),+ }
            }
        }
    };
}

messages! {
    /// Asks whether the peer is alive.
    EchoRequest, "Echo Request", LocationServer;
    /// Answers an echo request.
    EchoResponse, "Echo Response", Controller;
    /// What the sender can do.
    CapabilityNotification, "Capability Notification", Both;
    /// Asks for measurements.
    MeasurementRequest, "Measurement Request", LocationServer;
    /// Answers a measurement request.
    MeasurementResponse, "Measurement Response", Controller;
    /// What access points heard of stations.
    MeasurementNotification, "Measurement Notification", Controller;
    /// Asks for facts about stations.
    InformationRequest, "Information Request", LocationServer;
    /// Answers an information request.
    InformationResponse, "Information Response", Controller;
    /// Facts about stations.
    InformationNotification, "Information Notification", Controller;
    /// Asks for counters of stations.
    StatisticsRequest, "Statistics Request", LocationServer;
    /// Answers a statistics request.
    StatisticsResponse, "Statistics Response", Controller;
    /// Counters of stations.
    StatisticsNotification, "Statistics Notification", Controller;
    /// Asks for services.
    ServiceSubscribeRequest, "Service Subscribe Request", LocationServer;
    /// Answers a subscription.
    ServiceSubscribeResponse, "Service Subscribe Response", Controller;
    /// Facts about access points.
    ApInfoNotification, "AP Info Notification", Controller;
}

impl MessageType {
    /// The messages whose bodies this crate decodes.
    pub const WITH_BODY: &'static [Self] = &[
        Self::EchoRequest,
        Self::EchoResponse,
        Self::CapabilityNotification,
        Self::ServiceSubscribeRequest,
        Self::ServiceSubscribeResponse,
        Self::MeasurementNotification,
    ];

    /// Whether this crate decodes the body.
    #[must_use]
    pub fn has_body(self) -> bool {
        Self::WITH_BODY.contains(&self)
    }

    /// A dense index, below `ALL.len()`.
    #[expect(
        clippy::as_conversions,
        reason = "the discriminant of a fieldless enum, exact by definition"
    )]
    pub(crate) const fn position(self) -> usize {
        self as usize
    }
}

impl Numbered for MessageType {
    fn index(self) -> usize {
        self.position()
    }

    fn name(self) -> &'static str {
        self.name()
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
