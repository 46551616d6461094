# SPDX-License-Identifier: Apache-2.0
add_executable(statebus-bench bench/statebus_bench.c)
target_link_libraries(statebus-bench PRIVATE statebus)
