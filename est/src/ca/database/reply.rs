//! An answer from the writer thread to a future, without a runtime.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::LogError;
use super::crl::StoredCrl;
use super::queue::QueueAnswer;

/// What the writer answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// The entry is on disk.
    Done,
    /// What the queue says.
    Queue(QueueAnswer),
    /// The current revocation list.
    Crl(Box<StoredCrl>),
}

/// The outcome of a write.
pub(super) type Outcome = Result<Written, LogError>;

#[derive(Debug, Default)]
struct Shared {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

/// Gives the answer. When it is dropped without one, the answer is [`LogError::Stopped`].
#[derive(Debug)]
pub(super) struct Reply(Option<Arc<Mutex<Shared>>>);

/// Waits for the answer.
#[derive(Debug)]
pub(super) struct Answer(Arc<Mutex<Shared>>);

pub(super) fn reply() -> (Reply, Answer) {
    let shared = Arc::new(Mutex::default());
    (Reply(Some(Arc::clone(&shared))), Answer(shared))
}

impl Reply {
    pub(super) fn send(mut self, outcome: Outcome) {
        self.finish(outcome);
    }

    fn finish(&mut self, outcome: Outcome) {
        if let Some(shared) = self.0.take() {
            let waker = {
                let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
                shared.outcome = Some(outcome);
                shared.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.finish(Err(LogError::Stopped));
    }
}

impl Future for Answer {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcome) = &shared.outcome {
            return Poll::Ready(outcome.clone());
        }
        match &mut shared.waker {
            Some(waker) => waker.clone_from(context.waker()),
            None => shared.waker = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_stopped_when_the_writer_is_gone() {
        let (reply, answer) = reply();
        let mut answer = Box::pin(answer);
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(answer.as_mut().poll(&mut context), Poll::Pending);
        drop(reply);
        assert_eq!(
            answer.as_mut().poll(&mut context),
            Poll::Ready(Err(LogError::Stopped))
        );
    }

    #[test]
    fn answers_what_was_sent() {
        let (reply, answer) = reply();
        reply.send(Ok(Written::Done));
        assert_eq!(
            Box::pin(answer)
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop())),
            Poll::Ready(Ok(Written::Done))
        );
    }
}
