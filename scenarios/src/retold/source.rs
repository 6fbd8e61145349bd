//! Expressions as lines of Rust: what is usual is left out, what is too long for a line gets several.
//!
//! Knows the constants that a reader knows, such as [`Protocol::LATEST`], and nothing of what the values mean.

use model::protocol::{Protocol, Quorum, Storage};
use serde::Serialize;
use sim::fault::Strike;

use super::literal::{Literal, literal};

/// How long a line may be.
const WIDTH: usize = 110;

/// An expression, indented by so many spaces but for its first line.
pub(super) fn source(value: &impl Serialize, indent: usize) -> String {
    written(&literal(value), indent)
}

/// The fields of a struct in which it differs from one that has a name.
pub(super) fn differing<T: Serialize>(value: &T, usual: &T, named: &str, indent: usize) -> String {
    written(&without_usual(literal(value), &literal(usual), named), indent)
}

/// A protocol, by what it differs in from the release to which it is closest.
pub(super) fn protocol(protocol: &Protocol, indent: usize) -> String {
    let releases = [
        ("Protocol::LATEST", Protocol::LATEST),
        ("Protocol::KAFKA_4_1", Protocol::KAFKA_4_1),
        ("Protocol::KAFKA_0_10", Protocol::KAFKA_0_10),
        ("Protocol::ZOOKEEPER", Protocol::ZOOKEEPER),
    ];
    let against = |(name, release): (&str, Protocol)| without_usual(literal(protocol), &literal(&release), name);
    let closest = releases.into_iter().map(against).min_by_key(answers);
    closest.map_or_else(String::new, |closest| written(&closest, indent))
}

/// A strike as a test writes it.
pub(super) fn strike(strike: &Strike, indent: usize) -> String {
    let usual = match literal(strike) {
        Literal::Fields(_, fields) => match fields.as_slice() {
            [("when", when), ("fault", fault)] => by_name(when, fault),
            _ => None,
        },
        _ => None,
    };
    usual.map_or_else(|| source(strike, indent), |usual| written(&usual, indent))
}

/// `Strike::at` and `Strike::upon`, where they say it all.
fn by_name(when: &Literal, fault: &Literal) -> Option<Literal> {
    let call = |name: &str, when: &Literal| Literal::Call(name.to_owned(), vec![when.clone(), fault.clone()]);
    match when {
        Literal::Call(name, time) if name == "When::At" => Some(call("Strike::at", time.first()?)),
        Literal::Fields(name, fields) if name == "When::Ambush" => {
            let field = |name: &str| fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value);
            let is = |name: &str, word: &str| field(name) == Some(&Literal::Word(word.to_owned()));
            let next = is("skip", "0") && is("after", "Duration::from_secs(0)");
            field("on").filter(|_| next).map(|sight| call("Strike::upon", sight))
        }
        _ => None,
    }
}

/// How much is said of a protocol.
fn answers(literal: &Literal) -> usize {
    match literal {
        Literal::Fields(_, fields) => fields.iter().map(|(_, value)| 1 + answers(value)).sum(),
        _ => 0,
    }
}

/// Leaves out the fields that are as in the struct of that name.
fn without_usual(value: Literal, usual: &Literal, named: &str) -> Literal {
    let (Literal::Fields(name, fields), Literal::Fields(_, usual)) = (value, usual) else {
        return Literal::Word(named.to_owned());
    };
    let of = fields.len();
    let mut left: Vec<(&'static str, Literal)> = fields
        .into_iter()
        .zip(usual)
        .filter(|((_, value), (_, usual))| value != usual)
        .map(|((field, value), _)| (field, within(value)))
        .collect();
    if left.is_empty() {
        return Literal::Word(named.to_owned());
    }
    if left.len() < of {
        left.push(("..", Literal::Word(named.to_owned())));
    }
    Literal::Fields(name, left)
}

/// The parts of a protocol that are protocols of their own.
fn within(value: Literal) -> Literal {
    match &value {
        Literal::Fields(name, _) if name == "Storage" => {
            without_usual(value, &literal(&Storage::LATEST), "Storage::LATEST")
        }
        Literal::Fields(name, _) if name == "Quorum" => {
            without_usual(value, &literal(&Quorum::LATEST), "Quorum::LATEST")
        }
        _ => value,
    }
}

fn written(literal: &Literal, indent: usize) -> String {
    let line = on_one_line(literal);
    if indent + line.len() <= WIDTH {
        return line;
    }
    let inner = indent + 4;
    let block = |open: String, lines: Vec<String>, close: &str| {
        // No comma behind what the rest is taken from.
        let end = |line: &str| if line.starts_with("..") { "" } else { "," };
        let lines: String = lines.iter().map(|line| format!("\n{}{line}{}", " ".repeat(inner), end(line))).collect();
        format!("{open}{lines}\n{}{close}", " ".repeat(indent))
    };
    let all = |values: &[Literal]| values.iter().map(|value| written(value, inner)).collect();
    match literal {
        Literal::Word(word) => word.clone(),
        Literal::Call(name, values) => block(format!("{name}("), all(values), ")"),
        Literal::List(values) => block("vec![".to_owned(), all(values), "]"),
        Literal::Tuple(values) => block("(".to_owned(), all(values), ")"),
        Literal::Fields(name, fields) => {
            let lines = fields.iter().map(|(field, value)| match *field {
                ".." => format!("..{}", written(value, inner)),
                field => format!("{field}: {}", written(value, inner)),
            });
            block(format!("{name} {{"), lines.collect(), "}")
        }
    }
}

fn on_one_line(literal: &Literal) -> String {
    let all = |values: &[Literal]| values.iter().map(on_one_line).collect::<Vec<_>>().join(", ");
    match literal {
        Literal::Word(word) => word.clone(),
        Literal::Call(name, values) => format!("{name}({})", all(values)),
        Literal::List(values) => format!("vec![{}]", all(values)),
        Literal::Tuple(values) => format!("({})", all(values)),
        Literal::Fields(name, fields) => {
            let fields = fields.iter().map(|(field, value)| match *field {
                ".." => format!("..{}", on_one_line(value)),
                field => format!("{field}: {}", on_one_line(value)),
            });
            format!("{name} {{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::names::{BrokerId, Node};
    use model::protocol::{Marker, Shrinking};
    use sim::fault::{Fault, Sight, Target, When};

    use super::*;

    #[test]
    fn a_strike_is_written_as_a_test_writes_it() {
        let leader = Fault::Crash(Target::Leader(0));
        let said = |at| strike(&at, 0);
        assert_eq!(
            said(Strike::at(Duration::from_millis(1_500), leader.clone())),
            "Strike::at(Duration::from_millis(1500), Fault::Crash(Target::Leader(0)))"
        );
        assert_eq!(
            said(Strike::upon(Sight::Truncated, leader.clone())),
            "Strike::upon(Sight::Truncated, Fault::Crash(Target::Leader(0)))"
        );
        let when = When::Ambush { on: Sight::Led, skip: 2, after: Duration::ZERO };
        assert_eq!(
            said(Strike { when, fault: leader }),
            "Strike {\n    when: When::Ambush { on: Sight::Led, skip: 2, after: Duration::from_secs(0) },\n    \
             fault: Fault::Crash(Target::Leader(0)),\n}"
        );
    }

    #[test]
    fn nodes_lists_and_numbers_are_written_as_a_test_writes_them() {
        let cut = Fault::Cut { from: vec![BrokerId(1).into()], to: vec![Node::Ensemble.into(), Target::Clients] };
        assert_eq!(
            source(&cut, 0),
            "Fault::Cut { from: vec![Target::from(BrokerId(1))], to: vec![Target::from(Node::Ensemble), Target::Clients] }"
        );
        let jump = Fault::ClockJump(Target::Leader(0), -1_234_567);
        assert_eq!(source(&jump, 0), "Fault::ClockJump(Target::Leader(0), -1_234_567)");
        let upgrade = source(&Fault::Upgrade(Target::Brokers, Box::new(Protocol::LATEST)), 0);
        assert!(
            upgrade.contains("Box::new(") && upgrade.contains("muting: Muting::WhenOnlyOneMayBeInFlight"),
            "{upgrade}"
        );
    }

    #[test]
    fn a_protocol_is_written_by_what_it_differs_in() {
        assert_eq!(protocol(&Protocol::KAFKA_0_10, 0), "Protocol::KAFKA_0_10");
        let at_once = Protocol { shrinking: Shrinking::AtOnce, ..Protocol::LATEST };
        assert_eq!(protocol(&at_once, 0), "Protocol { shrinking: Shrinking::AtOnce, ..Protocol::LATEST }");
        let storage = Storage { marker: Marker::GoneAfterLoading, ..Storage::LATEST };
        assert_eq!(
            protocol(&Protocol { storage, ..Protocol::KAFKA_4_1 }, 8),
            "Protocol {\n            storage: Storage { marker: Marker::GoneAfterLoading, ..Storage::LATEST },\n            \
             ..Protocol::KAFKA_4_1\n        }"
        );
    }
}
