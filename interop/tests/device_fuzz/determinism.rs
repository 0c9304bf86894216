//! The same seed makes the same bytes.

use std::collections::BTreeSet;
use std::sync::Arc;

use interop::device_fuzz::case::Layer;
use interop::device_fuzz::grammar::nmsp::NmspGrammar;
use interop::device_fuzz::grammar::{CaseBudget, Grammar};
use nmsp::wire::WireProfile;

fn grammars() -> [NmspGrammar; 2] {
    let profile = || Arc::clone(WireProfile::built_in());
    [
        NmspGrammar::location_server(profile(), CaseBudget::default()),
        NmspGrammar::controller(profile(), CaseBudget::default()),
    ]
}

#[test]
fn the_same_seed_makes_the_same_bytes_in_any_order() {
    for grammar in grammars() {
        let forward: Vec<_> = (0..200).map(|index| grammar.case(9, index)).collect();
        let backward: Vec<_> = (0..200)
            .rev()
            .map(|index| grammar.clone().case(9, index))
            .collect();
        assert!(forward.iter().eq(backward.iter().rev()));
    }
}

#[test]
fn another_seed_or_another_index_makes_other_bytes() {
    for grammar in grammars() {
        let turn = u64::try_from(NmspGrammar::mutations()).unwrap();
        let scripts: BTreeSet<String> = (0..20)
            .flat_map(|round| {
                [
                    grammar.case(1, 1 + round * turn),
                    grammar.case(2, 1 + round * turn),
                ]
            })
            .map(|case| format!("{:?}", case.script))
            .collect();
        assert_eq!(scripts.len(), 40);
    }
}

#[test]
fn every_layer_of_nmsp_has_cases_within_the_budget() {
    let budget = CaseBudget::default();
    for grammar in grammars() {
        let cases: Vec<_> = (0..500).map(|index| grammar.case(3, index)).collect();
        let layers: BTreeSet<Layer> = cases.iter().map(|case| case.layer).collect();
        let expected = [
            Layer::Valid,
            Layer::Tcp,
            Layer::Tls,
            Layer::Framing,
            Layer::Identifier,
            Layer::Element,
            Layer::State,
            Layer::Value,
            Layer::Exhaustion,
        ];
        assert_eq!(layers, BTreeSet::from(expected));
        for case in cases {
            assert!(!case.script.is_empty(), "{}", case.name);
            assert!(
                case.connections() <= usize::try_from(budget.connections).unwrap(),
                "{}",
                case.name
            );
            // What comes before and after the mutation is not counted in it.
            assert!(
                case.bytes() <= u64::from(budget.bytes) + 200_000,
                "{} {}",
                case.name,
                case.bytes()
            );
        }
    }
}
