//! What is told of what changes.

use std::collections::BTreeSet;

use github_sim::NewIssue;
use serde_json::{Value, json};

use crate::{
    API, WEB, each_db,
    ear::{Ear, Heard},
    support::{App, AppBuilder, MAINTAINER, app::send},
};

#[track_caller]
fn last(heard: &[Heard]) -> &Value {
    &heard.last().expect("an event").data
}

async fn issue_id(app: &App, number: i64) -> String {
    let issues = app.get(&format!("/api/issues?repo={API}")).await.expect(200);
    let issue = issues.as_array().expect("a list").iter().find(|issue| issue["number"] == number);
    issue.expect("the issue")["id"].as_str().expect("an id").to_owned()
}

each_db! {
    async fn a_repository_is_heard_by_the_name_that_it_had(db) {
        let app = App::with_repos(db, &[API]).await;
        app.beat("coder").await;
        let query = format!("kind=issue&repo={API}");
        let (mut before, _) = Ear::open(&app, &query).await;
        app.sim.repo(API).rename("acme/core");
        app.sim.repo("acme/core").open_issue("One");
        app.next_beat("coder").await;
        let (mut after, _) = Ear::open(&app, &query).await;
        app.sim.repo("acme/core").open_issue("Two");
        app.next_beat("coder").await;
        for ear in [&mut before, &mut after] {
            let heard = ear.until("the second issue", |heard| heard.data["number"] == 2).await;
            assert_eq!(last(&heard)["repo"], "acme/core");
        }
    }

    async fn every_kind_of_change_is_told_with_what_it_takes_to_read_it(db) {
        let app = App::with_repos(db, &[API]).await;
        let (mut ear, first) = Ear::open(&app, "").await;
        assert_eq!((first.name.as_str(), &first.data), ("ready", &json!({})));
        app.post("/api/automation/repos", json!({ "fullName": WEB })).await.expect(201);
        let repo = ear.until("repository", |heard| heard.data["repo"] == WEB).await;
        assert_eq!(last(&repo)["kind"], "repository");

        app.sim.repo(API).open_issue("Do not tell this");
        let beat = app.beat("coder").await;
        let run = ear.until("run", |heard| heard.data["id"] == beat["runId"]).await;
        assert_eq!((&last(&run)["kind"], &last(&run)["agent"]), (&json!("run"), &json!("coder")));
        let id = issue_id(&app, 1).await;
        let names: BTreeSet<String> = last(&run).as_object().unwrap().keys().cloned().collect();
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), ["agent", "id", "issueId", "kind", "number", "repo"]);
        let (mut ear, _) = Ear::back(&app, "", &ear.last).await;

        app.tick();
        app.sim.repo(API).set_title(1, "Do not tell this either");
        app.beat("coder").await;
        let issue = ear.until("issue", |heard| heard.data["id"] == id.as_str() && heard.name == "issue").await;
        assert_eq!(
            last(&issue),
            &json!({ "kind": "issue", "id": id, "repo": API, "number": 1, "issueId": id, "agent": null })
        );

        let body = json!({ "issueId": id, "repoFullName": API, "issueNumber": 1, "agentName": "coder" });
        app.post("/api/issues/claim", body).await.expect(200);
        let (mut claims, _) = Ear::back(&app, "kind=claim", &ear.last).await;
        let claim = claims.until_kind("claim").await;
        assert_eq!((&last(&claim)["repo"], &last(&claim)["number"]), (&json!(API), &json!(1)));
        assert_eq!((&last(&claim)["agent"], &last(&claim)["issueId"]), (&json!("coder"), &json!(id)));
        let (mut outbox, _) = Ear::back(&app, "kind=outbox", &ear.last).await;
        let edit = outbox.until_kind("outbox").await;
        assert_eq!((&last(&edit)["repo"], &last(&edit)["issueId"]), (&json!(API), &json!(id)));
        let heard = format!("{repo:?}{run:?}{issue:?}{claim:?}{edit:?}");
        assert!(!heard.contains("Do not tell"), "{heard}");
    }

    async fn a_first_sync_of_ten_thousand_issues_is_a_few_hints(db) {
        let mut builder = AppBuilder { points_per_minute: 0, repos: vec![API.to_owned()], ..AppBuilder::default() };
        builder.sim = builder.sim.without_limits();
        let (sim, clock) = builder.simulator().await;
        sim.create_repo(API).seed(10_000, |n| NewIssue::new(format!("Issue {n}")));
        let app = builder.start_with(db.into(), sim, clock).await;
        let (mut ear, _) = Ear::open(&app, "kind=issue,run").await;
        app.beat("coder").await;
        while app.db.count("SELECT count(*) FROM issues").await < 10_000 {
            app.next_beat("coder").await;
        }
        let run = json!({ "agentName": "coder", "runType": "end", "status": "ok", "startedAt": "2026-01-01T00:00:00Z" });
        let end = app.post("/api/agent-runs", run).await.expect(201);
        let heard = ear.until("the end", |heard| heard.data["id"] == end["id"]).await;
        let of_repo = heard.iter().filter(|heard| heard.name == "issue" && heard.data["id"].is_null()).count();
        let single = heard.iter().filter(|heard| heard.name == "issue").count() - of_repo;
        println!("10 000 issues: {} events, {of_repo} of them for many issues, {single} for one", heard.len());
        assert!(of_repo >= 1);
        assert!(heard.len() < 1_000, "{}", heard.len());
    }

    async fn a_change_that_is_taken_back_is_not_told(db) {
        let app = App::with_repos(db, &[API]).await;
        let mut tx = app.engine.db().write().await.unwrap();
        let repo = dispatch::store::repos::list_all(&mut tx).await.unwrap()[0].id.clone();
        dispatch::store::repos::untrack(&mut tx, &repo, app.clock.now()).await.unwrap();
        app.engine.db().feed().take();
        tx.rollback().await.unwrap();
        assert!(app.engine.db().feed().take().is_empty());
        let mut tx = app.engine.db().write().await.unwrap();
        dispatch::store::repos::untrack(&mut tx, &repo, app.clock.now()).await.unwrap();
        assert!(app.engine.db().feed().take().is_empty(), "it is not committed yet");
        tx.commit().await.unwrap();
        assert_eq!(app.engine.db().feed().take().len(), 1);
    }

    async fn nobody_listening_costs_no_statement(db) {
        let app = App::with_repos(db, &[API]).await;
        app.next_beat("coder").await;
        let price = async || {
            app.tick();
            let before = app.engine.db().statements();
            app.beat("coder").await;
            app.engine.db().statements() - before
        };
        let before = price().await;
        let (mut ear, _) = Ear::open(&app, "kind=run").await;
        app.next_beat("coder").await;
        ear.until_kind("run").await;
        drop(ear);
        while app.engine.events().listeners() > 0 {
            tokio::task::yield_now().await;
        }
        // What was looked up for the listener may still be under way.
        price().await;
        assert_eq!(price().await, before);
    }

    async fn filters_leave_out_what_is_not_wanted(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        let (mut of_web, _) = Ear::open(&app, "repo=ACME/Web&kind=issue").await;
        let (mut of_coder, _) = Ear::open(&app, "agent=CODER&kind=run").await;
        app.sim.repo(API).open_issue("One");
        app.sim.repo(WEB).open_issue("Two");
        app.beat("other").await;
        let beat = app.beat("coder").await;
        let heard = of_web.until("issue", |heard| heard.data["repo"] == WEB).await;
        assert!(heard.iter().all(|heard| heard.data["repo"] != API), "{heard:?}");
        let heard = of_coder.until("run", |heard| heard.data["id"] == beat["runId"]).await;
        assert!(heard.iter().all(|heard| heard.data["agent"] != "other"), "{heard:?}");
    }

    async fn filters_that_cannot_be_are_refused_by_name(db) {
        let app = App::with_repos(db, &[API]).await;
        for (query, field) in [
            ("kind=issues", "kind"),
            ("kind=issue,", "kind"),
            ("kind=issue,%00", "kind"),
            ("repo=acme", "repo"),
            ("agent=a%20b", "agent"),
        ] {
            assert_eq!(app.get(&format!("/api/events?{query}")).await.expect(400)["field"], field, "{query}");
        }
        assert_eq!(app.engine.events().listeners(), 0);
    }

    async fn events_are_not_kept_back_by_compression(db) {
        let app = App::with_repos(db, &[API]).await;
        let request = app.request("GET", "/api/events", MAINTAINER).header("accept-encoding", "gzip");
        let answer = send(request).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, None));
        assert_eq!(answer.header("x-accel-buffering"), Some("no"));
        assert!(answer.text.contains("event: ready") && answer.text.contains("retry: 2000"), "{}", answer.text);
    }
}
