//! How a connection is ended from outside its task.

use std::sync::OnceLock;

use tokio::sync::Notify;

use crate::wire::numbers::DisconnectReason;

/// Why a connection is to end, told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) reason: DisconnectReason,
    /// For people, on both sides.
    pub(super) explanation: String,
}

/// The order to end one connection; the first one given holds.
#[derive(Debug, Default)]
pub(super) struct Ending {
    order: OnceLock<Order>,
    changed: Notify,
}

impl Ending {
    /// Orders the end. Returns whether this is the first order.
    pub(super) fn order(&self, order: Order) -> bool {
        let first = self.order.set(order).is_ok();
        self.changed.notify_one();
        first
    }

    /// The order, once it was given.
    pub(super) fn given(&self) -> Option<&Order> {
        self.order.get()
    }

    /// Waits for the order. One task waits.
    pub(super) async fn ordered(&self) -> &Order {
        loop {
            if let Some(order) = self.order.get() {
                return order;
            }
            self.changed.notified().await;
        }
    }
}
