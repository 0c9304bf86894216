//! A value that can be replaced while connections run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

/// Clones share the value. Reading takes no lock.
#[derive(Debug)]
pub(crate) struct Shared<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    value: ArcSwap<T>,
    replacements: AtomicU64,
}

impl<T> Shared<T> {
    pub(crate) fn new(value: Arc<T>) -> Self {
        Self(Arc::new(Inner {
            value: ArcSwap::new(value),
            replacements: AtomicU64::new(0),
        }))
    }

    pub(crate) fn load(&self) -> Arc<T> {
        self.0.value.load_full()
    }

    pub(crate) fn replace(&self, value: Arc<T>) {
        // Counted before and after: what was decided meanwhile belongs to neither value.
        self.0.replacements.fetch_add(1, Ordering::SeqCst);
        self.0.value.store(value);
        self.0.replacements.fetch_add(1, Ordering::SeqCst);
    }

    /// Differs after every replacement.
    pub(crate) fn generation(&self) -> u64 {
        self.0.replacements.load(Ordering::SeqCst)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
