//! A handle to one GitHub App: its key, where it is installed, what became of that.

use crate::Sim;
use crate::access::Permission;
#[cfg(feature = "apps")]
use crate::apps::Pair;
use crate::apps::{Apps, Public};

/// A registered App. Methods that name an installation panic when there is none of that id.
#[derive(Clone, Debug)]
pub struct SimApp {
    sim: Sim,
    id: u64,
    keys: Option<Keys>,
}

/// One key in the forms of PEM that programs meet.
#[derive(Clone, Debug)]
struct Keys {
    pkcs1: String,
    pkcs8: String,
    public: String,
}

impl Sim {
    /// Registers an App with a key made from the seed and the id.
    #[cfg(feature = "apps")]
    pub fn create_app(&self, id: u64) -> SimApp {
        let Pair { public, pkcs1, pkcs8, spki } =
            Pair::generate(self.core.config.seed.wrapping_mul(1_000_003).wrapping_add(id));
        self.register(id, public, Some(Keys { pkcs1, pkcs8, public: spki }))
    }

    /// Registers an App whose private key is elsewhere. Panics if the public one cannot be read.
    pub fn create_app_with_key(&self, id: u64, public_key_pem: &str) -> SimApp {
        let public = Public::from_pem(public_key_pem).expect("an RSA public key in PEM");
        self.register(id, public, None)
    }

    fn register(&self, id: u64, public: Public, keys: Option<Keys>) -> SimApp {
        let now = self.core.now_s();
        self.core.access.lock().apps.add(id, public, now);
        SimApp { sim: self.clone(), id, keys }
    }

    pub(crate) fn app_handle(&self, id: u64) -> SimApp {
        SimApp { sim: self.clone(), id, keys: None }
    }
}

impl SimApp {
    /// The App's id, which its JSON web tokens name as `iss`.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The private key in PKCS#1 (`BEGIN RSA PRIVATE KEY`), the form in which GitHub hands it out.
    /// Panics if the simulator did not make it.
    pub fn private_key_pem(&self) -> String {
        self.keys().pkcs1.clone()
    }

    /// The same key in PKCS#8 (`BEGIN PRIVATE KEY`).
    pub fn private_key_pkcs8_pem(&self) -> String {
        self.keys().pkcs8.clone()
    }

    /// The public half (`BEGIN PUBLIC KEY`), for `Sim::create_app_with_key`.
    pub fn public_key_pem(&self) -> String {
        self.keys().public.clone()
    }

    fn keys(&self) -> &Keys {
        self.keys.as_ref().expect("a key that the simulator made")
    }

    /// Installs the App on an account, for all of its repositories; the answer is the installation's id.
    pub fn install(&self, account: &str, permission: Permission) -> u64 {
        let now = self.sim.core.now_s();
        let id = self.act(|apps| apps.install(self.id, account, permission, now));
        let id = id.expect("the App is registered");
        self.listen(id, Some(account));
        id
    }

    /// Changes what an installation was granted; new tokens have it, and so have those given out before.
    pub fn grant(&self, installation: u64, permission: Permission) {
        self.act(|apps| {
            apps.installation_mut(installation).expect("the installation exists").permission = permission;
        });
    }

    /// Takes the App off the account: its tokens end, and new ones are answered 404.
    pub fn uninstall(&self, installation: u64) {
        self.act(|apps| apps.uninstall(installation)).expect("the installation exists");
        self.listen(installation, None);
    }

    /// Its tokens are answered 403, and so is who asks for new ones; it hears no events.
    pub fn suspend(&self, installation: u64) {
        let now = self.sim.core.now_s();
        self.set_suspended(installation, Some(now));
        self.listen(installation, None);
    }

    /// Ends the suspension.
    pub fn unsuspend(&self, installation: u64) {
        self.set_suspended(installation, None);
        let account = self.act(|apps| apps.installation(installation).map(|it| it.account.clone()));
        self.listen(installation, account.as_deref());
    }

    /// Ends every token of the installation before its time; new ones are given out.
    pub fn revoke_tokens(&self, installation: u64) {
        self.act(|apps| apps.revoke_all(installation));
    }

    fn set_suspended(&self, installation: u64, at: Option<i64>) {
        self.act(|apps| {
            let known = apps.installation_mut(installation).expect("the installation exists");
            known.suspended_at = at;
        });
    }

    pub(super) fn sim(&self) -> &Sim {
        &self.sim
    }

    /// Whether the App hears of the account from now on.
    fn listen(&self, installation: u64, account: Option<&str>) {
        let installations = &mut self.sim.core.world.lock().webhooks.installations;
        match account {
            Some(account) => installations.insert(installation, (self.id, account.to_owned())),
            None => installations.remove(&installation),
        };
    }

    fn act<R>(&self, change: impl FnOnce(&mut Apps) -> R) -> R {
        change(&mut self.sim.core.access.lock().apps)
    }
}
