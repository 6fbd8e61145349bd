//! Crash states: at a boundary of a sync the power is cut, and every legal state of the disk is tried, not a drawn one.
//!
//! A boundary is the moment just before or just after a sync. Each of its legal states, all of them or as many as the
//! bound allows, is left in a fork of its own; the broker comes back and recovers. States that recover to the same disk
//! are one from there on: the first of them is let go on to the end and judged.

use std::collections::BTreeSet;
use std::time::Duration;

use model::event::Event;
use model::names::{BrokerId, Partition};
use sim::fact::What;

use super::line::{Candidate, Line};
use super::trials::{Trials, Tried};
use super::{How, Point, Stop};
use crate::World;
use crate::run::{Course, Outcome};

/// What came of a boundary.
#[derive(Clone, Debug)]
pub struct Boundary {
    /// Where; with the power cut there.
    pub candidate: Candidate,
    /// How many legal states there are that can be told apart.
    pub legal: u128,
    /// How many of them were tried.
    pub tried: u64,
    /// The first of each that recovered to the same disk, judged; and each that panicked.
    pub distinct: Vec<Tried>,
}

/// The boundaries of a run: before and after each sync of a file or a directory.
#[must_use]
pub fn boundaries(line: &Line) -> Vec<Candidate> {
    line.syncs()
}

impl Trials<'_> {
    /// Tries the legal states of a boundary: all if there are at most `bound`, else so many.
    #[must_use]
    pub fn enumerate(&self, boundary: &Candidate, bound: u32) -> Boundary {
        let (legal, tried) = match self.count(boundary, bound) {
            Ok(counted) => counted,
            Err(panicked) => {
                let distinct = vec![self.panicked(boundary, panicked)];
                return Boundary { candidate: *boundary, legal: 1, tried: 1, distinct };
            }
        };
        let mut seen = BTreeSet::new();
        let mut distinct = Vec::new();
        for state in 0..tried {
            let candidate = leaving(boundary, How::Leaving { state, bound });
            let length = self.line.plan_of(&candidate).length;
            let known = &seen;
            let struck = self.fork(&candidate, |mut course| {
                let before = Outcome::of(&course.world, false, None);
                let recovered = recover(&mut course, &candidate, length);
                if known.contains(&recovered) {
                    return (recovered, None);
                }
                course.conclude(length);
                (recovered, Some(self.judge(&candidate, &course, &before)))
            });
            match struck {
                Ok((recovered, judged)) => {
                    seen.insert(recovered);
                    distinct.extend(judged);
                }
                Err(panicked) => distinct.push(self.panicked(&candidate, panicked)),
            }
        }
        Boundary { candidate: *boundary, legal, tried: tried.into(), distinct }
    }

    /// How many legal states there are, and how many of them are enumerated.
    fn count(&self, boundary: &Candidate, bound: u32) -> Result<(u128, u32), sim::Panicked> {
        // A process that is killed there leaves the disk as the power cut finds it.
        let killed = leaving(boundary, How::Kill);
        self.fork(&killed, |mut course| {
            let point = killed.point;
            course.go_on_while(killed.at, killed.at, |world| !stops(world, point.broker));
            let disk = course.world.disk(point.broker).expect("a broker has a disk");
            let sample = disk.fates().up_to(bound as usize, course.world.dice());
            (sample.of, u32::try_from(sample.fates.len()).unwrap_or(bound))
        })
    }
}

/// The same boundary, struck so.
fn leaving(boundary: &Candidate, how: How) -> Candidate {
    let Point { broker, first, .. } = boundary.point;
    Candidate { point: Point { broker, first: Stop { how, ..first }, again: None }, ..*boundary }
}

/// Goes on until the broker that stops there is back and its logs are open, or to the end of the load; then says what is
/// on its disk.
fn recover(course: &mut Course, candidate: &Candidate, length: Duration) -> u128 {
    let broker = candidate.point.broker;
    let mut has_stopped = false;
    let mut opened: BTreeSet<Partition> = BTreeSet::new();
    course.go_on_while(length, length, |world| {
        if stops(world, broker) {
            has_stopped = true;
            opened.clear();
        }
        let own = world.latest().iter().filter(|fact| fact.node == Some(broker.into()));
        opened.extend(own.filter_map(|fact| match fact.event() {
            Some(Event::Opened { partition, .. }) => Some(*partition),
            _ => None,
        }));
        let cast = world.cast();
        let hosted = || cast.partitions().iter().filter(|partition| cast.replicas(**partition).contains(&broker));
        !(has_stopped && world.is_up(broker) && hosted().all(|partition| opened.contains(partition)))
    });
    course.world.disk(broker).map_or(0, sim::disk::SimDisk::content_hash)
}

/// Whether the broker's process has ended in the last step.
fn stops(world: &World, broker: BrokerId) -> bool {
    let mut latest = world.latest().iter();
    latest.any(|fact| fact.node == Some(broker.into()) && matches!(fact.what, What::Stopped { .. }))
}
