//! User-Agents for events. In: the field's value; out: its `product/version` tokens whose product is known and whose
//! version is one. Comments and all else are left out: they may name a device or a person.

use std::sync::LazyLock;

use super::{
    numbers::{groups, numbers},
    words::{Run, Words, runs},
};

/// Tokens that are kept.
const MAX_TOKENS: usize = 8;

const MAX_VERSION_BYTES: usize = 24;
/// Digits in a row, and in all groups of a number that is no browser's.
const MAX_RUN: usize = 4;
const MAX_DIGITS: usize = 6;

/// Letters in a version that need no word: `b9`.
const MAX_LETTERS: usize = 2;

/// Words of which names of products are made; what stands between them is a separator.
static PRODUCTS: LazyLock<Words> = LazyLock::new(|| {
    Words::of(&[
        "mozilla applewebkit webkit chrome chromium headlesschrome crios safari mobile version firefox fxios gecko edg \
         edge edga edgios trident msie opr opera opios presto vivaldi brave yabrowser samsungbrowser ucbrowser duckduckgo \
         ddg electron cef webview wv qtwebengine konqueror seamonkey thunderbird waterfox palemoon silk puppeteer playwright \
         selenium cypress lighthouse googlebot bingbot gptbot claudebot perplexitybot oai searchbot chatgpt user \
         curl libcurl wget wget2 aria2 aria httpie lynx links w3m fetch python requests httpx httpx2 aiohttp urllib urllib3 \
         cpython pypy http client httpclient apache go java jersey jetty okhttp retrofit axios node nodejs npm yarn pnpm \
         undici got superagent deno bun ruby faraday rest restsharp php guzzle guzzlehttp symfony perl lwp libwww dotnet \
         net rust reqwest hyper ureq dart flutter swift cfnetwork darwin alamofire urlsession ktor kotlin scala akka \
         elixir hackney finch erlang powershell windowspowershell winhttp microsoft windows update agent delivery \
         optimization cryptoapi bits nsis wininet linux ubuntu debian fedora android ios iphone ipad macos dalvik \
         postmanruntime insomnia bruno soapui hoppscotch k6 jmeter locust ab hey wrk vegeta loadrunner openssl gnutls \
         mbedtls nghttp2 quiche ngtcp2 grpc c core cpp csharp connect es protobuf gax gl gccl gapic gdcl google api \
         cloud genai sdk vertex openai azureopenai asyncopenai asyncazureopenai agents anthropic asyncanthropic \
         anthropicbedrock asyncanthropicbedrock anthropicvertex asyncanthropicvertex claude cli code desktop codex \
         exec rs tui vscode mcp inspector geminicli gemini a2a copilot githubcopilotcli githubcopilotchat githubcopilot \
         developer action opencode continue cursor windsurf codeium cline roo aider zed jetbrains intellij idea pycharm \
         webstorm visualstudio ai litellm langchain langchainjs langgraph langsmith llamaindex llama index cpp \
         haystack dspy crewai autogen semantic kernel pydantic instructor mistral typescript groq asyncgroq cohere \
         together asynctogether cerebras fireworks replicate javascript js huggingface hf hub inference transformers \
         datasets ollama lmstudio vllm sglang localai openrouter perplexity deepseek ai21 elevenlabs deepgram \
         assemblyai azsdk azure identity boto3 botocore aws bedrock runtime s3 lang ua md os exec env cfg crt sagemaker \
         snowflake databricks splunk elastic filebeat logstash fluentd fluent bit vector prometheus grafana loki \
         otel opentelemetry otlp exporter sentry datadog newrelic dynatrace zabbix nagios rclone git lfs github gitlab \
         docker containerd podman kubectl kube helm terraform ansible vagrant jenkins apt dnf yum pip pipenv poetry uv \
         conda cargo gem composer maven gradle nuget homebrew brew snapd snap flatpak packagekit debian transmission \
         office word excel powerpoint outlook onenote teams skype onedrive sharepoint slack discord zoom webex notion \
         obsidian grammarly figma acrobat adobe adobeair vlc mpv ffmpeg lavf libavformat gstreamer applecoremedia \
         stagefright exoplayer spotify itunes appstore trustd nsurlsessiond hl7 fhir hapi dcmtk orthanc pynetdicom \
         dcm4che mirth nextgen epic cerner test shadowtap suricata nmap nikto zgrab masscan gobuster sqlmap burp zap",
    ])
});

/// Words that a version may hold.
static RELEASES: LazyLock<Words> = LazyLock::new(|| {
    Words::of(&[
        "alpha beta rc dev post pre preview final release snapshot nightly canary stable lts esr next git build \
         ubuntu debian deb fc el none unknown",
    ])
});

/// A User-Agent: its known `product/version` tokens.
#[must_use]
pub fn user_agent(value: &str) -> String {
    value.split_ascii_whitespace().filter(|token| is_product(token)).take(MAX_TOKENS).collect::<Vec<_>>().join(" ")
}

fn is_product(token: &str) -> bool {
    token
        .split_once('/')
        .is_some_and(|(product, version)| is_known(product.as_bytes()) && is_version(version.as_bytes()))
}

fn is_known(product: &[u8]) -> bool {
    let parted = |byte: &u8| matches!(byte, b'-' | b'_' | b'.' | b'@');
    product.split(parted).skip_while(|part| part.is_empty()).all(|part| PRODUCTS.hold_in_any_case(part))
        && product.iter().any(u8::is_ascii_alphabetic)
}

fn is_version(version: &[u8]) -> bool {
    let number = version.strip_prefix(b"v").unwrap_or(version);
    let word = |(run, text): (Run, &[u8])| match run {
        Run::Letters => text.len() <= MAX_LETTERS || RELEASES.hold_in_any_case(text),
        Run::Digits => text.len() <= MAX_RUN,
        Run::Other => text.len() == 1 && text.iter().all(|byte| matches!(byte, b'.' | b'-' | b'+' | b'_')),
    };
    version.len() <= MAX_VERSION_BYTES
        && number.first().is_some_and(u8::is_ascii_digit)
        && runs(number).all(word)
        && numbers(number).all(|found| found.digits <= MAX_DIGITS || is_of_a_browser(found.text(number)))
        && !numbers(number).any(|found| holds_a_leading_zero(found.text(number)))
}

/// `156.0.2957.140`: the second number is always 0.
fn is_of_a_browser(number: &[u8]) -> bool {
    let mut groups = groups(number);
    matches!(
        (groups.next(), groups.next(), groups.next(), groups.next(), groups.next()),
        (Some([b'1'..=b'9', ..]), Some([b'0']), Some([b'0'] | [b'1'..=b'9', ..]), Some(_), None)
    )
}

/// A zero before another digit stands in days and record numbers, hardly ever in versions.
fn holds_a_leading_zero(number: &[u8]) -> bool {
    groups(number).any(|group| matches!(group, [b'0', _, ..]))
}

#[cfg(test)]
mod tests {
    use super::user_agent;

    #[test]
    fn products_that_are_known_stay_with_their_versions() {
        for agent in [
            "Mozilla/5.0 AppleWebKit/537.36 HeadlessChrome/156.0.0.0 Safari/537.36",
            "Mozilla/5.0 AppleWebKit/537.36 Chrome/156.0.2957.140 Safari/537.36 Edg/156.0.2957.140",
            "Mozilla/5.0 AppleWebKit/605.1.15 Version/26.1 Mobile/15E148 Safari/604.1",
            "curl/7.88.1",
            "Wget/1.21.3",
            "python-requests/2.34.2",
            "python-httpx2/2.16.2",
            "Python/3.11 aiohttp/3.14.5",
            "Python-urllib/3.11",
            "Go-http-client/1.1",
            "okhttp/4.12.0",
            "axios/1.7.9",
            "node-fetch/1.0",
            "undici/6.21.1",
            "Apache-HttpClient/4.5.14",
            "PostmanRuntime/7.43.0",
            "google-genai-sdk/2.34.0 gl-python/3.11.7",
            "gl-node/v20.20.2",
            "azsdk-python-ai-inference/1.0.0b9 Python/3.11.7",
            "ollama-js/0.6.4",
            "mistral-client-typescript/2.7.0",
            "claude-cli/2.1.197",
            "codex_cli_rs/0.169.0",
            "Boto3/1.44.5",
        ] {
            assert_eq!(user_agent(agent), agent);
        }
    }

    #[test]
    fn what_is_no_product_or_no_version_is_left_out() {
        for (agent, left) in [
            ("Mozilla/5.0 (X11; Jane Testcase) Chrome/156.0.0.0", "Mozilla/5.0 Chrome/156.0.0.0"),
            ("OpenAI/Python 1.109.1 mrn/00412345 ssn/536-22-8741", ""),
            ("Quackenbush/1962 MRN0041/2345", ""),
            ("python-quackenbush/1.0", ""),
            ("quackenbush@curl/1.0", ""),
            ("Mozilla/5.0quackenbush curl/8.1", "curl/8.1"),
            ("curl/536.22.8741", ""),
            ("curl/536.228.741", ""),
            ("curl/04.17.1962", ""),
            ("curl/4.17.1962", ""),
            ("curl/00412345", ""),
            ("curl/0041 curl/2345", "curl/2345"),
            ("-/1.0 /1.0 @/1 curl/ curl", ""),
            ("Gecko/20100101", ""),
            ("curl/8.1/quackenbush", ""),
        ] {
            assert_eq!(user_agent(agent), left, "{agent}");
        }
    }
}
