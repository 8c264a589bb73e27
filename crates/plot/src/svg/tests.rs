use expect_test::expect;

use super::*;
use crate::{Curve, Mark, Scale};

fn series(name: &str, points: &[(f64, f64)], symbol: Option<Symbol>) -> Series {
    let points = points.iter().map(|(x, y)| Point::exact(*x, *y)).collect();
    Series { name: name.into(), class: name.into(), symbol, points }
}

fn chart(series: Vec<Series>) -> Chart {
    let (x_title, y_title) = ("step".into(), "loss".into());
    Chart { width: 320.0, height: 160.0, x_title, y_title, last: 7.0, scale: Scale::Linear, series, marks: vec![] }
}

#[test]
fn a_small_chart_is_drawn() {
    let mut curve = Curve::new(0, 2);
    [2.5, 1.0, 2.0].into_iter().enumerate().for_each(|(i, value)| curve.push(1 + i as u64, value));
    let training = Series { points: curve.points().collect(), ..series("training", &[], None) };
    let mut chart = chart(vec![training, series("validation", &[(2.0, 1.5)], Some(Symbol::Circle))]);
    chart.marks = vec![Mark { x: 2.0, text: "★".into(), title: "best".into() }];
    expect![[r#"
        <svg xmlns="http://www.w3.org/2000/svg" width="320" height="160" viewBox="0 0 320 160" role="img" aria-label="loss" fill="currentColor" font-size="12" stroke-linejoin="round">
        <path class="grid" stroke="currentColor" stroke-opacity=".2" d="M31.6 122.5H239.0M31.6 89.2H239.0M31.6 55.8H239.0M31.6 22.5H239.0M31.6 122.5v4M90.9 122.5v4M150.1 122.5v4M209.4 122.5v4"/>
        <g class="axis">
        <text x="25.6" y="122.5" dy=".35em" text-anchor="end">0</text>
        <text x="25.6" y="89.2" dy=".35em" text-anchor="end">1</text>
        <text x="25.6" y="55.8" dy=".35em" text-anchor="end">2</text>
        <text x="25.6" y="22.5" dy=".35em" text-anchor="end">3</text>
        <text x="31.6" y="139.5" text-anchor="middle">0</text>
        <text x="90.9" y="139.5" text-anchor="middle">2</text>
        <text x="150.1" y="139.5" text-anchor="middle">4</text>
        <text x="209.4" y="139.5" text-anchor="middle">6</text>
        <text x="135.3" y="156.0" text-anchor="middle">step</text>
        <text transform="translate(12 72.5) rotate(-90)" text-anchor="middle">loss</text>
        </g>
        <g class="mark"><title>best</title><path stroke="currentColor" stroke-opacity=".6" stroke-dasharray="2 3" d="M90.9 22.5V122.5"/><text x="90.9" y="17.5" text-anchor="middle">★</text></g>
        <g class="training">
        <polygon class="range" stroke="currentColor" stroke-dasharray="none" opacity=".25" points="61.2 39.2 90.9 89.2 120.5 55.8 120.5 55.8 90.9 89.2 61.2 39.2"/>
        </g>
        <g class="training">
        <path class="line" fill="none" stroke="currentColor" stroke-width="2" d="M61.2 39.2L90.9 72.5L120.5 63.0"/>
        </g>
        <g class="validation">
        <path class="symbols" d="M90.9 72.5m-3.5 0a3.5 3.5 0 1 1 7 0a3.5 3.5 0 1 1 -7 0"/>
        </g>
        <g class="training"><path fill="none" stroke="currentColor" stroke-dasharray="1 3" d="M120.5 63.0H120.5L128.5 63.0"/><text class="name" x="130.5" y="63.0" dy=".35em">training</text></g>
        <g class="validation"><path fill="none" stroke="currentColor" stroke-dasharray="1 3" d="M90.9 72.5H120.5L128.5 78.0"/><text class="name" x="130.5" y="78.0" dy=".35em">validation</text></g>
        </svg>
    "#]].assert_eq(&chart.svg());
}

#[test]
fn texts_are_escaped() {
    let mut chart = chart(vec![series("<&\"", &[(1.0, 1.0), (2.0, 1.0)], None)]);
    (chart.x_title, chart.y_title) = ("<&\"".into(), "<&\"".into());
    chart.marks = vec![Mark { x: 1.0, text: "<&\"".into(), title: "<&\"".into() }];
    let svg = chart.svg();
    assert_eq!(svg.matches("&lt;&amp;&quot;").count(), 1 + 2 + 2 + 3); // label; titles; mark; name and classes
    assert!(!svg.contains("<&") && !svg.contains("&\""));
}

/// Places of all elements that `of` begins, by the attribute `name`.
fn numbers(svg: &str, of: &str, name: &str) -> Vec<f64> {
    let value = |rest: &str| rest.split_once(&format!(" {name}=\""))?.1.split('"').next()?.parse().ok();
    svg.split(of).skip(1).filter_map(value).collect()
}

#[test]
fn names_do_not_overlap() {
    let lines = (0..6).map(|i| series("run", &[(1.0, 1.0), (7.0, if i < 4 { 0.02 } else { 1.0 })], None));
    let svg = chart(lines.collect()).svg();
    let mut places = numbers(&svg, "<text class=\"name\"", "y");
    places.sort_by(f64::total_cmp);
    assert_eq!(places.len(), 6);
    assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= LINE - 0.1), "{places:?}");
    assert!(places[0] >= 22.0 && places[5] <= 123.0, "{places:?}");
    assert_eq!(spread(&[50.0, 10.0, 80.0], 0.0, 100.0), [50.0, 10.0, 80.0], "what is apart stays");
}

#[test]
fn texts_of_marks_do_not_overlap() {
    let mut chart = chart(vec![]);
    let mark = |x: f64| Mark { x, text: "rate 0.01".into(), title: format!("rate 0.01 at {x}") };
    chart.marks = [7.0, 1.0, 1.1, f64::NAN].map(mark).into();
    let svg = chart.svg();
    assert_eq!((svg.matches("<title>").count(), svg.matches(">rate 0.01</text>").count()), (3, 2));
}

#[test]
fn ticks_of_a_narrow_chart_do_not_overlap() {
    for width in [160.0, 250.0, 320.0, 600.0] {
        let svg = Chart { width, last: 12_345.0, ..chart(vec![]) }.svg();
        let places = numbers(svg.split_once("text-anchor=\"middle\"").unwrap().1, "<text ", "x");
        assert!(places.windows(2).take(places.len() - 2).all(|pair| pair[1] - pair[0] > 45.0), "{width}: {places:?}");
    }
}

#[test]
fn gaps_and_what_stands_alone_are_seen() {
    let line = series("a", &[(1.0, 1.0), (2.0, 2.0), (3.0, f64::NAN), (4.0, 1.0), (f64::INFINITY, 1.0)], None);
    let svg = chart(vec![line]).svg();
    assert_eq!((svg.matches("class=\"line\"").count(), svg.matches("class=\"symbols\"").count()), (1, 1));
    let dots = series("b", &[(1.0, 1.0), (2.0, 2.0)], Some(Symbol::Square));
    assert_eq!(chart(vec![dots]).svg().matches("h7v7h-7z").count(), 2);
}

#[test]
fn nothing_is_drawn_without_numbers() {
    for points in
        [&[][..], &[(1.0, f64::NAN), (2.0, f64::NAN)], &[(f64::NAN, 1.0)], &[(1.0, f64::MAX), (2.0, f64::MIN)]]
    {
        for scale in [Scale::Linear, Scale::Logarithmic, Scale::Share] {
            let svg = Chart { scale, last: 0.0, ..chart(vec![series("a", points, None)]) }.svg();
            assert!(!svg.contains("class=\"a\"") && svg.contains(">step</text>"), "{svg}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
