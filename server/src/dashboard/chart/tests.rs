//! What must hold of every chart, whatever it is given.

use std::collections::BTreeSet;

use jiashu_contact::standing::Standing;
use proptest::prelude::*;

use super::super::frame::STYLE;
use super::{
    About, Clock, Funnel, Heat, Histogram, Intervals, Share, Stack, Trend, Week, funnel, heat,
    histogram, interval, stack, trend,
};

fn about<'a>(text: &'a str) -> About<'a> {
    About { title: text, told: text, left_out: text }
}

/// All charts of the same labels and numbers.
fn all(labels: &[String], numbers: &[Option<u64>], shares: &[Option<Share>]) -> [String; 7] {
    let label = |place: usize| labels.get(place % labels.len().max(1)).map_or("", String::as_str);
    let number = |place: usize| numbers.get(place % numbers.len().max(1)).copied().flatten();
    let about = about(label(0));
    let places = || 0..numbers.len();
    let weeks: Vec<_> = (0..shares.len())
        .map(|place| Week { label: label(place), name: label(place + 1), is_open: place % 5 == 4 })
        .collect();
    let cell = |place| {
        let number = number(place).map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        let kept = u32::try_from(place).unwrap();
        number.map(|expected| heat::Cell { expected, kept, is_paused: place % 3 == 0 })
    };
    let words = heat::Words {
        all: label(1),
        some: label(2),
        none: label(3),
        nothing: label(4),
        paused: label(5),
    };
    let row = |place| heat::Row { label: label(place), cells: places().map(cell).collect() };
    let heat = Heat { about, words, weeks: weeks.clone(), rows: places().map(row).collect() };
    let step = |place| funnel::Step { label: label(place), count: number(place) };
    let funnel = Funnel { about, steps: places().map(step).collect() };
    let bar = |place| stack::Bar {
        label: label(place),
        counts: std::array::from_fn(|standing| number(place + standing)),
    };
    let words = std::array::from_fn(label);
    let stack = Stack { about, words, bars: places().map(bar).collect() };
    let line = |place| trend::Line { label: label(place), shares: shares.to_vec() };
    let trend = Trend { about, weeks, lines: (0..labels.len().min(4)).map(line).collect() };
    let bucket = |place| histogram::Bucket { label: label(place), count: number(place) };
    let buckets = places().map(bucket).collect();
    let histogram = Histogram { about, unit: label(0), buckets };
    let measured = |share: &Share| interval::Measured { share: *share, part: 1, whole: u64::MAX };
    let row = |(place, share): (usize, &Option<Share>)| interval::Row {
        label: label(place),
        measured: share.as_ref().map(measured),
    };
    let intervals = Intervals { about, rows: shares.iter().enumerate().map(row).collect() };
    let hours = |day: usize| std::array::from_fn(|hour| number(day * 24 + hour));
    let clock: Clock =
        Clock { about, days: std::array::from_fn(label), counts: std::array::from_fn(hours) };
    [
        heat.to_svg(),
        funnel.to_svg(),
        stack.to_svg(),
        trend.to_svg(),
        histogram.to_svg(),
        intervals.to_svg(),
        clock.to_svg(),
    ]
}

/// An element that opens, closes or both, as `name`, `/name` or `name/`, and its attributes.
type Tag<'a> = (String, Vec<(&'a str, &'a str)>);

/// Reads what XML allows of us: tags with quoted attributes, text with entities, nothing else.
fn tags(xml: &str) -> Vec<Tag<'_>> {
    let is_plain = |text: &str| {
        let entities = ["amp;", "lt;", "gt;", "quot;", "#39;"];
        let known = |rest: &str| entities.iter().any(|entity| rest.starts_with(entity));
        assert!(text.split('&').skip(1).all(known), "{text}");
        assert!(!text.contains(['<', '>']) && !text.chars().any(char::is_control), "{text:?}");
    };
    let mut tags = Vec::new();
    for piece in xml.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        is_plain(text);
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while let Some((attribute, after)) = rest.split_once("=\"") {
            let (value, after) = after.split_once('"').unwrap();
            is_plain(value);
            attributes.push((attribute.trim(), value));
            rest = after;
        }
        assert!(rest.trim().trim_matches('/').is_empty(), "{tag}");
        let alone = if rest.ends_with('/') { "/" } else { "" };
        tags.push((format!("{name}{alone}"), attributes));
    }
    tags
}

/// What holds of any chart.
fn is_sound(svg: &str) {
    let tags = tags(svg);
    let mut open = Vec::new();
    for (name, attributes) in &tags {
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{svg}"),
            None if name.ends_with('/') => {}
            None => open.push(name.as_str()),
        }
        let mut names = BTreeSet::new();
        for (attribute, value) in attributes {
            assert!(names.insert(attribute), "{attribute} twice");
            assert!(!["style", "id"].contains(attribute) && !attribute.starts_with("on"), "{svg}");
            if ["x", "y", "width", "height", "x1", "x2", "y1", "y2"].contains(attribute) {
                let number: f64 = value.parse().unwrap();
                assert!((-20.0..100_000.0).contains(&number), "{attribute} is {number}");
            }
        }
        for word in ["NaN", "inf"] {
            assert!(!attributes.iter().any(|(_, value)| value.contains(word)), "{svg}");
        }
    }
    assert!(open.is_empty(), "{open:?} are never closed");
    let (name, attributes) = &tags[0];
    assert!(name == "svg" && attributes.contains(&("role", "img")), "{svg}");
    assert_eq!((tags[1].0.as_str(), tags[3].0.as_str()), ("title", "desc"));
}

fn label() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        Just(String::new()),
        Just("<script>alert(\"1\")</script> & ]]> <!--".to_owned()),
        Just("قرية بعيدة جدا 5".to_owned()),
        Just("Vecāku prombūtnes atbalsta nodaļa ".repeat(40)),
        Just("光山县文殊乡东岳村儿童之家".repeat(9)),
        Just("\u{0}\u{1b}\u{feff}\u{ffff}\u{202e}".to_owned()),
    ]
}

fn number() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![Just(None), Just(Some(0)), (0_u64..50).prop_map(Some), any::<u64>().prop_map(Some)]
}

fn share() -> impl Strategy<Value = Option<Share>> {
    let percent = || prop_oneof![0.0..=100.0, any::<f64>(), Just(f64::NAN), Just(0.0)];
    let between = prop::option::of((percent(), percent()));
    prop::option::of((percent(), between).prop_map(|(percent, between)| Share { percent, between }))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn whatever_is_drawn_can_be_read(
        labels in prop::collection::vec(label(), 0..9),
        numbers in prop::collection::vec(number(), 0..30),
        shares in prop::collection::vec(share(), 0..60),
    ) {
        for svg in all(&labels, &numbers, &shares) {
            is_sound(&svg);
        }
    }
}

#[test]
fn two_hundred_sites_are_drawn_one_under_another() {
    let labels: Vec<_> = (0..200).map(|site| format!("Site {site}")).collect();
    let share = Some(Share { percent: 50.0, between: Some((40.0, 60.0)) });

    for svg in all(&labels, &[Some(3); 200], &[share; 200]) {
        is_sound(&svg);
        assert!(svg.len() < 2_000_000, "{} bytes", svg.len());
    }
}

#[test]
fn what_is_left_out_is_said_and_never_drawn_as_nothing() {
    let labels = ["Kekava".to_owned(), "too few".to_owned()];
    let left_out = all(&labels, &[None], &[None]);
    let nothing = all(&labels, &[Some(0)], &[Some(Share { percent: 0.0, between: None })]);

    for (left_out, nothing) in left_out.iter().zip(&nothing) {
        assert!(
            left_out.contains("class=\"hatch\"") && left_out.contains(": Kekava"),
            "{left_out}"
        );
        assert!(!nothing.contains("hatch") && !nothing.contains('–'), "{nothing}");
    }
}

#[test]
fn every_class_has_its_rule_and_every_text_its_size() {
    let labels: Vec<_> = (0..9).map(|site| format!("Site {site}")).collect();
    let numbers: Vec<_> = (0..30).map(|n| (n % 7 != 3).then_some(n % 9)).collect();
    let shares: Vec<_> = (0..12)
        .map(|week| Share { percent: f64::from(week) * 8.0, between: Some((0.0, 100.0)) })
        .map(|share| (share.percent != 40.0).then_some(share))
        .collect();
    let ruled = |class: &str| {
        STYLE
            .match_indices(&format!(".{class}"))
            .any(|(at, found)| STYLE[at + found.len()..].starts_with([' ', ',', '.', ':', '{']))
    };

    let drawn = all(&labels, &numbers, &shares).concat();

    for (name, attributes) in tags(&drawn) {
        let classes = attributes.iter().filter(|(attribute, _)| *attribute == "class");
        for class in classes.flat_map(|(_, classes)| classes.split(' ')) {
            assert!(ruled(class), "no rule for .{class}");
        }
        assert!(name != "text" || attributes.iter().any(|(name, _)| *name == "class"));
    }
    for standing in Standing::ALL {
        let class = format!("s-{}", standing.name().replace('_', "-"));
        assert!(ruled(&class) && drawn.contains(&class), "{class}");
    }
}

/// The luminance of a colour as a style sheet has it. Source: WCAG 2.2, relative luminance.
fn luminance(colour: &str) -> f64 {
    let digits: Vec<_> = colour.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    let parts: Vec<_> = match digits[..] {
        [r, g, b] => vec![r * 17, g * 17, b * 17],
        _ => digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect(),
    };
    let linear = |part: &u32| match f64::from(*part) / 255.0 {
        part if part <= 0.04045 => part / 12.92,
        part => ((part + 0.055) / 1.055).powf(2.4),
    };
    parts.iter().map(linear).zip([0.2126, 0.7152, 0.0722]).map(|(part, of)| part * of).sum()
}

#[test]
fn what_is_drawn_stands_out_by_day_and_by_night() {
    let (day, night) = STYLE.split_once("prefers-color-scheme").unwrap();
    for sheet in [day, night] {
        let value = |name: &str| {
            let (_, value) = sheet.split_once(&format!("--{name}:#")).unwrap();
            luminance(value.split([';', '}']).next().unwrap())
        };
        let contrast = |one: f64, other: f64| (one.max(other) + 0.05) / (one.min(other) + 0.05);
        let names =
            Standing::ALL.map(|standing| format!("s-{}", standing.name().replace('_', "-")));

        for paper in ["paper", "raised"] {
            for name in names.iter().map(String::as_str).chain(["accent", "ink", "muted"]) {
                let contrast = contrast(value(name), value(paper));
                assert!(contrast >= 4.5, "{name} stands out from {paper} by {contrast:.2} only");
            }
        }
    }
}
