# SPDX-License-Identifier: Apache-2.0
# Run by `env/bench bus`; here only that nothing is lost at a small size.
add_executable(statebus-bench bench/statebus_bench.c bench/statebus_bench_deltas.c)
target_link_libraries(statebus-bench PRIVATE statebus)
