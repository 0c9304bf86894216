//! A connection in memory that counts its bytes and is lost after a given one.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::{Instant, Sleep};

/// More than either side ever has under way.
const CAPACITY: usize = 256 * 1024;

/// Which way bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

impl Direction {
    pub(crate) const BOTH: [Self; 2] = [Self::ToServer, Self::ToClient];

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::ToServer => 0,
            Self::ToClient => 1,
        }
    }
}

/// How a connection is lost, for both ends at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Both ends see the end of the stream, behind what was on its way.
    Closed,
    /// Both ends see a reset; what was on its way is gone.
    Reset,
    /// Nothing arrives any more, and nobody is told: a cable that is cut, a firewall that forgets.
    Silent,
    /// Nothing moves for so long, then everything goes on.
    Stalled(Duration),
}

/// The connection is lost when so many bytes have gone this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) direction: Direction,
    pub(crate) after: u64,
    pub(crate) manner: Manner,
}

/// What both ends share.
#[derive(Debug, Default)]
pub(crate) struct Wire(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    passed: [u64; 2],
    cut: Option<Cut>,
    broken: Option<Manner>,
    stalled_until: Option<Instant>,
    readers: [Option<Waker>; 2],
}

impl State {
    /// How many more bytes may go this way before the connection is lost.
    fn room(&self, direction: Direction) -> u64 {
        match self.cut {
            Some(cut) if cut.direction == direction => cut.after - self.passed[direction.index()],
            _ => u64::MAX,
        }
    }

    fn lose(&mut self) {
        let Some(cut) = self.cut.take() else { return };
        if let Manner::Stalled(time) = cut.manner {
            self.stalled_until = Some(Instant::now() + time);
        }
        self.broken = Some(cut.manner);
        for reader in self.readers.iter_mut().filter_map(Option::take) {
            reader.wake();
        }
    }
}

impl Wire {
    /// The end of the client and the end of the server.
    pub(crate) fn pair(cut: Option<Cut>) -> (End, End, Arc<Self>) {
        let (near, far) = tokio::io::duplex(CAPACITY);
        let wire = Arc::new(Self(Mutex::new(State {
            cut,
            ..State::default()
        })));
        let end = |stream, writes| End {
            stream,
            wire: Arc::clone(&wire),
            writes,
            timer: None,
        };
        let (client, server) = (end(near, Direction::ToServer), end(far, Direction::ToClient));
        (client, server, wire)
    }

    /// How many bytes have gone this way.
    pub(crate) fn passed(&self, direction: Direction) -> u64 {
        self.0.lock().unwrap().passed[direction.index()]
    }

    /// Whether the cut has happened.
    pub(crate) fn was_lost(&self) -> bool {
        self.0.lock().unwrap().broken.is_some()
    }
}

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct End {
    stream: DuplexStream,
    wire: Arc<Wire>,
    writes: Direction,
    timer: Option<Pin<Box<Sleep>>>,
}

impl End {
    fn reads(&self) -> Direction {
        match self.writes {
            Direction::ToServer => Direction::ToClient,
            Direction::ToClient => Direction::ToServer,
        }
    }

    /// What has become of the connection; pending while it is stalled.
    fn fate(&mut self, cx: &mut Context<'_>) -> Poll<Option<Manner>> {
        let (broken, until) = {
            let state = self.wire.0.lock().unwrap();
            (state.broken, state.stalled_until)
        };
        let (Some(Manner::Stalled(_)), Some(until)) = (broken, until) else {
            return Poll::Ready(broken);
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.timer = None;
        self.wire.0.lock().unwrap().broken = None;
        Poll::Ready(None)
    }
}

fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let fate = core::task::ready!(this.fate(cx));
        if fate == Some(Manner::Reset) {
            return Poll::Ready(Err(reset()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        let ended =
            matches!(read, Poll::Ready(Ok(()))) && buf.filled().len() == before && buf.remaining() > 0;
        match fate {
            Some(Manner::Closed) if read.is_pending() => Poll::Ready(Ok(())),
            // Not even the end of the other side arrives.
            Some(Manner::Silent) if ended => Poll::Pending,
            _ => {
                let index = this.reads().index();
                this.wire.0.lock().unwrap().readers[index] = Some(cx.waker().clone());
                read
            }
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.wire.0.lock().unwrap().room(this.writes) == 0 {
            this.wire.0.lock().unwrap().lose();
        }
        match core::task::ready!(this.fate(cx)) {
            Some(Manner::Closed) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Some(Manner::Reset) => return Poll::Ready(Err(reset())),
            Some(Manner::Silent) => return Poll::Ready(Ok(bytes.len())),
            _ => {}
        }
        let room = usize::try_from(this.wire.0.lock().unwrap().room(this.writes)).unwrap_or(usize::MAX);
        let written = Pin::new(&mut this.stream).poll_write(cx, &bytes[..bytes.len().min(room)]);
        if let Poll::Ready(Ok(length)) = written {
            let mut state = this.wire.0.lock().unwrap();
            state.passed[this.writes.index()] += u64::try_from(length).unwrap();
            if state.room(this.writes) == 0 {
                state.lose();
            }
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match core::task::ready!(this.fate(cx)) {
            None | Some(Manner::Stalled(_)) => Pin::new(&mut this.stream).poll_shutdown(cx),
            Some(Manner::Reset) => Poll::Ready(Err(reset())),
            Some(Manner::Closed | Manner::Silent) => Poll::Ready(Ok(())),
        }
    }
}
