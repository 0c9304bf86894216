//! The question that is asked after each case: do you still work?

pub mod est;
pub mod nmsp;
pub mod nmsp_client;

use super::target::Target;

/// Asks a device whether it works, over a connection of its own.
///
/// The caller bounds the time ([`Look::bound`](super::examine::Look)).
pub trait Liveness<T: Target>: Send {
    /// What is asked, in a few words, for reports: "an echo is answered".
    fn question(&self) -> &'static str;

    /// Asks once.
    ///
    /// # Errors
    /// What the device did instead of answering, in one sentence.
    fn check(&mut self, target: &mut T) -> impl Future<Output = Result<(), String>> + Send;
}
