//! Heartbeats that find things in order: the shape of the answer, and every kind of change at GitHub.

mod support;

use github_sim::{Match, NewIssue};
use serde_json::json;
use support::{App, AppBuilder, MAINTAINER, answers::strings, app::send, world};

const API: &str = "acme/api";
const WEB: &str = "acme/web";

/// What is done to a repository, and which issues that touches.
type Step = (&'static str, fn(&github_sim::Repo), Vec<u64>);

fn touched(beat: &serde_json::Value) -> Vec<String> {
    strings(&beat["touchedIssueUrls"])
}

fn url(repo: &str, number: u64) -> String {
    format!("https://github.com/{repo}/issues/{number}")
}

each_db! {
    async fn the_answer_has_its_fields_in_their_order(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        app.sim.repo(API).open_issue("One");
        let request = app.request("POST", "/api/agents/coder/heartbeat", MAINTAINER);
        let answer = send(request).await;
        let body = answer.expect(200);
        let names = [
            "status", "agentName", "startedAt", "finishedAt", "summary", "warnings", "errors",
            "touchedIssueUrls", "runId", "nextHeartbeatAt",
        ];
        let places: Vec<_> = names.iter().map(|name| answer.text.find(&format!("\"{name}\":")).unwrap()).collect();
        assert!(places.is_sorted(), "{}", answer.text);
        assert_eq!(body.as_object().unwrap().len(), names.len());
        assert_eq!(body["status"], "ok");
        assert_eq!(body["agentName"], "coder");
        assert_eq!(body["startedAt"], "2026-01-01T00:00:00.000Z");
        assert_eq!(body["finishedAt"], "2026-01-01T00:00:00.000Z");
        assert_eq!(
            body["summary"],
            "2 repositories: 1 unchanged, 1 changed, 0 failed; 1 issue touched; 0 claims recovered; 0 writes sent, 0 pending"
        );
        assert_eq!(body["warnings"], json!([]));
        assert_eq!(body["errors"], json!([]));
        assert_eq!(touched(&body), [url(API, 1)]);
        let next = body["nextHeartbeatAt"].as_str().unwrap();
        assert!(("2026-01-01T00:00:51.000Z"..="2026-01-01T00:01:09.000Z").contains(&next), "{next}");
    }

    async fn an_unchanged_world_costs_nothing(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        app.sim.repo(API).open_issue("One");
        app.beat("coder").await;
        app.sim.reset_counters();
        let beat = app.next_beat("coder").await;
        assert_eq!(touched(&beat), Vec::<String>::new());
        let counters = app.sim.counters();
        assert_eq!((counters.requests, counters.not_modified, counters.quota_spent), (2, 2, 0));
    }

    async fn every_kind_of_change_is_seen_and_touches_its_issue(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        let api = app.sim.repo(API);
        for n in 1..=5 {
            api.open_issue(NewIssue::new(format!("Issue {n}")).label("status/ready"));
        }
        app.beat("coder").await;
        world::assert_same(&app, API).await;
        let steps: [Step; 9] = [
            ("created", |api| _ = api.open_issue("Six"), vec![6]),
            ("edited", |api| api.set_title(1, "Another title"), vec![1]),
            ("body", |api| api.set_body(2, "More words"), vec![2]),
            ("relabelled", |api| { api.add_label(3, "priority/p1"); api.remove_label(3, "status/ready"); }, vec![3]),
            ("assigned", |api| api.assign(4, "mona"), vec![4]),
            ("commented", |api| _ = api.comment(5, "mona", "Hm."), vec![5]),
            ("closed", |api| api.close_issue(1), vec![1]),
            ("reopened", |api| api.reopen_issue(1), vec![1]),
            ("deleted", |api| api.delete_issue(2), vec![2]),
        ];
        for (what, change, numbers) in steps {
            app.tick();
            change(&api);
            let beat = app.next_beat("coder").await;
            assert_eq!(beat["status"], "ok", "{what}: {beat}");
            let want: Vec<_> = numbers.into_iter().map(|number| url(API, number)).collect();
            assert_eq!(touched(&beat), want, "{what}");
            world::assert_same(&app, API).await;
        }
        app.tick();
        let moved = api.transfer_issue(3, WEB);
        let beat = app.next_beat("coder").await;
        assert_eq!(touched(&beat), [url(API, 3), url(WEB, moved)]);
        world::assert_same(&app, API).await;
        world::assert_same(&app, WEB).await;
    }

    async fn a_bare_touch_is_no_change(db) {
        let app = App::with_repos(db, &[API]).await;
        let api = app.sim.repo(API);
        api.open_issue("One");
        app.beat("coder").await;
        app.tick();
        api.touch(1);
        assert_eq!(touched(&app.next_beat("coder").await), Vec::<String>::new());
    }

    async fn closed_means_done(db) {
        let app = App::with_repos(db, &[API]).await;
        let api = app.sim.repo(API);
        api.open_issue(NewIssue::new("One").labels(["status/ready", "bug", "status/blocked"]));
        app.beat("coder").await;
        assert_eq!(app.sim.counters().writes, 0, "the first sync writes nothing to GitHub");
        api.close_issue(1);
        app.next_beat("coder").await;
        let state = app.get("/api/issues/state?repo=ACME/Api&number=1").await.expect(200);
        assert_eq!(state["labels"], json!(["bug", "status/done"]));
        assert_eq!((state["state"].as_str(), state["repoFullName"].as_str()), (Some("closed"), Some(API)));
        assert_eq!(api.issue(1).expect("the issue").labels, ["bug", "status/done"], "and so it is there");
        api.reopen_issue(1);
        api.add_label(1, "status/ready");
        api.remove_label(1, "status/done");
        app.next_beat("coder").await;
        let state = app.get("/api/issues/state?repo=acme/api&number=1").await.expect(200);
        assert_eq!(state["labels"], json!(["bug", "status/ready"]));
    }

    async fn a_renamed_repository_goes_on_under_both_names(db) {
        let app = App::with_repos(db, &[API]).await;
        let api = app.sim.repo(API);
        api.open_issue("One");
        app.beat("coder").await;
        api.rename("acme/core");
        api.set_title(1, "After");
        let beat = app.next_beat("coder").await;
        assert_eq!(beat["status"], "ok", "{beat}");
        assert_eq!(touched(&beat), [url("acme/core", 1)]);
        for name in [API, "acme/core", "ACME/CORE"] {
            let state = app.get(&format!("/api/issues/state?repo={name}&number=1")).await.expect(200);
            assert_eq!(state["repoFullName"], "acme/core");
        }
        let repos = app.get("/api/automation/repos").await.expect(200);
        assert_eq!((repos.as_array().unwrap().len(), repos[0]["fullName"].as_str()), (1, Some("acme/core")));
    }

    async fn two_edits_within_one_second_are_both_seen(db) {
        let app = App::with_repos(db, &[API]).await;
        let api = app.sim.repo(API);
        api.open_issue("One");
        app.beat("coder").await;
        app.tick();
        api.set_title(1, "First");
        // A beat in the same second as the first edit, another read right after the second.
        let beat = app.post("/api/sync", json!({})).await.expect(200);
        assert_eq!(beat["success"], true);
        api.set_title(1, "Second");
        app.clock.advance(std::time::Duration::from_secs(6));
        let beat = app.beat("coder").await;
        assert_eq!(touched(&beat), [url(API, 1)]);
        world::assert_same(&app, API).await;
    }

    async fn more_than_a_page_of_changes_is_read_forward(db) {
        let app = App::with_repos(db, &[API]).await;
        let api = app.sim.repo(API);
        for n in 0..350 {
            if n % 7 == 0 { app.advance(std::time::Duration::from_secs(1)); }
            api.open_issue(NewIssue::new(format!("Issue {n}")));
        }
        let beat = app.next_beat("coder").await;
        assert_eq!(beat["status"], "ok", "{beat}");
        assert_eq!(touched(&beat).len(), 350);
        world::assert_same(&app, API).await;
        app.tick();
        for n in 1..=250 {
            if n % 3 == 0 { app.advance(std::time::Duration::from_secs(1)); }
            api.set_title(n, "Changed");
        }
        api.delete_issue(251);
        api.close_issue(252);
        let beat = app.next_beat("coder").await;
        assert!(beat["summary"].as_str().unwrap().contains("; 251 issues touched;") || touched(&beat).len() >= 251, "{beat}");
        app.post("/api/sync", json!({ "sweep": true })).await.expect(200);
        world::assert_same(&app, API).await;
    }

    async fn a_second_that_fills_pages_is_read_through(db) {
        let app = App::with_repos(db, &[API]).await;
        let api = app.sim.repo(API);
        api.seed(260, |n| format!("Issue {n}"));
        app.next_beat("coder").await;
        world::assert_same(&app, API).await;
        app.tick();
        for n in 1..=230 {
            api.set_body(n, "all in one second");
        }
        let beat = app.next_beat("coder").await;
        assert_eq!(touched(&beat).len(), 230);
        world::assert_same(&app, API).await;
    }

    async fn a_list_that_changes_while_it_is_read_is_read_right(db) {
        let mut builder = AppBuilder { repos: vec![API.into()], ..AppBuilder::default() };
        builder.sim.since_inclusive = false;
        let app = builder.start(db).await;
        let api = app.sim.repo(API);
        for n in 0..330 {
            if n % 5 == 0 { app.advance(std::time::Duration::from_secs(1)); }
            api.open_issue(format!("Issue {n}"));
        }
        app.tick();
        let hook = app.sim.hook(Match::kind("issues.list"), |sim| {
            let api = sim.repo(API);
            api.set_title(1, "moved ahead");
            api.close_issue(10);
            api.set_body(200, "changed meanwhile");
        });
        let hook = hook.after(2).times(1);
        app.beat("coder").await;
        assert_eq!(hook.runs(), 1);
        app.next_beat("coder").await;
        world::assert_same(&app, API).await;
    }

    async fn pull_requests_never_become_issues(db) {
        let app = App::with_repos(db, &[API]).await;
        let api = app.sim.repo(API);
        api.open_issue("An issue");
        let pull = api.open_pull("A pull request", "fix/1");
        let beat = app.beat("coder").await;
        assert_eq!(touched(&beat), [url(API, 1)]);
        assert_eq!(app.get(&format!("/api/issues/state?repo={API}&number={pull}")).await.status, 404);
        let repos = app.get("/api/automation/repos").await.expect(200);
        assert_eq!(repos[0]["openPRCount"], 1);
        api.merge_pull(pull);
        app.tick();
        assert_eq!(touched(&app.next_beat("coder").await), Vec::<String>::new());
        assert_eq!(app.get("/api/automation/repos").await.expect(200)[0]["openPRCount"], 0);
    }

    async fn excluded_labels_hide_and_show_again(db) {
        let mut builder = AppBuilder { repos: vec![API.into()], ..AppBuilder::default() };
        builder.engine.rules = dispatch::domain::labels::Rules::new(["wontfix"]);
        let app = builder.start(db).await;
        let api = app.sim.repo(API);
        api.open_issue(NewIssue::new("Hidden").label("WontFix"));
        api.open_issue("Shown");
        app.beat("coder").await;
        assert_eq!(world::cached(&app, API).await, world::expected(&app, API, &["wontfix"]));
        app.tick();
        api.remove_label(1, "wontfix");
        api.add_label(2, "wontfix");
        app.next_beat("coder").await;
        assert_eq!(world::cached(&app, API).await, world::expected(&app, API, &["wontfix"]));
        assert_eq!(world::cached(&app, API).await.into_keys().collect::<Vec<_>>(), [1]);
    }

    async fn changed_label_rules_apply_to_what_is_cached_already(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue(NewIssue::new("One").label("later"));
        app.beat("coder").await;
        assert_eq!(world::cached(&app, API).await.len(), 1);
        let (db, sim, clock) = app.stop().await;
        let mut builder = AppBuilder { repos: vec![API.into()], seed: 8, ..AppBuilder::default() };
        builder.engine.rules = dispatch::domain::labels::Rules::new(["later"]);
        let app = builder.start_with(db, sim, clock).await;
        app.sim.reset_counters();
        app.next_beat("coder").await;
        assert_eq!(world::cached(&app, API).await.len(), 0);
        assert_eq!(app.sim.counters().quota_spent, 0);
    }
}
