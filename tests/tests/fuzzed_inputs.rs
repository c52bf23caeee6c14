//! Every input that the fuzzer kept, and every one that once broke something, without a fuzzer.
//!
//! The inputs lie in `claw-dataplane/fuzz/corpus/TARGET`, what was found in
//! `claw-dataplane/fuzz/regressions/TARGET`; the promises are in `claw_tests::fuzzed`.

use std::fs;
use std::path::{Path, PathBuf};

use claw_tests::fuzzed::TARGETS;
use claw_tests::fuzzed::seeds::seeds;

/// Most bytes of kept inputs that a target may have: they are in everybody's checkout.
const CORPUS_BYTES_MAX: u64 = 256 * 1024;

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../claw-dataplane/fuzz").join(kind)
}

/// The inputs of a folder, in the order of their names; none where there is no folder.
fn inputs(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a folder is read").path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).expect("an input is read")))
        .collect()
}

#[test]
fn every_kept_input_keeps_its_promises() {
    for &(target, check) in TARGETS {
        let kept = inputs(&folder("corpus").join(target));
        assert!(!kept.is_empty(), "{target} has no kept inputs: write its seeds");
        for (path, bytes) in kept.into_iter().chain(inputs(&folder("regressions").join(target))) {
            let done = std::panic::catch_unwind(|| check(&bytes));
            assert!(done.is_ok(), "{target} breaks on {}", path.display());
        }
    }
}

#[test]
fn every_seed_keeps_its_promises() {
    for &(target, check) in TARGETS {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{target} has no seeds");
        for seed in &seeds {
            check(seed);
        }
    }
}

#[test]
fn every_target_is_a_fuzz_target_and_its_inputs_are_few() {
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    let mut named: Vec<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\""))
        .collect();
    named.sort_unstable();
    assert_eq!(named, TARGETS.iter().map(|&(target, _)| target).collect::<Vec<_>>());
    for target in named {
        let source = fs::read_to_string(folder(&format!("fuzz_targets/{target}.rs"))).unwrap();
        assert!(source.contains(&format!("fuzzed::{target}::check(bytes)")), "{target}");
        let kept = inputs(&folder("corpus").join(target));
        let bytes: usize = kept.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(u64::try_from(bytes).unwrap() <= CORPUS_BYTES_MAX, "{target}: {bytes} bytes");
    }
}

#[test]
#[ignore = "writes the seeds beside the kept inputs: run it after a format changed"]
fn write_seeds() {
    for &(target, _) in TARGETS {
        let folder = folder("corpus").join(target);
        fs::create_dir_all(&folder).unwrap();
        for (number, seed) in seeds(target).iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:02}")), seed).unwrap();
        }
    }
}
