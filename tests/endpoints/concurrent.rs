//! Asked by many at once: no answer is a 500, and what holds at any time holds afterwards.

use std::{collections::BTreeSet, sync::Arc};

use tokio::{sync::Barrier, task::JoinSet};

use super::{
    scene,
    table::{ENDPOINTS, Endpoint, Scene},
};
use crate::{
    each_db,
    support::{Answer, MAINTAINER, app::send},
};

const AT_ONCE: usize = 8;

async fn all_at_once(scene: &Scene, endpoint: &'static Endpoint) -> Vec<Answer> {
    let barrier = Arc::new(Barrier::new(AT_ONCE));
    let body = serde_json::Value::Object(scene.body(endpoint)).to_string();
    let mut asking = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (app, barrier) = (Arc::clone(&scene.app), Arc::clone(&barrier));
        let (path, body) = (scene.fill(endpoint.path), body.clone());
        asking.spawn(async move {
            let mut request = app.request(endpoint.method, &path, MAINTAINER);
            if endpoint.method == "POST" {
                request = request.body(body);
            }
            barrier.wait().await;
            send(request).await
        });
    }
    asking.join_all().await
}

each_db! {
    async fn asked_by_many_at_once(db) {
        let mut scene = scene(db, "coder").await;
        for endpoint in &ENDPOINTS {
            for _ in 0..3 {
                scene.resume().await;
                let answers = all_at_once(&scene, endpoint).await;
                let codes: BTreeSet<u16> = answers.iter().map(|answer| answer.status).collect();
                // The first, and those after it; whoever finds a sweep under way is told so.
                let (once, again) = endpoint.codes;
                let busy = if endpoint.path.ends_with("/sweep") { 409 } else { once };
                assert!(codes.is_subset(&BTreeSet::from([once, again, busy])), "{endpoint:?}: {codes:?}");
                let first = answers.iter().filter(|answer| answer.status == once).count();
                assert!(if once == again { first > 0 } else { first == 1 }, "{endpoint:?}: {first} of them worked");
            }
        }
        let app = &scene.app;
        let doubled = "SELECT count(*) FROM (SELECT issue_id FROM claims WHERE ended_at IS NULL GROUP BY issue_id HAVING count(*) > 1) AS doubled";
        assert_eq!(app.db.count(doubled).await, 0, "two live claims");
        assert_eq!(app.db.count("SELECT count(*) FROM claims one JOIN claims other ON one.fence = other.fence AND one.id <> other.id").await, 0);
        assert_eq!(app.db.count("SELECT count(*) FROM reports").await, 1, "one report under one key");
        assert_eq!(app.db.count("SELECT count(*) FROM runs WHERE status = 'running'").await, 0);
    }
}
