//! The second scheduler: the same machines on madsim's nodes, with madsim's network, timers, kill and restart.
//!
//! One node for each host, on it one task that steps the machine. Of our own world it shares the disks, what is drawn
//! for a host, and the vocabulary of faults and facts; it shares no queue, no network and no clock. A promise that breaks on
//! one scheduler only is a finding about our world, or about madsim's.
//!
//! What madsim cannot do is not pretended: see [`Nodes::unsupported`]. Nothing takes less than a millisecond here, and
//! messages take ten times as long, so as not to take equally long. A host that dies resets its connections at once, be
//! it for want of power or behind a partition. What is under way when a link is cut arrives; what is sent over it later
//! arrives up to ten seconds after it was mended, and new connections over it are refused. All clocks are right.

mod boot;
mod ground;
mod hands;
mod inbox;
mod lines;
mod misfortune;
mod process;
mod running;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use madsim::net::NetSim;
use madsim::runtime::Runtime;
use madsim::time::{TimeHandle, sleep};
use model::broker::Broker;
use model::machine::{Command, Input};
use model::names::{BrokerId, Node};

use self::ground::{Ground, Place};
use crate::cast::Cast;
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::disk::SimDisk;
use crate::fact::{Chapter, Fact, Moment, What};
use crate::fault::{Fault, Strike, When};
use crate::hermetic::{self, Panicked};
use crate::trace::Digest;
use crate::world::ambush::Ambushes;
use crate::world::process::Process;
use crate::world::record::Record;
use crate::world::{Observer, boot as blueprint};

/// A cluster on madsim's nodes. Only inside of [`on_nodes`].
pub struct Nodes<O: Observer = ()> {
    runtime: Runtime,
    ground: Arc<Ground>,
    network: Arc<NetSim>,
    cluster: Cluster,
    dice: Dice,
    record: Record<O>,
    ambushes: Ambushes,
    armed: Vec<Strike>,
    truce: u32,
    agenda: BTreeMap<(Moment, u64), Errand>,
    errands: u64,
    /// Links that are clogged, from one host to another.
    cuts: BTreeSet<(usize, usize)>,
    unsupported: BTreeMap<String, u64>,
    begun: Option<Moment>,
    patience: Duration,
    last_value: u64,
}

/// Something to be done at a time.
enum Errand {
    Submit(usize, Box<Command>),
    Strike(u32, Box<Fault>),
    Resume(usize),
    Start(usize),
}

/// Runs `inside` on a fresh thread, where it may have a cluster on madsim's nodes with this seed.
///
/// # Errors
/// If it panics.
pub fn on_nodes<T: Send, O: Observer + Send>(
    cluster: &Cluster,
    seed: u64,
    observer: O,
    inside: impl FnOnce(&mut Nodes<O>) -> T + Send,
) -> Result<T, Panicked> {
    hermetic::alone(seed, move |runtime| inside(&mut Nodes::new(runtime, cluster, seed, observer)))
}

impl<O: Observer> Nodes<O> {
    fn new(runtime: Runtime, cluster: &Cluster, seed: u64, observer: O) -> Self {
        let dice = Dice::new(seed);
        let hosts = blueprint::hosts(cluster, dice);
        let places = hosts.into_iter().enumerate().map(|(index, host)| {
            let node = runtime.create_node().name(host.node.to_string()).ip(ground::address(index).ip()).build();
            Place { host, id: node.id(), chance: None, inbox: None, lines: std::sync::Weak::new() }
        });
        let places = places.collect();
        let (time, network) = runtime.block_on(async { (TimeHandle::current(), NetSim::current()) });
        let (least, most) = (cluster.weather.least * TIMES, cluster.weather.most * TIMES);
        network.update_config(|config| config.send_latency = least..most.max(least + NOTHING));
        Self {
            ground: Arc::new(Ground::new(cluster, dice, time, places)),
            runtime,
            network,
            cluster: cluster.clone(),
            dice,
            record: Record::new(observer),
            ambushes: Ambushes::default(),
            armed: Vec::new(),
            truce: 0,
            agenda: BTreeMap::new(),
            errands: 0,
            cuts: BTreeSet::new(),
            unsupported: BTreeMap::new(),
            begun: None,
            patience: Duration::from_secs(300),
            last_value: 0,
        }
    }

    /// Lets everything happen that happens in this span.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now() + span);
    }

    /// Lets everything happen up to this moment, and up to a millisecond more.
    pub fn run_until(&mut self, end: Moment) {
        self.go_on(end, &mut |_| false, false);
    }

    /// Runs until a fact is stated that is looked for. `false` if none was within [`Nodes::set_patience`].
    pub fn until(&mut self, mut wanted: impl FnMut(&Fact) -> bool) -> bool {
        let end = self.now() + self.patience;
        self.go_on(end, &mut |nodes| nodes.record.fresh().iter().any(&mut wanted), true)
    }

    /// Runs until something holds of the cluster, looked at whenever something was said.
    pub fn until_in_world(&mut self, mut holds: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now() + self.patience;
        self.go_on(end, &mut |nodes| holds(nodes), true)
    }

    /// Sets how long waiting may take.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// How late it is in madsim's time.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.ground.now()
    }

    /// When the scenario began, if it has.
    #[must_use]
    pub fn begun(&self) -> Option<Moment> {
        self.begun
    }

    /// The shape of the cluster.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Who plays which part, as the facts so far say.
    #[must_use]
    pub fn cast(&self) -> &Cast {
        &self.record.cast
    }

    /// The name of everything that has happened so far.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.record.digest.value()
    }

    /// Whoever is told every fact.
    #[must_use]
    pub fn observer(&self) -> &O {
        &self.record.observer
    }

    /// The facts that were heard of last.
    #[must_use]
    pub fn latest(&self) -> &[Fact] {
        self.record.fresh()
    }

    /// Whether facts are kept from now on.
    pub fn keep_trace(&mut self, keep: bool) {
        self.record.keep(keep);
    }

    /// The kept facts.
    #[must_use]
    pub fn trace(&self) -> &[Fact] {
        self.record.trace()
    }

    /// Faults that were to strike and that madsim has no means for, and how often. They did not strike.
    #[must_use]
    pub fn unsupported(&self) -> &BTreeMap<String, u64> {
        &self.unsupported
    }

    /// Looks at a broker's disk and, if its process runs, at that, without a call.
    pub fn look<T>(&self, broker: BrokerId, look: impl FnOnce(&SimDisk, Option<&Broker>) -> T) -> Option<T> {
        let index = self.ground.index_of(broker.into())?;
        let held = self.ground.lock();
        let host = &held.places[index].host;
        let process = host.process.as_ref().and_then(|process| match process {
            Process::Broker(broker) => Some(&**broker),
            _ => None,
        });
        Some(look(&host.disk, process))
    }

    /// Likewise whoever is told every fact.
    pub fn observer_mut(&mut self) -> &mut O {
        &mut self.record.observer
    }

    /// How many steps the machines of all hosts have made.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.ground.lock().places.iter().map(|place| place.host.steps).sum()
    }

    /// An application on this node asks for something now. Lost if no process runs there.
    pub fn submit(&mut self, node: impl Into<Node>, command: Command) {
        if let Some(index) = self.ground.index_of(node.into()) {
            self.ground.offer(index, Input::Submit(command));
        }
    }

    /// An application on this node asks for something at this moment, or now if it has passed.
    pub fn submit_at(&mut self, at: Moment, node: impl Into<Node>, command: Command) {
        if let Some(index) = self.ground.index_of(node.into()) {
            self.plan(at, Errand::Submit(index, Box::new(command)));
        }
    }

    /// States that a part of the run begins or ends.
    pub fn chapter(&mut self, chapter: Chapter) {
        self.ground.state(None, What::Chapter(chapter));
        if chapter == Chapter::Begun {
            self.begun = Some(self.now());
            let armed = std::mem::take(&mut self.armed);
            self.arm(armed);
        }
        self.hear();
    }

    /// Arms faults, each to strike when it says. Before the scenario has begun they wait for that first.
    pub fn arm(&mut self, strikes: Vec<Strike>) {
        let Some(begun) = self.begun else { return self.armed.extend(strikes) };
        for Strike { when, fault } in strikes {
            match when {
                When::At(time) => self.plan(begun + time, Errand::Strike(self.truce, Box::new(fault))),
                When::Ambush { on, skip, after } => self.ambushes.lay(on, skip, after, fault),
            }
        }
    }
}

/// So many times as long as in our own world a message takes: with the usual latencies, all of which are below a millisecond, every message
/// would take exactly one, and all nodes would go in step.
const TIMES: u32 = 10;

/// The least that a range of latencies must span.
const NOTHING: Duration = Duration::from_nanos(1);

impl<O: Observer> Drop for Nodes<O> {
    /// Tasks, endpoints and timers hold each other: unless all nodes are killed, and their tasks dropped, they stay for ever.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let ids: Vec<_> = self.ground.lock().places.iter().map(|place| place.id).collect();
        for id in ids {
            self.runtime.handle().kill(id);
        }
        self.runtime.block_on(async { sleep(Duration::from_millis(1)).await });
    }
}

impl<O: Observer> fmt::Debug for Nodes<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nodes").field("cluster", &self.cluster).field("dice", &self.dice).finish_non_exhaustive()
    }
}
