# The commands of this repository; `make` alone lists them. Each does its own set-up.

TARGET ?= $(or $(CARGO_TARGET_DIR),target)
PORT ?= 2121
PREFIX ?= /usr/local

.DEFAULT_GOAL := help
.PHONY: help serve test soak bench install deb generate prepare-build prepare-test

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: prepare-build ## Try it: serve a scratch directory on 127.0.0.1:2121 (PORT=… for another) until Ctrl-C
	@cargo build --release --package ftpd --package ftpuser
	@exec env PORT='$(PORT)' packaging/serve.sh '$(TARGET)/release'

test: prepare-test ## Run everything that CI runs, with the real clients
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps
	cargo build --workspace
	cargo test --workspace

soak: prepare-test ## Run the tests that take minutes and gigabytes
	cargo test --release --package tests -- --ignored --show-output
	cargo test --release --package common --lib -- --ignored --nocapture
	cargo run --release --package fuzz -- --runs 5000000

bench: prepare-build ## Measure ftpd, and other servers beside it where they are installed (ARGS=--full: everything)
	cargo build --release --package ftpd --package ftpproxy
	cargo run --release --package bench -- $(ARGS)

install: prepare-build ## Install to PREFIX (/usr/local), below DESTDIR if that is set; nothing is started
	cargo build --release --package ftpd --package ftpuser --package ftphash --package ftpproxy
	DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' packaging/install.sh '$(TARGET)/release'

deb: prepare-build ## Make a Debian package in the target directory
	cargo build --release --package ftpd --package ftpuser --package ftphash --package ftpproxy
	packaging/deb.sh '$(TARGET)/release' '$(TARGET)'

generate: prepare-build ## Write man/ and completions/ anew from the tables
	GENERATE=1 cargo test --package tests --test generated manual

prepare-build:
	@packaging/prepare.sh build

prepare-test:
	@packaging/prepare.sh test '$(TARGET)'
