.DEFAULT_GOAL := help
ENV ?= dev
FORMAT ?= env
PYTHON ?= python3
PY := .venv/bin/python
UV_VERSION := 0.13.9

.PHONY: help
help: ## show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14
	@echo
	@echo "ENV=dev (the default) or ENV=prod names the environment; ARGS=... passes options on."

.venv/ready: pyproject.toml uv.lock hatch_build.py $(wildcard tracing_lib/fast/_native.c tracing_lib/fast/_c/*.h)
	@echo "installing the locked Python packages into .venv"
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@$(PY) -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@# Reinstalled, as uv may have the package in its cache, and the module in C not be beside its source.
	@VIRTUAL_ENV=$(CURDIR)/.venv $(PY) -m uv sync --active --frozen --inexact --quiet --reinstall-package virtengine-tracing
	@test ! -d tracing_lib/fast || $(PY) -c "from tracing_lib.fast import _native" 2> /dev/null \
		|| echo "tracing_lib/fast/_native.c is not built, so spans cost more; why: $(PY) -m uv build --wheel" >&2
	@touch $@

.PHONY: setup
setup: .venv/ready ## install the locked Python packages into .venv

.PHONY: run
run: .venv/ready ## run ENV on this machine with VirtEngine in small, and tell the story of an order (ARGS=--once ends there; ORDERS=3)
	@$(PY) -m stacks run $(ENV) $(ARGS) -- $(PY) -m examples.virtengine $(if $(ORDERS),--orders $(ORDERS))

.PHONY: servers
servers: .venv/ready ## find the real servers, or build them from toolchain/
	@$(PY) -m stacks servers

.PHONY: debian
debian: ## as root on Debian: install what the tests of SLURM, Kubernetes, the login and the start script need (elsewhere they are skipped, and say so)
	@test "$$(id -u)" != 0 || ! command -v apt-get > /dev/null \
		|| { command -v etcd && command -v slurmctld && command -v munged && command -v chromium && command -v busybox; } > /dev/null \
		|| { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
			etcd-server slurm-wlm munge chromium busybox-static; } \
		|| echo "apt-get did not work: the tests of SLURM, Kubernetes, the login in a browser and the start script will be skipped"

.PHONY: test
test: lint debian servers ## all tests but those of `make test-stores`, on real servers
	@# Both at once, because tests that wait for servers leave the processors to others; what the second says comes last.
	@said=$$(mktemp) && trap 'rm -f "$$said"' EXIT; \
		$(MAKE) --no-print-directory test-without-fast > "$$said" 2>&1 & without=$$!; \
		$(PY) -m pytest --numprocesses 4 --dist worksteal $(foreach place,$(OF_JAVA),--ignore $(place)) $(ARGS); with=$$?; \
		wait $$without; without=$$?; echo "without tracing_lib/fast:"; cat "$$said"; test $$with -eq 0 -a $$without -eq 0

OF_JAVA = tests/servers/stores tests/servers/small/test_kafka.py

.PHONY: test-stores
test-stores: debian servers ## the tests on a real Cassandra, OpenSearch and Kafka, which Maven brings: some ten minutes
	@$(PY) -m pytest $(OF_JAVA) $(ARGS)

.PHONY: test-fast
test-fast: .venv/ready ## the tests that start no server
	@$(PY) -m pytest --numprocesses 3 --dist worksteal -m "not server" $(ARGS)

LIBRARY_TESTS = -m pytest --numprocesses 2 --dist worksteal -p no:cacheprovider tests/tracing_lib --ignore tests/tracing_lib/fast $(ARGS)

.PHONY: test-without-fast
test-without-fast: .venv/ready ## the library's tests, but those of its package (of files that Git knows), in a copy of the tree that has no tracing_lib/fast
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT \
		&& git ls-files -z --cached --others --exclude-standard | grep -zvE '^(tests/)?tracing_lib/fast/' \
			| tar --null --files-from=- --create --file=- --ignore-failed-read 2> /dev/null | tar --extract --file=- --directory="$$folder" \
		&& cd "$$folder" && PYTHONPATH="$$folder" $(CURDIR)/$(PY) $(LIBRARY_TESTS) --ignore tests/tracing_lib/package

.PHONY: test-unknown-sdk
test-unknown-sdk: .venv/ready ## the library's tests with a release of OpenTelemetry that tracing_lib/fast was not tested with
	@PYTHONPATH=$(CURDIR)/tests/unknown_sdk $(PY) $(LIBRARY_TESTS)

.venv-oldest/ready: .venv/ready
	@echo "installing the oldest OpenTelemetry of the range into .venv-oldest"
	@test -x .venv-oldest/bin/python || $(PYTHON) -m venv .venv-oldest
	@VIRTUAL_ENV=$(CURDIR)/.venv-oldest $(PY) -m uv sync --active --frozen --inexact --quiet
	@$(PY) -m uv pip install --quiet --python .venv-oldest/bin/python $(OLDEST_OPENTELEMETRY)
	@touch $@

OLDEST_OPENTELEMETRY = $(foreach name,api sdk proto exporter-otlp-proto-common exporter-otlp-proto-http,opentelemetry-$(name)==1.45.0) \
	$(foreach name,semantic-conventions instrumentation instrumentation-asgi instrumentation-grpc instrumentation-httpx exporter-otlp-common \
	exporter-http-transport util-http,opentelemetry-$(name)==0.66b0)

.PHONY: test-oldest
test-oldest: .venv-oldest/ready ## the library's tests but those of its package, those of tracing_lib/fast too, with the oldest OpenTelemetry of the range
	@.venv-oldest/bin/python -m pytest --numprocesses 3 --dist worksteal -p no:cacheprovider tests/tracing_lib --ignore tests/tracing_lib/package $(ARGS)

.PHONY: lint
lint: .venv/ready ## format, rules, types, import contracts
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy
	@.venv/bin/lint-imports --no-cache

.PHONY: check
check: .venv/ready ## validate ENV and say what it will be
	@$(PY) -m stacks check $(ENV) $(ARGS)

.PHONY: render
render: .venv/ready ## write every document of ENV to rendered/ENV
	@$(PY) -m stacks render $(ENV) -o rendered/$(ENV) $(ARGS)

.PHONY: diff
diff: .venv/ready ## say what changes from A to B, for example A=prod@HEAD~1 B=prod
	@$(PY) -m stacks diff $(A) $(B) $(ARGS)

.PHONY: review
review: .venv/ready ## write to build/review.md what changes from A to B, for a pull request, and with TRACES=recording.jsonl what B loses
	@mkdir -p build
	@$(PY) -m stacks check $(B) > /dev/null
	@$(PY) -m stacks diff $(A) $(B) --format markdown > build/review.new || test $$? -eq 1
	@test ! -f "$(TRACES)" || $(PY) -m stacks rehearse $(A) $(B) --traces "$(TRACES)" --format markdown >> build/review.new || test $$? -eq 1
	@mv build/review.new build/review.md && echo build/review.md

.PHONY: verify
verify: .venv/ready ## hold the promises of ENV against what runs
	@$(PY) -m stacks verify $(ENV) $(ARGS)

.PHONY: preview
preview: .venv/ready ## say what deploying ENV would change, and what that means
	@$(PY) -m stacks preview $(ENV) $(ARGS)

.PHONY: up
up: .venv/ready ## deploy ENV with Pulumi and send a probe through it (YES=1 answers)
	@$(PY) -m stacks up $(ENV) $(ARGS)

.PHONY: destroy
destroy: .venv/ready ## delete what is deployed of ENV (YES=1 answers)
	@$(PY) -m stacks destroy $(ENV) $(ARGS)

.PHONY: recover
recover: .venv/ready ## make the stack of ENV usable again after a killed up
	@$(PY) -m stacks recover $(ENV) $(ARGS)

.PHONY: outputs
outputs: .venv/ready ## print what services need to know of ENV (FORMAT=env, json or k8s)
	@$(PY) -m stacks outputs $(ENV) --format $(FORMAT) $(ARGS)

.PHONY: reference
reference: .venv/ready ## write the generated reference and schemas
	@mkdir -p docs/reference
	@$(PY) -m stacks schema > docs/reference/stack-file.schema.json
	@$(PY) -m stacks schema --reference > docs/reference/settings.md
	@$(PY) -m stacks schema --outputs > docs/reference/outputs.schema.json
	@$(PY) -m stacks size prod --picture docs/growth.svg > /dev/null
	@for name in cluster_arguments backend_arguments arguments; do $(PY) -m stacks schema --types $$name > stacks/backbone/$$name.py; done
	@$(PY) -m components.documents.attributes > tracing_lib/privacy/rules.json

.PHONY: site
site: .venv/ready ## write the documentation to build/site, with every warning an error (ARGS="--site-dir DIR")
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs --quiet build --strict $(ARGS)
	@echo "build/site/index.html"

.PHONY: golden
golden: .venv/ready ## write the golden documents anew; review the difference
	@$(PY) -m tests.golden

.venv-benchmarks/ready: .venv/ready
	@echo "installing the benchmark's peers into .venv-benchmarks"
	@test -x .venv-benchmarks/bin/python || $(PYTHON) -m venv .venv-benchmarks
	@VIRTUAL_ENV=$(CURDIR)/.venv-benchmarks $(PY) -m uv sync --active --frozen --inexact --quiet --group benchmarks
	@touch $@

.PHONY: benchmark
benchmark: .venv-benchmarks/ready ## measure the library beside its peers; tables and pictures in benchmarks/results (ARGS=--quick)
	@.venv-benchmarks/bin/python -m benchmarks.span_way $(ARGS)

.PHONY: reliability
reliability: .venv/ready ## break the shape of a cluster on purpose and write docs/reliability.md; an hour (ARGS="--only NAME", --missing)
	@$(PY) -m benchmarks.reliability $(ARGS)

.PHONY: ledger
ledger: .venv/ready ## hold printed figures against what the real servers then do and write docs/ledger.md; two hours (ARGS="--only NAME", --missing)
	@$(PY) -m benchmarks.ledger $(ARGS)

.PHONY: alerts
alerts: .venv/ready ## fire each alert by its fault on the shape of a cluster and write docs/alerts.md; half an hour, as root, with tempo on PATH if there is one (ARGS="--only NAME")
	@$(PY) -m benchmarks.alerts $(ARGS)

.PHONY: dashboards
dashboards: .venv-benchmarks/ready ## draw what each dashboard shows of VirtEngine on the shape of a cluster, in docs/pictures; five minutes
	@.venv-benchmarks/bin/python -m benchmarks.dashboards $(ARGS)

.PHONY: benchmark-orders
benchmark-orders: .venv/ready ## measure what tracing adds to placing an order (ARGS="--orders 1000")
	@$(PY) -m benchmarks.place_order $(ARGS)
