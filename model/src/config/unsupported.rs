//! Kafka's properties that have no effect here, each with the reason. A file that a real cluster runs with can be read
//! as it is, and says what of it was not modelled.
//!
//! To support one: take its name out of here and write its line into the table of its struct.

use super::fault::Fault;
use super::table::Taken;
use super::value::{Mistake, NOT_A_NUMBER, Value};

/// Properties that have no effect, for one reason.
#[derive(Clone, Copy, Debug)]
pub struct Unsupported {
    /// Why they have none.
    pub reason: &'static str,
    /// For booleans: the value that describes what happens here anyway, so that nothing needs to be said about it.
    pub agrees: Option<bool>,
    names: &'static str,
}

impl Unsupported {
    const fn new(reason: &'static str, names: &'static str) -> Self {
        Self { reason, agrees: None, names }
    }

    const fn unless(value: bool, reason: &'static str, names: &'static str) -> Self {
        Self { reason, agrees: Some(value), names }
    }

    /// The names; one that ends in `*` stands for all that begin so.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.names.split_whitespace()
    }

    /// The group to which a name belongs.
    pub(super) fn find(groups: &'static [Self], name: &str) -> Option<&'static Self> {
        groups.iter().find(|group| group.names().any(|known| covers(known, name)))
    }

    /// What becomes of a value for one of them.
    pub(super) fn judge(&self, prefix: &str, name: &str, value: &str) -> Result<Taken, Fault> {
        let Some(agrees) = self.agrees else { return Ok(Taken::Ignored(self.reason)) };
        let ill_typed = |_: Mistake| Fault::IllTyped {
            property: format!("{prefix}{name}"),
            value: value.to_owned(),
            expected: "a boolean",
            remedy: "write true or false".to_owned(),
        };
        let asked = bool::parse(value, &NOT_A_NUMBER).map_err(ill_typed)?;
        Ok(if asked == agrees { Taken::Applied } else { Taken::Ignored(self.reason) })
    }
}

fn covers(known: &str, name: &str) -> bool {
    known.strip_suffix('*').map_or(name == known, |beginning| name.starts_with(beginning))
}

const SECURITY: Unsupported = Unsupported::new(
    "there is no encryption, authentication or authorization here",
    "security.* sasl.* ssl.* authorizer.class.name super.users allow.everyone.if.no.acl.found principal.builder.class
     delegation.token.* password.encoder.* connections.max.reauth.ms",
);
const METRICS: Unsupported = Unsupported::new(
    "a run is measured by its trace",
    "metric.reporters metrics.num.samples metrics.recording.level metrics.sample.window.ms auto.include.jmx.reporter
     kafka.metrics.* enable.metrics.push telemetry.*",
);
const CONFIG_PROVIDERS: Unsupported =
    Unsupported::new("values are taken as they are written", "config.providers config.providers.*");
const SOCKETS: Unsupported = Unsupported::new(
    "connections are simulated: their weather is drawn by the storm",
    "connections.max.idle.ms socket.connection.setup.timeout.ms socket.connection.setup.timeout.max.ms",
);
const CLIENT_SOCKETS: Unsupported = Unsupported::new(
    "clients are simulated: they know the cluster and its wires by themselves",
    "bootstrap.servers client.dns.lookup client.id send.buffer.bytes receive.buffer.bytes",
);
const CLIENT_METADATA: Unsupported = Unsupported::new(
    "clients keep the metadata that they have",
    "metadata.max.idle.ms metadata.recovery.strategy metadata.recovery.rebootstrap.trigger.ms",
);
const INTERCEPTORS: Unsupported =
    Unsupported::new("records are bytes: no class is loaded", "interceptor.classes key.* value.*");
const COMPRESSION: Unsupported = Unsupported::new(
    "records are not compressed",
    "compression.type compression.gzip.level compression.lz4.level compression.zstd.level",
);

/// What a broker and a controller ignore.
pub(super) const SERVER: &[Unsupported] = &[
    SECURITY,
    METRICS,
    CONFIG_PROVIDERS,
    SOCKETS,
    COMPRESSION,
    Unsupported::new(
        "the shape of the cluster says which nodes there are",
        "node.id broker.id process.roles controller.quorum.voters controller.quorum.bootstrap.servers
         controller.quorum.auto.join.enable broker.id.generation.enable reserved.broker.max.id",
    ),
    Unsupported::new(
        "every node has one address on the simulated network",
        "listeners advertised.listeners listener.security.protocol.map listener.name.* inter.broker.listener.name
         controller.listener.names control.plane.listener.name early.start.listeners",
    ),
    Unsupported::new(
        "threads, queues and buffers of a node are not modelled",
        "num.network.threads num.io.threads background.threads num.replica.fetchers num.recovery.threads.per.data.dir
         num.replica.alter.log.dirs.threads queued.max.requests queued.max.request.bytes socket.send.buffer.bytes
         socket.receive.buffer.bytes socket.request.max.bytes socket.listen.backlog.size
         replica.socket.receive.buffer.bytes max.connections max.connections.per.ip max.connections.per.ip.overrides
         max.connection.creation.rate connection.failed.authentication.delay.ms
         max.incremental.fetch.session.cache.slots fetch.purgatory.purge.interval.requests
         producer.purgatory.purge.interval.requests delete.records.purgatory.purge.interval.requests
         max.request.partition.size.limit log.cleaner.threads log.cleaner.io.buffer.size
         log.cleaner.io.max.bytes.per.second controller.socket.timeout.ms controller.performance.*",
    ),
    Unsupported::new(
        "every node has one simulated disk, and halts when it fails",
        "log.dir log.dirs metadata.log.dir log.dir.failure.timeout.ms cordoned.log.dirs",
    ),
    Unsupported::new(
        "batches keep the timestamps of their producer, whatever they are",
        "log.message.timestamp.type log.message.timestamp.before.max.ms log.message.timestamp.after.max.ms
         log.message.timestamp.difference.max.ms",
    ),
    Unsupported::new("a broker takes as long to start as it takes", "server.max.startup.time.ms"),
    Unsupported::unless(false, "files grow as they are written", "log.preallocate"),
    Unsupported::unless(true, "topics can always be deleted", "delete.topic.enable"),
    Unsupported::unless(false, "topics are created by an admin client only", "auto.create.topics.enable"),
    Unsupported::new("no class is loaded", "create.topic.policy.class.name alter.config.policy.class.name"),
    Unsupported::new(
        "every partition whose leader is not the preferred one is given back, as in a quorum of controllers",
        "leader.imbalance.per.broker.percentage",
    ),
    Unsupported::new(
        "the metadata log is rolled by size alone",
        "metadata.log.segment.ms metadata.log.segment.min.bytes internal.metadata.log.segment.bytes",
    ),
    Unsupported::new("there are no consumer groups yet", "group.* offsets.* offset.metadata.max.bytes"),
    Unsupported::new(
        "there are no idempotent or transactional producers yet",
        "transaction.* transactional.id.expiration.ms
         add.partitions.to.txn.retry.backoff.ms add.partitions.to.txn.retry.backoff.max.ms",
    ),
    Unsupported::new("share groups are not modelled", "share.*"),
    Unsupported::new(
        "consumers read from the leader, and racks are not modelled",
        "broker.rack replica.selector.class",
    ),
    Unsupported::new(
        "there are no quotas here",
        "quota.* controller.quota.* replication.quota.* alter.log.dirs.replication.quota.* client.quota.callback.class
         leader.replication.throttled.rate follower.replication.throttled.rate
         replica.alter.log.dirs.io.max.bytes.per.second",
    ),
    Unsupported::new("there is no tiered storage here", "remote.* rsm.config.* rlmm.config.* log.local.retention.*"),
    Unsupported::new(
        "what Kafka did in its history is chosen by the protocol, not by a property",
        "eligible.leader.replicas.enable unstable.api.versions.enable unstable.feature.versions.enable
         inter.broker.protocol.version log.message.format.version log.message.downconversion.enable
         controlled.shutdown.max.retries controlled.shutdown.retry.backoff.ms zookeeper.connect
         zookeeper.connection.timeout.ms zookeeper.set.acl zookeeper.max.in.flight.requests zookeeper.ssl.*
         zookeeper.clientCnxnSocket zookeeper.metadata.migration.enable",
    ),
];

/// What a topic ignores.
pub(super) const TOPIC: &[Unsupported] = &[
    COMPRESSION,
    Unsupported::new(
        "batches keep the timestamps of their producer, whatever they are",
        "message.timestamp.type message.timestamp.before.max.ms message.timestamp.after.max.ms
         message.timestamp.difference.max.ms",
    ),
    Unsupported::unless(false, "files grow as they are written", "preallocate"),
    Unsupported::new(
        "there are no quotas here",
        "leader.replication.throttled.replicas follower.replication.throttled.replicas",
    ),
    Unsupported::new(
        "there is no tiered storage here",
        "remote.storage.enable remote.log.copy.disable remote.log.delete.on.disable remote.copy.lag.ms
         remote.copy.lag.bytes local.retention.ms local.retention.bytes",
    ),
    Unsupported::new("for tests of Kafka itself: set segment.bytes", "internal.segment.bytes"),
    Unsupported::new(
        "what Kafka did in its history is chosen by the protocol, not by a property",
        "message.format.version message.downconversion.enable",
    ),
];

/// What a producer ignores.
pub(super) const PRODUCER: &[Unsupported] = &[
    SECURITY,
    METRICS,
    CONFIG_PROVIDERS,
    SOCKETS,
    CLIENT_SOCKETS,
    CLIENT_METADATA,
    INTERCEPTORS,
    COMPRESSION,
    Unsupported::unless(
        false,
        "the producer is not idempotent yet: a retry may duplicate or reorder",
        "enable.idempotence",
    ),
    Unsupported::new(
        "there are no transactions yet",
        "transactional.id transaction.timeout.ms transaction.two.phase.commit.enable",
    ),
    Unsupported::new(
        "the partition follows from the key, and without one is drawn by the producer",
        "partitioner.class partitioner.adaptive.partitioning.enable partitioner.availability.timeout.ms
         partitioner.ignore.keys",
    ),
    Unsupported::new("waits between connections double up to a fixed bound", "reconnect.backoff.max.ms"),
];

/// What a consumer ignores.
pub(super) const CONSUMER: &[Unsupported] = &[
    SECURITY,
    METRICS,
    CONFIG_PROVIDERS,
    SOCKETS,
    CLIENT_SOCKETS,
    CLIENT_METADATA,
    INTERCEPTORS,
    Unsupported::new(
        "there are no consumer groups yet: partitions are assigned, and positions not committed",
        "group.id group.instance.id group.protocol group.remote.assignor partition.assignment.strategy
         session.timeout.ms heartbeat.interval.ms max.poll.interval.ms auto.commit.interval.ms exclude.internal.topics
         share.acknowledgement.mode share.acquire.mode internal.leave.group.on.close
         internal.throw.on.fetch.stable.offset.unsupported",
    ),
    Unsupported::unless(
        false,
        "there are no consumer groups yet: partitions are assigned, and positions not committed",
        "enable.auto.commit",
    ),
    Unsupported::unless(false, "topics are created by an admin client only", "allow.auto.create.topics"),
    Unsupported::new("consumers read from the leader, and racks are not modelled", "client.rack"),
    Unsupported::new(
        "the consumer waits between attempts as retry.backoff.ms says",
        "retry.backoff.max.ms reconnect.backoff.ms reconnect.backoff.max.ms",
    ),
];
