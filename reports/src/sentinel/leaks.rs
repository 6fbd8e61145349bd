//! What leaks the real world into a run, planted: each is found, and the first fact that it changes is named.
//!
//! A leak is a number that a script gets from outside and submits as the key of a record: everything after that follows from
//! it. What the box seeds is no leak, and that is said here too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use model::machine::Command;
use sim::Verbs;
use sim::{Cluster, Fact, Observer, World};

use crate::lockstep::{self, Mouth, Parting};
use crate::parting;

/// Records that are sent before the leak.
const BEFORE: u64 = 12;
/// Records that are sent with it.
const WITH: u64 = 4;

/// Hands every fact on.
#[derive(Clone)]
struct Ear(Arc<Mouth>);

impl Observer for Ear {
    fn see(&mut self, fact: &Fact) {
        self.0.say(fact);
    }
}

/// A run whose last records have keys that come from the leak; everything else follows from the seed.
fn run(mouth: &Arc<Mouth>, mut leak: impl FnMut() -> u64 + Send) {
    let ear = Ear(mouth.clone());
    let ran = sim::hermetic(5, move || {
        let mut world = World::new(&Cluster::of(3), 5, ear);
        world.boot().expect("it boots");
        for nth in 0..BEFORE + WITH {
            let key = if nth < BEFORE { nth } else { leak() };
            let (_, value) = world.fresh_value();
            let topic = world.cluster().all_topics()[0].name.clone();
            let producer = world.producer();
            let key = Some(Bytes::copy_from_slice(&key.to_be_bytes()));
            world.submit(producer, Command::Send { topic, key, value });
            world.run_for(Duration::from_millis(20));
        }
    });
    ran.expect("it does not panic");
}

/// Two runs, each with a leak of its own making.
fn compared<L: FnMut() -> u64 + Send>(leak: impl Fn() -> L + Sync) -> Option<Parting> {
    lockstep::compare(|mouth| run(mouth, leak()), |mouth| run(mouth, leak())).0
}

#[track_caller]
fn is_found<L: FnMut() -> u64 + Send>(leak: impl Fn() -> L + Sync) {
    let parting = compared(leak).expect("a leak is found");
    let line = parting::line(&parting);
    // The record with the first key that leaked, and nothing later.
    let asked = format!("is asked to send value {}", BEFORE + 1);
    assert_eq!(line.matches(&asked).count(), 2, "{line}");
    assert!(line.contains("what.Submitted.Send.key"), "{line}");
    let text = parting::text(&parting, ("A", "B"));
    assert!(text.contains("both, up to") && text.contains("then A") && text.contains("then B"), "{text}");
}

#[track_caller]
fn is_none<L: FnMut() -> u64 + Send>(leak: impl Fn() -> L + Sync) {
    let parting = compared(leak);
    assert_eq!(parting.as_ref().map(parting::line), None);
}

#[test]
fn a_run_without_a_leak_does_not_differ() {
    is_none(|| || 7);
}

#[test]
fn the_id_of_a_thread_is_a_leak() {
    is_found(|| || hashed(&format!("{:?}", std::thread::current().id())));
}

#[test]
fn the_address_of_an_allocation_is_a_leak() {
    // Never given back, so that both runs hold theirs at the same time, however far apart they are.
    is_found(|| || Box::leak(Box::new([0_u8; 64])).as_ptr().addr() as u64);
}

#[test]
fn the_order_of_a_map_by_address_is_a_leak_of_the_same_kind() {
    is_found(|| {
        || {
            let own = (0..8_u64).map(|nth| (Box::leak(Box::new(nth)) as *const u64).addr());
            let by_address: BTreeMap<usize, u64> = own.zip(0..).collect();
            // Whoever lies lowest comes first: its distance to the next stands for the order of all.
            by_address.keys().fold(0, |mixed: u64, address| mixed.rotate_left(7) ^ *address as u64)
        }
    });
}

#[test]
fn a_counter_of_the_whole_process_is_a_leak() {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    is_found(|| || COUNT.fetch_add(1, Ordering::Relaxed));
}

#[test]
fn a_clock_that_a_thread_outside_of_the_box_is_asked_for_is_a_leak() {
    let (ask, asked) = std::sync::mpsc::channel::<std::sync::mpsc::SyncSender<u64>>();
    let begun = std::time::Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut last = 0;
            for to in asked {
                // Clocks of some machines are coarse; no two answers of this one are alike.
                last = (begun.elapsed().as_nanos() as u64).max(last + 1);
                let _ = to.send(last);
            }
        });
        is_found(move || {
            let ask = ask.clone();
            move || {
                let (to, from) = std::sync::mpsc::sync_channel(1);
                ask.send(to).expect("somebody is there");
                from.recv().expect("it is answered")
            }
        });
    });
}

#[test]
fn a_hash_map_that_was_made_outside_of_the_box_leaks_its_order() {
    is_found(|| {
        let map: std::collections::HashMap<u64, ()> = (0..64).map(|key| (key, ())).collect();
        move || hashed(&format!("{:?}", map.keys().collect::<Vec<_>>()))
    });
}

#[test]
fn what_leaks_only_now_and_then_is_placed_by_the_digests_that_the_run_wrote_down() {
    let plan = scenarios::catalogue::named("canary").expect("it is in the catalogue").plan(1);
    let plan = scenarios::Plan { length: Duration::from_millis(500), ..plan };
    let rare = scenarios::Plan { load: scenarios::load::Load { rate: 201, ..plan.load.clone() }, ..plan.clone() };
    let odd = scenarios::run(&rare).checkpoints;
    let found = super::first_difference(&plan, &odd, super::RUN);
    assert_eq!(found.context, None);
    let between = "the run that differed parts from them between facts ";
    assert!(found.line.contains("only now and then") && found.line.contains(between), "{}", found.line);
}

/// The box seeds the keys of `RandomState`: what would be a leak anywhere else follows from the seed there.
#[test]
fn a_hash_map_that_is_made_in_the_box_has_the_same_order_in_every_run() {
    is_none(|| {
        || {
            let map: std::collections::HashMap<u64, ()> = (0..64).map(|key| (key, ())).collect();
            hashed(&format!("{:?}", map.keys().collect::<Vec<_>>()))
        }
    });
}

/// In the box the clocks of the standard library follow simulated time.
#[test]
fn the_clocks_of_the_standard_library_are_none_in_the_box() {
    is_none(|| {
        || {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            since.map_or(0, |since| since.as_nanos() as u64)
        }
    });
    is_none(|| {
        let mut last = None;
        move || {
            let now = std::time::Instant::now();
            last.replace(now).map_or(0, |last: std::time::Instant| now.duration_since(last).as_nanos() as u64)
        }
    });
}

/// FNV-1a: any number that tells texts apart, and none that is seeded.
fn hashed(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
