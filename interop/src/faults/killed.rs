//! SIGKILL under load, again and again: after the restart everything that a client had received is on record, no serial
//! number is there twice, and location servers come back.

use std::sync::Arc;

use pki_common::Failure;
use rustix::process::Signal;

use super::lab::{Lab, Load, Manners, Settings, Size, Tally};
use super::{Options, Outcome};

pub(super) async fn run(options: &Options) -> Result<Outcome, Failure> {
    let mut lab = Lab::start(options, Settings::default())?;
    let tally = Arc::<Tally>::default();
    let mut injected = 0;
    for _ in 0..options.scale.pick(2, 20) {
        let load = Load::with_tally(&lab, Manners::Killed, Size::HEAVY, Arc::clone(&tally))?;
        load.served(5).await;
        for process in [lab.est.process_mut(), lab.controller.process_mut()] {
            process.signal(Signal::KILL)?;
            injected += 1;
            process.end().await?;
        }
        load.stop().await;
        lab.restart()?;
    }
    let load = Load::with_tally(&lab, Manners::Served, Size::MODERATE, tally)?;
    lab.finish("killed", injected, load).await
}
