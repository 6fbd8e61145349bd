//! Searching: which storm is tried next, when a bug is looked for.
//!
//! A [`Strategy`] turns numbers into plans, one after the other, and may learn from what came of those before. All of them hunt on the
//! same [`Ground`]: cluster, load and length are the bug's, only the storm is the strategy's. Nothing here knows a guarantee;
//! what a run shows is compared in [`hunt`].

mod elections;
pub mod explore;
mod grounds;
mod guided;
mod hunting;
mod ladder;
mod lags;
mod meanwhile;
mod moves;
mod states;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rand::Rng;
use sim::cluster::Cluster;
use sim::dice::Dice;
use sim::fault::{Aim, Sight, Strike, Target, When};

pub use self::hunting::{Attempt, Found, Hunt, attempt, hunt};
pub use self::ladder::{Climbed, LADDER, Rung};
pub use self::states::States;
use crate::known_bugs::KnownBug;
use crate::load::Load;
use crate::run::Plan;
use crate::storm::{Family, Intensity, Storm};

/// A way to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strategy {
    /// Misfortunes at any time, of all families that the bug needs.
    Uniform,
    /// Each storm has some families only, bug's or not, a tempo and a size of its own.
    Swarm,
    /// All misfortunes lie in ambush, for the roles that what happens concerns.
    Ambush,
    /// Several elections in a row.
    Elections,
    /// One class of message to one node is late, and a few misfortunes on top.
    Late,
    /// All conversations have priorities that change now and then: the low ones wait (PCT, by delays).
    Priorities,
    /// Storms that reached new states of the protocol are kept and changed a little.
    Guided,
    /// Each of the others in turn, the better ones more often.
    Mixed,
    /// Every placement of one deviation in the small world of the ground, then of two, and so on (see [`explore`]). It is no part of the
    /// mixed search, and no seed changes it: every hunt is the same one again.
    Exhaustive,
}

/// Where a bug is looked for: all of a plan but its storm and its seed.
#[derive(Clone, Debug)]
pub struct Ground {
    /// What plans are called.
    pub name: String,
    /// The cluster that has the bug.
    pub cluster: Cluster,
    /// What is written meanwhile.
    pub load: Load,
    /// Of which families storms are.
    pub families: Vec<Family>,
    /// How long storm and load last.
    pub length: Duration,
}

/// How long storms last in which a bug is looked for: some five times the timeouts of a brisk cluster.
const LENGTH: Duration = Duration::from_secs(15);
/// Records a second.
const RATE: u32 = 40;
/// How often it is asked where a log ends, where that is what goes wrong.
const LISTINGS: Duration = Duration::from_millis(100);

/// A search under way: plans come out of it, and what came of them goes in.
pub(crate) trait Searcher {
    /// What to try next. `seed` was not given before.
    fn next(&mut self, ground: &Ground, seed: u64) -> Plan;

    /// What came of the plan.
    fn learn(&mut self, plan: &Plan, states: &States) {
        let _ = (plan, states);
    }

    /// Whether it wants to know which states a run has been in; that is not for free.
    fn is_curious(&self) -> bool {
        false
    }
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Uniform,
        Self::Swarm,
        Self::Ambush,
        Self::Elections,
        Self::Late,
        Self::Priorities,
        Self::Guided,
        Self::Mixed,
        Self::Exhaustive,
    ];

    /// Its name, as it is typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Swarm => "swarm",
            Self::Ambush => "ambush",
            Self::Elections => "elections",
            Self::Late => "late",
            Self::Priorities => "priorities",
            Self::Guided => "guided",
            Self::Mixed => "mixed",
            Self::Exhaustive => "exhaustive",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.name() == name)
    }

    /// A search that has not seen anything yet.
    pub(crate) fn begin(self) -> Box<dyn Searcher> {
        match self {
            Self::Guided => Box::new(guided::Guided::default()),
            Self::Exhaustive => Box::new(explore::Exhaustive::default()),
            other => Box::new(Drawn(other)),
        }
    }

    /// The storm of this seed, for those that learn nothing.
    fn storm(self, ground: &Ground, dice: Dice) -> Storm {
        let drawn = |intensity: Intensity| Storm::draw(dice, &ground.cluster, &intensity);
        let own = |faults, ambushes| Intensity { ambushes, ..Intensity::of(faults, ground.length, &ground.families) };
        match self {
            Self::Uniform => drawn(own(6, 0)),
            Self::Swarm => drawn(Intensity::swarm(10, ground.length)),
            Self::Ambush => face_to_face(drawn(own(5, 100)), dice),
            Self::Elections if moves::suit(ground, dice) => moves::storm(ground, dice),
            Self::Elections => elections::storm(ground, dice),
            Self::Late => lags::late(ground, dice),
            Self::Priorities => lags::priorities(ground, dice),
            // The exhaustive search draws no storm of its own.
            Self::Guided | Self::Mixed | Self::Exhaustive => {
                MIX[(dice.seed() % MIX.len() as u64) as usize].storm(ground, dice)
            }
        }
    }
}

/// In which proportion the mixed search goes round the others. By the scoreboard, not by belief: what is hard to find is found by
/// what is late and by storms of all kinds, and what is not is found by any of them.
const MIX: [Strategy; 10] = [
    Strategy::Late,
    Strategy::Swarm,
    Strategy::Uniform,
    Strategy::Late,
    Strategy::Elections,
    Strategy::Ambush,
    Strategy::Late,
    Strategy::Uniform,
    Strategy::Swarm,
    Strategy::Priorities,
];

/// Half of those who lie in ambush strike whom they see, and not somebody else.
fn face_to_face(mut storm: Storm, dice: Dice) -> Storm {
    let mut chosen: BTreeMap<(Sight, u32), bool> = BTreeMap::new();
    let mut draw = dice.draw(&("search", "whom they see"));
    for Strike { when, fault } in &mut storm.strikes {
        let (When::Ambush { on, skip, .. }, Aim::One(_)) = (&*when, fault.aim()) else { continue };
        // The end of a misfortune waits for the same sight, and is the end of the same one's.
        if *chosen.entry((*on, *skip)).or_insert_with(|| draw.gen_bool(0.5)) {
            fault.rename(&mut |_| Target::Seen);
        }
    }
    storm
}

/// A search that learns nothing: each seed has its storm.
struct Drawn(Strategy);

impl Searcher for Drawn {
    fn next(&mut self, ground: &Ground, seed: u64) -> Plan {
        ground.plan(self.0.storm(ground, Dice::new(seed)), seed)
    }
}

impl Ground {
    /// Where this bug is looked for.
    #[must_use]
    pub fn of(bug: &KnownBug) -> Self {
        Self {
            name: format!("bug-{}", bug.id),
            cluster: grounds::cluster(bug.id).map_or_else(|| bug.cluster(), |cluster| cluster.protocol(bug.protocol)),
            load: Load {
                rate: RATE,
                keys: 8,
                listings: bug.is_about_listings().then_some(LISTINGS),
                ..Load::default()
            },
            families: bug.families.to_vec(),
            length: LENGTH,
        }
    }

    /// The plan with this storm.
    #[must_use]
    pub fn plan(&self, storm: Storm, seed: u64) -> Plan {
        Plan {
            scenario: self.name.clone(),
            cluster: self.cluster.clone(),
            storm,
            load: self.load.clone(),
            seed,
            length: self.length,
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known_bugs;

    #[test]
    fn a_strategy_is_found_by_its_name_and_draws_the_same_storm_twice() {
        let bug = known_bugs::named("B01").unwrap();
        let ground = Ground::of(bug);
        for strategy in Strategy::ALL {
            assert_eq!(Strategy::named(strategy.name()), Some(strategy));
            let (mut one, mut other) = (strategy.begin(), strategy.begin());
            let mut different = 0;
            for seed in 0..30 {
                let plan = one.next(&ground, seed);
                assert_eq!(plan, other.next(&ground, seed), "{strategy}");
                assert!(!plan.storm.strikes.is_empty(), "{strategy}");
                different += u32::from(plan.storm != one.next(&ground, seed + 1_000).storm);
                let _ = other.next(&ground, seed + 1_000);
            }
            assert_eq!(different, 30, "{strategy}");
        }
    }

    #[test]
    fn every_bug_has_a_ground_on_which_every_strategy_can_hunt() {
        for bug in known_bugs::all() {
            let ground = Ground::of(bug);
            assert_eq!(ground.cluster.check(), Ok(()), "{}", bug.id);
            assert_eq!(ground.cluster.protocol, bug.protocol, "{}", bug.id);
            for strategy in Strategy::ALL {
                let _ = strategy.begin().next(&ground, 7);
            }
        }
    }
}
