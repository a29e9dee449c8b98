//! Proof that the C library finds what it must, made at every start: Vectorscan installs itself under Hyperscan's
//! file name and misses matches that Hyperscan finds. In: the engine, the oracle, the rules' own examples; out: how
//! many comparisons agreed, or the first that did not.
//!
//! Bounds: texts are cut at every byte up to [`MAX_CUTS`] places. Does not: prove more than these cases.

use super::{Engine, RawHit};

/// Cuts tried on one text.
const MAX_CUTS: usize = 64;

/// Cases that Vectorscan releases are known to miss: its issues 382 (5.4.12) and 358 (5.4.13 in development).
/// (expressions, dot matches newline, inputs that must match)
#[cfg(feature = "hyperscan")]
const KNOWN_REGRESSIONS: &[(&[&str], bool, &[&str])] = &[
    (
        &[r"curl.*\|\s*python"],
        true,
        &[
            "curl http://xxx:8000/ 2>&1 | python",
            "curl http://xxxx:8000/ 2>&1 | python",
            "curl http://vader:8080/ 2>&1 | python",
        ],
    ),
    (
        &[
            r"<%[\s\S]+%>",
            r"<[^<>]+:(include|forward|invoke|element|attribute|body|params|output|root)",
            r"[\$#]{[\s\S]+\([\s\S]*\)[\s\S]*}",
        ],
        false,
        &["<%out.print();int a%>"],
    ),
];

#[cfg(feature = "hyperscan")]
pub(super) fn known_regressions() -> Result<usize, String> {
    let mut cases = 0;
    for (expressions, dot_all, inputs) in KNOWN_REGRESSIONS {
        let flags = if *dot_all { ::hyperscan::PatternFlags::DOTALL } else { ::hyperscan::PatternFlags::empty() };
        for input in *inputs {
            cases += 1;
            if !super::hyperscan::finds(expressions, flags, input.as_bytes())? {
                return Err(format!("known regression {cases} is not found"));
            }
        }
    }
    Ok(cases)
}

/// Compares `engine` with `oracle` on `samples`, whole and cut in two.
#[cfg_attr(not(feature = "hyperscan"), allow(dead_code))]
pub(super) fn agree(engine: &dyn Engine, oracle: &dyn Engine, samples: &[Vec<u8>]) -> Result<usize, String> {
    let mut cases = 0;
    let (mut scratch, mut oracle_scratch) = (engine.scratch(), oracle.scratch());
    let (mut hits, mut expected): (Vec<RawHit>, Vec<RawHit>) = (Vec::new(), Vec::new());
    for (index, sample) in samples.iter().enumerate() {
        let step = sample.len().div_ceil(MAX_CUTS).max(1);
        for cut in (0..sample.len()).step_by(step) {
            let (left, right) = sample.split_at(cut);
            for part in [left, right] {
                cases += 1;
                engine.scan(&mut scratch, part, &mut hits);
                oracle.scan(&mut oracle_scratch, part, &mut expected);
                if hits != expected {
                    return Err(format!("example {index} cut at {cut} gives other hits than the native engine"));
                }
            }
        }
    }
    Ok(cases)
}
