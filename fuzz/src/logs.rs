//! What must hold for a log that `interop explain` is given.

use crate::explain::{Explainer, MAX_ALIKE, Outcome, Report, Settings};

/// A log of any kind, or of several: no bytes panic, every line is counted once, what is told is bounded, and every
/// failure has a cause and a remedy. The same log a second time is told the same.
pub fn explain_log(data: &[u8]) {
    let report = explain(data);
    let file = report.files.first().expect("files were read");
    let counted: u64 = file
        .sources
        .values()
        .map(|counts| counts.understood + counts.unknown)
        .sum();
    assert_eq!(
        counted + file.blank + file.unknown,
        file.lines,
        "a line is counted twice, or not at all"
    );
    for session in &report.sessions {
        assert!(!session.headline().is_empty());
        if let Outcome::Failed(verdict) = &session.outcome {
            assert!(!verdict.failure.cause.is_empty() && !verdict.failure.remedy.is_empty());
        }
    }
    let told = u64::try_from(report.sessions.len()).expect("sessions in memory");
    let left_out: u64 = report.left_out.iter().map(|alike| alike.count).sum();
    assert!(report.left_out.is_empty() || told >= MAX_ALIKE);
    assert_eq!(
        told + left_out,
        report.succeeded + report.failed + report.unfinished,
        "a session is told twice, or lost"
    );
    let text = report.to_string();
    assert!(
        !text.contains(|character: char| character.is_control() && character != '\n'),
        "{text:?}"
    );
    let again = explain(data);
    assert_eq!(text, again.to_string());
    assert_eq!(report.to_json(), again.to_json());
}

/// The same log under two names: what one says is looked for in the other.
fn explain(data: &[u8]) -> Report {
    let mut explainer = Explainer::new(Settings::default());
    for name in ["first", "second"] {
        explainer.read(name, data).expect("bytes in memory can be read");
    }
    explainer.finish()
}
