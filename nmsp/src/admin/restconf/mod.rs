//! RESTCONF (RFC 8040) for reading, after the vendor's YANG model.
//!
//! Each resource of the model can be read: containers, lists, list entries by their key (percent-encoded where needed),
//! leaves. No query parameter is supported; RFC 8040 has such a one refused with 400.

mod document;
mod error;
mod path;

pub use document::{MODULE, restconf_data};

pub(super) use error::RestconfError;

use serde_json::Value;

use crate::show::State;

/// JSON of YANG data (RFC 8040, section 11.3.2).
pub(super) const MEDIA_TYPE: &str = "application/yang-data+json";

/// Where the data resource is.
const ROOT: &str = "/restconf/data";

/// Whether a path belongs to RESTCONF, so that errors are answered in its words.
pub(super) fn is_below(path: &str) -> bool {
    path == "/restconf" || path.starts_with("/restconf/")
}

/// What a path names.
pub(super) fn resource(state: &State, path: &str, query: Option<&str>) -> Result<Value, RestconfError> {
    if query.is_some_and(|query| !query.is_empty()) {
        return Err(RestconfError::query());
    }
    let below = path.strip_prefix(ROOT).and_then(|rest| rest.strip_prefix('/'));
    let below = below.ok_or_else(|| RestconfError::no_such_resource(path))?;
    path::find(&restconf_data(state), below)
}
