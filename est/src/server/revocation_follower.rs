//! The revocation lists by which client certificates are checked, kept equal to those of the authorities behind the
//! server: what an authority revokes cannot authenticate any more, without a restart.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pki_common::revocation::{RevocationLists, SharedRevocationLists};
use tokio::task::spawn_blocking;

use super::ServerError;
use crate::ca::CertificateAuthority;

/// How often the authorities are asked. The embedded one answers from memory, and learns of `est ca revoke` in another
/// process within a second.
const INTERVAL: Duration = Duration::from_secs(1);

/// Largest list that is taken from an authority of our own, in bytes: the longest that the embedded one makes
/// ([`MAX_CRL_ENTRIES`](crate::ca::database::MAX_CRL_ENTRIES)) has some 45 MB.
const MAX_OWN_LIST: u64 = 64 * 1024 * 1024;

/// Follows the revocation lists of authorities. Give [`RevocationFollower::lists`] to the verifier of client
/// certificates, [refresh](Self::refresh) once before the server starts, then let [`follow`](Self::follow) run.
#[derive(Debug)]
pub struct RevocationFollower {
    given: RevocationLists,
    authorities: Vec<Arc<dyn CertificateAuthority>>,
    /// What the authorities said last.
    seen: Vec<Option<Bytes>>,
    lists: SharedRevocationLists,
}

impl RevocationFollower {
    /// `given` are lists of other authorities, which stay as they are.
    #[must_use]
    pub fn new(given: RevocationLists, authorities: Vec<Arc<dyn CertificateAuthority>>) -> Self {
        let given = given.with_max_bytes(MAX_OWN_LIST);
        Self {
            lists: SharedRevocationLists::new(given.clone()),
            seen: vec![None; authorities.len()],
            given,
            authorities,
        }
    }

    /// The lists, which are replaced as the authorities make new ones.
    #[must_use]
    pub fn lists(&self) -> SharedRevocationLists {
        self.lists.clone()
    }

    /// Takes the lists that the authorities have now.
    ///
    /// # Errors
    /// [`ServerError::RevocationList`]; the lists of before stay.
    pub async fn refresh(&mut self) -> Result<(), ServerError> {
        let failed = |cause: String| ServerError::RevocationList { cause };
        let mut current = Vec::with_capacity(self.authorities.len());
        for authority in &self.authorities {
            let list = authority.revocation_list().await;
            current.push(list.map_err(|error| failed(error.to_string()))?);
        }
        if current
            .iter()
            .zip(&self.seen)
            .all(|(a, b)| is_same(a.as_ref(), b.as_ref()))
        {
            return Ok(());
        }
        // A long list takes a moment to read.
        let (given, ders) = (self.given.clone(), current.clone());
        let reading = spawn_blocking(move || {
            let mut lists = given;
            for der in ders.iter().flatten() {
                lists.add_der(der)?;
            }
            Ok::<_, pki_common::revocation::RevocationListError>(lists)
        });
        let lists = reading
            .await
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))?;
        self.lists.replace(lists);
        self.seen = current;
        Ok(())
    }

    /// Refreshes every second, for ever. When that fails, the lists of before hold, until they expire.
    pub async fn follow(mut self) {
        let mut failed_before = false;
        loop {
            tokio::time::sleep(INTERVAL).await;
            let outcome = self.refresh().await;
            if let Err(error) = &outcome
                && !failed_before
            {
                tracing::error!(%error, "client certificates are checked by old lists; trying again every second");
            }
            failed_before = outcome.is_err();
        }
    }
}

/// Whether an authority gave the very same bytes again. The old ones are still held, so no others are at their place.
fn is_same(a: Option<&Bytes>, b: Option<&Bytes>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.len() == b.len() && (a.as_ptr() == b.as_ptr() || a == b),
        (None, None) => true,
        _ => false,
    }
}
