//! Apps: JSON web tokens, installation tokens, what they open and when they end.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use github_sim::{ManualClock, Permission, Sim, SimApp, SimConfig};
use reqwest::Method;
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs1v15::SigningKey;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Answer, Caller, NEW_YEAR, at_new_year, at_new_year_with};

fn sign(app: &SimApp, claims: &Value) -> String {
    let key = RsaPrivateKey::from_pkcs1_pem(&app.private_key_pem()).expect("a key");
    let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let message = format!("{}.{}", encode(&json!({ "alg": "RS256", "typ": "JWT" })), encode(claims));
    let signature = SigningKey::<Sha256>::new(key).sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

fn jwt(sim: &Sim, app: &SimApp) -> Caller {
    let now = sim.now_ms() / 1_000;
    let token = sign(app, &json!({ "iss": app.id().to_string(), "iat": now - 60, "exp": now + 540 }));
    Caller::with(sim, Some(token))
}

async fn mint(sim: &Sim, app: &SimApp, installation: u64) -> Answer {
    let path = format!("/app/installations/{installation}/access_tokens");
    jwt(sim, app).post(&path, &json!({})).await
}

async fn installed(sim: &Sim, app: &SimApp, installation: u64) -> Caller {
    let answer = mint(sim, app, installation).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    Caller::with(sim, answer.json()["token"].as_str().map(str::to_owned))
}

async fn start() -> (Sim, ManualClock, SimApp, u64) {
    let (sim, clock) = at_new_year().await;
    sim.create_repo("acme/api");
    sim.create_repo("beta/web");
    let app = sim.create_app(7);
    let installation = app.install("Acme", Permission::Write);
    (sim, clock, app, installation)
}

#[tokio::test]
async fn a_token_of_an_installation_ends_after_an_hour_and_opens_its_account_only() {
    let (sim, clock, app, installation) = start().await;
    let answer = mint(&sim, &app, installation).await;
    let body = answer.json();
    assert_eq!(answer.status, 201);
    assert!(body["token"].as_str().is_some_and(|token| token.starts_with("ghs_")));
    assert_eq!(body["expires_at"], "2026-01-01T01:00:00Z");
    assert_eq!(body["repository_selection"], "all");
    assert_eq!(body["permissions"]["issues"], "write");
    let caller = Caller::with(&sim, body["token"].as_str().map(str::to_owned));
    assert_eq!(caller.get("/repos/ACME/api").await.status, 200);
    assert_eq!(caller.get("/repos/beta/web").await.status, 404);
    let list = caller.get("/installation/repositories").await.json();
    assert_eq!(
        (&list["total_count"], &list["repositories"][0]["full_name"]),
        (&json!(1), &json!("acme/api"))
    );
    assert_eq!(caller.get("/user").await.message(), "Resource not accessible by integration");
    clock.advance(Duration::from_secs(3_599));
    assert_eq!(caller.get("/repos/acme/api").await.status, 200);
    clock.advance(Duration::from_secs(1));
    assert_eq!(caller.get("/repos/acme/api").await.status, 401);
}

#[tokio::test]
async fn limits_are_the_installations_and_etags_the_tokens() {
    let config = SimConfig { hourly_quota: Some(3), ..SimConfig::default() };
    let (sim, _) = at_new_year_with(config).await;
    sim.create_repo("acme/api");
    let app = sim.create_app(7);
    let (acme, beta) = (app.install("acme", Permission::Read), app.install("beta", Permission::Read));
    let (one, two) = (installed(&sim, &app, acme).await, installed(&sim, &app, acme).await);
    let first = one.get("/repos/acme/api/issues").await;
    assert_eq!((first.status, first.number("x-ratelimit-remaining")), (200, 2));
    assert_eq!(one.get_if_none_match("/repos/acme/api/issues", &first.etag()).await.status, 304);
    let second = two.get_if_none_match("/repos/acme/api/issues", &first.etag()).await;
    assert_eq!((second.status, second.number("x-ratelimit-remaining")), (200, 1));
    let write = two.post("/repos/acme/api/issues", &json!({ "title": "One" })).await;
    assert_eq!((write.status, write.message().as_str()), (403, "Resource not accessible by integration"));
    assert_eq!(two.get("/repos/acme/api").await.status, 403, "the hour's three are spent");
    sim.create_repo("beta/web");
    assert_eq!(installed(&sim, &app, beta).await.get("/repos/beta/web").await.status, 200);
}

#[tokio::test]
async fn an_app_shows_itself_by_a_fresh_token_of_its_own_key() {
    let (sim, _, app, installation) = start().await;
    let caller = jwt(&sim, &app);
    assert_eq!(caller.get("/app").await.json()["id"], 7);
    let list = caller.get("/app/installations").await.json();
    assert_eq!((&list[0]["id"], &list[0]["account"]["login"]), (&json!(installation), &json!("Acme")));
    let one = caller.get(&format!("/app/installations/{installation}")).await.json();
    assert_eq!(
        (&one["app_slug"], &one["permissions"]["issues"]),
        (&json!("dispatch-sim-7"), &json!("write"))
    );
    app.grant(installation, Permission::None);
    let one = caller.get(&format!("/app/installations/{installation}")).await.json();
    assert_eq!((&one["permissions"], &one["suspended_at"]), (&json!({ "metadata": "read" }), &json!(null)));
    assert_eq!(caller.get("/app/installations/1").await.status, 404);
    sim.repo("acme/api").set_private(true);
    let refused = installed(&sim, &app, installation).await.get("/repos/acme/api/issues").await;
    assert_eq!(refused.header("x-accepted-github-permissions"), "issues=read");
    assert_eq!(refused.message(), "Resource not accessible by integration");
    let stranger = sim.create_app(8);
    let claims =
        |iss: u64, iat: i64, exp: i64| json!({ "iss": iss, "iat": NEW_YEAR + iat, "exp": NEW_YEAR + exp });
    let cases = [
        (sign(&app, &claims(7, -60, 600)), 200, ""),
        (sign(&app, &claims(7, -60, 601)), 401, "'Expiration time' claim ('exp') is too far in the future"),
        (sign(&app, &claims(7, -660, 0)), 401, "'Expiration time' claim ('exp') must be a numeric value"),
        (sign(&app, &claims(7, 1, 60)), 401, "'Issued at' claim ('iat') must be an Integer"),
        (sign(&stranger, &claims(7, -60, 540)), 401, "A JSON web token could not be decoded"),
        (sign(&app, &claims(9, -60, 540)), 404, "Integration not found"),
        ("a.b.c".to_owned(), 401, "A JSON web token could not be decoded"),
        (sim.token(), 401, "A JSON web token could not be decoded"),
    ];
    for (token, status, message) in cases {
        let answer = Caller::with(&sim, Some(token)).get("/app").await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(status == 200 || answer.message().starts_with(message), "{}", answer.text);
    }
    assert_eq!(mint(&sim, &stranger, installation).await.status, 404, "another App's installation");
    assert_eq!(Caller::of(&sim).get("/installation/repositories").await.status, 403);
}

#[tokio::test]
async fn installations_are_suspended_revoked_and_taken_off_also_by_other_processes() {
    let (sim, _, app, installation) = start().await;
    let control = Caller::anonymous(&sim);
    let change = async |op: &str| {
        let answer = control.post("/_sim/apps", &json!({ "op": op, "installation": installation })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    let caller = installed(&sim, &app, installation).await;
    let status = async || caller.get("/repos/acme/api").await.status;
    change("suspend").await;
    assert_eq!((status().await, mint(&sim, &app, installation).await.status), (403, 403));
    change("unsuspend").await;
    assert_eq!(status().await, 200);
    change("revoke_tokens").await;
    assert_eq!((status().await, mint(&sim, &app, installation).await.status), (401, 201));
    change("uninstall").await;
    assert_eq!((status().await, mint(&sim, &app, installation).await.status), (401, 404));

    let created = control.post("/_sim/apps", &json!({ "op": "create", "id": 9 })).await.json();
    assert!(created["private_key"].as_str().is_some_and(|key| key.starts_with("-----BEGIN RSA PRIVATE KEY")));
    let install = json!({ "op": "install", "app": 9, "account": "beta", "permission": "read" });
    assert!(control.post("/_sim/apps", &install).await.json()["id"].is_u64());
    for (bad, want) in [
        (json!({ "op": "install", "app": 10, "account": "beta" }), 404),
        (json!({ "op": "suspend", "installation": 1 }), 404),
        (json!({ "op": "create", "id": 10, "public_key": "no" }), 422),
        (json!({ "op": "dance" }), 400),
    ] {
        assert_eq!(control.send(Method::POST, "/_sim/apps", &bad).await.status, want, "{bad}");
    }
}
