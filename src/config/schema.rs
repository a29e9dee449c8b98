//! The JSON Schema of the configuration, for editors (feature `testkit`; docs/schemas/configuration.json). In: the types
//! that read the file, with their doc comments and defaults, and the bounds; out: a closed schema of draft 7, which is
//! what editors know best. Does not say: what keys mean together, and what files hold.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{Config, MAX_NAME_BYTES, VERSION, bounds, raw::RawConfig};

/// The schema.
#[must_use]
pub fn schema() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<RawConfig>().to_value();
    schema["title"] = json!("Configuration of shadowtap");
    schema["description"] = json!("Every key has a default; relative paths count from the folder of the file.");
    for bounds::Range { key, least, most, .. } in bounds::ranges(&Config::default()) {
        set(&mut schema, key, "minimum", json!(least));
        set(&mut schema, key, "maximum", json!(most));
    }
    set(&mut schema, "version", "const", json!(VERSION));
    for key in ["sensor.name", "sensor.site"] {
        set(&mut schema, key, "pattern", json!(format!("^[A-Za-z0-9._-]{{1,{MAX_NAME_BYTES}}}$")));
    }
    schema
}

/// Says something more of a key, `section.key` or `key`.
fn set(schema: &mut Value, key: &str, word: &str, value: Value) {
    let pointer: String = key.split('.').map(|part| format!("/properties/{part}")).collect();
    if let Some(of_key) = schema.pointer_mut(&pointer) {
        of_key[word] = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_stands_in_the_schema() {
        let schema = schema();
        for range in bounds::ranges(&Config::default()) {
            let pointer: String = range.key.split('.').map(|part| format!("/properties/{part}")).collect();
            assert_eq!(
                schema.pointer(&pointer).map(|key| key["maximum"].clone()),
                Some(json!(range.most)),
                "{pointer}"
            );
        }
    }
}
