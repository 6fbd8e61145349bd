//! A running cluster: one seeded event loop, and everything in it.
//!
//! The world owns hosts, network, chance and time, and states facts. It never looks into a message except to route it,
//! and knows no offset and no epoch beyond what facts say. A world is a value: a clone of it goes on exactly as it does.

pub(crate) mod ambush;
pub(crate) mod boot;
mod calls;
pub(crate) mod doom;
mod glimpse;
mod hands;
pub(crate) mod hosts;
pub(crate) mod label;
pub(crate) mod misfortune;
pub(crate) mod process;
mod prospect;
mod queue;
pub(crate) mod record;
pub(crate) mod roles;
mod stepping;
#[cfg(test)]
mod tests;

use std::time::Duration;

use model::machine::{Command, Input, Task};
use model::names::Node;

use ambush::Ambushes;
pub use boot::BootFailure;
pub use calls::DiskCall;
pub use hands::{Decided, Settling, Unsettled};
use hosts::Host;
pub use prospect::Untimed;
pub(crate) use queue::Queue;
use record::Record;

use crate::cast::Cast;
use crate::checkpoints::Checkpoints;
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::fact::{Chapter, Fact, Moment, What};
use crate::fault::{Fault, Strike, When};
use crate::hermetic;
use crate::net::{Delivery, Network, Outlet, Transit};
use crate::trace::Digest;

/// Somebody who is told every fact at the moment it is stated. `()` does not listen.
pub trait Observer: Clone {
    /// The next fact.
    fn see(&mut self, fact: &Fact);
}

impl Observer for () {
    fn see(&mut self, _: &Fact) {}
}

impl<A: Observer, B: Observer> Observer for (A, B) {
    fn see(&mut self, fact: &Fact) {
        self.0.see(fact);
        self.1.see(fact);
    }
}

/// A running cluster.
#[derive(Clone, Debug)]
pub struct World<O: Observer = ()> {
    cluster: Cluster,
    dice: Dice,
    now: Moment,
    queue: Queue<Happening>,
    hosts: Vec<Host>,
    network: Network,
    record: Record<O>,
    ambushes: Ambushes,
    /// Armed before the scenario began.
    armed: Vec<Strike>,
    /// Counts how often all strikes were called off; those of an earlier count do not strike.
    truce: u32,
    begun: Option<Moment>,
    /// How long waiting may take.
    patience: Duration,
    /// The last value that was given out.
    last_value: u64,
    /// Room for what the network delivers at once.
    deliveries: Vec<Delivery>,
}

/// What is in the queue.
#[derive(Clone, Debug)]
enum Happening {
    /// Something in the network.
    Transit(Transit),
    /// A host's step, by its number, is over, and its effects leave.
    Done(usize, u64),
    /// A host's machine wants a tick, perhaps.
    Tick(usize),
    /// A task's turn, if the process of that life still runs.
    Turn(usize, u32, Task),
    /// A host may go on.
    Resume(usize),
    /// An application asks for something.
    Submit(usize, Box<Command>),
    /// A fault strikes, if it was not called off.
    Strike(u32, Box<Fault>),
}

impl<O: Observer> World<O> {
    /// A cluster that has power and does nothing yet; see [`World::boot`].
    #[must_use]
    pub fn new(cluster: &Cluster, seed: u64, observer: O) -> Self {
        let dice = Dice::new(seed);
        Self::with_hosts(cluster, boot::hosts(cluster, dice), dice, observer)
    }

    fn with_hosts(cluster: &Cluster, hosts: Vec<Host>, dice: Dice, observer: O) -> Self {
        let nodes = hosts.iter().map(|host| host.node).collect();
        Self {
            cluster: cluster.clone(),
            dice,
            now: Moment::ZERO,
            queue: Queue::new(),
            hosts,
            network: Network::new(nodes, cluster.weather, dice),
            record: Record::new(observer),
            ambushes: Ambushes::default(),
            armed: Vec::new(),
            truce: 0,
            begun: None,
            patience: Duration::from_secs(300),
            last_value: 0,
            deliveries: Vec::new(),
        }
    }

    /// Lets the next thing happen. `false` if there is nothing left that could.
    pub fn step(&mut self) -> bool {
        let Some((at, happening)) = self.queue.pop() else {
            return false;
        };
        self.move_to(at);
        self.record.turn_page();
        match happening {
            Happening::Transit(transit) => self.with_network(|network, out| network.happen(transit, out)),
            Happening::Done(host, step) => self.finish(host, step),
            Happening::Tick(host) => self.tick(host),
            Happening::Turn(host, life, task) => {
                if self.hosts[host].life == life {
                    self.offer(host, Input::Later(task));
                }
            }
            Happening::Resume(host) => self.resume(host),
            Happening::Submit(host, command) => self.offer(host, Input::Submit(*command)),
            Happening::Strike(truce, fault) => {
                if truce == self.truce {
                    self.inflict(&fault);
                }
            }
        }
        true
    }

    /// Lets everything happen that happens in this span.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now + span);
    }

    /// Lets everything happen up to this moment, and that which happens at it.
    pub fn run_until(&mut self, end: Moment) {
        while self.queue.next_at().is_some_and(|at| at <= end) {
            self.step();
        }
        if end > self.now {
            self.move_to(end);
        }
    }

    /// Runs until a fact is stated that is looked for. `false` if none was within [`World::patience`].
    pub fn until(&mut self, mut wanted: impl FnMut(&Fact) -> bool) -> bool {
        self.until_in_world(|world| world.record.fresh().iter().any(&mut wanted))
    }

    /// Runs until something holds of the world, looked at after every step. `false` if it did not within
    /// [`World::patience`].
    pub fn until_in_world(&mut self, mut holds: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + self.patience;
        while self.queue.next_at().is_some_and(|at| at <= end) {
            self.step();
            if holds(self) {
                return true;
            }
        }
        self.move_to(end);
        false
    }

    /// How long [`World::until`] and everything else that waits may take, in simulated time; 300 seconds unless it is
    /// set.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Sets how long waiting may take.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// True time.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.now
    }

    /// When the next thing happens, if anything is left that could.
    #[must_use]
    pub fn next_at(&self) -> Option<Moment> {
        self.queue.next_at()
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

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.dice.seed()
    }

    /// What chance is drawn from: for whoever draws a load or a storm for this run.
    #[must_use]
    pub fn dice(&self) -> Dice {
        self.dice
    }

    /// From now on chance is that of another seed: what has happened stays, what is on its way arrives as it would have,
    /// what was armed strikes, and everything that is drawn later is drawn anew. With the seed that it has, nothing changes.
    ///
    /// The one thing that stays as it was is the [`Chance`](model::machine::Chance) of processes that run: a machine keeps
    /// what it was started with, as it keeps the names that it drew from it. The next process of its host has another.
    pub fn reroll(&mut self, seed: u64) {
        self.dice = Dice::new(seed);
        self.network.reroll(self.dice);
        for host in &mut self.hosts {
            host.reroll(self.dice);
        }
    }

    /// How many steps the machines of all hosts have made.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.hosts.iter().map(|host| host.steps).sum()
    }

    /// The name of everything that has happened so far.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.record.digest.value()
    }

    /// The names of what had happened at some moments on the way.
    #[must_use]
    pub fn checkpoints(&self) -> &Checkpoints {
        &self.record.checkpoints
    }

    /// Who plays which part, as the facts so far say.
    #[must_use]
    pub fn cast(&self) -> &Cast {
        &self.record.cast
    }

    /// Whoever is told every fact.
    #[must_use]
    pub fn observer(&self) -> &O {
        &self.record.observer
    }

    /// Likewise.
    pub fn observer_mut(&mut self) -> &mut O {
        &mut self.record.observer
    }

    /// The facts of the last step.
    #[must_use]
    pub fn latest(&self) -> &[Fact] {
        self.record.fresh()
    }

    /// Whether facts are kept from now on. They are not unless this is asked for.
    pub fn keep_trace(&mut self, keep: bool) {
        self.record.keep(keep);
    }

    /// The kept facts.
    #[must_use]
    pub fn trace(&self) -> &[Fact] {
        self.record.trace()
    }

    /// The kept facts that matter to a reader, one line of text each.
    #[must_use]
    pub fn story(&self) -> Vec<String> {
        crate::story::story(self.trace())
    }

    /// An application on this node asks for something now. Lost if no process runs there.
    pub fn submit(&mut self, node: impl Into<Node>, command: Command) {
        if let Some(host) = self.index_of(node.into()) {
            self.offer(host, Input::Submit(command));
        }
    }

    /// An application on this node asks for something at this moment, or now if it has passed.
    pub fn submit_at(&mut self, at: Moment, node: impl Into<Node>, command: Command) {
        if let Some(host) = self.index_of(node.into()) {
            self.queue.push(at.max(self.now), Happening::Submit(host, Box::new(command)));
        }
    }

    /// States that a part of the run begins or ends.
    pub fn chapter(&mut self, chapter: Chapter) {
        if chapter == Chapter::Begun {
            self.begun = Some(self.now);
        }
        self.state(None, What::Chapter(chapter));
        if chapter == Chapter::Begun {
            let armed = std::mem::take(&mut self.armed);
            self.arm(armed);
        }
    }

    /// Arms faults, each to strike when it says. Before the scenario has begun they wait for that first.
    pub fn arm(&mut self, strikes: Vec<Strike>) {
        let Some(begun) = self.begun else {
            self.armed.extend(strikes);
            return;
        };
        for strike in strikes {
            match strike.when {
                When::At(time) => {
                    let at = (begun + time).max(self.now);
                    self.queue.push(at, Happening::Strike(self.truce, Box::new(strike.fault)));
                }
                When::Ambush { on, skip, after } => self.ambushes.lay(on, skip, after, strike.fault),
            }
        }
    }

    /// Calls off everything that was armed.
    pub fn disarm(&mut self) {
        self.armed.clear();
        self.ambushes.lift();
        self.truce += 1;
    }

    fn move_to(&mut self, at: Moment) {
        if at > self.now {
            hermetic::advance(at.0 - self.now.0);
            self.now = at;
        }
    }

    fn state(&mut self, node: Option<Node>, what: What) {
        if self.record.is_known(&what) {
            return;
        }
        let (turn, fact) = self.record.add(self.now, node, what);
        if !self.ambushes.is_empty() {
            let (now, truce, queue) = (self.now, self.truce, &mut self.queue);
            self.ambushes.see(fact, turn, |after, fault| {
                queue.push(now + after, Happening::Strike(truce, Box::new(fault)));
            });
        }
    }

    fn with_network(&mut self, act: impl FnOnce(&mut Network, &mut Outlet<'_>)) {
        let mut deliveries = std::mem::take(&mut self.deliveries);
        let queue = &mut self.queue;
        let mut outlet = Outlet {
            now: self.now,
            later: &mut |at, transit| queue.push(at, Happening::Transit(transit)),
            deliveries: &mut deliveries,
        };
        act(&mut self.network, &mut outlet);
        for (host, input) in deliveries.drain(..) {
            self.offer(host, input);
        }
        self.deliveries = deliveries;
    }

    /// Where a node is in the list of hosts.
    fn index_of(&self, node: Node) -> Option<usize> {
        let (controllers, brokers) = (self.cluster.controllers as usize, self.cluster.brokers as usize);
        // In ZooKeeper mode the ensemble stands where controllers would.
        let first_broker = controllers + usize::from(self.cluster.zookeeper);
        let index = match node {
            Node::Ensemble => self.cluster.zookeeper.then_some(0),
            Node::Controller(id) => (id.0 as usize).checked_sub(1).filter(|index| *index < controllers),
            Node::Broker(id) => {
                let index = (id.0 as usize).checked_sub(1).filter(|index| *index < brokers);
                index.map(|index| first_broker + index)
            }
            Node::Client(id) => (id.0 as usize).checked_sub(1).map(|index| first_broker + brokers + index),
        };
        index.filter(|index| *index < self.hosts.len())
    }
}
