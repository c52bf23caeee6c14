//! Drawings of rows as inline SVG: throughput as bars, latency as curves over percentiles.
//!
//! Owns sizes and places. Colours are classes, so that the page decides them for light and dark.

use maud::{Markup, html};

use super::scale::Scale;
use crate::row::Row;

const WIDTH: f64 = 900.0;
/// Room for the words left of bars.
const WORDS: f64 = 400.0;
const BAR: f64 = 18.0;
const BAR_STEP: f64 = 30.0;
const AXIS: f64 = 30.0;
const MARGIN: f64 = 20.0;
const CURVES_HEIGHT: f64 = 320.0;
/// Room for the words beside the curves' axis.
const CURVES_LEFT: f64 = 70.0;
/// Room for half of the last of the words below it.
const CURVES_RIGHT: f64 = 30.0;
/// Colours that the page has.
pub(super) const COLOURS_COUNT: usize = 8;
/// The last part that is drawn: one answer in so many.
const TAIL: f64 = 10_000.0;
/// Points of a curve.
const POINTS_COUNT: u32 = 80;

/// A bar for each row with its least and most as whiskers.
pub(super) fn bars(rows: &[&Row]) -> Markup {
    let most = rows.iter().map(|row| row.per_second.most).max().unwrap_or(0);
    let scale = Scale::linear(float(most), (WORDS, WIDTH - MARGIN));
    let bottom = MARGIN + BAR_STEP * float(wide(rows.len()));
    let view = format!("0 0 {WIDTH} {}", bottom + AXIS);
    html! {
        svg viewBox=(view) role="img" aria-label="answers a second" {
            @for tick in scale.ticks() {
                line.grid x1=(scale.at(tick)) x2=(scale.at(tick)) y1=(MARGIN) y2=(bottom) {}
                text.tick x=(scale.at(tick)) y=(bottom + 18.0) text-anchor="middle" {
                    (rounded(tick))
                }
            }
            @for (number, row) in rows.iter().enumerate() {
                @let top = MARGIN + BAR_STEP * float(wide(number));
                @let middle = top + BAR / 2.0;
                @let [least, median, most] = [
                    row.per_second.least, row.per_second.median, row.per_second.most,
                ].map(|value| scale.at(float(value)));
                text.word x=(WORDS - 8.0) y=(middle + 4.0) text-anchor="end" {
                    (word(row))
                }
                rect class=(if row.excuse.is_some() { "bar void" } else { "bar" })
                    x=(WORDS) y=(top) width=(median - WORDS) height=(BAR) {
                    title { (row.name) }
                }
                line.whisker x1=(least) x2=(most) y1=(middle) y2=(middle) {}
                @for end in [least, most] {
                    line.whisker x1=(end) x2=(end) y1=(middle - 4.0) y2=(middle + 4.0) {}
                }
                @if let Some(ceiling) = row.ceiling_per_second {
                    @let place = scale.at(float(ceiling));
                    line.ceiling x1=(place) x2=(place) y1=(top - 3.0) y2=(top + BAR + 3.0) {
                        title { "bare echo: " (ceiling) }
                    }
                }
            }
        }
    }
}

/// A curve for each row that has latencies: how long all but one in so many waited.
pub(super) fn curves(rows: &[&Row]) -> Markup {
    let all: Vec<Vec<(f64, f64)>> = rows.iter().map(|row| points(row)).collect();
    let values = || all.iter().flatten().map(|(_, milliseconds)| *milliseconds);
    let least = values().fold(f64::MAX, f64::min);
    let most = values().fold(0.0, f64::max);
    let across = Scale::logarithmic(1.0, TAIL, (CURVES_LEFT, WIDTH - CURVES_RIGHT));
    let up = Scale::logarithmic(least, most, (CURVES_HEIGHT - AXIS, MARGIN));
    let view = format!("0 0 {WIDTH} {CURVES_HEIGHT}");
    html! {
        svg viewBox=(view) role="img" aria-label="latency by percentile, milliseconds" {
            @for tick in up.ticks() {
                line.grid x1=(CURVES_LEFT) x2=(WIDTH - CURVES_RIGHT)
                    y1=(up.at(tick)) y2=(up.at(tick)) {}
                text.tick x=(CURVES_LEFT - 6.0) y=(up.at(tick) + 4.0) text-anchor="end" {
                    (rounded(tick)) " ms"
                }
            }
            @for (one_in, label) in [
                (1.0, "all"), (2.0, "50 %"), (10.0, "90 %"), (100.0, "99 %"), (1_000.0, "99.9 %"),
                (TAIL, "99.99 %"),
            ] {
                text.tick x=(across.at(one_in)) y=(CURVES_HEIGHT - 8.0) text-anchor="middle" {
                    (label)
                }
            }
            @for (number, points) in all.iter().enumerate() {
                polyline class=(format!("curve c{}", number % COLOURS_COUNT))
                    points=(path(points, across, up)) {
                    title { (rows[number].name) }
                }
            }
        }
        ul.legend {
            @for (number, row) in rows.iter().enumerate() {
                li { span class=(format!("key k{}", number % COLOURS_COUNT)) {} (word(row)) }
            }
        }
    }
}

/// (One in so many waited longer, milliseconds).
fn points(row: &Row) -> Vec<(f64, f64)> {
    let latencies = row.histogram();
    if latencies.is_empty() {
        return Vec::new();
    }
    let step = TAIL.log10() / f64::from(POINTS_COUNT);
    let one_in = (0..=POINTS_COUNT).map(|point| 10_f64.powf(f64::from(point) * step));
    one_in
        .map(|one_in| {
            let value_ns = latencies.value_at_quantile(1.0 - 1.0 / one_in);
            (one_in, float(value_ns) / 1e6)
        })
        .collect()
}

fn path(points: &[(f64, f64)], across: Scale, up: Scale) -> String {
    let place =
        |(one_in, value): &(f64, f64)| format!("{:.1},{:.1}", across.at(*one_in), up.at(*value));
    points.iter().map(place).collect::<Vec<_>>().join(" ")
}

/// A row in few words.
fn word(row: &Row) -> String {
    let spread = if row.is_all_on_one() || row.subject.hot_share.starts_with("all") {
        ""
    } else {
        ", many SKUs"
    };
    format!(
        "{}{spread}, {} conn., {}",
        row.subject.system,
        row.load.connections,
        row.load.in_words()
    )
}

/// `150k`, `0.5`.
fn rounded(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e3 => format!("{}k", value / 1e3),
        value => format!("{}", (value * 1e6).round() / 1e6),
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "what is drawn is far below 2^53")]
const fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Load, Run, histogram, tests::subject};

    fn row() -> Row {
        let mut latencies = histogram();
        for value_us in 1..=100_000_u64 {
            latencies.record(value_us * 1_000).unwrap();
        }
        let run = Run::new(50_000, latencies);
        Row::new("s", subject("<b>&"), Load::closed(64), vec![run])
    }

    #[test]
    fn bar_is_as_long_as_its_rate_and_words_are_escaped() {
        let text = bars(&[&row()]).into_string();
        // 50,000 of an axis to 50,000 fills it.
        assert!(text.contains(&format!("width=\"{}\"", WIDTH - MARGIN - WORDS)), "{text}");
        assert!(text.contains("&lt;b&gt;&amp;"), "{text}");
    }

    #[test]
    fn curve_passes_the_median_and_the_tail() {
        let points = points(&row());
        assert_eq!(points.len(), 81);
        let near = |one_in: f64| {
            let found = points.iter().find(|(found, _)| *found >= one_in * 0.999).unwrap();
            found.1
        };
        assert!((80.0..=91.0).contains(&near(10.0)) && near(1_000.0) > 99.0, "{points:?}");
        assert!(curves(&[&row()]).into_string().contains("class=\"curve c0\""));
    }

    #[test]
    fn numbers_beside_axes_are_short() {
        let words = [0.0, 0.1, 5.0, 20_000.0, 1_500_000.0].map(rounded);
        assert_eq!(words, ["0", "0.1", "5", "20k", "1.5M"]);
    }
}
