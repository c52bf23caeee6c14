//! Turning single options by name: what a shrunk world is repeated with.
//!
//! Owns the names and, for each, the value at which it has least to say: a fault that does not
//! happen, the smallest crowd. What the seed draws is in [`crate::options`].

use core::fmt::Write as _;

use crate::Options;

/// One option that can be turned. The count of shards and the mistake have flags of their own.
#[derive(Clone, Copy, Debug)]
pub struct Knob {
    /// As on the command line.
    pub name: &'static str,
    /// Where it has least to say.
    pub least: u64,
    /// Where it stands.
    pub get: fn(&Options) -> u64,
    /// Turns it; `false` where the value does not fit.
    pub set: fn(&mut Options, u64) -> bool,
}

/// Which knobs were turned: bit N is the Nth of [`KNOBS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turned(u64);

macro_rules! knobs {
    ($($name:ident = $least:expr),* $(,)?) => {
        /// All of them, those whose silence explains most first.
        pub const KNOBS: &[Knob] = &[$(Knob {
            name: stringify!($name),
            least: $least,
            get: |options| number(options.$name),
            set: |options, value| match value.try_into() {
                Ok(value) => {
                    options.$name = value;
                    true
                }
                Err(_) => false,
            },
        }),*];
    };
}

knobs! {
    steps = 1,
    crash_ms_mean = 0,
    crash_in_start_permille = 0,
    torn_permille = 0,
    write_error_permille = 0,
    clock_permille = 0,
    snapshot_permille = 0,
    double_permille = 0,
    repeat_permille = 0,
    message_twice_permille = 0,
    paid_permille = 0,
    vault_decline_permille = 0,
    vault_away_permille = 0,
    vault_lose_permille = 0,
    vault_act_permille = 0,
    extra_bytes_max = 0,
    hot_permille = 0,
    clients = 1,
    skus = 1,
    coupons = 1,
    cores = 1,
}

const _: () = assert!(KNOBS.len() <= 64, "a bit each");

/// A count of whatever width.
fn number<T: TryInto<u64>>(count: T) -> u64 {
    count.try_into().unwrap_or(u64::MAX)
}

impl Options {
    /// Turns the option of this name.
    ///
    /// # Errors
    /// When there is none, or the value does not fit it.
    pub fn turn(&mut self, name: &str, value: u64) -> Result<(), String> {
        let Some(place) = KNOBS.iter().position(|knob| knob.name == name) else {
            let names: Vec<&str> = KNOBS.iter().map(|knob| knob.name).collect();
            return Err(format!("there is no {name}: it is one of {}", names.join(", ")));
        };
        let knob = &KNOBS[place];
        if value < knob.least.min(1) || !(knob.set)(self, value) {
            return Err(format!("{name} cannot be {value}"));
        }
        self.turned.0 |= 1 << place;
        Ok(())
    }

    /// ` --set NAME=VALUE` for each option that was turned.
    pub fn turned_arguments(&self) -> String {
        let mut arguments = String::new();
        for (_, knob) in
            KNOBS.iter().enumerate().filter(|(place, _)| self.turned.0 >> place & 1 == 1)
        {
            // A string takes all that is written to it.
            let written = write!(arguments, " --set {}={}", knob.name, (knob.get)(self));
            debug_assert!(written.is_ok());
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Overrides;

    #[test]
    fn what_was_turned_is_said_and_nothing_else_changes() {
        let mut options = Options::draw(7, Overrides::default());
        let before = options;
        options.turn("steps", 12).unwrap();
        options.turn("crash_ms_mean", 0).unwrap();
        assert_eq!(options.turned_arguments(), " --set steps=12 --set crash_ms_mean=0");
        let expected = Options { steps: 12, crash_ms_mean: 0, turned: options.turned, ..before };
        assert_eq!(options, expected);
    }

    #[test]
    fn unknown_names_and_values_that_do_not_fit_are_refused() {
        let mut options = Options::draw(7, Overrides::default());
        assert!(options.turn("stepz", 1).unwrap_err().contains("steps"));
        assert!(options.turn("clients", 1 << 20).is_err());
        assert!(options.turn("skus", 0).is_err(), "a world without products has nothing to sell");
    }
}
