//! The child processes, on the first core.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use benches::process;
use bytes::Bytes;
use nmsp::server::{Server, ServerConfig, ServerHandle};
use pki_common::tls::{ClientAuthentication, ServerTls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{credentials, fleet, stream};

/// A controller that publishes as fast as its subscriber takes.
pub(crate) const PUBLISHER: &str = "publisher";
/// tokio and rustls that write the same chunks.
pub(crate) const BARE_WRITER: &str = "bare-writer";
/// A controller that publishes nothing.
pub(crate) const CONTROLLER: &str = "controller";
/// tokio and rustls that send back what comes.
pub(crate) const BARE_ECHO: &str = "bare-echo";

/// Many of these controllers.
pub(crate) const CONTROLLERS: &str = "controllers";
/// As many of these echo servers.
pub(crate) const BARE_ECHOES: &str = "bare-echoes";

/// As long as a benchmark lasts, and longer.
const LONG: Duration = Duration::from_secs(3600);

/// Does what the parent started this process for.
pub(crate) fn serve(role: &str) {
    process::pin_to_core(0);
    let folder = process::folder();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut addresses = Vec::new();
        match role {
            PUBLISHER => {
                let (address, handle) = controller(&folder).await;
                tokio::spawn(stream::publish(handle));
                addresses.push(address);
            }
            CONTROLLER => addresses.push(controller(&folder).await.0),
            CONTROLLERS => {
                for _ in 0..fleet::CONTROLLERS {
                    addresses.push(controller(&folder).await.0);
                }
            }
            BARE_WRITER => addresses.push(bare(&folder, Some(stream::chunk())).await),
            BARE_ECHOES => {
                for _ in 0..fleet::CONTROLLERS {
                    addresses.push(bare(&folder, None).await);
                }
            }
            _ => addresses.push(bare(&folder, None).await),
        }
        let addresses: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
        process::announce(addresses.join(" "));
        tokio::task::spawn_blocking(process::answer_questions)
            .await
            .expect("the thread ends with the input");
    });
    // Connections that the parent still holds must not keep the process.
    runtime.shutdown_background();
}

async fn controller(folder: &Path) -> (SocketAddr, ServerHandle) {
    let (identity, location_servers) = credentials::controller(folder);
    let mut config = ServerConfig::new(identity, location_servers);
    config.limits.max_connections = 20_000;
    // All come from one address, as fast as they can.
    config.limits.max_connections_per_address = 20_000;
    config.limits.max_new_connections_per_second = u32::MAX;
    config.limits.max_handshakes = 1_000;
    config.limits.max_connections_per_address = 20_000;
    config.limits.max_new_connections_per_second = u32::MAX;
    config.limits.max_stations = 100_000;
    config.limits.handshake_timeout = LONG;
    config.limits.queue_length = stream::QUEUE_LENGTH;
    config.connection.idle_timeout = LONG;
    let server = Server::bind("127.0.0.1:0", config).await.expect("a free port");
    let (address, handle) = (server.local_addr().expect("bound"), server.handle());
    tokio::spawn(server.run());
    (address, handle)
}

/// What a server on these libraries costs that has no protocol: it writes `chunk` again and again, or sends back what
/// comes if there is none.
async fn bare(folder: &Path, chunk: Option<Bytes>) -> SocketAddr {
    let (identity, location_servers) = credentials::controller(folder);
    let mut tls = ServerTls::new(identity);
    tls.client_authentication = ClientAuthentication::Required(location_servers);
    let acceptor = TlsAcceptor::from(tls.rustls_config().expect("a crypto provider"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, chunk) = (acceptor.clone(), chunk.clone());
            tokio::spawn(async move {
                stream.set_nodelay(true)?;
                let stream = acceptor.accept(stream).await?;
                match chunk {
                    Some(chunk) => write_again_and_again(stream, &chunk).await,
                    None => echo(stream).await,
                }
            });
        }
    });
    address
}

async fn write_again_and_again(mut stream: TlsStream<TcpStream>, chunk: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(chunk).await?;
        stream.flush().await?;
    }
}

async fn echo(mut stream: TlsStream<TcpStream>) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(buffer.get(..length).unwrap_or_default()).await?;
        stream.flush().await?;
    }
}
