//! JSON Schemas of the events that are shadowtap's own (feature `testkit`; docs/schemas/). In: the types that write the
//! lines; out: closed schemas of draft 7, as Suricata's own of the other events is.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use super::{
    ai::AiObject,
    line::{FlowFields, Line},
};
use crate::event::SensorEvent;

/// Of a line of `ai_activity`.
#[must_use]
pub fn ai_activity() -> Value {
    let mut schema = line::<AiObject<'_>>("ai_activity", "ai");
    schema["description"] = json!("One exchange with an AI service, or a part of an encrypted session with one.");
    let of_flows = of::<FlowFields<'_>>()["required"].as_array().cloned().unwrap_or_default();
    if let Some(required) = schema["required"].as_array_mut() {
        required.extend(of_flows);
    }
    schema["properties"]["flow_id"]["maximum"] = json!((1_u64 << 53) - 1);
    schema
}

/// Of a line of `sensor`, which is of no flow.
#[must_use]
pub fn sensor() -> Value {
    let mut schema = line::<SensorEvent>("sensor", "sensor");
    schema["description"] = json!("How the sensor does; counts are since its start.");
    let of_flows = of::<FlowFields<'_>>();
    if let (Some(properties), Some(flow)) = (schema["properties"].as_object_mut(), of_flows["properties"].as_object()) {
        properties.retain(|name, _| !flow.contains_key(name) && name != "app_proto");
    }
    schema
}

/// The fields of all lines, and `object` under its key.
fn line<T: JsonSchema>(event_type: &str, key: &str) -> Value {
    let mut schema = of::<Line<'_>>();
    let mut object = of::<T>();
    if let Some(object) = object.as_object_mut() {
        object.remove("$schema");
        object.remove("title");
    }
    schema["title"] = json!(format!("{event_type} of shadowtap"));
    schema["properties"]["event_type"] = json!({ "const": event_type });
    schema["properties"]["timestamp"]["pattern"] =
        json!(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}\+0000$");
    schema["properties"][key] = object;
    schema["required"] = json!(["timestamp", "event_type", key]);
    schema["additionalProperties"] = json!(false);
    schema
}

fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().for_serialize().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}
