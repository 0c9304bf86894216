//! A child process together with what it started.

use tokio::process::Child;

/// The processes of a command. When it is dropped, those that are left are killed: at the end of the time, and when
/// nobody waits for the command any more.
#[derive(Debug)]
pub(crate) struct ProcessGroup(Option<u32>);

impl ProcessGroup {
    /// Only before the command was waited for: its number could be somebody else's later. The command must have been
    /// started as the leader of a group of its own.
    pub(crate) fn of(child: &Child) -> Self {
        Self(child.id())
    }

    /// The command ended on its own. What it left running in the background is on purpose.
    pub(crate) fn has_ended(mut self) {
        self.0 = None;
    }
}

#[cfg(unix)]
impl Drop for ProcessGroup {
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        let leader = self
            .0
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(leader) = leader
            && let Err(error) = kill_process_group(leader, Signal::KILL)
        {
            tracing::debug!(%error, "the processes of the command have ended already");
        }
    }
}
