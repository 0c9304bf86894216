//! What is known about stations: measurements, information, statistics, everything about one device.

use pki_common::MacAddr;

use crate::wire::elements::{
    ClientInformation, ClientStatistics, DeviceInformation, Handover, Measurement, Part, RogueAccessPoint,
    RogueClient, RogueStatistics, TagInformation, TagStatistics,
};
use crate::wire::numbers::StatusCode;
use crate::wire::schema::bodies;
use crate::wire::services::Services;
use crate::wire::text::Text;

bodies! {
    /// Asks for the present state of stations. The same body asks for measurements, information and statistics.
    StationRequest {
        required {
            /// The services whose stations are meant.
            services: Services = SERVICES;
        }
        many {
            /// Only these stations; all of them if none is named.
            stations: MacAddr = STATION;
            /// Only stations that access points of these groups hear.
            access_point_groups: Text = ACCESS_POINT_GROUP;
        }
    }

    /// What access points heard of stations.
    Measurements {
        many {
            /// The stations.
            stations: Measurement = STATION_MEASUREMENT;
        }
    }

    /// The answer to a request for measurements.
    MeasurementResponse {
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
            /// The stations.
            stations: Measurement = STATION_MEASUREMENT;
        }
    }

    /// Facts about stations that are new or have changed.
    InformationNotification {
        many {
            /// Wi-Fi clients.
            clients: ClientInformation = CLIENT_INFORMATION;
            /// RFID tags.
            tags: TagInformation = TAG_INFORMATION;
            /// Access points that are not ours.
            rogue_access_points: RogueAccessPoint = ROGUE_ACCESS_POINT;
            /// Clients of such access points.
            rogue_clients: RogueClient = ROGUE_CLIENT;
            /// Clients that are being handed over.
            handovers: Handover = HANDOVER;
        }
    }

    /// The answer to a request for information.
    InformationResponse {
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
            /// Wi-Fi clients.
            clients: ClientInformation = CLIENT_INFORMATION;
            /// RFID tags.
            tags: TagInformation = TAG_INFORMATION;
            /// Access points that are not ours.
            rogue_access_points: RogueAccessPoint = ROGUE_ACCESS_POINT;
            /// Clients of such access points.
            rogue_clients: RogueClient = ROGUE_CLIENT;
            /// Clients that are being handed over.
            handovers: Handover = HANDOVER;
        }
    }

    /// Counters of stations.
    StatisticsNotification {
        many {
            /// Wi-Fi clients.
            clients: ClientStatistics = CLIENT_STATISTICS;
            /// RFID tags.
            tags: TagStatistics = TAG_STATISTICS;
            /// Rogues.
            rogues: RogueStatistics = ROGUE_STATISTICS;
        }
    }

    /// The answer to a request for statistics.
    StatisticsResponse {
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
            /// Wi-Fi clients.
            clients: ClientStatistics = CLIENT_STATISTICS;
            /// RFID tags.
            tags: TagStatistics = TAG_STATISTICS;
            /// Rogues.
            rogues: RogueStatistics = ROGUE_STATISTICS;
        }
    }

    /// Asks for everything about some devices.
    DeviceRequest {
        many {
            /// The devices.
            stations: MacAddr = STATION;
        }
    }

    /// The answer: everything that the controller knows about them now.
    DeviceResponse {
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
            devices: DeviceInformation = DEVICE_INFORMATION;
        }
    }
}
