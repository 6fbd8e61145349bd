//! What is milder than a strike, or easier to say: power loss, crash, pause; a cut, a delay; shorter spans, rounder times.
//!
//! No chain of these leads in a circle: each is of a milder kind, shorter, or on a coarser grid. Knows no plan.

use std::time::Duration;

use sim::fault::{Fault, Stopping, Strike, Target, When};

/// Grids for times, the coarsest first.
const GRIDS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_millis(500),
    Duration::from_millis(100),
    Duration::from_millis(10),
    Duration::from_millis(1),
];

/// Spans that are easily said, the shortest first.
const SPANS: [Duration; 8] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
];

/// What a pause lasts that takes the place of a crash: longer than any session, shorter than most runs.
const AWAY: Duration = Duration::from_secs(20);
/// By how much messages are late where nothing got through.
const LATE: Duration = Duration::from_secs(2);

/// What to try in the place of a strike, the mildest first.
pub(super) fn weaker(strike: &Strike) -> Vec<Strike> {
    let milder = milder(&strike.fault).into_iter().map(|fault| Strike { when: strike.when.clone(), fault });
    let rounder = rounder(&strike.when).into_iter().map(|when| Strike { when, fault: strike.fault.clone() });
    milder.chain(rounder).collect()
}

fn milder(fault: &Fault) -> Vec<Fault> {
    match fault {
        Fault::Destroy(target) => vec![Fault::Crash(*target), Fault::PowerOff(*target)],
        Fault::Wipe(target) => vec![Fault::Crash(*target), Fault::PowerOff(*target)],
        Fault::PowerOffAll => vec![
            Fault::Crash(Target::Leader(0)),
            Fault::PowerOff(Target::Leader(0)),
            Fault::Crash(Target::Brokers),
            Fault::PowerOff(Target::Brokers),
        ],
        Fault::PowerOff(target) => vec![Fault::Pause(*target, AWAY), Fault::Crash(*target)],
        Fault::Crash(target) => vec![Fault::Pause(*target, AWAY)],
        Fault::PowerOffAtDiskCall(target, nth) => {
            let mut milder =
                vec![Fault::Crash(*target), Fault::PowerOff(*target), Fault::CrashAtDiskCall(*target, *nth)];
            milder.extend(lower(*nth).map(|nth| Fault::PowerOffAtDiskCall(*target, nth)));
            milder
        }
        Fault::CrashAtDiskCall(target, nth) => {
            let mut milder = vec![Fault::Crash(*target)];
            milder.extend(lower(*nth).map(|nth| Fault::CrashAtDiskCall(*target, nth)));
            milder
        }
        Fault::StopAtDiskCall { target, call, side, how: Stopping::Power | Stopping::PowerLeaving { .. }, back } => {
            vec![Fault::StopAtDiskCall { target: *target, call: *call, side: *side, how: Stopping::Kill, back: *back }]
        }
        Fault::Pause(target, span) => shorter(*span).map(|span| Fault::Pause(*target, span)).collect(),
        Fault::DiskStall(target, span) => shorter(*span).map(|span| Fault::DiskStall(*target, span)).collect(),
        Fault::Isolate(target) => vec![
            Fault::CutBoth { between: vec![*target], and: vec![Target::Controller] },
            Fault::CutBoth { between: vec![*target], and: vec![Target::Brokers] },
        ],
        Fault::CutBoth { between, and } => vec![
            Fault::Cut { from: between.clone(), to: and.clone() },
            Fault::Cut { from: and.clone(), to: between.clone() },
        ],
        Fault::Cut { from, to } | Fault::Hold { from, to } => {
            vec![Fault::Delay { from: from.clone(), to: to.clone(), extra: LATE, jitter: Duration::ZERO }]
        }
        Fault::Slow { from, to, .. } => {
            vec![Fault::Delay { from: from.clone(), to: to.clone(), extra: LATE, jitter: Duration::ZERO }]
        }
        Fault::Delay { from, to, extra, jitter } => {
            let delay = |extra, jitter| Fault::Delay { from: from.clone(), to: to.clone(), extra, jitter };
            let mut milder: Vec<Fault> = shorter(*extra).map(|extra| delay(extra, Duration::ZERO)).collect();
            milder.extend((!jitter.is_zero()).then(|| delay(*extra, Duration::ZERO)));
            milder
        }
        Fault::Lag { channel, from, to, extra } => shorter(*extra)
            .map(|extra| Fault::Lag { channel: *channel, from: from.clone(), to: to.clone(), extra })
            .collect(),
        Fault::Stall { channel, from, to, lasts } => shorter(*lasts)
            .map(|lasts| Fault::Stall { channel: *channel, from: from.clone(), to: to.clone(), lasts })
            .collect(),
        Fault::DiskSlow(target, factor) => [2, 5, 10, 20, 50]
            .into_iter()
            .filter(|less| less < factor)
            .map(|less| Fault::DiskSlow(*target, less))
            .collect(),
        Fault::ClockJump(target, nanos) => smaller_jump(*nanos).map(|nanos| Fault::ClockJump(*target, nanos)).collect(),
        Fault::ClockSkew(target, nanos) => smaller_jump(*nanos).map(|nanos| Fault::ClockSkew(*target, nanos)).collect(),
        Fault::Restart(_)
        | Fault::Start(_)
        | Fault::Terminate(_)
        | Fault::Release { .. }
        | Fault::Sever { .. }
        | Fault::Mend { .. }
        | Fault::Heal
        | Fault::DiskFull(_)
        | Fault::DiskFree(_)
        | Fault::DiskError(..)
        | Fault::SyncError(_)
        | Fault::Rot(_)
        | Fault::ClockDrift(..)
        | Fault::Upgrade(..)
        | Fault::Administer(_)
        | Fault::StopAtDiskCall { how: Stopping::Kill, .. } => Vec::new(),
    }
}

/// Times and sights that are easier to say.
fn rounder(when: &When) -> Vec<When> {
    match when {
        When::At(time) => rounded(*time).into_iter().map(When::At).collect(),
        When::Ambush { on, skip, after } => {
            let ambush = |skip, after| When::Ambush { on: *on, skip, after };
            let mut rounder: Vec<When> = Vec::new();
            rounder.extend((!after.is_zero()).then(|| ambush(*skip, Duration::ZERO)));
            let fewer: [u32; 4] = [0, skip / 4, skip / 2, skip.saturating_sub(1)];
            rounder.extend(fewer.into_iter().filter(|fewer| fewer < skip).map(|fewer| ambush(fewer, *after)));
            rounder
                .extend(rounded(*after).into_iter().filter(|after| !after.is_zero()).map(|after| ambush(*skip, after)));
            rounder
        }
    }
}

/// The nearest times on each grid that is coarser than the one on which this time lies.
pub(super) fn rounded(time: Duration) -> Vec<Duration> {
    let coarser = GRIDS.into_iter().take_while(|grid| !time.as_nanos().is_multiple_of(grid.as_nanos()));
    let near = coarser.flat_map(|grid| {
        let steps = u32::try_from(time.as_nanos() / grid.as_nanos()).unwrap_or(u32::MAX - 1);
        [grid * steps, grid * (steps + 1)]
    });
    near.collect()
}

fn shorter(span: Duration) -> impl Iterator<Item = Duration> {
    SPANS.into_iter().filter(move |shorter| *shorter < span)
}

fn lower(nth: u64) -> impl Iterator<Item = u64> {
    [1, nth / 4, nth / 2, nth.saturating_sub(1)].into_iter().filter(move |lower| (1..nth).contains(lower))
}

/// The same way, but less far.
fn smaller_jump(nanos: i64) -> impl Iterator<Item = i64> {
    let far = Duration::from_nanos(nanos.unsigned_abs());
    shorter(far).filter_map(move |less| Some(i64::try_from(less.as_nanos()).ok()? * nanos.signum()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use model::names::BrokerId;
    use proptest::prelude::*;
    use sim::cluster::Cluster;

    use super::*;
    use crate::strategies;

    #[test]
    fn a_time_is_rounded_to_both_sides_and_a_round_one_stays() {
        let millis = Duration::from_millis;
        assert_eq!(rounded(millis(1_400)), [millis(1_000), millis(2_000), millis(1_000), millis(1_500)]);
        assert_eq!(rounded(millis(3_000)), []);
    }

    #[test]
    fn a_clock_that_is_wrong_is_less_wrong_in_the_same_direction() {
        let jump = Strike::at(Duration::from_secs(1), Fault::ClockJump(BrokerId(1).into(), -1_200_000_000));
        let milder: Vec<_> = weaker(&jump).into_iter().map(|strike| strike.fault).collect();
        assert_eq!(milder[0], Fault::ClockJump(BrokerId(1).into(), -100_000_000));
        assert_eq!(milder.len(), 4);
    }

    proptest! {
        #[test]
        fn no_chain_of_weaker_strikes_leads_in_a_circle(
            storm in strategies::storm(&Cluster::of(3), Duration::from_secs(20), 1),
            turns in proptest::collection::vec(0..100_usize, 60),
        ) {
            for strike in storm.strikes {
                let (mut strike, mut met) = (strike, BTreeSet::new());
                for turn in &turns {
                    prop_assert!(met.insert(format!("{strike:?}")), "{:?}", strike);
                    let weaker = weaker(&strike);
                    let Some(next) = weaker.get(turn % weaker.len().max(1)) else { break };
                    strike = next.clone();
                }
            }
        }
    }
}
