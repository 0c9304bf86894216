//! Which settings of a configuration file changed, and when each takes effect.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

/// A setting whose value is another one now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// With its tables, `limits.max-connections`.
    pub(super) key: String,
    /// As TOML writes it; `None` if the default holds.
    before: Option<String>,
    after: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "not given".to_owned());
        write!(f, "{}: {} → {}", self.key, text(&self.before), text(&self.after))
    }
}

/// When a changed setting takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Now,
    NewConnections,
    Restart,
}

/// What a listener was bound to and a store was made for stays; what each connection is told at its start holds for the next
/// ones.
pub(super) fn takes_effect(key: &str) -> Effect {
    let table = key.split('.').next().unwrap_or_default();
    match (table, key) {
        ("listen" | "reload-on-change" | "admin" | "dangerous-legacy-transport", _)
        | (_, "limits.max-stations") => Effect::Restart,
        (
            _,
            "limits.idle-timeout-seconds"
            | "limits.max-message-length"
            | "limits.max-requests"
            | "limits.queue-length"
            | "limits.queue-bytes"
            | "limits.handshake-timeout-seconds",
        ) => Effect::NewConnections,
        _ => Effect::Now,
    }
}

/// Every setting that two texts do not have in common, by key.
pub(super) fn changes(before: &str, after: &str) -> Vec<Change> {
    let (before, after) = (settings(before), settings(after));
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| Change {
            key: key.clone(),
            before: before.get(key).cloned(),
            after: after.get(key).cloned(),
        })
        .collect()
}

fn settings(text: &str) -> BTreeMap<String, String> {
    fn add(prefix: &str, table: &toml::Table, all: &mut BTreeMap<String, String>) {
        for (key, value) in table {
            let key = if prefix.is_empty() {
                key.clone()
            } else {
                format!("{prefix}.{key}")
            };
            match value {
                toml::Value::Table(table) => add(&key, table, all),
                value => drop(all.insert(key, value.to_string())),
            }
        }
    }
    let mut all = BTreeMap::new();
    // Both texts have been read as configurations.
    add("", &toml::from_str(text).unwrap_or_default(), &mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_changed_and_when_it_takes_effect() {
        let before = "listen = \"[::]:1\"\nkey = \"a\"\n[limits]\nmax-connections = 100\nqueue-length = 5\n";
        let after = "listen = \"[::]:2\"\nkey = \"a\" # the same\n[limits]\nmax-connections = 5\n\
                     [notification.intervals]\nclients = 9\n";
        let changes = changes(before, after);
        let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "limits.max-connections: 100 → 5",
                "limits.queue-length: 5 → not given",
                "listen: \"[::]:1\" → \"[::]:2\"",
                "notification.intervals.clients: not given → 9",
            ]
        );
        let effects: Vec<Effect> = changes.iter().map(|change| takes_effect(&change.key)).collect();
        let expected = [Effect::Now, Effect::NewConnections, Effect::Restart, Effect::Now];
        assert_eq!(effects, expected);
    }
}
