//! Draws one misfortune: when it strikes, whom, and how it ends. What it is, each family draws for itself.

use std::time::Duration;

use model::names::{BrokerId, ControllerId, Node};
use rand::Rng;
use sim::cluster::Cluster;
use sim::dice::Draw;
use sim::fault::{Fault, Sight, Strike, Target, When};

use super::operator;
use super::tempo::{Tempo, span_between};
use super::{Family, Intensity, pick};

/// How large the cluster is that can be struck.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) brokers: u32,
    pub(super) controllers: u32,
    /// There is an ensemble, and a broker is the controller.
    pub(super) zookeeper: bool,
    partitions: u32,
    /// All of it, for an operator.
    cluster: Cluster,
}

impl Place {
    pub(super) fn of(cluster: &Cluster) -> Self {
        let partitions: u32 = cluster.all_topics().iter().map(|topic| topic.partitions).sum();
        Self {
            brokers: cluster.brokers,
            controllers: cluster.controllers,
            zookeeper: cluster.zookeeper,
            partitions: partitions.max(1),
            cluster: cluster.clone(),
        }
    }
}

/// Whom a misfortune strikes, and how its end can name the same node.
#[derive(Clone, Copy)]
pub(super) struct Victim {
    pub(super) target: Target,
}

impl Victim {
    /// Whether the name means the same node whenever it is looked up.
    pub(super) fn is_fixed(self) -> bool {
        matches!(self.target, Target::Node(_))
    }
}

/// Draws one misfortune.
pub(super) struct Hand {
    pub(super) draw: Draw,
    pub(super) place: Place,
    pub(super) strikes: Vec<Strike>,
}

impl Hand {
    pub(super) fn misfortune(&mut self, families: &[Family], tempo: &Tempo, intensity: &Intensity) {
        let when = if self.draw.gen_range(0..100) < intensity.ambushes {
            self.ambush()
        } else {
            When::At(tempo.moment(&mut self.draw))
        };
        match pick(&mut self.draw, families) {
            Family::Crashes => self.crash(&when),
            Family::PowerLosses => self.power_loss(&when),
            Family::Pauses => self.pause(&when),
            Family::Partitions => self.partition(&when),
            Family::Weather => self.weather(&when),
            Family::Disks => self.disk(&when),
            Family::Clocks => self.clock(&when),
            Family::Administration => {
                let topics = self.place.cluster.all_topics();
                let request = operator::request(&mut self.draw, &self.place.cluster, &topics);
                self.strike(&when, Fault::Administer(request));
            }
            Family::Controllers => self.controllers(&when),
        }
    }

    /// Waits for one of the moments at which the protocol is in the middle of something.
    fn ambush(&mut self) -> When {
        const RARE: &[Sight] = &[
            Sight::Truncated,
            Sight::Diverged,
            Sight::Led,
            Sight::Followed,
            Sight::IsrProposed,
            Sight::IsrShrunk,
            Sight::IsrGrew,
            Sight::LeaderChanged,
            Sight::Registered,
            Sight::Unfenced,
            Sight::Started,
        ];
        const FREQUENT: &[Sight] =
            &[Sight::Appended, Sight::Replicated, Sight::HighWatermarkMoved, Sight::Acked, Sight::MetadataApplied];
        let rare = self.draw.gen_bool(0.7);
        let on = pick(&mut self.draw, if rare { RARE } else { FREQUENT });
        let skip = self.draw.gen_range(0..if rare { 8 } else { 1_500 });
        let after = if self.draw.gen_bool(0.5) {
            Duration::ZERO
        } else {
            span_between(&mut self.draw, Duration::from_micros(50), Duration::from_millis(20))
        };
        When::Ambush { on, skip, after }
    }

    pub(super) fn strike(&mut self, when: &When, fault: Fault) {
        self.strikes.push(Strike { when: when.clone(), fault });
    }

    /// The end of what began at `when`: after a drawn span, mostly; sometimes only the heal at the end of all ends it.
    pub(super) fn end(&mut self, when: &When, fault: Fault) {
        let span = span_between(&mut self.draw, Duration::from_millis(50), Duration::from_secs(15));
        if self.draw.gen_bool(0.9) {
            self.strikes.push(Strike { when: when.later(span), fault });
        }
    }

    pub(super) fn broker(&mut self) -> Victim {
        let partition = self.draw.gen_range(0..self.place.partitions);
        let target = match self.draw.gen_range(0..10) {
            0..5 => self.named_broker(),
            5..8 => Target::Leader(partition),
            8 => Target::Follower(partition, self.draw.gen_range(0..4)),
            _ => Target::InSync(partition, self.draw.gen_range(0..4)),
        };
        Victim { target }
    }

    pub(super) fn named_broker(&mut self) -> Target {
        Target::Node(Node::Broker(BrokerId(self.draw.gen_range(1..=self.place.brokers))))
    }

    /// One of them, by name: nothing is drawn where there is only one. In ZooKeeper mode the ensemble.
    pub(super) fn named_controller(&mut self) -> Target {
        if self.place.zookeeper {
            return Target::Node(Node::Ensemble);
        }
        let id = if self.place.controllers > 1 { self.draw.gen_range(1..=self.place.controllers) } else { 1 };
        Target::Node(Node::Controller(ControllerId(id)))
    }

    /// One of them, mostly the active one.
    pub(super) fn controller(&mut self) -> Victim {
        let target = match self.draw.gen_range(0..10) {
            0..5 => Target::Controller,
            5..8 => self.named_controller(),
            _ if self.place.zookeeper => Target::Controller,
            _ => Target::StandbyController(self.draw.gen_range(0..4)),
        };
        Victim { target }
    }

    pub(super) fn server(&mut self) -> Victim {
        if self.draw.gen_bool(0.1) {
            return Victim { target: self.named_controller() };
        }
        self.broker()
    }
}
