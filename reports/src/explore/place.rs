//! Where to explore, and what is expected to break there.

use scenarios::guarantee::Guarantee;
use scenarios::known_bugs::{Breaks, KnownBug, published_of};
use scenarios::search::explore::Tally;
use scenarios::search::{Ground, LADDER, Rung};
use scenarios::storm::Family;

/// Where to explore.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// What it is called.
    pub(crate) id: String,
    /// In words.
    pub(crate) name: String,
    /// The cluster, and of which families what befalls it is.
    pub(crate) ground: Ground,
    /// What is expected to break: any of these; nothing if there are none.
    pub(crate) breaks: Vec<Breaks>,
    /// States in the model checker's shortest trace to a violation, if there is one that was published.
    pub(crate) shortest_trace: Option<u32>,
}

impl Place {
    /// Where a known bug is.
    pub(crate) fn of(bug: &KnownBug) -> Self {
        Self {
            id: bug.id.to_owned(),
            name: bug.name.to_owned(),
            ground: Ground::of(bug),
            breaks: vec![bug.breaks],
            shortest_trace: published_of(bug.id).map(|row| row.shortest),
        }
    }

    /// A rung of the published ladder.
    pub(crate) fn of_rung(rung: &Rung) -> Self {
        let committed = [Guarantee::Durability, Guarantee::LeaderCompleteness, Guarantee::LogMatching];
        let broken = rung.shortest.map(|_| committed.map(Breaks::Promise).to_vec());
        Self {
            id: format!("{}, {} replicas", rung.design, rung.replicas),
            name: "the published ladder".to_owned(),
            ground: rung.ground(),
            breaks: broken.unwrap_or_default(),
            shortest_trace: rung.shortest,
        }
    }

    /// The latest protocol, with everything that may befall a small world.
    pub(crate) fn latest() -> Self {
        let mut ground = LADDER[LADDER.len() - 1].ground();
        ground.name = "latest".to_owned();
        ground.families = vec![Family::Crashes, Family::PowerLosses, Family::Pauses, Family::Partitions];
        Self {
            id: "latest".to_owned(),
            name: "the latest protocol".to_owned(),
            ground,
            breaks: Vec::new(),
            shortest_trace: None,
        }
    }

    /// Whether something has broken that was expected to.
    pub(crate) fn breaks_as_expected(&self, tally: &Tally) -> bool {
        self.breaks.iter().any(|breaks| tally.showing(*breaks).is_some())
    }

    /// The id, as part of a file's name.
    pub(crate) fn file_name(&self) -> String {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
        self.id.replace(", ", "-").chars().map(plain).collect()
    }
}
