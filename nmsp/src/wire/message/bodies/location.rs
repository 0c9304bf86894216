//! Where devices are attached, and where they are.

use pki_common::MacAddr;

use crate::wire::elements::{Attachment, Location, LocationTarget, Part, ServiceParameters};
use crate::wire::numbers::{LocationCapabilities, StatusCode};
use crate::wire::schema::bodies;
use crate::wire::text::Text;

bodies! {
    /// Asks where devices are attached.
    AttachmentRequest {
        many {
            /// Only these devices; all of them if none is named.
            stations: MacAddr = STATION;
        }
    }

    /// The answer.
    AttachmentResponse {
        required {
            /// What became of the request.
            status: StatusCode = STATUS;
        }
        optional {
            /// Which part of the answer this is; absent if it is the whole.
            part: Part = PART;
            /// For people.
            explanation: Text = EXPLANATION;
        }
        many {
            /// The devices.
            attachments: Attachment = ATTACHMENT;
        }
    }

    /// Devices that were attached, detached, or have changed.
    AttachmentNotification {
        many {
            /// The devices.
            attachments: Attachment = ATTACHMENT;
        }
    }

    /// Asks where something is. Either side may ask the other.
    LocationRequest {
        optional {
            /// The forms that the requester can use; all of them if absent.
            capabilities: LocationCapabilities = LOCATION_CAPABILITIES;
        }
        many {
            /// What is wanted; everything that the responder knows if nothing is named.
            targets: LocationTarget = LOCATION_TARGET;
        }
    }

    /// The answer.
    LocationResponse {
        required {
            /// What became of the request.
            status: StatusCode = STATUS;
        }
        optional {
            /// Which part of the answer this is; absent if it is the whole.
            part: Part = PART;
            /// For people.
            explanation: Text = EXPLANATION;
        }
        many {
            /// The locations.
            locations: Location = LOCATION;
        }
    }

    /// Asks for notifications when something moves. It replaces the sender's earlier one.
    LocationSubscribe {
        optional {
            /// The forms that the requester can use; all of them if absent.
            capabilities: LocationCapabilities = LOCATION_CAPABILITIES;
            /// How often.
            parameters: ServiceParameters = SERVICE_PARAMETERS;
        }
        many {
            /// What is wanted; everything if nothing is named.
            targets: LocationTarget = LOCATION_TARGET;
            /// Only what access points of these groups hear.
            access_point_groups: Text = ACCESS_POINT_GROUP;
        }
    }

    /// Ends such notifications.
    LocationUnsubscribe {
        many {
            /// What is not wanted any more; everything if nothing is named.
            targets: LocationTarget = LOCATION_TARGET;
        }
    }

    /// Where things are now.
    LocationNotification {
        many {
            /// The locations.
            locations: Location = LOCATION;
        }
    }

    /// The forms of location that the sender can use.
    LocationCapability {
        required {
            /// The forms.
            capabilities: LocationCapabilities = LOCATION_CAPABILITIES;
        }
    }
}
