//! What the hot paths of the world cost: a keyed draw, a fact in the digest, a batch on the disk.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use model::disk::Disk;
use model::names::{BrokerId, Node};
use model::wire::Channel;
use rand::Rng;
use sim::Dice;
use sim::disk::{DiskTimings, SimDisk};
use sim::fact::{Api, Fact, Moment, What};
use sim::trace::RollingDigest;

const BROKER: Node = Node::Broker(BrokerId(1));
const BATCHES: u64 = 12_000;

fn draws(c: &mut Criterion) {
    let dice = Dice::new(1);
    let wire = dice.of(&("wire", BROKER, BROKER, 1_u8));
    let mut nth = 0;
    c.bench_function("a keyed draw", |b| {
        b.iter(|| {
            nth += 1;
            dice.draw(&("wire", BROKER, BROKER, 1_u8, black_box(nth))).gen_range(200..1_000_u32)
        });
    });
    c.bench_function("a keyed draw whose meaning is kept", |b| {
        b.iter(|| {
            nth += 1;
            wire.nth(black_box(nth)).gen_range(200..1_000_u32)
        });
    });
}

fn digest(c: &mut Criterion) {
    let what = What::Delivered {
        from: BROKER,
        channel: Channel::ReplicaFetch,
        api: Api::FetchRequest,
        correlation: 77,
        error: None,
    };
    let fact = Fact { number: 1_000_000, at: Moment(1_234_567_890), node: Some(BROKER), what };
    let mut rolling = RollingDigest::new();
    c.bench_function("a fact in the digest", |b| b.iter(|| rolling.add(black_box(&fact))));
}

fn disk(c: &mut Criterion) {
    let batch = Bytes::from(vec![7; 150]);
    let written = || {
        let mut disk = SimDisk::new(BROKER, Dice::new(1), DiskTimings::default());
        let file = disk.create("t1-0/0.log").expect("created");
        (0..BATCHES).for_each(|_| disk.append(file, batch.clone()).expect("appended"));
        (disk, file)
    };
    let (mut full, file) = written();
    let mut nth = 0;
    c.bench_function("12,000 appends of 150 bytes", |b| b.iter_batched(|| (), |()| written(), BatchSize::LargeInput));
    c.bench_function("a read of a batch anywhere", |b| {
        b.iter(|| {
            nth += 7_919;
            full.read(file, nth % BATCHES * 150, 150).expect("read")
        });
    });
    c.bench_function("the fates of 12,000 unsynced batches", |b| b.iter(|| full.fates().count()));
    c.bench_function("200 of the fates of 12,000 unsynced batches", |b| {
        b.iter(|| full.fates().up_to(200, Dice::new(1)))
    });
    c.bench_function("the hash of a disk with 12,000 batches", |b| b.iter(|| full.content_hash()));
    c.bench_function("a fork of a disk with 12,000 batches", |b| b.iter(|| full.clone()));
}

criterion_group!(pieces, draws, digest, disk);
criterion_main!(pieces);
