//! Links: what the service keeps of a mandate beside the books. Where its request stands, what the gateway calls it, and the
//! account as a person may see it.
//!
//! The state that travels with the browser is kept by its hash, is good once, for ten minutes, and only in the session in
//! which it was made.

use crate::doors::Door;
use crate::gateway::Account;
use crate::sealed::Ciphertext;
use crate::service::Service;
use domain::{Id, Time};
use serde::{Deserialize, Serialize};
use wallet::{BankAccountId, BankCode, HolderId, MandateId, WalletId};
use web::Problem;

/// How long the browser may be away, in milliseconds.
pub const STATE_MS: i64 = 10 * 60 * 1_000;
/// What the hash of a state is for.
const PURPOSE: &str = "link state";

/// A mandate that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Which.
    pub mandate: MandateId,
    /// For which wallet.
    pub wallet: WalletId,
    /// Whose.
    pub holder: HolderId,
    /// At which bank.
    pub bank: BankCode,
    /// Where the browser goes when all is done.
    pub return_url: Option<String>,
    /// What the gateway calls it, once granted.
    pub gateway_id: Option<String>,
    /// The account in the books, once granted.
    pub bank_account: Option<BankAccountId>,
    /// The account as a person may see it.
    pub account: Option<Ciphertext>,
}

impl Door for Link {
    const TABLE: &'static str = "link";

    fn id(&self) -> Id {
        self.mandate.0
    }

    fn owner(&self) -> Option<Id> {
        Some(self.wallet.0)
    }
}

/// The state of a browser that is away at the bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkState {
    /// The state's hash.
    pub state: Id,
    /// Of which mandate.
    pub mandate: MandateId,
    /// Whose.
    pub holder: HolderId,
    /// The hash of the session's token.
    pub session: Id,
    /// The secret that goes with the code.
    pub verifier: Ciphertext,
    /// Until when.
    pub expires: Time,
}

impl Door for LinkState {
    const TABLE: &'static str = "link_state";

    fn id(&self) -> Id {
        self.state
    }

    fn owner(&self) -> Option<Id> {
        Some(self.mandate.0)
    }

    fn at(&self) -> Option<Time> {
        Some(self.expires)
    }
}

/// Which mandate of ours it is that the gateway names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayMandate {
    /// The hash of the gateway's name.
    pub name: Id,
    /// Ours.
    pub mandate: MandateId,
}

impl Door for GatewayMandate {
    const TABLE: &'static str = "gateway_mandate";

    fn id(&self) -> Id {
        self.name
    }
}

/// A bank account that was ever linked: how the gateway is told of it when no mandate is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedAccount {
    /// The wallet's own entry for the account.
    pub key: Id,
    /// In the books.
    pub bank_account: BankAccountId,
    /// Whose wallet linked it.
    pub wallet: WalletId,
    /// At which bank.
    pub bank: BankCode,
    /// The account as a person may see it.
    pub account: Ciphertext,
    /// The gateway's last mandate on it.
    pub gateway_id: String,
    /// Ours.
    pub mandate: MandateId,
}

impl Door for LinkedAccount {
    const TABLE: &'static str = "linked_account";

    fn id(&self) -> Id {
        self.key
    }

    fn owner(&self) -> Option<Id> {
        Some(self.wallet.0)
    }
}

impl Service {
    /// The hash of a state.
    pub fn state_hash(&self, state: &str) -> Id {
        self.keys.secret(PURPOSE, state)
    }

    /// Keeps a browser's state: the one before of the same mandate is worth nothing any more.
    pub fn keep_state(&self, state: &LinkState) -> Result<(), Problem> {
        self.doors.change(|doors| {
            for before in doors.of::<LinkState>(state.mandate.0)? {
                doors.remove::<LinkState>(before.state)?;
            }
            doors.put(state).map_err(Problem::from)
        })
    }

    /// Takes the state that came back: nobody else gets it again.
    pub fn take_state(&self, state: &str) -> Result<Option<LinkState>, Problem> {
        let hash = self.state_hash(state);
        self.doors.change(|doors| doors.take(hash).map_err(Problem::from))
    }

    /// Keeps what the bank granted: durable before the books make it a mandate that may debit.
    pub fn keep_grant(
        &self,
        link: &Link,
        gateway_id: &str,
        bank_account: BankAccountId,
        account: &Account,
    ) -> Result<(), Problem> {
        let shown = serde_json::to_vec(account).map_err(|_| Problem::internal())?;
        let sealed = Ciphertext(self.seal(link.holder, &shown)?.0);
        let granted = Link {
            gateway_id: Some(gateway_id.to_owned()),
            bank_account: Some(bank_account),
            account: Some(sealed.clone()),
            ..link.clone()
        };
        let linked = LinkedAccount {
            key: self.linked_key(link.wallet, bank_account),
            bank_account,
            wallet: link.wallet,
            bank: link.bank,
            account: sealed,
            gateway_id: gateway_id.to_owned(),
            mandate: link.mandate,
        };
        let named = GatewayMandate { name: self.gateway_name(gateway_id), mandate: link.mandate };
        self.doors.change(|doors| {
            doors.put(&granted)?;
            doors.put(&linked)?;
            doors.put(&named).map_err(Problem::from)
        })
    }

    /// A wallet's entry for an account.
    pub fn linked_key(&self, wallet: WalletId, bank_account: BankAccountId) -> Id {
        self.keys.secret("linked account", &format!("{wallet} {bank_account}"))
    }

    /// The account in the books that the gateway names.
    pub fn bank_account_named(&self, account_ref: &str) -> BankAccountId {
        BankAccountId(self.look_up("bank account", account_ref.as_bytes()))
    }

    /// The hash of what the gateway calls a mandate.
    pub fn gateway_name(&self, gateway_id: &str) -> Id {
        self.keys.secret("gateway mandate", gateway_id)
    }

    /// The account as its holder may see it.
    pub fn account_shown(&self, holder: HolderId, sealed: &Ciphertext) -> Result<Account, Problem> {
        serde_json::from_slice(&self.unseal(holder, &sealed.0)?).map_err(|_| Problem::internal())
    }
}
