//! Problems: what the rules refuse, as a caller is told. One exhaustive match, so that no refusal goes without a type.

use crate::domain::{Noun, Refusal};
use crate::gateway::NotDone;
use engine::EngineError;
use http::StatusCode;
use web::Problem;

impl From<NotDone> for Problem {
    fn from(not_done: NotDone) -> Self {
        match not_done {
            NotDone::Refused(refusal) => refused(&refusal),
            NotDone::Engine(error) => engine_error(&error),
        }
    }
}

/// What became of a command that the engine could not answer.
pub fn engine_error(error: &EngineError) -> Problem {
    match error {
        EngineError::Busy | EngineError::Stopped | EngineError::Unavailable(_) => Problem::busy(),
        EngineError::RefusedTooOften { at, again_at } => problem(
            429,
            "refused-too-often",
            "Too much was refused in this hour.",
            "この1時間に拒否された件数が多すぎます。",
        )
        .retry_after(again_at.milliseconds_since(*at).div_euclid(1_000).saturating_add(1)),
        EngineError::KeyReused => refused(&Refusal::ReferenceTaken { noun: Noun::Mandate }),
        EngineError::Defect { .. } | EngineError::Halted(_) => {
            tracing::error!(%error, "a command met a defect");
            Problem::internal()
        }
    }
}

/// What the rules refuse. 409 is for what may be taken later or under another name; 422 never will be.
pub fn refused(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::AmountZero => problem(422, "amount-zero", "The amount is zero.", "金額が 0 円です。"),
        Refusal::Unknown { noun } => unknown(*noun),
        Refusal::ReferenceTaken { .. } => problem(
            409,
            "reference-taken",
            "The reference was used for something else before.",
            "この参照番号は別の内容で使われています。",
        ),
        Refusal::ClockDrifted => problem(
            503,
            "clock-drifted",
            "The time cannot be believed now.",
            "時刻を確認できないため受け付けられません。",
        )
        .retry_after(60),
        Refusal::Stopped { function, bank, since } => {
            problem(422, "stopped", "This function is stopped at this bank.", "この銀行ではこの機能を停止しています。")
                .with("function", function.name())
                .with("bank", bank.to_string())
                .with("since", since.to_string())
        }
        Refusal::WrongStatus { status, .. } => {
            problem(422, "wrong-status", "Its status does not allow this.", "現在の状態ではこの操作はできません。")
                .with("status", status)
        }
        Refusal::Expired { at, .. } => {
            problem(422, "expired", "Its time has run out.", "期限が過ぎています。").with("expired_at", at.to_string())
        }
        Refusal::SameChannel => problem(
            409,
            "same-channel",
            "The channel that granted it cannot confirm it.",
            "登録に使った手段では確認できません。",
        ),
        Refusal::OverLimit { limit, allowed, used, asked } => {
            problem(422, "over-limit", "It is over a limit.", "限度額を超えています。")
                .with("limit", limit.name())
                .with("allowed", allowed.amount())
                .with("used", used.amount())
                .with("asked", asked.amount())
        }
        Refusal::AlreadyTold => {
            problem(409, "already-told", "The holder was told today already.", "本日はすでに通知済みです。")
        }
        Refusal::Full { .. } => {
            problem(503, "full", "Too much is open already.", "処理待ちが多すぎます。").retry_after(30)
        }
        Refusal::TooManyOpen { noun, open, max } => problem(
            429,
            "too-many-open",
            "You have as much open as you may at a time.",
            "同時に処理できる件数を超えています。",
        )
        .with("noun", noun_name(*noun))
        .with("open", *open)
        .with("max", *max)
        .retry_after(30),
        Refusal::Unread { noun } => problem(
            409,
            "events-unread",
            "The bank has said something against this that you have not read: read your events, decide, and ask again.",
            "銀行からの新しいお知らせがあります。お知らせを読み、判断したうえで、もう一度送ってください。",
        )
        .with("noun", noun_name(*noun)),
    }
}

/// There is no such thing, or it is another operator's: nobody learns which.
pub fn unknown(noun: Noun) -> Problem {
    problem(404, "unknown", "There is no such thing here.", "見つかりません。").with("noun", noun_name(noun))
}

/// Whoever asks knows of more than there is: the books were restored, and what they were told after `head` is told anew, as
/// something else perhaps.
pub fn beyond(head: u64) -> Problem {
    problem(
        409,
        "beyond-head",
        "You were told of more than there is: the books were restored.",
        "記録が復元されたため、お知らせの番号が戻っています。",
    )
    .with("head", head)
}

const fn noun_name(noun: Noun) -> &'static str {
    match noun {
        Noun::Operator => "operator",
        Noun::Bank => "bank",
        Noun::Account => "account",
        Noun::Mandate => "mandate",
        Noun::Debit => "debit",
        Noun::Credit => "credit",
        Noun::Return => "return",
        Noun::Code => "code",
        Noun::Finding => "finding",
    }
}

fn problem(status: u16, name: &'static str, title: &'static str, title_ja: &'static str) -> Problem {
    Problem::new(StatusCode::from_u16(status).unwrap_or(StatusCode::CONFLICT), name, title, title_ja)
}
