//! Apps made and changed by other processes.

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{parse, refusal};
use crate::Sim;
use crate::access::Permission;
use crate::api::Reply;
use crate::apps::Public;
use crate::server::Ask;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum AppChange {
    Create {
        id: u64,
        public_key: Option<String>,
    },
    Install {
        app: u64,
        account: String,
        #[serde(default)]
        permission: Permission,
    },
    Grant {
        installation: u64,
        permission: Permission,
    },
    Suspend {
        installation: u64,
    },
    Unsuspend {
        installation: u64,
    },
    Uninstall {
        installation: u64,
    },
    RevokeTokens {
        installation: u64,
    },
}

/// `POST /_sim/apps`
pub(super) fn apply(sim: &Sim, ask: &Ask) -> Result<Reply, Reply> {
    let done = match parse(ask)? {
        AppChange::Create { id, public_key } => create(sim, id, public_key.as_deref())?,
        AppChange::Install { app, account, permission } => {
            let known = sim.core.access.lock().apps.app(app).is_some();
            if !known {
                return Err(refusal(StatusCode::NOT_FOUND, &format!("no app {app}")));
            }
            json!({ "id": sim.app_handle(app).install(&account, permission) })
        }
        AppChange::Grant { installation, permission } => {
            on(sim, installation, |app| app.grant(installation, permission))?
        }
        AppChange::Suspend { installation } => on(sim, installation, |app| app.suspend(installation))?,
        AppChange::Unsuspend { installation } => on(sim, installation, |app| app.unsuspend(installation))?,
        AppChange::Uninstall { installation } => on(sim, installation, |app| app.uninstall(installation))?,
        AppChange::RevokeTokens { installation } => {
            on(sim, installation, |app| app.revoke_tokens(installation))?
        }
    };
    Ok(Reply::ok(&done))
}

#[cfg(feature = "apps")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it fails")]
fn create_with_key(sim: &Sim, id: u64) -> Result<Value, Reply> {
    Ok(json!({ "id": id, "private_key": sim.create_app(id).private_key_pem() }))
}

#[cfg(not(feature = "apps"))]
fn create_with_key(_: &Sim, _: u64) -> Result<Value, Reply> {
    Err(refusal(StatusCode::NOT_IMPLEMENTED, "this simulator was built without the keys of Apps"))
}

fn create(sim: &Sim, id: u64, public_key: Option<&str>) -> Result<Value, Reply> {
    let Some(pem) = public_key else { return create_with_key(sim, id) };
    if Public::from_pem(pem).is_none() {
        return Err(refusal(StatusCode::UNPROCESSABLE_ENTITY, "public_key is no RSA public key in PEM"));
    }
    sim.create_app_with_key(id, pem);
    Ok(json!({ "id": id }))
}

fn on(sim: &Sim, installation: u64, change: impl FnOnce(&crate::SimApp)) -> Result<Value, Reply> {
    let app = sim.core.access.lock().apps.installation(installation).map(|known| known.app);
    let Some(app) = app else {
        return Err(refusal(StatusCode::NOT_FOUND, &format!("no installation {installation}")));
    };
    change(&sim.app_handle(app));
    Ok(json!({ "ok": true }))
}
