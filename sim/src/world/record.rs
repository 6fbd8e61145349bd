//! Where facts go, in this order: the digest, the cast, the observer, and the trace if it is kept.

use model::event::Event;
use model::names::Node;

use super::Observer;
use crate::cast::{Cast, Turn};
use crate::checkpoints::Checkpoints;
use crate::fact::{Fact, Moment, What};
use crate::trace::RollingDigest;

/// Everything that has been said about a run.
#[derive(Clone, Debug)]
pub(crate) struct Record<O> {
    pub(crate) digest: RollingDigest,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) cast: Cast,
    pub(crate) observer: O,
    number: u64,
    /// The kept trace, or only the facts of the last step.
    facts: Vec<Fact>,
    /// Where the facts of the last step begin.
    fresh: usize,
    kept: bool,
}

impl<O: Observer> Record<O> {
    pub(crate) fn new(observer: O) -> Self {
        Self {
            digest: RollingDigest::new(),
            checkpoints: Checkpoints::new(),
            cast: Cast::default(),
            observer,
            number: 0,
            facts: Vec::new(),
            fresh: 0,
            kept: false,
        }
    }

    /// A new step begins: what was fresh no longer is.
    pub(crate) fn turn_page(&mut self) {
        if self.kept {
            self.fresh = self.facts.len();
        } else {
            self.facts.clear();
        }
    }

    /// Whether it was told before, and need not be told again: a controller that takes over cannot know what the one before
    /// it has said.
    pub(crate) fn is_known(&self, what: &What) -> bool {
        matches!(what, What::Noted(Event::Committed { offset, record }) if self.cast.was_told(*offset, record))
    }

    /// Adds a fact, and says what it changed in the cast.
    pub(crate) fn add(&mut self, at: Moment, node: Option<Node>, what: What) -> (Turn, &Fact) {
        self.facts.push(Fact { number: self.number, at, node, what });
        self.number += 1;
        let fact = self.facts.last().expect("one was pushed a moment ago");
        self.digest.add(fact);
        self.checkpoints.passed(self.number, || self.digest.value());
        let turn = self.cast.see(fact);
        self.observer.see(fact);
        (turn, fact)
    }

    /// The facts of the last step.
    pub(crate) fn fresh(&self) -> &[Fact] {
        &self.facts[self.fresh..]
    }

    /// The kept trace; empty if it is not kept.
    pub(crate) fn trace(&self) -> &[Fact] {
        if self.kept { &self.facts } else { &[] }
    }

    pub(crate) fn keep(&mut self, keep: bool) {
        if keep != self.kept {
            self.facts.clear();
            self.fresh = 0;
            self.kept = keep;
        }
    }
}
