//! One flat file: what is read from it, what is refused, and what is said about it, word for word.

use std::time::Duration;

use crate::config::{Acks, BrokerConfig, Fault, Notice, OffsetReset, ProducerConfig, Settings, Taken};

/// The error or the notices of a file, one per line.
fn report(text: &str) -> String {
    match Settings::parse("server.properties", text) {
        Ok((_, notices)) => notices.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Err(error) => error.to_string(),
    }
}

fn check(text: &str, expected: &str) {
    let expected: Vec<_> = expected.lines().map(str::trim_start).filter(|line| !line.is_empty()).collect();
    assert_eq!(report(text), expected.join("\n"), "{text}");
}

fn settings(text: &str) -> Settings {
    Settings::parse("server.properties", text).unwrap_or_else(|error| panic!("{error}")).0
}

#[test]
fn an_empty_file_says_nothing_and_gives_the_defaults() {
    assert_eq!(Settings::parse("server.properties", "").expect("nothing is wrong"), (Settings::default(), vec![]));
    assert_eq!(report(&Settings::default().to_properties()), "");
}

#[test]
fn one_file_tells_brokers_controllers_topics_and_clients() {
    let settings = settings(
        "min.insync.replicas=2\n\
         unclean.leader.election.interval.ms=5000\n\
         topic.min.insync.replicas=3\n\
         topic.segment.bytes=2000000\n\
         producer.acks=1\n\
         producer.request.timeout.ms=1000\n\
         consumer.request.timeout.ms=2000\n\
         consumer.auto.offset.reset=earliest\n\
         request.timeout.ms=3000\n",
    );
    assert_eq!((settings.broker.min_insync_replicas, settings.controller.min_insync_replicas), (2, 2));
    assert_eq!(settings.controller.unclean_leader_election_interval, Duration::from_secs(5));
    assert_eq!((settings.topic.min_insync_replicas, settings.topic.segment_bytes), (Some(3), Some(2_000_000)));
    assert_eq!(settings.producer.acks, Acks::Leader);
    assert_eq!(settings.consumer.auto_offset_reset, OffsetReset::Earliest);
    let timeouts =
        [settings.broker.request_timeout, settings.producer.request_timeout, settings.consumer.request_timeout];
    assert_eq!(timeouts, [3, 1, 2].map(Duration::from_secs));
}

#[test]
fn acks_has_kafkas_spellings() {
    for (text, acks) in [("0", Acks::None), ("1", Acks::Leader), ("all", Acks::All), ("-1", Acks::All)] {
        assert_eq!(settings(&format!("producer.acks={text}")).producer.acks, acks);
    }
    check(
        "producer.acks=2",
        r#"server.properties:1: producer.acks: "2" is not a value that it knows; write one of all, -1, 0, 1"#,
    );
}

#[test]
fn an_unknown_property_is_refused_with_the_nearest_known_one() {
    check(
        "min.insync.replica=2\nproducer.lingerms=5\nconsumer.max.pol.records=5\nlistners=x\nfoo.bar=1\n",
        "server.properties:1: min.insync.replica: unknown property; did you mean min.insync.replicas?
         server.properties:2: producer.lingerms: unknown property; did you mean producer.linger.ms?
         server.properties:3: consumer.max.pol.records: unknown property; did you mean consumer.max.poll.records?
         server.properties:4: listners: unknown property; did you mean listeners?
         server.properties:5: foo.bar: unknown property; no known property has a similar name: remove the line",
    );
}

#[test]
fn a_property_in_the_wrong_place_is_refused_with_the_right_one() {
    check(
        "acks=all\n\
         producer.min.insync.replicas=2\n\
         max.poll.records=5\n\
         topic.log.segment.bytes=1\n\
         enable.idempotence=true\n\
         producer.retention.ms=5",
        "server.properties:1: acks: unknown property; acks is a property of a producer: write producer.acks
         server.properties:2: producer.min.insync.replicas: unknown property; \
         min.insync.replicas is a property of a server: write min.insync.replicas
         server.properties:3: max.poll.records: unknown property; \
         max.poll.records is a property of a consumer: write consumer.max.poll.records
         server.properties:4: topic.log.segment.bytes: unknown property; \
         log.segment.bytes is a property of a server: write log.segment.bytes
         server.properties:5: enable.idempotence: unknown property; \
         enable.idempotence is a property of a producer: write producer.enable.idempotence
         server.properties:6: producer.retention.ms: unknown property; \
         retention.ms is a property of a topic: write topic.retention.ms",
    );
}

#[test]
fn an_ill_typed_value_is_refused_with_what_to_write() {
    check(
        "num.partitions=three\n\
         unclean.leader.election.enable=yes\n\
         producer.linger.ms=5ms\n\
         log.segment.bytes=1_000\n\
         replica.lag.time.max.ms=\n\
         num.partitions.=1\n\
         consumer.auto.offset.reset=first\n\
         consumer.isolation.level=serializable\n\
         producer.enable.idempotence=perhaps",
        r#"server.properties:1: num.partitions: "three" is not a whole number; write a whole number from 1 to 2147483647
           server.properties:2: unclean.leader.election.enable: "yes" is not a boolean; write true or false
           server.properties:3: producer.linger.ms: "5ms" is not a whole number; write a whole number of milliseconds from 0 to 9223372036854775807
           server.properties:4: log.segment.bytes: "1_000" is not a whole number; write a whole number from 1 to 2147483647
           server.properties:5: replica.lag.time.max.ms: "" is not a whole number; write a whole number of milliseconds from 1 to 9223372036854775807
           server.properties:6: num.partitions.: unknown property; did you mean num.partitions?
           server.properties:7: consumer.auto.offset.reset: "first" is not a value that it knows; write one of earliest, latest, none
           server.properties:8: consumer.isolation.level: "serializable" is not a value that it knows; write one of read_uncommitted, read_committed
           server.properties:9: producer.enable.idempotence: "perhaps" is not a boolean; write true or false"#,
    );
}

#[test]
fn a_value_out_of_range_is_refused_with_the_range() {
    check(
        "num.partitions=0\ndefault.replication.factor=32768\nfetch.max.bytes=1023\nproducer.retries=-1\n\
         producer.linger.ms=99999999999999999999\n",
        "server.properties:1: num.partitions: 0 is out of range; write a whole number from 1 to 2147483647
         server.properties:2: default.replication.factor: 32768 is out of range; write a whole number from 1 to 32767
         server.properties:3: fetch.max.bytes: 1023 is out of range; write a whole number from 1024 to 2147483647
         server.properties:4: producer.retries: -1 is out of range; write a whole number from 0 to 2147483647
         server.properties:5: producer.linger.ms: 99999999999999999999 is out of range; \
         write a whole number of milliseconds from 0 to 9223372036854775807",
    );
}

#[test]
fn errors_of_every_kind_are_reported_together_in_order_of_line() {
    check(
        "producer.delivery.timeout.ms=1000\n\
         bad=\\u1\n\
         num.partitions=x\n\
         log.dirs=/var/lib/kafka\n\
         replica.lag.time.max.ms=100\n\
         num.partitons=3\n",
        r#"server.properties:1: producer.delivery.timeout.ms: producer.delivery.timeout.ms (1000) is less than producer.linger.ms (5) + producer.request.timeout.ms (30000); raise producer.delivery.timeout.ms to 30005, or lower one of the others
           server.properties:2: bad: `\u1` is not a character; write \u and four hexadecimal digits, or \\ for a backslash
           server.properties:3: num.partitions: "x" is not a whole number; write a whole number from 1 to 2147483647
           server.properties:5: replica.lag.time.max.ms: replica.fetch.wait.max.ms (500) is more than replica.lag.time.max.ms (100); lower replica.fetch.wait.max.ms to 100 or raise replica.lag.time.max.ms to 500
           server.properties:6: num.partitons: unknown property; did you mean num.partitions?"#,
    );
}

#[test]
fn a_delivery_timeout_that_leaves_no_room_for_one_attempt_is_refused_on_the_last_line_it_concerns() {
    check(
        "producer.delivery.timeout.ms=10000\nproducer.request.timeout.ms=9000\nproducer.linger.ms=1001\n",
        "server.properties:3: producer.linger.ms: producer.delivery.timeout.ms (10000) is less than \
         producer.linger.ms (1001) + producer.request.timeout.ms (9000); \
         raise producer.delivery.timeout.ms to 10001, or lower one of the others",
    );
    check("producer.delivery.timeout.ms=10000\nproducer.request.timeout.ms=9000\nproducer.linger.ms=1000\n", "");
    let config = ProducerConfig { delivery_timeout: Duration::from_secs(1), ..ProducerConfig::default() };
    assert_eq!(config.contradictions().len(), 1);
    assert_eq!(ProducerConfig::default().contradictions(), vec![]);
}

#[test]
fn a_delivery_timeout_that_was_not_set_makes_room() {
    let text = "producer.linger.ms=10\nproducer.request.timeout.ms=200000\n";
    check(
        text,
        "server.properties:2: producer.delivery.timeout.ms: set to 200010: \
         it may not be less than producer.linger.ms + producer.request.timeout.ms",
    );
    assert_eq!(settings(text).producer.delivery_timeout, Duration::from_millis(200_010));
    // All of these are an `int` in Kafka, so that is where it ends.
    let longest = settings("producer.linger.ms=9223372036854775807\n").producer.delivery_timeout;
    assert_eq!(longest, Duration::from_millis(2_147_483_647));
}

#[test]
fn a_contradiction_with_a_value_that_was_refused_is_not_reported() {
    check(
        "producer.delivery.timeout.ms=1000\nproducer.request.timeout.ms=1s\n",
        r#"server.properties:2: producer.request.timeout.ms: "1s" is not a whole number; write a whole number of milliseconds from 0 to 2147483647"#,
    );
    check(
        "producer.delivery.timeout.ms=abc\nproducer.request.timeout.ms=200000\n",
        r#"server.properties:1: producer.delivery.timeout.ms: "abc" is not a whole number; write a whole number of milliseconds from 0 to 2147483647"#,
    );
}

#[test]
fn a_follower_may_not_wait_longer_than_its_socket_or_its_place_in_the_isr_lasts() {
    check(
        "replica.socket.timeout.ms=400\nreplica.fetch.wait.max.ms=500\n",
        "server.properties:2: replica.fetch.wait.max.ms: \
         replica.fetch.wait.max.ms (500) is more than replica.socket.timeout.ms (400); \
         lower replica.fetch.wait.max.ms to 400 or raise replica.socket.timeout.ms to 500",
    );
    check("replica.socket.timeout.ms=500\nreplica.lag.time.max.ms=500\n", "");
    let config = BrokerConfig { replica_lag_time_max: Duration::from_millis(1), ..BrokerConfig::default() };
    assert_eq!(config.contradictions().len(), 1);
}

#[test]
fn nothing_can_have_to_be_compacted_before_it_may_be() {
    check(
        "log.cleaner.max.compaction.lag.ms=5\nlog.cleaner.min.compaction.lag.ms=6\n\
         topic.min.compaction.lag.ms=2\ntopic.max.compaction.lag.ms=1\n",
        "server.properties:2: log.cleaner.min.compaction.lag.ms: \
         log.cleaner.min.compaction.lag.ms (6) is more than log.cleaner.max.compaction.lag.ms (5); \
         lower log.cleaner.min.compaction.lag.ms to 5 or raise log.cleaner.max.compaction.lag.ms to 6
         server.properties:4: topic.max.compaction.lag.ms: \
         topic.min.compaction.lag.ms (2) is more than topic.max.compaction.lag.ms (1); \
         lower topic.min.compaction.lag.ms to 1 or raise topic.max.compaction.lag.ms to 2",
    );
    check("log.cleaner.max.compaction.lag.ms=5\nlog.cleaner.min.compaction.lag.ms=5\n", "");
}

#[test]
fn the_last_of_several_lines_wins_and_the_others_are_noted() {
    let text = "num.partitions=no\nnum.partitions=2\nnum.partitions:3\n";
    check(
        text,
        "server.properties:1: num.partitions: overridden by line 3
         server.properties:2: num.partitions: overridden by line 3",
    );
    assert_eq!(settings(text).broker.num_partitions, 3);
}

#[test]
fn what_kafka_knows_and_we_do_not_model_is_noted_with_the_reason() {
    let text = "listeners=PLAINTEXT://:9092\n\
                log.cleaner.threads=2\n\
                ssl.keystore.location=/etc/k\n\
                listener.name.internal.ssl.keystore.location=/etc/k\n\
                auto.leader.rebalance.enable=true\n\
                transaction.state.log.min.isr=1\n\
                producer.enable.idempotence=true\n\
                producer.compression.type=zstd\n\
                consumer.isolation.level=read_committed\n\
                consumer.auto.offset.reset=by_duration:PT1H\n\
                consumer.group.id=g\n\
                message.timestamp.type=LogAppendTime\n\
                topic.compression.type=zstd\n";
    check(
        text,
        "server.properties:1: listeners: ignored: every node has one address on the simulated network
         server.properties:2: log.cleaner.threads: ignored: threads, queues and buffers of a node are not modelled
         server.properties:3: ssl.keystore.location: ignored: there is no encryption, authentication or authorization here
         server.properties:4: listener.name.internal.ssl.keystore.location: ignored: every node has one address on the simulated network
         server.properties:6: transaction.state.log.min.isr: ignored: there are no idempotent or transactional producers yet
         server.properties:7: producer.enable.idempotence: ignored: the producer is not idempotent yet: a retry may duplicate or reorder
         server.properties:8: producer.compression.type: ignored: records are not compressed
         server.properties:9: consumer.isolation.level: ignored: there are no transactions yet: the default is used
         server.properties:10: consumer.auto.offset.reset: ignored: offsets are not looked up by time yet: the default is used
         server.properties:11: consumer.group.id: ignored: there are no consumer groups yet: partitions are assigned, and positions not committed
         server.properties:12: message.timestamp.type: ignored: batches keep the timestamps of their producer, whatever they are
         server.properties:13: topic.compression.type: ignored: records are not compressed",
    );
    assert_eq!(settings(text), Settings::default());
}

#[test]
fn a_value_that_describes_what_happens_anyway_is_not_noted() {
    check(
        "auto.leader.rebalance.enable=false\nproducer.enable.idempotence=False\nconsumer.enable.auto.commit=false\n",
        "",
    );
}

#[test]
fn small_segments_are_taken_and_noted() {
    let text = "log.segment.bytes=4096\ntopic.segment.bytes=1048575\nmetadata.log.segment.bytes=65536\n";
    check(
        text,
        "server.properties:1: log.segment.bytes: 4096 is taken, though Kafka's minimum is 1048576
         server.properties:2: topic.segment.bytes: 1048575 is taken, though Kafka's minimum is 1048576
         server.properties:3: metadata.log.segment.bytes: 65536 is taken, though Kafka's minimum is 8388608",
    );
    let settings = settings(text);
    assert_eq!((settings.broker.log_segment_bytes, settings.topic.segment_bytes), (4096, Some(1_048_575)));
    check("log.segment.bytes=1048576", "");
}

#[test]
fn a_topic_level_name_among_the_brokers_is_taken_and_noted() {
    let text = "flush.messages=1\n";
    check(
        text,
        "server.properties:1: flush.messages: a topic-level property, taken for every topic that a scenario creates; \
         a Kafka broker would look at log.flush.interval.messages only",
    );
    assert_eq!(settings(text).topic.flush_messages, Some(1));
}

/// The file that Kafka 4 ships as `config/server.properties`, by its names and values.
#[test]
fn the_server_properties_that_kafka_ships_is_read() {
    let text = "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=localhost:9093\n\
                listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n\
                advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
                controller.listener.names=CONTROLLER\n\
                listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL\n\
                num.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\n\
                socket.receive.buffer.bytes=102400\nsocket.request.max.bytes=104857600\n\
                log.dirs=/tmp/kraft-combined-logs\nnum.partitions=1\nnum.recovery.threads.per.data.dir=1\n\
                offsets.topic.replication.factor=1\nshare.coordinator.state.topic.replication.factor=1\n\
                share.coordinator.state.topic.min.isr=1\ntransaction.state.log.replication.factor=1\n\
                transaction.state.log.min.isr=1\nlog.retention.hours=168\nlog.segment.bytes=1073741824\n\
                log.retention.check.interval.ms=300000\n";
    let (settings, notices) = Settings::parse("server.properties", text).expect("Kafka reads it too");
    assert_eq!(settings, Settings::default());
    let ignored: Vec<_> = notices.iter().filter(|notice| matches!(notice, Notice::Ignored { .. })).collect();
    assert_eq!((ignored.len(), notices.len()), (20, 20), "all but num.partitions and those of the log");
}

#[test]
fn a_single_property_is_set_by_the_name_that_it_has_in_a_file() {
    let mut settings = Settings::default();
    assert_eq!(settings.set("min.insync.replicas", "2"), Ok(Taken::Applied));
    assert_eq!(settings.set("topic.min.insync.replicas", "3"), Ok(Taken::Applied));
    assert_eq!(settings.set("consumer.max.poll.records", "4"), Ok(Taken::Applied));
    assert!(matches!(settings.set("producer.compression.type", "zstd"), Ok(Taken::Ignored(_))));
    assert!(matches!(settings.set("acks", "all"), Err(Fault::Unknown { .. })));
    let numbers = [settings.broker.min_insync_replicas, settings.controller.min_insync_replicas];
    assert_eq!((numbers, settings.topic.min_insync_replicas), ([2, 2], Some(3)));
    assert_eq!(settings.consumer.max_poll_records, 4);
}
