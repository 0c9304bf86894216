//! SIGTERM under load, again and again: every answer that began is whole, every certificate in it is on record, every
//! tunnel ends with a goodbye, and the servers end by themselves.

use std::sync::Arc;

use pki_common::Failure;
use rustix::process::Signal;

use super::lab::{Lab, Load, Manners, Settings, Size, Tally};
use super::{Options, Outcome};

pub(super) async fn run(options: &Options) -> Result<Outcome, Failure> {
    let mut lab = Lab::start(options, Settings::default())?;
    let tally = Arc::<Tally>::default();
    let mut injected = 0;
    for _ in 0..options.scale.pick(2, 12) {
        let load = Load::with_tally(&lab, Manners::Goodbye, Size::HEAVY, Arc::clone(&tally))?;
        load.served(5).await;
        for (name, process) in [
            ("est", lab.est.process_mut()),
            ("nmsp", lab.controller.process_mut()),
        ] {
            process.signal(Signal::TERM)?;
            injected += 1;
            let status = process.end().await?;
            if !status.success() {
                tally.wrong(format!("{name} ended with {status} after SIGTERM"));
            }
        }
        load.stop().await;
        lab.restart()?;
    }
    let load = Load::with_tally(&lab, Manners::Served, Size::MODERATE, tally)?;
    lab.finish("terminated", injected, load).await
}
