# The door. Meson does the work underneath (meson.build); everything needed is installed on the way.
BUILD ?= build
JOBS ?= 2
ARGS ?=
SOAK_MINUTES ?= 10

.PHONY: all run test sim bench bench-check bench-zookeeper bench-watchdog soak fuzz lint format install clean setup

all: $(BUILD)/cairn

# What building needs, and what testing needs besides: installed only when missing.
setup:
	@tools/setup build

$(BUILD)/build.ninja: | setup
	@meson setup $(BUILD) --buildtype=release >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

.PHONY: $(BUILD)/cairn
$(BUILD)/cairn: $(BUILD)/build.ninja
	@tools/build $(BUILD) $(JOBS)

# A three-node cluster in the foreground: make run ARGS="--nodes 5"
run: $(BUILD)/cairn
	@$(BUILD)/cairn dev $(ARGS)

test:
	@tools/setup test
	@python3 tools/run_tests.py $(ARGS)

# Too long for every change: bug hunts over fresh seeds, long fuzzing, kill series.
soak:
	@tools/setup test
	@python3 tools/soak.py --minutes $(SOAK_MINUTES) $(ARGS)

sim: $(BUILD)/cairn
	@$(BUILD)/cairn sim $(ARGS)

# How fast the judge is, beside other checkers' recorded figures. HISTORIES=DIR: recorded histories too.
bench-check: $(BUILD)/cairn
	@python3 bench/check.py $(if $(HISTORIES),--histories $(HISTORIES)) $(ARGS)

bench: $(BUILD)/cairn
	@tools/setup bench
	@python3 bench/bench.py $(ARGS)
	@python3 bench/zookeeper.py

# Every command at its limits, beside other clients: does anything hold the loops up?
bench-watchdog: $(BUILD)/cairn
	@python3 bench/watchdog.py $(ARGS)

# Beside ZooKeeper alone: make bench-zookeeper ARGS="--only load"
bench-zookeeper: $(BUILD)/cairn
	@tools/setup bench
	@python3 bench/zookeeper.py $(ARGS)

fuzz:
	@tools/setup test
	@python3 tools/fuzz.py --seconds 60 $(ARGS)

lint:
	@tools/setup test
	@tools/lint

format:
	@clang-format -i $$(git ls-files '*.c' '*.h')

install: $(BUILD)/cairn
	@meson install -C $(BUILD) --no-rebuild

clean:
	@rm -rf $(BUILD) $(BUILD)-*
