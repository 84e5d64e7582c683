//! Many links of one account at once: at the end one live mandate an operator, whoever came first.

use super::world::{BANK, World};
use crate::domain::mandate::Status;
use crate::domain::{Factor, MandateId};
use futures_util::future::join_all;

const STATIC: &[Factor] = &[Factor::Account, Factor::NameKana, Factor::Pin];
const STRONG: &[Factor] = &[Factor::Account, Factor::Pin, Factor::OneTimePassword];

#[tokio::test]
async fn a_hundred_links_of_one_account_leave_one_live_mandate_an_operator() {
    let world = World::new().await;
    let links = (0..100_u32).map(async |number| {
        let operator = if number % 4 == 0 { "fukuro" } else { "kinchaku" };
        let factors = if number % 3 == 0 { STRONG } else { STATIC };
        let (id, _) = world.try_link(BANK, operator, &format!("w{number}"), "1234567", factors).await;
        (operator, id)
    });
    let linked: Vec<(&str, MandateId)> = join_all(links).await;
    let mut live = Vec::new();
    for (operator, id) in &linked {
        let row = world.gateway.mandate(*id).await.expect("it is read").expect("it is there");
        assert!(matches!(row.status, Status::Active | Status::Refused | Status::Revoked), "{:?}", row.status);
        if row.status == Status::Active {
            assert!(
                row.grant.is_some_and(|grant| grant.factors.has(Factor::OneTimePassword)),
                "the better factors stay"
            );
            live.push((*operator, *id));
        }
    }
    live.sort_unstable();
    let operators: Vec<&str> = live.iter().map(|(operator, _)| *operator).collect();
    assert_eq!(operators, ["fukuro", "kinchaku"], "one each");
    let row = world.gateway.mandate(live[0].1).await.expect("it is read").expect("it is there");
    let account =
        world.gateway.account(row.grant.expect("a grant").account).await.expect("it is read").expect("it is there");
    assert_eq!(account.live.len(), 2, "and the account says so too");
    let (_, page) = world.call("kinchaku", "GET", "/gateway/v1/mandates?limit=100", None).await;
    let active = page["data"].as_array().expect("a list").iter().filter(|mandate| mandate["status"] == "active");
    assert_eq!(active.count(), 1);
}
