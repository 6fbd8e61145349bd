//! Progress: once every fault was taken back, everything comes to rest within a bound of simulated time.
//!
//! Implements R129 and L1-L3, L8, L10 of checks.md C.3. A world that is stuck because nobody is left who may lead is told
//! apart: that is no violation, and its reason is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use model::names::BrokerId;
use sim::fact::Moment;
use sim::fault::Fault;

use super::partition::PartitionView;
use super::quorum::Quorum;
use super::records::Records;
use super::replicas::Replicas;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;
use crate::promise::Promise;

/// Waits for rest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    healed: Option<Moment>,
    stuck: BTreeMap<&'static str, u64>,
}

/// What is not at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsettled {
    /// A short name that never changes.
    pub kind: &'static str,
    /// What it is, for people.
    pub sentence: String,
    /// Why it will stay so within the contract, if it will.
    pub excuse: Option<&'static str>,
    /// How long it may take.
    bound: Duration,
}

/// No metadata record, no append for so long: what is still on its way is not judged.
const IDLE: Duration = Duration::from_secs(5);
/// With a no-op record every half second, metadata that has not moved for so long stands still.
const METADATA_STANDS_STILL: Duration = Duration::from_secs(10);

impl Progress {
    /// All faults were taken back.
    pub(crate) fn healed(&mut self, at: Moment) {
        self.healed = Some(at);
    }

    /// A fault struck. Unless it is the end of one, rest is not to be expected before the next heal.
    pub(crate) fn struck(&mut self, fault: &Fault) {
        let relief = matches!(
            fault,
            Fault::Heal
                | Fault::Mend { .. }
                | Fault::Release { .. }
                | Fault::Restart(_)
                | Fault::Start(_)
                | Fault::DiskFree(_)
                | Fault::DiskSlow(_, 1)
        );
        if !relief {
            self.healed = None;
        }
    }

    /// The run is over. What has not come to rest though its bound has passed never will.
    pub(crate) fn end(&mut self, shared: &Replicas, quorum: &Quorum, records: &Records, verdicts: &mut Verdicts) {
        let Some(healed) = self.healed else { return };
        let waited = verdicts.now().since(healed);
        let unsettled = unsettled(shared, quorum, records, verdicts.now());
        let mut open = false;
        for found in &unsettled {
            match found.excuse {
                Some(excuse) => *self.stuck.entry(excuse).or_default() += 1,
                None if waited < found.bound => open = true,
                None => verdicts.broken(Guarantee::Progress, found.kind, || {
                    format!("{}, {:.0} s after the last fault", found.sentence, waited.as_secs_f64())
                }),
            }
        }
        if !open {
            verdicts.exercised(Guarantee::Progress);
        }
    }

    /// What stays stuck within the contract, by reason.
    pub(crate) fn stuck(&self) -> &BTreeMap<&'static str, u64> {
        &self.stuck
    }
}

/// Everything that is not at rest now.
pub(crate) fn unsettled(shared: &Replicas, quorum: &Quorum, records: &Records, now: Moment) -> Vec<Unsettled> {
    let mut found = Vec::new();
    if shared.metadata_lost {
        return vec![unsettled_for(&shared.promise, "metadata-lost", Some("the controller lost its disk"), || {
            "the controller cannot be counted on".to_owned()
        })];
    }
    if let Some(missing) = quorum.lacks_a_leader() {
        let excuse = missing.too_few.then_some("a majority of the controllers is down or gone for good");
        found.push(unsettled_for(&shared.promise, "no-metadata-leader", excuse, || {
            format!("{} of {} controllers run, and these lead: {:?}", missing.running, missing.of, missing.leaders)
        }));
    }
    for slot in 0..shared.brokers.len() {
        if let Ok(id) = u32::try_from(slot) {
            broker_is_at_rest(shared, BrokerId(id), now, &mut found);
        }
    }
    for (place, view) in shared.partitions.iter().enumerate() {
        let idle = now.since(shared.grew_at[place]) >= IDLE;
        found.extend(partition_at_rest(shared, view, idle).err());
    }
    for (client, open) in records.open() {
        let bound = shared.promise.decides_within;
        let sentence = format!("{client} waits for the fate of {open} records");
        found.push(Unsettled { kind: "undecided-send", sentence, excuse: None, bound });
    }
    found
}

fn unsettled_for(
    promise: &Promise,
    kind: &'static str,
    excuse: Option<&'static str>,
    sentence: impl FnOnce() -> String,
) -> Unsettled {
    Unsettled { kind, sentence: sentence(), excuse, bound: promise.settles_within }
}

fn broker_is_at_rest(shared: &Replicas, id: BrokerId, now: Moment, found: &mut Vec<Unsettled>) {
    let Some(broker) = shared.known_broker(id).filter(|broker| !broker.destroyed) else { return };
    let stops = broker.told_to_stop.then_some("a broker was told to stop");
    let excuse = if broker.rotten { Some("a disk rots") } else { stops };
    let mut add = |kind, sentence: String| {
        found.push(unsettled_for(&shared.promise, kind, excuse, || sentence));
    };
    if !broker.up {
        add("broker-is-down", format!("{id} does not run"));
        return;
    }
    if broker.registration.as_ref().is_none_or(|registration| registration.fenced) {
        add("live-broker-is-fenced", format!("{id} runs and is fenced"));
    }
    let behind = broker.applied < shared.metadata_end;
    let stands_still = !shared.promise.metadata_moves || now.since(broker.applied_at) >= METADATA_STANDS_STILL;
    if behind && stands_still && shared.promise.has_metadata_log {
        let (applied, end) = (broker.applied, shared.metadata_end);
        add("metadata-stands-still", format!("{id} has applied metadata up to {applied}, {end} is committed"));
    }
}

/// Led, everybody alive in sync, everything committed.
fn partition_at_rest(shared: &Replicas, view: &PartitionView, idle: bool) -> Result<(), Unsettled> {
    let Some(registration) = view.registration.as_ref() else { return Ok(()) };
    let partition = view.partition;
    let promise = &shared.promise;
    let is = |id: &BrokerId| shared.known_broker(*id).filter(|broker| !broker.destroyed);
    let runs = |id: &BrokerId| is(id).is_some_and(|broker| broker.up && !broker.told_to_stop);
    let alive: Vec<BrokerId> = registration.replicas.iter().copied().filter(runs).collect();
    let rotten = registration.replicas.iter().any(|id| is(id).is_some_and(|broker| broker.rotten));
    let stops = registration.replicas.iter().any(|id| is(id).is_some_and(|broker| broker.told_to_stop));
    let known_cause = if rotten { Some("a disk rots") } else { stops.then_some("a broker was told to stop") };
    let leads = registration.leader.filter(|leader| alive.contains(leader));
    let Some(leader) = leads else {
        let in_sync_left = registration.isr.iter().any(|member| is(member).is_some());
        let hopeless = !in_sync_left && (alive.is_empty() || !view.now.unclean_election);
        let excuse = if hopeless { Some("no in-sync replica is left") } else { known_cause };
        let sentence = || format!("nobody leads {partition}, its ISR is {:?}, alive are {alive:?}", registration.isr);
        let mut found = unsettled_for(promise, "partition-without-leader", excuse, sentence);
        if !in_sync_left {
            found.bound = promise.elects_uncleanly_within;
        }
        return Err(found);
    };
    let known = view.known(leader);
    if known.and_then(|replica| replica.leader()).is_none_or(|own| own.epoch != registration.leader_epoch) {
        let sentence =
            || format!("{leader} does not know that it leads {partition} in epoch {}", registration.leader_epoch);
        return Err(unsettled_for(promise, "leader-does-not-know", known_cause, sentence));
    }
    if !registration.adding.is_empty() || !registration.removing.is_empty() {
        let waits = alive.len() < registration.replicas.len();
        let excuse = if waits { Some("a reassignment waits for a broker that does not run") } else { known_cause };
        let (adding, removing) = (&registration.adding, &registration.removing);
        let sentence = || format!("{partition} is being reassigned: adding {adding:?}, removing {removing:?}");
        return Err(unsettled_for(promise, "reassignment-goes-on", excuse, sentence));
    }
    if let Some(missing) = alive.iter().find(|id| !registration.isr.contains(id)) {
        let kind =
            if brought_back(view, *missing) { "power-loss-brought-back-cut-records" } else { "replica-not-in-sync" };
        let sentence = || format!("{missing} is alive and not in the ISR {:?} of {partition}", registration.isr);
        return Err(unsettled_for(promise, kind, known_cause, sentence));
    }
    if let Some(dead) = registration.isr.iter().find(|id| is(id).is_none()) {
        let sentence = || format!("{dead} is gone for good and still in the ISR {:?} of {partition}", registration.isr);
        return Err(unsettled_for(promise, "dead-replica-in-sync", known_cause, sentence));
    }
    let (end, high_watermark) =
        known.map_or((Default::default(), Default::default()), |own| (own.end, own.high_watermark));
    if high_watermark != end && idle {
        let too_few = (registration.isr.len() as u64) < u64::from(view.min_isr_now());
        let excuse = if too_few { Some("fewer replicas are left than min.insync.replicas") } else { known_cause };
        let sentence = || format!("the high watermark of {partition} is {high_watermark}, its log ends at {end}");
        return Err(unsettled_for(promise, "high-watermark-stands-still", excuse, sentence));
    }
    if let Some(behind) = alive.iter().find(|id| idle && view.known(**id).is_none_or(|replica| replica.end != end)) {
        let sentence = || format!("{behind} does not have all of {partition}, whose leader ends at {end}");
        return Err(unsettled_for(promise, "replica-behind", known_cause, sentence));
    }
    Ok(())
}

/// Whether a power loss undid a cut that was not synced: the replica has batches of an old epoch where others are
/// committed. Its epoch checkpoint may say otherwise, and then nobody ever notices (L37, L48).
fn brought_back(view: &PartitionView, broker: BrokerId) -> bool {
    view.known(broker).is_some_and(|replica| {
        let differs = |(own, committed): (&model::log::BatchId, &model::log::BatchId)| own != committed;
        replica.hurt.is_some() && replica.batches.iter().zip(&view.committed).any(differs)
    })
}
