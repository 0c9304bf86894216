//! A time-out that costs nothing where there is nothing to wait for.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// As [`timeout`], which reads the clock and makes a timer also for a future that is ready at once. Most steps of a
/// request are: the body came with the head, the password is remembered, the log is in memory. The future stays where
/// it is pinned, because it may be large.
pub(super) async fn within<F: Future>(time: Duration, mut future: Pin<&mut F>) -> Result<F::Output, Elapsed> {
    match poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => timeout(time, future).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::pin::pin;

    #[tokio::test(start_paused = true)]
    async fn waits_no_longer_than_it_may() {
        let time = Duration::from_secs(1);
        assert_eq!(within(time, pin!(async { 7 })).await.unwrap(), 7);
        let soon = pin!(tokio::time::sleep(time / 2));
        assert!(within(time, soon).await.is_ok());
        let never = pin!(core::future::pending::<()>());
        assert!(within(time, never).await.is_err());
    }
}
