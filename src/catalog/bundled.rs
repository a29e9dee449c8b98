//! The catalogue that the binary carries: `signatures/providers/*.yaml`. A test names a file that is missing here.

use crate::yaml::Source;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$((concat!("signatures/providers/", $name), include_str!(concat!("../../signatures/providers/", $name)))),*]
    };
}

/// Name and text of each file.
pub(super) const FILES: &[(&str, &str)] = files![
    "agents.yaml",
    "aggregators.yaml",
    "amazon.yaml",
    "anthropic.yaml",
    "chat.yaml",
    "clinical.yaml",
    "cloud.yaml",
    "coding.yaml",
    "companions.yaml",
    "google.yaml",
    "image.yaml",
    "meetings.yaml",
    "microsoft.yaml",
    "model-apis.yaml",
    "openai.yaml",
    "productivity.yaml",
    "scribes.yaml",
    "search.yaml",
    "self-hosted.yaml",
    "video.yaml",
    "voice.yaml",
    "writing.yaml",
];

pub(super) fn sources() -> Vec<Source> {
    FILES.iter().map(|(name, text)| Source::new(*name, *text)).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_file_of_the_folder_is_carried() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/signatures/providers");
        let mut there: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".yaml"))
            .map(|name| format!("signatures/providers/{name}"))
            .collect();
        there.sort();
        let carried: Vec<&str> = super::FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(carried, there);
    }
}
