//! What the daemon does at the same time: at most one job to an identity.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;

use tokio::task::{Id, JoinSet};

use super::attempt::{JobEnd, defect};

#[derive(Debug)]
pub(super) struct Jobs {
    set: JoinSet<JobEnd>,
    names: HashMap<Id, String>,
    busy: BTreeSet<String>,
    most: usize,
}

impl Jobs {
    pub(super) fn new(most: usize) -> Self {
        Self {
            set: JoinSet::new(),
            names: HashMap::new(),
            busy: BTreeSet::new(),
            most: most.max(1),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.set.len() < self.most
    }

    pub(super) fn is_busy(&self, name: &str) -> bool {
        self.busy.contains(name)
    }

    pub(super) fn start(&mut self, name: &str, job: impl Future<Output = JobEnd> + Send + 'static) {
        let id = self.set.spawn(job).id();
        self.names.insert(id, name.to_owned());
        self.busy.insert(name.to_owned());
    }

    /// The next job that ends; `None` when there is none. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Option<(String, JobEnd)> {
        loop {
            let (id, end) = match self.set.join_next_with_id().await? {
                Ok(ended) => ended,
                Err(error) => {
                    tracing::error!(%error, "an exchange ended in a panic");
                    (error.id(), JobEnd::failed(defect(&error)))
                }
            };
            if let Some(name) = self.names.remove(&id) {
                self.busy.remove(&name);
                return Some((name, end));
            }
        }
    }
}
