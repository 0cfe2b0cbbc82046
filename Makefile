.PHONY: test
test:
	cargo test --workspace

# Manual pages and completions, from the tables.
.PHONY: generate
generate:
	GENERATE=1 cargo test --package tests --test generated manual
