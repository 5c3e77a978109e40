# Where the example packages are built; the end-to-end tests find them through this variable.
export DEPLOYEX_EXAMPLE_PACKAGES := $(CURDIR)/.build/example-packages

RELIABILITY_RUN ?= nice

.PHONY: help setup setup-tests setup-otp build test test-as-user walk-through own-host-name interop end-to-end tsan asan fuzz simulate simulate-crashes lint format bench reliability demo release packages systems tls-distribution-certs clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-22s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## check for Swift, and install the Debian packages that are missing
	@scripts/setup.sh

setup-tests: ## install what the tests need beside that
	@scripts/setup.sh tests
	@scripts/setup-python.sh

build: ## build .build/release/deployex
	swift build -c release

test: setup-tests ## run all tests, those against real Erlang nodes and releases included
	scripts/build-example.sh "$$DEPLOYEX_EXAMPLE_PACKAGES"
	swift build --build-tests
	swift test --skip-build --skip InteropTests --skip EndToEndTests --skip SimulationTests --skip BrowserTests \
		--skip DeploymentTests --skip DashboardTests --skip HTTPTests
	swift test --skip-build --filter DeploymentTests --filter DashboardTests --filter HTTPTests
	swift test --skip-build --filter BrowserTests
	swift test --skip-build --filter SimulationTests
	swift test --skip-build --filter InteropTests
	swift test --skip-build --filter EndToEndTests

walk-through: setup-tests release ## walk through /tmp as the documents print it, as root and as an ordinary user
	scripts/build-example.sh "$$DEPLOYEX_EXAMPLE_PACKAGES"
	@scripts/walk-through.sh dist/deployex "$$DEPLOYEX_EXAMPLE_PACKAGES"
	@scripts/service.sh dist/deployex "$$DEPLOYEX_EXAMPLE_PACKAGES"

own-host-name: setup-tests release ## deploy on hosts whose own name resolves to nothing, to ::1, to 127.0.1.1 (root starts it)
	scripts/build-example.sh "$$DEPLOYEX_EXAMPLE_PACKAGES" 0.1.1
	@scripts/own-host-name.sh dist/deployex "$$DEPLOYEX_EXAMPLE_PACKAGES"

test-as-user: ## run the unit tests that "make test" has built as a user without rights (root starts it)
	@scripts/test-as-user.sh

interop: setup-tests ## run only the tests against real Erlang nodes, for each OTP that is there
	@scripts/interop.sh

end-to-end: setup-tests ## run the end-to-end tests on OTP 27 and 29, where they are there (needs root)
	@scripts/end-to-end.sh

tsan: setup-tests ## run the unit tests and those against real Erlang nodes under the thread sanitizer
	@scripts/sanitize.sh thread

asan: setup-tests ## run the same under the address sanitizer
	@scripts/sanitize.sh address

fuzz: setup ## look for inputs that break the decoders (FUZZ_SECONDS=60 each, FUZZ_TARGETS="term text")
	@scripts/fuzz.sh

simulate: setup ## run seeds of the simulated world (SEEDS=20000), or replay one with its trace (SEED=K)
	swift build -c release --product deployex-simulate
	@"$$(swift build -c release --show-bin-path)/deployex-simulate" \
		$(if $(SEED),seed $(SEED),seeds $(or $(SEEDS),20000))

simulate-crashes: setup ## stop every change of the releases on disk at every operation, in every way
	swift build -c release --product deployex-simulate
	@"$$(swift build -c release --show-bin-path)/deployex-simulate" crashes

setup-otp: ## make .otp/27 and .otp/29 for make interop (Debians with Erlang; needs root)
	@scripts/setup-otp.sh

lint: ## check formatting, which target imports which, which room uses which, and the documents' links
	swift format lint --strict -r Sources Tests Fuzz Package.swift
	scripts/check-imports.sh
	scripts/check-rooms.sh
	scripts/list-assets.sh --check
	scripts/check-links.sh

format: ## format all Swift sources in place
	swift format -i -r Sources Tests Fuzz Package.swift

bench: setup ## measure round trips and codecs beside Erlang's own (BENCH_FLAGS="--quick --json")
	scripts/build-bench-peers.sh .build/bench
	scripts/build-example.sh "$$DEPLOYEX_EXAMPLE_PACKAGES"
	swift build -c release --product deployex
	if command -v chromedriver >/dev/null; then swift build -c release --product first-paint; fi
	swift build -c release --product deployex-bench
	@"$$(swift build -c release --show-bin-path)/deployex-bench" $(BENCH_FLAGS)

reliability: setup ## kill, freeze and crash what docs/reliability.md speaks of (RELIABILITY_FLAGS="--kills 100")
	scripts/build-example.sh "$$DEPLOYEX_EXAMPLE_PACKAGES"
	swift build -c release --product deployex
	swift build -c release --product deployex-reliability
	@$(RELIABILITY_RUN) "$$(swift build -c release --show-bin-path)/deployex-reliability" \
		--packages "$$DEPLOYEX_EXAMPLE_PACKAGES" $(RELIABILITY_FLAGS)

demo: setup build ## deploy, crash, replace and hot-upgrade three replicas of a real release
	@scripts/demo.sh

# In a folder of its own: with other options, everything is compiled anew.
RELEASE_BUILD := swift build -c release --static-swift-stdlib --scratch-path .build-dist \
	--disable-local-rpath -Xswiftc -no-toolchain-stdlib-rpath \
	-Xlinker -z -Xlinker relro -Xlinker -z -Xlinker now

release: ## build dist/deployex: hardened, stripped, with Swift's libraries inside
	$(RELEASE_BUILD) --product deployex
	mkdir -p dist
	strip -o dist/deployex "$$($(RELEASE_BUILD) --show-bin-path)/deployex"
	scripts/check-release.sh dist/deployex

packages: release ## make dist/*.tar.gz and dist/*.deb of it, each with its sha256 and bill of materials
	scripts/package.sh dist/deployex
	scripts/check-packages.sh dist/deployex

systems: setup-tests packages ## try the packages on Debian 12 and 13 and Ubuntu 22.04 and 24.04, each booted (root starts it)
	scripts/build-example.sh "$$DEPLOYEX_EXAMPLE_PACKAGES" 0.1.1
	@scripts/systems.sh dist "$$DEPLOYEX_EXAMPLE_PACKAGES" $(SYSTEMS)

tls-distribution-certs: ## make certs/ca.crt once, and a node's certificate for mutual TLS
	@scripts/make-certs.sh

clean: ## remove everything that was built
	rm -rf .build .build-dist .build-tsan .build-asan .build-fuzz dist Examples/*/_build
