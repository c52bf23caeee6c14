//! The tutorial's commands, run as printed: from an empty folder to a verified receipt.

use claw_tests::document::{PRINTED_URL, blocks, shell};
use claw_tests::{Node, Store, program};

const TUTORIAL: &str = include_str!("../../claw-dataplane/docs/tutorial.md");
/// Between what each block prints.
const END_OF_BLOCK: &str = "--- end of a block ---";

#[test]
fn tutorial_works_as_printed() {
    let blocks = blocks(TUTORIAL);
    let [make, node, talk @ ..] = blocks.as_slice() else { panic!("{blocks:?}") };
    assert_eq!(*node, ["claw node --store shop"]);
    let folder = tempfile::tempdir_in(program::scratch_folder()).unwrap();
    let made = shell(folder.path(), &make.join("\n"));
    assert!(made.contains(" in the way"), "{made}");
    let mut store = Store::at(&folder.path().join("shop"));
    store.pay_as_made();
    let mut node = Node::start(&store);

    // One shell for all, since later blocks use what earlier ones defined.
    let script: Vec<String> = talk
        .iter()
        .map(|block| format!("{}\necho; echo '{END_OF_BLOCK}'\n", block.join("\n")))
        .collect();
    let printed = shell(store.path(), &script.concat().replace(PRINTED_URL, node.url()));
    let parts: Vec<&str> = printed.split(END_OF_BLOCK).collect();
    let [_catalogue, hold, no, order, receipt, forged, audit, forgotten, _] = parts[..] else {
        panic!("{} blocks in {printed}", parts.len());
    };
    assert!(hold.contains("\"held\":2") && hold.contains("\"available\":1"), "{hold}");
    assert!(no.contains("urn:openclaw:problem:sold-out"), "{no}");
    assert!(order.contains("\"state\":\"placed\"") && order.contains("\"discount\""), "{order}");
    assert!(receipt.contains("PROVED") && receipt.contains("NOT PROVED"), "{receipt}");
    assert!(forged.contains("refused, exit code 1"), "{forged}");
    assert!(audit.matches("oversold: 0").count() >= 1, "{audit}");
    assert!(forgotten.contains("St James Square 12"), "the first export opens it: {forgotten}");
    let after = forgotten.rsplit("St James Square 12").next().unwrap();
    assert!(after.contains("forgotten"), "the second cannot: {forgotten}");
    assert!(node.terminate().success(), "{}", node.said());
    assert!(!node.said().contains("St James Square"), "{}", node.said());
}
