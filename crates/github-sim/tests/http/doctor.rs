//! What a caller may ask about itself: who it is, what it may do, what is left of its hour.

use github_sim::{Permission, Sim, SimConfig};

use crate::support::{Caller, at_new_year_with};

#[tokio::test]
async fn asking_for_the_limits_is_free_and_answered_when_nothing_is_left() {
    let config = SimConfig { hourly_quota: Some(1), ..SimConfig::default() };
    let (sim, _) = at_new_year_with(config).await;
    let caller = Caller::of(&sim);
    let remaining = async || caller.get("/rate_limit").await.json()["resources"]["core"]["remaining"].clone();
    assert_eq!((remaining().await, remaining().await), (1.into(), 1.into()));
    assert_eq!(caller.get("/user").await.status, 200);
    assert_eq!(caller.get("/user").await.status, 403, "the hour's one is spent");
    assert_eq!(remaining().await, 0);
}

#[tokio::test]
async fn a_classic_token_names_its_scopes_and_reaches_as_far_as_they_do() {
    let sim = Sim::start().await;
    sim.create_repo("acme/open");
    sim.create_repo("acme/hidden").set_private(true);
    let caller = Caller::of(&sim);
    assert!(caller.get("/user").await.headers.get("x-oauth-scopes").is_none(), "fine-grained");
    for (scopes, hidden, push) in
        [("read:org", 404, false), ("public_repo", 404, true), ("gist, repo", 200, true)]
    {
        sim.token_scopes(&sim.token(), scopes);
        assert_eq!(caller.get("/user").await.header("x-oauth-scopes"), scopes);
        assert_eq!(caller.get("/repos/acme/hidden").await.status, hidden, "{scopes}");
        assert_eq!(caller.get("/repos/acme/open").await.json()["permissions"]["push"], push, "{scopes}");
    }
}

#[tokio::test]
async fn issues_need_a_permission_where_not_everybody_may_read_them() {
    let sim = Sim::start().await;
    sim.create_repo("acme/open");
    sim.create_repo("acme/hidden").set_private(true);
    let caller = Caller::of(&sim);
    for (permission, read) in [(Permission::Write, 200), (Permission::Read, 200), (Permission::None, 403)] {
        sim.token_permission(&sim.token(), permission);
        assert_eq!(caller.get("/repos/acme/hidden/issues").await.status, read, "{permission:?}");
        assert_eq!(caller.get("/repos/acme/open/issues").await.status, 200, "{permission:?}");
        assert_eq!(caller.get("/repos/acme/hidden").await.status, 200, "metadata come with every grant");
    }
    let refused = caller.get("/repos/acme/hidden/issues").await;
    assert_eq!(refused.header("x-accepted-github-permissions"), "issues=read");
    assert_eq!(refused.message(), "Resource not accessible by personal access token");
}
