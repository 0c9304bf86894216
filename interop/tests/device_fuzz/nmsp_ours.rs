//! Our own controller.

use interop::device_fuzz::grammar::nmsp::NmspGrammar;
use interop::device_fuzz::verdict::Verdict;

use crate::support::{Controller, run_to_end, settings, small_budget, state};

/// Six of each kind of mutation.
const ROUNDS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn finds_nothing_in_our_controller() {
    let controller = Controller::start().await;
    let mut examiner = controller.examiner(small_budget());
    let cases = u64::try_from(ROUNDS * NmspGrammar::mutations()).unwrap();
    let first = state(20_261_122, &examiner.grammar);
    let state = run_to_end(&mut examiner, &settings(cases, None), first).await;
    controller.stop().await;

    assert!(state.findings.is_empty(), "{:#?}", state.findings);
    assert_eq!(state.next, cases);
    let verdicts = state.verdicts();
    for verdict in [Verdict::Accepted, Verdict::RefusedCleanly, Verdict::Silent] {
        assert!(
            verdicts.contains_key(&verdict),
            "no case was {verdict}: {verdicts:?}"
        );
    }
    assert_eq!(verdicts.values().sum::<u64>(), cases);
}

#[tokio::test(flavor = "multi_thread")]
async fn valid_conversations_are_accepted() {
    use interop::device_fuzz::grammar::Grammar as _;

    let controller = Controller::start().await;
    let mut examiner = controller.examiner(small_budget());
    let mut accepted = 0;
    for round in 0..10 {
        let case = examiner
            .grammar
            .case(5, round * u64::try_from(NmspGrammar::mutations()).unwrap());
        assert_eq!(case.name.split(':').next(), Some("a valid conversation"));
        let examined = examiner.examine(&case).await;
        assert_eq!(examined.harm, None, "{}", case.name);
        accepted += u32::from(examined.verdict == Verdict::Accepted);
    }
    controller.stop().await;
    // A request for something that does not exist may be answered by a status that says so.
    assert!(accepted >= 5, "{accepted} of 10");
}
