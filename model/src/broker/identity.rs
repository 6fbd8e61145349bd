//! Whose the disk is: `meta.properties`, written once when an empty disk is formatted, and asked at every start.
//!
//! Does not know partitions.

use crate::disk::{Disk, DiskError};
use crate::log::checkpoint;
use crate::machine::{Chance, Stop};
use crate::names::BrokerId;
use crate::protocol::Replacing;

const META: &str = "meta.properties";
/// `cluster.id`: there is one cluster.
const CLUSTER: &str = "highwater";
/// The alphabet of Kafka's ids: base64 that may stand in a URL.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Sees to it that the disk is this broker's. A disk that does not say whose it is, being empty, is formatted.
///
/// # Errors
/// [`Stop::Storage`] if the disk is another broker's or another cluster's: Kafka does not start on it either.
pub(super) fn claim(disk: &mut dyn Disk, broker: BrokerId, chance: Chance, replacing: Replacing) -> Result<(), Stop> {
    let text = checkpoint::read(disk, META)?.unwrap_or_default();
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    if value("cluster.id").is_some_and(|cluster| cluster != CLUSTER) {
        return Err(Stop::Storage(DiskError::Io));
    }
    match value("node.id").and_then(|id| id.parse::<u32>().ok()) {
        Some(id) if id == broker.0 => Ok(()),
        Some(_) => Err(Stop::Storage(DiskError::Io)),
        None => {
            let directory = directory_id(chance);
            let text = format!("version=1\ncluster.id={CLUSTER}\ndirectory.id={directory}\nnode.id={}\n", broker.0);
            Ok(checkpoint::replace(disk, META, text, replacing)?)
        }
    }
}

/// 128 random bits as Kafka writes them: 22 letters.
fn directory_id(chance: Chance) -> String {
    let drawn = [0, 1].map(|half| u128::from(chance.draw("directory id", half)));
    let bits = drawn[0] << 64 | drawn[1];
    // 22 letters of six bits each are four bits more than there are.
    let letter = |place: u32| {
        let six = if place < 21 { bits >> (122 - 6 * place) } else { bits << 4 };
        char::from(ALPHABET[(six & 0x3f) as usize])
    };
    (0..22).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tests::disk::FakeDisk;

    #[test]
    fn an_empty_disk_is_formatted_once() {
        let mut disk = FakeDisk::default();
        for (life, chance) in [Chance(1), Chance(2)].into_iter().enumerate() {
            claim(&mut disk, BrokerId(3), chance, Replacing::SyncedThenRenamed).expect("its own");
            let text = disk.text(META).expect("written");
            let directory = directory_id(Chance(1));
            let expected = format!("version=1\ncluster.id=highwater\ndirectory.id={directory}\nnode.id=3\n");
            assert_eq!(text, expected, "life {life}");
        }
    }

    #[test]
    fn nobody_starts_on_the_disk_of_another() {
        for text in ["version=1\nnode.id=4\n", "version=1\ncluster.id=another\nnode.id=3\n"] {
            let mut disk = FakeDisk::default();
            disk.plant(META, text);
            let refused = claim(&mut disk, BrokerId(3), Chance(1), Replacing::SyncedThenRenamed);
            assert_eq!(refused, Err(Stop::Storage(DiskError::Io)));
            assert_eq!(disk.text(META).as_deref(), Some(text), "and it is left as it is");
        }
    }

    #[test]
    fn a_directory_id_is_128_bits_in_22_letters() {
        let ids: Vec<String> = (0..100).map(|key| directory_id(Chance(key))).collect();
        assert!(ids.iter().all(|id| id.len() == 22 && id.bytes().all(|letter| ALPHABET.contains(&letter))));
        // The last letter carries two bits only.
        assert!(ids.iter().all(|id| b"AQgw".contains(&id.as_bytes()[21])));
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), 100);
    }
}
