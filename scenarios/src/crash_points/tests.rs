//! Points struck, forked and replayed; a planted bug found by them.

use std::collections::BTreeSet;

use sim::dice::Dice;
use sim::fact::What;

use super::*;
use crate::catalogue;
use crate::run::{Plan, run, run_traced};

fn line(seed: u64) -> Line {
    Line::of(&catalogue::named("small-logs").unwrap().plan(seed)).unwrap()
}

#[test]
fn a_name_is_read_as_it_is_written() {
    for text in ["b2:1234:after:power", "b1:7:amid:kill", "b3:9:before:power+12:after:kill"] {
        assert_eq!(text.parse::<Point>().unwrap().to_string(), text);
    }
    for (text, says) in [
        ("", "no colon"),
        ("2:1:before:kill", "no broker"),
        ("b2:0:before:kill", "from 1"),
        ("b2:1:before", "2 parts"),
        ("b2:1:during:kill", "`during`"),
        ("b2:1:before:water", "`water`"),
        ("b2:9:before:kill+9:after:kill", "does not come after"),
    ] {
        let error = text.parse::<Point>().unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("b2:1234:after:power"), "{text}: {error}");
    }
}

#[test]
fn zz_numbers() {
    let t = std::time::Instant::now();
    let line = line(1);
    println!("line {:?} calls {} candidates {}", t.elapsed(), line.calls(), line.candidates().len());
    let choice = choose(line.candidates(), 300, Dice::new(1));
    for (s, n) in &choice.strata { println!("{:?} {} {:?}", s.0, s.1, n); }
    let trials = Trials::of(&line);
    let t = std::time::Instant::now();
    let mut by = std::collections::BTreeMap::<_, u32>::new();
    let mut sim = std::time::Duration::ZERO;
    for c in &choice.chosen {
        let tried = trials.strike(c);
        *by.entry(tried.recovery).or_default() += 1;
        sim += tried.outcome.simulated;
        if tried.recovery != Recovery::Whole { println!("{} {} {:?} {:?} {:?}", c.point, c.class, tried.recovery, tried.outcome.violations.first().map(|v| v.sentence.clone()), tried.outcome.inconclusive); }
    }
    println!("{:?} {:?} sim {:?}", t.elapsed(), by, sim);
}
