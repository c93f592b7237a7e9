//! Signing in and out: by link, by name and password, by nobody; and what does not work.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use dispatch::engine::sessions::SignIn;
use serde_json::json;

use crate::{
    API,
    browser::{Browser, Page},
    each_db,
    support::{App, AppBuilder, BOUND, MAINTAINER, TestDb, app::send},
};

const SESSION: &str = "dispatch_session";
/// Behind the page of a closed door.
const INSIDE: &str = "/board";

async fn app_with(db: TestDb, sign_in: SignIn) -> App {
    AppBuilder { sign_in, repos: vec![API.to_owned()], ..AppBuilder::default() }.start(db).await
}

fn password() -> SignIn {
    SignIn::Password { user: "ann".to_owned(), password: "right horse".to_owned().into() }
}

async fn enter(browser: &Browser, user: &str, password: &str) -> Page {
    let form = browser.get("/login?callbackUrl=%2Fboard%3Flane%3Da").await.expect(200).form("/login");
    browser.send(&form, &[("user", user), ("password", password)]).await
}

fn basic(user: &str, password: &str) -> (&'static str, String) {
    ("authorization", format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))
}

each_db! {
    async fn a_link_signs_in_once_and_leads_on(db) {
        let app = App::with_repos(db, &[API]).await;
        let made = app.post("/api/auth/login-link", json!({})).await.expect(201);
        let path = made["path"].as_str().unwrap();
        let browser = Browser::new(&app);
        // Looking at it, as programs do that show previews of links, uses nothing up.
        browser.get(path).await.expect(200).says("signs you in");
        let form = browser.get(&format!("{path}&callbackUrl=/board")).await.form("/login");
        let entered = browser.send(&form, &[]).await.expect(303);
        assert_eq!(entered.location(), "/board");
        browser.get(INSIDE).await.expect(200).says("operator");
        let other = Browser::new(&app);
        let form = other.get(path).await.form("/login");
        other.send(&form, &[]).await.expect(401).says("used before");
        other.get(INSIDE).await.expect(303);

        let out = browser.get(INSIDE).await.form("/api/auth/logout");
        let cookie = browser.cookie(SESSION).unwrap();
        assert_eq!(browser.send(&out, &[]).await.expect(303).location(), "/login");
        assert_eq!(browser.cookie(SESSION), None);
        // Not only the browser forgot it.
        browser.set_cookie(SESSION, &cookie);
        browser.get(INSIDE).await.expect(303);
        let actions: Vec<String> = app.get("/api/audit?limit=3").await.expect(200).as_array().unwrap().iter()
            .map(|row| row["action"].as_str().unwrap().to_owned()).collect();
        assert_eq!(actions, ["sign_out", "sign_in", "create_login_link"]);
    }

    async fn a_link_ends_after_a_quarter_of_an_hour_and_a_session_after_two_weeks(db) {
        let app = App::with_repos(db, &[API]).await;
        let path = app.post("/api/auth/login-link", json!({})).await.expect(201)["path"].as_str().unwrap().to_owned();
        let browser = Browser::signed_in(&app).await;
        app.advance(Duration::from_mins(15));
        let late = Browser::new(&app);
        let form = late.get(&path).await.form("/login");
        late.send(&form, &[]).await.expect(401);
        app.advance(Duration::from_hours(14 * 24) - Duration::from_mins(16));
        browser.get(INSIDE).await.expect(200);
        app.advance(Duration::from_mins(1));
        browser.get(INSIDE).await.expect(303);
    }

    async fn what_hangs_on_a_token_ends_with_it(db) {
        let app = App::with_repos(db, &[API]).await;
        let token = app.post("/api/tokens", json!({ "name": "laptop" })).await.expect(201);
        let secret = token["token"].as_str().unwrap();
        let link = |token: String| send(app.request("POST", "/api/auth/login-link", &token).body("{}"));
        let path = link(secret.to_owned()).await.expect(201)["path"].as_str().unwrap().to_owned();
        let unused = link(secret.to_owned()).await.expect(201)["path"].as_str().unwrap().to_owned();
        let browser = Browser::new(&app);
        let form = browser.get(&path).await.form("/login");
        browser.send(&form, &[]).await.expect(303);
        browser.get(INSIDE).await.expect(200);
        app.delete(&format!("/api/tokens/{}", token["id"].as_str().unwrap())).await.expect(200);
        browser.get(INSIDE).await.expect(303);
        let form = browser.get(&unused).await.form("/login");
        browser.send(&form, &[]).await.expect(401);
        link(BOUND.to_owned()).await.expect(403);
    }

    async fn a_name_and_a_password_sign_in(db) {
        let app = app_with(db, password()).await;
        let browser = Browser::new(&app);
        enter(&browser, "ann", "wrong").await.expect(401).says("do not fit");
        enter(&browser, "bob", "right horse").await.expect(401);
        assert_eq!(enter(&browser, "ann", "right horse").await.expect(303).location(), "/board?lane=a");
        browser.get(INSIDE).await.expect(200).says("ann");
        // What sessions may, they may in the API as well.
        let session = browser.cookie(SESSION).unwrap();
        let answer = send(app.request("GET", "/api/audit", "").header("cookie", format!("{SESSION}={session}"))
            .header("authorization", "")).await;
        assert_eq!(answer.expect(200)[0]["actor"], "ann");
    }

    async fn a_new_password_ends_the_sessions_of_the_old_one(db) {
        let db = std::sync::Arc::new(db);
        let mut builder = AppBuilder { sign_in: password(), ..AppBuilder::default() };
        let (sim, clock) = builder.simulator().await;
        let app = builder.start_with(std::sync::Arc::clone(&db), sim, clock).await;
        let browser = Browser::new(&app);
        enter(&browser, "ann", "right horse").await.expect(303);
        let session = browser.cookie(SESSION).unwrap();
        let (db, sim, clock) = app.stop().await;
        for (word, status) in [("right horse", 200), ("other horse", 303)] {
            let sign_in = SignIn::Password { user: "ann".to_owned(), password: word.to_owned().into() };
            let again = AppBuilder { sign_in, seed: 8, ..AppBuilder::default() };
            let app = again.start_with(std::sync::Arc::clone(&db), sim.clone(), clock.clone()).await;
            let browser = Browser::new(&app);
            browser.set_cookie(SESSION, &session);
            browser.get(INSIDE).await.expect(status);
            app.stop().await;
        }
    }

    async fn basic_credentials_open_pages_and_the_api(db) {
        let app = app_with(db, password()).await;
        let mut browser = Browser::new(&app);
        browser.headers.push(basic("ann", "right horse"));
        browser.get(INSIDE).await.expect(200).says("ann");
        browser.get("/api/audit").await.expect(200);
        let move_nothing = json!({ "issueId": "none", "repoFullName": API, "issueNumber": 1, "oldLabels": [], "newLabels": [] });
        let json_type = ("content-type", "application/json");
        browser.post_json("/api/issues/move", &move_nothing, &[json_type]).await.expect(404);
        browser.post_json("/api/issues/move", &move_nothing, &[json_type, ("origin", "https://evil.example")]).await.expect(403);
        browser.post_json("/api/issues/move", &move_nothing, &[("content-type", "text/plain")]).await.expect(403);
        let mut wrong = Browser::new(&app);
        wrong.headers.push(basic("ann", "wrong"));
        wrong.get(INSIDE).await.expect(303);
        wrong.get("/api/audit").await.expect(401);
    }

    async fn tries_are_limited_and_the_right_pair_waits_too(db) {
        let app = app_with(db, password()).await;
        let browser = Browser::new(&app);
        for _ in 0..5 {
            enter(&browser, "ann", "wrong").await.expect(401);
        }
        let refused = enter(&browser, "ann", "right horse").await.expect(429);
        assert_eq!(refused.header("retry-after"), "12");
        let mut script = Browser::new(&app);
        script.headers.push(basic("ann", "right horse"));
        script.get("/api/audit").await.expect(429);
        assert_eq!(app.request("GET", "/api/audit", MAINTAINER).send().await.unwrap().status(), 200, "tokens are not held up");
        app.advance(Duration::from_secs(12));
        enter(&browser, "ann", "right horse").await.expect(303);
        // Let in, it has all tries again.
        enter(&Browser::new(&app), "ann", "wrong").await.expect(401);
        script.get("/api/audit").await.expect(200);
    }

    async fn tries_are_counted_by_who_makes_them_behind_proxies_that_are_said_to_be_there(db) {
        let app = AppBuilder { sign_in: password(), proxies: 2, repos: vec![API.to_owned()], ..AppBuilder::default() }.start(db).await;
        let from = |chain: &str| {
            let mut browser = Browser::new(&app);
            browser.headers.push(("x-forwarded-for", chain.to_owned()));
            browser
        };
        // What stands before the two that the proxies wrote is made up.
        for n in 0..5 {
            enter(&from(&format!("6.6.6.{n}, 10.0.0.1, 192.168.0.1")), "ann", "wrong").await.expect(401);
        }
        enter(&from("6.6.6.77, 10.0.0.1, 192.168.0.1"), "ann", "right horse").await.expect(429);
        enter(&from("10.0.0.1, 192.168.0.2"), "ann", "right horse").await.expect(429);
        let mut script = from("10.0.0.1, 192.168.0.1");
        script.headers.push(basic("ann", "right horse"));
        script.get("/api/audit").await.expect(429);
        // Nobody else is locked out by that.
        enter(&from("10.0.0.1, 10.0.0.2, 192.168.0.1"), "ann", "right horse").await.expect(303);
        enter(&Browser::new(&app), "ann", "right horse").await.expect(303);
    }

    async fn no_header_makes_another_of_who_tries(db) {
        let app = app_with(db, password()).await;
        for n in 0..6 {
            let mut browser = Browser::new(&app);
            browser.headers.push(("x-forwarded-for", format!("10.0.0.{n}")));
            enter(&browser, "ann", "wrong").await.expect(if n < 5 { 401 } else { 429 });
        }
    }

    async fn where_nobody_signs_in_only_this_machine_is_answered(db) {
        let app = app_with(db, SignIn::Open { to_all: false }).await;
        let browser = Browser::new(&app);
        browser.get(INSIDE).await.expect(200).says("Open to everybody");
        browser.get("/api/audit").await.expect(200);
        // A page whose name was made to lead to this machine sends its own name.
        let mut rebound = Browser::new(&app);
        rebound.headers.push(("host", "evil.example:3000".to_owned()));
        rebound.get(INSIDE).await.expect(403).says("localhost");
        rebound.get("/api/audit").await.expect(403);
        browser.get("/login?callbackUrl=/board").await.expect(303);
    }

    async fn a_session_that_was_there_before_is_not_the_one_that_is_signed_in(db) {
        let app = app_with(db, password()).await;
        let browser = Browser::new(&app);
        browser.set_cookie(SESSION, "chosen-by-somebody-else");
        enter(&browser, "ann", "right horse").await.expect(303);
        let first = browser.cookie(SESSION).unwrap();
        assert_ne!(first, "chosen-by-somebody-else");
        browser.drop_cookie(SESSION);
        let form = browser.get("/login").await.form("/login");
        browser.set_cookie(SESSION, &first);
        browser.send(&form, &[("user", "ann"), ("password", "right horse")]).await.expect(303);
        let second = browser.cookie(SESSION).unwrap();
        assert_ne!(first, second);
        browser.set_cookie(SESSION, &first);
        browser.get(INSIDE).await.expect(303);
    }

    async fn cookies_are_closed_to_scripts_and_to_other_sites(db) {
        let app = app_with(db, password()).await;
        let mut browser = Browser::new(&app);
        let cookies = |page: &Page| -> Vec<String> {
            page.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
        };
        let plain = enter(&browser, "ann", "right horse").await;
        assert!(cookies(&plain).iter().all(|cookie| cookie.contains("; HttpOnly; SameSite=Lax") && !cookie.contains("Secure")));
        browser.drop_cookie(SESSION);
        browser.headers.push(("x-forwarded-proto", "https".to_owned()));
        let secure = cookies(&enter(&browser, "ann", "right horse").await);
        assert!(secure.iter().any(|cookie| cookie.starts_with("__Host-dispatch_session=") && cookie.ends_with("; Secure")), "{secure:?}");
    }

    async fn nobody_is_led_elsewhere_after_signing_in(db) {
        let app = app_with(db, password()).await;
        for path in ["https://evil.example/", "//evil.example", "/\\evil.example", "/%5Cevil.example/..//x", "javascript:alert(1)", "/\t/evil.example"] {
            let browser = Browser::new(&app);
            let asked: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
            let form = browser.get(&format!("/login?callbackUrl={asked}")).await.expect(200).form("/login");
            for callback in [path, form.fields.iter().find(|(name, _)| name == "callbackUrl").unwrap().1.as_str()] {
                let entered = browser.send(&form, &[("user", "ann"), ("password", "right horse"), ("callbackUrl", callback)]).await.expect(303);
                let place = url::Url::parse("http://here.invalid").unwrap().join(entered.location()).unwrap();
                assert_eq!(place.host_str(), Some("here.invalid"), "{path}: {}", entered.location());
            }
        }
    }

    async fn a_form_of_another_site_signs_nobody_in_or_out(db) {
        let app = app_with(db, password()).await;
        let mut browser = Browser::new(&app);
        let form = browser.get("/login").await.form("/login");
        let fields = [("user", "ann"), ("password", "right horse")];
        let stranger = Browser::new(&app).get("/login").await.form("/login");
        browser.send(&stranger, &fields).await.expect(403);
        browser.send(&form, &[fields[0], fields[1], ("csrf", "")]).await.expect(403);
        for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
            browser.headers.push((name, value.to_owned()));
            browser.send(&form, &fields).await.expect(403);
            browser.headers.pop();
        }
        assert_eq!(browser.cookie(SESSION), None);
        browser.send(&form, &fields).await.expect(303);
        let out = browser.get(INSIDE).await.form("/api/auth/logout");
        browser.send(&out, &[("csrf", "x")]).await.expect(403);
        browser.headers.push(("sec-fetch-site", "cross-site".to_owned()));
        browser.send(&out, &[]).await.expect(403);
        browser.headers.pop();
        browser.get(INSIDE).await.expect(200);
    }
}
