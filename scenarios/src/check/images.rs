//! What each broker takes from the metadata log is what the controllers have committed, not only as far as that (W10).
//!
//! Follows the committed records with an image of its own, one record after another; a broker may have come to the same
//! offset by a snapshot and by changes that it applied as one. What the records mean is for other checks.

use std::collections::BTreeMap;

use model::metadata::{Image, MetadataRecord};
use model::names::{BrokerId, EndOffset, Offset};

use super::replicas::Replicas;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// Looks at images.
#[derive(Clone, Debug, Default)]
pub(crate) struct Images {
    /// What is committed by now.
    image: Image,
    /// The checksum of what was committed, by the end of the record that made it so.
    checksums: BTreeMap<EndOffset, u32>,
    /// What each broker said last, in this life.
    said: BTreeMap<BrokerId, u32>,
}

impl Images {
    /// The next record is committed.
    pub(crate) fn committed(&mut self, offset: Offset, record: &MetadataRecord) {
        self.image.apply(offset, record);
        if *record != MetadataRecord::NoOp {
            self.checksums.insert(offset.end(), self.image.checksum());
        }
    }

    /// A broker process begins: it knows nothing.
    pub(crate) fn started(&mut self, broker: BrokerId) {
        self.said.remove(&broker);
    }

    /// A broker has another image.
    pub(crate) fn changed(&mut self, broker: BrokerId, checksum: u32) {
        self.said.insert(broker, checksum);
    }

    /// A broker obeys its image, which goes up to here.
    pub(crate) fn applied(&self, shared: &Replicas, broker: BrokerId, upto: EndOffset, verdicts: &mut Verdicts) {
        let committed = self.checksums.range(..=upto).next_back();
        let (Some(&said), Some((since, &checksum))) = (self.said.get(&broker), committed) else { return };
        let fine = shared.metadata_lost || said == checksum;
        verdicts.demand(Guarantee::MetadataLog, fine, "image-differs", || {
            format!("{broker} has applied metadata up to {upto}, and its image is not what is committed since {since}")
        });
    }
}
