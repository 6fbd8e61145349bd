//! Misfortunes, drawn before they blow: a list that can be printed, kept in a file and shrunk by deletion.
//!
//! Each seed first draws what kind of storm it is: how many faults, at which tempo, of which families (swarm: a storm
//! without pauses meets what a storm full of pauses hides). Every fault that lasts has its end in the list, mostly.
//! Nothing here knows a run; whom a role such as "the leader" means is looked up when the fault strikes.

use std::time::Duration;

use model::names::{BrokerId, ControllerId, Node};
use rand::Rng;
use serde::{Deserialize, Serialize};
use sim::cluster::Cluster;
use sim::dice::{Dice, Draw};
use sim::fault::{Fault, Sight, Strike, Target, When};

/// What befalls a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    /// The misfortunes and their ends, in the order in which they were drawn.
    pub strikes: Vec<Strike>,
}

/// What kinds of storms may be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intensity {
    /// How many misfortunes at most; their ends are not counted.
    pub faults: u32,
    /// Over how long.
    pub span: Duration,
    /// Of which families.
    pub families: Vec<Family>,
    /// Whether each storm has only some of the families, and only some of the misfortunes.
    pub swarm: bool,
    /// How many of a hundred misfortunes lie in ambush.
    pub ambushes: u32,
}

/// Misfortunes that have a place in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Family {
    /// Processes are killed, or told to stop, and return.
    Crashes,
    /// The power goes, of one host or of all.
    PowerLosses,
    /// Processes stand still.
    Pauses,
    /// Links are cut: one way, both ways, all of a node's, to the controller only, to the followers only.
    Partitions,
    /// Links are slow, hold messages back, or are reset.
    Weather,
    /// Disks stall, are slow, are full, fail.
    Disks,
    /// Clocks are wrong, run wrong, or jump.
    Clocks,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Crashes, Self::PowerLosses, Self::Pauses, Self::Partitions, Self::Weather, Self::Disks, Self::Clocks];
}

impl Intensity {
    /// Exactly so many misfortunes of these families over so long, three in ten in ambush.
    #[must_use]
    pub fn of(faults: u32, span: Duration, families: &[Family]) -> Self {
        Self { faults, span, families: families.to_vec(), swarm: false, ambushes: 30 }
    }

    /// A kind of storm of its own for each seed: up to so many misfortunes, of some of the families.
    #[must_use]
    pub fn swarm(faults: u32, span: Duration) -> Self {
        Self { faults, span, families: Family::ALL.to_vec(), swarm: true, ambushes: 40 }
    }
}

impl Storm {
    /// No misfortune at all.
    #[must_use]
    pub fn calm() -> Self {
        Self::default()
    }

    /// Exactly these misfortunes.
    #[must_use]
    pub fn of(strikes: Vec<Strike>) -> Self {
        Self { strikes }
    }

    /// A storm of this intensity, drawn by the dice. The same dice draw the same storm.
    #[must_use]
    pub fn draw(dice: Dice, cluster: &Cluster, intensity: &Intensity) -> Self {
        let mut kind = dice.draw(&("storm", "kind"));
        let families = families_of(&mut kind, intensity);
        let faults = if intensity.swarm { kind.gen_range(1..=intensity.faults.max(1)) } else { intensity.faults };
        let tempo = Tempo::draw(&mut kind, intensity.span);
        let mut strikes = Vec::new();
        for nth in 0..faults {
            let mut hand =
                Hand { draw: dice.draw(&("storm", "fault", nth)), place: Place::of(cluster), strikes: Vec::new() };
            hand.misfortune(&families, &tempo, intensity);
            strikes.append(&mut hand.strikes);
        }
        Self { strikes }
    }
}

/// Which families this storm has: never none.
fn families_of(kind: &mut Draw, intensity: &Intensity) -> Vec<Family> {
    if !intensity.swarm {
        return intensity.families.clone();
    }
    let mut families: Vec<Family> = intensity.families.iter().copied().filter(|_| kind.gen_bool(0.5)).collect();
    if families.is_empty() {
        families.push(pick(kind, &intensity.families));
    }
    families
}

fn pick<T: Copy>(draw: &mut Draw, from: &[T]) -> T {
    from[draw.gen_range(0..from.len())]
}

/// A span between the two, short ones as likely as long ones: uniform in its logarithm.
fn span_between(draw: &mut Draw, least: Duration, most: Duration) -> Duration {
    let (least, most) = (least.as_secs_f64().ln(), most.as_secs_f64().ln());
    let micros = draw.gen_range(least..=most).exp() * 1e6;
    Duration::from_micros(micros as u64)
}

/// How the misfortunes lie in time.
enum Tempo {
    /// Anywhere.
    Even(Duration),
    /// Close to one of these moments.
    Bursts(Vec<Duration>),
}

impl Tempo {
    fn draw(kind: &mut Draw, span: Duration) -> Self {
        if kind.gen_bool(0.5) {
            return Self::Even(span);
        }
        let bursts = kind.gen_range(1..=3);
        Self::Bursts((0..bursts).map(|_| span.mul_f64(kind.gen_range(0.05..0.8))).collect())
    }

    fn moment(&self, draw: &mut Draw) -> Duration {
        match self {
            Self::Even(span) => span.mul_f64(draw.gen_range(0.02..0.95)),
            Self::Bursts(centres) => {
                let centre = centres[draw.gen_range(0..centres.len())];
                centre + span_between(draw, Duration::from_millis(1), Duration::from_secs(4))
            }
        }
    }
}

/// How large the cluster is that can be struck.
#[derive(Clone, Copy)]
struct Place {
    brokers: u32,
    partitions: u32,
}

impl Place {
    fn of(cluster: &Cluster) -> Self {
        let partitions: u32 = cluster.all_topics().iter().map(|topic| topic.partitions).sum();
        Self { brokers: cluster.brokers, partitions: partitions.max(1) }
    }
}

/// Whom a misfortune strikes, and how its end can name the same node.
#[derive(Clone, Copy)]
struct Victim {
    target: Target,
}

impl Victim {
    /// Whether the name means the same node whenever it is looked up.
    fn is_fixed(self) -> bool {
        matches!(self.target, Target::Node(_))
    }
}

/// Draws one misfortune.
struct Hand {
    draw: Draw,
    place: Place,
    strikes: Vec<Strike>,
}

impl Hand {
    fn misfortune(&mut self, families: &[Family], tempo: &Tempo, intensity: &Intensity) {
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

    fn strike(&mut self, when: &When, fault: Fault) {
        self.strikes.push(Strike { when: when.clone(), fault });
    }

    /// The end of what began at `when`: after a drawn span, mostly; sometimes only the heal at the end of all ends it.
    fn end(&mut self, when: &When, fault: Fault) {
        let span = span_between(&mut self.draw, Duration::from_millis(50), Duration::from_secs(15));
        if self.draw.gen_bool(0.9) {
            self.strikes.push(Strike { when: later(when, span), fault });
        }
    }

    fn broker(&mut self) -> Victim {
        let partition = self.draw.gen_range(0..self.place.partitions);
        let target = match self.draw.gen_range(0..10) {
            0..5 => self.named_broker(),
            5..8 => Target::Leader(partition),
            8 => Target::Follower(partition, self.draw.gen_range(0..4)),
            _ => Target::InSync(partition, self.draw.gen_range(0..4)),
        };
        Victim { target }
    }

    fn named_broker(&mut self) -> Target {
        Target::Node(Node::Broker(BrokerId(self.draw.gen_range(1..=self.place.brokers))))
    }

    fn server(&mut self) -> Victim {
        if self.draw.gen_bool(0.1) {
            return Victim { target: Target::Node(Node::Controller(ControllerId(CONTROLLER))) };
        }
        self.broker()
    }

    fn crash(&mut self, when: &When) {
        let victim = self.server();
        let fault = match self.draw.gen_range(0..10) {
            0 => Fault::Terminate(victim.target),
            1 => Fault::CrashAtDiskCall(victim.target, self.draw.gen_range(1..400)),
            2 => return self.strike(when, Fault::Restart(victim.target)),
            _ => Fault::Crash(victim.target),
        };
        self.down(when, victim, fault);
    }

    /// Somebody goes down, and comes back.
    fn down(&mut self, when: &When, victim: Victim, fault: Fault) {
        self.strike(when, fault);
        // A role may have passed to somebody else by then: whoever is down is started.
        let back = if victim.is_fixed() { Fault::Start(victim.target) } else { Fault::Start(Target::Everyone) };
        self.end(when, back);
    }

    fn power_loss(&mut self, when: &When) {
        match self.draw.gen_range(0..10) {
            0..2 => {
                self.strike(when, Fault::PowerOffAll);
                self.end(when, Fault::Start(Target::Everyone));
            }
            2 => {
                let victim = self.server();
                let nth = self.draw.gen_range(1..400);
                self.down(when, victim, Fault::PowerOffAtDiskCall(victim.target, nth));
            }
            _ => {
                let victim = self.server();
                self.down(when, victim, Fault::PowerOff(victim.target));
            }
        }
    }

    fn pause(&mut self, when: &When) {
        let victim = self.server();
        let span = span_between(&mut self.draw, Duration::from_millis(20), Duration::from_secs(20));
        self.strike(when, Fault::Pause(victim.target, span));
    }

    fn partition(&mut self, when: &When) {
        let victim = self.broker();
        let one = vec![victim.target];
        let other = match self.draw.gen_range(0..4) {
            0 => vec![Target::Controller],
            1 => vec![Target::Brokers],
            2 => vec![Target::Clients],
            _ => vec![self.named_broker()],
        };
        let fault = match self.draw.gen_range(0..4) {
            0 => Fault::Isolate(victim.target),
            1 => Fault::Cut { from: one, to: other },
            2 => Fault::Cut { from: other, to: one },
            _ => Fault::CutBoth { between: one, and: other },
        };
        self.strike(when, fault);
        self.mended(when, victim);
    }

    fn mended(&mut self, when: &When, victim: Victim) {
        let end = if victim.is_fixed() {
            Fault::Mend { between: vec![victim.target], and: vec![Target::Everyone] }
        } else {
            Fault::Heal
        };
        self.end(when, end);
    }

    fn weather(&mut self, when: &When) {
        let victim = self.broker();
        let other = match self.draw.gen_range(0..4) {
            0 => Target::Controller,
            1 => Target::Clients,
            2 => Target::Brokers,
            _ => self.named_broker(),
        };
        let (from, to) = if self.draw.gen_bool(0.5) {
            (vec![victim.target], vec![other])
        } else {
            (vec![other], vec![victim.target])
        };
        let fault = match self.draw.gen_range(0..5) {
            0 => return self.strike(when, Fault::Sever { between: from, and: to }),
            1 => Fault::Slow { from, to, bytes_per_second: self.draw.gen_range(1_000..100_000) },
            2 => {
                let extra = span_between(&mut self.draw, Duration::from_millis(1), Duration::from_secs(2));
                Fault::Delay { from, to, extra, jitter: extra / 2 }
            }
            _ => Fault::Hold { from, to },
        };
        self.strike(when, fault);
        self.mended(when, victim);
    }

    fn disk(&mut self, when: &When) {
        let victim = self.server();
        let target = victim.target;
        match self.draw.gen_range(0..10) {
            0..4 => {
                let span = span_between(&mut self.draw, Duration::from_millis(20), Duration::from_secs(8));
                self.strike(when, Fault::DiskStall(target, span));
            }
            4..6 => {
                let factor = self.draw.gen_range(5..200);
                self.strike(when, Fault::DiskSlow(target, factor));
                if victim.is_fixed() {
                    self.end(when, Fault::DiskSlow(target, 1));
                } else {
                    self.end(when, Fault::DiskSlow(Target::Brokers, 1));
                }
            }
            6 => {
                self.strike(when, Fault::DiskFull(target));
                // A broker whose disk is full halts (R115): space first, then the process.
                let span = span_between(&mut self.draw, Duration::from_millis(50), Duration::from_secs(10));
                let back = if victim.is_fixed() { target } else { Target::Brokers };
                self.strikes.push(Strike { when: later(when, span), fault: Fault::DiskFree(back) });
                self.end(&later(when, span), Fault::Start(back));
            }
            7 => {
                let calls = self.draw.gen_range(1..3);
                self.down(when, victim, Fault::DiskError(target, calls));
            }
            8 => {
                // Not the controller's: a lone controller whose disk lies about a sync has promised nothing (G4).
                let victim = self.broker();
                self.down(when, victim, Fault::SyncError(victim.target));
            }
            _ => {
                let nth = self.draw.gen_range(1..400);
                self.down(when, victim, Fault::CrashAtDiskCall(target, nth));
            }
        }
    }

    fn clock(&mut self, when: &When) {
        // By name: the end has to find the same clock.
        let target = if self.draw.gen_bool(0.15) {
            Target::Node(Node::Controller(ControllerId(CONTROLLER)))
        } else {
            self.named_broker()
        };
        match self.draw.gen_range(0..3) {
            0 => {
                let span = span_between(&mut self.draw, Duration::from_millis(10), Duration::from_secs(30));
                let nanos = signed(&mut self.draw, span);
                self.strike(when, Fault::ClockSkew(target, nanos));
                self.end(when, Fault::ClockSkew(target, 0));
            }
            1 => {
                let ppm = self.draw.gen_range(-100_000..=100_000);
                self.strike(when, Fault::ClockDrift(target, ppm));
                self.end(when, Fault::ClockDrift(target, 0));
            }
            _ => {
                let span = span_between(&mut self.draw, Duration::from_millis(10), Duration::from_secs(30));
                let nanos = signed(&mut self.draw, span);
                self.strike(when, Fault::ClockJump(target, nanos));
            }
        }
    }
}

/// The only controller's id.
const CONTROLLER: u32 = 1;

fn signed(draw: &mut Draw, span: Duration) -> i64 {
    let nanos = span.as_nanos() as i64;
    if draw.gen_bool(0.5) { nanos } else { -nanos }
}

/// So long after another time or sight.
fn later(when: &When, span: Duration) -> When {
    match when {
        When::At(time) => When::At(*time + span),
        When::Ambush { on, skip, after } => When::Ambush { on: *on, skip: *skip, after: *after + span },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn intensity() -> Intensity {
        Intensity::of(12, Duration::from_secs(60), &Family::ALL)
    }

    #[test]
    fn a_storm_is_drawn_from_its_seed_alone() {
        let cluster = Cluster::of(3);
        let draw = |seed| Storm::draw(Dice::new(seed), &cluster, &intensity());
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn a_storm_survives_being_written_and_read() {
        for seed in 0..50 {
            let storm = Storm::draw(Dice::new(seed), &Cluster::of(4), &intensity());
            let text = serde_json::to_string(&storm).unwrap();
            assert_eq!(serde_json::from_str::<Storm>(&text).unwrap(), storm);
        }
    }

    #[test]
    fn what_goes_down_comes_back_mostly() {
        let (mut down, mut up) = (0, 0);
        for seed in 0..200 {
            let families = [Family::Crashes, Family::PowerLosses];
            let storm =
                Storm::draw(Dice::new(seed), &Cluster::of(3), &Intensity::of(12, Duration::from_secs(60), &families));
            for strike in storm.strikes {
                match strike.fault {
                    Fault::Start(_) => up += 1,
                    Fault::Restart(_) => {}
                    _ => down += 1,
                }
            }
        }
        assert!(up < down && up * 100 > down * 80, "{down} went down and {up} came back");
    }

    #[test]
    fn a_swarm_has_storms_with_and_without_each_family() {
        let mut sizes = BTreeSet::new();
        let (mut with_pauses, mut without) = (0, 0);
        for seed in 0..100 {
            let storm = Storm::draw(Dice::new(seed), &Cluster::of(3), &Intensity::swarm(12, Duration::from_secs(60)));
            assert!(!storm.strikes.is_empty());
            sizes.insert(storm.strikes.len());
            let pauses = storm.strikes.iter().any(|strike| matches!(strike.fault, Fault::Pause(..)));
            *if pauses { &mut with_pauses } else { &mut without } += 1;
        }
        assert!(sizes.len() > 10 && with_pauses > 15 && without > 15, "{sizes:?} {with_pauses} {without}");
    }
}
