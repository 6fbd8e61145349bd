//! Somebody outside who hears every fact of a run when it is stated. Nothing comes back from there into the run.

use std::fmt;
use std::sync::Arc;

use sim::fact::Fact;

/// What is done with a fact.
type Hear = dyn Fn(&Fact) + Send + Sync;

/// Who hears every fact; nobody unless somebody is set. A fork of a run is heard by the same.
#[derive(Clone, Default)]
pub struct Listener(Option<Arc<Hear>>);

impl Listener {
    /// Somebody who does this with each fact.
    #[must_use]
    pub fn new(hear: impl Fn(&Fact) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hear)))
    }

    /// The next fact.
    pub(crate) fn hear(&self, fact: &Fact) {
        if let Some(hear) = &self.0 {
            hear(fact);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "somebody" } else { "nobody" })
    }
}
