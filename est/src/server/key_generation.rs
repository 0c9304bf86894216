//! Makes keys off the runtime, few at a time.

use std::sync::Arc;

use pki_common::identity::IdentityError;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::operation::{KeyFuture, KeyGenerator, ServerKeyKind};

/// How many keys are made at once by default. One RSA key takes all of a core for 100 ms to several seconds; the rest
/// of the cores are left to enrolments and handshakes.
pub const DEFAULT_CONCURRENT_KEYS: usize = 1;

/// A [`KeyGenerator`] on the blocking threads of tokio.
#[derive(Debug, Clone)]
pub struct BlockingKeyGenerator {
    turns: Arc<Semaphore>,
}

impl BlockingKeyGenerator {
    /// At most so many keys at once, and at least one; other requests wait for their turn.
    #[must_use]
    pub fn new(concurrency: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(concurrency.max(1))),
        }
    }
}

impl Default for BlockingKeyGenerator {
    fn default() -> Self {
        Self::new(DEFAULT_CONCURRENT_KEYS)
    }
}

impl KeyGenerator for BlockingKeyGenerator {
    fn generate(&self, kind: ServerKeyKind) -> KeyFuture<'_> {
        let turns = Arc::clone(&self.turns);
        let failed = |reason: String| IdentityError::CannotGenerate { reason };
        Box::pin(async move {
            let turn = turns
                .acquire_owned()
                .await
                .map_err(|error| failed(error.to_string()))?;
            let work = spawn_blocking(move || {
                // Held by the thread, so that a client that goes away does not make room for another key.
                let _turn = turn;
                kind.generate()
            });
            work.await
                .map_err(|error| failed(format!("the thread ended: {error}")))?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn makes_every_key_of_a_burst_while_others_wait_for_their_turn() {
        let generator = Arc::new(BlockingKeyGenerator::new(1));
        let mut burst = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let generator = Arc::clone(&generator);
            burst.spawn(async move { generator.generate(ServerKeyKind::EcP256).await });
        }
        let mut keys = std::collections::HashSet::new();
        while let Some(key) = burst.join_next().await {
            keys.insert(key.unwrap().unwrap().secret_pkcs8_der().to_vec());
        }
        assert_eq!(keys.len(), 20);
    }
}
