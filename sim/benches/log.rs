//! What the log costs on a disk in memory: append, fetch, recovery, truncation, a round of cleaning. One thread, no waiting:
//! the time is that of the processor.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a bench is about true time")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use model::disk::{Disk, DiskError};
use model::log::{Batch, BatchBuilder, Loading, Log, LogConfig, Progress, Slices};
use model::names::{BrokerId, EndOffset, LeaderEpoch, Node, Offset, Time};
use sim::Dice;
use sim::disk::{DiskTimings, SimDisk};

const DIRECTORY: &str = "t1-0";
const EPOCH: LeaderEpoch = LeaderEpoch(1);
const NOW: Time = Time(1_000_000_000);
const SIZES: [(usize, &str); 5] =
    [(100, "100 B"), (1 << 10, "1 KB"), (10 << 10, "10 KB"), (100 << 10, "100 KB"), (1 << 20, "1 MB")];

fn disk() -> SimDisk {
    SimDisk::new(Node::Broker(BrokerId(1)), Dice::new(1), DiskTimings::default())
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 16 << 20, max_message_bytes: 4 << 20, ..LogConfig::default() }
}

fn open(disk: &mut SimDisk, config: LogConfig, loading: Loading) -> Log {
    Log::open(disk, DIRECTORY, config, loading).expect("works").0
}

/// A batch as a client sends it.
fn batch(records: usize, size: usize, nth: u64) -> Batch {
    let mut builder = BatchBuilder::new(1_000);
    let value = vec![nth as u8; size];
    for record in 0..records {
        let key = (nth * 31 + record as u64) % 500;
        builder.push(1_000, Some(&key.to_be_bytes()), Some(&value), &[]);
    }
    builder.build()
}

/// A log of so many bytes in such batches, synced.
fn filled(config: LogConfig, bytes: u64, records: usize, size: usize) -> (SimDisk, Log) {
    let mut disk = disk();
    let mut log = open(&mut disk, config, Loading::default());
    let sent: Vec<Batch> = (0..64).map(|nth| batch(records, size, nth)).collect();
    for nth in 0.. {
        if log.size_bytes() >= bytes {
            break;
        }
        log.append_as_leader(&mut disk, &sent[nth % sent.len()], EPOCH, NOW).expect("fine");
    }
    let end = log.end();
    log.flush(&mut disk, end, NOW).expect("works");
    (disk, log)
}

fn append(c: &mut Criterion) {
    const APPENDS: usize = 256;
    let mut group = c.benchmark_group("append");
    for (size, name) in &SIZES[..3] {
        let sent = batch(1, *size, 1);
        group.throughput(Throughput::Bytes((sent.size() * APPENDS) as u64));
        group.bench_function(BenchmarkId::new("256 batches on a leader, of one record of", name), |b| {
            let new = || {
                let mut disk = disk();
                let log = open(&mut disk, config(), Loading::default());
                (disk, log)
            };
            b.iter_batched_ref(
                new,
                |(disk, log)| {
                    for _ in 0..APPENDS {
                        log.append_as_leader(disk, &sent, EPOCH, NOW).expect("fine");
                    }
                },
                BatchSize::LargeInput,
            );
        });
    }
    let fetched: Vec<Bytes> =
        (0..1_000).map(|nth| batch(1, 1 << 10, nth).stamp(Offset(nth), EPOCH).bytes().clone()).collect();
    let fetched = Slices::from(fetched);
    group.throughput(Throughput::Bytes(fetched.len() as u64));
    group.bench_function("1,000 batches of 1 KB on a follower, in one fetch", |b| {
        let new = || {
            let mut disk = disk();
            let log = open(&mut disk, config(), Loading::default());
            (disk, log)
        };
        b.iter_batched_ref(
            new,
            |(disk, log)| log.append_as_follower(disk, &fetched, EPOCH, NOW).expect("fine"),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

/// The same number of batches each time: what it costs must not grow with their size.
fn fetch(c: &mut Criterion) {
    const BATCHES: u64 = 10;
    let mut group = c.benchmark_group("fetch of 10 batches, of one record of");
    for (size, name) in &SIZES {
        let one = batch(1, *size, 1).size();
        let config = LogConfig { segment_bytes: 1 << 30, ..config() };
        let (mut disk, log) = filled(config, one as u64 * 100, 1, *size);
        let end = log.end();
        let mut nth = 0;
        group.throughput(Throughput::Bytes(one as u64 * BATCHES));
        group.bench_function(*name, |b| {
            b.iter(|| {
                nth = (nth + 37) % (end.0 - BATCHES);
                let span =
                    log.locate(Offset(nth), end, one * BATCHES as usize, true).expect("in range").expect("there");
                let slices = log.read(&mut disk, &span).expect("works");
                assert_eq!(slices.pieces().len() as u64, BATCHES);
                slices
            });
        });
    }
    group.finish();
}

const RECOVERED: u64 = 64 << 20;

/// A power cut with the recovery point at zero: every byte is checked. Beside it the bare checksum of the same bytes.
fn recovery(c: &mut Criterion) {
    let mut group = c.benchmark_group("recovery of 64 MB");
    group.sample_size(10);
    for (records, size, name) in [(1, 100, "1 x 100 B"), (1, 1 << 10, "1 x 1 KB"), (16, 1 << 10, "16 x 1 KB")] {
        let (disk, log) = filled(config(), RECOVERED, records, size);
        let bytes = log.size_bytes();
        let mut files = disk.clone();
        let pieces: Vec<Bytes> = log
            .segment_bases()
            .flat_map(|base| {
                let file = files.open(&format!("{DIRECTORY}/{:020}.log", base.0)).expect("there");
                files.read_slices(file, 0, usize::MAX).expect("works")
            })
            .collect();
        let recover = |disk: &mut SimDisk| {
            let (log, recovery) = Log::open(disk, DIRECTORY, config(), Loading::default()).expect("works");
            assert_eq!((log.size_bytes(), recovery.bytes_cut), (bytes, 0));
            log
        };
        let checksum = || pieces.iter().fold(0, |sum, piece| sum ^ crc32c::crc32c(&piece[21..]));
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(BenchmarkId::new("start", name), |b| {
            b.iter_batched_ref(|| disk.clone(), &recover, BatchSize::LargeInput);
        });
        group.bench_function(BenchmarkId::new("bare CRC-32C", name), |b| b.iter(|| black_box(checksum())));
        let start = fastest(|| {
            let mut disk = disk.clone();
            let began = Instant::now();
            let log = recover(&mut disk);
            let took = began.elapsed();
            drop(log);
            took
        });
        let bare = fastest(|| {
            let began = Instant::now();
            black_box(checksum());
            began.elapsed()
        });
        let rate = |took: Duration| bytes as f64 / took.as_secs_f64() / 1e6;
        println!(
            "recovery of {name}: {:.0} MB/s, bare CRC-32C {:.0} MB/s, ratio {:.2}",
            rate(start),
            rate(bare),
            bare.as_secs_f64() / start.as_secs_f64()
        );
    }
    group.finish();
}

fn fastest(run: impl Fn() -> Duration) -> Duration {
    (0..15).map(|_| run()).min().expect("some")
}

fn truncation(c: &mut Criterion) {
    let (disk, log) = filled(config(), RECOVERED, 1, 1 << 10);
    let (middle, end) = (EndOffset(log.end().0 / 2), log.end());
    let mut group = c.benchmark_group("truncation of 64 MB");
    for (to, name) in [(EndOffset(end.0 - 10), "by ten batches"), (middle, "to the middle")] {
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                || (disk.clone(), log.clone()),
                |(disk, log)| log.truncate_to(disk, to, NOW).expect("works"),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn cleaning(c: &mut Criterion) {
    let config = LogConfig { compact: true, delete: false, segment_bytes: 2 << 20, ..config() };
    let (disk, log) = filled(config, 16 << 20, 16, 1 << 10);
    let mut group = c.benchmark_group("cleaning");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(log.size_bytes()));
    group.bench_function("a round over 16 MB with 500 keys", |b| {
        b.iter_batched_ref(
            || (disk.clone(), log.clone()),
            |(disk, log)| clean(disk, log).expect("works"),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn clean(disk: &mut SimDisk, log: &mut Log) -> Result<(), DiskError> {
    let mut cleaning = log.begin_cleaning(disk, NOW, log.end())?.expect("dirty");
    while let Progress::More(_) = log.clean_next(disk, &mut cleaning, NOW)? {}
    Ok(())
}

criterion_group!(log, append, fetch, recovery, truncation, cleaning);
criterion_main!(log);
