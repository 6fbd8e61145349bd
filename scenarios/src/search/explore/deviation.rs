//! What may befall a small world at a choice point.

use std::time::Duration;

use model::names::{BrokerId, Node};
use model::wire::Channel;
use sim::Verbs;
use sim::cluster::Cluster;
use sim::fault::{Fault, Strike, Target};

use crate::World;
use crate::storm::Family;

/// Whom a deviation is about. As long as nothing happens to them, it makes no difference when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A broker's process.
    Broker(BrokerId),
    /// The links between a broker and whoever controls the cluster.
    ToControllers(BrokerId),
    /// The links between two brokers.
    Between(BrokerId, BrokerId),
    /// One conversation, one way.
    Conversation(Channel, Node, Node),
}

/// One thing that may befall them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Deviation {
    /// Whom.
    pub(super) subject: Subject,
    /// What strikes, and how long after the choice.
    blows: Vec<(Duration, Fault)>,
}

/// All that may befall a small world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Menu {
    /// A broker that dies keeps what was not synced.
    pub(super) crashes: bool,
    /// Whoever dies loses what was not synced, or may.
    pub(super) power: bool,
    /// A process may stand still.
    pub(super) pauses: bool,
    /// How long somebody is away, a link is cut and a conversation stalls: longer than a session and than a follower may lag.
    pub(super) away: Duration,
}

/// Between a choice and what follows from it, so that it comes behind everything that happens at that moment.
pub(super) const BEHIND: Duration = Duration::from_nanos(1);

impl Deviation {
    /// What strikes if this is chosen so long after the scenario began.
    pub(super) fn strikes(&self, chosen: Duration) -> Vec<Strike> {
        self.blows.iter().map(|(after, fault)| Strike::at(chosen + BEHIND + *after, fault.clone())).collect()
    }

    /// How long it lasts.
    pub(super) fn lasts(&self, menu: &Menu) -> Duration {
        match self.subject {
            Subject::Conversation(..) => menu.away,
            _ => self.blows.last().map_or(Duration::ZERO, |(after, _)| *after),
        }
    }
}

impl Menu {
    /// What storms of these families do.
    pub(super) fn of(families: &[Family], away: Duration) -> Self {
        Self {
            crashes: families.contains(&Family::Crashes) || !families.contains(&Family::PowerLosses),
            power: families.contains(&Family::PowerLosses),
            pauses: families.contains(&Family::Pauses),
            away,
        }
    }

    /// All that may befall this world now, in a fixed order.
    pub(super) fn deviations(&self, world: &World) -> Vec<Deviation> {
        let mut all = Vec::new();
        let up: Vec<BrokerId> = world.brokers().into_iter().filter(|broker| world.is_up(*broker)).collect();
        for &broker in &up {
            self.befall_process(broker, &mut all);
        }
        for &broker in &up {
            all.push(self.cut(Subject::ToControllers(broker), broker.into(), Target::Controllers));
        }
        for (nth, &one) in up.iter().enumerate() {
            for &other in &up[nth + 1..] {
                all.push(self.cut(Subject::Between(one, other), one.into(), other.into()));
            }
        }
        all.extend(conversations(world).into_iter().map(|(channel, from, to)| self.stall(channel, from, to)));
        all
    }

    fn befall_process(&self, broker: BrokerId, all: &mut Vec<Deviation>) {
        let whom = Target::from(broker);
        let mut push = |blows| all.push(Deviation { subject: Subject::Broker(broker), blows });
        let back = |fault| vec![(Duration::ZERO, fault), (self.away, Fault::Start(whom))];
        if self.crashes {
            push(vec![(Duration::ZERO, Fault::Restart(whom))]);
            push(back(Fault::Crash(whom)));
        }
        if self.power {
            push(vec![(Duration::ZERO, Fault::PowerOff(whom)), (BEHIND, Fault::Start(whom))]);
            push(back(Fault::PowerOff(whom)));
        }
        if self.pauses {
            push(vec![(Duration::ZERO, Fault::Pause(whom, self.away))]);
        }
    }

    fn cut(&self, subject: Subject, one: Target, other: Target) -> Deviation {
        let cut = Fault::CutBoth { between: vec![one], and: vec![other] };
        let mend = Fault::Mend { between: vec![one], and: vec![other] };
        Deviation { subject, blows: vec![(Duration::ZERO, cut), (self.away, mend)] }
    }

    fn stall(&self, channel: Channel, from: Node, to: Node) -> Deviation {
        let stall =
            Fault::Stall { channel, from: vec![Target::Node(from)], to: vec![Target::Node(to)], lasts: self.away };
        Deviation { subject: Subject::Conversation(channel, from, to), blows: vec![(Duration::ZERO, stall)] }
    }
}

/// The conversations in which the order of arrivals may matter: what brokers learn of the controller, what leaders propose to it, and
/// what followers fetch.
fn conversations(world: &World) -> Vec<(Channel, Node, Node)> {
    let controller = controller(world.cluster(), world);
    let leader = world.leader_of(0);
    let mut all = Vec::new();
    for broker in world.brokers() {
        let node = Node::from(broker);
        if world.cluster().zookeeper {
            all.push((Channel::ZooKeeper, Node::Ensemble, node));
            if controller != node {
                all.push((Channel::Control, controller, node));
            }
        } else {
            all.push((Channel::Metadata, controller, node));
        }
        if leader == Some(broker) {
            all.push((Channel::AlterPartition, node, controller));
            all.push((Channel::AlterPartition, controller, node));
        } else if let Some(leader) = leader.map(Node::from) {
            all.push((Channel::ReplicaFetch, node, leader));
            all.push((Channel::ReplicaFetch, leader, node));
        }
    }
    all.retain(|(_, from, to)| from != to);
    all
}

/// Who controls the cluster.
fn controller(cluster: &Cluster, world: &World) -> Node {
    if cluster.zookeeper { world.controlling_broker().into() } else { world.controller().into() }
}
