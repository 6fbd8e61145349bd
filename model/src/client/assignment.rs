//! What a consumer was told to read, and how far it is in each partition. A topic is named before it is known, and so
//! are the places that the application seeks meanwhile. This room must not know requests.

use std::collections::BTreeMap;

use super::position::State;
use super::routing::Routing;
use crate::config::OffsetReset;
use crate::event::{Event, SeekReason};
use crate::machine::Effects;
use crate::names::{Offset, Partition};
use crate::wire::OffsetSpec;

/// What the application wants to read.
#[derive(Clone, Debug)]
pub(super) struct Assignment(Progress);

#[derive(Clone, Debug)]
enum Progress {
    Nothing,
    /// The topic is not known yet.
    Awaited(Awaited),
    /// These partitions, each with how far it is.
    Known(Known),
}

#[derive(Clone, Debug)]
struct Awaited {
    topic: String,
    /// Empty for all.
    partitions: Vec<u32>,
    /// What the application sought meanwhile, in order.
    seeks: Vec<Seek>,
}

#[derive(Clone, Debug)]
struct Known {
    topic: String,
    partitions: BTreeMap<Partition, State>,
}

#[derive(Clone, Copy, Debug)]
enum Seek {
    To { partition: u32, offset: Offset },
    ToBeginning,
}

impl Assignment {
    /// Nothing is to be read.
    pub(super) fn nothing() -> Self {
        Self(Progress::Nothing)
    }

    /// These partitions of a topic, or all of them if the list is empty.
    pub(super) fn to(topic: String, partitions: Vec<u32>) -> Self {
        Self(Progress::Awaited(Awaited { topic, partitions, seeks: Vec::new() }))
    }

    /// The application seeks. What is not assigned is left alone, where Kafka throws IllegalStateException.
    pub(super) fn seek(
        &mut self,
        topic: &str,
        partition: u32,
        offset: Offset,
        routing: &Routing,
        effects: &mut Effects,
    ) {
        let seek = Seek::To { partition, offset };
        match &mut self.0 {
            Progress::Awaited(awaited) if awaited.topic == topic => awaited.seeks.push(seek),
            Progress::Known(known) if known.topic == topic => known.seek(seek, routing, effects),
            Progress::Nothing | Progress::Awaited(_) | Progress::Known(_) => {}
        }
    }

    /// The application seeks to where each log starts.
    pub(super) fn seek_to_beginning(&mut self) {
        match &mut self.0 {
            Progress::Nothing => {}
            Progress::Awaited(awaited) => awaited.seeks.push(Seek::ToBeginning),
            Progress::Known(known) => known.seek_to_beginning(),
        }
    }

    /// Takes up what was assigned as soon as its topic is known.
    pub(super) fn take_up(&mut self, policy: OffsetReset, routing: &mut Routing, effects: &mut Effects) {
        let Progress::Awaited(awaited) = &mut self.0 else { return };
        let Some(topic) = routing.topic(&awaited.topic).filter(|topic| topic.partitions > 0) else { return };
        let Some(id) = topic.id else { return };
        if awaited.partitions.iter().any(|&index| index >= topic.partitions) {
            routing.request_update();
            return;
        }
        let mut indices = std::mem::take(&mut awaited.partitions);
        if indices.is_empty() {
            indices.extend(0..topic.partitions);
        }
        let initial = State::initial(policy);
        let partitions = indices.into_iter().map(|index| (Partition { topic: id, index }, initial)).collect();
        let mut known = Known { topic: std::mem::take(&mut awaited.topic), partitions };
        effects.note(Event::Assigned { partitions: known.partitions.keys().copied().collect() });
        for seek in std::mem::take(&mut awaited.seeks) {
            known.seek(seek, routing, effects);
        }
        self.0 = Progress::Known(known);
    }

    /// Tells every partition who leads it as far as is known, and asks for metadata where it is not (K5).
    pub(super) fn obey(&mut self, routing: &mut Routing) {
        let Progress::Known(known) = &mut self.0 else { return };
        let mut leaderless = false;
        for (&partition, state) in &mut known.partitions {
            match routing.leader(partition) {
                Some(leader) => state.obey(leader),
                None => leaderless = true,
            }
        }
        if leaderless {
            routing.request_update();
        }
    }

    /// How far it is in this partition, if that is assigned.
    pub(super) fn state(&mut self, partition: Partition) -> Option<&mut State> {
        match &mut self.0 {
            Progress::Known(known) => known.partitions.get_mut(&partition),
            Progress::Nothing | Progress::Awaited(_) => None,
        }
    }

    /// Every partition with how far it is.
    pub(super) fn states(&self) -> impl Iterator<Item = (Partition, &State)> {
        let known = match &self.0 {
            Progress::Known(known) => Some(known),
            Progress::Nothing | Progress::Awaited(_) => None,
        };
        known.into_iter().flat_map(|known| &known.partitions).map(|(&partition, state)| (partition, state))
    }
}

impl Known {
    fn seek(&mut self, seek: Seek, routing: &Routing, effects: &mut Effects) {
        let Seek::To { partition: index, offset } = seek else { return self.seek_to_beginning() };
        let assigned = self.partitions.iter_mut().find(|(partition, _)| partition.index == index);
        if let Some((&partition, state)) = assigned {
            *state = State::at(offset, None, routing.leader(partition));
            effects.note(Event::Sought { partition, position: offset, reason: SeekReason::Application });
        }
    }

    fn seek_to_beginning(&mut self) {
        for state in self.partitions.values_mut() {
            *state = State::reset(OffsetSpec::Earliest, SeekReason::Application);
        }
    }
}
