//! The protocol that a script wants spoken: a release by its name, and single answers of it by the names of their questions.

use model::protocol::Protocol;
use serde_json::Value;

/// A release by its name.
///
/// # Errors
/// If there is none.
pub(super) fn release(name: &str) -> Result<Protocol, String> {
    match name {
        "LATEST" => Ok(Protocol::LATEST),
        "KAFKA_0_10" => Ok(Protocol::KAFKA_0_10),
        "KAFKA_4_1" => Ok(Protocol::KAFKA_4_1),
        other => Err(format!("there is no protocol {other}: LATEST, KAFKA_0_10 or KAFKA_4_1")),
    }
}

/// The same protocol with another answer to one question, as in `truncation` and `HighWatermark`, or `storage.marker` and ...
///
/// # Errors
/// If there is no such question, or it has no such answer.
pub(super) fn answering(protocol: &Protocol, question: &str, answer: &str) -> Result<Protocol, String> {
    let mut all = serde_json::to_value(protocol).expect("a protocol is plain data");
    let place = all.pointer_mut(&format!("/{}", question.replace('.', "/"))).filter(|place| place.is_string());
    *place.ok_or_else(|| format!("a protocol is not asked about {question}"))? = Value::from(answer);
    serde_json::from_value(all).map_err(|error| format!("{question}: {error}"))
}

#[cfg(test)]
mod tests {
    use model::protocol::{Marker, Shrinking};

    use super::*;

    #[test]
    fn one_answer_is_exchanged_and_all_others_stay() {
        let answering = |question, answer| answering(&Protocol::LATEST, question, answer);
        let at_once = Protocol { shrinking: Shrinking::AtOnce, ..Protocol::LATEST };
        assert_eq!(answering("shrinking", "AtOnce"), Ok(at_once));
        assert_eq!(answering("storage.marker", "GoneAfterLoading").unwrap().storage.marker, Marker::GoneAfterLoading);
        assert!(answering("storage", "LATEST").is_err(), "many questions");
        assert!(answering("weather", "Fair").unwrap_err().contains("weather"));
        assert!(answering("shrinking", "Never").unwrap_err().contains("AtOnce"));
    }
}
