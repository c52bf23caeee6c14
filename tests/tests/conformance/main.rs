//! The node's WebSocket sessions, judged frame by frame by a client that is not ours.
//!
//! A node's clients have nothing to say, so from outside most of RFC 6455 cannot be seen of it.
//! Here the very type that a node uses for its WebSockets echoes what it hears, and
//! `scripts/judge_websocket.py` judges that: cases as the Autobahn test suite has them, over a
//! client of Python's that shares no line with us. Needs the virtual environment that
//! `cargo xtask setup` makes; where that could not be had, `cargo xtask test` says so and sets
//! `CLAW_WITHOUT_PYTHON`. What a node says over its WebSockets is judged in `socket.rs`.

mod echo;

use std::path::Path;
use std::process::Command;

use echo::Echo;

/// Cases of the judge: fewer were not all run.
const CASES_COUNT: usize = 495;

#[test]
fn independent_client_judges_every_frame_of_an_echo() {
    if std::env::var_os("CLAW_WITHOUT_PYTHON").is_some() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join(".venv/bin/python");
    assert!(python.is_file(), "no .venv here: run `cargo xtask setup`");
    // As the bytes come, and each byte on its own: a frame may be cut anywhere.
    for read_bytes in [8192, 1] {
        let echo = Echo::start(read_bytes);
        let mut judge = Command::new(&python);
        // Leaves no compiled copies beside the scripts.
        judge.arg("-B").arg(root.join("scripts/judge_websocket.py")).arg(echo.url());
        let output = judge.output().expect("python starts");
        let text = String::from_utf8_lossy(&output.stdout);
        let failed: Vec<&str> = text.lines().filter(|line| !line.starts_with("ok ")).collect();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{read_bytes}: {failed:#?}\n{errors}");
        assert_eq!((text.lines().count(), &failed[..]), (CASES_COUNT, &[][..]), "{read_bytes}");
    }
}
