//! Properties: however a stream is cut, and whenever it breaks, the same comes out.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn answers_are_the_same_however_the_stream_is_cut(
        cuts in prop::collection::vec(1_usize..200, 1..60),
        count in 1_u64..8,
    ) {
        for (identity, mut node) in pairs() {
            let mut machine = open(identity, &mut node);
            for _ in 0..count {
                push(&mut machine, "A").unwrap();
            }
            machine.flush();
            exchange(&mut machine, &mut node).unwrap();
            let sequences: Vec<u64> = (1..=count).rev().collect();
            sequences.chunks(3).for_each(|part| node.answer(part));
            let bytes = std::mem::take(&mut node.out);
            let mut rest = &bytes[..];
            let mut found = Vec::new();
            for cut in cuts.iter().copied().chain(std::iter::repeat(1_000)) {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                deliver(&mut machine, now).unwrap();
                found.extend(answers(&mut machine));
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(&found, &sequences);
        }
    }

    #[test]
    fn every_command_is_known_to_the_node_and_answered_once_over_any_breaks(
        steps in prop::collection::vec((0_u8..5, 1_usize..90), 1..80),
    ) {
        let mut node = Node::hmac(SECRET);
        let mut machine = open(hmac_identity(Mode::Session), &mut node);
        let (mut pushed, mut answered) = (0, Vec::new());
        for (step, amount) in steps {
            match step {
                0 | 1 => {
                    if push(&mut machine, "A").is_ok() {
                        pushed += 1;
                    }
                    machine.flush();
                }
                // Some bytes reach the node.
                2 => {
                    let count = machine.transmit().len().min(amount);
                    node.take(&machine.transmit()[..count]);
                    machine.transmitted(count);
                }
                // It answers the first command it knows of that is not answered.
                3 => {
                    let next = node.commands.iter().map(|command| command.0).find(|sequence| {
                        !answered.contains(sequence)
                    });
                    if let Some(sequence) = next && machine.welcome().is_some() {
                        node.answer(&[sequence]);
                        let bytes = std::mem::take(&mut node.out);
                        deliver(&mut machine, &bytes).unwrap();
                        answered.extend(answers(&mut machine));
                    }
                }
                _ => {
                    machine.disconnected();
                    node.hang_up();
                    machine.connect(NOW_MS, [7; 32]);
                    exchange(&mut machine, &mut node).unwrap();
                }
            }
        }
        exchange(&mut machine, &mut node).unwrap();
        let mut left: Vec<u64> = (1..=pushed).filter(|n| !answered.contains(n)).collect();
        for &sequence in &left {
            prop_assert!(node.commands.iter().any(|command| command.0 == sequence));
        }
        left.chunks(4).for_each(|part| node.answer(part));
        exchange(&mut machine, &mut node).unwrap();
        let mut last = answers(&mut machine);
        last.sort_unstable();
        left.sort_unstable();
        prop_assert_eq!(last, left);
        prop_assert_eq!(machine.unanswered(), 0);
    }
}
