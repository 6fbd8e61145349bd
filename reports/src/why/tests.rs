//! Runs that fail by luck, by a fault alone and by a panic, and what is found out about each.

use std::time::Duration;

use model::protocol::{Protocol, Storage};
use scenarios::Plan;
use scenarios::catalogue;
use scenarios::storm::Storm;
use sim::Strike;
use sim::fault::{Fault, Target};

use super::*;

fn canary(seed: u64, strikes: Vec<Strike>) -> Plan {
    let plan = catalogue::named("canary").expect("it is in the catalogue").plan(seed);
    Plan { storm: Storm::of(strikes), length: Duration::from_secs(5), ..plan }
}

/// The power of all servers goes, under a recovery that believes too much of what is left: it depends on what is left.
fn by_luck() -> Failing {
    let storage = catalogue::named("storage").expect("it is in the catalogue");
    let found = (0..60).find_map(|seed| {
        let plan = storage.plan(seed);
        let protocol = Protocol { storage: Storage::KAFKA, ..Protocol::LATEST };
        let strikes = [(2_000, Fault::PowerOffAll), (2_700, Fault::Start(Target::Everyone))];
        let storm = Storm::of(strikes.map(|(at, fault)| Strike::at(Duration::from_millis(at), fault)).to_vec());
        Failing::of(&Plan {
            cluster: plan.cluster.protocol(protocol),
            storm,
            length: Duration::from_millis(3_500),
            ..plan
        })
        .ok()
    });
    found.expect("some seed finds it")
}

fn wish(samples: u64, jobs: usize) -> Why {
    let scenario = catalogue::named("canary").expect("it is in the catalogue");
    Why { what: Replayed::Seed(scenario, 1), out: "nowhere".into(), samples, jobs }
}

#[test]
fn what_is_found_does_not_depend_on_the_number_of_jobs() {
    let failing = by_luck();
    let [alone, together] = [1, 3].map(|jobs| explain(&failing, &wish(6, jobs), "again".to_owned(), &Done::default()));
    assert_eq!(alone.json(), together.json());
    assert_eq!(telling::text(&alone), telling::text(&together));
    assert_eq!(figure::svg(&alone), figure::svg(&together));
}

#[test]
fn an_account_has_every_fault_and_ends_with_what_has_happened() {
    let failing = by_luck();
    let account = explain(&failing, &wish(12, 2), "highwater why x.json".to_owned(), &Done::default());
    assert_eq!(account.faults.len(), 2);
    assert!(account.points[0].chance.share < 1.0, "before the boot it is a matter of luck: {account:?}");
    assert!(!account.jumps.is_empty(), "somewhere the luck runs out: {account:?}");
    assert!(account.faults.iter().any(|fault| fault.own_dice == Some("holds")), "{account:?}");
    let last = account.points.last().expect("there are points");
    assert!((last.chance.share - 1.0).abs() < 1e-9 && last.chance.forks == 0 && last.at >= account.begun);
    assert!(account.points.iter().all(|point| point.chance.low <= point.chance.share));
    assert!(account.points.iter().all(|point| point.chance.share <= point.chance.high));
    assert!(account.points.is_sorted_by(|one, next| one.at <= next.at));
    let text = telling::text(&account);
    for says in
        ["WHY  ", "95 % intervals", "What each fault had to do with it", "spent: ", "again: highwater why x.json"]
    {
        assert!(text.contains(says), "{says}: {text}");
    }
    let json: serde_json::Value = serde_json::from_str(&account.json()).expect("it is JSON");
    assert_eq!(json["program"]["name"], "highwater");
    assert!(json["points"][0]["share"].is_number() && json["cost"]["forks"].as_u64() > Some(100), "{json}");
    assert!(figure::svg(&account).trim_end().ends_with("</svg>"));
}

#[test]
fn a_run_that_is_bound_to_fail_from_the_beginning_has_no_jump_and_says_so() {
    let crash = Strike::at(Duration::from_millis(2_000), Fault::Crash(Target::Leader(0)));
    let failing = (0..20).find_map(|seed| Failing::of(&canary(seed, vec![crash.clone()])).ok()).expect("most seeds do");
    let account = explain(&failing, &wish(12, 2), String::new(), &Done::default());
    let fault = &account.faults[0];
    assert_eq!((fault.own_dice, fault.verdict), (Some("holds"), "needed"), "{account:?}");
    assert!(account.jumps.is_empty(), "{:?}", account.jumps);
    assert!(telling::text(&account).contains("as likely from the beginning as at the end"));
}
