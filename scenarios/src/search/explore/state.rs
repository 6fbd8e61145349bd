//! When two nodes are in the same state, so that what comes of one comes of the other.
//!
//! Equal means: in the same tenth of a second of the scenario; the same processes run or stand still; each broker's replica has the same
//! batches, epochs, high watermark, synced end and role, and leads with the same ISR and the same knowledge of the others; the metadata
//! that is committed is the same, but for how long its log is; the same records are acknowledged, failed, read and pending;
//! the same messages, tasks, faults and rules are under way ([`World::hash_prospect`](sim::World::hash_prospect)).
//!
//! **What is not seen:** how long it is until a timer fires, in which order what is under way arrives, since when somebody has been caught
//! up, what clients and the controller remember apart from what is committed and decided, what is on disks apart from logs and how far
//! they are synced, and numbers of connections and requests. Two nodes that are merged may therefore differ in their futures; an
//! exploration can be made without merging, and a test compares both.

use std::hash::{Hash, Hasher};

use model::event::Value;
use model::replica::{Replica, Role};
use sim::Verbs;
use sim::world::Untimed;
use xxhash_rust::xxh3::Xxh3;

use crate::World;

/// States are told apart by which part of a second it is.
const GRAIN_NANOS: u64 = 100_000_000;
/// Values of records that are looked at: a small world has no more.
const VALUES: u64 = 32;

/// The state of a world, as a number.
pub(super) fn state(world: &World) -> u64 {
    let mut hasher = Xxh3::new();
    let begun = world.begun().map_or(0, |begun| begun.0);
    ((world.now().0 - begun) / GRAIN_NANOS).hash(&mut hasher);
    for broker in world.brokers() {
        let Some(process) = world.broker(broker) else { continue };
        broker.hash(&mut hasher);
        for replica in process.replicas() {
            hash_replica(replica, &mut hasher);
        }
    }
    hash_decided(world, &mut hasher);
    let counts = &world.observer().meter.measures().counts;
    (counts.acked, counts.failed, counts.polled).hash(&mut hasher);
    for value in 1..=VALUES {
        world.cast().is_undecided(Value(value)).hash(&mut hasher);
    }
    world.hash_prospect(&mut hasher);
    hasher.finish()
}

fn hash_replica(replica: &Replica, hasher: &mut Xxh3) {
    let log = &replica.log;
    (replica.leader_epoch, replica.partition_epoch, replica.high_watermark).hash(hasher);
    (log.start(), log.end(), log.recovery_point(), log.epochs().entries()).hash(hasher);
    for batch in log.batches() {
        batch.hash(hasher);
    }
    match &replica.role {
        Role::Idle => 0.hash(hasher),
        Role::Leader(leader) => Untimed::write(hasher, leader),
        Role::Follower(follower) => Untimed::write(hasher, follower),
    }
}

/// What the controller has committed, but not how many records that took.
fn hash_decided(world: &World, hasher: &mut Xxh3) {
    let image = world.cast().image();
    Untimed::write(hasher, &(&image.brokers, &image.partitions));
    Untimed::write(hasher, &world.cast().controller());
    for controller in world.controllers() {
        world.is_up(controller).hash(hasher);
    }
}
