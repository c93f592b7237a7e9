//! The audit log as files: all rows that fit, in CSV and JSON lines, whatever their number.

use serde_json::Value;

use crate::{browser::Browser, each_db, world::furnished};

each_db! {
    async fn the_log_is_exported_whole_and_by_the_same_filters(db) {
        let app = furnished(db).await;
        // More than are read at once.
        app.db.sql(
            "INSERT INTO audit_log (id, at, actor, actor_key, action, repo, repo_key, before, after, success, notes)
                 SELECT 'x' || n, n, '=cmd()', '=cmd()', 'many', 'acme/api', 'acme/api', '[]', '[\"a\"]', TRUE, 'one, two'
                 FROM (WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 2100) SELECT n FROM g) AS numbers",
        ).await;
        let browser = Browser::signed_in(&app).await;
        let page = browser.get("/audit?action=many&to=2026-01-01").await.expect(200);
        let link = |format: &str| format!("/audit/export?format={format}&action=many&to=2026-01-01");
        for format in ["csv", "jsonl"] {
            page.says(&link(format).replace('&', "&#38;"));
        }
        let csv = browser.get(&link("csv")).await.expect(200);
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
        assert_eq!(csv.header("content-disposition"), "attachment; filename=\"audit.csv\"");
        assert_eq!(csv.header("cache-control"), "no-store");
        let lines: Vec<&str> = csv.text.split("\r\n").collect();
        assert_eq!(lines.len(), 2_102, "a head, the rows, and the end");
        assert!(lines[0].starts_with("createdAt,id,actor,"), "{}", lines[0]);
        assert!(lines[1].contains(",x2100,'=cmd(),") && lines[1].ends_with(",a,,\"one, two\""), "{}", lines[1]);
        assert!(lines[2_100].contains(",x1,"), "{}", lines[2_100]);
        let rows = browser.get(&link("jsonl")).await.expect(200);
        let rows: Vec<Value> = rows.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((rows.len(), &rows[2_099]["id"]), (2_100, &"x1".into()));
        let none = browser.get("/audit/export?format=csv&repo=acme/api&issue=77").await.expect(200);
        assert_eq!(none.text.trim_end().split("\r\n").collect::<Vec<_>>(), [lines[0]], "the head alone");
        let all = browser.get("/audit/export?format=jsonl").await.expect(200);
        assert!(all.text.lines().count() > 2_100);
    }
}
