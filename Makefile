# The commands of this repository; `make` alone lists them. Each does its own set-up.

TARGET ?= $(or $(CARGO_TARGET_DIR),target)
PORT ?= 2121
TOOLS := ftpd ftpproxy ftphash ftpuser

.DEFAULT_GOAL := help
.PHONY: help serve test soak bench generate prepare-build prepare-test

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: prepare-build ## Try it: serve a scratch directory on 127.0.0.1:2121 (PORT=… for another) until Ctrl-C
	@cargo build --release --package ftpd --package ftpuser
	@PORT='$(PORT)' packaging/serve.sh '$(TARGET)/release'

test: prepare-test ## Run everything that CI runs, with the real clients
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps
	cargo build --workspace
	cargo test --workspace

soak: prepare-test ## Run the tests that take minutes and gigabytes
	cargo build --release --workspace
	cargo test --release --package tests -- --ignored

bench: prepare-build ## Measure ftpd, and vsftpd beside it where it is installed
	cargo run --release --package bench

generate: prepare-build ## Write man/ and completions/ from the tables
	cargo build --workspace
	@mkdir -p man completions
	@set -e; for tool in $(TOOLS); do \
		case $$tool in ftpd|ftpproxy) section=8 ;; *) section=1 ;; esac; \
		for pair in man:man/$$tool.$$section bash:completions/$$tool.bash zsh:completions/_$$tool \
			fish:completions/$$tool.fish; do \
			'$(TARGET)'/debug/$$tool --generate "$${pair%%:*}" > "$${pair#*:}.new"; \
			mv "$${pair#*:}.new" "$${pair#*:}"; \
		done; \
	done

prepare-build:
	@packaging/prepare.sh build

prepare-test:
	@packaging/prepare.sh test
