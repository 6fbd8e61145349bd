//! Misfortunes, drawn before they blow: a list that can be printed, kept in a file and shrunk by deletion.
//!
//! Each seed first draws what kind of storm it is: how many faults, at which tempo, of which families (swarm: a storm
//! without pauses meets what a storm full of pauses hides). Every fault that lasts has its end in the list, mostly.
//! Nothing here knows a run; whom a role such as "the leader" means is looked up when the fault strikes.

mod controllers;
mod hand;
mod machines;
mod network;
mod operator;
mod processes;
mod tempo;

use std::time::Duration;

use rand::Rng;
use serde::{Deserialize, Serialize};
use sim::cluster::Cluster;
use sim::dice::{Dice, Draw};
use sim::fault::Strike;

use self::hand::{Hand, Place};
use self::tempo::Tempo;

/// What befalls a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    /// The misfortunes and their ends, in the order in which they were drawn.
    pub strikes: Vec<Strike>,
}

/// What kinds of storms may be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intensity {
    /// How many misfortunes at most; their ends are not counted.
    pub faults: u32,
    /// Over how long.
    pub span: Duration,
    /// Of which families.
    pub families: Vec<Family>,
    /// Whether each storm has only some of the families, and only some of the misfortunes.
    pub swarm: bool,
    /// How many of a hundred misfortunes lie in ambush.
    pub ambushes: u32,
}

/// Misfortunes that have a place in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Family {
    /// Processes are killed, or told to stop, and return.
    Crashes,
    /// The power goes, of one host or of all.
    PowerLosses,
    /// Processes stand still.
    Pauses,
    /// Links are cut: one way, both ways, all of a node's, to the controller only, to the followers only.
    Partitions,
    /// Links are slow, hold messages back, or are reset.
    Weather,
    /// Disks stall, are slow, are full, fail.
    Disks,
    /// Clocks are wrong, run wrong, or jump.
    Clocks,
    /// An operator moves partitions, elects leaders and changes `min.insync.replicas` in the midst of it.
    Administration,
    /// Controllers of a quorum are killed, lose power, stand still and are cut off, some of them with brokers.
    Controllers,
}

impl Family {
    /// All that any cluster can be struck by.
    pub const ALL: [Self; 7] =
        [Self::Crashes, Self::PowerLosses, Self::Pauses, Self::Partitions, Self::Weather, Self::Disks, Self::Clocks];
}

impl Intensity {
    /// Exactly so many misfortunes of these families over so long, three in ten in ambush.
    #[must_use]
    pub fn of(faults: u32, span: Duration, families: &[Family]) -> Self {
        Self { faults, span, families: families.to_vec(), swarm: false, ambushes: 30 }
    }

    /// A kind of storm of its own for each seed: up to so many misfortunes, of some of the families.
    #[must_use]
    pub fn swarm(faults: u32, span: Duration) -> Self {
        Self { faults, span, families: Family::ALL.to_vec(), swarm: true, ambushes: 40 }
    }
}

impl Storm {
    /// No misfortune at all.
    #[must_use]
    pub fn calm() -> Self {
        Self::default()
    }

    /// Exactly these misfortunes.
    #[must_use]
    pub fn of(strikes: Vec<Strike>) -> Self {
        Self { strikes }
    }

    /// A storm of this intensity, drawn by the dice. The same dice draw the same storm.
    #[must_use]
    pub fn draw(dice: Dice, cluster: &Cluster, intensity: &Intensity) -> Self {
        let mut kind = dice.draw(&("storm", "kind"));
        let families = families_of(&mut kind, intensity);
        let faults = if intensity.swarm { kind.gen_range(1..=intensity.faults.max(1)) } else { intensity.faults };
        let tempo = Tempo::draw(&mut kind, intensity.span);
        let mut strikes = Vec::new();
        for nth in 0..faults {
            let mut hand =
                Hand { draw: dice.draw(&("storm", "fault", nth)), place: Place::of(cluster), strikes: Vec::new() };
            hand.misfortune(&families, &tempo, intensity);
            strikes.append(&mut hand.strikes);
        }
        Self { strikes }
    }
}

/// Which families this storm has: never none.
fn families_of(kind: &mut Draw, intensity: &Intensity) -> Vec<Family> {
    if !intensity.swarm {
        return intensity.families.clone();
    }
    let mut families: Vec<Family> = intensity.families.iter().copied().filter(|_| kind.gen_bool(0.5)).collect();
    if families.is_empty() {
        families.push(pick(kind, &intensity.families));
    }
    families
}

fn pick<T: Copy>(draw: &mut Draw, from: &[T]) -> T {
    from[draw.gen_range(0..from.len())]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sim::fault::{Fault, Target};

    use super::*;

    fn intensity() -> Intensity {
        Intensity::of(12, Duration::from_secs(60), &Family::ALL)
    }

    #[test]
    fn a_storm_is_drawn_from_its_seed_alone() {
        let cluster = Cluster::of(3);
        let draw = |seed| Storm::draw(Dice::new(seed), &cluster, &intensity());
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn a_storm_survives_being_written_and_read() {
        for seed in 0..50 {
            let storm = Storm::draw(Dice::new(seed), &Cluster::of(4), &intensity());
            let text = serde_json::to_string(&storm).unwrap();
            assert_eq!(serde_json::from_str::<Storm>(&text).unwrap(), storm);
        }
    }

    #[test]
    fn what_goes_down_comes_back_mostly() {
        let (mut down, mut up) = (0, 0);
        for seed in 0..200 {
            let families = [Family::Crashes, Family::PowerLosses];
            let storm =
                Storm::draw(Dice::new(seed), &Cluster::of(3), &Intensity::of(12, Duration::from_secs(60), &families));
            for strike in storm.strikes {
                match strike.fault {
                    Fault::Start(_) => up += 1,
                    Fault::Restart(_) => {}
                    _ => down += 1,
                }
            }
        }
        assert!(up < down && up * 100 > down * 80, "{down} went down and {up} came back");
    }

    #[test]
    fn a_swarm_has_storms_with_and_without_each_family() {
        let mut sizes = BTreeSet::new();
        let (mut with_pauses, mut without) = (0, 0);
        for seed in 0..100 {
            let storm = Storm::draw(Dice::new(seed), &Cluster::of(3), &Intensity::swarm(12, Duration::from_secs(60)));
            assert!(!storm.strikes.is_empty());
            sizes.insert(storm.strikes.len());
            let pauses = storm.strikes.iter().any(|strike| matches!(strike.fault, Fault::Pause(..)));
            *if pauses { &mut with_pauses } else { &mut without } += 1;
        }
        assert!(sizes.len() > 10 && with_pauses > 15 && without > 15, "{sizes:?} {with_pauses} {without}");
    }

    #[test]
    fn no_link_leads_from_a_node_to_itself() {
        let ends = |fault: &Fault| match fault {
            Fault::Cut { from, to }
            | Fault::Hold { from, to }
            | Fault::Delay { from, to, .. }
            | Fault::Lag { from, to, .. }
            | Fault::Stall { from, to, .. }
            | Fault::Slow { from, to, .. } => Some((from.clone(), to.clone())),
            Fault::CutBoth { between, and } | Fault::Sever { between, and } => Some((between.clone(), and.clone())),
            _ => None,
        };
        for seed in 0..400 {
            let brokers = 1 + seed as u32 % 4;
            let families = [Family::Partitions, Family::Weather];
            let intensity = Intensity::of(12, Duration::from_secs(60), &families);
            let storm = Storm::draw(Dice::new(seed), &Cluster::of(brokers), &intensity);
            for (one, other) in storm.strikes.iter().filter_map(|strike| ends(&strike.fault)) {
                assert!(one != other, "{one:?} and {other:?}");
                assert!(
                    brokers > 1 || ![&one[..], &other[..]].contains(&&[Target::Brokers][..]),
                    "a broker on its own"
                );
            }
        }
    }
}
