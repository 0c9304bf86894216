//! Accepts connections, bounds them, and ends with the server.

use core::convert::Infallible;
use core::pin::pin;
use core::time::Duration;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::AdminError;
use super::route::Routes;
use super::{AdminConfig, AdminLimits};
use crate::server::ServerHandle;

/// How long accepting pauses when the operating system cannot give another socket.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens on an address for [`serve`]; port 0 lets the operating system choose.
///
/// # Errors
/// If the address is not a loopback address and the configuration does not allow it, or it is not free.
pub async fn bind(address: SocketAddr, config: &AdminConfig) -> Result<TcpListener, AdminError> {
    check_address(address, config)?;
    TcpListener::bind(address)
        .await
        .map_err(|source| AdminError::Bind { address, source })
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn check_address(address: SocketAddr, config: &AdminConfig) -> Result<(), AdminError> {
    if is_loopback(address.ip()) || config.dangerous_accept_any_address {
        Ok(())
    } else {
        Err(AdminError::NotLoopback { address })
    }
}

/// Shows a server until it has shut down. Requests are answered during the shutdown; the listener closes after it.
///
/// Dropping the future ends the listener and what it serves at once.
///
/// # Errors
/// If the listener's address is not a loopback address and the configuration does not allow it.
pub async fn serve(
    listener: TcpListener,
    server: ServerHandle,
    config: AdminConfig,
) -> Result<(), AdminError> {
    let address = listener.local_addr().map_err(AdminError::NoAddress)?;
    check_address(address, &config)?;
    let loopback = is_loopback(address.ip());
    if !loopback {
        tracing::warn!(%address, "the admin listener can be reached from other machines and has no authentication");
    }
    let limits = config.limits;
    let routes = Arc::new(Routes::new(server.clone(), config.restarts, loopback));
    let (ending, tasks) = (CancellationToken::new(), TaskTracker::new());
    // Also when this future is dropped.
    let _ended = ending.clone().drop_guard();
    tokio::select! {
        () = server.ended() => {}
        () = accept(&listener, &routes, &limits, &ending, &tasks) => {}
    }
    drop(listener);
    ending.cancel();
    tasks.close();
    // Each connection bounds itself; this is for those that wait for a thread.
    if timeout(limits.answer_time, tasks.wait()).await.is_err() {
        tracing::debug!("admin connections left behind");
    }
    Ok(())
}

/// Until the end of time.
async fn accept(
    listener: &TcpListener,
    routes: &Arc<Routes>,
    limits: &AdminLimits,
    ending: &CancellationToken,
    tasks: &TaskTracker,
) {
    let places = limits.connections.clamp(1, AdminLimits::MAX_CONNECTIONS);
    let places = Arc::new(Semaphore::new(places));
    loop {
        // It is never closed, so there is always a place in the end.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (routes, limits, ending) = (Arc::clone(routes), *limits, ending.clone());
                tasks.spawn(async move {
                    serve_connection(stream, peer, routes, limits, ending).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept an admin connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Arc<Routes>,
    limits: AdminLimits,
    ending: CancellationToken,
) {
    let service = service_fn(move |request| {
        let routes = Arc::clone(&routes);
        async move { Ok::<_, Infallible>(routes.answer(&request).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_time)
            .max_buf_size(limits.header_size.max(AdminLimits::MIN_HEADER_SIZE))
            .max_headers(limits.header_count)
            .serve_connection(TokioIo::new(stream), service)
    );
    let served = tokio::select! {
        served = connection.as_mut() => Some(served),
        () = sleep(limits.connection_time) => None,
        () = ending.cancelled() => None,
    };
    let served = match served {
        Some(served) => Ok(served),
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(limits.answer_time, connection).await
        }
    };
    match served {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, %error, "an admin connection failed"),
        Err(_) => tracing::debug!(%peer, "an admin connection was cut: its answer was not read in time"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_addresses_than_loopback_need_the_dangerous_setting() {
        let dangerous = AdminConfig {
            dangerous_accept_any_address: true,
            ..AdminConfig::default()
        };
        for (address, loopback) in [
            ("127.0.0.1:16180", true),
            ("127.9.9.9:0", true),
            ("[::1]:16180", true),
            ("[::ffff:127.0.0.1]:0", true),
            ("0.0.0.0:16180", false),
            ("[::]:16180", false),
            ("192.0.2.1:16180", false),
            ("[2001:db8::1]:0", false),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            let outcome = check_address(address, &AdminConfig::default());
            assert_eq!(outcome.is_ok(), loopback, "{address}");
            assert!(check_address(address, &dangerous).is_ok(), "{address}");
        }
    }
}
