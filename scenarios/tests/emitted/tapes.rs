//! What `highwater shrink --emit test` says of each tape of a planted bug, word by word. Written by `fresh`: do not edit.

/// c2 read 15 of t3-0 where 16 came next
#[test]
fn read_order_nonmonotonic_poll_7f194228() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(1)
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings { metadata_max: 10_000, sync_max: 500_000, ..DiskTimings::default() })
        .protocol(Protocol { polling: Polling::OneTooShort, ..Protocol::LATEST });
    let storm = [];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 20, ..Load::default() })
        .seeded(0)
        .lasting(Duration::from_secs(1))
        .must_break("read-order/nonmonotonic-poll");
}

/// c2 read 49 of t5-0 where 48 came next
#[test]
fn read_order_poll_skip_9bd7ddc3() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(2)
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings { metadata_max: 10_000, sync_max: 500_000, ..DiskTimings::default() })
        .protocol(Protocol { polling: Polling::OneTooFar, ..Protocol::LATEST });
    let storm = [
        Strike::at(
            Duration::from_secs(4),
            Fault::Delay {
                from: vec![Target::from(BrokerId(1))],
                to: vec![Target::from(BrokerId(2))],
                extra: Duration::from_millis(100),
                jitter: Duration::from_secs(0),
            },
        ),
    ];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 10, ..Load::default() })
        .seeded(0)
        .lasting(Duration::from_secs(5))
        .must_break("read-order/poll-skip");
}

/// b2 is alive and not in the ISR [BrokerId(1)] of t5-0, 136 s after the last fault
#[test]
fn progress_replica_not_in_sync_b96655fa() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(2)
        .consumers(0)
        .properties(&[
            ("broker.session.timeout.ms", "3000"),
            ("producer.delivery.timeout.ms", "12000"),
            ("producer.request.timeout.ms", "3000"),
        ])
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings {
            metadata_max: 10_000,
            sync_min: 2_000_000,
            sync_max: 2_000_000,
            ..DiskTimings::default()
        })
        .protocol(Protocol { storage: Storage { derived: Derived::EpochsLeft, ..Storage::LATEST }, ..Protocol::LATEST });
    let storm = [
        Strike::at(Duration::from_millis(200), Fault::Crash(Target::from(BrokerId(1)))),
        Strike::at(Duration::from_millis(500), Fault::Start(Target::from(BrokerId(1)))),
        Strike {
            when: When::Ambush { on: Sight::Appended, skip: 10, after: Duration::from_secs(0) },
            fault: Fault::Terminate(Target::Leader(0)),
        },
        Strike::at(Duration::from_secs(6), Fault::PowerOff(Target::Leader(0))),
    ];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 40, ..Load::default() })
        .seeded(215)
        .lasting(Duration::from_secs(8))
        .must_break("progress/replica-not-in-sync");
}

/// b3 opened t7-0 without the committed record at 0, which it had and kept
#[test]
fn durability_restart_lost_committed_record_704a4d22() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(3)
        .consumers(0)
        .properties(&[
            ("broker.session.timeout.ms", "3000"),
        ])
        .latency(Weather::still(Duration::from_millis(1)))
        .protocol(Protocol::KAFKA_0_10);
    let storm = [
        Strike::upon(Sight::Replicated, Fault::Pause(Target::Leader(0), Duration::from_secs(5))),
        Strike {
            when: When::Ambush { on: Sight::IsrShrunk, skip: 0, after: Duration::from_millis(10) },
            fault: Fault::Crash(Target::from(BrokerId(3))),
        },
    ];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 1, ..Load::default() })
        .seeded(23)
        .lasting(Duration::from_secs(5))
        .must_break("durability/restart-lost-committed-record");
}

/// b1 is alive and not in the ISR [BrokerId(2), BrokerId(3)] of t7-0, 96 s after the last fault
#[test]
fn progress_power_loss_brought_back_cut_records_139f7a7a() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(3)
        .properties(&[
            ("replica.socket.timeout.ms", "4000"),
            ("request.timeout.ms", "4000"),
            ("producer.delivery.timeout.ms", "12000"),
            ("producer.request.timeout.ms", "3000"),
        ])
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings {
            metadata_max: 10_000,
            sync_min: 1_000_000,
            sync_max: 1_000_000,
            ..DiskTimings::default()
        })
        .protocol(Protocol { truncation: Truncation::OneTooHigh, ..Protocol::LATEST });
    let storm = [
        Strike::at(Duration::from_secs(10), Fault::PowerOffAtDiskCall(Target::from(BrokerId(1)), 1)),
    ];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 1, ..Load::default() })
        .seeded(1)
        .lasting(Duration::from_secs(12))
        .must_break("progress/power-loss-brought-back-cut-records");
}

/// a batch left for the 2th time, and 1 are allowed (value Some(Value(1)))
#[test]
fn at_most_once_sent_beyond_retries_fec0a156() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(2)
        .consumers(0)
        .properties(&[
            ("producer.retries", "0"),
        ])
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings { metadata_max: 10_000, sync_max: 500_000, ..DiskTimings::default() })
        .protocol(Protocol { resending: Resending::BeyondRetries, ..Protocol::LATEST });
    let storm = [
        Strike::at(Duration::from_secs(0), Fault::Crash(Target::Leader(0))),
    ];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 1, ..Load::default() })
        .seeded(1)
        .lasting(Duration::from_secs(1))
        .must_break("at-most-once/sent-beyond-retries");
}

/// c1 sent value 7 before value 10, but at 6 of t3-0 it lies behind it
#[test]
fn order_sent_before_but_behind_8e104c23() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(1)
        .consumers(0)
        .properties(&[
            ("broker.session.timeout.ms", "3000"),
            ("producer.max.in.flight.requests.per.connection", "1"),
        ])
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings { metadata_max: 10_000, sync_max: 500_000, ..DiskTimings::default() })
        .protocol(Protocol { muting: Muting::Never, ..Protocol::LATEST });
    let storm = [
        Strike::at(Duration::from_millis(500), Fault::Crash(Target::Leader(0))),
    ];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 10, ..Load::default() })
        .seeded(1)
        .lasting(Duration::from_secs(1))
        .must_break("order/sent-before-but-behind");
}

/// b1 is fenced and still in sync on t5-0: [BrokerId(1), BrokerId(2)]
#[test]
fn in_sync_set_fenced_broker_in_sync_82767553() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(2)
        .consumers(0)
        .properties(&[
            ("broker.heartbeat.interval.ms", "500"),
            ("broker.session.timeout.ms", "3000"),
        ])
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings { metadata_max: 10_000, sync_max: 500_000, ..DiskTimings::default() })
        .protocol(Protocol { returning: Returning::KeepsItsSeats, ..Protocol::LATEST });
    let storm = [
        Strike::at(Duration::from_millis(500), Fault::Crash(Target::Leader(0))),
    ];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 1, ..Load::default() })
        .seeded(1)
        .lasting(Duration::from_secs(2))
        .must_break("in-sync-set/fenced-broker-in-sync");
}

/// b1 acknowledged 0 of t5-0 with acks=all, and 0 is all that is committed
#[test]
fn acks_all_acknowledged_before_committed_dd91d12b() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(2)
        .consumers(0)
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings { metadata_max: 10_000, sync_max: 500_000, ..DiskTimings::default() })
        .protocol(Protocol { acknowledgement: Acknowledgement::OnAppend, ..Protocol::LATEST });
    let storm = [];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 1, ..Load::default() })
        .seeded(0)
        .lasting(Duration::from_secs(1))
        .must_break("acks-all/acknowledged-before-committed");
}

/// b1 acknowledged 0 of t5-0 with acks=all, and 0 is all that is committed
#[test]
fn acks_all_acknowledged_before_committed_60648838() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(2)
        .consumers(0)
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings { metadata_max: 10_000, sync_max: 500_000, ..DiskTimings::default() })
        .protocol(Protocol { acknowledgement: Acknowledgement::OneTooEarly, ..Protocol::LATEST });
    let storm = [];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 1, ..Load::default() })
        .seeded(0)
        .lasting(Duration::from_secs(1))
        .must_break("acks-all/acknowledged-before-committed");
}

/// b1 served t5-0 up to 1, its high watermark is 0
#[test]
fn reads_served_above_high_watermark_af39a085() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(2)
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings { metadata_max: 10_000, sync_max: 500_000, ..DiskTimings::default() })
        .protocol(Protocol { visibility: Visibility::UpToLogEnd, ..Protocol::LATEST });
    let storm = [];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 1, ..Load::default() })
        .seeded(0)
        .lasting(Duration::from_secs(1))
        .must_break("reads/served-above-high-watermark");
}

/// b2 acknowledged 0 of t5-0 with acks=all, which 1 replicas have; min.insync.replicas is 2
#[test]
fn min_isr_acknowledged_on_too_few_15a10c13() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(2)
        .consumers(0)
        .properties(&[
            ("min.insync.replicas", "2"),
            ("broker.session.timeout.ms", "3000"),
        ])
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings { metadata_max: 10_000, sync_max: 500_000, ..DiskTimings::default() })
        .protocol(Protocol { watermark: Watermark::MaximalIsr, min_isr: MinIsr::Ignored, ..Protocol::LATEST });
    let storm = [
        Strike::at(Duration::from_secs(0), Fault::Crash(Target::Leader(0))),
    ];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 1, ..Load::default() })
        .seeded(1)
        .lasting(Duration::from_secs(1))
        .must_break("min-isr/acknowledged-on-too-few");
}

/// b1 is alive and not in the ISR [BrokerId(2)] of t5-0, 148 s after the last fault
#[test]
fn progress_replica_not_in_sync_b6578f7d() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(2)
        .consumers(0)
        .properties(&[
            ("producer.delivery.timeout.ms", "12000"),
            ("producer.request.timeout.ms", "3000"),
        ])
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings { metadata_max: 10_000, sync_max: 500_000, ..DiskTimings::default() })
        .protocol(Protocol { admission: Admission::Nobody, ..Protocol::LATEST });
    let storm = [
        Strike::at(Duration::from_secs(0), Fault::Crash(Target::Leader(0))),
    ];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 1, ..Load::default() })
        .seeded(1)
        .lasting(Duration::from_secs(1))
        .must_break("progress/replica-not-in-sync");
}

/// b3 has records-0/00000000000000000000.log: at byte 12750: a checksum that does not hold
#[test]
fn storage_stored_batch_corrupt_7a470b15() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(3)
        .consumers(0)
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings { metadata_max: 10_000, sync_max: 500_000, ..DiskTimings::default() })
        .protocol(Protocol { storage: Storage { tail: Tail::TornKept, ..Storage::LATEST }, ..Protocol::LATEST });
    let storm = [
        Strike::at(Duration::from_secs(4), Fault::PowerOff(Target::InSync(0, 1))),
    ];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 20, ..Load::default() })
        .seeded(3)
        .lasting(Duration::from_secs(5))
        .must_break("storage/stored-batch-corrupt");
}

/// b2 is alive and not in the ISR [BrokerId(1)] of t6-0, 230 s after the last fault
#[test]
fn progress_replica_not_in_sync_207117ae() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(2)
        .zookeeper()
        .consumers(0)
        .properties(&[
            ("zookeeper.session.timeout.ms", "3000"),
        ])
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings { metadata_max: 10_000, sync_max: 500_000, ..DiskTimings::default() })
        .protocol(Protocol { bouncing: Bouncing::Unseen, ..Protocol::ZOOKEEPER });
    let storm = [
        Strike::at(
            Duration::from_secs(8),
            Fault::Delay {
                from: vec![Target::from(Node::Ensemble)],
                to: vec![Target::from(BrokerId(1))],
                extra: Duration::from_millis(100),
                jitter: Duration::from_secs(0),
            },
        ),
        Strike::at(Duration::from_millis(9500), Fault::Restart(Target::from(BrokerId(2)))),
    ];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 1, ..Load::default() })
        .seeded(215)
        .lasting(Duration::from_secs(12))
        .must_break("progress/replica-not-in-sync");
}

/// b2 had synced t5-0 up to 24, and opened it without the record at 16
#[test]
fn storage_synced_batch_lost_20e3dd06() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(2)
        .consumers(0)
        .payload(900)
        .properties(&[
            ("broker.session.timeout.ms", "3000"),
            ("log.segment.bytes", "8192"),
        ])
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings { metadata_max: 10_000, sync_max: 500_000, ..DiskTimings::default() })
        .protocol(Protocol {
            storage: Storage { flushing: Flushing::FilesAlone, ..Storage::LATEST },
            ..Protocol::LATEST
        });
    let storm = [
        Strike::at(Duration::from_secs(1), Fault::PowerOff(Target::from(BrokerId(2)))),
        Strike::at(Duration::from_secs(1), Fault::PowerOffAtDiskCall(Target::from(BrokerId(2)), 90)),
        Strike::at(Duration::from_secs(1), Fault::Start(Target::from(BrokerId(2)))),
    ];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 10, ..Load::default() })
        .seeded(367)
        .lasting(Duration::from_secs(5))
        .must_break("storage/synced-batch-lost");
}

/// b2 believed its log of t5-0 without a look, and the process before was never told to stop
#[test]
fn recovery_clean_start_after_a_crash_df29f801() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(2)
        .consumers(0)
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings { metadata_max: 10_000, sync_max: 500_000, ..DiskTimings::default() })
        .protocol(Protocol {
            storage: Storage { marker: Marker::GoneAfterLoading, ..Storage::LATEST },
            ..Protocol::LATEST
        });
    let storm = [
        Strike {
            when: When::Ambush { on: Sight::Started, skip: 0, after: Duration::from_millis(10) },
            fault: Fault::Crash(Target::Brokers),
        },
        Strike::at(Duration::from_secs(6), Fault::Start(Target::Everyone)),
        Strike::at(Duration::from_secs(5), Fault::Terminate(Target::from(BrokerId(2)))),
    ];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 1, ..Load::default() })
        .seeded(289)
        .lasting(Duration::from_secs(8))
        .must_break("recovery/clean-start-after-a-crash");
}

/// b1 leads t6-0 in epoch 0, its log ends at 0 and lacks what was committed at 0 in epoch 0 (committed up to 4)
#[test]
fn power_loss_leader_lost_committed_record_2944b223() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(2)
        .zookeeper()
        .consumers(0)
        .properties(&[
            ("zookeeper.session.timeout.ms", "3000"),
        ])
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings { metadata_max: 10_000, sync_max: 500_000, ..DiskTimings::default() })
        .protocol(Protocol { bouncing: Bouncing::ByRegistration, ..Protocol::ZOOKEEPER });
    let storm = [
        Strike::at(Duration::from_secs(4), Fault::PowerOff(Target::Leader(0))),
        Strike::at(Duration::from_secs(4), Fault::Pause(Target::from(Node::Ensemble), Duration::from_secs(5))),
    ];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 1, ..Load::default() })
        .seeded(35)
        .lasting(Duration::from_secs(8))
        .must_break("power-loss/leader-lost-committed-record");
}

/// b1 joined the ISR of t5-0 without the record committed at Some(Offset(31))
#[test]
fn leader_completeness_newcomer_lacks_committed_record_d59e09c0() {
    use scenarios::prelude::*;

    let cluster = Cluster::of(2)
        .consumers(0)
        .properties(&[
            ("replica.fetch.response.max.bytes", "200"),
            ("broker.session.timeout.ms", "3000"),
        ])
        .latency(Weather::still(Duration::from_millis(1)))
        .disk_timings(DiskTimings { metadata_max: 10_000, sync_max: 500_000, ..DiskTimings::default() })
        .protocol(Protocol { admission: Admission::Anyone, ..Protocol::LATEST });
    let storm = [
        Strike::at(Duration::from_secs(2), Fault::DiskFull(Target::Leader(0))),
    ];
    Plan::of(cluster)
        .struck_by(storm)
        .under(Load { rate: 5, ..Load::default() })
        .seeded(2)
        .lasting(Duration::from_secs(8))
        .must_break("leader-completeness/newcomer-lacks-committed-record");
}
