//! Tables: what settings are accepted, what is said about the others, who wins.

use std::path::Path;

use super::settings::{SECTIONS, SETTINGS};
use super::*;

const ID: &str = "019a0000-0000-7000-8000-000000000001";

fn parse(text: &str, overrides: &Overrides) -> Result<Config, String> {
    Config::parse(Path::new("shop"), text, overrides).map_err(|error| error.to_string())
}

fn with_store(below: &str) -> String {
    format!("[store]\nname = \"shop\"\nid = \"{ID}\"\n{below}")
}

fn environment(pairs: &[(&str, &str)]) -> Overrides {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Overrides { environment: pairs.iter().map(owned).collect(), ..Overrides::default() }
}

#[test]
fn defaults_fill_what_is_left_out() {
    let config = parse(&with_store(""), &Overrides::default()).unwrap();
    assert_eq!(config.store.shards, 1);
    assert_eq!(config.node.listen.to_string(), "127.0.0.1:7070");
    assert_eq!(config.node.cores, Cores::Auto);
    assert_eq!(config.node.memory_bytes, 512 << 20);
    assert_eq!(config.log.devices, ["file:data"]);
    assert_eq!(config.log.archive_dir, Path::new("shop/archive"));
    assert_eq!(config.log.retention, Retention::Archive);
    assert_eq!(config.holds, HoldConfig { ttl_ms_default: 600_000, ttl_ms_max: 3_600_000 });
    assert_eq!(config.limits.requests_per_second_per_key, None);
    assert_eq!(config.limits.requests_per_second_per_session, Some(200));
    assert_eq!((config.payments.kind, config.payments.start), (Payments::Vault, true));
    assert_eq!((config.node.insecure, config.tls.as_ref()), (false, None));
    assert!(config.warnings().is_empty());
}

#[test]
fn tls_is_served_where_a_pair_is_given_and_plain_http_is_open_only_when_that_is_asked_for() {
    let text = with_store(
        "profile = \"production\"\n[node]\nlisten = \"0.0.0.0:80\"\ninsecure = true\n\
         [tls]\ncertificate = \"keys/tls.crt\"\nkey = \"/etc/tls.key\"\nlisten = \"[::]:443\"\n",
    );
    let config = parse(&text, &Overrides::default()).unwrap();
    let tls = config.tls.as_ref().unwrap();
    assert_eq!(tls.certificate, Path::new("shop/keys/tls.crt"));
    assert_eq!(tls.key, Path::new("/etc/tls.key"));
    assert_eq!(tls.listen.to_string(), "[::]:443");
    assert!(config.warnings().join("\n").contains("other machines reach plain HTTP on 0.0.0.0:80"));
    let mut overrides = Overrides::default();
    overrides.flag("--listen", "node.listen", Some("[::]:8080".to_owned()));
    overrides.flag("--insecure", "node.insecure", Some("true".to_owned()));
    assert!(parse(&with_store(""), &overrides).unwrap().node.insecure);
}

#[test]
fn what_is_written_is_read_in_every_form() {
    let text = with_store(
        "shards = 4\nprofile = \"production\"\n\
         [node]\nlisten = \"[::1]:0\"\ncores = 2\nmemory = 67_108_864\nmetrics = false\n\
         [log]\ndevice = [\"file:/a\", \"file:/b\"]\nsegment_bytes = \"1MiB\"\n\
         retention = \"discard\"\narchive_dir = \"/var/claw\"\n\
         [http]\ncors_origins = [\"https://shop.example\", \"http://localhost:3000\"]\n",
    );
    let config = parse(&text, &Overrides::default()).unwrap();
    assert_eq!((config.store.shards, config.node.cores), (4, Cores::Count(2)));
    assert_eq!(config.node.memory_bytes, 64 << 20);
    assert!(!config.node.metrics);
    assert_eq!(config.log.devices, ["file:/a", "file:/b"]);
    assert_eq!(config.log.segment_bytes, 1 << 20);
    assert_eq!(config.log.archive_dir, Path::new("/var/claw"));
    assert_eq!(config.http.cors_origins.len(), 2);
    let warnings = config.warnings().join("\n");
    assert!(warnings.contains("memory is 64MiB, production wants 8GiB"), "{warnings}");
    assert!(warnings.contains("retention"), "{warnings}");
}

#[test]
fn flags_win_over_the_environment_and_both_over_the_file() {
    let text = with_store("[node]\nlisten = \"127.0.0.1:1\"\nspin_us = 1\nmemory = \"1GiB\"\n");
    let mut overrides = environment(&[
        ("CLAW_NODE_LISTEN", "127.0.0.1:2"),
        ("CLAW_NODE_SPIN_US", "2"),
        ("CLAW_LOG_DEVICE", "file:a, file:b"),
        ("CLAW_PAYMENTS_API_KEY", "not a setting of the node"),
        ("CLAW_LOG", "debug"),
        ("PATH", "/bin"),
    ]);
    overrides.flag("--listen", "node.listen", Some("127.0.0.1:3".to_owned()));
    overrides.flag("--cores", "node.cores", None);
    let config = parse(&text, &overrides).unwrap();
    assert_eq!(config.node.listen.port(), 3);
    assert_eq!(config.node.spin_us, 2);
    assert_eq!(config.node.memory_bytes, 1 << 30);
    assert_eq!(config.log.devices, ["file:a", "file:b"]);
}

/// Each row: what stands below `[store]` (which begins at line 1 and has three lines), and what is
/// said about it.
const REFUSED: &[(&str, &str)] = &[
    ("[node]\nlisen = 1", "unknown key `lisen` in [node] at store.toml:5: did you mean `listen`?"),
    ("[nod]", "unknown section [nod] at store.toml:4: did you mean [node]?"),
    (
        "[telemetry]",
        "unknown section [telemetry] at store.toml:4: sections are store, node, log, holds, limits, http, tls, payments",
    ),
    ("[node]\nshards = 1", "unknown key `shards` in [node] at store.toml:5: it belongs to [store]"),
    (
        "[node]\nlisten = \"localhost\"",
        "`node.listen` cannot be that at store.toml:5: it must be ADDRESS:PORT, such as \"127.0.0.1:7070\"",
    ),
    (
        "[node]\nspin_us = 1.5",
        "`node.spin_us` cannot be a fraction at store.toml:5: it must be from 0 to 10000",
    ),
    (
        "[node]\nspin_us = 10_001",
        "`node.spin_us` cannot be that at store.toml:5: it must be from 0 to 10000",
    ),
    (
        "[node]\nmemory = \"63MiB\"",
        "`node.memory` cannot be that at store.toml:5: it must be from \"64MiB\" to \"16TiB\"",
    ),
    (
        "[node]\ncores = 0",
        "`node.cores` cannot be that at store.toml:5: it must be \"auto\" or a number from 1 to 64",
    ),
    (
        "[log]\nsegment_bytes = 1_048_577",
        "`log.segment_bytes` cannot be that at store.toml:5: it must be from \"1MiB\" to \"4GiB\", a multiple of \"256KiB\"",
    ),
    (
        "[log]\nretention = \"archve\"",
        "`log.retention` cannot be that at store.toml:5: did you mean \"archive\"?",
    ),
    (
        "[log]\ndevice = \"s3:bucket\"",
        "`log.device` cannot be that at store.toml:5: it must be 1 to 4 of file:DIR, block:/dev/NAME, ng:/dev/NAME, nvme-tcp://HOST",
    ),
    (
        "[http]\ncors_origins = [\"*\"]",
        "`http.cors_origins` cannot be that at store.toml:5: it must be an array of origins such as \"https://shop.example\"",
    ),
    (
        "[payments]\nkind = \"cash\"",
        "`payments.kind` cannot be that at store.toml:5: it must be \"auto\" or \"none\" or \"local\" or \"stripe\"",
    ),
    (
        "[holds]\nttl_ms_default = 5_000_000",
        "`holds.ttl_ms_default` is 5000000, above ttl_ms_max (3600000) at store.toml:5: lower it or raise `ttl_ms_max`",
    ),
    (
        "node = 1",
        "unknown key `node` in [store] at store.toml:4: [store] has name, id, shards, profile",
    ),
    (
        "[node]\nlisten = \"0.0.0.0:7070\"",
        "`node.listen` is 0.0.0.0:7070, where other machines read plain HTTP at store.toml:5: serve HTTPS there ([tls] listen, certificate, key) and keep this on loopback; behind a proxy of your own set `insecure = true` or give --insecure",
    ),
    (
        "[tls]\ncertificate = \"a.crt\"",
        "`tls.certificate` is given without `tls.key` at store.toml:5: give `key` too",
    ),
    (
        "[tls]\nkey = \"a.key\"",
        "`tls.key` is given without `tls.certificate` at store.toml:5: give `certificate` too",
    ),
    (
        "[tls]\ncertificate = \"a.crt\"\nkey = \"a.key\"\nlisten = \"127.0.0.1:7070\"",
        "`tls.listen` and `node.listen` are both 127.0.0.1:7070 at store.toml:7: give one of them another port",
    ),
    ("[node", "unclosed table, expected `]` at store.toml:4: mend the TOML"),
];

#[test]
fn what_cannot_be_used_is_said_with_place_and_remedy() {
    let mut wrong = Vec::new();
    for (below, expected) in REFUSED {
        let said = parse(&with_store(below), &Overrides::default()).unwrap_err();
        if said != *expected {
            wrong.push(format!("{below}\n  said     {said}\n  expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_problem_is_told_at_once_wherever_it_comes_from() {
    let mut overrides = environment(&[("CLAW_NODE_LISEN", "x"), ("CLAW_HOLDS_TTL_MS_MAX", "soon")]);
    overrides.flag("--listen", "node.listen", Some("nowhere".to_owned()));
    let said = parse(&with_store("[node]\ncore = 1\n"), &overrides).unwrap_err();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 4, "{said}");
    assert!(lines[0].contains("`core`") && lines[0].ends_with("did you mean `cores`?"));
    assert!(lines[1].ends_with("did you mean `CLAW_NODE_LISTEN`?"), "{}", lines[1]);
    assert!(lines[2].contains("at environment `CLAW_HOLDS_TTL_MS_MAX`: it must be from 100"));
    assert!(lines[3].contains("`node.listen` cannot be that at `--listen`"));
    assert_eq!(
        parse("", &Overrides::default()).unwrap_err().lines().next(),
        Some("`store.name` is missing at store.toml: add it: 1 to 64 of A-Z a-z 0-9 . _ -")
    );
}

#[test]
fn settings_stand_once_and_in_a_known_section() {
    for (index, setting) in SETTINGS.iter().enumerate() {
        assert!(SECTIONS.iter().any(|(name, _)| *name == setting.section), "{}", setting.path());
        let again = SETTINGS[index + 1..].iter().any(|other| other.path() == setting.path());
        assert!(!again, "{} stands twice", setting.path());
        assert!(setting.doc.ends_with('.'), "{} is documented", setting.path());
    }
}

#[test]
fn a_rendered_file_reads_back_and_shows_every_setting() {
    let chosen = [
        ("store.name", "\"shop\"".to_owned()),
        ("store.id", format!("\"{ID}\"")),
        ("node.spin_us", "7".to_owned()),
    ];
    let text = render("A shop.", &chosen);
    let config = parse(&text, &Overrides::default()).unwrap();
    assert_eq!(config.node.spin_us, 7);
    // The defaults that are shown as comments are the ones in force.
    let shown = text
        .replace("\n#", "\n")
        .lines()
        .filter(|line| !line.starts_with(' '))
        .fold(String::new(), |file, line| file + line + "\n");
    assert_eq!(parse(&shown, &Overrides::default()).unwrap(), config);
    for setting in &SETTINGS {
        assert!(shown.contains(&format!("\n{} = ", setting.key)), "{}", setting.path());
    }
}
