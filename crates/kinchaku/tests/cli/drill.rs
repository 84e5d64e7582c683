//! `kinchaku drill` as a shell sees it.

use super::check;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Begins a drill of seconds.
fn begin(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinchaku"));
    command.args(["drill", "small", "--json"]).args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("the binary starts")
}

/// Its exit code, and what it printed.
fn end(child: Child) -> (Option<i32>, Value) {
    let output = child.wait_with_output().expect("it ends");
    (output.status.code(), serde_json::from_slice(&output.stdout).expect("it printed JSON"))
}

/// What the runs of process `id` keep on disk now.
fn kept(id: u32) -> Vec<PathBuf> {
    let prefix = format!("kinchaku-drill-{id}-");
    let places = [Path::new("/dev/shm").to_owned(), std::env::temp_dir()];
    let entries = places.iter().filter_map(|place| std::fs::read_dir(place).ok()).flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains(&prefix)).collect()
}

#[test]
fn the_same_seed_is_the_same_report_in_two_processes_but_for_the_seconds() {
    for attacker in ["guess", "phish"] {
        let arguments = ["--attacker", attacker, "--preset", "as-of-2020", "--honest", "3"];
        let both = [begin(&arguments), begin(&arguments)].map(end);
        let [(code, first), (_, second)] = both.map(|(code, mut report)| {
            assert!(report["seconds"].take().as_f64().is_some_and(|seconds| seconds > 0.0), "{report}");
            (code, report)
        });
        assert_eq!((code, &first["preset"]), (Some(0), &"as-of-2020".into()), "{attacker}: {first}");
        assert_eq!(first.to_string(), second.to_string(), "{attacker}");
        assert!(first["attacker"]["tries"].as_u64() > Some(0), "{attacker}: {first}");
    }
}

#[test]
fn a_drill_that_is_interrupted_prints_what_it_had_as_partial_and_leaves_nothing() {
    for (arguments, list) in [
        (&["--honest", "40"][..], None),
        (&["--honest", "40", "--seeds", "3"], Some("reports")),
        (&["--honest", "40", "--matrix", "--attacker", "phish"], Some("halves")),
    ] {
        let drill = begin(arguments);
        let id = drill.id();
        while kept(id).is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let told = Command::new("kill").args(["-INT", &id.to_string()]).status().expect("kill is there");
        assert!(told.success());
        let (code, printed) = end(drill);
        assert_eq!((code, &printed["partial"]), (Some(130), &true.into()), "{arguments:?}: {printed}");
        assert!(list.is_none_or(|list| printed[list].is_array()), "{arguments:?}: {printed}");
        assert!(kept(id).is_empty(), "{arguments:?}: {:?}", kept(id));
    }
}

#[test]
fn what_is_unknown_exits_2_and_says_what_there_is() {
    check(&["drill", "november-1999"], 2, "september-2020, resona-2019");
    check(&["drill", "september-2020", "--preset", "lax"], 2, "hardened, as-of-2020");
    check(&["drill", "september-2020", "--attacker", "ghosts"], 2, "guess, phish, both");
    check(&["drill", "september-2020", "--tactics", "none"], 2, "burst, slow, small");
    check(&["drill", "september-2020", "--pace", "glacial"], 2, "burst, hourly");
    check(&["drill", "september-2020", "--faces", "101"], 2, "--faces");
    check(&["drill", "september-2020", "--amount", "1"], 2, "--amount");
    check(&["drill", "september-2020", "--seed", "one"], 2, "from 0 to 18446744073709551615");
    check(&["drill", "september-2020", "--seeds", "0"], 2, "--seeds");
    check(&["drill", "september-2020", "--seed", "18446744073709551615", "--seeds", "2"], 2, "there are no 2 seeds");
    check(&["drill", "september-2020", "--ablate", "--control", "luck"], 2, "spray_detection");
    check(&["drill", "september-2020", "--control", "ageing"], 2, "--ablate");
    check(&["drill", "september-2020", "--ablate", "--preset", "open"], 2, "cannot be used with");
    check(&["drill", "september-2020", "--report", "/nowhere/at-all.html"], 1, "/nowhere/at-all.html");
    check(&["drill", "september-2020", "--matrix", "--ablate"], 2, "cannot be used with");
}
