//! The durability table: which settings keep which acknowledged records under which faults (R8, R9, G6-G14).
//!
//! A cell says what the documents state for it, and what to run for it; what came of its runs is for others to add up.
//! Every cell is struck in the worst way that its settings allow: two rounds of three, and the last-standing fault always,
//! begin with an in-sync set that is as small as `min.insync.replicas` lets it become under `acks=all`.

use std::time::Duration;

use model::config::Acks;
use model::protocol::Protocol;
use rand::Rng;
use rand::seq::SliceRandom;
use serde::Serialize;
use sim::cluster::Cluster;
use sim::dice::Dice;
use sim::fault::{Fault, Strike, Target};

use crate::judge::LossSummary;
use crate::load::Load;
use crate::storm::Storm;

/// The name of the scenario whose seeds go through all cells.
pub const SCENARIO: &str = "matrix";

/// Who may lead when the in-sync set has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Elections {
    /// Only who is in sync (`unclean.leader.election.enable=false`).
    Clean,
    /// Also eligible leader replicas (KIP-966).
    Eligible,
    /// Anybody (`unclean.leader.election.enable=true`).
    Unclean,
}

/// What befalls the cell's partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blow {
    /// The leader's process is killed.
    Crash,
    /// The processes of the leader and of another replica, in sync if there is one, are killed at once.
    CrashOfTwo,
    /// The power of the leader's host goes.
    Power,
    /// The power of the leader's and of another replica's host, in sync if there is one, goes at once.
    PowerOfTwo,
    /// The leader is cut off from brokers and controllers, and not from clients.
    Partition,
    /// One follower after another is cut off; then the power of the leader's host goes, which is back within its session.
    LastStanding,
}

/// What the documents state about a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stated {
    /// No acknowledged record is lost in any run.
    Zero,
    /// Acknowledged records are lost in some runs.
    NonZero,
    /// Nothing is stated.
    Open,
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cell {
    /// Whose word the producer waits for.
    #[serde(skip)]
    pub acks: Acks,
    /// The replication factor, and the number of brokers.
    pub replication_factor: u32,
    /// `min.insync.replicas`.
    pub min_insync_replicas: u32,
    /// Who may lead.
    pub elections: Elections,
    /// What befalls it.
    pub blow: Blow,
    /// Whether every message is synced before it is answered (`log.flush.interval.messages=1`).
    pub fsync: bool,
}

/// What is acknowledged between two moments of the storm.
const SHRUNK: Duration = Duration::from_secs(6);
const LENGTH: Duration = Duration::from_secs(16);

impl Elections {
    /// All, in the order of a table.
    pub const ALL: [Self; 3] = [Self::Clean, Self::Eligible, Self::Unclean];

    /// In words, for a table.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Eligible => "eligible (KIP-966)",
            Self::Unclean => "unclean",
        }
    }
}

impl Blow {
    /// All, in the order of a table.
    pub const ALL: [Self; 6] =
        [Self::Crash, Self::CrashOfTwo, Self::Power, Self::PowerOfTwo, Self::Partition, Self::LastStanding];

    /// In words, for a table.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::CrashOfTwo => "crash of two",
            Self::Power => "power loss",
            Self::PowerOfTwo => "power loss of two",
            Self::Partition => "leader cut off",
            Self::LastStanding => "last one standing",
        }
    }

    /// How many hosts lose their processes or their power at once.
    fn struck(self) -> u32 {
        match self {
            Self::Partition => 0,
            Self::Crash | Self::Power | Self::LastStanding => 1,
            Self::CrashOfTwo | Self::PowerOfTwo => 2,
        }
    }

    fn takes_what_is_not_synced(self) -> bool {
        matches!(self, Self::Power | Self::PowerOfTwo | Self::LastStanding)
    }
}

impl Cell {
    /// All cells: the durability table first, the four of the debate about fsync last.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for acks in [Acks::None, Acks::Leader, Acks::All] {
            for (replication_factor, min_insync_replicas) in Self::sizes() {
                for elections in Elections::ALL {
                    let cell =
                        |blow| Self { acks, replication_factor, min_insync_replicas, elections, blow, fsync: false };
                    cells.extend(Blow::ALL.map(cell).into_iter().filter(|cell| cell.makes_sense()));
                }
            }
        }
        cells.extend(Self::debate());
        cells
    }

    /// Replication factors with the values of `min.insync.replicas` that make sense with each.
    pub fn sizes() -> impl Iterator<Item = (u32, u32)> {
        (1..=3).flat_map(|replicas| (1..=replicas).map(move |min_isr| (replicas, min_isr)))
    }

    /// The debate whether replication needs fsync (R9), as four switches: the last one standing loses its power, with and
    /// without syncing, with and without eligible leader replicas.
    #[must_use]
    pub fn debate() -> Vec<Self> {
        let cell = |fsync, elections| Self {
            acks: Acks::All,
            replication_factor: 3,
            min_insync_replicas: 2,
            elections,
            blow: Blow::LastStanding,
            fsync,
        };
        let switches = [false, true]
            .into_iter()
            .flat_map(|fsync| [Elections::Clean, Elections::Eligible].map(|elections| (fsync, elections)));
        switches.map(|(fsync, elections)| cell(fsync, elections)).collect()
    }

    /// The place among all cells of the one that this seed is for: any run of seeds as long as the table has all of it.
    #[must_use]
    pub fn of_seed(seed: u64) -> usize {
        usize::try_from(seed % Self::all().len() as u64).expect("there are a few hundred cells")
    }

    /// What is stated about it.
    #[must_use]
    pub fn stated(&self) -> Stated {
        let &Self { replication_factor: replicas, min_insync_replicas: min_isr, elections, blow, .. } = self;
        if self.fsync {
            return Stated::Zero;
        }
        let loses = match (self.acks, blow) {
            // Sent is acknowledged: whoever does not take it has lost it. A leader without followers that is cut off from
            // the controller is not told so, and whether it hears of its own election before the next batch comes is open.
            (Acks::None, Blow::Partition) if replicas == 1 => return Stated::Open,
            (Acks::None, _) => true,
            // What no follower has yet is gone if another one leads, and what is not synced if the power goes.
            (Acks::Leader, Blow::Crash | Blow::Partition | Blow::CrashOfTwo) => replicas > 1,
            (Acks::Leader, _) => true,
            // An in-sync set of the smallest size loses its last member, and who is not in it may lead (G14).
            (Acks::All, Blow::Crash | Blow::CrashOfTwo) => {
                elections == Elections::Unclean && min_isr <= blow.struck() && min_isr < replicas
            }
            (Acks::All, Blow::Partition) => elections == Elections::Unclean && min_isr == 1 && replicas > 1,
            // As many lossy failures as the smallest in-sync set has members (G7).
            (Acks::All, Blow::Power | Blow::PowerOfTwo) => min_isr <= blow.struck(),
            // Who is alone in the in-sync set leads with what is left of its log, unless others are eligible (G10, R80). They
            // are from a minimum of two on only.
            (Acks::All, Blow::LastStanding) => elections != Elections::Eligible || min_isr == 1,
        };
        if loses { Stated::NonZero } else { Stated::Zero }
    }

    /// How many acknowledged records a run of this cell lost.
    #[must_use]
    pub fn lost(&self, lost: &LossSummary) -> u64 {
        match self.acks {
            Acks::None => lost.unacknowledged_lost,
            Acks::Leader => lost.acknowledged_by_leader_lost,
            Acks::All => lost.acknowledged_lost,
        }
    }

    fn makes_sense(&self) -> bool {
        let others = self.replication_factor > 1;
        others || matches!(self.blow, Blow::Crash | Blow::Power | Blow::Partition)
    }

    pub(crate) fn cluster(&self) -> Cluster {
        let cluster = Cluster::of(self.replication_factor)
            .replication_factor(u16::try_from(self.replication_factor).expect("three at most"))
            .min_isr(self.min_insync_replicas)
            .partitions(1)
            .producers(1)
            .consumers(1)
            .acks(self.acks)
            .unclean_leader_election(self.elections == Elections::Unclean)
            .property("broker.session.timeout.ms", 1_500)
            .property("broker.heartbeat.interval.ms", 400)
            .property("replica.lag.time.max.ms", 1_500)
            // What is refused for longer than producers wait must not be read.
            .try_properties(&[("producer.request.timeout.ms", "1500"), ("producer.delivery.timeout.ms", "4000")])
            .expect("these are properties of producers");
        let cluster = if self.fsync { cluster.property("log.flush.interval.messages", 1) } else { cluster };
        match self.elections {
            Elections::Eligible => cluster.protocol(Protocol::KAFKA_4_1),
            Elections::Clean | Elections::Unclean => cluster,
        }
    }

    pub(crate) fn load() -> Load {
        Load { rate: 200, ..Load::default() }
    }

    /// How long load and storm last.
    pub(crate) fn length() -> Duration {
        LENGTH
    }

    /// What befalls it in this seed's run.
    pub(crate) fn storm(&self, dice: Dice) -> Storm {
        let mut draw = dice.draw(&("matrix", "storm"));
        let leader = Target::Leader(0);
        let (servers, seconds) = (vec![Target::Brokers, Target::Controllers], Duration::from_secs_f64);
        let apart = |who: Target| Fault::CutBoth { between: vec![who], and: servers.clone() };
        // Followers are always a little behind: what only the leader has is there at any time.
        let behind = Fault::Delay {
            from: vec![Target::Brokers],
            to: vec![Target::Brokers],
            extra: Duration::from_millis(15),
            jitter: Duration::from_millis(10),
        };
        let mut strikes = vec![Strike::at(seconds(0.5), behind.clone())];
        // The followers from the last one on: those that stay are the first.
        let in_sync_at_last = if self.blow == Blow::LastStanding { 1 } else { self.min_insync_replicas };
        let shrinks = self.blow == Blow::LastStanding || draw.gen_range(0..3) > 0;
        let leavers = if shrinks { self.replication_factor - in_sync_at_last } else { 0 };
        for nth in 0..leavers {
            let who = Target::Follower(0, self.replication_factor - 2 - nth);
            strikes.push(Strike::at(seconds(2.0 + f64::from(nth) * 0.7 + draw.gen_range(0.0..0.3)), apart(who)));
        }
        let at = SHRUNK + seconds(draw.gen_range(0.0..1.0));
        let soon = at + seconds(draw.gen_range(0.05..0.3));
        match self.blow {
            Blow::Partition => {
                strikes.push(Strike::at(at, Fault::Heal));
                strikes.push(Strike::at(at + Duration::from_micros(1), apart(leader)));
                strikes.push(Strike::at(at + Duration::from_micros(1), behind));
                strikes.push(Strike::at(at + seconds(draw.gen_range(4.0..5.0)), Fault::Heal));
            }
            Blow::LastStanding => {
                strikes.push(Strike::at(at, Fault::PowerOff(leader)));
                strikes.push(Strike::at(soon, Fault::Start(leader)));
                strikes.push(Strike::at(at + seconds(draw.gen_range(1.0..3.0)), Fault::Heal));
            }
            Blow::Crash | Blow::CrashOfTwo | Blow::Power | Blow::PowerOfTwo => {
                let lossy = self.blow.takes_what_is_not_synced();
                let blow = |who| if lossy { Fault::PowerOff(who) } else { Fault::Crash(who) };
                strikes.push(Strike::at(at, blow(leader)));
                for nth in 1..self.blow.struck() {
                    strikes.push(Strike::at(at, blow(Target::Follower(0, nth - 1))));
                }
                strikes.push(Strike::at(soon, Fault::Heal));
                let mut brokers: Vec<u32> = (0..self.replication_factor).collect();
                brokers.shuffle(&mut draw);
                let mut back = at + seconds(draw.gen_range(3.0..4.0));
                for broker in brokers {
                    strikes.push(Strike::at(back, Fault::Start(Target::AnyBroker(broker))));
                    back += seconds(draw.gen_range(0.1..0.8));
                }
            }
        }
        Storm::of(strikes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_run_of_seeds_as_long_as_the_table_has_every_cell_once() {
        let cells = Cell::all();
        let length = cells.len() as u64;
        for from in [0, 17, 12_345] {
            let seen: BTreeSet<usize> = (from..from + length).map(Cell::of_seed).collect();
            assert_eq!(seen.len(), cells.len());
        }
        assert_eq!(
            cells.iter().collect::<BTreeSet<_>>().len() + 2,
            cells.len(),
            "two of the debate are in the table, too"
        );
    }

    #[test]
    fn what_is_stated_is_the_table_of_the_documents() {
        let stated = |acks, (replication_factor, min_insync_replicas), elections, blow| {
            Cell { acks, replication_factor, min_insync_replicas, elections, blow, fsync: false }.stated()
        };
        use Elections::{Clean, Eligible, Unclean};
        assert_eq!(stated(Acks::All, (3, 1), Clean, Blow::Crash), Stated::Zero);
        assert_eq!(stated(Acks::All, (3, 1), Clean, Blow::Power), Stated::NonZero);
        assert_eq!(stated(Acks::All, (3, 2), Clean, Blow::Power), Stated::Zero);
        assert_eq!(stated(Acks::All, (3, 2), Clean, Blow::PowerOfTwo), Stated::NonZero);
        assert_eq!(stated(Acks::All, (3, 3), Clean, Blow::PowerOfTwo), Stated::Zero);
        assert_eq!(stated(Acks::All, (3, 2), Clean, Blow::LastStanding), Stated::NonZero);
        assert_eq!(stated(Acks::All, (3, 2), Eligible, Blow::LastStanding), Stated::Zero);
        assert_eq!(stated(Acks::All, (3, 1), Unclean, Blow::Crash), Stated::NonZero);
        assert_eq!(stated(Acks::Leader, (3, 2), Clean, Blow::Crash), Stated::NonZero);
        assert_eq!(stated(Acks::Leader, (1, 1), Clean, Blow::Crash), Stated::Zero);
        let debate: Vec<Stated> = Cell::debate().iter().map(Cell::stated).collect();
        assert_eq!(debate, [Stated::NonZero, Stated::Zero, Stated::Zero, Stated::Zero], "none/off alone may lose");
    }
}
