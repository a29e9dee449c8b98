//! Numbers by the public rules of their issuers, check digits included. All are drawn by chance; none is looked up.

use crate::testkit::random::Random;

/// So many decimal digits.
pub(super) fn digits(random: &mut Random, count: usize) -> String {
    (0..count).map(|_| char::from(b'0' + random.below(10) as u8)).collect()
}

/// So many characters out of `alphabet`.
pub(super) fn letters(random: &mut Random, alphabet: &str, count: usize) -> String {
    (0..count).map(|_| char::from(alphabet.as_bytes()[random.below(alphabet.len())])).collect()
}

/// Area, group and serial as the Social Security Administration may issue them.
pub(super) fn ssn(random: &mut Random) -> [String; 3] {
    let area = match random.between(1, 898) {
        666 => 899,
        area => area,
    };
    [format!("{area:03}"), format!("{:02}", random.between(1, 99)), format!("{:04}", random.between(1, 9999))]
}

/// The digit that makes the Luhn sum of all a multiple of ten.
pub(super) fn luhn(digits: &str) -> u64 {
    let value = |(index, digit): (usize, u8)| match (index % 2, u64::from(digit - b'0')) {
        (0, digit) if digit > 4 => 2 * digit - 9,
        (0, digit) => 2 * digit,
        (_, digit) => digit,
    };
    let sum: u64 = digits.bytes().rev().enumerate().map(value).sum();
    (10 - sum % 10) % 10
}

/// A National Provider Identifier: Luhn over the prefix 80840 of ISO 7812.
pub(super) fn npi(random: &mut Random) -> String {
    let number = format!("{}{}", random.between(1, 2), digits(random, 8));
    let check = luhn(&format!("80840{number}"));
    format!("{number}{check}")
}

/// A payment card's number of 16 digits.
pub(super) fn card(random: &mut Random) -> String {
    let number = format!("4{}", digits(random, 14));
    let check = luhn(&number);
    format!("{number}{check}")
}

/// A Medicare Beneficiary Identifier of 11 characters: C A AN N A AN N A A N N (CMS), without S L O I B Z.
pub(super) fn mbi(random: &mut Random) -> String {
    const LETTERS: &str = "ACDEFGHJKMNPQRTUVWXY";
    let position = |place: char, random: &mut Random| match place {
        'C' => letters(random, "123456789", 1),
        'A' => letters(random, LETTERS, 1),
        'N' => digits(random, 1),
        _ => letters(random, "0123456789ACDEFGHJKMNPQRTUVWXY", 1),
    };
    "CAXNAXNAANN".chars().map(|place| position(place, random)).collect()
}

/// A registration number of the Drug Enforcement Administration, for a holder of this surname.
pub(super) fn dea(random: &mut Random, family: &str) -> String {
    let number = digits(random, 6);
    let of = |indices: [usize; 3]| indices.iter().map(|index| u64::from(number.as_bytes()[*index] - b'0')).sum::<u64>();
    let check = (of([0, 2, 4]) + 2 * of([1, 3, 5])) % 10;
    let initial = family.chars().next().filter(char::is_ascii_alphabetic).unwrap_or('9').to_ascii_uppercase();
    format!("{}{initial}{number}{check}", letters(random, "ABFM", 1))
}

/// A vehicle identification number with its check digit.
pub(super) fn vin(random: &mut Random) -> String {
    let mut number = letters(random, "12345JKW", 1);
    number += &letters(random, "ABCDEFGHJKLMNPRSTUVWXYZ0123456789", 10);
    number += &digits(random, 6);
    let check = vin_check(&number);
    number.replace_range(8..9, check.encode_utf8(&mut [0; 4]));
    number
}

/// What stands at the ninth place of a vehicle identification number (49 CFR 565).
pub(super) fn vin_check(number: &str) -> char {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let value = |letter: u8| match letter {
        b'0'..=b'9' => u32::from(letter - b'0'),
        b'A'..=b'H' => u32::from(letter - b'A') + 1,
        b'J'..=b'R' => u32::from(letter - b'J') + 1,
        _ => u32::from(letter - b'S') + 2,
    };
    let sum: u32 = number.bytes().zip(WEIGHTS).map(|(letter, weight)| value(letter) * weight).sum();
    char::from_digit(sum % 11, 10).unwrap_or('X')
}

/// A GS1 trade number of 14 digits.
pub(super) fn gtin(random: &mut Random) -> String {
    let number = format!("0{}", digits(random, 12));
    let weigh = |(index, digit): (usize, u8)| u64::from(digit - b'0') * if index % 2 == 0 { 3 } else { 1 };
    let sum: u64 = number.bytes().enumerate().map(weigh).sum();
    format!("{number}{}", (10 - sum % 10) % 10)
}

/// A telephone number's exchange and line under the North American plan; the area comes from the city.
pub(super) fn exchange(random: &mut Random) -> [String; 2] {
    let exchange = match random.between(220, 989) {
        taken if taken % 100 == 11 || taken == 555 => taken + 1,
        free => free,
    };
    [exchange.to_string(), digits(random, 4)]
}

/// Digits as somebody says them.
pub(super) fn spoken(number: &str) -> String {
    const WORDS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let said = |letter: char| match letter.to_digit(10) {
        Some(digit) => WORDS[digit as usize].to_owned(),
        None => letter.to_string(),
    };
    let said: Vec<String> = number.chars().filter(char::is_ascii_alphanumeric).map(said).collect();
    said.join(" ")
}
