//! `POST /api/issues/{issueId}/pr-health/refresh`.

use github_sim::{Conclusion, Fault, FaultKind, Match, ReviewState};
use serde_json::{Value, json};

use super::field::*;
use crate::{
    each_db,
    support::{Answer, App},
};

async fn refresh(app: &App, id: &Value) -> Answer {
    app.post(&format!("/api/issues/{}/pr-health/refresh", id.as_str().expect("an id")), json!({})).await
}

each_db! {
    async fn what_github_says_now_is_answered_and_kept(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let id = issue(&app, 1).await["id"].clone();
        let nothing = json!({ "success": true, "linkedPrNumber": null, "linkedPrUrl": null, "linkedPrNeedsFollowup": false,
            "linkedPrFollowupReasons": [], "linkedPrReviewDecision": null, "linkedPrMergeState": null,
            "linkedPrHealthCheckedAt": null });
        assert_eq!(refresh(&app, &id).await.expect(200), nothing);
        // No sync has seen it yet.
        let pull = repo.open_pull("Mends it", "issue-1");
        repo.review(pull, "mona", ReviewState::ChangesRequested, "No");
        repo.check(pull, "test", Some(Conclusion::Failure));
        repo.set_merge_state(pull, "dirty");
        let told = refresh(&app, &id).await.expect(200);
        assert_eq!(told, json!({ "success": true, "linkedPrNumber": pull,
            "linkedPrUrl": format!("https://github.com/{API}/pull/{pull}"), "linkedPrNeedsFollowup": true,
            "linkedPrFollowupReasons": ["Changes requested by mona", "Merge conflict with main", "Check test failed"],
            "linkedPrReviewDecision": "CHANGES_REQUESTED", "linkedPrMergeState": "dirty",
            "linkedPrHealthCheckedAt": app.clock.now().to_string() }));
        let shown = issue(&app, 1).await;
        for (field, value) in told.as_object().expect("fields").iter().filter(|(field, _)| *field != "success") {
            assert_eq!(&shown[field], value, "{field}");
        }
        // Nothing changed: it is asked again, and paid for no more.
        app.sim.reset_counters();
        refresh(&app, &id).await.expect(200);
        let counters = app.sim.counters();
        assert_eq!((counters.requests, counters.paid), (4, 0), "{counters:?}");
        app.tick();
        repo.close_pull(pull);
        app.next_beat("loader").await;
        assert_eq!(refresh(&app, &id).await.expect(200), nothing);
    }

    async fn what_cannot_be_is_said(db) {
        let app = with(db).await;
        let nowhere = refresh(&app, &json!("nowhere")).await.expect(404);
        assert_eq!(nowhere["error"], "Issue not found in local cache");
        let id = issue(&app, 1).await["id"].clone();
        app.sim.fault(Fault::new(FaultKind::Status(500)).on(Match::kind("pulls.list")));
        let failed = refresh(&app, &id).await.expect(502);
        assert!(failed["error"].as_str().is_some_and(|text| text.contains("GitHub")), "{failed}");
        app.delete(&format!("/api/automation/repos/{API}")).await.expect(200);
        refresh(&app, &id).await.expect(404);
    }
}
