//! `kill -9` around a write: what went out is found by its marker, what did not goes out, and nothing is there twice.

use dispatch::{
    clock::{Clock, Ids},
    domain::{
        ids::{IssueNumber, OutboxId},
        outbox::{Asker, Content, Edit, NewIssue, StateEdit},
    },
    store::{issue_list, outbox, outbox_fields, repos},
};
use github_sim::{NewIssue as Seed, Sim, SimConfig};
use tempfile::TempDir;
use tokio::task::{JoinSet, block_in_place};

use super::field::API;
use crate::{
    each_db,
    support::{
        TestDb,
        child::{Server, dispatch},
    },
};

const POINTS: [&str; 3] = ["outbox.write.taken", "outbox.write.sent", "outbox.write.settled"];

struct Scene {
    db: TestDb,
    home: TempDir,
    sim: Sim,
}

impl Scene {
    fn start(&self, failpoints: &str) -> Server {
        let mut command = dispatch(self.home.path());
        command.env("DATABASE_URL", self.db.url()).env("GITHUB_API_URL", self.sim.url());
        command.env("GITHUB_TOKEN", self.sim.token()).env("GITHUB_REPOSITORIES", API);
        // Nothing sends or reads but what the test asks for.
        command.env("DISPATCH_SCHEDULER_ENABLED", "false").env("DISPATCH_SYNC_MAX_STALENESS_MS", "0");
        command.env("DISPATCH_GITHUB_WRITE_INTERVAL_MS", "0").env("FAILPOINTS", failpoints);
        block_in_place(|| Server::start(command))
    }

    /// Records a wish while no server runs.
    async fn wish(&self, number: u64, content: &Content) -> OutboxId {
        let db = self.db.open().await;
        let clock = Clock::System;
        let id = OutboxId(Ids::new(clock.clone()).next());
        let mut tx = db.write().await.expect("a transaction");
        let repo = repos::find_tracked(&mut tx, &API.parse().expect("a name")).await.expect("a read");
        let repo = repo.expect("tracked").id;
        let number = IssueNumber(i64::try_from(number).expect("a number"));
        let issue = issue_list::find(&mut tx, &repo, number).await.expect("a read").expect("cached");
        let issue = (!matches!(content, Content::CreateIssue(_))).then_some(issue.id);
        let beneath = match (&issue, content.edit()) {
            (Some(issue), Some(edit)) => {
                let mut shown = outbox_fields::find_shown(&mut tx, issue).await.expect("a read").expect("it");
                let beneath = shown.beneath(edit.field());
                shown.lay(edit, clock.now());
                outbox_fields::show(&mut tx, issue, &shown).await.expect("shown");
                Some(beneath)
            }
            _ => None,
        };
        let new = outbox::NewEntry {
            id: &id,
            repo: &repo,
            issue: issue.as_ref(),
            content,
            beneath: beneath.as_ref(),
            by: &Asker::system(),
            at: clock.now(),
        };
        outbox::insert(&mut tx, &new).await.expect("recorded");
        tx.commit().await.expect("committed");
        db.close().await;
        id
    }

    /// Kills a server at the failpoint while it sends.
    async fn kill_at(&self, point: &str) {
        let mut server = self.start(&format!("{point}=pause"));
        let request = server.request("POST", "/api/agents/coder/heartbeat");
        let mut asked = JoinSet::from_iter([async move { drop(request.send().await) }]);
        block_in_place(|| server.wait_for_line(&format!("\"failpoint\":\"{point}\"")));
        server.kill();
        asked.join_next().await.expect("one").expect("no panic");
        self.bury().await;
    }

    /// On SQLite the next process knows that all others are dead; here their rows would expire in 30 s.
    async fn bury(&self) {
        if self.db.is_postgres() {
            self.db.sql("UPDATE instances SET expires_at = 0").await;
        }
    }

    /// A whole life of a server: one heartbeat.
    async fn beat(&self) {
        let server = self.start("");
        let beat = server.beat("coder").await.expect("an answer").expect(200);
        assert_eq!(beat["status"], "ok", "{beat}");
        drop(server);
        self.bury().await;
    }
}

each_db! {
    async fn killed_around_a_write(db) {
        let sim = Sim::start_with(SimConfig::default().without_limits()).await;
        let repo = sim.create_repo(API);
        repo.seed(9, |n| Seed::new(format!("Issue {n}")));
        let scene = Scene { db, home: TempDir::new().expect("a folder"), sim };
        scene.beat().await;
        for (number, point) in (1..).zip(POINTS) {
            let title = format!("Opened, killed at {point}");
            let new = NewIssue { title: title.clone(), body: String::new(), labels: Vec::new() };
            let contents = [
                (number, Content::Comment("Only once".to_owned())),
                (number, Content::CreateIssue(new)),
                (number + 3, Content::Edit(Edit::State(StateEdit::Completed))),
            ];
            for (number, content) in contents {
                let id = scene.wish(number, &content).await;
                scene.kill_at(point).await;
                scene.beat().await;
                let settled = format!("SELECT count(*) FROM outbox WHERE id = '{id}' AND state = 'settled'");
                assert_eq!(scene.db.count(&settled).await, 1, "{content:?} killed at {point}");
            }
            assert_eq!(repo.comments(number).len(), 1, "killed at {point}");
            let titled = repo.issues().into_iter().filter(|issue| issue.title == title).count();
            assert_eq!(titled, 1, "killed at {point}");
            scene.beat().await;
            let closed = repo.issue(number + 3).expect("it");
            assert_eq!((closed.is_open(), closed.labels), (false, vec!["status/done".to_owned()]), "killed at {point}");
            let audited = format!("SELECT count(*) FROM audit_log WHERE action = 'mark_done' AND issue_number = {}", number + 3);
            assert_eq!(scene.db.count(&audited).await, 1, "killed at {point}");
        }
    }
}
