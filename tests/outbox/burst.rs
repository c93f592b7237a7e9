//! Many changes at once: collapsed, paced, and all applied.

use std::time::Duration;

use github_sim::SimConfig;
use serde_json::json;

use super::field::*;
use crate::{
    each_db,
    support::{AppBuilder, answers::strings},
};

const ISSUES: usize = 50;
const STATUSES: [&str; 5] = ["in-progress", "in-review", "backlog", "in-review", "ready"];

each_db! {
    async fn five_hundred_label_changes_on_fifty_issues(db) {
        let mut builder = AppBuilder { requests_per_second: 0, ..AppBuilder::default() };
        builder.engine.writes.interval = Duration::from_secs(1);
        let documented = SimConfig::default();
        assert!(documented.points_per_minute.is_some() && documented.max_concurrent.is_some(), "GitHub's limits hold");
        let app = built(builder, db, ISSUES).await;
        app.sim.reset_counters();
        let began = app.clock.now();
        let issues = app.get(&format!("/api/issues?repo={API}")).await.expect(200);
        let mut changes = 0;
        for turn in 0..10 {
            for issue in issues.as_array().expect("a list") {
                // The last word differs from issue to issue.
                let number = issue["number"].as_u64().expect("a number");
                let status = STATUSES[(turn + usize::try_from(number).expect("small")) % STATUSES.len()];
                let body = json!({ "issueId": issue["id"], "repoFullName": API, "issueNumber": number, "agentName": "coder",
                    "status": status });
                app.post("/api/issues/status", body).await.expect(200);
                changes += 1;
            }
        }
        assert_eq!(changes, 500);
        let at_once = app.sim.counters().writes;
        assert!((10..=20).contains(&at_once), "a burst of ten, and no issue's edits cut apart: {at_once}");
        let mut seconds = 0;
        while app.db.count("SELECT count(*) FROM label_edits WHERE state = 'pending'").await > 0 {
            app.advance(Duration::from_secs(1));
            publish(&app).await;
            seconds += 1;
            assert!(seconds < 1_000, "it does not come to an end");
        }
        let counters = app.sim.counters();
        let took = app.clock.now().since(began).as_secs();
        println!("500 changes: {} writes in {took} s", counters.writes);
        assert_eq!(counters.secondary_limited, 0, "GitHub's secondary limit never trips");
        assert!(counters.writes <= took + 25, "one a second: {} writes in {took} s", counters.writes);
        assert!(counters.writes <= 250, "collapsed: {}", counters.writes);
        for number in 1..=ISSUES as u64 {
            let mut want = strings(&shown(&app, number).await["labels"]);
            let mut have = there(&app, number).labels;
            want.sort();
            have.sort();
            assert_eq!(have, want, "#{number}");
            let last = STATUSES[(9 + usize::try_from(number).expect("small")) % STATUSES.len()];
            assert_eq!(have, [format!("status/{last}")], "the last wish wins");
        }
    }
}
