//! What the hot path costs. Measured on request, in the best of several rounds.

use std::hint::black_box;
use std::time::Instant;

use super::*;

const BATCHES: u64 = 12_000;

#[test]
#[ignore = "measures; run it in release, alone"]
fn appending_and_reading_a_batch_cost_less_than_eighty_nanoseconds() {
    let mut best = [f64::MAX; 4];
    for _ in 0..20 {
        let mut disk = disk(1);
        let file = disk.create("t1-0/0.log").expect("created");
        let mut batches: Vec<Bytes> = (0..BATCHES).map(|nth| filled(nth as u8, 150)).collect();
        batches.reverse();
        let append = each(|_| disk.append(file, batches.pop().expect("one a call")).expect("appended"));
        let anywhere = each(|nth| drop(disk.read(file, black_box(nth * 7919 % BATCHES * 150), 150).expect("read")));
        let tail = each(|nth| drop(disk.read(file, black_box((BATCHES - 1 - nth % 3) * 150), 150).expect("read")));
        let fork = each_of(1, |_| drop(black_box(disk.clone())));
        for (best, now) in best.iter_mut().zip([append, anywhere, tail, fork]) {
            *best = best.min(now);
        }
    }
    let [append, anywhere, tail, fork] = best;
    println!("append {append:.1} ns, read anywhere {anywhere:.1} ns, read at the end {tail:.1} ns, fork {fork:.0} ns");
    assert!(append < 80.0 && tail < 80.0);
}

fn each(call: impl FnMut(u64)) -> f64 {
    each_of(BATCHES, call)
}

fn each_of(rounds: u64, call: impl FnMut(u64)) -> f64 {
    let began = Instant::now();
    (0..rounds).for_each(call);
    began.elapsed().as_nanos() as f64 / rounds as f64
}
