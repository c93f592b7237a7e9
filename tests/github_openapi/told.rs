//! What the simulator tells of pull requests by itself, held against the description of webhooks.

use github_sim::{Conclusion, Sim};
use serde_json::Value;

use crate::{check::validator, description::Description, repair::Repairs};

/// What payloads are about, and where the description has it: `webhook-` and `/properties/`.
const SUBJECTS: [(&str, &str, &str); 2] = [
    ("check_suite", "check-suite-completed", "check_suite"),
    ("pull_request_review_comment", "pull-request-review-comment-created", "comment"),
];

#[tokio::test]
async fn suites_that_ended_and_comments_beside_lines_are_told_as_described() {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    // Nobody listens there; what was to be sent is kept.
    repo.add_webhook("http://127.0.0.1:9/", "a");
    let (own, foreign) = (repo.open_pull("One", "work"), repo.open_pull("Another", "work"));
    repo.edit_pull(foreign, |pull| pull.fork = Some("mona".to_owned()));
    for pull in [own, foreign] {
        repo.check(pull, "test", Some(Conclusion::Failure));
        repo.job(pull, "lint", Conclusion::Success, "fine");
        repo.comment_on_line(pull, "mona", ("src/main.rs", 7), "Use `x` here");
    }
    sim.webhooks_idle().await;
    let deliveries = sim.webhook_deliveries();
    for (event, name, field) in SUBJECTS {
        let schema = Description::get().at(&format!("/components/schemas/webhook-{name}/properties/{field}"));
        let validator = validator(Description::get(), schema, &mut Repairs::default());
        let told: Vec<Value> = deliveries
            .iter()
            .filter(|it| it.event == event)
            .map(|it| serde_json::from_slice::<Value>(&it.payload).expect("JSON")[field].take())
            .collect();
        assert!(told.len() >= 2, "{event}: {}", told.len());
        for subject in told {
            let faults: Vec<String> =
                validator.iter_errors(&subject).map(|it| format!("{}: {it}", it.instance_path())).collect();
            assert!(faults.is_empty(), "{event}: {faults:#?}");
            let mut less = subject;
            less.as_object_mut().expect("fields").remove("id");
            assert!(!validator.is_valid(&less), "{event}: nothing is asked for");
        }
    }
}
