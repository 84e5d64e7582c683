//! The sandbox's front page: what a newcomer finds at the first address, with the way to everything else.

use super::{demo, plan};
use axum::Router;
use axum::routing::get;
use maud::{Markup, html};
use std::path::{Path, PathBuf};
use web::page::{Page, SANDBOX, Words, words};

/// The page for a sandbox whose hosts are on `port`, with its data in `data`.
pub fn router(port: u16, data: PathBuf) -> Router {
    Router::new().route(
        "/",
        get(move || {
            let data = data.clone();
            async move { page(port, &data) }
        }),
    )
}

fn page(port: u16, data: &Path) -> Page {
    let title = Words { ja: "巾着", en: "Kinchaku" };
    Page { title, banner: Some(SANDBOX), form_origins: Vec::new(), body: body(port, data) }
}

fn body(port: u16, data: &Path) -> Markup {
    let wallet = demo::wallet(data);
    let link = |host: &str, path: &str, ja: &'static str, en: &'static str| {
        let address = format!("http://{host}:{port}{path}");
        html! { li { a href=(address) { (words(Words { ja, en })) } } }
    };
    html! {
        p { (words(Words {
            ja: "銀行口座とつながる電子マネーのウォレットです。銀行・人・メールはすべて模擬です。",
            en: "An e-money wallet that links to bank accounts. Banks, people and mails are simulated.",
        })) }
        h2 { (words(Words { ja: "まず見るところ", en: "Where to look first" })) }
        ul {
            (link("localhost", "/login", "ログイン", "Log in"))
            (link("localhost", "/docs", "API の説明", "The API, to be tried out"))
            (link("sandbox.localhost", "/inbox", "受信箱（メールと SMS）", "The inbox: every mail and text message"))
            (link("sandbox.localhost", "/banks", "35 の銀行と口座の持ち主", "Thirty-five banks and their people"))
            (link("sandbox.localhost", "/clock", "時計", "The clock, which can be advanced"))
            (link("desk.localhost", "/", "運営デスク", "The operator's desk"))
            (link("gateway.localhost", "/", "口座振替受付", "The gateway between wallets and banks"))
            (link("gateway.localhost", "/not-me", "「身に覚えがない」の届出", "“Not me”: for whoever was told of a link they did not make"))
        }
        h2 { (words(Words { ja: "試しに使う人", en: "Somebody to be" })) }
        p { (words(Words {
            ja: "広瀬 一郎（ヒロセ イチロウ）にはウォレットがあります。まだ口座は登録していません。",
            en: "Ichiro Hirose has a wallet already, and has linked no account yet.",
        })) }
        dl {
            dt { "メール / Mail" } dd { (demo::EMAIL) }
            dt { "パスワード / Password" } dd { (demo::PASSWORD) }
            @if let Some(wallet) = wallet { dt { "ウォレット / Wallet" } dd { code { (wallet) } } }
            dt { "口座 / Account" } dd { (demo::ACCOUNT.0) " " (demo::ACCOUNT.1) "-" (demo::ACCOUNT.2) }
            dt { "暗証番号 / PIN" } dd { (demo::ACCOUNT.3) }
        }
        p { (words(Words {
            ja: "ウォレットをこれから開くのは、七海 花子（ナナミ ハナコ）、1985年4月12日生まれ。七十七銀行 本店（100）普通 1234567、暗証番号 0412。",
            en: "Who has yet to open one: Hanako Nanami, born on 12 April 1985; The 77 Bank, branch 100, ordinary account 1234567, PIN 0412.",
        })) }
        h2 { (words(Words { ja: "運営デスクの担当者", en: "People of the operator’s desk" })) }
        p { (words(Words {
            ja: "デスクの API は、各担当者のファイルにあるトークン（Authorization: Bearer）で使えます。",
            en: "The desk’s API takes the token that is in each one’s file (Authorization: Bearer).",
        })) }
        dl {
            @for (id, name, _) in plan::DESK_SANDBOX {
                dt { (name) } dd { code { (plan::desk_token_file(data, id).display()) } }
            }
        }
        p { (words(Words {
            ja: "ほかの人と口座は銀行のページにあります。README の手順どおりに、開設・本人確認・口座登録・チャージ・支払いを試せます。",
            en: "More people and accounts are on the banks' pages. The README walks through opening, linking, topping up and paying.",
        })) }
    }
}
