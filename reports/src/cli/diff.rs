//! `highwater diff`: which two runs are to be compared, and under which protocols.

use std::path::PathBuf;

use clap::Args;
use model::protocol::Protocol;
use scenarios::catalogue::Scenario;
use scenarios::known_bugs::{self, KnownBug};

use super::{Refusal, Wish, scenario_named, seed, usage};

/// Two runs that are to be compared.
#[derive(Debug)]
pub(crate) struct Diff {
    /// The one.
    pub(crate) a: Side,
    /// The other.
    pub(crate) b: Side,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Side {
    /// As it was typed.
    pub(crate) name: String,
    /// What tells it.
    pub(crate) source: Source,
    /// The protocol that all of its cluster speaks instead of its own, and what it is called.
    pub(crate) protocol: Option<(String, Protocol)>,
}

/// What tells a run.
#[derive(Debug)]
pub(crate) enum Source {
    /// A file: a kept failure, which is run again, or a trace.
    File(PathBuf),
    /// A run.
    Seed(&'static Scenario, u64),
}

/// Points in history that have a name.
const NAMED: [(&str, Protocol); 4] = [
    ("LATEST", Protocol::LATEST),
    ("KAFKA_4_1", Protocol::KAFKA_4_1),
    ("KAFKA_0_10", Protocol::KAFKA_0_10),
    ("ZOOKEEPER", Protocol::ZOOKEEPER),
];

#[derive(Debug, Args)]
pub(super) struct DiffArguments {
    /// A failure that `highwater run` kept, a trace that `highwater replay --trace json` wrote, or SCENARIO:SEED.
    a: String,
    /// The same.
    b: String,
    /// What everybody in A speaks: LATEST, KAFKA_4_1, KAFKA_0_10, ZOOKEEPER, or a known bug by its id, its name or its KIP.
    #[arg(long, value_name = "NAME")]
    protocol_a: Option<String>,
    /// What everybody in B speaks.
    #[arg(long, value_name = "NAME")]
    protocol_b: Option<String>,
}

pub(super) fn diff(arguments: DiffArguments) -> Result<Wish, Refusal> {
    let side = |name: String, option: &str, protocol: Option<String>| {
        let protocol =
            protocol.map(|text| Ok::<_, Refusal>((text.clone(), protocol_named(option, &text)?))).transpose()?;
        Ok::<_, Refusal>(Side { source: source(&name)?, name, protocol })
    };
    let a = side(arguments.a, "protocol-a", arguments.protocol_a)?;
    let b = side(arguments.b, "protocol-b", arguments.protocol_b)?;
    Ok(Wish::Diff(Box::new(Diff { a, b })))
}

fn source(text: &str) -> Result<Source, Refusal> {
    let path = PathBuf::from(text);
    match text.rsplit_once(':') {
        // A file may be called what it likes.
        Some((scenario, number)) if !path.exists() => Ok(Source::Seed(scenario_named(scenario)?, seed(number)?)),
        None if !path.exists() && !text.contains(['.', '/']) => Err(usage(&format!(
            "error: `{text}` is no file and not SCENARIO:SEED; name a failure or a trace, or a run such as reference:7"
        ))),
        _ => Ok(Source::File(path)),
    }
}

fn protocol_named(option: &str, text: &str) -> Result<Protocol, Refusal> {
    let named = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, protocol)| *protocol);
    let number = |source: &str| {
        let mut numbers = source.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
        numbers
            .any(|number| number.contains(|letter: char| letter.is_ascii_digit()) && number.eq_ignore_ascii_case(text))
    };
    let fits = |bug: &&KnownBug| bug.name.eq_ignore_ascii_case(text) || number(bug.source);
    let fitting: Vec<&KnownBug> = known_bugs::all().filter(fits).collect();
    let named = named.or_else(|| known_bugs::named(text).map(|bug| bug.protocol));
    match (named, &fitting[..]) {
        (Some(protocol), _) => Ok(protocol),
        (None, [bug]) => Ok(bug.protocol),
        (None, []) => {
            let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
            let alike = |bug: &&KnownBug| strsim::damerau_levenshtein(bug.name, text);
            let hint = known_bugs::all().min_by_key(alike).filter(|bug| alike(bug) <= 1 + text.len() / 3);
            let hint = hint.map_or_else(String::new, |bug| format!("; did you mean \"{}\"?", bug.name));
            Err(usage(&format!(
                "error: --{option}: `{text}` is no protocol; write one of {}, or a known bug by its id, its name or its KIP, such as \
                 B01{hint}",
                names.join(", ")
            )))
        }
        (None, several) => {
            let names: Vec<String> = several.iter().map(|bug| format!("{} (\"{}\")", bug.id, bug.name)).collect();
            Err(usage(&format!("error: --{option}: `{text}` may be each of {}; write its id", names.join(", "))))
        }
    }
}
