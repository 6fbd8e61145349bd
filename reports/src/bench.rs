//! How fast it is, in numbers that do not depend on how busy the machine is: CPU time, within a minute.
//!
//! Measured outside the box, which bans the clocks that this needs. The one room of the program that knows madsim, as a
//! yardstick: a bare `Endpoint` ping-pong, measured in the same call and in turns with what it is compared to.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use madsim::Config;
use madsim::net::Endpoint;
use madsim::runtime::{Handle, Runtime};
use scenarios::World;
use scenarios::catalogue::Scenario;
use scenarios::run::{Witness, run};
use sim::cluster::Cluster;

/// How many times it is the turn of each.
const TURNS: u64 = 4;
/// Wall time for all of it.
const BUDGET: Duration = Duration::from_secs(40);
/// The part of a turn that runs of the reference take.
const REFERENCE_SHARE: f64 = 0.65;
/// The part of a turn at whose end the idle cluster has had its time.
const IDLE_SHARE: f64 = 0.8;
/// How long an idle cluster is simulated at once.
const IDLE: Duration = Duration::from_secs(3_600);
/// Round trips between two looks at the clock.
const ROUND_TRIPS: u64 = 20_000;

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    seeds: u64,
    steps: u64,
    facts: u64,
    simulated: Duration,
    reference: Duration,
    idle: Duration,
    idle_simulated: Duration,
    messages: u64,
    bare: Duration,
}

/// Measures runs of this scenario, with all checks on, one at a time.
pub(crate) fn bench(scenario: &Scenario) -> Measured {
    let mut measured = Measured::default();
    // Not measured: whatever is done once.
    let _ = run(&scenario.plan(0));
    let _ = ping_pong(0, 1_000);
    let turn = BUDGET / TURNS as u32;
    let mut seed = 0;
    for nth in 0..TURNS {
        let begun = Instant::now();
        while begun.elapsed() < turn.mul_f64(REFERENCE_SHARE) {
            seed += 1;
            let plan = scenario.plan(seed);
            let before = ProcessTime::now();
            let outcome = run(&plan);
            measured.reference += before.elapsed();
            measured.seeds += 1;
            measured.steps += outcome.steps;
            measured.facts += outcome.facts;
            measured.simulated += outcome.simulated;
        }
        while begun.elapsed() < turn.mul_f64(IDLE_SHARE) {
            let before = ProcessTime::now();
            measured.idle_simulated += idle(nth);
            measured.idle += before.elapsed();
        }
        while begun.elapsed() < turn {
            let before = ProcessTime::now();
            measured.messages += ping_pong(nth, ROUND_TRIPS);
            measured.bare += before.elapsed();
        }
    }
    measured
}

/// Three brokers and three controllers to whom nobody writes anything, with all checks on: how long that was simulated.
fn idle(seed: u64) -> Duration {
    let cluster = Cluster::of(3).controllers(3);
    let simulated = sim::hermetic(seed, move || {
        let mut world = World::new(&cluster, seed, Witness::new(&cluster));
        world.boot().expect("nothing befalls it");
        world.run_for(IDLE);
        assert_eq!(world.observer().judge.violation_count(), 0, "nothing befalls it");
        world.now().since(sim::fact::Moment::ZERO)
    });
    simulated.unwrap_or_else(|panicked| panic!("an idle cluster: {panicked:?}"))
}

/// So many round trips between two nodes of madsim's own network; how many messages that was.
fn ping_pong(seed: u64, round_trips: u64) -> u64 {
    // As a run of ours: on a fresh thread.
    let bare = move || {
        let runtime = Runtime::with_seed_and_config(seed, Config::default());
        runtime.block_on(async move {
            let node = |address: &str| {
                let address = address.parse().expect("an address as it is written");
                Handle::current().create_node().ip(address).build()
            };
            let (one, other) = (node("10.0.0.1"), node("10.0.0.2"));
            let answering = other.spawn(async move {
                let endpoint = Endpoint::bind("10.0.0.2:1").await?;
                let mut buffer = [0_u8; 64];
                for _ in 0..round_trips {
                    let (length, from) = endpoint.recv_from(1, &mut buffer).await?;
                    endpoint.send_to(from, 2, &buffer[..length]).await?;
                }
                std::io::Result::Ok(())
            });
            let asking = one.spawn(async move {
                let endpoint = Endpoint::bind("10.0.0.1:1").await?;
                // Until the other one has bound its address.
                madsim::time::sleep(Duration::from_secs(1)).await;
                let mut buffer = [0_u8; 64];
                for _ in 0..round_trips {
                    endpoint.send_to("10.0.0.2:1", 1, &[7; 64]).await?;
                    endpoint.recv_from(2, &mut buffer).await?;
                }
                std::io::Result::Ok(())
            });
            asking.await.expect("nobody kills this node").expect("madsim's network loses nothing by itself");
            answering.await.expect("nobody kills this node").expect("madsim's network loses nothing by itself");
        });
    };
    thread::spawn(bare).join().expect("a ping-pong does not panic");
    2 * round_trips
}

impl Measured {
    /// How many seeds one core runs in an hour.
    pub(crate) fn seeds_per_core_hour(&self) -> f64 {
        3_600.0 * self.seeds as f64 / self.reference.as_secs_f64().max(1e-9)
    }

    /// Simulated time per CPU time of an idle cluster.
    pub(crate) fn idle_speed(&self) -> f64 {
        self.idle_simulated.as_secs_f64() / self.idle.as_secs_f64().max(1e-9)
    }

    /// Steps of machines per CPU-second with all checks on, over messages per CPU-second of the bare network.
    pub(crate) fn against_bare(&self) -> f64 {
        let ours = self.steps as f64 / self.reference.as_secs_f64().max(1e-9);
        let bare = self.messages as f64 / self.bare.as_secs_f64().max(1e-9);
        ours / bare.max(1e-9)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpu = self.reference.as_secs_f64();
        writeln!(f, "seeds per core-hour: {:.0}", self.seeds_per_core_hour())?;
        writeln!(f, "events against bare madsim: {:.2} x", self.against_bare())?;
        writeln!(f, "idle cluster of six nodes, simulated per CPU: {:.0} x", self.idle_speed())?;
        writeln!(f)?;
        writeln!(f, "reference scenario, all checks on: {} seeds in {cpu:.1} CPU-s", self.seeds)?;
        writeln!(f, "  CPU per seed:                  {:.3} s", cpu / self.seeds.max(1) as f64)?;
        writeln!(f, "  simulated per CPU:             {:.0} x", self.simulated.as_secs_f64() / cpu.max(1e-9))?;
        writeln!(f, "  events (steps of machines):    {:.2} M per CPU-s", self.steps as f64 / cpu.max(1e-9) / 1e6)?;
        writeln!(f, "  facts judged:                  {:.2} M per CPU-s", self.facts as f64 / cpu.max(1e-9) / 1e6)?;
        let bare = self.messages as f64 / self.bare.as_secs_f64().max(1e-9) / 1e6;
        write!(f, "bare madsim Endpoint ping-pong:  {bare:.2} M messages per CPU-s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_pong_counts_both_ways() {
        assert_eq!(ping_pong(1, 50), 100);
    }

    #[test]
    fn the_numbers_are_printed_first_and_follow_from_what_was_measured() {
        let measured = Measured {
            seeds: 20,
            steps: 6_000_000,
            facts: 7_000_000,
            simulated: Duration::from_secs(1_400),
            reference: Duration::from_secs(6),
            idle: Duration::from_secs(1),
            idle_simulated: Duration::from_secs(7_200),
            messages: 2_000_000,
            bare: Duration::from_secs(4),
        };
        let text = measured.to_string();
        assert!(text.starts_with("seeds per core-hour: 12000\nevents against bare madsim: 2.00 x\nidle"), "{text}");
        assert!(text.contains("simulated per CPU: 7200 x\n"), "{text}");
    }
}
