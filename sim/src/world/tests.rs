//! The event loop with tiny machines in it.

use std::time::Duration;

use bytes::Bytes;
use model::disk::Disk;
use model::event::Event;
use model::machine::{Effects, Input, Machine, Stop, Task};
use model::names::{BrokerEpoch, BrokerId, EndOffset, Node, Partition, Time};
use model::wire::{Body, Channel, Envelope, MetadataRequest, MetadataResponse, Request, Response};

use super::World;
use super::hosts::Host;
use super::process::Program;
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::disk::SimDisk;
use crate::fact::{Chapter, Ending, Fact, Moment, What};
use crate::fault::{Fault, Sight, Strike, Target, When};
use crate::hands::Verbs;
use crate::net::Weather;

/// A machine that asks its peer something every `every`, answers what it is asked, and keeps a count on disk.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    me: Node,
    peer: Option<Node>,
    every: Duration,
    /// Never moves its deadline.
    stuck: bool,
    /// Writes a byte to disk and syncs it in every step that takes in a message.
    writes: bool,
    /// Counts from a number of its own in every life, and says so as a broker epoch.
    named: bool,
    next: Option<Time>,
    count: u64,
    file: Option<model::disk::FileId>,
}

impl Probe {
    fn new(me: Node, peer: Option<Node>) -> Self {
        let every = Duration::from_millis(10);
        Self { me, peer, every, stuck: false, writes: false, named: false, next: None, count: 0, file: None }
    }
}

fn said(number: u64) -> Event {
    Event::Flushed { partition: Partition::METADATA, upto: EndOffset(number) }
}

impl Machine for Probe {
    fn step(&mut self, now: Time, input: Input, disk: &mut dyn Disk, effects: &mut Effects) -> Result<(), Stop> {
        match input {
            Input::Start(chance) => {
                self.next = Some(now + self.every);
                if self.named {
                    self.count = chance.draw("count", 0) >> 32;
                    effects.note(Event::Registered { epoch: BrokerEpoch(self.count as i64) });
                }
                if self.writes {
                    let known = disk.open("count").or_else(|_| disk.create("count"))?;
                    effects.note(said(disk.len(known)?));
                    self.file = Some(known);
                }
            }
            Input::Tick => {
                if !self.stuck {
                    self.next = Some(now + self.every);
                }
                let Some(peer) = self.peer else { return Ok(()) };
                self.count += 1;
                let request = Request::Metadata(MetadataRequest { topics: Vec::new() });
                effects.send(Envelope::request(self.me, peer, Channel::Client, self.count, request));
                effects.later(Task::Flush { partition: Partition::METADATA, upto: EndOffset(self.count) });
            }
            Input::Receive(envelope) => {
                if let Some(file) = self.file {
                    disk.append(file, Bytes::from_static(b"x"))?;
                    disk.sync(file)?;
                }
                effects.note(said(envelope.correlation));
                if let Body::Request(_) = envelope.body {
                    let response = MetadataResponse { brokers: Vec::new(), topics: Vec::new() };
                    effects.send(Envelope::response(&envelope.reply_to(), self.me, Response::Metadata(response)));
                }
            }
            Input::Later(Task::Flush { upto, .. }) => {
                effects.note(Event::MetadataApplied { upto });
            }
            Input::Terminate => effects.exit(),
            Input::Severed(_) | Input::Submit(_) | Input::Later(_) => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Time> {
        self.next
    }
}

const B1: Node = Node::Broker(BrokerId(1));
const B2: Node = Node::Broker(BrokerId(2));

/// Brokers that are probes: each of `probes` on the broker of its place. The controller's place is an idle probe.
fn world(seed: u64, weather: Weather, probes: Vec<Probe>) -> World {
    let cluster = Cluster::of(u32::try_from(probes.len()).unwrap()).latency(weather);
    let dice = Dice::new(seed);
    let controller: Node = model::names::ControllerId(1).into();
    let idle = Probe { every: Duration::from_secs(3_600), ..Probe::new(controller, None) };
    let hosts = std::iter::once(idle).chain(probes).map(|probe| {
        let disk = SimDisk::new(probe.me, dice, cluster.disk);
        Host::new(probe.me, Program::Probe(probe), disk, dice)
    });
    let mut world = World::with_hosts(&cluster, hosts.collect(), dice, ());
    world.keep_trace(true);
    for index in 0..world.hosts.len() {
        world.start(index);
    }
    world.chapter(Chapter::Begun);
    world
}

/// Broker 1 asks broker 2 every 10 ms.
fn pair(seed: u64) -> World {
    world(seed, Weather::FAIR, vec![Probe::new(B1, Some(B2)), Probe::new(B2, None)])
}

fn answers(trace: &[Fact]) -> usize {
    let at_b1 = trace.iter().filter(|fact| fact.node == Some(B1));
    at_b1.filter(|fact| matches!(fact.what, What::Delivered { .. })).count()
}

#[test]
fn messages_flow_and_facts_are_in_order_of_time() {
    let mut world = pair(1);
    world.run_for(Duration::from_secs(1));
    assert!((90..=101).contains(&answers(world.trace())), "{}", answers(world.trace()));
    assert!(world.trace().is_sorted_by_key(|fact| (fact.at, fact.number)));
    assert_eq!(world.now(), Moment(1_000_000_000));
}

#[test]
fn a_forked_world_goes_on_exactly_as_the_original() {
    let mut one = pair(1);
    one.arm(vec![Strike::at(Duration::from_millis(600), Fault::Crash(B2.into()))]);
    one.run_for(Duration::from_millis(500));
    let mut other = one.clone();
    one.run_for(Duration::from_secs(1));
    other.run_for(Duration::from_secs(1));
    assert_eq!(one.digest(), other.digest());
    assert_eq!(one.trace(), other.trace());
}

/// Probes that draw from everything there is: wires, processors, tasks, disks, power cuts and the chance of a process.
fn everything_drawn(seed: u64) -> World {
    let server = Probe { writes: true, named: true, ..Probe::new(B2, None) };
    let mut world = world(seed, Weather::FAIR, vec![Probe { named: true, ..Probe::new(B1, Some(B2)) }, server]);
    let cut = Strike::at(Duration::from_millis(300), Fault::PowerOff(B2.into()));
    world.arm(vec![cut, Strike::at(Duration::from_millis(700), Fault::Restart(B2.into()))]);
    world
}

#[test]
fn a_rerolled_fork_has_the_same_past_and_the_same_faults_and_another_future() {
    let mut original = everything_drawn(1);
    original.run_for(Duration::from_millis(200));
    let past = original.trace().to_vec();
    let mut forks: Vec<World> = (1..4)
        .map(|seed| {
            let mut fork = original.clone();
            fork.reroll(seed);
            fork
        })
        .collect();
    for world in forks.iter_mut().chain([&mut original]) {
        world.run_for(Duration::from_secs(1));
        assert_eq!(world.trace()[..past.len()], past);
        let struck = world.trace().iter().filter(|fact| matches!(fact.what, What::Struck(_)));
        assert_eq!(struck.map(|fact| fact.at.0).collect::<Vec<_>>(), [300_000_000, 700_000_000]);
    }
    assert_eq!(forks[0].digest(), original.digest(), "its own seed");
    assert_ne!(forks[1].digest(), original.digest());
    assert_ne!(forks[1].digest(), forks[2].digest());
}

/// Whoever forgets one place that holds dice is found here: at the very beginning, before anything is drawn, a world that
/// was rerolled must be the world of that seed.
#[test]
fn nothing_of_the_old_seed_is_left_in_what_is_drawn_later() {
    let later = |mut world: World| {
        let past = world.trace().len();
        world.run_for(Duration::from_secs(1));
        let named = |fact: &Fact| matches!(fact.event(), Some(Event::Registered { .. }));
        world.trace()[past..].iter().filter(|fact| !named(fact)).cloned().collect::<Vec<_>>()
    };
    let mut rerolled = everything_drawn(1);
    rerolled.reroll(2);
    let (born, rerolled) = (later(everything_drawn(2)), later(rerolled));
    let life = |facts: &[Fact]| facts.iter().filter(|fact| fact.what == What::Started { life: 2 }).count();
    assert_eq!((life(&born), life(&rerolled)), (1, 1));
    let second =
        |facts: &[Fact]| facts.iter().map(|fact| fact.at).skip_while(|at| at.0 < 800_000_000).collect::<Vec<_>>();
    assert_eq!(second(&born), second(&rerolled));
}

#[test]
fn the_digest_of_the_kept_trace_is_the_digest_of_the_run() {
    let mut world = pair(1);
    world.run_for(Duration::from_millis(500));
    assert_eq!(crate::trace::digest(world.trace()), world.digest());
    let mut unkept = pair(1);
    unkept.keep_trace(false);
    unkept.run_for(Duration::from_millis(500));
    assert_eq!(unkept.digest(), world.digest());
    let mut other = pair(2);
    other.run_for(Duration::from_millis(500));
    assert_ne!(other.digest(), world.digest());
}

#[test]
fn the_effects_of_a_step_leave_when_its_disk_calls_are_over() {
    let server = Probe { writes: true, ..Probe::new(B2, None) };
    let mut world = world(1, Weather::still(Duration::from_millis(1)), vec![Probe::new(B1, Some(B2)), server]);
    world.run_for(Duration::from_millis(100));
    let at = |wanted: &dyn Fn(&Fact) -> bool| world.trace().iter().find(|fact| wanted(fact)).unwrap().at;
    let begun = at(&|fact| fact.node == Some(B2) && matches!(fact.what, What::Delivered { .. }));
    let ended = at(&|fact| fact.node == Some(B2) && fact.event() == Some(&said(1)));
    assert!(ended.since(begun) >= Duration::from_micros(500), "a sync takes half a millisecond at least");
}

#[test]
fn who_dies_in_a_step_leaves_nothing_but_what_is_on_disk() {
    let server = Probe { writes: true, ..Probe::new(B2, None) };
    let mut world = world(1, Weather::FAIR, vec![Probe::new(B1, Some(B2)), server]);
    // The append of the fourth request: three calls at the start (open, create, len), two for each request.
    world.inflict(&Fault::CrashAtDiskCall(B2.into(), 8));
    assert!(world.until(|fact| fact.what == What::Stopped { how: Ending::Crashed }));
    assert!(!world.is_up(B2));
    let noted = world.trace().iter().filter(|fact| fact.node == Some(B2) && fact.event().is_some());
    assert_eq!(noted.count(), 1 + 3, "the start and three requests, but not the fourth");
    world.restart(B2);
    world.run_for(Duration::from_millis(1));
    let length = world.trace().iter().rev().find_map(Fact::event).cloned();
    let (three, four) = (said(3), said(4));
    assert!(length == Some(three) || length == Some(four), "{length:?}");
}

#[test]
fn a_crash_at_every_single_disk_call_is_exact() {
    for nth in 1..12 {
        let server = Probe { writes: true, ..Probe::new(B2, None) };
        let mut world = world(1, Weather::FAIR, vec![Probe::new(B1, Some(B2)), server]);
        let before = world.disk_calls(B2);
        world.inflict(&Fault::CrashAtDiskCall(B2.into(), nth));
        assert!(world.until(|fact| fact.what == What::Stopped { how: Ending::Crashed }));
        assert_eq!(world.disk_calls(B2) - before, nth);
    }
}

#[test]
fn a_task_of_a_dead_process_never_gets_its_turn() {
    let restless = Probe { named: true, every: Duration::from_micros(100), ..Probe::new(B1, Some(B2)) };
    let mut world = world(1, Weather::FAIR, vec![restless, Probe::new(B2, None)]);
    for _ in 0..200 {
        world.run_for(Duration::from_millis(1));
        world.restart(B1);
    }
    let (mut base, mut turns) = (0, 0);
    for fact in world.trace().iter().filter(|fact| fact.node == Some(B1)) {
        match fact.event() {
            Some(Event::Registered { epoch }) => base = epoch.0 as u64,
            Some(Event::MetadataApplied { upto }) => {
                turns += 1;
                assert!(upto.0.wrapping_sub(base) <= 20, "{upto} was handed over in another life than {base}");
            }
            _ => {}
        }
    }
    assert!(turns > 200, "{turns}");
}

#[test]
fn tasks_of_one_kind_stay_in_order() {
    let quick = Probe { every: Duration::from_micros(50), ..Probe::new(B1, Some(B2)) };
    let mut world = world(3, Weather::FAIR, vec![quick, Probe::new(B2, None)]);
    world.run_for(Duration::from_secs(1));
    let turns: Vec<u64> = world
        .trace()
        .iter()
        .filter_map(
            |fact| if let What::Noted(Event::MetadataApplied { upto }) = fact.what { Some(upto.0) } else { None },
        )
        .collect();
    assert!(turns.len() > 1_000);
    assert!(turns.is_sorted());
}

#[test]
fn a_paused_process_says_nothing_and_then_takes_up_what_has_piled_up() {
    let mut world = pair(1);
    world.run_for(Duration::from_millis(100));
    world.pause(B2, Duration::from_millis(500));
    let before = answers(world.trace());
    world.run_for(Duration::from_millis(490));
    assert!(answers(world.trace()) <= before + 1, "at most what had left already");
    world.run_for(Duration::from_millis(110));
    assert!(answers(world.trace()) >= before + 50, "what piled up was answered");
}

#[test]
fn removing_one_fault_leaves_all_other_choices_as_they_were() {
    let crowd = |faults: &[Fault]| {
        let b3 = Node::Broker(BrokerId(3));
        let b4 = Node::Broker(BrokerId(4));
        let probes =
            vec![Probe::new(B1, Some(B2)), Probe::new(B2, None), Probe::new(b3, Some(b4)), Probe::new(b4, None)];
        let mut world = world(9, Weather::FAIR, probes);
        let strikes = faults.iter().map(|fault| Strike::at(Duration::from_millis(100), fault.clone()));
        world.arm(strikes.collect());
        world.run_for(Duration::from_secs(1));
        let of_the_others = world.trace().iter().filter(|fact| fact.node == Some(b3) || fact.node == Some(b4));
        of_the_others.map(|fact| (fact.at, fact.node, fact.what.clone())).collect::<Vec<_>>()
    };
    let calm = crowd(&[]);
    assert!(calm.len() > 100);
    assert_eq!(calm, crowd(&[Fault::Crash(B2.into())]));
    assert_eq!(calm, crowd(&[Fault::PowerOff(B2.into()), Fault::Isolate(B1.into())]));
}

#[test]
fn an_ambush_strikes_once_when_it_has_seen_enough() {
    let mut world = pair(1);
    let on = When::Ambush { on: Sight::Flushed, skip: 9, after: Duration::from_millis(2) };
    world.arm(vec![Strike { when: on, fault: Fault::Crash(Target::AnyBroker(1)) }]);
    world.run_for(Duration::from_secs(1));
    let trace = world.trace();
    let tenth = trace.iter().filter(|fact| matches!(fact.event(), Some(Event::Flushed { .. }))).nth(9).unwrap();
    let struck: Vec<&Fact> = trace.iter().filter(|fact| matches!(fact.what, What::Struck(_))).collect();
    assert_eq!(struck.len(), 1);
    assert_eq!(struck[0].at, tenth.at + Duration::from_millis(2));
    assert_eq!(struck[0].node, Some(B2));
    assert!(!world.is_up(B2));
}

#[test]
fn an_ambush_can_strike_whom_it_has_seen() {
    let mut world = pair(1);
    let upon = |fault| Strike::upon(Sight::Flushed, fault);
    let between = vec![Target::Seen];
    world.arm(vec![
        upon(Fault::CutBoth { between, and: vec![Target::Clients] }),
        upon(Fault::Crash(Target::Seen)),
        Strike::at(Duration::ZERO, Fault::Crash(Target::Seen)),
    ]);
    world.run_for(Duration::from_secs(1));
    let trace = world.trace();
    let first = trace.iter().find(|fact| matches!(fact.event(), Some(Event::Flushed { .. }))).unwrap();
    let struck: Vec<_> = trace.iter().filter(|fact| matches!(fact.what, What::Struck(_))).collect();
    assert_eq!(struck.iter().map(|fact| fact.node).collect::<Vec<_>>(), [None, first.node, first.node]);
    let seen = Target::Node(first.node.unwrap());
    let is_named = |fault: &Fault| matches!(fault, Fault::CutBoth { between, .. } if *between == [seen]);
    assert!(matches!(&struck[1].what, What::Struck(fault) if is_named(fault)));
    assert!(!world.is_up(first.node.unwrap()));
}

#[test]
fn what_was_armed_before_the_beginning_waits_for_it_and_what_was_called_off_never_strikes() {
    let mut world = pair(1);
    world.begun = None;
    world.arm(vec![Strike::at(Duration::from_millis(5), Fault::Crash(B1.into()))]);
    world.run_for(Duration::from_millis(100));
    assert!(world.is_up(B1));
    world.chapter(Chapter::Begun);
    let mut calm = world.clone();
    world.run_for(Duration::from_millis(10));
    assert!(!world.is_up(B1));
    calm.disarm();
    calm.run_for(Duration::from_millis(10));
    assert!(calm.is_up(B1));
}

#[test]
fn healing_takes_everything_back_and_starts_everybody_who_can_return() {
    let b3 = Node::Broker(BrokerId(3));
    let probes = vec![Probe::new(B1, Some(B2)), Probe::new(B2, None), Probe::new(b3, None)];
    let mut world = world(1, Weather::FAIR, probes);
    world.run_for(Duration::from_millis(50));
    world.isolate(B1);
    world.power_off(B2);
    world.destroy(b3);
    world.pause(B1, Duration::from_secs(3_600));
    world.inflict(&Fault::ClockDrift(B1.into(), -500_000));
    world.inflict(&Fault::DiskFull(B1.into()));
    world.arm(vec![Strike::at(Duration::from_secs(2), Fault::Crash(B1.into()))]);
    world.run_for(Duration::from_secs(1));
    let before = answers(world.trace());
    world.heal();
    assert!(world.is_up(B1) && world.is_up(B2) && !world.is_up(b3) && world.is_destroyed(b3));
    world.run_for(Duration::from_secs(10));
    assert!(answers(world.trace()) > before + 400, "{before}, {}", answers(world.trace()));
    assert!(world.is_up(B1), "what was armed was called off");
    world.restart(b3);
    assert!(!world.is_up(b3), "who is gone for good does not return");
}

#[test]
fn a_clock_that_runs_fast_ticks_more_often_and_a_jump_ahead_ends_waiting() {
    let ticks = |fault: Option<Fault>| {
        let mut world = pair(1);
        fault.into_iter().for_each(|fault| world.inflict(&fault));
        world.run_for(Duration::from_secs(1));
        answers(world.trace())
    };
    let (right, fast) = (ticks(None), ticks(Some(Fault::ClockDrift(B1.into(), 1_000_000))));
    assert!(fast > right * 19 / 10, "{right}, {fast}");
    assert_eq!(ticks(Some(Fault::ClockJump(B1.into(), -3_000_000_000))), right, "a process is spared the way back");
    assert!(ticks(Some(Fault::ClockJump(B1.into(), 3_000_000_000))) >= right);
}

#[test]
fn an_orderly_end_is_told_apart_from_a_crash() {
    let mut world = pair(1);
    world.run_for(Duration::from_millis(50));
    world.terminate(B1);
    world.run_for(Duration::from_millis(50));
    assert!(world.trace().iter().any(|fact| fact.what == What::Stopped { how: Ending::Exited }));
}

#[test]
#[should_panic(expected = "an endless loop")]
fn a_machine_whose_deadline_never_moves_is_found_out() {
    let stuck = Probe { stuck: true, ..Probe::new(B1, None) };
    world(1, Weather::FAIR, vec![stuck]).run_for(Duration::from_secs(10));
}

#[test]
fn a_run_is_the_same_alone_in_a_box_and_after_another_seed() {
    let run = |seed| {
        let mut world = pair(seed);
        world.run_for(Duration::from_millis(300));
        world.digest()
    };
    let alone = run(5);
    let boxed = crate::hermetic(5, || run(5)).unwrap();
    let after = crate::hermetic(6, || (run(6), run(5)).1).unwrap();
    assert_eq!((boxed, after), (alone, alone));
}
