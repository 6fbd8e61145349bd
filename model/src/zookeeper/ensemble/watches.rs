//! Who is to be told of which change, once (C60). It must not know how.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::SessionId;
use crate::wire::{WatchEvent, WatchKind};

use super::tree::{Change, ChangeKind, parent};

/// All watches.
#[derive(Clone, Debug, Default)]
pub(super) struct Watches {
    set: BTreeMap<(String, WatchKind), BTreeSet<SessionId>>,
}

impl Watches {
    /// The session is to be told, once.
    pub(super) fn watch(&mut self, session: SessionId, path: &str, kind: WatchKind) {
        self.set.entry((path.to_owned(), kind)).or_default().insert(session);
    }

    /// The session watches nothing any more.
    pub(super) fn forget(&mut self, session: SessionId) {
        self.set.retain(|_, sessions| {
            sessions.remove(&session);
            !sessions.is_empty()
        });
    }

    /// Whom these changes concern, and what each is told; they watch no more.
    pub(super) fn fire(&mut self, changes: &[Change]) -> BTreeMap<SessionId, Vec<WatchEvent>> {
        let mut told: BTreeMap<SessionId, Vec<WatchEvent>> = BTreeMap::new();
        for change in changes {
            let above = parent(&change.path).filter(|_| change.kind != ChangeKind::Set);
            let concerned =
                [Some((change.path.as_str(), WatchKind::Node)), above.map(|path| (path, WatchKind::Children))];
            for (path, kind) in concerned.into_iter().flatten() {
                for session in self.set.remove(&(path.to_owned(), kind)).unwrap_or_default() {
                    told.entry(session).or_default().push(WatchEvent { path: path.to_owned(), kind });
                }
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_fires_once_for_what_it_watches() {
        let mut watches = Watches::default();
        let change = |path: &str, kind| [Change { path: path.to_owned(), kind }];
        watches.watch(SessionId(1), "/a", WatchKind::Children);
        watches.watch(SessionId(1), "/a/b", WatchKind::Node);
        watches.watch(SessionId(2), "/a/b", WatchKind::Node);
        watches.forget(SessionId(2));
        let set = watches.fire(&change("/a/b", ChangeKind::Set));
        assert_eq!(set[&SessionId(1)], [WatchEvent { path: "/a/b".to_owned(), kind: WatchKind::Node }]);
        assert_eq!(set.len(), 1);
        let gone = watches.fire(&change("/a/b", ChangeKind::Deleted));
        assert_eq!(gone[&SessionId(1)], [WatchEvent { path: "/a".to_owned(), kind: WatchKind::Children }]);
        assert!(watches.fire(&change("/a/c", ChangeKind::Created)).is_empty());
    }
}
