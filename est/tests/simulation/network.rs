//! The network between the clients and the server: which connection meets which fault.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use est::client::{ByteStream, Connector, ConnectorFuture};
use est::server::ServerHandle;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::wire::{Cut, Wire};

/// Longer, in virtual time, than any connection may last that nobody uses.
const PATIENCE: Duration = Duration::from_secs(600);

/// What happens to a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The server is away.
    Refused,
    /// Nobody answers at all.
    Unreachable,
    Lost(Cut),
}

/// The way to the one server that there is at a time.
#[derive(Debug)]
pub(crate) struct Network {
    /// `None` while it is down.
    server: Mutex<Option<ServerHandle>>,
    script: Mutex<VecDeque<Option<Fault>>>,
    wires: Mutex<Vec<Arc<Wire>>>,
    served: Mutex<JoinSet<()>>,
}

impl Network {
    pub(crate) fn to(server: ServerHandle) -> Arc<Self> {
        Arc::new(Self {
            server: Mutex::new(Some(server)),
            script: Mutex::default(),
            wires: Mutex::default(),
            served: Mutex::default(),
        })
    }

    /// The fate of the next connection; those behind it are whole.
    pub(crate) fn next(&self, fault: Option<Fault>) {
        self.script.lock().unwrap().push_back(fault);
    }

    /// Forgets what was to come.
    pub(crate) fn mend(&self) {
        self.script.lock().unwrap().clear();
    }

    /// The connections since the last time.
    pub(crate) fn take_wires(&self) -> Vec<Arc<Wire>> {
        std::mem::take(&mut *self.wires.lock().unwrap())
    }

    /// The server dies with all its connections.
    pub(crate) fn kill(&self) {
        self.served.lock().unwrap().abort_all();
        *self.server.lock().unwrap() = None;
    }

    /// Another one takes its place.
    pub(crate) fn start(&self, server: ServerHandle) {
        *self.server.lock().unwrap() = Some(server);
    }

    /// Waits until the server has ended every connection. Call it when no client holds one any more.
    pub(crate) async fn drained(&self) {
        let mut served = std::mem::take(&mut *self.served.lock().unwrap());
        let all = async {
            while let Some(ended) = served.join_next().await {
                if let Err(error) = ended {
                    assert!(error.is_cancelled(), "a connection's task has failed: {error}");
                }
            }
        };
        timeout(PATIENCE, all).await.expect("no connection hangs");
    }
}

impl Connector for Network {
    fn connect<'a>(&'a self, _host: &'a str, _port: u16) -> ConnectorFuture<'a> {
        Box::pin(async {
            let fault = self.script.lock().unwrap().pop_front().flatten();
            let cut = match fault {
                Some(Fault::Refused) => return Err(io::ErrorKind::ConnectionRefused.into()),
                Some(Fault::Unreachable) => std::future::pending().await,
                Some(Fault::Lost(cut)) => Some(cut),
                None => None,
            };
            let handle = self.server.lock().unwrap().clone();
            let Some(handle) = handle else {
                return Err(io::ErrorKind::ConnectionRefused.into());
            };
            let (client, server, wire) = Wire::pair(cut);
            self.wires.lock().unwrap().push(wire);
            let peer = ([192, 0, 2, 1], 40_000).into();
            let mut served = self.served.lock().unwrap();
            served.spawn(async move { handle.serve(server, peer).await });
            let client: Box<dyn ByteStream> = Box::new(client);
            Ok(client)
        })
    }
}
