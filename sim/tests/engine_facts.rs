//! What we believe about madsim. If an upgrade breaks one of these, the box no longer holds.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "what is banned is what is looked at here")]

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Duration, Instant, SystemTime};

use madsim::Config;
use madsim::runtime::Runtime;
use sim::hermetic;

/// Runs something in a bare madsim runtime on a fresh thread.
fn bare<T: Send + 'static>(seed: u64, inside: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        Runtime::with_seed_and_config(seed, Config::default()).block_on(async move { inside() })
    });
    thread.join().expect("nothing panics inside")
}

#[test]
fn the_clocks_of_the_standard_library_follow_simulated_time_and_nothing_else() {
    let (instant, system) = bare(1, || {
        let (instant, system) = (Instant::now(), SystemTime::now());
        let mut busy = 0_u64;
        for number in 0..2_000_000_u64 {
            busy = std::hint::black_box(busy.wrapping_mul(31).wrapping_add(number));
        }
        assert_eq!(instant.elapsed(), Duration::ZERO, "working takes no simulated time");
        madsim::time::advance(Duration::from_micros(1_234_567));
        (instant.elapsed(), system.elapsed().unwrap())
    });
    assert_eq!(instant, Duration::from_micros(1_234_567));
    assert_eq!(system, Duration::from_micros(1_234_567));
}

#[test]
fn a_spawned_thread_panics() {
    assert_eq!(hermetic(1, sim::assert_threads_are_banned), Ok(()));
}

#[test]
fn hash_maps_of_the_standard_library_are_seeded_on_a_fresh_thread() {
    let draw = |seed| bare(seed, || RandomState::new().hash_one(42_u64));
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
}

#[test]
fn outside_of_the_box_the_world_is_real() {
    let before = Instant::now();
    let thread = std::thread::spawn(|| std::thread::sleep(Duration::from_millis(5)));
    thread.join().unwrap();
    assert!(before.elapsed() >= Duration::from_millis(5));
}

#[test]
fn boxes_in_parallel_do_not_see_each_other() {
    let span = |seed: u64| {
        let inside = move || {
            let before = Instant::now();
            madsim::time::advance(Duration::from_secs(seed));
            before.elapsed()
        };
        hermetic(seed, inside)
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (1..5).map(|seed| (seed, scope.spawn(move || span(seed)))).collect();
        for (seed, thread) in running {
            assert_eq!(thread.join().unwrap(), Ok(Duration::from_secs(seed)));
        }
    });
}

#[test]
fn a_panic_comes_out_of_the_box_and_the_next_box_is_whole() {
    let nothing: Option<u32> = std::hint::black_box(None);
    let panicked = hermetic(1, || nothing.expect("something was there")).unwrap_err();
    assert_eq!(panicked.message, "something was there");
    assert!(panicked.location.is_some_and(|location| location.contains("engine_facts.rs")));
    assert_eq!(hermetic(2, || 1), Ok(1));
}
