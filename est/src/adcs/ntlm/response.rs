//! What is computed from the password (MS-NLMP section 3.3.2).

use core::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac as _};
use md4::{Digest as _, Md4};
use md5::Md5;
use zeroize::Zeroizing;

use crate::adcs::WindowsAccount;

/// A time as Windows counts it: units of 100 ns since 1601-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileTime(pub u64);

impl FileTime {
    /// The same moment.
    #[must_use]
    pub fn from_system(time: SystemTime) -> Self {
        /// From 1601 to 1970.
        const BETWEEN: Duration = Duration::from_secs(11_644_473_600);
        let since = time
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .saturating_add(BETWEEN);
        Self(u64::try_from(since.as_nanos() / 100).unwrap_or(u64::MAX))
    }
}

/// The key that stands for an account and its password (`NTOWFv2`). Wiped from memory when it is dropped.
#[derive(Clone)]
pub struct ResponseKey(Zeroizing<[u8; 16]>);

impl ResponseKey {
    /// The key of the account.
    #[must_use]
    pub fn new(account: &WindowsAccount) -> Self {
        let password = Zeroizing::new(utf16(account.password()));
        let hash: Zeroizing<[u8; 16]> = Zeroizing::new(Md4::digest(password.as_slice()).into());
        let name = upper(account.user()) + account.domain();
        Self(Zeroizing::new(hmac_md5(hash.as_slice(), &[&utf16(&name)])))
    }

    /// The responses to a challenge of the server. `target_info` is sent with them as it is.
    #[must_use]
    pub fn respond(
        &self,
        server_challenge: [u8; 8],
        client_challenge: [u8; 8],
        time: FileTime,
        target_info: &[u8],
    ) -> Responses {
        let mut blob = Vec::with_capacity(32 + target_info.len());
        // Version 1, and the highest version that this client knows: 1.
        blob.extend_from_slice(&[1, 1, 0, 0, 0, 0, 0, 0]);
        blob.extend_from_slice(&time.0.to_le_bytes());
        blob.extend_from_slice(&client_challenge);
        blob.extend_from_slice(&[0; 4]);
        blob.extend_from_slice(target_info);
        blob.extend_from_slice(&[0; 4]);
        let proof = hmac_md5(self.0.as_slice(), &[&server_challenge, &blob]);
        let mut nt = proof.to_vec();
        nt.extend_from_slice(&blob);
        let mut lm = hmac_md5(self.0.as_slice(), &[&server_challenge, &client_challenge]).to_vec();
        lm.extend_from_slice(&client_challenge);
        Responses {
            nt,
            lm,
            session_key: Zeroizing::new(hmac_md5(self.0.as_slice(), &[&proof])),
        }
    }

    /// The key itself, for known answers in tests.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for ResponseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseKey(..)")
    }
}

/// The responses to one challenge.
#[derive(Clone)]
pub struct Responses {
    /// The response of version 2.
    pub nt: Vec<u8>,
    /// The shorter one, for servers that tell no time.
    pub lm: Vec<u8>,
    /// The key of the session (`SessionBaseKey`).
    pub session_key: Zeroizing<[u8; 16]>,
}

impl fmt::Debug for Responses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responses").finish_non_exhaustive()
    }
}

pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Windows has one capital letter for each small one, or none: `ß` stays.
fn upper(text: &str) -> String {
    text.chars()
        .map(|small| {
            let mut capitals = small.to_uppercase();
            match (capitals.next(), capitals.next()) {
                (Some(capital), None) => capital,
                _ => small,
            }
        })
        .collect()
}

pub(super) fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("HMAC takes a key of any length (RFC 2104)");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
