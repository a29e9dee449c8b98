//! The benchmark's command line. What cargo adds to it (`--bench`) is let through.

use std::path::PathBuf;

use shadowtap::testkit::traffic::Kind;

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) scale: f64,
    pub(crate) runs: usize,
    pub(crate) workers: Vec<usize>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) seed: u64,
    pub(crate) binary: PathBuf,
    /// Other programs to run in turns: name and shell command, in which `{capture}` and `{out}` stand for paths.
    pub(crate) peers: Vec<(String, String)>,
    pub(crate) generate_only: bool,
}

impl Options {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut options = Self {
            scale: 1.0,
            runs: 5,
            workers: if cores > 1 { vec![1, cores] } else { vec![1] },
            kinds: Kind::ALL.to_vec(),
            seed: 1,
            binary: env!("CARGO_BIN_EXE_shadowtap").into(),
            peers: Vec::new(),
            generate_only: false,
        };
        let mut measures = false;
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{name} wants a value"));
            match name.as_str() {
                "--bench" => measures = true,
                "--generate-only" => options.generate_only = true,
                "--scale" => options.scale = number(&name, &value()?)?,
                "--runs" => options.runs = number::<usize>(&name, &value()?)?.max(1),
                "--seed" => options.seed = number(&name, &value()?)?,
                "--binary" => options.binary = value()?.into(),
                "--vs" => {
                    let peer = value()?;
                    let (name, command) = peer.split_once('=').ok_or("--vs wants NAME=COMMAND")?;
                    options.peers.push((name.to_owned(), command.to_owned()));
                }
                "--workers" => {
                    options.workers =
                        value()?.split(',').map(|count| number(&name, count)).collect::<Result<_, _>>()?;
                }
                "--captures" => {
                    options.kinds = value()?.split(',').map(kind).collect::<Result<_, _>>()?;
                }
                other => return Err(format!("unknown option {other}; benches/pipeline/main.rs names those there are")),
            }
        }
        if !measures {
            // `cargo test --all-targets` runs benchmarks to see that they work, not how fast.
            (options.scale, options.runs) = (0.002, 1);
        }
        Ok(options)
    }
}

/// Where captures and events go.
pub(crate) fn folder() -> PathBuf {
    // The directory that cargo gives benchmarks for files of their own is target/tmp.
    let given = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    given.parent().map_or(given.clone(), |target| target.join("bench"))
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name}: {value:?} is no number that fits"))
}

fn kind(name: &str) -> Result<Kind, String> {
    let known = Kind::ALL.into_iter().find(|kind| kind.name() == name);
    known.ok_or_else(|| format!("no capture {name:?}; there are {}", Kind::ALL.map(Kind::name).join(", ")))
}
