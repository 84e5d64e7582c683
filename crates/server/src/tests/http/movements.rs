//! The list of movements: every line once, each with the balance after it, whatever the page's size.

use super::till::Person;
use super::world::World;
use serde_json::{Value, json};

async fn pages(world: &World, person: &Person, query: &str) -> Vec<Value> {
    let (mut lines, mut path) = (Vec::new(), person.path(&format!("/movements?{query}")));
    loop {
        let page = world.get(&path, Some(&person.token)).await;
        assert_eq!(page.status, 200, "{}", page.text);
        lines.extend(page.body["data"].as_array().expect("a page").clone());
        let Some(cursor) = page.body["next_cursor"].as_str() else { return lines };
        path = person.path(&format!("/movements?{query}&cursor={cursor}"));
    }
}

#[tokio::test]
async fn every_line_names_the_balance_after_it() {
    let world = World::new();
    let (sakura, (shop, till)) = (world.person("sakura").await, world.shop("Soba").await);
    world.give(&sakura, 1_000).await;
    world.voucher("A1", 5_000).await;
    world.post(&sakura.path("/vouchers"), Some(&sakura.token), json!({ "code": "A1" })).await;
    world.advance(86_400_000);
    let sakura = world.again(sakura).await;
    for amount in [700, 900, 50] {
        let pay = json!({ "shop_id": shop.to_string(), "amount": amount });
        let paid = world.post(&sakura.path("/payments"), Some(&sakura.token), pay).await;
        let refunds = format!("/v1/payments/{}/refunds", paid.text("id"));
        world.post(&refunds, Some(&till), json!({ "amount": 10 })).await;
    }
    let all = pages(&world, &sakura, "limit=100").await;
    let after: Vec<_> = all.iter().map(|line| line["balance_after"].as_i64().expect("a balance")).collect();
    assert_eq!(after, [4_380, 4_370, 4_420, 4_410, 5_310, 5_300, 6_000, 1_000]);
    for line in &all {
        let purses = ["funds", "prepaid", "bonus"].map(|purse| line["balances_after"][purse].as_i64().expect("yen"));
        assert_eq!(Some(purses.iter().sum::<i64>()), line["balance_after"].as_i64(), "{line}");
    }
    assert_eq!(all[1]["counterparty"]["name"], "Soba");
    for limit in [1, 2, 3] {
        assert_eq!(pages(&world, &sakura, &format!("limit={limit}")).await, all, "{limit} a page");
    }
    let of_kind = |lines: &[Value], kind: &str| lines.iter().filter(|line| line["kind"] == kind).cloned().collect();
    let payments: Vec<Value> = of_kind(&all, "payment");
    assert_eq!((payments.len(), pages(&world, &sakura, "kind=payment&limit=2").await), (3, payments));
    assert_eq!(pages(&world, &sakura, "to=2026-01-01").await, all[6..], "up to and with that date");
    assert_eq!(pages(&world, &sakura, "from=2026-01-03").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list_alone() {
    let world = World::new();
    let (sakura, haru) = (world.person("sakura").await, world.person("haru").await);
    for person in [&sakura, &haru] {
        world.give(person, 1).await;
        world.give(person, 2).await;
    }
    let page = world.get(&sakura.path("/movements?limit=1"), Some(&sakura.token)).await;
    let cursor = page.text("next_cursor");
    let with = |cursor: &str| haru.path(&format!("/movements?limit=1&cursor={cursor}"));
    for cursor in [cursor.as_str(), "AAAA", "!", "", &"A".repeat(4_000)] {
        let answer = world.get(&with(cursor), Some(&haru.token)).await;
        assert_eq!(answer.problem(), (400, "malformed"), "{cursor}: {}", answer.text);
    }
    assert_eq!(world.get(&sakura.path("/movements"), Some(&haru.token)).await.problem(), (404, "not-found"));
}
