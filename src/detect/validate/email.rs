//! E-mail address (RFC 5321, the part that is in use). Domains kept for documentation (RFC 2606) and addresses of no
//! person (`info@`, `noreply@`) are refused.

use super::{Accepted, Context};

const NO_DOMAIN: &[&str] = &["example.com", "example.org", "example.net"];
const NO_TOP_LEVEL: &[&str] = &["example", "test", "invalid", "localhost"];

/// Names of desks and machines.
const NOBODY: &[&str] = &[
    "admin",
    "billing",
    "careers",
    "compliance",
    "contact",
    "enquiries",
    "feedback",
    "git",
    "hello",
    "help",
    "helpdesk",
    "hr",
    "inquiries",
    "info",
    "jobs",
    "mail",
    "marketing",
    "media",
    "news",
    "newsletter",
    "name",
    "no-reply",
    "notifications",
    "do-not-reply",
    "donotreply",
    "noreply",
    "office",
    "orders",
    "postmaster",
    "press",
    "privacy",
    "sales",
    "security",
    "service",
    "services",
    "support",
    "team",
    "test",
    "user",
    "webmaster",
    "you",
    "your.name",
    "yourname",
    "first.last",
    "firstname.lastname",
    "foo",
    "root",
    "someone",
    "somebody",
];

pub(super) fn email(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let value = std::str::from_utf8(value).ok()?.to_ascii_lowercase();
    let (local, domain) = value.split_once('@')?;
    let top_level = domain.rsplit('.').next()?;
    let well_formed = !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
        && domain.contains('.')
        && top_level.len() >= 2
        && top_level.bytes().all(|byte| byte.is_ascii_alphabetic());
    let reserved = NO_TOP_LEVEL.contains(&top_level)
        || NO_DOMAIN
            .iter()
            .any(|no| domain.strip_suffix(no).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    if !well_formed || reserved || NOBODY.contains(&local) {
        return None;
    }
    Accepted::new(value.bytes(), "an address of a usable domain")
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn addresses_of_people_are_taken_in_any_case() {
        assert_eq!(
            validate(email, "Tyrone_Green+1@Mail.Hospital.ORG"),
            Some("tyrone_green+1@mail.hospital.org".into())
        );
    }

    #[test]
    fn documentation_desks_and_broken_forms_are_refused() {
        for other in [
            "jane@example.org",
            "jane@mail.example.com",
            "jane@host.test",
            "noreply@hospital.org",
            "info@hospital.org",
            ".jane@hospital.org",
            "ja..ne@hospital.org",
            "jane@hospital",
            "jane@-x.org",
            "jane@hospital.c0m",
            "jane",
        ] {
            assert_eq!(validate(email, other), None, "{other}");
        }
        assert!(validate(email, "jane@notexample.org").is_some());
    }
}
