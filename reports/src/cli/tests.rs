//! What may be typed, and what is refused.

use std::time::Duration;

use super::campaign::{DEFAULT_OUT, DEFAULT_SEEDS};
use super::*;
use crate::asked::Seeds;

fn typed(line: &str) -> Result<Wish, Refusal> {
    wish(std::iter::once("highwater").chain(line.split_whitespace()).map(Into::into))
}

fn order(line: &str) -> Order {
    match typed(line) {
        Ok(Wish::Run(order, _)) => *order,
        other => panic!("{other:?}"),
    }
}

fn refused(line: &str) -> Refusal {
    typed(line).map(|wish| panic!("{wish:?}")).unwrap_err()
}

#[test]
fn clap_agrees_that_the_command_line_makes_sense() {
    use clap::CommandFactory;
    Typed::command().debug_assert();
}

#[test]
fn nothing_typed_is_a_campaign_of_everything_but_the_canary() {
    let order = order("");
    assert_eq!(order.seeds, Seeds { from: 0, to: DEFAULT_SEEDS });
    assert_eq!(order.scenarios.len(), catalogue::ALL.len() - 1);
    assert!(!order.endless && order.time.is_none());
    let Ok(Wish::Run(_, out)) = typed("run") else { panic!() };
    assert_eq!(out, Path::new(DEFAULT_OUT));
}

#[test]
fn time_alone_ends_a_campaign_without_seeds_and_bounds_one_with_seeds() {
    let timed = order("run --time 10m");
    assert!(timed.endless && timed.time == Some(Duration::from_secs(600)));
    assert!(!order("run --time 10m --seeds 5").endless);
}

#[test]
fn a_scenario_is_run_once_however_often_it_is_named() {
    let names: Vec<_> = order("run crashes reference crashes").scenarios.iter().map(|scenario| scenario.name).collect();
    assert_eq!(names, ["crashes", "reference"]);
    assert_eq!(order("run canary").scenarios[0].name, "canary", "if it is named, it is a scenario like any other");
}

#[test]
fn what_cannot_be_meant_is_a_usage_error_that_says_what_can() {
    for (line, says) in [
        ("run crahses", "did you mean `crashes`?"),
        ("run zzzzzzzzzzz", "highwater list"),
        ("run --seeds -5", "negative"),
        ("explore --depth 0", "from 1 to 20"),
        ("explore --ladder=11", "from 1 to 10"),
        ("explore --horizon soon", "write seconds"),
        ("explore B00", "there is no bug `B00`"),
        ("run --seeds 5..5", "no seed in it"),
        ("run --time soon", "10m"),
        ("run --time -1m", "10m"),
        ("run --jobs 0", "from 1 to 1024"),
        ("run --jobs -2", "from 1 to 1024"),
        ("run --frobnicate", "--frobnicate"),
        ("dance", "dance"),
        ("replay", "FILE"),
        ("replay --scenario crashes", "--seed"),
        ("replay --seed 3", "--scenario"),
        ("replay --scenario crashes --seed -3", "not a seed"),
        ("replay --scenario crash --seed 3", "did you mean `crashes`?"),
        ("replay f.json --seed 3", "cannot be used with"),
        ("replay f.json --trace loud", "text"),
        ("why", "FILE"),
        ("why f.json --samples 0", "from 1 to"),
        ("why f.json --samples few", "from 1 to"),
        ("why f.json --jobs 0", "from 1 to 1024"),
        ("why --scenario canary", "--seed"),
        ("diff canary:1", "<B>"),
        ("diff canary:1 canry:1", "did you mean `canary`?"),
        ("diff canary:1 canary:-1", "not a seed"),
        ("diff canary:1 canary", "SCENARIO:SEED"),
        ("diff canary:1 canary:1 --protocol-a LATESTS", "LATEST, KAFKA_4_1"),
        ("diff canary:1 canary:1 --protocol-b KIP-966", "may be each of"),
        ("shrink", "FILE"),
        ("shrink f.json --emit song", "mermaid"),
        ("shrink f.json --budget soon", "number of seconds"),
        ("shrink f.json --budget -3", "number of seconds"),
        ("shrink f.json --jobs 0", "from 1 to 1024"),
        ("crash-points refrence", "did you mean `reference`?"),
        ("crash-points --points 0", "from 1 to"),
        ("crash-points --points many", "from 1 to"),
        ("crash-points --seed -3", "not a seed"),
        ("crash-points --at b2:7", "b2:1234:after:power"),
        ("crash-points --at b2:7:before:kill --points 3", "cannot be used with"),
        ("crash-points --trace text", "--at"),
        ("crash-states --bound 0", "from 1 to"),
        ("crash-states --boundaries -1", "from 1 to"),
        ("crash-states --at b2", "b1:17:before"),
        ("crash-states --at b2:7:amid", "b1:17:before"),
    ] {
        let refusal = refused(line);
        assert_eq!(refusal.exit, Exit::Usage, "{line}");
        assert!(refusal.text.contains(says), "{line}: {}", refusal.text);
    }
}

#[test]
fn a_failure_is_made_smaller_for_half_a_minute_unless_somebody_says_otherwise() {
    let Ok(Wish::Shrink(shrink)) = typed("shrink f.json") else { panic!() };
    assert_eq!((shrink.emit, shrink.budget, shrink.out), (Emitted::Story, Duration::from_secs(30), None));
    for (said, seconds) in [("0", 0), ("7", 7), ("2m", 120)] {
        let Ok(Wish::Shrink(shrink)) = typed(&format!("shrink f.json --emit test --budget {said}")) else { panic!() };
        assert_eq!((shrink.emit, shrink.budget), (Emitted::Test, Duration::from_secs(seconds)));
    }
}

#[test]
fn help_is_no_error() {
    assert_eq!(refused("--help").exit, Exit::Held);
    assert!(refused("run --help").text.contains("--check-determinism"));
    assert!(refused("--version").text.starts_with("highwater "));
}

#[test]
fn a_property_file_that_is_not_there_is_bad_input() {
    let refusal = refused("run --config nowhere/server.properties");
    assert_eq!(refusal.exit, Exit::BadInput);
    assert!(refusal.text.contains("nowhere/server.properties"), "{}", refusal.text);
}

#[test]
fn a_protocol_is_meant_by_its_name_or_by_a_known_bug() {
    let spoken = |name: &str| {
        let line = ["highwater", "diff", "canary:1", "reference:7", "--protocol-a", name];
        match wish(line.into_iter().map(Into::into)) {
            Ok(Wish::Diff(diff)) => diff.a.protocol.map(|(_, protocol)| protocol),
            other => panic!("{other:?}"),
        }
    };
    use model::protocol::Protocol;
    assert_eq!(spoken("kafka_0_10"), Some(Protocol::KAFKA_0_10));
    assert_eq!(spoken("KAFKA-1211"), Some(Protocol::KAFKA_0_10));
    assert_eq!(spoken("b01"), Some(Protocol::KAFKA_0_10));
    let named = spoken("whoever is alive is elected");
    assert!(named.is_some() && named == spoken("P17") && named != Some(Protocol::LATEST));
}

#[test]
fn crash_points_and_states_begin_with_the_scenario_that_is_meant_for_them() {
    let Ok(Wish::CrashPoints(order, _)) = typed("crash-points") else { panic!() };
    assert_eq!(order.scenario.name, catalogue::for_crash_points().name);
    assert!(order.points >= 2_000);
    let Ok(Wish::CrashPoint(point)) = typed("crash-points reference --seed 3 --at b2:7:after:state-3-of-24") else {
        panic!()
    };
    assert_eq!((point.order.seed, point.point.to_string().as_str()), (3, "b2:7:after:state-3-of-24"));
    let Ok(Wish::CrashStates(_, chosen, bound, _)) = typed("crash-states --at b1:17:after --bound 7") else { panic!() };
    assert_eq!((chosen.unwrap().call, bound), (17, 7));
}

#[test]
fn an_exploration_is_of_what_is_named_and_else_of_the_latest_protocol() {
    let places = |line: &str| {
        let Ok(Wish::Explore(order, _)) = typed(line) else { panic!("{line}") };
        order.places.iter().map(|place| place.id.clone()).collect::<Vec<String>>()
    };
    assert_eq!(places("explore"), ["latest"]);
    assert_eq!(places("explore b01 P04"), ["B01", "P04"]);
    assert_eq!(places("explore --ladder").len(), 10);
    assert_eq!(
        places("explore B01 --ladder=1,4"),
        ["B01", "truncate to the high watermark, 2 replicas", "KIP-101, 3 replicas"]
    );
}
