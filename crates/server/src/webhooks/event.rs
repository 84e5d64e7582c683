//! Events as they are told, and how shops are told of theirs: names, ids, and the body that is sent.

use crate::keys::Keys;
use crate::webhooks::delivery::{self, Delivery};
use domain::{Id, Time};
use ledger::Yen;
use serde::Serialize;
use serde_json::Value;
use wallet::movement::{self, Kind};
use wallet::payment::{self, Status};
use wallet::{Event, PaymentId, RefundId, ShopId};

/// The names of all events.
pub const NAMES: [&str; 5] =
    ["payment.authorised", "payment.captured", "payment.voided", "payment.expired", "payment.refunded"];

/// An event that somebody is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its name.
    pub name: &'static str,
    /// When it happened.
    pub at: Time,
    /// What happened.
    pub data: Value,
}

#[derive(Serialize)]
struct Data {
    payment_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_id: Option<String>,
    status: &'static str,
    amount: Yen,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    name: &'static str,
    timestamp: String,
    data: &'a Value,
}

/// The shop that `event` is about, if shops are told of such events.
pub fn shop_of(event: &Event) -> Option<ShopId> {
    let Event::Payment(event) = event else { return None };
    match event {
        payment::Event::Paid(authorised) | payment::Event::Authorised { authorised, .. } => Some(authorised.shop),
        payment::Event::Captured { shop, .. }
        | payment::Event::Released { shop, .. }
        | payment::Event::Refunded { shop, .. } => Some(*shop),
        payment::Event::CodeIssued { .. } | payment::Event::Referenced { .. } => None,
    }
}

/// What `shop` is told of the event at `index` of a record's `events`.
pub fn told(events: &[Event], index: usize, shop: ShopId) -> Option<Told> {
    let event = events.get(index)?;
    let line = movement::of_shop(event, shop)?;
    let Event::Payment(event) = event else { return None };
    let (payment, refund) = match event {
        payment::Event::Refunded { payment, .. } => (*payment, Some(RefundId(line.id))),
        payment::Event::Paid(_)
        | payment::Event::Authorised { .. }
        | payment::Event::Captured { .. }
        | payment::Event::Released { .. } => (PaymentId(line.id), None),
        payment::Event::CodeIssued { .. } | payment::Event::Referenced { .. } => return None,
    };
    let reference = events.iter().find_map(|event| {
        let Event::Payment(payment::Event::Referenced { payment: named, reference }) = event else { return None };
        (*named == payment).then(|| reference.as_str().to_owned())
    });
    let data = Data {
        payment_id: payment.to_string(),
        refund_id: refund.map(|refund| refund.to_string()),
        status: line.status,
        amount: line.amount,
        reference,
    };
    Some(Told { name: name(line.kind, line.status), at: line.at, data: serde_json::to_value(data).ok()? })
}

fn name(kind: Kind, status: &str) -> &'static str {
    let [authorised, captured, voided, expired, refunded] = NAMES;
    if kind == Kind::Refund {
        return refunded;
    }
    [(Status::Authorised, authorised), (Status::Voided, voided), (Status::Expired, expired)]
        .into_iter()
        .find(|(known, _)| known.name() == status)
        .map_or(captured, |(_, name)| name)
}

impl Told {
    /// The body that is sent: the same bytes at every attempt.
    pub fn body(&self) -> String {
        let body = Body { name: self.name, timestamp: self.at.to_string(), data: &self.data };
        serde_json::to_string(&body).unwrap_or_default()
    }

    /// The message to `endpoint`; `effect` names the event among all that were ever told.
    pub fn to(&self, keys: &Keys, effect: &str, endpoint: Id) -> Delivery {
        Delivery {
            key: id_of(keys, effect, Some(endpoint), self.at),
            endpoint,
            event: id_of(keys, effect, None, self.at),
            name: self.name.to_owned(),
            body: self.body(),
            status: delivery::Status::Pending,
            attempts: Vec::new(),
            tried: 0,
            due: self.at,
        }
    }
}

/// The id of `effect`, or of its delivery to one endpoint: ordered by time, and telling nothing of how much happens here.
fn id_of(keys: &Keys, effect: &str, endpoint: Option<Id>, at: Time) -> Id {
    let to = endpoint.unwrap_or_default();
    let Id(mut bytes) = keys.secret("webhook event", &format!("{effect} {to}"));
    bytes[..6].copy_from_slice(&at.milliseconds().to_be_bytes()[2..]);
    Id(bytes)
}
