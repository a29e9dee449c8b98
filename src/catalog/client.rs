//! Which software spoke, by user agent and by the names of headers. In: request head; out: a [`Client`] whose product
//! is a word of ours, never of the wire, and whose version is at most three short numbers, so that nothing that was
//! planted in a user agent leaves memory. Does not: tell the vendor of a request: an SDK of one vendor talks to the
//! compatible hosts of many, so the host says that.

use crate::event::{Client, ClientKind};

/// A known client: the user agent begins with `start`, and its version follows.
struct Known {
    start: &'static str,
    kind: ClientKind,
    product: &'static str,
}

const fn sdk(start: &'static str, product: &'static str) -> Known {
    Known { start, kind: ClientKind::Sdk, product }
}
const fn agent(start: &'static str, product: &'static str) -> Known {
    Known { start, kind: ClientKind::Agent, product }
}
const fn ide(start: &'static str, product: &'static str) -> Known {
    Known { start, kind: ClientKind::Ide, product }
}
const fn cli(start: &'static str, product: &'static str) -> Known {
    Known { start, kind: ClientKind::Cli, product }
}

/// First match wins.
const BY_START: &[Known] = &[
    sdk("OpenAI/Python ", "openai-python"),
    sdk("AsyncOpenAI/Python ", "openai-python"),
    sdk("AzureOpenAI/Python ", "openai-python"),
    sdk("AsyncAzureOpenAI/Python ", "openai-python"),
    sdk("OpenAI/JS ", "openai-js"),
    sdk("AzureOpenAI/JS ", "openai-js"),
    agent("Agents/Python ", "openai-agents"),
    sdk("Anthropic/Python ", "anthropic-python"),
    sdk("AsyncAnthropic/Python ", "anthropic-python"),
    sdk("AnthropicBedrock/Python ", "anthropic-python"),
    sdk("AsyncAnthropicBedrock/Python ", "anthropic-python"),
    sdk("AnthropicVertex/Python ", "anthropic-python"),
    sdk("AsyncAnthropicVertex/Python ", "anthropic-python"),
    sdk("Anthropic/JS ", "anthropic-js"),
    agent("claude-cli/", "claude-code"),
    agent("claude-code/", "claude-code"),
    agent("codex_exec/", "codex"),
    agent("codex_cli_rs/", "codex"),
    agent("codex-tui/", "codex"),
    agent("codex_tui/", "codex"),
    agent("codex-mcp-client/", "codex"),
    ide("codex_vscode/", "codex"),
    agent("GeminiCLI/", "gemini-cli"),
    agent("GeminiCLI-", "gemini-cli"),
    sdk("google-genai-sdk/", "google-genai"),
    agent("copilot/", "copilot-cli"),
    agent("copilot-cli/", "copilot-cli"),
    agent("GitHubCopilotCLI/", "copilot-cli"),
    agent("copilot-developer-action/", "copilot-cli"),
    ide("GithubCopilotChat/", "github-copilot"),
    ide("GitHubCopilotChat/", "github-copilot"),
    ide("GithubCopilot/", "github-copilot"),
    agent("opencode/", "opencode"),
    ide("connect-es/", "cursor"),
    ide("Continue/", "continue"),
    sdk("ai-sdk/", "vercel-ai-sdk"),
    sdk("ai/", "vercel-ai-sdk"),
    sdk("litellm/", "litellm"),
    sdk("langchainjs-", "langchain-js"),
    sdk("pydantic-ai/", "pydantic-ai"),
    sdk("mistral-client-python/", "mistral-python"),
    sdk("mistral-client-typescript/", "mistral-js"),
    sdk("Groq/Python ", "groq-python"),
    sdk("AsyncGroq/Python ", "groq-python"),
    sdk("Groq/JS ", "groq-js"),
    sdk("cohere/", "cohere"),
    sdk("cohere-ai/", "cohere"),
    sdk("Together/Python ", "together-python"),
    sdk("Together/JS ", "together-js"),
    sdk("Cerebras/Python ", "cerebras-python"),
    sdk("Cerebras/JS ", "cerebras-js"),
    sdk("Fireworks/Python ", "fireworks-python"),
    sdk("replicate-python/", "replicate-python"),
    sdk("replicate-javascript/", "replicate-js"),
    sdk("@huggingface/inference/", "huggingface-js"),
    sdk("ollama-python/", "ollama-python"),
    sdk("ollama-js/", "ollama-js"),
    cli("ollama/", "ollama"),
    sdk("AI21 studio SDK ", "ai21"),
    sdk("elevenlabs/", "elevenlabs"),
    sdk("deepgram-sdk/", "deepgram"),
    sdk("azsdk-", "azure-sdk"),
    sdk("Boto3/", "boto3"),
    sdk("aws-sdk-", "aws-sdk"),
    sdk("grpc-python/", "grpc-python"),
    sdk("python-httpx2/", "python-httpx"),
    sdk("python-httpx/", "python-httpx"),
    sdk("python-requests/", "python-requests"),
    sdk("Python-urllib/", "python-urllib"),
    sdk("Go-http-client/", "go"),
    sdk("okhttp/", "okhttp"),
    sdk("node", "node"),
    sdk("undici", "node"),
    sdk("axios/", "axios"),
    sdk("Bun/", "bun"),
    cli("curl/", "curl"),
    cli("Wget/", "wget"),
];

/// Told by a word anywhere in the user agent.
const BY_WORD: &[Known] = &[
    sdk("hf_hub/", "huggingface-python"),
    sdk("AssemblyAI/", "assemblyai"),
    sdk("api/bedrock-runtime#", "aws-sdk"),
    sdk(" ai-sdk/", "vercel-ai-sdk"),
    sdk(" aiohttp/", "python-aiohttp"),
    sdk(" websockets/", "python-websockets"),
];

/// Browsers, those that also name the one they are made of first.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg/", "edge"),
    ("OPR/", "opera"),
    ("Firefox/", "firefox"),
    ("HeadlessChrome/", "chrome"),
    ("Chrome/", "chrome"),
    ("CriOS/", "chrome"),
    ("FxiOS/", "firefox"),
    ("Version/", "safari"),
];

/// Headers that only certain clients send, in lower case.
const BY_HEADER: &[(&str, ClientKind, Option<&str>)] = &[
    ("x-cursor-client-version", ClientKind::Ide, Some("cursor")),
    ("editor-version", ClientKind::Ide, Some("github-copilot")),
    ("copilot-integration-id", ClientKind::Ide, Some("github-copilot")),
    ("originator", ClientKind::Agent, Some("codex")),
    ("oai-device-id", ClientKind::Browser, None),
    ("anthropic-client-platform", ClientKind::Browser, None),
    ("mcp-session-id", ClientKind::Agent, None),
    ("x-stainless-lang", ClientKind::Sdk, None),
];

/// Longest user agent that is searched, in bytes; what follows tells no more.
const MAX_USER_AGENT_BYTES: usize = 512;

/// The client of a request. `header_names` are in lower case, as [`crate::protocol::RequestHead`] has them.
#[must_use]
pub fn of_request(user_agent: Option<&str>, header_names: &[String]) -> Client {
    let by_agent = user_agent.map(of_user_agent).unwrap_or_default();
    if by_agent.kind != ClientKind::Unknown {
        return by_agent;
    }
    BY_HEADER
        .iter()
        .find(|(name, _, _)| header_names.iter().any(|header| header == name))
        .map(|(_, kind, product)| Client { kind: *kind, product: product.map(str::to_owned), version: None })
        .unwrap_or_default()
}

fn of_user_agent(text: &str) -> Client {
    let text = cut(text.trim_ascii(), MAX_USER_AGENT_BYTES);
    let known = BY_START.iter().find_map(|known| Some((known, text.strip_prefix(known.start)?)));
    let known = known.or_else(|| BY_WORD.iter().find_map(|known| Some((known, text.split_once(known.start)?.1))));
    if let Some((known, rest)) = known {
        // `GeminiCLI-a2a/0.61.0`, `azsdk-python-ai-inference/1.0`: the version stands after the slash.
        let rest = if known.start.ends_with('-') { rest.split_once('/').map_or(rest, |(_, rest)| rest) } else { rest };
        return Client { kind: known.kind, product: Some(known.product.to_owned()), version: version(rest) };
    }
    if !text.starts_with("Mozilla/") {
        return Client::default();
    }
    let browser = BROWSERS.iter().find_map(|(word, product)| Some((product, text.split_once(word)?.1)));
    Client {
        kind: ClientKind::Browser,
        product: browser.map(|(product, _)| (*product).to_owned()),
        version: browser.and_then(|(_, rest)| version(rest)),
    }
}

/// At most three numbers of at most three digits each. What is longer is cut: a version is short, a planted number
/// may not be.
fn version(rest: &str) -> Option<String> {
    const MAX_NUMBERS: usize = 3;
    const MAX_DIGITS: usize = 3;
    // `156.0.10`, `0.115.0`; with more it could be somebody's number in parts.
    const MAX_DIGITS_IN_ALL: usize = 6;
    let text = rest.split(|character: char| !character.is_ascii_digit() && character != '.').next().unwrap_or_default();
    let mut digits = 0;
    let fits = |number: &&str| {
        digits += number.len();
        (1..=MAX_DIGITS).contains(&number.len()) && digits <= MAX_DIGITS_IN_ALL
    };
    let numbers: Vec<&str> = text.split('.').take(MAX_NUMBERS).take_while(fits).collect();
    (!numbers.is_empty()).then(|| numbers.join("."))
}

fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_known_by_their_user_agent() {
        use ClientKind as K;
        for (user_agent, kind, product, version) in [
            ("OpenAI/Python 3.54.0", K::Sdk, Some("openai-python"), Some("3.54.0")),
            ("AsyncAnthropic/Python 2.12.0", K::Sdk, Some("anthropic-python"), Some("2.12.0")),
            ("claude-cli/2.1.197 (external, cli)", K::Agent, Some("claude-code"), Some("2.1.197")),
            ("codex_exec/0.169.0 (Linux)", K::Agent, Some("codex"), Some("0.169.0")),
            ("GeminiCLI-a2a/0.61.0/gemini", K::Agent, Some("gemini-cli"), Some("0.61.0")),
            ("GitHubCopilotChat/0.40.1", K::Ide, Some("github-copilot"), Some("0.40.1")),
            ("unknown/None; hf_hub/1.33.0; python/3.11", K::Sdk, Some("huggingface-python"), Some("1.33.0")),
            ("azsdk-python-ai-inference/1.0.0b9 Python/3.11", K::Sdk, Some("azure-sdk"), Some("1.0.0")),
            ("Python/3.11 websockets/17.4", K::Sdk, Some("python-websockets"), Some("17.4")),
            ("langchainjs-openai", K::Sdk, Some("langchain-js"), None),
            ("curl/7.88.1", K::Cli, Some("curl"), Some("7.88.1")),
            ("node", K::Sdk, Some("node"), None),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36",
                K::Browser,
                Some("chrome"),
                Some("156.0.0"),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36 Edg/156.0.2957.140",
                K::Browser,
                Some("edge"),
                Some("156.0"),
            ),
            ("Mozilla/5.0 (X11; rv:147.0) Gecko/20100101 Firefox/147.0", K::Browser, Some("firefox"), Some("147.0")),
            ("Mozilla/5.0 (compatible)", K::Browser, None, None),
            ("SomethingElse/9", K::Unknown, None, None),
            ("", K::Unknown, None, None),
        ] {
            let client = of_request(Some(user_agent), &[]);
            assert_eq!(
                (client.kind, client.product.as_deref(), client.version.as_deref()),
                (kind, product, version),
                "{user_agent}"
            );
        }
    }

    #[test]
    fn a_header_tells_a_client_whose_user_agent_does_not() {
        let headers = ["host".to_owned(), "x-stainless-lang".to_owned()];
        assert_eq!(of_request(Some("whatever"), &headers).kind, ClientKind::Sdk);
        assert_eq!(of_request(None, &headers).kind, ClientKind::Sdk);
        assert_eq!(of_request(Some("curl/8.1"), &headers).kind, ClientKind::Cli);
    }

    #[test]
    fn numbers_planted_as_a_version_do_not_pass() {
        let parted = of_request(Some("curl/536.228.741"), &[]).version.unwrap_or_default();
        assert!(parted.bytes().filter(u8::is_ascii_digit).count() <= 6, "{parted}");
        for planted in ["curl/536228741", "curl/536-22-8741", "OpenAI/Python 536.22.8741", "curl/5555550123.1"] {
            let version = of_request(Some(planted), &[]).version.unwrap_or_default();
            assert!(version.bytes().filter(u8::is_ascii_digit).count() <= 5, "{planted} gave {version}");
        }
        let long = format!("Mozilla/5.0 {}", "é".repeat(5000));
        assert_eq!(of_request(Some(&long), &[]).kind, ClientKind::Browser);
    }
}
