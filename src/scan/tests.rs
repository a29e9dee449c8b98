//! Laws that both engines keep.

use proptest::prelude::*;

use super::*;

fn patterns() -> Vec<Pattern> {
    let literals = ["foo", "foo bar", "oo", "bar", "#x", "é", "[name]"];
    let shapes = [
        "[0-9]{3}-[0-9]{2}-[0-9]{4}",
        "[0-9]{2,4}",
        "[a-z][0-9][0-9ab]\\.[0-9a-z]{1,4}",
        "(?i)ab{1,3}c",
        "[x*]{3}-[0-9]{1,2}",
        "(foo|bar) (in|of) [2-8]0s",
        "\\d\\s\\w",
        "[a-f&&[^bd]][[:digit:]]{2}",
        "[^a-z]\\x00.",
    ];
    let literals = literals.iter().map(|text| Pattern::literal(text).unwrap());
    literals.chain(shapes.iter().map(|shape| Pattern::shape(shape).unwrap())).collect()
}

fn engines() -> Vec<Arc<dyn Engine>> {
    let mut choices = vec![EngineChoice::Native];
    if cfg!(feature = "hyperscan") {
        choices.push(EngineChoice::Hyperscan);
    }
    choices.into_iter().map(|choice| build(choice, &patterns(), &[]).unwrap().0).collect()
}

fn hits(engine: &dyn Engine, window: &[u8]) -> Vec<RawHit> {
    let mut hits = Vec::new();
    engine.scan(&mut engine.scratch(), window, &mut hits);
    hits
}

/// Every (end, pattern), by trying every pattern at every place.
fn by_trial(patterns: &[Pattern], window: &[u8]) -> Vec<RawHit> {
    let mut hits = Vec::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let shape = match pattern {
            Pattern::Literal(literal) => {
                for end in literal.len()..=window.len() {
                    if window[end - literal.len()..end].eq_ignore_ascii_case(literal) {
                        hits.push(RawHit { end: end as u32, pattern: index as u32 });
                    }
                }
                continue;
            }
            Pattern::Shape(shape) => shape,
        };
        let digit_led = digits::Digits::build(std::slice::from_ref(pattern)).unwrap().len() == 1;
        let whole = PrefixFinder::new(shape).unwrap();
        for start in 0..window.len() {
            // A digit-led shape is found only where a token begins.
            let inside = start > 0 && window[start - 1].is_ascii_alphanumeric();
            if digit_led && inside {
                continue;
            }
            for end in start + 1..=window.len() {
                if whole.longest(&window[start..end], |stop| stop == end - start).is_some() {
                    hits.push(RawHit { end: end as u32, pattern: index as u32 });
                }
            }
        }
    }
    hits.sort_unstable();
    hits.dedup();
    hits
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn engines_find_what_trial_finds_in_every_cut_of_random_text(
        text in proptest::collection::vec(proptest::sample::select(b"0123456789--  ..abcfor xXBAR*#\0\n[]name\xc3\xa9".to_vec()), 0..160),
        cut in 0usize..160,
    ) {
        let cut = cut.min(text.len());
        let patterns = patterns();
        for window in [&text[..], &text[..cut], &text[cut..]] {
            let expected = by_trial(&patterns, window);
            for engine in ENGINES.get_or_init(engines) {
                prop_assert_eq!(hits(engine.as_ref(), window), expected.clone(), "{}", engine.name());
            }
        }
    }
}

static ENGINES: std::sync::OnceLock<Vec<Arc<dyn Engine>>> = std::sync::OnceLock::new();

#[test]
fn every_pattern_is_found_where_it_stands() {
    let window = b"FOO Bar 536-22-8741 s72.00 ABBC xxx-12 bar of 60s 1 x a12 !\0! [Name] \xc3\xa9 #X";
    for engine in engines() {
        let found = hits(engine.as_ref(), window);
        for pattern in 0..patterns().len() as u32 {
            assert!(found.iter().any(|hit| hit.pattern == pattern), "{}: pattern {pattern}", engine.name());
        }
        assert_eq!(found, by_trial(&patterns(), window), "{}", engine.name());
    }
}

#[test]
fn a_window_made_of_hits_loses_none() {
    let window = b"foo bar ".repeat(20_000);
    for engine in engines() {
        let found = hits(engine.as_ref(), &window);
        assert_eq!(found.len(), 20_000 * 4, "{}", engine.name());
        assert!(found.is_sorted());
    }
}

#[test]
fn digit_runs_at_block_borders_are_found() {
    let (engine, _) = build(EngineChoice::Native, &patterns()[7..8], &[]).unwrap();
    for before in 0..200 {
        let mut window = vec![b' '; before];
        window.extend_from_slice(b"536-22-8741");
        assert_eq!(hits(engine.as_ref(), &window), [RawHit { end: before as u32 + 11, pattern: 0 }], "{before}");
        window.extend_from_slice(&[b'5'; 130]);
        assert_eq!(hits(engine.as_ref(), &window).len(), 1, "{before}");
    }
}

#[test]
fn patterns_that_engines_could_read_differently_or_without_end_are_refused() {
    for (expression, part) in [
        ("[0-9]+", "no greatest width"),
        ("ab.*", "no greatest width"),
        ("[0-9]{3}[a-z]{200}", "203 bytes"),
        ("\\bfoo", "boundaries"),
        ("^foo", "boundaries"),
        ("foo$", "boundaries"),
        ("a?", "fewer than 2"),
        ("x", "fewer than 2"),
        ("(foo", "unclosed group"),
        ("foo(?=bar)", "look-around"),
        ("(foo)\\1", "backreferences"),
    ] {
        let error = Pattern::shape(expression).err().unwrap().to_string();
        assert!(error.contains(part), "{expression}: {error}");
    }
    assert_eq!(Pattern::literal("").err(), Some(PatternError::Empty));
}

#[test]
fn a_start_is_the_longest_match_that_ends_there() {
    let finder = StartFinder::new(&Shape::new("[A-Z]{0,3}-?[0-9]{4}").unwrap()).unwrap();
    assert_eq!(finder.start(b"xABC-1234", 9), Some(1));
    assert_eq!(finder.start(b"x1234", 5), Some(1));
    assert_eq!(finder.start(b"x123", 4), None);
}

/// Reports what another engine reports, save the last hit.
struct Forgetful(Arc<dyn Engine>);

impl Engine for Forgetful {
    fn name(&self) -> &'static str {
        "forgetful"
    }

    fn scratch(&self) -> Scratch {
        self.0.scratch()
    }

    fn scan(&self, scratch: &mut Scratch, window: &[u8], hits: &mut Vec<RawHit>) {
        self.0.scan(scratch, window, hits);
        hits.pop();
    }
}

#[test]
fn an_engine_that_misses_one_hit_fails_the_self_test() {
    let (native, report) = build(EngineChoice::Native, &patterns(), &[]).unwrap();
    assert_eq!((report.engine, report.digit_led), ("native", 5));
    let samples = [b"nothing".to_vec(), b"a foo here".to_vec()];
    assert_eq!(selftest::agree(native.as_ref(), native.as_ref(), &samples).unwrap(), 34);
    let reason = selftest::agree(&Forgetful(Arc::clone(&native)), native.as_ref(), &samples).unwrap_err();
    assert!(reason.contains("example 1"), "{reason}");
}

#[cfg(feature = "hyperscan")]
#[test]
fn auto_takes_hyperscan_after_its_self_test() {
    let samples = [b"foo bar 536-22-8741".to_vec()];
    let (engine, report) = build(EngineChoice::Auto, &patterns(), &samples).unwrap();
    // Where libhs is a Vectorscan that misses matches, native is the right answer, with a reason.
    match engine.name() {
        "hyperscan" => assert!(report.self_test_cases > 38 && report.warnings.is_empty()),
        _ => assert!(report.warnings[0].contains("self-test"), "{:?}", report.warnings),
    }
}

#[cfg(not(feature = "hyperscan"))]
#[test]
fn without_hyperscan_auto_is_native_and_says_so() {
    let (engine, report) = build(EngineChoice::Auto, &patterns(), &[]).unwrap();
    assert_eq!((engine.name(), report.warnings.len()), ("native", 1));
    assert!(matches!(build(EngineChoice::Hyperscan, &patterns(), &[]), Err(ScanError::NotBuilt)));
}
