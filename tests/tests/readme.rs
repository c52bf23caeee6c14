//! The README's commands, run as printed; and those of the README that `claw init` writes.

use claw_tests::document::{PRINTED_URL, answers, blocks, shell};
use claw_tests::{Node, Store, program};

const README: &str = include_str!("../../README.md");

#[test]
fn store_of_ones_own_works_as_the_readme_prints_it() {
    let blocks = blocks(README);
    let [make, talk, look] = blocks.as_slice() else { panic!("three blocks, not {blocks:?}") };
    let folder = tempfile::tempdir_in(program::scratch_folder()).unwrap();

    let (node_line, make) = make.split_last().unwrap();
    assert_eq!(*node_line, "claw node --store shop");
    let make: Vec<_> = make.iter().filter(|line| !line.starts_with("export PATH=")).collect();
    assert_eq!(make, [&"claw init shop --template=flash-drop"]);
    shell(folder.path(), make[0]);
    let mut node = Node::start(&Store::at(&folder.path().join("shop")));

    let talk = talk.join("\n");
    assert!(talk.contains(PRINTED_URL), "the README no longer shows {PRINTED_URL}");
    let answers = answers(&shell(folder.path(), &talk.replace(PRINTED_URL, node.url())));
    let clog = answers.last().unwrap();
    assert!(README.contains("`\"held\": 2, \"available\": 8`"));
    assert_eq!((&clog["held"], &clog["available"]), (&2.into(), &8.into()), "{answers:#?}");

    assert!(node.terminate().success(), "{}", node.said());
    let shown = shell(folder.path(), &look.join("\n"));
    assert!(shown.contains("oversold: 0"), "{shown}");
}

#[test]
fn choices_of_the_retail_template_work_as_its_readme_prints_them() {
    let mut store = Store::create("enterprise-retail");
    store.pay_as_made();
    let readme = std::fs::read_to_string(store.path().join("README.md")).expect("it is there");
    let blocks = blocks(&readme);
    let (look_at_log, talk) = blocks.split_last().expect("there are blocks");
    assert!(talk.len() >= 5, "{talk:?}");
    let mut node = Node::start(&store);
    let script = talk.concat().join("\n").replace(PRINTED_URL, node.url());
    let answers = answers(&shell(store.path(), &script));
    let problems: Vec<_> = answers.iter().filter(|answer| answer["status"].is_number()).collect();
    let [short] = problems.as_slice() else { panic!("one hold is refused: {answers:#?}") };
    assert_eq!(short["type"], "urn:openclaw:problem:sold-out");
    assert_eq!((&short["sku"], &short["available"]), (&"TEE-NAVY-M.berlin".into(), &1.into()));

    // The hold over two bundles and a tee holds their components, summed.
    let hold = answers.iter().find(|answer| answer["hold_id"].is_string()).expect("a hold");
    let lines: Vec<_> = hold["items"].as_array().unwrap().iter().collect();
    let line = |sku: &str| lines.iter().find(|line| line["sku"] == sku).expect("its line");
    assert_eq!(line("TEE-NAVY-M.berlin")["quantity"], 5);
    assert_eq!(line("CAP.berlin")["quantity"], 2);
    let last = |sku: &str| answers.iter().rfind(|answer| answer["sku"] == sku).expect("shown");
    let cap = last("CAP.berlin");
    assert_eq!((&cap["held"], &cap["available"]), (&2.into(), &3.into()), "none for a third set");

    // Ten were delivered, four came from Berlin, one was sold, and came back.
    let tee = last("TEE-NAVY-M.hamburg");
    assert_eq!(
        (&tee["received"], &tee["sold"], &tee["available"]),
        (&15.into(), &1.into(), &14.into())
    );
    assert!(answers.iter().any(|answer| answer["state"] == "refunded"), "{answers:#?}");

    let shown = shell(store.path(), &look_at_log.join("\n"));
    assert_eq!(shown.lines().count(), 1, "{shown}");
    assert!(shown.contains("type=return-received") && shown.contains("version=2"), "{shown}");
    assert!(node.terminate().success(), "{}", node.said());
    let (code, said) = store.claw(&["audit"]);
    assert_eq!(code, Some(0), "{said}");
}
