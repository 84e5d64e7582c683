//! The wallet itself: opening it, what is in it and what it may, freezing, closing.

use crate::api::holders::Nothing;
use crate::api::ids;
use crate::asked::Asked;
use crate::banking;
use crate::entrance::{Holder, SYSTEM};
use crate::links::LinkedAccount;
use crate::query::Page;
use crate::refusals;
use crate::service::{Answered, Service};
use crate::velocity::Deed;
use axum::extract::{Path, State};
use domain::{Day, Key};
use engine::Request;
use http::StatusCode;
use ledger::Yen;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::wallet::{Asker, Command as OfWallet, Wallet};
use wallet::{BankAccountId, Command, Noun, PayoutId, Policy, Receipt, Row, WalletId, payout, table};
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(open, list))
        .routes(routes!(show))
        .routes(routes!(freeze))
        .routes(routes!(unfreeze))
        .routes(routes!(close))
}

/// A wallet.
#[derive(Serialize, ToSchema)]
#[schema(as = WalletShown)]
pub struct Shown {
    id: String,
    status: &'static str,
    tier: &'static str,
    balances: Balances,
    #[schema(value_type = i64)]
    owed: Yen,
    limits: Limits,
    opened_at: String,
}

/// What is in it, in yen.
#[derive(Serialize, ToSchema)]
pub struct Balances {
    #[schema(value_type = i64)]
    funds: Yen,
    #[schema(value_type = i64)]
    prepaid: Yen,
    #[schema(value_type = i64)]
    bonus: Yen,
    #[schema(value_type = i64)]
    held: Yen,
    #[schema(value_type = i64)]
    arriving: Yen,
    /// What of these is kept from leaving while a report is looked into.
    #[schema(value_type = i64)]
    kept: Yen,
}

/// What it may, in yen; what is left is what the wallet's own sums leave: the person's and the account's may leave less.
#[derive(Serialize, ToSchema)]
pub struct Limits {
    top_up: TopUpLimits,
    payment: DayLimits,
    send: DayLimits,
    payout: PayoutLimits,
    #[schema(value_type = i64)]
    balance_max: Yen,
}

/// Of top-ups.
#[derive(Serialize, ToSchema)]
pub struct TopUpLimits {
    #[schema(value_type = i64)]
    per_time: Yen,
    #[schema(value_type = i64)]
    month_left: Yen,
    #[schema(value_type = i64)]
    rolling_left: Yen,
}

/// Of what is counted by day.
#[derive(Serialize, ToSchema)]
pub struct DayLimits {
    #[schema(value_type = i64)]
    per_time: Yen,
    #[schema(value_type = i64)]
    day_left: Yen,
}

/// Of payouts.
#[derive(Serialize, ToSchema)]
pub struct PayoutLimits {
    #[schema(value_type = i64)]
    per_time: Yen,
    month_count_left: u32,
}

/// A body that may carry a challenge.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Provable {
    challenge_id: Option<String>,
}

/// A closure that is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WalletClose)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// To which of the holder's bank accounts the balance goes; not needed where there is one alone.
    bank_account_id: Option<String>,
    challenge_id: Option<String>,
}

/// How far the closure is.
#[derive(Serialize, ToSchema)]
#[schema(as = WalletClosed)]
pub struct Closed {
    id: String,
    /// `closed`, or `closing` until the payout is over; `open` where the bank did not take it.
    status: &'static str,
    /// The payout of the balance, if there was one.
    payout_id: Option<String>,
}

/// What became of the wallet.
#[derive(Serialize, ToSchema)]
#[schema(as = WalletChanged)]
pub struct Changed {
    id: String,
    status: String,
}

/// Open a wallet. Whoever had one before opens the next with a proof, on a device that they have not proven.
#[utoipa::path(post, path = "/v1/wallets", tag = "wallets", request_body = Provable,
    params(("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 201, body = Shown)))]
async fn open(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Asked { body, repeat }: Asked<Provable>,
) -> Result<(StatusCode, Json<Shown>), Problem> {
    // Whoever has one opens none, and may be repeating themselves.
    let has_none = service.holder(caller.id).await?.wallet.is_none();
    // A first wallet has nothing to lose, and its device becomes the first known one; that of the next would be, too.
    let needs_proof = has_none && service.has_known_device(caller.id)? && service.is_new_device(&caller)?;
    if has_none && (body.challenge_id.is_some() || !needs_proof) {
        service.count_velocity(Deed::OpenWallet, &caller)?;
    }
    let wallet = WalletId(service.id());
    let command = |_| Command::Wallet(OfWallet::Open { wallet, holder: caller.id, origin: Some(caller.origin) });
    let request = repeat.by(&service, caller.actor());
    let challenge = body.challenge_id.as_deref();
    let answer = service.submit_provable(&caller, request, challenge, needs_proof, command).await?;
    match answer.reply.map_err(|refusal| refusals::problem(&refusal))? {
        Receipt::Wallet { id, .. } => {
            // Whoever opens a wallet holds the first device that is the wallet's own; whoever repeats that may be another.
            if !answer.repeated {
                service.know_device(&caller)?;
            }
            Ok((StatusCode::CREATED, Json(present(&service, &caller, id).await?)))
        }
        _ => Err(Problem::internal()),
    }
}

/// See one's wallets.
#[utoipa::path(get, path = "/v1/wallets", tag = "wallets", security(("holder" = [])),
    responses((status = 200, body = Page<Shown>)))]
async fn list(State(service): State<Arc<Service>>, caller: Holder) -> Result<Json<Page<Shown>>, Problem> {
    let mut data = Vec::new();
    if let Some(wallet) = service.holder(caller.id).await?.wallet {
        data.push(present(&service, &caller, wallet).await?);
    }
    Ok(Json(Page { data, next_cursor: None }))
}

/// See a wallet.
#[utoipa::path(get, path = "/v1/wallets/{wallet}", tag = "wallets",
    params(("wallet" = String, Path)), security(("holder" = [])),
    responses((status = 200, body = Shown)))]
async fn show(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(wallet): Path<String>,
) -> Result<Json<Shown>, Problem> {
    Ok(Json(present(&service, &caller, parse_id(&wallet)?).await?))
}

/// Let no money leave.
#[utoipa::path(post, path = "/v1/wallets/{wallet}/freeze", tag = "wallets", request_body = Nothing,
    params(("wallet" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 200, body = Changed)))]
async fn freeze(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(wallet): Path<String>,
    Asked { body: Nothing {}, repeat }: Asked<Nothing>,
) -> Result<Json<Changed>, Problem> {
    let command = OfWallet::Freeze { wallet: parse_id(&wallet)?, by: Asker::Holder(caller.id) };
    let request = repeat.by(&service, caller.actor());
    changed(service.submit(caller.actor(), Some(request), Command::Wallet(command)).await?)
}

/// Lift the freeze.
#[utoipa::path(post, path = "/v1/wallets/{wallet}/unfreeze", tag = "wallets", request_body = Provable,
    params(("wallet" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 200, body = Changed)))]
async fn unfreeze(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(wallet): Path<String>,
    Asked { body, repeat }: Asked<Provable>,
) -> Result<Json<Changed>, Problem> {
    let wallet = parse_id(&wallet)?;
    service.wallet_of(wallet, caller.id).await?;
    let command = |_| Command::Wallet(OfWallet::Unfreeze { wallet, by: Asker::Holder(caller.id) });
    let request = repeat.by(&service, caller.actor());
    let answer = service.submit_provable(&caller, request, body.challenge_id.as_deref(), true, command).await?;
    changed(answer.reply.map_err(|refusal| refusals::problem(&refusal))?)
}

/// Close a wallet for good. What is in `funds` is paid out first; bonus lapses; prepaid money must be spent before.
#[utoipa::path(post, path = "/v1/wallets/{wallet}/closure", tag = "wallets", request_body = Close,
    params(("wallet" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 201, description = "final: `closed`, or `open` where the bank did not take the balance", body = Closed),
        (status = 202, description = "the bank has not paid out yet: `closing`", body = Closed)))]
async fn close(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(wallet): Path<String>,
    Asked { body, repeat }: Asked<Close>,
) -> Result<(StatusCode, Json<Closed>), Problem> {
    let id = parse_id(&wallet)?;
    let row = service.wallet_of(id, caller.id).await?;
    let request = repeat.by(&service, caller.actor());
    // What was answered is answered again, whatever has come or gone since.
    let answer = match service.recall(request).await? {
        Some(answer) => answer,
        None => service.ask_closure(&caller, request, id, &row, body).await?,
    };
    let payout = match answer.reply.map_err(|refusal| refusals::problem(&refusal))? {
        Receipt::Payout { id: payout, status, .. } => {
            if status == payout::Status::Pending && !answer.repeated {
                service.ask_payout_first(payout).await?;
                service.go_on_closing(id).await?;
            }
            Some(payout)
        }
        _ => None,
    };
    let row = service.wallet_of(id, caller.id).await?;
    let code = ids::code_of(row.closed || row.closing().is_none());
    let payout_id = payout.or(row.closing()).map(|payout| payout.to_string());
    Ok((code, Json(Closed { id: id.to_string(), status: row.status(), payout_id })))
}

impl Service {
    /// Closes a wallet that is empty of funds; asks for its last payout where it is not.
    async fn ask_closure(
        &self,
        caller: &Holder,
        request: Request,
        id: WalletId,
        row: &Wallet,
        asked: Close,
    ) -> Answered {
        let (amount, holder) = (row.funds.account.available(), caller.id);
        let way_out = if amount.is_zero() { None } else { Some(self.way_out(id, row, asked.bank_account_id).await?) };
        let command = |proof| match way_out {
            None => Command::Wallet(OfWallet::Close { wallet: id, holder }),
            Some(bank_account) => {
                let (payout, origin) = (PayoutId(self.id()), Some(caller.origin));
                let request = payout::Request { payout, wallet: id, holder, bank_account, amount, origin, proof };
                Command::Payout(payout::Command::RequestLast(request))
            }
        };
        self.submit_provable(caller, request, asked.challenge_id.as_deref(), true, command).await
    }

    /// The account that the last money of a wallet goes to: the one that is named, or the only one there is.
    async fn way_out(&self, id: WalletId, wallet: &Wallet, named: Option<String>) -> Result<BankAccountId, Problem> {
        if let Some(named) = named {
            return ids::parse(&named, Noun::BankAccount);
        }
        let mut found = Vec::new();
        for linked in self.doors.of::<LinkedAccount>(id.0)? {
            match self.row(Key::new(table::BANK_ACCOUNT, linked.bank_account.0)).await?.as_deref() {
                Some(Row::BankAccount(account)) if account.is_route_of(id, wallet) => found.push(linked.bank_account),
                Some(_) | None => {}
            }
        }
        if let [only] = found[..] {
            return Ok(only);
        }
        let accounts: Vec<String> = found.iter().map(ToString::to_string).collect();
        Err(refusals::new(
            422,
            "bank-account-needed",
            "Say to which bank account the balance is to be paid out.",
            "残高の払出し先の銀行口座を指定してください。",
        )
        .detail("Name one as `bank_account_id`; where there is none, link one first.")
        .with("member", "bank_account_id")
        .with("bank_accounts", accounts))
    }

    /// Closes a wallet whose last payout is over; one that is not being closed stays as it is.
    pub async fn go_on_closing(&self, id: WalletId) -> Result<banking::Asked, Problem> {
        let holder = match self.row(Key::new(table::WALLET, id.0)).await?.as_deref() {
            Some(Row::Wallet(row)) if row.closing().is_some() && !row.closed => row.holder,
            Some(_) | None => return Ok(banking::Asked::Over),
        };
        let command = Command::Wallet(OfWallet::Close { wallet: id, holder });
        match self.ask(SYSTEM, None, command).await?.reply {
            Ok(Receipt::Wallet { status, .. }) if status == "closing" => Ok(banking::Asked::Open),
            Ok(_) | Err(_) => Ok(banking::Asked::Over),
        }
    }
}

fn changed(receipt: Receipt) -> Result<Json<Changed>, Problem> {
    match receipt {
        Receipt::Wallet { id, status } => Ok(Json(Changed { id: id.to_string(), status })),
        _ => Err(Problem::internal()),
    }
}

/// The wallet's id in a path; one that is none is nobody's.
pub fn parse_id(text: &str) -> Result<WalletId, Problem> {
    text.parse().map_err(|_| Problem::not_found().with("noun", "wallet"))
}

async fn present(service: &Service, caller: &Holder, id: WalletId) -> Result<Shown, Problem> {
    let wallet = service.wallet_of(id, caller.id).await?;
    let today = service.now().day();
    let balances = Balances {
        funds: wallet.funds.account.available(),
        prepaid: wallet.prepaid.account.available(),
        bonus: wallet.bonus.account.available(),
        held: wallet.held(),
        arriving: wallet.arriving(),
        kept: wallet.blocked(),
    };
    Ok(Shown {
        id: id.to_string(),
        status: wallet.status(),
        tier: wallet.tier.name(),
        balances,
        owed: Yen::checked_sum(wallet.debts.iter().map(|debt| debt.amount)).unwrap_or(Yen::MAX),
        limits: limits(&wallet, &service.policy().await?, today),
        opened_at: wallet.traits.opened.to_string(),
    })
}

fn limits(wallet: &Wallet, policy: &Policy, today: Day) -> Limits {
    let sums = &wallet.counters;
    let day = |per_time, per_day: Yen, used| DayLimits { per_time, day_left: per_day.saturating_sub(used) };
    Limits {
        top_up: TopUpLimits {
            per_time: policy.top_up.per_time_max,
            month_left: policy.top_up.per_month_max.saturating_sub(sums.top_up.in_month(today)),
            rolling_left: policy.top_up.rolling_max.saturating_sub(sums.top_up.rolling(today)),
        },
        payment: day(policy.payment.per_time_max, policy.payment.per_day_max, sums.payment.on(today)),
        send: day(policy.send.per_time_max, policy.send.per_day_max, sums.send.on(today)),
        payout: PayoutLimits {
            per_time: policy.payout.per_time_max,
            month_count_left: policy.payout.count_per_month_max.saturating_sub(sums.payout.count_in_month(today)),
        },
        balance_max: policy.balance.max(wallet.tier),
    }
}
