//! `dispatch audit`: filters, and exports of any length.

use serde_json::Value;

use crate::{
    assert_says, err, home, out, run,
    support::{App, MAINTAINER, TestDb},
};

const ROWS: usize = 2_345;

async fn filled() -> App {
    let app = App::with_repos(TestDb::sqlite().await, &["acme/api"]).await;
    app.db
        .sql(&format!(
            "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < {ROWS})
             INSERT INTO audit_log (id, at, actor, actor_key, agent, agent_key, action, repo, repo_key, before, after, success, notes)
             SELECT 'a-' || n, n / 10, '=cmd' || n, '=cmd' || n, 'coder', 'coder',
                CASE WHEN n % 2 = 0 THEN 'set_lane' ELSE 'set_status' END, 'acme/api', 'acme/api', '[\"x\"]', '[]', TRUE,
                'a \"note\", on two' || char(10) || 'lines' FROM g"
        ))
        .await;
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_every_row_once_in_order() {
    let (home, app) = (home(), filled().await);
    let url = app.url("");
    let environment = [("DISPATCH_URL", url.as_str()), ("DISPATCH_AGENT_TOKEN", MAINTAINER)];
    let jsonl = run(home.path(), &environment, &["audit", "--jsonl"]).await;
    assert!(jsonl.status.success() && err(&jsonl).is_empty(), "{}", err(&jsonl));
    let rows: Vec<Value> =
        out(&jsonl).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.len(), ROWS);
    let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().expect("an id")).collect();
    let mut sorted: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| (row["createdAt"].as_str().expect("a time"), row["id"].as_str().expect("an id")))
        .collect();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.reverse();
    assert_eq!(ids, sorted.into_iter().map(|(_, id)| id).collect::<Vec<_>>());

    let csv = run(home.path(), &environment, &["audit", "--csv"]).await;
    assert!(csv.status.success(), "{}", err(&csv));
    let text = out(&csv);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(
        reader.headers().expect("a head").iter().take(3).collect::<Vec<_>>(),
        ["createdAt", "id", "actor"]
    );
    let records: Vec<csv::StringRecord> = reader.records().map(|record| record.expect("a record")).collect();
    assert_eq!(records.iter().map(|record| &record[1]).collect::<Vec<_>>(), ids);
    assert!(records.iter().all(|record| record[2].starts_with("'=cmd")), "no cell is a formula");
    assert!(records.iter().all(|record| &record[13] == "a \"note\", on two\nlines"));

    let lanes =
        run(home.path(), &environment, &["audit", "--csv", "--action", "set_lane", "--agent", "CODER"]).await;
    assert_eq!(csv::Reader::from_reader(out(&lanes).as_bytes()).records().count(), ROWS / 2);
    let none = run(home.path(), &environment, &["audit", "--csv", "--actor", "nobody"]).await;
    assert_eq!(out(&none).lines().count(), 1, "the head alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_handed_on_and_mistakes_are_named() {
    let (home, app) = (home(), filled().await);
    let url = app.url("");
    let environment = [("DISPATCH_URL", url.as_str()), ("DISPATCH_AGENT_TOKEN", MAINTAINER)];
    let of_time =
        ["audit", "--from", "1970-01-01", "--to", "1970-01-01T00:00:00.010Z", "--json", "--limit", "1000"];
    let rows: Value =
        serde_json::from_str(&out(&run(home.path(), &environment, &of_time).await)).expect("JSON");
    assert_eq!(rows.as_array().map(Vec::len), Some(99));
    let nothing = run(home.path(), &environment, &["audit", "--issue", "acme/api#7"]).await;
    assert_eq!(out(&nothing), "nothing is recorded that matches\n");
    for (wrong, says) in [
        (&["audit", "--from", "yesterday"][..], "write a day such as"),
        (&["audit", "--csv", "--jsonl"], "--jsonl"),
        (&["audit", "--csv", "--limit", "5"], "--limit"),
        (&["audit", "--issue", "7"], "owner/name#7"),
        (&["audit", "--action", "Claim"], "action must be a name"),
    ] {
        assert_says(&run(home.path(), &environment, wrong).await, says);
    }
}
