use hzl_sim::*;
use std::collections::BTreeMap;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (from, count): (u64, u64) = (args[1].parse().unwrap(), args[2].parse().unwrap());
    std::panic::set_hook(Box::new(|_| {}));
    if args.len() > 3 && args[3] == "plant" {
        for bug in hzl_core::planted::Bug::ALL {
            if args.len() > 4 && format!("{bug:?}") != args[4] {
                continue;
            }
            hzl_core::planted::plant(Some(*bug));
            let mut hits = vec![];
            let mut first = 0;
            let mut kinds = BTreeMap::<String, u32>::new();
            for seed in from..from + count {
                if let Some(v) = play(&Schedule::of(seed)).violation {
                    if first == 0 {
                        first = seed;
                    }
                    *kinds.entry(format!("{:?}", v.finding)).or_default() += 1;
                    hits.push(seed);
                    if hits.len() >= 5 {
                        break;
                    }
                }
            }
            println!("{bug:?}: first {first}, last {:?} {kinds:?}", hits.last());
        }
        return;
    }
    let started = std::time::Instant::now();
    let mut found: BTreeMap<String, (u64, Vec<u64>)> = BTreeMap::new();
    let (mut events, mut requests) = (0, 0);
    for seed in from..from + count {
        let played = play(&Schedule::of(seed));
        events += played.events;
        requests += played.requests;
        if let Some(v) = played.violation {
            let e = found.entry(format!("{:?}", v.finding)).or_default();
            e.0 += 1;
            if e.1.len() < 5 {
                e.1.push(seed);
            }
        }
    }
    println!(
        "{count} in {:?}, {events} events, {requests} requests",
        started.elapsed()
    );
    for (k, v) in found {
        println!("{k}: {} {:?}", v.0, v.1);
    }
    if args.len() > 3 {
        let s = Schedule::of(from);
        let Some(v) = play(&s).violation else { return };
        let sel = hzl_sim::shrink::shrink(&s, v.finding, 4000);
        println!("{sel}");
        let s = sel.of(&s);
        println!(
            "{v}\nshrunk to {} steps, {} devices {:?} page {} chunk {}",
            s.steps.len(),
            s.devices,
            s.ending,
            s.page_rows,
            s.chunk_events
        );
        for st in &s.steps {
            println!("{st:?}");
        }
        let p = play::play_with(&s, Box::new(cloud::InMemory::new()), trace::Trace::kept());
        for l in p.trace.lines() {
            println!("  {l}");
        }
        println!("{}", p.violation.map_or(String::new(), |v| format!("{v}")));
    }
}
