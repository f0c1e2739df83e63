//! Random schedules hold the contract, and one seed is one schedule.

use hzl_sim::cloud::Fault;
use hzl_sim::schedule::{Action, Ending, Focus, Step};
use hzl_sim::torture::{Torture, smallest, torture};
use hzl_sim::{Schedule, play};
use hzl_store::interrupt::Interrupt;

use crate::number;

/// Long: HZL_TEST_SCHEDULES=10000, and HZL_TEST_SEED for where to begin.
#[test]
fn whatever_goes_wrong_nothing_is_lost_and_all_agree() {
    let (seed, runs) = (
        number("HZL_TEST_SEED", 1),
        number("HZL_TEST_SCHEDULES", 300),
    );
    println!("seeds {seed} to {}", seed + runs - 1);
    let summary = torture(
        Torture {
            seed,
            runs,
            twice: false,
            threads: None,
        },
        &|_| {},
    );
    if let Some(broken) = summary.broken {
        let only = smallest(&broken);
        panic!(
            "{}; hzl torture --seed {} --only {only} --trace",
            broken.violation, broken.seed
        );
    }
    assert_eq!(summary.runs, runs);
    assert!(
        summary.events > 5 * runs,
        "they write something: {summary:?}"
    );
}

fn step(device: usize, action: Action) -> Step {
    Step {
        device,
        action,
        salt: 1,
        wait_ms: 1_000,
        faults: vec![],
        interrupt: None,
        meanwhile: vec![],
    }
}

fn schedule(steps: &[Step]) -> Schedule {
    Schedule {
        seed: 1,
        devices: 3,
        focus: Focus::Everything,
        ending: Ending::Together,
        page_rows: 10,
        chunk_events: 10,
        steps: steps.to_vec(),
    }
}

/// Steps of the long run: device, action, and what the rest is drawn from.
fn drawn<const N: usize>(steps: [(usize, Action, u64); N]) -> [Step; N] {
    steps.map(|(device, action, salt)| Step {
        salt,
        wait_ms: 0,
        ..step(device, action)
    })
}

#[track_caller]
fn assert_holds(schedule: &Schedule) {
    let violation = play(schedule).violation;
    assert!(violation.is_none(), "{violation:?}: {schedule:?}");
}

#[track_caller]
fn holds(steps: &[Step]) {
    assert_holds(&schedule(steps));
}

/// An event that was only in the cloud, since its machine went back to a backup, is gone when the cloud loses it: the
/// judge called that a loss (seed 77,066).
#[test]
fn what_disk_and_cloud_have_both_lost_is_gone() {
    for salt in 0..20 {
        for losing in [Action::Rewind, Action::Wipe] {
            let mut steps = [
                Action::BackUp,
                Action::WriteAsNewHzl,
                Action::Sync,
                Action::Restore,
                losing,
            ]
            .map(|action| step(2, action));
            for step in &mut steps {
                step.salt = salt;
            }
            holds(&steps);
        }
    }
}

/// The tables of the cloud are not all there yet: the simulator itself gave up then (seed 190,737).
#[test]
fn a_cloud_may_be_disturbed_while_its_tables_are_made() {
    let disturbances = [
        Action::Poison,
        Action::PlantJunk,
        Action::Rewind,
        Action::Wipe,
    ];
    for requests in 0..4 {
        let mut making = step(0, Action::Sync);
        // An even one: the device begins a cloud anew that was wiped.
        making.salt = 2;
        making.faults = vec![Fault::None; requests];
        // The first table is not made, the others are, and that is all.
        making.faults.extend([Fault::Busy, Fault::Unauthorized]);
        for disturbing in disturbances {
            let wipe = step(0, Action::Wipe);
            holds(&[wipe, making.clone(), step(1, disturbing)]);
        }
    }
}

/// The cloud loses rows twice, and one that is sent again gets back the number it had, and keeps its time of arrival: a
/// machine that has not heard of it took the cloud for the one it knew, and sent a release before the claim that was
/// still missing there (found by the long run).
#[test]
fn a_row_that_has_its_number_back_does_not_hide_a_rewind() {
    let mut steps = drawn([
        (5, Action::Rewind, 10_189_930_276_498_809_332),
        (32, Action::Write, 16_261_066_370_923_124_744),
        (41, Action::Claim, 11_820_735_460_971_868_937),
        (22, Action::Sync, 1_406_328_511_769_540_743),
        (44, Action::Sync, 215_143_811_279_893_652),
        (30, Action::Sync, 15_475_239_651_945_288_654),
        (5, Action::Write, 9_039_841_336_559_725_906),
        (51, Action::Rewind, 771_209_103_296_779_989),
        (21, Action::Sync, 9_532_117_636_852_534_590),
        (0, Action::Rewind, 2_171_877_119_398_209_155),
        (14, Action::Sync, 15_335_443_719_818_569_062),
    ]);
    steps[3].interrupt = Some((3, Interrupt::Die));
    steps[10].meanwhile = vec![Step {
        salt: 16_744_092_839_071_353_702,
        wait_ms: 2_361,
        ..step(7, Action::Sync)
    }];
    let schedule = Schedule {
        seed: 85_403,
        page_rows: 5,
        chunk_events: 2,
        ..schedule(&steps)
    };
    assert_holds(&schedule);
}

/// A machine's clock is ahead, then right again, and its next event is dated after the earlier ones all the same. Its lease
/// lasts from its arrival, not from that date: the judge called its end a theft (seed 790,656).
#[test]
fn a_lease_is_measured_from_its_arrival_by_the_judge_too() {
    let mut steps = drawn([
        (60, Action::TurnClock, 12_026_713_986_892_217_842),
        (6, Action::Sync, 14_828_693_445_774_972_117),
        (2, Action::TurnClock, 287_561_756_697_444_877),
        (63, Action::Write, 9_831_372_451_185_468_235),
        (26, Action::Write, 3_909_897_728_214_201_188),
        (19, Action::Sync, 17_204_534_353_999_501_537),
        (38, Action::Write, 4_528_841_403_968_599_379),
    ]);
    let mut meanwhile = drawn([
        (50, Action::Claim, 2_501_434_298_919_106_366),
        (13, Action::Sync, 1_601_162_921_963_292_008),
        (39, Action::Sync, 9_730_787_731_527_421_441),
    ]);
    meanwhile[0].wait_ms = 1_922;
    meanwhile[1].wait_ms = 64_013;
    meanwhile[1].faults = vec![
        Fault::RequestLost,
        Fault::Unavailable,
        Fault::RequestLost,
        Fault::Late,
    ];
    meanwhile[2].wait_ms = 237;
    meanwhile[2].faults = vec![Fault::RequestLost];
    steps[5].meanwhile = meanwhile.to_vec();
    assert_holds(&Schedule {
        seed: 790_656,
        devices: 2,
        focus: Focus::Leases,
        page_rows: 3,
        chunk_events: 1,
        ..schedule(&steps)
    });
}

/// The cloud is wiped, and first filled by a machine that never was there: that is another ledger. Two machines come to it with
/// `--merge`, and one tells what it had known in the numbers of the old cloud. Inherent, and excused since (seed 879,160).
#[test]
fn what_was_known_in_a_cloud_that_was_left_cannot_be_told() {
    let mut steps = drawn([
        (34, Action::WriteAsNewHzl, 10_948_566_450_751_333_571),
        (8, Action::Write, 3_105_628_253_499_411_738),
        (8, Action::WriteAsNewHzl, 11_410_826_559_804_783_122),
        (20, Action::Write, 3_872_899_368_743_763_821),
        (3, Action::Sync, 7_959_051_235_717_901_927),
        (4, Action::Sync, 10_043_694_124_158_503_910),
        (39, Action::Write, 5_004_953_827_821_273_037),
        (50, Action::Sync, 8_744_016_677_526_838_328),
        (47, Action::Wipe, 16_370_701_253_464_249_637),
        (0, Action::Write, 10_210_892_491_375_887_239),
        (47, Action::Sync, 15_111_042_388_593_831_131),
    ]);
    let mut meanwhile = drawn([
        (39, Action::Write, 15_580_420_372_132_627_074),
        (46, Action::Sync, 6_262_831_250_976_192_391),
    ]);
    meanwhile[1].wait_ms = 35;
    steps[4].meanwhile = meanwhile.to_vec();
    steps[7].interrupt = Some((7, Interrupt::Die));
    assert_holds(&Schedule {
        seed: 879_160,
        devices: 5,
        focus: Focus::Values,
        page_rows: 5,
        chunk_events: 2,
        ..schedule(&steps)
    });
}

#[test]
fn a_seed_gives_the_same_trace_twice() {
    for seed in 500..530 {
        let schedule = Schedule::of(seed);
        assert_eq!(schedule, Schedule::of(seed));
        let (one, other) = (play(&schedule), play(&schedule));
        assert_eq!(one.trace.digest(), other.trace.digest(), "seed {seed}");
    }
    let (one, other) = (play(&Schedule::of(500)), play(&Schedule::of(501)));
    assert_ne!(one.trace.digest(), other.trace.digest());
}
