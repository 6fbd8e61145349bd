//! Old records go while much else happens: deleted by size and on request, and compacted away.

use std::time::Duration;

use model::event::{Event, StartCause};
use model::machine::Command;
use model::names::Offset;
use scenarios::load::Load;
use scenarios::strategies::brisk;
use scenarios::{World, scenario, seen};
use sim::Verbs;
use sim::cluster::{Cluster, DEFAULT_TOPIC};
use sim::dice::Dice;
use sim::fact::Ending;
use sim::fault::{Fault, Target};

fn under_load(w: &mut World, keys: u32, length: Duration) {
    Load { rate: 60, keys, ..Load::default() }.carry(w, Dice::new(w.seed()), length);
}

fn cluster() -> Cluster {
    brisk(Cluster::of(3).min_isr(1))
        .property("log.segment.bytes", 4_096)
        .property("log.initial.task.delay.ms", 300)
        .payload(300)
}

fn delete_records(w: &mut World, before: u64) {
    let command =
        Command::DeleteRecords { topic: DEFAULT_TOPIC.to_owned(), partition: 0, before: Some(Offset(before)) };
    w.submit(w.admin(), command);
}

#[test]
fn a_follower_that_retention_has_overtaken_begins_where_its_leader_does() {
    let cluster = cluster().property("log.retention.bytes", 8_192).property("log.retention.check.interval.ms", 500);
    scenario(cluster, |w| {
        under_load(w, 0, Duration::from_secs(1));
        let (leader, slow) = (w.leader(), w.followers()[0]);
        w.hold(leader, slow);
        under_load(w, 0, Duration::from_secs(8));
        w.release(leader, slow);
        under_load(w, 0, Duration::from_secs(2));
        w.quiet();
    })
    .sometimes("retention took segments", |fact| matches!(fact.event(), Some(Event::SegmentsDeleted { .. })))
    .sometimes("a follower began anew", |fact| matches!(fact.event(), Some(Event::Restarted { .. })));
}

#[test]
fn records_deleted_up_to_the_middle_of_a_batch_are_gone_for_everybody() {
    // T18: whoever begins there is sent the whole batch, and begins anew with it (L22).
    scenario(cluster(), |w| {
        w.produce(1);
        w.produce(8);
        w.produce(8);
        w.settle();
        delete_records(w, 5);
        w.until(|fact| matches!(fact.event(), Some(Event::RecordsDeleted { .. })));
        let follower = w.followers()[0];
        w.wipe(follower);
        w.restart(follower);
        w.until(|fact| seen::joined_isr(fact, follower));
        let leader = w.leader();
        w.crash(leader);
        w.until(seen::led_anew);
        w.quiet();
        w.produce(5);
    })
    .sometimes("a log began inside of a batch", |fact| {
        matches!(fact.event(), Some(Event::LogStartMoved { start, cause: StartCause::DeleteRecords, .. }) if start.0 == 5)
    })
    .sometimes("a follower began below where the log starts", |fact| {
        matches!(fact.event(), Some(Event::Restarted { start, .. }) if start.0 < 5 && start.0 > 0)
    });
}

#[test]
fn a_compacted_log_keeps_its_last_records_though_the_cleaner_dies_at_work() {
    let cluster = cluster()
        .property("log.cleanup.policy", "compact")
        .property("log.cleaner.backoff.ms", 300)
        .property("log.cleaner.min.cleanable.ratio", "0.2");
    scenario(cluster, |w| {
        for nth in 0..12 {
            let broker = w.brokers()[nth % 3];
            under_load(w, 4, Duration::from_millis(1_200));
            w.until(|fact| matches!(fact.event(), Some(Event::Cleaned { .. })) && fact.node == Some(broker.into()));
            w.inflict(&Fault::CrashAtDiskCall(Target::from(broker), 3 * nth as u64 + 1));
            under_load(w, 4, Duration::from_millis(500));
            w.mend();
            w.restart_all();
            w.quiet();
        }
    })
    .sometimes("batches were compacted", |fact| matches!(fact.event(), Some(Event::Cleaned { .. })))
    .sometimes("a broker died", |fact| seen::stopped(fact, Ending::Crashed))
    .sometimes(
        "a start finished what a cleaner had begun",
        |fact| matches!(fact.event(), Some(Event::Recovered { recovery, .. }) if recovery.segments_swapped_in > 0),
    );
}
