//! The simulated AD CS beside a folder for the files of a peer.

use interop::adcs_sim::{Rule, Settings, Simulator, Verdict};

use super::folder::Folder;

/// Its anchor is in `anchor.pem`.
pub(crate) struct Adcs {
    pub(crate) simulator: Simulator,
    pub(crate) folder: Folder,
}

impl Adcs {
    /// Requests whose name begins with `slow` wait for the administrator; client certificates may log in.
    pub(crate) async fn start() -> Self {
        let mut settings = Settings {
            rules: vec![Rule {
                subject: "CN=slow*".to_owned(),
                verdict: Verdict::Pending,
            }],
            ..Settings::default()
        };
        settings.logins.client_certificate = true;
        let simulator = Simulator::start(settings).await.unwrap();
        let folder = Folder::new();
        folder.write("anchor.pem", simulator.authority_pem());
        Self { simulator, folder }
    }

    pub(crate) fn url(&self, page: &str) -> String {
        format!("{}{page}", self.simulator.url())
    }
}
