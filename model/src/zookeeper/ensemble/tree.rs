//! Znodes: what there is, in which version, and with whose session it ends (C60).
//!
//! A tree and the changes of it, no more. It must not know what a znode means, who watches, nor that there is a disk.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::names::{SessionId, Zxid};
use crate::wire::{CreateMode, Operation, Stat, ZooKeeperError};

/// All znodes, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    nodes: BTreeMap<String, Znode>,
}

/// One znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Znode {
    pub(super) data: Bytes,
    pub(super) stat: Stat,
    /// The number of the next sequential child.
    sequence: u32,
}

/// What has become of a znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: String,
    pub(super) kind: ChangeKind,
}

/// How.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChangeKind {
    /// It is new.
    Created,
    /// Its content is.
    Set,
    /// It is gone.
    Deleted,
}

impl Tree {
    /// The node at this path.
    pub(super) fn get(&self, path: &str) -> Option<&Znode> {
        self.nodes.get(path)
    }

    /// The names of a node's children, sorted; `None` if there is no such node.
    pub(super) fn children(&self, path: &str) -> Option<Vec<String>> {
        self.nodes.contains_key(path).then(|| self.names_below(path).map(str::to_owned).collect())
    }

    /// Makes all these changes as one transaction, or none.
    pub(super) fn multi(
        &mut self,
        session: SessionId,
        zxid: Zxid,
        operations: &[Operation],
    ) -> Result<(Vec<Stat>, Vec<Change>), ZooKeeperError> {
        let mut after = self.clone();
        let mut changes = Vec::new();
        let stats = operations.iter().map(|operation| after.change(session, zxid, operation, &mut changes));
        let stats = stats.collect::<Result<Vec<Stat>, ZooKeeperError>>()?;
        *self = after;
        Ok((stats, changes))
    }

    /// Whatever ends with the session ends.
    pub(super) fn end_session(&mut self, session: SessionId) -> Vec<Change> {
        let owned = self.nodes.iter().filter(|(_, node)| node.stat.owner == Some(session));
        let paths: Vec<String> = owned.map(|(path, _)| path.clone()).collect();
        let delete = |path: String| {
            self.nodes.remove(&path);
            Change { path, kind: ChangeKind::Deleted }
        };
        paths.into_iter().map(delete).collect()
    }

    /// A node without an owner, made if it is not there: for what is there from the beginning.
    pub(super) fn plant(&mut self, path: &str, data: Bytes) {
        let stat = Stat { version: 0, czxid: Zxid(0), owner: None };
        self.nodes.entry(path.to_owned()).or_insert(Znode { data, stat, sequence: 0 });
    }

    fn change(
        &mut self,
        session: SessionId,
        zxid: Zxid,
        operation: &Operation,
        changes: &mut Vec<Change>,
    ) -> Result<Stat, ZooKeeperError> {
        match operation {
            Operation::Create { path, data, mode } => {
                let path = self.name(path, *mode)?;
                if self.nodes.contains_key(&path) {
                    return Err(ZooKeeperError::NodeExists);
                }
                let owner = (*mode == CreateMode::Ephemeral).then_some(session);
                let stat = Stat { version: 0, czxid: zxid, owner };
                self.nodes.insert(path.clone(), Znode { data: data.clone(), stat, sequence: 0 });
                changes.push(Change { path, kind: ChangeKind::Created });
                Ok(stat)
            }
            Operation::SetData { path, data, version } => {
                let node = self.nodes.get_mut(path).ok_or(ZooKeeperError::NoNode)?;
                if version.is_some_and(|version| version != node.stat.version) {
                    return Err(ZooKeeperError::BadVersion);
                }
                node.data = data.clone();
                node.stat.version += 1;
                changes.push(Change { path: path.clone(), kind: ChangeKind::Set });
                Ok(node.stat)
            }
            Operation::Delete { path } => {
                if self.names_below(path).next().is_some() {
                    return Err(ZooKeeperError::NotEmpty);
                }
                let node = self.nodes.remove(path).ok_or(ZooKeeperError::NoNode)?;
                changes.push(Change { path: path.clone(), kind: ChangeKind::Deleted });
                Ok(node.stat)
            }
            Operation::Check { path, version } => {
                let node = self.nodes.get(path).ok_or(ZooKeeperError::NoNode)?;
                if node.stat.version == *version { Ok(node.stat) } else { Err(ZooKeeperError::BadVersion) }
            }
        }
    }

    /// What a new node is called; there must be one above it.
    fn name(&mut self, path: &str, mode: CreateMode) -> Result<String, ZooKeeperError> {
        let parent = parent(path).filter(|parent| !parent.is_empty());
        let above = match parent {
            Some(parent) => Some(self.nodes.get_mut(parent).ok_or(ZooKeeperError::NoNode)?),
            None => None,
        };
        Ok(match (mode, above) {
            (CreateMode::PersistentSequential, Some(above)) => {
                let number = above.sequence;
                above.sequence += 1;
                format!("{path}{number:010}")
            }
            _ => path.to_owned(),
        })
    }

    fn names_below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        let below = self.nodes.range(format!("{path}/")..);
        let below = below.map_while(move |(node, _)| node.strip_prefix(path)?.strip_prefix('/'));
        below.filter(|name| !name.contains('/'))
    }
}

/// The path above; empty for that of a node at the top.
pub(super) fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: SessionId = SessionId(1);
    const TWO: SessionId = SessionId(2);

    fn create(path: &str, mode: CreateMode) -> Operation {
        Operation::Create { path: path.to_owned(), data: Bytes::from_static(b"x"), mode }
    }

    fn set(path: &str, version: Option<i32>) -> Operation {
        Operation::SetData { path: path.to_owned(), data: Bytes::from_static(b"y"), version }
    }

    fn tree() -> Tree {
        let mut tree = Tree::default();
        tree.plant("/a", Bytes::new());
        tree
    }

    fn one(tree: &mut Tree, operation: Operation) -> Result<Stat, ZooKeeperError> {
        tree.multi(ONE, Zxid(7), &[operation]).map(|(stats, _)| stats[0])
    }

    #[test]
    fn a_version_is_compared_and_counts_changes() {
        let mut tree = tree();
        assert_eq!(one(&mut tree, set("/a", Some(1))), Err(ZooKeeperError::BadVersion));
        assert_eq!(one(&mut tree, set("/a", Some(0))).unwrap().version, 1);
        assert_eq!(one(&mut tree, set("/a", None)).unwrap().version, 2);
        assert_eq!(one(&mut tree, set("/b", None)), Err(ZooKeeperError::NoNode));
        let check = Operation::Check { path: "/a".to_owned(), version: 2 };
        assert_eq!(one(&mut tree, check).unwrap().version, 2);
    }

    #[test]
    fn all_of_a_transaction_is_made_or_nothing() {
        let mut tree = tree();
        let before = tree.clone();
        let operations = [set("/a", Some(0)), create("/a/b", CreateMode::Persistent), set("/a", Some(0))];
        assert_eq!(tree.multi(ONE, Zxid(1), &operations).unwrap_err(), ZooKeeperError::BadVersion);
        assert_eq!(tree, before);
        let (stats, changes) = tree.multi(ONE, Zxid(1), &operations[..2]).unwrap();
        assert_eq!((stats[0].version, stats[1].czxid, changes.len()), (1, Zxid(1), 2));
    }

    #[test]
    fn ephemeral_nodes_end_with_their_session_and_no_other() {
        let mut tree = tree();
        one(&mut tree, create("/a/mine", CreateMode::Ephemeral)).unwrap();
        tree.multi(TWO, Zxid(8), &[create("/a/other", CreateMode::Ephemeral)]).unwrap();
        assert_eq!(one(&mut tree, create("/a/other", CreateMode::Ephemeral)), Err(ZooKeeperError::NodeExists));
        let ended = tree.end_session(ONE);
        assert_eq!(ended, [Change { path: "/a/mine".to_owned(), kind: ChangeKind::Deleted }]);
        assert_eq!(tree.children("/a"), Some(vec!["other".to_owned()]));
    }

    #[test]
    fn sequential_nodes_are_numbered_and_never_twice() {
        let mut tree = tree();
        one(&mut tree, create("/a/n_", CreateMode::PersistentSequential)).unwrap();
        one(&mut tree, Operation::Delete { path: "/a/n_0000000000".to_owned() }).unwrap();
        one(&mut tree, create("/a/n_", CreateMode::PersistentSequential)).unwrap();
        assert_eq!(tree.children("/a"), Some(vec!["n_0000000001".to_owned()]));
    }

    #[test]
    fn children_are_those_directly_below() {
        let mut tree = tree();
        for path in ["/ab", "/a/c", "/a/c/d", "/a-b"] {
            one(&mut tree, create(path, CreateMode::Persistent)).unwrap();
        }
        assert_eq!(tree.children("/a"), Some(vec!["c".to_owned()]));
        assert_eq!(tree.children("/z"), None);
        assert_eq!(one(&mut tree, create("/z/y", CreateMode::Persistent)), Err(ZooKeeperError::NoNode));
        assert_eq!(one(&mut tree, Operation::Delete { path: "/a/c".to_owned() }), Err(ZooKeeperError::NotEmpty));
    }
}
