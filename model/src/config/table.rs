//! The table behind each configuration struct: one line per property, and everything else follows from it.
//!
//! The `config!` macro turns a table into the struct, its `Default`, and its list of [`Property`]. Supporting one more
//! property is one more line. This file knows no property by name.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::fault::Fault;
use super::unsupported::Unsupported;
use super::value::{Kind, Mistake};

/// One supported property of the configuration `S`.
#[derive(Clone, Debug)]
pub struct Property<S: 'static> {
    /// Kafka's name.
    pub name: &'static str,
    /// What it means, with the unit.
    pub doc: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// For numbers: the least and the largest value, in Kafka's unit.
    pub range: RangeInclusive<i64>,
    /// For numbers: Kafka's own minimum, where smaller values are taken here all the same.
    pub kafka_minimum: Option<i64>,
    /// Reads the value from text.
    pub(super) set: fn(&mut S, &str, &RangeInclusive<i64>) -> Result<(), Mistake>,
    /// Prints the value, if there is one.
    pub(super) show: fn(&S) -> Option<String>,
}

/// What became of a property that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It has the value now.
    Applied,
    /// It has the value now, which Kafka itself would refuse as too small.
    BelowKafkaMinimum(i64),
    /// Kafka knows it, but it has no effect here, for this reason.
    Ignored(&'static str),
}

/// Values that are sound one by one, but not together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contradiction {
    /// The properties in question, without prefix.
    pub(super) properties: &'static [&'static str],
    /// What contradicts what, with the values.
    pub(super) says: String,
    /// What to do.
    pub(super) remedy: String,
}

impl Contradiction {
    /// The fault, as reported on the line of `property`.
    pub(super) fn at(self, property: String) -> Fault {
        Fault::Contradiction { property, contradiction: self.says, remedy: self.remedy }
    }
}

/// A configuration that is driven by a table.
pub(super) trait Table: Default + 'static {
    /// The supported properties, in the order of the struct.
    const PROPERTIES: &'static [Property<Self>];
    /// Kafka's properties that have no effect here.
    const UNSUPPORTED: &'static [Unsupported];

    /// Which values, sound one by one, contradict each other. Properties are called `prefix` + name.
    fn contradictions(&self, prefix: &str) -> Vec<Contradiction>;

    /// The supported property of that name.
    fn property(name: &str) -> Option<&'static Property<Self>> {
        Self::PROPERTIES.iter().find(|property| property.name == name)
    }

    /// Sets a property that this table or its unsupported list knows; `None` if neither does. Faults call the property
    /// `prefix` + `name`.
    fn apply(&mut self, prefix: &str, name: &str, value: &str) -> Option<Result<Taken, Fault>> {
        let value = value.trim();
        if let Some(property) = Self::property(name) {
            return Some(property.apply(self, prefix, value));
        }
        Unsupported::find(Self::UNSUPPORTED, name).map(|unsupported| unsupported.judge(prefix, name, value))
    }

    /// Whether this table or its unsupported list knows the name.
    fn knows(name: &str) -> bool {
        Self::property(name).is_some() || Unsupported::find(Self::UNSUPPORTED, name).is_some()
    }

    /// Every name that this table or its unsupported list knows.
    fn names() -> impl Iterator<Item = &'static str> {
        let supported = Self::PROPERTIES.iter().map(|property| property.name);
        supported.chain(Self::UNSUPPORTED.iter().flat_map(Unsupported::names))
    }

    /// Name and value of every supported property that has a value, in the order of the struct.
    fn values(&self) -> Vec<(&'static str, String)> {
        Self::PROPERTIES.iter().filter_map(|property| Some((property.name, (property.show)(self)?))).collect()
    }
}

impl<S> Property<S> {
    /// The value that `config` has for it, as it would stand in a file; `None` if it is left to the broker.
    #[must_use]
    pub fn show(&self, config: &S) -> Option<String> {
        (self.show)(config)
    }

    /// What values it takes, for a reader.
    #[must_use]
    pub fn values(&self) -> String {
        let (low, high) = (self.range.start(), self.range.end());
        match self.kind {
            Kind::Boolean => "true, false".to_owned(),
            Kind::Number => format!("{low} to {high}"),
            Kind::Millis => format!("{low} to {high} ms"),
            Kind::Ratio => "0 to 1".to_owned(),
            Kind::OneOf(words) => words.join(", "),
        }
    }

    fn apply(&self, config: &mut S, prefix: &str, value: &str) -> Result<Taken, Fault> {
        let name = || format!("{prefix}{}", self.name);
        match (self.set)(config, value, &self.range) {
            Ok(()) => Ok(self.remark(value)),
            Err(Mistake::Unsupported(reason)) => Ok(Taken::Ignored(reason)),
            Err(Mistake::Range) => {
                Err(Fault::OutOfRange { property: name(), value: value.to_owned(), remedy: self.remedy() })
            }
            Err(Mistake::Type) => Err(Fault::IllTyped {
                property: name(),
                value: value.to_owned(),
                expected: self.kind.expected(),
                remedy: self.remedy(),
            }),
        }
    }

    fn remark(&self, value: &str) -> Taken {
        match (self.kafka_minimum, value.parse::<i64>()) {
            (Some(minimum), Ok(number)) if number < minimum => Taken::BelowKafkaMinimum(minimum),
            _ => Taken::Applied,
        }
    }

    fn remedy(&self) -> String {
        let (low, high) = (self.range.start(), self.range.end());
        match self.kind {
            Kind::Boolean => "write true or false".to_owned(),
            Kind::Number => format!("write a whole number from {low} to {high}"),
            Kind::Millis => format!("write a whole number of milliseconds from {low} to {high}"),
            Kind::Ratio => "write a number from 0 to 1".to_owned(),
            Kind::OneOf(words) => format!("write one of {}", words.join(", ")),
        }
    }
}

/// Declares a configuration struct as a table. A line reads: name, field, type, default, range for numbers, and
/// `kafka_minimum` where values are taken that Kafka would refuse as too small.
macro_rules! config {
    (
        $(#[$meta:meta])*
        pub struct $Config:ident, ignoring $unsupported:expr, checked by $contradictions:expr;
        $(
            $(#[doc = $doc:literal])+
            $name:literal => $field:ident: $Type:ty = $default:expr
                $(, in $range:expr $(, kafka_minimum $minimum:expr)?)?;
        )+
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub struct $Config {
            $(
                #[doc = concat!("`", $name, "`:")]
                $(#[doc = $doc])+
                pub $field: $Type,
            )+
        }

        impl Default for $Config {
            /// Kafka's defaults.
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $crate::config::table::Table for $Config {
            const PROPERTIES: &'static [$crate::config::Property<Self>] = &[$(
                $crate::config::Property {
                    name: $name,
                    doc: concat!($($doc),+).trim_ascii_start(),
                    kind: <$Type as $crate::config::value::Value>::KIND,
                    range: $crate::config::table::range_of!($($range)?),
                    kafka_minimum: $crate::config::table::minimum_of!($($($minimum)?)?),
                    set: |config, text, range| {
                        config.$field = $crate::config::value::Value::parse(text, range)?;
                        Ok(())
                    },
                    show: |config| $crate::config::value::Value::show(&config.$field),
                },
            )+];
            const UNSUPPORTED: &'static [$crate::config::Unsupported] = $unsupported;

            fn contradictions(&self, prefix: &str) -> Vec<$crate::config::table::Contradiction> {
                $contradictions(self, prefix)
            }
        }

        $crate::config::table::entry_points!($Config);
    };
}

/// The public face of a table.
macro_rules! entry_points {
    ($Config:ident) => {
        impl $Config {
            /// The supported properties, in the order of the struct.
            pub const PROPERTIES: &'static [$crate::config::Property<Self>] =
                <Self as $crate::config::table::Table>::PROPERTIES;

            /// Kafka's properties that are known, and have no effect here.
            pub const UNSUPPORTED: &'static [$crate::config::Unsupported] =
                <Self as $crate::config::table::Table>::UNSUPPORTED;

            /// Sets one property by Kafka's name.
            ///
            /// # Errors
            /// [`Fault`](crate::config::Fault) if there is no such property, or if the value is ill-typed or out of
            /// range; nothing has changed then.
            pub fn set(&mut self, name: &str, value: &str) -> Result<$crate::config::Taken, $crate::config::Fault> {
                $crate::config::table::Table::apply(self, "", name, value)
                    .unwrap_or_else(|| Err($crate::config::table::unknown::<Self>(name)))
            }

            /// Which values, sound one by one, contradict each other; empty if none do.
            #[must_use]
            pub fn contradictions(&self) -> Vec<$crate::config::Fault> {
                let found = $crate::config::table::Table::contradictions(self, "");
                found
                    .into_iter()
                    .map(|each| {
                        let property = each.properties[0].to_owned();
                        each.at(property)
                    })
                    .collect()
            }

            /// Name and value of every supported property that has a value, in the order of the struct.
            #[must_use]
            pub fn entries(&self) -> Vec<(&'static str, String)> {
                $crate::config::table::Table::values(self)
            }
        }
    };
}

macro_rules! range_of {
    () => {
        $crate::config::value::NOT_A_NUMBER
    };
    ($range:expr) => {
        $range
    };
}

macro_rules! minimum_of {
    () => {
        None
    };
    ($minimum:expr) => {
        Some($minimum)
    };
}

pub(super) use {config, entry_points, minimum_of, range_of};

/// A span that must not be longer than another one; the first two properties are theirs.
pub(super) fn not_more(
    properties: &'static [&'static str; 2],
    lesser: Duration,
    greater: Duration,
    prefix: &str,
) -> Option<Contradiction> {
    let [lesser_name, greater_name] = properties;
    (lesser > greater).then(|| {
        let (lesser, greater) = (lesser.as_millis(), greater.as_millis());
        Contradiction {
            properties,
            says: format!("{prefix}{lesser_name} ({lesser}) is more than {prefix}{greater_name} ({greater})"),
            remedy: format!("lower {prefix}{lesser_name} to {greater} or raise {prefix}{greater_name} to {lesser}"),
        }
    })
}

/// For a table whose values cannot contradict each other.
pub(super) fn no_contradictions<C>(_: &C, _: &str) -> Vec<Contradiction> {
    Vec::new()
}

/// The fault of a name that the table of `S` does not know.
pub(super) fn unknown<S: Table>(name: &str) -> Fault {
    let known = S::names().map(str::to_owned);
    Fault::Unknown { property: name.to_owned(), remedy: remedy_for_unknown(name, known) }
}

/// What to do about an unknown name: the nearest known one, if any is near.
pub(super) fn remedy_for_unknown(name: &str, known: impl Iterator<Item = String>) -> String {
    let plain = known.filter(|known| !known.ends_with('*'));
    let nearest = plain.map(|known| (strsim::osa_distance(name, &known), known)).min();
    match nearest {
        // With more than a third of the letters wrong it is no slip of the hand any more.
        Some((distance, known)) if distance * 3 <= name.chars().count() => format!("did you mean {known}?"),
        _ => "no known property has a similar name: remove the line".to_owned(),
    }
}
