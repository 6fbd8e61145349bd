//! One flat file for a whole cluster and its clients.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::fault::{ConfigError, Notice};
use super::properties::{Entry, Properties};
use super::reading::Reading;
use super::table::{Table, remedy_for_unknown};
use super::{BrokerConfig, ConsumerConfig, ControllerConfig, Fault, ProducerConfig, Taken, TopicConfig};

/// What a cluster and its clients are told. The default is Kafka's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Every broker.
    pub broker: BrokerConfig,
    /// Every controller.
    pub controller: ControllerConfig,
    /// Every topic that a scenario creates without saying otherwise.
    pub topic: TopicConfig,
    /// Every producer.
    pub producer: ProducerConfig,
    /// Every consumer.
    pub consumer: ConsumerConfig,
}

/// Before the name of a topic-level property.
const TOPIC_PREFIX: &str = "topic.";
/// Before the name of a producer's property, as in the files of Kafka Connect.
const PRODUCER_PREFIX: &str = "producer.";
/// Before the name of a consumer's property.
const CONSUMER_PREFIX: &str = "consumer.";

impl Settings {
    /// Reads the text of one flat file. Like [`Properties::parse`] and then [`Settings::read`], but a line that cannot
    /// be read does not hide what is wrong with the others.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong, in order of line.
    pub fn parse(file_name: &str, text: &str) -> Result<(Self, Vec<Notice>), ConfigError> {
        let (properties, unreadable) = Properties::scan(file_name, text);
        Self::read_with(Reading::new(&properties).with_problems(unreadable))
    }

    /// Reads one flat file: names of brokers and controllers as in `server.properties`, those of producers and of
    /// consumers behind `producer.` and `consumer.`.
    ///
    /// Topic-level names may stand behind `topic.`, or alone where no broker has a property of that name: a
    /// `min.insync.replicas` that stands alone is the broker's, as in Kafka. A name that is both a broker's and a
    /// controller's is set for both.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong, in order of line.
    pub fn read(properties: &Properties) -> Result<(Self, Vec<Notice>), ConfigError> {
        Self::read_with(Reading::new(properties))
    }

    fn read_with(mut reading: Reading<'_>) -> Result<(Self, Vec<Notice>), ConfigError> {
        let mut settings = Self::default();
        for entry in reading.effective() {
            settings.take(&mut reading, entry);
        }
        settings.make_room_for_delivery(&mut reading);
        reading.reconcile(&settings.broker, "");
        reading.reconcile(&settings.controller, "");
        reading.reconcile(&settings.topic, TOPIC_PREFIX);
        reading.reconcile(&settings.producer, PRODUCER_PREFIX);
        reading.reconcile(&settings.consumer, CONSUMER_PREFIX);
        let notices = reading.finish()?;
        Ok((settings, notices))
    }

    fn take<'a>(&mut self, reading: &mut Reading<'a>, entry: &'a Entry) {
        if BrokerConfig::property(&entry.name).is_none() {
            reading.note_topic_level(entry);
        }
        let outcome = self.set(&entry.name, &entry.value);
        reading.record(entry, outcome);
    }

    /// Sets one property by the name that it has in a file. What contradicts it then is not looked at.
    ///
    /// # Errors
    /// [`Fault`] if there is no such property, or if the value is ill-typed or out of range; nothing has changed then.
    pub fn set(&mut self, name: &str, value: &str) -> Result<Taken, Fault> {
        let Self { broker, controller, topic, producer, consumer } = self;
        let behind = |prefix: &str| name.strip_prefix(prefix);
        // The names of a server come first: some of them begin with `producer.` too.
        let outcome = both(broker.apply("", name, value), controller.apply("", name, value))
            .or_else(|| topic.apply("", name, value))
            .or_else(|| topic.apply(TOPIC_PREFIX, behind(TOPIC_PREFIX)?, value))
            .or_else(|| producer.apply(PRODUCER_PREFIX, behind(PRODUCER_PREFIX)?, value))
            .or_else(|| consumer.apply(CONSUMER_PREFIX, behind(CONSUMER_PREFIX)?, value));
        outcome.unwrap_or_else(|| Err(unknown(name)))
    }

    /// Raises a `delivery.timeout.ms` that was not set, if what was set leaves it no room, as Kafka does (P6). One that
    /// was set is left to be refused.
    fn make_room_for_delivery(&mut self, reading: &mut Reading<'_>) {
        let least = self.producer.least_delivery_timeout();
        let mentioned = reading.mentions("producer.delivery.timeout.ms");
        if mentioned || self.producer.delivery_timeout >= least {
            return;
        }
        self.producer.delivery_timeout = least;
        reading.note_adjusted(
            "producer.delivery.timeout.ms",
            least.as_millis().to_string(),
            &["producer.linger.ms", "producer.request.timeout.ms"],
        );
    }

    /// Every supported property with its value, as text that [`Settings::parse`] reads again. Where a name is both the
    /// broker's and the controller's, the broker's value is printed.
    #[must_use]
    pub fn to_properties(&self) -> String {
        let mut lines = String::new();
        print(&mut lines, "", &self.broker, |_| true);
        print(&mut lines, "", &self.controller, |name| BrokerConfig::property(name).is_none());
        print(&mut lines, TOPIC_PREFIX, &self.topic, |_| true);
        print(&mut lines, PRODUCER_PREFIX, &self.producer, |_| true);
        print(&mut lines, CONSUMER_PREFIX, &self.consumer, |_| true);
        lines
    }

    /// Every supported property for a reader: name, default, what values it takes, and what it means.
    #[must_use]
    pub fn reference() -> String {
        let mut lines = String::new();
        describe::<BrokerConfig>(&mut lines, "", |_| true);
        describe::<ControllerConfig>(&mut lines, "", |name| BrokerConfig::property(name).is_none());
        describe::<TopicConfig>(&mut lines, TOPIC_PREFIX, |_| true);
        describe::<ProducerConfig>(&mut lines, PRODUCER_PREFIX, |_| true);
        describe::<ConsumerConfig>(&mut lines, CONSUMER_PREFIX, |_| true);
        lines
    }
}

fn print<C: Table>(lines: &mut String, prefix: &str, config: &C, wanted: impl Fn(&str) -> bool) {
    for (name, value) in config.values().into_iter().filter(|(name, _)| wanted(name)) {
        writeln!(lines, "{prefix}{name}={value}").expect("a string takes all that is written");
    }
}

fn describe<C: Table>(lines: &mut String, prefix: &str, wanted: impl Fn(&str) -> bool) {
    let defaults = C::default();
    for property in C::PROPERTIES.iter().filter(|property| wanted(property.name)) {
        let default = property.show(&defaults).unwrap_or_else(|| match TopicConfig::broker_property(property.name) {
            Some(of_broker) => format!("(the broker's {of_broker})"),
            None => "(none)".to_owned(),
        });
        writeln!(lines, "{prefix}{} = {default}  [{}]  {}", property.name, property.values(), property.doc)
            .expect("a string takes all that is written");
    }
}

/// What became of a value that two tables were offered: what is wrong for one is wrong, and what one takes is taken.
fn both<T, E>(one: Option<Result<T, E>>, other: Option<Result<T, E>>) -> Option<Result<T, E>> {
    match (one, other) {
        (Some(Err(fault)), _) | (_, Some(Err(fault))) => Some(Err(fault)),
        (Some(Ok(taken)), _) | (None, Some(Ok(taken))) => Some(Ok(taken)),
        (None, None) => None,
    }
}

/// A name that nobody knows, or that belongs behind another prefix.
fn unknown(name: &str) -> Fault {
    Fault::Unknown { property: name.to_owned(), remedy: misplaced(name).unwrap_or_else(|| misspelt(name)) }
}

fn misplaced(name: &str) -> Option<String> {
    let prefixes = [TOPIC_PREFIX, PRODUCER_PREFIX, CONSUMER_PREFIX];
    let bare = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    let owner = if BrokerConfig::knows(bare) || ControllerConfig::knows(bare) {
        Some(("server", ""))
    } else if TopicConfig::knows(bare) {
        Some(("topic", TOPIC_PREFIX))
    } else if ProducerConfig::knows(bare) {
        Some(("producer", PRODUCER_PREFIX))
    } else if ConsumerConfig::knows(bare) {
        Some(("consumer", CONSUMER_PREFIX))
    } else {
        None
    };
    owner.map(|(owner, prefix)| format!("{bare} is a property of a {owner}: write {prefix}{bare}"))
}

fn misspelt(name: &str) -> String {
    let servers = BrokerConfig::names().chain(ControllerConfig::names()).map(str::to_owned);
    let topics = TopicConfig::names().map(|name| format!("{TOPIC_PREFIX}{name}"));
    let producers = ProducerConfig::names().map(|name| format!("{PRODUCER_PREFIX}{name}"));
    let consumers = ConsumerConfig::names().map(|name| format!("{CONSUMER_PREFIX}{name}"));
    remedy_for_unknown(name, servers.chain(topics).chain(producers).chain(consumers))
}
