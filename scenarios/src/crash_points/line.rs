//! The run that is struck: its disk calls, the points in them, and the plan that each point is.
//!
//! Runs the plan once and listens. A point's plan is that plan with a strike more, armed at a moment before its call at
//! which nothing else happens, so that it makes no difference whether the strike was known from the beginning.

use std::time::Duration;

use model::event::Event;
use model::names::{BrokerId, Node};
use rand::Rng;
use sim::dice::Dice;
use sim::disk::{Call, CallKind};
use sim::fact::{Fact, Moment, What};
use sim::fault::{Fault, Strike, Target};
use sim::world::DiskCall;

use super::class::{Class, PathKind, Phase};
use super::{How, On, Point, Stop};
use crate::World;
use crate::run::{Course, Plan};

/// How far strikes are armed before their calls at most, as long as it is calm then.
const STRIDE: Duration = Duration::from_millis(20);
/// For how long the load goes on after the last stop, but for what is missing to a quarter of a second.
const TAIL: Duration = Duration::from_secs(1);
/// The parts in which load is submitted: a plan ends where one does.
pub(super) const QUARTER: Duration = Duration::from_millis(250);

/// A run, and everything that its brokers asked of their disks since the scenario began.
#[derive(Clone, Debug)]
pub struct Line {
    plan: Plan,
    /// When the scenario began.
    begun: Moment,
    calls: Vec<Heard>,
    /// Moments at which nothing happens, since the scenario began, in order.
    calm: Vec<Duration>,
}

/// A point that may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where.
    pub point: Point,
    /// What the last of its calls is like.
    pub class: Class,
    /// When that call is made, since the scenario began.
    pub at: Duration,
    /// When the first of its calls is made.
    pub(super) first_at: Duration,
}

/// Why a point is none of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The run itself came to nothing.
    #[error("the scenario shows nothing without a crash already: {0}")]
    NoRun(String),
    /// There is no such call.
    #[error("{broker} makes no disk call {call} while the scenario lasts; its calls are {from} to {upto}")]
    NoCall {
        /// Whose.
        broker: BrokerId,
        /// Which.
        call: u64,
        /// The first of those that it makes; more than the last if it makes none.
        from: u64,
        /// The last.
        upto: u64,
    },
}

/// A call of a broker in a run.
#[derive(Clone, Copy, Debug)]
struct Heard {
    broker: BrokerId,
    number: u64,
    at: Duration,
    class: Class,
    /// Nothing more is asked of the disk in this step.
    last: bool,
}

impl Candidate {
    /// Candidates in this order are met by one run in one go.
    #[must_use]
    pub fn place(&self) -> (Duration, Point) {
        (self.first_at, self.point)
    }
}

impl Line {
    /// Runs the plan and listens.
    ///
    /// # Errors
    /// If it does not boot, or panics.
    pub fn of(plan: &Plan) -> Result<Self, PlanError> {
        // Load is submitted by the quarter of a second, and a point's plan must submit the same.
        let length =
            Duration::from_millis(u64::try_from(plan.length.as_millis()).unwrap_or(u64::MAX).next_multiple_of(250));
        let plan = Plan { length, ..plan.clone() };
        let heard = sim::hermetic(plan.seed, || Self::listen(&plan));
        heard.unwrap_or_else(|panicked| Err(PlanError::NoRun(panicked.to_string())))
    }

    fn listen(plan: &Plan) -> Result<Self, PlanError> {
        let prepare = |world: &mut World| {
            world.keep_trace(true);
            world.keep_disk_calls(true);
        };
        let mut course = Course::begin(plan, prepare).map_err(|(_, why)| PlanError::NoRun(why))?;
        let begun = course.world.now();
        // In the beginning itself everything is ordered before anything happens.
        let mut calm = vec![Duration::ZERO];
        let mut upto = Duration::ZERO;
        while upto < plan.length {
            course.go_on(upto + STRIDE - Duration::from_nanos(1), plan.length);
            upto += STRIDE;
            if upto < plan.length && course.world.next_at().is_none_or(|next| next > begun + upto) {
                calm.push(upto);
            }
            course.go_on(upto.min(plan.length), plan.length);
        }
        let calls =
            course.world.cluster().broker_ids().flat_map(|broker| heard(&course.world, broker, begun)).collect();
        Ok(Self { plan: plan.clone(), begun, calls, calm })
    }

    /// What was run.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How many disk calls there are.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.len() as u64
    }

    /// Every point of one stop: before each call, amid each append, and after each call with an effect that is the last
    /// one of its step; after any other is before the next. Both with the process killed and with the power cut.
    #[must_use]
    pub fn candidates(&self) -> Vec<Candidate> {
        self.calls.iter().flat_map(|call| call.stops().map(|stop| call.candidate(stop))).collect()
    }

    /// The moments just before and just after each sync, as points in which the power is cut.
    pub(super) fn syncs(&self) -> Vec<Candidate> {
        let syncs = self.calls.iter().filter(|call| matches!(call.class.call, CallKind::Sync | CallKind::SyncDir));
        syncs
            .flat_map(|call| {
                let sides = [On::Before, On::After];
                sides.map(|on| call.candidate(Stop { call: call.number, on, how: How::Power }))
            })
            .collect()
    }

    /// The candidate that a point without a second stop is.
    ///
    /// # Errors
    /// If the broker makes no such call.
    pub fn candidate(&self, point: Point) -> Result<Candidate, PlanError> {
        let own = || self.calls.iter().filter(|call| call.broker == point.broker);
        let call = own().find(|call| call.number == point.first.call);
        call.map(|call| call.candidate(point.first)).ok_or_else(|| PlanError::NoCall {
            broker: point.broker,
            call: point.first.call,
            from: own().next().map_or(1, |call| call.number),
            upto: own().next_back().map_or(0, |call| call.number),
        })
    }

    /// What to run from the beginning to see this candidate.
    #[must_use]
    pub fn plan_of(&self, candidate: &Candidate) -> Plan {
        let mut plan = self.plan.clone();
        plan.storm.strikes.extend(self.strikes(candidate));
        let back = back(self.dice(), candidate.point.broker, candidate.point.last());
        // What is enumerated is told apart when the logs are open again, which has to be under load.
        let session = match candidate.point.last().how {
            How::Leaving { .. } => plan.cluster.settings.controller.broker_session_timeout,
            How::Kill | How::Power => Duration::ZERO,
        };
        let quarters = (candidate.at + back + session + TAIL).as_nanos().div_ceil(QUARTER.as_nanos());
        plan.length = QUARTER * u32::try_from(quarters).unwrap_or(u32::MAX);
        plan
    }

    /// When the stops of a candidate are ordered: the last calm moment before its first call.
    pub(super) fn armed_at(&self, candidate: &Candidate) -> Duration {
        let before = self.calm.partition_point(|calm| *calm < candidate.first_at);
        self.calm[before.saturating_sub(1)]
    }

    /// The stops of a candidate, as they are ordered.
    pub(super) fn strikes(&self, candidate: &Candidate) -> Vec<Strike> {
        let at = self.armed_at(candidate);
        let target = Target::from(candidate.point.broker);
        let strike = |stop: Stop| {
            let back = back(self.dice(), candidate.point.broker, stop);
            let (call, side, how) = (stop.call, stop.on.side(), stop.how.stopping());
            Strike::at(at, Fault::StopAtDiskCall { target, call, side, how, back })
        };
        candidate.point.stops().map(strike).collect()
    }

    /// The calls that a broker made after a call in which it was stopped, until it served again; as points in which it is
    /// stopped once more.
    pub(super) fn candidates_again(&self, world: &World, first: &Candidate) -> Vec<Candidate> {
        let after = heard(world, first.point.broker, self.begun).into_iter();
        let after = after.filter(|call| call.number > first.point.first.call && call.class.phase == Phase::StartUp);
        let again = |call: Heard, stop: Stop| Candidate {
            point: Point { again: Some(stop), ..first.point },
            class: Class { phase: Phase::Recovery, ..call.class },
            at: call.at,
            first_at: first.at,
        };
        after.flat_map(|call| call.stops().map(move |stop| again(call, stop))).collect()
    }

    fn dice(&self) -> Dice {
        Dice::new(self.plan.seed)
    }
}

impl Heard {
    fn stops(&self) -> impl Iterator<Item = Stop> + use<> {
        let (call, appends) = (self.number, self.class.call == CallKind::Append);
        let after = self.last && !self.class.call.only_reads();
        let sides = [(On::Before, true), (On::Amid, appends), (On::After, after)];
        let sides = sides.into_iter().filter(|(_, is)| *is);
        sides.flat_map(move |(on, _)| [How::Kill, How::Power].map(|how| Stop { call, on, how }))
    }

    fn candidate(&self, first: Stop) -> Candidate {
        let point = Point { broker: self.broker, first, again: None };
        Candidate { point, class: self.class, at: self.at, first_at: self.at }
    }
}

/// How long after a stop the process is started again: mostly soon, sometimes after half a second. The same whatever
/// stops in a call, so that what is left of a disk is all that differs between two power cuts in it.
fn back(dice: Dice, broker: BrokerId, stop: Stop) -> Duration {
    let mut draw = dice.draw(&("crash point", "back", broker, stop.call));
    Duration::from_millis(if draw.gen_bool(0.75) { draw.gen_range(10..100) } else { draw.gen_range(100..600) })
}

/// The calls of a broker since the scenario began, each in its phase.
fn heard(world: &World, broker: BrokerId, begun: Moment) -> Vec<Heard> {
    let phases = phases(world.trace(), broker.into());
    let calls: &[DiskCall] = world.kept_disk_calls(broker);
    let next = calls.iter().skip(1).map(Some).chain([None]);
    let lasting = calls.iter().zip(next).filter(|(call, _)| call.at > begun);
    lasting
        .map(|(call, next)| {
            let phase =
                phases[..phases.partition_point(|(at, _)| *at <= call.at)].last().map_or(Phase::Serving, |last| last.1);
            let DiskCall { call: Call { number, kind, path }, at, .. } = call;
            let class = Class { call: *kind, path: PathKind::of_call(*kind, path), phase };
            let last = next.is_none_or(|next| (next.at, next.life) != (call.at, call.life));
            Heard { broker, number: *number, at: at.since(begun), class, last }
        })
        .collect()
}

/// When each phase of a node's lives begins.
fn phases(trace: &[Fact], node: Node) -> Vec<(Moment, Phase)> {
    let own = trace.iter().filter(|fact| fact.node == Some(node));
    own.filter_map(|fact| {
        let phase = match &fact.what {
            What::Started { .. } => Phase::StartUp,
            What::Noted(Event::Fenced { fenced: false }) => Phase::Serving,
            What::Struck(Fault::Terminate(_)) => Phase::ShutDown,
            _ => return None,
        };
        Some((fact.at, phase))
    })
    .collect()
}
