//! From a path below `/restconf/data/` to what it names (RFC 8040, section 3.5.3).

use std::net::IpAddr;

use serde_json::{Value, json};

use super::document::MODULE;
use super::error::RestconfError;

/// The container at the top of the model.
const TOP: &str = "nmsp-oper-data";

/// The lists of the model that have a key, and which leaf it is.
const KEYS: &[(&str, &str)] = &[
    ("client-registration", "client-id"),
    ("cmx-connection", "peer-ip"),
];

/// One part of a path between slashes.
struct Segment {
    name: String,
    key: Option<String>,
}

impl Segment {
    /// `name`, `module:name`, each with `=key` or without. At the top the module must be there.
    fn parse(text: &str, top: bool) -> Result<Self, RestconfError> {
        let (identifier, key) = match text.split_once('=') {
            Some((identifier, key)) => (identifier, Some(decoded(key)?)),
            None => (text, None),
        };
        let name = match identifier.split_once(':') {
            Some((MODULE, name)) => name,
            None if !top => identifier,
            _ => return Err(RestconfError::no_such_resource(&decoded(identifier)?)),
        };
        Ok(Self {
            name: decoded(name)?,
            key,
        })
    }
}

/// Finds a resource in the data of the model and puts it under its name, as the answer of a GET has it.
pub(super) fn find(data: &Value, path: &str) -> Result<Value, RestconfError> {
    let mut segments = path.split('/').enumerate();
    let parse = |(position, text)| Segment::parse(text, position == 0);
    let mut last = segments
        .next()
        .map(parse)
        .transpose()?
        .filter(|top| top.name == TOP && top.key.is_none())
        .ok_or_else(|| RestconfError::no_such_resource(path))?;
    let mut found = data.clone();
    for segment in segments {
        // An empty leaf is an array as well, with nothing below it.
        if found.is_array() && found != json!([null]) && last.key.is_none() {
            return Err(RestconfError::key_missing(&last.name));
        }
        // What a list entry is taken from is a list of one.
        let holder = match found {
            Value::Array(mut entries) => entries.pop().unwrap_or_default(),
            other => other,
        };
        let segment = parse(segment)?;
        let value = holder
            .get(&segment.name)
            .ok_or_else(|| RestconfError::no_such_resource(&segment.name))?;
        found = match &segment.key {
            Some(key) => json!([entry(&segment.name, value, key)?]),
            None => value.clone(),
        };
        last = segment;
    }
    Ok(json!({ format!("{MODULE}:{}", last.name): found }))
}

fn entry(list: &str, value: &Value, key: &str) -> Result<Value, RestconfError> {
    let leaf = KEYS.iter().find(|(name, _)| *name == list);
    let (_, leaf) = leaf.ok_or_else(|| RestconfError::malformed(format!("{list} has no key")))?;
    let wanted = key.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    let matches = |entry: &&Value| match &entry[leaf] {
        // The same address can be written in several ways.
        Value::String(text) => wanted.is_some() && text.parse().ok() == wanted,
        other => other.as_u64().is_some_and(|number| key.parse() == Ok(number)),
    };
    let found = value.as_array().into_iter().flatten().find(matches);
    found
        .cloned()
        .ok_or_else(|| RestconfError::no_such_resource(&format!("{list}={key}")))
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Result<String, RestconfError> {
    let malformed = || RestconfError::malformed("a percent sign without two hexadecimal digits".to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let plain = match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = digit().zip(digit()).ok_or_else(malformed)?;
                u8::try_from(high * 16 + low).map_err(|_| malformed())?
            }
            other => other,
        };
        bytes.push(plain);
    }
    String::from_utf8(bytes).map_err(|_| RestconfError::malformed("a path that is not UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::{resource, restconf_data};
    use super::*;
    use crate::show::sample;

    const ROOT: &str = "/restconf/data/Cisco-IOS-XE-wireless-nmsp-oper:nmsp-oper-data";

    fn read(below: &str) -> Result<Value, RestconfError> {
        resource(&sample::state(), &format!("{ROOT}{below}"), None)
    }

    #[test]
    fn every_resource_is_answered_under_its_qualified_name() {
        let data = restconf_data(&sample::state());
        let connections = &data["cmx-connection"];
        for (path, name, expected) in [
            ("", "nmsp-oper-data", &data),
            ("/cmx-connection", "cmx-connection", connections),
            (
                "/Cisco-IOS-XE-wireless-nmsp-oper:cmx-connection",
                "cmx-connection",
                connections,
            ),
            ("/statistics", "statistics", &data["statistics"]),
            ("/statistics/ssl-stats/verify-fail", "verify-fail", &json!("2")),
            (
                "/cmx-connection=192.0.2.10",
                "cmx-connection",
                &json!([connections[0]]),
            ),
            (
                "/cmx-connection=2001:DB8:0:0::7",
                "cmx-connection",
                &json!([connections[1]]),
            ),
            (
                "/cmx-connection=2001%3adb8%3A%3A7",
                "cmx-connection",
                &json!([connections[1]]),
            ),
            (
                "/cmx-connection=192.0.2.10/con-stats/tx-msg-counter",
                "tx-msg-counter",
                &connections[0]["con-stats"]["tx-msg-counter"],
            ),
            (
                "/cmx-connection=192.0.2.10/subscriptions/rssi-ms",
                "rssi-ms",
                &json!([null]),
            ),
            ("/client-registration=0/services/mask", "mask", &json!("4194819")),
            ("/cmx-cloud-info", "cmx-cloud-info", &data["cmx-cloud-info"]),
        ] {
            let answer = read(path).unwrap_or_else(|error| panic!("{path}: {error:?}"));
            let members = answer.as_object().unwrap();
            assert_eq!(members.len(), 1, "{path}");
            assert_eq!(members[&format!("{MODULE}:{name}")], *expected, "{path}");
        }
    }

    #[test]
    fn what_is_not_there_is_404_and_what_is_no_path_is_400() {
        for (path, status, tag) in [
            ("/no-such-leaf", 404, "invalid-value"),
            ("/other-module:cmx-connection", 404, "invalid-value"),
            ("/cmx-connection=192.0.2.99", 404, "invalid-value"),
            ("/cmx-connection=nonsense", 404, "invalid-value"),
            ("/client-registration=1", 404, "invalid-value"),
            ("/cmx-connection=", 404, "invalid-value"),
            ("/cmx-connection/con-stats", 400, "missing-element"),
            ("/statistics=1", 400, "malformed-message"),
            ("/cmx-connection=%zz", 400, "malformed-message"),
            ("/cmx-connection=%ff", 400, "malformed-message"),
            ("/cmx-connection=%", 400, "malformed-message"),
            (
                "/cmx-connection=192.0.2.10/subscriptions/rssi-ms/x",
                404,
                "invalid-value",
            ),
            ("/cmx-connection=192.0.2.10/active/x", 404, "invalid-value"),
            ("/", 404, "invalid-value"),
            ("//", 404, "invalid-value"),
        ] {
            let error = read(path).unwrap_err();
            assert_eq!((error.status.as_u16(), error.tag), (status, tag), "{path}");
        }
        for path in [
            "/restconf",
            "/restconf/data",
            "/restconf/data/",
            "/restconf/data/nmsp-oper-data",
            "/restconf/operations",
        ] {
            let error = resource(&sample::state(), path, None).unwrap_err();
            assert_eq!(error.status.as_u16(), 404, "{path}");
        }
        assert_eq!(
            resource(&sample::state(), ROOT, Some("depth=1"))
                .unwrap_err()
                .status
                .as_u16(),
            400
        );
        assert!(resource(&sample::state(), ROOT, Some("")).is_ok());
    }
}
