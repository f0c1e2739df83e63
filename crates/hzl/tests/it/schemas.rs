//! `hzl schema`. That answers fit is checked wherever a test reads one (`hzl_testkit::schemas`).

use std::path::Path;

use hzl_testkit::schemas;
use serde_json::json;

use crate::add;
use crate::home;

#[test]
fn a_schema_is_printed_for_one_command_or_for_all() {
    let home = home();
    let one = home.hzl(&["schema", "task", "show"]);
    assert_eq!(one.exit, 0, "{one}");
    let one: serde_json::Value = serde_json::from_str(&one.stdout).expect("JSON");
    assert_eq!(one["title"], "hzl task show");
    assert_eq!(
        one["properties"]["task"]["properties"]["title"]["type"],
        "string"
    );
    let all = home.hzl(&["schema"]).stdout;
    let all: serde_json::Value = serde_json::from_str(&all).expect("JSON");
    assert_eq!(all["commands"]["task show"], one);
    assert_eq!(all["error"]["properties"]["ok"]["type"], "boolean");
    for line in [
        &["schema", "guide"][..],
        &["schema", "task"],
        &["schema", "nosuch"],
    ] {
        home.fails(line, 2);
    }
    assert!(!home.data().exists(), "nothing is touched");
}

#[test]
fn an_answer_that_does_not_fit_is_found() {
    let home = home();
    add(&home, &["T", "-t", "a"]);
    let line = ["task", "list", "--view", "full"];
    let good = home.json(&line);
    let check = |answer: &serde_json::Value| {
        let words = line.map(str::to_owned);
        schemas::check(Path::new(env!("CARGO_BIN_EXE_hzl")), &words, answer)
    };
    assert_eq!(check(&good), Ok(()));
    let spoilt = |spoil: fn(&mut serde_json::Value)| {
        let mut answer = good.clone();
        spoil(&mut answer);
        check(&answer).expect_err("it does not fit")
    };
    spoilt(|answer| answer["bogus"] = json!(1));
    spoilt(|answer| answer["total"] = json!("1"));
    spoilt(|answer| drop(answer.as_object_mut().unwrap().remove("page")));
    spoilt(|answer| answer["tasks"][0]["bogus"] = json!(1));
    spoilt(|answer| answer["tasks"][0]["tags"] = json!("a"));
    spoilt(|answer| answer["tasks"][0]["status"] = json!("flying"));
}
