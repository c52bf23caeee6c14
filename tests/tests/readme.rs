//! The README's commands, run as printed.

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
