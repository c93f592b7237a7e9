//! How agents poll: forms, refusals, `ETag`s, and what a poll costs.

use std::time::Duration;

use serde_json::{Value, json};

use super::field::*;
use crate::{
    each_db,
    support::{App, AppBuilder, BOUND, UNBOUND, app::send},
};

async fn as_who(app: &App, token: &str, path: &str) -> crate::support::Answer {
    send(app.request("GET", path, token)).await
}

each_db! {
    async fn a_task_and_an_item_have_the_form_of_the_contract(db) {
        let app = with(db, vec![ready("Fix it").label("priority/p1").label("agent/Me")]).await;
        put(&app, 1, "local").await;
        let task = next(&app, "Me", "").await;
        assert_eq!(task["issue"], json!({
            "repoFullName": API, "number": 1, "title": "Fix it", "url": "https://github.com/acme/api/issues/1",
        }));
        assert_eq!((&task["type"], &task["shouldRun"], &task["agentName"], &task["lane"]), (&json!("implement"), &json!(true), &json!("Me"), &json!("local")));
        for text in ["instructions", "stopAfter"] {
            assert!(task[text].as_str().unwrap().contains("acme/api#1"), "{task}");
        }
        assert_eq!(task["forbiddenActions"].as_array().unwrap().len(), 3);
        let items = queue(&app, "me", "").await;
        assert_eq!(items, [json!({
            "type": "issue",
            "number": 1,
            "title": "Fix it",
            "url": "https://github.com/acme/api/issues/1",
            "labels": ["status/ready", "priority/p1", "agent/Me"],
            "priority": "priority/p1",
            "status": "status/ready",
            "agentMatch": true,
            "rankingReason": "priority/p1, agent/me, ready",
            "lane": "local",
            "decomposed": false,
            "issueId": id_of(&app, API, 1).await,
            "repoFullName": API,
            "claimable": true,
            "blockedBy": [],
            "dependencyBlockReason": "",
            "linkedPrHealth": {
                "number": null, "url": null, "needsFollowup": null, "followupReasons": [], "reviewDecision": null,
                "mergeState": null, "checkedAt": null,
            },
        })]);
    }

    async fn who_may_poll_for_whom(db) {
        let app = with(db, vec![ready("a")]).await;
        for route in ["next-task", "queue", "work-summary"] {
            as_who(&app, BOUND, &format!("/api/agents/bound/{route}")).await.expect(200);
            as_who(&app, BOUND, &format!("/api/agents/BOUND/{route}")).await.expect(200);
            let refused = as_who(&app, BOUND, &format!("/api/agents/other/{route}")).await.expect(403);
            assert_eq!(refused["error"], "Worker token is bound to agent \"bound\" and may not act for \"other\"");
            app.get(&format!("/api/agents/{}/{route}", "a".repeat(45))).await.expect(400);
        }
        assert_eq!(as_who(&app, UNBOUND, "/api/agents/any/next-task").await.expect(403)["code"], "unbound_token");
        as_who(&app, UNBOUND, "/api/agents/any/queue").await.expect(200);
        let denied = "SELECT count(*) FROM audit_log WHERE action = 'worker_scope_denied' AND success = FALSE";
        assert!(app.db.count(denied).await >= 4);
    }

    async fn grooming_is_no_task_any_more(db) {
        let app = with(db, vec![ready("a")]).await;
        for token in [BOUND, UNBOUND, crate::support::MAINTAINER] {
            let gone = as_who(&app, token, "/api/agents/other/next-task?mode=groom&lane=nope").await.expect(410);
            assert!(gone["error"].as_str().unwrap().contains("POST /api/groomer/run"), "{gone}");
        }
        let nobody = as_who(&app, "wrong", "/api/agents/other/next-task?mode=groom").await;
        nobody.expect(401);
        assert_eq!(next_number(&app, "other", "?mode=implement").await, Some(1));
    }

    async fn an_answer_that_is_known_is_not_sent_again(db) {
        let app = with(db, vec![ready("a"), ready("b")]).await;
        for path in ["/api/agents/me/next-task", "/api/agents/me/queue", "/api/agents/me/queue?includeClaimed=true"] {
            let first = poll(&app, path, None).await;
            first.expect(200);
            let tag = first.header("etag").unwrap().to_owned();
            let again = poll(&app, path, Some(&tag)).await;
            assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", Some(tag.as_str())), "{path}");
            assert_eq!(poll(&app, path, Some("\"other\"")).await.status, 200);
            assert_eq!(poll(&app, path, Some(&format!("\"x\", {tag}"))).await.status, 304);
        }
        let tag = poll(&app, "/api/agents/me/next-task", None).await.header("etag").unwrap().to_owned();
        app.sim.repo(API).set_title(2, "not the first");
        app.next_beat("loader").await;
        assert_eq!(poll(&app, "/api/agents/me/next-task", Some(&tag)).await.status, 304, "the task is the same");
        app.sim.repo(API).set_title(1, "changed");
        app.next_beat("loader").await;
        assert_eq!(poll(&app, "/api/agents/me/next-task", Some(&tag)).await.expect(200)["issue"]["title"], "changed");
        claim(&app, 1, "other").await;
        let task = poll(&app, "/api/agents/me/next-task", Some(&tag)).await.expect(200);
        assert_eq!(task["issue"]["number"], 2);
        app.sim.repo(API).close_issue(2);
        app.next_beat("loader").await;
        let idle = poll(&app, "/api/agents/me/next-task", Some(&tag)).await;
        assert_eq!(idle.expect(200)["type"], "idle");
        let tag = idle.header("etag").unwrap().to_owned();
        assert_eq!(poll(&app, "/api/agents/me/next-task", Some(&tag)).await.status, 304);
    }

    async fn what_is_asked_again_is_answered_again_to_the_same_caller_only(db) {
        let app = built(AppBuilder { requests_per_second: 1, ..AppBuilder::default() }, db, vec![]).await;
        let ask = |token: &'static str, tag: &str| {
            let request = app.request("GET", "/api/agents/bound/next-task", token);
            send(request.header("if-none-match", tag.to_owned()))
        };
        let tag = ask(BOUND, "none").await.header("etag").expect("a tag").to_owned();
        let first = ask(BOUND, &tag).await;
        let before = app.engine.db().statements();
        let again = ask(BOUND, &tag).await;
        if !app.db.is_postgres() {
            assert_eq!(app.engine.db().statements(), before, "from memory");
        }
        for name in ["etag", "cache-control"] {
            assert!(again.header(name).is_some() && again.header(name) == first.header(name), "{name}");
        }
        assert_ne!(again.header("x-request-id").expect("a name"), first.header("x-request-id").expect("a name"));
        assert_eq!((first.status, again.status, again.text.as_str()), (304, 304, ""));
        assert_eq!((ask("wrong", &tag).await.status, ask(UNBOUND, &tag).await.status), (401, 403));
        let mut answers = Vec::new();
        while answers.last() != Some(&429) && answers.len() < 1_000 {
            answers.push(ask(BOUND, &tag).await.status);
        }
        assert!(answers.len() > 10 && answers.pop() == Some(429) && answers.iter().all(|status| *status == 304), "{answers:?}");
        app.advance(Duration::from_mins(2));
        assert_eq!(ask(BOUND, &tag).await.status, 304, "asked anew");
        app.sim.repo(API).open_issue(ready("a"));
        app.next_beat("loader").await;
        assert_eq!(ask(BOUND, &tag).await.expect(200)["type"], "implement");
    }

    async fn a_poll_costs_the_same_whatever_there_is_and_writes_nothing(db) {
        let app = with(db, vec![ready("first").label("priority/p0")]).await;
        let cost = async |app: &App, path: &str| {
            let before = app.engine.db().statements();
            app.get(path).await.expect(200);
            app.engine.db().statements() - before
        };
        let paths = ["/api/agents/me/next-task", "/api/agents/me/next-task?lane=local", "/api/agents/me/queue"];
        let mut few = Vec::new();
        for path in paths {
            few.push(cost(&app, path).await);
        }
        assert_eq!(few[0], 2, "one statement for pull requests, one that finds the heads of all classes");
        for n in 0..300 {
            let issue = ready(&format!("Issue {n}")).label(format!("priority/p{}", n % 4)).body("blocked by #1");
            app.sim.repo(API).open_issue(if n % 2 == 0 { issue } else { issue.label("agent/me") });
        }
        app.next_beat("loader").await;
        let rows = app.db.count("SELECT count(*) FROM audit_log").await + app.db.count("SELECT count(*) FROM runs").await;
        for (path, few) in paths.iter().zip(few) {
            let many = cost(&app, path).await;
            println!("{path}: {many} statements");
            assert_eq!(many, few, "{path}");
        }
        // What was answered a moment ago holds while an embedded database says that nothing was written; else it is one
        // statement for pull requests, and one that finds the heads of all classes.
        let again = if app.db.is_postgres() { 2 } else { 0 };
        assert_eq!(cost(&app, paths[0]).await, again);
        let after = app.db.count("SELECT count(*) FROM audit_log").await + app.db.count("SELECT count(*) FROM runs").await;
        assert_eq!(rows, after);
    }

    async fn pages_follow_one_another_in_the_order_of_the_first(db) {
        let app = with(db, vec![]).await;
        for n in 0..40 {
            let issue = ready(&format!("Issue {n}"));
            let issue = if n % 5 < 4 { issue.label(format!("priority/p{}", n * 7 % 4)) } else { issue };
            app.sim.repo(API).open_issue(match n % 3 {
                0 => issue.label("agent/me"),
                1 => issue.label("agent/other"),
                _ => issue,
            });
            app.advance(Duration::from_hours(20));
        }
        app.beat("loader").await;
        for query in ["", "&includeClaimed=true", "&lane=local"] {
            let whole = numbers(&app, "me", &format!("?limit=1000{query}")).await;
            for limit in [1, 7, 40] {
                let (mut path, mut paged) = (format!("/api/agents/me/queue?limit={limit}{query}"), Vec::new());
                loop {
                    let page = app.get(&path).await;
                    let items = page.expect(200);
                    let items = items.as_array().expect("a bare array");
                    assert!(items.len() <= limit, "{path}");
                    paged.extend(items.iter().map(|item| item["number"].as_i64().expect("a number")));
                    let Some(link) = page.header("link") else { break };
                    path = link.split(['<', '>']).nth(1).expect("an address").to_owned();
                    let cursor = page.header("x-next-cursor").expect("a cursor");
                    assert!(path.contains("cursor=") && cursor.split('~').count() == 5, "{path}");
                    // Waiting raises what comes later; the pages keep the order that they began with.
                    app.advance(Duration::from_hours(1));
                }
                assert_eq!(paged, whole, "{query}, {limit} at a time");
                app.clock.set(app.clock.now().minus(Duration::from_hours(paged.len().div_ceil(limit) as u64 - 1)));
            }
        }
        let refused = app.get("/api/agents/me/queue?cursor=1~2").await.expect(400);
        assert_eq!(refused["field"], "cursor");
        let page = app.get("/api/agents/me/queue?limit=3").await;
        let tag = page.header("etag").expect("a tag").to_owned();
        let again = poll(&app, "/api/agents/me/queue?limit=3", Some(&tag)).await;
        assert_eq!((again.status, again.header("link")), (304, None));
    }

    async fn the_whole_queue_is_bounded(db) {
        let mut builder = AppBuilder { points_per_minute: 0, ..Default::default() };
        builder.sim = builder.sim.without_limits();
        let issues = (0..1_010).map(|n| ready(&format!("Issue {n}"))).collect();
        let app = built(builder, db, issues).await;
        let all = numbers(&app, "me", "").await;
        assert_eq!((all.len(), all[0], all[999]), (1_000, 1, 1_000));
        assert_eq!(numbers(&app, "me", "?limit=5000").await.len(), 1_000);
        let next = app.get("/api/agents/me/queue").await.header("x-next-cursor").expect("there is more").to_owned();
        assert_eq!(numbers(&app, "me", &format!("?cursor={next}")).await, (1_001..=1_010).collect::<Vec<i64>>());
        assert_eq!(numbers(&app, "me", "?includeClaimed=true&limit=3").await, [1, 2, 3]);
        let why = why(&app, 1_005, "?agent=me").await;
        assert_eq!((&why["served"], why.get("place")), (&json!(true), None::<&Value>));
    }
}
