//! The moment between a refusal and the end of its socket.

use core::time::Duration;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// After a refusal the socket stays open for this long, so that the alert arrives: closing it while the peer's bytes are
/// unread would send a reset that overtakes the alert.
const LINGER_TIME: Duration = Duration::from_secs(1);

/// And for at most this many bytes.
const LINGER_BYTES: usize = 65_536;

/// Lets an alert arrive before the socket goes.
pub(super) async fn linger<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) {
    let drain = async {
        stream.shutdown().await?;
        let mut rest = [0; 1024];
        let mut taken = 0;
        while taken < LINGER_BYTES {
            match stream.read(&mut rest).await? {
                0 => break,
                length => taken += length,
            }
        }
        Ok::<(), io::Error>(())
    };
    match timeout(LINGER_TIME, drain).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the peer was gone before the alert"),
    }
}
