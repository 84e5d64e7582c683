//! Payments as the shop takes them: by the code that it scanned; captured at once or later, voided, refunded.
//!
//! The shop never learns whose wallet it was. Another shop's payment looks like none.

use crate::api::ids;
use crate::asked::Asked;
use crate::entrance::Shop;
use crate::lists::{self, Cursor};
use crate::query::{self, Page, Query, Which};
use crate::service::Service;
use axum::extract::{Path, State};
use engine::Place;
use http::StatusCode;
use ledger::Yen;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::payment::{self, Authorise, Payer, Reference, Status};
use wallet::{Command, Noun, PaymentId, Receipt, RefundId, ShopId};
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(list, take))
        .routes(routes!(get))
        .routes(routes!(capture))
        .routes(routes!(void))
        .routes(routes!(refund))
        .routes(routes!(get_refund))
}

/// A payment that a shop takes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Take {
    /// The code that the holder showed.
    payment_code: String,
    /// How many yen.
    #[schema(value_type = i64, minimum = 1)]
    amount: Yen,
    /// What the shop calls the payment: 1 to 64 visible ASCII characters, never about a person.
    reference: Option<String>,
    /// Whether the shop takes it at once; otherwise it captures, or voids, later.
    #[serde(default = "at_once")]
    #[schema(default = true)]
    capture: bool,
}

const fn at_once() -> bool {
    true
}

/// A capture: of all, or of a part.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// How many yen; without it all that was authorised. What is not captured goes back.
    #[schema(value_type = Option<i64>, minimum = 1)]
    amount: Option<Yen>,
}

/// Nothing more is said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Void {}

/// A refund: of all that is left, or of a part.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskRefund {
    /// How many yen; without it all that was captured and not refunded yet.
    #[schema(value_type = Option<i64>, minimum = 1)]
    amount: Option<Yen>,
}

/// A payment as its shop sees it.
#[derive(Serialize, ToSchema)]
pub struct ShopPayment {
    /// Its id.
    id: String,
    /// `authorised`, `captured`, `voided`, `expired`.
    status: &'static str,
    /// What was authorised, in yen.
    #[schema(value_type = i64)]
    amount: Yen,
    /// What the shop took of it.
    #[schema(value_type = i64)]
    captured: Yen,
    /// What the shop gave back of that.
    #[schema(value_type = i64)]
    refunded: Yen,
    /// What the shop calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// When it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_at: Option<String>,
    /// Until when it waits for its capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// Its refunds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refunds: Vec<Refund>,
}

/// A refund.
#[derive(Serialize, ToSchema)]
pub struct Refund {
    /// Its id.
    id: String,
    /// Always `refunded`: a refund is final.
    status: &'static str,
    /// Of which payment.
    payment_id: String,
    /// How much, in yen.
    #[schema(value_type = i64)]
    amount: Yen,
    /// What was refunded of the payment in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    payment_refunded: Option<Yen>,
}

/// Take a payment by the code that the holder shows.
#[utoipa::path(post, path = "/v1/payments", tag = "shop", request_body = Take,
    params(("Idempotency-Key" = String, Header)), security(("shop" = [])),
    responses((status = 201, description = "captured", body = ShopPayment),
        (status = 202, description = "authorised", body = ShopPayment)))]
async fn take(
    State(service): State<Arc<Service>>,
    shop: Shop,
    Asked { body, repeat }: Asked<Take>,
) -> Result<(StatusCode, Json<ShopPayment>), Problem> {
    let wrong = || Problem::malformed("A reference is 1 to 64 visible ASCII characters.").with("member", "reference");
    let reference = body.reference.as_deref().map(|text| Reference::new(text).ok_or_else(wrong)).transpose()?;
    let command = payment::Command::Authorise(Authorise {
        payment: PaymentId(service.id()),
        payer: Payer::Code(service.payment_code_id(&body.payment_code)),
        shop: shop.0,
        amount: body.amount,
        capture: body.capture,
        reference,
        origin: None,
        proof: None,
    });
    let request = repeat.by(&service, shop.actor());
    let receipt = service.submit(shop.actor(), Some(request), Command::Payment(command)).await?;
    let mut taken = of_receipt(&receipt)?;
    taken.reference = body.reference;
    let status = ids::code_of(body.capture);
    Ok((status, Json(taken)))
}

/// Capture what was authorised, or a part of it.
#[utoipa::path(post, path = "/v1/payments/{payment}/capture", tag = "shop", request_body = Capture,
    params(("payment" = String, Path), ("Idempotency-Key" = String, Header)), security(("shop" = [])),
    responses((status = 201, body = ShopPayment)))]
async fn capture(
    State(service): State<Arc<Service>>,
    shop: Shop,
    Path(payment): Path<String>,
    Asked { body, repeat }: Asked<Capture>,
) -> Result<(StatusCode, Json<ShopPayment>), Problem> {
    let payment: PaymentId = ids::parse(&payment, Noun::Payment)?;
    let command = payment::Command::Capture { payment, shop: shop.0, amount: body.amount };
    let request = repeat.by(&service, shop.actor());
    let receipt = service.submit(shop.actor(), Some(request), Command::Payment(command)).await?;
    Ok((StatusCode::CREATED, Json(of_receipt(&receipt)?)))
}

/// Give up what was authorised: the holder has it back at once.
#[utoipa::path(post, path = "/v1/payments/{payment}/void", tag = "shop", request_body = Void,
    params(("payment" = String, Path), ("Idempotency-Key" = String, Header)), security(("shop" = [])),
    responses((status = 201, body = ShopPayment)))]
async fn void(
    State(service): State<Arc<Service>>,
    shop: Shop,
    Path(payment): Path<String>,
    Asked { body: Void {}, repeat }: Asked<Void>,
) -> Result<(StatusCode, Json<ShopPayment>), Problem> {
    let payment: PaymentId = ids::parse(&payment, Noun::Payment)?;
    let command = payment::Command::Void { payment, shop: shop.0 };
    let request = repeat.by(&service, shop.actor());
    let receipt = service.submit(shop.actor(), Some(request), Command::Payment(command)).await?;
    Ok((StatusCode::CREATED, Json(of_receipt(&receipt)?)))
}

/// Give back what was captured, or a part of it.
#[utoipa::path(post, path = "/v1/payments/{payment}/refunds", tag = "shop", request_body = AskRefund,
    params(("payment" = String, Path), ("Idempotency-Key" = String, Header)), security(("shop" = [])),
    responses((status = 201, body = Refund)))]
async fn refund(
    State(service): State<Arc<Service>>,
    shop: Shop,
    Path(payment): Path<String>,
    Asked { body, repeat }: Asked<AskRefund>,
) -> Result<(StatusCode, Json<Refund>), Problem> {
    let payment: PaymentId = ids::parse(&payment, Noun::Payment)?;
    let request = repeat.by(&service, shop.actor());
    let amount = match body.amount {
        Some(amount) => amount,
        None => service.left_to_refund(payment, shop.0, RefundId(refund_id(request))).await?,
    };
    let refund = RefundId(refund_id(request));
    let command = payment::Command::Refund { refund, payment, shop: shop.0, amount };
    let receipt = service.submit(shop.actor(), Some(request), Command::Payment(command)).await?;
    let Receipt::Refund { id, payment, amount, payment_refunded } = receipt else { return Err(Problem::internal()) };
    let refunded = Refund {
        id: id.to_string(),
        status: "refunded",
        payment_id: payment.to_string(),
        amount,
        payment_refunded: Some(payment_refunded),
    };
    Ok((StatusCode::CREATED, Json(refunded)))
}

/// See a payment.
#[utoipa::path(get, path = "/v1/payments/{payment}", tag = "shop", params(("payment" = String, Path)),
    security(("shop" = [])), responses((status = 200, body = ShopPayment)))]
async fn get(
    State(service): State<Arc<Service>>,
    shop: Shop,
    Path(payment): Path<String>,
) -> Result<Json<ShopPayment>, Problem> {
    let id: PaymentId = ids::parse(&payment, Noun::Payment)?;
    Ok(Json(of_row(id, &service.payment_at(id, shop.0).await?)))
}

/// See a refund.
#[utoipa::path(get, path = "/v1/payments/{payment}/refunds/{refund}", tag = "shop",
    params(("payment" = String, Path), ("refund" = String, Path)), security(("shop" = [])),
    responses((status = 200, body = Refund)))]
async fn get_refund(
    State(service): State<Arc<Service>>,
    shop: Shop,
    Path((payment, refund)): Path<(String, String)>,
) -> Result<Json<Refund>, Problem> {
    let id: PaymentId = ids::parse(&payment, Noun::Payment)?;
    let refund: RefundId = ids::parse(&refund, Noun::Refund)?;
    let row = service.payment_at(id, shop.0).await?;
    let found = refunds(id, &row).find(|found| found.id == refund.to_string());
    found.map(Json).ok_or_else(|| ids::unknown(Noun::Refund))
}

/// The shop's payments, newest first, each as it is now.
#[utoipa::path(get, path = "/v1/payments", tag = "shop", params(Which), security(("shop" = [])),
    responses((status = 200, body = Page<ShopPayment>)))]
async fn list(
    State(service): State<Arc<Service>>,
    shop: Shop,
    Query(which): Query<Which>,
) -> Result<Json<Page<ShopPayment>>, Problem> {
    let limit = query::limit(which.limit)?;
    let list = format!("payments of {}", shop.0);
    let from = match which.cursor {
        Some(cursor) => Some(read_place(query::read_cursor::<18>(&service.keys, &list, &cursor)?)),
        None => service.stored(lists::shop_key(shop.0)).await?.map(|stored| Cursor::newest(&stored)),
    };
    let Some(from) = from else { return Ok(Json(Page { data: Vec::new(), next_cursor: None })) };
    let page = service.journals.read(move |journal| lists::payments_of_shop(journal, shop.0, from, limit)).await?;
    let mut data = Vec::with_capacity(page.payments.len());
    for id in page.payments {
        data.push(of_row(id, &service.payment_at(id, shop.0).await?));
    }
    let next_cursor = page.next.map(|next| query::cursor(&service.keys, &list, &place_bytes(next)));
    Ok(Json(Page { data, next_cursor }))
}

/// A cursor's place in the chain, as bytes.
pub fn place_bytes(cursor: Cursor) -> [u8; 18] {
    let mut bytes = [0; 18];
    bytes[..2].copy_from_slice(&cursor.place.lane.to_be_bytes());
    bytes[2..10].copy_from_slice(&cursor.place.n.to_be_bytes());
    bytes[10..].copy_from_slice(&u64::try_from(cursor.shown).unwrap_or(u64::MAX).to_be_bytes());
    bytes
}

/// The place that [`place_bytes`] wrote.
pub fn read_place(bytes: [u8; 18]) -> Cursor {
    let number = |from: usize, until: usize| {
        bytes[from..until].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let place = Place { lane: u16::try_from(number(0, 2)).unwrap_or(u16::MAX), n: number(2, 10) };
    Cursor { place, shown: usize::try_from(number(10, 18)).unwrap_or(usize::MAX) }
}

fn of_receipt(receipt: &Receipt) -> Result<ShopPayment, Problem> {
    let Receipt::Payment { id, status, amount, captured, refunded } = *receipt else { return Err(Problem::internal()) };
    Ok(ShopPayment {
        id: id.to_string(),
        status: status.name(),
        amount,
        captured,
        refunded,
        reference: None,
        accepted_at: None,
        expires_at: None,
        refunds: Vec::new(),
    })
}

fn of_row(id: PaymentId, row: &payment::Payment) -> ShopPayment {
    let waits = row.status == Status::Authorised;
    ShopPayment {
        id: id.to_string(),
        status: row.status.name(),
        amount: row.amount,
        captured: row.captured,
        refunded: row.refunded,
        reference: row.reference.as_ref().map(|reference| reference.as_str().to_owned()),
        accepted_at: Some(row.accepted.to_string()),
        expires_at: row.expires.filter(|_| waits).map(|at| at.to_string()),
        refunds: refunds(id, row).collect(),
    }
}

fn refunds(id: PaymentId, row: &payment::Payment) -> impl Iterator<Item = Refund> {
    row.refunds.iter().map(move |(refund, amount)| Refund {
        id: refund.to_string(),
        status: "refunded",
        payment_id: id.to_string(),
        amount: *amount,
        payment_refunded: None,
    })
}

/// A refund's id follows from its request: a repeat of "all that is left" must find what it did, not what is left now.
const fn refund_id(request: engine::Request) -> domain::Id {
    domain::Id(request.key)
}

impl Service {
    /// The payment `id`, if it is at `shop`.
    async fn payment_at(&self, id: PaymentId, shop: ShopId) -> Result<payment::Payment, Problem> {
        let row = self.payment(id).await?.filter(|payment| payment.shop == shop);
        row.ok_or_else(|| ids::unknown(Noun::Payment))
    }

    /// What a refund of all that is left comes to; of one that was made already, what it came to.
    async fn left_to_refund(&self, id: PaymentId, shop: ShopId, refund: RefundId) -> Result<Yen, Problem> {
        let row = self.payment_at(id, shop).await?;
        let made = row.refunds.iter().find(|(made, _)| *made == refund).map(|(_, amount)| *amount);
        Ok(made.unwrap_or_else(|| row.captured.saturating_sub(row.refunded)))
    }
}
