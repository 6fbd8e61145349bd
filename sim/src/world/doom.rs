//! Disk calls in which a host is to stop, and how it stops in each. Knows neither when nor why.

use std::collections::BTreeMap;
use std::time::Duration;

use super::hosts::{Condition, Host};
use crate::dice::Dice;
use crate::disk::Side;
use crate::fact::Ending;
use crate::fault::Stopping;

/// The calls in which a host is to stop, by their number since the disk was new.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dooms(BTreeMap<u64, Doom>);

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Doom {
    /// What stops.
    pub(crate) how: Stopping,
    /// On which side of the call's effect.
    pub(crate) side: Side,
    /// How long after that the process is started again, if it is.
    pub(crate) back: Option<Duration>,
    /// What the power cut draws from; `None` for the host's next one.
    pub(crate) cut: Option<u64>,
}

impl Doom {
    /// How the process ends.
    pub(crate) fn ending(&self) -> Ending {
        match self.how {
            Stopping::Kill => Ending::Crashed,
            Stopping::Power | Stopping::PowerLeaving { .. } => Ending::PoweredOff,
        }
    }
}

impl Host {
    /// Stops in the `nth` call from now (from 1), and in no other that was ordered before.
    pub(crate) fn doom_next(&mut self, nth: u64, how: Stopping) {
        self.dooms.0.clear();
        let doom = Doom { how, side: Side::Drawn, back: None, cut: None };
        self.dooms.0.insert(self.disk.calls() + nth.max(1), doom);
        self.arm_disk();
    }

    /// Stops in this call too, unless it was made already.
    pub(crate) fn doom_call(&mut self, call: u64, doom: Doom) {
        if call > self.disk.calls() {
            self.dooms.0.insert(call, doom);
            self.arm_disk();
        }
    }

    /// The disk has ended the process: by which of the orders. The next one is armed.
    pub(crate) fn take_doom(&mut self) -> Option<Doom> {
        let doom = self.dooms.0.pop_first();
        self.arm_disk();
        doom.map(|(_, doom)| doom)
    }

    /// Forgets all orders. The disk is told separately.
    pub(crate) fn spare(&mut self) {
        self.dooms.0.clear();
    }

    /// The power goes: of what was not synced survives what the doom says, or what is drawn for the host's next cut.
    pub(crate) fn lose_power(&mut self, dice: Dice, doom: Option<&Doom>) {
        if self.condition != Condition::Off {
            self.power_offs += 1;
            match doom.map(|doom| (&doom.how, doom.cut)) {
                Some((&Stopping::PowerLeaving { state, bound }, _)) => self.leave(dice, state, bound),
                Some((_, Some(cut))) => drop(self.disk.power_off(dice, cut)),
                _ => drop(self.disk.power_off(dice, self.power_offs)),
            }
        }
        self.condition = Condition::Off;
    }

    /// The power goes, and this one of the legal states is left; the last one if there are not so many.
    pub(crate) fn leave(&mut self, dice: Dice, state: u32, bound: u32) {
        let legal = self.disk.fates().up_to(bound as usize, dice).fates;
        let fate = legal.get(state as usize).or(legal.last()).expect("to keep everything is always legal");
        self.disk.settle(fate);
    }

    fn arm_disk(&mut self) {
        // A process that dies makes no more calls: what is armed by number is armed for the lives to come, too.
        let made = self.disk.calls();
        while self.dooms.0.first_key_value().is_some_and(|(call, _)| *call <= made) {
            self.dooms.0.pop_first();
        }
        if let Some((call, doom)) = self.dooms.0.first_key_value() {
            self.disk.crash_at_call_number(*call, doom.side);
        }
    }
}
