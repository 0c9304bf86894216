//! Valid conversations: a server that stumbles over one of these has no need of the others.

use est::operation::Operation;

use super::super::bench::{Bench, Made, base64, open, read};
use super::super::request::Framing;
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::{Layer, Step};

pub(super) const RULES: &[Rule] = &[
    rule(Layer::Valid, Needs::Nothing, "each operation", each_operation),
    rule(
        Layer::Valid,
        Needs::Nothing,
        "one after the other",
        one_after_the_other,
    ),
];

fn each_operation(bench: &mut Bench<'_>) -> Made {
    let asked: Vec<Operation> = Operation::ALL.into_iter().filter(|one| bench.may(*one)).collect();
    let operation = bench.turn(&asked).copied().unwrap_or(Operation::CaCerts);
    let mut draft = match operation {
        Operation::CaCerts | Operation::CsrAttrs => bench.get(operation),
        Operation::FullCmc => {
            let (signed, key) = bench.cmc();
            let message = signed.der(&key, &key.point(false));
            bench.cmc_with(&message)
        }
        Operation::SimpleEnroll | Operation::SimpleReenroll | Operation::ServerKeyGen => {
            let request = bench.certification_request();
            bench.post(operation, "application/pkcs10", base64(&request))
        }
    };
    if bench.lap(asked.len()) % 2 == 1 && draft.framing == Framing::Length {
        draft.framing = Framing::Chunked(1 + bench.rng.usize(..200));
    }
    Made::sent(format!("a valid {operation}"), draft.bytes())
}

/// Several requests on one connection, each after the answer to the one before.
fn one_after_the_other(bench: &mut Bench<'_>) -> Made {
    let mut script = vec![open()];
    let count = 2 + bench.rng.usize(..3);
    for _ in 0..count {
        script.push(Step::send(bench.any().bytes()));
        script.push(read());
    }
    script.push(Step::send(bench.cacerts().with("Connection", "close").bytes()));
    Made::new(format!("{} valid requests on one connection", count + 1), script)
}
