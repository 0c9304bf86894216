//! `nmsp show`: what a running controller does, asked from its admin listener.

use std::net::IpAddr;

use clap::Subcommand;
use serde::Serialize;

use super::failure::CliError;
use super::print;
use crate::admin::{DEFAULT_PORT, fetch_state};
use crate::show::{self, NotFound, PeerState, State};

#[derive(Debug, clap::Args)]
#[command(after_long_help = "The controller must have an admin listener:\n\n  \
    [admin]\n  \
    listen = \"127.0.0.1:16180\"\n\n\
    The texts have the shapes known from the vendor's controllers; --json prints the data behind them, with the names \
    of the vendor's YANG model.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
    /// Where the admin listener of the controller is.
    #[arg(long, global = true, value_name = "HOST:PORT", default_value_t = format!("127.0.0.1:{DEFAULT_PORT}"))]
    admin: String,
    /// Prints JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The location servers, with their echoes and messages.
    Status,
    /// Counters.
    #[command(subcommand)]
    Statistics(Statistics),
    /// The services that the controller offers.
    Capability,
    /// Who subscribed what.
    #[command(subcommand)]
    Subscription(Subscription),
    /// When the controller notifies.
    #[command(subcommand)]
    Notification(Notification),
    /// Whom the controller admits.
    AuthList,
}

#[derive(Debug, Subcommand)]
enum Statistics {
    /// TLS, authlist, and the server as a whole.
    Summary,
    /// Each location server, by message.
    Connection,
}

#[derive(Debug, Subcommand)]
enum Subscription {
    /// The services of every location server that is connected.
    Summary,
    /// The services of one location server; its connections with queue and losses.
    Detail {
        /// The address of the location server.
        ip: IpAddr,
    },
    /// Subscriptions by groups of access points.
    #[command(subcommand)]
    Group(Group),
}

#[derive(Debug, Subcommand)]
enum Group {
    /// The names of the groups.
    Summary {
        /// The address of one location server; all that are connected if it is left out.
        ip: Option<IpAddr>,
    },
    /// What is filtered by a group, or its access points.
    #[command(subcommand)]
    Details(Details),
}

#[derive(Debug, Subcommand)]
enum Details {
    /// The services that a location server gets filtered by a group.
    Services {
        /// The name of the group.
        group: String,
        /// The address of the location server.
        ip: IpAddr,
    },
    /// The access points of a group.
    ApList {
        /// The name of the group.
        group: String,
        /// The address of the location server.
        ip: IpAddr,
    },
}

#[derive(Debug, Subcommand)]
enum Notification {
    /// Time between notifications, and how far the signal strength must move.
    Interval,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let with_auth_list = matches!(arguments.what, What::AuthList);
    let state = fetch_state(&arguments.admin, with_auth_list)
        .await
        .map_err(|error| CliError::of(&error))?;
    let answer = answer(&state, &arguments.what).map_err(|error| CliError::of(&error))?;
    if arguments.json {
        let json = serde_json::to_string_pretty(&answer.data).unwrap_or_default();
        print(&format!("{json}\n"))
    } else {
        print(&answer.text)
    }
}

/// One thing to show in both forms.
struct Answer {
    text: String,
    data: serde_json::Value,
}

impl Answer {
    fn new(text: String, data: &impl Serialize) -> Self {
        Self {
            text,
            data: serde_json::to_value(data).unwrap_or_default(),
        }
    }
}

fn answer(state: &State, what: &What) -> Result<Answer, NotFound> {
    Ok(match what {
        What::Status => Answer::new(show::status(state), &state.peers),
        What::Statistics(Statistics::Summary) => {
            let mut answer = Answer::new(show::statistics_summary(state), &state.statistics);
            let restarts = serde_json::to_value(state.srv_stats).unwrap_or_default();
            if let Some(data) = answer.data.as_object_mut() {
                data.insert("srv-stats".to_owned(), restarts);
            }
            answer
        }
        What::Statistics(Statistics::Connection) => {
            Answer::new(show::statistics_connection(state), &state.peers)
        }
        What::Capability => Answer::new(show::capability(state), &state.capability),
        What::Subscription(subscription) => subscription_answer(state, subscription)?,
        What::Notification(Notification::Interval) => {
            Answer::new(show::notification_interval(state), &state.notification)
        }
        What::AuthList => {
            let entries = state.auth_list.as_ref().map(|list| &list.entries);
            Answer::new(show::auth_list(state), &entries)
        }
    })
}

fn subscription_answer(state: &State, what: &Subscription) -> Result<Answer, NotFound> {
    let connected = || {
        let peers = state.peers.iter().filter(|peer| peer.active);
        peers.collect::<Vec<&PeerState>>()
    };
    let of = |ip: IpAddr| {
        let ip = ip.to_canonical();
        state.peers.iter().find(|peer| peer.peer_ip == ip)
    };
    let group_of = |name: &str, ip| {
        let tunnels = of(ip).into_iter().flat_map(|peer| &peer.tunnels);
        let mut groups = tunnels.flat_map(|tunnel| &tunnel.access_point_groups);
        groups.find(|group| group.name == name)
    };
    Ok(match what {
        Subscription::Summary => Answer::new(show::subscription_summary(state), &connected()),
        Subscription::Detail { ip } => Answer::new(show::subscription_detail(state, *ip)?, &of(*ip)),
        Subscription::Group(Group::Summary { ip }) => {
            let text = show::subscription_group_summary(state, *ip)?;
            match ip {
                Some(ip) => Answer::new(text, &of(*ip).into_iter().collect::<Vec<_>>()),
                None => Answer::new(text, &connected()),
            }
        }
        Subscription::Group(Group::Details(Details::Services { group, ip })) => {
            let text = show::subscription_group_services(state, group, *ip)?;
            Answer::new(text, &of(*ip).map(|peer| peer.subscriptions))
        }
        Subscription::Group(Group::Details(Details::ApList { group, ip })) => {
            let text = show::subscription_group_access_points(state, group, *ip)?;
            Answer::new(text, &group_of(group, *ip))
        }
    })
}
