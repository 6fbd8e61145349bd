//! Two runs beside each other, fact by fact, up to the first in which they differ.
//!
//! Each tells its facts from a thread of its own, a page at a time, and waits while the other is behind: of any run only a
//! few pages are in memory. That both are under way at the same time also makes them differ where runs one after the other
//! might not: two allocations that are alive at once have two addresses. Knows facts and not where they come from.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::vec;

use sim::Fact;

/// Facts that both have and that are remembered, of any kind.
const BEFORE: usize = 5;
/// The same, of those that a reader would be told.
const TOLD_BEFORE: usize = 6;
/// Facts of each from the first difference on.
const AFTER: usize = 8;
/// Facts that are handed over at once.
const PAGE: usize = 512;
/// Pages that may wait.
const PAGES: usize = 4;

/// Where two runs part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parting {
    /// So many facts they have in common.
    pub(crate) agreed: u64,
    /// Some of the last of those, in order.
    pub(crate) before: Vec<Fact>,
    /// What the one says from there on: nothing if it has ended.
    pub(crate) left: Vec<Fact>,
    /// What the other says.
    pub(crate) right: Vec<Fact>,
    /// The first pair in which more than number and time differs, if it is not that one: one of both may have ended.
    pub(crate) said: Option<(Option<Fact>, Option<Fact>)>,
}

/// Takes the facts of one run.
#[derive(Debug)]
pub(crate) struct Mouth {
    page: Mutex<Vec<Fact>>,
    to: SyncSender<Vec<Fact>>,
    /// The difference has been found: nobody listens any more.
    idle: AtomicBool,
}

/// Gives them back.
struct Ear {
    from: Receiver<Vec<Fact>>,
    page: vec::IntoIter<Fact>,
    over: bool,
}

/// Has both tell, and says where they part, if they do; and what each came to.
///
/// # Panics
/// If one of them panics.
pub(crate) fn compare<T: Send>(
    left: impl FnOnce(&Arc<Mouth>) -> T + Send,
    right: impl FnOnce(&Arc<Mouth>) -> T + Send,
) -> (Option<Parting>, T, T) {
    let ((left_mouth, left_ear), (right_mouth, right_ear)) = (pair(), pair());
    thread::scope(|scope| {
        let left = scope.spawn(move || left_mouth.tell_all(left));
        let right = scope.spawn(move || right_mouth.tell_all(right));
        // Both ears are gone when it is found, so that nobody waits for them.
        let parting = find(left_ear, right_ear);
        let ended = |told: thread::ScopedJoinHandle<'_, T>| {
            told.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        (parting, ended(left), ended(right))
    })
}

fn pair() -> (Arc<Mouth>, Ear) {
    let (to, from) = sync_channel(PAGES);
    let mouth = Mouth { page: Mutex::new(Vec::with_capacity(PAGE)), to, idle: AtomicBool::new(false) };
    (Arc::new(mouth), Ear { from, page: Vec::new().into_iter(), over: false })
}

impl Mouth {
    /// The next fact.
    pub(crate) fn say(&self, fact: &Fact) {
        if self.idle.load(Ordering::Relaxed) {
            return;
        }
        let mut page = self.page.lock().expect("nobody panics with it");
        page.push(fact.clone());
        if page.len() == PAGE {
            let full = std::mem::replace(&mut *page, Vec::with_capacity(PAGE));
            self.idle.store(self.to.send(full).is_err(), Ordering::Relaxed);
        }
    }

    fn tell_all<T>(self: Arc<Self>, tell: impl FnOnce(&Arc<Self>) -> T) -> T {
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tell(&self)));
        let rest = std::mem::take(&mut *self.page.lock().expect("nobody panics with it"));
        // An empty page is the end: somebody may still hold this mouth.
        for page in [rest, Vec::new()] {
            let _ = self.to.send(page);
        }
        told.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Iterator for Ear {
    type Item = Fact;

    fn next(&mut self) -> Option<Fact> {
        if let Some(fact) = self.page.next() {
            return Some(fact);
        }
        if self.over {
            return None;
        }
        self.page = self.from.recv().unwrap_or_default().into_iter();
        let next = self.page.next();
        self.over = next.is_none();
        next
    }
}

fn find(mut left: Ear, mut right: Ear) -> Option<Parting> {
    let (mut recent, mut told) = (VecDeque::new(), VecDeque::new());
    let mut agreed = 0;
    let (one, other) = loop {
        match (left.next(), right.next()) {
            (None, None) => return None,
            (Some(one), Some(other)) if one == other => {
                agreed += 1;
                recent.push_back(one);
                if recent.len() > BEFORE {
                    told.extend(recent.pop_front().filter(sim::story::matters));
                }
                if told.len() > TOLD_BEFORE {
                    told.pop_front();
                }
            }
            parted => break parted,
        }
    };
    let alike = |one: &Option<Fact>, other: &Option<Fact>| match (one, other) {
        (Some(one), Some(other)) => one.node == other.node && one.what == other.what,
        _ => false,
    };
    let only_time = alike(&one, &other);
    let context = |first: Option<Fact>, ear: &mut Ear| -> Vec<Fact> {
        first.map_or_else(Vec::new, |first| std::iter::once(first).chain(ear.take(AFTER - 1)).collect())
    };
    let (one, other) = (context(one, &mut left), context(other, &mut right));
    let mut said = None;
    if only_time {
        // First what was taken already, then the rest.
        let (mut left, mut right) = (one.clone().into_iter().chain(left), other.clone().into_iter().chain(right));
        said = loop {
            match (left.next(), right.next()) {
                (None, None) => break None,
                (one, other) if alike(&one, &other) => {}
                parted => break Some(parted),
            }
        };
    }
    Some(Parting { agreed, before: told.into_iter().chain(recent).collect(), left: one, right: other, said })
}

#[cfg(test)]
mod tests {
    use sim::{Moment, What};

    use super::*;

    fn fact(number: u64) -> Fact {
        Fact { number, at: Moment(number * 1_000), node: None, what: What::Paused }
    }

    fn run(facts: impl IntoIterator<Item = Fact>) -> Option<Parting> {
        let facts: Vec<Fact> = facts.into_iter().collect();
        let reference = |mouth: &Arc<Mouth>| (0..5_000).for_each(|number| mouth.say(&fact(number)));
        compare(reference, |mouth| facts.iter().for_each(|fact| mouth.say(fact))).0
    }

    #[test]
    fn what_is_equal_does_not_part() {
        assert_eq!(run((0..5_000).map(fact)), None);
    }

    #[test]
    fn the_first_difference_is_found_wherever_it_is_and_with_what_is_around_it() {
        for at in [0, 1, 511, 512, 513, 4_998, 4_999] {
            let changed =
                |number| if number == at { Fact { what: What::Resumed, ..fact(number) } } else { fact(number) };
            let parting = run((0..5_000).map(changed)).expect("they differ");
            assert_eq!(parting.agreed, at);
            assert_eq!((parting.left[0].number, &parting.right[0].what), (at, &What::Resumed));
            let before: Vec<u64> = parting.before.iter().map(|fact| fact.number).collect();
            assert_eq!(before, (at.saturating_sub(11)..at).collect::<Vec<_>>());
            assert!(parting.left.len() == AFTER.min((5_000 - at) as usize) && parting.said.is_none());
        }
    }

    #[test]
    fn one_that_ends_earlier_parts_where_it_ends() {
        let parting = run((0..700).map(fact)).expect("they differ");
        assert_eq!((parting.agreed, parting.left[0].number, parting.right.len()), (700, 700, 0));
        assert_eq!(run((0..5_010).map(fact)).expect("they differ").agreed, 5_000);
    }

    #[test]
    fn where_only_time_or_number_differ_it_is_also_said_where_more_does() {
        let later = |number| {
            let at = Moment(fact(number).at.0 + u64::from(number >= 100));
            let what = if number == 3_000 { What::Resumed } else { What::Paused };
            Fact { at, what, ..fact(number) }
        };
        let parting = run((0..5_000).map(later)).expect("they differ");
        assert_eq!(parting.agreed, 100);
        let (one, other) = parting.said.expect("one fact says something else");
        assert_eq!((one.unwrap().number, other.unwrap().what), (3_000, What::Resumed));
        let renumbered =
            run((0..5_000).map(|number| Fact { number: number + 1, ..fact(number) })).expect("they differ");
        assert_eq!((renumbered.agreed, renumbered.said), (0, None));
    }
}
