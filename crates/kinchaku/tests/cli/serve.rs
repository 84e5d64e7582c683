//! `serve` as whoever starts it sees it: where it listens, what it refuses, how it ends.

use crate::check;
use crate::served::{Served, Started, place};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use web::MachineChance;
use web::jose::{JwkSet, SigningKey};

#[test]
fn the_sandbox_has_a_host_for_each_service_says_what_it_is_and_ends_when_told() {
    let place = place();
    let served = Served::start_in(&place, Started::default());
    for (host, path, status) in [
        ("localhost", "/", "200"),
        ("localhost", "/sandbox/v1/banks", "200"),
        ("sandbox.localhost", "/", "200"),
        ("bank-0125.localhost", "/connector/v1/about", "401"),
        ("gateway.localhost", "/.well-known/oauth-authorization-server", "200"),
        ("evil.example", "/", "421"),
        ("localhost", "/nothing", "404"),
    ] {
        let answer = served.get(host, path);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}{path}: {answer}");
    }
    assert_eq!(served.stop(), Some(0));
    let data = place.path().join("data");
    for service in ["wallet", "gateway", "sandbox"] {
        let (journal, anchors) = (data.join(service), data.join("anchors").join(format!("{service}.jsonl")));
        let verify = ["audit", "verify", "--data", path(&journal), "--anchors", path(&anchors)];
        check(&verify, 0, " anchors believed");
    }
}

#[test]
fn without_any_argument_it_is_the_sandbox_and_says_where_everything_is_and_whom_to_be() {
    let (bare, place) = (Started { is_bare: true, ..Started::default() }, place());
    let served = Served::start_in(&place, bare);
    let (port, said) = (served.port, served.greeting.join("\n"));
    assert_eq!(served.greeting[0], format!("kinchaku {VERSION} listens on 127.0.0.1:{port}, data in ./data"));
    assert!(said.contains("SANDBOX: "), "{said}");
    for (host, path) in [
        ("localhost", "/"),
        ("localhost", "/docs"),
        ("desk.localhost", "/"),
        ("gateway.localhost", "/"),
        ("sandbox.localhost", "/"),
    ] {
        assert!(said.contains(&format!("  http://{host}:{port}{path}  ")), "{host}{path}: {said}");
        let answer = served.get(host, path);
        let is_there = ["HTTP/1.1 200 ", "HTTP/1.1 303 "].iter().any(|status| answer.starts_with(status));
        assert!(is_there, "{host}{path}: {answer}");
    }
    for whom in ["ichiro@people.example / sandbox-ichiro", "aoki", "sato", "mori", "abe", "kudo", "hara", "kondo"] {
        assert!(said.contains(whom), "{whom}: {said}");
    }
    // Where it says that their tokens are, they are.
    let tokens: Vec<&str> = said.split_whitespace().filter(|word| word.contains("secrets/desk-")).collect();
    assert!(tokens.len() >= 3, "{said}");
    for token in tokens {
        assert!(place.path().join(token).is_file(), "{token}");
    }
    assert_eq!(served.stop(), Some(0));
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn what_the_readme_looks_into_is_there() {
    let served = Served::start();
    let lines = README.lines().filter_map(|line| line.strip_prefix("cargo run --release -- audit "));
    let lines: Vec<&str> = lines.map(|line| line.split('#').next().unwrap_or(line).trim()).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    // What the README calls ./data is where this one keeps its own.
    let (place, data) = (tempfile::tempdir().expect("a directory"), served.data());
    std::os::unix::fs::symlink(&data, place.path().join("data")).expect("it is linked");
    for line in lines {
        let mut process = Command::new(env!("CARGO_BIN_EXE_kinchaku"));
        let asked = process.current_dir(place.path()).arg("audit").args(line.split(' ')).output().expect("it starts");
        let text = String::from_utf8_lossy(&[asked.stdout, asked.stderr].concat()).into_owned();
        assert!(asked.status.success(), "{line}: {text}");
    }
}

/// The README as it stands.
const README: &str = include_str!("../../../../README.md");

#[test]
fn the_readmes_commands_do_what_it_says() {
    let served = Served::start();
    let blocks = README.split("```bash\n").skip(1).filter_map(|rest| rest.split("```").next());
    let story: Vec<&str> = blocks.filter(|block| block.contains("post() {")).collect();
    assert_eq!(story.len(), 1, "the README has one story");
    let story = story[0].replace(":8080", &format!(":{}", served.port));
    let output = Command::new("bash").args(["-euc", &story]).output().expect("bash is there");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{text}");
    for shows in [
        r#""status":"approved""#,
        r#""status":"active""#,
        r#""status":"settled","amount":10000"#,
        r#""status":"captured""#,
        r#""masked_name":"#,
        r#""status":"completed""#,
        r#""status":"settled","amount":1000"#,
        // Of 10,000 yen, 500 went to the shop, 300 to the friend and 1,000 back.
        r#""balance_after":8200"#,
        // And the bank's own statement.
        r#""amount":-10000"#,
        r#""balance":491000"#,
    ] {
        assert!(text.contains(shows), "{shows} is not in: {text}");
    }
}

/// The example of a configuration, every key of which is documented.
const EXAMPLE: &str = include_str!("../../../../kinchaku.example.toml");

/// The example as an operator has it, with every file that it names in `place`: the configuration's own path.
fn operators_configuration(place: &Path) -> String {
    let (key, secrets) = (SigningKey::generate_eddsa(&MachineChance), place.to_str().expect("a path of letters"));
    let lines = EXAMPLE.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line));
    let text: Vec<&str> = lines.filter(|line| !line.starts_with("enabled =")).collect();
    let text = text.join("\n").replace("\"wallet\", \"gateway\", \"sandbox\"", "\"wallet\", \"gateway\"");
    for file in text.split("/etc/kinchaku/").skip(1).filter_map(|rest| rest.split('"').next()) {
        let contents = match Path::new(file).extension().and_then(|kind| kind.to_str()).expect("a kind of file") {
            "jwk" => key.to_private_jwk().to_string(),
            "jwks" => JwkSet::new(vec![key.public().clone()]).expect("one key").to_value().to_string(),
            "secret" => "whsec_YmFuay1hbmQtZ2F0ZXdheS1zaGFyZS10aGlzLWtleSE=".to_owned(),
            "token" => format!("the token in {file}"),
            // The master keys are made at the first start.
            _ => continue,
        };
        std::fs::write(place.join(file), contents).expect("it can be written");
    }
    let path = place.join("kinchaku.toml");
    std::fs::write(&path, text.replace("/etc/kinchaku", secrets)).expect("it can be written");
    path.to_str().expect("a path of letters").to_owned()
}

#[test]
fn a_configured_operator_never_says_that_it_is_a_sandbox() {
    let place = place();
    let arguments = vec!["--config".to_owned(), operators_configuration(place.path())];
    let (anchors, keys) = (place.path().join("elsewhere"), place.path().join("keys"));
    let environment = vec![
        ("KINCHAKU_SERVE_ANCHORS", path(&anchors).to_owned()),
        ("KINCHAKU_SERVE_ANCHOR_KEYS", path(&keys).to_owned()),
    ];
    let served = Served::start_in(&place, Started { arguments, environment, ..Started::default() });
    for (host, path, status) in [
        ("wallet.example.jp", "/login", "200"),
        ("wallet.example.jp", "/docs", "200"),
        ("desk.example.jp", "/docs", "200"),
        ("gateway.example.jp", "/", "200"),
        ("gateway.example.jp", "/not-me", "200"),
        ("wallet.example.jp", "/sandbox/v1/clock", "404"),
        ("sandbox.localhost", "/", "421"),
        ("bank-0125.localhost", "/connector/v1/about", "421"),
    ] {
        let answer = served.get(host, path);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}{path}: {answer}");
        let lower = answer.to_ascii_lowercase();
        assert!(
            !lower.contains("x-kinchaku-sandbox") && !answer.contains(web::page::SANDBOX.ja),
            "{host}{path}: {answer}"
        );
    }
    assert!(!served.log().contains("SANDBOX"), "{}", served.log());
    people_behind_the_proxy_are_counted_apart(&served);
    assert_eq!(served.stop(), Some(0));
    let (data, anchors) = (place.path().join("data/gateway"), anchors.join("gateway.jsonl"));
    let key = keys.join("gateway.key");
    let verify = ["audit", "verify", "--data", path(&data), "--anchors", path(&anchors), "--key", path(&key)];
    check(&verify, 0, " anchors believed");
}

/// The configured proxy speaks for many: each of them uses up what is their own.
fn people_behind_the_proxy_are_counted_apart(served: &Served) {
    // What the limit allows, what is left of it, and in how many seconds it begins anew.
    let ask = |address: &str| {
        let answer = served.get_with("wallet.example.jp", "/login", &format!("X-Forwarded-For: {address}\r\n"));
        ["\"source\";q=", "\"source\";r=", ";t="].map(|name| {
            let number = answer.split(name).nth(1).expect("the headers show the limit");
            number.split(|letter: char| !letter.is_ascii_digit()).next().expect("a number").parse::<u64>().expect("one")
        })
    };
    for n in 0.. {
        let [one, again, another] = [format!("2001:db8:{n}::1"), format!("2001:db8:{n}::2"), format!("198.51.100.{n}")]
            .map(|address| ask(&address));
        if one[2] < another[2] {
            // A new minute has begun in between.
            continue;
        }
        assert_eq!((one[1], again[1], another[1]), (one[0] - 1, one[0] - 2, one[0] - 1));
        return;
    }
}

#[test]
fn a_sandbox_behind_a_proxy_on_this_machine_answers_nobody() {
    let served = Served::start();
    for host in ["localhost", "desk.localhost", "gateway.localhost", "sandbox.localhost"] {
        for header in
            ["X-Forwarded-For: 198.51.100.7", "Forwarded: for=198.51.100.7", "Via: 1.1 proxy", "X-Real-IP: ::1"]
        {
            let answer = served.get_with(host, "/", &format!("{header}\r\n"));
            assert!(
                answer.starts_with("HTTP/1.1 403 ") && answer.contains("was forwarded"),
                "{host} {header}: {answer}"
            );
        }
        assert!(!served.get(host, "/").starts_with("HTTP/1.1 403 "), "{host}");
    }
    // What a proxy says that was told nothing: neither whom it speaks for nor today's version.
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", served.port)).expect("it listens");
    let mut answer = String::new();
    std::io::Write::write_all(&mut stream, b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("it takes the request");
    std::io::Read::read_to_string(&mut stream, &mut answer).expect("it answers");
    assert!(answer.contains(" 403 ") && answer.contains("was forwarded"), "{answer}");
}

#[test]
fn a_sandbox_and_an_operators_data_never_meet() {
    let data = TempDir::new().expect("a directory for the test");
    std::fs::write(data.path().join("journal.sqlite"), b"an operator's").expect("it can be written");
    let directory = data.path().to_str().expect("a path of letters");
    check(&["serve", "--listen", "127.0.0.1:0", "--data", directory], 1, "no sandbox's");
    check(&["serve", "--listen", "0.0.0.0:0", "--data", directory], 1, "loopback");
    let config = data.path().join("kinchaku.toml");
    std::fs::write(&config, "[serve]\nlisten_at = 1\n").expect("it can be written");
    check(&["serve", "--config", path(&config)], 1, "listen_at");
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}
