//! What has come in for a process and was not taken in yet, and the one place where its task sleeps.
//!
//! Knows nothing of what comes in. Written by hand, since `select!` draws from a counter that all threads share, and
//! since every poll of one of madsim's timers leaves another one behind.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use madsim::time::TimeHandle;
use model::machine::Input;

use crate::fact::Moment;

/// What came in, in order.
#[derive(Debug, Default)]
pub(super) struct Inbox(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    inputs: VecDeque<Input>,
    waker: Option<Waker>,
}

/// For when one task will be woken by a timer.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<Moment>);

impl Inbox {
    pub(super) fn push(&self, input: Input) {
        let mut held = self.lock();
        held.inputs.push_back(input);
        if let Some(waker) = held.waker.take() {
            waker.wake();
        }
    }

    pub(super) fn pop(&self) -> Option<Input> {
        self.lock().inputs.pop_front()
    }

    /// Sleeps until something is in it, or until this moment.
    pub(super) async fn wait(&self, time: &TimeHandle, alarm: &mut Alarm, until: Option<Moment>) {
        poll_fn(|context| {
            let mut held = self.lock();
            if !held.inputs.is_empty() || until.is_some_and(|until| alarm.is_due(time, until, context)) {
                return Poll::Ready(());
            }
            held.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Alarm {
    /// Whether it is `until` or later. If not, the task will be woken then, or before.
    pub(super) fn is_due(&mut self, time: &TimeHandle, until: Moment, context: &mut Context<'_>) -> bool {
        let now = moment(time);
        if now >= until {
            return true;
        }
        if self.0.is_none_or(|set| set <= now || until < set) {
            // The timer outlives the future that asked for it, which is why it is asked for but once.
            let sleep = pin!(time.sleep(until.since(now)));
            self.0 = Some(until);
            return sleep.poll(context).is_ready();
        }
        false
    }
}

/// How late it is in madsim's time.
pub(super) fn moment(time: &TimeHandle) -> Moment {
    Moment::ZERO + time.elapsed()
}
