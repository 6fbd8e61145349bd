//! Partitions that move from each set of replicas to each other one, and die at each step of it (R95-R98).
//!
//! What the steps are an undisturbed run says; then the same run is told again for each of them, up to there without any
//! difference, and somebody is struck. Nothing is lost, and the partition ends where it was wanted.

use std::collections::BTreeSet;
use std::time::Duration;

use model::event::Event;
use model::machine::Command;
use model::metadata::MetadataRecord;
use model::names::{BrokerId, Node};
use model::protocol::{Admission, Moving, Protocol};
use scenarios::strategies::brisk;
use scenarios::{Guarantee, Outcome, World, scenario, scripted};
use sim::Verbs;
use sim::cluster::Cluster;
use sim::fact::{Fact, What};
use sim::fault::Fault;

use crate::reassigning::reassign;

/// Brokers, by their numbers.
type Set = Vec<u32>;

/// A partition has these replicas, and shall have those.
#[derive(Clone, Debug)]
struct Move {
    from: Set,
    to: Set,
}

/// Who is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Leader,
    /// The first replica that is new.
    Newcomer,
    /// The last replica that goes; the first one may be the leader.
    Leaver,
    Controller,
}

const VICTIMS: [Victim; 4] = [Victim::Leader, Victim::Newcomer, Victim::Leaver, Victim::Controller];

/// What befalls the victim, and when it is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Blow {
    /// The power goes, and with it what was not synced; or only the process.
    power: bool,
    /// Before anybody has noticed, or after it was given up.
    soon: bool,
}

const BLOWS: [Blow; 4] = [
    Blow { power: false, soon: true },
    Blow { power: false, soon: false },
    Blow { power: true, soon: true },
    Blow { power: true, soon: false },
];

/// A new replica catches up in several rounds of fetching.
fn cluster(brokers: u32, replicas: usize) -> Cluster {
    brisk(Cluster::of(brokers).controllers(3).min_isr(2))
        .replication_factor(u16::try_from(replicas).expect("a few replicas"))
        .property("replica.fetch.max.bytes", 100)
        .property("replica.fetch.response.max.bytes", 100)
}

/// The same in ZooKeeper mode.
fn with_zookeeper(replicas: usize) -> Cluster {
    brisk(Cluster::of(5).zookeeper().min_isr(2))
        .replication_factor(u16::try_from(replicas).expect("a few replicas"))
        .property("replica.fetch.max.bytes", 100)
        .property("replica.fetch.response.max.bytes", 100)
}

/// All sets of so many of the brokers that are numbered from 1.
fn sets(brokers: u32, sizes: impl Fn(usize) -> bool) -> Vec<Set> {
    let all = (1..1_u32 << brokers).map(|bits| (1..=brokers).filter(|broker| bits >> (broker - 1) & 1 == 1).collect());
    all.filter(|set: &Set| sizes(set.len())).collect()
}

/// An operator asks for these replicas.
fn ask(w: &mut World, set: &[u32]) {
    let set: Vec<BrokerId> = set.iter().copied().map(BrokerId).collect();
    reassign(w, Some(&set));
}

/// These and nobody else are the partition's replicas, and in sync; nothing is under way.
fn is_at(w: &World, set: &[u32]) -> bool {
    let sorted = |list: &[BrokerId]| list.iter().map(|broker| broker.0).collect::<BTreeSet<u32>>();
    let partition = w.partitions()[0];
    let wanted: BTreeSet<u32> = set.iter().copied().collect();
    let Some(now) = w.cast().registration(partition) else { return false };
    let is_settled = now.adding.is_empty() && now.removing.is_empty();
    is_settled && sorted(&now.replicas) == wanted && sorted(&now.isr) == wanted
}

/// Records arrive one by one while the partition moves.
fn load(w: &mut World, records: u64) {
    let (producer, topic) = (w.producer(), w.cluster().all_topics()[0].name.clone());
    for nth in 0..records {
        let (_, value) = w.fresh_value();
        w.submit_at(
            w.now() + Duration::from_millis(4 * nth),
            producer,
            Command::Send { topic: topic.clone(), key: None, value },
        );
    }
    w.submit_at(w.now() + Duration::from_millis(4 * records), producer, Command::Flush);
}

/// To each of the others and back, under load.
fn go_there_and_back(w: &mut World, from: &Set, sets: &[Set]) {
    for to in sets.iter().filter(|to| *to != from) {
        for set in [from, to] {
            ask(w, set);
            load(w, 5);
            assert!(w.until_in_world(|w| is_at(w, set)), "from {from:?} to {to:?}");
        }
    }
}

#[test]
fn a_partition_moves_from_each_set_of_four_brokers_to_each_other() {
    let sets = sets(4, |_| true);
    let mut pairs = 0;
    for from in &sets {
        scenario(cluster(4, from.len()), |w| {
            go_there_and_back(w, from, &sets);
            w.produce(5);
            w.quiet();
        });
        pairs += sets.len() - 1;
    }
    assert_eq!(pairs, 15 * 14);
}

#[test]
fn a_partition_moves_from_each_three_of_five_brokers_to_each_other_three() {
    let sets = sets(5, |size| size == 3);
    assert_eq!(sets.len(), 10);
    for from in &sets {
        scenario(cluster(5, 3), |w| {
            go_there_and_back(w, from, &sets);
            w.quiet();
        });
    }
}

/// A choice of all there are: none, some and all of the replicas stay; more, as many and fewer are wanted; one alone.
fn moves() -> Vec<Move> {
    let pairs: [(&[u32], &[u32]); 10] = [
        (&[1, 2], &[3, 4]),
        (&[1, 2], &[2, 3]),
        (&[1, 2, 3], &[3, 4, 5]),
        (&[1, 2, 3], &[5, 1, 2]),
        (&[1, 2], &[1, 2, 3, 4]),
        (&[1, 2], &[3, 4, 5]),
        (&[1, 2, 3, 4], &[4, 5]),
        (&[1, 2, 3], &[2, 3]),
        (&[1], &[2, 3]),
        (&[1, 2], &[3]),
    ];
    pairs.map(|(from, to)| Move { from: from.to_vec(), to: to.to_vec() }).to_vec()
}

/// A run up to the nth step of a move, from 0, and what then befalls somebody; or without anything befalling anybody.
fn tell(cluster: &Cluster, seed: u64, way: &Move, strike: Option<(usize, Victim, Blow)>) -> Outcome {
    scripted::tell(cluster, seed, &|w: &mut World| {
        // One batch each, so that whoever is new fetches as often as that.
        for _ in 0..25 {
            w.produce(1);
        }
        ask(w, &way.from);
        assert!(w.until_in_world(|w| is_at(w, &way.from)), "it is where it shall begin");
        w.produce(5);
        ask(w, &way.to);
        load(w, 40);
        if let Some((step, victim, blow)) = strike {
            let mut steps = Steps::default();
            let mut seen = 0;
            let reached = w.until_in_world(|w| {
                seen += w.latest().iter().filter(|fact| steps.see(fact)).count();
                seen > step
            });
            assert!(reached, "step {step} was not reached");
            befall(w, way, victim, blow);
        }
        w.produce(5);
        w.quiet();
        assert!(is_at(w, &way.to), "it is where it was wanted");
    })
}

fn befall(w: &mut World, way: &Move, victim: Victim, blow: Blow) {
    let partition = w.partitions()[0];
    let whom: Node = match victim {
        // Somebody may have given the lead up, and nobody has it yet.
        Victim::Leader => w.leader_of(0).or_else(|| w.cast().replicas(partition).first().copied()).map(Node::from),
        Victim::Newcomer => way.newcomers().next().map(Node::from),
        Victim::Leaver => way.leavers().last().map(Node::from),
        Victim::Controller if w.cluster().zookeeper => Some(w.controlling_broker().into()),
        Victim::Controller => Some(w.controller().into()),
    }
    .expect("there is one, or it would not be struck");
    if blow.power {
        w.power_off(whom);
    } else {
        w.crash(whom);
    }
    w.run_for(Duration::from_millis(if blow.soon { 100 } else { 5_000 }));
    w.restart(whom);
}

impl Move {
    fn newcomers(&self) -> impl DoubleEndedIterator<Item = BrokerId> + '_ {
        self.to.iter().filter(|broker| !self.from.contains(broker)).copied().map(BrokerId)
    }

    fn leavers(&self) -> impl DoubleEndedIterator<Item = BrokerId> + '_ {
        self.from.iter().filter(|broker| !self.to.contains(broker)).copied().map(BrokerId)
    }

    fn has(&self, victim: Victim) -> bool {
        match victim {
            Victim::Newcomer => self.newcomers().next().is_some(),
            Victim::Leaver => self.leavers().next().is_some(),
            Victim::Leader | Victim::Controller => true,
        }
    }

    /// Whether each record is on two disks at any time.
    fn is_never_alone(&self) -> bool {
        self.from.len() > 1 && self.to.len() > 1
    }
}

/// The steps of the last move that was asked for: what its controller commits about the partition, what its leader proposes,
/// who follows and leads anew, whose log is removed.
#[derive(Default)]
struct Steps {
    committed: usize,
}

impl Steps {
    /// Whether the fact is a step.
    fn see(&mut self, fact: &Fact) -> bool {
        match fact.event() {
            Some(Event::Committed {
                record: MetadataRecord::PartitionChange(_) | MetadataRecord::Assignment { .. },
                ..
            }) => {
                self.committed += 1;
                true
            }
            Some(
                Event::IsrKnown { pending: true, .. }
                | Event::Followed { .. }
                | Event::Led { .. }
                | Event::Removed { .. },
            ) => self.committed > 0,
            _ => false,
        }
    }

    /// How many steps the last move of this run had, and how many of them were committed records.
    fn of(outcome: &Outcome) -> (usize, usize) {
        let trace = outcome.trace.as_ref().expect("the trace is kept");
        let asked = |fact: &Fact| matches!(fact.what, What::Struck(Fault::Administer(_)));
        let begun = trace.iter().rposition(asked).expect("the move was asked for");
        let mut steps = Self::default();
        let all = trace[begun..].iter().filter(|fact| steps.see(fact)).count();
        (all, steps.committed)
    }
}

/// Seeds of everything that is struck.
const SEEDS: u64 = 1;

/// What striking came to.
#[derive(Debug, Default)]
struct Struck {
    /// How many steps the undisturbed runs had, each counted for every victim and blow there is.
    expected: usize,
    /// How many of them were committed records.
    committed: usize,
    /// In how many runs somebody was struck.
    struck: usize,
    /// What went wrong, a line each.
    broken: Vec<String>,
}

/// Strikes at each step of these moves.
fn strike_at_each_step(cluster: impl Fn(usize) -> Cluster, moves: &[Move]) -> Struck {
    let mut all = Struck::default();
    for way in moves {
        let cluster = cluster(way.from.len());
        for seed in 0..SEEDS {
            let undisturbed = tell(&cluster, seed, way, None);
            let (steps, committed) = Steps::of(&undisturbed);
            let victims: Vec<Victim> = VICTIMS.into_iter().filter(|victim| way.has(*victim)).collect();
            all.expected += steps * victims.len() * BLOWS.len();
            all.committed += committed;
            for step in 0..steps {
                for &victim in &victims {
                    for blow in BLOWS {
                        let outcome = tell(&cluster, seed, way, Some((step, victim, blow)));
                        all.struck += usize::from(was_struck(&outcome));
                        let wrong = wrong(&outcome, way, blow);
                        all.broken.extend(wrong.map(|why| {
                            format!("{way:?}, seed {seed}, step {step} of {steps}, {victim:?}, {blow:?}: {why}")
                        }));
                    }
                }
            }
        }
    }
    all
}

/// Whether somebody died before everything was healed.
fn was_struck(outcome: &Outcome) -> bool {
    let dead = |fact: &Fact| matches!(fact.what, What::Struck(Fault::Crash(_) | Fault::PowerOff(_)));
    outcome.trace.iter().flatten().any(dead)
}

/// What is wrong with a run, if anything is.
fn wrong(outcome: &Outcome, way: &Move, blow: Blow) -> Option<String> {
    if let Some(panicked) = &outcome.panicked {
        return Some(panicked.to_string());
    }
    if let Some(violation) = outcome.violations.first() {
        return Some(format!("{:?}: {}", violation.guarantee, violation.sentence));
    }
    // One disk that loses what it had may be excused, but only if it was the only one.
    let lost = outcome.lost.lost;
    (lost > 0 && (way.is_never_alone() || !blow.power)).then(|| format!("{lost} records are lost"))
}

#[test]
fn whoever_dies_at_whichever_step_of_a_move_nothing_is_lost() {
    let Struck { expected, committed, struck, broken } = strike_at_each_step(|replicas| cluster(5, replicas), &moves());
    assert!(broken.is_empty(), "{} of {struck}:\n{}", broken.len(), broken[..broken.len().min(20)].join("\n"));
    assert_eq!(struck, expected, "each step was struck");
    assert!(committed >= 2 * moves().len(), "{committed} records: each move begins and ends, or does both in one");
}

/// ZooKeeper mode: who moves what is in a znode, and who is in sync in another (KIP-455).
#[test]
fn whoever_dies_at_whichever_step_of_a_move_in_zookeeper_mode_nothing_is_lost() {
    let Struck { expected, committed, struck, broken } = strike_at_each_step(with_zookeeper, &moves());
    assert!(broken.is_empty(), "{} of {struck}:\n{}", broken.len(), broken[..broken.len().min(20)].join("\n"));
    assert_eq!(struck, expected, "each step was struck");
    assert!(
        committed >= 4 * moves().len(),
        "{committed} records: both znodes are written when it begins and when it ends"
    );
}

/// P11: whoever fetches is in sync, so a move ends while the new replicas have next to nothing.
#[test]
fn whoever_dies_in_a_move_takes_records_along_if_new_replicas_are_let_in_too_early() {
    let planted = Protocol { admission: Admission::Anyone, ..Protocol::LATEST };
    for way in moves().into_iter().filter(|way| way.newcomers().next().is_some()) {
        let Struck { expected, struck, broken, .. } =
            strike_at_each_step(|replicas| cluster(5, replicas).protocol(planted), std::slice::from_ref(&way));
        assert_eq!(struck, expected, "each step was struck");
        assert!(!broken.is_empty(), "{way:?}: nothing was broken in {struck} runs");
    }
}

/// Planted: the old replicas go as soon as that is asked for, and nobody need die.
#[test]
fn records_are_lost_if_a_move_ends_when_it_begins() {
    let planted = Protocol { moving: Moving::AtOnce, ..Protocol::LATEST };
    for way in moves().into_iter().filter(|way| way.newcomers().next().is_some()) {
        let outcome = tell(&cluster(5, way.from.len()).protocol(planted), 0, &way, None);
        let stays = way.from.iter().any(|broker| way.to.contains(broker));
        let broken = outcome.violations.iter().map(|violation| violation.guarantee).collect::<Vec<_>>();
        assert!(!broken.is_empty(), "{way:?}");
        // Where one of the old ones stays, it leads on, and who is new copies from it what it does not have.
        assert!(stays || (broken.contains(&Guarantee::Durability) && outcome.lost.lost > 0), "{way:?}: {broken:?}");
    }
}

/// The same in ZooKeeper mode: the judge is not milder there.
#[test]
fn records_are_lost_if_a_move_in_zookeeper_mode_ends_when_it_begins() {
    let planted = Protocol { moving: Moving::AtOnce, ..Protocol::ZOOKEEPER };
    for way in moves().into_iter().filter(|way| way.newcomers().next().is_some()) {
        let outcome = tell(&with_zookeeper(way.from.len()).protocol(planted), 0, &way, None);
        assert!(!outcome.violations.is_empty(), "{way:?}");
        let stays = way.from.iter().any(|broker| way.to.contains(broker));
        assert!(stays || outcome.lost.lost > 0, "{way:?}");
    }
}
