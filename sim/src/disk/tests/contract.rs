//! The contract of the disk in both directions: what it leaves is legal, and everything that is legal it can leave.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand::seq::SliceRandom;

use super::legal::{Legal, Step, fingerprint};
use super::*;
use crate::disk::Fate;

/// Takes a step; what cannot be done is not.
fn take(step: &Step, value: u8, disk: &mut SimDisk) {
    let done = match *step {
        Step::Create(path) => disk.create(path).map(|_| ()),
        Step::Append(path, length) => disk.open(path).and_then(|file| disk.append(file, filled(value, length))),
        Step::Truncate(path, length) => disk.open(path).and_then(|file| disk.truncate(file, length)),
        Step::Sync(path) => disk.open(path).and_then(|file| disk.sync(file)),
        Step::FailSync(path) => disk.open(path).map(|file| {
            disk.fail_syncs(1);
            assert_eq!(disk.sync(file), Err(DiskError::Io));
        }),
        Step::Rename(from, to) => disk.rename(from, to),
        Step::RenameDir(from, to) => disk.rename_dir(from, to),
        Step::Remove(path) => disk.remove(path),
        Step::SyncDir(directory) => disk.sync_dir(directory),
    };
    assert!(matches!(done, Ok(()) | Err(DiskError::NotFound | DiskError::Io)), "{done:?}");
}

fn state(disk: &SimDisk) -> Vec<(String, Bytes)> {
    disk.files().map(|(path, _)| (path.to_string(), disk.peek(path).expect("there"))).collect()
}

fn settled(disk: &SimDisk, fate: &Fate) -> Vec<(String, Bytes)> {
    let mut disk = disk.clone();
    disk.settle(fate);
    assert!(disk.is_settled());
    state(&disk)
}

/// A disk and what may become of it, after the same steps.
fn run(steps: &[Step]) -> (SimDisk, Legal) {
    let (mut disk, mut legal) = (disk(0), Legal::default());
    for (nth, step) in steps.iter().enumerate() {
        take(step, nth as u8 + 1, &mut disk);
        legal.take(step, nth as u8 + 1);
    }
    (disk, legal)
}

/// The one says what the other does not; empty if they agree.
fn difference(legal: &BTreeMap<u128, Vec<(String, u64)>>, left: &BTreeMap<u128, Vec<(String, Bytes)>>) -> String {
    let too_much =
        left.iter().filter(|(state, _)| !legal.contains_key(state)).map(|(_, state)| format!("illegal: {state:?}"));
    let missing =
        legal.iter().filter(|(state, _)| !left.contains_key(state)).map(|(_, state)| format!("unreached: {state:?}"));
    too_much.chain(missing).take(4).collect::<Vec<_>>().join("\n")
}

/// How many states are compared at most.
const BOUND: usize = 1500;

/// Compares all that is legal after these steps with all that the disk can leave. Returns how many states there are.
fn compare(steps: &[Step]) -> Option<usize> {
    let (disk, legal) = run(steps);
    let legal = legal.states(BOUND)?;
    let all = disk.all_fates().up_to(4 * BOUND, Dice::new(0));
    assert!(all.exhaustive, "{} fates for {} states after {steps:?}", all.of, legal.len());
    let left: BTreeMap<_, _> =
        all.fates.iter().map(|fate| settled(&disk, fate)).map(|state| (fingerprint(&state), state)).collect();
    let difference = difference(&legal, &left);
    assert!(difference.is_empty(), "after {steps:?}:\n{difference}");
    for seed in 0..20 {
        let mut cut = disk.clone();
        cut.power_off(Dice::new(seed), 1);
        assert!(
            legal.contains_key(&fingerprint(&state(&cut))),
            "after {steps:?}: drawn, but illegal: {:?}",
            state(&cut)
        );
    }
    let marked = disk.fates().up_to(4 * BOUND, Dice::new(0));
    assert!(marked.exhaustive && marked.fates.len() <= all.fates.len());
    let names = |lengths: &[(String, u64)]| lengths.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    let mut marked_names = BTreeSet::new();
    for fate in &marked.fates {
        let state = settled(&disk, fate);
        let lengths = legal.get(&fingerprint(&state)).unwrap_or_else(|| panic!("after {steps:?}: illegal: {state:?}"));
        marked_names.insert(names(lengths));
    }
    let all_names: BTreeSet<Vec<String>> = legal.values().map(|lengths| names(lengths)).collect();
    assert_eq!(marked_names, all_names, "no choice of names is reduced, after {steps:?}");
    Some(legal.len())
}

/// A program that begins with durable files whose ends are near the ends of sectors and pages, and goes on with anything.
fn program(nth: u64) -> Vec<Step> {
    let mut draw = Dice::new(nth).draw(&"a program of calls");
    let paths = ["a", "t/a", "t/b", "u/a"];
    let mut steps = Vec::new();
    for path in ["t/a", "a"] {
        if draw.gen_bool(0.6) {
            let length = *[0, 3, 510, 1022, 4094].choose(&mut draw).expect("some");
            steps.extend([Step::Create(path), Step::Append(path, length), Step::Sync(path)]);
        }
    }
    steps.extend([Step::SyncDir("t"), Step::SyncDir("")]);
    for _ in 0..draw.gen_range(1..12) {
        let path = *paths.choose(&mut draw).expect("some");
        let other = *paths.choose(&mut draw).expect("some");
        let directories = ["t", "u", "v"];
        let (directory, to) =
            (*directories.choose(&mut draw).expect("some"), *directories.choose(&mut draw).expect("some"));
        let step = match draw.gen_range(0..100) {
            0..14 => Step::Create(path),
            14..34 => Step::Append(path, draw.gen_range(1..7)),
            34..42 => Step::Truncate(path, *[0, 2, 508, 511, 1023, 4095].choose(&mut draw).expect("some")),
            42..50 => Step::Sync(path),
            50..57 => Step::FailSync(path),
            57..70 => Step::Rename(path, other),
            70..82 => Step::RenameDir(directory, to),
            82..90 => Step::Remove(path),
            _ => Step::SyncDir(["", "t", "u", "v"][draw.gen_range(0..4)]),
        };
        steps.push(step.clone());
        if let Step::FailSync(path) = step {
            // The sync that succeeds is the one to be wary of.
            steps.extend(draw.gen_bool(0.6).then_some(Step::Sync(path)));
        }
    }
    steps
}

#[test]
fn what_a_power_cut_may_leave_is_exactly_what_is_legal() {
    let (mut compared, mut states, mut greatest) = (0, 0, 0);
    for nth in 0..400 {
        let program = program(nth);
        for steps in (1..=program.len()).map(|length| &program[..length]) {
            if let Some(count) = compare(steps) {
                compared += 1;
                states += count;
                greatest = greatest.max(count);
            }
        }
    }
    assert!(
        compared > 2000 && states > 20_000 && greatest > 500,
        "{compared} programs, {states} states, {greatest} at most"
    );
}

/// Many changes of names, hardly any bytes.
#[test]
fn names_are_left_exactly_as_is_legal() {
    let (mut compared, mut states) = (0, 0);
    for nth in 0..2000 {
        let mut draw = Dice::new(nth).draw(&"a program of names");
        let paths = ["a", "t/a", "t/b", "u/a"];
        let mut steps = vec![Step::Create("t/a"), Step::Create("u/a"), Step::SyncDir("t"), Step::SyncDir("u")];
        for _ in 0..draw.gen_range(5..14) {
            let mut pick = |of: &[&'static str]| *of.choose(&mut draw).expect("some");
            let (path, other) = (pick(&paths), pick(&paths));
            let (directory, to) = (pick(&["t", "u", "v"]), pick(&["t", "u", "v"]));
            let synced = pick(&["", "t", "u", "v"]);
            steps.push(match draw.gen_range(0..100) {
                0..25 => Step::Create(path),
                25..50 => Step::Rename(path, other),
                50..75 => Step::RenameDir(directory, to),
                75..90 => Step::Remove(path),
                _ => Step::SyncDir(synced),
            });
        }
        // Each file is known by its bytes, which are durable.
        let written = steps.into_iter().flat_map(|step| match step {
            Step::Create(path) => vec![Step::Create(path), Step::Append(path, 1), Step::Sync(path)],
            other => vec![other],
        });
        if let Some(count) = compare(&written.collect::<Vec<_>>()) {
            compared += 1;
            states += count;
        }
    }
    assert!(compared > 1800 && states > 10_000, "{compared} programs, {states} states");
}

/// Of programs that are small enough, power cuts by chance leave everything that is legal. Two sorts of pages the dice never
/// leave, and the enumeration does: those written between two appends ([`Image::Grown`](crate::disk::Image::Grown)), and
/// those torn between two images of which neither is the newest.
#[test]
fn power_cuts_by_chance_leave_everything_that_is_legal() {
    let kept = |path, length| vec![Step::Create(path), Step::Append(path, length), Step::Sync(path), Step::SyncDir("")];
    let programs = [
        [kept("a", 510), vec![Step::Append("a", 5)]].concat(),
        [kept("a", 4094), vec![Step::Append("a", 4)]].concat(),
        [kept("a", 515), vec![Step::Truncate("a", 510)]].concat(),
        [kept("a", 511), vec![Step::Truncate("a", 508), Step::Append("a", 2)]].concat(),
        vec![Step::Create("a"), Step::Append("a", 3), Step::FailSync("a"), Step::Sync("a")],
        vec![Step::Create("a.tmp"), Step::Append("a.tmp", 2), Step::Rename("a.tmp", "a"), Step::Create("a.tmp")],
        [kept("a", 3), vec![Step::Create("b"), Step::Append("b", 3), Step::Rename("b", "a"), Step::Remove("a")]]
            .concat(),
        vec![
            Step::Create("t/a"),
            Step::Append("t/a", 2),
            Step::SyncDir("t"),
            Step::Create("t/b"),
            Step::RenameDir("t", "u"),
            Step::Create("t/c"),
            Step::Remove("u/a"),
        ],
    ];
    for steps in programs {
        assert!(compare(&steps).is_some(), "{steps:?}");
        let (disk, legal) = run(&steps);
        let legal = legal.states(BOUND).expect("few");
        let mut drawn = BTreeMap::new();
        let mut seeds = 0..200_000;
        while drawn.len() < legal.len() {
            let Some(seed) = seeds.next() else { break };
            let mut cut = disk.clone();
            cut.power_off(Dice::new(seed), 1);
            let state = state(&cut);
            drawn.insert(fingerprint(&state), state);
        }
        let difference = difference(&legal, &drawn);
        assert!(difference.is_empty(), "after {steps:?}:\n{difference}");
    }
}
