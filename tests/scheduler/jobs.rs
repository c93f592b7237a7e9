//! The jobs: their cost while nothing happens, what the probe says of them, and failures.

use std::time::Duration;

use dispatch::{
    engine::{publish, pulls},
    scheduler::{Settings, jobs::JOBS},
};
use github_sim::{Conclusion, Fault, FaultKind, NewIssue};
use serde_json::{Value, json};

use crate::{
    API,
    drive::{self, Cost, pass},
    each_db,
    support::{App, AppBuilder},
};

const HOUR: Duration = Duration::from_hours(1);

async fn health(app: &App) -> Value {
    app.get("/api/health").await.expect(200)["scheduler"].clone()
}

each_db! {
    async fn an_idle_hour_of_all_jobs_spends_no_quota(db) {
        const REPOS: u64 = 20;
        let repos = (0..REPOS).map(|n| format!("acme/r{n:02}")).collect();
        let app = AppBuilder { repos, ..AppBuilder::default() }.start(db).await;
        for n in 0..REPOS {
            let repo = app.sim.repo(&format!("acme/r{n:02}"));
            repo.seed(10, |n| NewIssue::new(format!("Issue {n}")).label("status/ready"));
            // Of an agent, about an issue; and of a bot.
            for (branch, author) in [("issue-1", "coder"), ("bump", "github-actions[bot]")] {
                let pull = repo.open_pull("Mends it", branch);
                repo.edit_issue(pull, |issue| issue.author = author.to_owned());
                repo.check(pull, "test", Some(Conclusion::Success));
            }
        }
        app.next_beat("loader").await;
        // What is asked for again and again was asked for once.
        for _ in 0..2 {
            pulls::read::read_due(&app.engine).await.expect("the database");
            for path in ["ci-failures/sync", "pr-followup/sync", "issues/reconcile"] {
                app.post(&format!("/api/{path}"), json!({})).await.expect(200);
            }
            for _ in 0..30 {
                publish::publish(&app.engine).await.expect("the database");
                app.tick();
            }
            app.next_beat("loader").await;
        }
        app.sim.reset_counters();
        app.tick();
        drive::start(&app, &Settings::default()).await;
        let (costs, counters) = pass(&app, HOUR).await;
        for (job, cost) in &costs {
            println!("{job}: {} runs, {} requests, {} statements", cost.runs, cost.requests, cost.statements);
        }
        let sum = |name: &str, of: fn(&Cost) -> u64| -> u64 {
            costs.iter().filter(|(jobs, _)| jobs.split('+').any(|job| job == name)).map(|(_, cost)| of(cost)).sum()
        };
        let runs = |name: &str| sum(name, |cost| cost.runs);
        assert_eq!((counters.quota_spent, counters.paid, counters.writes), (0, 0, 0), "{counters:?}");
        assert_eq!(counters.requests, counters.not_modified, "{counters:?}");
        assert!(counters.requests >= REPOS * (runs("sync") + runs("ci-failures")), "{counters:?}");
        // The first within a minute of the start, then each quarter and up to a tenth more.
        assert_eq!(runs("sync"), 4);
        assert_eq!(runs("renew"), 360);
        assert!((650..=720).contains(&runs("publish")), "{}", runs("publish"));
        for (job, most) in [("stale-work", 60), ("pr-fix-sweep", 12), ("settle", 60), ("sweep", 60), ("ci-failures", 2), ("pr-followup", 4), ("reconcile", 2), ("retention", 1), ("prune-closed", 1)] {
            assert!((most * 9 / 10..=most + 1).contains(&runs(job)), "{job}: {}", runs(job));
        }
    }

    async fn the_probe_tells_of_every_job_that_is_on(db) {
        let app = App::with_repos(db, &[API]).await;
        assert_eq!(health(&app).await, json!({ "leader": false, "jobs": [] }));
        drive::start(&app, &Settings::default()).await;
        let told = health(&app).await;
        assert_eq!(told["leader"], true);
        let jobs = told["jobs"].as_array().expect("jobs");
        let names: Vec<&str> = jobs.iter().map(|job| job["name"].as_str().expect("a name")).collect();
        assert_eq!(names, JOBS.map(|job| job.name));
        for (job, row) in jobs.iter().zip(JOBS) {
            assert_eq!((&job["lastRunAt"], &job["lastError"]), (&json!(null), &json!(null)), "{job}");
            assert_eq!((&job["overdue"], job["intervalMs"].as_u64()), (&json!(false), u64::try_from(row.every.as_millis()).ok()));
            assert!(job["nextRunAt"].as_str().expect("a time") > "2026-01-01T00:00:05", "{job}");
        }
        // They do not all begin at once.
        let begin: std::collections::BTreeSet<&str> = jobs.iter().map(|job| job["nextRunAt"].as_str().expect("a time")).collect();
        assert!(begin.len() >= 6, "{begin:?}");
        pass(&app, Duration::from_mins(2)).await;
        for job in health(&app).await["jobs"].as_array().expect("jobs") {
            assert!(job["lastRunAt"].is_string(), "{job}");
            assert_eq!((&job["overdue"], &job["lastError"]), (&json!(false), &json!(null)), "{job}");
        }
    }

    async fn a_job_that_fails_says_why_and_is_tried_soon_then_later(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        app.beat("loader").await;
        drive::start(&app, &Settings::default()).await;
        let sync = || app.engine.jobs().list().into_iter().find(|job| job.name == "sync").expect("it");
        let pause = || sync().next_run_at.expect("a time").since(sync().last_run_at.expect("a time")).as_secs();
        let fault = app.sim.fault(Fault::new(FaultKind::Status(404)));
        drive::until_ran(&app, "sync").await;
        let told = health(&app).await["jobs"].as_array().expect("jobs").iter().find(|job| job["name"] == "sync").cloned().expect("it");
        let said = told["lastError"].as_str().expect("words");
        assert!(said.contains("; ") && !said.contains(API), "anybody may read it: {said}");
        assert!((60..=66).contains(&pause()), "{}", pause());
        drive::until_ran(&app, "sync").await;
        assert!((120..=132).contains(&pause()), "{}", pause());
        app.sim.clear_fault(fault);
        drive::until_ran(&app, "sync").await;
        assert_eq!(sync().last_error, None);
        assert!((900..=990).contains(&pause()), "{}", pause());
    }

    async fn what_is_off_neither_runs_nor_shows(db) {
        let app = App::with_repos(db, &[API]).await;
        drive::start(&app, &Settings { enabled: false, ..Settings::default() }).await;
        let names: Vec<&str> = app.engine.jobs().list().iter().map(|job| job.name).collect();
        assert_eq!(names, ["renew", "retention", "webhooks", "settle"]);
        let (costs, counters) = pass(&app, Duration::from_mins(20)).await;
        assert_eq!(counters.requests, 0);
        assert!(costs.values().map(|cost| cost.runs).sum::<u64>() > 120);
    }
}
