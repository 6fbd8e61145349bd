//! A trace to the swim lanes of one partition: who was down, who was in sync, who led, how far each log came.
//!
//! A fold over facts. Who is in the ISR is what the controller committed; who leads is what each broker believed, so that
//! two leaders at once can be seen. Draws nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use model::event::Event;
use model::metadata::{MetadataRecord, PartitionChange};
use model::names::{BrokerId, Node, Partition};
use sim::fact::{Chapter, Ending, Fact, What};
use sim::fault::{Fault, Target};

use crate::timeline::{Blow, Lane, Mark, Shade, Span, Timeline, Trouble};

/// What is to be shown of a trace.
pub(crate) struct Wanted<'a> {
    /// The title.
    pub(crate) title: String,
    /// What the cluster had promised, in one line.
    pub(crate) promised: String,
    /// The number of the fact that broke a promise, and the promise.
    pub(crate) broken: Option<(u64, &'a str)>,
}

/// The timeline of the partition that the broken promise is about, or else of the first one.
pub(crate) fn timeline(trace: &[Fact], wanted: &Wanted<'_>) -> Timeline {
    let broken = wanted.broken.and_then(|(number, _)| trace.iter().find(|fact| fact.number == number));
    let partition = broken.and_then(|fact| fact.event()).and_then(Event::partition).or_else(|| first_partition(trace));
    let mut fold = Fold { partition, ..Fold::default() };
    for fact in trace {
        fold.see(fact);
    }
    let length = trace.last().map_or(0.0, |fact| fact.at.seconds());
    let mut timeline = fold.finish(length);
    timeline.title.clone_from(&wanted.title);
    let name = partition.map_or_else(String::new, |partition| format!("partition {partition}; "));
    timeline.subtitle = format!("{name}{}", wanted.promised);
    if let Some((fact, (_, guarantee))) = broken.zip(wanted.broken) {
        timeline.marks.push(Mark { at: fact.at.seconds(), text: format!("{guarantee} broken"), broken: true });
    }
    timeline
}

fn first_partition(trace: &[Fact]) -> Option<Partition> {
    trace.iter().find_map(|fact| match fact.event() {
        Some(Event::Committed { record: MetadataRecord::Partition(registration), .. }) => Some(registration.partition),
        _ => None,
    })
}

#[derive(Default)]
struct Fold {
    partition: Option<Partition>,
    brokers: BTreeMap<BrokerId, Open>,
    links: Vec<Link>,
    blows: Vec<Blow>,
    marks: Vec<Mark>,
}

/// One broker's lane, and what in it has begun and not yet ended.
#[derive(Default)]
struct Open {
    lane: Lane,
    in_sync: Option<f64>,
    leads: Option<(f64, i32)>,
    troubles: BTreeMap<Trouble, (f64, String)>,
}

/// A rule of the network that is in force.
struct Link {
    since: f64,
    one: Vec<Target>,
    other: Vec<Target>,
    title: String,
}

impl Fold {
    fn see(&mut self, fact: &Fact) {
        let at = fact.at.seconds();
        if let Some(broker) = fact.node.and_then(Node::broker) {
            self.see_broker(at, broker, &fact.what);
        }
        match &fact.what {
            What::Noted(Event::Committed { record, .. }) => self.see_record(at, record),
            What::Struck(fault) => self.see_fault(at, fact.node, fault),
            What::Chapter(chapter) => self.see_chapter(at, *chapter),
            _ => {}
        }
    }

    fn see_broker(&mut self, at: f64, broker: BrokerId, what: &What) {
        let partition = self.partition;
        let open = self.open(broker);
        match what {
            What::Started { .. } => open.end(Trouble::Down, at),
            What::Stopped { how } => {
                open.lay_down(at);
                open.end(Trouble::Paused, at);
                open.begin(Trouble::Down, at, ended(*how));
            }
            What::Paused => open.begin(Trouble::Paused, at, "stands still"),
            What::Resumed => open.end(Trouble::Paused, at),
            What::Noted(event) if event.partition() == partition => open.see(at, event),
            _ => {}
        }
    }

    fn see_record(&mut self, at: f64, record: &MetadataRecord) {
        match record {
            MetadataRecord::Partition(registration) if Some(registration.partition) == self.partition => {
                // A replica has a lane even if it never says a word.
                for replica in &registration.replicas {
                    self.open(*replica);
                }
                self.set_isr(at, &registration.isr);
            }
            MetadataRecord::PartitionChange(PartitionChange { partition, isr: Some(isr), .. })
                if Some(*partition) == self.partition =>
            {
                self.set_isr(at, isr);
            }
            _ => {}
        }
    }

    fn set_isr(&mut self, at: f64, isr: &[BrokerId]) {
        for (broker, open) in &mut self.brokers {
            match (open.in_sync, isr.contains(broker)) {
                (None, true) => open.in_sync = Some(at),
                (Some(from), false) => {
                    open.lane.in_sync.push(Span { from, to: at });
                    open.in_sync = None;
                }
                _ => {}
            }
        }
    }

    fn see_fault(&mut self, at: f64, node: Option<Node>, fault: &Fault) {
        let text = fault.to_string();
        self.tell(at, node, &text, mends(fault));
        if let Some(broker) = node.and_then(Node::broker) {
            self.open(broker).see_disk_fault(at, fault, text.clone());
        }
        let everyone = || vec![Target::Everyone];
        let struck = || node.map(Target::Node).into_iter().collect();
        match fault {
            Fault::Cut { from, to } | Fault::Hold { from, to } => self.lay_link(at, from.clone(), to.clone(), text),
            Fault::Delay { from, to, .. } | Fault::Lag { from, to, .. } | Fault::Slow { from, to, .. } => {
                self.lay_link(at, from.clone(), to.clone(), text);
            }
            Fault::Stall { from, to, .. } => self.lay_link(at, from.clone(), to.clone(), text),
            Fault::CutBoth { between, and } => self.lay_link(at, between.clone(), and.clone(), text),
            Fault::Isolate(_) => self.lay_link(at, struck(), everyone(), text),
            Fault::Release { from, to } => self.lift_links(at, from, to),
            Fault::Mend { between, and } => self.lift_links(at, between, and),
            Fault::Heal => self.lift_links(at, &everyone(), &everyone()),
            _ => {}
        }
    }

    /// One fault may strike many nodes at once: it is told once, with all of them.
    fn tell(&mut self, at: f64, node: Option<Node>, text: &str, mends: bool) {
        // A fault that names its node needs no more; one that names a role is told with whom it found.
        let node = node.map(|node| node.to_string()).filter(|node| !text.split([' ', ',']).any(|word| word == node));
        let found = node.map_or_else(String::new, |node| format!(" [{node}]"));
        match self.blows.last_mut() {
            Some(last) if (last.at - at).abs() < 1e-9 && !found.is_empty() && last.text.starts_with(text) => {
                last.text.truncate(last.text.trim_end_matches(']').len());
                last.text.push_str(&format!(" {}]", &found[2..found.len() - 1]));
            }
            _ => self.blows.push(Blow { at, text: format!("{text}{found}"), mends }),
        }
    }

    fn lay_link(&mut self, since: f64, one: Vec<Target>, other: Vec<Target>, title: String) {
        self.links.push(Link { since, one, other, title });
    }

    /// Ends every rule whose two ends are both among those that are mended.
    fn lift_links(&mut self, at: f64, one: &[Target], other: &[Target]) {
        let mended = |end: &[Target]| {
            let among =
                |list: &[Target]| list.contains(&Target::Everyone) || end.iter().all(|node| list.contains(node));
            among(one) || among(other)
        };
        let (lifted, left) =
            std::mem::take(&mut self.links).into_iter().partition(|link| mended(&link.one) && mended(&link.other));
        self.links = left;
        for link in lifted {
            self.shade_link(at, &link);
        }
    }

    /// The smaller end is the one that is cut off: its brokers are shaded, or, where it has none, the other's.
    fn shade_link(&mut self, at: f64, link: &Link) {
        let brokers = |end: &[Target]| -> Vec<BrokerId> {
            end.iter().filter_map(|target| if let Target::Node(node) = target { node.broker() } else { None }).collect()
        };
        let (one, other) = (brokers(&link.one), brokers(&link.other));
        let shaded = if one.is_empty() || (!other.is_empty() && other.len() < one.len()) { other } else { one };
        for broker in shaded {
            let span = Span { from: link.since, to: at };
            let shade = Shade { span, trouble: Trouble::Network, title: link.title.clone() };
            self.open(broker).lane.shades.push(shade);
        }
    }

    fn see_chapter(&mut self, at: f64, chapter: Chapter) {
        let text = match chapter {
            Chapter::Begun => "begins",
            Chapter::LoadEnded => "load ends",
            Chapter::Healed => "healed",
            Chapter::ReadBack => "read back",
            Chapter::Ended => "ends",
        };
        self.marks.push(Mark { at, text: text.to_owned(), broken: false });
        if chapter == Chapter::Healed {
            self.lift_links(at, &[Target::Everyone], &[Target::Everyone]);
            for open in self.brokers.values_mut() {
                open.end(Trouble::Disk, at);
            }
        }
    }

    fn open(&mut self, broker: BrokerId) -> &mut Open {
        self.brokers
            .entry(broker)
            .or_insert_with(|| Open { lane: Lane { name: broker.to_string(), ..Lane::default() }, ..Open::default() })
    }

    fn finish(mut self, length: f64) -> Timeline {
        self.lift_links(length, &[Target::Everyone], &[Target::Everyone]);
        self.set_isr(length, &[]);
        let lanes = self.brokers.into_values().map(|mut open| {
            open.lay_down(length);
            for trouble in [Trouble::Down, Trouble::Paused, Trouble::Disk] {
                open.end(trouble, length);
            }
            // A link may have been cut for longer than the run lasted, a disk stalled beyond its end.
            for shade in &mut open.lane.shades {
                shade.span.to = shade.span.to.min(length);
            }
            open.lane
        });
        Timeline { length, lanes: lanes.collect(), blows: self.blows, marks: self.marks, ..Timeline::default() }
    }
}

impl Open {
    fn see(&mut self, at: f64, event: &Event) {
        let lane = &mut self.lane;
        match event {
            Event::Opened { end, high_watermark, .. } => {
                lane.ends.push((at, end.0));
                lane.watermarks.push((at, high_watermark.0));
            }
            Event::AppendedAsLeader { batch, .. } | Event::AppendedAsFollower { batch, .. } => {
                lane.ends.push((at, batch.end().0));
            }
            Event::Truncated { from, end, .. } => {
                lane.ends.push((at, end.0));
                if end < from {
                    lane.cuts.push((at, format!("{at:.3} s: cut its log from {from} down to {end}")));
                }
            }
            Event::Restarted { start, .. } => {
                lane.ends.push((at, start.0));
                lane.cuts.push((at, format!("{at:.3} s: threw its log away, starts again at {start}")));
            }
            Event::HighWatermark { at: mark, .. } => lane.watermarks.push((at, mark.0)),
            Event::Led { epoch, high_watermark, .. } => {
                lane.watermarks.push((at, high_watermark.0));
                self.lay_down(at);
                self.leads = Some((at, epoch.0));
            }
            Event::Followed { .. } => self.lay_down(at),
            _ => {}
        }
    }

    /// It leads no longer.
    fn lay_down(&mut self, at: f64) {
        if let Some((from, epoch)) = self.leads.take() {
            self.lane.leads.push((Span { from, to: at }, epoch));
        }
    }

    fn see_disk_fault(&mut self, at: f64, fault: &Fault, title: String) {
        match fault {
            Fault::DiskStall(_, span) => {
                let span = Span { from: at, to: at + seconds(*span) };
                self.lane.shades.push(Shade { span, trouble: Trouble::Disk, title });
            }
            Fault::DiskSlow(_, factor) if *factor > 1 => self.begin(Trouble::Disk, at, &title),
            Fault::DiskFull(_) => self.begin(Trouble::Disk, at, &title),
            Fault::DiskSlow(..) | Fault::DiskFree(_) => self.end(Trouble::Disk, at),
            _ => {}
        }
    }

    fn begin(&mut self, trouble: Trouble, at: f64, title: &str) {
        self.troubles.entry(trouble).or_insert_with(|| (at, title.to_owned()));
    }

    fn end(&mut self, trouble: Trouble, at: f64) {
        if let Some((from, title)) = self.troubles.remove(&trouble) {
            self.lane.shades.push(Shade { span: Span { from, to: at }, trouble, title });
        }
    }
}

fn seconds(span: Duration) -> f64 {
    span.as_secs_f64()
}

fn ended(how: Ending) -> &'static str {
    match how {
        Ending::Exited => "exited",
        Ending::Crashed => "crashed",
        Ending::PoweredOff => "without power",
        Ending::StorageFailed => "halted: its disk failed",
        Ending::Destroyed => "destroyed for good",
    }
}

/// Whether a fault takes another one back.
fn mends(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Restart(_)
            | Fault::Start(_)
            | Fault::Release { .. }
            | Fault::Mend { .. }
            | Fault::Heal
            | Fault::DiskFree(_)
            | Fault::DiskSlow(_, 1)
            | Fault::ClockSkew(_, 0)
            | Fault::ClockDrift(_, 0)
    )
}

#[cfg(test)]
mod tests {
    use model::metadata::{PartitionRegistration, RecoveryState};
    use model::names::{EndOffset, LeaderEpoch, Offset, PartitionEpoch, TopicId};
    use sim::fact::Moment;

    use super::*;

    const PARTITION: Partition = Partition { topic: TopicId(5), index: 0 };

    fn broker(id: u32) -> Node {
        Node::Broker(BrokerId(id))
    }

    fn trace(facts: Vec<(u64, Option<Node>, What)>) -> Vec<Fact> {
        let numbered = facts.into_iter().zip(0..);
        numbered.map(|((at, node, what), number)| Fact { number, at: Moment(at * 1_000_000_000), node, what }).collect()
    }

    fn born(replicas: &[u32]) -> What {
        let replicas: Vec<_> = replicas.iter().map(|id| BrokerId(*id)).collect();
        let registration = PartitionRegistration {
            partition: PARTITION,
            isr: replicas.clone(),
            leader: replicas.first().copied(),
            replicas,
            leader_epoch: LeaderEpoch::ZERO,
            partition_epoch: PartitionEpoch(0),
            recovery_state: RecoveryState::Recovered,
            adding: Vec::new(),
            removing: Vec::new(),
            elr: Vec::new(),
            last_known_elr: Vec::new(),
        };
        What::Noted(Event::Committed { offset: Offset(3), record: MetadataRecord::Partition(registration) })
    }

    fn isr(members: &[u32]) -> What {
        What::Noted(Event::Committed {
            offset: Offset(9),
            record: MetadataRecord::PartitionChange(PartitionChange {
                isr: Some(members.iter().map(|id| BrokerId(*id)).collect()),
                ..PartitionChange::of(PARTITION)
            }),
        })
    }

    fn led(epoch: i32) -> What {
        What::Noted(Event::Led {
            partition: PARTITION,
            epoch: LeaderEpoch(epoch),
            partition_epoch: PartitionEpoch(epoch),
            start: EndOffset::ZERO,
            high_watermark: EndOffset::ZERO,
            isr: vec![],
        })
    }

    fn drawn(facts: Vec<(u64, Option<Node>, What)>) -> Timeline {
        let wanted = Wanted { title: "t".to_owned(), promised: "acks=all".to_owned(), broken: None };
        timeline(&trace(facts), &wanted)
    }

    #[test]
    fn a_leader_leads_until_its_process_is_over_and_is_down_until_the_next_one() {
        let timeline = drawn(vec![
            (0, None, born(&[1, 2])),
            (1, Some(broker(1)), led(0)),
            (5, Some(broker(1)), What::Stopped { how: Ending::Crashed }),
            (6, Some(broker(2)), led(1)),
            (9, Some(broker(1)), What::Started { life: 2 }),
            (10, None, What::Chapter(Chapter::Ended)),
        ]);
        assert_eq!(timeline.lanes[0].leads, vec![(Span { from: 1.0, to: 5.0 }, 0)]);
        assert_eq!(timeline.lanes[1].leads, vec![(Span { from: 6.0, to: 10.0 }, 1)]);
        let down = Shade { span: Span { from: 5.0, to: 9.0 }, trouble: Trouble::Down, title: "crashed".to_owned() };
        assert_eq!(timeline.lanes[0].shades, vec![down]);
        assert_eq!(timeline.subtitle, "partition t5-0; acks=all");
    }

    #[test]
    fn the_ribbon_is_what_the_controller_committed() {
        let timeline = drawn(vec![
            (0, None, born(&[1, 2])),
            (3, None, isr(&[1])),
            (7, None, isr(&[1, 2])),
            (10, None, What::Chapter(Chapter::Ended)),
        ]);
        assert_eq!(timeline.lanes[0].in_sync, vec![Span { from: 0.0, to: 10.0 }]);
        assert_eq!(timeline.lanes[1].in_sync, vec![Span { from: 0.0, to: 3.0 }, Span { from: 7.0, to: 10.0 }]);
    }

    #[test]
    fn who_is_cut_off_is_shaded_until_the_links_are_mended() {
        let (b1, b2, b3) = (Target::Node(broker(1)), Target::Node(broker(2)), Target::Node(broker(3)));
        let cut = Fault::CutBoth { between: vec![b2], and: vec![b1, b3] };
        let other = Fault::Mend { between: vec![b1], and: vec![b3] };
        let timeline = drawn(vec![
            (0, None, born(&[1, 2, 3])),
            (2, None, What::Struck(cut)),
            (4, None, What::Struck(other)),
            (8, None, What::Struck(Fault::Heal)),
            (10, None, What::Chapter(Chapter::Ended)),
        ]);
        let spans = |lane: &Lane| lane.shades.iter().map(|shade| shade.span).collect::<Vec<_>>();
        assert_eq!(spans(&timeline.lanes[0]), vec![]);
        assert_eq!(spans(&timeline.lanes[1]), vec![Span { from: 2.0, to: 8.0 }]);
        assert_eq!(timeline.blows.iter().map(|blow| blow.mends).collect::<Vec<_>>(), [false, true, true]);
    }

    #[test]
    fn a_fault_that_strikes_many_at_once_is_told_once() {
        let start = || What::Struck(Fault::Start(Target::Brokers));
        let crash = |id| What::Struck(Fault::Crash(Target::Node(broker(id))));
        let timeline = drawn(vec![
            (2, Some(broker(1)), start()),
            (2, Some(broker(2)), start()),
            (2, Some(broker(3)), start()),
            (4, Some(broker(1)), start()),
            (4, Some(broker(1)), crash(1)),
            (4, Some(broker(2)), crash(2)),
        ]);
        let told: Vec<_> = timeline.blows.iter().map(|blow| blow.text.as_str()).collect();
        assert_eq!(told, ["start all brokers [b1 b2 b3]", "start all brokers [b1]", "crash b1", "crash b2"]);
    }

    #[test]
    fn what_never_ends_ends_with_the_run() {
        let timeline = drawn(vec![
            (0, None, born(&[1])),
            (4, Some(broker(1)), What::Struck(Fault::DiskStall(Target::Node(broker(1)), Duration::from_secs(100)))),
            (5, Some(broker(1)), What::Stopped { how: Ending::Destroyed }),
            (10, None, What::Chapter(Chapter::Ended)),
        ]);
        assert!(timeline.lanes[0].shades.iter().all(|shade| shade.span.to <= 10.0), "{timeline:?}");
        assert_eq!(timeline.lanes[0].shades.len(), 2);
    }

    #[test]
    fn the_moment_that_broke_a_promise_is_marked() {
        let facts =
            trace(vec![(0, None, born(&[1])), (4, Some(broker(1)), led(1)), (9, None, What::Chapter(Chapter::Ended))]);
        let wanted = Wanted { title: String::new(), promised: String::new(), broken: Some((1, "durability")) };
        let timeline = timeline(&facts, &wanted);
        let broken: Vec<_> = timeline.marks.iter().filter(|mark| mark.broken).collect();
        assert_eq!(broken.len(), 1);
        assert!((broken[0].at - 4.0).abs() < 1e-9 && broken[0].text == "durability broken");
    }
}
