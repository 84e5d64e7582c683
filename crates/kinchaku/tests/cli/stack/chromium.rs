//! A real browser, of the size of a phone: Chromium, driven over `WebDriver`. From the front page to the bank's statement; nothing
//! that it is shown breaks the page's own security policy, and nothing is wider than the phone. That no page needs a script,
//! or could run one, `pages` says.

use super::world::{Answer, BANK, Person, World, between};
use crate::served::Served;
use axum::http::Method;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// The size of a phone, in CSS pixels.
const PHONE: (u64, u64) = (390, 844);
/// The key under which `WebDriver` names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The driver, and the browser that it drives.
struct Chromium<'a> {
    world: &'a World,
    driver: Child,
    session: String,
}

impl<'a> Chromium<'a> {
    /// Starts it. Where there is none the test skips loudly; continuous integration must have one.
    async fn start(world: &'a World) -> Option<Self> {
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        assert!(
            driver.is_ok() || std::env::var_os("CI").is_none(),
            "no browser: apt-get install chromium chromium-driver"
        );
        let Ok(mut driver) = driver else {
            eprintln!("SKIPPED: no browser has looked at the pages: apt-get install chromium chromium-driver");
            return None;
        };
        let mut lines = BufReader::new(driver.stdout.take().expect("its output is piped")).lines();
        let started = lines.find_map(|line| {
            line.ok()?.split("started successfully on port ").nth(1).map(|port| port.trim_end_matches('.').to_owned())
        });
        // Whoever stops reading stops the driver when its next line does not fit.
        std::thread::spawn(move || lines.for_each(drop));
        let driver_at = format!("http://localhost:{}", started.expect("it says where it listens"));
        let (width, height) = PHONE;
        let size = format!("--window-size={width},{height}");
        let phone = json!({ "deviceMetrics": { "width": width, "height": height, "pixelRatio": 3.0, "mobile": true } });
        let options = json!({
            "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", size],
            "mobileEmulation": phone,
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let mut browser = Self { world, driver, session: format!("{driver_at}/session") };
        let opened = browser.tell("", wanted).await;
        let id = opened["sessionId"].as_str().expect("a session").to_owned();
        browser.session = format!("{driver_at}/session/{id}");
        Some(browser)
    }

    async fn call(&self, method: Method, command: &str, body: Value) -> Answer {
        self.world.call_url(method, &format!("{}{command}", self.session), body).await
    }

    /// Tells the browser to do something; it must.
    async fn tell(&self, command: &str, body: Value) -> Value {
        let answer = self.call(Method::POST, command, body).await;
        assert_eq!(answer.status, 200, "{command}: {}", answer.text);
        answer.json["value"].clone()
    }

    async fn read(&self, command: &str) -> String {
        let answer = self.call(Method::GET, command, Value::Null).await;
        answer.json["value"].as_str().unwrap_or_else(|| panic!("{command}: {}", answer.text)).to_owned()
    }

    async fn open(&self, url: &str) {
        self.tell("/url", json!({ "url": url })).await;
        self.look().await;
    }

    /// What `selector` names, as soon as it is there: a page may be on its way.
    async fn find(&self, selector: &str) -> String {
        let look = async || {
            let asked = json!({ "using": "css selector", "value": selector });
            let found = self.call(Method::POST, "/element", asked).await;
            found.json["value"][ELEMENT].as_str().map(str::to_owned)
        };
        self.world.found(&format!("{selector} on the page"), look).await
    }

    async fn enter(&self, name: &str, text: &str) {
        let element = self.find(&format!("[name='{name}']")).await;
        self.tell(&format!("/element/{element}/value"), json!({ "text": text })).await;
    }

    /// Taps what `selector` names, and looks at what comes.
    async fn tap(&self, selector: &str) {
        let element = self.find(selector).await;
        self.tell(&format!("/element/{element}/click"), json!({})).await;
        self.look().await;
    }

    /// What the driver says of the page's `selector`, of one page: not of one that another has just taken the place of.
    async fn of(&self, selector: &str, what: &str) -> Value {
        let look = async || {
            let element = self.find(selector).await;
            let said = self.call(Method::GET, &format!("/element/{element}/{what}"), Value::Null).await;
            (said.status == 200).then(|| said.json["value"].clone())
        };
        self.world.found(&format!("the {what} of {selector}"), look).await
    }

    /// What a person can read on the page.
    async fn text(&self) -> String {
        self.of("body", "text").await.as_str().expect("a text").to_owned()
    }

    /// The page says what it is, fits the phone, and breaks no policy.
    async fn look(&self) {
        let text = self.text().await;
        let at = self.read("/url").await;
        assert!(text.contains(web::page::SANDBOX.ja), "{at}: {text}");
        let script = "return document.documentElement.scrollWidth";
        let width = self.tell("/execute/sync", json!({ "script": script, "args": [] })).await;
        assert!(width.as_u64().is_some_and(|width| width <= PHONE.0), "{at} is {width} wide");
        let log = self.tell("/se/log", json!({ "type": "browser" })).await;
        assert_eq!(log, json!([]), "{at}: {log}");
    }
}

impl Drop for Chromium<'_> {
    fn drop(&mut self) {
        // The browser is of the driver's group, and would outlive it.
        drop(Command::new("kill").args(["-TERM", "--", &format!("-{}", self.driver.id())]).status());
        drop(self.driver.wait());
    }
}

/// The demo person, as the front page names them; they log in as programs do as well.
async fn demo_person(world: &World, wallet: &str) -> Person {
    let path = format!("/sandbox/v1/banks/{BANK}/accounts/2002345678");
    let account = world.sandbox(Method::GET, &path, Value::Null).await;
    Person::known(json!({
        "email": "ichiro@people.example", "password": "sandbox-ichiro", "wallet_id": wallet, "account": account,
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_walks_from_the_front_page_to_the_banks_statement() {
    let world = World::of(Served::start());
    let Some(browser) = Chromium::start(&world).await else { return };
    browser.open(&world.url("localhost", "/")).await;
    let front = browser.text().await;
    let wallet = format!("wlt_{}", between(&front, "wlt_", "\n"));
    let person = demo_person(&world, &wallet).await;
    assert!(front.contains(person.fact("email")) && front.contains(person.fact("password")), "{front}");
    browser.tap("a[href$='/login']").await;
    browser.enter("email", person.fact("email")).await;
    browser.enter("password", person.fact("password")).await;
    browser.tap("form[action='/login'] button").await;
    assert_eq!(browser.read("/url").await, world.url("localhost", "/"));

    // Programs are a device of their own, and not a known one.
    let link = world.proven(&person, "{wallet}/mandates", json!({ "bank_code": BANK })).await;
    let mandate = link.json["id"].as_str().expect("an id");
    browser.open(link.json["authorize_url"].as_str().expect("an address")).await;
    browser.tap(&format!("form[action='/link/{mandate}'] button")).await;
    assert!(browser.read("/url").await.starts_with(&world.url("gateway.localhost", "/")));
    browser.tap("form[action='/link/consent'] button").await;
    for name in ["branch", "number", "name_kana", "pin"] {
        browser.enter(name, person.account(name)).await;
    }
    browser.tap("form[action='/link/factors'] button").await;
    let sms = world.message(person.account("phone"), "Code ").await;
    browser.enter("sms_code", between(&sms, "Code ", ":")).await;
    browser.tap("form[action='/link/challenge'] button").await;
    let done = browser.text().await;
    assert!(done.contains("The bank account is linked.") && done.contains("active"), "{done}");

    let top_up = world.top_up(&person, mandate, 5_000).await;
    assert_eq!(top_up.status, 201, "{}", top_up.text);
    let told = "Money came into your wallet.";
    world.message(person.fact("email"), told).await;
    browser.open(&world.url("localhost", "/")).await;
    browser.tap("a[href$='/inbox']").await;
    assert!(browser.text().await.contains(told));
    browser.open(&world.url("localhost", "/")).await;
    browser.tap("a[href$='/banks']").await;
    browser.tap(&format!("a[href='/banks/{BANK}']")).await;
    browser.tap("a[href$='/accounts/200-ordinary-2345678']").await;
    let statement = browser.text().await;
    assert!(statement.contains("-5,000") && statement.contains("295,000"), "{statement}");
    for path in ["/docs", "/login"] {
        browser.open(&world.url("localhost", path)).await;
    }
}
