//! From values to places in a drawing. Pure.

/// An axis: values from `least` to `most` over pixels from `start` to `end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    kind: Kind,
    least: f64,
    most: f64,
    start: f64,
    end: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Linear,
    Logarithmic,
}

/// Labels on a linear axis, about.
const TICKS_COUNT: f64 = 5.0;

impl Scale {
    /// From 0 to a round number that is not below `most`.
    pub(super) fn linear(most: f64, pixels: (f64, f64)) -> Self {
        let step = step(most);
        let most = (most / step).ceil().max(1.0) * step;
        Self { kind: Kind::Linear, least: 0.0, most, start: pixels.0, end: pixels.1 }
    }

    /// From a power of ten to a power of ten, around what is above 0.
    pub(super) fn logarithmic(least: f64, most: f64, pixels: (f64, f64)) -> Self {
        let least = 10_f64.powf(least.max(f64::MIN_POSITIVE).log10().floor());
        let most = 10_f64.powf(most.log10().ceil()).max(least * 10.0);
        Self { kind: Kind::Logarithmic, least, most, start: pixels.0, end: pixels.1 }
    }

    /// Where a value stands; what is outside stands at the end that it is beyond.
    pub(super) fn at(self, value: f64) -> f64 {
        let value = value.clamp(self.least, self.most);
        let share = match self.kind {
            Kind::Linear => value / self.most,
            Kind::Logarithmic => (value / self.least).log10() / (self.most / self.least).log10(),
        };
        self.start + share * (self.end - self.start)
    }

    /// Values to write beside the axis.
    pub(super) fn ticks(self) -> Vec<f64> {
        let next = |value: f64| match self.kind {
            Kind::Linear => value + step(self.most),
            Kind::Logarithmic => value * 10.0,
        };
        let within = self.most * 1.000_001;
        std::iter::successors(Some(self.least), |value| Some(next(*value)))
            .take_while(|value| *value <= within)
            .collect()
    }
}

/// 1, 2 or 5 times a power of ten.
fn step(most: f64) -> f64 {
    let rough = most.max(f64::MIN_POSITIVE) / TICKS_COUNT;
    let power = 10_f64.powf(rough.log10().floor());
    let rounds = [1.0, 2.0, 5.0].into_iter().map(|factor| factor * power);
    rounds.into_iter().find(|round| *round >= rough * 0.999_999).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }

    #[test]
    fn linear_axis_begins_at_nothing_and_ends_at_a_round_number() {
        let scale = Scale::linear(91_111.0, (100.0, 600.0));
        near(scale.at(0.0), 100.0);
        near(scale.at(50_000.0), 350.0);
        near(scale.at(100_000.0), 600.0);
        near(scale.at(1e9), 600.0);
        let ticks = scale.ticks();
        assert_eq!(ticks, [0.0, 20_000.0, 40_000.0, 60_000.0, 80_000.0, 100_000.0]);
    }

    #[test]
    fn logarithmic_axis_gives_every_power_of_ten_as_much_room() {
        let scale = Scale::logarithmic(0.3, 42.0, (0.0, 300.0));
        near(scale.at(0.1), 0.0);
        near(scale.at(1.0), 100.0);
        near(scale.at(10.0), 200.0);
        near(scale.at(100.0), 300.0);
        near(scale.at(0.0), 0.0);
        assert_eq!(scale.ticks().len(), 4);
    }

    #[test]
    fn pixels_may_run_upwards() {
        let scale = Scale::linear(10.0, (200.0, 0.0));
        near(scale.at(0.0), 200.0);
        near(scale.at(10.0), 0.0);
    }

    #[test]
    fn nothing_at_all_still_is_an_axis() {
        let scale = Scale::linear(0.0, (0.0, 100.0));
        assert!(scale.at(0.0).is_finite());
        let scale = Scale::logarithmic(0.0, 0.0, (0.0, 100.0));
        assert!(scale.at(0.0).is_finite() && scale.at(1.0).is_finite());
    }
}
