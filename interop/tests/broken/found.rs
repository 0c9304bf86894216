//! The robustness tester finds the defect of each of the ten, makes the case small, and the small case does it to a device
//! that was just started.

use std::thread;
use std::time::Duration;

use interop::device_fuzz::resume::Replay;

use crate::page;
use crate::search::{Expected, Found, Role};

/// Of a device that is away at once, or not at all: a machine under load answers within this.
const LONG_LOOK: Duration = Duration::from_secs(10);

/// Of one that keeps whoever looks waiting.
const SHORT_LOOK: Duration = Duration::from_secs(3);

const LENGTH_WRAP: Expected = Expected {
    name: "length-wrap",
    role: Role::Controller,
    seed: 18,
    harm: "dead",
    complaint: None,
    ends: true,
    look: LONG_LOOK,
    trials: 100,
    steps: 2,
    bytes: 12,
};

const UNBOUNDED_LENGTH: Expected = Expected {
    name: "unbounded-length",
    role: Role::Controller,
    seed: 25,
    harm: "memory",
    complaint: None,
    ends: false,
    look: LONG_LOOK,
    trials: 100,
    steps: 4,
    bytes: 64,
};

const EARLY_SUBSCRIPTION: Expected = Expected {
    name: "early-subscription",
    role: Role::Controller,
    seed: 18,
    harm: "dead",
    complaint: None,
    ends: false,
    look: SHORT_LOOK,
    trials: 24,
    steps: 2,
    bytes: 64,
};

const HALF_MESSAGE: Expected = Expected {
    name: "half-message",
    role: Role::Controller,
    seed: 5,
    harm: "recovered",
    complaint: None,
    ends: false,
    look: SHORT_LOOK,
    trials: 24,
    steps: 8,
    bytes: 200,
};

const DOUBLE_GOODBYE: Expected = Expected {
    name: "double-goodbye",
    role: Role::Controller,
    seed: 1,
    harm: "dead",
    complaint: None,
    ends: false,
    look: SHORT_LOOK,
    trials: 24,
    steps: 3,
    bytes: 200,
};

const UNKNOWN_ID: Expected = Expected {
    name: "unknown-id",
    role: Role::LocationServer,
    seed: 2,
    harm: "dead",
    complaint: None,
    ends: true,
    look: SHORT_LOOK,
    trials: 24,
    steps: 2,
    bytes: 12,
};

const DEEP_NESTING: Expected = Expected {
    name: "deep-nesting",
    role: Role::LocationServer,
    seed: 18,
    harm: "dead",
    complaint: None,
    ends: true,
    look: SHORT_LOOK,
    trials: 24,
    steps: 2,
    bytes: 1_100,
};

const PADDING_INDEX: Expected = Expected {
    name: "padding-index",
    role: Role::EstServer,
    seed: 19,
    harm: "dead",
    complaint: None,
    ends: true,
    look: LONG_LOOK,
    trials: 100,
    steps: 2,
    bytes: 2_000,
};

const UNCHECKED_SIGNATURE: Expected = Expected {
    name: "unchecked-signature",
    role: Role::EstServer,
    seed: 154,
    harm: "wrong answer",
    complaint: Some(
        "a certificate was issued where none may be (the signature of the request is wrong, RFC 2986 section 3)",
    ),
    ends: false,
    look: LONG_LOOK,
    trials: 100,
    steps: 2,
    bytes: 2_000,
};

const RESET_LEAK: Expected = Expected {
    name: "reset-leak",
    role: Role::EstServer,
    seed: 4,
    harm: "descriptors",
    complaint: None,
    ends: false,
    look: LONG_LOOK,
    trials: 100,
    steps: 2,
    bytes: 0,
};

pub(crate) const ALL: [Expected; 10] = [
    LENGTH_WRAP,
    UNBOUNDED_LENGTH,
    EARLY_SUBSCRIPTION,
    HALF_MESSAGE,
    DOUBLE_GOODBYE,
    UNKNOWN_ID,
    DEEP_NESTING,
    PADDING_INDEX,
    UNCHECKED_SIGNATURE,
    RESET_LEAK,
];

fn check(found: &Found) {
    let (expected, finding) = (&found.expected, &found.finding);
    assert_eq!(finding.harm.kind(), expected.harm, "{finding:#?}");
    assert_eq!(finding.harm.complaint(), expected.complaint);
    let minimal = finding.minimal.as_ref();
    let minimal = minimal.unwrap_or_else(|| panic!("{finding:#?}"));
    assert!(minimal.script.len() <= expected.steps, "{minimal:#?}");
    assert!(minimal.bytes() <= expected.bytes, "{minimal:#?}");
}

#[tokio::main(flavor = "current_thread")]
async fn find(expected: Expected) {
    let found = expected.search().await;
    check(&found);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(found.finding.file_name());
    let replay = page::replay_of(&found);
    replay.save(&file).unwrap();
    expected.replay(&file).await;
    // What the page shows may have been made smaller in another way.
    let shown = page::file(expected.name);
    if !page::writes() && Replay::load(&shown).unwrap().case != replay.case {
        expected.replay(&shown).await;
    }
    page::compare_or_write(&found);
}

/// All at the same time: most of it is waiting.
#[test]
fn finds_each_of_the_ten_defects_with_a_small_case() {
    thread::scope(|scope| {
        for expected in ALL {
            let search = thread::Builder::new().name(expected.name.to_owned());
            search.spawn_scoped(scope, move || find(expected)).unwrap();
        }
    });
}
