//! A controller over TLS, in a process of its own, against bare tokio and rustls that do nothing else.
//!
//! ```sh
//! cargo bench -p benches --bench nmsp_network            # all
//! cargo bench -p benches --bench nmsp_network -- stream  # bytes per second from publisher to subscriber
//! cargo bench -p benches --bench nmsp_network -- fleet   # 500 controllers come up
//! cargo bench -p benches --bench nmsp_network -- idle    # memory of idle connections
//! ```
//!
//! Each ratio is the median of several rounds in which both sides are measured right after one another.

#![allow(missing_docs, reason = "a program without a documented interface of its own")]

mod credentials;
mod fleet;
mod idle;
mod servers;
mod stream;

use benches::process;

fn main() {
    if let Some(role) = process::role() {
        servers::serve(&role);
        return;
    }
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let wanted =
        |name: &str| arguments.is_empty() || arguments.iter().any(|argument| name.contains(argument));
    process::pin_to_core(1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a temporary folder");
    credentials::prepare(folder.path());
    runtime.block_on(async {
        if wanted("stream") {
            stream::compare(folder.path()).await;
        }
        if wanted("fleet") {
            fleet::compare(folder.path()).await;
        }
        if wanted("idle") {
            idle::compare(folder.path()).await;
        }
    });
}

/// The median of some figures.
fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
