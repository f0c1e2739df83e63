//! Hooks go where the settings say and nowhere else, whatever is in titles, replies and the DNS.

use std::fs;

use hzl_testkit::home::Home;
use hzl_testkit::stub::Stub;
use serde_json::Value;
use serde_json::json;

fn machine(hooks: &Value) -> Home {
    let home = crate::home();
    home.write(
        "config/hzl/config.json",
        json!({ "hooks": hooks }).to_string(),
    );
    home
}

/// Tests a hook to this address and returns what is said about it; `None` if it was delivered.
fn tested(url: &str, allow: &Value) -> Option<String> {
    let home = machine(&json!({"on_done": {"url": url}, "allowPrivate": allow}));
    let run = home.hzl(&["hook", "test"]);
    let answer: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run}"));
    if run.exit == 0 {
        assert_eq!(answer["hooks"][0]["delivered"], true, "{run}");
        return None;
    }
    let said = &answer["hooks"][0]["error"];
    let said = if said.is_null() {
        &answer["error"]["message"]
    } else {
        said
    };
    Some(said.as_str().unwrap_or_else(|| panic!("{run}")).to_owned())
}

/// Addresses that no hook may be sent to, whatever the settings say.
const NEVER: [&str; 40] = [
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254:80/",
    "http://169.254.170.2/v2/credentials",
    "http://user:pass@169.254.169.254/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[febf::1]/",
    "http://[fd00:ec2::254]/latest/",
    "http://100.100.100.200/latest/",
    "http://168.63.129.16/machine",
    "http://0.0.0.0:PORT/",
    "http://0:PORT/",
    "http://[::]:PORT/",
    "http://0.1.2.3/",
    "http://224.0.0.1/",
    "http://239.255.255.250:1900/",
    "http://255.255.255.255/",
    "http://240.0.0.1/",
    "http://[ff02::1]/",
    "http://127.1:PORT/",
    "http://127.0.1:PORT/",
    "http://0x7f.1:PORT/",
    "http://0x7f000001:PORT/",
    "http://0x7F.0.0.0x1:PORT/",
    "http://0177.0.0.1:PORT/",
    "http://017700000001:PORT/",
    "http://2130706433:PORT/",
    "http://127.0.0.1.:PORT/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://169.16689662/",
    "http://%31%32%37.0.0.1:PORT/",
    "http://１２７.０.０.１:PORT/",
    "http:///127.0.0.1:PORT/",
    "http://127.0.0.1:PORT\\@example.org/",
];

#[test]
fn forty_forms_of_addresses_that_no_hook_is_sent_to() {
    let stub = Stub::http(200, &[], "");
    let port = stub.url().rsplit(':').next().expect("a port").to_owned();
    for form in NEVER {
        let url = form.replace("PORT", &port);
        for allow in [json!(null), json!(true)] {
            let said = tested(&url, &allow).unwrap_or_else(|| panic!("{url} was called"));
            let known = [
                "not an address that hooks may",
                "unusual form",
                "malformed",
                "not an http",
            ];
            assert!(
                known.iter().any(|known| said.contains(known)),
                "{url}: {said}"
            );
        }
    }
    assert_eq!(stub.requests(), Vec::<String>::new());
}

#[test]
fn this_machine_is_called_by_its_name_unless_the_settings_forbid_it() {
    let stub = Stub::http(200, &[], "");
    let by_name = stub.url().replace("127.0.0.1", "localhost");
    let mapped = stub.url().replace("127.0.0.1", "[::ffff:127.0.0.1]");
    for url in [stub.url(), by_name, mapped] {
        for allow in [json!(null), json!(true)] {
            assert_eq!(tested(&url, &allow), None, "{url}");
        }
        let said = tested(&url, &json!(false)).unwrap_or_else(|| panic!("{url} was called"));
        assert!(
            said.contains("hooks.allowPrivate is false"),
            "{url}: {said}"
        );
    }
    assert_eq!(stub.requests().len(), 6);
}

/// The name is public, and the file of hosts leads it into this machine.
#[test]
fn a_public_name_that_leads_inside_is_not_called() {
    let stub = Stub::http(200, &[], "");
    let url = stub.url().replace("127.0.0.1", "hooks.example.org");
    for (allow, delivered) in [
        (json!(null), false),
        (json!(false), false),
        (json!(true), true),
    ] {
        let hooks = json!({"on_done": {"url": url}, "allowPrivate": allow});
        let shell = Home::new("/bin/sh").env("HZL", crate::binary());
        shell.write(
            "config/hzl/config.json",
            json!({ "hooks": hooks }).to_string(),
        );
        shell.write("hosts", "127.0.0.1 hooks.example.org\n");
        let script = "mount --bind hosts /etc/hosts && exec \"$HZL\" hook test";
        let run = crate::apart(&shell, &["--mount"], script).run();
        assert!(run.stdout.contains("hooks"), "{run}");
        assert_eq!(run.exit == 0, delivered, "{run}");
        if !delivered {
            assert!(run.stdout.contains("allowPrivate"), "{run}");
        }
    }
    assert_eq!(stub.requests().len(), 1);
}

#[test]
fn titles_and_texts_are_data_for_a_hook() {
    let stub = Stub::http(200, &[], "");
    let hook = json!({"url": stub.url()});
    let home = machine(&json!({"on_created": hook, "on_comment": hook}));
    let titles = [
        "$(touch made-by-hook)",
        "`touch made-by-hook`",
        "; touch made-by-hook;",
        "| touch made-by-hook",
        "--url=http://192.0.2.1/",
        "\"}, \"trigger\": \"forged",
        "a\nX-Injected: yes\n\nPOST /forged HTTP/1.1",
        "a\r\nX-Injected: yes\r\n\r\n",
    ];
    let mut sent = 0;
    for title in titles {
        let line = ["task", "add", "--comment", title, "--", title];
        let run = home.hzl(&line);
        // A title with a line break is refused, a comment may have one.
        let added = if run.exit == 0 {
            run.json()
        } else {
            home.json(&["task", "add", "T", "--comment", title])
        };
        assert!(added["task_id"].is_string(), "{added}");
        home.json(&["hook", "drain"]);
        let requests = stub.requests();
        for request in &requests[sent..] {
            let (head, body) = request.split_once("\r\n\r\n").expect("an HTTP request");
            assert!(
                head.starts_with("POST / HTTP/1.1\r\n") && !head.contains("Injected"),
                "{request}"
            );
            let body: Value = serde_json::from_str(body).expect("one JSON document");
            assert!(
                ["on_created", "on_comment"]
                    .contains(&body["trigger"].as_str().unwrap_or_default())
            );
        }
        assert!(requests.len() > sent);
        sent = requests.len();
    }
    let made = fs::read_dir(home.path())
        .expect("a directory")
        .any(|entry| entry.expect("an entry").file_name() == "made-by-hook");
    assert!(!made);
}
