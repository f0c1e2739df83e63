//! `hzl task search`

use hzl_testkit::home::Home;
use serde_json::json;

use crate::add;
use crate::each;
use crate::home;

fn found(home: &Home, query: &str) -> Vec<String> {
    let found = home.json(&["task", "search", "--", query]);
    let titles = each(&found["tasks"], "title");
    assert_eq!(found["total"], titles.len());
    titles
        .into_iter()
        .map(|title| title.as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn titles_descriptions_and_tags_are_found_by_beginnings_of_all_words() {
    let home = home();
    let task = add(
        &home,
        &["Fix login crash", "-d", "Stack trace", "-t", "auth,bug"],
    );
    add(&home, &["Unrelated"]);
    for query in [
        "login",
        "LOGIN",
        "log",
        "crash fix",
        "trace",
        "bug",
        "auth sta",
    ] {
        assert_eq!(found(&home, query), ["Fix login crash"], "{query}");
    }
    for query in ["ogin", "login missing", "inbox", &task] {
        assert!(found(&home, query).is_empty(), "{query}");
    }
    assert_eq!(
        home.json(&["task", "search", "login"])["tasks"][0],
        json!({"task_id": task, "title": "Fix login crash", "project": "inbox", "status": "backlog"})
    );
}

#[test]
fn any_text_is_a_good_query() {
    let home = home();
    add(
        &home,
        &["Repair the sign-in page and (not) the NEAR column: title"],
    );
    for query in [
        "",
        "  ",
        "!!! ???",
        "-",
        "*",
        "\"",
        "'",
        "🚀",
        "nothing AND",
        "OR",
        "^x",
        "a:b",
        "{x} : y",
    ] {
        assert!(found(&home, query).is_empty(), "{query}");
    }
    for query in [
        "sign-in",
        "sign in",
        "NOT",
        "and",
        "NEAR",
        "column:",
        "(page)",
        "\"sign-in\"",
        "-page",
        "title*",
        "sign-in-page",
    ] {
        assert_eq!(found(&home, query).len(), 1, "{query}");
    }
    let long = "sign ".repeat(2000) + &"x\" OR ".repeat(2000);
    assert!(found(&home, &long).is_empty());
    let many: Vec<String> = (0..2000).map(|n| format!("w{n}-y")).collect();
    assert!(found(&home, &many.join(" ")).is_empty());
    home.fails(&["task", "search"], 2);
}

#[test]
fn hyphens_and_their_absence_find_each_other_in_queries() {
    let home = home();
    add(&home, &["Login page"]);
    add(&home, &["Log in page"]);
    assert_eq!(found(&home, "log-in").len(), 2);
    assert_eq!(found(&home, "login"), ["Login page"]);
}

#[test]
fn other_scripts_are_found_with_and_without_accents() {
    let home = home();
    let titles = [
        "Überprüfung der Städte",
        "Проверить вход",
        "日本語の検索",
        "αβγ δοκιμή",
    ];
    for title in titles {
        add(&home, &[title]);
    }
    for (query, at) in [
        ("überprüfung", 0),
        ("uberpruf", 0),
        ("STÄDTE", 0),
        ("провер", 1),
        ("日本語", 2),
        ("δοκ", 3),
        ("ΔΟΚΙΜΉ", 3),
    ] {
        assert_eq!(found(&home, query), [titles[at]], "{query}");
    }
}

#[test]
fn a_search_is_narrowed_by_project_status_and_limit() {
    let home = home();
    home.json(&["project", "create", "docs"]);
    add(&home, &["Login page", "-P", "docs"]);
    add(&home, &["Login crash", "-s", "ready"]);
    let away = add(&home, &["Login poem"]);
    home.json(&["task", "archive", &away]);
    let titles = |more: &[&str]| {
        let mut line = vec!["task", "search", "login"];
        line.extend(more);
        let found = home.json(&line);
        let titles = each(&found["tasks"], "title").into_iter().cloned();
        (titles.collect::<Vec<_>>(), found["total"].clone())
    };
    assert_eq!(titles(&[]).1, 3);
    assert_eq!(
        titles(&["-P", "docs"]),
        (vec![json!("Login page")], json!(1))
    );
    assert_eq!(
        titles(&["-s", "READY"]),
        (vec![json!("Login crash")], json!(1))
    );
    assert_eq!(titles(&["--status", "archived"]).1, 1);
    assert_eq!(titles(&["-P", "nosuch"]).1, 0);
    let (one, total) = titles(&["-l", "1"]);
    assert_eq!((one.len(), total), (1, json!(3)));
    home.fails(&["task", "search", "login", "-s", "nope"], 3);
    home.fails(&["task", "search", "login", "--limit", "0"], 3);
}

#[test]
fn the_best_match_comes_first() {
    let home = home();
    add(
        &home,
        &["Something long about the weather, a cat and other things"],
    );
    add(&home, &["Cat", "-d", "cat cat", "-t", "cat"]);
    assert_eq!(found(&home, "cat")[0], "Cat");
}

#[test]
fn what_matches_alike_comes_by_id_and_all_of_it_is_counted() {
    let home = home();
    let mut alike: Vec<String> = (0..5).map(|_| add(&home, &["Water the plants"])).collect();
    alike.sort();
    let best = add(&home, &["Plants", "-t", "plants"]);
    for narrowed in [&[][..], &["-P", "inbox", "-s", "backlog"]] {
        for (limit, of_alike) in [("1", 0), ("3", 2), ("6", 5), ("7", 5)] {
            let line = ["task", "search", "plants", "-l", limit];
            let found = home.json(&[&line, narrowed].concat());
            let expected = [std::slice::from_ref(&best), &alike[..of_alike]].concat();
            assert_eq!(
                each(&found["tasks"], "task_id"),
                expected.iter().collect::<Vec<_>>()
            );
            assert_eq!(found["total"], 6);
        }
    }
}

#[test]
fn the_index_follows_changes_deletions_and_rebuilds() {
    let home = home();
    home.json(&["project", "create", "web"]);
    let task = add(
        &home,
        &[
            "Fix login",
            "-d",
            "old words",
            "-t",
            "bug",
            "-P",
            "web",
            "-s",
            "ready",
        ],
    );
    home.json(&["task", "claim", &task]);
    home.json(&[
        "task",
        "update",
        &task,
        "--title",
        "Repair sign-in",
        "--desc",
        "",
        "--tags",
        "calm",
    ]);
    let check = || {
        for query in ["login", "old", "bug"] {
            assert!(found(&home, query).is_empty(), "{query}");
        }
        for query in ["repair", "sign-in", "calm"] {
            assert_eq!(found(&home, query), ["Repair sign-in"], "{query}");
        }
    };
    check();
    std::fs::remove_file(home.data().join("hzl/cache.db")).expect("the cache is a file");
    check();
    home.json(&["project", "delete", "web", "--delete-tasks"]);
    assert!(found(&home, "repair").is_empty());
}

#[test]
fn people_get_a_list() {
    let home = home();
    let task = add(&home, &["Fix login", "-s", "ready"]);
    add(&home, &["Login page"]);
    let md = |query: &str, limit: &str| {
        let line = ["task", "search", query, "-l", limit, "--format", "md"];
        home.hzl(&line).stdout
    };
    assert_eq!(
        md("fix", "5"),
        format!("[{}] Fix login (inbox) ready\n", &task[..8])
    );
    assert!(md("login", "1").ends_with("2 tasks in all\n"));
    assert_eq!(md("nothing", "1"), "Nothing found.\n");
}
