//! A plan that is written down in a test, word by word, and what it must come to.

use std::time::Duration;

use sim::cluster::Cluster;
use sim::fault::Strike;

use crate::failure::Failure;
use crate::load::Load;
use crate::run::{Outcome, Plan, run_traced};
use crate::storm::Storm;

impl Plan {
    /// A calm minute of the usual load in this cluster.
    #[must_use]
    pub fn of(cluster: Cluster) -> Self {
        Self {
            scenario: "written".to_owned(),
            cluster,
            storm: Storm::calm(),
            load: Load::default(),
            seed: 0,
            length: Duration::from_secs(60),
        }
    }

    /// What befalls it.
    #[must_use]
    pub fn struck_by(mut self, strikes: impl IntoIterator<Item = Strike>) -> Self {
        self.storm = Storm::of(strikes.into_iter().collect());
        self
    }

    /// What is written.
    #[must_use]
    pub fn under(mut self, load: Load) -> Self {
        self.load = load;
        self
    }

    /// The seed of everything else.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How long load and storm last.
    #[must_use]
    pub fn lasting(mut self, length: Duration) -> Self {
        self.length = length;
        self
    }

    /// Runs it, and demands that this is the first thing that breaks.
    ///
    /// # Panics
    /// If something else breaks, or nothing.
    #[expect(clippy::must_use_candidate, reason = "what is demanded is what most callers want")]
    pub fn must_break(&self, fingerprint: &str) -> Outcome {
        let outcome = run_traced(self);
        let now = outcome.fingerprint();
        if now.as_deref() != Some(fingerprint) {
            let told = Failure::of(self, &outcome).map_or_else(
                || format!("nothing broke (digest {})", outcome.digest),
                |failure| failure.text("run this test again", None),
            );
            panic!("{fingerprint} was to break, and did not:\n{told}");
        }
        outcome
    }
}
