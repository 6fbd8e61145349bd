//! The tables: Kafka's defaults, types and ranges, and that what is printed is read again.

use std::collections::BTreeSet;
use std::fmt::Write;

use proptest::prelude::*;

use crate::config::table::Table;
use crate::config::value::ms;
use crate::config::*;

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_defaults_are_those_of_kafka_4() {
    let listing: String = Settings::reference()
        .lines()
        .map(|line| line.rsplit_once("]  ").expect("a line ends in what the property means").0)
        .fold(String::new(), |mut listing, line| {
            writeln!(listing, "{line}]").expect("a string takes all that is written");
            listing
        });
    assert_eq!(listing, DEFAULTS);
}

const DEFAULTS: &str = "\
replica.lag.time.max.ms = 30000  [1 to 9223372036854775807 ms]
replica.fetch.wait.max.ms = 500  [0 to 2147483647 ms]
replica.fetch.min.bytes = 1  [0 to 2147483647]
replica.fetch.max.bytes = 1048576  [0 to 2147483647]
replica.fetch.response.max.bytes = 10485760  [0 to 2147483647]
replica.fetch.backoff.ms = 1000  [0 to 2147483647 ms]
replica.socket.timeout.ms = 30000  [1 to 2147483647 ms]
replica.high.watermark.checkpoint.interval.ms = 5000  [1 to 9223372036854775807 ms]
default.replication.factor = 1  [1 to 32767]
num.partitions = 1  [1 to 2147483647]
min.insync.replicas = 1  [1 to 2147483647]
unclean.leader.election.enable = false  [true, false]
broker.heartbeat.interval.ms = 2000  [1 to 2147483647 ms]
broker.session.timeout.ms = 9000  [1 to 2147483647 ms]
initial.broker.registration.timeout.ms = 60000  [1 to 2147483647 ms]
zookeeper.session.timeout.ms = 18000  [1 to 2147483647 ms]
log.segment.bytes = 1073741824  [1 to 2147483647]
log.roll.ms = (none)  [1 to 9223372036854775807 ms]
log.roll.hours = 168  [1 to 2147483647]
log.roll.jitter.ms = (none)  [0 to 9223372036854775807 ms]
log.roll.jitter.hours = 0  [0 to 2147483647]
log.index.size.max.bytes = 10485760  [4 to 2147483647]
log.index.interval.bytes = 4096  [0 to 2147483647]
log.flush.interval.messages = 9223372036854775807  [1 to 9223372036854775807]
log.flush.interval.ms = (none)  [0 to 9223372036854775807 ms]
log.flush.scheduler.interval.ms = 9223372036854775807  [1 to 9223372036854775807 ms]
log.flush.offset.checkpoint.interval.ms = 60000  [1 to 2147483647 ms]
log.flush.start.offset.checkpoint.interval.ms = 60000  [1 to 2147483647 ms]
log.initial.task.delay.ms = 30000  [0 to 9223372036854775807 ms]
log.cleanup.policy = delete  [delete, compact, compact,delete]
log.retention.bytes = -1  [-1 to 9223372036854775807]
log.retention.ms = (none)  [-1 to 9223372036854775807 ms]
log.retention.minutes = (none)  [-1 to 2147483647]
log.retention.hours = 168  [-1 to 2147483647]
log.retention.check.interval.ms = 300000  [1 to 9223372036854775807 ms]
log.segment.delete.delay.ms = 60000  [0 to 9223372036854775807 ms]
log.cleaner.enable = true  [true, false]
log.cleaner.backoff.ms = 15000  [1 to 9223372036854775807 ms]
log.cleaner.min.cleanable.ratio = 0.5  [0 to 1]
log.cleaner.delete.retention.ms = 86400000  [0 to 9223372036854775807 ms]
log.cleaner.min.compaction.lag.ms = 0  [0 to 9223372036854775807 ms]
log.cleaner.max.compaction.lag.ms = 9223372036854775807  [1 to 9223372036854775807 ms]
log.cleaner.dedupe.buffer.size = 134217728  [1 to 9223372036854775807]
log.cleaner.io.buffer.load.factor = 0.9  [0 to 1]
producer.id.expiration.ms = 86400000  [1 to 2147483647 ms]
producer.id.expiration.check.interval.ms = 600000  [1 to 2147483647 ms]
message.max.bytes = 1048588  [0 to 2147483647]
fetch.max.bytes = 57671680  [1024 to 2147483647]
request.timeout.ms = 30000  [1 to 2147483647 ms]
controlled.shutdown.enable = true  [true, false]
auto.leader.rebalance.enable = true  [true, false]
leader.imbalance.check.interval.seconds = 300  [1 to 2147483647]
metadata.log.segment.bytes = 1073741824  [12 to 2147483647]
unclean.leader.election.interval.ms = 300000  [1 to 9223372036854775807 ms]
metadata.max.idle.interval.ms = 500  [0 to 2147483647 ms]
controller.quorum.election.timeout.ms = 1000  [1 to 2147483647 ms]
controller.quorum.fetch.timeout.ms = 2000  [1 to 2147483647 ms]
controller.quorum.election.backoff.max.ms = 1000  [1 to 2147483647 ms]
controller.quorum.append.linger.ms = 25  [0 to 2147483647 ms]
controller.quorum.request.timeout.ms = 2000  [1 to 2147483647 ms]
controller.quorum.retry.backoff.ms = 20  [1 to 2147483647 ms]
controller.quorum.fetch.max.bytes = 8388608  [1 to 2147483647]
controller.quorum.fetch.snapshot.max.bytes = 8388608  [1 to 2147483647]
metadata.log.max.record.bytes.between.snapshots = 20971520  [1 to 9223372036854775807]
metadata.log.max.snapshot.interval.ms = 3600000  [0 to 9223372036854775807 ms]
metadata.max.retention.bytes = 104857600  [1 to 9223372036854775807]
metadata.max.retention.ms = 604800000  [0 to 9223372036854775807 ms]
topic.min.insync.replicas = (the broker's min.insync.replicas)  [1 to 2147483647]
topic.unclean.leader.election.enable = (the broker's unclean.leader.election.enable)  [true, false]
topic.segment.bytes = (the broker's log.segment.bytes)  [1 to 2147483647]
topic.segment.ms = (the broker's log.roll.ms)  [1 to 9223372036854775807 ms]
topic.segment.jitter.ms = (the broker's log.roll.jitter.ms)  [0 to 9223372036854775807 ms]
topic.segment.index.bytes = (the broker's log.index.size.max.bytes)  [4 to 2147483647]
topic.index.interval.bytes = (the broker's log.index.interval.bytes)  [0 to 2147483647]
topic.flush.messages = (the broker's log.flush.interval.messages)  [1 to 9223372036854775807]
topic.flush.ms = (the broker's log.flush.interval.ms)  [0 to 9223372036854775807 ms]
topic.max.message.bytes = (the broker's message.max.bytes)  [0 to 2147483647]
topic.cleanup.policy = (the broker's log.cleanup.policy)  [delete, compact, compact,delete]
topic.retention.bytes = (the broker's log.retention.bytes)  [-1 to 9223372036854775807]
topic.retention.ms = (the broker's log.retention.ms)  [-1 to 9223372036854775807 ms]
topic.file.delete.delay.ms = (the broker's log.segment.delete.delay.ms)  [0 to 9223372036854775807 ms]
topic.delete.retention.ms = (the broker's log.cleaner.delete.retention.ms)  [0 to 9223372036854775807 ms]
topic.min.cleanable.dirty.ratio = (the broker's log.cleaner.min.cleanable.ratio)  [0 to 1]
topic.min.compaction.lag.ms = (the broker's log.cleaner.min.compaction.lag.ms)  [0 to 9223372036854775807 ms]
topic.max.compaction.lag.ms = (the broker's log.cleaner.max.compaction.lag.ms)  [1 to 9223372036854775807 ms]
producer.acks = all  [all, -1, 0, 1]
producer.retries = 2147483647  [0 to 2147483647]
producer.max.in.flight.requests.per.connection = 5  [1 to 2147483647]
producer.batch.size = 16384  [0 to 2147483647]
producer.linger.ms = 5  [0 to 9223372036854775807 ms]
producer.delivery.timeout.ms = 120000  [0 to 2147483647 ms]
producer.request.timeout.ms = 30000  [0 to 2147483647 ms]
producer.retry.backoff.ms = 100  [0 to 9223372036854775807 ms]
producer.retry.backoff.max.ms = 1000  [0 to 9223372036854775807 ms]
producer.metadata.max.age.ms = 300000  [0 to 9223372036854775807 ms]
producer.max.block.ms = 60000  [0 to 9223372036854775807 ms]
producer.max.request.size = 1048576  [0 to 2147483647]
producer.buffer.memory = 33554432  [0 to 9223372036854775807]
producer.reconnect.backoff.ms = 50  [0 to 9223372036854775807 ms]
consumer.auto.offset.reset = latest  [earliest, latest, none]
consumer.fetch.min.bytes = 1  [0 to 2147483647]
consumer.fetch.max.wait.ms = 500  [0 to 2147483647 ms]
consumer.max.partition.fetch.bytes = 1048576  [0 to 2147483647]
consumer.fetch.max.bytes = 52428800  [0 to 2147483647]
consumer.max.poll.records = 500  [1 to 2147483647]
consumer.isolation.level = read_uncommitted  [read_uncommitted, read_committed]
consumer.metadata.max.age.ms = 300000  [0 to 9223372036854775807 ms]
consumer.request.timeout.ms = 30000  [0 to 2147483647 ms]
consumer.retry.backoff.ms = 100  [0 to 9223372036854775807 ms]
consumer.check.crcs = true  [true, false]
consumer.default.api.timeout.ms = 60000  [0 to 2147483647 ms]
";

#[test]
fn fields_are_named_as_the_properties() {
    fn check<C: Table + serde::Serialize>() {
        let json = serde_json::to_value(C::default()).expect("a configuration is plain data");
        let fields: BTreeSet<_> = json.as_object().expect("a struct").keys().cloned().collect();
        let field = |name: &str| name.strip_suffix(".ms").unwrap_or(name).replace('.', "_");
        assert_eq!(fields, C::PROPERTIES.iter().map(|property| field(property.name)).collect());
    }
    check::<BrokerConfig>();
    check::<ControllerConfig>();
    check::<TopicConfig>();
    check::<ProducerConfig>();
    check::<ConsumerConfig>();
}

#[test]
fn a_topic_takes_from_the_broker_what_it_does_not_say() {
    let broker = BrokerConfig {
        min_insync_replicas: 2,
        unclean_leader_election_enable: true,
        log_segment_bytes: 3,
        log_flush_interval_messages: 4,
        message_max_bytes: 5,
        log_roll: Some(ms(6)),
        log_roll_jitter: Some(ms(7)),
        log_index_size_max_bytes: 8,
        log_index_interval_bytes: 9,
        log_flush_interval: Some(ms(10)),
        log_cleanup_policy: CleanupPolicy::COMPACT,
        log_retention_bytes: Limit::At(11),
        log_retention: Some(Limit::At(ms(12))),
        log_segment_delete_delay: ms(13),
        log_cleaner_delete_retention: ms(14),
        log_cleaner_min_cleanable_ratio: Ratio::try_from(0.15).expect("between 0 and 1"),
        log_cleaner_min_compaction_lag: ms(16),
        log_cleaner_max_compaction_lag: ms(17),
        ..BrokerConfig::default()
    };
    let from_broker = EffectiveTopicConfig {
        min_insync_replicas: 2,
        unclean_leader_election_enable: true,
        segment_bytes: 3,
        flush_messages: 4,
        max_message_bytes: 5,
        segment: ms(6),
        segment_jitter: ms(7),
        segment_index_bytes: 8,
        index_interval_bytes: 9,
        flush: ms(10),
        cleanup_policy: CleanupPolicy::COMPACT,
        retention_bytes: Limit::At(11),
        retention: Limit::At(ms(12)),
        file_delete_delay: ms(13),
        delete_retention: ms(14),
        min_cleanable_dirty_ratio: Ratio::try_from(0.15).expect("between 0 and 1"),
        min_compaction_lag: ms(16),
        max_compaction_lag: ms(17),
    };
    assert_eq!(TopicConfig::default().effective(&broker), from_broker);
    let config =
        pairs(&[("min.insync.replicas", "1"), ("unclean.leader.election.enable", "false"), ("flush.messages", "9")]);
    let topic = TopicConfig::from_pairs(&config).expect("nothing is wrong");
    assert_eq!(
        topic.effective(&broker),
        EffectiveTopicConfig {
            min_insync_replicas: 1,
            unclean_leader_election_enable: false,
            flush_messages: 9,
            ..from_broker
        }
    );
}

#[test]
fn the_finest_of_several_units_that_is_set_counts() {
    let broker = |list: &[(&str, &str)]| {
        let mut config = BrokerConfig::default();
        for (name, value) in list {
            config.set(name, value).unwrap_or_else(|fault| panic!("{fault}"));
        }
        config
    };
    let week = ms(604_800_000);
    let unset = broker(&[]);
    assert_eq!((unset.roll(), unset.roll_jitter(), unset.retention()), (week, ms(0), Limit::At(week)));
    assert_eq!(unset.flush_interval(), ms(i64::MAX.unsigned_abs()));
    let hours = [("log.roll.hours", "2"), ("log.roll.jitter.hours", "1"), ("log.retention.hours", "3")];
    let coarse = broker(&hours);
    assert_eq!((coarse.roll(), coarse.roll_jitter()), (ms(7_200_000), ms(3_600_000)));
    assert_eq!(coarse.retention(), Limit::At(ms(10_800_000)));
    // Whatever the order of the lines.
    let fine =
        broker(&[[("log.roll.ms", "5"), ("log.roll.jitter.ms", "4"), ("log.retention.ms", "6")], hours].concat());
    assert_eq!((fine.roll(), fine.roll_jitter(), fine.retention()), (ms(5), ms(4), Limit::At(ms(6))));
    assert_eq!(broker(&[("log.retention.minutes", "2"), hours[2]]).retention(), Limit::At(ms(120_000)));
    for name in ["log.retention.ms", "log.retention.minutes", "log.retention.hours"] {
        assert_eq!(broker(&[(name, "-1")]).retention(), Limit::None, "{name}");
    }
    assert_eq!(broker(&[("log.flush.scheduler.interval.ms", "7")]).flush_interval(), ms(7));
    assert_eq!(
        broker(&[("log.flush.scheduler.interval.ms", "7"), ("log.flush.interval.ms", "8")]).flush_interval(),
        ms(8)
    );
}

#[test]
fn the_cleaners_map_takes_as_many_keys_as_kafkas() {
    let entries = |size, load| {
        let load = Ratio::try_from(load).expect("between 0 and 1");
        let config = BrokerConfig {
            log_cleaner_dedupe_buffer_size: size,
            log_cleaner_io_buffer_load_factor: load,
            ..BrokerConfig::default()
        };
        config.cleaner_map_entries()
    };
    assert_eq!(BrokerConfig::default().cleaner_map_entries(), 5_033_164);
    assert_eq!([entries(240, 1.0), entries(240, 0.5), entries(240, 0.0), entries(1, 1.0)], [10, 5, 1, 1]);
    assert_eq!(entries(u64::MAX, 1.0), 89_478_485, "a map of Kafka is at most an `int` of bytes");
}

#[test]
fn a_cleanup_policy_is_a_list_in_any_order() {
    let both = CleanupPolicy { delete: true, compact: true };
    for (text, policy, shown) in [
        ("delete", CleanupPolicy::DELETE, "delete"),
        ("compact", CleanupPolicy::COMPACT, "compact"),
        ("compact,delete", both, "compact,delete"),
        ("delete , compact", both, "compact,delete"),
    ] {
        let mut config = TopicConfig::default();
        assert_eq!(config.set("cleanup.policy", text), Ok(Taken::Applied));
        assert_eq!(config.cleanup_policy, Some(policy));
        assert_eq!(
            TopicConfig::property("cleanup.policy").expect("it is in the table").show(&config).as_deref(),
            Some(shown)
        );
    }
    for text in ["", "compact,", "delete;compact", "Delete", "none"] {
        let fault = TopicConfig::default().set("cleanup.policy", text).expect_err("no policy");
        assert_eq!(
            fault.to_string(),
            format!(
                "cleanup.policy: {text:?} is not a value that it knows; write one of delete, compact, compact,delete"
            )
        );
    }
}

#[test]
fn a_ratio_lies_between_nothing_and_all() {
    let mut config = TopicConfig::default();
    for (text, ratio) in [("0", 0.0), ("0.25", 0.25), ("1.0", 1.0), ("1e-3", 0.001)] {
        assert_eq!(config.set("min.cleanable.dirty.ratio", text), Ok(Taken::Applied));
        assert_eq!(config.min_cleanable_dirty_ratio.map(Ratio::get), Some(ratio));
    }
    let before = config.clone();
    for (text, says) in [
        ("1.01", "1.01 is out of range"),
        ("-0.1", "-0.1 is out of range"),
        ("half", r#""half" is not a number"#),
        ("NaN", r#""NaN" is not a number"#),
    ] {
        let fault = config.set("min.cleanable.dirty.ratio", text).expect_err("no ratio");
        assert_eq!(fault.to_string(), format!("min.cleanable.dirty.ratio: {says}; write a number from 0 to 1"));
    }
    assert_eq!(config, before);
}

#[test]
fn a_topic_property_has_the_type_and_range_of_the_brokers_default() {
    for property in TopicConfig::PROPERTIES {
        let of_broker = TopicConfig::broker_property(property.name).expect("every one has a default at the broker");
        let of_broker = BrokerConfig::property(of_broker).expect("which the broker knows");
        assert_eq!((property.kind, &property.range), (of_broker.kind, &of_broker.range), "{}", property.name);
        assert_eq!(property.kafka_minimum, of_broker.kafka_minimum, "{}", property.name);
    }
    assert_eq!(TopicConfig::broker_property("log.segment.bytes"), None);
}

#[test]
fn a_topic_is_refused_for_what_is_wrong_with_its_properties() {
    let error = TopicConfig::from_pairs(&pairs(&[
        ("min.insync.replicas", "0"),
        ("log.segment.bytes", "1"),
        ("compression.type", "zstd"),
        ("acks", "all"),
    ]))
    .expect_err("three of these are wrong");
    assert_eq!(
        error.to_string(),
        "topic config:1: min.insync.replicas: 0 is out of range; write a whole number from 1 to 2147483647\n\
         topic config:2: log.segment.bytes: unknown property; did you mean segment.bytes?\n\
         topic config:4: acks: unknown property; no known property has a similar name: remove the line"
    );
    let (config, notices) =
        TopicConfig::from_pairs_noted(&pairs(&[("compression.type", "zstd"), ("segment.bytes", "100")]))
            .expect("one is ignored, one is small");
    assert_eq!(config, TopicConfig { segment_bytes: Some(100), ..TopicConfig::default() });
    assert_eq!(
        notices.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "topic config:1: compression.type: ignored: records are not compressed",
            "topic config:2: segment.bytes: 100 is taken, though Kafka's minimum is 1048576",
        ]
    );
    let lags = [("min.compaction.lag.ms", "6"), ("max.compaction.lag.ms", "5")];
    let error = TopicConfig::from_pairs(&pairs(&lags)).expect_err("they contradict each other");
    assert_eq!(
        error.to_string(),
        "topic config:2: max.compaction.lag.ms: min.compaction.lag.ms (6) is more than max.compaction.lag.ms (5); \
         lower min.compaction.lag.ms to 5 or raise max.compaction.lag.ms to 6"
    );
}

#[test]
fn a_single_property_is_set_by_name() {
    let mut config = BrokerConfig::default();
    assert_eq!(config.set("min.insync.replicas", " 2 "), Ok(Taken::Applied));
    assert_eq!(config.set("log.segment.bytes", "100"), Ok(Taken::BelowKafkaMinimum(1_048_576)));
    let ignored = config.set("broker.rack", "r1");
    assert_eq!(ignored, Ok(Taken::Ignored("consumers read from the leader, and racks are not modelled")));
    let before = config.clone();
    let fault = config.set("min.insync.replicas", "two").expect_err("not a number");
    assert_eq!(
        fault.to_string(),
        r#"min.insync.replicas: "two" is not a whole number; write a whole number from 1 to 2147483647"#
    );
    let fault = config.set("min.insync.replica", "2").expect_err("no such property");
    assert_eq!(fault.to_string(), "min.insync.replica: unknown property; did you mean min.insync.replicas?");
    assert_eq!(config, before);
    assert_eq!((config.min_insync_replicas, config.log_segment_bytes), (2, 100));
}

/// Calls a generic function for every table.
macro_rules! for_every_table {
    ($check:ident) => {
        $check::<BrokerConfig>();
        $check::<ControllerConfig>();
        $check::<TopicConfig>();
        $check::<ProducerConfig>();
        $check::<ConsumerConfig>();
    };
}

#[test]
fn no_name_stands_twice_in_a_table_or_is_both_supported_and_not() {
    fn check<C: Table>() {
        let mut seen = BTreeSet::new();
        for name in C::names() {
            assert!(seen.insert(name), "{name} stands twice");
        }
        for property in C::PROPERTIES {
            assert!(Unsupported::find(C::UNSUPPORTED, property.name).is_none(), "{} is supported", property.name);
        }
    }
    for_every_table!(check);
    // A server's file is read by brokers and controllers at once: what one supports, the other must not ignore.
    for property in ControllerConfig::PROPERTIES {
        assert!(Unsupported::find(BrokerConfig::UNSUPPORTED, property.name).is_none(), "{}", property.name);
    }
}

#[test]
fn the_ends_of_every_range_are_taken_and_what_lies_beyond_is_refused() {
    fn check<C: Table + PartialEq + std::fmt::Debug>() {
        for property in C::PROPERTIES.iter().filter(|property| matches!(property.kind, Kind::Number | Kind::Millis)) {
            for end in [*property.range.start(), *property.range.end()] {
                let mut config = C::default();
                let outcome = config.apply("", property.name, &end.to_string()).expect("the table knows it");
                assert!(outcome.is_ok(), "{}: {end}", property.name);
                assert_eq!(property.show(&config), Some(end.to_string()));
            }
            for beyond in [i128::from(*property.range.start()) - 1, i128::from(*property.range.end()) + 1] {
                let mut config = C::default();
                let outcome = config.apply("", property.name, &beyond.to_string()).expect("the table knows it");
                assert!(matches!(outcome, Err(Fault::OutOfRange { .. })), "{}: {beyond}", property.name);
                assert_eq!(config, C::default());
            }
        }
    }
    for_every_table!(check);
}

#[test]
fn every_default_lies_in_its_range() {
    fn check<C: Table>() {
        for (name, value) in C::default().values() {
            let outcome = C::default().apply("", name, &value);
            assert_eq!(outcome, Some(Ok(Taken::Applied)), "{name}={value}");
        }
    }
    for_every_table!(check);
}

/// Any value that a property takes, as text.
fn any_value<C: Table>(property: &'static Property<C>) -> BoxedStrategy<(String, String)> {
    let name = property.name;
    let value = match property.kind {
        Kind::Boolean => any::<bool>().prop_map(|value| value.to_string()).boxed(),
        Kind::Number | Kind::Millis => property.range.clone().prop_map(|value| value.to_string()).boxed(),
        Kind::Ratio => (0.0..=1.0).prop_map(|value: f64| value.to_string()).boxed(),
        Kind::OneOf(words) => prop::sample::select(words).prop_map(str::to_owned).boxed(),
    };
    value.prop_map(move |value| (name.to_owned(), value)).boxed()
}

/// Any choice of the properties of a table, each with any of its values, behind a prefix.
fn any_lines<C: Table>(prefix: &'static str) -> impl Strategy<Value = Vec<String>> {
    let lines: Vec<_> = C::PROPERTIES.iter().map(|property| prop::option::of(any_value(property))).collect();
    lines.prop_map(move |lines| {
        lines.into_iter().flatten().map(|(name, value)| format!("{prefix}{name} = {value}")).collect()
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(
        mut lines in any_lines::<BrokerConfig>(""),
        topic in any_lines::<TopicConfig>("topic."),
        producer in any_lines::<ProducerConfig>("producer."),
        consumer in any_lines::<ConsumerConfig>("consumer."),
        controller in any_lines::<ControllerConfig>(""),
    ) {
        lines.extend(topic.into_iter().chain(producer).chain(consumer).chain(controller));
        // Each value is sound, but some contradict each other: drop one line of each contradiction.
        let settings = loop {
            match Settings::parse("drawn", &lines.join("\n")) {
                Ok((settings, _)) => break settings,
                Err(error) => {
                    let problem = error.problems.last().expect("an error has a problem");
                    prop_assert!(matches!(problem.fault, Fault::Contradiction { .. }), "{}", error);
                    lines.remove(problem.line as usize - 1);
                }
            }
        };
        let printed = settings.to_properties();
        let (again, _) = Settings::parse("printed", &printed).expect("what is printed is sound");
        prop_assert_eq!(&again, &settings);
        prop_assert_eq!(again.to_properties(), printed);
    }

    #[test]
    fn every_value_is_printed_as_it_was_read(lines in any_lines::<ProducerConfig>("")) {
        for line in lines {
            let (name, value) = line.split_once(" = ").expect("as it was drawn");
            let mut config = ProducerConfig::default();
            prop_assert_eq!(config.set(name, value), Ok(Taken::Applied));
            let shown = ProducerConfig::property(name).expect("it is in the table").show(&config);
            // -1 is Kafka's other spelling of all.
            let expected = if value == "-1" && name == "acks" { "all" } else { value };
            prop_assert_eq!(shown.as_deref(), Some(expected));
        }
    }

    #[test]
    fn settings_survive_json(mut lines in any_lines::<BrokerConfig>(""), topic in any_lines::<TopicConfig>("topic.")) {
        lines.extend(topic);
        if let Ok((settings, _)) = Settings::parse("drawn", &lines.join("\n")) {
            let json = serde_json::to_string(&settings).expect("settings are plain data");
            prop_assert_eq!(serde_json::from_str::<Settings>(&json).expect("as it was written"), settings);
        }
    }

    #[test]
    fn no_file_makes_the_reader_panic(text in "([a-z.]{1,10}|producer\\.acks|num\\.partitions|log\\.dirs)( |=|:)[-0-9a-z\\\\]{0,6}\n?") {
        let _ = Settings::parse("any", &text.repeat(2));
    }
}
