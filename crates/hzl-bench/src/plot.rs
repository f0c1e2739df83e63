//! Curves as an SVG: both axes logarithmic, readable on light and dark pages, nothing in it that runs.

use std::fmt::Write as _;

/// A line with a name.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    pub(crate) name: String,
    /// Size and cost, by size.
    pub(crate) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 520.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 230.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 52.0;
/// Names stand at least so far from one another.
const LINE: f64 = 16.0;
/// Seen on white and on black, and told apart by most who see few colours; dashes help.
const COLOURS: [&str; 6] = [
    "#2f81f7", "#d97706", "#16a34a", "#db2777", "#8b5cf6", "#64748b",
];
const DASHES: [&str; 2] = ["", " stroke-dasharray=\"6 3\""];

const STYLE: &str = "\
<style>
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 14px; font-weight: 600; }
.grid { stroke: #d0d7de; stroke-width: 1; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .grid { stroke: #30363d; }
}
</style>
";

/// Where a value stands between powers of ten, from 0 to 1.
struct Axis {
    from: f64,
    to: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64> + Clone) -> Self {
        let from = values.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let to = values.fold(0.0, f64::max).log10().ceil();
        Self {
            from,
            to: to.max(from + 1.0),
        }
    }

    fn place(&self, value: f64) -> f64 {
        (value.log10() - self.from) / (self.to - self.from)
    }

    fn powers(&self) -> Vec<f64> {
        let mut powers = vec![self.from];
        while let Some(last) = powers.last()
            && *last < self.to
        {
            powers.push(last + 1.0);
        }
        powers.into_iter().map(|power| 10_f64.powf(power)).collect()
    }
}

pub(crate) fn draw(curves: &[Curve]) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let (sizes, costs) = (
        Axis::over(points().map(|p| p.0)),
        Axis::over(points().map(|p| p.1)),
    );
    let x = |size: f64| LEFT + sizes.place(size) * (WIDTH - LEFT - RIGHT);
    let y = |cost: f64| HEIGHT - BOTTOM - costs.place(cost) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"Cost of commands against the size of the store\">\n{STYLE}\
         <text class=\"title\" x=\"{LEFT}\" y=\"22\">Time of a command / time of an empty program</text>\n"
    );
    let mut put = |line: String| writeln!(svg, "{line}").expect("a text grows");
    for size in sizes.powers() {
        let at = x(size);
        put(format!(
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{}\"/>",
            HEIGHT - BOTTOM
        ));
        put(format!(
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - 32.0,
            short(size)
        ));
    }
    for cost in costs.powers() {
        let at = y(cost);
        put(format!(
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>",
            WIDTH - RIGHT
        ));
        put(format!(
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            at + 4.0,
            short(cost)
        ));
    }
    put(format!(
        "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">tasks in the store</text>",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - 12.0
    ));
    let colour = |n: usize| {
        (
            COLOURS[n % COLOURS.len()],
            DASHES[n / COLOURS.len() % DASHES.len()],
        )
    };
    let mut names = vec![];
    for (n, curve) in curves.iter().enumerate() {
        let (colour, dashes) = colour(n);
        let path: Vec<String> = curve
            .points
            .iter()
            .map(|(s, c)| format!("{:.1},{:.1}", x(*s), y(*c)))
            .collect();
        put(format!(
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes} points=\"{}\"/>",
            path.join(" ")
        ));
        if let Some((size, cost)) = curve.points.last() {
            put(format!(
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x(*size),
                y(*cost)
            ));
            names.push((y(*cost), colour, dashes, &curve.name));
        }
    }
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    // From the lowest up, so that the last does not fall off the page.
    let mut limit = HEIGHT - BOTTOM;
    let places = names.iter().rev().map(|name| {
        let place = name.0.min(limit);
        limit = place - LINE;
        place
    });
    let places: Vec<f64> = places.collect();
    for ((_, colour, dashes, name), place) in names.iter().rev().zip(places) {
        let at = WIDTH - RIGHT + 14.0;
        put(format!(
            "<line x1=\"{at}\" x2=\"{}\" y1=\"{place:.1}\" y2=\"{place:.1}\" stroke=\"{colour}\" \
             stroke-width=\"2\"{dashes}/>",
            at + 18.0
        ));
        put(format!(
            "<text x=\"{}\" y=\"{:.1}\">{}</text>",
            at + 24.0,
            place + 4.0,
            escaped(name)
        ));
    }
    svg + "</svg>\n"
}

fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.0} M", value / 1e6),
        value if value >= 1e3 => format!("{:.0} k", value / 1e3),
        value => format!("{value}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_has_a_line_and_a_name_for_each_curve() {
        let curve = |name: &str, by: f64| Curve {
            name: name.to_owned(),
            points: [1e3, 1e4, 1e5].map(|size| (size, size * by)).to_vec(),
        };
        let svg = draw(&[curve("a < b", 0.01), curve("c", 0.02)]);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains(">a &lt; b</text>"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(!svg.contains("script"));
    }
}
