//! The objects that are shadowtap's own: `ai`, and what stands in `alert.context.shadowtap` (docs/contracts.md). In:
//! events; out: what serde writes of them. An event's own serialised form is the spool's, and has every field.

use std::net::IpAddr;

use serde::Serialize;

use crate::event::{
    Ai, Alert, Bytes, Client, ClientKind, Confidence, Content, Device, DeviceState, Evidence, Finding, IdentifierType,
    Leg, Operation, Service, User,
};

#[derive(Serialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct AiObject<'a> {
    id: &'a str,
    part: u32,
    r#final: bool,
    service: &'a Service,
    evidence: &'a [Evidence],
    client: ClientObject<'a>,
    device: DeviceObject<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a User>,
    #[serde(skip_serializing_if = "<[Leg]>::is_empty")]
    legs: &'a [Leg],
    operation: Operation,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    bytes: Bytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a Content>,
}

impl<'a> AiObject<'a> {
    pub(super) fn of(ai: &'a Ai) -> Self {
        Self {
            id: &ai.id,
            part: ai.part,
            r#final: ai.r#final,
            service: &ai.service,
            evidence: &ai.evidence,
            client: ClientObject::of(&ai.client),
            device: DeviceObject::of(&ai.device),
            user: ai.user.as_ref(),
            legs: &ai.legs,
            operation: ai.operation,
            model: ai.model.as_deref(),
            bytes: ai.bytes,
            content: ai.content.as_ref(),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct ClientObject<'a> {
    kind: ClientKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
}

impl<'a> ClientObject<'a> {
    fn of(client: &'a Client) -> Self {
        Self { kind: client.kind, product: client.product.as_deref(), version: client.version.as_deref() }
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct DeviceObject<'a> {
    address: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    department: Option<&'a str>,
    state: DeviceState,
    reasons: &'a [String],
}

impl<'a> DeviceObject<'a> {
    fn of(device: &'a Device) -> Self {
        Self {
            address: device.address,
            mac: device.mac.as_deref(),
            hostname: device.hostname.as_deref(),
            department: device.department.as_deref(),
            state: device.state,
            reasons: &device.reasons,
        }
    }
}

/// A finding, as `alert.context.shadowtap.findings` and `scan` spell it.
#[derive(Serialize)]
pub struct FindingObject<'a> {
    r#type: IdentifierType,
    start: u64,
    end: u64,
    path: &'a str,
    confidence: Confidence,
    masked: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<&'a str>,
    reasons: &'a [String],
}

impl<'a> FindingObject<'a> {
    #[must_use]
    pub fn of(finding: &'a Finding) -> Self {
        Self {
            r#type: finding.identifier,
            start: finding.start,
            end: finding.end,
            path: &finding.path,
            confidence: finding.confidence,
            masked: finding.masked.as_str(),
            fingerprint: finding.fingerprint.as_deref(),
            reasons: &finding.reasons,
        }
    }
}

#[derive(Serialize)]
pub(super) struct AlertObject<'a> {
    action: &'static str,
    gid: u32,
    signature_id: u32,
    rev: u32,
    signature: &'a str,
    category: &'static str,
    severity: u8,
    context: Context<'a>,
}

#[derive(Serialize)]
struct Context<'a> {
    shadowtap: AlertContext<'a>,
}

#[derive(Serialize)]
struct AlertContext<'a> {
    id: &'a str,
    revision: u32,
    r#final: bool,
    policy: &'a str,
    count: u64,
    individuals: [u64; 2],
    next_steps: &'a str,
    ai: AiObject<'a>,
    findings: Vec<FindingObject<'a>>,
}

impl<'a> AlertObject<'a> {
    pub(super) fn of(alert: &'a Alert) -> Self {
        Self {
            action: "allowed",
            gid: 1,
            signature_id: alert.signature_id,
            rev: alert.rev,
            signature: &alert.signature,
            category: "Shadow AI",
            severity: alert.severity.number(),
            context: Context {
                shadowtap: AlertContext {
                    id: &alert.id,
                    revision: alert.revision,
                    r#final: alert.r#final,
                    policy: &alert.policy,
                    count: alert.count,
                    individuals: alert.individuals,
                    next_steps: &alert.next_steps,
                    ai: AiObject::of(&alert.ai),
                    findings: alert.findings.iter().map(FindingObject::of).collect(),
                },
            },
        }
    }
}
