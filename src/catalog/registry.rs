//! What the site decided about AI services (`registry.yaml`): allowed use, agreement, owner, purpose, until when.
//! In: the file; out: a decision per service id, or every fault with its place. An approval ends with the day of
//! `expires` (then the service is unreviewed again), an agreement with that of `baa_expires`, both in UTC packet time.

use serde::{Deserialize, Serialize};

use crate::{
    event::{Baa, ServiceStatus, Timestamp},
    yaml::{Fault, Located, Source, did_you_mean},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRegistry {
    #[serde(default)]
    default: Defaults,
    #[serde(default)]
    services: Vec<RawDecision>,
}

/// What holds for services without an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Defaults {
    pub status: ServiceStatus,
    pub baa: Baa,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDecision {
    id: Located<String>,
    status: Option<ServiceStatus>,
    baa: Option<Baa>,
    owner: Option<String>,
    purpose: Option<String>,
    expires: Option<Located<String>>,
    baa_expires: Option<Located<String>>,
}

/// The site's word on one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub status: ServiceStatus,
    pub baa: Baa,
    /// Who answers for the use.
    pub owner: Option<String>,
    pub purpose: Option<String>,
    /// First moment at which the approval no longer holds.
    pub approval_ends: Option<Timestamp>,
    /// First moment at which the agreement no longer holds.
    pub baa_ends: Option<Timestamp>,
}

impl Decision {
    pub(super) fn of_defaults(defaults: Defaults) -> Self {
        let Defaults { status, baa } = defaults;
        Self { status, baa, owner: None, purpose: None, approval_ends: None, baa_ends: None }
    }

    /// Status at `time`: what was sanctioned or tolerated is unreviewed once the approval ended.
    #[must_use]
    pub fn status_at(&self, time: Timestamp) -> ServiceStatus {
        match self.status {
            ServiceStatus::Sanctioned | ServiceStatus::Tolerated if ended(self.approval_ends, time) => {
                ServiceStatus::Unreviewed
            }
            status => status,
        }
    }

    /// Agreement at `time`.
    #[must_use]
    pub fn baa_at(&self, time: Timestamp) -> Baa {
        match self.baa {
            Baa::Signed if ended(self.baa_ends, time) => Baa::Expired,
            baa => baa,
        }
    }
}

fn ended(end: Option<Timestamp>, time: Timestamp) -> bool {
    end.is_some_and(|end| time >= end)
}

/// Decisions by place in `ids`; those without an entry get the defaults.
pub(super) fn load(source: &Source, ids: &[&str]) -> Result<Vec<Decision>, Vec<Fault>> {
    let raw: RawRegistry = source.parse().map_err(|fault| vec![fault])?;
    let mut faults = Vec::new();
    let mut decisions = vec![Decision::of_defaults(raw.default); ids.len()];
    let mut decided: Vec<Option<&Located<String>>> = vec![None; ids.len()];
    for entry in &raw.services {
        let Some(place) = ids.iter().position(|id| *id == entry.id.value) else {
            let hint = did_you_mean(&entry.id, ids.iter().copied());
            let message = format!("unknown service {:?}{hint} (`shadowtap catalog list` names all)", entry.id.value);
            faults.push(source.fault(entry.id.at, message));
            continue;
        };
        let (Some(decision), Some(first)) = (decisions.get_mut(place), decided.get_mut(place)) else { continue };
        if let Some(first) = first {
            let message = format!("duplicate service id {:?}, first used in line {}", entry.id.value, first.at.line);
            faults.push(source.fault(entry.id.at, message));
            continue;
        }
        *first = Some(&entry.id);
        let mut end = |date: &Option<Located<String>>| match date.as_ref().map(|date| end_of_day(date)) {
            None => None,
            Some(Ok(end)) => Some(end),
            Some(Err(message)) => {
                faults.push(source.fault(date.as_ref().map(|date| date.at).unwrap_or_default(), message));
                None
            }
        };
        *decision = Decision {
            status: entry.status.unwrap_or(raw.default.status),
            baa: entry.baa.unwrap_or(raw.default.baa),
            owner: entry.owner.clone(),
            purpose: entry.purpose.clone(),
            approval_ends: end(&entry.expires),
            baa_ends: end(&entry.baa_expires),
        };
    }
    if faults.is_empty() { Ok(decisions) } else { Err(faults) }
}

/// The first moment after the day that `date` names, in UTC.
fn end_of_day(date: &str) -> Result<Timestamp, String> {
    let not_a_date = || format!("{date:?} is not a date, such as 2027-12-31");
    // A date alone: the parser would also take a date with a time and drop the time unseen.
    if date.len() != "2027-12-31".len() {
        return Err(not_a_date());
    }
    let day: jiff::civil::Date = date.parse().map_err(|_| not_a_date())?;
    let next = day.tomorrow().and_then(|next| next.to_zoned(jiff::tz::TimeZone::UTC)).map_err(|_| not_a_date())?;
    u64::try_from(next.timestamp().as_nanosecond()).map(Timestamp).map_err(|_| not_a_date())
}
