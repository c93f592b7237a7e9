//! What is lost, doubled and overtaken of pull requests: the cache follows without a read.

use std::time::Duration;

use dispatch::engine::pulls::read;
use github_sim::WebhookFaults;
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    each_db,
    flood::change_pull,
    hooked::{API, asked, delivered, hooked, look},
    support::pulls,
};

/// What reads pull requests.
const READS: [&str; 4] = ["issues.list", "pulls.list", "pulls.get", "check_runs.list"];

each_db! {
    async fn what_happens_to_pull_requests_is_known_without_a_read(db) {
        let app = hooked(db).await;
        let repo = app.sim.repo(API);
        app.sim.reset_counters();
        app.sim.webhook_faults(WebhookFaults { seed: 5, lost: 0.01, doubled: 0.05, reordered: 0.05, at_once: 4, ..WebhookFaults::default() });
        let mut rng = StdRng::seed_from_u64(5);
        for serial in 0..600 {
            // Each in a second of its own: nothing is in doubt.
            app.advance(Duration::from_secs(1));
            change_pull(&repo, &mut rng, 3, serial);
        }
        delivered(&app).await;
        let counted = app.sim.webhook_counters();
        assert!(counted.lost > 0 && counted.doubled > 0 && counted.reordered > 0, "{counted:?}");
        // What was lost is asked for, and comes late.
        for _ in 0..2 {
            look(&app).await;
        }
        assert_eq!(READS.map(|kind| asked(&app, kind)), [0; 4], "{:?}", app.sim.counters());
        pulls::assert_same_facts(&app, API).await;
        // A check that came before the commit that it is of is found by the job, which looks at each that changed.
        read::read_due(&app.engine).await.expect("the database");
        pulls::assert_same(&app, API).await;
    }
}
