//! What `nmsp show` prints: the state of a controller as data, and as the texts that the vendor's controllers print.
//!
//! [`State`] is everything there is to see. It is taken from a running server ([`State::of`]) or read from the admin
//! listener of another process, and every text is a pure function of it; so are the RESTCONF document and the metrics
//! of the feature `admin`, which is why they all agree.
//!
//! | text | command of the Catalyst 9800 | how well the shape is known |
//! |---|---|---|
//! | [`status`] | `show nmsp status` | printed in public test data; test frameworks parse it |
//! | [`statistics_summary`] | `show nmsp statistics summary` | recalled from the configuration guide |
//! | [`statistics_connection`] | `show nmsp statistics connection` | recalled |
//! | [`capability`] | `show nmsp capability` | recalled |
//! | [`subscription_summary`], [`subscription_detail`] | `show nmsp subscription summary`, `detail <ip>` | recalled |
//! | [`subscription_group_summary`], [`subscription_group_services`], [`subscription_group_access_points`] | `show nmsp subscription group …` | recalled |
//! | [`notification_interval`] | `show nmsp notification interval` | recalled; the thresholds are ours |
//! | [`auth_list`] | `show auth-list` of AireOS | columns recalled |
//!
//! What is ours stands under headings of its own, after what is known.

mod auth_list;
mod collect;
mod notification;
mod services;
mod state;
mod statistics;
mod status;
mod subscription;

#[cfg(test)]
pub(crate) mod sample;

pub use auth_list::auth_list;
pub use notification::notification_interval;
pub use services::capability;
pub use state::{
    AccessPointGroup, AuthListRow, AuthListState, ConStats, ControllerState, Losses, MessageCounter,
    NotificationState, PeerState, QueueState, RecordCount, SrvStats, State, StoreState, TunnelState,
};
pub use statistics::{statistics_connection, statistics_summary};
pub use status::{show_nmsp_status, status};
pub use subscription::{
    NotFound, subscription_detail, subscription_group_access_points, subscription_group_services,
    subscription_group_summary, subscription_summary,
};

use core::fmt::{self, Write as _};

/// Appends one line. Writing to a `String` cannot fail.
fn line(out: &mut String, arguments: fmt::Arguments<'_>) {
    let written = out.write_fmt(arguments);
    debug_assert!(written.is_ok(), "writing to a String cannot fail");
    out.push('\n');
}

/// A heading with a rule of the same length below.
fn heading(out: &mut String, text: &str) {
    line(out, format_args!("{text}"));
    line(out, format_args!("{:-<1$}", "", text.len()));
}
