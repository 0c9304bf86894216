//! Errors in the words of RESTCONF (RFC 8040, section 7).

use hyper::StatusCode;
use serde_json::{Value, json};

/// Why a request is refused.
#[derive(Debug)]
pub(in crate::admin) struct RestconfError {
    pub(in crate::admin) status: StatusCode,
    layer: &'static str,
    pub(super) tag: &'static str,
    message: String,
}

impl RestconfError {
    pub(super) fn no_such_resource(what: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            layer: "application",
            tag: "invalid-value",
            message: format!("there is no resource {what}"),
        }
    }

    pub(super) fn malformed(message: String) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            layer: "protocol",
            tag: "malformed-message",
            message,
        }
    }

    pub(super) fn key_missing(list: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            layer: "protocol",
            tag: "missing-element",
            message: format!("the list {list} needs the key of an entry here: {list}=<key>"),
        }
    }

    pub(super) fn query() -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            layer: "protocol",
            tag: "invalid-value",
            message: "no query parameter is supported".to_owned(),
        }
    }

    pub(in crate::admin) fn not_acceptable() -> Self {
        Self {
            status: StatusCode::NOT_ACCEPTABLE,
            layer: "protocol",
            tag: "invalid-value",
            message: format!("the only media type is {}", super::MEDIA_TYPE),
        }
    }

    pub(in crate::admin) fn read_only() -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            layer: "protocol",
            tag: "operation-not-supported",
            message: "operational data can only be read: GET and HEAD".to_owned(),
        }
    }

    pub(in crate::admin) fn document(&self) -> Value {
        json!({"ietf-restconf:errors": {"error": [{
            "error-type": self.layer,
            "error-tag": self.tag,
            "error-message": self.message,
        }]}})
    }
}
