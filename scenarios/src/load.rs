//! Who writes, how fast, and until when; and who deletes: a load that runs as long as the storm.
//!
//! Over an idle cluster a storm tests nothing. The records are submitted a slice at a time, so that a long run does not
//! begin with a queue of everything that will ever be written. Each record's time, topic and key are drawn by producer
//! and number: no fault changes what is written.

use std::time::Duration;

use bytes::Bytes;
use model::machine::Command;
use model::names::{Offset, Partition};
use model::wire::OffsetSpec;
use rand::Rng;
use serde::{Deserialize, Serialize};
use sim::Hands;
use sim::Verbs;
use sim::cluster::Topic;
use sim::dice::Dice;
use sim::fact::Moment;

use crate::World;

/// What clients are asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Records per second of each producer; 0 for none.
    pub rate: u32,
    /// How many different keys there are; 0 for records without a key.
    pub keys: u32,
    /// When the load ends, counted from the beginning of the scenario; `None` for with the scenario.
    pub ends: Option<Duration>,
    /// How often the admin client deletes the first records of some partition whose topic is not compacted (DeleteRecords);
    /// `None` for never.
    #[serde(default)]
    pub deletions: Option<Duration>,
    /// How often the admin client asks where some partition ends (ListOffsets); `None` for never.
    #[serde(default)]
    pub listings: Option<Duration>,
}

impl Default for Load {
    /// That of the reference scenario: 100 records a second of each producer, without keys.
    fn default() -> Self {
        Self { rate: 100, keys: 0, ends: None, deletions: None, listings: None }
    }
}

/// How much is submitted at a time.
const SLICE: Duration = Duration::from_millis(250);

impl Load {
    /// No load at all.
    #[must_use]
    pub fn none() -> Self {
        Self { rate: 0, ..Self::default() }
    }

    /// Runs the world for `length` under this load, and to its end of load.
    pub fn carry(&self, world: &mut World, dice: Dice, length: Duration) {
        self.begin(world, dice).go_on(world, length, length);
    }

    /// The load, begun now in this world.
    #[must_use]
    pub fn begin(&self, world: &dyn Hands, dice: Dice) -> Carried {
        let submitted = vec![0; world.cluster().producer_ids().count()];
        Carried {
            load: self.clone(),
            dice,
            begun: world.now(),
            submitted,
            deletions: 0,
            listings: 0,
            upto: Duration::ZERO,
        }
    }
}

/// A load that is under way. It can be let go on piece by piece, and its clone goes on exactly as it does.
#[derive(Clone, Debug)]
pub struct Carried {
    load: Load,
    dice: Dice,
    begun: Moment,
    /// By each producer.
    submitted: Vec<u64>,
    /// By the admin client.
    deletions: u32,
    /// By the admin client.
    listings: u32,
    /// What is due before this was submitted.
    upto: Duration,
}

impl Carried {
    /// Lets the world go on under the load up to `until` after it began. With it the run is to last `length`, which is
    /// not less.
    pub fn go_on(&mut self, world: &mut World, until: Duration, length: Duration) {
        self.go_on_while(world, until, length, |_| true);
    }

    /// The same, but only as long as `goes_on` says so of the world, which it is asked after every step.
    pub fn go_on_while(
        &mut self,
        world: &mut World,
        until: Duration,
        length: Duration,
        mut goes_on: impl FnMut(&World) -> bool,
    ) {
        loop {
            // Up to the end of the slice that was submitted last.
            let edge = self.begun + self.upto.min(until);
            while world.next_at().is_some_and(|next| next <= edge) {
                world.step();
                if !goes_on(world) {
                    return;
                }
            }
            world.run_until(edge);
            if self.upto >= until {
                return;
            }
            self.submit_next(world, length);
        }
    }

    /// The same for a cluster on any scheduler, which may let a little more time pass.
    pub fn go_on_with(&mut self, hands: &mut dyn Hands, until: Duration, length: Duration) {
        loop {
            hands.run_up_to(self.begun + self.upto.min(until));
            if self.upto >= until {
                return;
            }
            self.submit_next(hands, length);
        }
    }

    /// Submits the next slice.
    fn submit_next(&mut self, world: &mut dyn Hands, length: Duration) {
        let lasts = self.load.ends.unwrap_or(length).min(length);
        let from = self.upto;
        self.upto = (from + SLICE).min(length);
        if from < lasts {
            self.submit(world, self.upto.min(lasts));
            self.submit_deletions(world, self.upto.min(lasts));
            self.submit_listings(world, self.upto.min(lasts));
        }
    }

    /// Submits what is due before `upto`.
    fn submit(&mut self, world: &mut dyn Hands, upto: Duration) {
        let Load { rate, keys, .. } = self.load;
        if rate == 0 {
            return;
        }
        let topics = Topics::of(world);
        for (producer, count) in self.submitted.iter_mut().enumerate() {
            let node = world.producers()[producer].into();
            loop {
                let mut draw = self.dice.draw(&("load", producer, *count));
                let at = Duration::from_secs_f64((*count as f64 + draw.gen_range(0.0..1.0)) / f64::from(rate));
                if at >= upto {
                    break;
                }
                *count += 1;
                let key = (keys > 0).then(|| Bytes::from(format!("k{}", draw.gen_range(0..keys))));
                let topic = topics.draw(draw.gen_range(0..topics.partitions));
                let (_, value) = world.fresh_value();
                let command = Command::Send { topic, key, value };
                world.ask_at(self.begun + at, node, command);
            }
        }
    }
}

impl Carried {
    /// Submits the deletions that are due before `upto`: of all that is committed, or of a share of it.
    fn submit_deletions(&mut self, world: &mut dyn Hands, upto: Duration) {
        let Some(every) = self.load.deletions else { return };
        let topics: Vec<Topic> =
            world.cluster().all_topics().into_iter().filter(|topic| !is_compacted(topic)).collect();
        loop {
            let mut draw = self.dice.draw(&("deletion", self.deletions));
            let at = every.mul_f64(f64::from(self.deletions) + draw.gen_range(0.0..1.0));
            if topics.is_empty() || at >= upto {
                return;
            }
            self.deletions += 1;
            let topic = &topics[draw.gen_range(0..topics.len())];
            let partition = draw.gen_range(0..topic.partitions);
            let share = draw.gen_range(0.0..1.25);
            let committed = committed(world, &topic.name, partition);
            // As often as one in five all of it, and never beyond: that would only be refused.
            let before = (share < 1.0).then_some(Offset((committed as f64 * share) as u64));
            let command = Command::DeleteRecords { topic: topic.name.clone(), partition, before };
            let admin = world.cluster().admin_id().into();
            world.ask_at(self.begun + at, admin, command);
        }
    }
}

impl Carried {
    /// Submits the questions that are due before `upto`: where a log ends, or which record is the newest.
    fn submit_listings(&mut self, world: &mut dyn Hands, upto: Duration) {
        let Some(every) = self.load.listings else { return };
        let topics = world.cluster().all_topics();
        loop {
            let mut draw = self.dice.draw(&("listing", self.listings));
            let at = every.mul_f64(f64::from(self.listings) + draw.gen_range(0.0..1.0));
            if topics.is_empty() || at >= upto {
                return;
            }
            self.listings += 1;
            let topic = &topics[draw.gen_range(0..topics.len())];
            let (topic, partition) = (topic.name.clone(), draw.gen_range(0..topic.partitions));
            let spec = if draw.gen_bool(0.75) { OffsetSpec::Latest } else { OffsetSpec::MaxTimestamp };
            let admin = world.cluster().admin_id().into();
            world.ask_at(self.begun + at, admin, Command::ListOffsets { topic, partition, spec });
        }
    }
}

fn is_compacted(topic: &Topic) -> bool {
    topic.config.iter().any(|(name, value)| name == "cleanup.policy" && value.contains("compact"))
}

/// The high watermark of a partition, as its leader last stated it.
fn committed(world: &dyn Hands, topic: &str, index: u32) -> u64 {
    let cast = world.cast();
    let id = cast.topics().find(|(_, name)| *name == topic).map(|(id, _)| id);
    let partition = id.map(|topic| Partition { topic, index });
    let stand = partition.and_then(|partition| cast.stand(partition, cast.leader(partition)?));
    stand.map_or(0, |stand| stand.high_watermark.0)
}

/// The topics, each as likely as it has partitions.
struct Topics {
    upto: Vec<(u32, String)>,
    partitions: u32,
}

impl Topics {
    fn of(world: &dyn Hands) -> Self {
        let mut upto = Vec::new();
        let mut partitions = 0;
        for topic in world.cluster().all_topics() {
            partitions += topic.partitions;
            upto.push((partitions, topic.name));
        }
        Self { upto, partitions }
    }

    fn draw(&self, nth: u32) -> String {
        let at = self.upto.partition_point(|&(upto, _)| upto <= nth);
        self.upto[at].1.clone()
    }
}
