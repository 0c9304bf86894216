//! Answers, reasons and locations.

use super::macros::{wire_flags, wire_number};

wire_number! {
    /// A statement that is true or not (ours).
    YesNo(u8, 1), "yes or no" {
        /// It is not.
        NO = 0, "no";
        /// It is.
        YES = 1, "yes";
    }

    /// The controller's answer to a subscription (ours).
    SubscribeStatus(u16, 2), "subscribe status" {
        /// Every service that was asked for is subscribed.
        ACCEPTED = 0, "accepted";
        /// Some services are subscribed, the others are listed as rejected.
        PARTLY_ACCEPTED = 1, "partly accepted";
        /// None of the services that were asked for is offered, or the request as a whole is refused; the explanation says why.
        REJECTED = 2, "rejected";
    }

    /// The answer to a request (ours).
    StatusCode(u16, 2), "status code" {
        /// What was asked for was done, or follows in the response.
        SUCCESS = 0, "success";
        /// Part of it was done; the response says which.
        PARTLY_DONE = 1, "partly done";
        /// The responder does not do this.
        NOT_SUPPORTED = 2, "not supported";
        /// The request makes no sense.
        MALFORMED = 3, "malformed request";
        /// The station, access point or other thing is unknown.
        NOT_FOUND = 4, "not found";
        /// The requester may not ask for this.
        NOT_PERMITTED = 5, "not permitted";
        /// The responder is too busy; ask again later.
        BUSY = 6, "busy";
        /// The responder tried and failed.
        FAILED = 7, "failed";
    }

    /// Why the sender ends the connection (ours).
    DisconnectReason(u16, 2), "disconnect reason" {
        /// It does not say.
        UNSPECIFIED = 0, "unspecified";
        /// The program ends.
        SHUTTING_DOWN = 1, "shutting down";
        /// The program starts again at once.
        RESTARTING = 2, "restarting";
        /// The peer's entry was removed from the authlist.
        NOT_AUTHORIZED = 3, "no longer authorized";
        /// Nothing came from the peer for too long.
        IDLE = 4, "idle for too long";
        /// The peer broke the protocol.
        PROTOCOL_ERROR = 5, "protocol error";
        /// There are too many connections, or too many messages.
        OVERLOADED = 6, "overloaded";
        /// The sender's own certificate is being replaced.
        CREDENTIALS_CHANGED = 7, "credentials changed";
        /// An operator closed the connection.
        ADMINISTRATIVE = 8, "closed by an operator";
    }

    /// What a location is about (ours).
    LocationSubject(u8, 1), "location subject" {
        /// A station, wireless or wired.
        STATION = 1, "station";
        /// An access point.
        ACCESS_POINT = 2, "access point";
        /// The controller or switch itself.
        CHASSIS = 3, "chassis";
        /// A port of a switch.
        PORT = 4, "port";
    }

    /// Where a location comes from (ours).
    LocationMethod(u8, 1), "location method" {
        /// Somebody configured it.
        CONFIGURED = 1, "configured";
        /// Computed from signal strengths.
        SIGNAL_STRENGTH = 2, "signal strength";
        /// A satellite receiver of the station.
        SATELLITE = 3, "satellite";
        /// The place of the access point or port it is attached to.
        ATTACHMENT = 4, "attachment";
    }
}

wire_flags! {
    /// The forms of location that the sender can use (ours).
    LocationCapabilities(u16, 2), "location capabilities" {
        /// Civic addresses, RFC 4776.
        CIVIC = 0x0001, "civic";
        /// Geodetic locations, RFC 6225.
        GEODETIC = 0x0002, "geodetic";
        /// Emergency location identification numbers.
        ELIN = 0x0004, "elin";
        /// Positions on a floor plan.
        FLOOR_POSITION = 0x0008, "floor position";
    }
}
