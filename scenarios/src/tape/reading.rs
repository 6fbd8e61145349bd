//! Files of another version, read as far as they can be: what no longer exists is left out and said, and what did not
//! exist yet is as this program has it by default.
//!
//! An answer to a question of the protocol that no longer exists cannot be replaced by another one: such a file is refused.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use sim::cluster::Cluster;

use crate::load::Load;

/// What was read, and what could not be taken as it stood, in words.
pub(crate) struct Reading<T> {
    pub(crate) value: T,
    pub(crate) notes: Vec<String>,
}

/// More than these are no longer the same file.
const MOST_NOTES: usize = 100;

/// Reads a value whose `plan` may be of another version; nothing if it cannot be.
pub(crate) fn read<T: Serialize + DeserializeOwned>(mut value: Value) -> Option<Reading<T>> {
    let mut notes = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(read) => {
                // Some parts take what they do not know without a word.
                ignored(&value, &serde_json::to_value(&read).ok()?, "", &mut notes);
                return Some(Reading { value: read, notes });
            }
            Err(error) if notes.len() < MOST_NOTES => error,
            Err(_) => return None,
        };
        notes.push(mended(&mut value, error.path(), &error.inner().to_string())?);
    }
}

/// Says which fields of a file are not in what was read.
fn ignored(file: &Value, read: &Value, place: &str, notes: &mut Vec<String>) {
    match (file, read) {
        (Value::Object(file), Value::Object(read)) => {
            for (name, there) in file {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                match read.get(name) {
                    Some(read) => ignored(there, read, &place, notes),
                    None => notes.push(format!("{place} no longer exists, and is left out")),
                }
            }
        }
        (Value::Array(file), Value::Array(read)) => {
            for (nth, (file, read)) in file.iter().zip(read).enumerate() {
                ignored(file, read, &format!("{place}.{nth}"), notes);
            }
        }
        _ => {}
    }
}

/// Mends what is wrong in this place, and says how; nothing if it cannot be.
fn mended(value: &mut Value, path: &Path, wrong: &str) -> Option<String> {
    let mut place = names(path);
    if let Some(field) = quoted(wrong, "unknown field `") {
        if place.last() == Some(&field) {
            place.pop();
        }
        let said = format!("{}.{field} no longer exists, and is left out", place.join("."));
        value.pointer_mut(&pointer(&place))?.as_object_mut()?.remove(&field)?;
        return Some(said);
    }
    if let Some(field) = quoted(wrong, "missing field `") {
        if place.last() == Some(&field) {
            place.pop();
        }
        let usual = usual(&place, &field)?;
        let said = format!("{}.{field} did not exist yet, and is {usual}", place.join("."));
        value.pointer_mut(&pointer(&place))?.as_object_mut()?.insert(field, usual);
        return Some(said);
    }
    match place.as_slice() {
        [plan, storm, strikes, nth, ..] if [plan, storm, strikes] == ["plan", "storm", "strikes"] => {
            let nth: usize = nth.parse().ok()?;
            let strikes = value.pointer_mut("/plan/storm/strikes")?.as_array_mut()?;
            let gone = (nth < strikes.len()).then(|| strikes.remove(nth))?;
            Some(format!("plan.storm.strikes.{nth} no longer exists, and is left out: {gone}"))
        }
        _ => None,
    }
}

/// What a field of a cluster or a load is if nobody says.
fn usual(place: &[String], field: &str) -> Option<Value> {
    let usual = match place {
        [plan, cluster, within @ ..] if plan == "plan" && cluster == "cluster" => {
            // Single brokers speak what all of them may speak.
            let within = match within {
                [protocols, _, _, within @ ..] if protocols == "protocols" => {
                    [&["protocol".to_owned()], within].concat()
                }
                _ => within.to_vec(),
            };
            let cluster = serde_json::to_value(Cluster::of(1)).ok()?;
            cluster.pointer(&pointer(&within))?.get(field)?.clone()
        }
        [plan, load] if plan == "plan" && load == "load" => {
            serde_json::to_value(Load::default()).ok()?.get(field)?.clone()
        }
        _ => return None,
    };
    Some(usual)
}

fn names(path: &Path) -> Vec<String> {
    let names = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { variant } => Some(variant.clone()),
        Segment::Unknown => None,
    });
    names.collect()
}

fn pointer(place: &[String]) -> String {
    place.iter().map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).collect()
}

/// What stands in backquotes behind such a beginning.
fn quoted(text: &str, beginning: &str) -> Option<String> {
    Some(text.strip_prefix(beginning)?.split('`').next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::Deserialize;
    use serde_json::json;
    use sim::fault::{Fault, Strike, Target};

    use super::*;
    use crate::run::Plan;
    use crate::storm::Storm;

    #[derive(Debug, Serialize, Deserialize)]
    struct File {
        plan: Plan,
    }

    fn kept() -> (Plan, Value) {
        let crash = Strike::at(Duration::from_secs(1), Fault::Crash(Target::Leader(0)));
        let plan = Plan {
            scenario: "kept".to_owned(),
            cluster: Cluster::of(3).protocol_of(model::names::BrokerId(2), model::protocol::Protocol::KAFKA_0_10),
            storm: Storm::of(vec![crash]),
            load: Load::default(),
            seed: u64::MAX,
            length: Duration::from_secs(3),
        };
        let value = json!({ "plan": plan });
        (plan, value)
    }

    #[test]
    fn a_file_of_this_version_is_read_as_it_is() {
        let (plan, value) = kept();
        let read: Reading<File> = read(value).unwrap();
        assert_eq!((read.value.plan, read.notes.len()), (plan, 0));
    }

    #[test]
    fn a_field_that_no_longer_exists_is_left_out_and_said() {
        let (plan, mut value) = kept();
        value["plan"]["cluster"]["racks"] = json!(3);
        value["plan"]["cluster"]["protocol"]["storage"]["fsync"] = json!("Never");
        value["plan"]["cluster"]["settings"]["broker"]["unheard_of"] = json!(7);
        let read: Reading<File> = read(value).unwrap();
        assert_eq!(read.value.plan, plan);
        let said = read.notes.join("\n");
        for says in ["plan.cluster.racks no longer", "plan.cluster.protocol.storage.fsync no longer", "unheard_of"] {
            assert!(said.contains(says), "{said}");
        }
    }

    #[test]
    fn a_field_that_did_not_exist_yet_is_as_it_is_by_default() {
        let (plan, mut value) = kept();
        value["plan"]["cluster"]["protocol"].as_object_mut().unwrap().remove("muting");
        value["plan"]["cluster"]["protocols"][0][1].as_object_mut().unwrap().remove("polling");
        value["plan"]["cluster"]["disk"].as_object_mut().unwrap().remove("stat");
        let read: Reading<File> = read(value).unwrap();
        assert_eq!(read.value.plan, plan);
        assert_eq!(read.notes.len(), 3, "{:?}", read.notes);
    }

    #[test]
    fn a_fault_that_no_longer_exists_is_left_out_and_said() {
        let (plan, mut value) = kept();
        let strike = json!({ "when": { "At": { "secs": 2, "nanos": 0 } }, "fault": { "Meteor": { "Node": "all" } } });
        value["plan"]["storm"]["strikes"].as_array_mut().unwrap().insert(0, strike);
        let read: Reading<File> = read(value).unwrap();
        assert_eq!(read.value.plan, plan);
        assert!(read.notes[0].contains("Meteor"), "{:?}", read.notes);
    }

    #[test]
    fn an_answer_that_no_longer_exists_is_not_replaced_by_another() {
        let (_, mut value) = kept();
        value["plan"]["cluster"]["protocol"]["truncation"] = json!("ByTheStars");
        assert!(read::<File>(value).is_none());
        let (_, mut value) = kept();
        value["plan"].as_object_mut().unwrap().remove("seed");
        assert!(read::<File>(value).is_none());
    }
}
