# SPDX-License-Identifier: Apache-2.0
# The benchmark of env/bench: load generator and canned responder. Built with the tests; the benchmark
# itself is run by hand, here only that the two understand each other.
if(TARGET openflow)
  add_executable(ofbench bench/ofbench.c bench/ofbench_switch.c)
  add_executable(ofcanned bench/ofcanned.c)
  add_executable(offair bench/offair.c)
  target_link_libraries(offair PRIVATE openflow statebus)
  target_link_libraries(ofbench PRIVATE openflow)
  target_link_libraries(ofcanned PRIVATE openflow)
  add_test(NAME bench_canned COMMAND bash -o pipefail -c
    "'${PROJECT_SOURCE_DIR}/env/bench' --quick --json --server canned |
     jq -se 'length == 4 and all(.answered > 100 and .duplicates + .lost + .errors == 0)'")
  set_tests_properties(bench_canned PROPERTIES
    ENVIRONMENT TRIVET_BUILD=${PROJECT_BINARY_DIR} TIMEOUT 60)
endif()
