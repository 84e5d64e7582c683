//! The model of mandates and of the bank accounts that they hang on.

use super::guard::Watched;
use super::{Oracle, Reasons, What, Why};
use domain::{Moment, Time};
use wallet::mandate::{Command, Grant, NameGrade, Request, RevokedBy, Status, Why as Word};
use wallet::switches::Function;
use wallet::{BankAccountId, BankCode, HolderId, MandateId, MissingFact, Noun, PersonId, Receipt, Standing, WalletId};

const MINUTE_MS: i64 = 60_000;

/// A mandate as the model knows it.
pub struct Mandate {
    pub wallet: WalletId,
    pub(super) holder: HolderId,
    pub(super) person: Option<PersonId>,
    pub bank: BankCode,
    pub requested: Time,
    /// Why the desk looks at its grant, whatever the bank says.
    pub reason: Option<u16>,
    pub status: Status,
    pub deadline: Time,
    pub grant: Option<Grant>,
    pub(super) collected: bool,
    pub confirmed: bool,
}

/// A bank account as the model knows it.
pub struct Linked {
    pub bank: BankCode,
    pub live: Option<MandateId>,
    /// The mandate, wallet and person to whom it is a way out.
    pub route: Option<(MandateId, WalletId, Option<PersonId>)>,
    /// The person whose name the bank has.
    pub person: Option<PersonId>,
}

impl Oracle {
    pub(super) fn mandate_reasons(&self, command: &Command, moment: Moment, reasons: &mut Reasons) {
        if let Command::Request(command) = command {
            return self.request_mandate_reasons(command, moment, reasons);
        }
        let id = mandate_of(command);
        let Some(mandate) = self.mandates.get(&id) else { return reasons.add(true, Why::Unknown(Noun::Mandate)) };
        let wrong = Why::Status(Noun::Mandate, mandate.status.into());
        let expired = Why::Expired(Noun::Mandate, mandate.deadline);
        let status = |reasons: &mut Reasons, fine: &[Status]| {
            reasons.add(!fine.contains(&mandate.status), wrong);
        };
        let late = moment.now >= mandate.deadline;
        match command {
            Command::Request(_) => {}
            Command::Authenticate { .. } => {
                status(
                    reasons,
                    &[Status::Requested, Status::Authenticating, Status::Pending, Status::InReview, Status::Active],
                );
                reasons.add(mandate.status == Status::Requested && late, expired);
            }
            Command::Grant { grant, .. } => {
                if matches!(mandate.status, Status::Requested | Status::Authenticating) {
                    return reasons.add(late, expired);
                }
                let lives = matches!(mandate.status, Status::Pending | Status::InReview | Status::Active);
                let same = mandate.grant == Some(*grant);
                reasons.add(lives && !same, Why::Contradiction(Noun::Mandate));
                let still = lives || (mandate.status == Status::Refused && same);
                reasons.add(!still, wrong);
            }
            Command::Confirm { holder, bank_account, .. } => {
                reasons.add(mandate.holder != *holder, Why::Unknown(Noun::Mandate));
                Self::granted_reasons(mandate, *bank_account, reasons);
                status(reasons, &[Status::Pending, Status::InReview, Status::Active]);
                let waits =
                    mandate.status == Status::Pending || (mandate.status == Status::InReview && !mandate.collected);
                reasons.add(waits && late, expired);
                if mandate.status == Status::Pending {
                    self.activate_reasons(mandate, reasons);
                }
            }
            Command::Decide { bank_account, accept, .. } => {
                Self::granted_reasons(mandate, *bank_account, reasons);
                status(reasons, &[Status::InReview]);
                reasons.add(late, expired);
                if *accept && mandate.collected {
                    self.activate_reasons(mandate, reasons);
                }
            }
            Command::Refuse { .. } => status(reasons, &[Status::Requested, Status::Authenticating, Status::Refused]),
            Command::Abandon { .. } => status(
                reasons,
                &[Status::Requested, Status::Authenticating, Status::Pending, Status::InReview, Status::Abandoned],
            ),
            Command::Expire { .. } => {
                let can = [Status::Requested, Status::Authenticating, Status::Pending, Status::InReview];
                let fine = mandate.status == Status::Expired || (can.contains(&mandate.status) && late);
                reasons.add(!fine, Why::Status(Noun::Mandate, not_expired(mandate.status)));
                reasons.add(moment.clock_drifted, Why::ClockDrifted);
            }
            Command::ConfirmByTrueHolder { .. } => status(reasons, &[Status::Active]),
            Command::Revoke { by, .. } => {
                let foreign = matches!(by, RevokedBy::Holder(holder) if *holder != mandate.holder);
                reasons.add(foreign, Why::Unknown(Noun::Mandate));
                let over = matches!(mandate.status, Status::Refused | Status::Abandoned | Status::Expired);
                reasons.add(over, wrong);
            }
        }
    }

    fn request_mandate_reasons(&self, command: &Request, moment: Moment, reasons: &mut Reasons) {
        reasons.add(self.mandates.contains_key(&command.mandate), Why::IdTaken(Noun::Mandate));
        let holding = self.wallets.get(&command.wallet).filter(|holding| holding.holder == command.holder);
        let Some(holding) = holding else { return reasons.add(true, Why::Unknown(Noun::Wallet)) };
        self.stopped_reasons(Function::Link, Some(command.bank), holding.tier, holding.opened, reasons);
        Self::outflow_reasons(holding, reasons);
        reasons.tier(holding.tier, self.policy.mandate.tier_min);
        self.watched_reasons(watched(command, moment.now), command.proof, reasons);
        let no_phone = self.holders.get(&holding.holder).is_none_or(|known| !known.has_phone());
        reasons
            .add(no_phone && self.policy.mandate.requires_phone, Why::Status(Noun::Holder, Standing::PhoneNotVerified));
    }

    fn granted_reasons(mandate: &Mandate, account: BankAccountId, reasons: &mut Reasons) {
        match mandate.grant {
            None => reasons.add(true, Why::Status(Noun::Mandate, mandate.status.into())),
            Some(grant) => reasons.add(grant.bank_account != account, Why::Contradiction(Noun::Mandate)),
        }
    }

    fn activate_reasons(&self, mandate: &Mandate, reasons: &mut Reasons) {
        let holding = &self.wallets[&mandate.wallet];
        self.stopped_reasons(Function::Link, Some(mandate.bank), holding.tier, holding.opened, reasons);
        Self::outflow_reasons(holding, reasons);
        let live = self.live_on(mandate);
        reasons.add(live.is_some_and(|live| !yields(&self.mandates[&live], mandate)), Why::AlreadyLinked);
    }

    fn live_on(&self, mandate: &Mandate) -> Option<MandateId> {
        mandate.grant.and_then(|grant| self.linked.get(&grant.bank_account)).and_then(|linked| linked.live)
    }

    pub(super) fn mandate_apply(&mut self, command: &Command, receipt: &Receipt, moment: Moment) -> Result<(), String> {
        let mut missing = None;
        let id = mandate_of(command);
        match command {
            Command::Request(command) => self.request_mandate(command, moment.now),
            Command::Grant { grant, .. } => missing = self.grant(id, *grant, moment.now),
            Command::Confirm { .. } => match self.mandates[&id].status {
                Status::Pending => self.activate(id),
                Status::InReview => self.mandate(id).collected = true,
                Status::Requested
                | Status::Authenticating
                | Status::Active
                | Status::Refused
                | Status::Abandoned
                | Status::Expired
                | Status::Revoked => {}
            },
            Command::Decide { accept, .. } => {
                let mandate = self.mandate(id);
                mandate.status = if *accept { Status::Pending } else { Status::Refused };
                if *accept {
                    mandate.deadline = moment.now.plus_milliseconds(10 * MINUTE_MS);
                }
                if *accept && mandate.collected {
                    self.activate(id);
                }
            }
            Command::Authenticate { .. } => {
                let mandate = self.mandate(id);
                if mandate.status == Status::Requested {
                    mandate.status = Status::Authenticating;
                }
            }
            Command::Refuse { .. } => self.mandate(id).status = Status::Refused,
            Command::Abandon { .. } => self.mandate(id).status = Status::Abandoned,
            Command::Expire { .. } => self.mandate(id).status = Status::Expired,
            Command::ConfirmByTrueHolder { .. } => self.confirm_by_true_holder(id),
            Command::Revoke { by, why, .. } => self.revoke(id, *by, *why),
        }
        let status = self.mandates[&id].status;
        super::payment::expect(receipt, &Receipt::Mandate { id, status, missing })
    }

    fn mandate(&mut self, id: MandateId) -> &mut Mandate {
        self.mandates.get_mut(&id).expect("an unknown mandate is a reason")
    }

    fn request_mandate(&mut self, command: &Request, now: Time) {
        let mandate = Mandate {
            wallet: command.wallet,
            holder: command.holder,
            person: self.wallets[&command.wallet].person,
            bank: command.bank,
            requested: now,
            reason: self.holds(watched(command, now)),
            status: Status::Requested,
            deadline: now.plus_milliseconds(30 * MINUTE_MS),
            grant: None,
            collected: false,
            confirmed: false,
        };
        self.mandates.insert(command.mandate, mandate);
    }

    fn grant(&mut self, id: MandateId, grant: Grant, now: Time) -> Option<MissingFact> {
        let policy = self.policy.mandate.clone();
        let mandate = self.mandate(id);
        if !matches!(mandate.status, Status::Requested | Status::Authenticating) {
            return None;
        }
        mandate.grant = Some(grant);
        let missing = if policy.refuses_static_factors && !grant.factors_strong {
            Some(MissingFact::StrongFactor)
        } else if policy.requires_notice && !grant.contact_notified {
            Some(MissingFact::HolderNotified)
        } else if policy.requires_birth_date && !grant.birth_date_matches {
            Some(MissingFact::BirthDateMatch)
        } else if policy.requires_name && grant.name == NameGrade::No {
            Some(MissingFact::NameMatch)
        } else {
            None
        };
        let is_close = policy.requires_name && matches!(grant.name, NameGrade::Close | NameGrade::Undecidable);
        let eyes = is_close || mandate.reason.is_some();
        (mandate.status, mandate.deadline) = match (missing, eyes) {
            (Some(_), _) => (Status::Refused, mandate.deadline),
            (None, true) => (Status::InReview, now.plus_milliseconds(super::voucher::REVIEW_MS)),
            (None, false) => (Status::Pending, now.plus_milliseconds(10 * MINUTE_MS)),
        };
        missing
    }

    fn activate(&mut self, id: MandateId) {
        if let Some(stranger) = self.live_on(&self.mandates[&id]) {
            self.revoke(stranger, RevokedBy::StrongerLink(id), Word::NotMine);
        }
        let mandate = self.mandates.get_mut(&id).expect("an unknown mandate is a reason");
        mandate.status = Status::Active;
        let grant = mandate.grant.expect("only what was granted becomes active");
        let person = mandate.person.filter(|_| matches(&grant));
        let route = Some((id, mandate.wallet, mandate.person));
        let linked = Linked { bank: mandate.bank, live: Some(id), route, person };
        self.linked.insert(grant.bank_account, linked);
    }

    pub(super) fn revoke(&mut self, id: MandateId, by: RevokedBy, why: Word) {
        let mandate = self.mandates.get_mut(&id).expect("an unknown mandate is a reason");
        let was_active = mandate.status == Status::Active || mandate.status == Status::Revoked;
        mandate.status = Status::Revoked;
        let linked = mandate.grant.and_then(|grant| self.linked.get_mut(&grant.bank_account));
        let Some(linked) = linked else { return };
        linked.live = linked.live.filter(|live| *live != id);
        // The account is taken for whose it is by the word of its last link alone; this word against that link undoes it.
        let last = linked.live.is_none() && linked.route.is_none_or(|(route, _, _)| route == id);
        let disowned = by == RevokedBy::BankAccountHolder || matches!(why, Word::NotMine | Word::Fraud);
        if was_active && last && disowned && linked.person == mandate.person {
            linked.person = None;
        }
        if !matches!(by, RevokedBy::Holder(_)) {
            linked.route = linked.route.filter(|(mandate, _, _)| *mandate != id);
        }
    }

    fn confirm_by_true_holder(&mut self, id: MandateId) {
        let mandate = self.mandate(id);
        let begins_anew = !mandate.confirmed;
        mandate.confirmed = true;
        if let Some(grant) = mandate.grant.filter(|_| begins_anew) {
            self.tally.clear(grant.bank_account.0, What::Unconfirmed);
        }
    }

    /// Whether a mandate may debit.
    pub fn is_live(&self, id: MandateId) -> bool {
        self.mandates.get(&id).is_some_and(|mandate| mandate.status == Status::Active)
    }
}

/// What is said of one whose time has not run out.
fn not_expired(status: Status) -> Standing {
    match status {
        Status::Requested => Standing::RequestedNotExpired,
        Status::Authenticating => Standing::AuthenticatingNotExpired,
        Status::Pending => Standing::PendingNotExpired,
        Status::InReview => Standing::InReviewNotExpired,
        Status::Active | Status::Refused | Status::Abandoned | Status::Expired | Status::Revoked => status.into(),
    }
}

/// Whether name and birth date are the verified person's.
fn matches(grant: &Grant) -> bool {
    grant.birth_date_matches && matches!(grant.name, NameGrade::Match | NameGrade::MatchTruncated)
}

/// Whether the live mandate gives way: a link with nothing strong behind it, to the person whom the bank knows.
fn yields(live: &Mandate, to: &Mandate) -> bool {
    let strong = |grant: Option<Grant>| grant.is_some_and(|grant| matches(&grant) && grant.factors_strong);
    let stranger = to.person.is_some() && to.person != live.person;
    stranger && strong(to.grant) && !strong(live.grant) && !live.confirmed
}

fn watched(command: &Request, now: Time) -> Watched {
    Watched { function: Function::Link, wallet: command.wallet, amount: 0, linked: None, now }
}

fn mandate_of(command: &Command) -> MandateId {
    match command {
        Command::Request(request) => request.mandate,
        Command::Authenticate { mandate }
        | Command::Grant { mandate, .. }
        | Command::Confirm { mandate, .. }
        | Command::Decide { mandate, .. }
        | Command::Refuse { mandate }
        | Command::Abandon { mandate }
        | Command::Expire { mandate }
        | Command::ConfirmByTrueHolder { mandate }
        | Command::Revoke { mandate, .. } => *mandate,
    }
}
