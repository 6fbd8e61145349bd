//! How a run ends: it is healed, has a bounded time for progress, and a fresh consumer reads everything from the start.
//!
//! An ending may be let go on piece by piece, and its clone goes on exactly as it does in a clone of its world. It judges
//! nothing.

use std::time::Duration;

use model::names::EndOffset;
use sim::Verbs;
use sim::fact::{Chapter, Moment};
use sim::world::Settling;

use crate::World;
use crate::audit::audit;

/// How much longer than the judge allows a healed cluster may take to come to rest before it is given up.
const GRACE: Duration = Duration::from_secs(5);
/// How long a fresh consumer may take to read everything back.
const READING: Duration = Duration::from_secs(60);
/// How often it is looked how far it is.
const LOOK: Duration = Duration::from_millis(50);

/// An ending that is under way; every moment is the next one at which it is looked how far it is.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// The cluster has been healed and comes to rest.
    Settling(Settling, Moment),
    /// Readers read everything back.
    Reading {
        /// When they are given up.
        end: Moment,
        /// When it is looked again.
        look: Moment,
    },
    /// The run is over.
    Over,
}

impl Ending {
    /// Heals the world.
    pub(crate) fn begin(world: &mut World) -> Self {
        let patience = world.observer().judge.settles_within() + GRACE;
        world.set_patience(patience);
        world.heal();
        Self::Settling(world.begin_to_settle(), world.now())
    }

    /// Goes on up to this moment.
    pub(crate) fn go_on(&mut self, world: &mut World, upto: Moment) {
        loop {
            let look = match self {
                Self::Settling(_, look) | Self::Reading { look, .. } => *look,
                Self::Over => return,
            };
            if upto < look {
                return world.run_until(upto);
            }
            world.run_until(look);
            self.look(world);
        }
    }

    /// Goes on to the end.
    pub(crate) fn conclude(mut self, world: &mut World) {
        self.go_on(world, Moment(u64::MAX));
    }

    /// Whether the run is over.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    fn look(&mut self, world: &mut World) {
        let now = world.now();
        match self {
            Self::Settling(settling, look) => match world.has_settled(settling) {
                None => *look = now + LOOK,
                Some(_) => {
                    world.read_back();
                    *self = Self::Reading { end: now + READING, look: now };
                }
            },
            Self::Reading { end, look } if !has_read_everything(world) && now < *end => *look = now + LOOK,
            Self::Reading { .. } => {
                audit_all(world);
                world.chapter(Chapter::Ended);
                *self = Self::Over;
            }
            Self::Over => {}
        }
    }
}

/// Reads the disks of all running brokers and hands the judge what is wrong.
pub(crate) fn audit_all(world: &mut World) {
    for broker in world.brokers() {
        if world.is_up(broker) {
            let findings = audit(world, broker);
            world.observer_mut().judge.audited(broker, findings);
        }
    }
}

/// Whether the readers have come to the high watermark of every partition that is led.
fn has_read_everything(world: &World) -> bool {
    let cast = world.cast();
    cast.partitions().iter().all(|partition| {
        let end = cast.leader(*partition).and_then(|leader| cast.stand(*partition, leader));
        let end = end.map_or(EndOffset::ZERO, |stand| stand.high_watermark);
        world.observer().has_read(*partition) >= end
    })
}
