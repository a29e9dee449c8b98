//! Names of models for events. In: what a request names as its model; out: the name, with `*` in place of each part
//! that is no word of a model's name, or `*` alone when it does not begin like one. A site's own names (fine-tuned
//! models, deployments) are hers to know: they may hold anything.

use std::sync::LazyLock;

use super::{
    numbers::{Number, groups, numbers},
    words::{Run, Words, runs},
};

/// Longest name that is looked into, in bytes.
const MAX_NAME_BYTES: usize = 96;

/// Digits in a row, and those of groups that stand together: `0613`, `4-1106`.
const MAX_RUN: usize = 4;
const MAX_DIGITS_TOGETHER: usize = 5;

/// Letters beside digits that need no word: `4o`, `70b`, `v3p1`.
const MAX_LETTERS_BESIDE_DIGITS: usize = 2;

/// Words that begin a model's name.
static FAMILIES: LazyLock<Words> = LazyLock::new(|| {
    Words::of(&[
        "auto default gpt chatgpt o text tts whisper dall davinci babbage curie ada codex computer omni sora embed \
         embedding embeddings claude gemini gemma palm bison gecko medlm medgemma imagen veo learnlm chirp textembedding \
         llama codellama meta mistral mixtral codestral ministral magistral pixtral devstral voxtral mathstral command \
         rerank aya deepseek qwen qwq qvq wan phi orca grok sonar pplx nova titan jamba jurassic yi kimi moonshot glm \
         chatglm cogview minimax abab hunyuan doubao seed ernie step spark baichuan internlm olmo tulu molmo falcon \
         mpt dbrx arctic granite nemotron nemo solar exaone reka inflection pi palmyra stable sd sdxl flux ideogram \
         recraft kandinsky midjourney runway luma kling suno bge gte e nomic jina voyage minilm mxbai snowflake \
         colbert bert biobert clinicalbert pubmedbert medbert biogpt meditron openbiollm starcoder starchat \
         wizardlm wizardcoder vicuna alpaca zephyr openchat openhermes hermes dolphin neural tinyllama smollm stablelm \
         bloom bloomz opt t flan gptj neox cogito lfm rwkv bark parakeet canary eleven fugu ",
    ])
});

/// Who stands before a family: vendors, hubs, regions of Bedrock.
static VENDORS: LazyLock<Words> = LazyLock::new(|| {
    Words::of(&[
        "models model accounts publishers projects us eu apac jp au ca global ft azure vertex ai bedrock cf hf groq openai \
         anthropic google cohere cohereforai amazon mistralai ai21 ai21labs stability stabilityai perplexity xai x \
         huggingface huggingfaceh together togethercomputer fireworks openrouter deepinfra nvidia microsoft databricks \
         ibm alibaba tencent baidu bytedance zhipu zhipuai zai moonshotai minimaxai nousresearch bigscience bigcode \
         eleutherai tiiuae allenai thudm baai intfloat sentence transformers replicate black forest labs blackforestlabs \
         ollama lmstudio unsloth thebloke bartowski gguf writer upstage inception liquid library org community deepseekai \
         facebook pro playground",
    ])
});

/// What stands after a family.
static QUALIFIERS: LazyLock<Words> = LazyLock::new(|| {
    Words::of(&[
        "mini nano micro small medium large xl xxl xs tiny base huge giant big light lite fast turbo ultra max plus pro \
         premier standard express flash thinking reasoner reasoning think deep research search online offline high low \
         minimal none instant instruct instruction it chat completion completions coder code codex math vision vl vlm \
         image images video audio speech voice realtime sonic live transcribe transcription transcriber diarize translate \
         translation native dialog generation generate generator preview latest beta alpha exp experimental stable \
         release final dev test canary snapshot updated new legacy hd sonnet haiku opus fable scout maverick behemoth \
         guard safety moderation omni multilingual english en e edition embed embedding embeddings multimodal text ada \
         babbage curie davinci similarity doc query rerank reranker a b c r s v k m p q f d g x n y z air airx oss use \
         computer customtools personalized agent agents assistant tool tools function functions deploy deployment \
         distill distilled sft dpo rlhf lora qlora awq gptq gguf ggml int fp bf mlx onnx quant quantized moe dense \
         diffusion stable core schnell kontext fill redux canny depth inpaint outpaint upscale luna versatile \
         specdec tool preview nightly prover terminus speciale canvas creative precise balanced auto med medical clinical \
         health bio biomedical legal finance law document ocr layout classify classifier summarize summarization plan \
         act hybrid long context short extended high medium dated default private public free paid batch flex priority \
         cloud local edge on device bit super nemotron llama qwen hermes",
    ])
});

/// The name of a model as it may stand in an event; `None` when there is none.
#[must_use]
pub fn model(value: &str) -> Option<String> {
    if value.is_empty() {
        return None;
    }
    if value.len() > MAX_NAME_BYTES || !value.bytes().all(stands_in_names) || !begins_like_a_model(value) {
        return Some("*".to_owned());
    }
    let foreign: Vec<Number> =
        numbers(value.as_bytes()).filter(|number| !is_of_a_model(number.text(value.as_bytes()))).collect();
    let mut name = String::with_capacity(value.len());
    let mut start = 0;
    for piece in value.split_inclusive(is_separator) {
        let part = piece.trim_end_matches(is_separator);
        let place = start..start + part.len();
        let known = is_known(part) && !foreign.iter().any(|number| number.touches(&place));
        name.push_str(if known { part } else { "*" });
        name.push_str(piece.get(part.len()..).unwrap_or_default());
        start += piece.len();
    }
    Some(name)
}

fn is_separator(character: char) -> bool {
    matches!(character, '.' | '-' | '_' | ':' | '/' | '@')
}

fn stands_in_names(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || is_separator(char::from(byte))
}

fn begins_like_a_model(value: &str) -> bool {
    // `gpt` of `gpt4`.
    let mut words = value.split(is_separator).filter_map(|part| runs(part.as_bytes()).next());
    let family = |(run, word): &(Run, &[u8])| *run == Run::Letters && FAMILIES.hold_in_any_case(word);
    let Some(first) =
        value.split(is_separator).find(|part| !part.is_empty()).and_then(|part| runs(part.as_bytes()).next())
    else {
        return false;
    };
    (family(&first) || VENDORS.hold_in_any_case(first.1)) && words.any(|word| family(&word))
}

/// Whether each word of a part is one of a model's name. Numbers alone are judged together.
fn is_known(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let mixed = digits > 0 && digits < part.len();
    (!mixed || digits <= MAX_RUN)
        && runs(part.as_bytes()).all(|(run, word)| {
            run == Run::Digits
                || (mixed && word.len() <= MAX_LETTERS_BESIDE_DIGITS)
                || [&*FAMILIES, &*QUALIFIERS, &*VENDORS].iter().any(|words| words.hold_in_any_case(word))
        })
}

/// Whether a number is a version, a size or a date of release, or several of these.
fn is_of_a_model(number: &[u8]) -> bool {
    let groups: Vec<&[u8]> = groups(number).collect();
    let mut rest = groups.as_slice();
    let mut version = Vec::new();
    while let [first, after @ ..] = rest {
        rest = match rest {
            [date, after @ ..] if is_date(date) => after,
            [year, month, day, after @ ..] if is_date(&[*year, *month, *day].concat()) => after,
            [month, year, after @ ..] if is_date(&[*year, *month, b"01"].concat()) => after,
            _ => {
                version.push(first.len());
                after
            }
        };
    }
    let digits: usize = version.iter().sum();
    match version.as_slice() {
        [one] => *one <= MAX_RUN,
        // `3.1-405b`; with two digits at the end it could be a day.
        [_, _, .., last] => digits < MAX_DIGITS_TOGETHER || (digits == MAX_DIGITS_TOGETHER && *last == 3),
        _ => digits <= MAX_DIGITS_TOGETHER,
    }
}

/// `20YYMMDD`: a date on which a model can have been released.
fn is_date(text: &[u8]) -> bool {
    let [b'2', b'0', b'2'..=b'3', b'0'..=b'9', month @ .., day_tens, day_ones] = text else { return false };
    let month_is = matches!(month, [b'0', b'1'..=b'9'] | [b'1', b'0'..=b'2']);
    let day_is = matches!((day_tens, day_ones), (b'0', b'1'..=b'9') | (b'1' | b'2', b'0'..=b'9') | (b'3', b'0' | b'1'));
    month_is && day_is
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_models_stay_as_they_are() {
        for name in [
            "auto",
            "gpt-5",
            "gpt-5-mini",
            "gpt-4o-2024-08-06",
            "gpt-4.1-2025-04-14",
            "gpt-3.5-turbo-0125",
            "gpt-4-1106-preview",
            "gpt-4o-mini-transcribe",
            "gpt-oss:120b",
            "gpt-5.6-luna",
            "chatgpt-4o-latest",
            "o1",
            "o3-mini",
            "o4-mini-deep-research",
            "text-embedding-3-small",
            "text-embedding-ada-002",
            "whisper-1",
            "dall-e-3",
            "tts-1-hd",
            "omni-moderation-latest",
            "claude-sonnet-4-5-20250929",
            "claude-sonnet-4-6",
            "claude-3-5-sonnet@20241022",
            "anthropic.claude-3-5-sonnet-20241022-v2:0",
            "us.anthropic.claude-opus-4-1-20250805-v1:0",
            "anthropic/claude-3.7-sonnet:thinking",
            "models/gemini-2.5-flash-preview-09-2025",
            "gemini-2.5-pro-exp-03-25",
            "gemini-2.0-flash-001",
            "meta-llama/Llama-3.3-70B-Instruct-Turbo",
            "llama-3.1-405b-instruct",
            "llama3.2:3b",
            "accounts/fireworks/models/llama-v3p3-70b-instruct",
            "@cf/meta/llama-3.1-8b-instruct-fp8",
            "llama-4-maverick-17b-128e-instruct",
            "mistral-large-2411",
            "mistralai/Mixtral-8x22B-Instruct-v0.1",
            "codestral-latest",
            "command-a-03-2025",
            "command-r-plus-08-2024",
            "rerank-v3.5",
            "embed-english-v3.0",
            "deepseek-chat",
            "deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
            "deepseek-v3-0324",
            "Qwen/Qwen3-235B-A22B-Instruct-2507",
            "qwen3:30b-a3b-q4_K_M",
            "qwen2.5-coder:7b",
            "phi-4-mini-instruct",
            "x-ai/grok-4-fast:free",
            "grok-2-1212",
            "sonar-deep-research",
            "amazon.nova-pro-v1:0",
            "amazon.titan-embed-text-v2:0",
            "jamba-1.5-large",
            "google/gemma-3-27b-it",
            "yi-34b-chat",
            "kimi-k2-0905-preview",
            "glm-4.5-air",
            "MiniMax-M2",
            "stable-diffusion-3.5-large",
            "flux-1.1-pro",
            "nomic-embed-text:latest",
            "nova-3-medical",
            "gpt-5-deploy",
        ] {
            assert_eq!(model(name).as_deref(), Some(name));
        }
        assert_eq!(model(""), None);
    }

    #[test]
    fn what_is_no_model_s_name_does_not_pass() {
        for name in [
            "Quackenbush-04171962",
            "A00412345",
            "00412345",
            "x-536-22-8741",
            "quackenbush",
            "Jane Testcase",
            "jane_testcase",
            "models/quackenbush",
            "openai/zebediah-quackenbush",
            "patient-1962",
            "m",
            "gptquackenbush",
            "zoë",
            "536.22.8741",
            "20250929",
            "@",
            "-",
            "a".repeat(97).as_str(),
        ] {
            assert_eq!(model(name).as_deref(), Some("*"), "{name}");
        }
    }

    #[test]
    fn of_a_model_of_the_site_what_its_people_named_is_left_out() {
        for (name, left) in [
            ("gpt-4o-quackenbush", "gpt-4o-*"),
            ("ft:gpt-4o-mini-2024-07-18:clinic:zebediah:0412345", "ft:gpt-4o-mini-2024-07-18:*:*:*"),
            ("gpt-04-17-1962", "gpt-*-*-*"),
            ("gpt-4-17-62", "gpt-*-*-*"),
            ("claude-536-22-8741", "claude-*-*-*"),
            ("claude-00412345", "claude-*"),
            ("claude-19620417", "claude-*"),
            ("claude-20251399", "claude-*"),
            ("gpt-4o-1962-04-17", "gpt-4o-*-*-*"),
            ("llama3.quackenbush1962", "llama3.*"),
            ("gpt-4o-a1b2c3d4e5", "gpt-4o-*"),
            ("gpt-555-0123", "gpt-*-*"),
        ] {
            assert_eq!(model(name).as_deref(), Some(left), "{name}");
        }
    }
}
