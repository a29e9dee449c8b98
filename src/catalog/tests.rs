//! The catalogue as a whole: the bundled one against its facts, small ones against the rules of matching.

use proptest::prelude::*;

use super::*;
use crate::event::{Baa, BaaOffered, ServiceStatus};

fn bundled() -> Catalog {
    Catalog::load(&Settings::default(), None).unwrap_or_else(|faults| panic!("{}", faults[0]))
}

fn catalog(text: &str) -> Catalog {
    Catalog::from_sources(&[Source::new("p.yaml", text)], None).unwrap_or_else(|faults| panic!("{}", faults[0]))
}

fn id<'c>(catalog: &'c Catalog, host: &str, path: Option<&str>) -> Option<&'c str> {
    catalog.lookup(host, path).map(|found| catalog.entry(found.service).unwrap().id.as_str())
}

#[test]
fn names_of_services_find_them() {
    let catalog = bundled();
    for (host, service) in [
        ("chatgpt.com", "chatgpt"),
        ("www.chatgpt.com", "chatgpt"),
        ("ChatGPT.com.", "chatgpt"),
        ("chatgpt.com:443", "chatgpt"),
        ("chat.openai.com", "chatgpt"),
        ("openai.com", "openai-api"),
        ("api.openai.com", "openai-api"),
        ("eu.api.openai.com", "openai-api"),
        ("api.anthropic.com", "anthropic-api"),
        ("claude.ai", "claude"),
        ("gemini.google.com", "gemini"),
        ("generativelanguage.googleapis.com", "gemini-api"),
        ("us-central1-aiplatform.googleapis.com", "vertex-ai"),
        ("bedrock-runtime.eu-west-1.amazonaws.com", "bedrock"),
        ("contoso.openai.azure.com", "azure-openai"),
        ("copilot.microsoft.com", "microsoft-copilot"),
        ("www.perplexity.ai", "perplexity"),
        ("api.githubcopilot.com", "github-copilot"),
    ] {
        assert_eq!(id(&catalog, host, None), Some(service), "{host}");
    }
}

#[test]
fn names_that_only_look_like_a_service_find_nothing() {
    let catalog = bundled();
    for host in [
        "google.com",
        "www.google.com",
        "accounts.google.com",
        "mail.google.com",
        "googleapis.com",
        "storage.googleapis.com",
        "microsoft.com",
        "www.microsoft.com",
        "login.microsoftonline.com",
        "office.com",
        "outlook.office365.com",
        "teams.microsoft.com",
        "windowsupdate.com",
        "azure.com",
        "portal.azure.com",
        "blob.core.windows.net",
        "amazonaws.com",
        "s3.amazonaws.com",
        "ec2.us-east-1.amazonaws.com",
        "amazon.com",
        "apple.com",
        "icloud.com",
        "github.com",
        "raw.githubusercontent.com",
        "gitlab.com",
        "wikipedia.org",
        "en.wikipedia.org",
        "mozilla.org",
        "debian.org",
        "deb.debian.org",
        "cloudflare.com",
        "cdnjs.cloudflare.com",
        "akamaiedge.net",
        "fastly.net",
        "facebook.com",
        "instagram.com",
        "youtube.com",
        "netflix.com",
        "linkedin.com",
        "nytimes.com",
        "bbc.co.uk",
        "cdc.gov",
        "nih.gov",
        "pubmed.ncbi.nlm.nih.gov",
        "medlineplus.gov",
        "epic.com",
        "example.com",
        "localhost",
        "hospital.example",
        "notopenai.com",
        "evilopenai.com",
        "openai.com.evil.example",
        "chatgpt.com.evil.example",
        "chatgpt.co",
        "xchatgpt.com",
        "fakeclaude.ai",
        "api-openai.com",
        "openai.co",
        "openai",
        "com",
        "192.0.2.7",
        "openаi.com",
        "www.bing.com",
        "duckduckgo.com",
        "api.github.com",
        "us-aiplatform.googleapis.com.evil.example",
        "-aiplatform.googleapis.com",
    ] {
        assert_eq!(id(&catalog, host, None), None, "{host}");
    }
}

#[test]
fn a_path_decides_whose_a_shared_host_is() {
    let catalog = bundled();
    for (host, path, service) in [
        ("chatgpt.com", "/backend-api/f/conversation", Some("chatgpt")),
        ("chatgpt.com", "/backend-api/codex/responses", Some("openai-codex")),
        ("chatgpt.com", "/backend-api/codexes", Some("chatgpt")),
        ("chatgpt.com", "/", Some("chatgpt")),
        ("api.anthropic.com", "/v1/messages?beta=true", Some("anthropic-api")),
        ("api.anthropic.com", "/api/event_logging/v2/batch", Some("claude-code")),
        ("api.githubcopilot.com", "/chat/completions", Some("github-copilot")),
        ("api.githubcopilot.com", "/mcp", Some("mcp-remote-servers")),
        ("github.com", "/", None),
        ("github.com", "/copilot", Some("github-copilot")),
        ("github.com", "/copilots", None),
        ("www.bing.com", "/search", None),
        ("www.bing.com", "/chat", Some("microsoft-copilot")),
        ("duckduckgo.com", "/duckchat/v1/chat", Some("duck-ai")),
        ("api.cloudflare.com", "/client/v4/accounts/9f/ai/run/x", Some("cloudflare-ai")),
        ("api.cloudflare.com", "/client/v4/zones", None),
        ("adb-1.azuredatabricks.net", "/serving-endpoints/x/invocations", Some("databricks")),
        ("adb-1.azuredatabricks.net", "/sql", None),
        ("openai.com.evil.example", "/v1/chat/completions", None),
    ] {
        assert_eq!(id(&catalog, host, Some(path)), service, "{host}{path}");
    }
    let behind = catalog.candidates("github.com");
    assert_eq!(behind.len(), 1);
    assert_eq!(catalog.entry(behind[0]).unwrap().id, "github-copilot");
    assert!(catalog.candidates("chat.openai.com").is_empty());
}

#[test]
fn operations_come_from_path_rules_and_the_families() {
    use Operation as O;
    let catalog = bundled();
    for (host, method, path, operation) in [
        ("chatgpt.com", "POST", "/backend-api/f/conversation", O::Chat),
        ("chatgpt.com", "POST", "/backend-api/files", O::FileUpload),
        ("chatgpt.com", "GET", "/", O::Other),
        ("claude.ai", "POST", "/api/organizations/o/chat_conversations/c/completion", O::Chat),
        ("claude.ai", "POST", "/api/o/upload", O::FileUpload),
        ("claude.ai", "GET", "/api/organizations/o/projects", O::Other),
        ("api.openai.com", "POST", "/v1/embeddings", O::Embedding),
        ("api.openai.com", "GET", "/v1/models", O::ModelList),
        ("api.openai.com", "POST", "/v1/fine_tuning/jobs", O::FineTune),
        ("api.groq.com", "POST", "/openai/v1/chat/completions", O::Chat),
        ("api.anthropic.com", "POST", "/api/event_logging/v2/batch", O::Telemetry),
        ("gemini.google.com", "POST", "/_/BardChatUi/data/assistant.lamda.BardFrontendService/StreamGenerate", O::Chat),
        ("files.oaiusercontent.com", "PUT", "/file-1/raw", O::FileUpload),
        ("files.oaiusercontent.com", "GET", "/file-1/raw", O::Other),
    ] {
        let found = catalog.lookup(host, Some(path));
        assert_eq!(catalog.operation(found.as_ref(), method, path), operation, "{method} {host}{path}");
    }
}

#[test]
fn a_model_server_of_the_sites_own_is_known_by_port_and_path() {
    let catalog = bundled();
    let local = |port, path| catalog.lookup_local(port, path).map(|index| catalog.entry(index).unwrap().id.as_str());
    assert_eq!(local(11434, "/api/chat"), Some("ollama"));
    assert_eq!(local(443, "/api/chat"), None);
    assert_eq!(local(11434, "/index.html"), None);
}

/// The facts this catalogue was made from are not part of the project; where they are at hand, every host is looked up.
#[test]
fn every_host_of_the_reference_finds_its_service() {
    #[derive(Deserialize)]
    struct Reference {
        services: Vec<ReferenceService>,
    }
    #[derive(Deserialize)]
    struct ReferenceService {
        id: String,
        #[serde(default)]
        domains: Vec<Domain>,
    }
    #[derive(Deserialize)]
    struct Domain {
        host: String,
        r#match: HostMatch,
        shared: bool,
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference/ai-providers.yaml");
    let Ok(source) = Source::read(&path) else { return };
    let reference: Reference = source.parse().unwrap();
    let catalog = bundled();
    let mut looked_up = 0;
    for service in &reference.services {
        for domain in &service.domains {
            let host = domain.host.replace('*', "eu-1");
            // A shared host tells nothing without a path, unless another service has it for itself.
            let expected = (!domain.shared).then_some(service.id.as_str());
            let owner = id(&catalog, &host, None);
            if domain.shared {
                let candidates = catalog.candidates(&host);
                assert!(candidates.iter().any(|index| catalog.entry(*index).unwrap().id == service.id), "{host}");
                assert_ne!(owner, Some(service.id.as_str()), "{host}");
            } else {
                assert_eq!(owner, expected, "{host}");
                if domain.r#match == HostMatch::Suffix {
                    let below = format!("tenant-7.{host}");
                    assert_eq!(id(&catalog, &below, None), expected, "{below}");
                }
                assert_eq!(id(&catalog, &format!("not{host}.example"), None), None, "{host}");
            }
            looked_up += 1;
        }
    }
    assert!(looked_up > 1000, "{looked_up}");
}

const SMALL: &str = r#"
services:
  - { id: wide, vendor: V, name: Wide, category: api, hosts: [ { host: example.com, match: suffix, role: app } ] }
  - id: narrow
    vendor: V
    name: Narrow
    category: api
    hosts:
      - { host: "*.api.example.com", match: glob, role: api }
      - { host: deep.api.example.com, match: suffix, role: cdn }
  - { id: one, vendor: V, name: One, category: api, hosts: [ { host: one.deep.api.example.com, match: exact, role: docs } ] }
  - id: guest
    vendor: V
    name: Guest
    category: api
    hosts: [ { host: example.com, match: suffix, role: api, shared: true } ]
    paths:
      - { host: example.com, prefix: /guest, carries: prompt }
      - { host: example.com, prefix: /guest/inner, carries: upload, operation: file_upload }
"#;

#[test]
fn the_most_specific_rule_wins() {
    let catalog = catalog(SMALL);
    for (host, path, service, pattern) in [
        ("example.com", None, "wide", "example.com"),
        ("a.b.c.d.e.f.example.com", None, "wide", "example.com"),
        ("api.example.com", None, "wide", "example.com"),
        ("x.api.example.com", None, "narrow", "*.api.example.com"),
        ("deep.api.example.com", None, "narrow", "deep.api.example.com"),
        ("one.deep.api.example.com", None, "one", "one.deep.api.example.com"),
        ("two.deep.api.example.com", None, "narrow", "deep.api.example.com"),
        ("x.one.deep.api.example.com", None, "narrow", "deep.api.example.com"),
        ("example.com", Some("/"), "wide", "example.com"),
        ("www.example.com", Some("/guest?q=1"), "guest", "example.com"),
        ("x.api.example.com", Some("/guest"), "narrow", "*.api.example.com"),
    ] {
        let found = catalog.lookup(host, path).unwrap();
        assert_eq!(catalog.entry(found.service).unwrap().id, service, "{host} {path:?}");
        assert_eq!(found.pattern, pattern, "{host}");
    }
    assert!(catalog.lookup("notexample.com", None).is_none());
    let inner = catalog.lookup("example.com", Some("/guest/inner/x")).unwrap();
    assert_eq!(
        (inner.carries, inner.operation, inner.shared),
        (Some(Carries::Upload), Some(Operation::FileUpload), true)
    );
}

#[test]
fn the_registry_decides_and_its_dates_end_what_it_allows() {
    let registry = Source::new(
        "registry.yaml",
        "default: { status: unsanctioned }\nservices:\n  - { id: wide, status: sanctioned, baa: signed, owner: Radiology, purpose: drafts, expires: 2027-01-31, baa_expires: 2026-12-31 }\n  - { id: one, status: tolerated }\n",
    );
    let catalog = Catalog::from_sources(&[Source::new("p.yaml", SMALL)], Some(&registry)).unwrap();
    let at = |text: &str| Timestamp(u64::try_from(text.parse::<jiff::Timestamp>().unwrap().as_nanosecond()).unwrap());
    let state = |id: &str, time: &str| {
        let service = catalog.service(catalog.by_id(id).unwrap(), at(time)).unwrap();
        (service.status, service.baa)
    };
    assert_eq!(state("wide", "2026-12-31T23:59:59Z"), (ServiceStatus::Sanctioned, Baa::Signed));
    assert_eq!(state("wide", "2027-01-01T00:00:00Z"), (ServiceStatus::Sanctioned, Baa::Expired));
    assert_eq!(state("wide", "2027-01-31T23:59:59Z"), (ServiceStatus::Sanctioned, Baa::Expired));
    assert_eq!(state("wide", "2027-02-01T00:00:00Z"), (ServiceStatus::Unreviewed, Baa::Expired));
    assert_eq!(state("one", "2027-02-01T00:00:00Z"), (ServiceStatus::Tolerated, Baa::Unknown));
    assert_eq!(state("narrow", "2027-02-01T00:00:00Z"), (ServiceStatus::Unsanctioned, Baa::Unknown));
    let wide = catalog.decision(catalog.by_id("wide").unwrap()).unwrap();
    assert_eq!(wide.owner.as_deref(), Some("Radiology"));
}

#[test]
fn facts_about_agreements_are_carried() {
    let catalog = bundled();
    let offered = |id: &str| catalog.entry(catalog.by_id(id).unwrap()).unwrap().baa_offered;
    assert_eq!(offered("chatgpt"), BaaOffered::No);
    assert_eq!(offered("openai-api"), BaaOffered::EnterpriseOnly);
    assert_eq!(offered("azure-openai"), BaaOffered::Yes);
    assert_eq!(offered("openai-sora"), BaaOffered::Unknown);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_index_finds_what_a_walk_over_all_rules_finds(host in "([a-c]{1,2}\\.){0,4}(example|api\\.example|deep\\.api\\.example|amazonaws)\\.com") {
        let catalog = catalog(SMALL);
        let mut plain: Vec<&str> = Vec::new();
        for service in &catalog.services {
            for rule in &service.hosts {
                if provider::host_matches(&rule.host, rule.r#match, &host) {
                    plain.push(&rule.host);
                }
            }
        }
        let mut indexed: Vec<&str> = Vec::new();
        catalog.index.each(&host, &catalog.services, |_, rule| indexed.push(&rule.host));
        plain.sort_unstable();
        indexed.sort_unstable();
        prop_assert_eq!(plain, indexed);
    }
}
