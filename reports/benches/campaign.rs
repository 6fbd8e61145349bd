//! What a campaign spends its time on: a whole judged run of the reference scenario, its plan, its trace, its picture.
//!
//! `highwater bench` prints the numbers that are held against targets; these are for whoever wants to move them.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use scenarios::judge::Judge;
use scenarios::measure::Meter;
use scenarios::run::{run, run_traced};
use scenarios::{Plan, catalogue};
use sim::Observer;
use sim::trace::RollingDigest;

fn reference(seed: u64) -> Plan {
    catalogue::ALL[0].plan(seed)
}

fn runs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("runs");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    let mut seed = 0;
    let mut next = move || {
        seed += 1;
        reference(seed)
    };
    group.bench_function("reference, judged", |bencher| {
        bencher.iter_batched(&mut next, |plan| run(&plan), BatchSize::PerIteration);
    });
    group.bench_function("n-minus-1, judged", |bencher| {
        let mut seed = 0;
        let next = || {
            seed += 1;
            catalogue::named("n-minus-1").expect("it is in the catalogue").plan(seed)
        };
        bencher.iter_batched(next, |plan| run(&plan), BatchSize::PerIteration);
    });
    group.finish();
}

fn facts(criterion: &mut Criterion) {
    let plan = reference(1);
    let trace = run_traced(&plan).trace.expect("it was to be kept");
    let mut group = criterion.benchmark_group("facts");
    group.sample_size(10).throughput(criterion::Throughput::Elements(trace.len() as u64));
    group.bench_function("judge", |bencher| {
        bencher.iter(|| {
            let mut judge = Judge::new(&plan.cluster);
            trace.iter().for_each(|fact| judge.see(fact));
            judge.violation_count()
        });
    });
    group.bench_function("meter", |bencher| {
        bencher.iter(|| {
            let mut meter = Meter::default();
            trace.iter().for_each(|fact| meter.see(fact));
            meter.measures().counts.acked
        });
    });
    group.bench_function("digest", |bencher| {
        bencher.iter(|| {
            let mut digest = RollingDigest::new();
            trace.iter().for_each(|fact| digest.add(fact));
            digest.value()
        });
    });
    group.finish();
}

fn plans(criterion: &mut Criterion) {
    let mut seed = 0;
    criterion.bench_function("plan of the reference", |bencher| {
        bencher.iter(|| {
            seed += 1;
            black_box(reference(seed))
        });
    });
}

criterion_group!(benches, runs, facts, plans);
criterion_main!(benches);
