//! The file of test cases: the fields of `limbo-schema.json`, version 1, that a verdict depends on.

use serde::Deserialize;

use super::LimboError;

/// The version of the format that is read.
const VERSION: u64 = 1;

/// Largest file of test cases that is read, in bytes. With all its generated cases the published one has about 40 MB; the limit
/// keeps a mistyped path from filling the memory.
pub const MAX_SUITE_BYTES: u64 = 256 * 1024 * 1024;

/// All cases of a file.
#[derive(Debug, Clone, Deserialize)]
pub struct Suite {
    version: u64,
    /// In the order of the file.
    pub testcases: Vec<Case>,
}

/// One chain, and what a validator should say of it. Fields that are unknown here are ignored, as newer files have more.
#[derive(Debug, Clone, Deserialize)]
pub struct Case {
    /// Its name, such as `rfc5280::aki::critical-aki`.
    pub id: String,
    /// What it demands of the validator, such as `max-chain-depth`.
    #[serde(default, deserialize_with = "null_is_default")]
    pub features: Vec<String>,
    /// `SERVER`: validate as a client that was shown this certificate; `CLIENT`: as a server.
    pub validation_kind: String,
    /// Trust anchors in PEM.
    pub trusted_certs: Vec<String>,
    /// Certificates in PEM that the peer sent beside its own.
    pub untrusted_intermediates: Vec<String>,
    /// The peer's certificate in PEM.
    pub peer_certificate: String,
    /// When, in the form of RFC 3339; now, without it.
    #[serde(default)]
    pub validation_time: Option<String>,
    /// The signature algorithms to accept; all, when empty.
    #[serde(default, deserialize_with = "null_is_default")]
    pub signature_algorithms: Vec<String>,
    /// The key usages that the peer's certificate must have.
    #[serde(default, deserialize_with = "null_is_default")]
    pub key_usage: Vec<String>,
    /// The extended key usages that the peer's certificate must have.
    #[serde(default, deserialize_with = "null_is_default")]
    pub extended_key_usage: Vec<String>,
    /// The verdict.
    pub expected_result: ExpectedResult,
    /// The name of a server.
    #[serde(default)]
    pub expected_peer_name: Option<PeerName>,
    /// The names of a client.
    #[serde(default, deserialize_with = "null_is_default")]
    pub expected_peer_names: Vec<PeerName>,
    /// How many intermediate certificates a chain may have.
    #[serde(default)]
    pub max_chain_depth: Option<u64>,
    /// Revocation lists in PEM.
    #[serde(default, deserialize_with = "null_is_default")]
    pub crls: Vec<String>,
}

/// A name that the peer's certificate must carry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PeerName {
    /// `DNS`, `IP` or `RFC822`.
    pub kind: String,
    /// The name.
    pub value: String,
}

/// The verdict of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExpectedResult {
    /// The chain is to be accepted.
    Success,
    /// The chain is to be refused.
    Failure,
}

impl Suite {
    /// Reads a file.
    ///
    /// # Errors
    /// It is not JSON (with line and column), lacks a field, or has another version than 1.
    pub fn from_json(json: &[u8]) -> Result<Self, LimboError> {
        let suite: Self = serde_json::from_slice(json).map_err(|error| LimboError::Suite {
            detail: error.to_string(),
        })?;
        if suite.version != VERSION {
            return Err(LimboError::Version {
                version: suite.version,
            });
        }
        Ok(suite)
    }
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_another_version_and_tells_where_json_is_wrong() {
        let other = Suite::from_json(br#"{"version": 2, "testcases": []}"#).unwrap_err();
        assert_eq!(other, LimboError::Version { version: 2 });
        let broken = Suite::from_json(b"{\"version\": 1,\n \"testcases\": [{}]}").unwrap_err();
        assert!(broken.to_string().contains("line 2"), "{broken}");
    }
}
