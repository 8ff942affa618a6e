// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The figures as a picture: for each engine a bar for each path and processor, and a mark at its
//! bound.

use std::fmt::Write;

use super::figures::{Figures, Row};
use super::table::grouped;

/// Where bars begin, how long the longest is, and how wide the picture is.
const LEFT: f64 = 170.0;
const LONGEST: f64 = 520.0;
const WIDTH: f64 = 800.0;
/// Height of what is above the bars, of an engine's heading, of a bar, and between two paths.
const TOP: f64 = 58.0;
const HEADING: f64 = 24.0;
const BAR: f64 = 13.0;
const GAP: f64 = 9.0;
/// Dark on light and light on dark backgrounds alike would need two pictures; this has its own.
const COLOURS: [&str; 2] = ["#3b6ea8", "#d98a2b"];
const INK: &str = "#222222";

/// Draws an SVG of all processors' instructions.
pub(crate) fn picture(all: &[Figures]) -> String {
    let rows = all.first().map_or(&[][..], |figures| &figures.rows);
    let groups: Vec<&[Row]> = rows
        .chunk_by(|row, next| row.engine == next.engine)
        .collect();
    let costs = all.iter().flat_map(|figures| &figures.rows);
    let most = costs.filter_map(|row| row.instructions).max().unwrap_or(1);
    let scale = LONGEST / most.max(1) as f64;
    let group = BAR * all.len() as f64 + GAP;
    let height = TOP + HEADING * groups.len() as f64 + group * rows.len() as f64 + 12.0;

    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    text(
        &mut svg,
        12.0,
        22.0,
        "start",
        "Instructions of the host for one call",
    );
    let mut x = 12.0;
    for (figures, colour) in all.iter().zip(COLOURS) {
        rect(&mut svg, [x, 34.0, 11.0, 11.0], colour);
        let label = format!("{}, Linux {}", figures.cpu, figures.host_kernel);
        text(&mut svg, x + 16.0, 44.0, "start", &label);
        x += 250.0;
    }
    rect(&mut svg, [x + 4.0, 33.0, 2.0, 13.0], INK);
    text(&mut svg, x + 14.0, 44.0, "start", "bound");

    let mut y = TOP;
    for rows in groups {
        let heading = match rows[0].engine.as_str() {
            "none" => "without a blob".to_owned(),
            engine => format!("{engine} engine"),
        };
        text(&mut svg, LEFT, y + HEADING - 9.0, "start", &heading);
        y += HEADING;
        for row in rows {
            let middle = y + BAR * all.len() as f64 / 2.0 + 4.0;
            text(&mut svg, LEFT - 8.0, middle, "end", &row.path);
            let same = |other: &&Row| other.path == row.path && other.engine == row.engine;
            for (n, (figures, colour)) in all.iter().zip(COLOURS).enumerate() {
                if let Some(row) = figures.rows.iter().find(same) {
                    bar(&mut svg, row, y + BAR * n as f64, scale, colour);
                }
            }
            y += group;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn bar(svg: &mut String, row: &Row, y: f64, scale: f64, colour: &str) {
    let Some(instructions) = row.instructions else {
        return;
    };
    let width = instructions as f64 * scale;
    rect(svg, [LEFT, y, width, BAR - 2.0], colour);
    let mut end = width;
    if let Some(bound) = row.bound {
        let at = bound as f64 * scale;
        rect(svg, [LEFT + at - 1.0, y - 1.0, 2.0, BAR], INK);
        end = end.max(at);
    }
    let label = grouped(instructions);
    text(svg, LEFT + end + 6.0, y + BAR - 4.0, "start", &label);
}

fn rect(svg: &mut String, [x, y, width, height]: [f64; 4], fill: &str) {
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>"
    );
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{INK}\">{text}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::tests::example;

    #[test]
    fn each_path_has_a_bar_for_each_processor_and_a_mark_where_there_is_a_bound() {
        let mut other = example();
        other.cpu = "cortex-a57".to_owned();
        let svg = picture(&[example(), other]);
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches(">smc-blob-3<").count(), 2);
        assert_eq!(svg.matches(">12,000<").count(), 2);
        assert_eq!(svg.matches(">4,000<").count(), 2);
        // Three bars and one square in the legend for each colour; a mark for the bound of each of
        // two paths, and in the legend.
        for colour in COLOURS {
            assert_eq!(svg.matches(&format!("fill=\"{colour}\"/>")).count(), 4);
        }
        assert_eq!(svg.matches(&format!("fill=\"{INK}\"/>")).count(), 5);
    }

    #[test]
    fn the_paths_of_an_engine_stand_together_under_its_name() {
        let svg = picture(&[example()]);
        let at = |text: &str| svg.find(&format!(">{text}<")).expect(text);
        assert!(at("without a blob") < at("hvc-kvm"));
        assert!(at("hvc-kvm") < at("userspace engine"));
        assert!(at("userspace engine") < at("kernel engine"));
    }

    #[test]
    fn the_longest_bar_fits() {
        let svg = picture(&[example()]);
        assert!(
            svg.contains(&format!("width=\"{LONGEST:.1}\" height=\"11.0\"")),
            "{svg}"
        );
    }

    #[test]
    fn names_are_escaped() {
        let mut odd = example();
        odd.rows[0].path = "a<b&c".to_owned();
        assert!(picture(&[odd]).contains("a&lt;b&amp;c"));
    }
}
