//! The order of the queue.

use std::time::Duration;

use github_sim::NewIssue;

use super::field::*;
use crate::{
    each_db,
    support::{AppBuilder, START_MS},
};

const DAY: Duration = Duration::from_hours(24);
const DAY_S: i64 = 86_400;

fn made(title: &str, days_ago: i64) -> NewIssue {
    let at = START_MS / 1_000 - days_ago * DAY_S;
    ready(title).created_at(at).updated_at(at)
}

each_db! {
    async fn priority_before_agent_before_status_before_age(db) {
        let progress = |title: &str| NewIssue::new(title).label("status/in-progress");
        let issues = vec![
            ready("no priority"),
            ready("p1").label("priority/p1"),
            progress("p1 in progress").label("priority/p1"),
            ready("mine, p1").label("priority/p1").label("agent/me"),
            ready("p0").label("priority/p0"),
            ready("p1 too").label("priority/p1"),
            progress("in progress, no priority"),
            ready("mine, p3").label("priority/p3").label("agent/me"),
        ];
        let app = with(db, issues).await;
        let items = queue(&app, "me", "").await;
        let order: Vec<_> = items.iter().map(|item| item["number"].as_i64().unwrap()).collect();
        assert_eq!(order, [5, 4, 3, 2, 6, 8, 7, 1]);
        let reasons: Vec<_> = items.iter().map(|item| item["rankingReason"].as_str().unwrap()).collect();
        assert_eq!(reasons[..3], ["priority/p0, ready", "priority/p1, agent/me, ready", "priority/p1, in-progress"]);
        assert_eq!(next_number(&app, "me", "").await, Some(5));
        assert_eq!(next_number(&app, "other", "").await, Some(5));
    }

    async fn ties_go_to_the_older_issue(db) {
        let app = with(db, vec![made("new", 1), made("old", 3), made("old too", 3), made("older", 4)]).await;
        assert_eq!(numbers(&app, "me", "").await, [4, 2, 3, 1]);
        assert_eq!(next_number(&app, "me", "").await, Some(4));
    }

    async fn waiting_raises_an_issue(db) {
        let issues = vec![made("p2", 0).label("priority/p2"), made("p3", 6).label("priority/p3"), made("none", 0)];
        let app = with(db, issues).await;
        assert_eq!(numbers(&app, "me", "").await, [1, 2, 3]);
        app.advance(DAY);
        // 7 days: p3 counts as p2, and is older.
        let items = queue(&app, "me", "").await;
        assert_eq!(items[0]["rankingReason"], "priority/p3, ready, aged 7d (+1 tier)");
        assert_eq!(next_number(&app, "me", "").await, Some(2));
        app.advance(DAY * 700);
        let items = queue(&app, "me", "").await;
        let all: Vec<_> = items.iter().map(|item| item["rankingReason"].as_str().unwrap()).collect();
        // Nothing climbs above p1, so p2 and p3 meet there; two tiers are the most.
        assert_eq!(all, [
            "priority/p3, ready, aged 707d (+2 tiers)",
            "priority/p2, ready, aged 701d (+1 tier)",
            "ready, aged 701d (+2 tiers)",
        ]);
        assert_eq!(next_number(&app, "me", "").await, Some(2));
    }

    async fn aging_can_be_turned_off(db) {
        let mut builder = AppBuilder::default();
        builder.engine.aging.max_tiers = 0;
        let app = built(builder, db, vec![made("none", 400), made("p3", 0).label("priority/p3")]).await;
        assert_eq!(numbers(&app, "me", "").await, [2, 1]);
    }

    async fn a_limit_cuts_the_end(db) {
        let issues = (1..=8).map(|n| ready(&format!("Issue {n}")).label(format!("priority/p{}", n % 4))).collect();
        let app = with(db, issues).await;
        let all = numbers(&app, "me", "").await;
        assert_eq!(all.len(), 8);
        for limit in 1..=8 {
            let query = format!("?limit={limit}");
            assert_eq!(numbers(&app, "me", &query).await, all[..limit]);
            assert_eq!(numbers(&app, "me", &format!("{query}&includeClaimed=true")).await, all[..limit]);
        }
        for bad in ["0", "-1", "x"] {
            let refused = app.get(&format!("/api/agents/me/queue?limit={bad}")).await.expect(400);
            assert_eq!(refused["field"], "limit");
        }
    }
}
