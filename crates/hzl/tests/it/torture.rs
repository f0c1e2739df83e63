//! `hzl torture`: the simulator in the shipped program.

use crate::home;

#[test]
fn equal_seeds_give_equal_traces_on_any_number_of_threads() {
    let home = home();
    let one = home.json(&["torture", "--seed", "3", "--runs", "6", "--twice"]);
    assert_eq!((&one["runs"], &one["seed"]), (&6.into(), &3.into()));
    let other = home.json(&["torture", "--seed", "3", "--runs", "6", "--threads", "1"]);
    assert_eq!(one["trace"], other["trace"]);
    let third = home.json(&["torture", "--seed", "4", "--runs", "6"]);
    assert_ne!(one["trace"], third["trace"]);
    assert!(one["events"].as_u64() > Some(6));
    assert!(
        !home.data().join("hzl/events.db").exists(),
        "nothing is written to this machine's store"
    );
}

#[test]
fn one_schedule_can_be_read_and_played_in_part() {
    let home = home();
    let whole = home.hzl(&["torture", "--seed", "3", "--runs", "1", "--trace"]);
    assert!(whole.stdout.lines().count() > 20, "{}", whole.stdout);
    let part = home.hzl(&["torture", "--seed", "3", "--only", "0,1fm", "--trace"]);
    assert!(part.stdout.lines().count() < whole.stdout.lines().count());
    let answer = home.json(&["torture", "--seed", "3", "--only", "0,1fm"]);
    assert_eq!(answer["runs"], 1);
    home.fails(&["torture", "--seed", "3", "--only", "0,x"], 2);
}
