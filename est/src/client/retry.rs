//! Trying again after failures that pass.

use core::future::Future;
use core::time::Duration;

use crate::exchange::ClientError;

/// How often and how fast to try again. Only failures that may pass are tried again: nobody refused, something was slow
/// or away, a connection was lost ([`ClientError::is_transient`]).
///
/// A request for a certificate whose answer was lost may have been granted; tried again, it may be granted twice. Both
/// certificates are for the same key; a server that recognises the request gives the first one again.
///
/// # Defaults
/// Three tries; one second before the second, doubled each time, at most a minute. A longer time that the server asks
/// for is respected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all. 1: none again.
    pub tries: u32,
    /// The wait before the second try.
    pub first_wait: Duration,
    /// The longest wait of our own choosing.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            tries: 3,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// The wait after `failed` tries that ended with `error`; `None` when it is not to be tried again.
    #[must_use]
    pub fn wait(&self, failed: u32, error: &ClientError) -> Option<Duration> {
        if failed == 0 || failed >= self.tries || !error.is_transient() {
            return None;
        }
        let doubled = 2_u32.saturating_pow(failed.saturating_sub(1));
        let own = self.first_wait.saturating_mul(doubled).min(self.longest_wait);
        Some(error.retry_after().unwrap_or_default().max(own))
    }

    /// Tries `attempt` until it succeeds, is refused, or the tries are used up.
    ///
    /// # Errors
    /// Those of the last try.
    pub async fn run<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let mut failed = 0;
        loop {
            let error = match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            failed += 1;
            let Some(wait) = self.wait(failed, &error) else {
                return Err(error);
            };
            tracing::info!(%error, est_error = %error.est_error(), wait = ?wait, "trying again");
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn status(code: u16, seconds: Option<u64>) -> ClientError {
        ClientError::Status {
            status: StatusCode::from_u16(code).unwrap(),
            text: String::new(),
            retry_after: seconds.map(Duration::from_secs),
        }
    }

    #[test]
    fn waits_longer_each_time_and_as_long_as_the_server_asks() {
        let policy = RetryPolicy {
            tries: 9,
            ..RetryPolicy::default()
        };
        let waits: Vec<_> = (1..10)
            .map(|failed| policy.wait(failed, &status(503, None)).map(|wait| wait.as_secs()))
            .collect();
        let expected = [1, 2, 4, 8, 16, 32, 60, 60].map(Some);
        assert_eq!(waits[..8], expected);
        assert_eq!(waits[8], None);
        assert_eq!(
            policy.wait(1, &status(503, Some(300))),
            Some(Duration::from_secs(300))
        );
        assert_eq!(policy.wait(u32::MAX - 1, &status(503, None)), None);
    }

    #[test]
    fn a_refusal_is_not_tried_again() {
        let policy = RetryPolicy::default();
        for code in [400, 401, 403, 404, 501] {
            assert_eq!(policy.wait(1, &status(code, None)), None, "{code}");
        }
        for code in [429, 500, 502, 503, 504] {
            assert!(policy.wait(1, &status(code, None)).is_some(), "{code}");
        }
    }

    #[test]
    fn a_handshake_that_broke_off_is_tried_again_and_one_that_was_refused_is_not() {
        let wait = |cause: &std::io::Error| {
            let failure = pki_common::tls::diagnose_io(cause);
            RetryPolicy::default().wait(1, &ClientError::Tls(Box::new(failure)))
        };
        for kind in [
            std::io::ErrorKind::UnexpectedEof,
            std::io::ErrorKind::ConnectionReset,
            std::io::ErrorKind::BrokenPipe,
        ] {
            assert!(wait(&kind.into()).is_some(), "{kind}");
        }
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateExpired);
        assert_eq!(
            wait(&std::io::Error::new(std::io::ErrorKind::InvalidData, alert)),
            None
        );
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_after_the_last_try() {
        let mut tries = 0;
        let policy = RetryPolicy::default();
        let result: Result<(), _> = policy
            .run(|| {
                tries += 1;
                async { Err(status(503, None)) }
            })
            .await;
        assert!(result.is_err());
        assert_eq!(tries, 3);
    }
}
