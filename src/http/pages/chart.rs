//! Charts as SVG, drawn by `plotters`: its colours stand for classes of our stylesheet and for hatches of the page, so that a
//! chart follows light and dark and can be read without telling colours apart.

use std::fmt;

use plotters::{
    coord::{
        Shift,
        ranged1d::SegmentValue,
        types::{RangedCoordf64, RangedCoordi32},
    },
    prelude::{
        Cartesian2d, ChartBuilder, Color as _, DrawingArea, EmptyElement, IntoDrawingArea as _,
        IntoFont as _, IntoSegmentedCoord as _, RGBColor, Rectangle, SVGBackend, Text, TextStyle,
    },
};

use crate::http::error::{ApiError, ApiResult};

/// Units across, two to a pixel of a narrow page: coordinates are whole numbers.
const WIDTH: u32 = 680;
const HEIGHT: u32 = 330;
/// What `plotters` writes as 25 units.
const LETTERS: u32 = 31;
/// From one bar to the next, and how much of it its name takes.
const ROW: u32 = 68;
const NAME: u32 = 34;

/// What a part of a chart is drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    Letters,
    Rule,
    Good,
    Warned,
    Failed,
    Other,
    First,
    Second,
}

impl Ink {
    const ALL: [Self; 8] = [
        Self::Letters,
        Self::Rule,
        Self::Good,
        Self::Warned,
        Self::Failed,
        Self::Other,
        Self::First,
        Self::Second,
    ];

    /// The colour that stands for it on the way through `plotters`.
    const fn color(self) -> RGBColor {
        RGBColor(0, 0, self as u8)
    }
}

impl askama::filters::HtmlSafe for Ink {}

/// The attribute that paints with it.
impl fmt::Display for Ink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Letters => "class=\"letters\"",
            Self::Rule => "class=\"rule\"",
            Self::Good => "class=\"good\"",
            Self::First => "class=\"first\"",
            // A class would paint over the hatch.
            Self::Warned => "fill=\"url(#hatch-warned)\"",
            Self::Failed => "fill=\"url(#hatch-failed)\"",
            Self::Other => "fill=\"url(#hatch-other)\"",
            Self::Second => "fill=\"url(#hatch-second)\"",
        })
    }
}

/// A finished chart: an `<svg>` for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing(String);

impl askama::filters::HtmlSafe for Drawing {}

impl fmt::Display for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Values of one kind, one for each place on the axis.
pub struct Series {
    pub ink: Ink,
    pub values: Vec<f64>,
}

/// How values of several kinds stand at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arranged {
    Stacked,
    SideBySide,
}

/// Columns over places that are named by `labels`; `name` is what the chart is called where it is read out, and `unit` stands
/// behind the figures of its axis.
pub fn columns(
    name: &'static str,
    labels: &[String],
    series: &[Series],
    arranged: Arranged,
    unit: &str,
) -> ApiResult<Drawing> {
    let places = i32::try_from(labels.len()).unwrap_or(i32::MAX);
    draw(name, HEIGHT, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(40)
            .y_label_area_size(if unit.is_empty() { 72 } else { 116 })
            .build_cartesian_2d((0..places - 1).into_segmented(), 0.0..top(series, arranged))?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(Ink::Rule.color().mix(0.0))
            .bold_line_style(Ink::Rule.color())
            .axis_style(Ink::Rule.color())
            .label_style(letters())
            .x_labels(7)
            .y_labels(4)
            .x_label_formatter(&|place| match place {
                SegmentValue::CenterOf(at) => named(labels, *at),
                _ => String::new(),
            })
            .y_label_formatter(&|value| figure(*value, unit))
            .draw()?;
        let slot = chart.plotting_area().dim_in_pixel().0 / u32::try_from(places).unwrap_or(1).max(1);
        for place in 0..places {
            let (from, to) = (SegmentValue::Exact(place), end_of(place, places));
            let mut below = 0.0;
            for (n, one) in (0u32..).zip(series) {
                let value =
                    usize::try_from(place).ok().and_then(|at| one.values.get(at)).copied().unwrap_or(0.0);
                if value <= 0.0 {
                    continue;
                }
                let (left, right) = margins(slot, n, series.len(), arranged);
                let mut column = Rectangle::new(
                    [(from.clone(), below), (to.clone(), below + value)],
                    one.ink.color().filled(),
                );
                column.set_margin(0, 0, left, right);
                chart.draw_series([column])?;
                if arranged == Arranged::Stacked {
                    below += value;
                }
            }
        }
        Ok(())
    })
}

fn end_of(place: i32, places: i32) -> SegmentValue<i32> {
    if place + 1 < places { SegmentValue::Exact(place + 1) } else { SegmentValue::Last }
}

/// A column of its place: the space to its left and right.
fn margins(slot: u32, n: u32, of: usize, arranged: Arranged) -> (u32, u32) {
    let gap = (slot / 8).max(1);
    match arranged {
        Arranged::Stacked => (gap, gap),
        Arranged::SideBySide => {
            let of = u32::try_from(of).unwrap_or(1).max(1);
            let width = slot.saturating_sub(2 * gap) / of;
            let left = gap + n * width;
            (left, slot.saturating_sub(left + width))
        }
    }
}

/// Where the axis ends: a little above the highest column.
fn top(series: &[Series], arranged: Arranged) -> f64 {
    let places = series.iter().map(|one| one.values.len()).max().unwrap_or(0);
    let at = |place: usize| series.iter().map(move |one| one.values.get(place).copied().unwrap_or(0.0));
    let height = |place| match arranged {
        Arranged::Stacked => at(place).sum(),
        Arranged::SideBySide => at(place).fold(0.0, f64::max),
    };
    (0..places).map(height).fold(1.0, f64::max) * 1.08
}

fn named(labels: &[String], at: i32) -> String {
    usize::try_from(at).ok().and_then(|at| labels.get(at)).cloned().unwrap_or_default()
}

/// A figure of the axis; those between whole numbers are left out.
fn figure(value: f64, unit: &str) -> String {
    if value.fract().abs() > 1e-6 { String::new() } else { format!("{value:.0}{unit}") }
}

/// Bars one below the other, each under its name; what is too many does not fit, and is the caller's to cut.
pub fn bars(name: &'static str, rows: &[(String, i64)]) -> ApiResult<Drawing> {
    let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let height = ROW.saturating_mul(count).max(ROW);
    draw(name, height, |root| {
        #[expect(clippy::cast_precision_loss, reason = "the length of a bar")]
        let length = |value: i64| value as f64;
        let longest = rows.iter().map(|(_, value)| length(*value)).fold(1.0, f64::max);
        // Room for the figure behind the longest bar.
        let across = i32::try_from(WIDTH - 130).unwrap_or(i32::MAX);
        let down = i32::try_from(height).unwrap_or(i32::MAX);
        let last = i32::try_from(count).unwrap_or(i32::MAX).max(1);
        let space =
            Cartesian2d::<RangedCoordf64, RangedCoordi32>::new(0.0..longest, 0..last, (0..across, 0..down));
        let area = root.apply_coord_spec(space);
        for (at, (label, value)) in (0..).zip(rows) {
            let mut bar = Rectangle::new([(0.0, at), (length(*value), at + 1)], Ink::First.color().filled());
            bar.set_margin(NAME, 10, 0, 0);
            area.draw(&bar)?;
            area.draw(&(EmptyElement::at((0.0, at)) + Text::new(label.clone(), (0, 4), letters())))?;
            let behind = EmptyElement::at((length(*value), at));
            area.draw(&(behind + Text::new(value.to_string(), (10, 36), letters())))?;
        }
        Ok(())
    })
}

type Canvas<'s> = DrawingArea<SVGBackend<'s>, Shift>;

fn letters() -> TextStyle<'static> {
    let mut style = TextStyle::from(("sans-serif", LETTERS).into_font());
    style.color = Ink::Letters.color().to_backend_color();
    style
}

fn draw(
    name: &'static str,
    height: u32,
    on: impl FnOnce(&Canvas<'_>) -> Result<(), Box<dyn std::error::Error>>,
) -> ApiResult<Drawing> {
    let mut svg = String::new();
    let canvas = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    let drawn = on(&canvas).and_then(|()| Ok(canvas.present()?));
    drawn.map_err(|error| ApiError::internal(format!("{name} was not drawn: {error}")))?;
    drop(canvas);
    Ok(Drawing(themed(name, height, &svg)))
}

/// What `plotters` wrote, with our own first tag and our inks instead of its colours. No text can look like an attribute: it
/// escapes their quotes.
fn themed(name: &str, height: u32, svg: &str) -> String {
    let (_, inside) = svg.split_once('>').unwrap_or_default();
    let mut themed = format!(
        "<svg class=\"chart\" role=\"img\" aria-label=\"{name}\" viewBox=\"0 0 {WIDTH} {height}\">{inside}"
    );
    for ink in Ink::ALL {
        let RGBColor(red, green, blue) = ink.color();
        for attribute in ["fill", "stroke"] {
            let given = format!("{attribute}=\"#{red:02X}{green:02X}{blue:02X}\"");
            themed = themed.replace(&given, &ink.to_string());
        }
    }
    themed.replace(" opacity=\"1\"", "").replace(" font-family=\"sans-serif\"", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_texts_and_nothing_else() {
        let name = "\"><script>x</script>' fill=\"#000001\" & co";
        let Drawing(svg) = bars("Bars", &[(name.to_owned(), 3)]).unwrap();
        assert!(
            svg.contains("&quot;&gt;&lt;script&gt;x&lt;/script&gt;&apos; fill=&quot;#000001&quot; &amp; co"),
            "{svg}"
        );
        assert_eq!((svg.matches("<script").count(), svg.matches("<rect").count()), (0, 1));
        let labels = [name.to_owned(), name.to_owned()];
        let series = [Series { ink: Ink::Good, values: vec![1.0, 2.0] }];
        let Drawing(svg) = columns("Columns", &labels, &series, Arranged::Stacked, "").unwrap();
        assert!(svg.contains("&lt;script&gt;") && !svg.contains("<script"), "{svg}");
    }

    #[test]
    fn no_colour_of_its_own_is_left() {
        let inks = Ink::ALL.into_iter().skip(2);
        let series: Vec<Series> = inks.map(|ink| Series { ink, values: vec![1.0, 0.0, 2.5] }).collect();
        let labels = ["a", "b", "c"].map(str::to_owned);
        for arranged in [Arranged::Stacked, Arranged::SideBySide] {
            let Drawing(svg) = columns("Columns", &labels, &series, arranged, " h").unwrap();
            assert!(!svg.contains("\"#") && !svg.contains("style"), "{svg}");
            assert_eq!(svg.matches("<rect").count(), 12, "{svg}");
            for ink in Ink::ALL {
                assert!(svg.contains(&ink.to_string()), "{ink} in {svg}");
            }
        }
    }

    #[test]
    fn columns_side_by_side_do_not_touch_their_neighbours() {
        for slot in [24, 90, 7] {
            let first = margins(slot, 0, 2, Arranged::SideBySide);
            let second = margins(slot, 1, 2, Arranged::SideBySide);
            assert!(first.0 >= 1 && second.1 >= 1, "{first:?} {second:?} of {slot}");
            assert_eq!(slot - first.1, second.0, "the second begins where the first ends");
        }
    }

    #[test]
    fn a_drawing_is_the_same_every_time() {
        let series = [
            Series { ink: Ink::Good, values: vec![3.0, 0.0] },
            Series { ink: Ink::Failed, values: vec![1.0, 2.0] },
        ];
        let labels = ["09:00", "10:00"].map(str::to_owned);
        insta::assert_snapshot!(columns("Runs", &labels, &series, Arranged::Stacked, "").unwrap());
        insta::assert_snapshot!(
            bars("Beats", &[("coder".to_owned(), 12), ("reviewer".to_owned(), 5)]).unwrap()
        );
    }
}
