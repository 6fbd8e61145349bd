//! The canonical traces as plays: each under the protocol that it befell and under the one that mended it, a file for each.
//!
//! Both files have the same commands and another cluster. What came of a play is read off its text: whether what was
//! acknowledged is still there, whether replicas agree, who is believed. `UPDATE=1 cargo test transcripts` rewrites the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use sim::script;

/// What may come of a play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Harm {
    /// What was acknowledged with `acks=all` is not in the log of the last leader.
    Lost,
    /// Two replicas have different records at one offset.
    Diverged,
    /// At the end a replica lacks what another one has.
    Behind,
    /// A fenced broker is in sync.
    FencedInSync,
    /// A consumer has read what is gone.
    ReadInVain,
    /// A broker that crashed is taken for one that was stopped in an orderly way.
    Believed,
    /// A controller wrote where others wrote something else in the same epoch.
    Overwrote,
}

/// A play in two files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Play {
    /// What it is about: how the names of both files begin.
    pub about: &'static str,
    /// Where it is told.
    pub source: &'static str,
    /// The protocol under which it does harm: how the name of that file ends.
    pub before: &'static str,
    /// The other one.
    pub since: &'static str,
    /// What comes of it under the first.
    pub harm: Harm,
}

const fn play(about: &'static str, source: &'static str, before: &'static str, harm: Harm) -> Play {
    Play { about, source, before, since: "latest", harm }
}

/// All of them.
pub(crate) const PLAYS: [Play; 16] = [
    play("kip_101", "T1, KIP-101", "kafka_0_10", Harm::Lost),
    play("kip_279", "T2, KIP-279", "kip_101", Harm::Diverged),
    play("empty_epoch", "T3, KAFKA-10706", "epochs_left", Harm::Behind),
    Play { since: "kafka_4_1", ..play("last_replica", "T4, KIP-966", "latest", Harm::Lost) },
    play("zombie", "T6, P15", "at_once", Harm::Lost),
    play("lost_expand_reply", "T7, KIP-497, B07", "committed_isr", Harm::Lost),
    play("lost_shrink_reply", "T8, KIP-497, P15", "at_once", Harm::Lost),
    play("overtaken_proposal", "KIP-497, B08", "no_partition_epoch", Harm::Lost),
    play("kafka_7128", "T12, KAFKA-7128", "before", Harm::Lost),
    play("no_high_watermark_test", "P11", "anyone", Harm::Lost),
    play("kip_841", "KIP-841, B09", "before", Harm::FencedInSync),
    play("kip_903", "KIP-903, B10", "before", Harm::Lost),
    play("quick_bounce", "KAFKA-18106, B38", "keeps_its_seats", Harm::Lost),
    Play { since: "kafka_4_1", ..play("commit_below_minimum", "KIP-966, B12", "no_minimum", Harm::ReadInVain) },
    Play { since: "kafka_4_1", ..play("unclean_return", "KIP-966, B13", "believed", Harm::Lost) },
    play("clean_start", "T16, KAFKA-10471", "marker_left", Harm::Believed),
];

/// Plays that do harm under no answer that there is.
const HARMLESS: [&str; 2] = ["zombie_acks_1_latest", "delete_records_latest"];

/// The play of the quorum, which has no log of records.
const QUORUM: Play = play("same_epoch", "T19", "leading", Harm::Overwrote);

fn all() -> impl Iterator<Item = Play> {
    PLAYS.into_iter().chain([QUORUM])
}

impl Play {
    /// Its two files, the harmful one first.
    fn names(&self) -> [String; 2] {
        [self.before, self.since].map(|protocol| format!("{}_{protocol}", self.about))
    }

    /// What comes of it under each of its protocols.
    pub(crate) fn harms(&self) -> [BTreeSet<Harm>; 2] {
        self.names().map(|name| harms(&read(&name)))
    }
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts").join(format!("{name}.txt"))
}

fn read(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn commands(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    lines.windows(2).filter(|pair| pair[1] == "----").map(|pair| pair[0]).collect()
}

#[test]
fn every_play_goes_as_written() {
    for name in all().flat_map(|play| play.names()).chain(HARMLESS.map(str::to_owned)) {
        script::check(file(&name));
    }
}

#[test]
fn every_script_is_the_file_of_a_play() {
    let told: BTreeSet<String> = all().flat_map(|play| play.names()).chain(HARMLESS.map(str::to_owned)).collect();
    let scripts = fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts")).expect("there are scripts");
    let there: BTreeSet<String> = scripts
        .map(|entry| entry.expect("it can be listed").path())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    assert_eq!(there, told);
}

#[test]
fn the_two_files_of_a_play_differ_in_their_protocol_alone() {
    for play in all() {
        let [before, since] = play.names().map(|name| read(&name));
        let (before, since) = (commands(&before), commands(&since));
        assert_eq!(before.len(), since.len(), "{}", play.about);
        let differing: Vec<_> = before.iter().zip(&since).filter(|(before, since)| before != since).collect();
        assert_eq!(differing.len(), 1, "{}: {differing:?}", play.about);
        let without_protocol = |command: &str| -> Vec<String> {
            command.split(' ').filter(|word| !word.starts_with("protocol")).map(str::to_owned).collect()
        };
        let (one, other) = differing[0];
        assert_eq!(without_protocol(one), without_protocol(other), "{}", play.about);
    }
}

#[test]
fn each_play_does_its_harm_under_the_older_protocol_and_none_under_the_other() {
    let mut table = String::new();
    let mut as_told = true;
    for play in all() {
        let [before, since] = play.harms();
        as_told &= before.contains(&play.harm) && since.is_empty();
        table += &format!(
            "  {:24} {:18} {:?} wanted\n      {:20} {before:?}\n      {:20} {since:?}\n",
            play.about, play.source, play.harm, play.before, play.since
        );
    }
    assert!(as_told, "\n{table}");
    for name in HARMLESS {
        assert_eq!(harms(&read(name)), BTreeSet::new(), "{name}");
    }
}

/// Everything that came of a play.
fn harms(text: &str) -> BTreeSet<Harm> {
    let logs = last_logs(text);
    let records = |broker: &str| logs.get(broker).cloned().unwrap_or_default();
    let leader = text.lines().filter_map(|line| line.split_once("   leads ").map(|(leader, _)| leader)).next_back();
    let led = records(leader.unwrap_or("b1"));
    let acked_by_all = !text.contains("producer.acks=1");
    let kept: BTreeSet<u64> = led.values().map(|(_, value)| *value).collect();
    let differ = |one: &Log, other: &Log| one.iter().any(|(at, record)| other.get(at).is_some_and(|it| it != record));
    let lacks =
        |one: &Log, other: &Log| one.last_key_value().map(|(at, _)| at) != other.last_key_value().map(|(at, _)| at);
    let pairs = || logs.values().flat_map(|one| logs.values().map(move |other| (one, other)));
    let was = |harm: bool, which: Harm| harm.then_some(which);
    [
        was(acked_by_all && !logs.is_empty() && !acked(text).is_subset(&kept), Harm::Lost),
        was(pairs().any(|(one, other)| differ(one, other)), Harm::Diverged),
        was(!text.contains("crashed") && pairs().any(|(one, other)| lacks(one, other)), Harm::Behind),
        was(has_fenced_member(text), Harm::FencedInSync),
        was(text.contains("(Truncation)"), Harm::ReadInVain),
        was(is_believed(text), Harm::Believed),
        was(text.contains("cut the metadata log"), Harm::Overwrote),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// By offset: the epoch and the value.
type Log = BTreeMap<u64, (String, u64)>;

/// What the last `show log` showed, by broker.
fn last_logs(text: &str) -> BTreeMap<String, Log> {
    let Some((_, shown)) = text.rsplit_once("show log") else { return BTreeMap::new() };
    let lines = shown.lines().skip(2).take_while(|line| !line.is_empty());
    let log = |records: &str| -> Log {
        let record = |word: &str| {
            let (offset, rest) = word.split_once('/')?;
            let (epoch, value) = rest.split_once('=')?;
            Some((offset.parse().ok()?, (epoch.to_owned(), value.parse().ok()?)))
        };
        records.split_whitespace().filter_map(record).collect()
    };
    lines
        .filter_map(|line| {
            let (whose, records) = line.split_once(": ")?;
            Some((whose.split(' ').next()?.to_owned(), log(records)))
        })
        .collect()
}

/// The values that a producer was told to be there.
fn acked(text: &str) -> BTreeSet<u64> {
    let told = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once("   acked ")?;
        let (_, span) = rest.split_once("value ").or_else(|| rest.split_once("values "))?;
        let span = span.split(' ').next()?;
        let (first, last) = span.split_once("..").unwrap_or((span, span));
        Some((first.parse().ok()?, last.parse().ok()?))
    });
    told.flat_map(|(first, last): (u64, u64)| first..=last).collect()
}

/// Whether the last in-sync set that was committed has a member that is fenced.
fn has_fenced_member(text: &str) -> bool {
    let (mut fenced, mut in_sync) = (BTreeSet::new(), Vec::new());
    for line in text.lines().filter(|line| line.contains(" committed ")) {
        if let Some((_, whom)) = line.split_once(": fenced ") {
            fenced.insert(whom);
        } else if let Some((_, whom)) = line.split_once(": unfenced ") {
            fenced.remove(whom);
        } else if let Some((members, _)) = line.split_once(" ISR [").and_then(|(_, rest)| rest.split_once(']')) {
            in_sync = members.split(' ').collect();
        }
    }
    in_sync.len() > 1 && in_sync.iter().any(|member| fenced.contains(member))
}

/// Whether somebody who crashed or lost its power is said to have been stopped in an orderly way.
fn is_believed(text: &str) -> bool {
    let mut crashed = BTreeSet::new();
    text.lines().any(|line| {
        let Some((who, what)) = line.split_once("   ") else { return false };
        match what {
            "crashed" | "lost power" => {
                crashed.insert(who);
            }
            "exited" => {
                crashed.remove(who);
            }
            _ => {}
        }
        what.starts_with("has read its disk, was stopped in an orderly way") && crashed.contains(who)
    })
}

#[test]
fn each_harm_is_read_off_a_text() {
    let is = |text: &str, harm: &[Harm]| assert_eq!(harms(text), harm.iter().copied().collect(), "{text}");
    let logs = |one: &str, other: &str| {
        format!("c1   acked 2 values 1..2 at 0\nshow log\n----\nb1 r-0: {one}\nb2 r-0: {other}\n")
    };
    is(&logs("0/e0=1 1/e0=2", "0/e0=1 1/e0=2"), &[]);
    is(&logs("0/e0=1", "0/e0=1"), &[Harm::Lost]);
    is(&logs("0/e0=1 1/e0=2", "0/e0=1 1/e1=2"), &[Harm::Diverged]);
    is(&logs("0/e0=1 1/e0=2", "0/e0=1"), &[Harm::Behind]);
    is(&format!("b2   leads r-0\n{}", logs("0/e0=1 1/e0=2", "0/e0=1")), &[Harm::Lost, Harm::Behind]);
    is("c1 committed 1: fenced b2\nc1 committed 2: r-0 ISR [b1 b2]", &[Harm::FencedInSync]);
    is("c1 committed 1: fenced b2\nc1 committed 2: unfenced b2\nc1 committed 3: r-0 ISR [b1 b2]", &[]);
    is("b1   crashed\nb1   has read its disk, was stopped in an orderly way (broker epoch 2)", &[Harm::Believed]);
    is("b1   exited\nb1   has read its disk, was stopped in an orderly way (broker epoch 2)", &[]);
    is("c2   reads r-0 from 1 (Truncation)", &[Harm::ReadInVain]);
    is("ctl3 cut the metadata log down to 9", &[Harm::Overwrote]);
}
