//! The network itself: access points, what they hear, interference, intrusions.

use pki_common::MacAddr;

use crate::wire::elements::{
    AccessPointInformation, AggregateInterference, AirQuality, IdsAlarm, IdsParameters, Interferer,
    MonitorParameters, MonitorReport, Part, PathLossParameters,
};
use crate::wire::numbers::{AttackType, StatusCode};
use crate::wire::schema::bodies;
use crate::wire::services::Services;
use crate::wire::text::Text;

bodies! {
    /// What access points in monitor mode are to report. It replaces the earlier one; no parameters end it.
    MonitorSubscription {
        many {
            /// What to listen to, and where.
            parameters: MonitorParameters = MONITOR_PARAMETERS;
        }
    }

    /// What access points in monitor mode heard.
    MonitorNotification {
        many {
            /// One report per transmitter.
            reports: MonitorReport = MONITOR_REPORT;
        }
    }

    /// Access points that joined, left, or have changed.
    AccessPointNotification {
        many {
            /// The access points.
            access_points: AccessPointInformation = ACCESS_POINT_INFORMATION;
        }
    }

    /// Asks which access points there are.
    AccessPointDiscoveryRequest {
        many {
            /// Only these; all of them if none is named.
            access_points: MacAddr = ACCESS_POINT;
            /// Only those of these groups.
            access_point_groups: Text = ACCESS_POINT_GROUP;
        }
    }

    /// The answer.
    AccessPointDiscoveryResponse {
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
            /// The access points.
            access_points: AccessPointInformation = ACCESS_POINT_INFORMATION;
        }
    }

    /// How clients are asked to send, so that path loss can be measured.
    PathLossConfiguration {
        many {
            /// One set per band.
            parameters: PathLossParameters = PATH_LOSS_PARAMETERS;
        }
    }

    /// Asks for the present state of the spectrum.
    SpectrumRequest {
        required {
            /// The services of the family `spectrum-...` that are meant.
            services: Services = SERVICES;
        }
        many {
            /// Only these access points; all of them if none is named.
            access_points: MacAddr = ACCESS_POINT;
            /// Only those of these groups.
            access_point_groups: Text = ACCESS_POINT_GROUP;
        }
    }

    /// The answer.
    SpectrumResponse {
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
            /// Sources of interference.
            interferers: Interferer = INTERFERER;
            /// How good channels are.
            air_quality: AirQuality = AIR_QUALITY;
            /// All interference of a channel.
            aggregates: AggregateInterference = AGGREGATE_INTERFERENCE;
        }
    }

    /// What spectrum analysis found.
    SpectrumNotification {
        many {
            /// Sources of interference.
            interferers: Interferer = INTERFERER;
            /// How good channels are.
            air_quality: AirQuality = AIR_QUALITY;
            /// All interference of a channel.
            aggregates: AggregateInterference = AGGREGATE_INTERFERENCE;
        }
    }

    /// Asks how attacks are recognised.
    IdsGetRequest {
        many {
            /// The attacks; all of them if none is named.
            attacks: AttackType = ATTACK_TYPE;
        }
    }

    /// The answer.
    IdsGetResponse {
        required {
            /// What became of the request.
            status: StatusCode = STATUS;
        }
        optional {
            /// For people.
            explanation: Text = EXPLANATION;
        }
        many {
            /// One set per attack.
            parameters: IdsParameters = IDS_PARAMETERS;
        }
    }

    /// Says how attacks are to be recognised from now on.
    IdsSetRequest {
        many {
            /// One set per attack.
            parameters: IdsParameters = IDS_PARAMETERS;
        }
    }

    /// Alarms that were raised, have changed, or are over.
    IdsNotification {
        many {
            /// The alarms.
            alarms: IdsAlarm = IDS_ALARM;
        }
    }
}
