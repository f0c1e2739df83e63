//! Every command that writes, and sync, killed and failed at its system calls: what was acknowledged is there,
//! once; what was not is there whole or not at all; everything goes on.
//!
//! A first run of each command shows its system calls; then it runs again, from the same files, for each of
//! them. Settings of long runs:
//! - `HZL_TEST_KILLS`: how many kills, 0 for one at every system call of every command
//! - `HZL_TEST_FAULTS`: how many I/O errors, 0 for all: EIO and ENOSPC, once and from then on, at every call
//!   that touches files or sockets
//! - `HZL_TEST_SHORT_WRITES`: how many runs under a limit on the size of files, at which a write is cut short
//! - `HZL_TEST_KILLS_SEED`: which of them
//! - `HZL_TEST_KILLS_THREADS`: how many at a time
//! - `HZL_TEST_KILLS_ONLY`: one that failed, as the failure names it; or a part of that name

mod cloud;
mod judge;
mod scenes;

use std::env;
use std::panic;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use hzl_testkit::random::Random;
use hzl_testkit::strace;
use hzl_testkit::strace::Fault;
use hzl_testkit::strace::SystemCall;

use self::judge::Case;
use self::judge::Effect;
use self::judge::Thorough;
use self::scenes::Manner;
use self::scenes::Scene;
use crate::setting;
use crate::store;
use crate::store::Log;

/// A scene that was played once, without any fault.
struct Rehearsal {
    scene: Scene,
    before: Log,
    effect: Effect,
    calls: Vec<SystemCall>,
}

/// One run with one fault.
#[derive(Clone)]
struct Point {
    rehearsal: usize,
    at: SystemCall,
    fault: Fault,
}

/// Calls that change what others see: where it matters most when a process ends.
const CHANGING: [&str; 20] = [
    "write",
    "pwrite64",
    "writev",
    "pwritev",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "rename",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "flock",
    "fcntl",
    "sendto",
    "connect",
    "exit_group",
];

/// Calls that change nothing, and can fail because of a disk or a network; so can those that change something.
const READING: [&str; 11] = [
    "openat",
    "read",
    "pread64",
    "readv",
    "newfstatat",
    "statx",
    "lseek",
    "getdents64",
    "fchmod",
    "recvfrom",
    "socket",
];

/// Those of them that can fail because a disk is full.
const FILLING: [&str; 9] = [
    "openat",
    "write",
    "pwrite64",
    "pwritev",
    "ftruncate",
    "fallocate",
    "mkdir",
    "link",
    "linkat",
];

fn rehearse(scene: Scene) -> Rehearsal {
    let directory = store::directory(&scene.home);
    let before = Log::read(&directory);
    let home = scene.home.duplicate();
    let (_run, calls) = strace::calls(scene.call(&home), &home);
    let effect = Effect::between(&before, &Log::read(&store::directory(&home)), None);
    let expected = match scene.manner {
        Manner::AsOne => 0..=1,
        Manner::InTurn(commands) => commands..=commands,
        Manner::Brought => 0..=usize::MAX,
    };
    let name = &scene.name;
    assert!(
        expected.contains(&effect.commands()),
        "{name} is {effect:?}"
    );
    if let Some(cloud) = &scene.cloud {
        cloud.reset();
    }
    Rehearsal {
        scene,
        before,
        effect,
        calls,
    }
}

/// All scenes, rehearsed once for all tests of this process.
fn rehearsals() -> &'static [Rehearsal] {
    static ALL: OnceLock<Vec<Rehearsal>> = OnceLock::new();
    ALL.get_or_init(|| {
        let rehearse = |scene| thread::spawn(|| rehearse(scene));
        let (mut halves, mut all) = (scenes::all().into_iter(), vec![]);
        while let Some(first) = halves.next() {
            let pair = [Some(first), halves.next()].into_iter().flatten();
            let pair: Vec<_> = pair.map(rehearse).collect();
            all.extend(pair.into_iter().map(|one| one.join().expect("a rehearsal")));
        }
        all
    })
}

/// Every exit code of the program with its error code, as it tells them itself.
fn codes() -> Vec<(i32, String)> {
    let table = crate::home().json(&["help", "exit-codes"]);
    let rows = table["exit_codes"].as_array().expect("a table").iter();
    rows.map(|row| {
        let exit = row["exit"].as_i64().expect("a number");
        let code = row["code"].as_str().expect("a text").to_owned();
        (i32::try_from(exit).expect("an exit code"), code)
    })
    .collect()
}

impl Point {
    fn name(&self) -> String {
        let scene = &rehearsals()[self.rehearsal].scene.name;
        format!("{scene}, {} {}", self.at, self.fault)
    }

    /// Plays it; says whether the call was reached, or what does not hold.
    fn play(&self, codes: &[(i32, String)], thorough: Thorough) -> Result<bool, String> {
        let Rehearsal {
            scene,
            before,
            effect,
            ..
        } = &rehearsals()[self.rehearsal];
        let cloud = scene.cloud.as_ref();
        let _turn = cloud.map(|cloud| cloud.turn.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(cloud) = cloud {
            cloud.reset();
        }
        let home = scene.home.duplicate();
        let injected = strace::inject(scene.call(&home), &self.at, self.fault);
        let case = Case {
            scene,
            before,
            effect,
            codes,
        };
        case.find_fault(&home, (&self.at, self.fault), &injected, thorough)
            .map_err(|error| format!("{error}\n--- it had said\n{}", injected.run))?;
        Ok(injected.reached)
    }
}

/// Chooses `count` of the points, half of them where something changes; 0 is all.
fn choose(points: Vec<Point>, count: u64, seed: u64) -> Vec<Point> {
    if let Ok(only) = env::var("HZL_TEST_KILLS_ONLY") {
        let is_meant = |point: &Point| point.name().contains(&only);
        return points.into_iter().filter(is_meant).collect();
    }
    let mut random = Random::new(seed);
    let count = usize::try_from(count).expect("a number of points");
    if count == 0 {
        let all = points.len();
        return random.sample(points, all);
    }
    let (changing, others): (Vec<_>, Vec<_>) =
        (points.into_iter()).partition(|point| CHANGING.contains(&point.at.name.as_str()));
    let mut chosen = random.sample(changing, count / 2);
    let rest = count - chosen.len();
    chosen.extend(random.sample(others, rest));
    chosen
}

/// Plays points on several threads and panics with what does not hold.
fn play(test: &str, points: &[Point], seed: u64) {
    let started = Instant::now();
    let codes = codes();
    let next = AtomicUsize::new(0);
    let reached = AtomicUsize::new(0);
    let failures: Mutex<Vec<String>> = Mutex::new(vec![]);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(point) = points.get(number) else {
                return;
            };
            let thorough = if number.is_multiple_of(8) {
                Thorough::Yes
            } else {
                Thorough::No
            };
            let played = panic::catch_unwind(|| point.play(&codes, thorough));
            match played.unwrap_or_else(|_| Err("it hangs, or the test is wrong: see above".into()))
            {
                Ok(true) => drop(reached.fetch_add(1, Ordering::Relaxed)),
                Ok(false) => {}
                Err(error) => {
                    let text = format!("{}\n{error}", point.name());
                    failures
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(text);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..setting("HZL_TEST_KILLS_THREADS", 2) {
            scope.spawn(work);
        }
    });
    let failures = failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let (played, reached) = (points.len(), reached.into_inner());
    let seconds = started.elapsed().as_secs();
    println!("{test}: {played} points, {reached} reached, {seconds} s, seed {seed}");
    assert!(
        failures.is_empty(),
        "{} of {played} points fail (seed {seed}); again with\n  HZL_TEST_KILLS_ONLY='{}' cargo test -p hzl --test proof {test}\n\n{}",
        failures.len(),
        failures[0].lines().next().unwrap_or_default(),
        failures
            .iter()
            .take(30)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("\n\n")
    );
    assert!(
        played > 0 && reached * 10 >= played * 9,
        "only {reached} of {played} points were reached (seed {seed})"
    );
}

fn points(faults: impl Fn(&SystemCall) -> Vec<Fault>) -> Vec<Point> {
    let mut points = vec![];
    for (rehearsal, played) in rehearsals().iter().enumerate() {
        for at in &played.calls {
            points.extend(faults(at).into_iter().map(|fault| Point {
                rehearsal,
                at: at.clone(),
                fault,
            }));
        }
    }
    points
}

#[test]
fn a_kill_at_any_system_call_loses_nothing_that_was_acknowledged() {
    let seed = setting("HZL_TEST_KILLS_SEED", 1);
    let all = points(|_| vec![Fault::Kill]);
    println!(
        "{} system calls of {} commands",
        all.len(),
        rehearsals().len()
    );
    let chosen = choose(all, setting("HZL_TEST_KILLS", 600), seed);
    play("a_kill_at_any", &chosen, seed);
}

/// Every error at every call that can fail.
fn all_errors() -> Vec<Point> {
    points(|at| {
        let name = at.name.as_str();
        let mut faults = vec![];
        let can_fail =
            name != "exit_group" && (CHANGING.contains(&name) || READING.contains(&name));
        if can_fail {
            faults.push(Fault::Once("EIO"));
        }
        // A lock that fails is to SQLite one that somebody holds: it would wait for ten seconds each time.
        if can_fail && name != "fcntl" {
            faults.push(Fault::FromThenOn("EIO"));
        }
        if FILLING.contains(&name) {
            faults.extend([Fault::Once("ENOSPC"), Fault::FromThenOn("ENOSPC")]);
        }
        faults
    })
}

/// A replacement of the log whose last sync failed was reported as not done, and took effect; so was an
/// acknowledgement after which nothing could be read any more.
#[test]
fn errors_that_were_once_told_wrongly_are_told_as_they_are() {
    let all = all_errors();
    let named = |name: &'static str| move |point: &&Point| point.name().starts_with(name);
    // Around the commit and after it; a lock that cannot be had before is waited for.
    let last = all.iter().filter(named("conflicts ack, fcntl"));
    let last = last.map(|point| point.at.nth).max().unwrap_or(0);
    let late = |point: &&Point| point.at.nth + 10 > last;
    let acknowledging = all
        .iter()
        .filter(named("conflicts ack, fcntl"))
        .filter(late);
    let restoring = all.iter().filter(named("restore --force, fdatasync"));
    let points: Vec<Point> = restoring.chain(acknowledging).cloned().collect();
    assert!(points.len() > 45, "{}", points.len());
    play("errors_once_told_wrongly", &points, 0);
}

#[test]
fn an_error_at_any_system_call_is_told_and_changes_nothing() {
    let seed = setting("HZL_TEST_KILLS_SEED", 1);
    let all = all_errors();
    println!(
        "{} errors at system calls of {} commands",
        all.len(),
        rehearsals().len()
    );
    let chosen = choose(all, setting("HZL_TEST_FAULTS", 300), seed);
    play("an_error_at_any", &chosen, seed);
}

/// The only short write that needs no tracer: the kernel writes up to the limit, and no more from then on.
#[test]
fn a_write_that_is_cut_short_is_told_and_changes_nothing() {
    let seed = setting("HZL_TEST_KILLS_SEED", 1);
    let count = setting("HZL_TEST_SHORT_WRITES", 60);
    let codes = codes();
    let mut random = Random::new(seed);
    let local: Vec<&Rehearsal> = (rehearsals().iter())
        .filter(|rehearsal| rehearsal.scene.cloud.is_none())
        .collect();
    let (at, fault) = ("pwrite64:1".parse(), Fault::FromThenOn("EFBIG"));
    let at = at.expect("a system call");
    let mut refused = 0;
    for number in 0..count {
        let played = local[random.below(local.len())];
        let limit = random.below(600 << 10);
        let home = played.scene.home.duplicate();
        let script = format!("trap '' XFSZ; exec prlimit --fsize={limit} \"$@\"");
        let call = played.scene.call(&home).under(["sh", "-c", &script, "sh"]);
        let injected = strace::Injected {
            run: call.run(),
            reached: true,
        };
        refused += u64::from(injected.run.exit != 0);
        let case = Case {
            scene: &played.scene,
            before: &played.before,
            effect: &played.effect,
            codes: &codes,
        };
        let found = case.find_fault(&home, (&at, fault), &injected, Thorough::No);
        let (name, run) = (&played.scene.name, &injected.run);
        assert_eq!(found, Ok(()), "{name}, {limit} bytes, seed {seed}\n{run}");
        assert!(number < 30 || refused > 0, "no limit was ever reached");
    }
    println!("short writes: {count} runs, {refused} failed, seed {seed}");
}
