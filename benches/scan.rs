//! How fast one core reads text with the built-in rules. Each figure serves a decision:
//!
//! - `detect/chat`: prompts of prose, nearly all that passes; the goal is 1 GB/s with Hyperscan.
//! - `detect/csv`: numbers and nothing else, where digit-led shapes cost most; the goal is 0.3 GB/s.
//! - `detect/clinical`: every line has hits; what findings cost.
//! - `detect/hostile`: labels without end, by someone who wants the sensor slow.
//! - `engine/…`: the engines alone on the same text, to see what detection adds.
//! - `load`: start-up, compilation and self-test included; the goal is 150 ms.
//!
//! Run: `cargo bench --bench scan`. Times are CPU time of the thread, so that a busy machine does not change them.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shadowtap::content::Arena;
use shadowtap::detect::{Detection, Detector, Settings, Signatures};
use shadowtap::scan::EngineChoice;

const BYTES: usize = 4 << 20;

/// CPU time of this thread; the clock's where the system does not tell.
fn cpu_time() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let scheduler = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = scheduler.as_deref().and_then(|line| line.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| START.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

/// CPU time of so many runs.
fn timed<T>(iterations: u64, mut run: impl FnMut() -> T) -> Duration {
    let start = cpu_time();
    for _ in 0..iterations {
        black_box(run());
    }
    cpu_time().saturating_sub(start)
}

/// A small generator, so that every run reads the same text.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

const SENTENCES: &[&str] = &[
    "Could you please rewrite the following paragraph so that it sounds more professional and less repetitive?",
    "The quarterly report shows that revenue in the northern region has grown faster than anybody expected.",
    "I have attached the latest version of the proposal, and I would be grateful for comments before Thursday.",
    "Here is a function that parses the configuration file; it seems to ignore comments after the first section.",
    "Our customers keep asking whether the subscription can be cancelled at the end of the current month.",
    "Write a short story about a lighthouse keeper who discovers an abandoned ship during a winter storm.",
    "When the user submits the form, the browser sends a request and the server answers with an error message.",
    "Explain the difference between supervised and unsupervised learning with a simple example for beginners.",
    "We moved to the new office in 2019, and since then the number of employees has nearly doubled to 240.",
    "The recipe needs two cups of flour, a pinch of salt, and about 30 minutes in the oven at 180 degrees.",
    "Translate this letter into German and keep the formal tone, but shorten the last two sentences a little.",
    "let items = inputs.iter().filter(|item| item.enabled && !item.name.is_empty()).collect::<Vec<_>>();",
    "Summarize the discussion in five bullet points and list the open questions with the people responsible.",
    "In general, systems that are designed for failure recover more quickly than those that try to avoid it.",
    "What would be a good title for a blog post about remote work, time zones and asynchronous communication?",
    "The committee agreed to postpone the decision until the results of the second survey are available.",
];

fn chat() -> Vec<u8> {
    let (mut dice, mut text) = (Dice(0x9E37_79B9_7F4A_7C15), String::new());
    while text.len() < BYTES {
        text.push_str(dice.pick(SENTENCES));
        text.push(if dice.below(6) == 0 { '\n' } else { ' ' });
        if dice.below(200) == 0 {
            text.push_str("The patient (DOB 04/17/1962, MRN 00412345) takes metformin for diabetes. ");
        }
    }
    text.into_bytes()
}

fn csv() -> Vec<u8> {
    use std::fmt::Write as _;
    let (mut dice, mut text) = (Dice(0xD1B5_4A32_D192_ED03), String::new());
    while text.len() < BYTES {
        let (a, b, c, d) = (dice.below(1_000_000), dice.below(100), dice.below(10_000), dice.below(1_000_000_000));
        let _ = writeln!(
            text,
            "{a},2026-{:02}-{:02},{b}.{:02},{c},{d:09},10.{b}.{}.7",
            b % 12 + 1,
            b % 28 + 1,
            c % 100,
            c % 256
        );
    }
    text.into_bytes()
}

fn clinical() -> Vec<u8> {
    use std::fmt::Write as _;
    let (mut dice, mut text) = (Dice(0xA076_1D64_78BD_642F), String::new());
    while text.len() < BYTES {
        let (area, serial) = (dice.below(600) + 100, dice.below(9000) + 1000);
        let _ = writeln!(
            text,
            "Patient seen in clinic, MRN: 77{serial}{area}, DOB {}/{}/19{}, SSN {area}-22-{serial}. Hypertension (I10), diabetes \
             E11.9, on metformin 500 mg BID. Plan: follow-up in 4 weeks, labs, blood pressure check.",
            dice.below(12) + 1,
            dice.below(28) + 1,
            dice.below(80) + 10
        );
    }
    text.into_bytes()
}

fn hostile() -> Vec<u8> {
    b"mrn ssn dob icd 1 ".iter().copied().cycle().take(BYTES).collect()
}

fn load(engine: EngineChoice) -> Detector {
    let settings = Settings { engine, ..Settings::default() };
    Detector::load(&settings, None, &Signatures::built_in(), None).map_err(|faults| faults[0].to_string()).unwrap()
}

fn engines() -> Vec<EngineChoice> {
    if cfg!(feature = "hyperscan") {
        vec![EngineChoice::Hyperscan, EngineChoice::Native]
    } else {
        vec![EngineChoice::Native]
    }
}

fn detect(criterion: &mut Criterion) {
    let texts = [("chat", chat()), ("csv", csv()), ("clinical", clinical()), ("hostile", hostile())];
    for engine in engines() {
        let detector = load(engine);
        let mut scanner = detector.scanner();
        for (name, text) in &texts {
            let mut group = criterion.benchmark_group(format!("detect/{name}"));
            group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(10);
            // Bodies come in pieces about as large as a record of TLS or a read of a file.
            group.bench_function(BenchmarkId::from_parameter(detector.engine_report().engine), |bencher| {
                bencher.iter_custom(|iterations| {
                    timed(iterations, || {
                        let (mut arena, mut detection, mut found) =
                            (Arena::new(), Detection::new(&detector), Vec::new());
                        for (index, piece) in text.chunks(16 << 10).enumerate() {
                            arena.push(piece, (index * (16 << 10)) as u64);
                            detection.push(&detector, &mut scanner, &mut arena, false, &mut found);
                            found.clear();
                        }
                        detection.push(&detector, &mut scanner, &mut arena, true, &mut found);
                        detection.verdict()
                    })
                });
            });
            group.finish();
            let mut group = criterion.benchmark_group(format!("engine/{name}"));
            group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(10);
            group.bench_function(BenchmarkId::from_parameter(detector.engine_report().engine), |bencher| {
                bencher.iter_custom(|iterations| {
                    timed(iterations, || {
                        text.chunks(16 << 10).map(|piece| detector.count_hits(&mut scanner, piece)).sum::<usize>()
                    })
                });
            });
            group.finish();
        }
    }
}

fn start(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10);
    for engine in engines() {
        group.bench_function(format!("{engine:?}"), |bencher| {
            bencher.iter_custom(|iterations| timed(iterations, || load(engine)))
        });
    }
    group.finish();
}

criterion_group!(benches, detect, start);
criterion_main!(benches);
