//! What the producers of a real fleet are told: some are hasty, some patient, some never try again.

use rand::Rng;
use sim::cluster::Cluster;
use sim::dice::Dice;

/// The settings of all producers of a cluster. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clients {
    /// `linger.ms`.
    pub(super) linger: u32,
    /// `request.timeout.ms`.
    pub(super) request_timeout: u32,
    /// How much more than the least `delivery.timeout.ms`, which is `linger.ms` + `request.timeout.ms` (P6).
    pub(super) patience: u32,
    /// `max.in.flight.requests.per.connection`.
    pub(super) in_flight: u32,
    /// `retries`.
    pub(super) retries: u32,
    /// `max.block.ms`.
    pub(super) max_block: u32,
}

/// Kafka's default for `retries`: what counts is time.
const RETRIES_WITHOUT_END: u32 = i32::MAX as u32;

impl Clients {
    /// Of any temper, Kafka's defaults among them.
    pub(super) fn draw(dice: Dice) -> Self {
        let mut draw = dice.draw(&("clients", "told"));
        let mut one_of = |from: &[u32]| from[draw.gen_range(0..from.len())];
        let (linger, request_timeout) = (one_of(&[0, 5, 5, 50]), one_of(&[1_000, 3_000, 30_000, 30_000]));
        Self {
            linger,
            request_timeout,
            patience: one_of(&[0, 2_000, 10_000, 120_000 - linger - request_timeout]),
            in_flight: one_of(&[1, 1, 2, 5, 5]),
            retries: one_of(&[0, 1, 3, RETRIES_WITHOUT_END, RETRIES_WITHOUT_END]),
            max_block: one_of(&[1_000, 60_000, 60_000]),
        }
    }

    /// Those who give up within a few seconds, and not before.
    pub(super) fn hasty(dice: Dice) -> Self {
        let mut draw = dice.draw(&("clients", "hasty"));
        Self {
            request_timeout: draw.gen_range(500..2_000),
            patience: draw.gen_range(0..3_000),
            retries: RETRIES_WITHOUT_END,
            ..Self::draw(dice)
        }
    }

    /// The cluster, and with every third seed its producers are hasty: so that a scenario puts to the test what becomes of records that
    /// are refused, and yet has patient producers mostly, as Kafka's are.
    pub(super) fn hasty_every_third(dice: Dice, cluster: Cluster) -> Cluster {
        if dice.seed().is_multiple_of(3) { Self::hasty(dice).told(cluster) } else { cluster }
    }

    /// The cluster whose producers are told this.
    pub(super) fn told(self, cluster: Cluster) -> Cluster {
        let delivery_timeout = self.linger + self.request_timeout + self.patience;
        let told = [
            ("producer.linger.ms", self.linger),
            ("producer.request.timeout.ms", self.request_timeout),
            ("producer.delivery.timeout.ms", delivery_timeout),
            ("producer.max.in.flight.requests.per.connection", self.in_flight),
            ("producer.retries", self.retries),
            ("producer.max.block.ms", self.max_block),
        ];
        let told = told.map(|(name, value)| (name, value.to_string()));
        match cluster.try_properties(&told.each_ref().map(|(name, value)| (*name, value.as_str()))) {
            Ok(cluster) => cluster,
            Err(error) => panic!("the clients contradict the cluster: {error}"),
        }
    }
}
