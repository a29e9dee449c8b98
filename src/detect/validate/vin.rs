//! Vehicle identification number (49 CFR 565): 17 letters and digits without I, O and Q; the ninth is the weighted sum
//! of the others, letters read as numbers, modulo 11, where X is 10.

use super::{Accepted, Context};

const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];

/// Fewest letters: a number of 17 digits is something else.
const MIN_LETTERS: usize = 2;

pub(super) fn vin(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let canonical: [u8; 17] = value.to_ascii_uppercase().try_into().ok()?;
    let mut sum = 0;
    for (byte, weight) in canonical.iter().zip(WEIGHTS) {
        sum += worth(*byte)? * weight;
    }
    let check = match sum % 11 {
        10 => b'X',
        digit => b'0' + digit as u8,
    };
    let letters = canonical.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    // A row of ones has the right check digit.
    if canonical.get(8) != Some(&check) || letters < MIN_LETTERS {
        return None;
    }
    Accepted::new(canonical, "check digit right")
}

/// The number that a character stands for.
fn worth(byte: u8) -> Option<u32> {
    Some(match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'H' => u32::from(byte - b'A') + 1,
        b'J'..=b'N' => u32::from(byte - b'J') + 1,
        b'P' => 7,
        b'R' => 9,
        b'S'..=b'Z' => u32::from(byte - b'S') + 2,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn the_check_digit_decides() {
        assert_eq!(validate(vin, "1M8GDM9AXKP042788"), Some("1M8GDM9AXKP042788".into()));
        assert_eq!(validate(vin, "1m8gdm9axkp042788"), Some("1M8GDM9AXKP042788".into()));
        assert_eq!(validate(vin, "5GZCZ43D13S812715"), Some("5GZCZ43D13S812715".into()));
        for other in [
            "1M8GDM9A0KP042788",
            "1M8GDM9AXKP04278",
            "11111111111111111",
            "IM8GDM9AXKP042788",
            "1M8GDM9AXKP0427888",
            "",
        ] {
            assert_eq!(validate(vin, other), None, "{other}");
        }
    }
}
