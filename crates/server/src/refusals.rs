//! Refusals as problems: one `type` for each, with what was asked and what is possible. One match, no catch-all: a new
//! refusal must stop the build until somebody has found the words for it.
//!
//! What is another's and what is not there look the same: 404.

use domain::{Day, Time};
use engine::EngineError;
use http::StatusCode;
use ledger::Yen;
use wallet::bank_answer::Claim;
use wallet::switches::Function;
use wallet::{BankCode, FrozenBy, Limit, MissingFact, Noun, Proof, Refusal, Stated, SwitchId, Tier};
use web::Problem;

/// The problem that tells a caller of `refusal`.
pub fn problem(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::AmountZero => new(422, "amount-zero", "The amount is zero.", "金額が0円です。"),
        Refusal::TooLong { noun } => too_long(*noun),
        Refusal::LongerThan { noun, bytes_max, bytes } => {
            too_long(*noun).with("bytes_max", bytes_max).with("bytes", bytes)
        }
        Refusal::Unknown { noun } => Problem::not_found().with("noun", noun_name(*noun)),
        Refusal::IdTaken { noun } | Refusal::Taken { noun, .. } => taken(*noun),
        Refusal::Stopped { function, bank, switch, since } => stopped(*function, *bank, *switch, *since),
        Refusal::ClockDrifted => clock_drifted(),
        Refusal::WrongStatus { noun, status } => {
            new(409, "wrong-status", "Its present status does not allow this.", "現在の状態ではできません。")
                .with("noun", noun_name(*noun))
                .with("current_status", status.name())
        }
        Refusal::Expired { noun, at } => new(409, "expired", "It ran out.", "期限が切れています。")
            .with("noun", noun_name(*noun))
            .with("expired_at", at.to_string()),
        Refusal::Frozen { by } => {
            new(409, "frozen", "The wallet is frozen.", "ウォレットは凍結中です。").with("by", frozen_name(*by))
        }
        Refusal::TierTooLow { tier, needed } => tier_too_low(*tier, *needed),
        Refusal::GrantTooWeak { missing } => {
            new(422, "grant-too-weak", "The bank's check does not suffice.", "銀行での確認が不十分です。")
                .with("missing", missing_name(*missing))
        }
        Refusal::AlreadyLinked => already_linked(),
        Refusal::LinkedAlready { bank_account, own } => {
            already_linked().with("bank_account_id", bank_account.to_string()).with("own", own)
        }
        Refusal::NotSettled { available, pending } => {
            new(409, "not-settled", "Money is left in the wallet or under way.", "残高または処理中の取引があります。")
                .detail("Closing pays out funds. Spend what is prepaid first, and wait for what is under way.")
                .with("available", available)
                .with("pending", pending)
        }
        Refusal::RecipientUnable { why: _ } => {
            new(422, "recipient-unable", "The recipient cannot take it.", "受取人は受け取れません。")
        }
        Refusal::AmountTooSmall { least, requested } => {
            new(422, "amount-too-small", "The amount is too small.", "金額が小さすぎます。")
                .with("least", least)
                .with("requested", requested)
        }
        Refusal::LimitExceeded { limit, at_most, left, requested, from } => {
            limit_exceeded(*limit, *at_most, *left, *requested, *from)
        }
        Refusal::InsufficientFunds { available, requested } => insufficient_funds(*available, *requested),
        Refusal::StepUpRequired { proof } => step_up(*proof),
        Refusal::GuardRefused { reason: _ } => {
            new(403, "guard-refused", "This was refused for safety.", "安全のためお取り扱いできません。")
                .detail("The operator's desk can say more.")
        }
        Refusal::SecondPersonNeeded => new(
            409,
            "second-person-needed",
            "It takes another person than the one who proposed it.",
            "別の担当者の承認が必要です。",
        ),
        Refusal::Contradiction { noun } => contradiction(*noun),
        Refusal::NotAsOnRecord { noun, on_record, came } => {
            contradiction(*noun).with("on_record", stated(*on_record)).with("requested", stated(*came))
        }
    }
}

/// The id itself is never shown: a contact's would tell whose it is.
fn taken(noun: Noun) -> Problem {
    new(409, "taken", "Something else has this already.", "すでに使われています。")
        .detail("Nothing is used twice. Ask again with another one; what was asked before keeps its own answer.")
        .with("noun", noun_name(noun))
}

fn already_linked() -> Problem {
    new(409, "already-linked", "The bank account is linked already.", "この口座は登録済みです。")
        .detail("It is free once that link ends, or is taken over by a link granted on stronger factors.")
}

fn too_long(noun: Noun) -> Problem {
    new(422, "too-long", "A text is too long.", "文字数が多すぎます。").with("noun", noun_name(noun))
}

fn contradiction(noun: Noun) -> Problem {
    new(409, "contradiction", "It contradicts what is on record.", "記録と矛盾しています。")
        .with("noun", noun_name(noun))
}

/// What stands on record, or was said against it; null is nothing, or what is nobody's to read: who somebody is.
fn stated(stated: Stated) -> serde_json::Value {
    match stated {
        Stated::Nothing | Stated::Person(_) => serde_json::Value::Null,
        Stated::Amount(amount) => amount.amount().into(),
        Stated::Resolution(resolution) => resolution.name().into(),
        Stated::Finding(finding) => finding.name().into(),
        Stated::BankAccount(bank_account) => bank_account.to_string().into(),
        Stated::Grant(grant) => grant.bank_account.to_string().into(),
        Stated::Bank(bank) => bank.to_string().into(),
        Stated::Case(case) => case.to_string().into(),
        Stated::Claim(claim) => {
            let (said, amount) = claim_parts(claim);
            serde_json::json!({ "claim": said, "amount": amount })
        }
    }
}

/// What a bank said, as the API writes it, and of how many yen.
pub const fn claim_parts(claim: Claim) -> (&'static str, Option<i64>) {
    match claim {
        Claim::Moved(amount) => ("moved", Some(amount.amount())),
        Claim::NotMoved => ("not_moved", None),
        Claim::TakenBack(amount) => ("taken_back", Some(amount.amount())),
        Claim::CameBack(amount) => ("came_back", Some(amount.amount())),
    }
}

fn limit_exceeded(limit: Limit, at_most: i64, left: i64, requested: i64, from: Option<Day>) -> Problem {
    new(422, "limit-exceeded", "It is more than a limit allows.", "上限を超えています。")
        .with("limit", limit_name(limit))
        .with("at_most", at_most)
        .with("left", left)
        .with("requested", requested)
        .with("from", from.map(|day| day.to_string()))
}

fn insufficient_funds(available: Yen, requested: Yen) -> Problem {
    new(422, "insufficient-funds", "There is not enough money of the kind that this takes.", "残高が不足しています。")
        .with("available", available)
        .with("requested", requested)
}

fn stopped(function: Function, bank: Option<BankCode>, switch: SwitchId, since: Time) -> Problem {
    new(409, "stopped", "This function is stopped at present.", "この機能は停止中です。")
        .detail("GET /v1/banks says what is open.")
        .with("function", function_name(function))
        .with("bank_code", bank.map(|bank| bank.to_string()))
        .with("switch_id", switch.to_string())
        .with("since", since.to_string())
}

/// The problem of a bank where the gateway lets nobody link an account.
pub fn stopped_there(bank: &str, switch: &serde_json::Value) -> Problem {
    new(409, "stopped", "This function is stopped at present.", "この機能は停止中です。")
        .detail("GET /v1/banks says what is open.")
        .with("function", function_name(Function::Link))
        .with("bank_code", bank)
        .with("since", &switch["since"])
        .with("reason", &switch["reason"])
}

fn clock_drifted() -> Problem {
    new(503, "clock-drifted", "Money does not leave while our clock is off.", "時刻異常のため出金を停止しています。")
        .detail("It leaves again once our clocks have agreed for five minutes. What comes in is taken meanwhile.")
        .retry_after(60)
}

fn tier_too_low(tier: Tier, needed: Tier) -> Problem {
    new(403, "tier-too-low", "This takes a more certain identity.", "本人確認が必要です。")
        .detail("POST /v1/holders/{id}/identifications.")
        .with("tier", tier.name())
        .with("needed", needed.name())
}

/// The problem that asks for a proof; whoever answers adds the challenge that takes it.
pub fn step_up(proof: Proof) -> Problem {
    new(403, "step-up-required", "The named proof is asked for first.", "追加の確認が必要です。")
        .detail("Give the proof at /v1/challenges/{challenge_id}, then repeat the request with `challenge_id`.")
        .with("proof", proof_name(proof))
}

/// The problem that tells a caller why the engine gave no reply.
pub fn engine_problem(error: &EngineError) -> Problem {
    match error {
        EngineError::Busy => Problem::busy(),
        EngineError::KeyReused => new(
            422,
            "idempotency-key-reused",
            "The Idempotency-Key came with another request before.",
            "Idempotency-Key が別のリクエストで使用済みです。",
        )
        .detail("Make up a new key for a new request."),
        EngineError::RefusedTooOften { at, again_at } => new(
            429,
            "refused-too-often",
            "Too much was refused in this hour.",
            "この1時間に拒否された件数が多すぎます。",
        )
        .detail("Nothing was done; try again with the same Idempotency-Key.")
        .retry_after(again_at.milliseconds_since(*at).div_euclid(1_000).saturating_add(1)),
        EngineError::Unavailable(_) | EngineError::Halted(_) | EngineError::Stopped => unavailable(),
        EngineError::Defect { place } => Problem::internal().with("record", place.n),
    }
}

/// Whoever wants to come in has not shown what opens.
pub fn log_in_refused() -> Problem {
    new(401, "log-in-refused", "Address and password do not fit.", "メールアドレスまたはパスワードが違います。")
}

/// The repeat of a request whose answer had a secret in it, which nobody is shown again: what it made is there.
pub fn shown_once(title: &'static str, title_ja: &'static str) -> Problem {
    new(409, "shown-once", title, title_ja)
}

/// The books cannot be written now.
pub fn unavailable() -> Problem {
    new(503, "unavailable", "The service cannot do this now.", "現在ご利用いただけません。")
        .detail("Try again with the same Idempotency-Key.")
        .retry_after(5)
}

/// A problem of our own API.
pub fn new(status: u16, name: &'static str, title: &'static str, title_ja: &'static str) -> Problem {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Problem::new(status, name, title, title_ja)
}

/// The noun as the API writes it.
pub const fn noun_name(noun: Noun) -> &'static str {
    match noun {
        Noun::Holder => "holder",
        Noun::Person => "person",
        Noun::Contact => "contact",
        Noun::Wallet => "wallet",
        Noun::Recipient => "recipient",
        Noun::BankAccount => "bank_account",
        Noun::Mandate => "mandate",
        Noun::TopUp => "top_up",
        Noun::GiveBack => "give_back",
        Noun::Voucher => "voucher",
        Noun::PaymentCode => "payment_code",
        Noun::Payment => "payment",
        Noun::Refund => "refund",
        Noun::Send => "send",
        Noun::Payout => "payout",
        Noun::Shop => "shop",
        Noun::Bonus => "bonus",
        Noun::Switch => "switch",
        Noun::Bank => "bank",
        Noun::Account => "account",
        Noun::Case => "case",
        Noun::Reimbursement => "reimbursement",
    }
}

const fn limit_name(limit: Limit) -> &'static str {
    match limit {
        Limit::PerTime => "per_time",
        Limit::PerDay => "per_day",
        Limit::PerMonth => "per_month",
        Limit::Rolling => "rolling",
        Limit::PersonPerMonth => "person_per_month",
        Limit::PersonRolling => "person_rolling",
        Limit::BankAccountPerMonth => "bank_account_per_month",
        Limit::BankAccountRolling => "bank_account_rolling",
        Limit::UnconfirmedPerDay => "unconfirmed_per_day",
        Limit::UnconfirmedTotal => "unconfirmed_total",
        Limit::CountPerMonth => "count_per_month",
        Limit::Young => "young",
        Limit::YoungSend => "young_send",
        Limit::Balance => "balance",
        Limit::Lots => "lots",
        Limit::Pieces => "pieces",
        Limit::Refunds => "refunds",
        Limit::GiveBacks => "give_backs",
        Limit::Links => "links",
        Limit::PersonPerDay => "person_per_day",
        Limit::Blocks => "blocks",
        Limit::Stops => "stops",
        Limit::Debited => "debited",
        Limit::NewLink => "new_link",
        Limit::NewLinks => "new_links",
    }
}

/// The function as the API writes it.
pub const fn function_name(function: Function) -> &'static str {
    match function {
        Function::Open => "open",
        Function::Link => "link",
        Function::TopUp => "top_up",
        Function::Voucher => "voucher",
        Function::Payment => "payment",
        Function::Send => "send",
        Function::Payout => "payout",
        Function::ChangeContact => "change_contact",
    }
}

const fn frozen_name(by: FrozenBy) -> &'static str {
    match by {
        FrozenBy::Holder => "holder",
        FrozenBy::Desk => "desk",
        FrozenBy::Debt => "debt",
    }
}

const fn proof_name(proof: Proof) -> &'static str {
    match proof {
        Proof::SecondFactor => "second_factor",
        Proof::Identity => "identity",
    }
}

/// The missing fact as the API writes it.
pub const fn missing_name(missing: MissingFact) -> &'static str {
    match missing {
        MissingFact::StrongFactor => "strong_factor",
        MissingFact::NameMatch => "name_match",
        MissingFact::BirthDateMatch => "birth_date_match",
        MissingFact::HolderNotified => "holder_notified",
    }
}
