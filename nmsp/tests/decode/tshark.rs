//! What `tshark` with our dissector sees in a capture.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use nmsp::wire::{WireProfile, dissector};

/// How often each name occurs.
pub(crate) fn counted<S: Into<String>>(names: impl Iterator<Item = S>) -> BTreeMap<String, u64> {
    let mut counted = BTreeMap::new();
    for name in names {
        *counted.entry(name.into()).or_default() += 1;
    }
    counted
}

/// Each message by its name, as often as expected, and nothing malformed.
pub(crate) fn sees_the_same(folder: &Path, capture: &str, keys: &str, expected: &BTreeMap<String, u64>) {
    let script = folder.join("nmsp.lua");
    std::fs::write(&script, dissector::lua(WireProfile::built_in())).unwrap();
    let output = Command::new("tshark")
        .args(["-r", capture, "-X", &format!("lua_script:{}", script.display())])
        .args(["-o", &format!("tls.keylog_file:{keys}")])
        .args(["-d", "tls.port==16113,nmsp", "-V", "-O", "nmsp"])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    for wrong in ["Malformed", "Lua Error"] {
        let line = shown.lines().find(|line| line.contains(wrong));
        assert!(line.is_none(), "{line:?}: {errors}");
    }
    for (name, count) in expected {
        let line = format!("Network Mobility Services Protocol, {name}");
        let found = shown
            .lines()
            .filter(|shown| shown.trim_end() == line || shown.starts_with(&format!("{line},")));
        assert_eq!(
            u64::try_from(found.count()).ok(),
            Some(*count),
            "{name}: {errors}"
        );
    }
}
