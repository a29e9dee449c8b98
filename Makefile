# Everything a developer or a newcomer calls. `make help` lists it; CONTRIBUTING.md says more.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Left empty, the default features: Hyperscan and libpcap. On machines without Hyperscan (not x86-64):
#   make demo FEATURES="--no-default-features --features pcap"
FEATURES ?=
# Where labelled documents lie that `make eval` scores besides the generated ones.
CORPUS ?= ../shared/corpus
# Options of the evaluation, e.g. make eval EVAL="--misses csv_census"
EVAL ?=
# Seconds of make soak's live traffic
SOAK_SECONDS ?= 3600
# Options of the benchmark, e.g. make bench BENCH="--scale 0.1 --runs 3"
BENCH ?=
# Seconds that each fuzz target runs.
FUZZ_SECONDS ?= 60

CARGO := cargo
export CARGO_TERM_PROGRESS_WHEN ?= never

.PHONY: help
help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: packages
packages: ## Install the system packages that building needs (Debian, Ubuntu), or say how
	@FEATURES="$(FEATURES)" .ci/packages.sh

.PHONY: demo
demo: packages ## Build shadowtap and replay the bundled captures; alerts and a summary land in demo-out/
	$(CARGO) build --release --locked $(FEATURES)
	target/release/shadowtap demo

.PHONY: test
test: packages ## Run all tests: unit, property, case, command line, documentation
	$(CARGO) test --locked $(FEATURES) --no-run
	$(CARGO) test --locked $(FEATURES) --quiet --no-fail-fast

.PHONY: acceptance
acceptance: packages ## Run the sensor live: veth pairs in network namespaces, reloads, kills (needs root)
	@CARGO="$(CARGO)" FEATURES="$(FEATURES)" .ci/acceptance.sh

.PHONY: soak
soak: packages ## The long tests: an hour of traffic (SOAK_SECONDS), ten gigabytes of captures (needs root)
	$(CARGO) bench --locked $(FEATURES) --bench pipeline -- --generate-only --captures tls
	SHADOWTAP_SOAK_SECONDS=$(SOAK_SECONDS) SHADOWTAP_BULK=target/bench/tls.pcap $(CARGO) test --release --locked \
	    $(FEATURES) --test acceptance -- --ignored --test-threads=1 --nocapture memory ten_gigabytes

.PHONY: lint
lint: packages ## Check format, clippy, rustdoc, licences and origins of all crates
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --quiet --all-targets --all-features -- -D warnings
	$(CARGO) clippy --locked --quiet --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --quiet --no-deps --all-features
	.ci/deny.sh

.PHONY: bench
bench: packages ## Measure the whole program on generated captures; the table goes into docs/benchmarks.md
	$(CARGO) bench --locked $(FEATURES) --bench pipeline -- $(BENCH)

.PHONY: icap
icap: packages ## Measure the ICAP server with real Squid against a null one (needs root, Squid, Python 3)
	$(CARGO) build --release --locked $(FEATURES)
	benches/icap/run.sh

.PHONY: evasion
evasion: packages ## Tamper with the packets of the captures: each alert comes, or is told (needs tcpreplay, Python 3)
	$(CARGO) build --release --locked $(FEATURES)
	benches/evasion/run.py target/release/shadowtap

.PHONY: bless
bless: packages ## Take today's events as the expected ones of tests/cases, and show what changed
	BLESS=1 $(CARGO) test --locked $(FEATURES) --test cases
	@git --no-pager diff --stat -- tests/cases
	@git --no-pager diff -- tests/cases
	@git status --short -- tests/cases

.PHONY: captures
captures: ## Record pcaps/ anew: real clients against stand-in servers, in network namespaces (root, Debian 12)
	lab/install.sh
	lab/record.sh

.PHONY: fuzz
fuzz: packages ## Fuzz each target for FUZZ_SECONDS (needs a nightly toolchain and cargo-fuzz)
	.ci/fuzz.sh $(FUZZ_SECONDS)

.PHONY: eval
eval: packages ## Score the content detectors on generated documents, then on those in CORPUS
	$(CARGO) bench --locked --quiet $(FEATURES) --bench evaluation -- $(EVAL)
	@if [ -f "$(CORPUS)/phi/dev.jsonl" ]; then \
	    $(CARGO) build --release --locked --quiet $(FEATURES) && .ci/eval.sh "$(CORPUS)"; \
	else echo "No labelled documents in $(CORPUS)/phi: the generated ones are all."; fi

.PHONY: clean
clean: ## Remove what was built, and the demo's output
	$(CARGO) clean
	rm -rf demo-out out
