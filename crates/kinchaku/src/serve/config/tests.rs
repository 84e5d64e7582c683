//! The configuration as people write it: what is taken, what is refused by name, and that the example knows every key.

use super::{Config, Role, Table, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

const EXAMPLE: &str = include_str!("../../../../../kinchaku.example.toml");

fn read(text: Option<&str>, environment: &[(&str, &str)]) -> Result<Config, String> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let Some(text) = text else { return Config::read(None, environment, |_| ()) };
    let mut file = tempfile::NamedTempFile::new().expect("a file for the test");
    file.write_all(text.as_bytes()).expect("it can be written");
    Config::read(Some(file.path()), environment, |_| ())
}

#[test]
fn without_a_file_it_is_a_sandbox_on_loopback() {
    let config = read(None, &[]).expect("the defaults are good");
    assert!(config.is_sandbox() && config.serve.listen.ip().is_loopback());
    assert_eq!(config.serve.roles, [Role::Wallet, Role::Gateway, Role::Sandbox]);
}

#[test]
fn the_example_is_good_as_it_stands_and_with_every_comment_taken_away() {
    read(Some(EXAMPLE), &[]).expect("as it stands");
    let config = read(Some(&operators()), &[]).expect("an operator's");
    assert!(!config.is_sandbox() && config.wallet.is_some() && config.gateway.is_some());
}

/// The example with every key in force: what a sandbox has and what an operator has, side by side.
fn whole() -> Table {
    let is_key = |line: &str| {
        line.split_once(" = ").is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    let uncommented = |line: &'static str| match line.strip_prefix("#: ").or_else(|| line.strip_prefix('#')) {
        Some(key) if line.starts_with("#: ") || is_key(key) => key,
        Some(_) | None => line,
    };
    EXAMPLE.lines().map(uncommented).collect::<Vec<_>>().join("\n").parse().expect("it is TOML")
}

/// The table at `path`, in the first one of each list.
fn at<'a>(table: &'a mut Table, path: &[String]) -> &'a mut Table {
    path.iter().fold(table, |table, name| match table.get_mut(name).expect("it is there") {
        Value::Table(inner) => inner,
        Value::Array(list) => list.first_mut().and_then(Value::as_table_mut).expect("a list of tables"),
        other => panic!("{name} is {other:?}"),
    })
}

/// The paths of all sections below `table`.
fn sections(table: &Table, path: &[String], found: &mut Vec<Vec<String>>) {
    found.push(path.to_vec());
    for (name, value) in table {
        let inner = value.as_table().or_else(|| value.as_array().and_then(|list| list.first()?.as_table()));
        if let Some(inner) = inner {
            sections(inner, &[path, std::slice::from_ref(name)].concat(), found);
        }
    }
}

#[test]
fn every_key_that_there_is_stands_in_the_example() {
    let config = whole().try_into::<Config>().expect("every key of the example is known");
    assert!(config.gateway.is_some() && config.wallet.is_some() && config.sandbox.port.is_some());
    let mut paths = Vec::new();
    sections(&whole(), &[], &mut paths);
    // People are sections of one kind, whatever their names: what one of them has is documented for all.
    let kind = |path: &[String]| -> Vec<String> {
        let after_people = |at: usize| at > 0 && path[at - 1] == "people";
        path.iter().enumerate().map(|(at, name)| if after_people(at) { "*".into() } else { name.clone() }).collect()
    };
    let mut written: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
    for path in &paths {
        written.entry(kind(path)).or_default().extend(at(&mut whole(), path).keys().cloned());
    }
    let mut known = 0;
    for path in paths {
        let mut table = whole();
        at(&mut table, &path).insert("zzz".into(), Value::Boolean(true));
        // Whoever writes a key that is not known is told which ones are.
        let Err(error) = table.try_into::<Config>() else { panic!("{path:?} takes any key") };
        let error = error.to_string();
        let Some((_, expected)) = error.split_once("unknown field `zzz`, expected ") else {
            assert_eq!(path.last().map(String::as_str), Some("people"), "{error}");
            continue;
        };
        let expected = expected.lines().next().unwrap_or_default();
        for key in expected.split('`').skip(1).step_by(2) {
            known += 1;
            assert!(written[&kind(&path)].contains(key), "{path:?} of the example lacks {key}");
        }
    }
    assert!(known > 60, "the keys were found: {known}");
}

/// The example's line about the proxy in front of an operator.
const PROXIES: &str = "trusted_proxies = [\"127.0.0.1\"]";

/// The example as an operator has it.
fn operators() -> String {
    let keys = EXAMPLE.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line));
    let operator: Vec<&str> = keys.filter(|line| !line.starts_with("enabled =")).collect();
    operator.join("\n").replace("\"wallet\", \"gateway\", \"sandbox\"", "\"wallet\", \"gateway\"")
}

#[test]
fn an_operator_is_never_reached_in_plain_http_by_accident() {
    // Each line of the example with another in its place, and what the refusal names, or that it is taken.
    for (line, instead, named) in [
        ("listen = \"127.0.0.1:8080\"", "listen = \"[::1]:8080\"", None),
        // Beyond this machine no_proxy takes the place of the named one.
        (PROXIES, "listen = \"0.0.0.0:8080\"\nno_proxy = true", Some("trusted_proxies")),
        (PROXIES, "listen = \"[::]:8080\"\nno_proxy = true", Some("127.0.0.1")),
        (PROXIES, "listen = \"192.0.2.7:8080\"\nno_proxy = true", Some("plain_http_from_anywhere")),
        (PROXIES, "listen = \"0.0.0.0:8080\"\nno_proxy = true\nplain_http_from_anywhere = true", None),
        (PROXIES, "trusted_proxies = [\"10.0.0.1\", \"::1\"]", None),
        (PROXIES, "trusted_proxies = []", Some("everybody would be one source")),
        (PROXIES, "", Some("trusted_proxies = [\"127.0.0.1\"]")),
        (PROXIES, "plain_http_from_anywhere = true", Some("no_proxy")),
        (PROXIES, "no_proxy = true", None),
        (PROXIES, "trusted_proxies = [\"127.0.0.1\"]\nno_proxy = true", Some("no_proxy says that there is none")),
        ("\"https://wallet.example.jp\"", "\"http://wallet.example.jp\"", Some("[wallet] origin")),
        ("\"https://wallet.example.jp\"", "\"http://localhost:8080\"", Some("[wallet] origin")),
        ("\"https://wallet.example.jp\"", "\"https://wallet.example.jp/\"", Some("[wallet] origin")),
        ("\"https://wallet.example.jp\"", "\"https://me@wallet.example.jp\"", Some("[wallet] origin")),
        ("\"https://wallet.example.jp\"", "\"wallet.example.jp\"", Some("[wallet] origin")),
        ("\"https://desk.example.jp\"", "\"http://desk.example.jp\"", Some("[wallet] desk_origin")),
        ("\"https://gateway.example.jp\"", "\"http://gateway.example.jp\"", Some("[wallet.gateway] origin")),
        (
            "also its issuer.\norigin = \"https://gateway.example.jp\"",
            "also its issuer.\norigin = \"http://gateway.example.jp\"",
            Some("[gateway] origin"),
        ),
        ("\"https://messages.example.jp\"", "\"http://messages.example.jp\"", Some("[wallet.messages] origin")),
        ("\"https://messages.example.jp\"", "\"http://127.0.0.1:9000\"", None),
        ("\"https://identity.example.jp\"", "\"http://identity.example.jp\"", Some("[wallet.identity] origin")),
        ("\"https://identity.example.jp\"", "\"http://vendor.localhost:9000\"", None),
        (
            "\"https://connector.bank.example.jp\"",
            "\"http://connector.bank.example.jp\"",
            Some("the bank 0125's origin"),
        ),
        (
            "#own_page = \"https://login.bank.example.jp\"",
            "own_page = \"http://login.bank.example.jp\"",
            Some("the bank 0125's own_page"),
        ),
    ] {
        assert!(operators().contains(line), "{line}");
        let mut text = operators().replace(line, instead);
        if instead.starts_with("listen =") {
            text = text.replace("listen = \"127.0.0.1:8080\"\n", "");
        }
        let read = read(Some(&text), &[]);
        match named {
            None => assert!(!read.expect(instead).is_sandbox(), "{instead}"),
            Some(named) => {
                let error = read.expect_err(instead);
                assert!(error.contains(named), "{instead}: {error}");
            }
        }
    }
}

#[test]
fn what_is_not_known_or_not_safe_is_refused_by_name() {
    for (text, environment, named) in [
        (Some("[serve]\nlisten_on = 1\n[sandbox]\nenabled = true"), vec![], "listen_on"),
        (Some("[serve]\nlisten = \"0.0.0.0:8080\"\n[sandbox]\nenabled = true"), vec![], "loopback"),
        (None, vec![("KINCHAKU_SERVE_LISTEN", "0.0.0.0:8080")], "loopback"),
        (None, vec![("KINCHAKU_SERVE_TRUSTED_PROXIES", "[\"127.0.0.1\"]")], "before a sandbox"),
        (None, vec![("KINCHAKU_SERVE_LISTENS", "127.0.0.1:1")], "listens"),
        (None, vec![("KINCHAKU_SHOP_NAME", "x")], "KINCHAKU_SHOP_NAME"),
        (Some("[serve]\nroles = [\"bank\"]\n[sandbox]\nenabled = true"), vec![], "bank"),
        (Some("[serve]\nlog = \"json\""), vec![], "enabled = true"),
        (Some("[desk.people.aoki]\nname = \"A\"\nroles = [\"king\"]\n[sandbox]\nenabled = true"), vec![], "king"),
        (
            Some(
                "[gateway]\norigin = \"x\"\nmaster_key_file = \"k\"\n[gateway.desk.people.abe]\nname = \"A\"\nroles = [\"king\"]",
            ),
            vec![],
            "king",
        ),
        (Some("[sandbox]\nenabled = false"), vec![], "roles"),
    ] {
        let error = read(text, &environment).expect_err(named);
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn the_environment_speaks_over_the_file() {
    let config = read(Some("[serve]\ndata = \"/a\"\n[sandbox]\nenabled = true"), &[("KINCHAKU_SERVE_DATA", "/b")]);
    assert_eq!(config.expect("it is good").serve.data, std::path::Path::new("/b"));
    let config = read(None, &[("KINCHAKU_SANDBOX_PEOPLE", "7"), ("KINCHAKU_SERVE_ROLES", "[\"sandbox\"]")]);
    let config = config.expect("it is good");
    assert_eq!((config.sandbox.people, config.serve.roles), (Some(7), vec![Role::Sandbox]));
}
