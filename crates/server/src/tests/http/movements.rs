//! The list of movements: every line once, each with the balance after it, whatever the page's size.

use super::gateway::Script;
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

/// Every page of a list, one movement a page: kind, status, amount and balance after.
async fn told(world: &World, token: &str, wallet: &str, limit: usize) -> Vec<(String, String, i64, i64)> {
    let (mut lines, mut path) = (Vec::new(), format!("{wallet}/movements?limit={limit}"));
    loop {
        let page = world.get(&path, Some(token)).await;
        let rows = page.body["data"].as_array().unwrap_or_else(|| panic!("{}", page.text));
        lines.extend(rows.iter().map(in_short));
        let Some(cursor) = page.body["next_cursor"].as_str() else { return lines };
        path = format!("{wallet}/movements?limit={limit}&cursor={cursor}");
    }
}

fn in_short(line: &Value) -> (String, String, i64, i64) {
    let text = |member: &str| line[member].as_str().expect("a text").to_owned();
    let yen = |member: &str| line[member].as_i64().expect("yen");
    (text("kind"), text("status"), yen("amount"), yen("balance_after"))
}

fn line(kind: &str, status: &str, amount: i64, after: i64) -> (String, String, i64, i64) {
    (kind.to_owned(), status.to_owned(), amount, after)
}

#[tokio::test]
async fn a_movement_is_one_line_where_it_last_changed_as_it_is_now() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    let (shop, till) = world.shop("Soba").await;
    world.gateway.with(|stand| stand.script = Script::Wait);
    let first = world.top_up(&token, &wallet, &mandate, 500).await.text("id");
    world.gateway.with(|stand| stand.script = Script::Settle);
    world.top_up(&token, &wallet, &mandate, 3_000).await;
    let pay = json!({ "shop_id": shop.to_string(), "amount": 400 });
    let paid = world.post(&format!("{wallet}/payments"), Some(&token), pay).await;
    assert_eq!(paid.status, 201, "{}", paid.text);
    world.post(&format!("/v1/payments/{}/refunds", paid.text("id")), Some(&till), json!({ "amount": 100 })).await;
    let mut expected = vec![
        line("refund", "refunded", 100, 2_700),
        line("payment", "captured", 400, 2_600),
        line("top_up", "settled", 3_000, 3_000),
        line("top_up", "in_doubt", 500, 0),
    ];
    for limit in [1, 2, 100] {
        assert_eq!(told(&world, &token, &wallet, limit).await, expected, "{limit} a page");
    }

    // Somebody has read two pages when the first top-up settles: it stays where it was in that list, as it is now.
    let page = world.get(&format!("{wallet}/movements?limit=2"), Some(&token)).await;
    let settled = json!({ "type": "debit.settled", "reference": first, "amount": 500, "n": 1 });
    world.gateway.with(|stand| stand.events.push(settled));
    world.advance(3_000);
    world.run_due().await;
    let rest = format!("{wallet}/movements?limit=9&cursor={}", page.text("next_cursor"));
    let rest = world.get(&rest, Some(&token)).await;
    let rest: Vec<_> = rest.body["data"].as_array().expect("a page").iter().map(in_short).collect();
    assert_eq!(rest, [line("top_up", "settled", 3_000, 3_000), line("top_up", "settled", 500, 0)]);

    // Whoever begins anew finds it where it settled, and nowhere else.
    expected.pop();
    expected.insert(0, line("top_up", "settled", 500, 3_200));
    for limit in [1, 2, 100] {
        assert_eq!(told(&world, &token, &wallet, limit).await, expected, "{limit} a page");
    }
    let reversed = json!({ "type": "debit.reversed", "reference": first, "amount": 500, "n": 2 });
    world.gateway.with(|stand| stand.events.push(reversed));
    world.advance(3_000);
    world.run_due().await;
    expected[0] = line("top_up", "reversed", 500, 2_700);
    assert_eq!(told(&world, &token, &wallet, 3).await, expected);
}
